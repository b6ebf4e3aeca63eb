"""Count what goes over the wire, and keep it to a rate that all connections of the process share."""

from __future__ import annotations

import asyncio
import time
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_CREDIT = 0.25
"""Seconds of silence that may be made up for at once afterwards."""
_SLICE = 1.0
"""Seconds of one pause at most: a caller restarts its timeout after each."""
_PIECES = 8
"""Pieces that a second's octets are sent or received in."""
LEAST_PIECE = 1 << 10


class RateLimit:
    """The octets a second that requests and answers may have together."""

    def __init__(self, rate: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`rate` is in octets a second; `clock` returns seconds that only grow."""
        self.rate = rate
        self._clock = clock
        self._paid = clock()
        """When what was taken so far would have gone over the line at this rate."""

    @property
    def piece(self) -> int:
        """Return the octets that may go at a time, so that pauses are short."""
        return max(LEAST_PIECE, int(self.rate / _PIECES))

    def take(self, octets: int) -> None:
        """Note that so many octets went over the line."""
        self._paid = max(self._paid, self._clock() - _CREDIT) + octets / self.rate

    def left(self) -> float:
        """Return the seconds until more may go."""
        return max(0.0, self._paid - self._clock())


@cache
def shared_limit(rate: float) -> RateLimit | None:
    """Return the limit that all accounts of this process keep to; None for a rate of 0, which is no limit."""
    return RateLimit(rate) if rate else None


class Traffic:
    """Requests and octets of one account, and the limit that they keep to."""

    def __init__(self, limit: RateLimit | None = None) -> None:
        self.limit = limit
        self.requests = 0
        self.received = 0
        """Octets of answers as they came over the wire, without headers."""
        self.sent = 0
        """Octets of requests, without headers."""

    def receive(self, octets: int) -> None:
        """Count octets of an answer."""
        self.received += octets
        if self.limit is not None:
            self.limit.take(octets)

    def send(self, octets: int) -> None:
        """Count octets of a request."""
        self.sent += octets
        if self.limit is not None:
            self.limit.take(octets)

    def count_heads(self, octets: int) -> None:
        """Let octets of headers count for the limit: with small messages they are several of a hundred."""
        if self.limit is not None:
            self.limit.take(octets)

    async def turn(self, on_pause: Callable[[], None] | None = None) -> None:
        """Wait until more may go over the line; `on_pause` is called after each part of the wait."""
        if self.limit is None:
            return
        while (left := self.limit.left()) > 0:
            await asyncio.sleep(min(left, _SLICE))
            if on_pause is not None:
                on_pause()
