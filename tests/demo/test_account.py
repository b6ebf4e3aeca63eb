from __future__ import annotations

import dataclasses
import hashlib
from email import message_from_bytes

import pytest

from jmapsync.demo import CYRUS_312, RFC, Account, DemoServer
from jmapsync.demo.content import SyntheticMessage
from jmapsync.demo.sample import fill_sample
from tests.contract.peer import Peer, message


@pytest.fixture
def account() -> Account:
    return Account("a1", RFC)


def test_another_client_acts(account: Account) -> None:
    account.create_mailbox("Lists")
    account.create_mailbox("Lists/python")
    email_id = account.deliver(message(), ["INBOX", "Lists/python"], ["Work"], 1_700_000_000)
    assert account.listing() == {email_id: (frozenset({"INBOX", "Lists/python"}), frozenset({"work"}))}
    assert account.emails[email_id].received_at == 1_700_000_000
    account.set_keyword(email_id, "$seen")
    account.set_keyword(email_id, "work", present=False)
    account.move(email_id, "INBOX", "Archive")
    account.copy(email_id, "Sent")
    account.rename_mailbox("Lists/python", "ruby", parent="")
    assert account.listing() == {email_id: (frozenset({"Archive", "Sent", "ruby"}), frozenset({"$seen"}))}
    account.destroy_mailbox("ruby")
    assert account.listing()[email_id][0] == {"Archive", "Sent"}
    account.destroy(email_id)
    assert account.listing() == {}


def test_counts_follow_every_act(account: Account) -> None:
    inbox, trash = account.mailbox("INBOX"), account.mailbox("Trash")
    email_id = account.deliver(message())
    assert (inbox.total, inbox.unread) == (1, 1)
    account.set_keyword(email_id, "$seen")
    assert (inbox.total, inbox.unread) == (1, 0)
    account.move(email_id, "INBOX", "Trash")
    assert (inbox.total, trash.total) == (0, 1)
    account.destroy(email_id)
    assert (trash.total, trash.unread) == (0, 0)


def test_equal_content_is_two_messages_with_one_blob_but_one_message_on_cyrus(account: Account) -> None:
    content = message()
    first, second = account.deliver(content), account.deliver(content, ["Archive"])
    assert first != second
    assert account.emails[first].blob_id == account.emails[second].blob_id
    cyrus = Account("a1", CYRUS_312)
    first, second = cyrus.deliver(content), cyrus.deliver(content, ["Archive"])
    assert first == second
    assert cyrus.listing()[first][0] == {"Inbox", "Archive"}


def test_imports_of_equal_content_may_be_allowed() -> None:
    with DemoServer(dialect=dataclasses.replace(RFC, duplicates="copy")) as server:
        with Peer(server.url, "demo", "demo", "rfc") as peer:
            content = message()
            assert peer.deliver(content) != peer.deliver(content)
        assert len({email.blob_id for email in server.account.emails.values()}) == 1


def test_a_restored_backup_sets_mail_and_states_back(account: Account) -> None:
    kept = account.deliver(message())
    backup, before = account.snapshot(), account.state("Email")
    account.set_keyword(kept, "$seen")
    lost = account.deliver(message())
    account.rename_mailbox("Archive", "Attic")
    after = account.state("Email")
    account.restore(backup)
    assert account.state("Email") == before != after
    assert account.listing() == {kept: (frozenset({"INBOX"}), frozenset())}
    assert account.mailbox("INBOX").total == 1
    assert account.mailbox("Archive").name == "Archive"
    account.deliver(message())
    account.restore(backup)
    assert lost not in account.emails
    assert list(account.emails) == [kept]


def test_a_state_of_before_the_restored_backup_is_refused_unless_the_server_is_cyrus() -> None:
    for dialect, expected in (("rfc", "cannotCalculateChanges"), ("cyrus312", None)):
        with DemoServer(dialect=dialect) as server, Peer(server.url, "demo", "demo", "rfc") as peer:
            backup = server.account.snapshot()
            server.account.deliver(message())
            ahead = server.account.state("Email")
            server.account.restore(backup)
            ((name, answer, _),) = peer.call_raw([("Email/changes", {"sinceState": ahead})])
            if expected is None:
                assert int(answer["newState"]) < int(ahead)
            else:
                assert (name, answer["type"]) == ("error", expected)


def test_a_bounded_history_forgets_the_oldest() -> None:
    account = Account("a1", RFC, history=100)
    early = int(account.state("Email"))
    for _ in range(300):
        account.deliver(message())
    log = account.logs["Email"]
    assert early < log.floor
    assert 100 <= len(log.page(log.floor)) <= 125


def test_synthetic_messages_are_the_same_each_time_and_of_their_size() -> None:
    for seed in range(50):
        for size in (400, 2000, 100_000):
            made = SyntheticMessage(seed, size)
            data = made.render()
            assert data == SyntheticMessage(seed, size).render()
            assert len(data) == size
            assert data.endswith(b"\r\n")
            assert b"\n" not in data.replace(b"\r\n", b"")
            assert b"\r" not in data.replace(b"\r\n", b"")
            assert message_from_bytes(data)["Message-ID"] == f"<{seed}@synthetic.example.org>"


def test_a_populated_account_serves_what_it_lists() -> None:
    with DemoServer() as server, Peer(server.url, "demo", "demo", "rfc") as peer:
        server.account.populate(300, mailboxes=["INBOX", "Archive"], size=1000)
        emails = peer.emails()
        assert len(emails) == 300
        assert server.account.mailbox("INBOX").total == 150
        assert 600 < sum(email["size"] for email in emails.values()) / 300 < 1500
        for email in list(emails.values())[:5]:
            content = peer.download(email["blobId"])
            assert email["blobId"] == "G" + hashlib.sha1(content).hexdigest()
            assert len(content) == email["size"]


def test_the_sample_is_a_dozen_messages_one_of_them_in_three_mailboxes(account: Account) -> None:
    fill_sample(account)
    listing = account.listing()
    assert len(listing) == 12
    assert max(len(paths) for paths, _ in listing.values()) == 3
    contents = [account.raw(email_id) for email_id in listing]
    assert any(not content.partition(b"\r\n\r\n")[0].isascii() for content in contents)
    assert any(b"sketch.bin" in content for content in contents)
    assert all(b"\n" not in content.replace(b"\r\n", b"") for content in contents)
    again = Account("a1", RFC)
    fill_sample(again)
    assert [again.raw(email_id) for email_id in again.emails] == contents
