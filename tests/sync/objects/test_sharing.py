"""What a calendar allows, and whom it is shared with, is shown when it changes on the server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from jmapsync.app import App
from jmapsync.config import load
from jmapsync.demo import DemoServer
from tests.kit.pim import Pim

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server() -> Iterator[DemoServer]:
    with DemoServer() as server:
        yield server


@pytest.fixture
def pim(server: DemoServer, tmp_path: Path) -> Pim:
    pim = Pim(tmp_path, server.url, "demo", "demo", ("contacts", "calendars"))
    pim.sync_until_quiet()
    return pim


def said(pim: Pim, kind: str = "calendars") -> list[str]:
    return asyncio.run(App(load(pim.config)).sync()).accounts["home"].kinds[kind].messages


def test_a_calendar_that_is_shared_and_no_longer_is(server: DemoServer, pim: Pim) -> None:
    server.account.calendars.edit_collection("", shareWith={"ann": {"mayReadItems": True, "mayWriteAll": True, "mayDelete": False}})
    assert said(pim) == ["The calendar Calendar is now shared with ann (read items, write all)."]
    assert said(pim) == []
    server.account.calendars.edit_collection("", shareWith={"bob": {"mayReadItems": True}})
    assert said(pim) == [
        "The calendar Calendar is now shared with bob (read items) and no longer shared with ann (read items, write all)."
    ]


def test_rights_that_change(server: DemoServer, pim: Pim) -> None:
    server.account.calendars.set_rights("", mayWriteAll=False, mayDelete=False)
    assert said(pim) == ["The rights in the calendar Calendar changed on the server: you may no longer delete, write all."]
    server.account.calendars.set_rights("", mayWriteAll=True)
    assert said(pim) == ["The rights in the calendar Calendar changed on the server: you may now write all."]
    server.account.contacts.set_rights("", mayWrite=False)
    [message] = said(pim, "contacts")
    assert message.startswith("The rights in the address book ")


def test_without_the_right_to_see_it_nothing_is_said_of_an_end_of_sharing(server: DemoServer, pim: Pim) -> None:
    server.account.calendars.edit_collection("", shareWith={"ann": {"mayReadItems": True}})
    said(pim)
    server.account.calendars.set_rights("", mayShare=False)
    server.account.calendars.edit_collection("", shareWith=None)
    assert said(pim) == ["The rights in the calendar Calendar changed on the server: you may no longer share."]
