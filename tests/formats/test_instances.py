"""Instances without a main object are one file and one item; merging and aligning work on each of them."""

from __future__ import annotations

from typing import Any

import pytest

from jmapsync.formats.codec import schedules
from jmapsync.formats.merge import merge, missing
from jmapsync.formats.objects import INSTANCES, MalformedError, gathered, instances

CODEC = schedules("Event")
ONE, TWO = "2026-12-07T10:00:00", "2026-12-08T10:00:00"
FILE = "\r\n".join(
    [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//x//EN",
        *(
            line
            for day, title in (("07", "One"), ("08", "Two"))
            for line in [
                "BEGIN:VEVENT",
                "UID:lone",
                "DTSTAMP:20260101T000000Z",
                f"RECURRENCE-ID:202612{day}T100000",
                f"DTSTART:202612{day}T100000",
                f"SUMMARY:{title}",
                "X-CUSTOM:kept",
                "END:VEVENT",
            ]
        ),
        "END:VCALENDAR",
        "",
    ]
).encode()


def item(**titles: str) -> dict[str, Any]:
    days = {"one": ONE, "two": TWO, "three": "2026-12-09T10:00:00"}
    return gathered(
        {"@type": "Event", "uid": "lone", "recurrenceId": days[name], "start": days[name], "title": title}
        for name, title in titles.items()
    )


def test_a_file_of_several_is_one_item_and_comes_back() -> None:
    found = CODEC.read(FILE)
    assert found.keys() == {"@type", "uid", INSTANCES}
    assert {day: one["title"] for day, one in instances(found).items()} == {ONE: "One", TWO: "Two"}
    again = CODEC.write(found)
    assert again.count(b"X-CUSTOM:kept") == 2
    assert CODEC.write(CODEC.read(again)) == again
    assert CODEC.sense(CODEC.read(again)) == CODEC.sense(found)


def test_one_alone_is_an_item_of_the_same_form() -> None:
    alone = FILE.replace(b"RECURRENCE-ID:20261208", b"RECURRENCE-ID:20261207").split(b"BEGIN:VEVENT")
    found = CODEC.read(b"BEGIN:VEVENT".join(alone[:2]) + b"END:VCALENDAR\r\n")
    assert list(instances(found)) == [ONE]


def test_two_versions_of_one_instance_are_refused() -> None:
    with pytest.raises(MalformedError, match="two versions"):
        CODEC.read(FILE.replace(b"RECURRENCE-ID:20261208", b"RECURRENCE-ID:20261207"))
    with pytest.raises(MalformedError, match="two versions"):
        gathered([{"uid": "lone", "recurrenceId": ONE}, {"uid": "lone", "recurrenceId": ONE}])


def test_an_edit_names_the_one_it_is_of() -> None:
    patch = CODEC.patch(item(one="One", two="Two"), item(one="Un", three="Three"))
    assert patch.pop(f"{INSTANCES}/2026-12-09T10:00:00")["title"] == "Three"
    assert patch == {f"{INSTANCES}/{ONE}/title": "Un", f"{INSTANCES}/{TWO}": None}


def test_what_says_nothing_of_one_says_nothing_of_all() -> None:
    before, after = item(one="One", two="Two"), item(one="One", two="Two")
    instances(after)[ONE] |= {"sequence": 3, "updated": "2026-01-01T00:00:00Z", "freeBusyStatus": "busy"}
    assert CODEC.sense(before) == CODEC.sense(after)
    assert CODEC.patch(before, after) == {}
    assert missing({f"{INSTANCES}/{ONE}/freeBusyStatus": "busy"}, before) == {}
    assert missing({f"{INSTANCES}/{ONE}/color": "blue"}, before) == {f"{INSTANCES}/{ONE}/color": "blue"}


def test_edits_of_both_sides_meet_in_each() -> None:
    base = item(one="One", two="Two")
    found = merge(base, item(one="Un", two="Zwei"), base, item(one="One", two="Deux"))
    assert found.patch == {f"{INSTANCES}/{ONE}/title": "Un"}
    assert found.conflicts == [f"instance {TWO} title"]


def test_one_that_is_removed_here_and_edited_there_is_contested() -> None:
    base = item(one="One", two="Two")
    found = merge(base, item(one="One"), base, item(one="One", two="Deux"))
    assert (found.patch, len(found.conflicts)) == ({}, 1)
    assert merge(base, item(one="One"), base, item(one="Un", two="Two")).patch == {f"{INSTANCES}/{TWO}": None}


def test_one_that_both_sides_added_alike_is_no_conflict() -> None:
    """So it is where a run died between making one object and destroying another."""
    base, here, there = item(one="One", two="Two"), item(one="One", three="Three"), item(one="One", two="Two", three="Three")
    instances(there)["2026-12-09T10:00:00"] |= {"created": "2026-01-01T00:00:00Z", "sequence": 1}
    assert merge(base, here, base, there) == ({f"{INSTANCES}/{TWO}": None}, [])
    instances(there)["2026-12-09T10:00:00"]["title"] = "Drei"
    assert len(merge(base, here, base, there).conflicts) == 1


def test_keys_are_chosen_in_each_as_in_the_reference() -> None:
    before, after = item(one="One", two="Two"), item(one="One", two="Two")
    instances(before)[ONE]["alerts"] = {"old": {"trigger": {"offset": "-PT5M"}}}
    instances(after)[ONE]["alerts"] = {"new": {"trigger": {"offset": "-PT5M"}}}
    assert CODEC.align(after, before) == before


def test_one_of_whole_days_stays_so_whatever_its_series_was() -> None:
    """ConnectDaily writes a RECURRENCE-ID with a time for an event of whole days, which RFC 5545, 3.8.4.4, does not allow."""
    text = FILE.replace(b"RECURRENCE-ID:20261207T100000", b"RECURRENCE-ID:20261207T070000Z")
    data = CODEC.write(CODEC.read(text.replace(b"DTSTART:20261207T100000", b"DTSTART;VALUE=DATE:20261207")))
    assert b"DTSTART;VALUE=DATE:20261207\r\n" in data
    assert b"RECURRENCE-ID:20261207T070000Z\r\n" in data
