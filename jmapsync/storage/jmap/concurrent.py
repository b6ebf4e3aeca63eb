"""Do several things at the same time, and none of them any longer once one has failed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

T = TypeVar("T")


async def together(acts: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Return the results in order; raise the first failure once every other act has been stopped.

    What goes on behind a failure would use connections and files that are being put away.
    """
    tasks = [asyncio.ensure_future(act) for act in acts]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def in_parallel(acts: Iterable[Coroutine[Any, Any, T]], most: int) -> list[T]:
    """Return the results in no particular order, of `most` acts at a time; raise the first failure as `together` does.

    A few tasks that each carry out many acts cost less than a task for each.
    """
    results: list[T] = []
    waiting = iter(acts)

    async def work() -> None:
        for act in waiting:
            results.append(await act)  # noqa: PERF401  # in the order in which they end

    try:
        await together(work() for _ in range(most))
    finally:
        for act in waiting:
            act.close()
    return results


class Begun(Generic[T]):
    """Does something at the same time as what stands inside, which may await it; it goes on no longer than that.

    No generator: one inside a generator that is left at a page would be closed by both when the loop ends, which asyncio reports.
    """

    def __init__(self, act: Coroutine[Any, Any, T] | None) -> None:
        """Prepare; nothing is begun where there is no act."""
        self._act = act
        self._task: asyncio.Task[T] | None = None

    async def __aenter__(self) -> asyncio.Task[T] | None:
        """Begin."""
        if self._act is not None:
            self._task = asyncio.ensure_future(self._act)
        return self._task

    async def __aexit__(self, *exc_info: object) -> None:
        """Stop it if it still goes on."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
