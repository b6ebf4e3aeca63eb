from __future__ import annotations

import asyncio
import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from jmapsync.demo import DemoServer
from tests.contract.peer import message

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def listening(server: DemoServer, query: str, timeout: float = 90, last_id: str = "") -> Iterator[Iterator[str]]:
    """Open an event stream; it is connected once this returns."""
    url = f"{server.origin}/jmap/events/?{query}"
    with httpx.stream("GET", url, auth=("demo", "demo"), headers={"Last-Event-ID": last_id}, timeout=timeout) as answer:
        lines = answer.iter_lines()
        assert next(lines) == ": connected"
        yield (line for line in lines if line)


def changed(line: str) -> dict[str, dict[str, str]]:
    event = json.loads(line.removeprefix("data: "))
    assert event["@type"] == "StateChange"
    return dict(event["changed"])


def test_a_change_is_reported_at_once_with_the_states_it_led_to(server: DemoServer) -> None:
    with listening(server, "types=*&closeafter=no&ping=0") as lines:
        server.account.deliver(message())
        assert next(lines) == "event: state"
        assert next(lines).startswith("id: ")
        states = {name: server.account.state(name) for name in ("Mailbox", "Email")}
        assert changed(next(lines)) == {"a1": states}


def test_no_change_after_the_connection_is_missed_however_soon_it_comes(server: DemoServer) -> None:
    for _ in range(50):
        with listening(server, "types=*&closeafter=no&ping=0") as lines:
            server.account.deliver(message())
            assert next(lines) == "event: state"


def test_no_change_after_the_head_of_the_answer_is_missed(server: DemoServer) -> None:
    """A thread that waits there has long reported to the client that it is connected."""
    sent: list[bytes] = []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(3600)
        return {}

    async def send(part: Any) -> None:  # noqa: ANN401  # of ASGI
        if part["type"] == "http.response.start":
            server.account.deliver(message())
        else:
            sent.append(part["body"])

    scope = {
        "type": "http",
        "asgi": {"spec_version": "2.4"},
        "method": "GET",
        "path": "/jmap/events/",
        "query_string": b"types=*&closeafter=state&ping=0",
        "headers": [(b"authorization", b"Basic ZGVtbzpkZW1v")],
    }
    asyncio.run(asyncio.wait_for(server.endpoints.application()(scope, receive, send), 5))
    assert b"event: state" in b"".join(sent)


def test_only_the_types_asked_for_are_reported(server: DemoServer) -> None:
    with listening(server, "types=Mailbox&closeafter=no&ping=0") as lines:
        email_id = server.account.deliver(message())
        first = [next(lines) for _ in range(3)]
        server.account.set_keyword(email_id, "$seen")
        second = [next(lines) for _ in range(3)]
        assert first[0] == second[0] == "event: state"
        assert [changed(event[2])["a1"].keys() for event in (first, second)] == [{"Mailbox"}, {"Mailbox"}]


def test_the_stream_closes_after_a_state_if_asked_to(server: DemoServer) -> None:
    with listening(server, "types=*&closeafter=state&ping=0") as lines:
        server.account.deliver(message())
        assert len(list(lines)) == 3


def test_pings_come_as_often_as_asked_for(server: DemoServer) -> None:
    with listening(server, "types=*&closeafter=no&ping=1") as lines:
        assert [next(lines), next(lines)] == ["event: ping", 'data: {"interval":1}']


def test_a_client_that_comes_back_is_sent_what_it_missed(server: DemoServer) -> None:
    with listening(server, "types=*&closeafter=state&ping=0") as lines:
        server.account.deliver(message())
        last = next(line for line in lines if line.startswith("id: ")).removeprefix("id: ")
    server.account.deliver(message())
    with listening(server, "types=*&closeafter=state&ping=0", last_id=last) as lines:
        assert next(lines) == "event: state"


def test_a_dead_stream_says_nothing(server: DemoServer) -> None:
    server.faults.silent_events.arm()
    with listening(server, "types=*&closeafter=no&ping=1", timeout=3) as lines:
        server.account.deliver(message())
        with pytest.raises(httpx.ReadTimeout):
            next(lines)


def test_nothing_leaves_a_stream_that_is_paused(server: DemoServer) -> None:
    server.faults.held_events.arm()
    url = f"{server.origin}/jmap/events/?types=*&closeafter=no&ping=1"
    with httpx.stream("GET", url, auth=("demo", "demo"), timeout=3) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        with pytest.raises(httpx.ReadTimeout):
            next(answer.iter_bytes())


def test_a_stream_without_pings_still_reports_changes(server: DemoServer) -> None:
    server.faults.no_pings.arm()
    with listening(server, "types=*&closeafter=no&ping=0.1") as lines:
        time.sleep(0.5)
        server.account.deliver(message())
        assert next(lines) == "event: state"


def test_pings_may_name_milliseconds(server: DemoServer) -> None:
    server.faults.pings_in_milliseconds.arm()
    with listening(server, "types=*&closeafter=no&ping=1") as lines:
        assert [next(lines), next(lines)] == ["event: ping", 'data: {"interval":1000}']


def test_a_stream_may_end_in_good_order(server: DemoServer) -> None:
    server.faults.ending_events.arm(0.05)
    with listening(server, "types=*&closeafter=no&ping=0") as lines:
        assert list(lines) == []


@pytest.mark.parametrize("url", ["", "/elsewhere"])
def test_the_session_may_name_another_stream_or_none(server: DemoServer, url: str) -> None:
    server.faults.event_source_url.arm(url)
    assert server.service.session(server.origin).get("eventSourceUrl", "") == url


def test_a_server_that_stops_ends_its_streams() -> None:
    server = DemoServer().start()
    with listening(server, "types=*&closeafter=no&ping=0") as lines:
        server.stop()
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError, StopIteration)):
            next(lines)
