"""Know the folders of a Maildir tree: the root and its marker, where each container lies, and its keyword table.

`nested` layout: `PATH/INBOX`, `PATH/Lists/python`, each with cur, new and tmp; `plusplus` has the other one. The root's marker
`.jmapsync` says whose mirror it is; a folder's marker names its mailbox, so that `mv` is a rename and a lost ledger finds its
folders again.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jmapsync.errors import LocalError
from jmapsync.formats.flags import KeywordTable
from jmapsync.formats.names import INSIDE, KEPT, LONGEST, LOST_AND_FOUND, TOP, escape, fold, unescape, unique
from jmapsync.formats.retelling import is_offlineimap
from jmapsync.kinds.mail import MAIL
from jmapsync.ledger.notes import BARE
from jmapsync.storage.atomic import replace_text, sync_directories, unfinished
from jmapsync.storage.root import MARKER, read_marker
from jmapsync.storage.state import is_text, may_be_directory, may_be_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from jmapsync.ledger import Ledger

KEYWORDS = "dovecot-keywords"
INBOX = "INBOX"
_OUR_NAME = re.compile(r"[0-9]+\.J([0-9]+)R[0-9a-f]{8}\.")
"""How the names of the files begin that a mirror makes: the time, and the message's key; see `write.Writer`."""
PARTS = ("cur", "new", "tmp")


@dataclass(frozen=True, slots=True)
class Found:
    """One folder met on the disk."""

    path: str
    """Below the root, parts joined by `/`."""
    mailbox: str
    """The server's id that its marker names, or nothing."""


class Tree:
    """The folders of one mirror."""

    def __init__(self, root: Path, *, dry: bool = False) -> None:
        """Name the root; nothing is touched yet, and never anything when `dry`."""
        self.root = root
        self._top = os.fspath(root)
        self._dry = dry
        self.paths: dict[int, str] = {}
        """Where each container lies below the root, by key."""
        self.tables: dict[int, KeywordTable] = {}
        """The keyword table of each container, by key."""
        self._cut: set[int] = set()
        """Containers whose table on disk lacks its end, or everything: letters stand for nothing there."""
        self.odd: list[tuple[str, str]] = []
        """Folders that cannot be mirrored as they are, by path, and why."""
        self.bare: set[int] = set()
        """Containers that are there only for what lies in them: files in them are nobody's business."""
        self.left_alone: set[str] = set()
        """Paths of folders that are left out, with those that hold nothing else."""

    def load(self, ledger: Ledger) -> None:
        """Read where the containers lie, and their keyword tables, from the ledger and the folders.

        A folder's own table wins where it continues the ledger's (another program added a keyword); a missing or contradicting
        one would turn letters into other keywords, so there the ledger's stands.
        """
        self.paths, self.tables, self._cut = {}, {}, set()
        self.bare = set(json.loads(ledger.note(f"{BARE}:{MAIL.name}") or "[]"))
        for key, (path, keywords) in ledger.folders(MAIL.containers.kind).items():
            self.paths[key] = path
            kept = KeywordTable.parse(keywords)
            try:
                shown = KeywordTable.parse((self.folder(key) / KEYWORDS).read_text("utf-8", "replace"))
            except OSError:
                shown = KeywordTable()
            self.tables[key] = shown if shown.keywords[: len(kept.keywords)] == kept.keywords else kept
            if kept != shown == KeywordTable(kept.keywords[: len(shown.keywords)]):
                self._cut.add(key)

    def folder(self, key: int) -> Path:
        """Return where a container lies."""
        return self.root / self.place(self.paths[key])

    def place(self, path: str) -> str:
        """Return where the folder of a path lies below the root."""
        return path

    def directory(self, key: int) -> str:
        """Return the same as text, for what is done to every file: putting a Path together costs more than opening one."""
        place = self.place(self.paths[key])
        return f"{self._top}/{place}" if place else self._top

    def is_otherwise(self) -> bool:
        """Tell whether a root without a marker holds mail in the other layout: it is a Maildir itself."""
        return all((self.root / part).is_dir() for part in PARTS)

    def clear_unfinished(self) -> None:
        """Remove what a killed run left in the folders, as far as that is possible.

        Under the account's lock nobody else can be writing these names. Other programs' files in `tmp` are theirs to remove.
        """
        for key in self.paths:
            folder = self.folder(key)
            with contextlib.suppress(OSError):
                for name in (MARKER, KEYWORDS):
                    unfinished(folder / name).unlink(missing_ok=True)
                with os.scandir(folder / "tmp") as entries:
                    ours = [entry.path for entry in entries if key_in(entry.name)]
                for path in ours:
                    os.unlink(path)

    def walk(self) -> Iterator[Found]:
        """Yield the folders below the root, parents first. Raises LocalError when the root cannot be listed.

        A symbolic link is followed only where a known folder was: somebody keeps it on another disk. A known folder that cannot
        be listed counts as there, with all that is known below it; an unknown one is odd.
        """
        known = set(self.paths.values())
        waiting = [""] if not self._dry or self.root.is_dir() else []
        self.odd = []
        while waiting:
            path = waiting.pop()
            names: list[str] = []
            links: set[str] = set()
            try:
                names = self._folders_in(path)
                links = {one for one in names if os.path.islink(self.root / path / one)}
            except OSError as error:
                if not path:
                    raise LocalError(f"The folder {self.root} cannot be listed: {error.strerror}.") from error
                self.odd.append((path, f"the folder cannot be listed: {error.strerror}"))
                if path not in known:
                    continue
                names = sorted(one.rpartition("/")[2] for one in known if one.rpartition("/")[0] == path)
            if path:
                yield Found(path, self._mailbox_of(path))
            for name in reversed(names):
                below = f"{path}/{name}" if path else name
                if name in links and below not in known:
                    self.odd.append((below, "it is a symbolic link, not a folder"))
                elif is_text(name):
                    waiting.append(below)
                else:
                    self.odd.append((below, "its name is not valid UTF-8; rename it"))

    def _folders_in(self, path: str) -> list[str]:
        """Return the names of what may be folders of mail in a folder."""
        with os.scandir(self.root / path) as entries:
            names = sorted(entry.name for entry in entries if entry.name[0] != "." and may_be_folder(entry))
        foreign = set(PARTS) if path else {LOST_AND_FOUND, KEPT} - set(self.paths.values())
        return [name for name in names if name not in foreign]

    def _mailbox_of(self, path: str) -> str:
        return str((read_marker(self.root / self.place(path)) or {}).get("mailbox", ""))

    def place_for(self, key: int, name: str, role: str, parent: int | None, mailbox: str) -> str:
        """Return the path below the root that a container is to have, which no other one has."""
        above = f"{self.paths[parent]}/" if parent is not None else ""
        if role == "inbox" and not above:
            return INBOX
        text, longest = self._name_for(name, above)
        taken = {
            fold(path.rpartition("/")[2])
            for path in (*(path for other, path in self.paths.items() if other != key), *self.left_alone)
            if path.rpartition("/")[0] == above.rstrip("/")
        }
        found = unique(text, mailbox, taken, longest=longest)
        if fold(found) in taken:  # a lost ledger met the folder without its marker, and took it for another mailbox
            found = unique(text, f"{mailbox} {key}", taken, longest=longest)
        return above + found

    def _name_for(self, name: str, above: str) -> tuple[str, int]:
        """Return the part of a path that a mailbox's name makes, and how many octets it may have."""
        return escape(name, reserved=INSIDE if above else TOP), LONGEST

    def make(self, key: int, path: str, mailbox: str) -> None:
        """Make a folder with its three directories and its marker; one that is there already is taken over."""
        folder = self.root / self.place(path)
        for part in ("", *PARTS):
            (folder / part).mkdir(mode=0o700, exist_ok=True)
        if mailbox:
            self._mark(path, mailbox)
        sync_directories([os.fspath(folder), os.fspath(folder.parent)])
        self.paths[key] = path
        self.tables.setdefault(key, KeywordTable())

    def lacks(self, path: str) -> set[str]:
        """Return which of the three directories a folder has not, as far as can be told."""
        return {part for part in PARTS if not may_be_directory(f"{self._top}/{self.place(path)}/{part}")}

    def complete(self, path: str, missing: set[str]) -> None:
        """Make directories that a folder lacks; one that cannot have them is odd.

        Somebody made it with plain `mkdir`, or a backup left out what was empty.
        """
        if self._dry:
            return
        for part in sorted(missing):
            try:
                (self.root / self.place(path) / part).mkdir(mode=0o700, exist_ok=True)
            except OSError as error:
                self.odd.append((path, f"it lacks {part}, which cannot be made: {error.strerror}"))
                return

    def mark(self, key: int, mailbox: str) -> None:
        """Write into a folder which mailbox it is."""
        self._mark(self.paths[key], mailbox)

    def _mark(self, path: str, mailbox: str) -> None:
        replace_text(self.root / self.place(path) / MARKER, json.dumps({"mailbox": mailbox}) + "\n")

    def move(self, key: int, path: str) -> None:
        """Rename a folder with all below it. Raises FileExistsError rather than lay one folder over another."""
        old = self.paths[key]
        if old == path:
            return
        target = self.root / path
        if os.path.lexists(target):
            raise FileExistsError(17, "File exists", os.fspath(target))
        (self.root / old).rename(target)
        sync_directories([os.fspath((self.root / old).parent), os.fspath(target.parent)])
        self.moved(old, path)

    def moved(self, old: str, new: str) -> None:
        """Take note that a folder, with all below it, lies elsewhere."""
        for key, path in self.paths.items():
            if path == old or path.startswith(f"{old}/"):
                self.paths[key] = new + path[len(old) :]

    def remove(self, key: int) -> None:
        """Remove an empty folder. Raises OSError when anything but our own files is left in it: it is never emptied by force.

        Where others lie in it that are left out, it stays as a directory and is no folder of mail any more.
        """
        folder = self.folder(key)
        names = [name for name in os.listdir(folder) if name not in {*PARTS, MARKER, KEYWORDS}]
        leftovers = [name for name in names if f"{self.paths[key]}/{name}" not in self.left_alone]
        for part in PARTS:
            if (folder / part).is_dir():
                leftovers += os.listdir(folder / part)
        if leftovers:
            raise OSError(39, "Directory not empty", os.fspath(folder))
        for part in PARTS:
            if (folder / part).is_dir():
                (folder / part).rmdir()
        for name in (MARKER, KEYWORDS):
            (folder / name).unlink(missing_ok=True)
        if not names:
            folder.rmdir()
        sync_directories([os.fspath(folder.parent)])
        del self.paths[key]
        self.tables.pop(key, None)

    def mend_keywords(self) -> None:
        """Write the tables anew that somebody cut short or removed, or that were written into a folder that moved away."""
        for key in self._cut & self.paths.keys():
            with contextlib.suppress(OSError):
                self.show_keywords(key, self.tables[key])

    def show_keywords(self, key: int, table: KeywordTable) -> None:
        """Write a folder's keyword table before any file name uses it."""
        path = self.folder(key) / KEYWORDS
        there = ""
        with contextlib.suppress(OSError):
            there = path.read_text("utf-8", "replace")
        replace_text(path, table.added_to(there))
        self.tables[key] = table


def key_in(name: str) -> int:
    """Return the key of the message that a mirror made a file for, by its name; 0 for any other file.

    A hint only: a copy keeps the name, and a lost ledger gave out other keys.
    """
    match = _OUR_NAME.match(name)
    return int(match[1]) if match else 0


def is_mbsync(folder: str) -> bool:
    """Tell whether mbsync keeps its own files in a folder: its name is then in IMAP's UTF-7."""
    return os.path.lexists(f"{folder}/.uidvalidity") or os.path.lexists(f"{folder}/.mbsyncstate")


def is_filled_by_offlineimap(folders: Iterable[str]) -> bool:
    """Tell whether offlineimap named a file in any of some folders: their names are then in IMAP's UTF-7, if they can be."""
    for folder in folders:
        for sub in PARTS[:2]:
            with contextlib.suppress(OSError), os.scandir(f"{folder}/{sub}") as entries:
                if any(is_offlineimap(entry.name) for entry in entries):
                    return True
    return False


def name_of(path: str) -> str:
    """Return the mailbox name that a folder's own name stands for."""
    return unescape(path.rpartition("/")[2])
