"""Keep what is not finished: creates under way, conflict copies, quarantined items, suspended plans; and how the last runs went."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jmapsync.ledger.database import corrupt
from jmapsync.ledger.rows import ConflictCopy, Intent, Quarantined, Suspended

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jmapsync.ledger.database import Database

_SUCCESS = "synced"
"""The state of a run that came to its end; what waits for a person is named beside it."""


class Pending:
    """What of one account waits for an answer, another run or a person."""

    def __init__(self, db: Database) -> None:
        """Wrap an open connection."""
        self._db = db

    # intents

    def intend(self, intents: Iterable[Intent]) -> None:
        """Write down creates before they are sent."""
        self._db.executemany("INSERT OR REPLACE INTO intent VALUES (?, ?, ?, ?)", intents)

    def intents(self, kind: str) -> dict[int, Intent]:
        """Return the creates whose outcome is not known, by key."""
        rows = self._db.execute("SELECT * FROM intent WHERE kind = ? ORDER BY key", (kind,))
        return {row[0]: Intent._make(row) for row in rows}

    def drop_intents(self, keys: Iterable[int]) -> None:
        """Forget creates whose outcome is known."""
        self._db.executemany("DELETE FROM intent WHERE key = ?", ((key,) for key in keys))

    # conflict copies

    def add_conflict_copy(self, copy: ConflictCopy) -> int:
        """Keep a version that lost a conflict and return its id (the id given is ignored)."""
        row = self._db.execute(
            "INSERT INTO shelf (kind, key, item, side, reason, at, home, tags) VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            copy[1:],
        ).fetchone()
        return int(row[0])

    def conflict_copies(self, kind: str = "") -> list[ConflictCopy]:
        """Return the conflict copies, of one kind if given."""
        rows = self._db.execute("SELECT * FROM shelf WHERE ? IN ('', kind) ORDER BY id", (kind,)).fetchall()
        if not all(isinstance(row[1], str) and isinstance(row[3], str) and isinstance(row[6], int) for row in rows):
            raise corrupt(self._db.path, "a row of its table of conflict copies holds values of other types than it may")
        return [ConflictCopy._make(row) for row in rows]

    def drop_conflict_copy(self, number: int) -> None:
        """Forget a conflict copy."""
        self._db.execute("DELETE FROM shelf WHERE id = ?", (number,))

    # problems

    def quarantine(self, held: Quarantined) -> None:
        """Keep a problem; one already known about the same subject keeps the time it was first seen."""
        self._db.execute(
            "INSERT INTO problem VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (kind, subject) DO UPDATE SET"
            # What was given a name keeps it while it is known by the same id or place.
            " item = CASE WHEN substr(problem.item, -length(excluded.item) - 3) = ' (' || excluded.item || ')'"
            " THEN problem.item ELSE excluded.item END,"
            " key = excluded.key, why = excluded.why, remedy = excluded.remedy, seen = excluded.seen, last = excluded.last",
            held,
        )

    def problems(self, kind: str = "") -> list[Quarantined]:
        """Return the quarantined items, of one kind if given."""
        rows = self._db.execute("SELECT * FROM problem WHERE ? IN ('', kind) ORDER BY kind, item, subject", (kind,))
        return [Quarantined._make(row) for row in rows]

    def release(self, subjects: Iterable[tuple[str, str]]) -> None:
        """Forget problems by kind and subject."""
        self._db.executemany("DELETE FROM problem WHERE kind = ? AND subject = ?", subjects)

    def release_agreed(self, kind: str) -> None:
        """Forget the problems of items on which both sides agree now: whoever caused them took it back."""
        self._db.execute(
            "DELETE FROM problem WHERE kind = ? AND EXISTS (SELECT 1 FROM item WHERE item.key = problem.key AND agreed = 1)",
            (kind,),
        )

    # suspensions and runs

    def suspension(self, kind: str) -> Suspended | None:
        """Return the plan of a kind that the guard suspended."""
        row = self._db.execute("SELECT * FROM suspension WHERE kind = ?", (kind,)).fetchone()
        return Suspended._make(row) if row else None

    def suspend(self, suspended: Suspended) -> None:
        """Keep the plan that the guard suspended."""
        self._db.execute("INSERT OR REPLACE INTO suspension VALUES (?, ?, ?, ?)", suspended)

    def lift(self, kind: str) -> None:
        """Forget the plan of a kind that was suspended."""
        self._db.execute("DELETE FROM suspension WHERE kind = ?", (kind,))

    def begin_run(self, kind: str, at: int) -> None:
        """Note durably that a run of a kind begins: without `record_run` after it, it was killed.

        What is known of the runs before stays.
        """
        ended, report = self.runs().get(kind, (at, {}))
        self._put_run(kind, ended, report | {"began": at, "ended": None})

    def record_run(self, kind: str, at: int, report: dict[str, Any]) -> None:
        """Keep the report of the last run of a kind, when it ended, and when one last came to its end."""
        before, known = self.runs().get(kind, (at, {}))
        succeeded = at if report.get("state") == _SUCCESS else success_of(before, known)
        began = known.get("began") if known.get("ended", at) is None else at
        self._put_run(kind, at, report | {"began": began, "ended": at, "succeeded": succeeded})

    def runs(self) -> dict[str, tuple[int, dict[str, Any]]]:
        """Return the time and the report of the last run, by kind.

        `began`, `ended` and `succeeded` are in the report, in seconds since the epoch; `ended` is None of one that has not ended.
        """
        rows = self._db.execute("SELECT kind, at, report FROM run ORDER BY kind")
        return {row[0]: (row[1], json.loads(row[2])) for row in rows}

    def _put_run(self, kind: str, at: int, report: dict[str, Any]) -> None:
        self._db.execute("INSERT OR REPLACE INTO run VALUES (?, ?, ?)", (kind, at, json.dumps(report)))


def success_of(at: int, report: dict[str, Any]) -> int | None:
    """Return when a run of a kind last came to its end; versions before this one kept no more than the last report."""
    if "succeeded" in report:
        return report["succeeded"] if isinstance(report["succeeded"], int) else None
    return at if report.get("state") == _SUCCESS else None
