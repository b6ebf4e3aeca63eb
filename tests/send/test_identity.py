"""A message goes out as the identity of its sender, with the Reply-To and Bcc of it where it has none (RFC 8621, section 6)."""

from __future__ import annotations

import asyncio
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.demo import CYRUS_36, CYRUS_312, RFC, STALWART, Answer, DemoServer, SetError
from jmapsync.formats.envelope import Envelope
from jmapsync.jmap.auth import BasicCredential
from jmapsync.jmap.client import Client
from jmapsync.send.deliver import Fate, Sender, Sent
from jmapsync.storage.jmap.identities import SUBMISSION
from jmapsync.storage.jmap.submission import Post
from jmapsync.storage.outbox import Outbox, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEADER = "From: Demo <demo@example.com>\r\nTo: bob@example.com\r\nMessage-ID: <one@example.com>\r\nSubject: one\r\n"
BODY = b"Hello Bob.\r\n"


class Desk:
    """An outbox, and a server with the identities that a test gives it."""

    def __init__(self, server: DemoServer, folder: Path) -> None:
        self.server = server
        self.outbox = Outbox(folder / "outbox")

    def identities(self, *identities: dict[str, Any]) -> None:
        self.server.account.identities[:] = [
            {"id": f"i{number}", "name": "", "mayDelete": True, **one} for number, one in enumerate(identities, 1)
        ]

    def add(self, *, sender: str = "demo@example.com", more: str = "", has_bcc: bool = False) -> None:
        envelope = Envelope(sender, ("bob@example.com",), "<one@example.com>", "one", has_bcc)
        self.outbox.add(f"{more}{HEADER}\r\n".encode(), [BODY], envelope)

    def send(self) -> list[Sent]:
        async def run() -> list[Sent]:
            async with Client(self.server.url, BasicCredential("demo", "demo"), max_wait=0) as client:
                theirs = (await client.session()).account_for(SUBMISSION)
                return await Sender(self.outbox, Post(client, theirs)).send_all()

        return asyncio.run(run())

    def used(self) -> list[str]:
        return [one["identityId"] for one in self.server.account.submissions.values()]


@pytest.fixture(params=[RFC, STALWART, CYRUS_36, CYRUS_312], ids=lambda dialect: dialect.name)
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    with DemoServer(dialect=request.param) as server:
        yield Desk(server, tmp_path)


def test_a_message_lacking_them_gets_the_reply_to_and_the_bcc_of_its_identity(desk: Desk) -> None:
    reply_to = [{"name": "Vertrieb, Köln", "email": "sales@example.com"}, {"name": None, "email": "b@example.com"}]
    bcc = [{"name": None, "email": "archive@example.com"}, {"name": "", "email": "bob@EXAMPLE.com"}]
    desk.identities({"email": "demo@example.com", "replyTo": reply_to, "bcc": bcc})
    desk.add()
    assert [one.fate for one in desk.send()] == [Fate.SENT]
    [left] = desk.server.account.sent
    assert left.recipients == ("bob@example.com", "archive@example.com")
    message = message_from_bytes(left.content, policy=policy.default)
    replies = message["Reply-To"].addresses
    assert [(one.display_name, one.addr_spec) for one in replies] == [
        ("Vertrieb, Köln", "sales@example.com"),
        ("", "b@example.com"),
    ]
    assert left.content.endswith(f"{HEADER}\r\n".encode() + BODY)
    assert "archive" not in left.content.decode()


def test_a_message_that_has_them_keeps_its_own(desk: Desk) -> None:
    address = [{"name": "", "email": "other@example.com"}]
    desk.identities({"email": "demo@example.com", "replyTo": address, "bcc": address})
    desk.add(more="REPLY-TO: mine@example.com\r\n", has_bcc=True)
    desk.send()
    [left] = desk.server.account.sent
    assert left.recipients == ("bob@example.com",)
    assert left.content == f"REPLY-TO: mine@example.com\r\n{HEADER}\r\n".encode() + BODY


def test_a_message_that_is_resent_is_not_a_new_one(desk: Desk) -> None:
    address = [{"name": "", "email": "other@example.com"}]
    desk.identities({"email": "demo@example.com", "replyTo": address, "bcc": address})
    desk.add(more="Resent-From: demo@example.com\r\nResent-To: bob@example.com\r\n")
    desk.send()
    [left] = desk.server.account.sent
    assert left.recipients == ("bob@example.com",)
    assert b"Reply-To" not in left.content


def test_defaults_are_added_once_however_often_sending_is_begun(desk: Desk) -> None:
    address = [{"name": "", "email": "other@example.com"}]
    desk.identities({"email": "demo@example.com", "replyTo": address, "bcc": address})
    desk.add()
    desk.server.faults.answer.arm(Answer.unavailable(), times=1, only=["Email/import"])
    assert [one.fate for one in desk.send()] == [Fate.WAITS]
    assert [one.fate for one in desk.send()] == [Fate.SENT]
    [left] = desk.server.account.sent
    assert left.recipients == ("bob@example.com", "other@example.com")
    assert left.content.lower().count(b"reply-to") == 1


def test_what_no_identity_allows_is_not_sent_and_the_identities_are_named(desk: Desk) -> None:
    desk.identities({"email": "alice@example.com"}, {"email": "alice@example.com", "name": "A"}, {"email": "*@example.org"})
    desk.add(sender="eve@example.com")
    [reported] = desk.send()
    assert reported.fate is Fate.REFUSED
    assert "no identity to send as eve@example.com or demo@example.com" in reported.why
    assert "alice@example.com, *@example.org" in reported.why
    assert (desk.server.account.sent, len(desk.server.account.emails)) == ([], 0)
    assert "upload" not in {name for name, count in desk.server.requests.counts.items() if count}


@pytest.mark.parametrize("desk", [RFC, STALWART], ids=lambda dialect: dialect.name, indirect=True)
def test_the_identity_is_that_of_the_sender_and_else_that_of_the_from(desk: Desk) -> None:
    desk.identities({"email": "*@example.com"}, {"email": "demo@example.com"}, {"email": "bounces@example.com"})
    for sender in ("demo@example.com", "bounces@example.com", "list@EXAMPLE.COM"):
        desk.add(sender=sender)
        desk.send()
    assert desk.used() == ["i2", "i3", "i1"]


def test_a_server_that_is_full_sent_nothing(desk: Desk) -> None:
    desk.identities({"email": "demo@example.com"})
    desk.add()
    desk.server.faults.set_error.arm(SetError("overQuota"), times=1, only=["EmailSubmission/set"])
    [reported] = desk.send()
    assert reported.fate is Fate.REFUSED
    [waiting] = desk.outbox.entries()
    assert waiting.stage is Stage.DRAFT


def test_of_several_identities_of_one_address_the_one_of_the_name_counts(desk: Desk) -> None:
    desk.identities(
        {"email": "demo@example.com", "name": "Office", "replyTo": [{"email": "office@example.com"}]},
        {"email": "demo@example.com", "name": "Demo", "replyTo": [{"email": "demo@example.org"}]},
    )
    desk.add()
    assert [one.fate for one in desk.send()] == [Fate.SENT]
    [left] = desk.server.account.sent
    assert message_from_bytes(left.content, policy=policy.default)["Reply-To"] == "demo@example.org"
