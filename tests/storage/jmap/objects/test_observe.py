"""What an observation shows: everything the first time, then what changed, and nothing gone without the server's word for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jmapsync.storage.jmap.objects import changes as observe_module
from jmapsync.storage.port import FolderPage, ItemPage, ListingEnd
from tests.storage.jmap.objects.things import added, title_of

if TYPE_CHECKING:
    from jmapsync.demo import DemoServer, Store
    from tests.kit.object_side_driver import ObjectSideDriver

Case = tuple[str, str, bool]


def fill(store: Store, kind: str, count: int) -> list[str]:
    return [store.add(added(kind, f"uid-{number}", f"Number {number}")) for number in range(count)]


def test_the_first_run_shows_everything(case: Case, store: Store, room: ObjectSideDriver) -> None:
    ids = fill(store, case[0], 3)
    observed = room.observe()
    assert (sorted(observed.items), observed.whole, observed.problems, observed.gone) == (sorted(ids), True, [], [])
    assert [title_of(case[0], room.content(ref)) for ref in sorted(ids)] == ["Number 0", "Number 1", "Number 2"]
    assert {seen.version.homes for seen in observed.items.values()} == {frozenset({room.home()})}
    assert list(observed.folders) == list(store.collections)


def test_what_is_jmaps_own_stays_out_of_the_normal_form(case: Case, store: Store, room: ObjectSideDriver) -> None:
    (ref,) = fill(store, case[0], 1)
    room.observe()
    content = room.content(ref)
    assert not {"id", "addressBookIds", "calendarIds", "isDraft", "isOrigin", "blobId", "baseEventId"} & content.keys()
    assert None not in content.values()
    assert content["@type"] == {"contacts": "Card", "calendars": "Event", "tasks": "Task"}[case[0]]


def test_a_run_with_nothing_new_is_one_request(case: Case, store: Store, room: ObjectSideDriver) -> None:
    fill(store, case[0], 3)
    room.observe()
    observed = room.observe()
    assert (observed.is_empty, observed.requests) == (True, 1)


def test_a_delta_shows_what_another_client_did(case: Case, store: Store, room: ObjectSideDriver) -> None:
    ids = fill(store, case[0], 4)
    room.observe()
    store.edit(ids[0], {"name/full": "New"} if case[0] == "contacts" else {"title": "New"})
    store.delete(ids[1])
    fresh = store.add(added(case[0], "uid-fresh"))
    observed = room.observe()
    assert (sorted(observed.items), observed.gone, observed.problems) == (sorted([ids[0], fresh]), [ids[1]], [])
    assert title_of(case[0], room.content(ids[0])) == "New"
    assert not observed.folders


def test_a_delta_equals_a_full_sync(case: Case, store: Store, room: ObjectSideDriver) -> None:
    ids = fill(store, case[0], 5)
    room.observe()
    store.delete(ids[0])
    store.add(added(case[0], "uid-more"))
    room.observe()
    held = dict(room.held)
    observed = room.observe(whole=True)
    assert (observed.items, observed.gone, room.held) == ({}, [], held)


def test_containers_are_made_renamed_and_removed(case: Case, store: Store, room: ObjectSideDriver) -> None:
    room.observe()
    ref = store.create_collection("Work")
    assert room.observe().folders[ref].name == "Work"
    store.edit_collection("Work", name="Arbeit")
    assert room.observe().folders[ref].name == "Arbeit"
    store.delete_collection("Arbeit")
    assert room.observe().gone_folders == [ref]


def test_an_object_in_a_container_just_made_has_a_home(case: Case, store: Store, room: ObjectSideDriver) -> None:
    room.observe()
    store.create_collection("Work")
    ref = store.add(added(case[0], "uid-1"), collections=["Work"])
    observed = room.observe()
    assert observed.items[ref].version.homes == {room.key("Work")}


def test_a_move_shows_as_another_home(case: Case, store: Store, room: ObjectSideDriver) -> None:
    (ref,) = fill(store, case[0], 1)
    store.create_collection("Work")
    room.observe()
    store.move(ref, "", "Work")
    assert room.observe().items[ref].version.homes == {room.key("Work")}


def test_a_listing_cut_short_makes_nothing_vanish(case: Case, server: DemoServer, store: Store, room: ObjectSideDriver) -> None:
    """A server gives fewer ids than it has, without a word."""
    ids = fill(store, case[0], 8)
    room.observe()
    server.faults.truncated_query.arm(2, only={store.model.item})
    server.faults.missing_total.arm()
    observed = room.observe(whole=True)
    assert (observed.gone, sorted(room.held)) == ([], sorted(ids))


def test_objects_left_out_of_an_answer_are_asked_for_again(
    case: Case, server: DemoServer, store: Store, room: ObjectSideDriver
) -> None:
    """`/get` leaves ids out, and says nothing of them."""
    ids = fill(store, case[0], 4)
    server.faults.missing_in_get.arm(1, only={store.model.item}, times=1)
    observed = room.observe()
    assert (sorted(observed.items), observed.problems) == (sorted(ids), [])


def test_an_object_that_is_never_answered_for_is_a_problem_and_not_gone(
    case: Case, server: DemoServer, store: Store, room: ObjectSideDriver
) -> None:
    ids = fill(store, case[0], 2)
    room.observe()
    server.faults.missing_in_get.arm(1, only={store.model.item})
    observed = room.observe(whole=True)
    assert observed.gone == []
    assert {trouble.ref for trouble in observed.problems} <= set(ids)
    assert observed.problems
    server.faults.missing_in_get.disarm()
    assert room.observe(again=[trouble.ref for trouble in observed.problems]).problems == []


@pytest.mark.parametrize("error", ["cannotCalculateChanges", "serverFail", "invalidArguments"])
def test_changes_that_cannot_be_had_lead_to_a_full_sync(
    case: Case, server: DemoServer, store: Store, room: ObjectSideDriver, error: str
) -> None:
    from jmapsync.demo import MethodError  # noqa: PLC0415

    ids = fill(store, case[0], 3)
    room.observe()
    store.delete(ids[0])
    server.faults.method_error.arm(MethodError(error), times=1, only={f"{store.model.item}/changes"})
    observed = room.observe()
    assert (observed.gone, observed.whole, observed.suspicious) == ([ids[0]], True, "")


def test_changes_that_do_not_move_lead_to_a_full_sync(case: Case, server: DemoServer, store: Store, room: ObjectSideDriver) -> None:
    ids = fill(store, case[0], 3)
    room.observe()
    store.delete(ids[0])
    server.faults.stuck_changes.arm(only={store.model.item}, times=1)
    observed = room.observe()
    assert (observed.gone, observed.whole) == ([ids[0]], True)


def test_what_is_reported_to_be_created_and_destroyed_is_asked_for(
    case: Case, server: DemoServer, store: Store, room: ObjectSideDriver
) -> None:
    """Where an id is made of the uid it may come back (Cyrus 3.6 and 3.12), so only the object itself shows it."""
    ids = fill(store, case[0], 2)
    room.observe()
    store.delete(ids[0])
    server.faults.created_and_destroyed.arm(only={store.model.item}, times=1)
    assert (room.observe().gone, sorted(room.held)) == ([ids[0]], [ids[1]])


def test_a_server_that_lost_everything_is_doubted(case: Case, server: DemoServer, store: Store, room: ObjectSideDriver) -> None:
    ids = fill(store, case[0], 5)
    room.observe()
    for ref in ids:
        store.delete(ref)
    observed = room.observe(whole=True)
    assert sorted(observed.gone) == sorted(ids)
    assert "disappeared" in observed.suspicious


def test_many_objects_come_in_pages(case: Case, server: DemoServer, store: Store, room: ObjectSideDriver) -> None:
    server.limits.max_objects_in_get = 7
    ids = fill(store, case[0], 30)
    assert sorted(room.observe().items) == sorted(ids)
    for ref in ids[:20]:
        store.delete(ref)
    fresh = [store.add(added(case[0], f"more-{number}")) for number in range(20)]
    observed = room.observe()
    assert (sorted(observed.items), sorted(observed.gone)) == (sorted(fresh), sorted(ids[:20]))


def test_a_cursor_of_another_server_is_not_believed(case: Case, store: Store, room: ObjectSideDriver) -> None:
    fill(store, case[0], 1)
    room.observe()
    room.cursor = room.cursor.replace("127.0.0.1", "elsewhere.example")
    assert room.observe().whole


@pytest.mark.parametrize("cursor", ["{}", "nonsense", '{"email": "1", "mailbox": "2"}'])
def test_a_cursor_that_is_not_one_leads_to_a_full_sync(case: Case, room: ObjectSideDriver, cursor: str) -> None:
    room.cursor = cursor
    assert room.observe().whole


@pytest.mark.parametrize("whole", [False, True])
def test_what_was_made_anew_under_its_uid_is_reported_after_what_is_gone(
    case: Case, store: Store, room: ObjectSideDriver, *, whole: bool
) -> None:
    """Another client restores a card: it has another id and the same uid, and is the same item for us."""
    (old,) = fill(store, case[0], 1)
    room.observe()
    store.delete(old)
    store.add(added(case[0], "uid-between"))
    new = store.add(added(case[0], "uid-0", "Restored"))
    if new == old:
        return  # Cyrus makes ids of uids
    order: list[str] = []

    async def take() -> None:
        async for page in room.side.observe(room.cursor, lambda: set(room.held), whole=whole):
            assert isinstance(page, ListingEnd) or not page.problems
            if isinstance(page, ItemPage):
                order.extend(seen.ref for seen in page.items)
            if not isinstance(page, FolderPage):
                order.extend(page.gone)

    room.run(take())
    assert order.index(old) < order.index(new)


def test_a_list_of_containers_that_may_be_cut_makes_none_vanish(
    case: Case, server: DemoServer, store: Store, room: ObjectSideDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stalwart cuts `/get` with `ids: null` at 500 without a word."""
    monkeypatch.setattr(observe_module, "SILENTLY_CUT", 3)
    made = [store.create_collection(f"C{number}") for number in range(5)]
    room.observe()
    server.faults.truncated_get.arm(3, only={store.model.collection})
    store.delete_collection("C4")
    observed = room.observe()
    assert observed.gone_folders == [made[4]]
    assert room.observe(whole=True).gone_folders == []
