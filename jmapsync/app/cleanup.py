"""Remove old files from an account's state directory; never one that holds mail."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

KEPT_SECONDS = 90 * 86_400
"""How long a crash report is kept."""


def tidy(state_dir: Path, *, now: float | None = None) -> int:
    """Remove old crash reports and return how many. Conflict copies are never removed."""
    limit = (time.time() if now is None else now) - KEPT_SECONDS
    old = [file for file in state_dir.glob("crash-*.txt") if file.stat().st_mtime < limit]
    for file in old:
        file.unlink(missing_ok=True)
    return len(old)
