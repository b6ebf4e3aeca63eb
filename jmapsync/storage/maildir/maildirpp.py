"""Map mailboxes to the folders of a Maildir++ tree: all side by side in the root, which is the inbox itself.

`.Lists.python` in the root is the folder `Lists/python`. Dots part the names of a path, so a dot in a mailbox's name is `%2E`, and
names are UTF-8: the form of Dovecot's plugin listescape with `%` as its `listescape_char`, and what mutt shows as it is. Everywhere
else in the program a folder has the same path in both layouts, `INBOX` and `Lists/python`.
"""

from __future__ import annotations

import errno
import json
import os
from typing import TYPE_CHECKING

from jmapsync.formats.names import KEYWORDS, LONGEST, TOP, escape
from jmapsync.opening import read_regular
from jmapsync.storage.files.atomic import replace_text, sync_directories, unfinished
from jmapsync.storage.files.file_state import is_text
from jmapsync.storage.files.filesystem import naming_refusals
from jmapsync.storage.files.root import MARKER
from jmapsync.storage.files.tree import NOT_UTF8, Found, Listed
from jmapsync.storage.maildir.file_names import INBOX, PARTS
from jmapsync.storage.maildir.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterator

MOVING = ".jmapsync-moving"
"""The file that records folders being renamed one after the other, so that a killed run's rename is finished."""
_FOREIGN = frozenset({".git", ".notmuch", ".mu", ".snapshot", ".zfs"})
"""Directories of other programs that may be in the root, and empty."""
_LONGEST_NOTE = 1 << 16
"""Octets of that file."""
_OURS = frozenset({MARKER[1:], MOVING[1:], KEYWORDS})
"""Folders at the top that would lie where the root's own files are, or be written on their way there."""
_TOP = TOP | _OURS | {name[1:] for name in _FOREIGN}


class PlusPlusTree(Tree):
    """The folders of one mirror in the layout `maildir++`."""

    def place(self, path: str) -> str:
        """Return where a folder lies below the root; nothing for the root itself."""
        return place_of(path)

    def is_otherwise(self) -> bool:
        """Return whether a root without a marker holds mail in the other layout: Maildirs whose names begin with no dot."""
        try:
            names = [name for name in os.listdir(self.root) if name[0] != "." and name not in PARTS]
        except OSError:
            return False
        return any(os.path.isdir(self.root / name / part) for name in names for part in PARTS)

    def walk(self) -> Iterator[Found]:
        """Yield the folders, parents first. Raises LocalError when the root cannot be listed.

        A parent need not be there: it is a folder all the same, as a mailbox's parent is one (RFC 8621, section 2).
        """
        self.odd, self.unsettled = list(self.tables.unread), bool(self.tables.unread)
        if self._dry and not os.path.isdir(self.root):
            return
        known = set(self.paths.values())
        places = {self.place(path) for path in known}
        try:
            listed = Listed(self._top, lambda _: True, places.__contains__)
        except OSError as error:
            raise self.unlistable(error) from error
        self.unsettled = self.unsettled or listed.has_links
        paths = {INBOX} if INBOX in known or not set(PARTS).isdisjoint(listed.names) else set()
        refused: set[str] = set()
        links: set[str] = set()
        for name in listed.names:
            hidden = listed.obstacles.get(name, "")
            path = name[1:].replace(".", "/")
            if name[0] != "." or (path not in known and not hidden and not self._holds_mail(name)):
                self.unsettled = self.unsettled or name[0] == "."
                continue
            if hidden and path in known:
                self.odd.append((path, hidden))
                links.add(path)
            elif why := _oddity(name, linked=bool(hidden)):
                self.odd.append((name, why))
                refused |= {path} - {INBOX}
                continue
            above = _above(path)
            if refused.isdisjoint(above):
                paths |= {path, *above}
            else:
                self.odd.append((name, "the folder above it cannot be mirrored"))
        with self.reach() as below:
            for path in sorted(paths, key=lambda path: path.split("/")):
                yield self._found(below, path, linked=path in links)

    def _holds_mail(self, name: str) -> bool:
        """Return whether a directory is a folder of mail, or an empty one that is to become one, and no other program's."""
        if name in _FOREIGN:
            return False
        try:
            with self.reach() as below:
                inside = set(os.listdir(below.at(name)))
        except OSError:
            return False
        return not inside or not inside.isdisjoint({*PARTS, MARKER})

    def complete(self, path: str, missing: set[str]) -> None:
        """Make directories that a folder lacks, and the folder itself where only folders below it are left.

        Where messages lay in it, it is not made anew: that would turn their loss into a deletion that nobody is asked about.
        """
        if self._dry:
            return
        folder = self.root / self.place(path)
        if missing and not os.path.lexists(folder):
            if missing != set(PARTS):
                return
            try:
                folder.mkdir(mode=0o700)
            except OSError as error:
                self.odd.append((path, f"it cannot be made: {error.strerror}"))
                return
        super().complete(path, missing)

    def _name_for(self, name: str, above: str) -> tuple[str, int]:
        """Return the part of a path that a mailbox's name makes, and how many octets it may have. Raises OSError if none."""
        room = min(LONGEST, self.holds.longest - len(self.place(above).encode()))
        if room < LONGEST // 10:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), self.place(above) + name)
        text = escape(name, reserved=frozenset() if above else _TOP, also=self.holds.forbidden)
        return text.replace(".", "%2E"), room

    def misnamed(self) -> list[int]:
        """Return the folders whose names have a use of their own in the root."""
        return [key for key, path in self.paths.items() if path.partition("/")[0].casefold() in _OURS and "/" not in path]

    def _mark(self, path: str, mailbox: str, *, durable: bool = True) -> None:
        """Write into a folder which mailbox it is; the inbox is the root, and that has a marker of its own."""
        if path != INBOX:
            super()._mark(path, mailbox, durable=durable)

    def move(self, key: int, path: str) -> list[int]:
        """Rename a folder, and each one below it. Raises FileExistsError rather than lay one folder over another."""
        old = self.paths[key]
        if old == path:
            return []
        if INBOX in {old, path}:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), os.fspath(self.root))
        renames = self._renames(old, path)
        for _, target in renames:
            if os.path.lexists(self.root / target):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
            if len(target.encode()) > self.holds.longest:
                raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), target)
        replace_text(self.root / MOVING, json.dumps([old, path]) + "\n")
        done: list[tuple[str, str]] = []
        try:
            for source, target in renames:
                with naming_refusals():
                    (self.root / source).rename(self.root / target)
                done.append((source, target))
        except OSError:
            for source, target in reversed(done):
                (self.root / target).rename(self.root / source)
            (self.root / MOVING).unlink()
            raise
        sync_directories([os.fspath(self.root)])
        (self.root / MOVING).unlink()
        return self.moved(old, path)

    def _renames(self, old: str, new: str) -> list[tuple[str, str]]:
        """Return the directories of a folder and of those below it, known or not, with the names they are to have."""
        before, after = self.place(old), self.place(new)
        names = sorted(os.listdir(self.root))
        return [(name, after + name[len(before) :]) for name in names if name == before or name.startswith(f"{before}.")]

    def clear_unfinished(self) -> None:
        """Remove what a killed run left, and finish its rename: half of it would be taken for new folders."""
        unfinished(self.root / MOVING).unlink(missing_ok=True)
        try:
            old, new = json.loads(read_regular(self.root / MOVING, _LONGEST_NOTE, follow=False))
        except (OSError, ValueError):
            pass
        else:
            for source, target in self._renames(old, new):
                if not os.path.lexists(self.root / target):
                    (self.root / source).rename(self.root / target)
            sync_directories([os.fspath(self.root)])
            (self.root / MOVING).unlink()
        super().clear_unfinished()

    def remove(self, key: int) -> None:
        """Remove an empty folder. Raises OSError when anything is left in it or below it, and for the inbox."""
        path = self.paths[key]
        if path == INBOX or len(self._renames(path, path)) > 1:
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), os.fspath(self.folder(key)))
        super().remove(key)


def place_of(path: str) -> str:
    """Return where the folder of a path lies below the root; nothing for the inbox, which is the root."""
    return "" if path == INBOX else f".{path.replace('/', '.')}"


def _above(path: str) -> list[str]:
    """Return the paths of the folders that a folder lies in."""
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def _oddity(name: str, *, linked: bool) -> str:
    """Return why a directory in the root cannot be mirrored, or nothing."""
    parts = name[1:].split(".")
    if linked:
        return "it is a symbolic link, not a folder"
    if not is_text(name):
        return NOT_UTF8
    if not all(parts):
        return "a part of its name is empty; rename it"
    if parts[0] != INBOX and parts[0].casefold() == INBOX.casefold():
        return "only the inbox may be called so; rename it"
    return "the inbox is the folder above it; rename it" if parts == [INBOX] else ""
