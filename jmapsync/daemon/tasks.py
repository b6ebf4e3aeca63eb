"""Do what somebody wants done with an account at hand, one thing after the other, between its looks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jmapsync.errors import JmapsyncError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


@dataclass(frozen=True, slots=True)
class Errand:
    """One thing that somebody waits for."""

    act: Callable[[Any], Awaitable[Any]]
    """Given the opened account."""
    done: asyncio.Future[Any]


@dataclass(slots=True)
class Errands:
    """What waits to be done."""

    _waiting: list[Errand] = field(default_factory=list)

    def add(self, act: Callable[[Any], Awaitable[Any]]) -> asyncio.Future[Any]:
        """Take something on and return the result to come; it raises what the act raises."""
        errand = Errand(act, asyncio.get_running_loop().create_future())
        self._waiting.append(errand)
        return errand.done

    async def run(self, opened: object) -> None:
        """Do all that waits; a failure is for who asked, a fault of ours is raised here."""
        while self._waiting:
            errand = self._waiting.pop(0)
            try:
                result = await errand.act(opened)
            except JmapsyncError as error:
                _fail(errand, error)
            except BaseException:
                errand.done.cancel()
                raise
            else:
                if not errand.done.done():
                    errand.done.set_result(result)

    def fail(self, error: JmapsyncError) -> None:
        """Tell those who wait why nothing can be done."""
        waiting, self._waiting = self._waiting, []
        for errand in waiting:
            _fail(errand, error)

    def cancel(self) -> None:
        """Do nothing of what waits."""
        for errand in self._waiting:
            errand.done.cancel()


def _fail(errand: Errand, error: JmapsyncError) -> None:
    if not errand.done.done():
        errand.done.set_exception(error)
