"""Divide changes into batches, sized by octets, number and time, and read the bodies of the next batches while one is written.

What is interrupted keeps the batches that were committed, so a batch is not to take more than about two seconds on any line. A
large body is a batch of its own and is read beside the others: neither it nor they wait for each other.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from jmapsync.storage.port import LARGE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator

    from jmapsync.storage.port import Body
    from jmapsync.sync.commit import Work

    Read = Callable[[list[Work]], Coroutine[Any, Any, dict[int, Body]]]

BATCH_OCTETS = 6 << 20
"""Octets of bodies in memory a batch; three batches are under way at a time."""
BATCH_ITEMS = 1000
"""Changes in a batch."""
READS_AHEAD = 2
"""Batches asked for while one is written (measured: more only cost memory)."""
BATCH_SECONDS = 2.0
"""What reading, or sending, the bodies of one batch is to take at most."""
LARGE_AHEAD = 2
"""Large bodies read at a time."""
_LARGE_WAITING = 100
"""Changes with large bodies that wait for their turn; with more, no others are taken before one of them."""
FIRST_SHARE = 1 / 8
"""The part of those octets and of that number that the first batch may have."""
_LEAST_SHARE = 1 / 512


class Pace:
    """How large a batch may be, from the time that those before took: as much as memory allows where that is quick enough."""

    def __init__(self) -> None:
        """Begin with little: nothing is known of the line."""
        self._share = FIRST_SHARE

    @property
    def octets(self) -> int:
        """Return the octets of a batch."""
        return int(BATCH_OCTETS * self._share)

    @property
    def items(self) -> int:
        """Return the bodies in a batch."""
        return max(1, int(BATCH_ITEMS * self._share))

    def note(self, items: int, octets: int, seconds: float) -> None:
        """Note how long the bodies of a batch took; only one that is about as large as it may be shows that more is possible."""
        is_full = 2 * items >= self.items or 2 * octets >= self.octets
        if seconds > BATCH_SECONDS:
            self._share = max(_LEAST_SHARE, self._share * max(BATCH_SECONDS / seconds, 1 / 8))
        elif is_full and seconds < BATCH_SECONDS / 2:
            self._share = min(1.0, self._share * 2)


class Batches:
    """The batches of some changes, with the bodies that they need."""

    def __init__(self, works: Iterable[Work], read: Read, pace: Pace) -> None:
        """Prepare; `read` returns the bodies that some changes bring, by key."""
        self._works: Iterator[Work] = iter(works)
        self._read = read
        self._pace = pace
        self._next: Work | None = None
        """A change that the last batch had no room for."""
        self._large: deque[Work] = deque()
        self._is_over = False
        self._reads: dict[asyncio.Task[dict[int, Body]], list[Work]] = {}
        self._large_reads: set[asyncio.Task[dict[int, Body]]] = set()

    async def with_bodies(self) -> AsyncGenerator[tuple[list[Work], dict[int, Body]], None]:
        """Yield the batches as their bodies arrive; the next are read while the caller works on one."""
        try:
            while True:
                self._begin()
                if not self._reads:
                    return
                if not any(task.done() for task in self._reads):
                    await asyncio.wait(self._reads, return_when=asyncio.FIRST_COMPLETED)
                task = next(task for task in self._reads if task.done())
                self._large_reads.discard(task)
                yield self._reads.pop(task), task.result()
        finally:
            for task in self._reads:
                task.cancel()
            await asyncio.gather(*self._reads, return_exceptions=True)

    def _begin(self) -> None:
        """Begin to read as many batches as may be under way."""
        while len(self._reads) - len(self._large_reads) <= READS_AHEAD and (batch := self._form()):
            self._reads[asyncio.create_task(self._timed(batch))] = batch
        while self._large and len(self._large_reads) < LARGE_AHEAD:
            work = self._large.popleft()
            task = asyncio.create_task(self._read([work]))
            self._reads[task] = [work]
            self._large_reads.add(task)

    def _form(self) -> list[Work]:
        """Return the next batch of changes without large bodies; nothing where there is none, or too many large ones wait."""
        batch: list[Work] = []
        bodies = octets = 0
        while len(self._large) < _LARGE_WAITING and (work := self._take()) is not None:
            has_body = work.brings_body or work.sends_body
            bodies, octets = (bodies + 1, octets + work.record.size) if has_body else (bodies, octets)
            if batch and (len(batch) >= BATCH_ITEMS or bodies > self._pace.items or octets > self._pace.octets):
                self._next = work
                break
            batch.append(work)
        return batch

    def _take(self) -> Work | None:
        """Return the next change without a large body; those with one are set aside."""
        work, self._next = self._next, None
        while work is None and not self._is_over and len(self._large) < _LARGE_WAITING:
            work = next(self._works, None)
            self._is_over = work is None
            if work is not None and work.brings_body and work.record.size > LARGE:
                self._large.append(work)
                work = None
        return work

    async def _timed(self, batch: list[Work]) -> dict[int, Body]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        bodies = await self._read(batch)
        if bodies:
            self._pace.note(len(bodies), sum(work.record.size for work in batch if work.brings_body), loop.time() - began)
        return bodies
