"""Hold the embedded server's Stalwart to answers of a real one (0.16.19): each request here was made there, on the same objects.

`tests/demo/stalwart` has the requests with their answers, and what CalDAV and CardDAV gave of the objects afterwards.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.demo import DemoServer
from jmapsync.demo.stalwart_dav import rendered
from tests.live.jmapraw import Jmap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jmapsync.demo import Store

FOLDER = Path(__file__).parent / "stalwart"
USING = [f"urn:ietf:params:jmap:{name}" for name in ("core", "mail", "contacts", "calendars")]
_OURS = {"state", "queryState", "oldState", "newState", "accountId", "canCalculateChanges"}
"""What differs by the run, and what the embedded server does not offer."""


def recorded(name: str) -> dict[str, Any]:
    """Return a recording: `request` and `response`."""
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return found


def first(name: str) -> list[dict[str, Any]]:
    """Return the objects of the first answer of a recording."""
    found: list[dict[str, Any]] = recorded(name)["response"][0][1]["list"]
    return found


@pytest.fixture
def server() -> Iterator[DemoServer]:
    with DemoServer(dialect="stalwart") as server:
        for store, default, named in (
            (server.account.contacts, "contacts-get-default", "contacts-get-by-name"),
            (server.account.calendars, "events-get-default", "events-get-iCalendar"),
        ):
            _fill(store, default, named)
        yield server


def _fill(store: Store, default: str, named: str) -> None:
    """Put the objects of the recordings into a store, in a collection that is called as it was there."""
    [collection] = store.collections.values()
    store.collections.clear()
    store.put_collection({**collection, "id": "b"})
    more = {one["id"]: one for one in first(named)}
    for item in first(default):
        store.put({**item, **more[item["id"]]})


def ask(server: DemoServer, requests: list[Any]) -> list[Any]:
    with Jmap(server.url, "demo", "demo") as jmap:
        calls = [(name, {**arguments, "accountId": server.account.id}) for name, arguments, _ in requests]
        return [[name, answer, id_] for name, answer, id_ in jmap.call_raw(calls, USING)]


def plain(answers: list[Any]) -> list[Any]:
    return [[name, {key: value for key, value in answer.items() if key not in _OURS}] for name, answer, _ in answers]


@pytest.mark.parametrize(
    "name",
    [
        "contacts-get-default",
        "contacts-get-by-name",
        "contacts-set-vCard",
        "contacts-set-vCardProps-refused",
        "events-get-default",
        "events-get-iCalendar",
        "event-timed-without-clearing",
        "task-completed-dashed",
        "task-completed-basic",
    ],
)
def test_an_answer_is_that_of_the_real_server(server: DemoServer, name: str) -> None:
    recording = recorded(name)
    assert plain(ask(server, recording["request"])) == plain(recording["response"])


def test_an_event_with_hints_cleared_is_answered_alike(server: DemoServer) -> None:
    ask(server, recorded("event-timed-without-clearing")["request"])
    recording = recorded("event-timed-with-clearing")
    assert plain(ask(server, recording["request"])) == plain(recording["response"])


def test_a_new_card_is_answered_by_its_id_alone(server: DemoServer) -> None:
    [[_, answer, _], *_] = ask(server, recorded("contacts-create")["request"][:1])
    assert [sorted(one) for one in answer["created"].values()] == [["id"]]
    assert {"notCreated", "updated", "destroyed"}.isdisjoint(answer)


@pytest.mark.parametrize("name", ["contacts-query", "calendars-query"])
def test_a_listing_has_no_total_unasked(server: DemoServer, name: str) -> None:
    recording = recorded(name)
    assert plain(ask(server, recording["request"])[1:]) == plain(recording["response"][1:])


def test_pages_after_the_first_have_no_total_and_one_past_the_end_has_position_0(server: DemoServer) -> None:
    server.account.populate(9)
    shown = [
        {name: answer.get(name) for name in ("position", "total")} | {"ids": len(answer["ids"])}
        for _, answer, _ in recorded("email-query-pages")["response"][:3]
    ]
    answers = ask(server, recorded("email-query-pages")["request"][:3])
    assert [
        {name: answer.get(name) for name in ("position", "total")} | {"ids": len(answer["ids"])} for _, answer, _ in answers
    ] == shown


def test_a_get_of_all_is_cut_without_a_word(server: DemoServer) -> None:
    for number in range(600):
        server.account.contacts.add({"uid": f"u{number}"})
    [[_, answer, _]] = ask(server, [["ContactCard/get", {"ids": None, "properties": ["id"]}, "0"]])
    assert len(answer["list"]) == 500


@pytest.mark.parametrize(
    ("steps", "id_", "file"),
    [
        (["event-timed-without-clearing"], "b", "event-timed-without-clearing.ics"),
        (["event-timed-without-clearing", "event-timed-with-clearing"], "b", "event-timed-with-clearing.ics"),
        (["task-completed-dashed"], "d", "task-completed-dashed.ics"),
        (["task-completed-dashed", "task-completed-basic"], "d", "task-completed-basic.ics"),
        (["contacts-set-vCard"], "b", "contacts-after-set.vcf"),
    ],
)
def test_the_file_of_an_object_is_that_of_the_real_server(server: DemoServer, steps: list[str], id_: str, file: str) -> None:
    for step in steps:
        ask(server, recorded(step)["request"])
    store = server.account.contacts if file.endswith("vcf") else server.account.calendars
    assert lines(rendered(store.items[id_])) == lines((FOLDER / file).read_text())


def lines(text: str) -> list[str]:
    """Return the lines of a file in an order of their own, without what differs by the run or is not converted alike."""
    unfolded = text.replace("\r\n", "\n").replace("\n ", "").splitlines()
    passed = ("DTSTAMP", "PRODID", "ADR", "N;", "N:")  # the addresses and names of cards are not rendered field by field
    return sorted(line for line in unfolded if line and not line.startswith(passed))
