"""`Email/set` with `create`: what is built, how it reads, and what is refused (RFC 8621, section 4.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.peer import message

if TYPE_CHECKING:
    from jmapsync.demo import DemoServer
    from tests.contract.peer import Peer
    from tests.live.jmapraw import Json

TEXT: Json = {"bodyStructure": {"type": "text/plain", "partId": "1"}, "bodyValues": {"1": {"value": "Grüße\nund mehr\n"}}}


def create(peer: Peer, **wish: Any) -> Json:  # noqa: ANN401 # any property
    """Return what `created` says of a message in the inbox, or its SetError."""
    whole = {"mailboxIds": {peer.mailbox_id("inbox"): True}, **wish}
    answer = peer.one("Email/set", {"create": {"new": whole}})
    return dict((answer["created"] or answer["notCreated"])["new"])


def test_a_built_message_has_the_fields_and_the_text_that_were_given(server: DemoServer, peer: Peer) -> None:
    made = create(
        peer,
        **{"from": [{"name": "Ada Löve", "email": "ada@example.org"}], "subject": "Schöne Grüße", "header:X-Odd": " as it is"},
        keywords={"$Draft": True},
        receivedAt="2026-01-02T03:04:05Z",
        **TEXT,
    )
    raw = server.account.raw(made["id"])
    assert made == {"id": made["id"], "blobId": made["blobId"], "threadId": made["threadId"], "size": len(raw)}
    assert b"\nX-Odd: as it is\r\n" in raw
    assert raw.replace(b"\r\n", b"").count(b"\n") == 0
    names = ["from", "subject", "messageId", "sentAt", "keywords", "receivedAt", "textBody", "bodyValues"]
    email = peer.one("Email/get", {"ids": [made["id"]], "properties": names, "fetchTextBodyValues": True})["list"][0]
    assert email["from"] == [{"name": "Ada Löve", "email": "ada@example.org"}]
    assert (email["subject"], email["keywords"], email["receivedAt"]) == ("Schöne Grüße", {"$draft": True}, "2026-01-02T03:04:05Z")
    assert email["messageId"]
    assert email["sentAt"]
    assert email["bodyValues"]["1"]["value"] == "Grüße\nund mehr\n"


def test_texts_and_attachments_become_a_tree_of_parts(peer: Peer) -> None:
    blob_id = peer.upload(b"%PDF-1.4\0\xff", "application/pdf")
    made = create(
        peer,
        textBody=[{"partId": "t", "type": "text/plain"}],
        htmlBody=[{"partId": "h", "type": "text/html"}],
        attachments=[{"blobId": blob_id, "type": "application/pdf", "name": "Übersicht.pdf", "cid": "one@x", "size": 3}],
        bodyValues={"t": {"value": "plain"}, "h": {"value": "<b>rich</b>"}},
    )
    wish = {"ids": [made["id"]], "properties": ["bodyStructure", "attachments", "textBody", "htmlBody", "hasAttachment", "preview"]}
    email = peer.one("Email/get", {**wish, "bodyProperties": ["type", "name", "size", "blobId", "subParts", "disposition", "cid"]})
    (email,) = email["list"]
    mixed = email["bodyStructure"]
    assert (mixed["type"], [part["type"] for part in mixed["subParts"]]) == (
        "multipart/mixed",
        ["multipart/alternative", "application/pdf"],
    )
    (attached,) = email["attachments"]
    assert (attached["name"], attached["size"], attached["disposition"]) == ("Übersicht.pdf", 10, "attachment")
    assert (attached["blobId"], attached["cid"]) == (blob_id, "one@x")
    assert ([part["type"] for part in email["textBody"]], [part["type"] for part in email["htmlBody"]]) == (
        ["text/plain"],
        ["text/html"],
    )
    assert (email["hasAttachment"], email["preview"]) == (True, "plain")


@pytest.mark.parametrize(
    ("wish", "properties"),
    [
        ({"mailboxIds": {}}, ["mailboxIds"]),
        ({"mailboxIds": {"nowhere": True}}, ["mailboxIds"]),
        ({"keywords": {"a b": True}}, ["keywords/a b"]),
        ({"receivedAt": "yesterday"}, ["receivedAt"]),
        ({"id": "e1"}, ["id"]),
        ({"size": 5, "preview": "x"}, ["preview", "size"]),
        ({"headers": []}, ["headers"]),
        ({"surprise": 1}, ["surprise"]),
        ({"subject": "x", "header:Subject:asText": "y"}, ["header:Subject:asText"]),
        ({"subject": 5}, ["subject"]),
        ({"from": "ada@example.org"}, ["from"]),
        ({"from": [{"name": "a\r\nBcc: x@example.org", "email": "a@example.org"}]}, ["from"]),
        ({"header:From:asDate": "2026-01-01T00:00:00Z"}, ["header:From:asDate"]),
        ({"header:Content-Type": "text/html"}, ["content-type"]),
        ({"textBody": [{"partId": "1"}], **TEXT}, ["bodyStructure", "textBody"]),
        ({"textBody": [{"partId": "1", "type": "text/html"}]}, ["textBody"]),
        ({"textBody": [{"partId": "1"}, {"partId": "1"}], "bodyValues": TEXT["bodyValues"]}, ["textBody"]),
        ({"bodyStructure": {"partId": "2"}, "bodyValues": {}}, ["bodyStructure/partId"]),
        ({**TEXT, "bodyStructure": {"partId": "1", "charset": "utf-8"}}, ["bodyStructure/partId"]),
        ({**TEXT, "bodyStructure": {"partId": "1", "blobId": "G1"}}, ["bodyStructure/partId"]),
        ({**TEXT, "bodyStructure": {"partId": "1", "surprise": 1}}, ["bodyStructure/surprise"]),
        ({**TEXT, "bodyStructure": {"partId": "1", "header:Content-Transfer-Encoding": "8bit"}}, ["bodyStructure"]),
        ({**TEXT, "subject": "x", "bodyStructure": {"partId": "1", "header:Subject": "y"}}, ["bodyStructure"]),
        ({"bodyStructure": {"type": "multipart/mixed"}}, ["bodyStructure/subParts"]),
        ({"bodyValues": {"1": {"value": "x", "isTruncated": True}}}, ["bodyValues"]),
    ],
)
def test_what_cannot_be_built_names_the_properties_at_fault(peer: Peer, wish: Json, properties: list[str]) -> None:
    before = peer.state()
    error = create(peer, **wish)
    assert (error["type"], error["properties"]) == ("invalidProperties", properties)
    assert peer.state() == before


def test_a_missing_blob_is_named(peer: Peer) -> None:
    assert create(peer, attachments=[{"blobId": "G0", "type": "image/png"}]) == {"type": "blobNotFound", "notFound": ["G0"]}


def test_a_mailbox_that_takes_no_messages_takes_no_built_one(server: DemoServer, peer: Peer) -> None:
    server.account.set_rights("INBOX", mayAddItems=False)
    assert create(peer, **TEXT)["type"] == "forbidden"


def test_attachments_are_no_larger_than_the_session_says(server: DemoServer, peer: Peer) -> None:
    blob_id = peer.upload(b"x" * 100, "image/png")
    server.limits.max_size_upload = 50
    assert create(peer, attachments=[{"blobId": blob_id, "type": "image/png"}])["type"] == "tooLarge"


def test_a_built_message_can_be_named_by_its_creation_id(peer: Peer) -> None:
    wish = {"mailboxIds": {"#box": True}, **TEXT}
    _, made, found = peer.call(
        [
            ("Mailbox/set", {"create": {"box": {"name": "New"}}}),
            ("Email/set", {"create": {"new": wish}}),
            ("Email/get", {"ids": ["#new"], "properties": ["id"]}),
        ]
    )
    assert found["list"] == [{"id": made["created"]["new"]["id"]}]


def test_a_message_inside_of_a_message_keeps_its_bytes(server: DemoServer, peer: Peer) -> None:
    inner = message("inner with é")
    blob_id = peer.upload(inner, "message/rfc822")
    made = create(peer, bodyStructure={"type": "multipart/mixed", "subParts": [{"type": "message/rfc822", "blobId": blob_id}]})
    assert inner in server.account.raw(made["id"])
    (email,) = peer.one("Email/get", {"ids": [made["id"]], "properties": ["attachments"]})["list"]
    assert peer.download(email["attachments"][0]["blobId"]) == inner
