"""Odd messages and odd mailbox names on real Cyrus: nothing is lost, what cannot be synchronized is quarantined by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kit.mirror import Mirror, places_of
from tests.live.compare import assert_same, on_server
from tests.live.imap import Draft

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live.conftest import Account

GOOD = {
    "eight-bit body": b"Subject: body\n\n\xe4\xf6\xfc \xff\n",
    "mbox from line": b"From someone Thu Jan  1 00:00:00 1970\nSubject: from\n\nbody\n",
    "no final line end": b"Subject: end\n\nend",
    "headers only": b"Subject: alone\n",
    "long header": b"Subject: long\nX-Long: " + b"x" * 200_000 + b"\n\nbody\n",
    "large": b"Subject: large\n\n" + b"0123456789abcdef\n" * 900_000,
    "invalid mime": b"Subject: mime\nContent-Type: multipart/mixed; boundary=\n\n--\n--=\n",
    "crlf": b"Subject: crlf\r\n\r\nbody\r\n",
    "mixed line ends": b"Subject: mixed\r\n\r\nbare\nand not\r\n",
    "old date": b"Date: Thu, 1 Jan 1970 00:00:00 +0000\nSubject: old\n\nbody\n",
}
REFUSED = {"nul": b"Subject: nul\n\na\0b\n", "no header": b"just text, no header\n\nbody\n"}


@pytest.fixture
def mirror(account: Account, tmp_path: Path) -> Mirror:
    found = Mirror(account.url, account.user, account.password, tmp_path / "mail", tmp_path / "state")
    found.sync()
    return found


def test_odd_local_messages_arrive_or_are_quarantined_by_name(account: Account, mirror: Mirror) -> None:
    for content in GOOD.values():
        mirror.drop("INBOX", content)
    refused = {mirror.drop("INBOX", content).name: content for content in REFUSED.values()}
    empty = mirror.drop("INBOX", b"")
    report = mirror.sync()
    assert report.to_server.created == len(GOOD)
    held = {place.rpartition("/")[2] for place in places_of(report.problems)}
    assert held == {*refused, empty.name}
    assert report.exit_code == 3
    on_wire = {one[0].replace(b"\r\n", b"\n") for one in on_server(account)["INBOX"]}
    assert on_wire == {content.replace(b"\r\n", b"\n") for content in GOOD.values()}
    assert {file.name: file.read_bytes() for file in mirror.files("INBOX") if file.name in refused} == refused
    before = account.jmap.one("Email/query", {"calculateTotal": True})["total"]
    again = mirror.sync()
    assert (again.to_server.total, again.to_disk.total, mirror.requests) == (0, 0, 1)
    assert account.jmap.one("Email/query", {"calculateTotal": True})["total"] == before


def test_a_message_that_cyrus_rewrites_is_sent_once_and_keeps_its_bytes_here(account: Account, mirror: Mirror) -> None:
    content = b"Subject: caf\xe9 \xff\nFrom: a@example.com\n\nbody\n"
    file = mirror.drop("INBOX", content)
    assert mirror.sync().to_server.created == 1
    again = mirror.sync()
    assert (again.to_server.total, again.to_disk.total) == (0, 0)
    assert file.read_bytes() == content
    for ledger in mirror.state.glob("ledger.sqlite*"):
        ledger.unlink()
    mirror.sync()
    assert len(on_server(account)["INBOX"]) == 1
    assert content in {one.read_bytes() for one in mirror.files("INBOX")}


def test_odd_messages_of_the_server_come_byte_for_byte(account: Account, mirror: Mirror) -> None:
    drafts = [
        b"Subject: bare cr\r\n\r\na\rb\r\n",
        b"\r\nno header but a blank line\r\n",
        b"From someone\r\nSubject: from\r\n\r\nbody",
        b"Subject: 8bit\r\n\r\n" + bytes(range(1, 256)).replace(b"\n", b"").replace(b"\r", b"") + b"\r\n",
    ]
    account.imap.append("INBOX", [Draft(one, received=1_700_000_000 + number) for number, one in enumerate(drafts)])
    assert mirror.sync().problems == []
    assert_same(account, mirror)


def test_mailboxes_with_odd_names_stay_inside_the_root(account: Account, mirror: Mirror, tmp_path: Path) -> None:
    names = [
        "..",
        ".",
        "-dash",
        ".hidden",
        "trailing.",
        "cur",
        "NEW",
        "Plain",
        "PLAIN",
        "a b",
        "%41",
        "\N{SNOWMAN}",
        "\N{PILE OF POO}" * 60,
        "e\N{COMBINING ACUTE ACCENT}",
    ]
    parent = account.jmap.one("Mailbox/set", {"create": {"p": {"name": "parent"}}})["created"]["p"]["id"]
    made = {}
    for number, name in enumerate(names):
        for under in (None, parent):
            answer = account.jmap.one("Mailbox/set", {"create": {"m": {"name": name, "parentId": under}}})
            if answer.get("created"):
                made[answer["created"]["m"]["id"]] = (number, name)
    for number, mailbox in enumerate(made):
        content = f"Subject: in {number}\r\n\r\nbody\r\n".encode()
        blob = account.jmap.upload(content)
        emails = {"e": {"blobId": blob, "mailboxIds": {mailbox: True}}}
        assert account.jmap.one("Email/import", {"emails": emails})["created"]
    assert len(made) > 20
    report = mirror.sync()
    assert report.problems == []
    assert len(mirror.files()) == len(made)
    assert {entry.name for entry in tmp_path.iterdir()} == {"mail", "state"}
    assert all(file.resolve().is_relative_to(mirror.root.resolve()) for file in mirror.files())
    again = mirror.sync()
    assert (again.to_server.total, again.to_disk.total, again.folders.total, mirror.requests) == (0, 0, 0, 1)
    full = mirror.sync(full=True)
    assert (full.to_server.total, full.to_disk.total, full.folders.total) == (0, 0, 0)
