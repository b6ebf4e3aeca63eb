"""Several askers share one request (RFC 8620, 3.3): each gets its own results, and what cannot be asked together is asked apart."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.errors import ServerError
from jmapsync.jmap.failures import RequestError
from jmapsync.jmap.first_request import Bundle
from jmapsync.jmap.wire import Call, Response, decode_response, encode_request

if TYPE_CHECKING:
    from collections.abc import Sequence


NOTHING: dict[str, Any] = {"list": [], "notFound": [], "created": [], "updated": [], "destroyed": []}
"""What an answer has to hold."""


class Server:
    """Answers each call with its own arguments, and notes the requests."""

    def __init__(self, most: int = 16) -> None:
        self.requests: list[dict[str, Any]] = []
        self.most = most
        self.failure: Exception | None = None

    async def send(self, calls: Sequence[Call], using: Sequence[str]) -> Response:
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        if len(calls) > self.most:
            raise RequestError.too_large("maxCallsInRequest", len(calls), self.most)
        request = json.loads(encode_request(calls, using))
        self.requests.append(request)
        answers = [[name, {"asked": arguments, **NOTHING}, id_] for name, arguments, id_ in request["methodCalls"]]
        return decode_response(json.dumps({"methodResponses": answers, "sessionState": "s"}).encode())


def calls_of(kind: str) -> list[Call]:
    changes = Call(f"{kind}/changes", {"sinceState": "1"}, "changes")
    return [changes, Call(f"{kind}/get", {"ids": changes.ref("/updated")}, "get")]


async def ask(bundle: Bundle, kind: str) -> dict[str, Any]:
    changes, get = calls_of(kind)
    response = await bundle.call([changes, get], ["core", kind])
    assert response.get(changes)["asked"] == {"sinceState": "1"}
    return {"asked": response.get(get)["asked"]}


@pytest.mark.anyio
async def test_what_several_ask_is_one_request_and_each_gets_its_part() -> None:
    server = Server()
    bundle = Bundle(server.send, 2)
    email, card = await asyncio.gather(ask(bundle, "Email"), ask(bundle, "ContactCard"))
    [request] = server.requests
    assert [name for name, _, _ in request["methodCalls"]] == [
        "Email/changes",
        "Email/get",
        "ContactCard/changes",
        "ContactCard/get",
    ]
    assert len({id_ for _, _, id_ in request["methodCalls"]}) == 4
    assert sorted(request["using"]) == ["ContactCard", "Email", "core"]
    references = [answer["asked"]["#ids"] for answer in (email, card)]
    assert [one["name"] for one in references] == ["Email/changes", "ContactCard/changes"]
    assert [one["resultOf"] for one in references] == [request["methodCalls"][0][2], request["methodCalls"][2][2]]


@pytest.mark.anyio
async def test_who_wants_nothing_does_not_keep_the_others_waiting() -> None:
    server = Server()
    bundle = Bundle(server.send, 3)
    asking = asyncio.create_task(ask(bundle, "Email"))
    await asyncio.sleep(0)
    assert not server.requests
    bundle.leave()
    bundle.leave()
    await asking
    assert len(server.requests) == 1
    assert not bundle.is_open


@pytest.mark.anyio
async def test_leaving_after_the_request_was_sent_means_nothing() -> None:
    server = Server()
    bundle = Bundle(server.send, 1)
    await ask(bundle, "Email")
    bundle.leave()
    assert len(server.requests) == 1


@pytest.mark.anyio
async def test_what_is_too_much_for_one_request_is_sent_in_several() -> None:
    server = Server(most=2)
    bundle = Bundle(server.send, 2)
    await asyncio.gather(ask(bundle, "Email"), ask(bundle, "ContactCard"))
    assert [len(request["methodCalls"]) for request in server.requests] == [2, 2]


@pytest.mark.anyio
async def test_everybody_hears_of_a_failure() -> None:
    server = Server()
    server.failure = ServerError("down")
    bundle = Bundle(server.send, 2)
    reported = await asyncio.gather(ask(bundle, "Email"), ask(bundle, "ContactCard"), return_exceptions=True)
    assert [type(one) for one in reported] == [ServerError, ServerError]


@pytest.mark.anyio
async def test_a_request_that_is_refused_by_itself_is_reported() -> None:
    bundle = Bundle(Server(most=1).send, 1)
    with pytest.raises(RequestError):
        await ask(bundle, "Email")
