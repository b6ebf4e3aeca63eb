"""Know the collections of a vdir root: where each container lies, and how one is made, renamed and removed.

A root holds collections, one level deep, and a collection holds items. Its directory keeps its name for life; what people call it
is in `displayname`. Its marker names its container, so that `mv` is no deletion and a lost ledger finds its collections again.
khal, khard, todoman and vdirsyncer look at no hidden file.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jmapsync.errors import LocalError
from jmapsync.formats.names import LOST_AND_FOUND, escape, fold, unescape, unique
from jmapsync.storage.atomic import sync_directories
from jmapsync.storage.state import is_text, may_be_folder, printable
from jmapsync.storage.vdir import metadata
from jmapsync.storage.vdir.names import digest_in, staged_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jmapsync.ledger import Ledger

_TOP = frozenset({LOST_AND_FOUND})


class NotEmptyError(Exception):
    """A collection that is to go holds something of somebody's; the text is a sentence."""


@dataclass(frozen=True, slots=True)
class Found:
    """One collection met on the disk."""

    path: str
    """The name of its directory."""
    container: str
    """The server's id that its marker names, or nothing."""


class Tree:
    """The collections of one mirror."""

    def __init__(self, root: Path, *, dry: bool = False) -> None:
        """Name the root; nothing is touched yet, and never anything when `dry`."""
        self.root = root
        self._top = os.fspath(root)
        self._dry = dry
        self.paths: dict[int, str] = {}
        """Where each container lies below the root, by key."""
        self.odd: list[tuple[str, str]] = []
        """Directories that cannot be mirrored as they are, by name, and why."""

    def load(self, ledger: Ledger, kind: str) -> None:
        """Read where the containers of a kind lie."""
        self.paths = {key: path for key, (path, _) in ledger.folders(kind).items()}

    def folder(self, key: int) -> Path:
        """Return where a container lies."""
        return self.root / self.paths[key]

    def directory(self, key: int) -> str:
        """Return the same as text, for what is done to every file."""
        return f"{self._top}/{self.paths[key]}"

    def walk(self) -> Iterator[Found]:
        """Yield the collections by name. Raises LocalError when the root cannot be listed.

        A symbolic link is followed only where a known collection was: somebody keeps it on another disk.
        """
        self.odd = []
        if self._dry and not self.root.is_dir():
            return
        known = set(self.paths.values())
        try:
            with os.scandir(self.root) as entries:
                names = sorted(entry.name for entry in entries if not entry.name.startswith(".") and may_be_folder(entry))
        except OSError as error:
            raise LocalError(f"The folder {self.root} cannot be listed: {error.strerror}.") from error
        for name in names:
            if name in known or (name not in _TOP and not os.path.islink(self.root / name) and is_text(name)):
                yield Found(name, metadata.container_of(self.root / name))
            elif name not in _TOP:
                self.odd.append((name, "its name is not valid UTF-8; rename it" if not is_text(name) else "it is a symbolic link"))

    def place_for(self, key: int, name: str, identity: str) -> str:
        """Return the name of the directory that a container is to have, which no other one has. Raises OSError."""
        others = {path for other, path in self.paths.items() if other != key}
        taken = {fold(one) for one in {*others, *os.listdir(self.root)}}
        text = escape(metadata.shown(name), reserved=_TOP)
        found = unique(text, identity, taken)
        number = 0
        while fold(found) in taken:
            number += 1
            found = unique(text, f"{identity} {number}", taken)
        return found

    def make(self, key: int, path: str, container: str, name: str, color: str) -> None:
        """Make a collection with its metadata in one step. Raises OSError, also where one of that name holds anything."""
        temporary = self.root / staged_name(secrets.token_hex(8))
        temporary.mkdir(mode=0o700)
        try:
            metadata.write_name(temporary, name)
            metadata.write_color(temporary, color)
            if container:
                metadata.write_marker(temporary, container)
            sync_directories([os.fspath(temporary)])
            os.rename(temporary, self.root / path)
        except OSError:
            _clear(temporary)
            raise
        sync_directories([self._top])
        self.paths[key] = path

    def moved(self, old: str, new: str) -> None:
        """Take note that a collection lies elsewhere."""
        self.paths = {key: new if path == old else path for key, path in self.paths.items()}

    def remove(self, key: int) -> None:
        """Remove an empty collection with its metadata.

        Raises NotEmptyError when anything but our own files is left in it: it is never emptied by force. Raises OSError; then it
        stays as it was, too.
        """
        folder = self.folder(key)
        leftovers = [name for name in os.listdir(folder) if name not in metadata.FILES]
        if leftovers:
            what = min(leftovers) if len(leftovers) == 1 else f"{min(leftovers)} and {len(leftovers) - 1} more"
            raise NotEmptyError(f"the directory {folder} is not removed, because it still holds {printable(what)}")
        name, color, container = metadata.read_name(folder), metadata.read_color(folder), metadata.container_of(folder)
        try:
            for file in metadata.FILES:
                (folder / file).unlink(missing_ok=True)
            folder.rmdir()
        except OSError:
            with contextlib.suppress(OSError):
                metadata.write_name(folder, name)
                metadata.write_color(folder, color or "")
                metadata.write_marker(folder, container)
            raise
        sync_directories([self._top])
        del self.paths[key]

    def clear_unfinished(self) -> None:
        """Remove what a killed run left of collections it was making, and of metadata, as far as that is possible."""
        with contextlib.suppress(OSError):
            for name in os.listdir(self.root):
                if digest_in(name) is not None:
                    _clear(self.root / name)
        for key in self.paths:
            metadata.clear_unfinished(self.folder(key))


def _clear(folder: Path) -> None:
    """Remove a directory that was being made, as far as only our own files are in it."""
    metadata.clear_unfinished(folder)
    with contextlib.suppress(OSError):
        for file in metadata.FILES:
            (folder / file).unlink(missing_ok=True)
        folder.rmdir()


def name_of(path: str) -> str:
    """Return the name that a directory stands for where no `displayname` tells another one."""
    return unescape(path)
