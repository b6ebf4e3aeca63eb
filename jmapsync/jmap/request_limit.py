"""Limit the number of concurrent requests; the limit can be lowered while requests run."""

from __future__ import annotations

import asyncio


class RequestLimit:
    """A semaphore whose limit can be lowered; use it as an asynchronous context manager."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._semaphore = asyncio.Semaphore(count)
        self._closing = 0

    def lower(self) -> None:
        """Lower the limit by one, to no less than one, as soon as a request ends."""
        if self.count > 1:
            self.count -= 1
            self._closing += 1

    async def __aenter__(self) -> None:
        """Wait until another request may start."""
        await self._semaphore.acquire()

    async def __aexit__(self, *exc_info: object) -> None:
        """Let another request start."""
        if self._closing:
            self._closing -= 1
        else:
            self._semaphore.release()
