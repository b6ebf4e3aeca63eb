"""Run one account's hook after runs that changed anything, one call at a time."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from msgspec import Struct, field

from jmapsync.errors import JmapsyncError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from jmapsync.sync.report import AccountReport

_log = logging.getLogger(__name__)


class HookRunner(Struct):
    """Queue of hook calls of one account."""

    name: str
    """The account's name."""
    debounce: float
    """Seconds after the hook's end in which events of the disk still count as its own."""
    call: Callable[[AccountReport], Awaitable[None]]
    then: Callable[[], Awaitable[None]]
    """Called after each call."""
    is_running: bool = False
    """Whether local changes count as the hook's own, which do not start it again."""
    _reports: asyncio.Queue[AccountReport] = field(default_factory=asyncio.Queue)

    def add(self, report: AccountReport) -> None:
        """Queue a hook call for a run; of several in the queue, only the last is made."""
        self._reports.put_nowait(report)

    async def run(self) -> None:
        """Call the hook for queued runs until cancelled; log failures."""
        while True:
            report = await self._reports.get()
            while not self._reports.empty():
                report = self._reports.get_nowait()
            self.is_running = True
            try:
                await self.call(report)
                await self.then()
                await asyncio.sleep(self.debounce)
            except JmapsyncError as error:
                _log.warning("%s: %s", self.name, error)
            finally:
                self.is_running = False
