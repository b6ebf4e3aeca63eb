"""Open ledgers for tests of the sides, and close all of them when a test ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path

_opened: list[Ledger] = []


def open_ledger(path: Path) -> Ledger:
    """Open a ledger that `close_ledgers` closes."""
    _opened.append(Ledger.open(path))
    return _opened[-1]


def close_ledgers() -> None:
    """Close every ledger that was opened. SQLite warns of a connection that nobody closes, from Python 3.13 on."""
    while _opened:
        _opened.pop().close()
