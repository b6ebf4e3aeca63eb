"""Only plain files of servers wait for their conversion: none of them fails to convert, none holds data, none is another item's."""

from __future__ import annotations

import random
import time

import pytest

from jmapsync.formats.codec import cards, schedules
from jmapsync.formats.objects import holds_data
from jmapsync.formats.plain_files import is_plain_card, is_plain_event, uid_of
from jmapsync.formats.unconverted import convert, digest_of, is_file, is_unconverted, normal_form, sense_of

CARD = """BEGIN:VCARD
PRODID:-//CyrusIMAP.org//Cyrus 3.12.4//EN
VERSION:3.0
UID:u-1
N:Surname;Given;;;
FN:Given Surname
item1.EMAIL;TYPE=work;TYPE=pref:given@example.com
item1.X-ABLABEL:Office
ADR;TYPE=home;LABEL="3, Main Street: Springfield":;;3 Main Street;Springfield;;12345;
NOTE:BEGIN:VEVENT
REV:20261130T145849Z
END:VCARD
""".replace("\n", "\r\n").encode()
EVENT = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//CyrusIMAP.org/Cyrus 3.12.4//EN
BEGIN:VTIMEZONE
TZID:Europe/Berlin
TZUNTIL:20260305T003000Z
BEGIN:DAYLIGHT
TZNAME:CEST
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
DTSTART:19810329T020000
RRULE:FREQ=YEARLY;UNTIL=20250330T010000Z;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
BEGIN:STANDARD
TZNAME:CET
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
DTSTART:19961027T030000
RRULE:FREQ=YEARLY;UNTIL=20251026T010000Z;BYDAY=-1SU;BYMONTH=10
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
UID:u-2
DTSTAMP:20261130T145850Z
DTSTART;TZID=Europe/Berlin:20260129T003000
DURATION:PT1H
SUMMARY:Meeting
RRULE:FREQ=WEEKLY;COUNT=10
BEGIN:VALARM
UID:alarm
TRIGGER;RELATED=START:-PT15M
ACTION:DISPLAY
DESCRIPTION:Meeting
END:VALARM
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n").encode()
CARDS, EVENTS = cards("3.0"), schedules("Event")
NAMES = (
    *(b"SUMMARY", b"RRULE", b"RDATE", b"EXDATE", b"DTEND", b"DURATION", b"DTSTART", b"GEO", b"LOCATION", b"ATTENDEE", b"ORGANIZER"),
    *(b"TRIGGER", b"TZID", b"TZOFFSETTO", b"VERSION", b"UID", b"FN", b"N", b"ADR", b"BDAY", b"KIND", b"MEMBER", b"TZ", b"X-ABDATE"),
)
PARAMETERS = (
    b"",
    b";TYPE=home",
    b";VALUE=DATE",
    b";TZID=Foo",
    b";VALUE=PERIOD",
    b';X="a:b"',
    b";ALTID=1",
    b";LANGUAGE=de",
    b";SORT-AS=x",
)
VALUES = (
    b"",
    b"x",
    b";;;",
    b"\\n\\,",
    b"20260230T250000",
    b"99999999T999999Z",
    b"FREQ=SECONDLY",
    b"P",
    b"mailto:a@b",
    b"\xc3\xa9",
    b"-1",
)


def test_what_cyrus_makes_of_contacts_and_events_is_plain() -> None:
    assert is_plain_card(CARD, "u-1")
    assert is_plain_event(EVENT, "u-2")
    assert (uid_of(CARD), uid_of(EVENT)) == ("u-1", "u-2")
    folded = EVENT.replace(b"SUMMARY:Meet", b"SUMM\r\n ARY:Meet").replace(b"UID:u-2", b"UID:u\r\n -2")
    assert is_plain_event(folded, "u-2")
    assert uid_of(folded) == "u-2"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"NOTE:", b"PHOTO;VALUE=URI:https://example.com/\r\nNOTE:"),
        (b"NOTE:", b"item2.LOGO:x\r\nNOTE:"),
        (b"NOTE:", b"PHO\r\n TO:x\r\nNOTE:"),
        (b"NOTE:", b"X-ANY;ENCODING=b:AAAA\r\nNOTE:"),
        (b"NOTE:", b"URL:da\r\n ta:text/plain,x\r\nNOTE:"),
        (b"UID:u-1", b"item1.UID:u-0\r\nUID:u-1"),
        (b"UID:u-1", b"UID;VALUE=text:u-1"),
        (b"UID:u-1", b"UID:u\\-1"),
        (b"UID:u-1", b"UID:u-0"),
        (b"VERSION:3.0", b"VERSION:x\r\nVERSION:3.0"),
        (b"VERSION:3.0", b"item1.VERSION:x\r\nVERSION:3.0"),
        (b"NOTE:", b"no line\r\nNOTE:"),
        (b"NOTE:", b"note:"),
        (b"NOTE:", b"BEGIN:VCARD\r\nEND:VCARD\r\nNOTE:"),
        (b"NOTE:", b'X-ANY;P="open:x\r\nNOTE:'),
    ],
)
def test_a_card_that_is_not_plain_is_converted_at_once(old: bytes, new: bytes) -> None:
    assert not is_plain_card(CARD.replace(old, new, 1), "u-1")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"SUMMARY", b"ATTACH:https://example.com/\r\nSUMMARY"),
        (b"SUMMARY", b"IMAGE;VALUE=BINARY;ENCODING=BASE64:AAAA\r\nSUMMARY"),
        (b"SUMMARY", b"RECURRENCE-ID:20260101T000000\r\nSUMMARY"),
        (b"SUMMARY", b"URL:DATA:text/plain,x\r\nSUMMARY"),
        (b"UID:u-2", b"UID;X=1:u-0\r\nUID:u-2"),
        (b"UID:u-2\r\n", b""),
        (b"DTSTART;TZID=Europe/Berlin:20260129T003000", b"DTSTART:20260230"),
        (b"DTSTART;TZID=Europe/Berlin:20260129T003000", b"DTSTART:x\r\nDTSTART:20260129"),
        (b"DTSTART;TZID=Europe/Berlin:20260129T003000\r\n", b""),
        (b"TZID:Europe/Berlin", b"TZID:My own zone"),
        (b"FREQ=YEARLY;UNTIL=2025", b"FREQ=SECONDLY;UNTIL=2025"),
        (b"END:VEVENT\r\n", b"END:VEVENT\r\nBEGIN:VEVENT\r\nUID:u-2\r\nEND:VEVENT\r\n"),
        (b"VEVENT", b"VTODO"),
    ],
)
def test_an_event_that_is_not_plain_is_converted_at_once(old: bytes, new: bytes) -> None:
    assert not is_plain_event(EVENT.replace(old, new, 1), "u-2")


def test_a_task_is_never_plain() -> None:
    assert not schedules("Task").is_plain(EVENT, "u-2")
    assert not schedules("Task").is_plain(EVENT.replace(b"VEVENT", b"VTODO"), "u-2")


@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_plain_converts_to_the_item_of_its_uid(seed: int) -> None:
    draw, accepted = random.Random(seed), 0
    for _ in range(150):
        codec, file = draw.choice([(CARDS, CARD), (EVENTS, EVENT)])
        lines = file.split(b"\r\n")
        for _ in range(draw.randint(1, 4)):
            at = draw.randrange(1, len(lines) - 2)
            line = draw.choice(NAMES) + draw.choice(PARAMETERS) + b":" + draw.choice(VALUES)
            lines[at : at + draw.randint(0, 1)] = [line]
        altered = b"\r\n".join(lines)
        if codec.is_fit(altered) and codec.is_plain(altered, uid := uid_of(altered)):
            accepted += 1
            content, sense = convert(altered)
            item = codec.read(altered)
            assert (item["uid"], codec.sense(item), holds_data(content)) == (uid, sense, False)
    assert accepted > 20


def test_a_large_hostile_file_is_refused_in_no_time() -> None:
    began = time.process_time()
    for line in (b"A;B=" + b'"' * 65_000, b"A;" * 32_000, b"A:\r\n" * 16_000, b"BEGIN:VALARM\r\n" * 4_000):
        assert not is_plain_card(CARD.replace(b"NOTE:", line[:64_000] + b"\r\nNOTE:"), "u-1")
        assert not is_plain_event(EVENT.replace(b"SUMMARY:", line[:64_000] + b"\r\nSUMMARY:"), "u-2")
    assert time.process_time() - began < 2


def test_a_file_stands_for_its_normal_form() -> None:
    content, sense = convert(EVENT)
    assert (normal_form(EVENT), sense_of(EVENT)) == (content, sense)
    assert normal_form(content) == content
    assert [is_file(EVENT), is_file(CARD), is_file(content)] == [True, True, False]
    assert [is_unconverted(digest_of(EVENT)), is_unconverted(sense)] == [True, False]
