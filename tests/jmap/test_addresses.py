"""Addresses that a session, a redirect or a WebSocket names and that cannot be used end in a sentence."""

from __future__ import annotations

import contextlib
import json
from functools import partial
from typing import TYPE_CHECKING

import pytest

from jmapsync.errors import HostRefusedError, JmapsyncError
from jmapsync.jmap import blobs
from jmapsync.jmap.auth import BearerCredential
from jmapsync.jmap.client import Client
from jmapsync.jmap.hosts import Approval
from jmapsync.jmap.push import EventSource
from jmapsync.jmap.session import Session
from jmapsync.jmap.websocket import CAPABILITY as WEBSOCKET
from jmapsync.jmap.websocket import WebSocket
from jmapsync.jmap.wire import Call
from tests.jmap.peer import CORE, ECHO, Answer, Peer, redirect, result, session_object

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from jmapsync.jmap.exchange import Exchange
    from jmapsync.jmap.push import Push

ODD = [
    "http://[::1/",
    "https://[::1/a",
    "//[",
    "https://mail.example.com\x00/api",
    "https://mail.example.com:99999/",
    "https://mail.example.com:x/",
    "https://mail.example.com:0/",
    "https:///api",
    "https://mail.example.com/" + "a" * 100_000,
    "/api\r\nX-Injected: yes",
    "https://\u2100.example/",
    "https://exa mple.com/",
    "https://" + "a" * 300 + ".example/",
    "https://" + "\u00e4" * 80 + "/",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "wss://mail.example.com/",
    "https://me:pw@mail.example.com/",
    "http://mail.example.com/api",
    "https://%zz/",
    "https://xn--/",
    "https://\udce4/",
    "\u202e",
    "{accountId}",
    "https://{accountId}/",
]


@pytest.mark.anyio
@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
async def test_an_address_that_cannot_be_used_ends_in_a_message(peer: Peer, odd: str) -> None:
    for name, use in USES.items():
        body = json.dumps(session_object(**{name: odd})).encode()
        peer.on("/session", Answer(200, body))
        async with Client(f"{peer.url}/session", BearerCredential("sesame"), max_wait=0) as client:
            with pytest.raises(JmapsyncError) as caught:
                await refused(use(client))
            assert len(str(caught.value)) < 1000
    for url in (odd, odd.replace("http", "ws", 1)):
        offer = {WEBSOCKET: {"url": url, "supportsPush": True}}
        peer.on("/session", Answer(200, json.dumps(session_object(capabilities=offer)).encode()))
        async with Client(f"{peer.url}/session", BearerCredential("sesame"), max_wait=0) as client:
            with contextlib.suppress(JmapsyncError):
                await listen(client, partial(WebSocket, ping=2))
    peer.on("/session", redirect(odd.replace("\r\n", "").encode("utf-8", "replace").decode("latin-1").replace("\x00", "")))
    async with Client(f"{peer.url}/session", BearerCredential("sesame"), max_wait=0) as client:
        with pytest.raises(JmapsyncError):
            await client.session()


async def refused(using: Awaitable[object]) -> None:
    await using
    raise JmapsyncError("It is an address after all.")


async def listen(client: Client, way: Callable[[Exchange], Push]) -> None:
    async with way(client.exchange).connect(await client.session()):
        pass


USES: dict[str, Callable[[Client], Awaitable[object]]] = {
    "apiUrl": lambda client: client.call([Call("Core/echo", {}, "0")], using=[CORE]),
    "downloadUrl": lambda client: blobs.download_whole(client, "alice", "G1"),
    "uploadUrl": lambda client: blobs.upload(client, "alice", b"", "text/plain"),
    "eventSourceUrl": lambda client: listen(client, EventSource),
}


@pytest.mark.anyio
async def test_a_byte_order_mark_is_passed_over(peer: Peer) -> None:
    mark = "\ufeff".encode()
    peer.on("/session", Answer(200, mark + json.dumps(session_object()).encode()))
    peer.on("/api", Answer(200, mark + result(ECHO).body))
    call = Call("Core/echo", {"hello": True}, "c0")
    async with Client(f"{peer.url}/session", BearerCredential("sesame")) as client:
        assert (await client.call([call], using=[CORE])).get(call) == {"hello": True}
        kept = (await client.session()).to_json()
    assert Session.from_json(mark + kept).username == "alice"


@pytest.mark.parametrize("kept", [b"", b"{}", b"[" * 5000, b'{"url":' + b"[" * 5000 + b"]" * 5000 + b"}", b"\xff", b'"\\ud800"'])
def test_a_kept_session_that_is_none_is_a_value_error(kept: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Session.from_json(kept)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://mail.example.com/api", "mail.example.com sends requests to another scheme than its own.*base URL"),
        (
            "https://mail.example.com:8443/api",
            'sends requests to mail.example.com:8443.*add "mail.example.com:8443" to trusted_hosts',
        ),
        ("https://backend.local/api", 'mail.example.com sends requests to backend.local.*add "backend.local" to trusted_hosts'),
        ("http://localhost:8080/api", 'https://mail.example.com sends requests to http://localhost:8080.*add "localhost:8080"'),
    ],
)
def test_another_scheme_or_host_is_named_with_what_to_do(url: str, said: str) -> None:
    approval = Approval()
    approval.set_home("https://mail.example.com/session")
    with pytest.raises(HostRefusedError, match=said):
        approval.check(url, "requests")
