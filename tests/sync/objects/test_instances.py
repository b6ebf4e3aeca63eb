"""Instances of a series without it (an invitation to some occurrences): one file here, an object for each on the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.errors import ExitCode
from tests.kit.object_mirror import change
from tests.sync.objects.samples import FRIDAY, MONDAY, TUESDAY, component, drop

if TYPE_CHECKING:
    from jmapsync.demo import Store
    from tests.kit.object_mirror import ObjectMirror


def held(events: Store) -> dict[str, str]:
    return {one["recurrenceId"][8:10]: one["title"] for one in events.items.values() if one["uid"] == "lone"}


class TestInstancesMadeHere:
    def test_become_an_object_each_and_come_back_as_the_same_file(self, desk: ObjectMirror, events: Store) -> None:
        file = drop(desk, component(MONDAY, "One"), component(TUESDAY, "Two"))
        before = file.read_bytes()
        desk.sync_until_quiet(echo=4)
        assert (held(events), file.read_bytes()) == ({"07": "One", "08": "Two"}, before)

    def test_are_edited_added_and_removed_each_by_itself(self, desk: ObjectMirror, events: Store) -> None:
        file = drop(desk, component(MONDAY, "One"), component(TUESDAY, "Two"))
        desk.sync_until_quiet(echo=4)
        kept = {one["id"] for one in events.items.values() if one.get("title") == "One"}
        drop(desk, component(MONDAY, "Un"), component(FRIDAY, "Three"))
        desk.sync_until_quiet(echo=4)
        assert held(events) == {"07": "Un", "11": "Three"}
        assert kept <= events.items.keys()
        file.unlink()
        desk.sync_until_quiet(echo=4)
        assert held(events) == {}

    def test_that_the_server_has_a_series_of_are_quarantined_by_name(self, desk: ObjectMirror, events: Store) -> None:
        drop(desk, component(MONDAY, "One"))
        events.add({"uid": "lone", "title": "The series", "start": "2026-12-07T10:00:00", "timeZone": "Europe/Berlin"})
        report = desk.sync()["calendars"]
        assert report.exit_code is ExitCode.QUARANTINED
        assert events.by_uid("lone")["title"] == "The series"
        assert b"SUMMARY:One" in b"".join(
            [*(each.read_bytes() for each in desk.files("calendars")), *(found for _, found in desk.conflict_copies())]
        )


class TestInstancesMadeThere:
    def test_share_one_file_that_follows_them(self, desk: ObjectMirror, events: Store) -> None:
        for title, day in (("One", "07"), ("Two", "08")):
            moment = f"2026-12-{day}T10:00:00"
            zones = {"timeZone": "Europe/Berlin", "recurrenceIdTimeZone": "Europe/Berlin"}
            events.add({"uid": "lone", "title": title, "start": moment, "recurrenceId": moment, **zones})
            desk.sync_until_quiet(echo=4)
        text = desk.file("calendars", "lone").read_text()
        assert text.count("BEGIN:VEVENT") == 2
        first, second = (one["id"] for one in events.items.values() if one["uid"] == "lone")
        events.remove(first)
        desk.sync_until_quiet(echo=4)
        text = desk.file("calendars", "lone").read_text()
        assert ("SUMMARY:Two" in text, "SUMMARY:One" in text) == (True, False)
        events.remove(second)
        desk.sync_until_quiet(echo=4)
        assert len(desk.files("calendars")) == 1

    def test_edited_on_both_sides_merge_where_each_edit_is_of_another(self, desk: ObjectMirror, events: Store) -> None:
        file = drop(desk, component(MONDAY, "One"), component(TUESDAY, "Two"))
        desk.sync_until_quiet(echo=4)
        [there] = [one["id"] for one in events.items.values() if one.get("title") == "Two"]
        events.edit(there, {"title": "Zwei"})
        change(file, "SUMMARY:One", "SUMMARY:Eins")
        desk.sync_until_quiet(echo=4)
        assert held(events) == {"07": "Eins", "08": "Zwei"}
        assert {"SUMMARY:Eins", "SUMMARY:Zwei"} <= set(file.read_text().splitlines())
        assert desk.conflict_copies() == []

    def test_edited_alike_keep_the_servers_and_keep_a_copy_of_the_whole_file(self, desk: ObjectMirror, events: Store) -> None:
        file = drop(desk, component(MONDAY, "One"), component(TUESDAY, "Two"))
        desk.sync_until_quiet(echo=4)
        [there] = [one["id"] for one in events.items.values() if one.get("title") == "Two"]
        events.edit(there, {"title": "Zwei"})
        change(file, "SUMMARY:Two", "SUMMARY:Deux")
        assert desk.sync()["calendars"].conflicts == 1
        assert held(events) == {"07": "One", "08": "Zwei"}
        [(_, content)] = desk.conflict_copies()
        assert b"SUMMARY:Deux" in content
        assert b"SUMMARY:Zwei" in file.read_bytes()
