"""Open the ledger's SQLite file, and report what its disk or its content refuses as a LedgerError.

Only mistakes of ours stay exceptions of SQLite's own.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from itertools import chain
from typing import TYPE_CHECKING, Any, Self

from jmapsync.errors import LedgerError
from jmapsync.opening import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_MANY = 500
"""Host parameters a statement; SQLite's own limit is far higher, a plan is cached per length."""
_OF_THE_DISK = frozenset({
    *(sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOMEM),
    *(sqlite3.SQLITE_AUTH, sqlite3.SQLITE_NOLFS),
})  # fmt: skip
"""Primary result codes that say nothing about the content of the file."""
_IN_USE = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})
_ROOM = 1 << 16
"""Octets that the shared memory of the write-ahead log needs, and a little more."""
_FULL = "Nothing was lost; free some space, then run again."
_DISK = "Nothing was lost. Check the disk and the permissions of the folder, then run again."
MOVE_AWAY = (
    "Check the disk, then move it away, with the files beside it whose names begin with its own (-wal, -shm): the next run"
    " rebuilds it from the files and the server, without deleting anything."
)
_OURS = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError)


class Rows(sqlite3.Cursor):
    """A cursor that reports a failure while rows are read as a connection does when a statement is begun."""

    connection: Database

    def fetchone(self) -> Any:  # noqa: ANN401 - a row
        """Return the next row, or None. Raises LedgerError."""
        try:
            return super().fetchone()
        except sqlite3.Error as error:
            raise _error_of(error, self.connection.path) from error

    def fetchmany(self, size: int | None = _MANY) -> list[Any]:
        """Return the next rows. Raises LedgerError."""
        try:
            return super().fetchmany(size)
        except sqlite3.Error as error:
            raise _error_of(error, self.connection.path) from error

    def fetchall(self) -> list[Any]:
        """Return all rows. Raises LedgerError."""
        try:
            return super().fetchall()
        except sqlite3.Error as error:
            raise _error_of(error, self.connection.path) from error

    def __iter__(self) -> Self:
        """Yield the rows, some at a time. Raises LedgerError."""
        return self._pages()  # type: ignore[return-value]  # typeshed wants the cursor itself

    def _pages(self) -> Iterator[Any]:
        while rows := self.fetchmany():
            yield from rows


class Database(sqlite3.Connection):
    """A connection that names its file in every failure. Each statement is its own transaction unless one is begun."""

    path: Path | None = None
    """None for one in memory."""

    def execute(self, *arguments: Any) -> sqlite3.Cursor:  # noqa: ANN401 - whatever SQLite takes
        """Run one statement. Raises LedgerError, and so does reading its rows."""
        try:
            return super().cursor(Rows).execute(*arguments)
        except _OURS:
            raise
        except sqlite3.Error as error:
            raise _error_of(error, self.path) from error

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:  # noqa: ANN401 - whatever SQLite takes
        """Run one statement for many rows; nothing is run for none. Raises LedgerError."""
        statement, rows = arguments
        rows = iter(rows)
        if (first := next(rows, None)) is None:
            return super().cursor(Rows)
        try:
            return super().executemany(statement, chain([first], rows))
        except _OURS:
            raise
        except sqlite3.Error as error:
            raise _error_of(error, self.path) from error

    def executescript(self, *arguments: Any) -> sqlite3.Cursor:  # noqa: ANN401 - whatever SQLite takes
        """Run statements. Raises LedgerError."""
        try:
            return super().executescript(*arguments)
        except _OURS:
            raise
        except sqlite3.Error as error:
            raise _error_of(error, self.path) from error


def connect(path: Path | None, *, mode: str = "rwc") -> Database:
    """Open a file, or nothing but memory. Raises LedgerError.

    `mode` is `rwc`, `ro`, or `ro&immutable=1` for a file that nobody writes while it is open (SQLite's URI filenames).
    """
    name = f"{path.absolute().as_uri()}?mode={mode}" if path is not None else ":memory:"
    try:
        if path is not None and not stat.S_ISREG(mode_of := path.stat().st_mode):  # opening a pipe would wait for ever
            raise corrupt(path, f"it is {kind_of(mode_of)}, not a regular file")
    except FileNotFoundError:
        pass  # SQLite makes it, or says that there is none
    except OSError as error:
        raise LedgerError(f"The ledger {path} cannot be read: {error.strerror}.", advice=_DISK) from error
    try:
        db = sqlite3.connect(
            name, uri=path is not None, isolation_level=None, timeout=30, check_same_thread=False, factory=Database
        )
    except sqlite3.Error as error:
        raise _error_of(error, path) from error
    db.path = path
    return db


def is_there(path: Path) -> bool:
    """Return whether there is a ledger. Raises LedgerError where that cannot be found out."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise LedgerError(f"The ledger {path} cannot be read: {error.strerror}.", advice=_DISK) from error
    return True


def make_private(path: Path) -> None:
    """Let only its owner read a ledger. Raises LedgerError."""
    try:
        path.chmod(0o600)
    except OSError as error:
        raise LedgerError(f"The ledger {path} cannot be used: {error.strerror}.", advice=_DISK) from error


def copy_into(target: Database, path: Path) -> None:
    """Fill a ledger in memory from a file, and leave no trace beside it unless somebody is writing it. Raises LedgerError.

    A reader of a file in WAL mode makes two files beside it, and cannot remove them. A file that nobody writes can
    be read without; whether it was so is seen afterwards.
    """
    try:
        before = _state(path)
    except OSError as error:
        raise LedgerError(f"The ledger {path} cannot be read: {error.strerror}.", advice=_DISK) from error
    try:
        if before is not None:
            with closing(connect(path, mode="ro&immutable=1")) as source:
                source.backup(target)
        if before is None or _state(path) != before:
            with closing(connect(path, mode="ro")) as source:
                source.backup(target)
    except sqlite3.Error as error:
        raise _error_of(error, path) from error


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


def corrupt(path: Path | None, why: str) -> LedgerError:
    """Return the error of a ledger whose content cannot be used, with what to do."""
    return LedgerError(f"The ledger {path or 'in memory'} cannot be used, because it is corrupt: {why}.", advice=MOVE_AWAY)


def _error_of(error: sqlite3.Error, path: Path | None) -> LedgerError:
    primary = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if primary == sqlite3.SQLITE_FULL or (primary in _OF_THE_DISK and _is_full(path)):
        return LedgerError(f"The disk is full, so the ledger {path or 'in memory'} cannot be written.", advice=_FULL)
    if primary in _OF_THE_DISK:
        return LedgerError(f"The ledger {path or 'in memory'} cannot be read or written: {error}.", advice=_DISK)
    if primary in _IN_USE:
        return LedgerError(f"The ledger {path or 'in memory'} is in use by another program: {error}.", advice="Try again later.")
    return corrupt(path, str(error).partition(" with text ")[0])  # not the text itself, which may be anything


def _is_full(path: Path | None) -> bool:
    """Return whether the disk of a file has no room left: SQLite reports that as an input or output error in places."""
    try:
        found = os.statvfs(path.parent if path is not None else "/tmp")
    except OSError:
        return False
    return found.f_bavail * found.f_frsize < _ROOM or (found.f_files > 0 and found.f_favail == 0)
