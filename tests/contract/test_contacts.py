"""Address books and cards as RFC 9610 has them; no server that has it can be installed here, so the RFC is the peer."""

from __future__ import annotations

import base64

import pytest

from tests.contract.objects import Objects, unique
from tests.contract.peer import CONTACTS, Peer

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


@pytest.fixture
def peer(contacts_peer: Peer) -> Peer:
    return contacts_peer


@pytest.fixture
def books(peer: Peer) -> Objects:
    return Objects(peer, "AddressBook")


@pytest.fixture
def cards(peer: Peer) -> Objects:
    return Objects(peer, "ContactCard")


@pytest.fixture
def book(books: Objects) -> str:
    return next(str(one["id"]) for one in books.all() if one["isDefault"])


def card(book: str, **more: object) -> dict[str, object]:
    whole = {"@type": "Card", "version": "1.0", "uid": unique("card"), "addressBookIds": {book: True}, "name": {"full": "Ada"}}
    return whole | more


def kind_of(error: dict[str, object]) -> tuple[object, object]:
    return error["type"], error.get("properties")


def test_the_session_reports_contacts_in_the_account(peer: Peer) -> None:
    assert peer.session["capabilities"][CONTACTS] == {}
    details = peer.session["accounts"][peer.session["primaryAccounts"][CONTACTS]]["accountCapabilities"][CONTACTS]
    assert details == {"maxAddressBooksPerCard": None, "mayCreateAddressBook": True}


def test_methods_need_the_capability_in_using(peer: Peer) -> None:
    ((name, answer, _),) = peer.call_raw([("AddressBook/get", {"ids": None})], ["urn:ietf:params:jmap:core"])
    assert (name, answer["type"]) == ("error", "unknownMethod")


def test_a_new_account_has_one_address_book_with_all_properties(books: Objects) -> None:
    (first,) = books.all()
    assert first == {
        "id": first["id"],
        "name": "Contacts",
        "description": None,
        "sortOrder": 0,
        "isDefault": True,
        "isSubscribed": True,
        "shareWith": None,
        "myRights": {"mayRead": True, "mayWrite": True, "mayShare": True, "mayDelete": True},
    }


def test_address_books_are_created_changed_and_destroyed(books: Objects) -> None:
    before = books.state()
    made = books.create(name="Work", description="d")
    assert (made["isDefault"], made["isSubscribed"], made["sortOrder"]) == (False, True, 0)
    assert "name" not in made
    assert books.patch(made["id"], {"name": "Arbeit", "sortOrder": 3}) == {}
    assert books.get(made["id"], "name", "sortOrder") == {"id": made["id"], "name": "Arbeit", "sortOrder": 3}
    assert books.listed(before) == ([made["id"]], [], [])
    middle = books.state()
    assert books.destroy(made["id"]) == {}
    assert books.listed(middle) == ([], [], [made["id"]])


@pytest.mark.parametrize("name", ["", "x" * 256, 5, None])
def test_names_of_address_books_have_1_to_255_octets(books: Objects, name: object) -> None:
    assert kind_of(books.refuse(name=name)) == ("invalidProperties", ["name"])


def test_two_address_books_may_have_one_name(books: Objects) -> None:
    assert books.create(name="Twin")["id"] != books.create(name="Twin")["id"]


def test_unknown_and_server_set_properties_of_address_books_are_refused(books: Objects, book: str) -> None:
    assert kind_of(books.refuse(name="x", surprise=1)) == ("invalidProperties", ["surprise"])
    assert kind_of(books.patch(book, {"isDefault": False})) == ("invalidProperties", ["isDefault"])
    assert kind_of(books.patch(book, {"myRights/mayWrite": False})) == ("invalidProperties", ["myRights"])


def test_another_address_book_becomes_the_default_only_if_all_went_well(books: Objects, book: str) -> None:
    answer = books.set(create={"new": {"name": "Work"}, "bad": {}}, onSuccessSetIsDefault="#new")
    assert not answer["created"]["new"]["isDefault"]
    answer = books.set(create={"new": {"name": "Work"}}, onSuccessSetIsDefault="#new")
    assert answer["created"]["new"]["isDefault"]
    assert answer["updated"] == {book: {"isDefault": False}}
    assert [one["name"] for one in books.all() if one["isDefault"]] == ["Work"]
    assert books.set(onSuccessSetIsDefault="nowhere")["updated"] is None


def test_destruction_of_an_address_book_spares_its_contents_unless_asked_to(books: Objects, cards: Objects, book: str) -> None:
    work = books.create(name="Work")["id"]
    here = cards.create(**card(work))["id"]
    both = cards.create(**card(work, addressBookIds={work: True, book: True}))["id"]
    assert books.destroy(work)["type"] == "addressBookHasContents"
    before = cards.state()
    assert books.destroy(work, onDestroyRemoveContents=True) == {}
    assert cards.listed(before) == ([], [both], [here])
    assert cards.get(both, "addressBookIds")["addressBookIds"] == {book: True}


def test_a_card_comes_back_as_it_was_written_with_what_nobody_knows(peer: Peer, cards: Objects, book: str) -> None:
    """Stalwart refuses a card for a property that it does not know."""
    wanted = card(book, emails={"e1": {"address": "ada@example.org", "contexts": {"work": True}}}, keywords={"math": True})
    for extra in ({"example.com:shoe": {"size": 39}}, {"unheardOf": [1, None, "x"]}):
        if peer.flavour == "stalwart":
            assert kind_of(cards.refuse(**wanted, **extra)) == ("invalidProperties", list(extra))
        else:
            wanted |= extra
    made = cards.create(**wanted)
    got = cards.get(made["id"])
    assert got == wanted | {name: got[name] for name in ("id", "created", "updated")}
    assert {name: got[name] for name in made} == made


def test_what_a_card_lacks_is_filled_in_and_reported(cards: Objects, book: str) -> None:
    made = cards.create(addressBookIds={book: True})
    got = cards.get(made["id"])
    assert (got["@type"], got["version"]) == ("Card", "1.0")
    assert got["uid"]
    assert {name: got[name] for name in made} == made


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"addressBookIds": {}}, "addressBookIds"),
        ({"addressBookIds": {"nowhere": True}}, "addressBookIds"),
        ({"addressBookIds": None}, "addressBookIds"),
        ({"id": "mine"}, "id"),
        ({"@type": "Event"}, "@type"),
        ({"version": "2.0"}, "version"),
        ({"uid": 7}, "uid"),
        ({"emails": ["ada@example.org"]}, "emails"),
        ({"emails": {"a b": {"address": "ada@example.org"}}}, "emails"),
        ({"keywords": {"a": False}}, "keywords"),
        ({"members": {"x": True}}, "members"),
        ({"created": "yesterday"}, "created"),
        ({"media": {"m": {"kind": "photo", "blobId": "nowhere"}}}, "media/m/blobId"),
    ],
)
def test_wrong_properties_of_a_new_card_are_named(cards: Objects, book: str, change: dict[str, object], named: str) -> None:
    assert kind_of(cards.refuse(**card(book) | change)) == ("invalidProperties", [named])


def test_one_uid_is_one_card(cards: Objects, book: str) -> None:
    first = card(book)
    card_id = cards.create(**first)["id"]
    assert kind_of(cards.refuse(**first)) == ("invalidProperties", ["uid"])
    assert kind_of(cards.patch(card_id, {"uid": "other"})) == ("invalidProperties", ["uid"])
    assert cards.patch(card_id, {"uid": first["uid"]}) == {}
    cards.destroy(card_id)
    assert cards.create(**first)["id"] != card_id


def test_a_patch_changes_what_it_names_and_nothing_else(cards: Objects, book: str) -> None:
    wanted = card(book, nicknames={"n/1".replace("/", "-"): {"name": "A"}}, relatedTo={"urn:x/y~z": {"relation": {"friend": True}}})
    card_id = cards.create(**wanted)["id"]
    before = cards.get(card_id)
    state = cards.state()
    patch = {
        "nicknames/n-1/name": "B",
        "/name/full": "Countess",
        "relatedTo/urn:x~1y~0z/relation/spouse": True,
        "emails": {"e": {"address": "a@example.org"}},
        "language": None,
    }
    assert cards.patch(card_id, patch) == {}
    got = cards.get(card_id)
    assert got == before | {
        "nicknames": {"n-1": {"name": "B"}},
        "name": {"full": "Countess"},
        "relatedTo": {"urn:x/y~z": {"relation": {"friend": True, "spouse": True}}},
        "emails": {"e": {"address": "a@example.org"}},
        "updated": got["updated"],
    }
    assert cards.listed(state) == ([], [card_id], [])
    assert cards.patch(card_id, {"nicknames/n-1": None, "emails": None}) == {}
    assert (cards.get(card_id)["nicknames"], "emails" in cards.get(card_id)) == ({}, False)


@pytest.mark.parametrize(
    "patch",
    [
        {"emails/e2/address": "x"},
        {"phones/p/number": "1"},
        {"name/components/0/value": "x"},
        {"name/full/x": "y"},
        {"name": {"full": "x"}, "name/full": "y"},
        {"name/full": "x", "/name/full": "y"},
        {"emails/e~2": None},
    ],
)
def test_paths_that_lead_nowhere_refuse_the_whole_patch(peer: Peer, cards: Objects, book: str, patch: dict[str, object]) -> None:
    name = {"components": [{"kind": "given", "value": "Ada"}], "full": "Ada"}
    card_id = cards.create(**card(book, name=name, emails={"e1": {"address": "a@example.org"}}))["id"]
    state = cards.state()
    expected = "invalidProperties" if peer.flavour == "stalwart" else "invalidPatch"
    assert cards.patch(card_id, {"language": "en", **patch})["type"] == expected
    assert ("language" in cards.get(card_id), cards.state()) == (False, state)


def test_a_patch_must_leave_a_sound_card(cards: Objects, book: str) -> None:
    card_id = cards.create(**card(book))["id"]
    assert kind_of(cards.patch(card_id, {"addressBookIds": {}})) == ("invalidProperties", ["addressBookIds"])
    assert kind_of(cards.patch(card_id, {f"addressBookIds/{book}": None})) == ("invalidProperties", ["addressBookIds"])
    assert kind_of(cards.patch(card_id, {"id": "other"})) == ("invalidProperties", ["id"])
    assert kind_of(cards.patch(card_id, {"@type": "Task"})) == ("invalidProperties", ["@type"])
    assert kind_of(cards.patch(card_id, {"phones": 3})) == ("invalidProperties", ["phones"])


def test_a_card_moves_by_paths_also_into_an_address_book_of_the_same_request(peer: Peer, cards: Objects, book: str) -> None:
    card_id = cards.create(**card(book))["id"]
    made, moved = peer.call(
        [
            ("AddressBook/set", {"create": {"b": {"name": "Work"}}}),
            ("ContactCard/set", {"update": {card_id: {"addressBookIds/#b": True, f"addressBookIds/{book}": None}}}),
        ]
    )
    assert card_id in moved["updated"]
    assert cards.get(card_id)["addressBookIds"] == {made["created"]["b"]["id"]: True}


def test_a_patch_without_effect_changes_no_state(cards: Objects, book: str) -> None:
    card_id = cards.create(**card(book))["id"]
    state = cards.state()
    assert cards.set(update={card_id: {"name/full": "Ada"}})["updated"] == {card_id: None}
    assert cards.state() == state


def test_one_refusal_does_not_hinder_the_others(cards: Objects, book: str) -> None:
    first = cards.create(**card(book))["id"]
    second = cards.create(**card(book))["id"]
    answer = cards.set(
        create={"good": card(book), "bad": {}},
        update={first: {"language": "en"}, "nowhere": {"language": "en"}, second: {"language": "en"}},
        destroy=[second, "neither"],
    )
    assert (list(answer["created"]), list(answer["notCreated"])) == (["good"], ["bad"])
    assert list(answer["updated"]) == [first]
    assert {key: error["type"] for key, error in answer["notUpdated"].items()} == {"nowhere": "notFound", second: "willDestroy"}
    assert answer["destroyed"] == [second]
    assert answer["notDestroyed"]["neither"]["type"] == "notFound"


def test_a_set_is_refused_in_another_state_and_reports_both_states(peer: Peer, cards: Objects, book: str) -> None:
    before = cards.state()
    answer = cards.set(create={"new": card(book)}, ifInState=before)
    assert (answer["oldState"], answer["newState"]) == (before, cards.state())
    assert peer.error("ContactCard/set", {"ifInState": before, "create": {}}) == "stateMismatch"


def test_changes_come_in_pages(peer: Peer, cards: Objects, book: str) -> None:
    before = cards.state()
    ids = [cards.create(**card(book))["id"] for _ in range(5)]
    seen, state, more = [], before, True
    while more:
        page = peer.changes(state, "ContactCard", maxChanges=2)
        assert page["oldState"] == state
        seen += page["created"]
        state, more = page["newState"], page["hasMoreChanges"]
    assert (seen, state) == (ids, cards.state())


def test_states_of_cards_books_and_mail_are_their_own(peer: Peer, cards: Objects, books: Objects, book: str) -> None:
    before = [books.state(), peer.state("Email"), peer.state("Mailbox")]
    cards.create(**card(book))
    assert [books.state(), peer.state("Email"), peer.state("Mailbox")] == before


@pytest.mark.parametrize("state", ["", "nonsense", "999999"])
def test_states_nobody_gave_cannot_be_calculated_from(peer: Peer, state: str) -> None:
    error = peer.error("ContactCard/changes", {"sinceState": state})
    assert error in ("cannotCalculateChanges", "invalidArguments" if peer.flavour == "stalwart" else "")


def test_cards_are_found_by_uid_book_kind_and_words(peer: Peer, cards: Objects, books: Objects, book: str) -> None:
    work = books.create(name="Work")["id"]
    ada = cards.create(**card(book, name={"components": [{"kind": "given", "value": "Ada"}]}, uid="urn:ada"))["id"]
    team = cards.create(**card(work, kind="group", members={"urn:ada": True}, name={"full": "Team"}))["id"]

    def found(**condition: object) -> list[str]:
        return list(peer.one("ContactCard/query", {"filter": condition})["ids"])

    assert found(inAddressBook=work) == [team]
    assert found(uid="urn:ada") == [ada]
    assert found(hasMember="urn:ada") == [team]
    assert found(kind="individual") == [ada]
    assert found(name="ada") == [ada]
    assert found(operator="NOT", conditions=[{"text": "TEAM"}]) == [ada]
    assert peer.error("ContactCard/query", {"filter": {"shoeSize": "39"}}) == "unsupportedFilter"
    assert peer.error("ContactCard/query", {"sort": [{"property": "shoeSize"}]}) == "unsupportedSort"


def test_listings_come_in_pages_with_a_total(peer: Peer, cards: Objects, book: str) -> None:
    ids = [cards.create(**card(book))["id"] for _ in range(5)]
    wish = {"limit": 2, "calculateTotal": True, "sort": [{"property": "created"}]}
    page = peer.one("ContactCard/query", {"position": 2, **wish})
    assert (page["ids"], page["position"], page["queryState"]) == (ids[2:4], 2, cards.state())
    assert page.get("total") == (None if peer.flavour == "stalwart" else 5)
    assert peer.one("ContactCard/query", wish)["total"] == 5
    past = peer.one("ContactCard/query", {"position": 99, **wish})
    assert (past["ids"], past["position"]) == ([], 0 if peer.flavour == "stalwart" else 5)


def test_photos_are_blobs_unless_the_server_takes_none(peer: Peer, cards: Objects, book: str) -> None:
    uri = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    card_id = cards.create(**card(book, media={"p": {"kind": "photo", "uri": uri}}))["id"]
    photo = cards.get(card_id)["media"]["p"]
    if peer.flavour == "stalwart":
        assert photo == {"kind": "photo", "uri": uri}
        blob_id = peer.upload(PNG, "image/png")
        error = cards.patch(card_id, {"media/p": {"kind": "photo", "blobId": blob_id}})
        assert kind_of(error) == ("invalidProperties", ["media/p/blobId"])
        return
    assert photo == {"kind": "photo", "blobId": photo["blobId"], "mediaType": "image/png"}
    assert peer.download(photo["blobId"]) == PNG
    blob_id = peer.upload(PNG + b"more", "image/png")
    assert cards.patch(card_id, {"media/p": {"kind": "photo", "blobId": blob_id}}) == {}
    assert cards.get(card_id)["media"]["p"] == {"kind": "photo", "blobId": blob_id, "mediaType": "image/png"}
    assert kind_of(cards.patch(card_id, {"media/p/uri": uri})) == ("invalidProperties", ["media/p"])
    assert cards.patch(card_id, {"media/p": {"kind": "photo", "uri": uri}}) == {}
    assert peer.download(cards.get(card_id)["media"]["p"]["blobId"]) == PNG


def test_a_photo_that_is_no_picture_is_refused(peer: Peer, cards: Objects, book: str) -> None:
    blob_id = peer.upload(b"no picture", "image/png")
    error = cards.refuse(**card(book, media={"p": {"kind": "photo", "blobId": blob_id}}))
    assert error["type"] == "invalidProperties"


def test_preserved_vcard_properties_come_when_asked_for_by_name(peer: Peer, cards: Objects, book: str) -> None:
    kept = [["x-shoe", {}, "unknown", "39"]]
    if peer.flavour == "stalwart":
        assert kind_of(cards.refuse(**card(book, vCardProps=kept))) == ("invalidProperties", ["vCardProps"])
        card_id = cards.create(**card(book, vCard={"properties": kept}))["id"]
        assert "vCard" not in cards.get(card_id)
        assert cards.get(card_id, "uid", "vCard")["vCard"]["properties"] == kept
        return
    card_id = cards.create(**card(book, vCardProps=kept))["id"]
    assert "vCardProps" in cards.get(card_id)
    assert cards.get(card_id, "uid", "vCardProps")["vCardProps"] == kept
