"""Keep the plan of one round in a temporary table of the ledger's connection, so that its size costs no memory.

Nothing of it outlives the connection: a plan is derived again from what was seen, never resumed.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from msgspec import Struct, msgpack

from jmapsync.planner.model import Change  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jmapsync.ledger.database import Database
    from jmapsync.planner.model import Plan

PAGE = 1000
"""Rows read at a time."""


class Step(enum.IntEnum):
    """What a row of the table stands for, in the order in which the rows are carried out."""

    AGREED = 1
    """Both sides hold the same already: only the base follows."""
    FORGOTTEN = 2
    """Neither side holds the item any more."""
    HIDDEN = 3
    """Nothing can be done about the item; the reason is kept."""
    WRITE = 4
    DELETE = 5
    """Also of a change that is written first and has orders that follow it (`Change.then`)."""


class Planned(Struct, frozen=True):
    """One row: an item and what is planned for it."""

    key: int
    change: Change | None = None
    reason: str = ""


_ENCODE = msgpack.Encoder().encode
_DECODE = msgpack.Decoder(Planned).decode


def _steps(change: Change) -> tuple[Step, ...]:
    if change.deletes:
        return (Step.DELETE,)
    return (Step.WRITE, Step.DELETE) if change.then else (Step.WRITE,)


class PlanTable:
    """The plan of the round under way."""

    def __init__(self, db: Database) -> None:
        """Wrap an open connection; the table is made when the first plan is kept."""
        self._db = db
        self._is_made = False

    def clear(self) -> None:
        """Begin a plan."""
        if self._is_made:
            self._db.execute("DELETE FROM temp.plan")

    def add(self, page: Plan, due: Iterable[Change]) -> None:
        """Keep a page of the plan; of its changes those that are to be carried out now."""
        rows = [
            *((Step.AGREED, Planned(key)) for key in page.settled),
            *((Step.FORGOTTEN, Planned(key)) for key in page.forgotten),
            *((Step.HIDDEN, Planned(one.key, reason=one.reason)) for one in page.hidden),
            *((step, Planned(change.key, change)) for change in due for step in _steps(change)),
        ]
        if not rows:
            return
        if not self._is_made:
            self._db.execute("CREATE TEMP TABLE plan (step INTEGER, key INTEGER, row BLOB, PRIMARY KEY (step, key)) WITHOUT ROWID")
            self._is_made = True
        self._db.executemany("INSERT INTO temp.plan VALUES (?, ?, ?)", ((int(step), row.key, _ENCODE(row)) for step, row in rows))

    def has_work(self) -> bool:
        """Tell whether anything is to be written on either side."""
        if not self._is_made:
            return False
        return self._db.execute("SELECT 1 FROM temp.plan WHERE step >= ? LIMIT 1", (int(Step.WRITE),)).fetchone() is not None

    def pages(self, step: Step) -> Iterator[list[Planned]]:
        """Yield the rows of a step in the order of their keys, a page at a time."""
        after = 0
        while self._is_made and (rows := self._page(step, after)):
            after = rows[-1].key
            yield rows

    def _page(self, step: Step, after: int) -> list[Planned]:
        found = self._db.execute(
            "SELECT row FROM temp.plan WHERE step = ? AND key > ? ORDER BY key LIMIT ?", (int(step), after, PAGE)
        )
        return [_DECODE(row) for (row,) in found.fetchall()]
