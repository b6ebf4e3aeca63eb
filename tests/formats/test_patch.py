"""Patches of objects (RFC 8620, 5.3) and the merge of two sides' edits."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmapsync.formats.merge import merge, missing
from jmapsync.formats.patch import MAPS_OF_PATCHES, UnfitPatchError, apply, diff
from jmapsync.formats.pointer import describe, escape, split

NAMES = st.sampled_from(["a", "b", "c/d", "e~f", "", "recurrenceOverrides", "localizations", "emails", "@type"])
SCALARS = st.booleans() | st.integers(-1, 2) | st.sampled_from(["x", "y", ""])
VALUES = st.recursive(SCALARS | st.lists(SCALARS | st.none(), max_size=2), lambda inner: st.dictionaries(NAMES, inner, max_size=3))
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=4)


def test_a_change_deep_inside_is_one_path() -> None:
    before = {"emails": {"e1": {"address": "a@x", "pref": 1}, "e2": {"address": "b@x"}}, "uid": "u"}
    after = copy.deepcopy(before)
    after["emails"]["e1"]["address"] = "c@x"  # type: ignore[index]
    assert diff(before, after) == {"emails/e1/address": "c@x"}


def test_what_is_gone_is_null_and_what_is_new_is_sent_with_its_parent() -> None:
    assert diff({"title": "t", "links": {"k": {"href": "h"}}}, {"alerts": {"a": {"action": "email"}}}) == {
        "title": None,
        "links": None,
        "alerts": {"a": {"action": "email"}},
    }


def test_no_path_leads_into_an_array() -> None:
    before = {"name": {"components": [{"kind": "given", "value": "Ann"}]}}
    after = {"name": {"components": [{"kind": "given", "value": "Anne"}]}}
    assert diff(before, after) == {"name/components": after["name"]["components"]}


def test_slashes_and_tildes_of_names_are_escaped() -> None:
    assert diff({"vCardParams": {"a/b~c": {"x": 1}}}, {"vCardParams": {"a/b~c": {"x": 2}}}) == {"vCardParams/a~1b~0c/x": 2}


def test_an_object_of_another_type_is_sent_whole() -> None:
    before = {"alerts": {"k": {"trigger": {"@type": "OffsetTrigger", "offset": "-PT5M"}}}}
    after = {"alerts": {"k": {"trigger": {"@type": "AbsoluteTrigger", "when": "2026-01-01T00:00:00Z"}}}}
    assert diff(before, after) == {"alerts/k/trigger": after["alerts"]["k"]["trigger"]}


def test_an_override_of_a_recurrence_is_one_value() -> None:
    before = {"recurrenceOverrides": {"2026-01-01T09:00:00": {"title": "a", "alerts/k": None}}}
    after = {"recurrenceOverrides": {"2026-01-01T09:00:00": {"title": "b"}, "2026-01-08T09:00:00": {"excluded": True}}}
    assert diff(before, after) == {
        "recurrenceOverrides/2026-01-01T09:00:00": {"title": "b"},
        "recurrenceOverrides/2026-01-08T09:00:00": {"excluded": True},
    }


def test_true_is_not_one() -> None:
    assert diff({"a": 1}, {"a": True}) == {"a": True}


def test_a_value_without_a_parent_fits_nowhere_and_nothing_is_applied() -> None:
    item = {"title": "t", "links": [1]}
    for path in ("alerts/k/action", "title/x", "links/0"):
        with pytest.raises(UnfitPatchError):
            apply(item, {"title": "changed", path: "v"})
    assert item == {"title": "t", "links": [1]}


def test_removing_what_is_not_there_does_nothing() -> None:
    assert apply({"title": "t"}, {"alerts/k": None, "links": None}) == {"title": "t"}


@given(OBJECTS, OBJECTS)
def test_the_difference_applied_gives_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    kept = copy.deepcopy(before)
    patch = diff(before, after)
    assert diff(apply(before, patch), after) == {}
    assert apply(before, patch) == after
    assert before == kept


@given(OBJECTS, OBJECTS)
def test_no_path_is_the_start_of_another_and_every_parent_is_there(before: dict[str, Any], after: dict[str, Any]) -> None:
    paths = sorted(diff(before, after))
    for one, other in itertools.pairwise(paths):
        assert not other.startswith(one + "/")
    for path in paths:
        parent: Any = before
        names = split(path)
        for name in names[:-1]:
            parent = parent[name]
            assert isinstance(parent, dict)
        assert not (len(names) > 2 and names[0] in MAPS_OF_PATCHES)


@given(st.text())
def test_a_name_survives_its_escape(name: str) -> None:
    assert split(escape(name)) == [name]


@given(st.data(), OBJECTS)
def test_edits_of_different_properties_merge_to_both(data: st.DataObject, base: dict[str, Any]) -> None:
    mine = data.draw(st.dictionaries(st.sampled_from(["a", "b", "emails"]), VALUES, max_size=3))
    theirs = data.draw(st.dictionaries(st.sampled_from(["c/d", "e~f", "recurrenceOverrides"]), VALUES, max_size=3))
    local, remote = {**base, **mine}, {**base, **theirs}
    found = merge(base, local, base, remote)
    assert found.conflicts == []
    assert apply(remote, found.patch) == {**base, **mine, **theirs}


@given(OBJECTS, OBJECTS, OBJECTS)
def test_a_merge_can_always_be_applied_and_then_shown(base: dict[str, Any], local: dict[str, Any], remote: dict[str, Any]) -> None:
    found = merge(base, local, base, remote)
    assert missing(found.patch, apply(remote, found.patch)) == {}
    assert merge(base, local, base, base) == (diff(base, local), [])


def test_entries_added_on_both_sides_stand_side_by_side() -> None:
    base = {"uid": "u"}
    local = {"uid": "u", "emails": {"1": {"address": "mine@x"}}}
    remote = {"uid": "u", "emails": {"1": {"address": "theirs@x"}}}
    assert merge(base, local, base, remote) == ({"emails/1-2": {"address": "mine@x"}}, [])


def test_members_of_a_set_added_on_both_sides_are_all_kept() -> None:
    assert merge({}, {"keywords": {"a": True}}, {}, {"keywords": {"b": True}}) == ({"keywords/a": True}, [])


def test_the_same_change_on_both_sides_is_not_sent() -> None:
    assert merge({"title": "a"}, {"title": "b"}, {"title": "a"}, {"title": "b"}) == ({}, [])


@pytest.mark.parametrize(
    ("local", "remote", "conflicts"),
    [
        ({"title": "mine"}, {"title": "theirs"}, "title"),
        ({"start": "2026-01-01T10:00:00"}, {"timeZone": "Europe/Rome"}, "start"),
        ({"recurrenceRule": {"frequency": "daily", "count": 3}}, {"recurrenceRule": {"frequency": "daily", "until": "x"}}, None),
        (
            {"recurrenceOverrides": {"2026-01-08T09:00:00": {"title": "b"}}},
            {"start": "2026-01-01T10:00:00"},
            "recurrence overrides 2026-01-08T09:00:00",
        ),
    ],
)
def test_one_statement_changed_twice_is_a_conflict(local: dict[str, Any], remote: dict[str, Any], conflicts: str | None) -> None:
    base = {
        "title": "a",
        "start": "2026-01-01T09:00:00",
        "timeZone": "UTC",
        "recurrenceRule": {"frequency": "daily"},
        "recurrenceOverrides": {},
    }
    found = merge(base, {**base, **local}, base, {**base, **remote})
    assert found.patch == {}
    assert found.conflicts == [conflicts or "recurrence rule count"]


def test_an_edit_below_what_the_other_side_removed_is_a_conflict() -> None:
    base = {"emails": {"e": {"address": "a"}}}
    assert merge(base, {"emails": {"e": {"address": "b"}}}, base, {}).conflicts == ["emails"]


def test_a_change_below_what_the_other_side_never_had_is_sent_with_its_parent() -> None:
    base = {"links": {"k": {"href": "h", "title": "a"}}}
    assert merge(base, {"links": {"k": {"href": "h", "title": "b"}}}, {"links": {}}, {"links": {}}) == (
        {"links/k": {"href": "h", "title": "b"}},
        [],
    )


@pytest.mark.parametrize(
    ("sides", "merged", "conflicts"),
    [
        (("ab", "abc", "ab", "abd"), "abdc", []),
        (("ab", "a", "ab", "abd"), "ad", []),
        (("a", "ab", "az", "az"), "azb", []),
        (("ab", "abc", "ab", "abc"), None, []),
        (("ab", "aB", "ab", "a"), None, ["b"]),
        (("ab", "aBc", "ab", "ab"), "aBc", []),
        (("ab", "", "ab", "ab"), "", []),
    ],
)
def test_lines_without_a_property_are_merged_one_by_one(sides: tuple[str, ...], merged: str | None, conflicts: list[str]) -> None:
    def card(names: str) -> dict[str, Any]:
        return {"vCardProps": [[name.lower(), {}, "unknown", name] for name in names]} if names else {}

    expected = {} if merged is None else {"vCardProps": card(merged).get("vCardProps")}
    base_local, local, base_remote, remote = map(card, sides)
    assert merge(base_local, local, base_remote, remote) == (expected, conflicts)


def test_what_a_file_never_showed_is_neither_replaced_nor_removed() -> None:
    hidden = {"iCalendar": {"@type": "ICalComponent", "name": "vevent", "properties": [["x-hidden", {}, "unknown", "1"]]}}
    shown = {"iCalendar": {"@type": "ICalComponent", "name": "vevent", "properties": [["x-new", {}, "unknown", "2"]]}}
    both = [*hidden["iCalendar"]["properties"], *shown["iCalendar"]["properties"]]
    assert merge({}, shown, hidden, hidden) == ({"iCalendar/properties": both}, [])
    assert merge({"keywords": {"a": True}}, {}, *[{"keywords": {"a": True, "hidden": True}}] * 2) == ({"keywords/a": None}, [])


def test_what_a_server_dropped_is_named_by_the_narrowest_path() -> None:
    patch = {"emails/e": {"@type": "EmailAddress", "address": "a", "label": "x", "contexts": {}}, "title": None, "keywords/k": True}
    item = {"emails": {"e": {"address": "a", "pref": 1}}, "title": "t"}
    assert missing(patch, item) == {"emails/e/label": "x", "title": None, "keywords/k": True}


def test_what_a_server_says_in_its_own_words_is_not_dropped() -> None:
    sent = {
        "@type": "Event",
        "version": "2.0",
        "updated": "2026-01-01T00:00:00Z",
        "start": "2026-01-01T09:00:00",
        "duration": "PT60M",
        "status": "confirmed",
        "title": "t",
        "recurrenceOverrides": {"2026-01-02T09:00:00": {"title": "u"}, "2026-01-03T09:00:00": {"title": "v", "color": "red"}},
        "iCalendar": {"properties": [["x-a", {}, "unknown", "1"], ["x-b", {}, "unknown", "2"]]},
    }
    shown = {
        "@type": "Event",
        "updated": "2026-02-02T00:00:00Z",
        "start": "2026-01-01T09:00:00",
        "duration": "PT1H",
        "title": "t",
        "recurrenceOverrides": {
            "2026-01-02T09:00:00": {"title": "u", "sequence": 1, "start": "2026-01-02T09:00:00"},
            "2026-01-03T09:00:00": {"title": "v", "status": "cancelled"},
        },
        "iCalendar": {"properties": [["x-a", {}, "unknown", "1"], ["x-c", {}, "unknown", "3"]]},
    }
    assert missing(sent, shown) == {
        "recurrenceOverrides/2026-01-03T09:00:00": {"title": "v", "status": "cancelled", "color": "red"},
        "iCalendar/properties": [*shown["iCalendar"]["properties"], ["x-b", {}, "unknown", "2"]],  # type: ignore[index]
    }


def test_a_path_reads_as_words() -> None:
    assert describe("recurrenceOverrides/2026-01-01T09:00:00") == "recurrence overrides 2026-01-01T09:00:00"
    assert describe("emails/e1/address") == "emails e1 address"
