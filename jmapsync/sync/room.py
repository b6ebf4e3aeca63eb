"""Keep what the quotas of an account have no room for from being sent, and remember what the server refused for them.

The figures are read once a run, before the first item that needs room, and again where one does not fit by them. A server that
refuses what would fit (its figures are wrong, or it gives none) is asked again after an hour, when its figures show more
room, or with less: then with one item first, so that not all of them are sent in vain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from jmapsync.errors import Remedy
from jmapsync.formats.quota import COUNT, OCTETS, Quota, for_types, octets
from jmapsync.kinds import MAIL
from jmapsync.planner.model import Side, Verb
from jmapsync.storage.port import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from jmapsync.kinds import Kind
    from jmapsync.ledger import Ledger
    from jmapsync.planner.model import Order
    from jmapsync.storage.port import Remote
    from jmapsync.sync.commit import Work

HOUR = 3600
_NOTE = "quota:"
PROBED = "the server refused others for its quota; one is tried first"


def needs_room(kind: Kind, order: Order | None) -> bool:
    """Return whether an order makes something new on the server, for which the quotas are read before.

    An edited message is a new one there; a card, an event or a script that is edited stays what it is.
    """
    if order is None or order.side is not Side.REMOTE or order.source is None or not kind.counted:
        return False
    return order.verb is Verb.CREATE or kind.name == MAIL.name


class _Refusal(Struct):
    """What the server refused for its quota in spite of the figures."""

    at: int
    size: int
    """The octets of the smallest item that was refused."""
    rooms: dict[str, int]
    """What its quotas left then, by their ids."""


class Admission(Struct):
    """Which of some works may be sent."""

    admitted: list[Work]
    without_room: list[tuple[Work, str]]
    """Those that do not fit, and why."""
    later: list[Work]
    """Those that wait for what comes of one that is tried first."""


class Room:
    """What the quotas of an account leave for one kind in one run."""

    def __init__(self, kind: Kind, remote: Remote, ledger: Ledger, clock: Callable[[], float], *, full: bool = False) -> None:
        """Prepare; nothing is asked yet. `full`: a person asked to try everything again."""
        self._kind = kind
        self._remote = remote
        self._ledger = ledger
        self._clock = clock
        self._full = full
        self._quotas: list[Quota] | None = None
        self._sent = {OCTETS: 0, COUNT: 0}
        """What was sent since the figures were read."""
        self._refusal: _Refusal | None = None
        self._probing = False

    async def admit(self, works: Sequence[Work]) -> Admission:
        """Return which works may be sent. Raises what reading the quotas raises: no network, no sign-in."""
        asking = [work for work in works if self._needs_room(work)]
        if not asking:
            return Admission(list(works), [], [])
        if self._quotas is None:
            await self._read()
            self._recall()
        found = Admission([work for work in works if not self._needs_room(work)], [], [])
        taken = {OCTETS: 0, COUNT: 0}
        for work in asking:
            why = self._obstacle(work.record.size, taken)
            if why and any(self._sent.values()):  # others may have deleted something since
                await self._read()
                why = self._obstacle(work.record.size, taken)
            if why:
                found.without_room.append((work, why))
            elif self._probing and taken[COUNT]:
                found.later.append(work)
            else:
                taken = {OCTETS: taken[OCTETS] + work.record.size, COUNT: taken[COUNT] + 1}
                found.admitted.append(work)
        self._sent = {name: self._sent[name] + number for name, number in taken.items()}
        return found

    def note(self, works: Iterable[Work]) -> None:
        """Note what came of works that were sent."""
        tried = [work for work in works if self._needs_room(work)]
        refused = [work for work in tried if _is_refused(work)]
        if refused:
            sizes = [work.record.size for work in refused] + ([self._refusal.size] if self._refusal is not None else [])
            self._refusal = _Refusal(int(self._clock()), min(sizes), self._rooms())
            self._ledger.set_note(_NOTE + self._kind.name, msgspec.json.encode(self._refusal).decode())
        elif self._probing and tried:
            self._ledger.set_note(_NOTE + self._kind.name, "")
        if tried:
            self._probing = False

    def _needs_room(self, work: Work) -> bool:
        return needs_room(self._kind, work.remote)

    async def _read(self) -> None:
        self._quotas = for_types(await self._remote.quotas() or (), self._kind.counted)
        self._sent = {OCTETS: 0, COUNT: 0}

    def _recall(self) -> None:
        """Recall what the server refused in an earlier run, while nothing says that it would not do so again."""
        try:
            before = msgspec.json.decode(self._ledger.note(_NOTE + self._kind.name) or "null", type=_Refusal | None)
        except msgspec.DecodeError:
            before = None
        if before is None:
            return
        rooms = self._rooms()
        has_grown = any(room > before.rooms.get(name, room) for name, room in rooms.items())
        if self._full or has_grown or not 0 <= self._clock() - before.at < HOUR:
            self._probing = True
        else:
            self._refusal = before

    def _obstacle(self, size: int, taken: dict[str, int]) -> str:
        """Return why an item of so many octets is not to be sent besides what is taken; nothing where it may fit."""
        for quota in self._quotas or ():
            now = quota.with_more(self._sent[quota.resource] + taken[quota.resource])
            if now.room is not None and (size if quota.resource == OCTETS else 1) > now.room:
                what = f"it has {octets(size)}, and " if quota.resource == OCTETS else ""
                whose = f" ({quota.label})" if quota.label else ""
                return f"waits for room on the server: {what}{quota.amount(now.room)} are left, {now.figures}{whose}"
        if self._refusal is not None and size >= self._refusal.size:
            figures = "; ".join(quota.figures for quota in self._quotas or ()) or "it does not say how much is left"
            return f"waits for room on the server: it refused {octets(self._refusal.size)} for its quota (overQuota; {figures})"
        return ""

    def _rooms(self) -> dict[str, int]:
        return {quota.id: quota.room for quota in self._quotas or () if quota.room is not None}


def _is_refused(work: Work) -> bool:
    return isinstance(work.remote_receipt, Refused) and work.remote_receipt.remedy is Remedy.ROOM
