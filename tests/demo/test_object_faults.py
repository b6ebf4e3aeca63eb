"""The faults of the server, on cards, events and their collections."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from jmapsync.demo import MethodError, SetError
from tests.contract.objects import Objects

if TYPE_CHECKING:
    from jmapsync.demo import DemoServer, Store
    from tests.contract.peer import Peer


@pytest.fixture(params=["ContactCard", "CalendarEvent"])
def objects(request: pytest.FixtureRequest, peer: Peer) -> Objects:
    return Objects(peer, request.param)


@pytest.fixture
def store(server: DemoServer, objects: Objects) -> Store:
    return server.account.contacts if objects.type_name == "ContactCard" else server.account.calendars


def fill(store: Store, count: int) -> list[str]:
    return [store.add({"start": "2026-11-23T10:00:00", "keywords": {"old": True}}) for _ in range(count)]


def test_changes_get_stuck_or_lose_the_destroyed(server: DemoServer, peer: Peer, objects: Objects, store: Store) -> None:
    (item_id,) = fill(store, 1)
    before = objects.state()
    store.delete(item_id)
    server.faults.stuck_changes.arm(only={objects.type_name}, times=1)
    answer = peer.changes(before, objects.type_name)
    assert (answer["newState"], answer["hasMoreChanges"], answer["destroyed"]) == (before, True, [])
    server.faults.omit_destroyed.arm(only={objects.type_name}, times=1)
    assert objects.listed(before) == ([], [], [])
    server.faults.created_and_destroyed.arm(only={objects.type_name}, times=1)
    assert objects.listed(before) == ([item_id], [], [item_id])
    assert objects.listed(before) == ([], [], [item_id])


def test_changes_cannot_be_calculated(server: DemoServer, peer: Peer, objects: Objects, store: Store) -> None:
    before = objects.state()
    fill(store, 1)
    server.faults.method_error.arm(MethodError("cannotCalculateChanges"), times=1, only={f"{objects.type_name}/changes"})
    assert peer.error(f"{objects.type_name}/changes", {"sinceState": before}) == "cannotCalculateChanges"
    server.account.logs[objects.type_name].forget()
    assert peer.error(f"{objects.type_name}/changes", {"sinceState": before}) == "cannotCalculateChanges"


def test_listings_are_cut_short_though_more_follows(server: DemoServer, peer: Peer, objects: Objects, store: Store) -> None:
    ids = fill(store, 5)
    server.faults.truncated_query.arm(2, only={objects.type_name})
    page = peer.one(f"{objects.type_name}/query", {"limit": 100})
    assert (page["ids"], "limit" in page) == (ids[:2], False)
    server.faults.truncated_get.arm(3, only={objects.type_name})
    assert [one["id"] for one in objects.all()] == ids[:3]
    assert len(peer.one("Mailbox/get", {"ids": None})["list"]) == 6


def test_ids_are_missing_or_repeated_in_what_is_got(server: DemoServer, peer: Peer, objects: Objects, store: Store) -> None:
    ids = fill(store, 3)
    server.faults.missing_in_get.arm(1, only={objects.type_name}, times=1)
    answer = peer.one(f"{objects.type_name}/get", {"ids": ids})
    assert ([one["id"] for one in answer["list"]], answer["notFound"]) == (ids[:2], [])
    server.faults.repeated_in_get.arm(1, only={objects.type_name}, times=1)
    assert [one["id"] for one in objects.all()] == [*ids, ids[0]]


def test_properties_are_dropped_without_a_word(server: DemoServer, objects: Objects, store: Store) -> None:
    server.faults.drop_properties.arm({"keywords", "links"}, only={objects.type_name})
    home = {store.collection("")["id"]: True}
    made = objects.create(**{store.model.homes: home}, start="2026-11-23T10:00:00", keywords={"new": True}, locale="de")
    assert "keywords" not in made
    assert ("keywords" in objects.get(made["id"]), objects.get(made["id"])["locale"]) == (False, "de")
    (item_id,) = fill(store, 1)
    assert objects.patch(item_id, {"keywords/new": True, "locale": "en", "links/none/href": "x"}) == {}
    got = objects.get(item_id)
    assert (got["keywords"], got["locale"]) == ({"old": True}, "en")
    server.faults.drop_properties.disarm()
    assert objects.patch(item_id, {"keywords/new": True}) == {}
    assert objects.get(item_id)["keywords"] == {"old": True, "new": True}


def test_properties_are_dropped_of_one_type_only(server: DemoServer, objects: Objects, peer: Peer, store: Store) -> None:
    server.faults.drop_properties.arm({"sortOrder"}, only={store.model.collection})
    made = Objects(peer, store.model.collection).create(name="Work", sortOrder=5)
    assert store.collections[made["id"]]["sortOrder"] == 0


def test_what_is_written_is_rewritten(server: DemoServer, objects: Objects, store: Store) -> None:
    (item_id,) = fill(store, 1)

    def shout(item: dict[str, Any]) -> dict[str, Any]:
        item["keywords"] = {word.upper(): True for word in item["keywords"]}
        return item

    server.faults.rewrite_items.arm(shout, only={objects.type_name})
    answer = objects.set(update={item_id: {"keywords/new": True}})
    assert answer["updated"][item_id]["keywords"] == {"OLD": True, "NEW": True}
    assert objects.get(item_id)["keywords"] == {"OLD": True, "NEW": True}


def test_patches_with_paths_are_refused(server: DemoServer, objects: Objects, store: Store) -> None:
    (item_id,) = fill(store, 1)
    server.faults.refuse_patches.arm(only={objects.type_name})
    assert objects.patch(item_id, {"keywords/new": True})["type"] == "invalidPatch"
    assert objects.patch(item_id, {"keywords": {"new": True}}) == {}


def test_one_object_is_refused_or_the_set_ends_halfway(server: DemoServer, peer: Peer, objects: Objects, store: Store) -> None:
    ids = fill(store, 3)
    server.faults.set_error.arm(SetError("overQuota"), times=1, only={f"{objects.type_name}/set"})
    answer = objects.set(update={one: {"locale": "de"} for one in ids})
    assert (answer["notUpdated"], list(answer["updated"])) == ({ids[0]: {"type": "overQuota"}}, ids[1:])
    server.faults.partial_fail.arm(1, times=1, only={f"{objects.type_name}/set"})
    assert peer.error(f"{objects.type_name}/set", {"destroy": ids}) == "serverPartialFail"
    assert list(store.items) == ids[1:]


def test_another_client_slips_in_between(server: DemoServer, objects: Objects, store: Store) -> None:
    (item_id,) = fill(store, 1)
    server.faults.before_call.arm(lambda: store.delete(item_id), times=1, only={f"{objects.type_name}/set"})
    assert objects.patch(item_id, {"locale": "de"})["type"] == "notFound"


def test_a_change_is_pushed_with_the_states_of_its_type(server: DemoServer, objects: Objects, store: Store) -> None:
    url = f"{server.origin}/jmap/events/?types=*&closeafter=state&ping=0"
    with httpx.stream("GET", url, auth=("demo", "demo"), timeout=90) as answer:
        lines = (line for line in answer.iter_lines() if line)
        assert next(lines) == ": connected"
        fill(store, 1)
        data = next(line for line in lines if line.startswith("data: "))
    assert json.loads(data[6:])["changed"] == {"a1": {objects.type_name: objects.state()}}
