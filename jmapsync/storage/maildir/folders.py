"""Observe the folders of a Maildir tree: which there are, which containers they are, and which are left alone."""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from typing import TYPE_CHECKING

from jmapsync.formats.message import is_offlineimap
from jmapsync.formats.names import EVERYTHING, Patterns, above, from_utf7, seen_path
from jmapsync.kinds import MAIL
from jmapsync.ledger.notes import BOXES, OUTSIDE
from jmapsync.opening import open_directory
from jmapsync.storage.maildir.file_names import INBOX, PARTS, SUBS
from jmapsync.storage.maildir.tree import name_of
from jmapsync.storage.port import DiskFolders, Folder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jmapsync.ledger.record import Record
    from jmapsync.ledger.rows import FolderRow
    from jmapsync.storage.files.tree import Found
    from jmapsync.storage.known import Known
    from jmapsync.storage.maildir.tree import Tree


GONE = ".gone"
"""The name of a folder that cannot be there: what begins with a dot is no folder."""


def observe_folders(tree: Tree, known: Known, moved: Iterable[FolderRow] = (), patterns: Patterns = EVERYTHING) -> DiskFolders:
    """Return the folders below the root; renamed ones are known by their markers. Those that are left out are left alone.

    Raises LocalError when the root cannot be listed.
    """
    return _Folders(tree, known, moved, patterns).observe()


class _Folders:
    """The folders of one tree, as they were met on the disk."""

    def __init__(self, tree: Tree, known: Known, moved: Iterable[FolderRow], patterns: Patterns) -> None:
        """List them, and note in the tree where known ones lie by now. Raises LocalError."""
        self._tree = tree
        self._known = known
        self._patterns = patterns
        found = list(tree.walk())
        self._marked = Counter(one.container for one in found)
        self._by_ref = known.by_ref(MAIL.containers.kind, [one.container for one in found if one.container])
        outside = set(json.loads(known.note(f"{OUTSIDE}:{MAIL.name}") or "[]"))
        self._shut = {one.path for one in found if one.container in outside}
        """Folders of mailboxes that are left out by the user's wish."""
        marked = {one.path: self._by_ref[one.container].key for one in found if one.container in self._by_ref and self._marker(one)}
        _follow(tree, {key: path for path, key in marked.items() if key in tree.paths}, {one.path for one in found}, self._shut)
        self._keys = {path: key for key, path in tree.paths.items()}
        self._found = [one for one in found if not one.linked or one.path in self._keys]  # the folder itself was found elsewhere
        self._places = {key: path for key, (path, _) in known.folders(MAIL.containers.kind).items()}
        """Where the ledger has each container, or will."""
        self._places |= {row.key: row.path for row in moved}
        keys = set(self._keys.values()) | {record.key for record in self._by_ref.values()}
        self._records: dict[int, Record] = known.records(sorted(keys))

    def observe(self) -> DiskFolders:
        """Return those that are mirrored, and make what they lack."""
        inside, needed = self._mirrored()
        tree = self._tree
        observed = DiskFolders(detached={one.container: one.path for one in self._found if one.path in self._shut - needed})
        tree.left_alone = {one.path for one in self._found} - inside - needed
        odd = [(path, why) for path, why in tree.odd if path not in tree.left_alone]
        tree.odd = [(path, why) for path, why in odd if path in inside or self._covers(path)]
        for one in self._found:
            if one.path in inside or one.path in needed:
                key = self._key(one)
                self._complete(one, key, bare=one.path in needed or key in tree.bare)
                observed.folders.append(self._folder(one, key, bare=one.path in needed))
        return observed

    def _mirrored(self) -> tuple[set[str], set[str]]:
        """Return the paths of the folders that are mirrored, and of those that are there only for what lies in them."""
        boxes = json.loads(self._known.note(f"{BOXES}:{MAIL.name}") or "{}")
        inside = {one.path for one in self._found if one.path not in self._shut and self._belongs(one, boxes)}
        hollow = {one.path for one in self._found if self._is_hollow(one)}
        apart = above(one.path for one in self._found if one.path not in inside)
        inside -= (hollow & apart) - above(inside - hollow)  # a directory that holds nothing but what is left alone
        needed = above(path for path in inside if self._covers(path)) - inside
        return inside, needed

    def _belongs(self, one: Found, boxes: dict[str, object]) -> bool:
        """Return whether a folder is a container's already, or one that the patterns cover."""
        return one.path in self._keys or one.container in self._by_ref or one.container in boxes or self._covers(one.path)

    def _is_hollow(self, one: Found) -> bool:
        """Return whether a directory is no folder of mail yet."""
        return not one.container and one.path not in self._keys and len(self._tree.lacks(one.path)) == len(PARTS)

    def _covers(self, path: str) -> bool:
        return self._patterns.covers(seen_path(path))

    def _marker(self, one: Found) -> str:
        """Return the id that a folder alone is marked with, or nothing; that of a mailbox that is left out names no other one."""
        return one.container if self._marked[one.container] == 1 and one.path not in self._shut else ""

    def _key(self, one: Found) -> int | None:
        """Return the container that a folder is: by its place, else by its marker where that container lies nowhere."""
        key = self._keys.get(one.path)
        record = self._by_ref.get(one.container)
        return record.key if key is None and record is not None and record.key not in self._tree.paths else key

    def _complete(self, one: Found, key: int | None, *, bare: bool) -> None:
        """Make the directories that a folder lacks, but not where messages lay: that is a loss to be noticed."""
        missing = set[str]() if bare or one.linked else self._tree.lacks(one.path)
        if missing and key is not None:
            missing -= {place.sub for place in self._known.places_in(key)}
        self._tree.complete(one.path, missing)

    def _folder(self, one: Found, key: int | None, *, bare: bool) -> Folder:
        """Return a folder under the name its mailbox has, as long as the folder still lies where that name put it."""
        name = name_of(one.path)
        if key is not None:
            record = self._records.get(key)
            if record is not None and self._places.get(key) == one.path and record.local is not None:
                name = record.local.body
        elif not one.container:
            root = self._tree.root
            name = _decoded_name(name, f"{root}/{one.path}", (f"{root}/{other.path}" for other in self._found))
        parent = one.path.rpartition("/")[0]
        role = "inbox" if one.path == INBOX else ""
        return Folder(ref=one.path, name=name, parent=parent, role=role, key=key, marker=self._marker(one), bare=bare)


def _follow(tree: Tree, known: dict[int, str], present: set[str], shut: set[str]) -> None:
    """Note where folders lie by now, as their markers say; what has no marker of its own goes with what it lies in.

    So folders that swapped their names are each known. One whose place another folder has taken, and that is found nowhere, is
    gone.
    """
    old = dict(tree.paths)
    keys = {path: key for key, path in old.items()}
    tree.paths.put(known)
    for key, path in old.items():
        if key in known:
            continue
        above, _, name = path.rpartition("/")
        below = name
        while above and keys.get(above) not in known:
            above, _, name = above.rpartition("/")
            below = f"{name}/{below}"
        if above and (moved := f"{known[keys[above]]}/{below}") in present:
            tree.paths[key] = moved
    taken = shut.union(known.values())
    for key, path in old.items():
        if key not in known and tree.paths[key] in taken:
            tree.paths[key] = f"{path}/{GONE}"


def _decoded_name(name: str, folder: str, others: Iterable[str]) -> str:
    """Return the mailbox name that a program meant by a folder's name; `others` are all folders below the same root.

    mbsync and offlineimap write IMAP's modified UTF-7 (RFC 3501, 5.1.3). mbsync leaves files of its own in each folder; offlineimap
    shows by the names of messages in any of them.
    """
    meant = from_utf7(name)
    if meant == name or _is_mbsync(folder):
        return meant
    return meant if _is_filled_by_offlineimap(others) else name


def _is_mbsync(folder: str) -> bool:
    """Return whether mbsync keeps its own files in a folder."""
    return os.path.lexists(f"{folder}/.uidvalidity") or os.path.lexists(f"{folder}/.mbsyncstate")


def _is_filled_by_offlineimap(folders: Iterable[str]) -> bool:
    """Return whether offlineimap named a file in any of some folders."""
    for folder in folders:
        for sub in SUBS:
            with contextlib.suppress(OSError):
                handle = open_directory(f"{folder}/{sub}")
                try:
                    if any(is_offlineimap(name) for name in os.listdir(handle)):
                        return True
                finally:
                    os.close(handle)
    return False
