"""Mail in mailboxes that the user may not read is not shown (RFC 8621, section 2: mayReadItems)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import DemoServer
from tests.contract.peer import Peer, message

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[DemoServer]:
    with DemoServer() as running:
        running.account.create_mailbox("Closed")
        running.account.set_rights("Closed", mayReadItems=False)
        yield running


@pytest.fixture
def peer(server: DemoServer) -> Iterator[Peer]:
    with Peer(server.url, "demo", "demo", "rfc") as peer:
        yield peer


def test_a_message_that_is_nowhere_else_is_hidden(server: DemoServer, peer: Peer) -> None:
    before = peer.state()
    hidden, shown = server.account.deliver(message(), ["Closed"]), server.account.deliver(message(), ["INBOX", "Closed"])
    assert peer.one("Email/query", {"calculateTotal": True})["total"] == 1
    assert not peer.exists(hidden)
    assert peer.email(shown, "mailboxIds")["mailboxIds"] == {peer.mailbox_id("inbox"): True}
    created, updated, _ = peer.listed(before)
    assert (created, updated) == ([shown], [])


def test_a_message_that_goes_there_was_destroyed_for_the_user(server: DemoServer, peer: Peer) -> None:
    email = server.account.deliver(message())
    before = peer.state()
    server.account.move(email, "INBOX", "Closed")
    assert peer.listed(before) == ([], [], [email])
    assert not peer.exists(email)
