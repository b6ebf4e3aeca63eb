"""Calls that ride with a request of others: no request of their own, and the others do without them where it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.errors import SignInError
from jmapsync.jmap import exchange
from jmapsync.jmap.auth import BasicCredential
from jmapsync.jmap.client import Client
from jmapsync.jmap.wire import Call
from tests.jmap.peer import CORE, ECHO, MAIL, Answer, result, session_object

if TYPE_CHECKING:
    from jmapsync.jmap.first_request import Rider
    from tests.jmap.peer import Peer

pytestmark = pytest.mark.anyio

ECHO_CALL = Call("Core/echo", {"hello": True}, "c0")
MORE = Call("Core/echo", {"more": True}, "ahead-more")
BOTH = result(ECHO, ["Core/echo", {"more": True}, "ahead-more"])


def client(peer: Peer, **options: Any) -> Client:  # noqa: ANN401  # passed on
    return Client(f"{peer.url}/session", BasicCredential("alice", "sesame"), **options)


async def ridden(c: Client) -> Rider:
    """Send a call with one that rides, and then another one; return what became of the one that rode."""
    c.ride("more", [MORE], [CORE])
    for _ in range(2):
        assert (await c.call([ECHO_CALL], using=[CORE])).get(ECHO_CALL) == {"hello": True}
    rider = c.ridden("more")
    assert rider is not None
    return rider


def names(peer: Peer) -> list[list[str]]:
    return [[call[2] for call in seen.calls] for seen in peer.seen_at("/api")]


async def test_they_are_sent_once_with_the_first_request(peer: Peer) -> None:
    peer.on("/api", BOTH, result(ECHO))
    async with client(peer) as c:
        rider = await ridden(c)
    assert rider.response is not None
    assert rider.response.get(MORE) == {"more": True}
    assert names(peer) == [["c0", "ahead-more"], ["c0"]]


async def test_a_request_that_fails_with_them_is_sent_without_them_and_at_once(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "_SHORT_PAUSE", 0.1)
    peer.on("/api", Answer(503, b"", {"Retry-After": "3600"}), result(ECHO))
    waits: list[float] = []
    async with client(peer, on_wait=lambda seconds, _: waits.append(seconds)) as c:
        rider = await ridden(c)
    assert (rider.response, c.rode_in_vain, waits) == (None, True, [])
    assert "asks for a pause of 3600 seconds" in str(rider.failure)
    assert names(peer) == [["c0", "ahead-more"], ["c0"], ["c0"]]


async def test_a_server_that_takes_one_call_at_a_time_is_sent_none_with_another(peer: Peer) -> None:
    peer.on("/session", Answer.json(session_object(capabilities={CORE: {"maxCallsInRequest": 1}, MAIL: {}})))
    async with client(peer) as c:
        assert (await ridden(c)).waits
    assert names(peer) == [["c0"], ["c0"]]


async def test_a_secret_that_is_refused_is_sent_once(peer: Peer) -> None:
    peer.on("/api", Answer(401, b"", {"WWW-Authenticate": "Basic"}))
    async with client(peer) as c:
        c.ride("more", [MORE], [CORE])
        with pytest.raises(SignInError):
            await c.call([ECHO_CALL], using=[CORE])
    assert names(peer) == [["c0", "ahead-more"]]
