from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.peer import message

if TYPE_CHECKING:
    from tests.contract.peer import Peer


def test_import_keeps_bytes_date_keywords_and_mailbox(peer: Peer) -> None:
    content = message("body with 8-bit: é")
    blob_id = peer.upload(content)
    inbox = peer.mailbox_id("inbox")
    answer = peer.import_blob(blob_id, inbox, keywords={"$Seen": True, "Work": True}, receivedAt="2026-01-02T03:04:05Z")
    created = answer["created"]["new"]
    assert (created["blobId"], created["size"]) == (blob_id, len(content))
    assert not answer["notCreated"]
    email = peer.email(created["id"], "blobId", "threadId", "size", "receivedAt", "keywords", "mailboxIds")
    assert email == {
        "id": created["id"],
        "blobId": blob_id,
        "threadId": created["threadId"],
        "size": len(content),
        "receivedAt": "2026-01-02T03:04:05Z",
        "keywords": {"$seen": True, "work": True},
        "mailboxIds": {inbox: True},
    }
    assert peer.download(blob_id) == content


def test_states_of_an_import_chain_except_on_cyrus_36_which_reports_none(peer: Peer) -> None:
    blob_id, inbox = peer.upload(message()), peer.mailbox_id("inbox")
    before = peer.state()
    answer = peer.import_blob(blob_id, inbox)
    if peer.flavour == "3.6":
        assert answer.keys() == {"accountId", "created", "notCreated"}
        assert peer.error("Email/import", {"emails": {}, "ifInState": before}) == "invalidArguments"
    else:
        assert answer["oldState"] == before
        assert answer["newState"] == peer.state() != before
        assert peer.error("Email/import", {"emails": {}, "ifInState": before}) == "stateMismatch"


def test_what_an_import_made_can_be_read_by_its_creation_id_in_the_same_request(peer: Peer) -> None:
    inbox = peer.mailbox_id("inbox")
    emails = {"new": {"blobId": peer.upload(message()), "mailboxIds": {inbox: True}, "keywords": {"work": True}}}
    imported, found = peer.call(
        [
            ("Email/import", {"emails": emails}),
            ("Email/get", {"ids": ["#new", "#other"], "properties": ["keywords", "mailboxIds"]}),
        ]
    )
    email_id = imported["created"]["new"]["id"]
    assert found["list"] == [{"id": email_id, "keywords": {"work": True}, "mailboxIds": {inbox: True}}]
    assert found["notFound"] == ["#other"]


def test_content_the_account_holds_is_refused_with_the_id_it_has(peer: Peer) -> None:
    content = message()
    email_id = peer.deliver(content, "archive")
    assert peer.refusal(content) == {"type": "alreadyExists", "existingId": email_id}
    assert peer.email(email_id)["mailboxIds"] == {peer.mailbox_id("archive"): True}


def test_content_is_found_again_before_its_mailboxes_are_scanned_or_its_keywords_taken(peer: Peer) -> None:
    content = message()
    email_id = peer.deliver(content)
    assert peer.refusal(content, keywords={"$flagged": True})["existingId"] == email_id
    assert peer.email(email_id)["keywords"] == {}


@pytest.mark.parametrize(
    ("property_name", "wrong"),
    [
        ("blobId", "G" + "0" * 40),
        ("mailboxIds", {}),
        ("mailboxIds", {"nowhere": True}),
        ("receivedAt", "2026-01-01"),
    ],
)
def test_invalid_properties_are_named(peer: Peer, property_name: str, wrong: object) -> None:
    error = (
        peer.refusal(message(), **{"receivedAt": "2026-01-01T00:00:00Z", property_name: wrong})
        if (property_name == "receivedAt")
        else peer.one(
            "Email/import",
            {
                "emails": {
                    "new": {"blobId": peer.upload(message()), "mailboxIds": {peer.mailbox_id("inbox"): True}, property_name: wrong}
                }
            },
        )["notCreated"]["new"]
    )
    assert error["type"] == "invalidProperties"
    assert error["properties"] == [property_name]


def test_a_blank_in_a_keyword_is_invalid(peer: Peer) -> None:
    error = peer.refusal(message(), keywords={"a b": True})
    assert error["type"] == "invalidProperties"
    assert error["properties"] == ["keywords/a b"]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"Subject: x\n\nbare LF\n", id="bare LF"),
        pytest.param(b"Subject: x\r\n\r\na\0b\r\n", id="NUL"),
        pytest.param(b"just text\r\nand more\r\n", id="no header"),
        pytest.param(b"Subject: x\r\nthis is no header\r\n\r\nbody\r\n", id="broken header"),
    ],
)
def test_what_is_no_message_is_refused(peer: Peer, content: bytes) -> None:
    assert peer.refusal(content)["type"] == "invalidEmail"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"\r\nonly a body\r\n", id="empty header"),
        pytest.param(b"From ada@example.org Mon Nov  2 08:00:00 2026\r\nSubject: x\r\n\r\nmbox\r\n", id="mbox line"),
        pytest.param(b"Subject: no body\r\n", id="no body"),
        pytest.param(b"Subject: no newline at the end\r\n\r\nbody", id="no newline at the end"),
        pytest.param(b"Subject: x\r\n\r\na bare \r in it\r\n", id="bare CR"),
        pytest.param(b"Subject: " + b"x" * 70_000 + b"\r\n\r\nlong\r\n", id="long header line"),
        pytest.param(b"Subject: x\r\n\r\n\xff\xfe\r\n", id="8-bit body"),
    ],
)
def test_odd_messages_are_taken_as_they_are(peer: Peer, content: bytes) -> None:
    email = peer.email(peer.deliver(content), "blobId", "size")
    assert peer.download(email["blobId"]) == content
    assert email["size"] == len(content)


def test_cyrus_masks_8bit_headers_and_says_so_only_by_the_blob_id(peer: Peer) -> None:
    content = b"Subject: Gr\xfc\xdfe\r\n\r\nbody \xfc\r\n"
    blob_id = peer.upload(content, "application/octet-stream")
    created = peer.import_blob(blob_id, peer.mailbox_id("inbox"))["created"]["new"]
    stored = peer.download(created["blobId"])
    assert created["size"] == len(content)
    if peer.is_cyrus:
        assert stored == b"Subject: GrXXe\r\n\r\nbody \xfc\r\n"
        assert created["blobId"] != blob_id
        assert peer.import_blob(blob_id, peer.mailbox_id("inbox"))["notCreated"]["new"]["existingId"] == created["id"]
    else:
        assert stored == content


def test_cyrus_masks_8bit_headers_already_in_an_upload_that_calls_itself_a_message(peer: Peer) -> None:
    content = b"Subject: Gr\xfc\xdfe\r\n\r\nbody\r\n"
    stored = peer.download(peer.upload(content, "message/rfc822"))
    assert stored == (b"Subject: GrXXe\r\n\r\nbody\r\n" if peer.is_cyrus else content)


def test_more_keywords_than_cyrus_takes(peer: Peer) -> None:
    keywords = {f"k{number}": True for number in range(150)}
    if peer.is_cyrus:
        assert peer.refusal(message(), keywords=keywords)["type"] == "tooManyKeywords"
    else:
        assert peer.email(peer.deliver(keywords=keywords))["keywords"] == keywords
