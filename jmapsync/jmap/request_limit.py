"""Bound how many requests are under way at the same time, and let the bound be lowered while they are."""

from __future__ import annotations

import asyncio


class Lanes:
    """A semaphore that can be narrowed; use it as an asynchronous context manager."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._semaphore = asyncio.Semaphore(count)
        self._closing = 0

    def narrow(self) -> None:
        """Take one lane away as soon as a request leaves it; the last one stays."""
        if self.count > 1:
            self.count -= 1
            self._closing += 1

    async def __aenter__(self) -> None:
        """Wait for a free lane."""
        await self._semaphore.acquire()

    async def __aexit__(self, *exc_info: object) -> None:
        """Leave the lane."""
        if self._closing:
            self._closing -= 1
        else:
            self._semaphore.release()
