"""Know who the user is among the participants of events, and whether others may be mailed about a write."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jmapsync.jmap.failures import MethodError
from jmapsync.jmap.wire import Call
from jmapsync.storage.jmap.objects.dialect import PRINCIPALS
from jmapsync.storage.jmap.objects.invitations import concerns_others
from jmapsync.storage.jmap.objects.people import people_of

if TYPE_CHECKING:
    from jmapsync.formats.objects import Object
    from jmapsync.planner.model import Order
    from jmapsync.storage.jmap.objects.get import Reader


class Mailing:
    """What the user allows about scheduling messages, and the user's own calendar addresses."""

    def __init__(self, reader: Reader, unmailed: frozenset[int] | None) -> None:
        """Prepare; `unmailed` are the keys of new events that nobody is invited to, None where nobody is ever mailed."""
        self._reader = reader
        self._unmailed = unmailed
        self._mine: frozenset[str] | None = None

    async def is_due(self, key: int, before: Object | None, after: Object | None) -> bool:
        """Return whether participants are to be mailed about a change from one normal form to another; None is no event."""
        if self._unmailed is None or (before is None and key in self._unmailed):
            return False
        if not any(people for one in (before, after) for people in people_of(one).values()):
            return False
        return concerns_others(before, after, await self.addresses(), datetime.now(UTC))

    async def is_due_new(self, order: Order, event: Object) -> bool:
        """Return whether participants are to be invited to a new event: not where it may have been in its calendar for long."""
        returned = {self._reader.keys[box] for box in self._reader.returned if box in self._reader.keys}
        return returned.isdisjoint(order.homes) and await self.is_due(order.key, None, event)

    async def addresses(self) -> frozenset[str]:
        """Return the calendar addresses of the user, case-folded (draft-ietf-jmap-calendars, 3)."""
        if self._mine is None:
            call = Call("ParticipantIdentity/get", {"accountId": self._reader.account, "ids": None}, "identities")
            try:
                answer = (await self._reader.call([call], besides=[PRINCIPALS])).get(call)
            except MethodError:
                answer = {}
            identities = [one for one in answer.get("list") or () if isinstance(one, dict)]
            every = [one.get("calendarAddress") or (one.get("sendTo") or {}).get("imip") for one in identities]
            self._mine = frozenset(address.casefold() for address in every if isinstance(address, str))
        return self._mine
