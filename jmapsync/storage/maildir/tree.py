"""Map mailboxes to the folders of a Maildir tree; make, rename and remove folders.

`nested` layout: `PATH/INBOX`, `PATH/Lists/python`, each with cur, new and tmp; `plusplus` has the other one. The root's marker
`.jmapsync` says whose mirror it is; a folder's marker names its mailbox, so that `mv` is a rename and a lost ledger finds its
folders again.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
from typing import TYPE_CHECKING

from msgspec import Struct

from jmapsync.formats.flags import KeywordTable
from jmapsync.formats.names import KEPT, KEYWORDS, LONGEST, LOST_AND_FOUND, NESTED, TOP, escape, fold, unescape, unique
from jmapsync.kinds import MAIL
from jmapsync.ledger.notes import BARE
from jmapsync.opening import kind_of
from jmapsync.storage.files.atomic import GROUP, prepare, replace_text, sync_directories, sync_files, unfinished_name
from jmapsync.storage.files.file_state import is_text
from jmapsync.storage.files.filesystem import naming_refusals
from jmapsync.storage.files.root import MARKER, marker_trouble, read_marker
from jmapsync.storage.files.tree import NOT_UTF8, ContainerTree, Found, Listed
from jmapsync.storage.maildir.file_names import INBOX, PARTS, key_in
from jmapsync.storage.maildir.keyword_tables import KeywordTables
from jmapsync.storage.maildir.paths import Names, Paths
from jmapsync.storage.maildir.unchanged import Stamps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from jmapsync.ledger.rows import FolderRow, Place
    from jmapsync.storage.files.directories import Below
    from jmapsync.storage.known import Known


class Tree(ContainerTree[Paths]):
    """The folders of one mirror."""

    def __init__(self, root: Path, *, dry: bool = False) -> None:
        """Name the root; nothing is touched yet, and never anything when `dry`."""
        super().__init__(root, Paths(), dry=dry)
        self.tables = KeywordTables()
        """The keyword table of each container, by key."""
        self.stamps = Stamps(self._top)
        """What shows which folders are as they were."""
        self.unclear: set[str] = set()
        """Places of folders in which something may have been left of a killed run."""
        self.unsettled = False
        """Whether the last walk met what may become a folder, or stop being one, without a change of the directory it lies in."""
        self._loaded = -1
        """The ledger's count of writes when it was read."""
        self.bare: set[int] = set()
        """Containers that are there only for what lies in them: files in them are nobody's business."""
        self._left_alone: frozenset[str] = frozenset()
        self._left_names: Names | None = None

    @property
    def left_alone(self) -> frozenset[str]:
        """Return the paths of folders that are left out, with those that hold nothing else."""
        return self._left_alone

    @left_alone.setter
    def left_alone(self, paths: Iterable[str]) -> None:
        self._left_alone, self._left_names = frozenset(paths), None

    def load(self, known: Known, *, begin: bool = False, moved: Iterable[FolderRow] = ()) -> None:
        """Read where the containers lie, and their keyword tables, from what is known, but for those that `moved`, and the folders.

        To `begin` a run, find out which folders are as they were; a folder that had no table then has none.
        """
        folders = known.folders(MAIL.containers.kind) | {row.key: (row.path, row.keywords) for row in moved}
        if begin:
            self.stamps.begin(known, (self.place(path) for path, _ in folders.values()))
        self.paths = Paths({key: path for key, (path, _) in folders.items()})
        self.tables = KeywordTables()
        self.tables.update(dict.fromkeys(folders, KeywordTable()))
        self._loaded = known.writes
        self.bare = set(json.loads(known.note(f"{BARE}:{MAIL.name}") or "[]"))
        with self.reach() as below:
            for key, (path, keywords) in folders.items():
                if keywords or not self.stamps.has_no_keywords(self.place(path)):
                    self.load_table(below, key, KeywordTable.parse(keywords))

    def is_loaded(self, known: Known) -> bool:
        """Return whether what was read still stands: nothing was written to the ledger since, and there are no tables to change."""
        return self._loaded == known.writes and not any(table.keywords for table in self.tables.values())

    def load_table(self, below: Below, key: int, kept: KeywordTable) -> None:
        """Read the keyword table that lies in a folder; `kept` is the ledger's."""
        path, folder = self.paths[key], None
        with contextlib.suppress(OSError):  # the scan of the folder itself says what is wrong with it
            folder = below.path(self.place(path))
        self.tables.load(key, path, folder, kept)

    def directory(self, key: int) -> str:
        """Return the same as text, for what is done to every file: putting a Path together costs more than opening one."""
        place = self.place(self.paths[key])
        return f"{self._top}/{place}" if place else self._top

    def inside(self, key: int, sub: str) -> str:
        """Return the path below the root of one of a container's directories; see `Below.at`."""
        place = self.place(self.paths[key])
        return f"{place}/{sub}" if place else sub

    def path(self, below: Below, place: Place) -> str:
        """Return a path that leads to a file through no link, good for the next step. Raises OSError."""
        return f"{below.at(self.inside(place.folder, place.sub))}/{place.name}{place.info}"

    def is_otherwise(self) -> bool:
        """Return whether a root without a marker holds mail in the other layout: it is a Maildir itself."""
        return all(os.path.isdir(self.root / part) for part in PARTS)

    def clear_unfinished(self) -> None:
        """Remove what a killed run left in the folders, as far as that is possible.

        Under the account's lock nobody else can be writing these names. Other programs' files in `tmp` are theirs to remove.
        """
        self.unclear = set()
        with self.reach() as below:
            for key, path in self.paths.items():
                place = self.place(path)
                if self.stamps.is_same(place):
                    continue
                try:
                    self._clear(below, key, below.at(place))
                except OSError:
                    self.unclear.add(place)

    def _clear(self, below: Below, key: int, folder: str) -> None:
        for name in (MARKER, KEYWORDS):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{folder}/{unfinished_name(name)}")
        temporary = below.at(self.inside(key, "tmp"))
        for name in os.listdir(temporary):
            if key_in(name):
                os.unlink(f"{temporary}/{name}")

    def walk(self) -> Iterator[Found]:
        """Yield the folders below the root, parents first. Raises LocalError when the root cannot be listed.

        A symbolic link is never followed. Where a known folder was, it or a file of another kind counts as there, with all that is
        known below it, and so does a folder that cannot be listed; an unknown link is odd.
        """
        known = set(self.paths.values())
        waiting = [("", False)] if not self._dry or os.path.isdir(self.root) else []
        self.odd, self.unsettled = list(self.tables.unread), bool(self.tables.unread)
        with self.reach() as below:
            while waiting:
                path, linked = waiting.pop()
                names: list[str] = []
                obstacles: dict[str, str] = {}
                try:
                    names, obstacles = ([], {}) if linked else self._folders_in(below, path, known)
                except OSError as error:
                    if not path:
                        raise self.unlistable(error) from error
                    self.odd.append((path, f"the folder cannot be listed: {error.strerror}"))
                    if path not in known:
                        continue
                    linked = True
                if linked:
                    names = sorted(one.rpartition("/")[2] for one in known if one.rpartition("/")[0] == path)
                if path:
                    yield self._found(below, path, linked=linked)
                for name in reversed(names):
                    inner = f"{path}/{name}" if path else name
                    if self._is_folder(inner, obstacles.get(name, "")):
                        waiting.append((inner, linked or name in obstacles))

    def _is_folder(self, path: str, obstacle: str) -> bool:
        """Return whether what lies at a path counts as a folder, and note what is odd about it."""
        if not is_text(path):
            self.odd.append((path, NOT_UTF8))
            return False
        if obstacle:
            self.odd.append((path, obstacle))
        return not obstacle or path in self.paths.values()

    def _folders_in(self, below: Below, path: str, known: set[str]) -> tuple[list[str], dict[str, str]]:
        """Return the names of what may be folders of mail in a folder, and why some of them are not listed."""
        foreign = set(PARTS) if path else {LOST_AND_FOUND, KEPT} - known
        above = f"{path}/" if path else ""
        listed = Listed(below.at(path), lambda name: name[0] != "." and name not in foreign, lambda name: above + name in known)
        self.unsettled = self.unsettled or listed.has_links
        return listed.names, listed.obstacles

    def _found(self, below: Below, path: str, *, linked: bool) -> Found:
        """Return a folder with what its marker says; of one that cannot be opened, only that it counts as there."""
        if linked:
            return Found(path, linked=True)
        try:
            folder = below.path(self.place(path))
        except OSError:  # gone, or a link by now: the scan of its messages says what is wrong
            return Found(path)
        marker = read_marker(folder)
        if marker is None and (why := marker_trouble(folder)):
            self.odd.append((path, why))
        return Found(path, str((marker or {}).get("mailbox", "")))

    def place_for(self, key: int, name: str, role: str, parent: int | None, mailbox: str) -> str:
        """Return the path below the root that a container is to have, which no other one has."""
        above = f"{self.paths[parent]}/" if parent is not None else ""
        if role == "inbox" and not above:
            return INBOX
        text, longest = self._name_for(name, above)
        if self._left_names is None:
            self._left_names = Names(self._left_alone)
        taken = _Taken(self.paths, self._left_names, above.rstrip("/"), key)
        found = unique(text, mailbox, taken, longest=longest)
        if fold(found) in taken:  # a lost ledger met the folder without its marker, and took it for another mailbox
            found = unique(text, f"{mailbox} {key}", taken, longest=longest)
        return above + found

    def _name_for(self, name: str, above: str) -> tuple[str, int]:
        """Return the part of a path that a mailbox's name makes, and how many octets it may have."""
        return escape(name, reserved=NESTED if above else TOP, also=self.holds.forbidden), min(LONGEST, self.holds.longest)

    def misnamed(self) -> list[int]:
        """Return the folders whose names have a use of their own where they lie: older versions did not escape all of them."""
        return [key for key, path in self.paths.items() if "/" in path and path.rpartition("/")[2].casefold() in NESTED]

    def make(self, key: int, path: str, mailbox: str, *, durable: bool = True) -> None:
        """Make a folder with its three directories and its marker; one that is there already is taken over.

        One that need not be `durable` yet gets its marker by `finish`.
        """
        place = self.place(path)
        with self.reach() as below:
            if place:
                below.make(place)
            for part in PARTS:
                below.make(f"{place}/{part}" if place else part)
            if mailbox:
                self._mark(path, mailbox, durable=durable)
            if durable:
                sync_directories([below.at(place), below.at(place.rpartition("/")[0])])
        self.paths[key] = path
        self.tables.setdefault(key, KeywordTable())

    def lacks(self, path: str) -> set[str]:
        """Return which of the three directories a folder has not, as far as can be examined; where anything else lies it is odd."""
        missing: set[str] = set()
        for part in PARTS:
            mode = _mode(f"{self._top}/{self.place(path)}/{part}")
            if not mode:
                missing.add(part)
            elif not stat.S_ISDIR(mode):
                what = "a symbolic link, which is not followed" if stat.S_ISLNK(mode) else f"{kind_of(mode)}, not a directory"
                why = f"its {part} is {what}; nothing in it counts as deleted"
                if (path, why) not in self.odd:
                    self.odd.append((path, why))
        return missing

    def complete(self, path: str, missing: set[str]) -> None:
        """Make directories that a folder lacks; one that cannot have them is odd.

        Somebody made it with plain `mkdir`, or a backup left out what was empty.
        """
        if self._dry:
            return
        with self.reach() as below:
            for part in sorted(missing):
                try:
                    (below.path(self.place(path)) / part).mkdir(mode=0o700, exist_ok=True)
                except OSError as error:
                    self.odd.append((path, f"it lacks {part}, which cannot be made: {error.strerror}"))
                    return

    def mark(self, key: int, mailbox: str) -> None:
        """Write into a folder which mailbox it is."""
        self._mark(self.paths[key], mailbox)

    def _mark(self, path: str, mailbox: str, *, durable: bool = True) -> None:
        text = json.dumps({"mailbox": mailbox}) + "\n"
        with self.reach() as below:
            marker = below.path(self.place(path)) / MARKER
            if durable:
                replace_text(marker, text)
            else:
                prepare(marker, text.encode())

    def finish(self, keys: Iterable[int]) -> None:
        """Make folders that were just made durable, and give them their markers. Raises OSError."""
        places = [self.place(self.paths[key]) for key in keys]
        with self.reach() as below:
            markers = [place for place in places if os.path.lexists(f"{below.at(place)}/{unfinished_name(MARKER)}")]
            self._sync(below, [f"{place}/{unfinished_name(MARKER)}" for place in markers])
            for place in markers:
                folder = below.at(place)
                os.replace(f"{folder}/{unfinished_name(MARKER)}", f"{folder}/{MARKER}")
            self._sync(below, sorted({*places, *(place.rpartition("/")[0] for place in places)}))

    def _sync(self, below: Below, paths: list[str]) -> None:
        """Make what lies at some paths below the root durable: many by one call for the whole file system."""
        reached = [f"{self._top}/{path}" if len(paths) >= GROUP else below.spot(path) if path else below.at("") for path in paths]
        sync_files(self.root, reached)

    def move(self, key: int, path: str) -> list[int]:
        """Rename a folder with all below it and return the containers that this moved.

        Raises FileExistsError rather than lay one folder over another.
        """
        old = self.paths[key]
        if old == path:
            return []
        with self.reach() as below:
            below.at(old)  # never a link that has the folder's name
            target = below.spot(path)
            if os.path.lexists(target):
                raise FileExistsError(17, "File exists", target)
            with naming_refusals():
                os.rename(below.spot(old), target)
            sync_directories([below.at(old.rpartition("/")[0]), below.at(path.rpartition("/")[0])])
        return self.moved(old, path)

    def remove(self, key: int) -> None:
        """Remove an empty folder. Raises OSError when anything but our own files is left in it: it is never emptied by force.

        Where others lie in it that are left out, it stays as a directory and is no folder of mail any more.
        """
        place = self.place(self.paths[key])
        with self.reach() as below:
            folder = below.path(place)
            listed = os.listdir(folder)
            names = [name for name in listed if name not in {*PARTS, MARKER, KEYWORDS}]
            leftovers = [name for name in names if f"{self.paths[key]}/{name}" not in self.left_alone]
            parts = [part for part in PARTS if part in listed]
            for part in parts:
                leftovers += os.listdir(below.at(f"{place}/{part}"))
            if leftovers:
                raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), f"{self.root}/{place}")
            for part in parts:
                (folder / part).rmdir()
            for name in (MARKER, KEYWORDS):
                (folder / name).unlink(missing_ok=True)
            if names:
                self.left_alone = {*self.left_alone, self.paths[key]}
            else:
                os.rmdir(below.spot(place))
            sync_directories([below.at(place.rpartition("/")[0])])
        del self.paths[key]
        self.tables.pop(key, None)

    def restore_keywords(self) -> None:
        """Write the tables again that somebody cut short or removed, or that were written into a folder that moved away."""
        for key in self.tables.cut & self.paths.keys():
            with contextlib.suppress(OSError):
                self.show_keywords(key, self.tables[key])

    def show_keywords(self, key: int, table: KeywordTable) -> None:
        """Write a folder's keyword table before any file name uses it. Raises OSError."""
        with self.reach() as below:
            self.tables.write(key, below.path(self.place(self.paths[key])), table)


class _Taken(Struct, frozen=True):
    """The folded names that a container cannot have in a folder."""

    paths: Paths
    left_alone: Names
    parent: str
    key: int

    def __contains__(self, folded: object) -> bool:
        """Return whether another container, or a folder that is left alone, has a name."""
        name = str(folded)
        return self.paths.has_name(self.parent, name, self.key) or self.left_alone.has(self.parent, name)


def _mode(path: str) -> int:
    """Return the mode of what has a name, 0 where nothing has it, that of a directory where it cannot be examined."""
    try:
        return os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except OSError:
        return stat.S_IFDIR


def name_of(path: str) -> str:
    """Return the mailbox name that a folder's own name stands for."""
    return unescape(path.rpartition("/")[2])
