"""Measure durations so that a busy machine fails no test."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

TRIES = 40


def is_ever_within(seconds: float, action: Callable[[], object], *, clock: Callable[[], float] = time.monotonic) -> bool:
    """Repeat an action until one repetition takes less than `seconds`; return whether one did.

    A busy machine delays some repetitions. What waits or computes too much delays each.
    """
    for _ in range(TRIES):
        begun = clock()
        action()
        if clock() - begun < seconds:
            return True
    return False
