"""Run a task that is not to end for as long as its owner lives: begin it anew, after a pause that grows, whenever it ended."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Never

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

FIRST_PAUSE = 2.0
LONGEST_PAUSE = 300.0
"""Seconds between two beginnings: at random up to a limit that doubles from the first to the longest."""
_MOST_DOUBLINGS = 16


async def keep_running(act: Callable[[], Awaitable[object]], failed: Callable[[Exception], object]) -> Never:
    """Run something until cancelled; call `failed` with each exception that ended it.

    One that ran longer than the longest pause begins with the shortest pause again.
    """
    failures = 0
    while True:
        began = time.monotonic()
        try:
            await act()
        except Exception as error:  # noqa: BLE001  # whatever it is, the task has to live on
            failed(error)
        if time.monotonic() - began > LONGEST_PAUSE:
            failures = 0
        limit = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**failures)
        failures = min(failures + 1, _MOST_DOUBLINGS)
        await asyncio.sleep(limit * random.uniform(0.5, 1.0))  # noqa: S311  # no secret
