"""Observe the items of a vdir: which changed since the ledger last saw them.

Only files are read whose inode, size or time differ. What is not certain is left as it was: an item with a file that
cannot be read, and, while directories change under the scan, every item that seems to have lost a file or to have gained one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from jmapsync.formats.objects import encode
from jmapsync.planner.model import Version
from jmapsync.storage.files.file_state import printable
from jmapsync.storage.files.scan import Changes, Entry, has_changed, scan
from jmapsync.storage.port import DiskItems, Seen, Trouble
from jmapsync.storage.vdir.identify import Identifier, ItemTraces, Spot, place_of
from jmapsync.storage.vdir.names import items_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from jmapsync.ledger.record import Record
    from jmapsync.ledger.rows import Place
    from jmapsync.storage.files.directories import Below
    from jmapsync.storage.known import Known
    from jmapsync.storage.vdir.read import Reader, Reading
    from jmapsync.storage.vdir.tree import Tree

FEW = 3
"""Items a root may lose to the last one in one scan without a question."""
SLICE = 4000
"""Files that nobody knew that one scan reads: each takes some kilobytes of memory until it is in the ledger."""


class ItemScan:
    """One scan of the items of a root."""

    def __init__(
        self,
        kind: str,
        tree: Tree,
        ledger: Known,
        reader: Reader,
        *,
        limit: int = SLICE,
        folders: Collection[str] | None = None,
    ) -> None:
        """Prepare; `kind` is the ledger's name of the items, `limit` the number of unknown files to read.

        `folders` are the names of the collections to scan. In the others everything counts as it was, so that it is not known
        what was moved, and what is gone.
        """
        self._tree = tree
        self._ledger = ledger
        self._codec = reader.codec
        self._rules = items_of(reader.codec.suffix)
        self._reader = reader
        self._folders = {key: path for key, path in tree.paths.items() if folders is None or path in folders}
        self._is_whole = folders is None
        self._limit = limit
        self._traces = ItemTraces()
        self._problems = [Trouble(printable(path), why) for path, why in tree.odd]
        self.identifier = Identifier(kind, tree, ledger, reader.codec, self._traces)
        self._changes: dict[int, Changes] = {}
        self._vanished: list[Place] = []

    def run(self) -> DiskItems:
        """Return what changed. A collection that cannot be listed is a problem, and nothing in it counts as gone."""
        with self._tree.reach() as below:
            return self._run(below)

    def _run(self, below: Below) -> DiskItems:
        found = DiskItems(problems=self._problems)
        found.suspicious = self._scan(below)
        changing = any(self._has_changed(below, key, one.since) for key, one in self._changes.items())
        for place in self._vanished:
            self._traces.gone(place)
        more = self._identify_unknown(self._reread())
        changing = changing or self._reader.overtaken or not self._is_whole
        if changing or more:
            found.withheld = self._withhold(changing=changing)
        self._observe(found)
        found.problems += self.identifier.troubles()
        found.undecided = self._traces.frozen
        found.withheld = found.withheld or self._reader.overtaken
        found.more = more and bool(found.items)
        return found

    def _has_changed(self, below: Below, key: int, since: tuple[int, ...]) -> bool:
        try:
            return has_changed(below.at(self._tree.paths[key]), since, self._rules)
        except OSError:
            return True

    def _scan(self, below: Below) -> str:
        """Note how the collections differ from what was known, and return why a loss must not be believed."""
        counted = known = 0
        missing = []
        for key, path in self._folders.items():
            before = list(self._ledger.places_in(key))
            try:
                changes = scan(below.at(path), before, self._rules)
            except FileNotFoundError:
                self._vanished += before
                known += len(before)
                missing += [path] if before else []
                continue
            except OSError as error:
                why = f"the collection cannot be read: {error.strerror}; nothing in it counts as deleted"
                self._problems[:] = [one for one in self._problems if one.item != printable(path)]  # what led to this
                self._problems.append(Trouble(printable(path), why))
                self._traces.frozen.update(place.key for place in before)
                continue
            self._problems += [Trouble(printable(f"{path}/{name}"), why) for name, why in changes.odd]
            self._traces.frozen.update(place.key for place in changes.replaced)
            self._changes[key] = changes
            self._vanished += changes.vanished
            counted += changes.count
            known += len(before)
        if missing:
            return f"the collection {missing[0]} disappeared with what was in it"
        return "every item disappeared at once" if self._is_whole and counted == 0 and known > FEW else ""

    def _reread(self) -> list[Reading]:
        """Read the known files that changed, and return those that are other items by now."""
        touched = [(place, entry) for changes in self._changes.values() for place, entry in changes.touched]
        records = self._ledger.records(sorted({place.key for place, _ in touched}))
        others = []
        for place, entry in touched:
            reading = self._read(place.folder, entry)
            if reading is None:
                self._traces.frozen.add(place.key)
            elif other := self.identifier.reread(place, reading, records.get(place.key)):
                others.append(other)
        return others

    def _identify_unknown(self, others: list[Reading]) -> bool:
        """Read unknown files and give them to items, as many as one scan reads; return whether there are more."""
        unknown = iter([(key, entry) for key, changes in self._changes.items() for entry in changes.unknown])
        self.identifier.identify(others, ())
        taken, more = 0, True
        while more and taken < self._limit:
            some, more = self._next(unknown, self._limit - taken)
            taken += self.identifier.identify(some, self._vanished)
        return more

    def _next(self, unknown: Iterator[tuple[int, Entry]], limit: int) -> tuple[list[Reading], bool]:
        """Read so many of the unknown files, and return whether any may be left."""
        some: list[Reading] = []
        for folder, entry in unknown:
            reading = self._read(folder, entry)
            if reading is not None:
                some.append(reading)
            if len(some) >= limit:
                return some, True
        return some, False

    def _read(self, folder: int, entry: Entry) -> Reading | None:
        found = self._reader.read(folder, entry)
        if isinstance(found, Trouble):
            self._problems.append(found)
            # A file that was renamed and cannot be read now is not one that was deleted.
            self._traces.frozen |= {place.key for place in self._vanished if place.ino == entry.ino}
            return None
        return found

    def _withhold(self, *, changing: bool) -> bool:
        """Leave items as they were that seem to have lost a file or, where directories do not rest, gained one.

        What was moved during the scan is seen in two collections, or in none. Return whether there are any.
        """
        traces = self._traces
        withheld = False
        for key, places in self._ledger.places_of(sorted(traces.touched)).items():
            before = {(place.folder, place.name) for place in places}
            after = {(place.folder, place.name) for place in traces.copies(key, places)}
            if len(after) < len(before) or (changing and not after <= before):
                traces.frozen.add(key)
                withheld = True
        if changing:
            for uid in [uid for uid, readings in traces.fresh.items() if len(readings) > 1]:
                del traces.fresh[uid]
                withheld = True
        return withheld

    def _observe(self, found: DiskItems) -> None:
        traces = self._traces
        known = self._ledger.places_of(sorted(traces.touched))
        owners = {(place.folder, place.name): key for key, places in known.items() for place in places}
        keys = sorted(traces.touched - traces.frozen)
        references = self._ledger.contents.of(keys, "remote") | self._ledger.contents.of(keys, "local")
        seen: dict[int, Seen | None] = {}
        for record in self._ledger.converted(self._ledger.records(keys).values()):
            key = record.key
            copies = self._without_lost(traces.copies(key, known.get(key, [])))
            before = {(place.folder, place.name) for place in known.get(key, ())}
            seen[key] = self._seen(record, copies, before, references.get(key, b"")) if copies else None
        for uid, readings in list(traces.fresh.items()):
            if self._is_contested(readings, {reading.sense for reading in readings}):
                del traces.fresh[uid]
        traces.freeze_entangled(owners)
        found.gone = [key for key, one in sorted(seen.items()) if one is None and key not in traces.frozen]
        found.items = [one for key, one in sorted(seen.items()) if one is not None and key not in traces.frozen]
        found.items += [self._as_seen(readings, None, b"") for _, readings in sorted(traces.fresh.items())]
        new = {(reading.folder, reading.entry.name) for readings in traces.fresh.values() for reading in readings}
        for spot, place in traces.updated.items():
            if place is not None and place.key not in traces.frozen:
                found.places.append(place)
            elif place is None and owners.get(spot) not in traces.frozen and spot not in new:
                found.moved.append(spot)

    def _without_lost(self, copies: list[Place]) -> list[Place]:
        """Return the places of an item in collections that are there; all of them, where none is: that is no deletion of it."""
        kept = [place for place in copies if place.folder in self._tree.paths]
        if not kept:
            return copies
        for place in copies:
            if place.folder not in self._tree.paths:
                self._traces.gone(place)
        return kept

    def _seen(self, record: Record, copies: list[Place], before: set[Spot], reference: bytes) -> Seen | None:
        """Return an item as its files show it; None, and it stays as it was, when one of them cannot be read.

        `before` are the places that the ledger has of it.
        """
        readings = [self._traces.readings.get((place.folder, place.name)) for place in copies]
        homes = frozenset(place.folder for place in copies)
        if not any(readings) and record.local is not None and not record.local.untidy:  # it only lost a copy
            version = Version(record.local.body, record.local.sense, homes=homes)
            return Seen(record.name, version, record.size, record.stamp, record.digest, record.key, tuple(copies))
        changed = [reading for reading in readings if reading is not None]
        for index, place in enumerate(copies):
            readings[index] = readings[index] or self._read(place.folder, Entry(place.name, "", "", *place.state))
        complete = [reading for reading in readings if reading is not None]
        if len(complete) < len(copies):
            self._traces.frozen.add(record.key)
            return None
        edits = _edits(record, changed, complete) | _older(record, complete, before)
        if self._is_contested(complete, edits):
            self._traces.frozen.add(record.key)
            return None
        return self._as_seen(complete, record.key, reference, edits)

    def _is_contested(self, readings: Sequence[Reading], edits: Collection[str]) -> bool:
        """Return whether copies of an item were edited in different ways, and name them: writing one over another loses an edit."""
        if len(edits) <= 1:
            return False
        spots = {f"{self._tree.paths[one.folder]}/{one.entry.name}" for one in readings if one.sense in edits}
        for spot in sorted(spots):
            others = " and ".join(sorted(spots - {spot}))
            self._problems.append(
                Trouble(spot, f"it was edited in another way than its copy {others}; make them alike or remove one")
            )
        return True

    def _as_seen(self, readings: Sequence[Reading], key: int | None, reference: bytes, edits: Collection[str] = ()) -> Seen:
        """Return an item that these files are the copies of: where they differ, an edited one counts, else the one changed last."""
        edited = [reading for reading in readings if reading.sense in edits] or readings
        last = max(edited, key=lambda reading: (reading.entry.mtime, reading.folder))
        content = encode(self._codec.align(json.loads(last.content), json.loads(reference))) if reference else last.content
        untidy = any(reading.sense != last.sense for reading in readings)
        homes = frozenset(reading.folder for reading in readings)
        return Seen(
            f"{self._tree.paths[last.folder]}/{last.entry.name}",
            Version(last.sense, last.sense, homes=homes, untidy=untidy),
            size=last.entry.size,
            stamp=last.entry.mtime // 1_000_000_000,
            digest=last.uid,
            key=key,
            places=tuple(place_of(reading, key or 0) for reading in readings),
            content=content,
        )


def _older(record: Record, readings: Sequence[Reading], before: set[Spot]) -> set[str]:
    """Return what the copies of an item mean where a new file is older than a known one and differs from all: that is no edit.

    Such as one that waited in a collection beside another of its uid, until that one moved away.
    """
    known = [reading for reading in readings if (reading.folder, reading.entry.name) in before]
    usual = {reading.sense for reading in known} | ({record.base.local.sense} if record.base is not None else set())
    latest = max((reading.entry.mtime for reading in known), default=0)
    old = {one.sense for one in readings if one not in known and one.entry.mtime < latest and one.sense not in usual}
    return old | {reading.sense for reading in known} if old else set()


def _edits(record: Record, changed: Sequence[Reading], readings: Sequence[Reading]) -> set[str]:
    """Return what the copies of an item mean that were edited since both sides agreed: those that changed, and one not sent yet."""
    known = record.base.local if record.base is not None else record.local if record.remote is not None else None
    shown = {reading.sense for reading in changed}
    if record.local is not None and any(reading.sense == record.local.sense for reading in readings):
        shown.add(record.local.sense)
    return shown - ({known.sense} if known is not None else set())
