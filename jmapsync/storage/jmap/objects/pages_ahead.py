"""Read pages of objects ahead of the one that is converted, as many as memory bears."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.storage.jmap.objects.answer import Found
    from jmapsync.storage.jmap.objects.get import Reader

_PAGES = 1
"""Pages that wait for the one that is converted."""
_EARLY_FILES = 4 << 20
"""Octets of files in pages that wait until the turn of their kind comes; of objects in another form only one page does."""
_EARLY_PAGES = 8


class PagesAhead:
    """The pages of some objects of one data type, by their ids."""

    def __init__(self, reader: Reader, refs: Sequence[str], *, early: bool = False) -> None:
        """Begin to read; `early`, before anybody waits for the first page."""
        self.refs = refs
        self._reader = reader
        self._most = _EARLY_PAGES if early and reader.dialect.raw else _PAGES
        self._waiting: asyncio.Queue[tuple[Sequence[str], Found] | BaseException] = asyncio.Queue()
        self._at = 0
        """How many were read."""
        self._octets = 0
        """Of files in pages that wait."""
        self._task: asyncio.Task[None] | None = None
        self._go_on()

    def _go_on(self) -> None:
        """Read on where there is room, and anything left to read; where there is none, no task waits for it."""
        if (self._task is None or self._task.done()) and self._has_room():
            self._task = asyncio.create_task(self._read())

    def _has_room(self) -> bool:
        return self._at < len(self.refs) and self._waiting.qsize() < self._most and self._octets <= _EARLY_FILES

    async def _read(self) -> None:
        """Read page by page, while those that wait leave room."""
        try:
            while self._has_room():
                found = await self._reader.page(self.refs, self._at)
                asked = self.refs[self._at : self._at + found.asked]
                self._at += found.asked
                self._octets += _octets(found)
                self._waiting.put_nowait((asked, found))
        except BaseException as error:  # noqa: BLE001  # whoever waits for the page gets every exception, as if it had asked itself
            self._at = len(self.refs)
            self._waiting.put_nowait(error)

    def __aiter__(self) -> PagesAhead:
        """Yield each page with the ids that were asked for."""
        return self

    async def __anext__(self) -> tuple[Sequence[str], Found]:
        """Return the next page. Raises what asking for it raised."""
        self._go_on()
        if self._waiting.empty() and (self._task is None or self._task.done()):
            raise StopAsyncIteration
        found = await self._waiting.get()
        if isinstance(found, BaseException):
            raise found
        self._octets -= _octets(found[1])
        self._go_on()
        return found

    async def aclose(self) -> None:
        """Read no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


def _octets(found: Found) -> int:
    return sum(map(len, found.files.values()))
