"""Return memory to the system: a daemon that is idle for ten minutes should not keep what a run needed."""

from __future__ import annotations

import ctypes
import gc

_TRIM = getattr(ctypes.CDLL(None), "malloc_trim", None)
"""glibc's; others give back by themselves, or cannot."""


def give_back_memory() -> None:
    """Collect what is unreachable and return free pages to the system (malloc_trim(3)): a third of a large account's."""
    gc.collect()
    if _TRIM is not None:
        _TRIM(0)
