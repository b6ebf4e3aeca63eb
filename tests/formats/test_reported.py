"""Files that were once converted wrongly, as they were reported, and many of the same kinds."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from jmapsync.formats import ical_to_jscalendar, jscalendar_to_ical, jscontact_to_vcard, vcard_to_jscontact
from jmapsync.formats.codec import cards, schedules

REPORTED = Path(__file__).with_name("reported")


def entry(name: str) -> dict[str, Any]:
    """Return the one object of a reported file."""
    [found] = ical_to_jscalendar((REPORTED / f"{name}.ics").read_bytes())["entries"]
    return dict(found)


def again(name: str) -> list[str]:
    """Return the lines of a reported file that was read and written."""
    path = next(REPORTED.glob(f"{name}.*"))
    if path.suffix == ".ics":
        written = jscalendar_to_ical(ical_to_jscalendar(path.read_bytes()))
    else:
        written = jscontact_to_vcard(vcard_to_jscontact(path.read_bytes()))
    return written.decode().replace("\r\n ", "").split("\r\n")


@pytest.mark.parametrize(
    ("name", "instant"),
    [
        ("offset-name-beats-vtimezone", "2024-07-01T16:00:00+00:00"),
        ("exchange-display-name", "2024-12-28T02:30:00+00:00"),
        ("near-zone-of-other-rules", "2024-03-20T17:00:00+00:00"),
    ],
)
def test_the_instant_is_that_of_the_time_zone(name: str, instant: str) -> None:
    item = entry(name)
    start = datetime.fromisoformat(item["start"]).replace(tzinfo=ZoneInfo(item["timeZone"]))
    assert start.astimezone(UTC).isoformat() == instant


def test_completed_is_kept() -> None:
    assert "COMPLETED:20240203T101112Z" in again("completed-lost")


def test_an_empty_location_is_no_location() -> None:
    assert "locations" not in entry("empty-location-with-language")
    assert not [line for line in again("empty-location-with-language") if "LOCATION" in line]


def test_times_of_cards_with_an_offset_are_time_stamps() -> None:
    card = vcard_to_jscontact((REPORTED / "timestamp-with-offset.vcf").read_bytes())
    found = {one["kind"]: one["date"]["utc"] for one in card["anniversaries"].values()}
    assert found == {"birth": "1987-09-27T14:30:00Z", "wedding": "2010-05-06T12:08:00Z"}


def test_parameters_of_categories_come_back() -> None:
    [line] = [line for line in again("parameters-of-categories") if line.startswith("CATEGORIES")]
    assert "X-TAG=a" in line


def card(*lines: str, version: str = "4.0") -> bytes:
    return "\r\n".join(["BEGIN:VCARD", f"VERSION:{version}", "UID:u", *lines, "END:VCARD", ""]).encode()


@pytest.mark.parametrize(
    ("version", "lines", "expected"),
    [
        ("4.0", ("BDAY:--0509",), "--0509"),
        ("4.0", ("BDAY:1963-09",), "1963-09"),
        ("4.0", ("BDAY:1963",), "1963"),
        ("4.0", ("BDAY:---09",), "BDAY:---09"),
        ("4.0", ("BDAY:T102200",), "BDAY:T102200"),
        ("4.0", ("BDAY;VALUE=text:about 1800",), "BDAY;VALUE=text:about 1800"),
        ("4.0", ("ANNIVERSARY:20090808T1430-0500",), "20090808T193000Z"),
        ("4.0", ("DEATHDATE:--0415",), "--0415"),
        ("3.0", ("ORG:Acme;",), "ORG:Acme"),
        ("3.0", ("ORG:;Sales",), "ORG:;Sales"),
        ("3.0", ("ADR:;;Street 5,;Town;;123;",), "ADR:;;Street 5;Town;;123;"),
        ("3.0", ("ADR:;;Street",), "ADR:;;Street;;;;"),
        ("3.0", ("SOURCE:http://x.example/a.vcf",), "SOURCE:http://x.example/a.vcf"),
        ("3.0", ("TZ:-05:00",), "TZ:-05:00"),
        ("4.0", ("RELATED;TYPE=foo:urn:uuid:1",), "RELATED;TYPE=foo:urn:uuid:1"),
        ("4.0", ("CATEGORIES;X-TAG=a:red,blue",), "CATEGORIES;X-TAG=a:red,blue"),
        ("3.0", (r"CATEGORIES:red\,green,blue",), r"CATEGORIES:blue,red\,green"),
        ("4.0", ("FN;PREF=1:B",), "FN;PREF=1:B"),
        ("3.0", ("X-SPOUSE:Bob",), "X-SPOUSE:Bob"),
        ("4.0", ("GENDER:;it's",), "GENDER:;it's"),
    ],
)
def test_cards_of_the_same_kinds(version: str, lines: tuple[str, ...], expected: str) -> None:
    codec = cards("4.0" if version == "4.0" else "3.0")
    item = codec.read(card("FN:A", *lines, version=version))
    written = codec.write(item)
    assert expected in written.decode()
    assert b"JSPROP" not in written
    assert codec.sense(codec.read(written)) == codec.sense(item)


def event(*lines: str, component: str = "VEVENT") -> bytes:
    body = [f"BEGIN:{component}", "UID:u", "DTSTAMP:20260101T000000Z", *lines, f"END:{component}"]
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//EN", *body, "END:VCALENDAR", ""]).encode()


@pytest.mark.parametrize(
    ("lines", "path", "expected"),
    [
        (("DTSTART;TZID=/softwarestudio.org/Olson_20011030_5/America/New_York:20261201T120000",), "timeZone", "America/New_York"),
        (
            ("DTSTART;TZID=/mozilla.org/20050126_1/America/Argentina/Buenos_Aires:20261201T120000",),
            "timeZone",
            "America/Argentina/Buenos_Aires",
        ),
        (('DTSTART;TZID="(UTC+01:00)":20260701T120000',), "timeZone", "Etc/GMT-1"),
        (('DTSTART;TZID="UTC+05:30":20260701T120000',), "timeZone", "Asia/Kolkata"),
        (("DTSTART;TZID=Customized Time Zone:20260701T120000",), "timeZone", None),
        (("DTSTART;TZID=Europe/Vienna:20191219T180000Z",), "timeZone", "Etc/UTC"),
        (("DTSTART:20260701t120000z",), "timeZone", "Etc/UTC"),
        (("DTSTART;TZID=Europe/Berlin:20260328T200000", "DTEND;TZID=Europe/Berlin:20260328T240000"), "duration", "PT4H"),
        (("DTSTART;TZID=Europe/Berlin:20260328T2000", "DTEND;TZID=Europe/Berlin:20260328T2130"), "duration", "PT1H30M"),
        (("DTSTART;TZID=Europe/Berlin:20260328T120000", "DTEND;TZID=Europe/Berlin:20260329T120000"), "duration", "PT23H"),
        (("DTSTART:20261231T235960Z",), "start", "2026-12-31T23:59:59"),
        (("DTSTART:20260101T100000Z", "LOCATION;LANGUAGE=en;X-A=b:"), "locations", None),
        (("DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=DAILY;UNTIL=20260104T220000Z"), "until", "2026-01-04T00:00:00"),
        (("DTSTART:20260101T233000", "RRULE:FREQ=DAILY;UNTIL=20260104T233000Z"), "until", "2026-01-04T23:30:00"),
        (("DTSTART:20260101T233000Z", "RRULE:FREQ=DAILY;UNTIL=20260104T233000"), "until", "2026-01-04T23:30:00"),
        (("DTSTART;TZID=Europe/Berlin:20260320T233000", "RRULE:FREQ=DAILY;UNTIL=20260405"), "until", "2026-04-05T23:59:59"),
        (("DTSTART;TZID=Europe/Berlin:20260320T233000", "RRULE:FREQ=DAILY;UNTIL=20260405T213000Z"), "until", "2026-04-05T23:30:00"),
        (("DTSTART:20260101T100000Z", "RRULE:freq=daily;count=3;"), "count", 3),
        (
            ("DTSTART:20260101T100000Z", "LOCATION;VALUE=TEXT:Room"),
            "locations",
            {"f7a168ea-68f6-5d84-824b-c9a18cd56507": {"@type": "Location", "name": "Room"}},
        ),
        (("DTSTART:2026-06-01T10:00:00Z", "DTEND:2026-06-01T13:00:00+02:00"), "duration", "PT1H"),
        (("DTSTART:20260601T100000+0200",), "start", "2026-06-01T08:00:00"),
        (("DTSTART;TZID=Europe/Berlin:2026-06-01 10:00",), "start", "2026-06-01T10:00:00"),
        (("DTSTART;VALUE=DATE:2026-06-01", "RRULE:FREQ=DAILY;UNTIL=2026-06-05"), "until", "2026-06-05T00:00:00"),
        (("DTSTART:20260601T100000.000Z", "DURATION:pt1h"), "duration", "PT1H"),
        (("DTSTART:20260601T100000Z", "DURATION:P1DT"), "duration", "P1D"),
        (("DTSTART;VALUE=DATE:20260601", "DURATION:PT48H"), "duration", "P2D"),
        (("DTSTART;VALUE=DATE:20260601", "DURATION:PT0S"), "duration", "P1D"),
        (
            ("DTSTART:20260101T100000Z", "RELATED-TO;RELTYPE=X-FOO:v"),
            "relatedTo",
            {"v": {"@type": "Relation", "relation": {"x-foo": True}}},
        ),
    ],
)
def test_events_of_the_same_kinds(lines: tuple[str, ...], path: str, expected: object) -> None:
    codec = schedules("Event")
    item = codec.read(event(*lines))
    assert (item.get("recurrenceRule") or {}).get(path, item.get(path)) == expected
    written = codec.write(item)
    assert codec.sense(codec.read(written)) == codec.sense(item)
    assert b"JSPROP" not in written


@pytest.mark.parametrize("done", ["20260101", "bogus", "2026-01-01T10:00:00Z"])
def test_a_task_with_an_unusable_completion_time_stays_completed(done: str) -> None:
    codec = schedules("Task")
    item = codec.read(event(f"COMPLETED:{done}", component="VTODO"))
    assert item["progress"] == "completed"
    again = codec.read(codec.write(item))
    assert codec.sense(again) == codec.sense(item)
    assert again["iCalendar"]["properties"] == [["completed", {}, "unknown", done]]


def test_an_until_that_other_programs_cannot_read_is_rewritten() -> None:
    lines = ("DTSTART;TZID=Europe/Berlin:20260601T240000", "RRULE:FREQ=DAILY;UNTIL=20260605T240000")
    written = schedules("Event").write(schedules("Event").read(event(*lines)))
    assert b"RRULE:FREQ=DAILY;UNTIL=20260605T220000Z" in written


def test_all_invalid_lines_of_one_name_come_back() -> None:
    written = schedules("Event").write(schedules("Event").read(event("DTSTART:20260601", "PRIORITY:99", "PRIORITY:abc")))
    assert b"PRIORITY:99\r\n" in written
    assert b"X-JMAPSYNC-UNPARSED:PRIORITY:abc\r\n" in written


def test_the_type_of_a_refresh_interval_is_declared() -> None:
    data = event("DTSTART:20260601").replace(b"PRODID", b"REFRESH-INTERVAL;VALUE=DURATION:P1D\r\nPRODID")
    assert b"REFRESH-INTERVAL;VALUE=DURATION:P1D\r\n" in jscalendar_to_ical(ical_to_jscalendar(data))


def test_a_comma_in_a_name_without_quotes_is_part_of_it() -> None:
    item = schedules("Event").read(
        event("DTSTART:20260601", "ATTENDEE;CN=Doe, John:mailto:a@b.example", "ATTACH;FILENAME=a,b:http://a")
    )
    assert [person["name"] for person in item["participants"].values()] == ["Doe, John"]
    assert [link["title"] for link in item["links"].values()] == ["a,b"]
    written = schedules("Event").write(item)
    assert b'ATTENDEE;CN="Doe, John":mailto:a@b.example' in written


def test_an_occurrence_without_start_and_duration_has_those_of_its_series() -> None:
    """Stalwart writes those whose override changes neither (calcard#26)."""
    series = event("DTSTART:20060102T120000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY", "SUMMARY:Base")
    other = (
        b"BEGIN:VEVENT\r\nUID:u\r\nDTSTAMP:20260101T000000Z\r\nSUMMARY:Other\r\n"
        b"RECURRENCE-ID:20060104T120000Z\r\nEND:VEVENT\r\nEND:VCALENDAR"
    )
    item = schedules("Event").read(series.replace(b"END:VCALENDAR", other))
    assert item["recurrenceOverrides"] == {"2006-01-04T12:00:00": {"title": "Other"}}


def test_a_place_that_icalendar_cannot_read_is_out_of_its_way() -> None:
    written = schedules("Event").write(schedules("Event").read(event("DTSTART:20260601", "GEO:0")))
    assert b"X-JMAPSYNC-UNPARSED:GEO:0\r\n" in written


def test_a_task_of_several_years_keeps_its_zone() -> None:
    """Its zone is compared until it is due, and not once more as long as it takes."""
    times = {"timeZone": "Australia/Sydney", "start": "2010-03-01T09:00:00", "due": "2019-03-01T09:00:00"}
    task = {"@type": "Task", "uid": "long", **times}
    [found] = ical_to_jscalendar(jscalendar_to_ical({"@type": "Group", "entries": [task]}))["entries"]
    assert {name: found[name] for name in times} == times
