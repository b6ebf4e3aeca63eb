"""Threads: how messages come into one, `Thread/get` and `/changes`, and what mailboxes count (RFC 8621, sections 2 and 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import DemoServer
from jmapsync.demo.freedoms import Freedoms
from jmapsync.demo.threads import base_subject

if TYPE_CHECKING:
    from tests.contract.peer import Peer


def reply(number: int, *relatives: int, subject: str = "plans") -> bytes:
    references = " ".join(f"<{one}@x>" for one in relatives)
    header = f"Message-ID: <{number}@x>\r\nReferences: {references}\r\n" if relatives else f"Message-ID: <{number}@x>\r\n"
    return f"Subject: {subject}\r\n{header}\r\nbody {number}\r\n".encode()


@pytest.mark.parametrize(
    ("subject", "base"),
    [("Re: Fwd: RE[2]: plans", "plans"), ("[list] Re: [x] plans", "plans"), ("plans", "plans"), ("Re:", "Re:"), ("", "")],
)
def test_what_replying_puts_before_a_subject_does_not_count(subject: str, base: str) -> None:
    assert base_subject(subject) == base


def test_messages_that_name_one_another_are_one_thread_in_the_order_they_came(server: DemoServer, peer: Peer) -> None:
    account = server.account
    later = account.deliver(reply(2, 1, subject="Re: plans"), received_at=200)
    first = account.deliver(reply(1), received_at=100)
    sibling = account.deliver(reply(3, 1, 2, subject="AW: Plans"), received_at=150)
    other = account.deliver(reply(4, 1, subject="something else"), received_at=1)
    alone = account.deliver(b"Subject: plans\r\n\r\nno id\r\n")
    thread = account.emails[first].thread_id
    (found,) = peer.one("Thread/get", {"ids": [thread]})["list"]
    assert found == {"id": thread, "emailIds": [first, sibling, later]}
    assert len({thread, account.emails[other].thread_id, account.emails[alone].thread_id}) == 3
    assert peer.one("Thread/get", {"ids": ["Tno"]})["notFound"] == ["Tno"]
    assert len(peer.one("Thread/get", {"ids": None})["list"]) == 3


def test_changes_list_threads_that_gain_and_lose_messages(server: DemoServer, peer: Peer) -> None:
    account = server.account
    empty = peer.state("Thread")
    first = account.deliver(reply(1))
    thread = account.emails[first].thread_id
    assert peer.listed(empty, "Thread") == ([thread], [], [])
    one = peer.state("Thread")
    second = account.deliver(reply(2, 1))
    assert peer.listed(one, "Thread") == ([], [thread], [])
    two = peer.state("Thread")
    account.set_keyword(first, "$seen")
    account.move(first, "INBOX", "Archive")
    assert peer.listed(two, "Thread") == ([], [], [])
    account.destroy(first)
    assert peer.listed(two, "Thread") == ([], [thread], [])
    account.destroy(second)
    assert peer.listed(two, "Thread") == ([], [], [thread])
    again = account.deliver(reply(5, 1))
    assert account.emails[again].thread_id != thread


def test_a_restored_account_has_its_threads_again(server: DemoServer) -> None:
    account = server.account
    first = account.deliver(reply(1))
    backup = account.snapshot()
    account.destroy(first)
    account.restore(backup)
    second = account.deliver(reply(2, 1))
    assert account.threads.members(account.emails[first].thread_id) == [first, second]


def test_a_hidden_message_comes_back_into_its_thread(server: DemoServer) -> None:
    account = server.account
    first = account.deliver(reply(1))
    thread = account.emails[first].thread_id
    account.hide(first)
    assert account.threads.members(thread) == []
    account.unhide(first)
    assert (account.emails[first].thread_id, account.threads.members(thread)) == (thread, [first])


def test_mailboxes_count_the_threads_in_them(server: DemoServer, peer: Peer) -> None:
    account = server.account
    account.deliver(reply(1), keywords=["$seen"])
    account.deliver(reply(2, 1))
    account.deliver(reply(3, 2), mailboxes=["Archive"], keywords=["$seen"])
    boxes = {box["name"]: box for box in peer.one("Mailbox/get", {"ids": None})["list"]}
    counts = {
        name: [boxes[name][count] for count in ("totalEmails", "unreadEmails", "totalThreads", "unreadThreads")] for name in boxes
    }
    assert (counts["INBOX"], counts["Archive"], counts["Sent"]) == ([2, 1, 1, 1], [1, 0, 1, 0], [0, 0, 0, 0])


@pytest.mark.parametrize("form", ["dashes", "case", "long", "digits"])
def test_threads_have_ids_of_their_own_in_every_form(form: str) -> None:
    with DemoServer(freedoms=Freedoms(id_form=form)) as server:  # type: ignore[arg-type]
        ids = {server.account.emails[server.account.deliver(reply(number))].thread_id for number in range(50)}
    assert len(ids) == 50
