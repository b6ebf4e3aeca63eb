"""Bounds of files and objects, and types of values: what exceeds them is refused quickly, legitimate input is far below."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from time import process_time
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.formats.checks import DEPTH, LINES, OVERRIDES, VALUES, Clock, check_object, flaw
from jmapsync.formats.codec import cards, schedules
from jmapsync.formats.merge import merge, missing
from jmapsync.formats.objects import MalformedError
from jmapsync.formats.patch import diff
from tests.formats.fuzz.properties import read_any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jmapsync.formats.codec import FileCodec

EVENTS, CARDS = schedules("Event"), cards("3.0")
SECONDS = 20.0
"""Of processor time, far more than any bounded conversion takes; what these tests are about took minutes or more."""


def event(*lines: str, zone: Sequence[str] = (), more: Sequence[str] = ()) -> bytes:
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//EN", *zone, "BEGIN:VEVENT", "UID:u", "DTSTAMP:20260101T000000Z"]
    return "\r\n".join([*head, *lines, "END:VEVENT", *more, "END:VCALENDAR", ""]).encode()


def card(*lines: str) -> bytes:
    return "\r\n".join(["BEGIN:VCARD", "VERSION:3.0", "UID:u", "FN:x", *lines, "END:VCARD", ""]).encode()


def zone(*rules: str, start: str = "19700101T000000") -> list[str]:
    lines = ["BEGIN:VTIMEZONE", "TZID:Odd"]
    for number, rule in enumerate(rules):
        name = "DAYLIGHT" if number % 2 else "STANDARD"
        lines += [f"BEGIN:{name}", f"DTSTART:{start}", f"TZOFFSETFROM:+0{number % 2 + 1}00", f"TZOFFSETTO:+0{2 - number % 2}00"]
        lines += [f"TZNAME:{name}", f"RRULE:{rule}", f"END:{name}"]
    return [*lines, "END:VTIMEZONE"]


def stamps(number: int) -> list[str]:
    return [(datetime(2026, 1, 1) + timedelta(minutes=minute)).strftime("%Y%m%dT%H%M%S") for minute in range(number)]  # noqa: DTZ001


IN_ODD, IN_BERLIN = "DTSTART;TZID=Odd:20260101T100000", "DTSTART;TZID=Europe/Berlin:20260101T100000"
YEARLY = "FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU"


def overrides(number: int) -> list[str]:
    return [
        line
        for stamp in stamps(number)
        for line in (
            *("BEGIN:VEVENT", "UID:u", "DTSTAMP:20260101T000000Z", f"RECURRENCE-ID;TZID=Europe/Berlin:{stamp}"),
            *(f"DTSTART;TZID=Europe/Berlin:{stamp}", "SUMMARY:x", "END:VEVENT"),
        )
    ]


REFUSED: dict[str, tuple[FileCodec, Callable[[], bytes]]] = {
    "clock by seconds": (EVENTS, lambda: event(IN_ODD, zone=zone(YEARLY, "FREQ=SECONDLY"))),
    "clock by minutes": (EVENTS, lambda: event(IN_ODD, zone=zone(YEARLY, "FREQ=MINUTELY;INTERVAL=7"))),
    "clock by hours of each day": (EVENTS, lambda: event(IN_ODD, zone=zone(YEARLY, "FREQ=DAILY;BYHOUR=1,2,3,4;BYMINUTE=1,2,3"))),
    "clock since the year 1": (EVENTS, lambda: event(IN_ODD, zone=zone(YEARLY, "FREQ=WEEKLY", start="00010101T000000"))),
    "clock of days that never come": (EVENTS, lambda: event(IN_ODD, zone=zone(*["FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"] * 9))),
    "clock of many rules": (EVENTS, lambda: event(IN_ODD, zone=zone(*[YEARLY] * 3000))),
    "many dates of recurrence": (EVENTS, lambda: event(IN_BERLIN, f"RDATE;TZID=Europe/Berlin:{','.join(stamps(200_000))}")),
    "many excluded dates": (EVENTS, lambda: event(IN_BERLIN, f"EXDATE;TZID=Europe/Berlin:{','.join(stamps(200_000))}")),
    "many overrides": (EVENTS, lambda: event(IN_BERLIN, "RRULE:FREQ=MINUTELY", more=overrides(20_000))),
    "some more overrides than are taken": (EVENTS, lambda: event(IN_BERLIN, "RRULE:FREQ=MINUTELY", more=overrides(OVERRIDES + 1))),
    "many parameters": (EVENTS, lambda: event(IN_BERLIN, f"X-A;X-B={','.join(['c'] * 200_000)}:x")),
    "nested components": (EVENTS, lambda: event(IN_BERLIN, *["BEGIN:X-A"] * 20_000, *["END:X-A"] * 20_000)),
    "a card of many lines": (CARDS, lambda: card(*[f"TEL:+{number}" for number in range(100_000)])),
    "a card of equal lines": (CARDS, lambda: card(*["TEL:+1"] * 100_000)),
    "a card of many places": (CARDS, lambda: card(*["ADR:;;s;t;;;", "GEO:1;2", "LABEL:x"] * 10_000)),
    "a card of many types": (CARDS, lambda: card(f"TEL;TYPE={','.join(f't{number}' for number in range(100_000))}:+1")),
    "a card of many parts of a name": (CARDS, lambda: card(f"N:{','.join(['x'] * 100_000)};;;;")),
    "cards in cards": (CARDS, lambda: b"BEGIN:VCARD\r\n" * 50_000),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_file_is_refused_at_once(name: str) -> None:
    codec, make = REFUSED[name]
    data = make()
    begun = time.process_time()
    with pytest.raises(MalformedError) as refused:
        codec.read(data)
    assert time.process_time() - begun < SECONDS
    assert str(refused.value).endswith(".")


TAKEN: dict[str, tuple[FileCodec, Callable[[], bytes]]] = {
    "overrides": (EVENTS, lambda: event(IN_BERLIN, "RRULE:FREQ=MINUTELY", "SUMMARY:y", more=overrides(2_000))),
    "excluded dates": (
        EVENTS,
        lambda: event(IN_BERLIN, "RRULE:FREQ=DAILY", f"EXDATE;TZID=Europe/Berlin:{','.join(stamps(4_000))}"),
    ),
    "attendees": (EVENTS, lambda: event(IN_BERLIN, *[f"ATTENDEE:mailto:a{number}@example.com" for number in range(2_000)])),
    "equal alarms": (EVENTS, lambda: event(IN_BERLIN, *["BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT5M", "END:VALARM"] * 1_000)),
    "unknown values": (EVENTS, lambda: event(IN_BERLIN, *[f'JSPROP;JSPTR="x:a{number}":1' for number in range(8_000)])),
    "a zone of Outlook": (EVENTS, lambda: event(IN_ODD, zone=zone(YEARLY, YEARLY.replace("3", "10"), start="16010101T000000"))),
    "numbers": (CARDS, lambda: card(*[f"TEL:+{number}" for number in range(5_000)])),
    "labels": (CARDS, lambda: card(*[f"i{n // 2}.{'X-ABLABEL' if n % 2 else 'TEL'}:{n}" for n in range(5_000)])),
    "members": (CARDS, lambda: card("KIND:group", *[f"MEMBER:urn:uuid:{number}" for number in range(5_000)])),
    "a photo": (CARDS, lambda: card(f"PHOTO;ENCODING=b;TYPE=JPEG:{'QUJD' * 500_000}")),
}


@pytest.mark.parametrize("name", TAKEN)
def test_large_legitimate_files_are_converted_in_seconds(name: str) -> None:
    """Reading, writing, comparing and merging it."""
    codec, make = TAKEN[name]
    data = make()
    begun = time.process_time()
    item = codec.read(data)
    again = codec.read(codec.write(item))
    assert codec.sense(again) == codec.sense(item)
    assert missing({name: value for name, value in diff({}, again).items() if value is not None}, item) == {}
    assert codec.patch(item, {**codec.align(again, item), "vendor.example:x": 1}) == {"vendor.example:x": 1}
    assert time.process_time() - begun < SECONDS


def nested(depth: int) -> Any:  # noqa: ANN401 # any JSON value
    value: Any = 1
    for number in range(depth):
        value = [value] if number % 2 else {"a": value}
    return value


@pytest.mark.parametrize(
    "item",
    [
        {"@type": "Card", "x": nested(DEPTH + 1)},
        {"@type": "Card", "x": nested(200_000)},
        {"@type": "Card", "x": list(range(VALUES + 1))},
        {"@type": "Card", "phones": {str(number): {"number": "1"} for number in range(VALUES)}},
        {
            "@type": "Event",
            "start": "2026-01-01T10:00:00",
            "recurrenceOverrides": {s: {"title": "x"} for s in stamps(OVERRIDES + 1)},
        },
    ],
    ids=["deep", "very deep", "long", "wide", "overrides"],
)
def test_a_hostile_object_is_refused(item: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        check_object(item)
    with pytest.raises(MalformedError):
        (EVENTS if item["@type"] == "Event" else CARDS).write(item)


@pytest.mark.parametrize("text", ["P" + "9" * 5000 + "W", "PT" + "9" * 19 + "S", "-P" + "9" * 18 + "DT" + "9" * 18 + "H", "P"])
def test_a_duration_beyond_all_numbers_is_no_fault(text: str) -> None:
    item = {"@type": "Event", "uid": "u", "start": "2026-01-01T10:00:00", "timeZone": "Europe/Berlin", "duration": text}
    item["alerts"] = {"k": {"trigger": {"@type": "OffsetTrigger", "offset": text}}}  # type: ignore[assignment]
    EVENTS.read(EVENTS.write(item))
    EVENTS.read(event(IN_BERLIN, f"DURATION:{text}", "BEGIN:VALARM", f"TRIGGER:{text}", "END:VALARM"))


def test_the_bounds_count_lines_as_they_are_unfolded() -> None:
    assert EVENTS.read(event(IN_BERLIN, "DESCRIPTION:" + "\r\n x" * (LINES + 1)))["description"] == "x" * (LINES + 1)


@pytest.mark.parametrize(
    "rule",
    [YEARLY, "FREQ=YEARLY;BYMONTH=4;BYDAY=SU;BYMONTHDAY=1,2,3,4,5,6,7", "FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU;UNTIL=20061029T060000Z"],
)
def test_the_rules_of_real_zones_cost_little(rule: str) -> None:
    clock = Clock()
    for _ in range(10):
        clock.check(zone(rule, rule), 2026)


CARD: dict[str, Any] = {
    "@type": "Card",
    "uid": "u",
    "name": {"full": "A", "components": [{"kind": "given", "value": "A"}], "isOrdered": True, "sortAs": {"surname": "a"}},
    "phones": {"p": {"number": "1", "features": {"voice": True}, "pref": 1}},
    "anniversaries": {"b": {"kind": "birth", "date": {"year": 1970, "month": 2}}},
    "organizations": {"o": {"name": "x", "units": [{"name": "y"}]}},
    "x-own": [[7]],
}
EVENT: dict[str, Any] = {
    "@type": "Event",
    "uid": "u",
    "title": "t",
    "start": "2026-01-01T00:00:00",
    "sequence": 3,
    "showWithoutTime": False,
    "recurrenceRule": {"frequency": "weekly", "count": 3, "byDay": [{"day": "mo", "nthOfPeriod": 1}]},
    "recurrenceOverrides": {"2026-01-08T00:00:00": {"title": "other", "locations/l/name": "x"}, "2026-01-15T00:00:00": None},
    "alerts": {"a": {"trigger": {"offset": "-PT5M"}, "action": "display"}},
    "keywords": {"k": True},
    "color": None,
}


@pytest.mark.parametrize("item", [CARD, EVENT, {**EVENT, "@type": "Task", "due": "2026-01-01T00:00:00", "percentComplete": 7}, {}])
def test_valid_items_have_no_flaw(item: dict[str, Any]) -> None:
    assert flaw(item) == ""


@pytest.mark.parametrize(
    ("item", "change", "path"),
    [
        (CARD, {"uid": 7}, "uid"),
        (CARD, {"name": "A"}, "name"),
        (CARD, {"name": {"full": ["A"]}}, "name/full"),
        (CARD, {"name": {"components": {"a": {}}}}, "name/components"),
        (CARD, {"name": {"components": [{"kind": "given", "value": 7}]}}, "name/components/0/value"),
        (CARD, {"phones": []}, "phones"),
        (CARD, {"phones": {"p": 7}}, "phones/p"),
        (CARD, {"phones": {"p": {"number": -(2**70)}}}, "phones/p/number"),
        (CARD, {"phones": {"p": {"number": "1", "features": ["voice"]}}}, "phones/p/features"),
        (CARD, {"phones": {"p": {"number": "1", "pref": "1"}}}, "phones/p/pref"),
        (CARD, {"anniversaries": {"b": {"date": {"year": 2**70}}}}, "anniversaries/b/date/year"),
        (CARD, {"organizations": {"o": {"units": [None, {"name": []}]}}}, "organizations/o/units/1/name"),
        (EVENT, {"title": 1.5}, "title"),
        (EVENT, {"start": None, "sequence": True}, "sequence"),
        (EVENT, {"showWithoutTime": "yes"}, "showWithoutTime"),
        (EVENT, {"recurrenceRule": [[[]]]}, "recurrenceRule"),
        (EVENT, {"recurrenceRule": {"frequency": 7}}, "recurrenceRule/frequency"),
        (EVENT, {"recurrenceOverrides": {"2026-01-08T00:00:00": {"title": {}}}}, "recurrenceOverrides/2026-01-08T00:00:00/title"),
        (EVENT, {"alerts": {"a": {"trigger": {"offset": 5}}}}, "alerts/a/trigger/offset"),
        (EVENT, {"keywords": {"k": 7}}, "keywords"),
    ],
)
def test_a_property_of_another_type_is_found(item: dict[str, Any], change: dict[str, Any], path: str) -> None:
    assert flaw({**item, **change}) == path


@pytest.mark.parametrize("data", [card("FN:a\0"), event("DTSTART:20240701", "SUMMARY:\0")])
def test_a_file_with_nul_characters_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError, match="NUL"):
        read_any(data, "card" if b"VCARD" in data else "schedule")


@pytest.mark.parametrize(
    ("family", "data"),
    [
        ("card", card(*["N:;;;;", "FN:x", "X-A:1"] * 500)),
        ("schedule", event("DTSTART:20260105T100000", *["ATTACH:http://x"] * 4000)),
    ],
    ids=["lines of a card", "links of an event"],
)
def test_thousands_of_equal_lines_are_converted_in_linear_time(family: str, data: bytes) -> None:
    begin = process_time()
    codec, item = read_any(data, family)
    codec.write(item)
    assert process_time() - begin < 3


def test_thousands_of_changes_on_both_sides_are_merged_in_linear_time() -> None:
    base: dict[str, Any] = {"@type": "Card", "uid": "u", "emails": {}}
    local, remote = ({**base, "emails": {f"{side}{number}": {"address": "x"} for number in range(3000)}} for side in "lr")
    begin = process_time()
    merged = merge(base, local, base, remote)
    assert (len(merged.patch), merged.conflicts) == (3000, [])
    assert process_time() - begin < 3
