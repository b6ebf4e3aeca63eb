"""Files and objects keep their meaning when they are converted, or are refused, whatever they contain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.formats.ical import read_calendar, write_calendar
from jmapsync.formats.ical.lines import split_text
from jmapsync.formats.objects import MalformedError
from jmapsync.formats.vcard import read_card, write_card
from tests.formats.fuzz.properties import check_file, check_object, read_any
from tests.formats.fuzz.run import Run
from tests.formats.fuzz.seeds import gather

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jmapsync.formats.objects import Object

DIGITS = "9" * 5000
"""More than Python converts to a number."""
ZONE = "\n".join(
    [
        *("BEGIN:VTIMEZONE", "TZID:Own", "BEGIN:STANDARD", "DTSTART:19700101T000000"),
        *("TZOFFSETFROM:+0530", "TZOFFSETTO:+0530", "END:STANDARD", "END:VTIMEZONE"),
    ]
)


def card(*lines: str) -> bytes:
    return "\n".join(["BEGIN:VCARD", "UID:u", *lines, "END:VCARD", ""]).encode()


def calendar(*lines: str) -> bytes:
    return "\n".join(["BEGIN:VCALENDAR", *lines, "END:VCALENDAR", ""]).encode()


def event(*lines: str) -> str:
    return "\n".join(["BEGIN:VEVENT", "UID:u", *lines, "END:VEVENT"])


@pytest.mark.parametrize(
    "lines",
    [
        ("ADR:;;t;t",),
        ("item1.X-ABLABEL:", "item1.X-ABLABEL:e"),
        ('JSPROP;JSPTR="anniversaries":{"":{"date":{"month":0,"year":0},"kind":"birth"}}',),
        ("N;LANGUAGE=y:y;u", "FN:x", "X-PHONETIC-LAST-NAME:だ"),
        ("N;LANGUAGE=y:s;z", "FN: ", "X-PHONETIC-FIRST-NAME:?"),
        (f"TEL;PREF={DIGITS}:1",),
        (f"HOBBY;INDEX={DIGITS}:1",),
        (f'N;JSCOMPS=";{DIGITS}":a;b',),
        (f"BDAY;X-APPLE-OMIT-YEAR={DIGITS}:1604-01-01",),
    ],
)
@pytest.mark.parametrize("version", ["2.1", "3.0", "4.0"])
def test_a_card_means_the_same_when_it_is_written(version: str, lines: tuple[str, ...]) -> None:
    check_file(card(f"VERSION:{version}", *lines), "card", read_card(card()))


@pytest.mark.parametrize(
    "components",
    [
        ("VERSION:R", event("DTSTART;n:20260105T100000")),
        ("PRODID-:x", event("DTSTART:20260105T100000")),
        (event("DTSTART:20260105T100000").replace("UID:", "UID;X:"),),
        (event("DTSTART;Z:20190318T040000"), event("RECURRENCE-ID;n:20190319T040000")),
        (event("DTSTART:20260105T100000").replace("UID:", "UID;X;X:"),),
        (event("DTSTART:20240701", "ORGANIZER:a"), event("RECURRENCE-ID:20240715")),
        (event("DTSTART:20240701", "URL;VALUE=URI:"),),
        (event("DTSTART;n:20260105T100000"), event("RECURRENCE-ID:20240729", "DTEND;E:20240804")),
        (ZONE, event("DTSTART:20140409T093000", "RDATE;TZID=Own:20140418T113000")),
        (event("DTSTART:20240701", "ORGANIZER:a"), event("RECURRENCE-ID:20240715", "ORGANIZER:a", "ORGANIZER:a")),
        (event("DTSTART:20240701", "ORGANIZER:a"), event("RECURRENCE-ID:20240715", "ORGANIZER:b", "ORGANIZER:a")),
    ],
)
def test_an_event_means_the_same_when_it_is_written(components: tuple[str, ...]) -> None:
    data = calendar(*components)
    assert check_file(data, "schedule", read_any(calendar(event("DTSTART:20260105T100000")), "schedule")[1])


JUNK: list[Object] = [
    {"media": {"PHOTO-1": {"kind": "photo", "uri": "photo"}}},
    {"name": {"components": [{"kind": {}}]}},
    {"name": {"full": "x", "vCardProps": [[]]}},
    {"name": {"full": "x", "vCardParams": {"language": True}}},
    {"phones": {"p": {"number": "1", "vCardProps": [[]]}}},
    {"onlineServices": {"o": {"user": "u", "vCardParams": {"pref": 2}}}},
    {"speakToAs": {"pronouns": {"\\n": {"pronouns": "xe/xir"}}}},
    {"anniversaries": {"a": {"kind": "birth", "date": {"month": 2**63, "day": 20}}}},
    {"emails": {"e": {}, DIGITS: {}}},
    {"addresses": {"home": {"components": [{"kind": "postcode", "value": "1"}], "coordinates": "geo:1,2"}, "ADDR-2": {}}},
    {"uid": "\r"},
    {"@type": "Event", "iCalendar": {"properties": [[[], {}, "unknown", "x"]]}},
    {"@type": "Event", "iCalendar": {"components": [["x-jmapsync-vcalendar", 0, []]]}},
    {"@type": "Event", "locations": {"a": {"name": {}}, "b": {"name": []}}},
    {"@type": "Event", "iCalendar": {"components": [["vtimezone", 0, []], ["vtimezone", [["tzid", {}, "text", "A"]], []]]}},
    {
        "@type": "Event",
        "iCalendar": {"components": [["x", [], 0], 1, {}]},
        "recurrenceOverrides": {"2026-01-01T00:00:00": {"title": "x"}},
    },
    {"@type": "Event", "iCalendar": {"properties": [["rrule", {}, "recur", {"a\rb\nSUMMARY:x": "1"}]]}},
    {
        "@type": "Event",
        "alerts": {"a": {"iCalendar": {"properties": [["description", {}, "text", []], ["description", {}, "text"]]}}},
    },
    {"@type": "Event", "recurrenceId": "2026-01-01T00:00:00", "recurrenceOverrides": {"2026-01-02T00:00:00": {"title": "x"}}},
    {
        "@type": "Event",
        "iCalendar": {"convertedProperties": {"start": {"name": "dtstart", "parameters": {"tzid": "foo"}}}},
        "recurrenceOverrides": {"2026-01-02T00:00:00": {"start": None}},
    },
    {"@type": "Event", "organizerCalendarAddress": [], "recurrenceOverrides": {"2026-01-02T00:00:00": {"title": "x"}}},
    {"@type": "Event", "duration": f"P{DIGITS}D"},
    {"@type": "Event", "organizerCalendarAddress": "mailto:a", "replyTo": None},
    {
        "@type": "Event",
        "recurrenceRule": {"frequency": "daily"},
        "iCalendar": {"convertedProperties": {"recurrenceRule": {"name": "rrule", "parameters": {"x-jmapsync-until": []}}}},
    },
    {"@type": "Event", "recurrenceRules": [{}, {"byMonth": [DIGITS]}]},
    {"@type": "Event", "alerts": {"a": {"trigger": {"when": "2026-01-01T00:00:00Z"}, "relatedTo": "text"}}},
    {"@type": "Event", "locations": "text", "endTimeZone": "Europe/Berlin"},
    {"@type": "Event", "recurrenceRules": 1.5, "iCalComponent": {"properties": 2}, "iCalProperties": [["x", {}, "text", "y"]]},
]


@pytest.mark.parametrize("junk", JUNK, ids=lambda junk: str(junk)[:60])
def test_invalid_objects_of_a_server_are_converted_or_refused(junk: Object) -> None:
    bare: Object = {"@type": junk.get("@type", "Card"), "uid": "u"}
    if bare["@type"] == "Event":
        bare["start"] = "2026-01-01T00:00:00"
    check_object({**bare, **junk}, bare)
    check_object({**bare, **junk}, {**bare, "title": "x", "alerts": {"b": {}}, "iCalendar": {"convertedProperties": {}}})


@pytest.mark.parametrize("key", ["a/b", "2026-01-01T00:00:00", "漢", "~1", ""])
@pytest.mark.parametrize("version", ["3.0", "4.0"])
def test_an_entry_with_an_invalid_key_is_written_once(version: Any, key: str) -> None:  # noqa: ANN401 # a literal
    """RFC 9553, 1.4.1, allows no such key. In a line it would come back under another one, and in JSPROP under its own: twice."""
    item = {"@type": "Card", "uid": "u", "notes": {key: {"note": "once"}}}
    assert list(read_card(write_card(item, version))["notes"].values()) == [{"note": "once"}]


@pytest.mark.parametrize(
    "line",
    [
        ["rdate", {}, "period", ["2026-01-01T00:00:00", "P1D\r\nSUMMARY:x"]],
        ["rrule", {}, "recur", {"freq": "daily", "x\r\nSUMMARY:x\r\n": "1"}],
    ],
)
def test_a_value_that_a_server_gives_makes_no_line_of_its_own(line: list[Any]) -> None:
    item = {"@type": "Event", "uid": "u", "start": "2026-01-01T00:00:00", "iCalendar": {"properties": [line]}}
    assert b"\nSUMMARY" not in write_calendar([item])


def test_an_instance_of_a_whole_day_in_a_series_with_times_is_written_with_dates() -> None:
    series = event("DTSTART;TZID=Europe/Berlin:20260105T100000", "RRULE:FREQ=DAILY;COUNT=3")
    instance = event("RECURRENCE-ID;TZID=Europe/Berlin:20260106T100000", "DTSTART;VALUE=DATE:20260106", "DTEND;VALUE=DATE:20260107")
    [item] = read_calendar(calendar(series, instance))
    written = write_calendar([item])
    assert b"DTSTART;VALUE=DATE:20260106\r\n" in written
    assert b"RECURRENCE-ID;TZID=Europe/Berlin:20260106T100000\r\n" in written
    assert read_calendar(written) == [item]


def test_a_role_of_the_organizer_that_no_line_can_say_is_kept() -> None:
    person = {"@type": "Participant", "calendarAddress": "mailto:a", "roles": {"owner": True, "Moderator": True}}
    item = {"@type": "Event", "uid": "u", "start": "2026-01-01T10:00:00", "organizerCalendarAddress": "mailto:a"}
    [again] = read_calendar(write_calendar([{**item, "participants": {"p": person}}]))
    assert again["participants"] == {"p": person}


def test_a_list_that_ends_in_a_backslash_keeps_its_last_text() -> None:
    """It took minutes, too: each place of the last text was tried as its beginning."""
    assert split_text("a,b" + "c" * 100_000 + "\\") == ["a", "b" + "c" * 100_000 + "\\"]


def test_an_event_without_a_start_is_refused() -> None:
    with pytest.raises(MalformedError, match="no start"):
        write_calendar([{"@type": "Event", "uid": "u", "title": "x"}])


def test_a_time_zone_of_its_own_is_kept_with_the_line_that_names_it() -> None:
    [item] = read_calendar(calendar(ZONE, event("DTSTART:20140409T093000", "RDATE;TZID=Own:20140418T113000")))
    written = write_calendar([item])
    assert b"TZID:Own\r\n" in written
    assert b"RDATE;TZID=Own:20140418T113000" in written


def test_a_weekday_that_no_month_has_is_converted_or_refused() -> None:
    """Dateutil raises IndexError for it."""
    rule = "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=53SU;UNTIL=20300101T000000"
    start = "DTSTART;TZID=Own:20140409T093000"
    assert check_file(calendar(ZONE.replace("END:STANDARD", f"{rule}\nEND:STANDARD"), event(start)), "schedule", {})
    series = calendar(ZONE.replace("+0530", "+0537"), event(start, rule))  # no IANA zone has this offset
    with pytest.raises(MalformedError, match="cannot be computed"):
        read_calendar(series)


def _changed(value: Any) -> None:  # noqa: ANN401 # any JSON value
    """Change every list and object in place."""
    for inner in list(value.values() if isinstance(value, dict) else value):
        if isinstance(inner, dict | list):
            _changed(inner)
    if isinstance(value, dict):
        value["changed"] = True
    else:
        value.append("changed")


@pytest.mark.parametrize("read", [read_calendar, read_card])
def test_an_object_that_is_changed_in_place_changes_nothing_that_is_read_later(read: Callable[[bytes], Any]) -> None:
    """Time zones and the heads of lines are remembered between files."""
    lists = 'X-LIST;X-A=a,b;X-B="c d",e:x'
    data = (
        calendar(ZONE.replace("END:STANDARD", f"END:STANDARD\n{lists}"), event("DTSTART;TZID=Own;X-A=a,b:20140409T093000", lists))
        if read is read_calendar
        else card("TEL;TYPE=home,work,x;X-A=a,b:1", "X-LIST;X-A=a,b:x", 'HOBBY;X-C="c d",e:y')
    )
    expected = repr(read(data))
    _changed(read(data))
    assert repr(read(data)) == expected


def test_two_seconds_of_fuzzing_find_nothing(tmp_path: Path) -> None:
    run = Run(gather(), 0, str(tmp_path))
    run.go(2, least=20)
    assert run.faults == {}, run.report()
    assert not run.has_grown()
