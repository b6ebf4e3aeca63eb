"""How many may be under way at the same time."""

from __future__ import annotations

import asyncio

import pytest

from jmapsync.jmap.request_limit import RequestLimit

pytestmark = pytest.mark.anyio


async def most_at_once(limit: RequestLimit, visits: int) -> int:
    inside = most = 0

    async def visit() -> None:
        nonlocal inside, most
        async with limit:
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(visit() for _ in range(visits)))
    return most


async def test_no_more_requests_run_than_the_limit() -> None:
    assert await most_at_once(RequestLimit(3), 20) == 3


async def test_a_limit_lowered_while_a_request_runs_stays_lowered() -> None:
    limit = RequestLimit(3)
    async with limit:
        limit.lower()
    assert await most_at_once(limit, 20) == 2


async def test_the_limit_is_at_least_one() -> None:
    limit = RequestLimit(2)
    async with limit:
        for _ in range(5):
            limit.lower()
    assert limit.count == await most_at_once(limit, 5) == 1
