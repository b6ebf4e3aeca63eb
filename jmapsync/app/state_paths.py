"""Name the files of an account's state directory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LEDGER = "ledger.sqlite"
LOCK = "lock"
SETUP_LOCK = "setup.lock"
"""Held while the account is set up."""
SPOOL = "spool"
"""Large bodies that are being transferred."""
CONFLICT_COPIES = "shelf"
"""Conflict copies, each under its number. The name is that of the first version."""
OUTBOX = "outbox"
"""Messages that wait to be sent."""
SEEN = "server.json"
"""What was last read of the quotas and the vacation reply."""
SOCKET = "control.sock"
"""Socket of the daemon that runs the account; see `control`."""
RUN_SOCKET = "run.sock"
"""Socket of a run of `sync`; see `run_socket`."""
SUCCESS = "on_success"
"""An empty file: its modification time is when the hook `on_success` was last started."""

SHARED = "shared"
"""The folder with the state of each shared account of a login."""


def may_have_daemon(state_dir: Path) -> bool:
    """Return whether a daemon may run the account: its socket exists."""
    return os.path.exists(state_dir / SOCKET)
