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
MOST_IN_MEMORY = 5000
"""Rows that are kept in memory; more are written to the table, which costs a fifth of the time of a first pull."""


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
    """The plan of the round under way: in memory while it is small, in the table from then on."""

    def __init__(self, db: Database) -> None:
        """Wrap an open connection; the table is made when a plan first needs it."""
        self._db = db
        self._rows: dict[Step, dict[int, Planned]] = {}
        self._stored: set[Step] = set()
        """The steps with rows in the table."""
        self._is_made = False

    def clear(self) -> None:
        """Begin a plan."""
        self._rows = {}
        if self._stored:
            self._db.execute("DELETE FROM temp.plan")
            self._stored = set()

    def add(self, page: Plan, due: Iterable[Change]) -> None:
        """Keep a page of the plan; of its changes those that are to be carried out now."""
        for key in page.agreed:
            self._put(Step.AGREED, Planned(key))
        for key in page.forgotten:
            self._put(Step.FORGOTTEN, Planned(key))
        for one in page.hidden:
            self._put(Step.HIDDEN, Planned(one.key, reason=one.reason))
        for change in due:
            for step in _steps(change):
                self._put(step, Planned(change.key, change))
        if self._stored or sum(map(len, self._rows.values())) > MOST_IN_MEMORY:
            self._store()

    def _put(self, step: Step, row: Planned) -> None:
        self._rows.setdefault(step, {})[row.key] = row

    def _store(self) -> None:
        if not self._is_made:
            self._db.execute("CREATE TEMP TABLE plan (step INTEGER, key INTEGER, row BLOB, PRIMARY KEY (step, key)) WITHOUT ROWID")
            self._is_made = True
        every = ((int(step), row.key, _ENCODE(row)) for step, rows in self._rows.items() for row in rows.values())
        self._db.executemany("INSERT INTO temp.plan VALUES (?, ?, ?)", every)
        self._stored.update(self._rows)
        self._rows = {}

    def has_work(self) -> bool:
        """Return whether anything is to be written on either side."""
        return not self._stored.union(self._rows).isdisjoint((Step.WRITE, Step.DELETE))

    def pages(self, step: Step) -> Iterator[list[Planned]]:
        """Yield the rows of a step in the order of their keys, a page at a time."""
        if step in self._rows:
            rows = [row for _, row in sorted(self._rows[step].items())]
            yield from (rows[start : start + PAGE] for start in range(0, len(rows), PAGE))
        after = 0
        while step in self._stored:
            rows = self._page(step, after)
            if rows:
                yield rows
            if len(rows) < PAGE:
                return
            after = rows[-1].key

    def _page(self, step: Step, after: int) -> list[Planned]:
        found = self._db.execute(
            "SELECT row FROM temp.plan WHERE step = ? AND key > ? ORDER BY key LIMIT ?", (int(step), after, PAGE)
        )
        return [_DECODE(row) for (row,) in found.fetchall()]
