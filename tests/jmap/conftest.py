"""Run the asynchronous tests of this folder by asyncio, each with a server of its own where it asks for one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.jmap.exchange import Exchange
from tests.jmap.peer import ECHO, Peer, result

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from jmapsync.jmap.replies import Reply


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=[False, True], ids=["httpx", "libcurl"])
def many(request: pytest.FixtureRequest) -> bool:
    """Whether a request is one of many, which another client carries out by the same rules."""
    return bool(request.param)


@pytest.fixture
def either_client(many: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send every request by the client that is made for many, or none."""
    carry_out = Exchange._fetch

    async def fetch(self: Exchange, request: Any, sink: Any, most: int, **_: bool) -> Reply:  # noqa: ANN401  # passed on
        return await carry_out(self, request, sink, most, many=many)

    monkeypatch.setattr(Exchange, "_fetch", fetch)


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    """A server that offers a session at `/session` and answers every request at `/api` with one echo."""
    async with Peer() as server:
        server.offer_session()
        server.on("/api", result(ECHO))
        yield server


@pytest.fixture
async def other_host() -> AsyncIterator[Peer]:
    """Another server that would answer just as well, but was never approved of."""
    async with Peer() as server:
        server.offer_session()
        server.on("/api", result(ECHO))
        yield server
