"""iCalendar files to JSCalendar 2.0 and back (draft-ietf-calext-jscalendar-icalendar; sections by the name of the property)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmapsync.formats.canonical import sense
from jmapsync.formats.ical import read_calendar, write_calendar
from jmapsync.formats.objects import MalformedError

BERLIN = "DTSTART;TZID=Europe/Berlin:20260105T100000"


def file(*lines: str, component: str = "VEVENT") -> bytes:
    """Return a file of one component with a uid."""
    inside = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//x//EN", f"BEGIN:{component}", "UID:u", "DTSTAMP:20260101T000000Z"]
    return "".join(f"{line}\r\n" for line in [*inside, *lines, f"END:{component}", "END:VCALENDAR"]).encode()


def one(*lines: str, component: str = "VEVENT") -> dict[str, Any]:
    [item] = read_calendar(file(*lines, component=component))
    return item


def lines_of(data: bytes) -> list[str]:
    return data.decode().replace("\r\n ", "").split("\r\n")


class TestMoments:
    @pytest.mark.parametrize(
        ("start", "expected"),
        [
            (BERLIN, {"start": "2026-01-05T10:00:00", "timeZone": "Europe/Berlin"}),
            ("DTSTART:20260105T100000Z", {"start": "2026-01-05T10:00:00", "timeZone": "Etc/UTC"}),
            ("DTSTART:20260105T100000", {"start": "2026-01-05T10:00:00"}),
            ("DTSTART;VALUE=DATE:20260105", {"start": "2026-01-05T00:00:00", "showWithoutTime": True}),
        ],
        ids=["in a zone", "UTC", "floating", "all day"],
    )
    def test_dtstart_in_each_of_its_forms_comes_back(self, start: str, expected: dict[str, Any]) -> None:
        item = one(start, "SUMMARY:x")
        assert {name: item[name] for name in ("start", "timeZone", "showWithoutTime") if name in item} == expected
        assert start in lines_of(write_calendar([item]))

    def test_dtend_stays_dtend_and_duration_stays_duration(self) -> None:
        for line in ("DTEND;TZID=Europe/Berlin:20260105T113000", "DURATION:PT1H30M"):
            item = one(BERLIN, line)
            assert item["duration"] == "PT1H30M"
            assert line in lines_of(write_calendar([item]))

    def test_a_dtend_in_another_zone_is_the_end_time_zone(self) -> None:
        item = one(BERLIN, "DTEND;TZID=Europe/London:20260105T103000")
        assert (item["duration"], item["endTimeZone"]) == ("PT1H30M", "Europe/London")

    def test_a_zone_of_windows_is_its_iana_zone(self) -> None:
        assert one("DTSTART;TZID=W. Europe Standard Time:20260105T100000")["timeZone"] == "Europe/Berlin"


class TestSeries:
    RULE = "RRULE:FREQ=WEEKLY;COUNT=5"

    def test_exdate_and_rdate_are_overrides(self) -> None:
        item = one(BERLIN, self.RULE, "EXDATE;TZID=Europe/Berlin:20260112T100000", "RDATE;TZID=Europe/Berlin:20260113T100000")
        assert item["recurrenceRule"]["frequency"] == "weekly"
        assert item["recurrenceOverrides"] == {"2026-01-12T10:00:00": {"excluded": True}, "2026-01-13T10:00:00": {}}

    def test_an_instance_of_its_own_is_a_patch(self) -> None:
        first, second = (file(BERLIN, self.RULE, "SUMMARY:a"), file("RECURRENCE-ID;TZID=Europe/Berlin:20260112T100000", BERLIN))
        override = second.partition(b"BEGIN:VEVENT")[2].partition(b"END:VCALENDAR")[0].replace(b"20260105", b"20260112")
        override = b"BEGIN:VEVENT" + override.replace(b"END:VEVENT", b"SUMMARY:b\r\nEND:VEVENT")
        [item] = read_calendar(first.replace(b"END:VCALENDAR", override + b"END:VCALENDAR"))
        assert item["recurrenceOverrides"] == {"2026-01-12T10:00:00": {"title": "b"}}
        written = write_calendar([item])
        assert written.count(b"BEGIN:VEVENT") == 2
        assert read_calendar(written) == [item]

    def test_an_instance_without_its_series_stands_alone(self) -> None:
        item = one("RECURRENCE-ID;TZID=Europe/Berlin:20260112T100000", BERLIN.replace("0105", "0112"))
        assert (item["recurrenceId"], item["recurrenceIdTimeZone"]) == ("2026-01-12T10:00:00", "Europe/Berlin")

    def test_what_has_no_place_is_kept(self) -> None:
        """A second RRULE, EXRULE, X- lines, unknown components, COMMENT: the `iCalendar` property brings them back."""
        kept = ["EXRULE:FREQ=MONTHLY", "X-CUSTOM;X-P=1:kept", "COMMENT:a comment"]
        item = one(BERLIN, self.RULE, *kept, "BEGIN:X-OWN", "X-LINE:1", "END:X-OWN")
        written = lines_of(write_calendar([item]))
        assert {*kept, "BEGIN:X-OWN", "X-LINE:1"} <= set(written)


class TestParts:
    def test_alarms_come_back_with_their_own_words(self) -> None:
        item = one(BERLIN, "BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:own words", "TRIGGER:-PT15M", "END:VALARM")
        [alert] = item["alerts"].values()
        assert (alert["trigger"]["offset"], alert.get("action", "display")) == ("-PT15M", "display")
        assert {"TRIGGER:-PT15M", "DESCRIPTION:own words"} <= set(lines_of(write_calendar([item])))

    def test_people(self) -> None:
        item = one(BERLIN, "ORGANIZER;CN=Ann:mailto:ann@example.com", "ATTENDEE;PARTSTAT=ACCEPTED;RSVP=TRUE:mailto:bob@example.com")
        assert item["organizerCalendarAddress"] == "mailto:ann@example.com"
        [bob] = [one for one in item["participants"].values() if one.get("calendarAddress") == "mailto:bob@example.com"]
        assert (bob["participationStatus"], bob["expectReply"]) == ("accepted", True)
        assert read_calendar(write_calendar([item])) == [item]

    def test_a_task(self) -> None:
        item = one(
            "DUE;TZID=Europe/Berlin:20260105T170000", "STATUS:IN-PROCESS", "PERCENT-COMPLETE:40", "SUMMARY:do", component="VTODO"
        )
        assert (item["@type"], item["due"], item["progress"], item["percentComplete"]) == (
            "Task",
            "2026-01-05T17:00:00",
            "in-process",
            40,
        )
        assert read_calendar(write_calendar([item])) == [item]


class TestFiles:
    EVENT = file(BERLIN, "RRULE:FREQ=YEARLY", "SUMMARY:" + "Länge " * 30, "LOCATION:Room\\, 1")

    def test_zones_come_first_and_the_uid_is_the_first_line_of_its_component(self) -> None:
        """khal misses recurring events whose VTIMEZONE comes later (khal #1383), and takes the first UID line for the item's."""
        written = lines_of(write_calendar(read_calendar(self.EVENT)))
        assert written.index("BEGIN:VTIMEZONE") < written.index("BEGIN:VEVENT")
        assert written[written.index("BEGIN:VEVENT") + 1] == "UID:u"
        assert not [line for line in written if line.startswith("METHOD")]

    def test_lines_are_folded_at_75_octets_and_no_character_is_cut(self) -> None:
        written = write_calendar(read_calendar(self.EVENT))
        assert max(map(len, written.split(b"\r\n"))) <= 75
        for line in written.split(b"\r\n"):
            line.decode()

    def test_the_same_object_gives_the_same_bytes(self) -> None:
        first = write_calendar(read_calendar(self.EVENT))
        assert write_calendar(read_calendar(first)) == first

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"BEGIN:VCALENDAR\r\n",
            b"hello",
            b"\xff\xfe",
            file("SUMMARY:no start"),
            file(BERLIN).replace(b"UID:u\r\n", b""),
            file(BERLIN).replace(b"END:VCALENDAR", file(BERLIN).partition(b"EN\r\n")[2].replace(b"UID:u", b"UID:v")),
        ],
        ids=["empty", "cut off", "text", "no UTF-8", "no start", "no uid", "two uids"],
    )
    def test_what_is_no_file_of_one_item_is_refused_in_words(self, data: bytes) -> None:
        with pytest.raises(MalformedError) as refused:
            read_calendar(data)
        assert len(str(refused.value)) > 10

    @given(
        st.lists(
            st.sampled_from(
                [
                    *(
                        "DTSTART:20260105T100000Z",
                        BERLIN,
                        "DTSTART;VALUE=DATE:20260105",
                        "RRULE:FREQ=WEEKLY",
                        "RRULE:FREQ=",
                        "RDATE:x",
                    ),
                    *(
                        "DTEND:20260105T090000Z",
                        "DURATION:P1W",
                        "DURATION:-PT1H",
                        "EXDATE:20260112T100000Z",
                        "X-A;B=:c",
                        "NOT A LINE",
                    ),
                    *(
                        "BEGIN:VALARM",
                        "END:VALARM",
                        "TRIGGER:x",
                        "TRIGGER:-PT5M",
                        "ACTION:AUDIO",
                        "ATTACH:http://x",
                        "GEO:1;2",
                        "GEO:x",
                    ),
                    *(
                        "ATTENDEE:mailto:a@b",
                        "ORGANIZER:a",
                        "CATEGORIES:a,b",
                        "STATUS:X",
                        "CLASS:PRIVATE",
                        "URL:http://x",
                        "SEQUENCE:x",
                    ),
                ]
            ),
            max_size=8,
        )
    )
    def test_whatever_stands_in_it_a_file_is_refused_or_stable_from_the_second_pass(self, lines: list[str]) -> None:
        try:
            [item] = read_calendar(file(*lines))
        except MalformedError:
            return
        [second] = read_calendar(write_calendar([item]))
        [third] = read_calendar(write_calendar([second]))
        assert sense(third) == sense(second)
        assert write_calendar([third]) == write_calendar([second])

    @given(st.binary(max_size=200))
    def test_no_bytes_make_it_fail_in_another_way(self, data: bytes) -> None:
        for each in (data, file(BERLIN).replace(b"SUMMARY", data), file(data.decode("latin-1"))):
            try:
                read_calendar(each)
            except MalformedError:
                continue
