"""Address books, calendars and task lists chosen by name: what is left out is left alone on both sides, and comes back whole."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from jmapsync.formats.names import CollectionPatterns
from tests.kit.object_mirror import change, writes
from tests.sync.objects.samples import card, event

if TYPE_CHECKING:
    from jmapsync.demo import DemoServer, Store
    from jmapsync.sync.report import KindReport as Report
    from tests.kit.object_mirror import ObjectMirror

NAMES = ("Work", "Work/Team", "Secret")
SETS = ("CalendarEvent/set", "CalendarEvent/copy", "Calendar/set")


@pytest.fixture
def desk(server: DemoServer, fresh: ObjectMirror, events: Store) -> ObjectMirror:
    """Return the mirror of an account with one event in each of some calendars; nothing is mirrored yet."""
    for name in NAMES:
        events.create_collection(name)
        events.add({"uid": name.replace("/", "-"), "title": name, "start": "2026-12-07T10:00:00", "duration": "PT1H"}, (name,))
    fresh.kinds = ("calendars",)
    return fresh


def rest(desk: ObjectMirror, include: tuple[str, ...] = ("*",), exclude: tuple[str, ...] = (), *, hidden: bool = True) -> Report:
    """Mirror what the patterns select; fail unless a run does all there is to do. Return what the first run did."""
    desk.patterns = CollectionPatterns(include, exclude, hidden)
    report = desk.sync()["calendars"]
    assert (report.state.value, report.problems, report.conflicts) == ("synced", [], 0)
    for most in (3, 1):
        again = desk.sync()
        assert (again["calendars"].problems, again["calendars"].messages, writes(again)) == ([], [], 0)
        assert desk.requests <= most
    return report


def here(desk: ObjectMirror) -> set[str]:
    """Return the uids of the files."""
    return {next(line[4:] for line in file.read_text().splitlines() if line.startswith("UID:")) for file in desk.files("calendars")}


def there(events: Store) -> set[str]:
    return {str(item["uid"]) for item in events.items.values() if item["@type"] == "Event"}


def ref(events: Store, uid: str) -> str:
    return next(key for key, item in events.items.items() if item["uid"] == uid)


class TestWhatIsMirrored:
    @pytest.mark.parametrize(
        ("include", "exclude", "expected"),
        [
            (("*",), (), {"weekly", "Work", "Work-Team", "Secret"}),
            (("*",), ("Work",), {"weekly", "Work-Team", "Secret"}),
            (("*",), ("Work*",), {"weekly", "Secret"}),
            (("Work", "S*"), ("secret",), {"Work", "Secret"}),
            (("Work*",), ("*Team",), {"Work"}),
            (("nothing",), (), set()),
        ],
    )
    def test_is_what_include_names_without_what_exclude_names(
        self, desk: ObjectMirror, include: tuple[str, ...], exclude: tuple[str, ...], expected: set[str]
    ) -> None:
        rest(desk, include, exclude)
        assert here(desk) == expected

    def test_is_everything_without_patterns_hidden_or_not(self, desk: ObjectMirror, events: Store) -> None:
        events.edit_collection("Work", isSubscribed=False)
        events.edit_collection("Secret", isVisible=False)
        rest(desk)
        assert here(desk) == {"weekly", "Work", "Work-Team", "Secret"}

    def test_is_what_is_not_hidden_and_what_is_named_where_the_configuration_says_so(
        self, desk: ObjectMirror, events: Store
    ) -> None:
        events.edit_collection("Work", isSubscribed=False)
        events.edit_collection("Secret", isVisible=False)
        rest(desk, hidden=False)
        assert here(desk) == {"weekly", "Work-Team"}
        rest(desk, ("*", "Secret"), hidden=False)
        assert here(desk) == {"weekly", "Work-Team", "Secret"}
        rest(desk, ("*", "Secret"), ("Secret",), hidden=False)
        assert desk.sync()["calendars"].detached == ["Secret"]

    def test_follows_what_is_hidden_on_the_server(self, desk: ObjectMirror, events: Store) -> None:
        rest(desk, hidden=False)
        events.edit_collection("Secret", isSubscribed=False)
        assert rest(desk, hidden=False).detached == ["Secret"]
        assert "Secret" in here(desk)
        events.edit(ref(events, "Secret"), {"title": "Known"})
        rest(desk, hidden=False)
        assert "SUMMARY:Secret" in desk.file("calendars", "Secret").read_text()
        events.edit_collection("Secret", isSubscribed=True)
        assert rest(desk, hidden=False).detached == []
        assert "SUMMARY:Known" in desk.file("calendars", "Secret").read_text()

    def test_follows_names_on_the_server(self, desk: ObjectMirror, events: Store) -> None:
        rest(desk, exclude=("Secret",))
        assert "Secret" not in here(desk)
        events.edit_collection("Secret", name="Open")
        rest(desk, exclude=("Secret",))
        assert "Secret" in here(desk)
        events.edit_collection("Work", name="Secret")
        assert rest(desk, exclude=("Secret",)).detached == ["Work"]


class TestWhatIsLeftOut:
    def test_is_deleted_nowhere_and_comes_back_as_it_was(self, server: DemoServer, desk: ObjectMirror, events: Store) -> None:
        rest(desk)
        file = desk.file("calendars", "Secret")
        data, state = file.read_bytes(), os.stat(file)
        server.requests.clear()
        report = rest(desk, exclude=("Secret",))
        assert report.messages == ["The folder Secret stays as it is, detached: it is left out of the mirror now."]
        assert report.detached == ["Secret"]
        assert rest(desk).detached == []
        assert (file.read_bytes(), os.stat(file).st_mtime_ns, os.stat(file).st_ino) == (data, state.st_mtime_ns, state.st_ino)
        assert sum(server.requests.count(name) for name in SETS) == 0

    @pytest.mark.parametrize("moved", [False, True])
    def test_merges_what_both_sides_edited_when_it_comes_back(self, desk: ObjectMirror, events: Store, *, moved: bool) -> None:
        rest(desk)
        rest(desk, exclude=("Secret",))
        file = desk.file("calendars", "Secret")
        change(file, "SUMMARY:Secret", "SUMMARY:Secret\r\nLOCATION:here")
        events.edit(ref(events, "Secret"), {"description": "there"})
        if moved:
            file.parent.rename(file.parent.with_name("Elsewhere"))
        rest(desk, exclude=("Secret",))
        assert "there" not in desk.file("calendars", "Secret").read_text()
        rest(desk)
        text = desk.file("calendars", "Secret").read_text()
        assert ("LOCATION:here" in text, "DESCRIPTION:there" in text) == (True, True)
        item = events.items[ref(events, "Secret")]
        assert (item["description"], [one["name"] for one in item["locations"].values()]) == ("there", ["here"])
        assert desk.conflict_copies() == []

    def test_gives_what_one_side_lacks_to_it_when_it_comes_back(self, desk: ObjectMirror, events: Store) -> None:
        events.add({"uid": "gone", "title": "gone", "start": "2026-12-07T10:00:00"}, ("Secret",))
        rest(desk)
        rest(desk, exclude=("Secret",))
        desk.file("calendars", "Secret").unlink()
        events.delete(ref(events, "gone"))
        desk.file("calendars", "gone").with_name("new.ics").write_bytes(event("new"))
        events.add({"uid": "other", "title": "other", "start": "2026-12-07T10:00:00"}, ("Secret",))
        rest(desk, exclude=("Secret",))
        assert there(events) >= {"Secret", "other"}
        rest(desk)
        assert {"Secret", "gone", "new", "other"} <= here(desk) & there(events)

    def test_stays_on_the_server_when_its_directory_is_removed(self, desk: ObjectMirror, events: Store) -> None:
        rest(desk)
        rest(desk, exclude=("Secret",))
        shutil.rmtree(desk.file("calendars", "Secret").parent)
        rest(desk, exclude=("Secret",))
        rest(desk)
        assert "Secret" in here(desk) & there(events)

    def test_is_not_made_on_the_server(self, desk: ObjectMirror, events: Store) -> None:
        rest(desk, exclude=("Private*",))
        folder = desk.base / "calendars" / "Private plans"
        folder.mkdir()
        (folder / "mine.ics").write_bytes(event("mine"))
        named = desk.base / "calendars" / "x"
        named.mkdir()
        (named / "displayname").write_text("Private too")
        assert rest(desk, exclude=("Private*",)).detached == ["Private plans", "x"]
        assert "mine" not in there(events)
        assert {one["name"] for one in events.collections.values()}.isdisjoint({"Private plans", "Private too", "x"})
        assert rest(desk).detached == []
        assert "mine" in there(events)
        assert "Private too" in {one["name"] for one in events.collections.values()}

    def test_of_which_a_copy_was_made_stays_out_too(self, desk: ObjectMirror, events: Store) -> None:
        rest(desk)
        rest(desk, exclude=("Secret",))
        folder = desk.file("calendars", "Secret").parent
        shutil.copytree(folder, folder.with_name("Copy"))
        before = len(events.collections)
        rest(desk, exclude=("Secret",))
        assert len(events.collections) == before

    def test_whose_calendar_was_deleted_on_the_server_stays_here(self, desk: ObjectMirror, events: Store) -> None:
        rest(desk)
        rest(desk, exclude=("Secret",))
        events.delete(ref(events, "Secret"))
        events.remove_collection(events.collection("Secret")["id"])
        rest(desk, exclude=("Secret",))
        assert "Secret" in here(desk)
        rest(desk)
        assert "Secret" in here(desk) & there(events)


class TestItemsAtTheBorder:
    def test_an_event_moved_into_a_calendar_that_is_left_out_goes_here(self, desk: ObjectMirror, events: Store) -> None:
        rest(desk, exclude=("Secret",))
        events.move(ref(events, "Work"), "Work", "Secret")
        rest(desk, exclude=("Secret",))
        assert "Work" not in here(desk)
        assert "Work" in there(events)
        events.move(ref(events, "Work"), "Secret", "Work")
        rest(desk, exclude=("Secret",))
        assert "Work" in here(desk)

    def test_an_event_that_is_in_both_stays_in_the_one_whatever_is_done_here(
        self, server: DemoServer, desk: ObjectMirror, events: Store
    ) -> None:
        if server.limits.max_collections_per_item == 1:
            pytest.skip("one calendar for each event")
        both = events.add({"uid": "both", "title": "both", "start": "2026-12-07T10:00:00"}, ("Work", "Secret"))
        secret = events.collection("Secret")["id"]
        rest(desk, exclude=("Secret",))
        file = desk.file("calendars", "both")
        file.rename(file.parent.with_name("Work%2FTeam") / file.name)
        rest(desk, exclude=("Secret",))
        assert set(events.items[both]["calendarIds"]) == {secret, events.collection("Work/Team")["id"]}
        desk.file("calendars", "both").unlink()
        rest(desk, exclude=("Secret",))
        assert set(events.items[both]["calendarIds"]) == {secret}

    def test_a_file_with_the_uid_of_an_event_that_is_left_out_is_named(self, desk: ObjectMirror, events: Store) -> None:
        rest(desk)
        rest(desk, exclude=("Secret",))
        file = desk.file("calendars", "Secret")
        shutil.copy(file, desk.file("calendars", "Work").with_name("copy.ics"))
        report = desk.sync()["calendars"]
        assert ["its uid" in one.why for one in report.problems] == [True]
        assert events.items[ref(events, "Secret")]["calendarIds"] == {events.collection("Secret")["id"]: True}


def test_address_books_are_chosen_in_the_same_way(fresh: ObjectMirror, cards: Store) -> None:
    cards.create_collection("Old")
    cards.add({"uid": "eve", "name": {"full": "Eve"}}, ("Old",))
    fresh.kinds, fresh.patterns = ("contacts",), CollectionPatterns(exclude=("Old",))
    fresh.sync_until_quiet()
    assert {file.stem for file in fresh.files("contacts")} == {"ada"}
    fresh.file("contacts", "ada").with_name("bob.vcf").write_bytes(card("bob"))
    fresh.patterns = CollectionPatterns()
    fresh.sync_until_quiet()
    assert {file.stem for file in fresh.files("contacts")} == {"ada", "bob", "eve"}
