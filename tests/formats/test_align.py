"""Matching entries get equal keys: by value, then key, then position."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from jmapsync.formats import align as align_module
from jmapsync.formats.align import align
from jmapsync.formats.canonical import changes, sense
from jmapsync.formats.codec import cards
from jmapsync.formats.objects import encode
from jmapsync.formats.patch import diff
from tests.formats.test_canonical import CARD, EVENT, rekeyed


@pytest.mark.parametrize("item", [CARD, EVENT], ids=["card", "event"])
def test_an_object_with_other_keys_gets_those_of_the_reference(item: dict[str, Any]) -> None:
    found = align(rekeyed(item), item)
    assert found == item
    assert diff(item, found) == {}
    assert align(item, item) == item


@pytest.mark.parametrize("item", [CARD, EVENT], ids=["card", "event"])
def test_without_a_reference_keys_stay(item: dict[str, Any]) -> None:
    assert align(item, {"@type": item["@type"]}) == item
    assert sense(align(rekeyed(item), {})) == sense(item)


def emails(*addresses: str, first: int = 1, **more: Any) -> dict[str, Any]:  # noqa: ANN401 # any JSON value
    return {"@type": "Card", "emails": {f"{place}": {"address": address, **more} for place, address in enumerate(addresses, first)}}


def server(*addresses: str) -> dict[str, Any]:
    return {
        "@type": "Card",
        "emails": {f"s{place}": {"@type": "EmailAddress", "address": text} for place, text in enumerate(addresses, 1)},
    }


@pytest.mark.parametrize(
    ("edited", "patch"),
    [
        (emails("b@x", "c@x"), {"emails/s1": None}),
        (emails("c@x", "b@x", "a@x"), {}),
        (emails("a@x", "new@x", "c@x"), {"emails/s2/address": "new@x"}),
        (emails("a@x", "b@x", "c@x", "d@x"), {"emails/4": {"address": "d@x"}}),
        (emails("A@x", "b@x", "c@x"), {"emails/s1/address": "A@x"}),
        ({"@type": "Card"}, {"emails": None}),
    ],
)
def test_keys_by_place_in_a_file_are_no_edit(edited: dict[str, Any], patch: dict[str, Any]) -> None:
    base = server("a@x", "b@x", "c@x")
    assert changes(base, align(edited, base)) == patch


def test_an_entry_keeps_its_key_when_only_its_context_changes() -> None:
    base = server("a@x", "b@x")
    edited = align(emails("b@x", "a@x", contexts={"work": True}), base)
    assert changes(base, edited) == {"emails/s1/contexts": {"work": True}, "emails/s2/contexts": {"work": True}}


def test_the_same_key_holds_what_became_another() -> None:
    base = {"@type": "Card", "notes": {"n1": {"note": "a"}, "n2": {"note": "b"}}}
    edited = {"@type": "Card", "notes": {"n2": {"note": "c"}, "n1": {"note": "d"}}}
    assert changes(base, align(edited, base)) == {"notes/n1/note": "d", "notes/n2/note": "c"}


def test_a_number_is_known_however_it_is_written() -> None:
    base = {"@type": "Card", "phones": {"p": {"number": "tel:+1-555-0100"}, "q": {"number": "tel:+1-555-0199"}}}
    edited = {"@type": "Card", "phones": {"1": {"number": "+1 (555) 0199"}, "2": {"number": "+1 555 0100"}}}
    assert set(changes(base, align(edited, base))) == {"phones/p/number", "phones/q/number"}
    assert align(edited, base)["phones"]["p"]["number"] == "+1 555 0100"


def test_a_birthday_does_not_take_the_place_of_a_wedding() -> None:
    base = {"@type": "Card", "anniversaries": {"x": {"kind": "wedding", "date": {"year": 2000}}}}
    edited = {"@type": "Card", "anniversaries": {"x": {"kind": "birth", "date": {"year": 1970}}}}
    found = align(edited, base)["anniversaries"]
    assert list(found) != ["x"]
    assert list(found.values()) == [{"kind": "birth", "date": {"year": 1970}}]
    assert align(edited, base) == align(copy.deepcopy(edited), base)


def test_what_refers_to_an_entry_follows_its_new_key() -> None:
    base = {
        "@type": "Event",
        "locations": {"s1": {"name": "A"}, "s2": {"name": "B"}},
        "participants": {"p1": {"calendarAddress": "mailto:a@x"}, "p2": {"calendarAddress": "mailto:b@x"}},
    }
    edited = {
        "@type": "Event",
        "locations": {"1": {"name": "B"}, "2": {"name": "A"}},
        "mainLocationId": "1",
        "participants": {
            "1": {"calendarAddress": "mailto:b@x"},
            "2": {"calendarAddress": "mailto:a@x", "delegatedTo": {"1": True}},
        },
        "iCalendar": {"convertedProperties": {"locations/1/coordinates": {"name": "geo"}, "duration": {"name": "dtend"}}},
    }
    found = align(edited, base)
    assert found["mainLocationId"] == "s2"
    assert found["participants"]["p1"]["delegatedTo"] == {"p2": True}
    assert found["iCalendar"]["convertedProperties"] == {"locations/s2/coordinates": {"name": "geo"}, "duration": {"name": "dtend"}}


def test_overrides_follow_and_are_written_as_the_reference_writes_them() -> None:
    at = "2026-01-08T09:00:00"
    master = {"@type": "Event", "start": "2026-01-01T09:00:00", "alerts": {"s": {"trigger": {"offset": "-PT5M"}}}}
    theirs = {"alerts/s/trigger/offset": "-PT9M", "alerts/t": {"trigger": {"offset": "PT0S"}}}
    mine = {"alerts": {"1": {"trigger": {"offset": "-PT9M"}}, "2": {"@type": "Alert", "trigger": {"offset": "PT0S"}}}}
    base = {**master, "recurrenceOverrides": {at: theirs}}
    edited = {**master, "alerts": {"1": {"trigger": {"offset": "-PT5M"}}}, "recurrenceOverrides": {at: mine}}
    assert align(edited, base)["recurrenceOverrides"] == {at: theirs}
    changed = {**edited, "recurrenceOverrides": {at: {**mine, "title": "Moved"}}}
    assert changes(base, align(changed, base)) == {
        f"recurrenceOverrides/{at}": {
            "title": "Moved",
            "alerts/s/trigger/offset": "-PT9M",
            "alerts/t": {"@type": "Alert", "trigger": {"offset": "PT0S"}},
        }
    }


def test_a_localization_follows_too() -> None:
    base = {"@type": "Card", "titles": {"s": {"name": "Head"}}, "localizations": {"de": {"titles/s/name": "Leiter"}}}
    edited = {"@type": "Card", "titles": {"1": {"name": "Head"}}, "localizations": {"de": {"titles/1/name": "Leiter"}}}
    assert align(edited, base) == base


def test_a_change_to_a_default_is_null() -> None:
    assert changes({"@type": "Event", "priority": 1}, {"@type": "Event", "priority": 0}) == {"priority": 0}
    assert changes({"@type": "Event", "priority": 1}, {"@type": "Event"}) == {"priority": None}
    assert changes({"@type": "Event", "updated": "a"}, {"@type": "Event", "updated": "b"}) == {}


def test_thousands_of_like_entries_are_compared_with_few(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[None] = []
    shared = align_module._shared  # what is counted

    def count(one: object, other: object) -> int:
        compared.append(None)
        return shared(one, other)

    monkeypatch.setattr(align_module, "_shared", count)
    one, other = ({"nicknames": {f"{key}{n}": {"name": f"{key}{n // 2}"} for n in range(2000)}} for key in "ab")
    assert len(align(one, other)["nicknames"]) == len(one["nicknames"])
    assert len(compared) < 60 * len(one["nicknames"])


def test_new_keys_of_thousands_of_equal_entries_are_all_different() -> None:
    held = {"nicknames": {f"n{number}": {"name": "x"} for number in range(10)}}
    found = align({"nicknames": {f"n{number}": {"name": "a"} for number in range(3000)}}, held)
    assert len(found["nicknames"]) == 3000


def test_an_instance_moved_to_the_start_of_its_series_stays_there_when_keys_change() -> None:
    moved = {"start": "2026-01-01T10:00:00", "participants": {"a": {"calendarAddress": "mailto:a"}}}
    item = {"@type": "Event", "uid": "u", "start": "2026-01-01T10:00:00", "recurrenceOverrides": {"2026-01-02T10:00:00": moved}}
    aligned = align(item, {"@type": "Event", "uid": "u", "participants": {"b": {"calendarAddress": "mailto:b"}}})
    assert aligned["recurrenceOverrides"]["2026-01-02T10:00:00"]["start"] == "2026-01-01T10:00:00"


def test_an_instance_is_written_as_it_was_only_where_that_fits() -> None:
    overrides = {"2026-01-02T10:00:00": {"title": "x", "iCalendar/properties": []}}
    item = {"@type": "Event", "uid": "u", "recurrenceOverrides": {"2026-01-02T10:00:00": {"title": "x"}}}
    assert align(item, {**item, "iCalendar": {"convertedProperties": {}}, "recurrenceOverrides": overrides}) == item


def test_entries_that_a_file_says_otherwise_are_matched_in_its_order() -> None:
    """In vCard 3.0 they have no keys, are in the order 9, 10, and the parts of an address have another order."""
    codec = cards("3.0")
    parts = [("postcode", "1"), ("name", "Street"), ("number", "{}"), ("locality", "Town {}")]
    card = {
        "@type": "Card",
        "version": "1.0",
        "uid": "u",
        "addresses": {
            f"k{number}": {"components": [{"kind": kind, "value": value.format(number)} for kind, value in parts]}
            for number in range(1, 13)
        },
        "emails": {f"k{number}": {"address": "a@b.example", "label": f"L{number}", "pref": number} for number in range(1, 13)},
    }
    server = json.loads(encode(card))
    written = codec.write(server)
    base = codec.align(codec.read(written), server)
    edited = codec.read(written.replace(b"Town 2;", b"Newtown;").replace(b"X-ABLABEL:L11", b"X-ABLABEL:Home"))
    patch = codec.patch(base, codec.align(edited, base))
    assert patch.keys() == {"addresses/k2/components", "emails/k11/label"}
