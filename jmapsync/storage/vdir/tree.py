"""Map containers to the collections of a vdir root; make, rename and remove collections.

A root holds collections, one level deep, and a collection holds items. Its directory keeps its name for life; what people call it
is in `displayname`. Its marker names its container, so that `mv` is no deletion and a lost ledger finds its collections again.
khal, khard, todoman and vdirsyncer ignore hidden files.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING

from jmapsync.formats.names import LONGEST, LOST_AND_FOUND, escape, fold, unescape, unique
from jmapsync.storage.files.atomic import sync_directories
from jmapsync.storage.files.file_state import is_text, printable
from jmapsync.storage.files.tree import NOT_UTF8, ContainerTree, Found, Listed, Whereabouts
from jmapsync.storage.vdir import metadata
from jmapsync.storage.vdir.names import digest_in, staged_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jmapsync.storage.files.directories import Below
    from jmapsync.storage.known import Known

_TOP = frozenset({LOST_AND_FOUND})


class NotEmptyError(Exception):
    """A collection that is to go holds something of somebody's; the text is a sentence."""


class Tree(ContainerTree[Whereabouts]):
    """The collections of one mirror."""

    def __init__(self, root: Path, *, dry: bool = False) -> None:
        """Name the root; nothing is touched yet, and never anything when `dry`."""
        super().__init__(root, Whereabouts(), dry=dry)

    def load(self, ledger: Known, kind: str) -> None:
        """Read where the containers of a kind lie."""
        self.paths = Whereabouts({key: path for key, (path, _) in ledger.folders(kind).items()})

    def walk(self) -> Iterator[Found]:
        """Yield the collections by name. Raises LocalError when the root cannot be listed.

        A symbolic link is never followed. Where a known collection was, it or a file counts as there; any other link is odd.
        """
        self.odd = []
        if self._dry and not os.path.isdir(self.root):
            return
        known = set(self.paths.values())
        try:
            listed = Listed(self._top, lambda name: name[0] != ".", known.__contains__)
        except OSError as error:
            raise self.unlistable(error) from error
        with self.reach() as below:
            for name in listed.names:
                if name in _TOP and name not in known:
                    continue
                if not is_text(name):
                    self.odd.append((name, NOT_UTF8))
                elif name not in listed.obstacles:
                    yield self._found(below, name)
                else:
                    self.odd.append((name, listed.obstacles[name]))
                    if name in known:
                        yield Found(name, linked=True)

    def _found(self, below: Below, name: str) -> Found:
        """Return a collection with what its marker says, and note which of its metadata files cannot be read."""
        try:
            folder = below.path(name)
        except OSError:  # gone, or not to be opened: the scan of its items says what is wrong
            return Found(name)
        self.odd += [(name, why) for why in metadata.troubles(folder)]
        return Found(name, metadata.container_of(folder))

    def taken_by_others(self, key: int) -> set[str]:
        """Return the folded names of directories that a container may not have. Raises OSError."""
        others = {path for other, path in self.paths.items() if other != key}
        return {fold(one) for one in {*others, *os.listdir(self.root)}}

    def place_for(self, name: str, identity: str, taken: set[str]) -> str:
        """Return the name of the directory that a container is to have, which is none of those `taken`; then it is one of them."""
        text = escape(metadata.shown(name), reserved=_TOP, also=self.holds.forbidden)
        longest = min(LONGEST, self.holds.longest)
        found = unique(text, identity, taken, longest=longest)
        number = 0
        while fold(found) in taken:
            number += 1
            found = unique(text, f"{identity} {number}", taken, longest=longest)
        taken.add(fold(found))
        return found

    def make(self, key: int, path: str, container: str, name: str, color: str, *, description: str = "") -> None:
        """Make a collection with its metadata in one step. Raises OSError, also where one of that name holds anything."""
        staged = staged_name(secrets.token_hex(8))
        with self.reach() as below:
            os.mkdir(below.spot(staged), 0o700)
            try:
                temporary = below.path(staged)
                metadata.write_name(temporary, name)
                metadata.write_color(temporary, color)
                metadata.write_description(temporary, description)
                if container:
                    metadata.write_marker(temporary, container)
                sync_directories([os.fspath(temporary)])
                os.rename(below.spot(staged), below.spot(path))
            except OSError:
                _clear(below, staged)
                raise
            sync_directories([below.at("")])
        self.paths[key] = path

    def mark(self, key: int, ref: str) -> None:
        """Write into a collection which container of the server it is. Raises OSError."""
        with self.reach() as below:
            metadata.write_marker(below.path(self.paths[key]), ref)

    def remove(self, key: int, description: str = "") -> None:
        """Remove an empty collection with its metadata, of which `description` is known.

        Raises NotEmptyError when anything but our own files is left in it: it is never emptied by force. Raises OSError; then it
        stays as it was, too.
        """
        with self.reach() as below:
            self._remove(below, key, description)
        del self.paths[key]

    def _remove(self, below: Below, key: int, description: str) -> None:
        path = self.paths[key]
        folder = below.path(path)
        ours = set(metadata.FILES)
        if metadata.read_description(folder) != description:
            ours.remove(metadata.DESCRIPTION)  # somebody wrote it since
        leftovers = [name for name in os.listdir(folder) if name not in ours]
        if leftovers:
            what = min(leftovers) if len(leftovers) == 1 else f"{min(leftovers)} and {len(leftovers) - 1} more"
            raise NotEmptyError(f"the directory {self.folder(key)} is not removed, because it still holds {printable(what)}")
        name, color, container = metadata.read_name(folder), metadata.read_color(folder), metadata.container_of(folder)
        try:
            for file in metadata.FILES:
                (folder / file).unlink(missing_ok=True)
            os.rmdir(below.spot(path))
        except OSError:
            with contextlib.suppress(OSError):
                metadata.write_name(folder, name)
                metadata.write_color(folder, color or "")
                metadata.write_description(folder, description)
                metadata.write_marker(folder, container)
            raise
        sync_directories([below.at("")])

    def clear_unfinished(self) -> None:
        """Remove what a killed run left of collections it was making, and of metadata, as far as that is possible."""
        with self.reach() as below:
            with contextlib.suppress(OSError):
                for name in os.listdir(below.at("")):
                    if digest_in(name) is not None:
                        _clear(below, name)
            for path in self.paths.values():
                with contextlib.suppress(OSError):
                    metadata.clear_unfinished(below.path(path))


def _clear(below: Below, path: str) -> None:
    """Remove a directory that was being made, as far as only our own files are in it."""
    with contextlib.suppress(OSError):
        folder = below.path(path)
        metadata.clear_unfinished(folder)
        for file in metadata.FILES:
            (folder / file).unlink(missing_ok=True)
        os.rmdir(below.spot(path))


def name_of(path: str) -> str:
    """Return the name that a directory stands for where no `displayname` gives another one."""
    return unescape(path)
