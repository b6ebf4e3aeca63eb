"""Hold items back by name, and tell when one is worth another try.

A refusal that only other content can mend waits for that. One that a person has to mend (rights, quota, a missing Trash) is tried
again when the item, what is to be done with it, the configuration, or the mailboxes' roles and rights changed, and every hour.
What time mends is tried again by the next run. Nothing is tried twice by one run.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jmapsync.errors import Remedy
from jmapsync.ledger import HeldBack
from jmapsync.ledger.codec import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jmapsync.ledger import Ledger, Record
    from jmapsync.planner.model import Order

HOUR = 3600
RIGHTS = "rights"
"""The ledger's note of what may be done in each container of the server."""
ROLES = "roles"
"""The ledger's note of the server's containers by their roles."""


@dataclass(slots=True)
class Holding:
    """What is held back of one kind in one run."""

    kind: str
    ledger: Ledger
    clock: Callable[[], float]
    """Seconds since the epoch."""
    policy: str = ""
    """What of the configuration decides how orders are carried out."""
    full: bool = False
    """True when a person asked to try everything again."""
    _tried: dict[int, str] = field(default_factory=dict)

    def hold_back(self, record: Record, orders: Sequence[Order], why: str, remedy: Remedy) -> None:
        """Keep an item that cannot be brought to agree, by name."""
        now, seen = int(self.clock()), self._fingerprint(record, orders)
        if remedy is Remedy.HUMAN:
            why = f"{why} (tried again every hour, or at once by sync --full)"
        self._tried[record.key] = seen
        self.ledger.hold_back(HeldBack(self.kind, label(record), record.key, why, remedy.value, seen, now, now))

    def problems(self) -> dict[int, HeldBack]:
        """Return the items held back, by key."""
        return {one.key: one for one in self.ledger.problems(self.kind) if one.key is not None}

    def is_due(self, record: Record, orders: Sequence[Order], problem: HeldBack | None) -> bool:
        """Tell whether orders for an item are to be tried now, `problem` being why it was held back, if it was."""
        if problem is None:
            return True
        seen = self._fingerprint(record, orders)
        if self._tried.get(record.key) == seen:
            return False
        if self.full or problem.seen != seen:
            return True
        if problem.remedy == Remedy.HUMAN.value:
            return not 0 <= self.clock() - problem.last < HOUR
        return problem.remedy != Remedy.NEVER.value

    def _fingerprint(self, record: Record, orders: Sequence[Order]) -> str:
        """Return what both sides held, what was to be done, and what could be done there."""
        doing = " ".join(f"{order.side.value} {order.verb.value}" for order in orders)
        standing = f"{self.policy} {doing} {self.ledger.note(ROLES)} {self.ledger.note(RIGHTS)}"
        sides = (encode(version) if version is not None else "-" for version in (record.local, record.remote))
        return "|".join((hashlib.sha256(standing.encode()).hexdigest()[:16], *sides))


def label(record: Record) -> str:
    """Return the name people know an item by."""
    return record.name or f"email {record.ref}"
