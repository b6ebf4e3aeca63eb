"""Restart a coroutine whenever it ends, with back-off."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Never

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

FIRST_PAUSE = 2.0
LONGEST_PAUSE = 300.0
"""Seconds between two starts: random, with a limit that doubles from the first to the longest."""
_MOST_DOUBLINGS = 16


async def keep_running(act: Callable[[], Awaitable[object]], failed: Callable[[Exception], object]) -> Never:
    """Run and restart `act` until cancelled; call `failed` with each exception that ended it.

    After a run that lasted longer than the longest pause, the back-off starts again at the shortest.
    """
    failures = 0
    while True:
        began = time.monotonic()
        try:
            await act()
        except Exception as error:  # noqa: BLE001  # whatever it is, the task is restarted
            failed(error)
        if time.monotonic() - began > LONGEST_PAUSE:
            failures = 0
        limit = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**failures)
        failures = min(failures + 1, _MOST_DOUBLINGS)
        await asyncio.sleep(limit * random.uniform(0.5, 1.0))  # noqa: S311  # no secret
