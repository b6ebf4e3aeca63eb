"""Name the files of an account's state folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LEDGER = "ledger.sqlite"
LOCK = "lock"
SPOOL = "spool"
"""Large bodies on their way."""
SHELF = "shelf"
"""Versions that lost a conflict, each under its number."""
OUTBOX = "outbox"
"""Messages that wait to be sent."""
SOCKET = "control.sock"
"""Where the daemon that holds the account answers; see `control`."""


def may_have_daemon(state_dir: Path) -> bool:
    """Tell whether a daemon may hold the account: its socket is there, and can be seen."""
    return os.path.exists(state_dir / SOCKET)
