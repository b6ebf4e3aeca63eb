"""Open the ledger's SQLite file, and tell what its disk or its content refuses as a LedgerError.

Only mistakes of ours stay exceptions of SQLite's own.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from jmapsync.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_MANY = 500
"""Host parameters a statement; SQLite's own limit is far higher, a plan is cached per length."""
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
    """Open a file, or nothing but memory. Raises LedgerError.

    `mode` is `rwc`, `ro`, or `ro&immutable=1` for a file that nobody writes meanwhile: as SQLite's URIs have it.
    """
    name = f"{path.absolute().as_uri()}?mode={mode}" if path is not None else ":memory:"
    try:
        db = sqlite3.connect(
            name, uri=path is not None, isolation_level=None, timeout=30, check_same_thread=False, factory=Database
        )
    except sqlite3.Error as error:
        raise _told(error, path) from error
    db.path = path
    return db


def copy_into(target: Database, path: Path) -> None:
    """Fill a ledger in memory from a file, and leave no trace beside it unless somebody is writing it. Raises LedgerError.

    A reader of a file in WAL mode makes two files beside it, and cannot remove them (hard case 71). A file that nobody writes can
    be read without; whether it was so is seen afterwards.
    """
    before = _state(path)
    try:
        if before is not None:
            with closing(connect(path, mode="ro&immutable=1")) as source:
                source.backup(target)
        if before is None or _state(path) != before:
            with closing(connect(path, mode="ro")) as source:
                source.backup(target)
    except sqlite3.Error as error:
        raise _told(error, path) from error


def select_many(db: Database, statement: str, values: Sequence[Any], fixed: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Run a SELECT with a `{}` for a list of values, a batch of values at a time; `fixed` are the parameters before it."""
    for start in range(0, len(values), _MANY):
        part = values[start : start + _MANY]
        yield from db.execute(statement.format(",".join("?" * len(part))), (*fixed, *part)).fetchall()


def run_many(db: Database, statement: str, values: Sequence[Any], fixed: tuple[Any, ...] = ()) -> None:
    """Run a statement that returns nothing as `select_many` does."""
    for _ in select_many(db, statement, values, fixed):
        pass


def _state(path: Path) -> tuple[int, ...] | None:
    """Return what shows that a file is as it was; None while somebody has it open for writing, or died doing so."""
    if path.with_name(f"{path.name}-wal").exists():
        return None
    state = path.stat()
    return state.st_ino, state.st_size, state.st_mtime_ns


def _told(error: sqlite3.Error, path: Path | None) -> LedgerError:
    advice = (
        "Check the disk. If the file is damaged, move it away: the next run rebuilds it from the files"
        " and the server, without deleting anything."
    )
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        advice = "Nothing was lost; free some space, then run again."
    return LedgerError(f"The ledger {path or 'in memory'} cannot be used: {error}.", advice=advice)
