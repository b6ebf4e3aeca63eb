"""Give what a test runs a limit of processor time: a busy machine counts for nothing."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def limited_to(seconds: float, error: type[BaseException]) -> Iterator[None]:
    """Raise an error in what takes more seconds of processor time, its own and that of the system for it."""

    def stop(_signal: int, _frame: object) -> None:
        raise error

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
