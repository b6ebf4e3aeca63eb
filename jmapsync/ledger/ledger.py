"""Keep what was seen of both sides, and the base, in one SQLite file an account (WAL, one writer).

Nothing in here decides: rows go in and out. A transaction is never held across the network; every method that changes
trees is meant to be called inside `transaction()`, so that a cursor and the tree it speaks of are committed together.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from jmapsync.ledger import migrations
from jmapsync.ledger.contents import Contents
from jmapsync.ledger.database import connect, make_private
from jmapsync.ledger.items import Items
from jmapsync.ledger.places import Places
from jmapsync.ledger.plan_table import PlanTable
from jmapsync.ledger.summary import Summary
from jmapsync.ledger.tagged import TagTable
from jmapsync.ledger.unconverted import converted, has_unconverted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from jmapsync.ledger.database import Database
    from jmapsync.ledger.record import Record
    from jmapsync.planner.model import Side


class Ledger(Items, Places, Summary):
    """The memory of one account."""

    def __init__(self, db: Database) -> None:
        """Wrap an open connection; use `open` or `open_readonly`."""
        super().__init__(db)
        self.contents = Contents(db)
        self.tagged = TagTable(db)
        self.plan = PlanTable(db)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open for writing, creating or migrating as needed. Raises LedgerError for a corrupt or newer file."""
        db = connect(path)
        try:
            make_private(path)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA cache_size = -16000")
            migrations.migrate(db)
        except BaseException:
            db.close()
            raise
        return cls(db)

    def converted(self, records: Iterable[Record]) -> list[Record]:
        """Return records in which no version stands for an unconverted file, so that they can be compared with what is seen now."""
        return [converted(record, self.contents) if has_unconverted(record) else record for record in records]

    def release_memory(self) -> None:
        """Give back what SQLite keeps of the file in memory."""
        self._db.execute("PRAGMA shrink_memory")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all that happens inside together, or nothing of it. May be nested; the outermost counts."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # a full disk may have ended it already
                self._db.execute("ROLLBACK")
            raise

    @property
    def writes(self) -> int:
        """Return how many rows were written since it was opened."""
        return self._db.total_changes

    # meta and cursors

    def set_note(self, name: str, value: str) -> None:
        """Keep a named note."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def notes_below(self, prefix: str) -> dict[str, str]:
        """Return the notes whose names begin with a prefix, by what follows it."""
        rows = self._db.execute("SELECT name, value FROM meta WHERE name >= ? AND name < ?", (prefix, f"{prefix}\U0010ffff"))
        return {row[0][len(prefix) :]: row[1] for row in rows}

    def set_notes_below(self, prefix: str, values: Mapping[str, str]) -> None:
        """Keep notes by what follows the prefix of their names, one row each: adding one does not write the others again."""
        rows = ((prefix + name, value) for name, value in values.items())
        self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows)

    def drop_notes_below(self, prefix: str) -> None:
        """Forget the notes whose names begin with a prefix."""
        self._db.execute("DELETE FROM meta WHERE name >= ? AND name < ?", (prefix, f"{prefix}\U0010ffff"))

    def cursor(self, kind: str, side: Side) -> str:
        """Return how far a side of a kind has been observed; nothing before the first whole listing."""
        row = self._db.execute("SELECT value FROM cursor WHERE kind = ? AND side = ?", (kind, side.value)).fetchone()
        return str(row[0]) if row else ""

    def set_cursor(self, kind: str, side: Side, value: str) -> None:
        """Keep how far a side of a kind has been observed."""
        self._db.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?, ?)", (kind, side.value, value))

    def forget_server(self) -> None:
        """Forget all that is known of the server: what lies on the disk is then to be compared with another one."""
        self._db.execute("DELETE FROM item WHERE local IS NULL")
        self._db.execute("UPDATE item SET ref = NULL, remote = NULL, base_local = NULL, base_remote = NULL, agreed = 0")
        self._db.execute("DELETE FROM folder WHERE key NOT IN (SELECT key FROM item)")
        self._db.execute("DELETE FROM content WHERE tree <> 'local'")
        self._db.execute("DELETE FROM listed")
        self._db.execute("DELETE FROM meta WHERE name NOT LIKE 'root:%'")
        for table in ("cursor", "intent", "problem", "suspension"):
            self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - fixed names
