"""What a mailbox allows, and whom it is shared with, is shown when it changes on the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.demo import CYRUS_312, STALWART, DemoServer
from tests.kit.mirror import Mirror

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

READ = {"mayReadItems": True, "mayAddItems": False}


@pytest.fixture(params=[STALWART, CYRUS_312], ids=lambda dialect: dialect.name)
def server(request: pytest.FixtureRequest) -> Iterator[DemoServer]:
    with DemoServer(dialect=request.param) as server:
        server.account.create_mailbox("Lists")
        server.account.create_mailbox("Lists/python")
        server.account.set_rights("Lists/python", mayShare=True)
        yield server


@pytest.fixture
def mirror(server: DemoServer, tmp_path: Path) -> Mirror:
    mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
    assert mirror.sync().messages == []
    return mirror


def test_a_mailbox_that_is_shared_and_no_longer_is(server: DemoServer, mirror: Mirror) -> None:
    server.account.set_shares("Lists/python", {"ann": READ})
    offered = server.account.dialect.mail_sharing
    assert mirror.sync().messages == ["The mailbox Lists/python is now shared with ann (read items)."] * offered
    assert mirror.sync().messages == []
    server.account.set_shares("Lists/python", {"ann": READ | {"mayAddItems": True}})
    more = "The mailbox Lists/python is now shared with ann (add items, read items; before: read items)."
    assert mirror.sync().messages == [more] * offered
    server.account.set_shares("Lists/python", {})
    assert mirror.sync().messages == ["The mailbox Lists/python is no longer shared with ann (add items, read items)."] * offered
    asked = [call.arguments.get("properties") or () for call in server.requests.calls("Mailbox/get")]
    assert {"shareWith" in one for one in asked} == {offered}, "a server that does not offer it refuses it"


def test_rights_that_change(server: DemoServer, mirror: Mirror) -> None:
    server.account.set_rights("Lists/python", mayAddItems=False, mayRemoveItems=False)
    said = "The rights in the mailbox Lists/python changed on the server: you may no longer add items, remove items."
    assert mirror.sync().messages == [said]
    assert mirror.sync().messages == []
    server.account.set_rights("Lists/python", mayAddItems=True)
    assert mirror.sync().messages == ["The rights in the mailbox Lists/python changed on the server: you may now add items."]


@pytest.mark.parametrize("given", [7, "ann", {"ann": None}, {"ann": ["mayReadItems"]}])
def test_shares_that_are_malformed_say_nothing(server: DemoServer, mirror: Mirror, given: Any) -> None:  # noqa: ANN401
    server.account.set_shares("Lists/python", {"ann": READ})
    mirror.sync()
    server.account.set_shares("Lists/python", given)
    assert mirror.sync().messages == []


def test_a_mailbox_that_is_left_out_is_not_spoken_of(server: DemoServer, mirror: Mirror) -> None:
    mirror.exclude = ("Lists",)
    mirror.sync()
    server.account.set_rights("Lists/python", mayAddItems=False)
    server.account.set_shares("Lists/python", {"ann": READ})
    assert mirror.sync().messages == []
