"""Look at a Maildir tree: which folders there are, and which messages changed since the ledger last saw them."""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from jmapsync.formats.flags import letters
from jmapsync.formats.lines import Form, Measure, measure
from jmapsync.formats.marks import LONGEST_HEADER, has_marks, without_marks
from jmapsync.ledger import Place
from jmapsync.planner.model import NO_TAGS, Tags
from jmapsync.storage.maildir.copies import Reading, combine, follow, is_trashed, read_copy
from jmapsync.storage.maildir.scan import Changes, Entry, has_changed, is_complete, scan, state_of
from jmapsync.storage.maildir.tree import key_in, name_of
from jmapsync.storage.port import Folder, Observation, Seen, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jmapsync.ledger import Ledger, Record
    from jmapsync.storage.maildir.tree import Found, Tree

KIND = "mail"
QUIET = 0.3
"""Seconds a new file must have been left alone before it is read: a bad delivery agent writes in place (hard case 8)."""
_CHUNK = 1 << 20
FEW = 3
"""Messages a tree may lose to the last one in one look without a question."""


def look_folders(tree: Tree, ledger: Ledger) -> Observation:
    """Return the folders below the root; renamed ones are known by their markers.

    Raises LocalError when the root cannot be listed.
    """
    keys = {path: key for key, path in tree.paths.items()}
    found = list(tree.walk())
    present = {one.path for one in found}
    by_mailbox = ledger.by_ref("mailbox", [one.mailbox for one in found if one.mailbox])
    for one in found:
        record = by_mailbox.get(one.mailbox)
        if one.path in keys or record is None or record.key not in tree.paths or tree.paths[record.key] in present:
            continue
        tree.moved(tree.paths[record.key], one.path)
        keys = {path: key for key, path in tree.paths.items()}
    marked = Counter(one.mailbox for one in found)
    observation = Observation(folders_whole=True)
    for one in found:
        key = keys.get(one.path)
        if key is None and one.mailbox in by_mailbox and by_mailbox[one.mailbox].key not in tree.paths:
            key = by_mailbox[one.mailbox].key
        missing = tree.lacks(one.path)
        if missing and key is not None:  # where messages lay, it is a loss to be noticed, not mended
            missing -= {place.sub for place in ledger.places_in(key)}
        tree.complete(one.path, missing)
        marker = one.mailbox if marked[one.mailbox] == 1 else ""
        observation.folders.append(replace(_folder(one, key, ledger), marker=marker))
    return observation


def _folder(one: Found, key: int | None, ledger: Ledger) -> Folder:
    """Return a folder under the name its mailbox has, as long as the folder still lies where that name put it."""
    name = name_of(one.path)
    if key is not None:
        path, _ = ledger.folders().get(key, ("", ""))
        record = ledger.records([key]).get(key)
        if record is not None and path == one.path and record.local is not None:
            name = record.local.body
    parent = one.path.rpartition("/")[0]
    return Folder(ref=one.path, name=name, parent=parent, role="inbox" if one.path == "INBOX" else "", key=key)


class MessageLook:
    """One look at the messages of a tree."""

    def __init__(self, tree: Tree, ledger: Ledger, *, clock: Callable[[], float] = time.time) -> None:
        """Prepare; `clock` returns seconds since the epoch."""
        self._tree = tree
        self._ledger = ledger
        self._clock = clock
        self._updated: dict[tuple[int, str], Place | None] = {}
        """What the look makes of each place it touches; None is a place that is gone."""
        self._touched: set[int] = set()
        self._rewritten: dict[int, list[tuple[Place, Measure]]] = {}
        """Known files with other bytes than their message had, by its key."""
        self._bodies: dict[int, tuple[str, int]] = {}
        """The new digest and wire size of messages whose every copy was rewritten."""
        self._listed: dict[int, tuple[int, ...]] = {}
        """`Changes.since` of each folder."""
        self._misdated: set[int] = set()
        """Messages with a new copy whose mtime is not receivedAt."""
        self._problems = [Trouble(_printable(path), why) for path, why in tree.odd]

    def run(self) -> Observation:
        """Return what changed. A folder that cannot be listed is a problem, and nothing in it counts as gone."""
        unknown: list[tuple[int, Entry]] = []
        counted, known = 0, 0
        missing_folders = []
        for key, path in self._tree.paths.items():
            before = self._ledger.places_in(key)
            if not is_complete(os.fspath(self._tree.folder(key))):
                lost = list(before)
                for place in lost:
                    self._gone(place)
                known += len(lost)
                if lost:
                    missing_folders.append(path)
                continue
            changes = self._scan(key, path, before)
            if changes is None:
                continue
            counted += changes.count
            known += changes.count - len(changes.unknown) + len(changes.vanished)
            taken = self._ledger.taken_names(key, [entry.name for entry in changes.unknown])
            unknown += [(key, entry.alone() if entry.name in taken else entry) for entry in changes.unknown]
        new = self._identify(unknown)
        observation = self._observe(new)
        if missing_folders:
            observation.suspicious = f"the folder {missing_folders[0]} disappeared with the messages in it"
        elif counted == 0 and known > FEW:
            observation.suspicious = "every message disappeared at once"
        return observation

    def keep_gone(self, seen: Observation) -> None:
        """Take back what a look says of messages that seem gone: the ledger keeps their files for the next one to find."""
        kept = {(place.folder, place.name) for places in self._ledger.places_of(seen.gone).values() for place in places}
        seen.moved = [spot for spot in seen.moved if spot not in kept]
        seen.gone = []

    def is_overtaken(self) -> bool:
        """Tell whether a folder changed after it was listed: what seems gone from one may have been moved into another."""
        return any(has_changed(os.fspath(self._tree.folder(key)), since) for key, since in self._listed.items())

    def _scan(self, key: int, path: str, known: Iterator[Place]) -> Changes | None:
        """Take in how a folder differs from what was known of it; None when it cannot be listed."""
        try:
            changes = scan(os.fspath(self._tree.folder(key)), known)
        except OSError as error:
            why = f"the folder cannot be read: {error.strerror}; nothing in it counts as deleted"
            self._problems = [one for one in self._problems if one.item != _printable(path)]  # what led to this
            self._problems.append(Trouble(_printable(path), why))
            return None
        self._problems += [Trouble(_printable(f"{path}/{name}"), why) for name, why in changes.odd]
        self._listed[key] = changes.since
        for place in changes.vanished:
            self._gone(place)
        for place, entry in changes.renamed:
            self._put(place._replace(info=entry.info, sub=entry.sub))
        for place, entry in changes.touched:
            self._reread(place, entry)
        return changes

    def _gone(self, place: Place) -> None:
        self._updated[place.folder, place.name] = None
        self._touched.add(place.key)

    def _put(self, place: Place) -> None:
        self._updated[place.folder, place.name] = place
        self._touched.add(place.key)

    def _reread(self, place: Place, entry: Entry) -> None:
        """Take a known file whose stat changed as new content, unless its bytes are the same."""
        measured = self._measure(place.folder, entry)
        if measured is None:
            return
        record = self._ledger.records([place.key]).get(place.key)
        held = record.local.body if record is not None and record.local is not None else ""
        form = Form(place.form)
        if measured.digest(form) != held:
            form = measured.form
        self._put(_place(place.folder, entry, place.key, form))
        if measured.digest(form) != held:
            self._rewritten.setdefault(place.key, []).append((_place(place.folder, entry, place.key, form), measured))

    def _measure(self, folder: int, entry: Entry) -> Measure | None:
        """Read a file, or hold it back by name when it is unreadable or still being written."""
        path = self._tree.folder(folder) / entry.file
        label = f"{self._tree.paths[folder]}/{entry.file}"
        try:
            wait = entry.mtime / 1e9 + QUIET - self._clock()
            if 0 < wait <= QUIET:
                time.sleep(wait)
            with path.open("rb") as file:
                measured = measure(iter(lambda: file.read(_CHUNK), b""))
                state = os.fstat(file.fileno())
        except FileNotFoundError:
            return None
        except OSError as error:
            self._problems.append(Trouble(label, f"it cannot be read: {error.strerror}"))
            return None
        if state_of(state)[1:] != (entry.size, entry.mtime):
            self._problems.append(Trouble(label, "it is still being written; it is taken up once it rests"))
            return None
        return measured

    def _identify(self, unknown: list[tuple[int, Entry]]) -> list[Seen]:
        """Give each unknown file to the message whose bytes it has; return the messages nobody knew, digest by digest."""
        measured: list[tuple[int, Entry, Measure]] = []
        for folder, entry in unknown:
            one = self._measure(folder, entry)
            if one is not None:
                measured.append((folder, entry, one))
        known = self._ledger.by_digest(KIND, sorted({m.wire for _, _, m in measured} | {m.raw for _, _, m in measured}))
        fresh: dict[str, list[Place]] = {}
        sizes: dict[str, int] = {}
        for folder, entry, one in measured:
            if known and self._is_awaited(folder, entry, one):
                fresh.setdefault(one.digest(one.form), []).append(_place(folder, entry, 0, one.form))
                sizes[one.digest(one.form)] = one.size(one.form)
                continue
            for form in dict.fromkeys((one.form, Form.RAW, Form.MENDED)):
                if self._give(known.get(one.digest(form), []), folder, entry, form):
                    break
            else:
                marked = self._unmarked(folder, entry)
                if marked and self._give(self._ledger.by_digest(KIND, [marked]).get(marked, []), folder, entry, Form.MARKED):
                    continue
                fresh.setdefault(one.digest(one.form), []).append(_place(folder, entry, 0, one.form))
                sizes[one.digest(one.form)] = one.size(one.form)
        self._split_all(fresh, sizes)
        return [self._new(digest, places, sizes[digest]) for digest, alike in fresh.items() for places in _messages(alike)]

    def _is_awaited(self, folder: int, entry: Entry, measured: Measure) -> bool:
        """Tell whether a file is what a killed run delivered for a message still without one, not a copy of its twin."""
        key = key_in(entry.name)
        record = self._ledger.records([key]).get(key) if key else None
        if record is None or record.local is not None or record.base is not None or record.remote is None:
            return False
        return folder in record.remote.homes and record.size in {measured.raw_size, measured.wire_size}

    def _give(self, owners: list[Record], folder: int, entry: Entry, form: Form) -> bool:
        """Make a file a copy of one of the messages that have its bytes; return False when there is none."""
        if not owners:
            return False
        owner = self._owner(owners, folder, entry)
        self._put(_place(folder, entry, owner.key, form))
        if owner.stamp and entry.mtime // 1_000_000_000 != owner.stamp:
            self._misdated.add(owner.key)
        return True

    def _unmarked(self, folder: int, entry: Entry) -> str:
        """Return the digest that a file has without the header lines a mail program adds; nothing if it has none of them."""
        path = f"{self._tree.folder(folder)}/{entry.file}"
        try:
            with open(path, "rb") as file:
                if not has_marks(file.read(LONGEST_HEADER)):
                    return ""
            return measure(without_marks(iterate_chunks(path))).wire
        except OSError:
            return ""

    def _owner(self, owners: list[Record], folder: int, entry: Entry) -> Record:
        """Choose among messages of equal bytes (hard case 62): the one this very file was a copy of, else one that lacks a copy."""
        if len(owners) == 1:
            return owners[0]
        places = self._ledger.places_of([record.key for record in owners])

        def rank(record: Record) -> tuple[bool, bool, bool, int]:
            mine = places.get(record.key, [])
            gone = [place for place in mine if self._updated.get((place.folder, place.name), place) is None]
            taken = any(place.folder == folder for place in mine if place not in gone)
            return (
                not any(place.ino == entry.ino or place.name == entry.name for place in gone),
                taken,
                not gone,
                record.key,
            )

        return min(owners, key=rank)

    def _split_all(self, fresh: dict[str, list[Place]], sizes: dict[str, int]) -> None:
        """Decide what every edited file is; an unknown file with the bytes of a message's new body is a copy of that message."""
        for key, rewritten in self._rewritten.items():
            self._split(key, rewritten, fresh, sizes)
        for key, (digest, _) in self._bodies.items():
            for place in fresh.pop(digest, []):
                self._put(place._replace(key=key))

    def _split(
        self, key: int, rewritten: list[tuple[Place, Measure]], fresh: dict[str, list[Place]], sizes: dict[str, int]
    ) -> None:
        """Decide what an edited file is: the message's new body where every copy has it, else a message of its own."""
        current = self._current(key)
        digests = {measured.digest(Form(place.form)) for place, measured in rewritten}
        if len(rewritten) == len(current) and len(digests) == 1:
            self._bodies[key] = (digests.pop(), rewritten[0][1].size(Form(rewritten[0][0].form)))
            return
        for place, measured in rewritten:
            digest = measured.digest(Form(place.form))
            self._updated[place.folder, place.name] = None
            fresh.setdefault(digest, []).append(place._replace(key=0))
            sizes[digest] = measured.size(Form(place.form))

    def _new(self, digest: str, places: list[Place], size: int) -> Seen:
        staying = [place for place in places if not is_trashed(place)]
        tags = follow(NO_TAGS, (Reading(None, self._tree.tables[place.folder].read(place.info)) for place in staying))
        version = combine(digest, places, self._tree.tables, tags)
        first = places[0]
        label = f"{self._tree.paths[first.folder]}/{first.sub}/{first.name}{first.info}"
        return Seen(label, version, size=size, stamp=first.mtime // 1_000_000_000, digest=digest, places=tuple(places))

    def _current(self, key: int) -> list[Place]:
        """Return the copies of a message as this look leaves them."""
        kept = {(place.folder, place.name): place for place in self._ledger.places_of([key]).get(key, [])}
        for spot in [spot for spot in kept if spot in self._updated]:
            del kept[spot]
        mine = [place for place in self._updated.values() if place is not None and place.key == key]
        return sorted([*kept.values(), *mine])

    def _observe(self, new: list[Seen]) -> Observation:
        observation = Observation(items=new, problems=self._problems, whole=True)
        keys = sorted(self._touched)
        records = self._ledger.records(keys)
        known = self._ledger.places_of(keys)
        copies = self._copies_of(known)
        for key in keys:
            record = records.get(key)
            places = copies.get(key, [])
            if record is None:
                continue
            if not places:
                observation.gone.append(key)
                continue
            digest, size = self._bodies.get(key, ("", record.size))
            digest = digest or (record.local.body if record.local else record.digest)
            tags = follow(_last_known(record), self._readings(places, known.get(key, [])))
            version = combine(digest, places, self._tree.tables, tags)
            if key in self._misdated:
                version = replace(version, untidy=True)
            stamp = places[0].mtime // 1_000_000_000 if key in self._bodies else record.stamp
            observation.items.append(
                Seen(record.name, version, size=size, stamp=stamp, digest=digest, key=key, places=tuple(places))
            )
        spots = {(place.folder, place.name) for seen in new for place in seen.places}
        observation.moved = [spot for spot, place in self._updated.items() if place is None and spot not in spots]
        observation.places = [place for place in self._updated.values() if place is not None]
        return observation

    def _readings(self, copies: list[Place], known: list[Place]) -> Iterator[Reading]:
        """Yield what the changed copies of a message show; `known` are its copies as they were last looked at."""
        for copy in copies:
            if is_trashed(copy) or self._updated.get((copy.folder, copy.name)) is None:
                continue
            before = _origin(copy, known)
            table = self._tree.tables[copy.folder]
            yield read_copy(copy, table, before, self._tree.tables[before.folder] if before is not None else table)

    def _copies_of(self, known: dict[int, list[Place]]) -> dict[int, list[Place]]:
        """Return the copies of messages as this look leaves them, in one pass; `known` are the copies as they were."""
        copies: dict[int, list[Place]] = {}
        for key, places in known.items():
            copies[key] = [place for place in places if (place.folder, place.name) not in self._updated]
        for place in self._updated.values():
            if place is not None:
                copies.setdefault(place.key, []).append(place)
        for places in copies.values():
            places.sort()
        return copies


def _messages(alike: list[Place]) -> Iterator[list[Place]]:
    """Yield the files of each message among files of equal bytes, which may be several messages (hard case 62).

    Hard links belong together. Files we did not make do as well, as long as they lie in different folders: somebody copied
    a new message. Of those that a killed run delivered, the server knows which is which.
    """
    links: dict[tuple[int, int], list[Place]] = {}
    for place in alike:
        links.setdefault((place.ino, key_in(place.name)), []).append(place)
    theirs: list[list[Place]] = []
    for (_, key), places in links.items():
        folders = {place.folder for place in places}
        other = next((one for one in theirs if folders.isdisjoint(place.folder for place in one)), None)
        if key:
            yield places
        elif other is not None:
            other += places
        else:
            theirs.append(places)
    yield from theirs


def _printable(path: str) -> str:
    """Return a path with the octets that are no UTF-8 written out, so that it can be stored and shown."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _last_known(record: Record) -> Tags:
    """Return the keywords that a message was last known to have here."""
    if record.local is not None:
        return record.local.tags
    return record.base.local.tags if record.base is not None else NO_TAGS


def _origin(copy: Place, known: list[Place]) -> Place | None:
    """Return what a copy was when last looked at: the same file, else the one in another folder whose letters it bears."""
    custom = _custom(copy)
    for place in known:
        if (place.folder, place.name) == (copy.folder, copy.name):
            return place
    alike = [place for place in known if _custom(place) == custom and (custom or place.name == copy.name or place.ino == copy.ino)]
    return min(alike, key=lambda place: (place.name != copy.name, place.ino != copy.ino, place.folder), default=None)


def _custom(copy: Place) -> set[str]:
    """Return the letters of a copy whose meaning depends on its folder."""
    return {letter for letter in letters(copy.info) if letter.islower()}


def _place(folder: int, entry: Entry, key: int, form: Form) -> Place:
    return Place(folder, entry.name, entry.info, entry.sub, key, entry.ino, entry.size, entry.mtime, form.value)


def iterate_chunks(path: str) -> Iterator[bytes]:
    """Yield a file's bytes in bounded pieces."""
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
