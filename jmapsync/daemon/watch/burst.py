"""Pass change hints from threads to the event loop: the first of a burst at once, the rest in batches.

Ten thousand changed files become one call into the loop, and take no memory but the names of their folders.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PAUSE = 0.02
"""Seconds between two batches during a burst."""


class Burst:
    """Thread-safe queue of hints for one event loop."""

    def __init__(self, changed: Callable[[Path], None], lost: Callable[[str], None]) -> None:
        """Register the callbacks, which are called in the running loop. Raises RuntimeError outside of one."""
        self._loop = asyncio.get_running_loop()
        self._changed = changed
        self._lost = lost
        self._lock = threading.Lock()
        self._folders: dict[str, None] = {}
        self._reasons: dict[str, None] = {}
        self._lasting = False
        self._closed = False

    def hint(self, folder: str) -> None:
        """Report that something in a folder may have changed. Thread-safe."""
        self._put(self._folders, folder)

    def lose(self, why: str) -> None:
        """Report that changes may have been missed. Thread-safe."""
        self._put(self._reasons, why)

    def close(self) -> None:
        """Stop the delivery; to be called in the loop's thread."""
        with self._lock:
            self._closed = True

    def _put(self, box: dict[str, None], text: str) -> None:
        with self._lock:
            box[text] = None
            if self._lasting or self._closed:
                return
            self._lasting = True
        with suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        with self._lock:
            if self._closed:
                return
            folders, reasons = list(self._folders), list(self._reasons)
            self._folders.clear()
            self._reasons.clear()
            self._lasting = bool(folders or reasons)
        if not folders and not reasons:
            return
        self._loop.call_later(PAUSE, self._deliver)
        for why in reasons:
            self._lost(why)
        for folder in folders:
            self._changed(Path(folder))
