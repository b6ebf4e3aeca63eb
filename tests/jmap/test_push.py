"""One connection of push at a time: what is asked for, what is understood, and how each failure is named."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from jmapsync.demo import RFC, DemoServer
from jmapsync.demo import Answer as Instead
from jmapsync.errors import ForbiddenError, HostRefusedError, ServerError, SignInError
from jmapsync.jmap.auth import BasicCredential, BearerCredential, Secret
from jmapsync.jmap.client import Client
from jmapsync.jmap.push import EventSource, NoPushError, SilentError, StateChange, decode, expand
from jmapsync.jmap.replies import BrokenOffError, UnreachedError
from jmapsync.jmap.retry_policy import RetryableError
from jmapsync.jmap.websocket import CAPABILITY, WebSocket
from tests.contract.peer import message
from tests.jmap.cable import Cable
from tests.jmap.peer import CORE, MAIL, Answer, Peer, redirect

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator

    from jmapsync.jmap.push import Push

pytestmark = pytest.mark.anyio

PING = 0.6
WAYS: list[type[Push]] = [EventSource, WebSocket]
SCOPE = {EventSource: "events", WebSocket: "websocket"}
STREAM = {"Content-Type": "text/event-stream"}


@pytest.fixture
def server() -> Iterator[DemoServer]:
    with DemoServer(dialect=dataclasses.replace(RFC, websocket=True)) as running:
        yield running


def client(url: str, **options: Any) -> Client:  # noqa: ANN401  # passed on
    return Client(url, BasicCredential("demo", "demo"), **options)


@contextlib.asynccontextmanager
async def listening(url: str, way: type[Push], **options: Any) -> AsyncIterator[AsyncGenerator[StateChange, None]]:  # noqa: ANN401
    async with client(url, **options) as c, connected(c, way) as changes:
        yield changes


@contextlib.asynccontextmanager
async def connected(c: Client, way: type[Push]) -> AsyncIterator[AsyncGenerator[StateChange, None]]:
    async with way(c.exchange, ping=PING).connect(await c.session()) as changes:  # type: ignore[call-arg]
        yield changes


async def reported(changes: AsyncGenerator[StateChange, None]) -> dict[str, Any]:
    async with asyncio.timeout(90):
        return dict((await anext(changes)).changed)


async def comes_true(condition: Callable[[], bool]) -> None:
    """Wait for what another task or the server's thread does in its own time."""
    async with asyncio.timeout(90):
        while not condition():  # noqa: ASYNC110  # it has no event
            await asyncio.sleep(0.005)


async def listened(server: DemoServer) -> None:
    """Wait until the server has begun to watch for this client."""
    await comes_true(lambda: server.endpoints.broadcast.listeners > 0)


# What is asked for


@pytest.mark.parametrize(
    ("template", "url"),
    [
        ("https://h/e?types={types}&closeafter={closeafter}&ping={ping}", "https://h/e?types=*&closeafter=no&ping=30"),
        ("https://h/e/{types}/{closeafter}/{ping}", "https://h/e/*/no/30"),
        ("https://api.fastmail.com/jmap/event/", "https://api.fastmail.com/jmap/event/?types=*&closeafter=no&ping=30"),
        ("https://h/e?key=1", "https://h/e?key=1&types=*&closeafter=no&ping=30"),
        ("https://h/e?", "https://h/e?types=*&closeafter=no&ping=30"),
        ("https://h/e?types={types}", "https://h/e?types=*&closeafter=no&ping=30"),
        ("https://h/e?ping=45&types={types}", "https://h/e?ping=45&types=*&closeafter=no"),
    ],
)
async def test_all_types_are_asked_for_whatever_the_url_is_like(template: str, url: str) -> None:
    assert expand(template, 30) == url


async def test_a_relative_url_is_that_of_the_session_and_gets_the_credential(peer: Peer) -> None:
    peer.on("/push", Answer(200, b"", STREAM))
    async with Client(f"{peer.url}/session", BearerCredential("sesame")) as c, connected(c, EventSource) as changes:
        assert [change async for change in changes] == []
    seen = peer.seen_at("/push")[0]
    assert parse_qs(urlsplit(seen.path).query) == {"types": ["*"], "closeafter": ["no"], "ping": [f"{PING:g}"]}
    assert seen.headers["authorization"] == "Bearer sesame"
    assert seen.headers["accept"].endswith("text/event-stream")
    assert seen.headers["accept-encoding"] == "identity"


async def test_a_client_that_comes_back_names_the_last_event_it_saw(peer: Peer) -> None:
    peer.on("/push", Answer(200, b'id: 17\nevent: state\ndata: {"changed":{}}\n\n', STREAM))
    async with client(f"{peer.url}/session") as c:
        way = EventSource(c.exchange, ping=PING)
        for _ in range(2):
            async with way.connect(await c.session()) as changes:
                assert [change async for change in changes] == [StateChange({})]
    assert [seen.headers.get("last-event-id") for seen in peer.seen_at("/push")] == [None, "17"]


# What is understood


@pytest.mark.parametrize("way", WAYS)
async def test_a_change_is_reported_at_once_with_its_states(server: DemoServer, way: type[Push]) -> None:
    async with listening(server.url, way) as changes:
        await listened(server)
        server.account.deliver(message())
        states = {name: server.account.state(name) for name in ("Mailbox", "Email")}
        assert await reported(changes) == {"a1": states}


@pytest.mark.parametrize("way", WAYS)
async def test_no_change_after_the_connection_is_missed_however_soon_it_comes(server: DemoServer, way: type[Push]) -> None:
    for _ in range(20):
        async with listening(server.url, way) as changes:
            server.account.deliver(message())
            assert (await reported(changes)).keys() == {"a1"}


@pytest.mark.parametrize("way", WAYS)
async def test_the_connection_outlives_many_pings_and_still_reports(server: DemoServer, way: type[Push]) -> None:
    async with listening(server.url, way) as changes:
        await listened(server)
        pending = asyncio.ensure_future(reported(changes))
        await asyncio.sleep(PING * 5)
        assert not pending.done()
        server.account.deliver(message())
        assert (await pending).keys() == {"a1"}


async def test_pings_that_name_milliseconds_change_nothing(server: DemoServer) -> None:
    """Stalwart: silence is judged by the interval that was asked for."""
    server.faults.pings_in_milliseconds.arm()
    async with listening(server.url, EventSource) as changes:
        server.faults.silent_events.arm()
        with pytest.raises(SilentError):
            await reported(changes)


async def test_a_websocket_is_sent_what_it_missed(server: DemoServer) -> None:
    async with client(server.url) as c:
        way = WebSocket(c.exchange, ping=PING)
        async with way.connect(await c.session()) as changes:
            await listened(server)
            server.account.deliver(message())
            await reported(changes)
        server.account.deliver(message())
        async with way.connect(await c.session()) as changes:
            assert (await reported(changes))["a1"]["Email"] == server.account.state("Email")


@pytest.mark.parametrize(
    "body",
    [
        b"event: ping\ndata: {}\n\n",
        b"event: stranger\ndata: {}\n\n",
        b": comment\n\n",
        b"event: state\ndata: not json\n\n",
        b"event: state\ndata: []\n\n",
        b'event: state\ndata: {"@type":"Other","changed":{}}\n\n',
        b"event: state\ndata: \xff\xfe\n\n",
        b'event: state\ndata: {"@type":"StateChange","changed":{"a":{"Email":"1"}}}',
    ],
)
async def test_what_is_no_state_change_is_passed_over(peer: Peer, body: bytes) -> None:
    good = b'event: state\r\ndata: {"@type":"StateChange","type":"change",\r\ndata: "changed":{"a":{"Email":"2"}}}\r\n\r\n'
    peer.on("/push", Answer(200, b"retry: 10\n" + (body if body.endswith(b"\n\n") else b"") + good, STREAM))
    async with listening(f"{peer.url}/session", EventSource) as changes:
        assert [change.changed async for change in changes] == [{"a": {"Email": "2"}}]


@pytest.mark.parametrize("value", [None, [], {}, {"changed": []}, {"@type": "StateChange"}])
async def test_an_object_without_changes_is_no_state_change(value: object) -> None:
    assert StateChange.read(value) is None


async def test_a_state_change_keeps_what_makes_sense_in_it() -> None:
    odd = decode(b'{"changed":{"a":{"Email":"1","Mailbox":2},"b":null}}')
    assert StateChange.read(odd) == StateChange({"a": {"Email": "1"}})


async def test_an_event_without_end_is_not_kept_in_memory(peer: Peer) -> None:
    peer.on("/push", Answer(200, b"data: " + b"x" * (3 << 20), STREAM))
    async with listening(f"{peer.url}/session", EventSource) as changes:
        with pytest.raises(ServerError, match="too long"):
            await reported(changes)


# How failures are named


@pytest.mark.parametrize("way", WAYS)
async def test_what_the_session_does_not_name_is_not_offered(peer: Peer, way: type[Push]) -> None:
    peer.offer_session(
        eventSourceUrl=None, capabilities={CORE: {}, MAIL: {}, CAPABILITY: {"url": "ws://h/", "supportsPush": False}}
    )
    async with client(f"{peer.url}/session") as c:
        assert not way(c.exchange).offered(await c.session())  # type: ignore[call-arg]


@pytest.mark.parametrize("status", [204, 400, 404, 410])
async def test_an_event_stream_that_is_refused_is_none(server: DemoServer, status: int) -> None:
    """Cyrus 3.6 and 3.10 name one and answer 204."""
    server.faults.answer.arm(Instead(status), only=["events"])
    with pytest.raises(NoPushError, match=str(status)):
        async with listening(server.url, EventSource):
            pass


async def test_a_page_is_no_event_stream(server: DemoServer) -> None:
    server.faults.answer.arm(Instead.html(), only=["events"])
    with pytest.raises(NoPushError, match="text/html"):
        async with listening(server.url, EventSource):
            pass


@pytest.mark.parametrize("answer", [Instead(200), Instead(400), Instead(404), Instead.redirect("/jmap/ws2")])
async def test_a_websocket_that_is_refused_is_none(server: DemoServer, answer: Instead) -> None:
    server.faults.answer.arm(answer, only=["websocket"])
    with pytest.raises(NoPushError):
        async with listening(server.url, WebSocket):
            pass


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("status", "error"), [(401, SignInError), (403, ForbiddenError)])
async def test_a_refused_credential_is_reported_as_such(
    server: DemoServer, way: type[Push], status: int, error: type[Exception]
) -> None:
    server.faults.answer.arm(Instead(status), only=[SCOPE[way]])
    with pytest.raises(error) as caught:
        async with listening(server.url, way):
            pass
    assert type(caught.value) is error


@pytest.mark.parametrize("way", WAYS)
async def test_a_secret_that_ran_out_is_got_anew(server: DemoServer, way: type[Push]) -> None:
    async def again() -> Secret:
        server.credentials.password = "new"
        return Secret("new")

    async with Client(server.url, BasicCredential("demo", Secret("demo", again))) as c:
        await c.session()
        server.faults.answer.arm(Instead(401), only=[SCOPE[way]], times=1)
        async with connected(c, way):
            pass


@pytest.mark.parametrize("way", WAYS)
async def test_a_server_that_asks_for_a_pause_says_for_how_long(server: DemoServer, way: type[Push]) -> None:
    server.faults.answer.arm(Instead.unavailable("7"), only=[SCOPE[way]])
    with pytest.raises(RetryableError) as caught:
        async with listening(server.url, way):
            pass
    assert caught.value.retry_after == 7


@pytest.mark.parametrize("way", WAYS)
async def test_a_server_that_closes_in_good_order_ends_the_changes(server: DemoServer, way: type[Push]) -> None:
    server.faults.ending_events.arm(0.05)
    async with listening(server.url, way) as changes:
        assert [change async for change in changes] == []


@pytest.mark.parametrize("way", WAYS)
async def test_a_connection_that_breaks_is_reported(server: DemoServer, way: type[Push]) -> None:
    async with listening(server.url, way) as changes:
        await listened(server)
        await asyncio.to_thread(server.stop)
        with pytest.raises(BrokenOffError):
            await reported(changes)


@pytest.mark.parametrize("way", WAYS)
async def test_a_server_that_is_gone_is_unreached(server: DemoServer, way: type[Push]) -> None:
    async with client(server.url) as c:
        await c.session()
        await asyncio.to_thread(server.stop)
        with pytest.raises(UnreachedError):
            async with connected(c, way):
                pass


@pytest.mark.parametrize("way", WAYS)
async def test_a_connection_that_went_dead_is_noticed(server: DemoServer, way: type[Push]) -> None:
    """After a suspend or a NAT time-out neither end is notified: only missing pings show it."""
    async with Cable(server.url) as cable:
        server.faults.session_urls.arm("foreign")
        server.faults.foreign_origin = cable.origin
        async with listening(cable.url, way) as changes:
            pending = asyncio.ensure_future(reported(changes))
            await asyncio.sleep(PING * 2)
            cable.cut()
            with pytest.raises(SilentError) as caught:
                await pending
            assert caught.value.proven


async def test_a_proxy_that_buffers_is_noticed(server: DemoServer) -> None:
    server.faults.held_events.arm()
    async with listening(server.url, EventSource) as changes:
        with pytest.raises(SilentError) as caught:
            await reported(changes)
        assert not caught.value.proven


@pytest.mark.parametrize("way", WAYS)
async def test_a_proxy_that_keeps_back_even_the_head_is_noticed(server: DemoServer, way: type[Push]) -> None:
    async with Cable(server.url) as cable, client(cable.url) as c:
        server.faults.session_urls.arm("foreign")
        server.faults.foreign_origin = cable.origin
        await c.session()
        cable.cut_new = True
        with pytest.raises(SilentError) as caught:
            async with connected(c, way):
                pass
        assert not caught.value.proven


# Who gets the credential


async def test_an_event_stream_at_another_host_is_refused_by_name(peer: Peer, other_host: Peer) -> None:
    peer.offer_session(eventSourceUrl=f"{other_host.url}/push")
    with pytest.raises(HostRefusedError, match=f'the wait for changes to {other_host.host}.*add "{other_host.host}"'):
        async with listening(f"{peer.url}/session", EventSource):
            pass
    assert not other_host.seen


async def test_an_event_stream_is_not_redirected_elsewhere(peer: Peer, other_host: Peer) -> None:
    peer.on("/push", redirect(f"{other_host.url}/push"))
    with pytest.raises(HostRefusedError):
        async with listening(f"{peer.url}/session", EventSource):
            pass
    assert not other_host.seen


async def test_an_event_stream_at_a_trusted_host_gets_the_credential(peer: Peer, other_host: Peer) -> None:
    peer.on("/push", redirect(f"{other_host.url}/push"))
    other_host.on("/push", Answer(200, b"", STREAM))
    async with listening(f"{peer.url}/session", EventSource, trusted_hosts=[other_host.host]) as changes:
        assert [change async for change in changes] == []
    assert "authorization" in other_host.seen[0].headers


@pytest.mark.parametrize("redirected", [False, True])
async def test_a_websocket_at_another_host_is_refused(peer: Peer, other_host: Peer, redirected: bool) -> None:
    foreign = other_host.url.replace("http", "ws")
    url = peer.url.replace("http", "ws") if redirected else foreign
    peer.on("/ws", redirect(f"{foreign}/ws"))
    peer.offer_session(capabilities={CORE: {}, MAIL: {}, CAPABILITY: {"url": f"{url}/ws", "supportsPush": True}})
    with pytest.raises((HostRefusedError, NoPushError)):
        async with listening(f"{peer.url}/session", WebSocket):
            pass
    assert not other_host.seen


async def test_push_leaves_no_connection_behind(server: DemoServer) -> None:
    async with Cable(server.url) as cable, client(cable.url) as c:
        server.faults.session_urls.arm("foreign")
        server.faults.foreign_origin = cable.origin
        await c.session()
        for way in WAYS * 5:
            async with connected(c, way):
                await comes_true(lambda: cable.open == 2)
        await comes_true(lambda: cable.open == 1)
        await comes_true(lambda: server.endpoints.broadcast.listeners == 0)
