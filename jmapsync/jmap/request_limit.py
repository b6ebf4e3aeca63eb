"""Limit the number of concurrent requests; the limit can be changed while requests run."""

from __future__ import annotations

import asyncio


class RequestLimit:
    """A semaphore whose limit can be changed; use it as an asynchronous context manager."""

    def __init__(self, count: int, *, widest: int = 0) -> None:
        """`widest` is what `widen` may allow at most."""
        self.count = count
        self._widest = widest
        self._semaphore = asyncio.Semaphore(count)
        self._closing = 0
        self._lowered = False

    def lower(self) -> None:
        """Lower the limit by one, to no less than one, as soon as a request ends."""
        self._lowered = True
        if self.count > 1:
            self.count -= 1
            self._closing += 1

    def widen(self, count: int) -> None:
        """Allow so many, unless the server asked for fewer before."""
        while self.count < min(count, self._widest) and not self._lowered:
            self.count += 1
            self._semaphore.release()

    async def __aenter__(self) -> None:
        """Wait until another request may start."""
        await self._semaphore.acquire()

    async def __aexit__(self, *exc_info: object) -> None:
        """Let another request start."""
        if self._closing:
            self._closing -= 1
        else:
            self._semaphore.release()
