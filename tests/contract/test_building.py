"""Messages that are built of JSON objects, and the threads of messages: on real Cyrus and on the embedded server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.peer import message

if TYPE_CHECKING:
    from tests.contract.peer import Peer


def test_threads_are_of_messages_that_name_one_another(peer: Peer) -> None:
    first = b"Message-ID: <one@thread.example.org>\r\nSubject: plans\r\n\r\nbody\r\n"
    answer = b"Message-ID: <two@thread.example.org>\r\nReferences: <one@thread.example.org>\r\nSubject: Re: plans\r\n\r\nbody\r\n"
    other = message()
    ids = [
        peer.deliver(content, receivedAt=f"2026-01-0{number}T00:00:00Z") for number, content in enumerate((first, answer, other), 1)
    ]
    threads = [peer.email(one, "threadId")["threadId"] for one in ids]
    assert threads[0] == threads[1] != threads[2]
    (thread,) = peer.one("Thread/get", {"ids": [threads[0]]})["list"]
    assert thread == {"id": threads[0], "emailIds": ids[:2]}
    assert peer.one("Email/query", {"collapseThreads": True, "sort": [{"property": "receivedAt"}]})["ids"] == [ids[0], ids[2]]


def test_a_built_message_reads_as_it_was_given(peer: Peer) -> None:
    wish = {
        "mailboxIds": {peer.mailbox_id("inbox"): True},
        "keywords": {"$draft": True},
        "from": [{"name": "Ada Löve", "email": "ada@example.org"}],
        "subject": "Schöne Grüße",
        "bodyStructure": {"type": "text/plain", "partId": "1"},
        "bodyValues": {"1": {"value": "Grüße\nund mehr\n"}},
    }
    made = peer.one("Email/set", {"create": {"new": wish}})["created"]["new"]
    assert made.keys() >= {"id", "blobId", "threadId", "size"}
    names = ["from", "subject", "keywords", "textBody", "bodyValues", "hasAttachment", "messageId", "size"]
    (email,) = peer.one("Email/get", {"ids": [made["id"]], "properties": names, "fetchTextBodyValues": True})["list"]
    assert {name: email[name] for name in ("from", "subject", "keywords", "size")} == {
        "from": wish["from"],
        "subject": "Schöne Grüße",
        "keywords": {"$draft": True},
        "size": made["size"],
    }
    (value,) = email["bodyValues"].values()
    assert (value["value"], email["hasAttachment"], len(email["messageId"])) == ("Grüße\nund mehr\n", False, 1)


@pytest.mark.parametrize(
    "wrong",
    [{"headers": []}, {"textBody": [{"partId": "1"}]}, {"header:subject": "y"}, {"header:From:asDate": "2026-01-01T00:00:00Z"}],
)
def test_built_messages_that_are_refused(peer: Peer, wrong: dict[str, object]) -> None:
    wish = {
        "mailboxIds": {peer.mailbox_id("inbox"): True},
        "subject": "x",
        "bodyStructure": {"type": "text/plain", "partId": "1"},
        "bodyValues": {"1": {"value": "x"}},
    }
    answer = peer.one("Email/set", {"create": {"new": wish | wrong}})
    assert answer["notCreated"]["new"]["type"] == "invalidProperties"
