"""An object of a server gets the form of the file here where it says the same: nothing else of the file changes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jmapsync.formats.codec import schedules
from jmapsync.formats.file_form import in_form_of
from jmapsync.formats.ical.rules import Clock, write_rule
from jmapsync.formats.jscalendar1 import from_v1, to_v1
from tests.formats.ical.test_zones import EUROPE, OLD_US, US, file, fixed, zone

CODEC = schedules("Event")
SERVER: dict[str, Any] = {"interval": 1, "rscale": "gregorian", "skip": "omit", "firstDayOfWeek": "mo"}
"""What Cyrus adds to each rule."""


def of_cyrus(item: dict[str, Any]) -> dict[str, Any]:
    """Return what Cyrus makes of an object: it keeps no lines, and returns the defaults of a rule and of the event."""
    found = from_v1(json.loads(json.dumps(to_v1(item))))
    if "recurrenceRule" in found:
        found["recurrenceRule"] = {**SERVER, **found["recurrenceRule"]}
    return {**found, "freeBusyStatus": "busy", "showWithoutTime": found.get("showWithoutTime", False), "priority": 0}


def lines(data: bytes) -> list[str]:
    return data.decode().replace("\r\n ", "").split("\r\n")


@pytest.mark.parametrize(
    ("zones", "times"),
    [
        (zone("Mine", "+0100", "+0200", EUROPE), ["DTSTART;TZID=Mine:20260308T093000", "DTEND;TZID=Mine:20260308T101500"]),
        (
            zone("Mine", "-0500", "-0400", OLD_US),
            ["DTSTART;TZID=Mine:20260308T093000", "DURATION:PT45M", "RRULE:FREQ=WEEKLY;COUNT=60"],
        ),
        (fixed("Mine", "+0307"), ["DTSTART;TZID=Mine:20260308T093000", "DURATION:PT45M"]),
        (
            [*zone("Mine", "+0100", "+0200", EUROPE), *zone("Other", "-0500", "-0400", US)],
            ["DTSTART;TZID=Mine:20260308T093000", "DTEND;TZID=Other:20260308T120000", "RRULE:FREQ=WEEKLY;COUNT=60"],
        ),
        ([], ["DTSTART;VALUE=DATE:20260308", "DTEND;VALUE=DATE:20260310", "RRULE:FREQ=YEARLY"]),
        ([], ["DTSTART:20260308T093000Z", "DTEND:20260308T101500Z"]),
        ([], ["DTSTART:20260308T093000", "DURATION:P1W"]),
    ],
)
def test_a_title_edited_on_a_server_that_keeps_no_lines_is_all_that_changes(zones: list[str], times: list[str]) -> None:
    data = CODEC.write(CODEC.read(file(*times, "SUMMARY:old", zones=zones)))
    mine = CODEC.read(data)
    edited = {**of_cyrus(mine), "title": "new"}
    assert lines(CODEC.write(in_form_of(edited, mine))) == [line.replace("SUMMARY:old", "SUMMARY:new") for line in lines(data)]


def test_what_the_server_changed_keeps_the_form_of_the_server() -> None:
    zones = zone("Mine", "+0100", "+0200", EUROPE)
    mine = CODEC.read(file("DTSTART;TZID=Mine:20260308T093000", "DTEND;TZID=Mine:20260308T101500", "RRULE:FREQ=DAILY", zones=zones))
    for change in (
        {"timeZone": "America/New_York"},
        {"duration": "PT2H"},
        {"recurrenceRule": {"@type": "RecurrenceRule", "frequency": "weekly"}},
        {"recurrenceOverrides": {"2026-03-10T09:30:00": {"excluded": True}}},
        {"start": "2026-03-08T12:00:00"},
    ):
        edited = {**of_cyrus(mine), **change}
        formed = in_form_of(edited, mine)
        assert CODEC.sense(formed) == CODEC.sense(edited)
        again = CODEC.read(CODEC.write(formed))
        assert CODEC.sense(again) == CODEC.sense(edited)


def test_an_override_that_says_something_else_by_now_is_not_that_of_the_file() -> None:
    later = "2026-03-09T09:30:00"
    mine = {**CODEC.read(file("DTSTART:20260308T093000", "DURATION:PT1H", "RRULE:FREQ=DAILY", "SUMMARY:old"))}
    mine["recurrenceOverrides"] = {later: {"title": "old", "duration": "PT2H"}}
    edited = {**mine, "title": "new", "recurrenceOverrides": {later: {"duration": "PT2H"}}}
    assert in_form_of(edited, mine) == edited


def test_a_rule_is_written_without_the_defaults_that_khal_does_not_know() -> None:
    clock = Clock(None, whole_days=False)
    assert write_rule({"frequency": "daily", "rscale": "gregorian", "skip": "omit"}, clock) == "FREQ=DAILY"
    assert write_rule({"frequency": "monthly", "rscale": "gregorian", "skip": "forward"}, clock) == (
        "RSCALE=GREGORIAN;FREQ=MONTHLY;SKIP=FORWARD"
    )
    assert write_rule({"frequency": "yearly", "rscale": "hebrew"}, clock) == "RSCALE=HEBREW;FREQ=YEARLY"
