from __future__ import annotations

import base64
import dataclasses
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import CYRUS_36, CYRUS_312, RFC, STALWART, DemoServer
from jmapsync.demo.account import Account
from jmapsync.demo.sample import fill_sample
from jmapsync.demo.synthetic import populate_calendars, populate_contacts
from tests.contract.objects import Objects
from tests.contract.peer import Peer

if TYPE_CHECKING:
    from jmapsync.demo import Store


CARD = {"name": {"full": "Ada"}, "uid": "urn:ada"}
EVENT = {"title": "Tea", "uid": "tea", "start": "2026-11-23T10:00:00"}


@pytest.fixture
def account() -> Account:
    return Account("a1", RFC)


def test_another_client_adds_edits_moves_and_deletes_items(server: DemoServer, peer: Peer) -> None:
    for store, item, patch in (
        (server.account.contacts, CARD, {"name/full": "Countess"}),
        (server.account.calendars, EVENT, {"title": "Coffee"}),
    ):
        objects = Objects(peer, store.model.item)
        before = objects.state()
        item_id = store.add(item)
        assert objects.listed(before) == ([item_id], [], [])
        assert item.items() <= objects.get(item_id).items()
        middle = objects.state()
        store.edit(item_id, patch)
        store.create_collection("Work")
        store.move(item_id, "", "Work")
        assert objects.listed(middle) == ([], [item_id], [])
        assert [one["id"] for one in store.inside("Work")] == [item_id]
        assert not store.inside()
        late = objects.state()
        store.delete(item_id)
        assert objects.listed(late) == ([], [], [item_id])


def test_another_client_makes_renames_and_deletes_collections(server: DemoServer, peer: Peer) -> None:
    for store in (server.account.contacts, server.account.calendars):
        objects = Objects(peer, store.model.collection)
        before = objects.state()
        collection_id = store.create_collection("Work", sortOrder=2)
        assert objects.get(collection_id, "name", "sortOrder") == {"id": collection_id, "name": "Work", "sortOrder": 2}
        store.edit_collection("Work", name="Arbeit")
        store.set_rights("Arbeit", mayDelete=False)
        assert objects.destroy(collection_id)["type"] == "forbidden"
        assert objects.listed(before) == ([collection_id], [], [])
        store.delete_collection("Arbeit")
        assert not objects.exists(collection_id)


def test_items_are_read_back_by_id_and_by_uid(account: Account) -> None:
    item_id = account.contacts.add(CARD)
    assert account.contacts.by_uid("urn:ada") is account.contacts.items[item_id]
    with pytest.raises(KeyError):
        account.contacts.by_uid("urn:nobody")


def test_items_handed_out_are_not_changed_under_one_s_hands(account: Account) -> None:
    item_id = account.contacts.add(CARD)
    before = account.contacts.items[item_id]
    account.contacts.edit(item_id, {"name/full": "Countess"})
    assert before["name"] == CARD["name"] == {"full": "Ada"}


def test_a_photo_of_another_client_becomes_a_blob(account: Account) -> None:
    uri = f"data:image/jpeg;base64,{base64.b64encode(b'bytes').decode()}"
    card = account.contacts.items[account.contacts.add({**CARD, "media": {"p": {"kind": "photo", "uri": uri}}})]
    photo = card["media"]["p"]
    assert photo == {"kind": "photo", "blobId": photo["blobId"], "mediaType": "image/jpeg"}
    assert account.blobs[photo["blobId"]] == b"bytes"


def test_an_item_stays_when_only_one_of_its_collections_goes(account: Account) -> None:
    store = account.contacts
    store.create_collection("Work")
    here, both = store.add({"uid": "1"}, ["Work"]), store.add({"uid": "2"}, ["", "Work"])
    store.delete_collection("Work")
    assert (here in store.items, both in store.items) == (False, True)


def test_the_default_passes_on_when_its_collection_goes(account: Account) -> None:
    store = account.contacts
    work = store.create_collection("Work")
    store.delete_collection("")
    assert store.collection("")["id"] == work


def test_a_restored_account_has_its_old_objects_and_states(server: DemoServer, peer: Peer) -> None:
    store = server.account.contacts
    kept, cards = store.add(CARD), Objects(peer, "ContactCard")
    backup, before = server.account.snapshot(), cards.state()
    store.edit(kept, {"name/full": "Countess"})
    store.add({"uid": "urn:new"})
    store.create_collection("Work")
    server.account.restore(backup)
    assert ([one["name"] for one in cards.all()], cards.state()) == ([{"full": "Ada"}], before)
    assert list(store.collections) == [store.collection("")["id"]]
    store.add({"uid": "urn:new"})


def stores(account: Account) -> list[Store]:
    return [account.contacts, account.calendars]


def test_the_sample_has_what_files_find_hard(account: Account) -> None:
    fill_sample(account)
    cards, entries = ([*store.items.values()] for store in stores(account))
    assert [card["kind"] for card in cards if "members" in card] == ["group"]
    assert [card["name"]["full"] for card in cards if "media" in card] == ["Ada Lovelace"]
    events = [one for one in entries if one["@type"] == "Event"]
    assert any("recurrenceOverrides" in event for event in events)
    assert any(event.get("showWithoutTime") for event in events)
    assert [event["isOrigin"] for event in events if "participants" in event] == [True, False]
    assert len([one for one in entries if one["@type"] == "Task"]) == 3


@pytest.mark.parametrize(
    ("dialect", "cards", "entries"),
    [(RFC, 5, {"Event": 4, "Task": 3}), (STALWART, 5, {"Event": 4, "Task": 3}), (CYRUS_312, 0, {"Event": 4}), (CYRUS_36, 0, {})],
)
def test_the_sample_has_only_what_its_server_has(dialect: object, cards: int, entries: dict[str, int]) -> None:
    with DemoServer(dialect=dialect) as server:  # type: ignore[arg-type]
        fill_sample(server.account)
        types = [one["@type"] for one in server.account.calendars.items.values()]
        assert (len(server.account.contacts.items), {name: types.count(name) for name in types}) == (cards, entries)
        for event in server.account.calendars.items.values():
            assert ("recurrenceRules" in event) <= (dialect is CYRUS_312)
            assert ("version" in event) is (dialect is RFC)  # as was seen of Stalwart, and of Cyrus


def test_accounts_have_contacts_of_their_own(server: DemoServer, peer: Peer) -> None:
    other = server.add_account("a2", read_only=True)
    card_id = other.contacts.add(CARD)
    assert peer.one("ContactCard/get", {"accountId": "a2", "ids": None})["list"][0]["id"] == card_id
    assert Objects(peer, "ContactCard").all() == []
    assert peer.error("ContactCard/set", {"accountId": "a2", "destroy": [card_id]}) == "accountReadOnly"


def test_limits_are_enforced(server: DemoServer, peer: Peer) -> None:
    server.limits.max_collections_per_item = 1
    server.limits.max_objects_in_get = server.limits.max_objects_in_set = 2
    store = server.account.contacts
    homes = {store.collection("")["id"]: True, store.create_collection("Work"): True}
    answer = peer.one("ContactCard/set", {"create": {"new": {"addressBookIds": homes}}})
    assert answer["notCreated"]["new"]["properties"] == ["addressBookIds"]
    for number in range(3):
        store.add({"uid": str(number)})
    assert peer.error("ContactCard/get", {"ids": None}) == "requestTooLarge"
    assert peer.error("ContactCard/set", {"destroy": list(store.items)}) == "requestTooLarge"
    store.may_create = False
    assert Objects(peer, "AddressBook").refuse(name="More")["type"] == "forbidden"


def test_a_capability_that_is_not_offered_takes_its_methods_along() -> None:
    with DemoServer(dialect="cyrus36") as server:
        assert not [name for name in server.service.methods if name.startswith(("ContactCard", "Calendar"))]
        assert server.service.types == ["Mailbox", "Email", "SieveScript"]


def test_the_user_s_addresses_are_the_participant_identities(server: DemoServer, peer: Peer) -> None:
    server.account.calendar_addresses.append("mailto:demo@work.example")
    identities = peer.one("ParticipantIdentity/get", {"ids": None})["list"]
    assert [(one["calendarAddress"], one["isDefault"]) for one in identities] == [
        ("mailto:demo@example.com", True),
        ("mailto:demo@work.example", False),
    ]


def test_synthetic_contacts_and_events_are_as_many_as_asked_for_and_sound(server: DemoServer, peer: Peer) -> None:
    populate_contacts(server.account, 30, photo_size=5000)
    populate_calendars(server.account, 30)
    cards, events = Objects(peer, "ContactCard").all(), Objects(peer, "CalendarEvent").all()
    assert (len({card["uid"] for card in cards}), len({event["uid"] for event in events})) == (30, 30)
    photos = [peer.download(card["media"]["photo"]["blobId"]) for card in cards]
    assert {len(photo) for photo in photos} == {5000}
    assert len(set(photos)) == 30
    assert len([event for event in events if event.get("recurrenceOverrides")]) == 6
    for type_name, item in (("ContactCard", cards[0]), ("CalendarEvent", events[0])):
        assert Objects(peer, type_name).patch(item["id"], {"locale": "de"}) == {}


def test_a_file_shown_as_a_blob_follows_its_event() -> None:
    with DemoServer(dialect="cyrus312") as server:
        store = server.account.calendars
        store.render = lambda events: events[0]["title"].encode()
        before = store.with_file(store.items[store.add(EVENT)])
        store.edit(before["id"], {"title": "Coffee"})
        after = store.with_file(store.items[before["id"]])
        assert [server.account.blobs[one["blobId"]] for one in (before, after)] == [b"Tea", b"Coffee"]


def test_a_server_may_keep_to_the_draft_with_rfc_8984_objects() -> None:
    dialect = dataclasses.replace(RFC, calendars="1.0", tasks=False)
    with DemoServer(dialect=dialect) as server, Peer(server.url, "demo", "demo", "rfc") as peer:
        events, home = Objects(peer, "CalendarEvent"), {server.account.calendars.collection("")["id"]: True}
        rule = {"frequency": "daily", "count": 3}
        guests = {"a": {"sendTo": {"imip": "mailto:ann@example.org"}, "roles": {"attendee": True}}}
        made = events.create(**EVENT, calendarIds=home, recurrenceRules=[rule], participants=guests)
        assert made["replyTo"] == {"imip": "mailto:demo@example.com"}
        assert "version" not in events.get(made["id"])
        assert events.refuse(start=EVENT["start"], calendarIds=home, recurrenceRule=rule)["properties"] == ["recurrenceRule"]
        task = {"@type": "Task", "calendarIds": home, "title": "Bins"}
        assert events.refuse(**task)["properties"] == ["@type"]
        foreign = {"replyTo": {"imip": "mailto:ann@example.org"}, "participants": guests}
        assert events.create(start=EVENT["start"], calendarIds=home, **foreign)["isOrigin"] is False
