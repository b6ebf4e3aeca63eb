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
