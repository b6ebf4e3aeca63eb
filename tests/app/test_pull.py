"""`direction = "pull"` of an account: contacts, calendars and tasks follow the server, which is never written."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest

from jmapsync.app import App
from jmapsync.config import load
from jmapsync.demo import DemoServer
from tests.kit.pim import Pim, change

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CARDS = [{"uid": uid, "name": {"full": uid.title()}, "notes": {"n1": {"note": "first"}}} for uid in ("ada", "bea", "cy")]
EVENT = {"uid": "weekly", "title": "Weekly", "start": "2026-12-07T10:00:00", "timeZone": "Europe/Berlin", "duration": "PT1H"}


@pytest.fixture
def server() -> Iterator[DemoServer]:
    with DemoServer() as server:
        for card in CARDS:
            server.account.contacts.add(card)
        server.account.calendars.add(EVENT)
        yield server


@pytest.fixture
def pim(server: DemoServer, tmp_path: Path) -> Pim:
    pim = Pim(tmp_path, server.url, "demo", "demo", ("contacts", "calendars"))
    pim.config.write_text(pim.config.read_text().replace("[accounts.home]\n", '[accounts.home]\ndirection = "pull"\n'))
    pim.sync_until_quiet()
    server.requests.clear()
    return pim


def writes(server: DemoServer) -> list[str]:
    """Return the methods called that may write."""
    called = {call.name for call in server.requests.calls()}
    return sorted(name for name in called if re.search("/(set|import|copy|upload)$", name))


def run(pim: Pim) -> None:
    asyncio.run(App(load(pim.config)).sync(allow_deletes=True))


def test_local_changes_are_undone_and_an_edit_becomes_a_conflict_copy(pim: Pim, server: DemoServer) -> None:
    ada, bea = pim.file("contacts", "ada"), pim.file("contacts", "bea")
    before = {file: file.read_bytes() for file in (*pim.files("contacts"), *pim.files("calendars"))}
    change(ada, "NOTE:first", "NOTE:here")
    bea.unlink()
    change(pim.file("calendars", "weekly"), "SUMMARY:Weekly", "SUMMARY:Daily")
    new = ada.with_name("new.vcf")
    new.write_bytes(before[ada].replace(b"UID:ada", b"UID:new"))
    run(pim)
    run(pim)
    assert writes(server) == []
    assert {file: file.read_bytes() for file in before} == before
    assert sum(b"NOTE:here" in copy.read_bytes() for copy in (pim.base / "state").glob("**/shelf/*")) == 1
    assert new.exists()


def test_changes_of_the_server_arrive(pim: Pim, server: DemoServer) -> None:
    cards = server.account.contacts
    cards.edit(str(cards.by_uid("ada")["id"]), {"notes/n1/note": "second"})
    cards.delete(str(cards.by_uid("cy")["id"]))
    pim.run()
    assert writes(server) == []
    assert "NOTE:second" in pim.file("contacts", "ada").read_text()
    assert [file for file in pim.files("contacts") if "UID:cy" in file.read_text()] == []


def test_a_kind_may_differ_from_its_account(pim: Pim, server: DemoServer) -> None:
    text = pim.config.read_text().replace("[accounts.home.contacts]\n", '[accounts.home.contacts]\ndirection = "both"\n')
    pim.config.write_text(text)
    account = load(pim.config).accounts["home"]
    assert {kind: one.direction for kind, one in account.kinds.items()} == {"mail": "pull", "contacts": "both", "calendars": "pull"}
    change(pim.file("contacts", "ada"), "NOTE:first", "NOTE:here")
    pim.run()
    assert server.account.contacts.by_uid("ada")["notes"]["n1"]["note"] == "here"
