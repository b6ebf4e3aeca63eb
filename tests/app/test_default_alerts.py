"""Alerts of a calendar stay the calendar's: an event that has them is written without, and keeps them until it gets its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.demo import CYRUS_312, RFC, STALWART, DemoServer
from jmapsync.demo.dialect import CYRUS_CALENDARS
from tests.kit.pim import Pim, change

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STALE = {"s": {"@type": "Alert", "trigger": {"@type": "OffsetTrigger", "offset": "-PT1H"}}}
EVENT = {"uid": "talk", "title": "Talk", "start": "2037-01-02T10:00:00", "timeZone": "Etc/UTC", "duration": "PT1H"}
ALARM = "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT"


@pytest.fixture(params=[RFC, CYRUS_312, STALWART], ids=lambda dialect: dialect.name)
def server(request: pytest.FixtureRequest) -> Iterator[DemoServer]:
    with DemoServer(dialect=request.param) as server:
        server.faults.hidden_capabilities.arm([CYRUS_CALENDARS])  # no files behind events
        yield server


@pytest.fixture
def pim(server: DemoServer, tmp_path: Path) -> Pim:
    return Pim(tmp_path, server.url, "demo", "demo", ("calendars",))


def until_quiet(pim: Pim) -> None:
    for _ in range(5):
        if not pim.run().changed:
            return
    raise AssertionError


def event(server: DemoServer) -> dict[str, Any]:
    [found] = server.account.calendars.items.values()
    return found


def test_an_edit_leaves_an_event_the_alerts_of_its_calendar(server: DemoServer, pim: Pim) -> None:
    server.account.calendars.add({**EVENT, "useDefaultAlerts": True, "alerts": STALE})
    until_quiet(pim)
    file = pim.file("calendars", "talk")
    assert "VALARM" not in file.read_text(), "its own are not in force"
    change(file, "SUMMARY:Talk", "SUMMARY:Speech")
    until_quiet(pim)
    assert (event(server)["title"], event(server)["useDefaultAlerts"]) == ("Speech", True)


def test_an_alarm_that_is_added_is_in_force(server: DemoServer, pim: Pim) -> None:
    server.account.calendars.add({**EVENT, "useDefaultAlerts": True, "alerts": STALE})
    until_quiet(pim)
    change(pim.file("calendars", "talk"), "END:VEVENT", ALARM)
    until_quiet(pim)
    found = event(server)
    assert found["useDefaultAlerts"] is False
    assert [one["trigger"]["offset"] for one in found["alerts"].values()] == ["-PT5M"]
    assert pim.file("calendars", "talk").read_text().count("BEGIN:VALARM") == 1


def test_a_new_event_has_the_alarms_of_its_file(server: DemoServer, pim: Pim) -> None:
    server.account.calendars.add({**EVENT})
    until_quiet(pim)
    file = pim.file("calendars", "talk")
    text = file.read_bytes().decode().replace("UID:talk", "UID:other").replace("END:VEVENT", ALARM)
    (file.parent / "other.ics").write_bytes(text.encode())
    until_quiet(pim)
    [found] = [one for one in server.account.calendars.items.values() if one["uid"] == "other"]
    assert not found.get("useDefaultAlerts")
    assert len(found["alerts"]) == 1


def test_alerts_that_come_into_force_on_the_server_reach_the_file(server: DemoServer, pim: Pim) -> None:
    ref = server.account.calendars.add({**EVENT, "useDefaultAlerts": True, "alerts": STALE})
    until_quiet(pim)
    server.account.calendars.edit(ref, {"useDefaultAlerts": False})
    until_quiet(pim)
    assert "-PT1H" in pim.file("calendars", "talk").read_text()


def test_an_alarm_of_one_occurrence_is_in_force(server: DemoServer, pim: Pim) -> None:
    rule = {"@type": "RecurrenceRule", "frequency": "weekly", "count": 4}
    series = {"recurrenceRules": [rule]} if server.account.dialect.calendars == "1.0" else {"recurrenceRule": rule}
    moment = "2037-01-09T10:00:00"
    stale = {"recurrenceOverrides": {"2037-01-16T10:00:00": {"title": "Third", "alerts": STALE}}}
    server.account.calendars.add({**EVENT, **series, **stale, "useDefaultAlerts": True})
    until_quiet(pim)
    file = pim.file("calendars", "talk")
    assert "VALARM" not in file.read_text(), "that of the third is not in force"
    second = (
        "BEGIN:VEVENT\r\nUID:talk\r\nDTSTAMP:20260101T000000Z\r\nRECURRENCE-ID:20370109T100000Z\r\nDTSTART:20370109T100000Z\r\n"
        f"DURATION:PT1H\r\nSUMMARY:Talk\r\n{ALARM}\r\nEND:VCALENDAR"
    )
    change(file, "END:VCALENDAR", second)
    until_quiet(pim)
    found = event(server)
    patch = found["recurrenceOverrides"][moment]
    assert (found["useDefaultAlerts"], patch["useDefaultAlerts"]) == (True, False)
    [alert] = patch["alerts"].values()
    assert alert["trigger"]["offset"] == "-PT5M"
    assert pim.file("calendars", "talk").read_text().count("BEGIN:VALARM") == 1
    change(pim.file("calendars", "talk"), "SUMMARY:Third", "SUMMARY:The third")
    until_quiet(pim)
    assert event(server)["recurrenceOverrides"][moment]["useDefaultAlerts"] is False
    assert pim.file("calendars", "talk").read_text().count("BEGIN:VALARM") == 1
