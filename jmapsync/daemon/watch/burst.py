"""Carry hints from threads into the event loop: the first of a burst at once, all that follow it in a few handfuls.

Ten thousand changed files enter the loop as one call from the thread that saw them, and cost it no memory but the names of
the folders they lie in.
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
"""Seconds between two deliveries while a burst lasts."""


class Burst:
    """Hints on their way into one event loop."""

    def __init__(self, changed: Callable[[Path], None], lost: Callable[[str], None]) -> None:
        """Name whom to call in the running loop. Raises RuntimeError outside of one."""
        self._loop = asyncio.get_running_loop()
        self._changed = changed
        self._lost = lost
        self._lock = threading.Lock()
        self._folders: dict[str, None] = {}
        self._reasons: dict[str, None] = {}
        self._lasting = False
        self._closed = False

    def hint(self, folder: str) -> None:
        """Tell that something in a folder may have changed. Any thread may call this."""
        self._put(self._folders, folder)

    def lose(self, why: str) -> None:
        """Tell that changes may have gone unseen. Any thread may call this."""
        self._put(self._reasons, why)

    def close(self) -> None:
        """Deliver nothing any more; to be called in the loop's thread."""
        with self._lock:
            self._closed = True

    def _put(self, box: dict[str, None], text: str) -> None:
        with self._lock:
            box[text] = None
            if self._lasting or self._closed:
                return
            self._lasting = True
        with suppress(RuntimeError):  # the loop was closed under us: nobody is left to be told
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
