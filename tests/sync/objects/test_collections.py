"""Address books and calendars: made, named, coloured and deleted on either side, and what moves between them."""

from __future__ import annotations

import itertools
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from jmapsync.storage.vdir.tree import Tree
from tests.kit.object_mirror import change
from tests.sync.objects.samples import WEEKLY, card, event

if TYPE_CHECKING:
    from jmapsync.demo import DemoServer, Store
    from tests.kit.object_mirror import ObjectMirror


def test_a_directory_made_here_becomes_an_address_book_with_what_lies_in_it(desk: ObjectMirror, cards: Store) -> None:
    made = desk.base / "contacts" / "friends"
    made.mkdir()
    (made / "grace.vcf").write_bytes(card("grace"))
    assert desk.sync()["contacts"].folders.created == 1
    desk.sync_until_quiet()
    assert [item["uid"] for item in cards.inside("friends")] == ["grace"]


@pytest.mark.parametrize("act", ["rename", "remove"])
def test_a_directory_that_goes_while_its_address_book_is_made_stops_no_run(
    server: DemoServer, desk: ObjectMirror, cards: Store, act: str
) -> None:
    made = desk.base / "contacts" / "friends"
    made.mkdir()
    (made / "grace.vcf").write_bytes(card("grace"))
    kept = made.with_name("elsewhere") if act == "rename" else desk.base / "elsewhere"
    server.faults.after_call.arm(lambda: os.rename(made, kept), times=1, only={"AddressBook/set"})
    desk.sync(allow_deletes=True)
    desk.sync(allow_deletes=True)
    desk.sync_until_quiet()
    assert {"ada", "grace"} >= {item["uid"] for item in cards.items.values()}
    assert [item["uid"] for item in cards.items.values() if item["uid"] == "grace"] == ["grace"] * (act == "rename")
    assert (kept / "grace.vcf").read_bytes() == card("grace")
    assert "friends" not in {one["name"] for one in cards.collections.values()}


def test_names_and_colours_go_both_ways(desk: ObjectMirror, events: Store) -> None:
    folder = desk.file("calendars", "weekly").parent
    (folder / "displayname").write_text("At work")
    (folder / "color").write_text("#FF8800")
    desk.sync()  # the directory of the same calendar's tasks takes them from the server, in the next run
    desk.sync_until_quiet()
    assert events.collection("At work")["color"].upper() == "#FF8800"
    events.edit_collection("At work", name="At home", color="#0000FF")
    desk.sync_until_quiet()
    assert [(folder / name).read_text().strip() for name in ("displayname", "color")] == ["At home", "#0000FF"]


def test_an_empty_one_deleted_here_is_deleted_there(desk: ObjectMirror, cards: Store) -> None:
    cards.create_collection("Empty")
    desk.sync_until_quiet()
    shutil.rmtree(desk.base / "contacts" / "Empty")
    desk.sync_until_quiet()
    assert [one["name"] for one in cards.collections.values() if one["name"] == "Empty"] == []


def test_a_full_one_deleted_here_takes_its_events_with_it_and_invites_nobody(
    server: DemoServer, desk: ObjectMirror, events: Store
) -> None:
    events.create_collection("Old")
    events.add({"uid": "old", "title": "Old", "start": "2026-12-07T10:00:00", "duration": "PT1H"}, ("Old",))
    desk.sync_until_quiet()
    shutil.rmtree(desk.base / "calendars" / "Old")
    desk.sync(allow_deletes=True)
    desk.sync(allow_deletes=True)
    desk.sync_until_quiet()
    assert "old" not in [item["uid"] for item in events.items.values()]
    assert "Old" not in [one["name"] for one in events.collections.values()]
    assert events.sent == []
    assert not any(call.arguments.get("onDestroyRemoveEvents") for call in server.requests.calls("Calendar/set"))


def test_a_full_one_deleted_there_goes_from_the_disk_and_a_file_not_known_there_is_kept(desk: ObjectMirror, cards: Store) -> None:
    cards.create_collection("Old")
    cards.add({"uid": "old", "name": {"full": "Old"}}, ("Old",))
    desk.sync_until_quiet()
    mine = desk.base / "contacts" / "Old" / "mine.txt"
    mine.write_text("mine")
    cards.delete_collection("Old")
    desk.sync(allow_deletes=True)
    desk.sync(allow_deletes=True)
    assert [file.name for file in desk.files("contacts")] == [desk.file("contacts", "ada").name]
    assert [found.read_text() for found in (desk.base / "contacts").rglob("mine.txt")] == ["mine"]


def test_a_card_in_two_books_is_a_file_in_each_and_an_edit_of_one_reaches_both(
    server: DemoServer, desk: ObjectMirror, cards: Store
) -> None:
    cards.create_collection("Family")
    desk.sync_until_quiet()
    cards.edit(cards.by_uid("ada")["id"], {f"addressBookIds/{cards.collection('Family')['id']}": True})
    desk.sync_until_quiet()
    one, other = [file for file in desk.files("contacts") if b"UID:ada\r\n" in file.read_bytes()]
    assert one.read_bytes() == other.read_bytes()
    server.requests.clear()
    one.write_bytes(one.read_bytes().replace(b"NOTE:first", b"NOTE:here"))
    desk.sync_until_quiet()
    assert cards.by_uid("ada")["notes"]["n1"]["note"] == "here"
    assert b"NOTE:here\r\n" in other.read_bytes()
    assert len(server.requests.calls("ContactCard/set")) == 1


def test_two_files_of_a_card_that_were_edited_differently_are_both_named_and_kept(desk: ObjectMirror, cards: Store) -> None:
    """One card, two address books, two edits: it is not known which one is meant, and neither may be lost."""
    cards.create_collection("Family")
    cards.edit(cards.by_uid("ada")["id"], {f"addressBookIds/{cards.collection('Family')['id']}": True})
    desk.sync_until_quiet()
    one, other = [file for file in desk.files("contacts") if b"UID:ada\r\n" in file.read_bytes()]
    change(one, "NOTE:first", "NOTE:one")
    change(other, "NOTE:first", "NOTE:other")
    for _ in range(2):
        found = desk.sync()["contacts"]
        assert sorted(problem.item for problem in found.problems) == [
            f"{file.parent.name}/ada.vcf" for file in sorted((one, other))
        ]
        assert (b"NOTE:one\r\n" in one.read_bytes(), b"NOTE:other\r\n" in other.read_bytes()) == (True, True)
        assert cards.by_uid("ada")["notes"]["n1"]["note"] == "first"
    one.write_bytes(other.read_bytes())
    desk.sync_until_quiet()
    assert cards.by_uid("ada")["notes"]["n1"]["note"] == "other"


def test_an_event_moved_here_is_one_write_there(server: DemoServer, desk: ObjectMirror, events: Store) -> None:
    other = events.create_collection("Other")
    desk.sync_until_quiet()
    server.requests.clear()
    file = desk.file("calendars", "weekly")
    file.rename(desk.base / "calendars" / "Other" / file.name)
    assert desk.sync()["calendars"].to_server.to_json() == {"created": 0, "updated": 1, "deleted": 0}
    desk.sync_until_quiet()
    assert list(events.by_uid("weekly")["calendarIds"]) == [other]
    [call] = server.requests.calls("CalendarEvent/set")
    assert "create" not in call.arguments
    assert "destroy" not in call.arguments


def test_an_event_moved_here_and_edited_there_in_that_moment_shows_the_edit(
    server: DemoServer, desk: ObjectMirror, events: Store
) -> None:
    other = events.create_collection("Other")
    desk.sync_until_quiet()
    file = desk.file("calendars", "weekly")
    moved = file.rename(desk.base / "calendars" / "Other" / file.name)
    ref = events.by_uid("weekly")["id"]
    server.faults.before_call.arm(lambda: events.edit(ref, {"title": "There"}), times=1, only={"CalendarEvent/set"})
    desk.sync_until_quiet()
    assert (list(events.by_uid("weekly")["calendarIds"]), events.by_uid("weekly")["title"]) == ([other], "There")
    assert b"SUMMARY:There\r\n" in moved.read_bytes()


def test_a_new_event_lands_in_the_calendar_of_its_directory(desk: ObjectMirror, events: Store) -> None:
    events.create_collection("Other")
    desk.sync_until_quiet()
    (desk.base / "calendars" / "Other" / "new.ics").write_bytes(event("new"))
    desk.sync_until_quiet()
    assert [item["uid"] for item in events.inside("Other")] == ["new"]


def test_one_that_seems_empty_here_but_holds_tasks_keeps_them(desk: ObjectMirror, events: Store) -> None:
    """A calendar's events and its tasks lie in two directories: losing the one says nothing about what is in the other."""
    shutil.rmtree(desk.base / "calendars" / "Tasks")
    for _ in range(3):
        desk.sync(allow_deletes=True)
    assert events.by_uid("proofs")["title"] == "Read proofs"
    assert b"SUMMARY:Read proofs\r\n" in desk.file("tasks", "proofs").read_bytes()


def test_address_books_that_are_made_together_list_the_names_that_are_taken_once(
    fresh: ObjectMirror, cards: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[int] = []
    names = Tree.taken_by_others

    def counted(tree: Tree, key: int) -> set[str]:
        listed.append(key)
        return names(tree, key)

    monkeypatch.setattr(Tree, "taken_by_others", counted)
    fresh.kinds = ("contacts",)
    (fresh.base / "contacts").mkdir()
    (fresh.base / "contacts" / "Book 7").mkdir()
    for number in range(30):
        cards.create_collection(f"Book {number}")
        cards.create_collection(f"BOOK {number}")
    fresh.sync()
    shown = [path.name for path in (fresh.base / "contacts").iterdir() if path.name[0] != "."]
    assert len({name.casefold() for name in shown}) == len(shown) == 61
    assert len(listed) == 1
    fresh.sync_until_quiet()


def test_a_collection_that_appears_within_a_run_and_is_gone_by_the_next_leaves_no_folder(
    server: DemoServer, desk: ObjectMirror, events: Store
) -> None:
    """What was read in a newer state than the cursor names may be in no list of changes (RFC 8620, 5.2)."""
    uid, ref = WEEKLY["uid"], events.by_uid(WEEKLY["uid"])["id"]
    for step in itertools.count():

        def make(name: str = f"New {step}") -> None:
            events.create_collection(name)
            events.move(ref, "", name)

        events.edit(ref, {"title": f"Title {step}"})
        server.faults.before_call.arm(make, times=1, skip=step)
        desk.sync()
        if server.faults.before_call.armed:
            break
        events.move(ref, f"New {step}", "")
        events.delete_collection(f"New {step}")
        desk.sync_until_quiet(echo=10)
        assert [path.name for path in (desk.base / "calendars").iterdir() if path.name.startswith("New")] == []
        assert desk.file("calendars", uid).exists()
    assert step > 3
