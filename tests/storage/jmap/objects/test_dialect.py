"""How a kind is offered, as the session says and the first object confirms; and what is asked for in each dialect."""

from __future__ import annotations

from typing import Any

import pytest

from jmapsync.demo import DemoServer
from jmapsync.errors import UnsupportedError
from jmapsync.jmap.session import Account, Limits, Session
from jmapsync.storage.jmap import caller as pace
from jmapsync.storage.jmap.objects import dialect_for
from jmapsync.storage.jmap.objects.dialects.cyrus import CALENDARS as CYRUS_CALENDARS
from jmapsync.storage.jmap.objects.dialects.cyrus import CONTACTS as CYRUS_CONTACTS
from jmapsync.storage.jmap.objects.dialects.cyrus import JSCALENDARBIS as CYRUS_JSCALENDARBIS
from jmapsync.storage.jmap.objects.dialects.standard import CALENDARS, CONTACTS
from jmapsync.storage.port import ItemPage, Refused
from tests.kit.object_side_driver import PHOTO, ObjectSideDriver
from tests.storage.jmap.objects.things import thing, titled


def offering(*capabilities: str, account_offers: tuple[str, ...] | None = None) -> tuple[Session, Account]:
    offered: dict[str, Any] = {name: {} for name in capabilities}
    account = Account(
        "a", "a", is_personal=True, is_read_only=False, capabilities={name: {} for name in account_offers or capabilities}
    )
    return Session("http://h/", offered, {"a": account}, {}, "a", "http://h/api", "", "", None, "0", Limits()), account


@pytest.mark.parametrize(
    ("kind", "capabilities", "type_", "raw"),
    [
        ("contacts", (CONTACTS,), "ContactCard", False),
        ("contacts", (CONTACTS, CYRUS_CONTACTS), "ContactCard", False),
        ("contacts", (CYRUS_CONTACTS,), "Contact", True),
        ("calendars", (CALENDARS,), "CalendarEvent", False),
        ("calendars", (CALENDARS, CYRUS_CALENDARS), "CalendarEvent", True),
        ("calendars", (CALENDARS, CYRUS_CALENDARS, CYRUS_JSCALENDARBIS), "CalendarEvent", False),
        ("tasks", (CALENDARS,), "CalendarEvent", False),
    ],
)
def test_the_session_reports_the_dialect(kind: str, capabilities: tuple[str, ...], type_: str, *, raw: bool) -> None:
    dialect = dialect_for(kind, *offering(*capabilities))
    assert (dialect.type, dialect.raw) == (type_, raw)


@pytest.mark.parametrize(
    ("kind", "capabilities", "message"),
    [
        ("contacts", (CALENDARS,), "does not offer contacts"),
        ("calendars", (CYRUS_CALENDARS,), "does not offer calendars"),  # Cyrus 3.6: a draft of its own
        ("tasks", (), "does not offer tasks"),
        ("tasks", (CALENDARS, CYRUS_CALENDARS), "Cyrus offers none"),
    ],
)
def test_what_is_not_offered_is_said(kind: str, capabilities: tuple[str, ...], message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        dialect_for(kind, *offering(*capabilities))


def test_what_the_account_does_not_offer_is_not_offered() -> None:
    with pytest.raises(UnsupportedError):
        dialect_for("contacts", *offering(CONTACTS, account_offers=(CALENDARS,)))


def test_lines_without_a_property_come_when_asked_for_by_name() -> None:
    """Stalwart leaves `vCardProps` and `iCalendar` out of what it gives unasked."""
    with DemoServer(dialect="stalwart") as server:
        props = [["x-custom", {}, "unknown", "kept"]]
        card = server.account.contacts.add(thing("contacts", "c", vCardProps=props))
        lines = {"@type": "ICalComponent", "name": "vevent", "properties": [["x-custom", {}, "unknown", "kept"]]}
        event = server.account.calendars.add(thing("calendars", "e", iCalendar=lines))
        with ObjectSideDriver(server.url, "contacts") as contacts, ObjectSideDriver(server.url, "calendars") as calendars:
            contacts.observe()
            calendars.observe()
            assert contacts.content(card)["vCardProps"] == props
            assert calendars.content(event)["iCalendar"] == lines
            contacts.done(contacts.to_patch(card, titled("contacts", "Two")))
            assert contacts.content(card)["vCardProps"] == props


def test_all_cards_of_a_batch_keep_such_lines_where_a_refusal_shows_the_dialect() -> None:
    """Stalwart refuses `vCardProps`; without its capability for Sieve, which names it, nothing shows that sooner."""
    with DemoServer(dialect="stalwart") as server:
        server.faults.hidden_capabilities.arm({"urn:ietf:params:jmap:sieve"})
        props = [["x-custom", {}, "unknown", "kept"]]
        with ObjectSideDriver(server.url, "contacts") as room:
            room.observe()
            room.done(*(room.to_create(thing("contacts", f"c{number}", vCardProps=props)) for number in range(3)))
            assert [room.content(ref)["vCardProps"] for ref in room.held] == [props] * 3
        assert len(server.requests.calls("ContactCard/set")) == 2


@pytest.mark.parametrize("dialect", ["rfc", "stalwart", "cyrus312"])
def test_no_message_is_sent_and_no_occurrence_asked_for(dialect: str) -> None:
    with DemoServer(dialect=dialect) as server:
        server.faults.hidden_capabilities.arm({CYRUS_CALENDARS})
        with ObjectSideDriver(server.url, "calendars") as room:
            room.observe()
            (ref,) = room.done(room.to_create(thing("calendars", "e")))
            room.done(room.to_patch(ref, {"title": "Two"}))
            room.observe(whole=True)
            room.done(room.to_delete(ref))
        sets = server.requests.calls("CalendarEvent/set")
        assert len(sets) >= 3
        assert all(call.arguments["sendSchedulingMessages"] is False for call in sets)
        assert all("onDestroyRemoveEvents" not in call.arguments for call in sets)
        for call in [*server.requests.calls("CalendarEvent/get"), *server.requests.calls("CalendarEvent/query")]:
            assert "expandRecurrences" not in call.arguments
            assert not {"utcStart", "utcEnd"} & set(call.arguments.get("properties") or ())


def test_events_and_tasks_of_one_calendar_are_distinguished() -> None:
    with DemoServer() as server:
        event = server.account.calendars.add(thing("calendars", "e"))
        task = server.account.calendars.add(thing("tasks", "t"))
        unusual = server.account.calendars.add({"@type": "Note", "uid": "n", "start": "2026-01-01T00:00:00"})
        with ObjectSideDriver(server.url, "calendars") as events, ObjectSideDriver(server.url, "tasks") as tasks:
            observed = events.observe()
            assert (list(observed.items), [trouble.ref for trouble in observed.problems]) == ([event], [unusual])
            observed = tasks.observe()
            assert (list(observed.items), observed.problems) == ([task], [])
            (made,) = tasks.done(tasks.to_create(thing("tasks", "t2", progress="completed")))
            assert server.account.calendars.items[made]["@type"] == "Task"
            assert events.observe().is_empty
            (receipt,) = events.write(events.to_create(thing("calendars", "t2")))
            assert isinstance(receipt, Refused)  # the uid is a task's


def test_a_server_is_taken_at_its_first_object() -> None:
    """RFC 8984 has `recurrenceRules`, its successor `recurrenceRule`: Cyrus without its own extension says so no earlier."""
    with DemoServer(dialect="cyrus312") as server:
        server.faults.hidden_capabilities.arm({CYRUS_CALENDARS})
        rule = {"@type": "RecurrenceRule", "frequency": "weekly"}
        event = {"uid": "e", "title": "One", "start": "2026-12-01T10:00:00", "recurrenceRules": [rule]}
        ref = server.account.calendars.add(event)
        with ObjectSideDriver(server.url, "calendars") as room:
            room.observe()
            assert room.content(ref)["recurrenceRule"]["frequency"] == "weekly"
            room.done(room.to_patch(ref, {"recurrenceRule/interval": 2}))
            assert server.account.calendars.items[ref]["recurrenceRules"][0]["interval"] == 2
            assert server.faults.hidden_capabilities.armed


def test_a_server_is_taken_at_its_refusal_of_a_patch() -> None:
    with DemoServer(dialect="cyrus312") as server:
        server.faults.hidden_capabilities.arm({CYRUS_CALENDARS})
        ref = server.account.calendars.add({"uid": "e", "title": "One", "start": "2026-12-01T10:00:00"})
        with ObjectSideDriver(server.url, "calendars") as room:
            room.observe()
            rule = {"@type": "RecurrenceRule", "frequency": "weekly"}
            room.done(room.to_patch(ref, {"title": "Two", "recurrenceRule": rule}))
            held = server.account.calendars.items[ref]
            assert (held["title"], held["recurrenceRules"][0]["frequency"]) == ("Two", "weekly")
            assert room.content(ref)["recurrenceRule"]["frequency"] == "weekly"


def test_requests_are_smaller_where_objects_are_larger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded by octets: a server may give photos in place (Stalwart)."""
    monkeypatch.setattr(pace, "OCTETS", 20_000)
    monkeypatch.setattr(pace, "FIRST", 10)
    with DemoServer(dialect="stalwart") as server:
        media = {"p": {"@type": "Media", "kind": "photo", "uri": PHOTO}}
        for number in range(100):
            server.account.contacts.add(thing("contacts", f"uid-{number}", media=media))
        with ObjectSideDriver(server.url, "contacts") as room:
            assert len(room.observe().items) == 100
        asked = [len(call.arguments["ids"]) for call in server.requests.calls("ContactCard/get") if call.arguments["ids"]]
        assert max(asked[4:]) * len(PHOTO) < 60_000


@pytest.mark.parametrize(
    "unusual",
    [
        {"name": "no object"},
        {"name": {"components": "none"}},
        {"emails": []},
        {"emails": {"e": "ada@example.com"}},
        {"media": {"p": 5}},
        {"localizations": {"de": 7}},
        {"uid": 5},
        {"vCardProps": {}},
        {"anniversaries": {"a": {"date": "1815"}}},
    ],
)
def test_an_object_of_a_shape_that_no_format_allows_stops_no_run(unusual: dict[str, Any]) -> None:
    """Property (f) of bad input: every object is an item or quarantined by name."""
    with DemoServer() as server:
        good = server.account.contacts.add(thing("contacts", "good"))
        bad = server.account.contacts.add(thing("contacts", "bad"))
        server.account.contacts.items[bad].update(unusual)
        with ObjectSideDriver(server.url, "contacts") as room:
            observed = room.observe()
            assert good in observed.items
            assert {*observed.items, *(trouble.ref for trouble in observed.problems)} == {good, bad}


def test_a_run_that_is_given_up_leaves_nothing_under_way(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "FIRST", 2)
    monkeypatch.setattr(pace, "BATCH", 2)
    with DemoServer() as server:
        for number in range(20):
            server.account.contacts.add(thing("contacts", f"uid-{number}"))
        with ObjectSideDriver(server.url, "contacts") as room:

            async def give_up() -> None:
                async for page in room.side.observe("", set):
                    if isinstance(page, ItemPage) and page.items:
                        raise KeyError

            with pytest.raises(KeyError):
                room.run(give_up())
    assert caplog.records == []
