"""Observe a directory of Sieve scripts: which files changed since the ledger last saw them, and where the link leads.

A file is known by its place. One that has another name now is known by its state, else by its content; so a rename is no deletion.
A new file is the script of its name that only the server holds, if there is one. Where the link leads to nothing that is a
script of the ledger by now, it is not followed: what was active stays active until that is clear.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct, field

from jmapsync.formats.message import Form, measure
from jmapsync.formats.names import fold, is_marked
from jmapsync.formats.scripts import (
    ACTIVE,
    LINK,
    SUFFIX,
    file_name,
    is_script,
    key_of,
    name_for,
    names_in,
    script_name,
    stands_for,
    stem_of,
    tags_of,
)
from jmapsync.ledger.rows import Place
from jmapsync.opening import open_regular
from jmapsync.planner.model import Version
from jmapsync.storage.files.file_state import is_text, printable, state_of, wait_until_quiet
from jmapsync.storage.files.filesystem import USUAL, FileSystem
from jmapsync.storage.files.scan import Changes, Entry, Rules, has_changed, scan
from jmapsync.storage.port import DiskItems, Seen, Trouble
from jmapsync.storage.sieve.link import Link, read_link

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from jmapsync.ledger.record import Record
    from jmapsync.planner.model import Tags
    from jmapsync.storage.known import Known

FEW = 3
"""Scripts a root may lose to the last one in one scan without a question."""
NO_OTHER = "disappeared here, and no other one is active"
LARGEST = 16 << 20
"""Octets of a file that is read at all: servers take some ten or hundred thousand."""
_OVERRULED = "the server's active script was changed as well as the link; the server's choice counts, and the link follows it"
RULES = Rules(("",), is_script, lambda name: (name, ""), "a file with a script in it")


class Reading(Struct, frozen=True):
    """A file as it was read."""

    entry: Entry
    body: str
    """The digest of the wire's bytes."""
    size: int
    """Octets on the wire."""
    form: Form


class ScriptScan(Struct):
    """One scan of a root."""

    kind: str
    """The ledger's name of the items."""
    home: int
    """The key of the one container."""
    root: Path
    known: Known
    clock: Callable[[], float]
    holds: FileSystem = USUAL
    """What the file system of the root allows in names."""
    active_there: Record | None = None
    """The script that is active on the server."""
    overruled: set[int] = set()
    """Keys of scripts that were to be activated here while the server's active script changed too: its choice counts."""
    link: Link = field(default_factory=Link)
    """As it was found; without a file where it is not followed."""
    dangling: Link | None = None
    """As it was found where it leads to nothing in the root."""
    active: int | None = None
    """The key of the active script as the disk has it, where that is known to the ledger."""
    is_off: bool = True
    """Whether the disk wants no script to be active."""
    agreed: int | None = None
    """The key of the script that both sides last agreed to be active."""
    _found: DiskItems = field(default_factory=DiskItems)
    _records: dict[int, Record] = {}
    _places: dict[int, Place] = {}
    """Where each script lies by now."""
    _readings: dict[int, Reading] = {}
    _frozen: set[int] = set()
    """Keys of scripts of which something cannot be decided: they stay as they were."""
    _fresh: dict[str, Reading] = {}
    """Files of scripts that nobody knew, by name."""
    _old_names: dict[str, int] = {}
    """Keys of scripts that have another file name by now, by the one that they had."""
    _stems: Counter[str] = field(default_factory=Counter)
    """The names of all files without their suffixes, folded."""

    def run(self, folder: str) -> DiskItems:
        """Return what changed in the root, which `folder` leads to. Raises OSError when it cannot be listed."""
        found, before = self._found, list(self.known.places_in(self.home))
        self._records = self.known.records(sorted({place.key for place in before}))
        bases = {key: record.base for key, record in self._records.items()}
        self.agreed = next((key for key, base in bases.items() if base is not None and ACTIVE in base.remote.tags), None)
        changes = scan(folder, before, RULES)
        self.link = read_link(folder, self.root)
        self._stems = Counter(fold(stem_of(name)) for name in os.listdir(folder) if name.endswith(SUFFIX))
        found.problems += [Trouble(printable(path), why) for path, why in changes.odd]
        self._frozen |= {place.key for place in changes.replaced}
        others = {place.key for place in changes.vanished} | {place.key for place, _ in changes.touched}
        self._places = {place.key: place for place in before if place.key not in others}
        vanished = self._identify(folder, changes)
        if has_changed(folder, changes.since, RULES):
            return DiskItems(withheld=True)
        self._follow_link(folder)
        self._conclude(before, vanished, known=len(before), listed=changes.count)
        return found

    # which file is which script

    def _identify(self, folder: str, changes: Changes) -> list[Place]:
        """Give the files that are new or changed to scripts; return the places of those that none is left of."""
        entries = {entry.name: entry for entry in (*changes.unknown, *(entry for _, entry in changes.touched))}
        places = {place.name: place for place in (*changes.vanished, *(place for place, _ in changes.touched))}
        by_state = {entry.state: entry for entry in entries.values()}
        for place in list(places.values()):
            entry = by_state.pop(place.state, None)
            if entry is not None and entry.name != place.name:
                self._rename(place, entry, Form(place.form))
                del places[place.name], entries[entry.name]
        for name in sorted(entries.keys() & places.keys()):
            self._reread(folder, places.pop(name), entries.pop(name))
        read = {name: reading for name, entry in sorted(entries.items()) if (reading := self._read(folder, entry)) is not None}
        if len(read) < len(entries):  # a file that was renamed and cannot be read now is not one that was deleted
            self._frozen |= {place.key for place in places.values()}
            places.clear()
        for place in list(places.values()):
            if (moved := self._moved_to(place, read)) is not None:
                self._readings[place.key] = moved
                self._rename(place, moved.entry, moved.form)
                del places[place.name], read[moved.entry.name]
        for reading in read.values():
            self._take_new(reading)
        return list(places.values())

    def _moved_to(self, place: Place, read: Mapping[str, Reading]) -> Reading | None:
        """Return the file that a script lies in whose own is gone, among those that nobody knows.

        It has the script's name on the server, as after a rename that a killed run did not record, or alone the script's content.
        """
        record = self._records.get(place.key)
        if record is None or record.local is None:
            return None
        theirs = name_for(record.remote.tags) if record.remote is not None else ""
        named = [one for one in read.values() if theirs and stands_for(one.entry.name, theirs)]
        alike = [one for one in read.values() if one.body == record.local.body]
        return next((some[0] for some in (named, alike) if len(some) == 1), None)

    def _rename(self, place: Place, entry: Entry, form: Form) -> None:
        self._old_names[place.name] = place.key
        self._places[place.key] = self._place(entry, place.key, form)

    def _reread(self, folder: str, place: Place, entry: Entry) -> None:
        """Read a known file that changed; one that says the same has the form that it had."""
        reading = self._read(folder, entry, Form(place.form), self._records.get(place.key))
        if reading is None:
            self._frozen.add(place.key)
            return
        self._readings[place.key] = reading
        self._places[place.key] = self._place(entry, place.key, reading.form)

    def _read(self, folder: str, entry: Entry, form: Form | None = None, record: Record | None = None) -> Reading | None:
        """Return what a file holds; None, and it is named, where it cannot be read."""
        try:
            wait_until_quiet(entry.mtime, self.clock)
            with open_regular(f"{folder}/{entry.name}", follow=False) as file:
                data = file.read(LARGEST + 1)
                state = state_of(os.fstat(file.fileno()))
            why = f"it is larger than {LARGEST >> 20} MiB" if len(data) > LARGEST else ""
            why = why or ("" if state == entry.state else "it is still being written; it is read once it is left alone")
        except OSError as error:
            why = f"it cannot be read: {error.strerror}"
        if why:
            self._found.problems.append(Trouble(printable(entry.name), why))
            return None
        found = measure([data])
        if form is None or record is None or record.local is None or found.digest(form) != record.local.body:
            form = found.form
        return Reading(entry, found.digest(form), found.size(form), form)

    def _take_new(self, reading: Reading) -> None:
        """Give a file that nobody knew to the script of its name that only the server holds, or let it be a new one."""
        file = reading.entry.name
        stem, name = stem_of(file), script_name(file)
        if not name or not is_text(name):
            self._found.problems.append(Trouble(printable(file), "its name is not that of a script; rename it"))
            return
        waiting = self.known.by_digest(self.kind, [stem, key_of(name)])
        for record in (*waiting.get(stem, ()), *waiting.get(key_of(name), ())):
            if record.local is None and record.key not in self._places and _is_named(record, file):
                self._records[record.key] = record
                self._readings[record.key] = reading
                self._places[record.key] = self._place(reading.entry, record.key, reading.form)
                return
        twin = next((place.name for key, place in self._places.items() if self._name(key) == name), "")
        twin = twin or (self._fresh[name].entry.name if name in self._fresh else "")
        if twin:
            self._found.problems.append(Trouble(printable(file), f"it stands for the same script as {twin}; rename one of them"))
        else:
            self._fresh[name] = reading

    def _place(self, entry: Entry, key: int, form: Form) -> Place:
        return Place(self.home, entry.name, "", "", key, *entry.state, form.value)

    def _name(self, key: int) -> str:
        """Return the name that a script has here: the one that it had, unless its file has another name now."""
        record, place = self._records[key], self._places[key]
        if record.local is None:
            return name_for(record.remote.tags) if record.remote is not None else script_name(place.name)
        return script_name(place.name) if key in self._old_names.values() else name_for(record.local.tags)

    # what is active

    def _follow_link(self, folder: str) -> None:
        """Find out which script the link makes the active one; where that is not clear, what was active stays so."""
        self.is_off = not (self.link.file or self.link.why)
        if self.is_off:
            return
        why, file = self.link.why, self.link.file
        keys = {place.name: key for key, place in self._places.items()}
        key = keys.get(file) or self._old_names.get(file) or self._without_mark(file) or self._left_behind()
        fresh = any(reading.entry.name == file for reading in self._fresh.values())
        if not why and key is None and not fresh:
            is_there = os.path.lexists(f"{folder}/{file}")
            self.dangling = None if is_there else self.link
            why = f"it leads to {file}, which {'cannot be read' if is_there else 'is not there'}"
        if not why and key in self._frozen:
            why = f"it leads to {file}, which cannot be read"
        if why:
            self._found.problems.append(Trouble(LINK, f"{why}; nothing is activated or deactivated"))
            self.active = next((one for one in self._places if _was_active(self._records[one])), None)
            self.link = Link(why=why)
        else:
            self.active = key
        if self.overruled:
            self._found.problems.append(Trouble(LINK, _OVERRULED))

    def _without_mark(self, file: str) -> int | None:
        """Return the script whose file had this marked name before a run gave it the plain one and died."""
        return next((key for key in self._places if stands_for(file, self._name(key))), None) if is_marked(stem_of(file)) else None

    def _left_behind(self) -> int | None:
        """Return the script whose file was renamed in an earlier run that died before it moved the link, which leads to nothing."""
        for key in self._places:
            version = self._records[key].local
            if version is not None and version.untidy and ACTIVE in version.tags:
                return key
        return None

    # what is new

    def _conclude(self, before: list[Place], vanished: list[Place], *, known: int, listed: int) -> None:
        found = self._found
        found.undecided = self._frozen
        gone = {place.key for place in vanished} - self._frozen
        for key in sorted(self._places.keys() - self._frozen):
            seen = self._seen(key)
            if (twin := self._twin(key, seen)) is not None:
                gone.add(key)
                self._add(twin.key, self._places[key]._replace(key=twin.key), seen, twin)
            else:
                self._add(key, self._places[key], seen, self._records[key])
        for name, reading in sorted(self._fresh.items()):
            tags = tags_of(name, active=self.link.file == reading.entry.name)
            version = Version(reading.body, reading.body, tags, frozenset({self.home}))
            place = self._place(reading.entry, 0, reading.form)
            found.items.append(Seen(reading.entry.name, version, reading.size, 0, key_of(name), None, (place,)))
        spots = {place.name: place for place in self._places.values()}
        fresh = {reading.entry.name for reading in self._fresh.values()}
        kept = [place for place in before if place.key not in self._frozen]
        found.moved = [(place.folder, place.name) for place in kept if place.name not in spots and place.name not in fresh]
        found.gone = sorted(gone)
        found.refuted = NO_OTHER if self._has_active else ""
        found.suspicious = self._doubt({place.key for place in vanished} - self._frozen, known=known, listed=listed)

    def _add(self, key: int, place: Place, seen: Version, record: Record) -> None:
        """Note what is otherwise than the ledger has it."""
        name = name_for(seen.tags)
        if seen != record.local:
            reading = self._readings.get(key)
            size = reading.size if reading is not None else record.size
            self._found.items.append(Seen(place.name, seen, size, 0, key_of(name), key, (place,), label=f"script {name}"))
        if place not in self.known.places_of([key]).get(key, ()):
            self._found.places.append(place)

    def _seen(self, key: int) -> Version:
        """Return a script as its file and the link show it."""
        record, reading = self._records[key], self._readings.get(key)
        body = reading.body if reading is not None else record.local.body if record.local is not None else ""
        active = key == self.active and key not in self.overruled
        tags: Tags = tags_of(self._name(key), active=active)
        astray = key == self.active and bool(self.link.file) and (not active or self.link.file != self._places[key].name)
        return Version(body, body, tags, frozenset({self.home}), untidy=astray or self._is_plain_free(key))

    def _is_plain_free(self, key: int) -> bool:
        """Return whether the name of a file has a mark that it does not need any more."""
        file = self._places[key].name
        if not is_marked(stem_of(file)):
            return False
        others = self._stems - Counter([fold(stem_of(file))])
        return file_name(self._name(key), taken=others, longest=self.holds.longest, also=self.holds.forbidden) != file

    def _twin(self, key: int, seen: Version) -> Record | None:
        """Return the script of the same name that only the server holds, where this one is only here: the two are one.

        It was created by a run that died before it knew, or deleted and made anew there.
        """
        record = self._records[key]
        if record.remote is not None:
            return None
        key_now = key_of(name_for(seen.tags))
        for other in self.known.by_digest(self.kind, [key_now]).get(key_now, ()):
            if other.local is None and other.key not in self._places and _is_named(other, file_name(name_for(seen.tags))):
                return other
        return None

    @property
    def _has_active(self) -> bool:
        """Return whether a script is active that has a file here: by the link, or else on the server, whose choice counts then.

        One that was deleted on the server is not active for long.
        """
        if any(reading.entry.name == self.link.file for reading in self._fresh.values()):
            return True
        linked = self._records[self.active] if self.active is not None and not self.link.why else None
        if linked is not None and (linked.remote is not None or linked.base is None):
            return True
        return self.active_there is not None and self.active_there.key in self._places

    def _doubt(self, gone: Iterable[int], *, known: int, listed: int) -> str:
        """Return why a loss must not be believed without a person: mail filtering would be switched off by it."""
        if listed == 0 and known > FEW:
            return "every script disappeared at once"
        active = [self._records[key] for key in sorted(gone) if _filters(self._records[key])]
        active += [one for one in (self.active_there,) if one is not None and one.local is None and one.base is not None]
        if active and not self._has_active:
            last = active[0].local or active[0].remote
            name = next(iter(names_in(last.tags if last is not None else frozenset())), "")
            return f"the active script {name} {NO_OTHER}"
        return ""


def _is_named(record: Record, file: str) -> bool:
    """Return whether a script of the server has the name of a file by now: the ledger knows it by the one that it had too."""
    return record.remote is not None and stands_for(file, name_for(record.remote.tags))


def _was_active(record: Record) -> bool:
    return record.local is not None and ACTIVE in record.local.tags


def _filters(record: Record) -> bool:
    """Return whether a script was the active one here, or is by now on the server."""
    return _was_active(record) or (record.remote is not None and ACTIVE in record.remote.tags)
