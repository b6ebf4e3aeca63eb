"""Follow `/changes` of several data types, whatever a server answers (RFC 8620, 5.2)."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import AsyncMock

import pytest

from jmapsync.jmap.failures import MethodError, RequestError
from jmapsync.jmap.session import Account, Limits
from jmapsync.jmap.wire import Call, decode_response
from jmapsync.planner.model import NO_TAGS, Order, Side, Verb
from jmapsync.storage.jmap.changes import ENDLESS, IDLE, Cursor, Follower, FullListingNeededError
from jmapsync.storage.jmap.mail.changes import MailChanges
from jmapsync.storage.jmap.mail.emails import Boxes
from jmapsync.storage.jmap.mail.get import EmailReader
from jmapsync.storage.jmap.set import refused_batch
from jmapsync.storage.port import Done, Job, Receipt, Success

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.jmap.client import Client
    from jmapsync.jmap.wire import Response

Answers = dict[str, list[dict[str, Any]]]
"""The results of `/changes` of each type, in the order in which they are asked for."""


def result(old: str, new: str, *created: str, more: bool = False) -> dict[str, Any]:
    return {"oldState": old, "newState": new, "hasMoreChanges": more, "created": created, "updated": [], "destroyed": []}


def follow(
    answers: Answers, stages: Sequence[Sequence[str]], read: Sequence[str] = ()
) -> tuple[list[list[str]], dict[str, str], str]:
    """Follow changes to their end; return the types of each request, the last states, and why a full listing is needed."""
    requests: list[list[str]] = []

    async def send(calls: list[Call]) -> Response:
        requests.append([call.id for call in calls])
        results = [[call.name, answers[call.id].pop(0), call.id] for call in calls]
        return decode_response(json.dumps({"methodResponses": results, "sessionState": "s"}).encode())

    async def run() -> tuple[dict[str, str], str]:
        states = dict.fromkeys((kind for stage in stages for kind in stage), "1")
        try:
            async for page in Follower(send, lambda kind, _: [Call(f"{kind}/changes", {}, kind)]).pages(states, stages):
                states = page.states
        except FullListingNeededError as needed:
            return states, needed.why
        return states, ""

    states, why = asyncio.run(run())
    return requests, states, why


def test_types_of_one_stage_are_asked_for_together_until_each_has_no_more() -> None:
    answers = {"A": [result("1", "2", more=True), result("2", "3")], "B": [result("1", "5", "x")]}
    assert follow(answers, [["A", "B"]]) == ([["A", "B"], ["A"]], {"A": "3", "B": "5"}, "")


def test_a_later_stage_waits_for_the_one_before_it() -> None:
    answers = {"A": [result("1", "2", more=True), result("2", "3")], "B": [result("1", "5")]}
    assert follow(answers, [["A"], ["B"]]) == ([["A"], ["A"], ["B"]], {"A": "3", "B": "5"}, "")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (result("0", "2"), "another state"),
        (result("1", "1", more=True), "does not advance"),
        ({"oldState": 1}, "malformed"),
    ],
)
def test_an_answer_that_cannot_be_believed_needs_a_full_listing(answer: dict[str, Any], why: str) -> None:
    assert why in follow({"A": [answer]}, [["A"]])[2]


def test_a_list_of_empty_pages_ends() -> None:
    answers = {"A": [result(str(number), str(number + 1), more=True) for number in range(1, 2 * IDLE)]}
    requests, _, why = follow(answers, [["A"]])
    assert (len(requests), why) == (IDLE + 1, ENDLESS)


def test_a_cursor_of_mail_as_it_was_written_before_is_read() -> None:
    assert Cursor.decode('{"email": "28", "mailbox": "31"}') == Cursor({"Email": "28"}, "31")
    assert Cursor.decode(Cursor({"Email": "28"}, "31", "s").encode()) == Cursor({"Email": "28"}, "31", "s")
    assert Cursor.decode("") is None


def test_what_a_page_says_of_mailboxes_does_not_count_where_its_changes_of_emails_cannot_be_believed() -> None:
    """So a full listing meets every mailbox that was known, and asks for those that it lacks by their ids."""
    results = [
        ["Mailbox/changes", result("1", "2") | {"destroyed": ["m8"]}, "boxes"],
        *(["Mailbox/get", {"list": [], "state": "2"}, name] for name in ("box-created", "box-updated")),
        ["Email/changes", result("0", "2"), "emails"],
    ]

    async def call(_: list[Call]) -> Response:
        return decode_response(json.dumps({"methodResponses": results, "sessionState": "s"}).encode())

    async def begin() -> None:
        reader = EmailReader(cast("Client", None), Account("a", "", True, False, {}), Boxes())
        for name, value in {"call": call, "page": AsyncMock(return_value=9), "limits": AsyncMock(return_value=Limits())}.items():
            setattr(reader, name, value)
        with pytest.raises(FullListingNeededError):
            await anext(MailChanges(reader).since(Cursor({"Email": "1"}, "1")))

    asyncio.run(begin())


def job(key: int) -> Job:
    return Job(Order(Side.REMOTE, Verb.UPDATE, key, None, None, NO_TAGS, frozenset(), ""), str(key), 0)


@pytest.mark.parametrize("error", [MethodError("requestTooLarge", "", "A/set"), RequestError("limit")])
def test_a_batch_that_is_too_large_is_halved_down_to_the_object_that_is(error: MethodError | RequestError) -> None:
    sizes: list[int] = []

    async def send(some: Sequence[Job]) -> list[Receipt]:
        sizes.append(len(some))
        if any(one.order.key == 3 for one in some):
            return await refused_batch(error, some, lambda one: one, send)
        return [Done(one.order.key) for one in some]

    receipts = asyncio.run(send([job(key) for key in range(1, 6)]))
    assert [one.key for one in receipts if not isinstance(one, Success)] == [3]
    assert sizes == [5, 2, 3, 1, 2]
