"""Identify which message a file of a Maildir is, by its bytes: a copy of a known one, its new body, or a message nobody knew."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from jmapsync.formats.message import LONGEST_HEADER, Form, Measure, has_marks, has_tuid, measure, without_marks, without_tuid
from jmapsync.kinds import MAIL
from jmapsync.ledger.rows import Place
from jmapsync.opening import open_regular
from jmapsync.planner.model import NO_TAGS
from jmapsync.storage.files.file_state import state_of, wait_until_quiet
from jmapsync.storage.maildir.concurrent_renames import still_there
from jmapsync.storage.maildir.copies import Reading, combine, follow, is_trashed
from jmapsync.storage.maildir.file_names import key_in
from jmapsync.storage.port import Seen, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from jmapsync.ledger.record import Record
    from jmapsync.storage.files.directories import Below
    from jmapsync.storage.files.scan import Entry, Traces
    from jmapsync.storage.known import Known
    from jmapsync.storage.maildir.tree import Tree

CHUNK = 1 << 20

Measured = tuple[int, "Entry", Measure]
"""A file that nobody knew: the key of its folder, as it was listed, and its digests."""


class Identifier:
    """Gives the files of one scan whose bytes are unknown or changed to messages."""

    def __init__(
        self, tree: Tree, ledger: Known, clock: Callable[[], float], traces: Traces, problems: list[Trouble], *, below: Below
    ) -> None:
        """Prepare; `below` opens the tree's directories, `traces` and `problems` are the scan's own and grow with what is found."""
        self._tree = tree
        self._below = below
        self._ledger = ledger
        self._clock = clock
        self._traces = traces
        self._problems = problems
        self._rewritten: dict[int, list[tuple[Place, Measure]]] = {}
        """Known files with other bytes than their message had, by its key."""
        self._restored: dict[int, list[Place]] = {}
        """Files with the server's bytes by which a run that died was to undo an edit, by the message's key."""
        self._retaken: dict[int, tuple[str, int]] = {}
        """The server's digest and wire size, by key, of messages some of whose copies the server's bytes took the place of."""
        self.bodies: dict[int, tuple[str, int]] = {}
        """The new digest and wire size of messages whose every copy was rewritten, by key."""
        self.misdated: set[int] = set()
        """Keys of messages with a new copy whose mtime is not receivedAt."""

    def reread(self, place: Place, entry: Entry) -> None:
        """Take a known file whose stat changed as new content, unless its bytes are the same."""
        measured = self._measure(place.folder, entry)
        if measured is None:
            return
        record = self._ledger.records([place.key]).get(place.key)
        held = record.local.body if record is not None and record.local is not None else ""
        form = Form(place.form)
        if measured.digest(form) != held:
            form = measured.form
        sense = record.remote.sense if record is not None and record.remote is not None else ""
        if place.form == Form.OFFLINEIMAP and measured.digest(form) == sense:
            # The server's bytes took this copy's place, and the run died before it wrote that down.
            self._retaken[place.key] = (sense, measured.size(form))
            held = sense
        self._traces.put(_place(place.folder, entry, place.key, form))
        if measured.digest(form) != held:
            self._rewritten.setdefault(place.key, []).append((_place(place.folder, entry, place.key, form), measured))

    def _measure(self, folder: int, entry: Entry) -> Measure | None:
        """Read a file, or report it by name when it is unreadable or still being written."""
        label = f"{self._tree.paths[folder]}/{entry.file}"
        try:
            wait_until_quiet(entry.mtime, self._clock)
            with open_regular(self._path(folder, entry), follow=False) as file:
                measured = measure(iter(lambda: file.read(CHUNK), b""))
                state = os.fstat(file.fileno())
        except FileNotFoundError:
            return None
        except OSError as error:
            self._problems.append(Trouble(label, f"it cannot be read: {error.strerror}"))
            return None
        if state_of(state)[1:] != (entry.size, entry.mtime):
            self._problems.append(Trouble(label, "it is still being written; it is read once it is left alone"))
            return None
        return measured

    def measure(self, unknown: list[tuple[int, Entry]], limit: int) -> tuple[list[Measured], bool]:
        """Read unknown files and return what they hold, and whether there are more than `limit`: then the smallest come first.

        Files of one size stay together, because those of equal bytes may be one message.
        """
        measured: list[Measured] = []
        if len(unknown) > limit:
            unknown = sorted(unknown, key=lambda one: one[1].size)
        for folder, entry in unknown:
            if len(measured) >= limit and entry.size != measured[-1][1].size:
                return measured, True
            one = self._measure(folder, entry)
            if one is not None:
                measured.append((folder, entry, one))
        return measured, False

    def identify(self, measured: list[Measured], *, changing: bool = False) -> list[Seen]:
        """Give each unknown file to the message whose bytes it has; return the messages nobody knew, digest by digest.

        Where the folders are `changing`, new messages count only where they still are.
        """
        known = self._known(sorted({m.wire for _, _, m in measured} | {m.raw for _, _, m in measured}))
        fresh: dict[str, list[Place]] = {}
        sizes: dict[str, int] = {}
        for folder, entry, one in measured:
            if known and self._is_awaited(folder, entry, one):
                fresh.setdefault(one.digest(one.form), []).append(_place(folder, entry, 0, one.form))
                sizes[one.digest(one.form)] = one.size(one.form)
                continue
            if self._is_restored(folder, entry, one):
                continue
            for form in dict.fromkeys((one.form, Form.RAW, Form.MIXED)):
                if self._give(known.get(one.digest(form), []), folder, entry, form):
                    break
            else:
                added = self._unmarked(folder, entry)
                if any(self._give(self._known([bare]).get(bare, []), folder, entry, form) for form, bare in added):
                    continue
                fresh.setdefault(one.digest(one.form), []).append(_place(folder, entry, 0, one.form))
                sizes[one.digest(one.form)] = one.size(one.form)
        self._split_all(fresh, sizes)
        if changing:
            fresh = {digest: still_there(self._tree, places) for digest, places in fresh.items()}
        agreed = self._agreed(fresh)
        return [self._new(digest, places, sizes[digest]) for digest, alike in fresh.items() for places in _messages(alike, agreed)]

    def _agreed(self, fresh: dict[str, list[Place]]) -> set[int]:
        """Return the keys in names that are those of messages both sides agreed on: such a file was edited and moved since."""
        keys = {key for places in fresh.values() if len(places) > 1 for place in places if (key := key_in(place.name))}
        return {record.key for record in self._ledger.records(sorted(keys)).values() if record.base is not None}

    def _known(self, digests: list[str]) -> dict[str, list[Record]]:
        return self._ledger.by_digest(MAIL.items.kind, digests)

    def _is_awaited(self, folder: int, entry: Entry, measured: Measure) -> bool:
        """Return whether a file is what a killed run delivered for a message still without one, not a copy of its twin."""
        key = key_in(entry.name)
        record = self._ledger.records([key]).get(key) if key else None
        if record is None or record.local is not None or record.base is not None or record.remote is None:
            return False
        return folder in record.remote.homes and record.size in {measured.raw_size, measured.wire_size}

    def _is_restored(self, folder: int, entry: Entry, measured: Measure) -> bool:
        """Take a file with the server's bytes for its edited message: a run undid the edit, and died before it wrote that down."""
        key = key_in(entry.name)
        record = self._ledger.records([key]).get(key) if key else None
        if record is None or record.base is None or record.remote is None or record.digest == record.remote.sense:
            return False
        form = next((form for form in (measured.form, Form.RAW, Form.MIXED) if measured.digest(form) == record.remote.sense), None)
        if form is None:
            return False
        if any(place.folder == folder for place in self._current(key)):
            why = "a run that died laid it beside the edited file whose place it takes; the next run distinguishes them"
            self._problems.append(Trouble(f"{self._tree.paths[folder]}/{entry.file}", why))
            return True
        place = _place(folder, entry, key, form)
        self._traces.put(place)
        self._rewritten.setdefault(key, []).append((place, measured))
        self._restored.setdefault(key, []).append(place)
        return True

    def _give(self, owners: list[Record], folder: int, entry: Entry, form: Form) -> bool:
        """Make a file a copy of one of the messages that have its bytes; return False when there is none."""
        if not owners:
            return False
        owner = self._owner(owners, folder, entry)
        self._traces.put(_place(folder, entry, owner.key, form))
        if owner.stamp and entry.mtime // 1_000_000_000 != owner.stamp:
            self.misdated.add(owner.key)
        return True

    def _unmarked(self, folder: int, entry: Entry) -> list[tuple[Form, str]]:
        """Return the digests that a file has without the header lines mail programs add, none if it has none of them."""
        found: list[tuple[Form, str]] = []
        with contextlib.suppress(OSError):
            path = self._path(folder, entry)
            bare = measure_without_tuid(path)
            if bare is not None:
                found.append((Form.TUID, bare.wire))
            with open_regular(path, follow=False) as file:
                marked = has_marks(file.read(LONGEST_HEADER))
            if marked:
                found.append((Form.MARKED, measure(without_marks(iterate_chunks(path))).wire))
        return found

    def _path(self, folder: int, entry: Entry) -> str:
        """Return a path that leads to a file through no link. Raises OSError."""
        return f"{self._below.at(self._tree.inside(folder, entry.sub))}/{entry.name}{entry.info}"

    def _owner(self, owners: list[Record], folder: int, entry: Entry) -> Record:
        """Choose among messages of equal bytes: the one this very file was a copy of, else one that lacks a copy."""
        if len(owners) == 1:
            return owners[0]
        places = self._ledger.places_of([record.key for record in owners])

        def rank(record: Record) -> tuple[bool, bool, bool, int]:
            mine = places.get(record.key, [])
            gone = [place for place in mine if self._traces.updated.get((place.folder, place.name), place) is None]
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
        for key, retaken in self._retaken.items():
            if all(place.form != Form.OFFLINEIMAP for place in self._current(key)):
                self.bodies[key] = retaken
        for key, rewritten in self._rewritten.items():
            self._split(key, self._without_undone(key, rewritten, fresh, sizes), fresh, sizes)
        for key, (digest, _) in self.bodies.items():
            for place in fresh.pop(digest, []):
                self._traces.put(place._replace(key=key))

    def _without_undone(
        self, key: int, rewritten: list[tuple[Place, Measure]], fresh: dict[str, list[Place]], sizes: dict[str, int]
    ) -> list[tuple[Place, Measure]]:
        """Make edited files, beside which a run that died put the server's version back, messages of their own.

        So the message is what the server has, once: its restored file would else be a second message of the same bytes.
        Returns the rest of the rewritten files. Nothing is done where a folder has no restored file, or a file is unreadable.
        """
        restored = self._restored.get(key, [])
        edited = [place for place in self._current(key) if place not in restored]
        if not restored or not {place.folder for place in edited} <= {place.folder for place in restored}:
            return rewritten
        try:
            measures = [(place, measure(iterate_chunks(self._tree.path(self._below, place)))) for place in edited]
        except OSError:
            return rewritten
        self._detach(measures, fresh, sizes)
        return [one for one in rewritten if one[0] in restored]

    def _split(
        self, key: int, rewritten: list[tuple[Place, Measure]], fresh: dict[str, list[Place]], sizes: dict[str, int]
    ) -> None:
        """Decide what an edited file is: the message's new body where every copy has it, else a message of its own."""
        current = self._current(key)
        digests = {measured.digest(Form(place.form)) for place, measured in rewritten}
        if len(rewritten) == len(current) and len(digests) == 1:
            self.bodies[key] = (digests.pop(), rewritten[0][1].size(Form(rewritten[0][0].form)))
            return
        self._detach(rewritten, fresh, sizes)

    def _detach(self, files: list[tuple[Place, Measure]], fresh: dict[str, list[Place]], sizes: dict[str, int]) -> None:
        """Take files from their messages: what they hold is a message that nobody knew."""
        for place, measured in files:
            digest = measured.digest(Form(place.form))
            self._traces.updated[place.folder, place.name] = None
            fresh.setdefault(digest, []).append(place._replace(key=0))
            sizes[digest] = measured.size(Form(place.form))

    def _new(self, digest: str, places: list[Place], size: int) -> Seen:
        staying = [place for place in places if not is_trashed(place)] or places
        tags = follow(NO_TAGS, (Reading(None, self._tree.tables[place.folder].read(place.info)) for place in staying))
        version = combine(digest, places, self._tree.tables, tags)
        first = places[0]
        label = f"{self._tree.paths[first.folder]}/{first.sub}/{first.name}{first.info}"
        return Seen(label, version, size=size, stamp=first.mtime // 1_000_000_000, digest=digest, places=tuple(places))

    def _current(self, key: int) -> list[Place]:
        """Return the copies of a message as this scan leaves them."""
        return self._traces.copies(key, self._ledger.places_of([key]).get(key, []))


def _messages(alike: list[Place], agreed: Collection[int]) -> Iterator[list[Place]]:
    """Yield the files of each message among files of equal bytes, which may be several messages.

    Hard links belong together. Files we did not make do as well, as long as they lie in different folders: somebody copied
    a new message. Of those that a killed run delivered, the server knows which is which; `agreed` are the keys of others.
    """
    links: dict[tuple[int, int], list[Place]] = {}
    for place in alike:
        links.setdefault((place.ino, key_in(place.name)), []).append(place)
    theirs: list[list[Place]] = []
    for (_, key), places in links.items():
        if key and key not in agreed:
            yield places
            continue
        folders = {place.folder for place in places}
        fitting = (one for one in theirs if folders.isdisjoint(place.folder for place in one))
        other = next((one for one in fitting if not key or not any(key_in(place.name) for place in one)), None)
        if other is not None:
            other += places
        else:
            theirs.append(places)
    yield from theirs


def _place(folder: int, entry: Entry, key: int, form: Form) -> Place:
    return Place(folder, entry.name, entry.info, entry.sub, key, entry.ino, entry.size, entry.mtime, form.value)


def measure_without_tuid(path: str, algorithm: str = "sha256") -> Measure | None:
    """Return the digests a file has without the line that mbsync added; None if it has none or cannot be read."""
    try:
        with open_regular(path, follow=False) as file:
            if not has_tuid(file.read(LONGEST_HEADER)):
                return None
        return measure(without_tuid(iterate_chunks(path)), algorithm)
    except OSError:
        return None


def iterate_chunks(path: str) -> Iterator[bytes]:
    """Yield a file's bytes in bounded pieces."""
    with open_regular(path, follow=False) as file:
        while chunk := file.read(CHUNK):
            yield chunk
