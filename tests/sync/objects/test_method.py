"""A file with METHOD, as of an invitation: stored without it (RFC 4791, 4.1), rewritten only if the server changes the event."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kit.object_mirror import change, writes

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.demo import Store
    from tests.kit.object_mirror import ObjectMirror


@pytest.fixture
def file(desk: ObjectMirror) -> Path:
    """A file with METHOD that the user put into a calendar, in step with the server."""
    lines = [
        *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//EN", "METHOD:REQUEST", "BEGIN:VEVENT", "UID:invited"),
        *("DTSTAMP:20260101T000000Z", "DTSTART:20260701T120000Z", "DURATION:PT1H", "SUMMARY:lunch", "END:VEVENT", "END:VCALENDAR"),
    ]
    path = desk.file("calendars", "weekly").with_name("invited.ics")
    path.write_bytes("\r\n".join([*lines, ""]).encode())
    desk.sync_until_quiet()
    return path


def of_server(events: Store) -> tuple[str, dict[str, object]]:
    [found] = [(ref, item) for ref, item in events.items.items() if item["uid"] == "invited"]
    return found


def test_the_file_keeps_its_method_in_runs_both_ways(desk: ObjectMirror, file: Path, events: Store) -> None:
    before = file.read_bytes()
    for full in (False, True):
        assert writes(desk.sync(full=full)) == 0
    assert file.read_bytes() == before
    assert b"METHOD:REQUEST\r\n" in before
    assert "method" not in of_server(events)[1]
    change(file, "SUMMARY:lunch", "SUMMARY:dinner")
    desk.sync_until_quiet()
    assert of_server(events)[1]["title"] == "dinner"
    assert b"METHOD:REQUEST\r\n" in file.read_bytes()


def test_an_edit_on_the_server_writes_the_file_as_calendars_store_it(desk: ObjectMirror, file: Path, events: Store) -> None:
    events.edit(of_server(events)[0], {"title": "dinner"})
    desk.sync_until_quiet()
    text = file.read_bytes()
    assert b"SUMMARY:dinner\r\n" in text
    assert b"METHOD" not in text
    assert desk.conflict_copies() == []
