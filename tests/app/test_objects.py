"""Contacts, calendars and tasks of one account, as the command mirrors them: each act on either side, and no write too many."""

from __future__ import annotations

import asyncio
import base64
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.app import App
from jmapsync.config import load
from jmapsync.demo import DemoServer
from jmapsync.errors import ExitCode
from tests.kit.pim import Pim, change

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jmapsync.demo import Store
    from jmapsync.sync.report import KindReport

ADA = {
    "uid": "ada",
    "name": {"components": [{"kind": "given", "value": "Ada"}, {"kind": "surname", "value": "Lovelace"}], "full": "Ada Lovelace"},
    "emails": {"e1": {"address": "ada@example.com", "contexts": {"work": True}, "pref": 7}},
    "phones": {"p1": {"number": "+44 1"}, "p2": {"number": "+44 2"}},
    "notes": {"n1": {"note": "first"}},
    "vendor.example:x": {"kept": True},
}
WEEKLY = {
    "uid": "weekly",
    "title": "Weekly",
    "start": "2026-12-07T10:00:00",
    "timeZone": "Europe/Berlin",
    "duration": "PT1H",
    "recurrenceRule": {"frequency": "weekly", "count": 4},
    "recurrenceOverrides": {"2026-12-14T10:00:00": {"title": "Moved"}},
    "participants": {"p": {"calendarAddress": "mailto:bob@example.com", "roles": {"attendee": True}}},
}
PROOFS = {"@type": "Task", "uid": "proofs", "title": "Read proofs", "due": "2026-12-01T17:00:00", "timeZone": "Europe/Berlin"}
PHOTO = base64.b64encode(b"\xff\xd8 a photo of some length " * 20).decode()


@pytest.fixture
def server() -> Iterator[DemoServer]:
    with DemoServer() as server:
        server.account.calendars.create_collection("Tasks")
        server.account.contacts.add(ADA)
        server.account.calendars.add(WEEKLY)
        server.account.calendars.add(PROOFS, ("Tasks",))
        yield server


@pytest.fixture
def cards(server: DemoServer) -> Store:
    return server.account.contacts


@pytest.fixture
def pim(server: DemoServer, tmp_path: Path) -> Pim:
    pim = Pim(tmp_path, server.url, "demo", "demo", ("contacts", "calendars", "tasks"))
    pim.sync_until_quiet()
    server.requests.clear()
    return pim


def run(pim: Pim, *, allow_deletes: bool = False) -> dict[str, KindReport]:
    """Synchronise once, whatever comes of it."""
    return asyncio.run(App(load(pim.config)).sync(allow_deletes=allow_deletes)).accounts["home"].kinds


def sent(server: DemoServer, method: str) -> list[dict[str, Any]]:
    return [
        {name: call.arguments[name] for name in ("create", "update", "destroy") if name in call.arguments}
        for call in server.requests.calls(method)
    ]


def ref(store: Store, uid: str) -> str:
    return str(store.by_uid(uid)["id"])


def test_nothing_to_do_is_one_request_for_all_kinds_together(pim: Pim) -> None:
    report = pim.run()
    assert (report.changed, report.requests) == ([], 1)


class TestEdits:
    def test_of_a_file_are_one_path(self, pim: Pim, server: DemoServer) -> None:
        change(pim.file("contacts", "ada"), "+44 2", "+44 3")
        change(pim.file("calendars", "weekly"), "SUMMARY:Weekly\r\n", "SUMMARY:Every week\r\n")
        change(pim.file("tasks", "proofs"), "SUMMARY:Read proofs", "SUMMARY:Read them")
        pim.run()
        assert [list(one["update"].values()) for one in sent(server, "ContactCard/set")] == [[{"phones/p2/number": "+44 3"}]]
        assert [list(one["update"].values()) for one in sent(server, "CalendarEvent/set")] == [
            [{"title": "Every week"}],
            [{"title": "Read them"}],
        ]
        pim.sync_until_quiet()

    def test_never_invite_anybody(self, pim: Pim, server: DemoServer) -> None:
        change(pim.file("calendars", "weekly"), "SUMMARY:Weekly\r\n", "SUMMARY:Every week\r\n")
        pim.run()
        pim.file("calendars", "weekly").unlink()
        pim.run()
        calls = server.requests.calls("CalendarEvent/set")
        assert [call.arguments["sendSchedulingMessages"] for call in calls] == [False, False]
        assert server.account.calendars.sent == []

    def test_of_the_server_reach_the_file_and_go_no_further(self, pim: Pim, server: DemoServer, cards: Store) -> None:
        cards.edit(ref(cards, "ada"), {"notes/n1/note": "second"})
        assert pim.sync("contacts").to_disk.updated == 1
        assert "NOTE:second" in pim.file("contacts", "ada").read_text()
        assert sent(server, "ContactCard/set") == []
        pim.sync_until_quiet()

    def test_of_a_file_that_change_nothing_are_none(self, pim: Pim, server: DemoServer) -> None:
        file = pim.file("contacts", "ada")
        lines = file.read_bytes().split(b"\r\n")
        file.write_bytes(b"\r\n".join([*lines[:3], *reversed(lines[3:-2]), *lines[-2:]]))
        assert pim.sync("contacts").to_server.total == 0
        assert sent(server, "ContactCard/set") == []

    def test_of_different_properties_on_both_sides_merge(self, pim: Pim, cards: Store) -> None:
        cards.edit(ref(cards, "ada"), {"notes/n1/note": "second"})
        change(pim.file("contacts", "ada"), "+44 2", "+44 3")
        assert pim.sync("contacts").conflicts == 0
        assert "NOTE:second" in pim.file("contacts", "ada").read_text()
        held = cards.by_uid("ada")
        assert (held["phones"]["p2"]["number"], held["notes"]["n1"]["note"]) == ("+44 3", "second")
        assert held["vendor.example:x"] == {"kept": True}
        pim.sync_until_quiet()

    def test_of_the_same_property_keep_the_servers_value_and_a_conflict_copy(self, pim: Pim, cards: Store) -> None:
        cards.edit(ref(cards, "ada"), {"notes/n1/note": "there"})
        file = pim.file("contacts", "ada")
        change(file, "NOTE:first", "NOTE:here")
        before = file.read_bytes()
        found = run(pim)["contacts"]
        assert (found.conflicts, found.exit_code) == (1, ExitCode.QUARANTINED)
        assert "NOTE:there" in file.read_text()
        assert cards.by_uid("ada")["notes"]["n1"]["note"] == "there"
        [conflict_copy] = (pim.base / "state").glob("**/shelf/*")
        assert conflict_copy.read_bytes().split(b"\r\n")[:3] == before.split(b"\r\n")[:3]
        assert b"NOTE:here\r\n" in conflict_copy.read_bytes()

    def test_beat_deletions_on_either_side(self, pim: Pim, cards: Store) -> None:
        change(pim.file("contacts", "ada"), "NOTE:first", "NOTE:here")
        cards.delete(ref(cards, "ada"))
        pim.run()
        assert cards.by_uid("ada")["notes"] is not None
        pim.sync_until_quiet()
        cards.edit(ref(cards, "ada"), {"nicknames": {"k": {"name": "Countess"}}})
        pim.file("contacts", "ada").unlink()
        pim.run()
        assert "NICKNAME:Countess" in pim.file("contacts", "ada").read_text()


class TestWhatComesAndGoes:
    def test_new_files_are_made_there_once(self, pim: Pim, server: DemoServer, cards: Store) -> None:
        new = pim.file("contacts", "ada").with_name("grace.vcf")
        new.write_bytes(
            b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:grace\r\nFN:Grace Hopper\r\nN:Hopper;Grace;;;\r\nX-RANK:Admiral\r\nEND:VCARD\r\n"
        )
        content = new.read_bytes()
        assert pim.sync("contacts").to_server.created == 1
        assert cards.by_uid("grace")["name"]["full"] == "Grace Hopper"
        pim.sync_until_quiet()
        assert new.read_bytes() == content, "what a person wrote stays as it was written"
        assert len(sent(server, "ContactCard/set")) == 1

    def test_a_card_without_a_uid_stays_one_card_when_it_is_edited(self, pim: Pim, cards: Store) -> None:
        new = pim.file("contacts", "ada").with_name("nobody.vcf")
        new.write_bytes(b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Nobody\r\nN:Nobody;;;;\r\nNOTE:one\r\nEND:VCARD\r\n")
        assert pim.sync("contacts").to_server.created == 1
        pim.sync_until_quiet()
        change(new, "NOTE:one", "NOTE:two")
        assert pim.sync("contacts").to_server.updated == 1
        assert len(cards.items) == 2
        pim.sync_until_quiet()

    def test_a_lost_answer_makes_no_second_card(self, pim: Pim, server: DemoServer, cards: Store) -> None:
        pim.file("contacts", "ada").with_name("grace.vcf").write_bytes(
            b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:grace\r\nFN:Grace\r\nN:;Grace;;;\r\nEND:VCARD\r\n"
        )
        server.faults.drop_after.arm(times=1, only={"ContactCard/set"})
        run(pim)
        run(pim)
        assert [item["uid"] for item in cards.items.values()].count("grace") == 1
        pim.sync_until_quiet()

    def test_deletions_go_both_ways(self, pim: Pim, cards: Store) -> None:
        cards.delete(ref(cards, "ada"))
        pim.file("tasks", "proofs").unlink()
        report = pim.run()
        assert (report.kinds["contacts"].to_disk.deleted, report.kinds["tasks"].to_server.deleted) == (1, 1)
        assert pim.files("contacts") == []
        pim.sync_until_quiet()

    def test_moves_between_collections_go_both_ways(self, pim: Pim, cards: Store) -> None:
        family = cards.create_collection("Family")
        pim.run()
        file = pim.file("contacts", "ada")
        file.rename(pim.base / "contacts" / "Family" / file.name)
        pim.run()
        assert list(cards.by_uid("ada")["addressBookIds"]) == [family]
        pim.sync_until_quiet()
        [other] = [one for one in cards.collections if one != family]
        cards.move(ref(cards, "ada"), family, other)
        pim.run()
        assert pim.file("contacts", "ada").parent.name != "Family"
        pim.sync_until_quiet()

    def test_collections_go_both_ways_with_name_and_colour(self, pim: Pim, server: DemoServer) -> None:
        calendars = server.account.calendars
        made = pim.base / "calendars" / "private"
        made.mkdir()
        (made / "displayname").write_text("Very private")
        (made / "color").write_text("#FF8800")
        pim.run()
        assert calendars.collection("Very private")["color"].upper() == "#FF8800"
        pim.sync_until_quiet()
        calendars.edit_collection("Very private", color="#0000FF", name="Less private")
        pim.run()
        assert ((made / "color").read_text().strip(), (made / "displayname").read_text()) == ("#0000FF", "Less private")
        pim.sync_until_quiet()
        calendars.delete_collection("Less private")
        pim.run()
        assert not made.exists()
        pim.sync_until_quiet()

    def test_photos_go_both_ways(self, pim: Pim, server: DemoServer, cards: Store) -> None:
        cards.edit(ref(cards, "ada"), {"media": {"m": {"kind": "photo", "uri": f"data:image/jpeg;base64,{PHOTO}"}}})
        pim.run()
        file = pim.file("contacts", "ada")
        assert PHOTO in file.read_text().replace("\n ", "")
        pim.sync_until_quiet()
        other = base64.b64encode(b"\xff\xd8 another photo, longer " * 20).decode()
        head, _, tail = file.read_bytes().partition(b"PHOTO")
        rest = tail.replace(b"\r\n ", b"").partition(b"\r\n")[2]
        file.write_bytes(head + b"PHOTO;ENCODING=b;TYPE=JPEG:" + other.encode() + b"\r\n" + rest)
        pim.run()
        media = cards.by_uid("ada")["media"]["m"]
        stored = server.account.blobs[media["blobId"]] if "blobId" in media else base64.b64decode(media["uri"].partition(",")[2])
        assert stored == base64.b64decode(other)
        pim.sync_until_quiet()


class TestAServerThatLies:
    def test_what_it_drops_stays_in_the_file_is_reported_once_and_outlives_its_edits(
        self, pim: Pim, server: DemoServer, cards: Store
    ) -> None:
        server.faults.drop_properties.arm({"keywords"})
        file = pim.file("contacts", "ada")
        change(file, "NOTE:first", "CATEGORIES:x\r\nNOTE:first")
        [message] = pim.sync("contacts").messages
        assert "keywords" in message
        pim.run()
        again = pim.run()
        assert (again.kinds["contacts"].messages, again.requests) == ([], 1)
        cards.edit(ref(cards, "ada"), {"notes/n1/note": "second"})
        pim.run()
        assert "CATEGORIES:x" in file.read_text()
        assert "NOTE:second" in file.read_text()

    def test_a_refused_edit_is_named_and_stays(self, pim: Pim, server: DemoServer) -> None:
        server.account.calendars.set_rights("Calendar", mayWriteAll=False, mayWriteOwn=False, mayUpdatePrivate=False)
        change(pim.file("calendars", "weekly"), "SUMMARY:Weekly\r\n", "SUMMARY:Every week\r\n")
        found = run(pim)["calendars"]
        assert [problem.item for problem in found.problems] != []
        assert "SUMMARY:Every week" in pim.file("calendars", "weekly").read_text()


class TestSafety:
    def test_a_lost_ledger_takes_files_and_cards_for_the_same(self, pim: Pim, server: DemoServer) -> None:
        before = {file: file.read_bytes() for kind in ("contacts", "calendars", "tasks") for file in pim.files(kind)}
        shutil.rmtree(pim.base / "state")
        report = pim.run()
        assert report.changed == []
        assert {file: file.read_bytes() for file in before} == before
        assert sent(server, "ContactCard/set") == sent(server, "CalendarEvent/set") == []
        pim.sync_until_quiet()
        change(pim.file("contacts", "ada"), "+44 2", "+44 3")
        pim.run()
        assert [list(one["update"].values()) for one in sent(server, "ContactCard/set")] == [[{"phones/p2/number": "+44 3"}]]

    def test_an_emptied_root_deletes_nothing(self, pim: Pim, cards: Store) -> None:
        for number in range(40):
            cards.add({"uid": f"many-{number}", "name": {"full": f"Many {number}"}})
        pim.sync_until_quiet()
        kept = pim.base / "kept"
        (pim.base / "contacts").rename(kept)
        (pim.base / "contacts").mkdir()
        found = run(pim)["contacts"]
        assert found.exit_code is ExitCode.SUSPENDED
        assert len(cards.items) == 41
        (pim.base / "contacts").rmdir()
        kept.rename(pim.base / "contacts")
        pim.sync_until_quiet()

    def test_a_mass_deletion_waits_for_a_word(self, pim: Pim, cards: Store) -> None:
        for number in range(40):
            cards.add({"uid": f"many-{number}", "name": {"full": f"Many {number}"}})
        pim.sync_until_quiet()
        for file in pim.files("contacts")[:35]:
            file.unlink()
        assert run(pim)["contacts"].exit_code is ExitCode.SUSPENDED
        assert len(cards.items) == 41
        assert run(pim, allow_deletes=True)["contacts"].to_server.deleted == 35
        assert len(cards.items) == 6

    def test_a_file_that_cannot_be_parsed_is_quarantined_and_not_a_deletion(self, pim: Pim, cards: Store) -> None:
        file = pim.file("contacts", "ada")
        whole = file.read_bytes()
        file.write_bytes(whole[: len(whole) // 2])
        found = run(pim)["contacts"]
        assert [problem.item for problem in found.problems] == [f"{file.parent.name}/{file.name}"]
        assert "ada" in [item["uid"] for item in cards.items.values()]
        file.write_bytes(whole)
        pim.sync_until_quiet()

    def test_one_uid_twice_is_quarantined_by_name_and_the_rest_goes_on(self, pim: Pim, cards: Store) -> None:
        file = pim.file("contacts", "ada")
        for name in ("twice", "again"):
            file.with_name(f"{name}.vcf").write_bytes(
                b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:twice\r\nFN:Twice\r\nN:Twice;;;;\r\nEND:VCARD\r\n"
            )
        change(file, "NOTE:first", "NOTE:second")
        found = run(pim)["contacts"]
        assert len(found.problems) == 2
        assert cards.by_uid("ada")["notes"]["n1"]["note"] == "second"
