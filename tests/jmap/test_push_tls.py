"""Push over TLS: certificates are verified by the same authorities, the logs show no secret, HTTP/2 carries the stream."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING

import h2.config
import h2.connection
import h2.events
import pytest
import trustme
from websockets.asyncio.server import ServerConnection, serve

from jmapsync.jmap.auth import BearerCredential
from jmapsync.jmap.certificates import UntrustedError
from jmapsync.jmap.client import Client
from jmapsync.jmap.push import EventSource, StateChange
from jmapsync.jmap.websocket import CAPABILITY, WebSocket
from tests.jmap.peer import CORE, MAIL, Answer, Peer, session_object
from tests.jmap.test_tls import authority, server_context

if TYPE_CHECKING:
    from jmapsync.jmap.push import Push

__all__ = ["authority"]  # a fixture

pytestmark = pytest.mark.anyio

PING = 0.6
REPORTED = StateChange({"alice": {"Email": "2"}})
CHANGE = json.dumps({"@type": "StateChange", "changed": {"alice": {"Email": "2"}}})
EVENT = f"event: state\ndata: {CHANGE}\n\n".encode()


async def first(url: str, way: type[Push], *trusted_hosts: str) -> StateChange:
    async with Client(f"{url}/session", BearerCredential("fmu1-sesame"), trusted_hosts=trusted_hosts) as c:
        push = way(c.exchange, ping=PING)  # type: ignore[call-arg]
        async with asyncio.timeout(90), push.connect(await c.session()) as changes:
            return await anext(changes)


async def talk(socket: ServerConnection) -> None:
    await socket.recv()
    await socket.send(CHANGE)
    asked = json.loads(await socket.recv())
    await socket.send(json.dumps({"@type": "Response", "requestId": asked["id"], "methodResponses": asked["methodCalls"]}))
    await socket.wait_closed()


def offer_websocket(peer: Peer, url: str) -> None:
    peer.offer_session(capabilities={CORE: {}, MAIL: {}, CAPABILITY: {"url": url, "supportsPush": True}})


async def test_an_event_stream_is_read_over_tls(authority: trustme.CA) -> None:
    peer = await Peer().start(server_context(authority))
    peer.offer_session()
    peer.on("/push", Answer(200, EVENT, {"Content-Type": "text/event-stream"}))
    assert await first(peer.url, EventSource) == REPORTED
    await peer.stop()


async def test_a_websocket_is_read_over_tls_and_its_log_shows_no_secret(
    authority: trustme.CA, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serve(talk, "127.0.0.1", 0, subprotocols=["jmap"], ssl=server_context(authority)) as server:  # type: ignore[list-item]
        port = next(iter(server.sockets)).getsockname()[1]
        offer_websocket(peer, f"wss://127.0.0.1:{port}/ws")
        assert await first(peer.url, WebSocket, f"127.0.0.1:{port}") == REPORTED
    assert "sesame" not in caplog.text


async def test_a_websocket_of_an_unknown_authority_is_refused(authority: trustme.CA, peer: Peer) -> None:
    heard: list[ServerConnection] = []
    async with serve(heard.append, "127.0.0.1", 0, ssl=server_context(trustme.CA())) as server:  # type: ignore[arg-type]
        port = next(iter(server.sockets)).getsockname()[1]
        offer_websocket(peer, f"wss://127.0.0.1:{port}/ws")
        with pytest.raises(UntrustedError, match="certificate of 127"):
            await first(peer.url, WebSocket, f"127.0.0.1:{port}")
    assert not heard


async def test_an_event_stream_in_http_2_has_a_connection_of_its_own(authority: trustme.CA) -> None:
    """Requests would otherwise wait on a connection that only the missing pings show to be dead."""
    connections: list[list[str]] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(asked := [])
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        while data := await reader.read(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    path = dict(event.headers or [])[b":path"].decode().partition("?")[0]
                    asked.append(path)
                    stream = path == "/push"
                    kind = "text/event-stream" if stream else "application/json"
                    body = EVENT if stream else json.dumps(session_object()).encode()
                    connection.send_headers(event.stream_id, [(":status", "200"), ("content-type", kind)])
                    connection.send_data(event.stream_id, body, end_stream=not stream)
            writer.write(connection.data_to_send())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=server_context(authority, "h2", "http/1.1"))
    assert await first(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", EventSource) == REPORTED
    assert connections == [["/session"], ["/push"]]
    server.close()
    await server.wait_closed()
