"""Faults of khard 0.22.0, todoman 4.7.0 and khal 0.14.1 in edited files are undone, and edits are kept."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from jmapsync.formats.align import align
from jmapsync.formats.canonical import changes
from jmapsync.formats.repairs import take_back

PHOTO = "data:image/jpeg;base64," + "AAAA" * 20
CARD: dict[str, Any] = {
    "@type": "Card",
    "uid": "u",
    "updated": "2026-01-01T00:00:00Z",
    "nicknames": {"k": {"name": "Annie"}},
    "name": {
        "full": "Dr. Ann Lee Smith Jr.",
        "components": [
            {"kind": "title", "value": "Dr."},
            {"kind": "given", "value": "Ann", "phonetic": "æn"},
            {"kind": "separator", "value": " "},
            {"kind": "surname", "value": "Lee"},
            {"kind": "surname2", "value": "Smith"},
            {"kind": "generation", "value": "Jr."},
        ],
        "isOrdered": True,
        "sortAs": {"surname": "Lee", "given": "Ann"},
    },
    "addresses": {
        "a": {
            "components": [
                {"kind": "number", "value": "54321"},
                {"kind": "name", "value": "Oak St"},
                {"kind": "apartment", "value": "Apt 2"},
                {"kind": "locality", "value": "Reston"},
                {"kind": "country", "value": "USA"},
            ],
            "isOrdered": True,
            "countryCode": "US",
            "coordinates": "geo:46.77,23.59",
            "timeZone": "America/New_York",
            "full": "54321 Oak St",
        }
    },
    "organizations": {"o": {"name": "ACME", "sortAs": "acme"}},
    "titles": {"t": {"name": "Head", "organizationId": "o"}},
    "notes": {"n": {"note": "A note", "created": "2020-01-01T00:00:00Z", "author": {"name": "Bob"}}},
    "links": {"l": {"uri": "https://x", "contexts": {"work": True}, "mediaType": "text/html", "vCardParams": {"x-p": "1"}}},
    "media": {"m": {"kind": "photo", "uri": PHOTO}},
    "anniversaries": {
        "b": {"kind": "birth", "date": {"month": 5, "day": 9}},
        "d": {"kind": "death", "date": {"year": 2020}},
    },
    "phones": {"p": {"number": "tel:+1-555-0100;ext=1"}, "q": {"number": "+1 555 0101", "label": "Boat"}},
    "emails": {"e": {"address": "a@x"}},
    "vCardProps": [["anniversary", {}, "unknown", "20090808T1430-0500"]],
}
# As khard left it: keys, kinds, parameters and dates are its own.
KHARD: dict[str, Any] = {
    "@type": "Card",
    "uid": "u",
    "kind": "individual",
    "updated": "2026-11-23T03:34:07Z",
    "nicknames": {"1": {"name": "Nan"}},
    "name": {
        "full": "Dr. Ann Lee Smith Jr.",
        "components": [
            {"kind": "surname", "value": "Lee"},
            {"kind": "surname", "value": "Smith"},
            {"kind": "given", "value": "Ann"},
            {"kind": "title", "value": "Dr."},
            {"kind": "credential", "value": "Jr."},
        ],
    },
    "addresses": {
        "1": {
            "components": [
                {"kind": "apartment", "value": "Apt 2"},
                {"kind": "name", "value": "54321 Oak St"},
                {"kind": "locality", "value": "Reston"},
                {"kind": "country", "value": "USA"},
            ]
        }
    },
    "organizations": {"1": {"name": "ACME"}},
    "titles": {"1": {"name": "Head"}},
    "notes": {"1": {"note": "A note"}},
    "links": {"1": {"uri": "https://x"}},
    "media": {"m": {"kind": "photo", "uri": "data:image/jpeg;base64"}},
    "anniversaries": {"1": {"kind": "birth", "date": {"year": 1900, "month": 5, "day": 9}}},
    "phones": {
        "1": {"number": "tel:+1 555 0101", "label": "Boat", "vCardParams": {"type": "X-Boat"}},
        "2": {"number": "tel:+1-555-0100\\;ext=1"},
    },
    "emails": {"1": {"address": "a@x", "vCardParams": {"type": "internet"}}},
    "vCardProps": [["anniversary", {}, "unknown", "20090808T140300-05:00"], ["x-kind", {}, "unknown", "individual"]],
}
TASK: dict[str, Any] = {
    "@type": "Task",
    "uid": "t",
    "title": "Water plants",
    "start": "2026-07-05T08:00:00",
    "due": "2026-07-05T09:00:00",
    "timeZone": "Europe/Rome",
    "keywords": {"zeta": True, "alpha": True},
    "recurrenceRule": {"frequency": "weekly", "until": "2026-12-06T08:00:00"},
    "recurrenceOverrides": {"2026-07-19T08:00:00": {"excluded": True}, "2026-12-06T08:00:00": {"due": "2026-12-06T10:00:00"}},
    "locations": {"l": {"name": "Here", "coordinates": "geo:1,2"}},
}
TODOMAN: dict[str, Any] = {
    **TASK,
    "start": "2026-07-05T06:00:00",
    "due": "2026-07-05T07:00:00",
    "timeZone": "Etc/UTC",
    "priority": 4,
    "progress": "needs-action",
    "recurrenceRule": {"frequency": "weekly", "until": "2026-12-06T07:00:00"},
    "recurrenceOverrides": {"2026-07-19T06:00:00": {"excluded": True}, "2026-12-06T07:00:00": {"due": "2026-12-06T09:00:00"}},
    "locations": {"1": {"name": "Here", "coordinates": "geo:1.0,2.0"}},
}


def edit(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return the patch of an edit, as a codec makes it."""
    return changes(before, take_back(before, align(after, before)))


def test_a_nickname_changed_in_khard_is_a_nickname_and_nothing_else() -> None:
    kept = copy.deepcopy([CARD, KHARD])
    assert edit(CARD, KHARD) == {"nicknames/k/name": "Nan"}
    assert kept == [CARD, KHARD]


@pytest.mark.parametrize(
    ("change", "patch"),
    [
        ({"phones": {**KHARD["phones"], "2": {"number": "+39 06"}}}, {"phones/p/number": "+39 06"}),
        ({"media": {}}, {"media": None}),
        ({"media": {"m": {"kind": "photo", "uri": "data:image/png;base64,BBBB"}}}, {"media/m/uri": "data:image/png;base64,BBBB"}),
        (
            {"links": {"1": {"uri": "https://y"}}},
            {"links/l/uri": "https://y", "links/l/contexts": None, "links/l/mediaType": None, "links/l/vCardParams": None},
        ),
        (
            {"anniversaries": {"1": {"kind": "birth", "date": {"year": 1970, "month": 5, "day": 9}}}},
            {"anniversaries/b/date/year": 1970},
        ),
        (
            {"anniversaries": {"1": {"kind": "birth", "date": {"year": 1900, "month": 5, "day": 8}}}},
            {"anniversaries/b/date/year": 1900, "anniversaries/b/date/day": 8},
        ),
        (
            {
                "anniversaries": {
                    "1": KHARD["anniversaries"]["1"],
                    "x": {"kind": "death", "date": {"year": 2021, "month": 1, "day": 2}},
                }
            },
            {"anniversaries/d/date/year": 2021, "anniversaries/d/date/month": 1, "anniversaries/d/date/day": 2},
        ),
        (
            {"emails": {"1": {"address": "a@x", "vCardParams": {"type": ["internet", "X-Work"]}}}},
            {"emails/e/vCardParams": {"type": "X-Work"}},
        ),
        (
            {"vCardProps": [["anniversary", {}, "unknown", "20100808T140300-05:00"]]},
            {"vCardProps": [["anniversary", {}, "unknown", "20100808T140300-05:00"]]},
        ),
    ],
)
def test_edits_are_kept(change: dict[str, Any], patch: dict[str, Any]) -> None:
    assert edit(CARD, {**KHARD, "nicknames": {"1": {"name": "Annie"}}, **change}) == patch


def test_a_name_edited_in_khard_keeps_what_its_other_fields_say() -> None:
    components = [*KHARD["name"]["components"]]
    components[2] = {"kind": "given", "value": "Anna"}
    found = edit(CARD, {**KHARD, "name": {"full": "Dr. Ann Lee Smith Jr.", "components": components}})
    assert found == {
        "nicknames/k/name": "Nan",
        "name/components": [
            {"kind": "title", "value": "Dr."},
            {"kind": "given", "value": "Anna"},
            *CARD["name"]["components"][2:],
        ],
        "name/sortAs/given": None,
    }


def test_an_address_edited_in_khard_keeps_its_country_but_not_its_place_on_the_map() -> None:
    components = [*KHARD["addresses"]["1"]["components"]]
    components[1] = {"kind": "name", "value": "1 Elm St"}
    found = edit(CARD, {**KHARD, "addresses": {"1": {"components": components}}})
    assert found == {
        "nicknames/k/name": "Nan",
        "addresses/a/components": [{"kind": "name", "value": "1 Elm St"}, *CARD["addresses"]["a"]["components"][2:]],
        "addresses/a/coordinates": None,
        "addresses/a/full": None,
    }


def test_components_that_old_fields_cannot_express_are_kept() -> None:
    after = {**KHARD, "name": {"components": [{"kind": "surname", "value": "Lee"}, {"kind": "surname2", "value": "Smith"}]}}
    assert edit(CARD, after)["name/components"] == after["name"]["components"]


def test_deletions_by_hand_are_kept() -> None:
    after = copy.deepcopy(CARD)
    del after["links"]["l"]["contexts"], after["anniversaries"]["d"], after["addresses"]["a"]["timeZone"]
    assert edit(CARD, after) == {"links/l/contexts": None, "anniversaries/d": None, "addresses/a/timeZone": None}


def test_a_label_of_a_line_of_its_own_is_no_type_either() -> None:
    label = ["x-ablabel", {"group": "item1"}, "unknown", "Holiday home"]
    before = {"@type": "Card", "addresses": {"a": {"full": "x", "vCardParams": {"group": "item1"}}}, "vCardProps": [label]}
    after = {**before, "addresses": {"a": {"full": "x", "vCardParams": {"group": "itemadr1", "type": "X-Holiday home"}}}}
    assert edit(before, after) == {}
    kept = {**before, "addresses": {"a": {"full": "x", "vCardParams": {"type": ["X-Holiday home", "X-Cabin"]}}}}
    assert edit(before, kept) == {"addresses/a/vCardParams": {"type": "X-Cabin"}}


def test_a_priority_set_in_todoman_is_a_priority_and_nothing_else() -> None:
    kept = copy.deepcopy([TASK, TODOMAN])
    assert edit(TASK, TODOMAN) == {"priority": 4}
    assert kept == [TASK, TODOMAN]


def test_a_due_date_set_in_todoman_is_in_the_zone_of_the_task() -> None:
    assert edit(TASK, {**TODOMAN, "priority": 0, "due": "2026-07-06T10:00:00"}) == {"due": "2026-07-06T12:00:00"}


def test_a_task_that_floats_moves_back_by_the_offset_of_the_machine() -> None:
    floating = {"@type": "Task", "uid": "t", "start": "2026-07-05T08:00:00", "due": "2026-07-05T09:00:00"}
    assert edit(floating, {**floating, "timeZone": "Etc/UTC", "start": "2026-07-05T06:00:00", "due": "2026-07-05T07:00:00"}) == {}
    later = {**floating, "timeZone": "Etc/UTC", "start": "2026-07-05T06:00:00", "due": "2026-07-15T07:00:00"}
    assert edit(floating, later) == {"due": "2026-07-15T09:00:00"}
    moved = {**floating, "timeZone": "Etc/UTC", "start": "2026-07-05T06:00:00", "due": "2026-07-05T08:00:00"}
    assert edit(floating, moved) == {"timeZone": "Etc/UTC", "start": "2026-07-05T06:00:00", "due": "2026-07-05T08:00:00"}


def test_an_event_moved_to_utc_is_moved_unless_it_starts_at_the_same_instant() -> None:
    event = {"@type": "Event", "uid": "e", "start": "2026-07-05T08:00:00", "timeZone": "Europe/Rome", "duration": "PT1H"}
    assert edit(event, {**event, "timeZone": "Etc/UTC", "start": "2026-07-05T06:00:00"}) == {}
    assert edit(event, {**event, "timeZone": "Etc/UTC"}) == {"timeZone": "Etc/UTC"}
    assert edit({**event, "timeZone": "Nowhere/Known"}, {**event, "timeZone": "Etc/UTC"}) == {"timeZone": "Etc/UTC"}


def test_overrides_that_repeat_the_master_are_kept_as_they_were() -> None:
    after = {**TASK, "title": "Water", "recurrenceOverrides": {"2026-07-19T08:00:00": {}, "2026-12-06T08:00:00": {}}}
    assert edit(TASK, after) == {"title": "Water"}
    assert edit(TASK, {**TASK, "recurrenceOverrides": {"2026-07-19T08:00:00": {"excluded": True}}}) == {
        "recurrenceOverrides/2026-12-06T08:00:00": None
    }


@pytest.mark.parametrize(
    "odd", [None, "x", [1], {"k": None}, {"k": "x"}, {"k": {"date": 1, "uri": 2, "number": None, "components": 3}}]
)
def test_whatever_a_file_holds_no_rule_fails(odd: Any) -> None:  # noqa: ANN401 # any JSON value
    names = [
        "anniversaries",
        "media",
        "phones",
        "emails",
        "name",
        "addresses",
        "links",
        "vCardProps",
        "titles",
        "recurrenceOverrides",
        "start",
    ]
    card = {"@type": "Card", **dict.fromkeys(names, odd)}
    task = {"@type": "Task", **dict.fromkeys(names, odd), "timeZone": "Etc/UTC"}
    for before, after in ((card, KHARD), (CARD, card), (card, card), (TASK, task), ({**task, "timeZone": None}, TODOMAN)):
        take_back(before, after)


EVENT: dict[str, Any] = {
    "@type": "Event",
    "uid": "e",
    "title": "Talk",
    "start": "2026-12-01T08:00:00",
    "timeZone": "Europe/Rome",
    "locations": {"l": {"name": "Room 1", "coordinates": "geo:1,2"}, "m": {"name": "Room 2"}},
    "mainLocationId": "l",
    "recurrenceRule": {"frequency": "weekly"},
    "recurrenceOverrides": {
        "2026-12-08T08:00:00": {"title": "Special talk"},
        "2026-12-15T08:00:00": {"start": "2026-12-15T10:00:00", "alerts": {"z": {"trigger": {"offset": "PT0S"}}}},
        "2026-12-22T08:00:00": {"excluded": True},
    },
}


def test_a_location_written_over_its_copy_in_khal_is_the_main_one_renamed() -> None:
    after = {**EVENT, "locations": {**EVENT["locations"], "new": {"name": "Elsewhere"}}, "mainLocationId": "new"}
    assert edit(EVENT, after) == {"locations/l/name": "Elsewhere"}
    renamed = {**after, "locations": {**EVENT["locations"], "new": {"name": "Elsewhere", "coordinates": "geo:3,4"}}}
    assert edit(EVENT, renamed).keys() == {"mainLocationId", "locations/new"}
    assert edit(EVENT, {**EVENT, "mainLocationId": "m"}) == {"mainLocationId": "m"}


def test_a_series_edited_in_khal_takes_its_overrides_along() -> None:
    """Each override in the file is a copy of the whole series, which khal leaves as it was."""
    alarm = {"a": {"trigger": {"offset": "-PT30M"}}}
    after = {
        **EVENT,
        "title": "New",
        "description": "New too",
        "alerts": alarm,
        "recurrenceOverrides": {
            "2026-12-08T08:00:00": {"title": "Special talk", "description": None, "alerts": None, "sequence": None},
            "2026-12-15T08:00:00": {
                "title": "Talk",
                "start": "2026-12-15T10:00:00",
                "description": None,
                "sequence": None,
                "alerts/a": None,
                "alerts/z": {"trigger": {"offset": "PT0S"}},
            },
            "2026-12-22T08:00:00": {"excluded": True},
        },
    }
    assert edit(EVENT, after) == {"title": "New", "description": "New too", "alerts": alarm}


def test_an_override_edited_beside_its_series_is_sent() -> None:
    moved = {"start": "2026-12-15T11:00:00", "alerts": EVENT["recurrenceOverrides"]["2026-12-15T08:00:00"]["alerts"], "sequence": 2}
    after = {
        **EVENT,
        "title": "New",
        "recurrenceOverrides": {
            **EVENT["recurrenceOverrides"],
            "2026-12-08T08:00:00": {"title": "Talk"},
            "2026-12-15T08:00:00": moved,
        },
    }
    assert edit(EVENT, after) == {
        "title": "New",
        "recurrenceOverrides/2026-12-08T08:00:00": {"title": "Talk"},
        "recurrenceOverrides/2026-12-15T08:00:00": {name: moved[name] for name in ("start", "alerts")},
    }
