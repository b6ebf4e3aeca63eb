"""What is rarely met survives: METHOD, COMPLETED, odd times, lines that other programs refuse, RANGE=THISANDFUTURE."""

from __future__ import annotations

import pytest

from jmapsync.formats import ical_to_jscalendar, jscalendar_to_ical
from jmapsync.formats.codec import schedules
from jmapsync.formats.ical import read_calendar, write_calendar

EVENTS, TASKS = schedules("Event"), schedules("Task")


def file(*lines: str, component: str = "VEVENT", head: tuple[str, ...] = (), more: tuple[str, ...] = ()) -> bytes:
    body = [f"BEGIN:{component}", "UID:u", "DTSTAMP:20260101T000000Z", *lines, f"END:{component}", *more]
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//EN", *head, *body, "END:VCALENDAR", ""]).encode()


def again(data: bytes) -> list[str]:
    items = read_calendar(data)
    written = write_calendar(items)
    assert read_calendar(written) == items
    return written.replace(b"\r\n ", b"").decode().split("\r\n")


def start(line: str) -> tuple[str, str | None]:
    item = read_calendar(file(line))[0]
    return item["start"], item.get("timeZone")


@pytest.mark.parametrize("status", ["NEEDS-ACTION", "IN-PROCESS", "CANCELLED"])
def test_completed_beside_another_status_is_kept_until_the_status_changes(status: str) -> None:
    data = file(f"STATUS:{status}", "COMPLETED:20240203T101112Z", component="VTODO")
    assert "COMPLETED:20240203T101112Z" in again(data)
    item = read_calendar(data)[0]
    other = "in-process" if status != "IN-PROCESS" else "needs-action"
    assert b"COMPLETED" not in write_calendar([{**item, "progress": other}])
    done = read_calendar(file("STATUS:COMPLETED", "COMPLETED:20240203T101112Z", component="VTODO"))[0]
    assert b"COMPLETED:2024" in write_calendar([done])
    assert b"COMPLETED:2024" not in write_calendar([{**done, "progress": "needs-action"}])


def test_method_survives_but_is_not_in_the_files_of_a_collection() -> None:
    data = file("DTSTART:20260101T100000Z", head=("METHOD:REQUEST",))
    assert "METHOD:REQUEST" in again(data)
    assert b"METHOD:REQUEST\r\n" in jscalendar_to_ical(ical_to_jscalendar(data))
    assert b"METHOD" not in EVENTS.write(EVENTS.read(data))


def test_an_empty_location_with_a_language_is_no_location() -> None:
    data = file("DTSTART:20260101T100000Z", "LOCATION;LANGUAGE=en-US:")
    assert "locations" not in read_calendar(data)[0]
    assert not [line for line in again(data) if "LOCATION" in line]
    old = {**read_calendar(data)[0], "locations": {"l": {"@type": "Location", "name": ""}}}
    assert b"LOCATION" not in write_calendar([old])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("DTSTART:20260101T1000", ("2026-01-01T10:00:00", None)),
        ("DTSTART:20260101T1000Z", ("2026-01-01T10:00:00", "Etc/UTC")),
        ("DTSTART:20261231T240000", ("2027-01-01T00:00:00", None)),
        ("DTSTART:20261231T235960Z", ("2026-12-31T23:59:59", "Etc/UTC")),
        ("DTSTART;TZID=(UTC-05:00) Eastern Time (US & Canada):20260701T120000", ("2026-07-01T12:00:00", "America/New_York")),
        (
            "DTSTART;TZID=(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna:20260701T120000",
            ("2026-07-01T12:00:00", "Europe/Berlin"),
        ),
    ],
)
def test_odd_times_with_one_meaning_are_read(line: str, expected: tuple[str, str | None]) -> None:
    assert start(line) == expected
    written = write_calendar(read_calendar(file(line)))
    assert read_calendar(written)[0]["start"] == expected[0]
    assert write_calendar(read_calendar(written)) == written


def test_until_of_whole_days_is_written_as_a_date() -> None:
    data = file("DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=DAILY;UNTIL=20260110T235959Z")
    assert "RRULE:FREQ=DAILY;UNTIL=20260110" in again(data)


@pytest.mark.parametrize(
    "line",
    [
        *("RRULE:", "RRULE:FREQ=SOMETIMES", "DURATION:P999999999999999999W", "DURATION:P9999999D"),
        *("RDATE;VALUE=TIME:083000", "EXDATE;VALUE=PERIOD:20260101T100000Z/PT1H", "CREATED:00001231T000000Z"),
        *("LAST-MODIFIED:20260231T000000Z", "RDATE;VALUE=DATE:20260230"),
    ],
)
def test_a_line_for_which_others_refuse_the_file_is_kept_out_of_their_way(line: str) -> None:
    written = again(file("DTSTART:20260101T100000Z", line))
    assert line not in written
    assert f"X-JMAPSYNC-UNPARSED:{line.replace(';', chr(92) + ';')}" in written


def test_a_kept_alarm_with_an_invalid_line_does_not_spoil_the_file() -> None:
    data = file("DTSTART:20260101T100000Z", "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:soon", "END:VALARM")
    written = again(data)
    assert "X-JMAPSYNC-UNPARSED:TRIGGER:soon" in written
    assert "TRIGGER:soon" not in written
    good = file("DTSTART:20260101T100000Z", "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT1H", "DURATION:long", "END:VALARM")
    assert "X-JMAPSYNC-UNPARSED:DURATION:long" in again(good)


def test_a_trigger_with_its_sign_inside_is_an_alarm() -> None:
    data = file("DTSTART:20260101T100000Z", "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER;RELATED=START:PT-2H", "END:VALARM")
    assert [alert["trigger"]["offset"] for alert in read_calendar(data)[0]["alerts"].values()] == ["-PT2H"]
    assert "TRIGGER;RELATED=START:-PT2H" in again(data)


def test_a_rule_with_escapes_is_read() -> None:
    data = file("DTSTART:20260101T100000Z", r"RRULE:FREQ=WEEKLY\;COUNT=3\;BYDAY=MO\,TU")
    assert read_calendar(data)[0]["recurrenceRule"]["count"] == 3
    assert "RRULE:FREQ=WEEKLY;BYDAY=MO,TU;COUNT=3" in again(data)


@pytest.mark.parametrize(
    "exdate", ["EXDATE:20260102T100000Z", "EXDATE;TZID=Europe/Berlin:20260102T100000", "EXDATE:20260102T100000"]
)
def test_an_excluded_occurrence_of_a_series_in_floating_time_is_found_by_its_digits(exdate: str) -> None:
    data = file("DTSTART:20260101T100000", "RRULE:FREQ=DAILY;COUNT=3", exdate)
    assert read_calendar(data)[0]["recurrenceOverrides"] == {"2026-01-02T10:00:00": {"excluded": True}}
    assert "EXDATE:20260102T100000" in again(data)


def test_an_end_that_other_programs_refuse_is_kept_out_of_their_way() -> None:
    for end in ("DTEND:20251231T100000", "DTEND:20260101T1"):
        written = again(file("DTSTART:20260101T100000", end))
        assert [line for line in written if line.startswith("X-JMAPSYNC-UNPARSED:DTEND")]
        assert not [line for line in written if line.startswith("DTEND")]


@pytest.mark.parametrize(
    ("start", "end", "duration"),
    [
        ("DTSTART:20260101T100000", "DTEND;TZID=Europe/Berlin:20260101T120000", "PT2H"),
        ("DTSTART:20260101T100000", "DTEND:20260101T120000Z", "PT2H"),
        ("DTSTART:20260101T100000Z", "DTEND;VALUE=DATE:20260102", "PT14H"),
        ("DTSTART;VALUE=DATE:20260101", "DTEND:20260103T000000Z", "P2D"),
        ("DTSTART;VALUE=DATE:20260101", "DTEND:20260103T235959", "P3D"),
        ("DTSTART;VALUE=DATE-TIME;TZID=Europe/Berlin:20260101", "DTEND;TZID=Europe/Berlin:20260101T235900", "P1D"),
        ("DTSTART;VALUE=DATE:20260101", "DTEND:20260102T040000", "PT28H"),
        ("DTSTART;VALUE=DATE:20260101", "DTEND:20260102T040000Z", "PT28H"),
        ("DTSTART;VALUE=DATE:20260101T000000", "DTEND;VALUE=DATE:20260101T010000", "PT1H"),
        ("DTSTART;TZID=Europe/Berlin:20260101", "DTEND;TZID=Europe/Berlin:20260101T120000", "PT12H"),
    ],
)
def test_an_end_of_another_form_than_the_start_is_on_one_clock_with_it(start: str, end: str, duration: str) -> None:
    written = again(file(start, end))
    assert read_calendar(file(start, end))[0]["duration"] == duration
    assert not [line for line in written if line.startswith("X-JMAPSYNC")]


def test_two_instances_without_their_series_are_written_and_can_be_edited() -> None:
    other = (
        "BEGIN:VEVENT",
        "UID:u",
        "DTSTAMP:20260101T000000Z",
        "RECURRENCE-ID:20260202T100000Z",
        "DTSTART:20260202T110000Z",
        "SUMMARY:b",
    )
    data = file("RECURRENCE-ID:20260201T100000Z", "DTSTART:20260201T110000Z", "SUMMARY:a", more=(*other, "END:VEVENT"))
    item = EVENTS.read(data)
    written = EVENTS.write(item)
    assert written.count(b"BEGIN:VEVENT") == 2
    patch = EVENTS.patch(item, EVENTS.read(written.replace(b"SUMMARY:b", b"SUMMARY:c")))
    assert list(patch.values()) == ["c"]


class TestThisAndFuture:
    MORE = (
        *("BEGIN:VEVENT", "UID:u", "DTSTAMP:20260101T000000Z", "RECURRENCE-ID;RANGE=THISANDFUTURE:20260103T100000Z"),
        *("DTSTART:20260103T120000Z", "SUMMARY:later", "END:VEVENT"),
        *("BEGIN:VEVENT", "UID:u", "DTSTAMP:20260101T000000Z", "RECURRENCE-ID:20260105T100000Z"),
        *("DTSTART:20260105T090000Z", "SUMMARY:own", "END:VEVENT"),
    )
    DATA = file("DTSTART:20260101T100000Z", "RRULE:FREQ=DAILY;COUNT=6", "EXDATE:20260104T100000Z", "SUMMARY:usual", more=MORE)

    def test_it_applies_to_all_later_occurrences(self) -> None:
        overrides = read_calendar(self.DATA)[0]["recurrenceOverrides"]
        said = {key[8:10]: (patch.get("start", "")[8:13], patch.get("title")) for key, patch in overrides.items()}
        assert said == {"03": ("03T12", "later"), "04": ("", None), "05": ("05T09", "own"), "06": ("06T12", "later")}

    def test_it_applies_to_occurrences_that_rdate_adds(self) -> None:
        data = self.DATA.replace(b"EXDATE:", b"RDATE:20260102T200000Z,20260108T200000Z\r\nEXDATE:")
        item = read_calendar(data)[0]
        overrides = item["recurrenceOverrides"]
        assert (overrides["2026-01-02T20:00:00"], overrides["2026-01-08T20:00:00"]) == (
            {},
            {"start": "2026-01-08T22:00:00", "title": "later"},
        )
        assert {"RDATE:20260102T200000Z", "RDATE:20260108T200000Z"} <= set(again(data))
        removed = {key: patch for key, patch in overrides.items() if key != "2026-01-08T20:00:00"}
        assert b"20260108" not in write_calendar([{**item, "recurrenceOverrides": removed}])

    def test_the_text_has_it_once(self) -> None:
        written = again(self.DATA)
        assert written.count("BEGIN:VEVENT") == 3
        assert "RECURRENCE-ID;RANGE=THISANDFUTURE:20260103T100000Z" in written

    def test_an_edit_of_a_later_occurrence_is_kept(self) -> None:
        item = read_calendar(self.DATA)[0]
        key = "2026-01-06T10:00:00"
        changed = {**item["recurrenceOverrides"], key: {"title": "changed"}}
        removed = {name: patch for name, patch in item["recurrenceOverrides"].items() if name != key}
        for overrides in (changed, removed):
            found = read_calendar(write_calendar([{**item, "recurrenceOverrides": overrides}]))[0]["recurrenceOverrides"]
            assert {name: patch.get("title") for name, patch in found.items()} == {
                name: patch.get("title") for name, patch in overrides.items()
            }


@pytest.mark.parametrize("value", ["NaN", "[1e400]", '"\\\\ud800"', "{"])
def test_a_jsprop_that_is_no_json_is_kept_as_a_line(value: str) -> None:
    line = f'JSPROP;JSPTR="x.example:y":{value}'
    data = file("DTSTART:20260101T120000Z", line)
    assert "x.example:y" not in read_calendar(data)[0]
    assert line in again(data)
