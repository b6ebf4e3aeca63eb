"""Batches are sized by the time that they take, and none waits for the reading of another."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from jmapsync.storage.port import LARGE, Body
from jmapsync.sync import batches
from jmapsync.sync.batches import BATCH_ITEMS, BATCH_OCTETS, BATCH_SECONDS, LARGE_AHEAD, READS_AHEAD, Batches, Pace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jmapsync.sync.commit import Work


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def work(key: int, size: int = 1000) -> Work:
    made = SimpleNamespace(record=SimpleNamespace(key=key, size=size), brings_body=True, sends_body=False)
    return cast("Work", made)


def keys(works: Iterable[Work]) -> list[int]:
    return [one.record.key for one in works]


class Line:
    """Reads bodies; those of the keys in `stuck` arrive when they are released."""

    def __init__(self, *stuck: int) -> None:
        self.stuck = {key: asyncio.Event() for key in stuck}
        self.under_way: list[list[int]] = []
        self.most = 0

    async def read(self, works: list[Work]) -> dict[int, Body]:
        self.under_way.append(keys(works))
        self.most = max(self.most, len(self.under_way))
        try:
            for key in keys(works):
                if key in self.stuck:
                    await self.stuck[key].wait()
            await asyncio.sleep(0)
        finally:
            self.under_way.remove(keys(works))
        return {key: Body(str(key), b"") for key in keys(works)}


@pytest.mark.anyio
async def test_every_change_is_in_one_batch_with_its_body() -> None:
    works = [work(key, LARGE + 1 if key % 7 == 0 else 50_000) for key in range(1000)]
    line, seen = Line(), list[int]()
    async for batch, bodies in Batches(works, line.read, Pace()).with_bodies():
        assert sorted(bodies) == sorted(keys(batch))
        assert len(batch) == 1 or sum(one.record.size for one in batch) <= BATCH_OCTETS
        seen += keys(batch)
    assert sorted(seen) == list(range(1000))
    assert line.most <= READS_AHEAD + 1 + LARGE_AHEAD


@pytest.mark.anyio
async def test_small_bodies_do_not_wait_for_large_ones_nor_these_for_them() -> None:
    works = [work(1, LARGE + 1), work(2, LARGE + 1), work(3, LARGE + 1), *(work(key) for key in range(10, 400))]
    line, seen = Line(1, 2), list[int]()
    async for batch, _ in Batches(works, line.read, Pace()).with_bodies():
        seen += keys(batch)
        if len(seen) == 390:
            assert not {1, 2, 3} & set(seen)
            assert sorted(line.under_way) == [[1], [2]]
            line.stuck[1].set()
        elif 1 in seen:
            line.stuck[2].set()
    assert sorted(seen[390:]) == [1, 2, 3]


@pytest.mark.anyio
async def test_more_large_bodies_than_can_wait_are_read_before_others_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_LARGE_WAITING", 3)
    taken = list[int]()

    def works() -> Iterable[Work]:
        for key in range(20):
            taken.append(key)
            yield work(key, LARGE + 1 if key < 18 else 10)

    line = Line(*range(18))
    seen = list[int]()
    coming = Batches(works(), line.read, Pace()).with_bodies()
    first = asyncio.ensure_future(anext(coming))
    await asyncio.sleep(0.01)
    assert len(taken) <= 3 + LARGE_AHEAD
    for event in line.stuck.values():
        event.set()
    seen += keys((await first)[0])
    async for batch, _ in coming:
        seen += keys(batch)
    assert sorted(seen) == list(range(20))


@pytest.mark.anyio
async def test_the_next_batches_are_read_while_one_is_written() -> None:
    first = Pace().items
    line = Line(*range(first, 1000))
    coming = Batches([work(key) for key in range(1000)], line.read, Pace()).with_bodies()
    assert keys((await anext(coming))[0]) == list(range(first))
    assert len(line.under_way) == READS_AHEAD
    await coming.aclose()
    assert not line.under_way


@pytest.mark.anyio
async def test_a_failure_ends_what_is_read_besides() -> None:
    line = Line(1)

    async def read(works: list[Work]) -> dict[int, Body]:
        if keys(works) != [1]:
            raise OSError("no network")
        return await line.read(works)

    with pytest.raises(OSError, match="no network"):
        async for _ in Batches([work(1, LARGE + 1), work(2)], read, Pace()).with_bodies():
            pass
    assert not line.under_way


def test_a_slow_line_gets_batches_of_about_two_seconds_and_a_quick_one_as_much_as_memory_allows() -> None:
    for rate in (3_000, 30_000, 300_000, 3_000_000, 300_000_000):
        pace = Pace()
        for _ in range(12):
            octets = pace.octets
            pace.note(1, octets, octets / rate)
        assert pace.octets >= min(BATCH_OCTETS, BATCH_SECONDS * rate / 4) or pace.octets <= BATCH_OCTETS / 500
        assert pace.octets <= max(BATCH_SECONDS * rate * 1.01, BATCH_OCTETS / 500)


def test_many_small_bodies_over_a_line_of_long_round_trips_are_bounded_by_their_number() -> None:
    pace = Pace()
    for _ in range(12):
        pace.note(pace.items, pace.items * 100, pace.items * 0.02)
    assert BATCH_SECONDS / 4 <= pace.items * 0.02 <= BATCH_SECONDS


def test_a_batch_that_was_small_for_want_of_more_shows_nothing() -> None:
    pace = Pace()
    before: Any = pace.items, pace.octets
    pace.note(1, 100, 0.001)
    assert (pace.items, pace.octets) == before
    assert pace.items < BATCH_ITEMS
