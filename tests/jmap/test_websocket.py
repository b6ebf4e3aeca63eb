"""Push over a WebSocket begins when the server has read that it is asked for, which nothing answers (RFC 8887, section 4.3.5.2)."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from jmapsync.jmap.auth import BearerCredential
from jmapsync.jmap.client import Client
from jmapsync.jmap.push import NoPushError, SilentError, StateChange
from jmapsync.jmap.websocket import CAPABILITY, WebSocket
from tests.jmap.peer import CORE, MAIL

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    from tests.jmap.peer import Peer

pytestmark = pytest.mark.anyio

PING = 0.6


def change(state: str) -> str:
    return json.dumps({"@type": "StateChange", "changed": {"alice": {"Email": state}}})


def problem(request_id: str | None) -> str:
    return json.dumps({"@type": "RequestError", "requestId": request_id, "type": "urn:ietf:params:jmap:error:notRequest"})


async def asked(socket: ServerConnection) -> dict[str, Any]:
    """Return the request that follows WebSocketPushEnable."""
    assert json.loads(await socket.recv())["@type"] == "WebSocketPushEnable"
    return dict(json.loads(await socket.recv()))


@contextlib.asynccontextmanager
async def listening(
    peer: Peer, talk: Callable[[ServerConnection], Awaitable[None]]
) -> AsyncIterator[AsyncGenerator[StateChange, None]]:
    async with serve(talk, "127.0.0.1", 0, subprotocols=["jmap"]) as server:  # type: ignore[list-item]
        port = next(iter(server.sockets)).getsockname()[1]
        offer = {"url": f"ws://127.0.0.1:{port}/ws", "supportsPush": True}
        peer.offer_session(capabilities={CORE: {}, MAIL: {}, CAPABILITY: offer})
        async with (
            Client(f"{peer.url}/session", BearerCredential("sesame"), trusted_hosts=[f"127.0.0.1:{port}"]) as client,
            WebSocket(client.exchange, ping=PING).connect(await client.session()) as changes,
        ):
            yield changes


@pytest.mark.parametrize("answer", ["Response", "RequestError"])
async def test_it_is_connected_once_the_server_has_read_the_wish(peer: Peer, answer: str) -> None:
    """Whatever it makes of the request behind it."""
    read: list[str] = []

    async def talk(socket: ServerConnection) -> None:
        read.append((request := await asked(socket))["@type"])
        await socket.send(json.dumps({"@type": answer, "requestId": request["id"]}))
        await socket.send(change("2"))
        await socket.wait_closed()

    async with listening(peer, talk) as changes:
        assert read == ["Request"]
        assert await anext(changes) == StateChange({"alice": {"Email": "2"}})


async def test_what_it_reports_before_it_answers_is_heard_in_order(peer: Peer) -> None:
    async def talk(socket: ServerConnection) -> None:
        request = await asked(socket)
        for message in (change("1"), "[]", change("2"), json.dumps({"@type": "Response", "requestId": request["id"]}), change("3")):
            await socket.send(message)

    async with listening(peer, talk) as changes:
        assert [reported.changed["alice"]["Email"] async for reported in changes] == ["1", "2", "3"]


async def test_a_server_that_refuses_the_wish_offers_no_push(peer: Peer) -> None:
    async def talk(socket: ServerConnection) -> None:
        await asked(socket)
        await socket.send(problem(None))
        await socket.wait_closed()

    with pytest.raises(NoPushError, match="refuses push"):
        async with listening(peer, talk):
            pass


async def test_a_server_that_answers_nothing_is_silent(peer: Peer) -> None:
    async def talk(socket: ServerConnection) -> None:
        await asked(socket)
        await socket.wait_closed()

    with pytest.raises(SilentError) as caught:
        async with listening(peer, talk):
            pass
    assert not caught.value.proven


async def test_a_server_that_closes_instead_has_reported_nothing(peer: Peer) -> None:
    async def talk(socket: ServerConnection) -> None:
        await asked(socket)

    async with listening(peer, talk) as changes:
        assert [reported async for reported in changes] == []
