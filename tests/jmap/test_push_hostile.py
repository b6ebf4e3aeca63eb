"""Whatever a server does to push ends as trouble of push: closing at once, nesting, floods, bodies without end, bombs."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

import pytest
from websockets.asyncio.server import ServerConnection, serve

from jmapsync.daemon.push_listener import Timing
from jmapsync.jmap.auth import BearerCredential
from jmapsync.jmap.client import Client
from jmapsync.jmap.websocket import CAPABILITY
from tests.jmap.peer import CORE, MAIL, Peer
from tests.jmap.wild import answering, bomb, wild
from tests.kit.recorded_listener import RecordedListener

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

pytestmark = pytest.mark.anyio

HASTE = Timing(ping=0.6, first_pause=0.01, longest_pause=0.05, first_retest=60, longest_retest=60)
CHANGE = json.dumps({"@type": "StateChange", "changed": {"alice": {"Email": "s1"}}})
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"


@contextlib.asynccontextmanager
async def listening(peer: Peer, host: str) -> AsyncIterator[RecordedListener]:
    async with Client(f"{peer.url}/session", BearerCredential("sesame"), trusted_hosts=[host], max_wait=0) as client:
        ear = RecordedListener(client, "alice", HASTE)
        try:
            yield ear
            assert not ear.task.done()
            assert not ear.crashes
        finally:
            await ear.stop()


@contextlib.asynccontextmanager
async def socket(peer: Peer, talk: Callable[[ServerConnection], Awaitable[None]]) -> AsyncIterator[RecordedListener]:
    """Listen to a WebSocket that does what a test says; there is no event stream beside it."""

    async def safely(connection: ServerConnection) -> None:
        with contextlib.suppress(Exception):  # the other end goes as it likes
            await talk(connection)

    async with serve(safely, "127.0.0.1", 0, subprotocols=["jmap"], close_timeout=0.1) as server:  # type: ignore[list-item]
        host = f"127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        offer = {"url": f"ws://{host}/ws", "supportsPush": True}
        peer.offer_session(capabilities={CORE: {}, MAIL: {}, CAPABILITY: offer}, eventSourceUrl=None)
        async with listening(peer, host) as ear:
            yield ear


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1011, 3000])
async def test_a_websocket_that_is_closed_right_after_the_handshake_is_opened_again(peer: Peer, code: int) -> None:
    opened = 0

    async def talk(connection: ServerConnection) -> None:
        nonlocal opened
        opened += 1
        await connection.close(code)

    async with socket(peer, talk) as ear:
        await ear.until(lambda: opened >= 4)
        await ear.until(lambda: ear.listener.state.why)


@pytest.mark.parametrize(
    "frame", ["[" * 1_100, "[" * 900_000, '{"a":' * 100_000, b"\xff\xfe", "\ufeff", "7", '{"changed":{"alice":' + "[" * 1_100]
)
@pytest.mark.parametrize("when", ["before the echo", "after it"])
async def test_a_frame_that_cannot_be_read_is_one_hint_the_less(peer: Peer, frame: str | bytes, when: str) -> None:
    async def talk(connection: ServerConnection) -> None:
        if when == "before the echo":
            await connection.send(frame)
        await connection.recv()
        request = json.loads(await connection.recv())
        await connection.send(json.dumps({"@type": "Response", "requestId": request["id"]}))
        await connection.send(frame)
        await connection.send(CHANGE)
        await connection.wait_closed()

    async with socket(peer, talk) as ear:
        await ear.until(lambda: "push reports Email" in ear.hints)


@pytest.mark.parametrize("frame", [CHANGE, "[]", "x" * 2_000_000])
async def test_a_flood_before_the_answer_ends_the_connection(peer: Peer, frame: str) -> None:
    async def talk(connection: ServerConnection) -> None:
        while True:
            await connection.send(frame)
            await asyncio.sleep(0)  # or nobody else would have a turn

    async with socket(peer, talk) as ear:
        await ear.until(lambda: "127.0.0.1" in ear.listener.state.why)
        assert not ear.listener.state.connected


@contextlib.asynccontextmanager
async def stream(
    peer: Peer, talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
) -> AsyncIterator[RecordedListener]:
    """Listen to an event stream, and a WebSocket, both of which answer as a test says."""
    async with wild(talk) as host:
        offer = {"url": f"ws://{host}/ws", "supportsPush": True}
        peer.offer_session(capabilities={CORE: {}, MAIL: {}, CAPABILITY: offer}, eventSourceUrl=f"http://{host}/events")
        async with listening(peer, host) as ear:
            yield ear


@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 429, 500, 503])
@pytest.mark.parametrize("body", ["endless", "bomb"])
async def test_an_error_whose_body_does_not_end_is_no_push(peer: Peer, status: int, body: str) -> None:
    first = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nRetry-After: 1\r\nRetry-After: \xb2\r\n".encode("latin-1")
    if body == "bomb":
        packed = bomb(65)
        talk = answering(first + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed, lambda: None)
    else:
        talk = answering(first + b"\r\n", lambda: b"[" * (1 << 16))
    async with stream(peer, talk) as ear:
        await ear.says("127.0.0.1")
        assert ear.client.received < 8 << 20


@pytest.mark.parametrize(
    "piece",
    [
        b"data: " + b"x" * 100_000,
        b": comment\n" * 10_000,
        b"event: state\ndata: {}\n\n" * 10_000,
        b"event: ping\ndata: " + b"[" * 1_100 + b"\n\n" * 9_000,
        b"\n\n" * 50_000,
    ],
)
async def test_an_event_stream_without_measure_ends(peer: Peer, piece: bytes) -> None:
    async with stream(peer, answering(STREAM + b"\r\n", lambda: piece)) as ear:
        await ear.until(lambda: "127.0.0.1" in ear.listener.state.why and "offers no WebSocket" not in ear.listener.state.why)
        assert not ear.listener.state.connected


async def test_an_event_stream_that_is_a_bomb_ends(peer: Peer) -> None:
    packed = bomb(65)
    talk = answering(STREAM + b"Content-Encoding: gzip\r\n\r\n" + packed, lambda: None)
    async with stream(peer, talk) as ear:
        await ear.says("an event that is too long")
