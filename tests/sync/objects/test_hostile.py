"""Hostile files and objects among others: each is quarantined by name, and the rest goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.formats.test_checks import IN_BERLIN, nested, zone
from tests.formats.test_checks import event as made
from tests.sync.objects.samples import card, event

if TYPE_CHECKING:
    from jmapsync.demo import Store
    from tests.kit.object_mirror import ObjectMirror

SECONDLY = zone("FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU", "FREQ=SECONDLY")


def test_a_hostile_file_is_named_and_others_reach_the_server(desk: ObjectMirror, events: Store, cards: Store) -> None:
    folder = desk.file("calendars", "weekly").parent
    bad = made("DTSTART;TZID=Odd:20260101T100000", "SUMMARY:Bad", zone=SECONDLY)
    (folder / "bad.ics").write_bytes(bad)
    (folder / "good.ics").write_bytes(event("good"))
    contacts = desk.file("contacts", "ada").parent
    (contacts / "bad.vcf").write_bytes(card("bad", *["TEL:+1"] * 60_000))
    (contacts / "good.vcf").write_bytes(card("good"))
    reports = desk.sync()
    assert [one.item for one in reports["calendars"].problems] == [f"{folder.name}/bad.ics"]
    assert [one.item for one in reports["contacts"].problems] == [f"{contacts.name}/bad.vcf"]
    assert events.by_uid("good")["title"] == "good"
    assert cards.by_uid("good")["name"]["full"] == "good"
    assert (folder / "bad.ics").read_bytes() == bad
    assert desk.sync()["calendars"].to_server.total == 0


def test_a_file_that_became_hostile_stays_and_the_server_keeps_what_it_has(desk: ObjectMirror, events: Store) -> None:
    file = desk.file("calendars", "weekly")
    bad = made(IN_BERLIN, "RRULE:FREQ=DAILY", *["EXDATE;TZID=Europe/Berlin:20260105T100000"] * 60_000).replace(
        b"UID:u", b"UID:weekly"
    )
    file.write_bytes(bad)
    [problem] = desk.sync()["calendars"].problems
    assert problem.item.endswith(file.name)
    assert (file.read_bytes(), events.by_uid("weekly")["title"]) == (bad, "Weekly")


@pytest.mark.parametrize(
    "value",
    [nested(90), {str(number): {"@type": "Link", "href": "https://x/"} for number in range(20_000)}],
    ids=["deep", "wide"],
)
def test_a_hostile_object_of_the_server_is_named_and_others_come(desk: ObjectMirror, cards: Store, value: Any) -> None:  # noqa: ANN401
    cards.add({"uid": "bad", "name": {"full": "Bad"}, "vendor.example:x": value})
    cards.add({"uid": "good", "name": {"full": "Good"}})
    report = desk.sync()["contacts"]
    assert ["converted" in one.why or "deep" in one.why for one in report.problems] == [True]
    assert b"FN:Good" in desk.file("contacts", "good").read_bytes()
    assert desk.sync()["contacts"].to_disk.total == 0


def test_an_object_that_became_hostile_leaves_its_file_alone(desk: ObjectMirror, cards: Store) -> None:
    file = desk.file("contacts", "ada")
    before = file.read_bytes()
    cards.edit(cards.by_uid("ada")["id"], {"vendor.example:x": nested(90)})
    report = desk.sync()["contacts"]
    assert (len(report.problems), file.read_bytes()) == (1, before)


def test_a_series_of_the_server_with_too_many_overrides_is_not_converted_at_all(desk: ObjectMirror, events: Store) -> None:
    days = [f"20{year}-{month:02}-{day:02}T10:00:00" for year in range(30, 50) for month in range(1, 13) for day in range(1, 29)]
    overrides = {day: {"title": "x"} for day in days}
    events.add({"@type": "Event", "uid": "bad", "title": "Bad", "start": days[0], "recurrenceOverrides": overrides})
    events.add({"@type": "Event", "uid": "good", "title": "Good", "start": days[0], "duration": "PT1H"})
    [problem] = desk.sync()["calendars"].problems
    assert not problem.why.startswith("it cannot be written")
    assert desk.file("calendars", "good").is_file()
