"""Single occurrences without their series on a server that loses or doubles them, as Cyrus 3.12 does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import DemoServer
from tests.kit.object_mirror import ObjectMirror, change, writes
from tests.storage.jmap.objects.conftest import render

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jmapsync.demo import Store

ALL_DAY = {
    "one day": ("RECURRENCE-ID;VALUE=DATE:20261208", "DTSTART;VALUE=DATE:20261208"),
    "moved": ("RECURRENCE-ID;VALUE=DATE:20261208", "DTSTART;VALUE=DATE:20261210", "DURATION:P2D"),
}
UTC = {
    "utc": ("RECURRENCE-ID:20261208T100000Z", "DTSTART:20261208T100000Z", "DURATION:PT1H"),
    "utc of a zoned one": ("RECURRENCE-ID:20261208T090000Z", "DTSTART;TZID=Europe/Berlin:20261208T110000", "DURATION:PT1H"),
}


def occurrence(title: str, *lines: str) -> bytes:
    head = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//EN", "BEGIN:VEVENT", "UID:lone", "DTSTAMP:20260101T000000Z")
    return "\r\n".join([*head, *lines, f"SUMMARY:{title}", "END:VEVENT", "END:VCALENDAR", ""]).encode()


@pytest.fixture
def server() -> Iterator[DemoServer]:
    with DemoServer(dialect="cyrus312") as server:
        server.account.calendars.render = render
        yield server


@pytest.fixture
def events(server: DemoServer) -> Store:
    return server.account.calendars


@pytest.fixture
def desk(server: DemoServer, tmp_path: Path) -> ObjectMirror:
    desk = ObjectMirror(server.url, tmp_path, ("calendars",))
    desk.sync_until_quiet()
    return desk


def drop(desk: ObjectMirror, content: bytes) -> Path:
    file = desk.base / "calendars" / "personal" / "lone.ics"
    file.write_bytes(content)
    return file


@pytest.mark.parametrize("form", ALL_DAY)
def test_an_all_day_one_stays_here_and_is_no_conflict(desk: ObjectMirror, events: Store, form: str) -> None:
    content = occurrence("One", *ALL_DAY[form])
    file = drop(desk, content)
    for _ in range(3):
        report = desk.sync()["calendars"]
        assert [one.item for one in report.problems] == ["personal/lone.ics"]
        assert "RECURRENCE-ID" in report.problems[0].why
        assert (report.conflicts, writes({"calendars": report}), file.read_bytes(), desk.conflict_copies()) == (0, 0, content, [])
        assert events.items == {}
    again = occurrence("Two", *ALL_DAY[form])
    file.write_bytes(again)
    assert (len(desk.sync()["calendars"].problems), file.read_bytes(), events.items) == (1, again, {})


def test_an_all_day_one_is_made_and_taken_back_once_for_each_edit(desk: ObjectMirror, server: DemoServer) -> None:
    drop(desk, occurrence("One", *ALL_DAY["one day"]))
    for _ in range(3):
        desk.sync()
    acts = [call.arguments for call in server.requests.calls("CalendarEvent/set")]
    assert [sorted(name for name in ("create", "destroy") if name in one) for one in acts] == [["create"], ["destroy"]]


@pytest.mark.parametrize("form", UTC)
def test_an_edit_that_the_server_would_double_is_not_sent(desk: ObjectMirror, events: Store, form: str) -> None:
    file = drop(desk, occurrence("One", *UTC[form]))
    desk.sync_until_quiet(echo=4)
    [item] = events.items.values()
    assert (item["title"], item["recurrenceIdTimeZone"]) == ("One", "Etc/UTC")
    change(file, "SUMMARY:One", "SUMMARY:Two")
    edited = file.read_bytes()
    for _ in range(3):
        report = desk.sync()["calendars"]
        assert "TZID" in report.problems[0].why or "time zone" in report.problems[0].why
        assert (len(report.problems), report.conflicts, file.read_bytes()) == (1, 0, edited)
    assert [one["title"] for one in events.items.values()] == ["One"]
    assert events.doubled == []


def test_one_with_a_time_zone_is_edited_as_ever(desk: ObjectMirror, events: Store) -> None:
    lines = ("RECURRENCE-ID;TZID=Europe/Berlin:20261208T110000", "DTSTART;TZID=Europe/Berlin:20261208T110000", "DURATION:PT1H")
    file = drop(desk, occurrence("One", *lines))
    desk.sync_until_quiet(echo=4)
    change(file, "SUMMARY:One", "SUMMARY:Two")
    desk.sync_until_quiet(echo=4)
    assert [one["title"] for one in events.items.values()] == ["Two"]


def test_the_advice_for_one_in_utc_works(desk: ObjectMirror, events: Store) -> None:
    file = drop(desk, occurrence("One", *UTC["utc"]))
    desk.sync_until_quiet(echo=4)
    change(file, "SUMMARY:One", "SUMMARY:Two")
    assert desk.sync()["calendars"].problems
    change(file, "RECURRENCE-ID:20261208T100000Z", "RECURRENCE-ID;TZID=Europe/Berlin:20261208T110000")
    desk.sync_until_quiet(echo=4)
    assert [(one["title"], one["recurrenceIdTimeZone"]) for one in events.items.values()] == [("Two", "Europe/Berlin")]


@pytest.mark.parametrize(
    "lines",
    [
        ("DTSTART;VALUE=DATE:16040301", "DURATION:P1D"),
        ("DTSTART;VALUE=DATE:16040301", "DURATION:P1D", "RRULE:FREQ=YEARLY"),
        ("DTSTART;TZID=Europe/Berlin:18990301T100000", "DURATION:PT90M"),
    ],
    ids=["day", "series", "timed"],
)
def test_an_edit_of_an_event_of_long_ago_keeps_its_duration(desk: ObjectMirror, events: Store, lines: tuple[str, ...]) -> None:
    file = drop(desk, occurrence("One", *lines))
    desk.sync_until_quiet(echo=4)
    change(file, "SUMMARY:One", "SUMMARY:Two")
    desk.sync_until_quiet(echo=4)
    [item] = events.items.values()
    assert (item["title"], item["duration"]) == ("Two", lines[1].removeprefix("DURATION:"))
    assert lines[1].encode() in file.read_bytes()


def test_what_the_server_made_of_one_before_a_crash_is_no_conflict(
    desk: ObjectMirror, events: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before it was taken back, as the re-read showed it."""
    content = occurrence("One", *ALL_DAY["one day"])
    file = drop(desk, content)
    with monkeypatch.context() as patch:
        patch.setattr("jmapsync.storage.jmap.objects.lone_instances.InstanceSetter._check_made", killed)
        with pytest.raises(KilledError):
            desk.sync()
    assert [one.get("recurrenceId") for one in events.items.values()] == [None]
    for _ in range(3):
        report = desk.sync()["calendars"]
        assert {one.item for one in report.problems} == {"personal/lone.ics", "calendars lone"}
        assert (report.conflicts, file.read_bytes(), desk.conflict_copies()) == (0, content, [])
    [ref] = events.items
    events.delete(ref)
    assert len(desk.sync()["calendars"].problems) == 1
    assert (events.items, file.read_bytes()) == ({}, content)


class KilledError(BaseException):
    """The process is gone."""


async def killed(*_: object) -> None:
    raise KilledError
