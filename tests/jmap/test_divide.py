"""More calls than one request may hold go in several, as if it had been one (RFC 8620, 2 and 3.7)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.errors import NetworkError, OutcomeUnknownError, ServerError
from jmapsync.jmap.auth import BasicCredential
from jmapsync.jmap.client import Client
from jmapsync.jmap.divide import send_divided
from jmapsync.jmap.failures import MethodError
from jmapsync.jmap.wire import Call, Response, decode_response
from tests.jmap.peer import CORE, Answer, Peer

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.anyio

LIST = Call("Email/query", {"accountId": "a"}, "q")
RESULTS: dict[str, dict[str, Any]] = {
    "Email/query": {"ids": ["m1", "m2"]},
    "Email/get": {"list": [{"id": "m1", "boxes": ["b1", "b2"]}, {"id": "m2", "boxes": ["b3"]}]},
    "Mailbox/get": {"list": []},
}


class Server:
    """Answers each call from a table and remembers what it was sent."""

    def __init__(self, fails: str = "", error: Exception | None = None) -> None:
        self.sent: list[list[Call]] = []
        self._fails, self._error = fails, error

    async def send(self, calls: Sequence[Call]) -> Response:
        self.sent.append(list(calls))
        if self._error is not None and len(self.sent) > 1:
            raise self._error
        answers = [self._answer(call) for call in calls]
        return decode_response(json.dumps({"methodResponses": answers, "sessionState": "s"}).encode())

    def _answer(self, call: Call) -> list[Any]:
        if call.name == self._fails:
            return ["error", {"type": "serverFail"}, call.id]
        return [call.name, RESULTS[call.name], call.id]


def chain() -> tuple[Call, Call, Call]:
    emails = Call("Email/get", {"accountId": "a", "ids": LIST.ref("/ids")}, "e")
    return LIST, emails, Call("Mailbox/get", {"accountId": "a", "ids": emails.ref("/list/*/boxes")}, "b")


async def test_a_reference_to_an_earlier_request_is_resolved_here() -> None:
    server = Server()
    query, emails, boxes = chain()
    response = await send_divided([query, emails, boxes], 1, server.send, repeatable=True)
    assert [call.args.get("ids") for [call] in server.sent] == [None, ["m1", "m2"], ["b1", "b2", "b3"]]
    assert response.get(boxes)["list"] == []
    assert response.session_state == "s"


async def test_a_reference_within_one_request_is_left_to_the_server() -> None:
    server = Server()
    query, emails, boxes = chain()
    await send_divided([query, emails, boxes], 2, server.send, repeatable=True)
    assert [len(calls) for calls in server.sent] == [2, 1]
    assert server.sent[0][1].args["ids"] == LIST.ref("/ids")


@pytest.mark.parametrize("path", ["/none", "/ids/7", "/ids/x"])
async def test_a_reference_that_leads_nowhere_fails_its_call_alone(path: str) -> None:
    server = Server()
    lost = Call("Email/get", {"ids": LIST.ref(path)}, "e")
    last = Call("Mailbox/get", {}, "b")
    response = await send_divided([LIST, lost, last], 1, server.send, repeatable=True)
    with pytest.raises(MethodError, match="invalidResultReference"):
        response.get(lost)
    assert response.get(last)["list"] == []


async def test_a_reference_to_a_call_that_failed_fails_as_that_call() -> None:
    server = Server("Email/query")
    query, emails, _ = chain()
    response = await send_divided([query, emails], 1, server.send, repeatable=True)
    with pytest.raises(MethodError, match="serverFail"):
        response.get(emails)


@pytest.mark.parametrize("error", [NetworkError("gone"), ServerError("HTML")])
async def test_a_later_request_that_fails_leaves_the_outcome_of_what_may_not_be_repeated_unknown(error: Exception) -> None:
    with pytest.raises(OutcomeUnknownError):
        await send_divided([LIST, LIST], 1, Server(error=error).send, repeatable=False)
    with pytest.raises(type(error)):
        await send_divided([LIST, LIST], 1, Server(error=error).send, repeatable=True)


@pytest.mark.parametrize("limits", [{"maxCallsInRequest": 1}, {"maxSizeRequest": 200}])
async def test_the_client_divides_by_the_session_s_limits(peer: Peer, limits: dict[str, int]) -> None:
    peer.offer_session(capabilities={CORE: limits})
    echoes = [Call("Core/echo", {"text": str(number) * 60}, str(number)) for number in range(3)]
    peer.on("/api", lambda seen: Answer.json({"methodResponses": seen.calls, "sessionState": "s0"}))
    async with Client(f"{peer.url}/session", BasicCredential("alice", "sesame")) as client:
        response = await client.call(echoes, using=[CORE])
    assert [len(seen.calls) for seen in peer.seen_at("/api")] == [1, 1, 1]
    assert [response.get(echo) for echo in echoes] == [echo.args for echo in echoes]
