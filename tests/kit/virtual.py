"""Run a coroutine in a loop whose clock jumps: nothing waits, and who waits for ever is found out."""

from __future__ import annotations

import asyncio
import selectors
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping

Result = TypeVar("Result")
_REAL = time.monotonic


class StuckError(BaseException):
    """Everything waits and no timer runs: in the world, that is a hang."""


class Clock:
    """The monotonic clock, and the seconds that nobody had to wait for."""

    def __init__(self) -> None:
        self.skipped = 0.0

    def monotonic(self) -> float:
        return _REAL() + self.skipped


class _Selector(selectors.BaseSelector):
    """Polls the file descriptors, and lets the clock jump to the next timer."""

    def __init__(self, clock: Clock) -> None:
        self._inner = selectors.DefaultSelector()
        self._clock = clock

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:  # noqa: ANN401
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:  # noqa: ANN401
        return self._inner.unregister(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._inner.get_map()

    def close(self) -> None:
        self._inner.close()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = self._inner.select(0)
        if found or timeout == 0:
            return found
        if timeout is None:
            found = self._inner.select(2.0)
            if not found:
                raise StuckError
            return found
        self._clock.skipped += max(0.0, timeout)
        return []


@contextmanager
def jumping_clock() -> Iterator[Clock]:
    """Let `time.monotonic` be a clock that jumps."""
    clock = Clock()
    with mock.patch("time.monotonic", clock.monotonic):
        yield clock


async def _in_this_thread(call: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:  # noqa: ANN401
    await asyncio.sleep(0)
    return call(*args, **kwargs)


def run(work: Coroutine[Any, Any, Result]) -> tuple[Result, float]:
    """Run a coroutine in this thread alone; return what it returned, and the seconds that it would have waited."""
    with jumping_clock() as clock, mock.patch("asyncio.to_thread", _in_this_thread):
        runner = asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(_Selector(clock)))
        with runner:
            return runner.run(work), clock.skipped
