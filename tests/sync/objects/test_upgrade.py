"""A version that reads some files otherwise than the one before: what both sides hold stays until somebody edits it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from jmapsync.formats.ical import moments
from tests.formats.ical.test_zones import US, zone
from tests.kit.object_mirror import change, writes
from tests.sync.objects.test_edits import patches

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.demo import DemoServer, Store
    from tests.kit.object_mirror import ObjectMirror

NAME = "(UTC-05:00) Eastern Time"


@pytest.fixture
def file(server: DemoServer, desk: ObjectMirror, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that an earlier version read as an event at a fixed offset, in step with the server."""
    lines = [
        *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//EN", *zone(NAME, "-0500", "-0400", US), "BEGIN:VEVENT", "UID:old"),
        *("DTSTAMP:20260101T000000Z", f'DTSTART;TZID="{NAME}":20260701T120000', "DURATION:PT1H", "SUMMARY:lunch", "END:VEVENT"),
    ]
    path = desk.file("calendars", "weekly").with_name("old.ics")
    path.write_bytes("\r\n".join([*lines, "END:VCALENDAR", ""]).encode())
    with monkeypatch.context() as earlier:
        earlier.setattr(moments, "zone_of_rules", lambda *_: "Etc/GMT+5")
        desk.sync_until_quiet()
    server.requests.clear()
    return path


def held(events: Store) -> dict[str, str]:
    [item] = [item for item in events.items.values() if item["uid"] == "old"]
    return {name: item[name] for name in ("title", "start", "timeZone")}


def edit_there(events: Store) -> None:
    [ref] = [ref for ref, item in events.items.items() if item["uid"] == "old"]
    events.edit(ref, {"description": "in town"})


def test_an_upgrade_writes_nothing_on_either_side_until_somebody_edits(desk: ObjectMirror, file: Path, events: Store) -> None:
    before = file.read_bytes(), held(events)
    for full in (False, True):
        reports = desk.sync(full=full)
        desk.assert_well(reports)
        assert writes(reports) == 0
    assert (file.read_bytes(), held(events)) == before
    assert before[1]["timeZone"] == "Etc/GMT+5"
    edit_there(events)
    desk.sync_until_quiet()
    assert b"DTSTART;TZID=Etc/GMT+5:20260701T120000" in file.read_bytes()
    assert desk.conflict_copies() == []


def test_a_file_that_is_read_again_corrects_the_server_by_one_patch(
    server: DemoServer, desk: ObjectMirror, file: Path, events: Store
) -> None:
    before = file.read_bytes()
    os.utime(file, (1_600_000_000, 1_600_000_000))
    desk.sync_until_quiet()
    [patch] = patches(server, "CalendarEvent/set")
    assert {name: value for name, value in patch.items() if "/" not in name} == {"timeZone": "America/New_York"}
    assert held(events) == {"title": "lunch", "start": "2026-07-01T12:00:00", "timeZone": "America/New_York"}
    assert file.read_bytes() == before
    assert desk.conflict_copies() == []


def test_edits_on_both_sides_are_merged_without_a_conflict(desk: ObjectMirror, file: Path, events: Store) -> None:
    change(file, "SUMMARY:lunch", "SUMMARY:dinner")
    edit_there(events)
    desk.sync_until_quiet()
    assert held(events) == {"title": "dinner", "start": "2026-07-01T12:00:00", "timeZone": "America/New_York"}
    text = file.read_bytes().decode().replace("\r\n ", "")
    assert f'DTSTART;TZID="{NAME}":20260701T120000' in text
    assert "DESCRIPTION:in town" in text
    assert desk.conflict_copies() == []
