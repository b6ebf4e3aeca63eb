"""Open the ledger's SQLite file, and tell what its disk or its content refuses as a LedgerError.

Only mistakes of ours stay exceptions of SQLite's own.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from jmapsync.errors import LedgerError

if TYPE_CHECKING:
    from pathlib import Path

_OURS = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError)


class Database(sqlite3.Connection):
    """A connection that names its file in every failure. Each statement is its own transaction unless one is begun."""

    path: Path | None = None
    """None for one in memory."""

    def execute(self, *arguments: Any) -> sqlite3.Cursor:  # noqa: ANN401 - whatever SQLite takes
        """Run one statement. Raises LedgerError."""
        try:
            return super().execute(*arguments)
        except _OURS:
            raise
        except sqlite3.Error as error:
            raise _told(error, self.path) from error

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:  # noqa: ANN401 - whatever SQLite takes
        """Run one statement for many rows. Raises LedgerError."""
        try:
            return super().executemany(*arguments)
        except _OURS:
            raise
        except sqlite3.Error as error:
            raise _told(error, self.path) from error

    def executescript(self, *arguments: Any) -> sqlite3.Cursor:  # noqa: ANN401 - whatever SQLite takes
        """Run statements. Raises LedgerError."""
        try:
            return super().executescript(*arguments)
        except _OURS:
            raise
        except sqlite3.Error as error:
            raise _told(error, self.path) from error


def connect(path: Path | None, *, mode: str = "rwc") -> Database:
    """Open a file (`mode` as in SQLite's URIs), or nothing but memory. Raises LedgerError."""
    name = f"{path.absolute().as_uri()}?mode={mode}" if path is not None else ":memory:"
    try:
        db = sqlite3.connect(
            name, uri=path is not None, isolation_level=None, timeout=30, check_same_thread=False, factory=Database
        )
    except sqlite3.Error as error:
        raise _told(error, path) from error
    db.path = path
    return db


def _told(error: sqlite3.Error, path: Path | None) -> LedgerError:
    advice = (
        "Check the disk. If the file is damaged, move it away: the next run rebuilds it from the files"
        " and the server, without deleting anything."
    )
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        advice = "Nothing was lost; free some space, then run again."
    return LedgerError(f"The ledger {path or 'in memory'} cannot be used: {error}.", advice=advice)
