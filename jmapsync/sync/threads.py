"""Run a function in a thread; on cancellation, wait until the thread has finished.

A batch that is being written would otherwise go on writing behind a ledger that was closed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")


async def complete(act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what a function returns, from a thread; a cancellation is passed on when the function has ended."""
    task = asyncio.ensure_future(asyncio.to_thread(act, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
