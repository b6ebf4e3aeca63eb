"""`restore` of contacts, calendars and tasks: what the server lost comes back by its uid, what is there is left alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from jmapsync.app import App
from jmapsync.config import load
from jmapsync.demo import DemoServer
from tests.kit.pim import Pim, change

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jmapsync.backup.restore import Restored

ADA = {"uid": "ada", "name": {"full": "Ada Lovelace"}, "notes": {"n1": {"note": "first"}}}
BOB = {"uid": "bob", "name": {"full": "Bob"}}
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


@pytest.fixture
def server() -> Iterator[DemoServer]:
    with DemoServer() as server:
        server.account.contacts.create_collection("Friends")
        server.account.calendars.create_collection("Tasks")
        server.account.contacts.add(ADA)
        server.account.contacts.add(BOB, ("Friends",))
        server.account.calendars.add(WEEKLY)
        server.account.calendars.add(PROOFS, ("Tasks",))
        yield server


@pytest.fixture
def pim(server: DemoServer, tmp_path: Path) -> Pim:
    pim = Pim(tmp_path, server.url, "demo", "demo", ("contacts", "calendars", "tasks"))
    pim.sync_until_quiet()
    return pim


def restore(pim: Pim, *paths: str, into: str | None = None, kind: str | None = None) -> dict[str, Restored]:
    found = asyncio.run(App(load(pim.config)).restore("home", paths, into=into, kind=kind))
    assert found.exit_code == 0, found
    return {name: restored for name, _, restored in found.results if restored is not None}


def test_what_the_server_lost_comes_back_by_its_uid_and_nobody_is_invited(pim: Pim, server: DemoServer) -> None:
    account = server.account
    before = {file: file.read_bytes() for kind in ("contacts", "calendars", "tasks") for file in pim.files(kind)}
    account.contacts.delete(account.contacts.by_uid("ada")["id"])
    account.contacts.delete(account.contacts.by_uid("bob")["id"])
    account.contacts.delete_collection("Friends")
    account.calendars.delete(account.calendars.by_uid("weekly")["id"])
    account.calendars.delete(account.calendars.by_uid("proofs")["id"])
    found = restore(pim)
    assert {kind: one.report.to_server.created for kind, one in found.items()} == {
        "mail": 0,
        "contacts": 2,
        "calendars": 1,
        "tasks": 1,
    }
    assert account.contacts.by_uid("ada")["notes"]["n1"]["note"] == "first"
    assert [item["uid"] for item in account.contacts.inside("Friends")] == ["bob"]
    assert account.calendars.by_uid("weekly")["recurrenceOverrides"] == {"2026-12-14T10:00:00": {"title": "Moved"}}
    assert [item["uid"] for item in account.calendars.inside("Tasks")] == ["proofs"]
    assert not any(call.arguments.get("sendSchedulingMessages") for call in server.requests.calls("CalendarEvent/set"))
    again = restore(pim)
    assert [(one.report.to_server.total, one.report.folders.total) for one in again.values()] == [(0, 0)] * 4
    pim.sync_until_quiet()
    assert {file: file.read_bytes() for file in before} == before


def test_an_object_that_is_there_is_left_alone_whatever_it_says(pim: Pim, server: DemoServer) -> None:
    cards = server.account.contacts
    cards.edit(cards.by_uid("ada")["id"], {"notes/n1/note": "theirs"})
    change(pim.file("contacts", "ada"), "Lovelace", "King")
    cards.delete(cards.by_uid("bob")["id"])
    found = restore(pim, kind="contacts")["contacts"]
    assert (found.report.to_server.created, found.there, found.items) == (1, 1, 2)
    assert (cards.by_uid("ada")["name"]["full"], cards.by_uid("ada")["notes"]["n1"]["note"]) == ("Ada Lovelace", "theirs")
    pim.run()
    assert (cards.by_uid("ada")["name"]["full"], cards.by_uid("ada")["notes"]["n1"]["note"]) == ("Ada King", "theirs")


def test_one_file_of_a_collection_is_put_back_alone(pim: Pim, server: DemoServer) -> None:
    cards = server.account.contacts
    for uid in ("ada", "bob"):
        cards.delete(cards.by_uid(uid)["id"])
    found = restore(pim, str(pim.file("contacts", "bob")))
    assert {kind: one.report.to_server.created for kind, one in found.items()} == {"contacts": 1}
    assert cards.by_uid("bob")["name"]["full"] == "Bob"
    with pytest.raises(KeyError):
        cards.by_uid("ada")


def test_another_account_gets_the_objects_too(pim: Pim, server: DemoServer) -> None:
    with DemoServer(user="eve", password="eve") as other:
        secret = pim.base / "other"
        secret.touch(mode=0o600)
        secret.write_text("eve")
        table = f'[accounts.new]\nurl = "{other.url}"\nuser = "eve"\nauth = "basic"\npassword_file = "{secret}"\n'
        pim.config.write_text(f'{pim.config.read_text()}{table}[accounts.new.contacts]\npath = "{pim.base / "new"}"\n')
        for _ in range(2):
            found = restore(pim, into="new")
            assert other.account.contacts.by_uid("ada")["notes"]["n1"]["note"] == "first"
            assert [item["uid"] for item in other.account.contacts.inside("Friends")] == ["bob"]
            assert [item["uid"] for item in other.account.calendars.inside("Tasks")] == ["proofs"]
        assert [one.report.to_server.total for one in found.values()] == [0] * 4
    pim.sync_until_quiet()


def test_what_was_in_the_default_collection_goes_into_the_other_server_s_default(pim: Pim, server: DemoServer) -> None:
    """As mail goes by the roles of mailboxes, whatever their names."""
    with DemoServer(user="eve", password="eve") as other:
        for store in (other.account.contacts, other.account.calendars):
            store.edit_collection("", name="Elsewhere")
            store.create_collection("Contacts" if store is other.account.contacts else "Calendar")
        secret = pim.base / "other"
        secret.touch(mode=0o600)
        secret.write_text("eve")
        table = f'[accounts.new]\nurl = "{other.url}"\nuser = "eve"\nauth = "basic"\npassword_file = "{secret}"\n'
        pim.config.write_text(f'{pim.config.read_text()}{table}[accounts.new.contacts]\npath = "{pim.base / "new"}"\n')
        for _ in range(2):
            restore(pim, into="new")
            cards, events = other.account.contacts, other.account.calendars
            assert [item["uid"] for item in cards.inside("Elsewhere")] == ["ada"]
            assert [item["uid"] for item in cards.inside("Friends")] == ["bob"]
            assert [item["uid"] for item in events.inside("Elsewhere")] == ["weekly"]
            assert [item["uid"] for item in events.inside("Tasks")] == ["proofs"]
            assert sorted(one["name"] for one in cards.collections.values()) == ["Contacts", "Elsewhere", "Friends"]
            assert sorted(one["name"] for one in events.collections.values()) == ["Calendar", "Elsewhere", "Tasks"]
    pim.sync_until_quiet()


def test_a_default_that_was_changed_since_is_the_one_that_counts(pim: Pim, server: DemoServer) -> None:
    server.account.contacts.set_default(server.account.contacts.collection("Friends")["id"])
    pim.run()
    with DemoServer(user="eve", password="eve") as other:
        secret = pim.base / "other"
        secret.touch(mode=0o600)
        secret.write_text("eve")
        table = f'[accounts.new]\nurl = "{other.url}"\nuser = "eve"\nauth = "basic"\npassword_file = "{secret}"\n'
        pim.config.write_text(f'{pim.config.read_text()}{table}[accounts.new.contacts]\npath = "{pim.base / "new"}"\n')
        other.account.contacts.edit_collection("", name="Elsewhere")
        restore(pim, into="new", kind="contacts")
        assert [item["uid"] for item in other.account.contacts.inside("Elsewhere")] == ["bob"]
        assert [item["uid"] for item in other.account.contacts.inside("Contacts")] == ["ada"]
