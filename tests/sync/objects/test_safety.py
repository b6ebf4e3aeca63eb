"""What is never written: a loss that nobody meant, a second item of one uid, a deletion that is no deletion, against a right."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from jmapsync.errors import ExitCode
from tests.kit.object_mirror import change, writes
from tests.sync.objects.samples import card, event

if TYPE_CHECKING:
    from jmapsync.demo import DemoServer, Store
    from tests.kit.object_mirror import ObjectMirror

MANY = 40


@pytest.fixture
def full(server: DemoServer, desk: ObjectMirror, cards: Store, events: Store) -> ObjectMirror:
    for number in range(MANY):
        cards.add({"uid": f"c{number}", "name": {"full": f"C {number}"}})
        events.add({"uid": f"e{number}", "title": f"E {number}", "start": "2026-12-07T10:00:00", "duration": "PT1H"})
    desk.sync_until_quiet()
    server.requests.clear()
    return desk


def untouched(server: DemoServer) -> bool:
    methods = ("ContactCard/set", "CalendarEvent/set", "AddressBook/set", "Calendar/set")
    return not any(server.requests.calls(method) for method in methods)


class TestALoss:
    @pytest.mark.parametrize("kind", ["contacts", "calendars"])
    def test_of_everything_in_the_root_is_suspended(self, server: DemoServer, full: ObjectMirror, kind: str) -> None:
        for folder in (full.base / kind).iterdir():
            if folder.is_dir():
                shutil.rmtree(folder)
        assert full.sync()[kind].exit_code is ExitCode.SUSPENDED
        assert untouched(server)

    @pytest.mark.parametrize("kind", ["contacts", "calendars"])
    def test_of_the_root_itself_is_suspended_and_the_other_kinds_go_on(
        self, server: DemoServer, full: ObjectMirror, kind: str
    ) -> None:
        kept = full.base / "elsewhere"
        (full.base / kind).rename(kept)
        found = full.sync()
        assert found[kind].exit_code is ExitCode.SUSPENDED
        assert {one.exit_code for name, one in found.items() if name != kind} == {ExitCode.IN_SYNC}
        assert untouched(server)
        if (full.base / kind).exists():
            shutil.rmtree(full.base / kind)
        kept.rename(full.base / kind)
        full.sync_until_quiet()
        assert untouched(server)

    def test_of_most_events_waits_for_a_word(self, server: DemoServer, full: ObjectMirror, events: Store) -> None:
        for file in full.files("calendars")[: MANY - 5]:
            file.unlink()
        assert full.sync()["calendars"].exit_code is ExitCode.SUSPENDED
        assert untouched(server)
        assert full.sync(allow_deletes=True)["calendars"].to_server.deleted == MANY - 5
        assert events.sent == []

    def test_of_most_cards_on_the_server_waits_for_a_word(self, full: ObjectMirror, cards: Store) -> None:
        for number in range(MANY - 5):
            cards.delete(cards.by_uid(f"c{number}")["id"])
        files = full.files("contacts")
        assert full.sync()["contacts"].exit_code is ExitCode.SUSPENDED
        assert full.files("contacts") == files
        assert full.sync(allow_deletes=True)["contacts"].to_disk.deleted == MANY - 5


class TestAFileThatCannotBeTaken:
    @pytest.mark.parametrize(("kind", "uid"), [("contacts", "ada"), ("calendars", "weekly"), ("tasks", "proofs")])
    @pytest.mark.parametrize("content", [b"", b"\xff\x00 no text", b"BEGIN:VCARD\r\n"])
    def test_is_named_and_is_no_deletion(self, server: DemoServer, desk: ObjectMirror, kind: str, uid: str, content: bytes) -> None:
        file = desk.file(kind, uid)
        whole = file.read_bytes()
        file.write_bytes(content)
        found = desk.sync()[kind]
        assert [problem.item for problem in found.problems] == [f"{file.parent.name}/{file.name}"]
        assert found.exit_code is ExitCode.QUARANTINED
        assert file.read_bytes() == content
        assert untouched(server)
        file.write_bytes(whole)
        desk.sync_until_quiet()
        assert untouched(server)

    @pytest.mark.parametrize(("kind", "uid", "make"), [("contacts", "ada", card), ("calendars", "weekly", event)])
    def test_for_its_uid_being_there_twice_is_named(self, desk: ObjectMirror, kind: str, uid: str, make: object) -> None:
        assert callable(make)
        file = desk.file(kind, uid)
        names = [f"{name}{file.suffix}" for name in ("again", "twice")]
        for number, name in enumerate(names):
            file.with_name(name).write_bytes(make("same", f"X-NUMBER:{number}"))
        found = desk.sync()[kind]
        assert sorted(problem.item for problem in found.problems) == [f"{file.parent.name}/{name}" for name in names]
        file.with_name(names[0]).unlink()
        desk.sync_until_quiet()


class TestARightThatIsMissing:
    def test_leaves_the_edit_in_the_file_and_names_it(self, desk: ObjectMirror, events: Store) -> None:
        events.set_rights("Calendar", mayWriteAll=False, mayWriteOwn=False, mayUpdatePrivate=False)
        file = desk.file("calendars", "weekly")
        change(file, "SUMMARY:Weekly\r", "SUMMARY:Here\r")
        for _ in range(2):
            found = desk.sync()["calendars"]
            assert found.exit_code is ExitCode.QUARANTINED
            assert len(found.problems) == 1
            assert "weekly" in found.problems[0].item
        assert b"SUMMARY:Here\r\n" in file.read_bytes()
        assert events.by_uid("weekly")["title"] == "Weekly"

    def test_makes_an_edit_wait_until_it_may_be_sent(self, desk: ObjectMirror, cards: Store) -> None:
        cards.set_rights("", mayWrite=False)
        file = desk.file("contacts", "ada")
        change(file, "NOTE:first", "NOTE:here")
        for _ in range(2):
            found = desk.sync()
            assert [problem.why for problem in found["contacts"].problems] == ["edited here, which the server does not allow"]
            assert writes(found) == 0
        assert b"NOTE:here\r\n" in file.read_bytes()
        cards.set_rights("", mayWrite=True)
        desk.sync_until_quiet()
        assert cards.by_uid("ada")["notes"]["n1"]["note"] == "here"

    def test_keeps_an_edit_as_a_conflict_copy_once_the_servers_card_changes(self, desk: ObjectMirror, cards: Store) -> None:
        cards.set_rights("", mayWrite=False)
        file = desk.file("contacts", "ada")
        change(file, "NOTE:first", "NOTE:here")
        desk.sync()
        cards.edit(cards.by_uid("ada")["id"], {"notes/n1/note": "there"})
        assert desk.sync()["contacts"].problems == []
        assert b"NOTE:there\r\n" in file.read_bytes()
        [(_, content)] = desk.conflict_copies()
        assert b"NOTE:here\r\n" in content
        assert writes(desk.sync()) == 0

    def test_makes_a_new_file_wait_and_puts_a_deleted_one_back(self, desk: ObjectMirror, cards: Store) -> None:
        cards.set_rights("", mayWrite=False)
        new = desk.file("contacts", "ada").with_name("new.vcf")
        new.write_bytes(card("new"))
        desk.file("contacts", "ada").unlink()
        found = desk.sync()["contacts"]
        assert [problem.why for problem in found.problems] == ["new here, which the server does not allow"]
        assert [file.name for file in desk.files("contacts")] == ["ada.vcf", "new.vcf"]
        assert [item["uid"] for item in cards.items.values()] == ["ada"]
        assert writes(desk.sync()) == 0
        cards.set_rights("", mayWrite=True)
        desk.sync_until_quiet()
        assert [item["uid"] for item in cards.items.values()] == ["ada", "new"]

    def test_keeps_a_calendar_that_may_not_be_destroyed(self, desk: ObjectMirror, events: Store) -> None:
        events.set_rights("Calendar", mayDelete=False, mayWriteAll=False, mayWriteOwn=False)
        folder = desk.file("calendars", "weekly").parent
        shutil.rmtree(folder)
        desk.sync(allow_deletes=True)
        assert "Calendar" in {one["name"] for one in events.collections.values()}
        assert events.by_uid("weekly")["title"] == "Weekly"
        assert desk.file("calendars", "weekly").parent == folder
        assert writes(desk.sync()) == 0


class TestALostAnswer:
    @pytest.mark.parametrize("fault", ["drop_after", "drop_before"])
    def test_of_a_create_makes_no_second_event(self, server: DemoServer, desk: ObjectMirror, events: Store, fault: str) -> None:
        new = desk.file("calendars", "weekly").with_name("new.ics")
        new.write_bytes(event("new"))
        getattr(server.faults, fault).arm(times=1, only={"CalendarEvent/set"})
        desk.sync()
        desk.sync()
        desk.sync_until_quiet()
        assert [item["uid"] for item in events.items.values()].count("new") == 1
        assert new.read_bytes() == event("new")

    def test_of_an_edit_sends_it_no_second_time_over_another_clients(
        self, server: DemoServer, desk: ObjectMirror, cards: Store
    ) -> None:
        change(desk.file("contacts", "ada"), "NOTE:first", "NOTE:here")
        server.faults.drop_after.arm(times=1, only={"ContactCard/set"})
        desk.sync()
        desk.sync()
        assert cards.by_uid("ada")["notes"]["n1"]["note"] == "here"
        assert writes(desk.sync()) == 0
        assert desk.conflict_copies() == []
