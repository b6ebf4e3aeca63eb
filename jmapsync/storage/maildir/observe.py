"""Observe the messages of a Maildir tree: which changed since the ledger last saw them."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from jmapsync.formats.flags import letters
from jmapsync.planner.model import NO_TAGS, Tags
from jmapsync.storage.files.file_state import printable, state_of
from jmapsync.storage.files.scan import Traces, has_changed, scan
from jmapsync.storage.maildir.concurrent_renames import drop_left, withhold_losses
from jmapsync.storage.maildir.copies import Reading, combine, follow, is_trashed, read_copy
from jmapsync.storage.maildir.file_names import MESSAGES, is_complete
from jmapsync.storage.maildir.identify import Identifier
from jmapsync.storage.maildir.unchanged import mtimes
from jmapsync.storage.port import DiskItems, Seen, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from jmapsync.ledger.record import Record
    from jmapsync.ledger.rows import Place
    from jmapsync.storage.files.scan import Changes, Entry
    from jmapsync.storage.known import Known
    from jmapsync.storage.maildir.identify import Measured
    from jmapsync.storage.maildir.tree import Tree

FEW = 3
"""Messages a tree may lose to the last one in one scan without a question."""
SLICE = 16_000
"""Files that nobody knew in one scan: each takes some 3 KB of memory until it is in the ledger."""


class MessageScan:
    """One scan of the messages of a tree."""

    def __init__(
        self,
        tree: Tree,
        ledger: Known,
        *,
        clock: Callable[[], float] = time.time,
        limit: int = SLICE,
        folders: Collection[str] | None = None,
        examined: Collection[str] | None = None,
    ) -> None:
        """Prepare; `clock` returns seconds since the epoch, `limit` is the number of unknown files to read.

        `folders` are the paths of those to scan. In the others everything counts as it was, so that it is not known what
        is gone, nor, as files may have several names, what was edited. In folders that are not `examined` (None for all) files
        count as they were while the directories are that they lie in.
        """
        paths = {key: tree.directory(key) for key in tree.paths if key not in tree.bare}
        self._folders = {key: path for key, path in paths.items() if folders is None or path in folders}
        self._is_whole = folders is None
        self._examined = examined
        self._tree = tree
        self._ledger = ledger
        self._traces = Traces()
        self._problems = [Trouble(printable(path), why) for path, why in tree.odd]
        self._below = tree.reach()
        self._identifier = Identifier(tree, ledger, clock, self._traces, self._problems, below=self._below)
        self._limit = limit
        self._listed: dict[int, tuple[int, ...]] = {}
        """`Changes.since` of each folder."""
        self._vanished: list[Place] = []
        self._touched: list[tuple[Place, Entry]] = []
        self._unknown: list[tuple[int, Entry]] = []
        """Files that nobody knew, by folder."""
        self._missing_folders: list[str] = []
        """Paths of folders that are gone with the messages in them."""
        self._counted = 0
        """Files that are there."""
        self._known = 0
        """Files that were there."""

    def run(self) -> DiskItems:
        """Return what changed. A folder that cannot be listed is a problem, and nothing in it counts as gone.

        Where there is more than one scan reads, it says so; then, and where folders changed during it, it reports neither edits
        nor what is gone: among the files that it has not seen may be the ones that moved.
        """
        with self._below:
            return self._run()

    def _run(self) -> DiskItems:
        moment, held = time.time_ns(), self._ledger.files_by_folder()
        for key in self._folders:
            self._scan_folder(key, held.get(key, 0), moment)
        measured, more = self._identifier.measure(self._unknown, self._limit)
        if not (measured or more or self._vanished or self._touched or self._traces.updated):
            found = self._observe([])
        else:
            calm = self._is_whole and not self.is_overtaken()
            new, withheld = self._identify(measured, calm=calm, whole=calm and not more)
            found = self._observe(new)
            found.more, found.withheld = more, withheld
        found.suspicious = self._doubt()
        return found

    def _scan_folder(self, key: int, held: int, moment: int) -> None:
        """Note what changed in a folder, of which the ledger has so many files; `moment` is when the scan began."""
        stamps, path = self._tree.stamps, self._tree.paths[key]
        place = self._tree.place(path)
        now = stamps.messages(place)
        files = stamps.files_in(place, now)
        if now is not None and files is not None and files == held and self._are_untouched(key):
            self._counted += files
            self._known += files
            self._listed[key] = mtimes(now)
            return
        if not self._tree.tables[key].keywords:  # another program may have made one since
            with contextlib.suppress(OSError):
                self._tree.load_table(self._below, key, self._tree.tables[key])
        before = self._ledger.places_in(key)
        if self._is_missing(path):
            lost = list(before)
            self._vanished += lost
            self._known += len(lost)
            self._missing_folders += [path] if lost else []
            return
        changes = self._scan(key, path, before)
        if changes is None:
            return
        self._counted += changes.count
        self._known += changes.count - len(changes.unknown) + len(changes.vanished)
        taken = self._ledger.taken_names(key, [entry.name for entry in changes.unknown])
        self._unknown += [(key, entry.alone() if entry.name in taken else entry) for entry in changes.unknown]
        if changes.are_none and changes.count == held:
            stamps.note_messages(place, now, changes.count, moment)

    def _doubt(self) -> str:
        """Return why what vanished may not have been deleted, or nothing."""
        if self._missing_folders:
            return f"the folder {self._missing_folders[0]} disappeared with the messages in it"
        return "every message disappeared at once" if self._counted == 0 and self._known > FEW else ""

    def _are_untouched(self, key: int) -> bool:
        """Return whether each known file of a folder lies where it lay, as it was; they are examined only where that is wanted."""
        folder = self._folders[key]
        if self._examined is not None and folder not in self._examined:
            return True
        try:
            return all(
                state_of(os.lstat(f"{folder}/{one.sub}/{one.name}{one.info}")) == one.state for one in self._ledger.places_in(key)
            )
        except OSError:
            return False

    def _identify(self, measured: list[Measured], *, calm: bool, whole: bool) -> tuple[list[Seen], bool]:
        """Decide which message each changed file is; return the messages nobody knew, and whether anything was withheld.

        It is `calm` where no folder changed during the scan, nor may have before; `whole` where besides every file was seen.
        """
        for place in self._vanished:
            self._traces.gone(place)
        if whole:
            for place, entry in self._touched:
                self._identifier.reread(place, entry)
            return self._identifier.identify(measured), False
        new = self._identifier.identify(measured, changing=not calm)
        if not calm:
            drop_left(self._tree, self._ledger, self._traces)
        return new, withhold_losses(self._ledger, self._traces) or bool(self._touched)

    def is_overtaken(self) -> bool:
        """Return whether a folder changed after it was listed."""
        return any(has_changed(self._folders[key], since, MESSAGES) for key, since in self._listed.items())

    def _is_missing(self, path: str) -> bool:
        """Return whether a folder, or a directory that messages lie in, is not there; what a link or a file stands for may be."""
        try:
            return not is_complete(self._below.at(self._tree.place(path)))
        except FileNotFoundError:
            return True
        except OSError:
            return False

    def _scan(self, key: int, path: str, known: Iterator[Place]) -> Changes | None:
        """Note how a folder differs from what was known of it; None when it cannot be listed."""
        try:
            changes = scan(self._below.at(self._tree.place(path)), known, MESSAGES)
        except OSError as error:
            why = f"the folder cannot be read: {error.strerror}; nothing in it counts as deleted"
            self._problems[:] = [one for one in self._problems if one.item != printable(path)]  # what led to this
            self._problems.append(Trouble(printable(path), why))
            return None
        self._problems += [Trouble(printable(f"{path}/{name}"), why) for name, why in changes.odd]
        self._listed[key] = changes.since
        self._vanished += changes.vanished
        for place, entry in changes.renamed:
            self._traces.put(place._replace(info=entry.info, sub=entry.sub))
        self._touched += changes.touched
        return changes

    def _observe(self, new: list[Seen]) -> DiskItems:
        found = DiskItems(items=new, problems=self._problems)
        keys = sorted(self._traces.touched)
        records = self._ledger.records(keys)
        tables = self._tree.tables  # a folder that is gone for good has none
        places_of = self._ledger.places_of(keys)
        known = {key: [place for place in places if place.folder in tables] for key, places in places_of.items()}
        copies = self._copies_of(known)
        for key in keys:
            record = records.get(key)
            places = copies.get(key, [])
            if record is None:
                continue
            if not places:
                found.gone.append(key)
                continue
            digest, size = self._identifier.bodies.get(key, ("", record.size))
            digest = digest or (record.local.body if record.local else record.digest)
            unsent = record.remote is None and record.base is None and all(map(is_trashed, places))
            tags = follow(_last_known(record), self._readings(places, known.get(key, []), marked=unsent))
            version = combine(digest, places, self._tree.tables, tags)
            if key in self._identifier.misdated:
                version = replace(version, untidy=True)
            stamp = places[0].mtime // 1_000_000_000 if key in self._identifier.bodies else record.stamp
            found.items.append(Seen(record.name, version, size=size, stamp=stamp, digest=digest, key=key, places=tuple(places)))
        spots = {(place.folder, place.name) for seen in new for place in seen.places}
        found.moved = [spot for spot, place in self._traces.updated.items() if place is None and spot not in spots]
        found.places = [place for place in self._traces.updated.values() if place is not None]
        return found

    def _readings(self, copies: list[Place], known: list[Place], *, marked: bool) -> Iterator[Reading]:
        """Yield what the changed copies of a message show, those marked to be deleted only if `marked`.

        `known` are its copies as they were last scanned.
        """
        for copy in copies:
            if (is_trashed(copy) and not marked) or self._traces.updated.get((copy.folder, copy.name)) is None:
                continue
            before = _origin(copy, known)
            table = self._tree.tables[copy.folder]
            yield read_copy(copy, table, before, self._tree.tables.get(before.folder, table) if before is not None else table)

    def _copies_of(self, known: dict[int, list[Place]]) -> dict[int, list[Place]]:
        """Return the copies of messages as this scan leaves them, in one pass; `known` are the copies as they were."""
        copies: dict[int, list[Place]] = {}
        for key, places in known.items():
            copies[key] = [place for place in places if (place.folder, place.name) not in self._traces.updated]
        for place in self._traces.updated.values():
            if place is not None:
                copies.setdefault(place.key, []).append(place)
        for places in copies.values():
            places.sort()
        return copies


def _last_known(record: Record) -> Tags:
    """Return the keywords that a message was last known to have here."""
    if record.local is not None:
        return record.local.tags
    return record.base.local.tags if record.base is not None else NO_TAGS


def _origin(copy: Place, known: list[Place]) -> Place | None:
    """Return what a copy was when last scanned: the same file, else the one in another folder whose letters it bears."""
    custom = _custom(copy)
    for place in known:
        if (place.folder, place.name) == (copy.folder, copy.name):
            return place
    alike = [place for place in known if _custom(place) == custom and (custom or place.name == copy.name or place.ino == copy.ino)]
    return min(alike, key=lambda place: (place.name != copy.name, place.ino != copy.ino, place.folder), default=None)


def _custom(copy: Place) -> set[str]:
    """Return the letters of a copy whose meaning depends on its folder."""
    return {letter for letter in letters(copy.info) if letter.islower()}
