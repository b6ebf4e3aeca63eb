"""The embedded server speaks JMAP over a WebSocket as RFC 8887 has it."""

from __future__ import annotations

import dataclasses
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from jmapsync.demo import RFC, Answer, DemoServer
from tests.contract.peer import message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from websockets.sync.client import ClientConnection

CORE = "urn:ietf:params:jmap:core"
CAPABILITY = "urn:ietf:params:jmap:websocket"


@pytest.fixture
def server() -> Iterator[DemoServer]:
    with DemoServer(dialect=dataclasses.replace(RFC, websocket=True)) as running:
        yield running


@contextmanager
def socket(server: DemoServer, token: str = "demo-token", subprotocol: str = "jmap") -> Iterator[ClientConnection]:
    url = server.service.session(server.origin)["capabilities"][CAPABILITY]["url"]
    headers = {"Authorization": f"Bearer {token}"}
    with connect(
        url, subprotocols=[Subprotocol(subprotocol)], additional_headers=headers, proxy=None, close_timeout=1, open_timeout=90
    ) as connection:
        yield connection


def ask(connection: ClientConnection, value: object) -> dict[str, Any]:
    connection.send(json.dumps(value))
    return hear(connection)


def hear(connection: ClientConnection, seconds: float = 90) -> dict[str, Any]:
    answer = json.loads(connection.recv(timeout=seconds))
    assert isinstance(answer, dict)
    return answer


def test_a_request_is_answered_with_its_id(server: DemoServer) -> None:
    request = {"@type": "Request", "id": "R1", "using": [CORE], "methodCalls": [["Core/echo", {"a": 1}, "c0"]]}
    with socket(server) as connection:
        assert connection.subprotocol == "jmap"
        answer = ask(connection, request)
    assert (answer["@type"], answer["requestId"]) == ("Response", "R1")
    assert answer["methodResponses"] == [["Core/echo", {"a": 1}, "c0"]]


@pytest.mark.parametrize("value", [{"@type": "Request", "id": "R1", "using": ["x"], "methodCalls": []}, {"@type": "Other"}, []])
def test_what_is_no_request_is_reported_so(server: DemoServer, value: object) -> None:
    with socket(server) as connection:
        answer = ask(connection, value)
    assert answer["@type"] == "RequestError"
    assert answer["type"].startswith("urn:ietf:params:jmap:error:")


def test_push_reports_the_types_asked_for_until_it_is_disabled(server: DemoServer) -> None:
    with socket(server) as connection:
        connection.send(json.dumps({"@type": "WebSocketPushEnable", "dataTypes": ["Email"]}))
        ask(connection, {"@type": "Other"})  # an answer means that what came before is done
        server.account.deliver(message())
        change = hear(connection)
        assert change["@type"] == "StateChange"
        assert change["changed"] == {"a1": {"Email": server.account.state("Email")}}
        connection.send(json.dumps({"@type": "WebSocketPushDisable"}))
        ask(connection, {"@type": "Other"})
        server.account.deliver(message())
        with pytest.raises(TimeoutError):
            hear(connection, 0.2)


def test_what_was_missed_since_a_push_state_is_reported(server: DemoServer) -> None:
    enable = {"@type": "WebSocketPushEnable", "dataTypes": None}
    with socket(server) as connection:
        connection.send(json.dumps(enable))
        ask(connection, {"@type": "Other"})
        server.account.deliver(message())
        state = hear(connection)["pushState"]
    server.account.deliver(message())
    with socket(server) as connection:
        assert ask(connection, {**enable, "pushState": state})["changed"]["a1"]["Email"] == server.account.state("Email")


def test_a_wrong_secret_is_refused(server: DemoServer) -> None:
    with pytest.raises(InvalidStatus) as caught, socket(server, token="wrong"):
        pass
    assert caught.value.response.status_code == 401


def test_another_answer_can_be_given_instead(server: DemoServer) -> None:
    server.faults.answer.arm(Answer(404), only=["websocket"])
    with pytest.raises(InvalidStatus) as caught, socket(server):
        pass
    assert caught.value.response.status_code == 404


def test_a_connection_can_end_in_good_order(server: DemoServer) -> None:
    server.faults.ending_events.arm(0.05)
    with socket(server) as connection:
        connection.send(json.dumps({"@type": "WebSocketPushEnable", "dataTypes": None}))
        with pytest.raises(ConnectionClosed):
            hear(connection)


def test_it_is_offered_only_where_the_dialect_has_it() -> None:
    with DemoServer() as server:
        assert CAPABILITY not in server.service.session(server.origin)["capabilities"]
