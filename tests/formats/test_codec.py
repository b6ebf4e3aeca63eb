"""Files of a server that are stored unchanged: those in the form that jmapsync writes."""

from __future__ import annotations

import pytest

from jmapsync.formats.codec import cards, schedules
from jmapsync.formats.objects import MalformedError
from jmapsync.storage.vdir.read import uid_of

CARD = b"BEGIN:VCARD\r\nPRODID:-//CyrusIMAP.org//Cyrus//EN\r\nVERSION:3.0\r\nUID:a\r\nFN:Ada\r\nEND:VCARD\r\n"
ZONE = b"BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\nEND:VTIMEZONE\r\n"
EVENT = b"BEGIN:VEVENT\r\nUID:e\r\nDTSTART;TZID=Europe/Berlin:20260101T003000\r\nSUMMARY:One\r\nEND:VEVENT\r\n"
HEAD, TAIL = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n", b"END:VCALENDAR\r\n"
CALENDAR = HEAD + ZONE + EVENT + TAIL


def test_files_of_cyrus_are_stored_unchanged() -> None:
    assert cards("3.0").is_fit(CARD)
    assert schedules("Event").is_fit(CALENDAR)


@pytest.mark.parametrize("uid", [b"UID:\r\n", b"UID: \r\n", b"uid;VALUE=text:\r\n", b""])
def test_a_card_with_a_blank_uid_has_none(uid: bytes) -> None:
    assert not uid_of(cards("3.0").read(CARD.replace(b"UID:a\r\n", uid)))
    assert uid_of(cards("3.0").read(CARD.replace(b"UID:a", b"UID:\r\n a"))) == "a"


@pytest.mark.parametrize("uid", [b"UID:\r\n", b"UID: \r\n", b"UID:\\n\r\n"])
def test_an_event_with_a_blank_uid_is_not_read(uid: bytes) -> None:
    with pytest.raises(MalformedError, match="no UID"):
        schedules("Event").read(CALENDAR.replace(b"UID:e\r\n", uid))


def test_a_card_is_of_the_version_that_is_written_here() -> None:
    assert not cards("4.0").is_fit(CARD)
    assert cards("4.0").is_fit(CARD.replace(b"3.0", b"4.0"))


@pytest.mark.parametrize(
    "change",
    [
        (b"\r\n", b"\n"),
        (b"FN:Ada", b"FN:Ada\rLovelace"),
        (b"FN:Ada", b"FN:Ada\x00"),
        (b"FN:Ada", b"FN:\xe4"),
        (b"FN:Ada", b"FN:" + b"a" * 73),
        (b"UID:a\r\n", b""),
        (b"END:VCARD\r\n", b"END:VCARD"),
        (b"END:VCARD\r\n", b""),
        (b"END:VCARD\r\n", b"END:VCARD\r\n\r\n"),
        (b"BEGIN:VCARD", b"\xef\xbb\xbfBEGIN:VCARD"),
        (b"VERSION:3.0\r\n", b""),
        (b"VERSION:3.0\r\n", b"VERSION:3.0\r\nVERSION:3.0\r\n"),
    ],
)
def test_a_card_in_another_form_is_written_anew(change: tuple[bytes, bytes]) -> None:
    assert not cards("3.0").is_fit(CARD.replace(*change))


def test_a_line_of_75_octets_is_fit() -> None:
    assert cards("3.0").is_fit(CARD.replace(b"FN:Ada", b"FN:" + b"a" * 72))


@pytest.mark.parametrize(
    "data",
    [
        HEAD + EVENT + TAIL,
        HEAD + EVENT + ZONE + TAIL,
        HEAD + ZONE + TAIL,
        HEAD + b"METHOD:REQUEST\r\n" + ZONE + EVENT + TAIL,
        HEAD + ZONE + EVENT.replace(b"UID:e\r\n", b"") + TAIL,
        HEAD + ZONE + EVENT.replace(b"TZID=Europe/Berlin", b"TZID=Europe/\r\n Paris") + TAIL,
        HEAD + ZONE + EVENT.replace(b"Berlin", b'Rome"').replace(b"TZID=", b'TZID="') + TAIL,
    ],
)
def test_an_event_without_the_zones_that_it_names_or_sent_to_somebody_is_written_anew(data: bytes) -> None:
    assert not schedules("Event").is_fit(data)


def test_a_zone_named_over_a_fold_is_found() -> None:
    assert schedules("Event").is_fit(CALENDAR.replace(b"TZID=Europe/Berlin", b"TZID=Europe/\r\n Berlin"))


OF_OUTLOOK = (
    "BEGIN:VTIMEZONE\r\nTZID:W. Europe Standard Time\r\nBEGIN:STANDARD\r\nDTSTART:16010101T030000\r\nTZOFFSETFROM:+0200\r\n"
    "TZOFFSETTO:+0100\r\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\r\nEND:STANDARD\r\nBEGIN:DAYLIGHT\r\nDTSTART:16010101T020000\r\n"
    "TZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\n"
)
OF_CALENDAR = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\n"
STORED = {
    "4gABf93bFcu4D5MuKtci2BoXhlORkk2nIrDq0g9tDfQ=": (
        schedules("Event"),
        (
            f"{OF_CALENDAR}{OF_OUTLOOK}BEGIN:VEVENT\r\nUID:u\r\nDTSTAMP:20260101T000000Z\r\n"
            "DTSTART;TZID=W. Europe Standard Time:20260105T100000\r\nDTEND;TZID=W. Europe Standard Time:20260105T110000\r\n"
            "RRULE:FREQ=WEEKLY;UNTIL=20260301T090000Z\r\nEXDATE;TZID=W. Europe Standard Time:20260112T100000\r\n"
            "SUMMARY:a\r\nLOCATION:b\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        ),
    ),
    "gpa7wnY4wJjZkl/J7HTjh9ntSUa8TSnj3VkE+52n/4s=": (
        schedules("Task"),
        (
            f"{OF_CALENDAR}BEGIN:VTODO\r\nUID:u\r\nDTSTAMP:20260101T000000Z\r\nSTATUS:NEEDS-ACTION\r\nCOMPLETED:20260102T000000Z\r\n"
            "SUMMARY:a\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
        ),
    ),
    "KrN2L0zmPEo0jTPcKf76YYUyxkH7lhiE8FJNOMntB8E=": (
        cards("3.0"),
        (
            "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:urn:uuid:1\r\nN:Roe;Ida;;;\r\nFN:Ida Roe\r\nORG:Acme;\r\n"
            "ADR;TYPE=HOME:;;Street 5;Town;;1234;\r\nBDAY:1963-09\r\nCATEGORIES:a,b\r\nEND:VCARD\r\n"
        ),
    ),
}
"""Files, and the digests that ledgers of earlier versions have of them."""


@pytest.mark.parametrize("digest", STORED)
def test_the_digest_of_a_stored_item_stays_the_same_over_an_upgrade(digest: str) -> None:
    """Ledgers hold these digests: another one would make every item seem edited."""
    codec, text = STORED[digest]
    assert codec.sense(codec.read(text.encode())) == digest
