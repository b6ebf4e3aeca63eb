"""Give what another program does with a file a limit of processor time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.kit.processor_time import limited_to

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

LONGEST: Final = 5.0
"""Seconds of processor time for a file."""


class TooLongError(BaseException):
    """A program takes too long; no Exception, so that it does not catch it."""

    def __str__(self) -> str:
        return "takes too long"


def limited() -> AbstractContextManager[None]:
    """Raise TooLongError in what takes more than LONGEST seconds of processor time."""
    return limited_to(LONGEST, TooLongError)
