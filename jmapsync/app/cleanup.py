"""Remove from an account's state folder what nobody needs any more. Nothing that holds mail is ever among it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

KEPT_SECONDS = 90 * 86_400
"""How long a report of a fault of ours is kept."""


def tidy(state_dir: Path, *, now: float | None = None) -> int:
    """Remove old crash reports and return how many. What is on the shelf waits for its owner, however long."""
    limit = (time.time() if now is None else now) - KEPT_SECONDS
    old = [file for file in state_dir.glob("crash-*.txt") if file.stat().st_mtime < limit]
    for file in old:
        file.unlink(missing_ok=True)
    return len(old)
