"""Hostile files and objects are converted within a bound or refused by name, and what people write is far below every bound."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.formats.checks import DEPTH, LINES, OVERRIDES, VALUES, Clock, check_object
from jmapsync.formats.codec import cards, schedules
from jmapsync.formats.merge import missing
from jmapsync.formats.objects import MalformedError
from jmapsync.formats.patch import diff

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
def test_what_is_large_and_meant_is_taken_in_seconds(name: str) -> None:
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
