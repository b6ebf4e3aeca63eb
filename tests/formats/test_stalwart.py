"""Lines and hints in the forms of several servers: equal meanings are equal, and no hint outlives its value."""

from __future__ import annotations

from typing import Any

import pytest

from jmapsync.formats import stalwart
from jmapsync.formats.canonical import canonical, plain_line, sense
from jmapsync.formats.codec import schedules
from jmapsync.formats.hints import renewing
from jmapsync.formats.ical import jcal
from jmapsync.formats.ical.lines import parse
from jmapsync.formats.merge import merge_lines
from jmapsync.formats.patch import apply
from jmapsync.formats.stalwartlines import ical_down, ical_up, vcard_down, vcard_up
from jmapsync.formats.vcard.lines import read_lines
from jmapsync.formats.vcard.preserved import read_property
from tests.formats.ical.test_zones import EUROPE, US, file, zone

ICAL = [
    ("COMMENT:a\\, b\\; c\\nd", ["comment", {}, "unknown", "a, b; c\nd"]),
    ("RESOURCES:a,b\\,c", ["resources", {}, "unknown", ["a", "b,c"]]),
    ('CONTACT;ALTREP="http://x":q', ["contact", {"altrep": "http://x"}, "unknown", "q"]),
    ("REQUEST-STATUS:2.0;Success;x", ["request-status", {}, "unknown", ["2.0", "Success", "x"]]),
    ("COMPLETED:20261130T040422Z", ["completed", {}, "unknown", "20261130T040422Z"]),
    ("X-A:a\\,b;c", ["x-a", {}, "unknown", ["a,b", "c"]]),
    ("X-D;VALUE=DATE:20200101", ["x-d", {}, "date", "20200101"]),
    ("X-T;VALUE=TIME:101500", ["x-t", {}, "time", "101500"]),
    ("X-O;VALUE=UTC-OFFSET:-0530", ["x-o", {}, "utc-offset", "-0530"]),
    ("X-P;VALUE=PERIOD:20200101T000000Z/PT1H", ["x-p", {}, "period", "20200101T000000Z/PT1H"]),
    ("X-I;VALUE=INTEGER:3", ["x-i", {}, "integer", 3]),
    ("EXRULE:FREQ=DAILY;COUNT=3", ["exrule", {}, "unknown", "COUNT=3;FREQ=DAILY"]),
    ("X-U;VALUE=URI:http://a,b", ["x-u", {}, "uri", "http://a,b"]),
    ("TZOFFSETTO:+0100", ["tzoffsetto", {}, "unknown", "+0100"]),
]
VCARD = [
    ("X-A:a\\,b", ["x-a", {}, "unknown", "a,b"]),
    ("item1.X-G;TYPE=x,y:q", ["x-g", {"type": ["x", "y"], "group": "item1"}, "unknown", "q"]),
    ("X-D;VALUE=date:1990-01-02", ["x-d", {}, "date", "19900102"]),
    ("X-D;VALUE=date-and-or-time:1990-04", ["x-d", {}, "date-and-or-time", "1990-04"]),
    ("X-O;VALUE=utc-offset:-05:00", ["x-o", {}, "utc-offset", "-0500"]),
    ("GENDER:M;x\\,y", ["gender", {}, "unknown", ["M", "x,y"]]),
]


def ical_line(text: str) -> Any:  # noqa: ANN401 # jCal
    [component] = parse(f"BEGIN:VEVENT\r\n{text}\r\nEND:VEVENT\r\n".encode())
    return jcal.from_line(component.lines[0])


@pytest.mark.parametrize(("text", "theirs"), ICAL)
def test_an_icalendar_line_goes_to_stalwart_and_comes_back(text: str, theirs: list[Any]) -> None:
    mine = ical_line(text)
    down = ical_down(mine)
    if not text.startswith("EXRULE"):  # whose parts have no order
        assert down == theirs
    assert plain_line(ical_up(theirs)) == plain_line(mine)
    assert plain_line(ical_up(down)) == plain_line(mine)


@pytest.mark.parametrize(("text", "theirs"), VCARD)
def test_a_vcard_line_goes_to_stalwart_and_comes_back(text: str, theirs: list[Any]) -> None:
    [line] = read_lines(f"BEGIN:VCARD\r\n{text}\r\nEND:VCARD\r\n".encode())
    mine = read_property(line)
    assert vcard_down(mine) == theirs
    assert plain_line(vcard_up(theirs)) == plain_line(mine)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["comment", {}, "text", "a, b"], ["comment", {}, "unknown", "a\\, b"]),
        (["comment", {}, "text", "a, b"], ["COMMENT", {}, "unknown", "a, b"]),
        (["resources", {}, "text", "a", "b"], ["resources", {}, "unknown", "a,b"]),
        (["resources", {}, "text", "a", "b"], ["resources", {}, "text", ["a", "b"]]),
        (["completed", {}, "date-time", "2026-11-30T04:04:22Z"], ["completed", {}, "unknown", "20261130T040422Z"]),
        (["freebusy", {}, "period", ["2026-11-30T04:04:22Z", "PT1H"]], ["freebusy", {}, "period", ["20261130T040422Z", "PT1H"]]),
        (["exrule", {}, "recur", {"freq": "DAILY", "count": 2}], ["exrule", {}, "recur", {"count": 2, "freq": "daily"}]),
        (["x-a", {"x-p": "1"}, "unknown", "a\\,b"], ["x-a", {"X-P": ["1"]}, "unknown", "a,b"]),
        (["x-a", {}, "unknown", "a;b"], ["x-a", {}, "unknown", ["a", "b"]]),
        (["x-d", {}, "date", "2026-11-30"], ["x-d", {}, "DATE", "20261130"]),
        (["priority", {}, "integer", 5], ["priority", {}, "unknown", "5"]),
    ],
)
def test_two_forms_of_a_line_are_one_line(one: list[Any], other: list[Any]) -> None:
    assert plain_line(one) == plain_line(other)
    lines, contested = merge_lines([], [one], [], [other])
    assert (lines, contested) == ([other], [])
    event = {"@type": "Event", "uid": "e", "start": "2026-12-05T10:00:00"}
    assert sense({**event, "iCalendar": {"properties": [one]}}) == sense({**event, "iCalendar": {"properties": [other]}})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["comment", {}, "text", "a"], ["comment", {}, "text", "b"]),
        (["comment", {}, "text", "a"], ["comment", {"language": "de"}, "text", "a"]),
        (["resources", {}, "text", "a,b"], ["resources", {}, "text", "a", "b"]),
        (["x-d", {}, "date", "1990-04"], ["x-d", {}, "date", "199004"]),
        (["x-a", {}, "uri", "a"], ["x-a", {}, "unknown", "a"]),
    ],
)
def test_lines_that_mean_something_else_are_not_one(one: list[Any], other: list[Any]) -> None:
    assert plain_line(one) != plain_line(other)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (["exrule", {}, "recur", "FREQ=DAILY"], "EXRULE:FREQ=DAILY"),
        (["resources", {}, "unknown", ["a", "b,c"]], "RESOURCES:a,b\\,c"),
        (["x-a", {}, "unknown", ["a", "b"]], "X-A:a;b"),
        (["completed", {}, "date-time", "20261130T040422Z"], "COMPLETED:20261130T040422Z"),
        (["completed", {}, "date-time", "2026-11-30T04:04:22Z"], "COMPLETED:20261130T040422Z"),
        (["repeat", {}, "integer", "4"], "REPEAT:4"),
        (["geo", {}, "float", [1.5, 2]], "GEO:1.5;2"),
    ],
)
def test_a_line_in_either_form_is_written(line: list[Any], text: str) -> None:
    assert jcal.to_line(line) == text


HINTED: dict[str, Any] = {
    "@type": "Event",
    "uid": "e",
    "title": "One",
    "start": "2026-12-05T00:00:00",
    "duration": "P1D",
    "showWithoutTime": True,
    "links": {"l": {"href": "data:,x"}},
    "alerts": {
        "a": {
            "trigger": {"when": "2026-12-05T00:00:00Z"},
            "iCalendar": {"convertedProperties": {"trigger": {"parameters": {"value": "DATE-TIME"}}}},
        }
    },
    "recurrenceOverrides": {
        "2026-12-06T00:00:00": {
            "title": "Two",
            "start": "2026-12-07T00:00:00",
            "iCalendar": {"convertedProperties": {"start": {"parameters": {"value": "DATE"}}, "title": {"parameters": {"x": "1"}}}},
        },
        "2026-12-08T00:00:00": {"excluded": True},
    },
    "iCalendar": {
        "name": "vevent",
        "convertedProperties": {
            "start": {"parameters": {"value": "DATE"}},
            "duration": {"name": "dtend", "parameters": {"value": "DATE"}},
            "title": {"parameters": {"altrep": "http://x", "value": "TEXT"}},
            "links/l/href": {"parameters": {"value": "BINARY", "encoding": "BASE64", "x-p": "1"}},
            "recurrenceOverrides/2026-12-08T00:00:00": {"parameters": {"value": "DATE"}},
        },
    },
}


def hints(item: dict[str, Any]) -> Any:  # noqa: ANN401 # any JSON value
    return (item.get("iCalendar") or {}).get("convertedProperties", {})


def test_an_edit_of_something_else_leaves_all_hints() -> None:
    assert renewing(HINTED, {"description": "x"}) == {"description": "x"}


def test_an_edit_of_the_series_leaves_range_and_the_zone_of_its_overrides() -> None:
    mine, other = zone("Mine", "+0100", "+0200", EUROPE), zone("Other", "-0500", "-0400", US)
    times = ("DTSTART;TZID=Mine:20260308T100000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=4", "SUMMARY:x")
    later = "BEGIN:VEVENT", "UID:u", "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Mine:20260309T100000"
    ends = "DURATION:PT1H", "SUMMARY:y", "END:VEVENT"
    for start, kept in (
        ("DTSTART;TZID=Other:20260309T100000", {"range", "tzid"}),
        ("DTSTART;TZID=Mine:20260309T120000", {"range"}),
    ):
        item = schedules("Event").read(file(*times, zones=[*mine, *other], more=(*later, start, *ends)))
        assert renewing(item, {"title": "z"}) == {"title": "z"}
        override = item["recurrenceOverrides"]["2026-03-09T10:00:00"]
        assert {name for name in kept if name in str(override)} == kept
        key = "recurrenceOverrides/2026-03-09T10:00:00"
        moved = apply(item, renewing(item, {f"{key}/timeZone": "Asia/Tokyo"}))["recurrenceOverrides"]["2026-03-09T10:00:00"]
        assert not any(path.endswith("/start/parameters/tzid") for path in moved)


def test_a_start_with_a_time_takes_the_date_from_every_hint() -> None:
    patch = {"start": "2026-12-05T10:00:00", "showWithoutTime": None, "timeZone": "Europe/Oslo", "duration": "PT1H"}
    after = apply(HINTED, renewing(HINTED, patch))
    left = hints(after)
    assert left.keys() == {"duration", "title", "links/l/href"}
    assert left["duration"] == {"name": "dtend"}
    override = after["recurrenceOverrides"]["2026-12-06T00:00:00"]
    assert hints(override) == {"title": {"parameters": {"x": "1"}}}
    assert {**after, "iCalendar": None, "recurrenceOverrides": None} == {
        **apply(HINTED, patch),
        "iCalendar": None,
        "recurrenceOverrides": None,
    }


@pytest.mark.parametrize(
    ("patch", "path", "left"),
    [
        ({"title": "Other"}, "title", {"parameters": {"altrep": "http://x"}}),
        ({"title": None}, "title", None),
        ({"links/l/href": "http://y"}, "links/l/href", {"parameters": {"x-p": "1"}}),
        ({"links/l": None}, "links/l/href", None),
        ({"links": None}, "links/l/href", None),
        ({"recurrenceOverrides/2026-12-08T00:00:00": None}, "recurrenceOverrides/2026-12-08T00:00:00", None),
        ({"recurrenceOverrides": None}, "recurrenceOverrides/2026-12-08T00:00:00", None),
    ],
)
def test_a_hint_follows_the_value_beside_it(patch: dict[str, Any], path: str, left: Any) -> None:  # noqa: ANN401
    assert hints(apply(HINTED, renewing(HINTED, patch))).get(path) == left


def test_a_hint_of_an_entry_follows_too() -> None:
    patch = renewing(HINTED, {"alerts/a/trigger": {"offset": "-PT5M"}})
    assert hints(apply(HINTED, patch)["alerts"]["a"]) == {}


@pytest.mark.parametrize(
    "patch",
    [
        {"links/k1/label": None},
        {"links/k1": {"uri": "https://other.example"}},
        {"links/k1/uri": "https://other.example", "links/k1/label": None},
    ],
)
def test_the_hint_of_a_label_goes_with_the_label(patch: dict[str, Any]) -> None:
    """Stalwart would write the URL into the line of the label that is gone."""
    given: dict[str, Any] = {
        "@type": "Card",
        "uid": "c",
        "links": {"k1": {"uri": "https://e.example", "label": "Shop"}},
        "vCard": {
            "convertedProperties": {
                "links/k1/label": {"name": "x-ablabel", "parameters": {"group": "item1"}},
                "links/k1/uri": {"parameters": {"group": "item1", "value": "URI"}},
            },
            "properties": [["version", {}, "unknown", "3.0"], ["x-a", {}, "unknown", "b"]],
        },
    }
    held = stalwart.up(given)
    assert (held["vCardProps"], "vCard" in held) == ([["x-a", {}, "unknown", "b"]], False)
    after = apply(given, stalwart.patch_down(patch, held, given))
    assert "links/k1/label" not in after["vCard"].get("convertedProperties", {})
    assert after["vCard"]["properties"] == given["vCard"]["properties"]


def test_a_patch_of_lines_names_the_lines_alone_and_keeps_the_version() -> None:
    given = {
        "@type": "Card",
        "uid": "c",
        "vCard": {"properties": [["version", {}, "unknown", "3.0"]]},
        "phones": {"p": {"number": "1"}},
    }
    lines = [["x-new", {}, "unknown", "a\\,b"]]
    assert stalwart.patch_down({"vCardProps": lines}, stalwart.up(given), given) == {
        "vCard/properties": [["version", {}, "unknown", "3.0"], ["x-new", {}, "unknown", "a,b"]]
    }


def test_an_event_comes_back_from_stalwart_as_it_went() -> None:
    event: dict[str, Any] = {
        "@type": "Event",
        "version": "2.0",
        "uid": "e",
        "title": "One",
        "start": "2026-12-05T00:00:00",
        "duration": "P1D",
        "showWithoutTime": True,
        "recurrenceRule": {"frequency": "daily", "count": 4},
        "recurrenceOverrides": {"2026-12-06T00:00:00": {"title": "Two"}, "2026-12-07T00:00:00": {"excluded": True}},
        "keywords": {"a": True, "b": True},
        "iCalendar": {
            "@type": "ICalComponent",
            "name": "vevent",
            "properties": [["comment", {}, "text", "a, b"], ["x-a", {}, "unknown", "a\\,b"]],
            "convertedProperties": {"duration": {"@type": "ICalProperty", "name": "dtend"}},
        },
    }
    sent = stalwart.down(event)
    assert sent["recurrenceOverrides"]["2026-12-06T00:00:00"]["start"] == "2026-12-06T00:00:00"
    assert hints(sent)["start"] == {"parameters": {"value": "DATE"}}
    assert hints(sent)["recurrenceOverrides/2026-12-07T00:00:00"] == {"parameters": {"value": "DATE"}}
    assert canonical(stalwart.up(sent)) == canonical(event)


def test_a_line_that_could_not_be_converted_is_not_sent_for_the_one_that_was() -> None:
    """Stalwart would take the DTEND for the end of the event."""
    lines = [["dtend", {"tzid": "Europe/Rome"}, "date-time", "2026-12-05T10:00:00"], ["x-a", {}, "unknown", "1"]]
    event = {"@type": "Event", "uid": "e", "start": "2005-03-25T00:00:00", "showWithoutTime": True, "duration": "P1D"}
    sent = stalwart.down({**event, "iCalendar": {"name": "vevent", "properties": lines}})
    assert sent["iCalendar"]["properties"] == lines[1:]


@pytest.mark.parametrize("odd", [None, [], 5, "x", {}, {"properties": 5, "components": [5], "convertedProperties": {"a": 5}}])
def test_odd_shapes_are_left_as_they_are(odd: Any) -> None:  # noqa: ANN401 # any JSON value
    for item in ({"@type": "Event", "uid": "e", "iCalendar": odd}, {"@type": "Card", "uid": "c", "vCard": odd}):
        held = stalwart.up(item)
        stalwart.down(held)
        renewing(item, {"title": "x"})
