"""Give what another program does with a file a limit of processor time."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST: Final = 5.0
"""Seconds of processor time for a file."""


class TooLongError(BaseException):
    """A program takes too long; no Exception, so that it does not catch it."""

    def __str__(self) -> str:
        return "takes too long"


@contextmanager
def limited() -> Iterator[None]:
    """Raise TooLongError in what takes more than LONGEST seconds of processor time."""

    def stop(_signal: int, _frame: object) -> None:
        raise TooLongError

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, LONGEST)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
