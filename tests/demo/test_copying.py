"""`Email/copy` and `Blob/copy` between accounts (RFC 8620, sections 5.4 and 6.3; RFC 8621, section 4.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.peer import message

if TYPE_CHECKING:
    from jmapsync.demo import Account, DemoServer
    from tests.contract.peer import Peer
    from tests.live.jmapraw import Json


@pytest.fixture
def other(server: DemoServer) -> Account:
    return server.add_account("a2", personal=False)


def copy(peer: Peer, wish: Json, **more: Any) -> list[Json]:  # noqa: ANN401 # any argument
    """Return the answers to a copy of one message from the first account to the second."""
    arguments = {"accountId": "a2", "fromAccountId": "a1", "create": {"new": wish}, **more}
    return [answer for _, answer, _ in peer.call_raw([("Email/copy", arguments)])]


def test_a_copy_has_the_bytes_and_what_is_not_said_otherwise(server: DemoServer, peer: Peer, other: Account) -> None:
    content = message()
    email_id = server.account.deliver(content, keywords=["$seen"], received_at=1000)
    archive = other.mailbox("Archive").id
    ((answer),) = copy(peer, {"id": email_id, "mailboxIds": {archive: True}})
    assert (answer["fromAccountId"], answer["accountId"], answer["notCreated"]) == ("a1", "a2", None)
    made = other.emails[answer["created"]["new"]["id"]]
    assert (other.raw(made.id), made.keywords, made.received_at, made.mailbox_ids) == (
        content,
        frozenset({"$seen"}),
        1000,
        frozenset({archive}),
    )
    assert answer["oldState"] != answer["newState"] == other.state("Email")
    assert email_id in server.account.emails


def test_keywords_and_date_of_a_copy_may_be_given(server: DemoServer, peer: Peer, other: Account) -> None:
    email_id = server.account.deliver(message(), keywords=["$seen"])
    wish = {"mailboxIds": {other.mailbox("INBOX").id: True}, "keywords": {"Work": True}, "receivedAt": "2026-01-01T00:00:00Z"}
    (answer,) = copy(peer, {"id": email_id, **wish})
    made = other.emails[answer["created"]["new"]["id"]]
    assert (made.keywords, made.received_at) == (frozenset({"work"}), 1767225600)


def test_the_original_is_destroyed_by_a_call_of_its_own(server: DemoServer, peer: Peer, other: Account) -> None:
    email_id = server.account.deliver(message())
    wish = {"id": email_id, "mailboxIds": {other.mailbox("INBOX").id: True}}
    _, destroyed = copy(peer, wish, onSuccessDestroyOriginal=True, destroyFromIfInState=server.account.state("Email"))
    assert (destroyed["accountId"], destroyed["destroyed"]) == ("a1", [email_id])
    assert not server.account.emails


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        ({"id": "eno"}, "notFound"),
        ({"mailboxIds": {}}, "invalidProperties"),
        ({"mailboxIds": {"mno": True}}, "invalidProperties"),
        ({"keywords": {"a b": True}}, "invalidProperties"),
        ({"subject": "x"}, "invalidProperties"),
    ],
)
def test_copies_that_are_refused(server: DemoServer, peer: Peer, other: Account, wish: Json, error: str) -> None:
    whole = {"id": server.account.deliver(message()), "mailboxIds": {other.mailbox("INBOX").id: True}, **wish}
    (answer,) = copy(peer, whole)
    assert answer["notCreated"]["new"]["type"] == error
    assert not other.emails


def test_content_that_the_account_has_is_not_copied_again(server: DemoServer, peer: Peer, other: Account) -> None:
    content = message()
    present = other.deliver(content)
    wish = {"id": server.account.deliver(content), "mailboxIds": {other.mailbox("INBOX").id: True}}
    (answer,) = copy(peer, wish)
    assert answer["notCreated"]["new"] == {"type": "alreadyExists", "existingId": present}


def test_accounts_that_cannot_be_copied_between(server: DemoServer, peer: Peer, other: Account) -> None:
    for method, more in (("Email/copy", {"create": {}}), ("Blob/copy", {"blobIds": []})):
        assert peer.error(method, {"accountId": "a1", "fromAccountId": "a1", **more}) == "invalidArguments"
        assert peer.error(method, {"accountId": "a2", "fromAccountId": "no", **more}) == "fromAccountNotFound"
        assert peer.error(method, {"accountId": "no", "fromAccountId": "a1", **more}) == "accountNotFound"
    for guard in ("ifInState", "ifFromInState"):
        assert copy(peer, {}, **{guard: "stale"})[0]["type"] == "stateMismatch"
    other.is_read_only = True
    assert peer.error("Email/copy", {"accountId": "a2", "fromAccountId": "a1", "create": {}}) == "accountReadOnly"
    assert not server.account.emails


def test_blobs_are_copied(peer: Peer, other: Account) -> None:
    blob_id = peer.upload(b"bytes", "text/plain")
    answer = peer.one("Blob/copy", {"accountId": "a2", "fromAccountId": "a1", "blobIds": [blob_id, "Gno"]})
    assert answer["notCopied"] == {"Gno": {"type": "blobNotFound"}}
    assert other.blobs[answer["copied"][blob_id]] == b"bytes"
