"""Read everything that a ledger holds, to find out whether it is corrupt after a run met something unexpected."""

from __future__ import annotations

import json
import zlib
from contextlib import closing
from typing import TYPE_CHECKING, Any

from jmapsync.errors import LedgerError
from jmapsync.formats.message import Form
from jmapsync.formats.unconverted import is_file
from jmapsync.ledger import migrations
from jmapsync.ledger.codec import decode
from jmapsync.ledger.database import connect, is_there
from jmapsync.ledger.notes import BARE, BOXES, DETACHED, EXAMINED, OUTSIDE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jmapsync.ledger.database import Database

_N, _T, _B = int, str, bytes
_O = (str, type(None))
_K = (int, type(None))
_COLUMNS: dict[str, tuple[Any, ...]] = {
    "meta": (_T, _T),
    "cursor": (_T, _T, _T),
    "item": (_N, _T, _O, _T, _N, _N, _T, _O, _O, _O, _O, _N),
    "place": (_N, _T, _T, _T, _N, _N, _N, _N, _T),
    "folder": (_N, _T, _T),
    "listed": (_T, _T, _B, _B, _B, _B, _B, _B, _N),
    "intent": (_N, _T, _T, _N),
    "shelf": (_N, _T, _N, _T, _T, _T, _N, _T, _T),
    "suspension": (_T, _T, _T, _N),
    "run": (_T, _N, _T),
    "problem": (_T, _T, _T, _K, _T, _T, _T, _N, _N),
    "content": (_N, _T, _B),
    "tagged": (_N, _T, _T, _T, _N, _T),
}
"""The types of each table's columns, in their order; SQLite itself lets any column hold any type."""


_NOTES: dict[str, type] = {
    **dict.fromkeys(("roles", "rights", "filesystem", BOXES, DETACHED), dict),
    **dict.fromkeys((OUTSIDE, BARE, "made", "shared"), list),
    **dict.fromkeys(("audited", EXAMINED), float),
}
"""What the notes of each name are, those that are kept for every kind and the others."""


def find_corruption(path: Path) -> str:
    """Return what is wrong with a ledger, in words; nothing where all of it can be read, and where there is none.

    Reads the whole file, so it is for `check`, and for a run that failed otherwise.
    """
    try:
        if not is_there(path):
            return ""
        with closing(connect(path, mode="ro")) as db:
            return _inspect(db)
    except LedgerError as error:
        return error.message
    except (ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError) as error:
        return f"a row of it cannot be read ({error})"


def _inspect(db: Database) -> str:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    migrations.refuse_newer(version)
    [found] = db.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        return str(found).splitlines()[-1]
    if version < migrations.VERSION:
        return ""  # only the next run knows what an older one is to hold
    for table, types in _COLUMNS.items():
        for row in db.execute(f"SELECT * FROM {table}"):  # noqa: S608 - fixed names
            if len(row) != len(types) or not all(map(isinstance, row, types)):
                return f"a row of its table {table} holds values of other types than it may"
            if table in _CONTENT:
                _CONTENT[table](row)
    return ""


def _read_item(row: tuple[Any, ...]) -> None:
    for line in row[7:11]:
        if line is not None:
            decode(line)


def _read_content(row: tuple[Any, ...]) -> None:
    try:
        value = zlib.decompress(row[2])
        if row[1] != "file" and not is_file(value):
            json.loads(value)
    except zlib.error as error:
        raise ValueError(str(error)) from error


def _read_place(row: tuple[Any, ...]) -> None:
    _, name, info, sub, *_, form = row
    if sub not in {"", "new", "cur"} or any(mark in text for text in (name, info) for mark in ("/", "\0")):
        raise ValueError("it holds a name or directory that no file can have")
    if form:
        Form(form)


def _read_folder(row: tuple[Any, ...]) -> None:
    # The folder of Sieve scripts is the root itself.
    if row[1] and ("\0" in row[1] or not {"", ".", ".."}.isdisjoint(row[1].split("/"))):
        raise ValueError("it holds a path that no folder can have")


def _read_meta(row: tuple[Any, ...]) -> None:
    name, value = row
    if ": " in name:  # of one item of a kind, as `made mail: ID`: its value is a mark that nothing is read from
        return
    expected = _NOTES.get(name.partition(":")[0].partition(" ")[0])
    if value and expected is float:
        float(value)
    elif value and expected is not None:
        _require(value, expected)


def _require(value: str, expected: type) -> None:
    if not isinstance(json.loads(value), expected):
        raise ValueError("it is of another shape")  # noqa: TRY004  # as what json raises


_CONTENT: dict[str, Callable[[tuple[Any, ...]], None]] = {
    "item": _read_item,
    "meta": _read_meta,
    "cursor": lambda row: _require(row[2], dict) if row[2] else None,
    "intent": lambda row: _require(row[2], dict),
    "content": _read_content,
    "place": _read_place,
    "folder": _read_folder,
    "run": lambda row: _require(row[2], dict),
}
"""What raises ValueError for a row whose values mean nothing."""
