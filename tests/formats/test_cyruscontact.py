"""Cards as Cyrus' own Contact and ContactGroup (imap/jmap_contact.c of 3.6.1)."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from jmapsync.formats.cyruscontact import contact_changes, group_changes, to_contact, to_group

CARD: dict[str, Any] = {
    "@type": "Card",
    "version": "1.0",
    "uid": "urn:uuid:1",
    "name": {
        "full": "Dr. Ann Marie Lee Jr.",
        "components": [
            {"kind": "surname", "value": "Lee"},
            {"kind": "given", "value": "Ann"},
            {"kind": "given2", "value": "Marie"},
            {"kind": "title", "value": "Dr."},
            {"kind": "credential", "value": "Jr."},
        ],
    },
    "nicknames": {"n": {"name": "Annie"}},
    "organizations": {"o": {"name": "ACME", "units": [{"name": "Research"}]}},
    "titles": {"t": {"name": "Head"}},
    "emails": {
        "a": {"address": "a@x", "contexts": {"private": True}},
        "b": {"address": "b@x", "contexts": {"work": True}, "pref": 1, "label": "Office"},
        "c": {"address": "c@x"},
    },
    "phones": {
        "h": {"number": "1", "contexts": {"private": True}},
        "m": {"number": "2", "features": {"mobile": True}},
        "o": {"number": "3", "label": "Boat"},
    },
    "links": {"l": {"uri": "https://x", "label": "Blog"}},
    "onlineServices": {
        "x": {"uri": "xmpp:ann@x", "vCardName": "impp"},
        "s": {"service": "Mastodon", "user": "@ann"},
    },
    "addresses": {
        "a": {
            "components": [
                {"kind": "name", "value": "1 Elm St"},
                {"kind": "locality", "value": "Reston"},
                {"kind": "postcode", "value": "20190"},
                {"kind": "country", "value": "USA"},
            ],
            "contexts": {"private": True},
            "countryCode": "us",
        }
    },
    "anniversaries": {
        "b": {"kind": "birth", "date": {"month": 5, "day": 9}},
        "w": {"kind": "wedding", "date": {"year": 2009, "month": 8, "day": 8}},
    },
    "notes": {"n": {"note": "A note"}},
    "media": {"p": {"kind": "photo", "uri": "urn:jmapsync:blob:B1", "mediaType": "image/jpeg"}},
}
CONTACT: dict[str, Any] = {
    "uid": "urn:uuid:1",
    "prefix": "Dr.",
    "firstName": "Ann Marie",
    "lastName": "Lee",
    "suffix": "Jr.",
    "nickname": "Annie",
    "company": "ACME",
    "department": "Research",
    "jobTitle": "Head",
    "emails": [
        {"type": "personal", "value": "a@x", "isDefault": False},
        {"type": "work", "value": "b@x", "label": "Office", "isDefault": True},
        {"type": "other", "value": "c@x", "isDefault": False},
    ],
    "phones": [
        {"type": "home", "value": "1"},
        {"type": "mobile", "value": "2"},
        {"type": "other", "value": "3", "label": "Boat"},
    ],
    "online": [
        {"type": "uri", "value": "https://x", "label": "Blog"},
        {"type": "username", "value": "xmpp:ann@x", "label": "jabber"},
        {"type": "username", "value": "@ann", "label": "Mastodon"},
    ],
    "addresses": [
        {
            "type": "home",
            "street": "1 Elm St",
            "locality": "Reston",
            "region": "",
            "postcode": "20190",
            "country": "USA",
            "countryCode": "us",
        }
    ],
    "birthday": "0000-05-09",
    "anniversary": "2009-08-08",
    "notes": "A note",
    "avatar": {"blobId": "B1", "type": "image/jpeg"},
}


def test_a_card_of_common_size_is_said_whole() -> None:
    kept = copy.deepcopy(CARD)
    assert to_contact(CARD) == (CONTACT, [])
    assert kept == CARD


def test_an_empty_card_has_no_properties_that_cyrus_refuses() -> None:
    found = to_contact({"@type": "Card", "uid": "u", "name": {"full": "Ann Lee"}})
    assert found.properties == {"uid": "u", "lastName": "Ann Lee"}
    assert found.left_out == []


@pytest.mark.parametrize(
    ("more", "left_out"),
    [
        ({"name": {**CARD["name"], "sortAs": {"surname": "lee"}}}, ["name/sortAs"]),
        ({"name": {**CARD["name"], "full": "Ann"}}, ["name/full"]),
        ({"name": {"components": [{"kind": "given", "value": "Mary Ann"}]}}, ["name/components"]),
        ({"name": {"components": [{"kind": "surname2", "value": "Lee"}]}}, ["name/components"]),
        (
            {"organizations": {"o": {"name": "A", "units": [{"name": "B"}, {"name": "C"}]}, "p": {"name": "D"}}},
            ["organizations/o/units", "organizations/p"],
        ),
        (
            {"titles": {"r": {"kind": "role", "name": "Boss"}, "t": {"name": "Head", "organizationId": "o"}}},
            ["titles/r", "titles/t/organizationId"],
        ),
        (
            {
                "emails": {
                    "a": {"address": "a@x", "pref": 3},
                    "b": {"address": "b@x", "pref": 9, "contexts": {"private": True, "work": True}},
                }
            },
            ["emails/a/pref", "emails/b/contexts/work", "emails/b/pref"],
        ),
        (
            {"phones": {"f": {"number": "1", "features": {"fax": True, "voice": True}, "contexts": {"work": True}}}},
            ["phones/f/contexts", "phones/f/features/voice"],
        ),
        (
            {
                "addresses": {
                    "a": {
                        "components": [{"kind": "name", "value": "Elm St"}, {"kind": "number", "value": "1"}],
                        "coordinates": "geo:1.0,2.0",
                        "timeZone": "Europe/Rome",
                        "full": "x",
                    }
                }
            },
            ["addresses/a/components", "addresses/a/coordinates", "addresses/a/full", "addresses/a/timeZone"],
        ),
        (
            {
                "anniversaries": {
                    "b": {"kind": "birth", "date": {"@type": "Timestamp", "utc": "1953-10-15T23:10:00Z"}},
                    "d": {"kind": "death", "date": {"year": 2020}},
                    "w": {"kind": "wedding", "date": {"year": 1600}},
                }
            },
            ["anniversaries"],
        ),
        (
            {"media": {"p": {"kind": "photo", "uri": "data:image/png;base64,AAAA"}, "l": {"kind": "logo", "uri": "https://x"}}},
            ["media"],
        ),
        (
            {"vCardProps": [["x-foo", {}, "unknown", "1"]], "keywords": {"k": True}, "kind": "org"},
            ["keywords", "kind", "vCardProps"],
        ),
    ],
)
def test_parts_that_a_contact_cannot_express_are_reported(more: dict[str, Any], left_out: list[str]) -> None:
    assert to_contact({**CARD, **more}).left_out == left_out


def test_several_nicknames_and_notes_are_one_text_each() -> None:
    card = {
        "@type": "Card",
        "nicknames": {"a": {"name": "A"}, "b": {"name": "B"}},
        "notes": {"x": {"note": "1"}, "y": {"note": "2"}},
    }
    found = to_contact(card)
    assert found.properties == {"nickname": "A, B", "notes": "1\n\n2"}
    assert found.left_out == ["nicknames", "notes"]


def test_streets_have_boxes_and_apartments_before_them() -> None:
    parts = [{"kind": kind, "value": kind} for kind in ("number", "name", "apartment", "postOfficeBox", "region")]
    [address] = to_contact({"@type": "Card", "addresses": {"a": {"components": parts, "contexts": {"billing": True}}}}).properties[
        "addresses"
    ]
    assert address == {
        "type": "billing",
        "street": "postOfficeBox\napartment\nnumber name",
        "locality": "",
        "region": "region",
        "postcode": "",
        "country": "",
    }


def test_the_label_of_an_address_is_a_line_of_its_own() -> None:
    card = {
        "@type": "Card",
        "addresses": {"a": {"full": "1 Elm St", "vCardParams": {"group": "item1"}}},
        "vCardProps": [["x-ablabel", {"group": "ITEM1"}, "unknown", "Holiday home"]],
    }
    [address] = to_contact(card).properties["addresses"]
    assert (address["street"], address["label"]) == ("1 Elm St", "Holiday home")


def test_a_photo_is_named_by_the_blob_that_was_uploaded() -> None:
    uri = "data:image/png;base64,AAAA"
    found = to_contact({"@type": "Card", "media": {"p": {"kind": "photo", "uri": uri}}}, {uri: "B2"})
    assert found == ({"avatar": {"blobId": "B2"}}, [])


@pytest.mark.parametrize(
    ("change", "sent", "left_out"),
    [
        ({"nicknames": {"n": {"name": "Nan"}}}, {"nickname": "Nan"}, []),
        ({"nicknames": {}}, {"nickname": ""}, []),
        ({"media": {}}, {"avatar": None}, []),
        ({"anniversaries": {"w": CARD["anniversaries"]["w"]}}, {"birthday": "0000-00-00"}, []),
        ({"emails": {"c": {"address": "c@x"}}}, {"emails": [{"type": "other", "value": "c@x", "isDefault": False}]}, []),
        ({"keywords": {"k": True}, "updated": "now"}, {}, ["keywords"]),
        ({"titles": {"t": {"name": "Chief", "organizationId": "o"}}}, {"jobTitle": "Chief"}, ["titles/t/organizationId"]),
        (
            {"name": {"components": [*CARD["name"]["components"][:1], {"kind": "given", "value": "Anna"}]}},
            {"prefix": "", "firstName": "Anna", "suffix": ""},
            ["name/full"],
        ),
    ],
)
def test_an_edit_sends_what_changed(change: dict[str, Any], sent: dict[str, Any], left_out: list[str]) -> None:
    assert contact_changes(CARD, {**CARD, **change}) == (sent, left_out)


def test_unsent_parts_are_described() -> None:
    assert to_contact({"@type": "Card", "speakToAs": {"grammaticalGender": "feminine"}}).unsent == ["speak to as"]


def test_a_group_names_its_members_by_their_ids() -> None:
    group = {
        "@type": "Card",
        "uid": "g",
        "kind": "group",
        "name": {"full": "Friends"},
        "members": {"u2": True, "u1": True, "far": True},
    }
    ids = {"u1": "c1", "u2": "c2", "u3": "c3"}
    assert to_group(group, ids) == ({"uid": "g", "name": "Friends", "contactIds": ["c1", "c2"]}, ["members/far"])
    grown = {**group, "members": {**group["members"], "u3": True}, "notes": {"n": {"note": "x"}}}  # type: ignore[dict-item]
    assert group_changes(group, grown, ids) == ({"contactIds": ["c1", "c2", "c3"]}, ["notes"])


@pytest.mark.parametrize(
    "odd", [None, 1, "x", [1], {"k": None}, {"k": 1}, {"k": {"address": 1, "date": 1, "components": 1, "uri": 1}}]
)
def test_whatever_a_card_holds_something_is_said(odd: Any) -> None:  # noqa: ANN401 # any JSON value
    card = {"@type": "Card", **dict.fromkeys(CARD.keys() - {"@type", "version"}, odd), "vCardProps": odd, "members": odd}
    assert contact_changes(CARD, card).properties
    assert to_group(card, {}).properties["contactIds"] == []
