"""Read of a ledger what `status` shows: all but its items, which only the planner understands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Self

from jmapsync.ledger import migrations
from jmapsync.ledger.database import connect, copy_into, is_there
from jmapsync.ledger.notes import DETACHED, UNWANTED, WITHDRAWN
from jmapsync.ledger.pending import Pending

if TYPE_CHECKING:
    from pathlib import Path


class Summary(Pending):
    """What is known of an account as a whole, and of its kinds."""

    @classmethod
    def open_readonly(cls, path: Path) -> Self | None:
        """Open for reading while another process writes; None when there is no ledger yet.

        Nothing is written, not even a migration: an older file is read as a copy in memory.
        """
        if not is_there(path):
            return None
        db = connect(path, mode="ro")
        try:
            found: int = db.execute("PRAGMA user_version").fetchone()[0]
            migrations.refuse_newer(found)
        except BaseException:
            db.close()
            raise
        if found < migrations.VERSION:
            db.close()
            return cls.copy_of(path)
        return cls(db)

    @classmethod
    def copy_of(cls, path: Path | None) -> Self:
        """Return a ledger in memory that starts as a copy of a file: what a dry run may write to."""
        db = connect(None)
        try:
            if path is not None and is_there(path):
                db.path = path  # whatever is wrong with the copy is wrong with the file
                copy_into(db, path)
            migrations.migrate(db)
        except BaseException:
            db.close()
            raise
        return cls(db)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def note(self, name: str) -> str:
        """Return a named note, or nothing."""
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else ""

    def left_alone(self, kind: str) -> list[str]:
        """Return the paths of all folders of a kind that stay on the disk although the patterns leave them out."""
        detached: dict[str, str] = json.loads(self.note(f"{DETACHED}:{kind}") or "{}")
        unwanted: list[str] = json.loads(self.note(f"{UNWANTED}:{kind}") or "[]")
        return sorted({*detached.values(), *unwanted})

    def withdrawn(self, kind: str) -> list[str]:
        """Return the paths of the folders of a kind that vanished from an account of somebody else."""
        return sorted(json.loads(self.note(f"{WITHDRAWN}:{kind}") or "{}").values())

    def counts(self, kind: str) -> tuple[int, int, int]:
        """Return how many items of a kind there are here, on the server, and still open."""
        row = self._db.execute(
            "SELECT count(local), count(remote), coalesce(sum(agreed = 0), 0) FROM item WHERE kind = ?", (kind,)
        ).fetchone()
        return int(row[0]), int(row[1]), int(row[2])
