"""Call the hook of one account for runs that changed anything, one call at a time and outside of any run."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jmapsync.errors import JmapsyncError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from jmapsync.sync.report import AccountReport

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Aftermath:
    """What follows the runs of one account."""

    name: str
    """The account's."""
    settle: float
    """Seconds until the disk's hints of what the hook did have come."""
    call: Callable[[AccountReport], Awaitable[None]]
    then: Callable[[], Awaitable[None]]
    """Called after each call."""
    is_running: bool = False
    """What changes on the disk now is the hook's work, which does not call it again."""
    _reports: asyncio.Queue[AccountReport] = field(default_factory=asyncio.Queue)

    def add(self, report: AccountReport) -> None:
        """Have the hook called for a run; where several wait, for the last only."""
        self._reports.put_nowait(report)

    async def run(self) -> None:
        """Call it whenever there is a reason, until cancelled; that it failed is logged."""
        while True:
            report = await self._reports.get()
            while not self._reports.empty():
                report = self._reports.get_nowait()
            self.is_running = True
            try:
                await self.call(report)
                await self.then()
                await asyncio.sleep(self.settle)
            except JmapsyncError as error:
                _log.warning("%s: %s", self.name, error)
            finally:
                self.is_running = False
