"""The client against a real HTTP server: retries by remedy, limits, and a session kept fresh."""

from __future__ import annotations

import asyncio
import socket
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.errors import DiscoveryError, NetworkError, OutcomeUnknownError, Remedy, ServerError, SignInError
from jmapsync.jmap.auth import BasicCredential
from jmapsync.jmap.bounds import Bounds
from jmapsync.jmap.client import MAX_WAIT, Client
from jmapsync.jmap.failures import RequestError
from jmapsync.jmap.wire import Call
from tests.jmap.peer import CORE, ECHO, HTML, MAIL, SILENCE, Answer, Peer, Seen, redirect, result, session_object

if TYPE_CHECKING:
    from jmapsync.jmap.session import Session
    from jmapsync.jmap.wire import Response

pytestmark = pytest.mark.anyio

ECHO_CALL = Call("Core/echo", {"hello": True}, "c0")
BUSY = Answer(503, b"", {"Content-Type": "text/plain"})


def client(peer: Peer, **options: Any) -> Client:  # noqa: ANN401  # passed on
    return Client(f"{peer.url}/session", BasicCredential("alice", "sesame"), **options)


async def echo(c: Client, **options: Any) -> Response:  # noqa: ANN401  # passed on
    return await c.call([ECHO_CALL], using=[CORE], **options)


async def kept_session(peer: Peer) -> Session:
    async with client(peer) as c:
        session = await c.session()
    peer.seen.clear()
    return session


# One request after the other


async def test_calls_go_to_the_session_s_api_with_the_credential(peer: Peer) -> None:
    async with client(peer) as c:
        assert (await echo(c)).get(ECHO_CALL) == {"hello": True}
    sent = peer.seen_at("/api")[0]
    assert sent.calls == [["Core/echo", {"hello": True}, "c0"]]
    assert sent.headers["authorization"] == "Basic YWxpY2U6c2VzYW1l"
    assert sent.headers["content-type"] == "application/json"


async def test_every_request_is_counted_and_every_octet(peer: Peer) -> None:
    async with client(peer) as c:
        await echo(c)
        assert c.requests == len(peer.seen) == 2
        assert c.received == len(Answer.json(session_object()).body) + len(result(ECHO).body)


async def test_a_kept_session_costs_no_request(peer: Peer) -> None:
    session = await kept_session(peer)
    async with client(peer, session=session) as c:
        await echo(c)
        assert c.requests == 1
        assert not c.session_changed


@pytest.mark.usefixtures("either_client")
async def test_an_http_connection_is_kept_between_requests(peer: Peer) -> None:
    async with client(peer) as c:
        for _ in range(3):
            await echo(c)
        assert len(peer._connections) == 1


@pytest.mark.usefixtures("either_client")
async def test_nothing_is_compressed_on_the_loopback(peer: Peer) -> None:
    async with client(peer) as c:
        await echo(c)
    assert peer.seen[-1].headers["accept-encoding"] == "identity"


# Failures by remedy


@pytest.mark.usefixtures("either_client")
async def test_a_refused_secret_is_reported_at_once_and_never_repeated(peer: Peer) -> None:
    peer.on("/session", Answer(401, b"<html>", {"WWW-Authenticate": 'Basic realm="x"'}))
    async with client(peer) as c:
        with pytest.raises(SignInError):
            await c.session()
        assert c.requests == 1


@pytest.mark.usefixtures("either_client")
async def test_a_server_that_is_busy_is_asked_again(peer: Peer) -> None:
    waits: list[str] = []
    peer.on("/api", BUSY, BUSY, result(ECHO))
    async with client(peer, on_wait=lambda _, why: waits.append(why)) as c:
        assert (await echo(c, repeatable=False)).get(ECHO_CALL)
        assert c.requests == 4
    assert len(waits) == 2
    assert "503" in waits[0]


@pytest.mark.usefixtures("either_client")
async def test_a_pause_until_a_date_is_kept_by_every_request(peer: Peer) -> None:
    now = time.time()
    dates = {"Date": formatdate(now, usegmt=True), "Retry-After": formatdate(now + 1, usegmt=True)}
    peer.on("/api", Answer(429, b"", dates), result(ECHO))
    arrived: list[float] = []
    async with client(peer) as c:
        await c.session()
        begin = time.monotonic()

        async def ask() -> None:
            await echo(c)
            arrived.append(time.monotonic() - begin)

        async with asyncio.TaskGroup() as group:
            group.create_task(ask())
            await asyncio.sleep(0.2)
            group.create_task(ask())
    assert len(peer.seen_at("/api")) == 3
    assert min(arrived) >= 0.95


@pytest.mark.usefixtures("either_client")
async def test_a_pause_longer_than_patience_is_an_error_for_later(peer: Peer) -> None:
    peer.on("/api", Answer(429, b"", {"Retry-After": "9000"}))
    async with client(peer) as c:
        with pytest.raises(ServerError, match="pause of 9000 seconds") as caught:
            await echo(c)
        assert len(peer.seen_at("/api")) == 1
    assert caught.value.remedy is Remedy.LATER


async def test_a_portal_s_page_is_asked_for_once_more_then_reported(peer: Peer) -> None:
    peer.on("/api", HTML)
    async with client(peer) as c:
        with pytest.raises(ServerError, match="HTML page"):
            await echo(c)
    assert len(peer.seen_at("/api")) == 2


async def test_a_portal_that_opens_in_time_does_no_harm(peer: Peer) -> None:
    peer.on("/api", HTML, result(ECHO))
    async with client(peer) as c:
        assert (await echo(c)).get(ECHO_CALL)


@pytest.mark.parametrize("broken", [SILENCE, Answer(body=result(ECHO).body, sent=20)])
@pytest.mark.usefixtures("either_client")
async def test_a_broken_connection_is_tried_again(peer: Peer, broken: Answer) -> None:
    peer.on("/api", broken, result(ECHO))
    async with client(peer) as c:
        assert (await echo(c)).get(ECHO_CALL)


UNKNOWN_OUTCOMES = {
    "no answer": SILENCE,
    "half an answer": Answer(body=result(ECHO).body, sent=20),
    "HTML": HTML,
    "bad gateway": Answer(502),
    "gateway timeout": Answer(504),
    "internal error": Answer(500),
}


@pytest.mark.parametrize("answer", UNKNOWN_OUTCOMES.values(), ids=UNKNOWN_OUTCOMES.keys())
async def test_what_must_not_be_repeated_is_not(peer: Peer, answer: Answer) -> None:
    peer.on("/api", answer)
    async with client(peer) as c:
        with pytest.raises(OutcomeUnknownError, match="unknown"):
            await echo(c, repeatable=False)
    assert len(peer.seen_at("/api")) == 1


async def test_a_timeout_leaves_the_outcome_unknown(peer: Peer) -> None:
    peer.on("/api", Answer(delay=60))
    async with client(peer) as c:
        await c.session()
        c.exchange.transport.bounds = Bounds(silence=0.1)
        with pytest.raises(OutcomeUnknownError, match="silent"):
            await echo(c, repeatable=False)


@pytest.mark.usefixtures("either_client")
async def test_what_is_in_flight_ends_before_the_connections_are_closed(peer: Peer) -> None:
    """A connection that was being made then would stay open: nobody would know of it."""
    peer.on("/api", Answer(delay=60))
    async with client(peer) as c:
        await c.session()
        waiting = asyncio.create_task(echo(c))
        while not peer.seen_at("/api"):  # noqa: ASYNC110  # it is a list
            await asyncio.sleep(0.005)
    assert waiting.cancelled()


async def test_what_never_reached_the_server_is_repeated_even_if_it_must_not_be(peer: Peer) -> None:
    async with client(peer) as c:
        await c.session()
        port = peer.port
        await peer.stop()
        waiting = asyncio.create_task(echo(c, repeatable=False))
        await asyncio.sleep(0.1)
        back = Peer()
        back.on("/api", result(ECHO))
        back._server = await asyncio.start_server(back._serve, "127.0.0.1", port)
        assert (await waiting).get(ECHO_CALL)
        await back.stop()


@pytest.mark.usefixtures("either_client")
async def test_a_host_that_was_never_reached_is_reported_within_seconds() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/session"
    async with Client(url, BasicCredential("alice", "sesame")) as c:
        begin = time.monotonic()
        with pytest.raises(NetworkError, match="could not be reached") as caught:
            await c.session()
        assert time.monotonic() - begin < MAX_WAIT / 2
    assert caught.value.remedy is Remedy.LATER


async def test_a_page_where_a_session_should_be_is_a_wrong_address(peer: Peer) -> None:
    peer.on("/session", HTML)
    async with client(peer) as c:
        with pytest.raises(DiscoveryError, match=r"127\.0\.0\.1.*HTML page"):
            await c.session()


async def test_a_wrong_address_says_what_was_found_there(peer: Peer) -> None:
    peer.on("/session", Answer(404))
    async with client(peer) as c:
        with pytest.raises(DiscoveryError, match=r"nothing at /session \(status 404\).*set url"):
            await c.session()


# Limits


async def test_too_large_a_request_is_not_sent(peer: Peer) -> None:
    peer.offer_session(capabilities={CORE: {"maxSizeRequest": 100}})
    async with client(peer) as c:
        with pytest.raises(RequestError, match="maxSizeRequest"):
            await c.call([Call("Core/echo", {"text": "x" * 100}, "c0")], using=[CORE])
    assert not peer.seen_at("/api")


async def test_no_more_requests_are_under_way_than_the_session_allows(peer: Peer) -> None:
    peer.offer_session(capabilities={CORE: {"maxConcurrentRequests": 2}})
    peer.on("/api", Answer(body=result(ECHO).body, delay=0.02))
    async with client(peer) as c:
        await asyncio.gather(*(echo(c) for _ in range(8)))
    assert peer.most_under_way == 2


async def test_the_user_may_allow_less_than_the_session(peer: Peer) -> None:
    peer.on("/api", Answer(body=result(ECHO).body, delay=0.02))
    async with client(peer, max_concurrent=1) as c:
        await asyncio.gather(*(echo(c) for _ in range(4)))
    assert peer.most_under_way == 1


@pytest.mark.usefixtures("either_client")
async def test_a_server_that_finds_it_too_many_is_sent_fewer_at_once(peer: Peer) -> None:
    problem = {"type": "urn:ietf:params:jmap:error:limit", "limit": "maxConcurrentRequests", "status": 400}
    refused = Answer.json(problem, 400, Content_Type="application/problem+json")
    peer.offer_session(capabilities={CORE: {"maxConcurrentRequests": 3}})

    def picky(seen: Seen) -> Answer:
        return refused if peer.under_way > 2 else Answer(body=result(ECHO).body, delay=0.05)

    peer.on("/api", picky)
    async with client(peer) as c:
        await asyncio.gather(*(echo(c) for _ in range(12)))
        assert c.request_limit.count < 3


# The session


async def test_another_session_state_has_the_session_read_again(peer: Peer) -> None:
    session = await kept_session(peer)
    peer.offer_session(state="s1", apiUrl="/moved")
    peer.on("/api", result(ECHO, state="s1"))
    peer.on("/moved", result(ECHO, state="s1"))
    async with client(peer, session=session) as c:
        await echo(c)
        assert c.session_changed
        assert (await c.session()).state == "s1"
        assert not c.session_changed
        await echo(c)
    assert [seen.path for seen in peer.seen] == ["/api", "/session", "/moved"]


async def test_a_state_that_never_agrees_causes_one_run(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jmapsync.jmap.client.SESSION_SECONDS", 0.0)
    peer.on("/api", result(ECHO, state="always different"))
    async with client(peer) as c:
        for _ in range(4):
            await echo(c)
    assert len(peer.seen_at("/session")) == 2


async def test_a_flapping_state_causes_one_run(peer: Peer) -> None:
    peer.on("/api", *(result(ECHO, state=f"flap {n}") for n in range(6)))
    async with client(peer) as c:
        for _ in range(6):
            await echo(c)
    assert len(peer.seen_at("/session")) == 2


async def test_a_limit_that_was_lowered_is_read_again_though_the_session_was_read_just_before(peer: Peer) -> None:
    failed = Answer.json({"methodResponses": [["error", {"type": "requestTooLarge"}, ECHO_CALL.id]], "sessionState": "s2"})
    peer.on("/api", result(ECHO, state="s1"), failed)
    async with client(peer) as c:
        await echo(c)
        await c.session()
        await echo(c)
        assert c.session_changed
        peer.offer_session(state="s2", capabilities={CORE: {"maxObjectsInGet": 1}, MAIL: {}})
        assert (await c.session()).limits.max_objects_in_get == 1


async def test_an_api_that_moved_is_found_again(peer: Peer) -> None:
    session = await kept_session(peer)
    peer.offer_session(apiUrl="/moved")
    peer.on("/api", Answer(404))
    peer.on("/moved", result(ECHO))
    async with client(peer, session=session) as c:
        assert (await echo(c, repeatable=False)).get(ECHO_CALL)
    assert [seen.path for seen in peer.seen] == ["/api", "/session", "/moved"]


async def test_an_api_that_stays_away_is_reported(peer: Peer) -> None:
    peer.on("/api", Answer(404))
    async with client(peer) as c:
        with pytest.raises(RequestError, match="nothing at /api"):
            await echo(c)
    assert len(peer.seen) == 4


async def test_a_capability_that_was_lost_is_left_out(peer: Peer) -> None:
    session = await kept_session(peer)
    unknown = Answer.json({"type": "urn:ietf:params:jmap:error:unknownCapability", "status": 400}, 400)
    peer.offer_session(capabilities={CORE: {}})
    peer.on("/api", unknown, result(ECHO))
    async with client(peer, session=session) as c:
        await c.call([ECHO_CALL], using=[CORE, MAIL])
    assert b"jmap:mail" in peer.seen_at("/api")[0].body
    assert b"jmap:mail" not in peer.seen_at("/api")[1].body


async def test_a_session_url_that_went_away_is_discovered_anew(peer: Peer) -> None:
    session = await kept_session(peer)
    peer.on("/.well-known/jmap", redirect("/session2"))
    peer.on("/session", Answer(404))
    peer.on("/session2", Answer.json(session_object(apiUrl="/moved")))
    peer.on("/api", Answer(404))
    peer.on("/moved", result(ECHO))
    async with Client(peer.url, BasicCredential("alice", "sesame"), session=session) as c:
        assert (await echo(c)).get(ECHO_CALL)


async def test_a_known_server_without_its_session_is_in_trouble_not_misspelt(peer: Peer) -> None:
    session = await kept_session(peer)
    peer.on("/session", HTML)
    async with client(peer, session=session) as c:
        c.expire_session()
        with pytest.raises(ServerError, match="no longer answers") as caught:
            await c.session()
    assert caught.value.remedy is Remedy.LATER
