"""Judge a plan before it is executed: count what would be deleted, record doubts, allow what a person allowed.

A doubt (a folder that disappeared with its messages, a server whose state went back) outlasts the run that had it: what vanished
is in the ledger by then, and the next run would notice nothing. It ends when nothing is left to delete, when a person allows it, or
when a side says that its reason holds no longer.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from msgspec import Struct

from jmapsync.errors import SuspendedError
from jmapsync.ledger import Suspended
from jmapsync.planner.guard import Limits, Tally, judge
from jmapsync.planner.model import Side

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.kinds import Kind
    from jmapsync.ledger import Ledger

NOT_ONE = Limits(max_deletes=0, max_delete_percent=0)
"""The limits when an observation gave reason to doubt: no deletion goes without a person's consent."""


class Guard(Struct):
    """Suspends plans of one kind of one account."""

    kind: Kind
    account: str
    ledger: Ledger
    limits: Limits
    clock: Callable[[], float]

    def doubt(self, side: Side, why: str) -> None:
        """Record that what vanished on a side may be lost, not deleted; call it in the transaction that ingests it."""
        self.ledger.set_note(self._note(side), why)

    def trust(self, side: Side, words: str) -> None:
        """Forget the doubt on a side if it has these words; call it in the transaction that ingests what refutes it."""
        if words and words in self.ledger.note(self._note(side)):
            self.ledger.set_note(self._note(side), "")

    def check(self, tally: Tally, *, allow: bool, dry: bool) -> None:
        """Raise SuspendedError when the plan that was counted would delete too much, before anything of it is written.

        `allow` accepts the plan that was suspended before, and no other.
        """
        messages = self._judged(tally)
        identity = hashlib.sha256("\n".join(tally.lines()).encode()).hexdigest()
        held = self.ledger.suspension(self.kind.name)
        allowed = allow and held is not None and held.plan == identity
        if not messages or allowed:
            if not dry:
                self._lift(tally, allowed=allowed)
            return
        message = " ".join(messages)
        if allow and held is not None:
            message = f"This is not the plan that was suspended before, so it was not carried out. {message}"
        if not dry:
            self._suspend(tally, identity, message)
        raise SuspendedError(message)

    def _lift(self, tally: Tally, *, allowed: bool) -> None:
        """Forget the suspension, and the doubts that ended."""
        with self.ledger.transaction():
            self.ledger.lift(self.kind.name)
            for side in Side:
                if (allowed or not tally.counts[side.other]) and self.ledger.note(self._note(side)):
                    self.ledger.set_note(self._note(side), "")

    def _suspend(self, tally: Tally, identity: str, message: str) -> None:
        with self.ledger.transaction():
            if tally.counts[Side.LOCAL]:
                # What the server seems to have lost, it may list again without reporting a change.
                self.ledger.set_cursor(self.kind.name, Side.REMOTE, "")
            self.ledger.suspend(Suspended(self.kind.name, identity, message, int(self.clock())))

    def _judged(self, tally: Tally) -> list[str]:
        """Return why the plan has to be suspended: at most one reason and one doubt for each side."""
        if not any(tally.counts.values()):
            return []
        population = {side: self.ledger.population(self.kind.items.kind, side) for side in Side}
        here, there, _ = self.ledger.counts(self.kind.items.kind)
        lost = tally.counts
        totals = {Side.LOCAL: max(here, lost[Side.LOCAL]), Side.REMOTE: max(there, lost[Side.REMOTE])}
        names = {record.key: record.name for record in self.ledger.all(self.kind.containers.kind)}
        messages: list[str] = []
        for side in Side:
            doubt = self.ledger.note(self._note(side.other))
            found = judge(tally, population, totals, NOT_ONE if doubt else self.limits, names, account=self.account)
            mine = [one.message for one in found if one.side is side][:1]
            if doubt and mine:
                messages.append(f"{doubt[0].upper()}{doubt[1:]}.")
            messages += mine
        return messages

    def _note(self, side: Side) -> str:
        return f"doubt:{self.kind.name}:{side.value}"
