"""Run a push listener beside a test, and record what it reports."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from jmapsync.daemon.push_listener import Listener

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.daemon.push_listener import Timing
    from jmapsync.jmap.client import Client

PATIENCE = 90.0


class RecordedListener:
    """A listener, its hints, and the exceptions that it did not expect."""

    def __init__(self, client: Client, account_id: str, timing: Timing) -> None:
        """Start to listen."""
        self.client = client
        self.hints: list[str] = []
        self.crashes: list[Exception] = []
        self.listener = Listener(client, account_id, self.hints.append, timing=timing, crashed=self.crashes.append)
        self.task = asyncio.ensure_future(self.listener.run())

    async def until(self, true: Callable[[], object]) -> None:
        """Wait for a condition; raise what ended the listener."""
        async with asyncio.timeout(PATIENCE):
            while not true():
                if self.task.done():
                    self.task.result()
                await asyncio.sleep(0.005)

    async def says(self, words: str) -> None:
        """Wait until the listener gives a reason with these words."""
        await self.until(lambda: words in self.listener.state.why)

    async def stop(self) -> None:
        """Stop to listen."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
