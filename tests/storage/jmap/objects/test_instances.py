"""Instances of a series without it are one item here, and objects of their own on the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.demo import DemoServer
from jmapsync.demo.dialect import CYRUS_CALENDARS
from jmapsync.formats.objects import INSTANCES, gathered, instances
from jmapsync.jmap.wire import Call
from jmapsync.planner.model import Verb
from jmapsync.storage.port import Done, Refused, Stale
from tests.kit.object_side_driver import ObjectSideDriver
from tests.storage.jmap.objects.conftest import render
from tests.storage.jmap.objects.things import added, thing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jmapsync.demo import Store

DAYS = ("2026-12-01T10:00:00", "2026-12-08T10:00:00", "2026-12-15T10:00:00")
REF = "instances/lone"
SERVERS = [("rfc", False), ("stalwart", False), ("cyrus312", False), ("cyrus312", True)]


def instance(day: str, title: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 # JSON
    return {
        **thing("calendars", "lone", title, recurrenceId=day, recurrenceIdTimeZone="Europe/Berlin", **more),
        "start": day,
    }


@pytest.fixture(params=SERVERS, ids=lambda case: "-".join([case[0], *(["files"] if case[1] else [])]))
def server(request: pytest.FixtureRequest) -> Iterator[DemoServer]:
    dialect, files = request.param
    with DemoServer(dialect=dialect) as server:
        if files:
            server.account.calendars.render = render
        elif dialect == "cyrus312":
            server.faults.hidden_capabilities.arm({CYRUS_CALENDARS})
        yield server


@pytest.fixture
def store(server: DemoServer) -> Store:
    return server.account.calendars


@pytest.fixture
def room(server: DemoServer) -> Iterator[ObjectSideDriver]:
    with ObjectSideDriver(server.url, "calendars") as room:
        yield room


def add(store: Store, day: str, title: str) -> str:
    item = instance(day, title)
    return store.add({name: value for name, value in item.items() if name != "version"})


def titles(room: ObjectSideDriver) -> dict[str, str]:
    return {day: one["title"] for day, one in instances(room.content(REF)).items()}


def held(store: Store) -> dict[str, str]:
    return {one["recurrenceId"]: one["title"] for one in store.items.values() if one["uid"] == "lone"}


class TestObserving:
    def test_all_of_one_uid_are_one_item(self, store: Store, room: ObjectSideDriver) -> None:
        add(store, DAYS[0], "One")
        assert list(room.observe().items) == [REF]
        add(store, DAYS[1], "Two")
        store.add(added("calendars", "other"))
        observed = room.observe()
        assert (sorted({seen.digest for seen in observed.items.values()}), observed.gone, observed.problems) == (
            ["lone", "other"],
            [],
            [],
        )
        assert titles(room) == {DAYS[0]: "One", DAYS[1]: "Two"}
        assert room.observe(whole=True).is_empty or not room.observe(whole=True).items

    def test_an_edit_of_one_shows(self, store: Store, room: ObjectSideDriver) -> None:
        first, _ = add(store, DAYS[0], "One"), add(store, DAYS[1], "Two")
        room.observe()
        store.edit(first, {"title": "Un"})
        assert (list(room.observe().items), titles(room)) == ([REF], {DAYS[0]: "Un", DAYS[1]: "Two"})

    def test_one_that_goes_leaves_the_others(self, store: Store, room: ObjectSideDriver) -> None:
        first, second = add(store, DAYS[0], "One"), add(store, DAYS[1], "Two")
        room.observe()
        store.remove(first)
        observed = room.observe()
        assert (observed.gone, titles(room)) == ([], {DAYS[1]: "Two"})
        store.remove(second)
        assert room.observe().gone == [REF]

    def test_one_that_goes_unseen_is_missed_by_the_full_sync(self, store: Store, room: ObjectSideDriver) -> None:
        first, second = add(store, DAYS[0], "One"), add(store, DAYS[1], "Two")
        room.observe()
        store.remove(first)
        assert (room.observe(whole=True).gone, titles(room)) == ([], {DAYS[1]: "Two"})
        store.remove(second)
        assert room.observe(whole=True).gone == [REF]

    def test_their_series_takes_their_place(self, server: DemoServer, store: Store, room: ObjectSideDriver) -> None:
        ids = [add(store, day, "One") for day in DAYS[:2]]
        room.observe()
        for one in [] if server.account.dialect.name == "cyrus312" else ids:
            store.remove(one)
        base = store.add(added("calendars", "lone", "The series"))
        observed = room.observe()
        assert (observed.gone, list(observed.items)) == ([REF], [base])

    def test_a_listing_that_is_cut_says_nothing_of_those_it_lacks(
        self, server: DemoServer, store: Store, room: ObjectSideDriver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add(store, DAYS[0], "One")
        add(store, DAYS[1], "Two")
        room.observe()
        get = Call.ref
        monkeypatch.setattr(Call, "ref", lambda self, path: get(self, path + "/0" if path == "/ids" else path))
        observed = room.observe(again=[REF])
        assert (observed.items, observed.gone, [trouble.ref for trouble in observed.problems]) == ({}, [], [REF])
        assert server.requests.calls("CalendarEvent/query")


class TestWriting:
    def test_a_new_item_makes_an_object_of_each(self, store: Store, room: ObjectSideDriver) -> None:
        room.observe()
        item = gathered([instance(DAYS[0], "One"), instance(DAYS[1], "Two")])
        assert room.done(room.to_create(item)) == [REF]
        assert held(store) == {DAYS[0]: "One", DAYS[1]: "Two"}
        assert titles(room) == held(store)
        assert (room.observe().items, room.observe().gone) == ({}, [])

    def test_an_edit_goes_to_the_one_it_is_of(self, server: DemoServer, store: Store, room: ObjectSideDriver) -> None:
        first, _ = add(store, DAYS[0], "One"), add(store, DAYS[1], "Two")
        room.observe()
        server.requests.clear()
        room.done(room.to_patch(REF, {f"{INSTANCES}/{DAYS[0]}/title": "Un"}))
        (call,) = server.requests.calls("CalendarEvent/set")
        assert call.arguments["update"] == {first: {"title": "Un"}}
        assert not call.arguments.keys() & {"create", "destroy"}
        assert titles(room) == held(store) == {DAYS[0]: "Un", DAYS[1]: "Two"}

    def test_one_can_be_added_and_one_removed(self, store: Store, room: ObjectSideDriver) -> None:
        add(store, DAYS[0], "One")
        add(store, DAYS[1], "Two")
        room.observe()
        patch = {f"{INSTANCES}/{DAYS[0]}": None, f"{INSTANCES}/{DAYS[2]}": instance(DAYS[2], "Three")}
        room.done(room.to_patch(REF, patch))
        assert titles(room) == held(store) == {DAYS[1]: "Two", DAYS[2]: "Three"}

    def test_they_move_together(self, store: Store, room: ObjectSideDriver) -> None:
        work = store.add_collection({"name": "Work"})["id"]
        add(store, DAYS[0], "One")
        add(store, DAYS[1], "Two")
        room.observe()
        room.done(room.to_move(REF, room.context.keys[work]))
        assert {tuple(one["calendarIds"]) for one in store.items.values()} == {(work,)}

    def test_all_go_together(self, store: Store, room: ObjectSideDriver) -> None:
        add(store, DAYS[0], "One")
        add(store, DAYS[1], "Two")
        room.observe()
        (receipt,) = room.write(room.to_delete(REF))
        assert (type(receipt), held(store)) == (Done, {})

    @pytest.mark.parametrize("act", [Verb.REPLACE, Verb.DELETE])
    def test_what_nobody_here_has_seen_is_not_overwritten(self, store: Store, room: ObjectSideDriver, act: Verb) -> None:
        first, _ = add(store, DAYS[0], "One"), add(store, DAYS[1], "Two")
        room.observe()
        store.edit(first, {"title": "Un"})
        job = room.to_delete(REF) if act is Verb.DELETE else room.to_patch(REF, {f"{INSTANCES}/{DAYS[1]}": None})
        (receipt,) = room.write(job)
        assert (type(receipt), held(store)) == (Stale, {DAYS[0]: "Un", DAYS[1]: "Two"})
        assert list(room.observe().items) == [REF]

    def test_a_series_never_takes_their_place(self, store: Store, room: ObjectSideDriver) -> None:
        """Cyrus 3.12.4 would replace its instances, contents and all, by the new event."""
        add(store, DAYS[0], "One")
        room.observe()
        (receipt,) = room.write(room.to_create(thing("calendars", "lone", "The series")))
        assert (type(receipt), held(store)) == (Refused, {DAYS[0]: "One"})
        (receipt,) = room.write(room.to_patch(REF, {INSTANCES: None, "title": "The series", "start": DAYS[0]}))
        assert (type(receipt), held(store)) == (Refused, {DAYS[0]: "One"})

    def test_they_never_take_the_place_of_their_series(self, store: Store, room: ObjectSideDriver) -> None:
        base = store.add(added("calendars", "lone", "The series"))
        room.observe()
        item = gathered([instance(DAYS[0], "One")])
        (receipt,) = room.write(room.to_create(item))
        assert isinstance(receipt, Refused)
        (receipt,) = room.write(room.to_patch(base, {INSTANCES: instances(item), "title": None, "start": None}))
        assert (type(receipt), [one["title"] for one in store.items.values()]) == (Refused, ["The series"])

    def test_a_new_item_that_the_server_accepts_partly_is_taken_back(
        self, server: DemoServer, store: Store, room: ObjectSideDriver
    ) -> None:
        room.observe()
        item = gathered([instance(DAYS[0], "One"), {**instance(DAYS[1], "Two"), "start": "no time"}])
        (receipt,) = room.write(room.to_create(item))
        assert (type(receipt), held(store)) == (Refused, {})
        assert server.requests.calls("CalendarEvent/set")
