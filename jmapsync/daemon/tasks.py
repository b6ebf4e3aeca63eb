"""Queue tasks that need an opened account, and run them one at a time between its sync runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from jmapsync.errors import JmapsyncError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class AccountTask(Struct, frozen=True):
    """A task whose result a client waits for."""

    act: Callable[[Any], Awaitable[Any]]
    """Called with the opened account."""
    done: asyncio.Future[Any]


class TaskQueue(Struct):
    """The tasks of one account."""

    _waiting: list[AccountTask] = []

    def add(self, act: Callable[[Any], Awaitable[Any]]) -> asyncio.Future[Any]:
        """Add a task and return a future of its result; the future raises what the task raises."""
        task = AccountTask(act, asyncio.get_running_loop().create_future())
        self._waiting.append(task)
        return task.done

    async def run(self, opened: object) -> None:
        """Run all tasks; pass a `JmapsyncError` to the client, raise any other exception here."""
        while self._waiting:
            task = self._waiting.pop(0)
            try:
                result = await task.act(opened)
            except JmapsyncError as error:
                _fail(task, error)
            except BaseException:
                task.done.cancel()
                raise
            else:
                if not task.done.done():
                    task.done.set_result(result)

    def fail(self, error: JmapsyncError) -> None:
        """Fail all tasks with an error."""
        waiting, self._waiting = self._waiting, []
        for task in waiting:
            _fail(task, error)

    def cancel(self) -> None:
        """Cancel all tasks."""
        for task in self._waiting:
            task.done.cancel()


def _fail(task: AccountTask, error: JmapsyncError) -> None:
    if not task.done.done():
        task.done.set_exception(error)
