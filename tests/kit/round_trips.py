"""Count the round trips of a run that follow one another: on a line where nothing else takes time, they are its duration."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, TypeVar

from tests.kit.mirror import Mirror
from tests.sim.instant import DirectTransport, InstantLoop, replaced

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    import httpx

    from jmapsync.demo import DemoServer

ROUND_TRIP = 0.15
"""Seconds."""

Result = TypeVar("Result")


class Line(DirectTransport):
    """Answers each request one round trip later; requests sent at the same time are answered at the same time."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(ROUND_TRIP)
        return await super().handle_async_request(request)


async def _in_this_thread(call: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:  # noqa: ANN401
    return call(*args, **kwargs)


class Counter:
    """Runs coroutines, each in a loop of its own whose clock moves by waiting alone."""

    sequential = 0
    """Round trips of the last run that followed one another."""

    def run(self, main: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine in this thread."""
        loop = InstantLoop()
        with replaced(asyncio, "to_thread", _in_this_thread), replaced(time, "monotonic", loop.time):
            try:
                return loop.run_until_complete(main)
            finally:
                loop.run_until_complete(loop.shutdown_asyncgens())
                self.sequential = round(loop.time() / ROUND_TRIP)
                loop.close()


def counted_mirror(server: DemoServer, base: Path) -> tuple[Mirror, Counter]:
    """Return a mirror of a server that is not listening, and the counter of its round trips."""
    counter = Counter()
    url = f"http://127.0.0.1:1{server.service.dialect.session_path}"
    line = Line(server.endpoints.application())
    mirror = Mirror(url, "demo", "demo", base / "mail", base / "state", transport=line, runner=counter.run)
    return mirror, counter
