"""The listener keeps one connection open, reports when a run is due, and falls back to polling where there is no push."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from typing import TYPE_CHECKING, Any, Never

import msgspec
import pytest

from jmapsync.daemon.push_listener import Listener, Timing
from jmapsync.demo import RFC, Answer, DemoServer
from jmapsync.jmap.auth import BasicCredential
from jmapsync.jmap.client import Client
from tests.contract.peer import message
from tests.jmap.cable import Cable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

pytestmark = pytest.mark.anyio

HASTE = Timing(ping=30, first_pause=0.01, longest_pause=0.1, first_retest=60, longest_retest=60)
PING = 0.6
SILENCE_COUNTS = msgspec.structs.replace(HASTE, ping=PING)
"""Where a connection is to be found dead. It is also when the machine stands still for 1.5 seconds."""
STEADY = msgspec.structs.replace(HASTE, ping=2.0)
"""Where a connection is to be kept by its pings, even if the machine stands still for a while."""
SYNC = "push is connected"
WITH_WEBSOCKET = dataclasses.replace(RFC, websocket=True)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["eventsource", "websocket"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(way: str) -> Iterator[DemoServer]:
    with DemoServer(dialect=WITH_WEBSOCKET if way == "websocket" else RFC) as running:
        yield running


@pytest.fixture
def stream() -> Iterator[DemoServer]:
    """A server that has an event stream only."""
    with DemoServer() as running:
        yield running


class Account:
    """A listener under test and what it hinted."""

    def __init__(
        self, client: Client, account_id: str, timing: Timing, crashed: Callable[[Exception], object] = lambda _: None
    ) -> None:
        self.hints: list[str] = []
        self.listener = Listener(client, account_id, self.hints.append, timing=timing, crashed=crashed)
        self.task = asyncio.ensure_future(self.listener.run())

    async def until(self, true: Callable[[Account], object], seconds: float = 90.0) -> None:
        async with asyncio.timeout(seconds):
            while not true(self):
                if self.task.done():
                    self.task.result()
                await asyncio.sleep(0.005)

    async def connected(self) -> None:
        await self.until(lambda one: one.listener.state.connected)

    async def polls(self, seconds: float = 90.0) -> str:
        """Wait until it falls back to polling; return why."""
        await self.until(lambda one: one.listener.state.mode == "poll" and "yet to be" not in one.listener.state.why, seconds)
        return self.listener.state.why


@contextlib.asynccontextmanager
async def account(
    url: str,
    account_id: str = "a1",
    timing: Timing = HASTE,
    crashed: Callable[[Exception], object] = lambda _: None,
    **options: Any,  # noqa: ANN401
) -> AsyncIterator[Account]:
    async with Client(url, BasicCredential("demo", "demo"), max_wait=0.5, **options) as client:
        one = Account(client, account_id, timing, crashed)
        try:
            yield one
        finally:
            one.task.cancel()
            await asyncio.gather(one.task, return_exceptions=True)


@contextlib.asynccontextmanager
async def cabled(server: DemoServer, **options: Any) -> AsyncIterator[tuple[Account, Cable]]:  # noqa: ANN401
    """A listener whose every connection goes over a cable."""
    async with Cable(server.url) as cable:
        server.faults.session_urls.arm("foreign")
        server.faults.foreign_origin = cable.origin
        async with account(cable.url, **options) as one:
            yield one, cable


def listeners(server: DemoServer) -> int:
    return server.endpoints.broadcast.listeners


async def listened(server: DemoServer, count: int = 1) -> None:
    async with asyncio.timeout(90):
        while listeners(server) != count:  # noqa: ASYNC110  # they are another thread's
            await asyncio.sleep(0.005)


async def hinted(hints: list[str], count: int) -> None:
    async with asyncio.timeout(90):
        while len(hints) < count:  # noqa: ASYNC110  # it is a list
            await asyncio.sleep(0.005)


# In good order


async def test_the_better_way_is_taken_and_a_run_asked_for_at_once(server: DemoServer, way: str) -> None:
    before = time.time()
    async with account(server.url) as one:
        await one.connected()
        assert one.hints == [SYNC]
        assert (one.listener.state.mode, one.listener.state.why) == (way, "")
        assert before <= one.listener.state.since <= time.time()


async def test_a_change_is_hinted_with_what_it_led_to(server: DemoServer) -> None:
    async with account(server.url) as one:
        await one.connected()
        server.account.deliver(message())
        await one.until(lambda one: len(one.hints) > 1)
        assert one.hints[1] == "push reports Email, Mailbox"
        assert one.listener.states == {name: server.account.state(name) for name in ("Email", "Mailbox")}


async def test_nothing_is_hinted_while_nothing_happens(server: DemoServer) -> None:
    async with account(server.url, timing=STEADY) as one:
        await one.connected()
        await asyncio.sleep(STEADY.ping * 2.7)
        assert one.hints == [SYNC]
        assert server.requests.count("http") == 2, "the session, and the push connection"
        assert server.requests.count("events") + server.requests.count("websocket") == 1


async def test_pings_that_a_server_spaces_out_are_waited_for(stream: DemoServer) -> None:
    stream.faults.clamped_pings.arm(STEADY.ping * 1.3)
    async with account(stream.url, timing=STEADY) as one:
        await one.connected()
        await asyncio.sleep(STEADY.ping * 3.4)
        assert one.hints == [SYNC]
        assert one.listener.state.connected


async def test_changes_of_other_accounts_and_types_are_nobodys_concern(server: DemoServer) -> None:
    other = server.add_account("a2")
    async with account(server.url) as one:
        await one.until(lambda one: one.hints)
        other.deliver(message())
        await asyncio.sleep(0.1)
        assert one.hints == [SYNC]
        assert not one.listener.states
    await listened(server, 0)
    async with Client(server.url, BasicCredential("demo", "demo")) as client:
        hints: list[str] = []
        task = asyncio.ensure_future(Listener(client, "a1", hints.append, types={"Email"}, timing=HASTE).run())
        await hinted(hints, 1)
        server.account.add_mailbox("Ignored", None, None)
        await asyncio.sleep(0.1)
        server.account.deliver(message())
        await hinted(hints, 2)
        assert hints == [SYNC, "push reports Email"]
        task.cancel()


# Connections that end


async def test_after_each_reconnect_one_run_is_asked_for(server: DemoServer) -> None:
    """What changed while no connection was open is never reported."""
    async with cabled(server) as (one, cable):
        for count in range(1, 4):
            await one.until(lambda one, count=count: len(one.hints) == count)  # type: ignore[misc]
            await listened(server)
            cable.break_off()
        await one.until(lambda one: len(one.hints) == 4)
        assert set(one.hints) == {SYNC}


async def test_a_server_that_stops_and_starts_is_found_again() -> None:
    server = DemoServer().start()
    again = DemoServer(port=server.port)
    try:
        async with account(server.url) as one:
            await one.connected()
            await asyncio.to_thread(server.stop)
            await one.until(lambda one: not one.listener.state.connected)
            await asyncio.sleep(0.2)
            await asyncio.to_thread(again.start)
            await one.connected()
            assert one.hints == [SYNC, SYNC]
    finally:
        server.stop()
        again.stop()


async def test_a_connection_that_went_dead_is_replaced(server: DemoServer, way: str) -> None:
    async with cabled(server, timing=SILENCE_COUNTS) as (one, cable):
        await one.connected()
        await asyncio.sleep(PING * 1.5)
        cable.cut()
        server.account.deliver(message())
        await one.until(lambda one: one.hints.count(SYNC) == 2)
        assert one.listener.state.mode == way


async def test_a_network_that_went_is_not_taken_for_a_proxy_that_buffers(server: DemoServer, way: str) -> None:
    async with cabled(server, timing=SILENCE_COUNTS) as (one, cable):
        await one.connected()
        await asyncio.sleep(PING * 1.5)
        cable.cut()
        cable.cut_new = True
        before = cable.made
        await one.until(lambda _: cable.made > before)
        cable.cut_new = False
        await one.until(lambda one: one.hints.count(SYNC) == 2)
        assert one.listener.state.mode == way


async def test_a_server_that_hangs_is_not_taken_for_a_proxy_that_buffers(server: DemoServer, way: str) -> None:
    async with cabled(server, timing=SILENCE_COUNTS) as (one, cable):
        await one.connected()
        await asyncio.sleep(PING * 1.5)
        cable.cut()
        cable.cut_new = True
        await one.until(lambda one: one.listener.state.why == "The server does not answer.")
        await asyncio.sleep(PING * 4)
        cable.cut_new = False
        await one.until(lambda one: one.hints.count(SYNC) == 2)
        assert one.listener.state.mode == way


async def test_a_server_that_closes_after_every_state_is_followed_nevertheless(stream: DemoServer) -> None:
    stream.faults.ending_events.arm(0.05)
    async with account(stream.url) as one:
        await one.until(lambda one: one.hints.count(SYNC) > 3)
        stream.account.deliver(message())
        count = len(one.hints)
        await one.until(lambda one: len(one.hints) > count)


async def test_pauses_grow_while_connections_fail_and_are_random(stream: DemoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[float] = []

    def throw(low: float, high: float) -> float:
        limits.append(high)
        assert low == 0
        return 0.0

    monkeypatch.setattr("jmapsync.daemon.push_listener.random.uniform", throw)
    stream.faults.ending_events.arm(0.0)
    timing = msgspec.structs.replace(HASTE, first_pause=1, longest_pause=60)
    async with account(stream.url, timing=timing) as one:
        await one.until(lambda _: len(limits) >= 9)
    assert limits[:9] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


async def test_a_connection_that_lived_long_starts_the_pauses_anew(stream: DemoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[float] = []

    def throw(_low: float, high: float) -> float:
        limits.append(high)
        return 0.0

    monkeypatch.setattr("jmapsync.daemon.push_listener.random.uniform", throw)
    stream.faults.ending_events.arm(0.0, times=3)
    timing = msgspec.structs.replace(SILENCE_COUNTS, first_pause=1, longest_pause=60)
    async with account(stream.url, timing=timing) as one:
        await one.until(lambda _: len(limits) == 3)
        await one.connected()
        await asyncio.sleep(PING * 2.5)
        stream.faults.ending_events.arm(0.0, skip=0, times=1)
        await asyncio.to_thread(stream.stop)
        await one.until(lambda _: len(limits) > 3)
    assert limits[:4] == [1, 2, 4, 1]


async def test_the_pause_a_server_asks_for_is_kept(stream: DemoServer) -> None:
    stream.faults.answer.arm(Answer.unavailable("1"), only=["events"], times=1)
    began = time.monotonic()
    async with account(stream.url) as one:
        await one.connected()
    assert time.monotonic() - began >= 1


async def test_renewing_replaces_the_connection_at_once(server: DemoServer) -> None:
    """After a suspend nobody should wait until pings are found missing."""
    async with cabled(server, timing=msgspec.structs.replace(HASTE, ping=300)) as (one, cable):
        await one.connected()
        cable.cut()
        one.listener.renew()
        await one.until(lambda one: one.hints.count(SYNC) == 2)


async def test_renewing_is_harmless_at_any_time(stream: DemoServer) -> None:
    async with account(stream.url) as one:
        one.listener.renew()
        await one.connected()
        for _ in range(3):
            one.listener.renew()
            await asyncio.sleep(0)
        await one.connected()
    one.listener.renew()
    assert not one.listener.state.connected


async def test_renewing_ends_a_pause(stream: DemoServer) -> None:
    stream.faults.answer.arm(Answer(204), only=["events"], times=1)
    async with account(stream.url) as one:
        await one.polls()
        one.listener.renew()
        await one.connected()


async def test_never_more_than_one_connection_is_open(server: DemoServer) -> None:
    async with cabled(server) as (one, cable):
        most = 0
        for _ in range(40):
            await one.connected()
            one.listener.renew()
            await asyncio.sleep(0.01)
            most = max(most, cable.open)
        await one.connected()
        await listened(server)
    assert most <= 3, "one of push, one for the session, and one that is just closing"


async def test_flapping_leaves_nothing_behind(server: DemoServer) -> None:
    """A thousand connections, which is a day of one every ninety seconds."""
    server.faults.ending_events.arm(0.0)
    timing = msgspec.structs.replace(HASTE, first_pause=0, longest_pause=0)
    async with account(server.url, timing=timing) as one:
        await one.until(lambda one: len(one.hints) > 200)
        tasks, used = len(asyncio.all_tasks()), _resident()
        await one.until(lambda one: len(one.hints) > 1000)
        assert len(asyncio.all_tasks()) <= tasks + 2
        assert _resident() - used < 3 << 20
        server.faults.ending_events.disarm()
        await listened(server)
        count = len(one.hints)
        server.account.deliver(message())
        await one.until(lambda one: "push reports Email, Mailbox" in one.hints[count:])


def _resident() -> int:
    """Return the octets of memory in use."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


# No push


@pytest.mark.parametrize("answer", [Answer(204), Answer(404), Answer(400), Answer(403), Answer.html()])
async def test_a_server_without_push_is_polled_and_not_asked_again(stream: DemoServer, answer: Answer) -> None:
    stream.faults.answer.arm(answer, only=["events"])
    async with account(stream.url) as one:
        why = await one.polls()
        await asyncio.sleep(0.2)
        assert why
        assert stream.requests.count("events") == 1
        assert not one.hints


async def test_a_session_without_an_event_stream_means_polling() -> None:
    with DemoServer() as server:
        server.faults.event_source_url.arm("")
        async with account(server.url) as one:
            assert await one.polls() == "The server offers no push."


async def test_an_event_stream_at_a_host_that_was_not_approved_means_polling(stream: DemoServer) -> None:
    stream.faults.event_source_url.arm("https://push.example.com/")
    async with account(stream.url) as one:
        assert "push.example.com" in await one.polls()


async def test_an_event_stream_without_template_variables_is_used(stream: DemoServer) -> None:
    stream.faults.event_source_url.arm("/jmap/events/")
    async with account(stream.url, timing=STEADY) as one:
        await listened(stream)
        await asyncio.sleep(STEADY.ping * 2.7)
        assert one.hints == [SYNC]
        assert one.listener.state.connected


async def test_a_proxy_that_buffers_means_polling(stream: DemoServer) -> None:
    stream.faults.held_events.arm()
    async with account(stream.url, timing=SILENCE_COUNTS) as one:
        assert "buffering" in await one.polls()
        assert one.hints == [SYNC, SYNC]
        assert stream.requests.count("events") == 2


async def test_push_that_never_pings_means_polling(stream: DemoServer) -> None:
    stream.faults.no_pings.arm()
    async with account(stream.url, timing=SILENCE_COUNTS) as one:
        assert "sent nothing" in await one.polls()


async def test_push_is_tested_the_more_seldom_the_longer_there_is_none(stream: DemoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await asyncio.Event().wait() if len(pauses) > 6 else None

    monkeypatch.setattr("jmapsync.daemon.push_listener.random.uniform", lambda low, high: (low + high) / 2)
    monkeypatch.setattr("jmapsync.daemon.push_listener.asyncio.sleep", sleep)
    stream.faults.event_source_url.arm("")
    async with account(stream.url, timing=msgspec.structs.replace(HASTE, first_retest=900, longest_retest=6000)) as one:
        async with asyncio.timeout(90):
            while len(pauses) < 5:
                await asyncio.wait([one.task], timeout=0.01)
    assert pauses[:5] == [900, 1800, 3600, 6000, 6000]


async def test_push_is_tested_again_in_a_while(stream: DemoServer) -> None:
    stream.faults.event_source_url.arm("", times=None)
    timing = msgspec.structs.replace(HASTE, first_retest=0.2, longest_retest=0.2)
    async with account(stream.url, timing=timing) as one:
        await one.polls()
        stream.faults.event_source_url.disarm()
        await one.connected()
        assert one.hints == [SYNC]


async def test_a_websocket_that_is_refused_gives_way_to_the_event_stream() -> None:
    with DemoServer(dialect=WITH_WEBSOCKET) as server:
        server.faults.answer.arm(Answer(404), only=["websocket"])
        async with account(server.url) as one:
            await one.connected()
            assert one.listener.state.mode == "eventsource"
            assert (server.requests.count("websocket"), server.requests.count("events")) == (1, 1)


# Who may listen


async def test_a_push_endpoint_that_refuses_is_polled_for_and_has_the_account_synced(server: DemoServer) -> None:
    server.faults.answer.arm(Answer(401), only=["events", "websocket"])
    async with account(server.url) as one:
        assert "127.0.0.1" in await one.polls()
        assert set(one.hints) == {"push was refused"}
        assert not one.task.done()
        server.faults.answer.disarm()
        one.listener.renew()
        await one.connected()


async def test_a_credential_that_the_server_refuses_leaves_the_listener_waiting(server: DemoServer) -> None:
    server.credentials.password = "another"
    async with account(server.url) as one:
        assert "did not accept" in await one.polls()
        assert not one.task.done()


async def test_what_nobody_foresaw_makes_way_for_the_other_way(monkeypatch: pytest.MonkeyPatch) -> None:
    crashes: list[Exception] = []

    def connect(*_: object) -> Never:
        raise LookupError

    monkeypatch.setattr("jmapsync.jmap.websocket.WebSocket.connect", connect)
    with DemoServer(dialect=WITH_WEBSOCKET) as server:
        async with account(server.url, crashed=crashes.append) as one:
            await one.connected()
            assert one.listener.state.mode == "eventsource"
    assert [type(error) for error in crashes] == [LookupError]


async def test_server_trouble_of_every_kind_is_outlived(stream: DemoServer) -> None:
    troubles = [
        Answer(500),
        Answer(502),
        Answer.unavailable(),
        Answer.too_many_requests("0"),
        Answer(418),
        Answer.redirect("/jmap/events/"),
    ]
    async with account(stream.url, timing=msgspec.structs.replace(HASTE, first_retest=0.05, longest_retest=0.05)) as one:
        for trouble in troubles:
            await one.connected()
            stream.faults.answer.arm(trouble, only=["events"], times=2)
            count = one.hints.count(SYNC)
            one.listener.renew()
            await one.until(lambda one, count=count: one.hints.count(SYNC) > count)  # type: ignore[misc]
