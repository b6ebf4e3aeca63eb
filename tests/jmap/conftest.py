"""Run the asynchronous tests of this folder by asyncio, each with a server of its own where it asks for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.jmap.peer import ECHO, Peer, result

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


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
