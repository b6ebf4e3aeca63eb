"""Whatever a server sends ends: a bomb, a body without end, a trickle, silence in the middle, nesting, 1xx answers for ever."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from typing import TYPE_CHECKING, Any

import h2.config
import h2.connection
import h2.events
import pytest

from jmapsync.errors import JmapsyncError, NetworkError, OutcomeUnknownError, ServerError, SignInError
from jmapsync.jmap import blobs
from jmapsync.jmap.auth import BearerCredential
from jmapsync.jmap.bounds import API_OCTETS, ERROR_OCTETS, Bounds, TooLargeError
from jmapsync.jmap.client import Client
from jmapsync.jmap.failures import RequestError
from jmapsync.jmap.inflating import PIECE, inflater
from jmapsync.jmap.replies import BrokenOffError, UnreachedError
from jmapsync.jmap.wire import Call
from tests.jmap.peer import CORE, ECHO, Answer, Peer, result, session_object
from tests.jmap.test_tls import authority, server_context
from tests.jmap.wild import OK, answering, bomb, head, wild

if TYPE_CHECKING:
    from collections.abc import Callable

    import trustme

__all__ = ["authority"]

pytestmark = pytest.mark.anyio

ECHO_CALL = Call("Core/echo", {"hello": True}, "c0")
BRIEF = Bounds(silence=0.3, connect=0.3, least_rate=1000)
"""Bounds for what ends by them anyway; nothing that has to succeed is measured by them."""
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
MEBIBYTE = 1 << 20


def client(url: str, **options: Any) -> Client:  # noqa: ANN401  # passed on
    return Client(url, BearerCredential("fmu1-sesame"), max_wait=0, **options)


def packed(body: bytes, status: int = 200, encoding: str = "gzip") -> Answer:
    return Answer(status, body, {"Content-Type": "application/json", "Content-Encoding": encoding})


def of(path: str) -> Callable[[Client], Any]:
    """Return what asks for a path."""
    if path == "/api":
        return lambda c: c.call([ECHO_CALL], using=[CORE])
    if path == "/upload":
        return lambda c: blobs.upload(c, "alice", b"octets", "text/plain")
    if path == "/download":
        return drained
    return lambda c: c.session()


async def drained(c: Client, most: int = API_OCTETS) -> int:
    return len(await blobs.download_whole(c, "alice", "G1", most=most))


@pytest.fixture
def prepared(peer: Peer) -> Peer:
    peer.offer_session(uploadUrl="/upload", downloadUrl="/download")
    return peer


# Size


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/session", "gzip"), ("/api", "gzip"), ("/upload", "gzip"), ("/download", "gzip"), ("/session", "zlib"), ("/api", "raw")],
)
@pytest.mark.usefixtures("either_client")
async def test_a_bomb_is_not_unpacked(prepared: Peer, path: str, kind: str) -> None:
    prepared.on(path, packed(bomb(65, kind), encoding="gzip" if kind == "gzip" else "deflate"))
    async with client(f"{prepared.url}/session") as c:
        with pytest.raises(JmapsyncError, match="larger than the limit"):
            await of(path)(c)
        assert c.received < MEBIBYTE


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 302])
@pytest.mark.parametrize("how", ["bomb", "endless", "silent"])
@pytest.mark.usefixtures("either_client")
async def test_the_body_of_a_failure_is_read_no_further_than_its_beginning(prepared: Peer, status: int, how: str) -> None:
    first = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nLocation: /elsewhere\r\n".encode()
    if how == "bomb":
        body = bomb(65)
        talk = answering(first + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body, lambda: None)
    else:
        piece = b"10000\r\n" + b" " * (1 << 16) + b"\r\n"
        talk = answering(first + b"Transfer-Encoding: chunked\r\n\r\n", lambda: piece if how == "endless" else b"", 0.001)
    async with wild(talk) as host, client(f"http://{host}/session", bounds=Bounds(silence=0.3)) as c:
        with pytest.raises(JmapsyncError):
            await c.session()
        assert c.received < 40 * ERROR_OCTETS


@pytest.mark.parametrize("length", [b"Content-Length: 999999999999999\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n", b"\r\n"])
@pytest.mark.usefixtures("either_client")
async def test_a_body_without_end_ends(length: bytes) -> None:
    piece = b" " * MEBIBYTE
    if b"chunked" in length:
        piece = b"100000\r\n" + piece + b"\r\n"
    async with wild(answering(OK + length, lambda: piece)) as host, client(f"http://{host}/session") as c:
        with pytest.raises(JmapsyncError, match="larger than the limit"):
            await c.session()


@pytest.mark.usefixtures("either_client")
async def test_a_download_ends_where_its_caller_says(prepared: Peer) -> None:
    prepared.on("/download", Answer(200, b"x" * 5000))
    async with client(f"{prepared.url}/session") as c:
        with pytest.raises(TooLargeError):
            await drained(c, most=4999)
        assert await drained(c, most=5000) == 5000


async def test_a_large_download_passes_through(prepared: Peer) -> None:
    prepared.on("/download", Answer(200, bytes(80 * MEBIBYTE)))
    async with client(f"{prepared.url}/session") as c:
        assert await drained(c, most=80 * MEBIBYTE) == 80 * MEBIBYTE


async def test_an_answer_that_is_too_large_is_a_limit_so_that_less_is_asked_for(prepared: Peer) -> None:
    prepared.on("/api", packed(bomb(65)))
    async with client(f"{prepared.url}/session") as c:
        with pytest.raises(RequestError) as caught:
            await of("/api")(c)
        assert caught.value.type == "limit"
        assert not c.session_changed
        with pytest.raises(OutcomeUnknownError):
            await c.call([ECHO_CALL], using=[CORE], repeatable=False)


# Encodings


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("GZIP", lambda body: gzip.compress(body[:9]) + gzip.compress(body[9:])),
        ("deflate", zlib.compress),
        ("deflate", lambda body: zlib.compressobj(9, zlib.DEFLATED, -15).compress(body) or zlib.compress(body)[2:-4]),
        ("identity", bytes),
    ],
)
@pytest.mark.usefixtures("either_client")
async def test_what_was_asked_for_is_unpacked(peer: Peer, encoding: str, pack: Callable[[bytes], bytes]) -> None:
    peer.on("/session", packed(pack(json.dumps(session_object()).encode()), encoding=encoding))
    async with client(f"{peer.url}/session") as c:
        assert (await c.session()).username == "alice"


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "x" * 9999, "\xe4"])
@pytest.mark.usefixtures("either_client")
async def test_another_encoding_is_refused(peer: Peer, encoding: str) -> None:
    peer.on("/session", packed(b"...", encoding=encoding))
    async with client(f"{peer.url}/session") as c:
        with pytest.raises(JmapsyncError, match="not asked for") as caught:
            await c.session()
        assert len(str(caught.value)) < 500


@pytest.mark.usefixtures("either_client")
async def test_a_packed_body_that_is_cut_or_none_is_no_answer(prepared: Peer) -> None:
    async with client(f"{prepared.url}/session") as c:
        prepared.on("/api", packed(gzip.compress(result(ECHO).body)[:-9]))
        with pytest.raises(BrokenOffError, match="cut short"):
            await of("/api")(c)
        prepared.on("/api", packed(b"not packed at all"))
        with pytest.raises(ServerError, match="not compressed"):
            await of("/api")(c)


def test_no_piece_of_what_is_unpacked_is_large() -> None:
    for kind in ("gzip", "zlib"):
        sizes = [len(piece) for piece in inflater("gzip" if kind == "gzip" else "deflate").feed(bomb(3, kind))]
        assert (sum(sizes), max(sizes)) == (3 * MEBIBYTE, PIECE)


# Nesting


@pytest.mark.parametrize("depth", [101, 100_000])
@pytest.mark.parametrize("brackets", [(b"[", b"]"), (b'{"a":', b"}"), (b'["]",{"\\"":[0,', b"]}]"), (b"[", b"")])
@pytest.mark.parametrize("where", ["/session", "/upload", "problem"])
async def test_nesting_without_end_is_no_answer(prepared: Peer, where: str, brackets: tuple[bytes, bytes], depth: int) -> None:
    nested = brackets[0] * depth + b"1" * bool(brackets[1]) + brackets[1] * depth
    body = {
        "/session": b'{"apiUrl":"/api","accounts":' + nested + b"}",
    }.get(where, nested)
    prepared.on("/api" if where == "problem" else where, Answer(400 if where == "problem" else 200, body))
    async with client(f"{prepared.url}/session") as c:
        with pytest.raises(JmapsyncError):
            await of("/api" if where == "problem" else where)(c)


@pytest.mark.parametrize("depth", [101, 100_000])
@pytest.mark.parametrize("brackets", [(b"[", b"]"), (b'{"a":', b"}"), (b'["]",{"\\"":[0,', b"]}]")])
async def test_nesting_without_end_spoils_only_what_it_is_in(prepared: Peer, brackets: tuple[bytes, bytes], depth: int) -> None:
    nested = brackets[0] * depth + b"1" + brackets[1] * depth
    prepared.on("/api", Answer(200, b'{"methodResponses":[["Core/echo",{"a":' + nested + b',"b":1},"c0"]]}'))
    async with client(f"{prepared.url}/session") as c:
        assert (await of("/api")(c)).get(ECHO_CALL)["b"] == 1


async def test_brackets_in_strings_and_beside_each_other_are_no_nesting(prepared: Peer) -> None:
    said: dict[str, Any] = {"a": "[" * 5000, 'b"\\': ['{"\\\\"' * 500, [[]] * 3000, {"c": '"]"['}] * 200}
    prepared.on("/api", result(["Core/echo", said, "c0"]))
    async with client(f"{prepared.url}/session") as c:
        assert (await of("/api")(c)).get(ECHO_CALL) == said


@pytest.mark.parametrize("value", [b"{},", b"0,"])
async def test_more_values_than_any_answer_holds_are_refused(prepared: Peer, value: bytes) -> None:
    body = b'{"methodResponses":[["Core/echo",{"a":[' + value * 3_000_001 + b'0]},"c0"]],"sessionState":"s0"}'
    prepared.on("/api", Answer(200, body))
    async with client(f"{prepared.url}/session") as c:
        with pytest.raises(ServerError):
            (await of("/api")(c)).get(ECHO_CALL)


# Time


def dripping(octets: bytes) -> Callable[[], bytes | None]:
    return lambda: octets


@pytest.mark.parametrize(
    ("first", "more", "said"),
    [
        (b"", b"", "silent"),
        (b"HTTP/1.1 200 OK\r\nX-", b"a", "silent"),
        (b"", b"HTTP/1.1 102 Processing\r\n\r\n", "silent"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", "silent"),
        (CHUNKED, b"1\r\n \r\n", "1000 octets a second"),
        (CHUNKED, b"", "silent"),
        (OK + b"Content-Length: 1000000\r\n\r\n", b" ", "1000 octets a second"),
        (OK + b"\r\n", b" ", "1000 octets a second"),
    ],
)
@pytest.mark.usefixtures("either_client")
async def test_an_exchange_that_makes_no_progress_ends(first: bytes, more: bytes, said: str) -> None:
    async with wild(answering(first, dripping(more), 0.02)) as host, client(f"http://{host}/session", bounds=BRIEF) as c:
        with pytest.raises(BrokenOffError, match=said):
            await c.session()
        assert c.requests == 1, "its user should hear of it soon"


@pytest.mark.usefixtures("either_client")
async def test_a_download_that_trickles_ends_and_one_that_is_slow_but_steady_does_not(prepared: Peer) -> None:
    steady = iter([b"x" * 100] * 30)
    async with (
        wild(answering(OK + b"Content-Length: 3000\r\n\r\n", lambda: next(steady, None), 0.02)) as slow,
        wild(answering(OK + b"Content-Length: 3000\r\n\r\n", dripping(b"x"), 0.02)) as trickle,
    ):
        for host in (trickle, slow):
            prepared.offer_session(downloadUrl=f"http://{host}/download")
            async with client(f"{prepared.url}/session", trusted_hosts=[slow, trickle]) as c:
                await c.session()
                if host is trickle:
                    c.exchange.transport.bounds = BRIEF
                    with pytest.raises(BrokenOffError):
                        await drained(c)
                else:
                    c.exchange.transport.bounds = Bounds(silence=30, least_rate=1)
                    assert await drained(c) == 3000


@pytest.mark.usefixtures("either_client")
async def test_an_upload_that_nobody_reads_ends(prepared: Peer) -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(3600)

    async with wild(deaf) as host:
        prepared.offer_session(uploadUrl=f"http://{host}/upload")
        async with client(f"{prepared.url}/session", trusted_hosts=[host]) as c:
            await c.session()
            c.exchange.transport.bounds = BRIEF
            with pytest.raises(BrokenOffError, match="silent"):
                await blobs.upload(c, "alice", bytes(20 * MEBIBYTE), "text/plain")


@pytest.mark.parametrize("octets", [b"", b"\x16", b"\x16\x03\x03"])
@pytest.mark.usefixtures("either_client")
async def test_a_tls_handshake_that_makes_no_progress_ends_at_once(authority: trustme.CA, octets: bytes) -> None:
    async def stuck(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(octets)
        await asyncio.sleep(3600)

    async with wild(stuck) as host, client(f"https://{host}/session", bounds=BRIEF) as c:
        with pytest.raises(UnreachedError, match=r"no answer within 0\.3 seconds"):
            await c.session()
        assert c.requests == 1


@pytest.mark.parametrize("when", ["before the answer", "within the answer"])
@pytest.mark.usefixtures("either_client")
async def test_pings_of_http_2_are_no_progress_and_the_next_request_gets_another_connection(
    authority: trustme.CA, when: str
) -> None:
    made = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal made
        made += 1
        is_bad = made == 1
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()

        async def ping() -> None:
            while True:
                connection.ping(b"01234567")
                writer.write(connection.data_to_send())
                await asyncio.sleep(0.02)

        pinging = asyncio.create_task(ping()) if is_bad else None
        try:
            while data := await reader.read(65536):
                for event in connection.receive_data(data):
                    if isinstance(event, h2.events.StreamEnded) and not (is_bad and when == "before the answer"):
                        connection.send_headers(event.stream_id, [(":status", "200"), ("content-type", "application/json")])
                        body = b"[" if is_bad else json.dumps(session_object()).encode()
                        connection.send_data(event.stream_id, body, end_stream=not is_bad)
                writer.write(connection.data_to_send())
        finally:
            if pinging is not None:
                pinging.cancel()

    tls = server_context(authority, "h2", "http/1.1")
    async with wild(serve, tls) as host, client(f"https://{host}/session", bounds=Bounds(silence=0.3, least_rate=1000)) as c:
        with pytest.raises(BrokenOffError):
            await c.session()
        c.exchange.transport.bounds = Bounds()
        assert (await c.session()).username == "alice"
        assert made == 2


@pytest.mark.parametrize(
    "frames",
    [
        "000000 05 04 00000001",  # PUSH_PROMISE, which was not allowed
        "000001 01 04 00000001 88 000001 01 04 00000001 88",  # a second head
        "000006 04 00 00000000 000500000001",  # a size of frames that none may have
        "ffffff 00 00 00000001 00",  # a frame that is longer than any may be
        "000001 01 04 00000001 ff",  # a head that HPACK cannot read
        "000001 00 08 00000001 ff",  # more padding than there is
        "000004 08 00 00000001 00000000",  # a window that grows by nothing
    ],
)
@pytest.mark.usefixtures("either_client")
async def test_what_http_2_does_not_provide_for_is_the_connection_s_end_and_no_wrong_address(
    authority: trustme.CA, frames: str
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes.fromhex("000000 04 00 00000000 000000 04 01 00000000"))
        received = b""
        while b"\x00\x00\x00\x01" not in received[24:] and len(received) < 200:
            received += await reader.read(65536)
        writer.write(bytes.fromhex(frames))
        await asyncio.sleep(3600)

    tls = server_context(authority, "h2", "http/1.1")
    async with wild(serve, tls) as host, client(f"https://{host}/session", bounds=Bounds(silence=5, connect=5)) as c:
        with pytest.raises(BrokenOffError, match=rf"{host} (violated HTTP/2|stopped answering)"):
            await c.session()


@pytest.mark.usefixtures("either_client")
async def test_a_retry_counts_the_time_that_passed_in_silence(prepared: Peer) -> None:
    prepared.on("/api", Answer(delay=3600))
    async with Client(f"{prepared.url}/session", BearerCredential("sesame"), max_wait=0.5) as c:
        await c.session()
        c.exchange.transport.bounds = BRIEF
        with pytest.raises(NetworkError):
            await of("/api")(c)
        assert len(prepared.seen_at("/api")) <= 2


@pytest.mark.usefixtures("either_client")
async def test_a_refusal_is_known_although_its_body_never_comes(peer: Peer) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 401 X\r\nContent-Length: 10\r\n\r\n")
        await asyncio.sleep(3600)

    async with wild(talk) as host, client(f"http://{host}/session", bounds=Bounds(silence=1)) as c:
        with pytest.raises(SignInError):
            await c.session()
