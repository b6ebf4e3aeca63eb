"""Identify which item each unknown or changed file of a vdir is: by its place, else by its uid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import field

from jmapsync.ledger.rows import Place
from jmapsync.storage.files.scan import Traces
from jmapsync.storage.port import Trouble
from jmapsync.storage.vdir.read import Reading, derived_uid, named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from jmapsync.formats.codec import Codec
    from jmapsync.ledger.record import Record
    from jmapsync.storage.known import Known
    from jmapsync.storage.vdir.tree import Tree

Spot = tuple[int, str]
"""A folder's key and a file name."""


class ItemTraces(Traces):
    """What one scan makes of the files it met, and of what they hold."""

    frozen: set[int] = field(default_factory=set)
    """Keys of items of which something cannot be decided: they stay as they were."""
    readings: dict[Spot, Reading] = field(default_factory=dict)
    """What the files hold that were read."""
    fresh: dict[str, list[Reading]] = field(default_factory=dict)
    """The files of items that nobody knew, by uid."""

    def read(self, key: int, reading: Reading) -> None:
        """Note that a file is an item's, and what it holds."""
        self.readings[reading.folder, reading.entry.name] = reading
        self.put(place_of(reading, key))

    def drop_fresh(self, uid: str, is_meant: Callable[[Reading], bool]) -> None:
        """Leave out files of an item that nobody knew."""
        left = [reading for reading in self.fresh.pop(uid, ()) if not is_meant(reading)]
        if left:
            self.fresh[uid] = left

    def freeze_entangled(self, owners: dict[Spot, int]) -> None:
        """Leave out what came of files of items that stay as they were; `owners` are the keys of the items that had them."""
        while (
            more := {place.key for spot, place in self.updated.items() if place is not None and owners.get(spot) in self.frozen}
            - self.frozen
        ):
            self.frozen |= more
        for uid in list(self.fresh):
            self.drop_fresh(uid, lambda reading: owners.get((reading.folder, reading.entry.name)) in self.frozen)


class Identifier:
    """Gives the files of one scan to items."""

    def __init__(self, kind: str, tree: Tree, ledger: Known, codec: Codec, traces: ItemTraces) -> None:
        """Prepare; `traces` are the scan's own and grow with what is found."""
        self._kind = kind
        self._tree = tree
        self._ledger = ledger
        self._codec = codec
        self._traces = traces
        self.alike: dict[tuple[int, str], set[str]] = {}
        """The names of several files in a collection that have one uid."""

    def reread(self, place: Place, reading: Reading, record: Record | None) -> Reading | None:
        """Take a known file that changed as another content of its item; return it when it is another item by now.

        An item is known by its uid. A file without one is what it was.
        """
        if record is None:
            return reading
        if not reading.uid:
            reading = named(self._codec, reading, record.digest or self._derived(reading))
        if record.digest and reading.uid != record.digest:
            self._traces.gone(place)
            return reading
        self._traces.read(place.key, reading)
        return None

    def identify(self, readings: Sequence[Reading], vanished: Iterable[Place]) -> int:
        """Give files to the items of their uids, and return how many found one; those of one uid in one collection wait."""
        renamed = {place.state: place for place in vanished}
        groups: dict[str, list[Reading]] = {}
        for one in readings:
            reading = one if one.uid else self._with_uid(one, renamed)
            groups.setdefault(reading.uid, []).append(reading)
        owners = self._ledger.by_digest(self._kind, sorted(groups))
        known = self._ledger.places_of([record.key for records in owners.values() for record in records])
        return sum(self._give(uid, group, owners.get(uid, []), known) for uid, group in sorted(groups.items()))

    def _with_uid(self, reading: Reading, renamed: dict[tuple[int, int, int], Place]) -> Reading:
        """Return a file without a uid as the item that it was under another name, else as a new one."""
        place = renamed.get(reading.entry.state)
        record = self._ledger.records([place.key]).get(place.key) if place is not None else None
        return named(self._codec, reading, record.digest if record is not None and record.digest else self._derived(reading))

    def _derived(self, reading: Reading) -> str:
        return derived_uid(self._kind, self._tree.paths[reading.folder], reading.entry.name)

    def _give(self, uid: str, group: list[Reading], owners: list[Record], known: dict[int, list[Place]]) -> int:
        """Give files of one uid to an item of it, in each collection at most one; return how many."""
        taken = 0
        for folder in sorted({reading.folder for reading in group}):
            mine = [reading for reading in group if reading.folder == folder]
            owner = self._owner(owners, known, folder)
            copies = self._traces.copies(owner.key, known.get(owner.key, [])) if owner is not None else []
            there = [place.name for place in copies if place.folder == folder]
            there += [reading.entry.name for reading in self._traces.fresh.get(uid, ()) if reading.folder == folder]
            there += self.alike.get((folder, uid), ())
            if len(mine) + len(there) > 1:
                self.alike.setdefault((folder, uid), set()).update(there, (reading.entry.name for reading in mine))
                if owner is not None:
                    self._traces.frozen.add(owner.key)
                self._traces.drop_fresh(uid, lambda reading, folder=folder: reading.folder == folder)  # type: ignore[misc]
                continue
            taken += 1
            if owner is None:
                self._traces.fresh.setdefault(uid, []).append(mine[0])
            else:
                self._traces.read(owner.key, mine[0])
        return taken

    def _owner(self, owners: list[Record], known: dict[int, list[Place]], folder: int) -> Record | None:
        """Choose among items of one uid, which a server should not have: the one that lacks a file in this very collection."""

        def rank(record: Record) -> tuple[bool, bool, int]:
            copies = self._traces.copies(record.key, known.get(record.key, []))
            held = record.remote or (record.base.remote if record.base is not None else None)
            return any(place.folder == folder for place in copies), held is None or folder not in held.homes, record.key

        return min(owners, key=rank, default=None)

    def troubles(self) -> Iterator[Trouble]:
        """Name every one of several files of one uid in a collection (vdirsyncer #1093: none is touched, the rest goes on)."""
        for (folder, _), names in sorted(self.alike.items()):
            for name in sorted(names):
                others = " and ".join(sorted(names - {name}))
                why = f"it has the same UID as {others}; remove or change one of them"
                yield Trouble(f"{self._tree.paths[folder]}/{name}", why)


def place_of(reading: Reading, key: int) -> Place:
    """Return the row of a file that was read."""
    return Place(reading.folder, reading.entry.name, "", "", key, *reading.entry.state, "")
