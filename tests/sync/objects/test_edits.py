"""Edits of objects: which writes follow each act on either side, that none follows them, and how both sides' edits meet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.demo import DemoServer
from jmapsync.demo.freedoms import Freedoms
from jmapsync.errors import ExitCode
from jmapsync.storage.vdir.side import VdirSide
from tests.kit.object_mirror import ObjectMirror, change, writes
from tests.sync.objects.samples import ADA, WEEKLY, card, event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from jmapsync.demo import Store
    from jmapsync.storage.known import Known
    from jmapsync.storage.port import Job, Written


def arguments(server: DemoServer, method: str) -> list[dict[str, Any]]:
    return [call.arguments for call in server.requests.calls(method)]


def patches(server: DemoServer, method: str) -> list[dict[str, Any]]:
    return [patch for one in arguments(server, method) for patch in one.get("update", {}).values()]


WEEKLY_INSTANCE = {
    **{name: WEEKLY[name] for name in ("description", "duration", "participants")},
    "organizerCalendarAddress": "mailto:demo@example.com",
    "start": "2026-12-14T10:00:00",
}
"""What the moved instance of the sample has from its series."""


class TestARun:
    def test_first_brings_everything_and_writes_nothing_there(self, server: DemoServer, fresh: ObjectMirror) -> None:
        first = fresh.sync()
        fresh.assert_well(first)
        assert [(kind, one.to_disk.created) for kind, one in first.items()] == [("contacts", 1), ("calendars", 1), ("tasks", 1)]
        assert arguments(server, "ContactCard/set") == arguments(server, "CalendarEvent/set") == []

    def test_then_asks_once_for_all_kinds(self, server: DemoServer, desk: ObjectMirror) -> None:
        assert writes(desk.sync()) == 0
        assert desk.requests == 1
        assert {call.name for call in server.requests.calls()} >= {"ContactCard/changes", "CalendarEvent/changes"}


class TestAnEditHere:
    @pytest.mark.parametrize(
        ("kind", "uid", "old", "new", "method", "patch"),
        [
            ("contacts", "ada", "NOTE:first", "NOTE:other", "ContactCard/set", {"notes/n1/note": "other"}),
            ("calendars", "weekly", "SUMMARY:Weekly\r", "SUMMARY:Each week\r", "CalendarEvent/set", {"title": "Each week"}),
            (
                "calendars",
                "weekly",
                "SUMMARY:Moved",
                "SUMMARY:Other",
                "CalendarEvent/set",
                {"recurrenceOverrides/2026-12-14T10:00:00": {"title": "Other"}},
            ),
            ("tasks", "proofs", "SUMMARY:Read proofs", "SUMMARY:Read", "CalendarEvent/set", {"title": "Read"}),
        ],
    )
    def test_is_one_write_of_one_path(  # noqa: PLR0917
        self, server: DemoServer, desk: ObjectMirror, kind: str, uid: str, old: str, new: str, method: str, patch: dict[str, Any]
    ) -> None:
        change(desk.file(kind, uid), old, new)
        assert desk.sync()[kind].to_server.to_json() == {"created": 0, "updated": 1, "deleted": 0}
        if server.service.dialect.name == "stalwart" and "recurrenceOverrides" in str(patch):
            # It writes of an override what that says and nothing of the series, so it is sent whole.
            patch = {path: {**WEEKLY_INSTANCE, **value} for path, value in patch.items()}
        assert patches(server, method) == [patch]
        desk.sync_until_quiet()
        assert len(arguments(server, method)) == 1

    def test_invites_nobody(self, server: DemoServer, desk: ObjectMirror, events: Store) -> None:
        """`sendSchedulingMessages` is false in every act: a mirror is no calendar program."""
        new = desk.file("calendars", "weekly").with_name("new.ics")
        new.write_bytes(event("new", "ORGANIZER:mailto:demo@example.com", "ATTENDEE:mailto:bob@example.com"))
        desk.sync_until_quiet()
        change(desk.file("calendars", "new"), "SUMMARY:new", "SUMMARY:newer")
        desk.sync_until_quiet()
        new.unlink()
        desk.sync_until_quiet()
        acts = arguments(server, "CalendarEvent/set")
        assert [[name for name in ("create", "update", "destroy") if one.get(name)] for one in acts] == [
            ["create"],
            ["update"],
            ["destroy"],
        ]
        assert {one["sendSchedulingMessages"] for one in acts} == {False}
        assert events.sent == []


class TestAnEditThere:
    @pytest.mark.parametrize(
        ("kind", "uid", "patch", "line"),
        [
            ("contacts", "ada", {"phones/p2/number": "+44 9"}, "+44 9"),
            ("calendars", "weekly", {"title": "Each week"}, "SUMMARY:Each week"),
            ("tasks", "proofs", {"title": "Read"}, "SUMMARY:Read\r"),
        ],
    )
    def test_is_one_write_here_and_none_there(  # noqa: PLR0917
        self, server: DemoServer, desk: ObjectMirror, kind: str, uid: str, patch: dict[str, Any], line: str
    ) -> None:
        store = server.account.contacts if kind == "contacts" else server.account.calendars
        store.edit(store.by_uid(uid)["id"], patch)
        assert desk.sync()[kind].to_disk.to_json() == {"created": 0, "updated": 1, "deleted": 0}
        assert line in desk.file(kind, uid).read_bytes().decode()
        desk.sync_until_quiet()
        assert arguments(server, "ContactCard/set") == arguments(server, "CalendarEvent/set") == []


class TestEditsOnBothSides:
    def test_of_different_properties_of_an_event_merge_without_a_word(self, desk: ObjectMirror, events: Store) -> None:
        events.edit(events.by_uid("weekly")["id"], {"recurrenceOverrides/2026-12-14T10:00:00/title": "There"})
        file = desk.file("calendars", "weekly")
        change(file, "SUMMARY:Weekly\r", "SUMMARY:Here\r")
        desk.sync_until_quiet()
        held = events.by_uid("weekly")
        assert (held["title"], held["recurrenceOverrides"]["2026-12-14T10:00:00"]["title"]) == ("Here", "There")
        assert {"SUMMARY:Here", "SUMMARY:There"} <= set(file.read_bytes().decode().split("\r\n"))
        assert desk.conflict_copies() == []

    def test_of_the_same_property_keep_the_servers_and_keep_a_copy_of_the_whole_file(
        self, desk: ObjectMirror, events: Store
    ) -> None:
        events.edit(events.by_uid("weekly")["id"], {"title": "There"})
        file = desk.file("calendars", "weekly")
        change(file, "SUMMARY:Weekly\r", "SUMMARY:Here\r")
        found = desk.sync()["calendars"]
        assert (found.conflicts, found.exit_code) == (1, ExitCode.QUARANTINED)
        assert events.by_uid("weekly")["title"] == "There"
        assert "SUMMARY:There\r\n" in file.read_bytes().decode()
        [(kept, content)] = desk.conflict_copies()
        assert kept.kind == "calendars"
        assert {"BEGIN:VCALENDAR", "SUMMARY:Here", "SUMMARY:Moved", "END:VCALENDAR"} <= set(content.decode().split("\r\n"))
        assert writes(desk.sync()) == 0, "a conflict settled is settled"

    def test_that_say_the_same_are_no_conflict(self, server: DemoServer, desk: ObjectMirror, cards: Store) -> None:
        cards.edit(cards.by_uid("ada")["id"], {"notes/n1/note": "both"})
        change(desk.file("contacts", "ada"), "NOTE:first", "NOTE:both")
        desk.sync_until_quiet()
        assert arguments(server, "ContactCard/set") == []
        assert desk.conflict_copies() == []

    def test_of_one_property_and_another_keep_what_does_not_conflict(self, desk: ObjectMirror, cards: Store) -> None:
        cards.edit(cards.by_uid("ada")["id"], {"notes/n1/note": "there"})
        file = desk.file("contacts", "ada")
        change(file, "NOTE:first", "NOTE:here")
        change(file, "+44 2", "+44 3")
        assert desk.sync()["contacts"].conflicts == 1
        assert cards.by_uid("ada")["notes"]["n1"]["note"] == "there"
        [(_, content)] = desk.conflict_copies()
        assert b"NOTE:here\r\n" in content
        assert b"+44 3" in content
        assert b"NOTE:there\r\n" in file.read_bytes()

    def test_of_one_with_a_deletion_of_an_event_keep_the_edit(self, desk: ObjectMirror, events: Store) -> None:
        change(desk.file("calendars", "weekly"), "SUMMARY:Weekly\r", "SUMMARY:Here\r")
        events.delete(events.by_uid("weekly")["id"])
        desk.sync_until_quiet()
        assert events.by_uid("weekly")["title"] == "Here"
        events.edit(events.by_uid("weekly")["id"], {"title": "There"})
        desk.file("calendars", "weekly").unlink()
        desk.sync_until_quiet()
        assert b"SUMMARY:There\r\n" in desk.file("calendars", "weekly").read_bytes()
        assert events.sent == []


class TestWhatIsMadeHere:
    @pytest.mark.parametrize("kind", ["contacts", "calendars"])
    def test_and_deleted_there_before_the_next_run_is_gone_here_too(
        self, server: DemoServer, desk: ObjectMirror, kind: str
    ) -> None:
        """No list of changes has to name what was created and destroyed since the state it begins at (RFC 8620, 5.2)."""
        store = server.account.contacts if kind == "contacts" else server.account.calendars
        new = desk.files(kind)[0].with_name(f"new{desk.files(kind)[0].suffix}")
        new.write_bytes(card("new") if kind == "contacts" else event("new"))
        desk.sync()
        store.delete(store.by_uid("new")["id"])
        desk.sync_until_quiet()
        assert not new.exists()
        assert "new" not in {item["uid"] for item in store.items.values()}


class TestAnEditOfAFileThatWaitsForTheServers:
    """The server's edit was met with one here, but the file does not show it yet: who saves it then has not seen it."""

    @pytest.mark.parametrize("first", ["NOTE:here", "FN:Here"], ids=["after a conflict", "after a merge"])
    def test_replaces_nothing_that_it_does_not_show(self, desk: ObjectMirror, cards: Store, first: str) -> None:
        cards.edit(cards.by_uid("ada")["id"], {"notes/n1/note": "there"})
        file = desk.file("contacts", "ada")
        change(file, "NOTE:first" if first.startswith("NOTE") else "FN:Ada Lovelace", first)
        shown = "NOTE:here" if first.startswith("NOTE") else "NOTE:first"
        desk.wrap = lambda part: (
            SavedBefore(part, lambda: change(file, shown, "NOTE:later")) if isinstance(part, VdirSide) else part
        )
        desk.sync()
        desk.wrap = lambda part: part
        desk.sync()
        assert cards.by_uid("ada")["notes"]["n1"]["note"] == "there"
        assert b"NOTE:there\r\n" in file.read_bytes()
        assert b"NOTE:later\r\n" in b"".join(content for _, content in desk.conflict_copies())
        assert writes(desk.sync()) == 0


class SavedBefore:
    """The local side, where somebody saves a file in the moment before the first write of all."""

    def __init__(self, inner: VdirSide, save: Callable[[], None]) -> None:
        self._inner = inner
        self._saves = [save]

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 # any member of the side
        return getattr(self._inner, name)

    def write(self, jobs: Sequence[Job], known: Known) -> Written:
        while self._saves:
            self._saves.pop()()
        return self._inner.write(jobs, known)


class TestAServerThatDropsProperties:
    def test_of_a_new_card_they_stay_in_the_file_and_are_reported_once(
        self, server: DemoServer, desk: ObjectMirror, cards: Store
    ) -> None:
        server.faults.drop_properties.arm({"notes"})
        file = desk.file("contacts", "ada").with_name("grace.vcf")
        file.write_bytes(card("grace", "NOTE:hers", "NICKNAME:G"))
        [message] = desk.sync()["contacts"].messages
        assert "notes" in message
        desk.assert_well(desk.sync())
        assert writes(desk.sync()) == 0
        cards.edit(cards.by_uid("grace")["id"], {"nicknames": {"k1": {"name": "Amazing"}}})
        assert desk.sync()["contacts"].to_disk.updated == 1
        assert {"NOTE:hers", "NICKNAME:Amazing"} <= set(file.read_bytes().decode().split("\r\n"))
        desk.assert_well(desk.sync())
        assert len(arguments(server, "ContactCard/set")) == 1


@pytest.mark.parametrize("act", ["move", "touch"])
def test_an_edit_reaches_an_entry_to_which_the_server_gave_another_key(tmp_path: Path, act: str) -> None:
    """Keys of maps are of no meaning (RFC 9553, 1.4.2): any change may bring others."""
    with DemoServer(freedoms=Freedoms(items_kept="members renamed")) as server:
        store = server.account.contacts
        ref = store.add({**ADA, "phones": {"p": {"number": "+1"}, "q": {"number": "+2"}}})
        store.create_collection("Other")
        desk = ObjectMirror(server.url, tmp_path, kinds=("contacts",))
        desk.sync_until_quiet()
        file = desk.file("contacts", ADA["uid"])
        if act == "move":
            file = file.rename(desk.base / "contacts" / "Other" / file.name)
        else:
            phones = store.items[ref]["phones"]
            store.edit(ref, {"phones": {f"srv-{key}": phone for key, phone in phones.items()}})
        desk.sync_until_quiet()
        change(file, "TEL:+2", "TEL:+3")
        desk.sync_until_quiet()
        assert sorted(phone["number"] for phone in store.items[ref]["phones"].values()) == ["+1", "+3"]
        assert "TEL:+3" in file.read_text()
