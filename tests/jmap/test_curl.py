"""What the client for many requests does by itself: connections, streams, what it leaves unread of the environment, its end."""

from __future__ import annotations

import asyncio
import gzip
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import h2.config
import h2.connection
import h2.errors
import h2.events
import pytest

from jmapsync.errors import ServerError
from jmapsync.jmap import blobs, curl, curl_loop, inflating
from jmapsync.jmap.auth import BasicCredential, BearerCredential
from jmapsync.jmap.bounds import Bounds
from jmapsync.jmap.client import Client
from jmapsync.jmap.curl import CurlTransport
from jmapsync.jmap.curl_loop import CONNECTIONS, CurlLoop
from jmapsync.jmap.exchange import STREAMS
from jmapsync.jmap.hosts import Origin
from jmapsync.jmap.replies import BrokenOffError, UnreachedError
from jmapsync.jmap.session import Session
from jmapsync.jmap.traffic import RateLimit
from jmapsync.jmap.transport import KEPT_CONNECTIONS, Transport
from tests.jmap.peer import Answer, Peer, Seen, session_object
from tests.jmap.test_tls import authority, server_context
from tests.jmap.wild import head, wild

if TYPE_CHECKING:
    from pathlib import Path

    import trustme

__all__ = ["authority"]

MAIL = b"Subject: caf\xe9\r\n\r\n" + b"text " * 4000

pytestmark = pytest.mark.anyio


def client(origin: str) -> Client:
    """Return a client that knows the session, so that a download is its first request."""
    session = Session.parse(Answer.json(session_object()).body, f"{origin}/session")
    return Client(f"{origin}/session", BearerCredential("fmu1-sesame"), session=session, max_wait=0)


async def get(c: Client, blob: str, *, is_checked: bool = True) -> bytes:
    return await blobs.download_whole(c, "alice", blob, name="x", media_type="y", is_checked=is_checked)


async def test_a_host_gets_no_more_than_sixteen_connections(peer: Peer) -> None:
    peer.on("/download/alice/G/x", Answer(body=b"mail", delay=0.01))
    async with client(peer.url) as c:
        got = await asyncio.gather(*(get(c, "G") for _ in range(100)))
        assert len(peer._connections) == KEPT_CONNECTIONS
    assert got == [b"mail"] * 100
    assert peer.most_under_way == KEPT_CONNECTIONS


async def _halting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer each request in two pieces, of which the second waits for the first to be acknowledged, as Cyrus' do."""
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
    while True:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
        await asyncio.sleep(0.001)
        writer.write(b"mail")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a program acknowledge at once")
async def test_a_server_that_waits_for_acknowledgements_gets_them_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with wild(_halting) as host, client(f"http://{host}") as c:

        async def usual() -> float:
            """Return the seconds that downloads take which nothing else on the machine delays.

            They come after those that Linux acknowledges at once by itself.
            """
            seconds = []
            for _ in range(40):
                began = time.perf_counter()
                assert await get(c, "G") == b"mail"
                seconds.append(time.perf_counter() - began)
            return statistics.quantiles(seconds[20:], n=10)[0]

        at_once = await usual()
        monkeypatch.setattr(curl_loop, "_QUICKACK", None)
        assert at_once < 0.5 * await usual()


def _compressed(seen: Seen) -> Answer:
    coded = "gzip" in seen.headers["accept-encoding"]
    return Answer(body=gzip.compress(MAIL) if coded else MAIL, headers={"Content-Encoding": "gzip"} if coded else {})


@pytest.mark.parametrize(
    ("far", "is_remote", "limit", "asked"),
    [
        (0.0, True, None, "gzip, deflate"),
        (3600.0, True, None, "identity"),
        (3600.0, True, RateLimit(1_000_000), "gzip, deflate"),
        (0.0, False, None, "identity"),
    ],
)
async def test_blobs_come_compressed_from_far_away_alone(
    authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, *, far: float, is_remote: bool, limit: RateLimit | None, asked: str
) -> None:
    monkeypatch.setattr(curl, "_FAR", far)
    monkeypatch.setattr(inflating, "is_loopback", lambda _host: not is_remote)
    peer = await Peer().start(server_context(authority))
    peer.on("/download/alice/G/x", _compressed)
    session = Session.parse(Answer.json(session_object()).body, f"{peer.url}/session")
    async with Client(f"{peer.url}/session", BearerCredential("fmu1-sesame"), session=session, max_wait=0, rate=limit) as c:
        assert [await get(c, "G") for _ in range(3)] == [MAIL] * 3
    assert peer.seen[-1].headers["accept-encoding"] == asked
    await peer.stop()


def test_what_is_no_socket_is_left_as_it_is() -> None:
    near, far = os.pipe()
    curl_loop._acknowledge(near)
    os.write(far, b"1")
    assert os.read(near, 1) == b"1"
    os.close(near)
    os.close(far)


class Streams:
    """An HTTP/2 server that answers when a number of requests are open at a time."""

    def __init__(self) -> None:
        self.connections = 0
        self.most = 0
        self.wanted = 1

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        open_ = list[int]()
        while data := await reader.read(1 << 16):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.StreamEnded):
                    open_.append(event.stream_id)
            self.most = max(self.most, len(open_))
            if len(open_) >= self.wanted:
                for stream in open_:
                    connection.send_headers(stream, [(":status", "200")])
                    connection.send_data(stream, b"mail", end_stream=True)
                open_.clear()
            writer.write(connection.data_to_send())


async def test_one_connection_of_http_2_carries_many_downloads(authority: trustme.CA) -> None:
    server = Streams()
    async with wild(server.serve, server_context(authority, "h2", "http/1.1")) as host, client(f"https://{host}") as c:
        assert await get(c, "G") == b"mail"
        server.wanted = STREAMS
        assert await asyncio.gather(*(get(c, "G") for _ in range(STREAMS))) == [b"mail"] * STREAMS
    assert (server.connections, server.most) == (1, STREAMS)


@pytest.mark.parametrize("found", [None, SimpleNamespace(version="PycURL/7.45.2 libcurl/7.88.1")])
async def test_where_pycurl_is_missing_or_too_old_httpx_carries_it_out(
    peer: Peer, monkeypatch: pytest.MonkeyPatch, found: object
) -> None:
    for name in ("curl", "curl_loop", "curl_transfer", "libcurl"):
        monkeypatch.delitem(sys.modules, f"jmapsync.jmap.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "pycurl", found)
    peer.on("/download/alice/G/x", Answer(body=b"mail"))
    async with client(peer.url) as c:
        assert await get(c, "G") == b"mail"
        assert c.exchange.transport.for_many() is c.exchange.transport
    assert peer.seen[0].headers["authorization"] == "Bearer fmu1-sesame"


async def test_a_secret_of_a_netrc_file_is_not_sent(peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login mallory password other\ndefault login mallory password other\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    peer.on("/download/alice/G/x", Answer(401), Answer(body=b"mail"))
    async with client(peer.url) as c:
        with pytest.raises(Exception, match="did not accept"):
            await get(c, "G")
    assert {seen.headers["authorization"] for seen in peer.seen} == {"Bearer fmu1-sesame"}


_PROGRAM = """
import asyncio, sys
from jmapsync.jmap.auth import BearerCredential
from jmapsync.jmap.client import Client
from jmapsync.jmap.exchange import _Request
async def main():
    async with Client(sys.argv[1], BearerCredential("fmu1-sesame"), max_wait=0) as c:
        c.exchange.approval.set_home(sys.argv[1])
        await c.exchange._fetch(_Request("GET", sys.argv[1], {}, None, "x"), None, 1000, many=True)
        assert c.exchange.transport.for_many() is not c.exchange.transport
asyncio.run(main())
"""


async def test_keys_of_connections_are_written_to_no_file(authority: trustme.CA, tmp_path: Path) -> None:
    peer = await Peer().start(server_context(authority))
    peer.on("/x", Answer(body=b"mail"))
    environment = {**os.environ, "SSLKEYLOGFILE": str(tmp_path / "keys")}
    command = [sys.executable, "-c", _PROGRAM, f"{peer.url}/x"]
    process = await asyncio.create_subprocess_exec(*command, env=environment, stderr=subprocess.PIPE)
    assert (await process.communicate())[1] == b""
    assert peer.seen
    assert not (tmp_path / "keys").exists()
    await peer.stop()


async def test_a_proxy_is_sent_its_own_credential_and_never_the_server_s(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[bytes]()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await head(reader))
        writer.write(b"HTTP/1.1 502 X\r\n\r\n")

    async with wild(talk) as host:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:pa%20ss@{host}")
        async with client("https://mail.example.com") as c:
            with pytest.raises(Exception, match="did not connect to mail"):
                await get(c, "G")
    expected = BasicCredential("me", "pa ss").authorization().encode()
    assert [line for line in asked[0].splitlines() if b"uthorization" in line] == [b"Proxy-Authorization: " + expected]


async def test_a_download_that_is_given_up_leaves_nothing_behind(peer: Peer) -> None:
    peer.on("/download/alice/G/x", Answer(delay=3600))
    peer.on("/download/alice/H/x", Answer(body=b"mail"))
    async with client(peer.url) as c:
        waiting = [asyncio.create_task(get(c, "G")) for _ in range(5)]
        while len(peer.seen) < len(waiting):  # noqa: ASYNC110 # the peer has no event for it
            await asyncio.sleep(0.005)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        transport = c.exchange.transport.for_many()
        assert isinstance(transport, CurlTransport)
        assert not transport._active
        assert await get(c, "H") == b"mail"
    assert transport._loop is None


@pytest.mark.parametrize("tls", [False, True])
async def test_a_first_download_that_gets_no_answer_holds_up_no_other(authority: trustme.CA, tls: bool) -> None:
    peer = await Peer().start(server_context(authority, "http/1.1") if tls else None)
    peer.on("/download/alice/G/x", Answer(delay=3600))
    peer.on("/download/alice/H/x", Answer(body=b"mail"))
    async with client(peer.url) as c:
        stuck = asyncio.create_task(get(c, "G"))
        await asyncio.sleep(0)
        assert await asyncio.gather(*(get(c, "H") for _ in range(5))) == [b"mail"] * 5
        assert not stuck.done()
        stuck.cancel()
        await asyncio.gather(stuck, return_exceptions=True)
    await peer.stop()


async def test_connections_that_nothing_uses_are_closed(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curl, "_IDLE_SECONDS", 0.05)
    monkeypatch.setattr(curl, "_LONGEST_TICK", 0.05)
    peer.on("/download/alice/G/x", Answer(body=b"mail"))
    async with client(peer.url) as c:
        assert await get(c, "G") == b"mail"
        transport = c.exchange.transport.for_many()
        assert isinstance(transport, CurlTransport)
        while transport._loop is not None:  # noqa: ASYNC110 # as above
            await asyncio.sleep(0.01)
        assert await get(c, "G") == b"mail"


class Broken:
    """An HTTP/2 server whose first streams end by RST_STREAM in the middle of the body; then the answers are whole."""

    def __init__(self, error: int, times: int) -> None:
        self.error = error
        self.left = times
        self.asked = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if writer.get_extra_info("ssl_object").selected_alpn_protocol() != "h2":
            while await head(reader):
                self.asked += 1
                writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\nwhole mail")
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        while data := await reader.read(1 << 16):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.StreamEnded):
                    self.asked += 1
                    self.left -= 1
                    connection.send_headers(event.stream_id, [(":status", "200")])
                    if self.left >= 0:
                        connection.send_data(event.stream_id, b"whole")
                        connection.reset_stream(event.stream_id, self.error)
                    else:
                        connection.send_data(event.stream_id, b"whole mail", end_stream=True)
            writer.write(connection.data_to_send())


async def test_what_libcurl_asks_for_again_by_http_1_is_not_appended_to_what_came(authority: trustme.CA) -> None:
    server = Broken(h2.errors.ErrorCodes.HTTP_1_1_REQUIRED, 1)
    async with wild(server.serve, server_context(authority, "h2", "http/1.1")) as host, client(f"https://{host}") as c:
        with pytest.raises(BrokenOffError, match="stopped answering"):
            await get(c, "G")
        assert await get(c, "G") == b"whole mail"


async def test_a_body_that_ends_by_a_reset_without_an_error_is_not_taken_for_whole(authority: trustme.CA) -> None:
    server = Broken(h2.errors.ErrorCodes.NO_ERROR, 2)
    async with wild(server.serve, server_context(authority, "h2", "http/1.1")) as host, client(f"https://{host}") as c:
        with pytest.raises(BrokenOffError):
            await get(c, "G", is_checked=False)
        assert await get(c, "G", is_checked=False) == b"whole mail"
        assert server.asked == 4  # each was asked for once more, by httpx
        assert await get(c, "G") == b"whole mail"
        assert server.asked == 5


@pytest.mark.parametrize("body", [b"0\r\nX-Trailer: 1\r\n\r\n", b"4\r\nmail\r\n0\r\nX-Trailer: 1\r\n\r\n"])
async def test_trailers_are_not_part_of_the_head(body: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n" + body)

    async with wild(talk) as host, client(f"http://{host}") as c:
        assert await get(c, "G") == (b"mail" if b"mail" in body else b"")


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 000 X\r\n\r\n", b"HTTP/1.1 200 X\r\nX: y\r\n"])
async def test_what_is_no_whole_answer_of_http_is_no_wrong_address(answer: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(answer)

    async with wild(talk) as host, client(f"http://{host}") as c:
        with pytest.raises(BrokenOffError, match="stopped answering"):
            await get(c, "G")


async def test_waiting_for_a_free_connection_is_no_connecting(peer: Peer) -> None:
    release = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await head(reader):
            await release.wait()
            writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 4\r\n\r\nmail")

    transport = Transport(user_agent="x", bounds=Bounds(connect=0.3))
    async with wild(talk) as host:
        transport.multiplexed[Origin.of(f"http://{host}")] = False
        many = transport.for_many()
        asked = [asyncio.create_task(many.fetch("GET", f"http://{host}/", {}, most=100)) for _ in range(CONNECTIONS + 2)]
        await asyncio.sleep(1)  # a longer pause changes nothing
        assert not any(task.done() for task in asked)
        release.set()
        assert {reply.body for reply in await asyncio.gather(*asked)} == {b"mail"}
        await transport.aclose()


async def test_the_end_does_not_wait_for_names_that_are_looked_up_in_vain() -> None:
    class Multi:
        """libcurl's, whose end waits for a thread that resolves a name."""

        def __init__(self, inner: Any) -> None:  # noqa: ANN401  # pycurl has no types
            self.inner = inner
            self.resolved, self.closed = threading.Event(), threading.Event()

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # as above
            return getattr(self.inner, name)

        def close(self) -> None:
            self.resolved.wait(60)
            self.inner.close()
            self.closed.set()

    transport = Transport(user_agent="x", bounds=Bounds(connect=0.2))
    many = transport.for_many()
    assert isinstance(many, CurlTransport)
    many._loop = CurlLoop(None)
    multi = many._loop._multi = Multi(many._loop._multi)
    with pytest.raises(UnreachedError):
        await many.fetch("GET", "https://127.0.0.1:1/", {}, most=100)
    await transport.aclose()
    assert not multi.closed.is_set()
    multi.resolved.set()
    assert await asyncio.to_thread(multi.closed.wait, 60)


@pytest.mark.parametrize("value", ["image/png\r\nX-Other: 1", "image/\u00fc", "image/png\0", "", "png"])
async def test_a_media_type_that_no_header_can_hold_is_not_sent(peer: Peer, value: str) -> None:
    peer.on("/upload/alice/", Answer.json({"blobId": "G", "size": 4, "type": "x"}))
    async with client(peer.url) as c:
        await blobs.upload(c, "alice", b"mail", value)
    assert peer.seen[0].headers["content-type"] == "application/octet-stream"
    assert "x-other" not in peer.seen[0].headers


async def test_no_header_ends_within_its_value(peer: Peer) -> None:
    transport = Transport(user_agent="x")
    with pytest.raises(ValueError, match="header"):
        await transport.for_many().fetch("GET", f"{peer.url}/session", {"X": "a\r\nY: b"}, most=100)
    assert not peer.seen
    await transport.aclose()


@pytest.mark.parametrize(
    "url",
    [
        "https://good.example\\@evil.example/",
        "https://good.example\\.evil.example/",
        "https://good.example:443:1/",
        "https://good.example:port/",
        "https://good.example|evil.example/",
        "file:///etc/passwd",
        "https:///evil.example/",
        "https://",
    ],
)
def test_an_address_of_which_parsers_may_read_different_hosts_is_not_used(url: str) -> None:
    with pytest.raises(ServerError, match="cannot be used"):
        curl._checked(url)


def test_an_international_address_is_used_in_its_ascii_form() -> None:
    assert curl._checked("https://b\u00fccher.example/\u00fc ?x=\u00fc") == "https://xn--bcher-kva.example/%C3%BC%20?x=%C3%BC"
