"""Quarantine items by name, and decide when one is tried again.

A refusal that only other content can fix waits for that. One that a person has to fix (rights, quota, a missing Trash) is tried
again when the item, what is to be done with it, the configuration, or the mailboxes' roles and rights changed, and every hour.
A failure that passes with time is tried again by the next run. So is an item that the server has no room for: the quotas are read
before it is sent (`sync.room`); other writes that it has no room for are tried every hour. Nothing is tried twice by one run.
What was stale in every round of a run is tried again with back-off: a server that says one thing and does another would be asked by
each run for ever.

What could not be observed is no item yet: it is known by the server's id or by its path, and the next run asks for it again.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from msgspec import Struct

from jmapsync.errors import Remedy
from jmapsync.kinds import KINDS
from jmapsync.ledger import Quarantined
from jmapsync.ledger.codec import encode
from jmapsync.planner.model import Side
from jmapsync.sync.item_names import fallback
from jmapsync.sync.room import needs_room

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from jmapsync.ledger import Ledger, Record
    from jmapsync.planner.model import Order
    from jmapsync.storage.port import FolderPage, ItemPage, ListingEnd, Trouble

HOUR = 3600
FIRST_PAUSE = 300
"""Seconds until work that stays stale is tried again; from then on as long as it has been stale, up to an hour."""
SCAN = "look"
"""The remedy of a problem that the next scan of the disk finds gone or finds again. The value is stored in ledgers."""
ASK = "ask"
"""The remedy of a problem that the next run asks the server about by its id, which is in `seen`."""
READ = "read"
"""The remedy of a problem with a container of the server: the next run reads all of them."""
LIST = "list"
"""The remedy of a listing of the server that is not proven whole: the next one."""
_LISTING = "listing"
STALE = "stale"
"""The remedy of a problem that every round of a run found in another state than it expected."""
CUT = "cut"
"""The remedy of a problem that only the server's owner can fix: it does not keep all of a message."""
_CUT_ITEM = "cut "
RIGHTS = "rights"
"""The ledger's note of what may be done in each container of the server."""
ROLES = "roles"
"""The ledger's note of the server's containers by their roles."""
DEFAULT = "default"
"""The ledger's note of the server's id of the address book or calendar that new items go to."""


def note_of(name: str, kind: str) -> str:
    """Return the name of the ledger's note of one kind: containers of two kinds may have the same ids (Stalwart)."""
    return f"{name}:{kind}"


class Quarantine(Struct):
    """The quarantine of one kind in one run."""

    kind: str
    ledger: Ledger
    clock: Callable[[], float]
    """Seconds since the epoch."""
    policy: str = ""
    """What of the configuration decides how orders are carried out."""
    full: bool = False
    """True when a person asked to try everything again."""
    name: Callable[[Record], str] | None = None
    """Returns what people know an item by."""
    _tried: dict[int, str] = {}
    _asked: set[str] = set()
    """Ids that the server has to answer for in this run, because it did not in an earlier one."""
    _silent: set[str] = set()
    """Ids that the server has not answered for in this run."""

    # items

    def add(self, record: Record, orders: Sequence[Order], why: str, remedy: Remedy) -> None:
        """Quarantine an item that cannot be synchronized, by name."""
        seen = self._fingerprint(record, orders)
        if remedy is Remedy.HUMAN:
            why = f"{why} (tried again every hour, or at once by sync --full)"
        elif remedy is Remedy.ROOM:
            why = f"{why}; it is sent by itself when there is room"
        self._tried[record.key] = seen
        self._keep(_item(record.key), self.label(record), why, remedy.value, key=record.key, seen=seen)

    def add_stale(self, record: Record, orders: Sequence[Order], why: str) -> None:
        """Quarantine an item that the last round of a run still found in another state than it expected."""
        why = f"{why or 'it is not in the state that was expected'} (tried again later, or at once by sync --full)"
        seen = self._fingerprint(record, orders)
        self._keep(_item(record.key), self.label(record), why, STALE, key=record.key, seen=seen)

    def label(self, record: Record) -> str:
        """Return the name people know an item or a container by."""
        is_item = record.kind.partition(":")[0] == self.kind
        return self.name(record) if self.name is not None and is_item else fallback(self.kind, record)

    def release(self, keys: Iterable[int]) -> None:
        """Release items from quarantine: what was to be done with them is done."""
        self.ledger.release((self.kind, _item(key)) for key in keys)

    def release_agreed(self) -> None:
        """Release the items on which both sides agree now: whoever caused the problem undid it."""
        self.ledger.release_agreed(self.kind)

    def name_cut(self, record: Record, why: str) -> None:
        """Name a message of which the server keeps only a part, for as long as that is so: its file is the only whole copy."""
        seen = record.local.body if record.local is not None else ""
        self._keep(f"{_CUT_ITEM}{record.key}", self.label(record), f"{why}; the file here is the only whole copy", CUT, seen=seen)

    def release_cut(self) -> None:
        """Forget such messages that were edited since, or that a side no longer has."""
        cut = {int(one.subject.removeprefix(_CUT_ITEM)): one for one in self.ledger.problems(self.kind) if one.remedy == CUT}
        records = self.ledger.records(sorted(cut))
        for key, one in cut.items():
            record = records.get(key)
            if record is None or record.remote is None or record.local is None or record.local.body != one.seen:
                self.ledger.release([(self.kind, one.subject)])

    def problems(self) -> dict[int, Quarantined]:
        """Return the quarantined items, by key."""
        return {one.key: one for one in self.ledger.problems(self.kind) if one.key is not None}

    def is_due(self, record: Record, orders: Sequence[Order], problem: Quarantined | None) -> bool:
        """Return whether orders for an item are to be tried now; `problem` is why it was quarantined, if it was."""
        if problem is None:
            return True
        seen = self._fingerprint(record, orders)
        if self._tried.get(record.key) == seen:
            return False
        if self.full or problem.seen != seen:
            return True
        reads_quotas = any(needs_room(KINDS[self.kind], order) for order in orders)
        if problem.remedy == Remedy.HUMAN.value or (problem.remedy == Remedy.ROOM.value and not reads_quotas):
            return not 0 <= self.clock() - problem.last < HOUR
        if problem.remedy == STALE:
            return not 0 <= self.clock() - problem.last < min(HOUR, max(FIRST_PAUSE, problem.last - problem.since))
        return problem.remedy != Remedy.NEVER.value

    # what could not be observed

    def unanswered(self) -> set[str]:
        """Begin to observe the server; return the ids that an earlier run got no answer for."""
        self._asked = {one.seen for one in self.ledger.problems(self.kind) if one.remedy == ASK}
        self._silent = set()
        return set(self._asked)

    def take_answers(self, page: ItemPage) -> None:
        """Quarantine by name what the server lists but does not answer for, until it does: no list of changes names it again."""
        if page.cursor:
            self.ledger.release([(self.kind, _LISTING)])
        silent = {trouble.ref for trouble in page.problems}
        for trouble in page.problems:
            self._keep(_email(trouble.ref), trouble.item, trouble.why, ASK, seen=trouble.ref)
        answered = (self._asked | self._silent) & {*(seen.ref for seen in page.items), *page.gone, *page.others}
        self._release_answered(answered - silent)
        self._silent = (self._silent - answered) | silent

    def take_listing(self, page: ListingEnd) -> None:
        """Quarantine by name a listing that may have missed something; at the end of a whole one all but the silent answered."""
        answered = (self._asked | self._silent) & set(page.gone)
        if page.unlisted:
            if page.gone:  # that may be as wrong as the list: no cursor of before would bring it back
                self.ledger.set_cursor(self.kind, Side.REMOTE, "")
            again = "" if self.ledger.cursor(self.kind, Side.REMOTE) else "it is listed again by the next run, and "
            why = f"{page.unlisted}; {again}what it lacks is not taken for deleted"
            self._keep(_LISTING, "the server's list", why, LIST)
        else:
            self.ledger.release([(self.kind, _LISTING)])
            answered |= self._asked - self._silent
        self._release_answered(answered)
        self._silent -= answered

    def _release_answered(self, refs: set[str]) -> None:
        self.ledger.release((self.kind, _email(ref)) for ref in refs)
        if refs & self._asked:
            self._retry_stale()

    def _retry_stale(self) -> None:
        """Have what stayed stale tried again now: a server that gave no answer for something gives it by now."""
        for one in self.ledger.problems(self.kind):
            if one.remedy == STALE:
                self.ledger.quarantine(one._replace(remedy=Remedy.LATER.value))

    def has_unread_containers(self) -> bool:
        """Return whether an earlier run met containers of the server that could not be read."""
        return any(one.remedy == READ for one in self.ledger.problems(self.kind))

    def take_containers(self, page: FolderPage) -> None:
        """Quarantine by name the containers that could not be read, and release those that could."""
        troubles = {_container(trouble.ref): trouble for trouble in page.problems}
        read = {*map(_container, page.gone), *(_container(folder.ref) for folder in page.folders)}
        if page.whole:
            read.update(one.subject for one in self.ledger.problems(self.kind) if one.remedy == READ)
        self.ledger.release((self.kind, subject) for subject in read - troubles.keys())
        for subject, trouble in troubles.items():
            self._keep(subject, trouble.item, trouble.why, READ, seen=trouble.ref)

    def has_left_out(self) -> bool:
        """Return whether a scan of the disk left anything out: then the next one has to scan all folders."""
        return any(one.remedy == SCAN for one in self.ledger.problems(self.kind))

    def take_left_out(self, troubles: Sequence[Trouble]) -> None:
        """Quarantine by name what a scan of the disk left out, and release what it did not find again."""
        still = {_place(trouble.item) for trouble in troubles}
        earlier = [one.subject for one in self.ledger.problems(self.kind) if one.remedy == SCAN]
        self.ledger.release((self.kind, subject) for subject in earlier if subject not in still)
        for trouble in troubles:
            self._keep(_place(trouble.item), trouble.item, trouble.why, SCAN)

    def _keep(self, subject: str, item: str, why: str, remedy: str, *, key: int | None = None, seen: str = "") -> None:
        now = int(self.clock())
        self.ledger.quarantine(Quarantined(self.kind, subject, item, key, why, remedy, seen, now, now))

    def _fingerprint(self, record: Record, orders: Sequence[Order]) -> str:
        """Return what both sides held, what was to be done, and what could be done there."""
        doing = " ".join(f"{order.side.value} {order.verb.value}" for order in orders)
        circumstances = (
            f"{self.policy} {doing} {self.ledger.note(note_of(ROLES, self.kind))} {self.ledger.note(note_of(RIGHTS, self.kind))}"
        )
        sides = (encode(version) if version is not None else "-" for version in (record.local, record.remote))
        return "|".join((hashlib.sha256(circumstances.encode()).hexdigest()[:16], *sides))


def _item(key: int) -> str:
    return f"item {key}"


def _email(ref: str) -> str:
    return f"ref {ref}"


def _container(ref: str) -> str:
    return f"container {ref}"


def _place(path: str) -> str:
    return f"place {path}"
