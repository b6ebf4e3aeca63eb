"""How messages read: header fields in their forms, body parts, texts, `Email/parse` (RFC 8621, sections 4.1, 4.2 and 4.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.demo.message.headers import as_addresses, as_date, as_groups, as_text, split_fields
from jmapsync.demo.message.parts import read_message

if TYPE_CHECKING:
    from jmapsync.demo import DemoServer
    from tests.contract.peer import Peer
    from tests.live.jmapraw import Json

PLAIN = (
    b"From: =?utf-8?q?Ada_L=C3=B6ve?= <ada@example.org>\r\nTo: Friends: bob@example.org,\r\n eve@example.org;, sam@example.org\r\n"
    b"Subject: =?utf-8?b?U2Now7Zu?= and\r\n folded\r\nDate: Mon, 02 Nov 2026 08:00:00 +0100\r\nMessage-ID: <1@x>\r\n"
    b"References: <0@x>\r\n <00@x>\r\nReceived: one\r\nReceived: two\r\nList-Unsubscribe: <mailto:a@b>, <https://x/\r\n y>\r\n"
    b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe\r\nzwei\r\n"
)


def get(peer: Peer, raw: bytes, *names: str, **arguments: Any) -> Json:  # noqa: ANN401 # any argument
    email_id = peer.deliver(raw)
    (email,) = peer.one("Email/get", {"ids": [email_id], "properties": list(names), **arguments})["list"]
    return {name: value for name, value in email.items() if name != "id"}


def test_header_fields_have_forms(peer: Peer) -> None:
    expected: Json = {
        "from": [{"name": "Ada Löve", "email": "ada@example.org"}],
        "to": [{"name": None, "email": f"{name}@example.org"} for name in ("bob", "eve", "sam")],
        "header:To:asGroupedAddresses": [
            {"name": "Friends", "addresses": [{"name": None, "email": f"{name}@example.org"} for name in ("bob", "eve")]},
            {"name": None, "addresses": [{"name": None, "email": "sam@example.org"}]},
        ],
        "subject": "Schön and folded",
        "header:subject": " =?utf-8?b?U2Now7Zu?= and\r\n folded",
        "sentAt": "2026-11-02T08:00:00+01:00",
        "messageId": ["1@x"],
        "references": ["0@x", "00@x"],
        "inReplyTo": None,
        "bcc": None,
        "header:Received:all": [" one", " two"],
        "header:Received": " two",
        "header:X-None:all": [],
        "header:List-Unsubscribe:asURLs": ["mailto:a@b", "https://x/y"],
    }
    assert get(peer, PLAIN, *expected) == expected


@pytest.mark.parametrize(
    "name", ["header:From:asDate", "header:Subject:asAddresses", "header:", "header:a b", "header:X:asOdd", "odd"]
)
def test_forms_that_a_field_has_not_are_refused(peer: Peer, name: str) -> None:
    assert peer.error("Email/get", {"ids": [], "properties": [name]}) == "invalidArguments"
    assert peer.error("Email/get", {"ids": [], "bodyProperties": [name]}) == "invalidArguments"


def test_texts_are_decoded_and_cut_between_characters(peer: Peer) -> None:
    whole = get(peer, PLAIN, "bodyValues", "preview", "hasAttachment", fetchAllBodyValues=True)
    assert whole["bodyValues"] == {"1": {"value": "Grüße\nzwei\n", "isEncodingProblem": False, "isTruncated": False}}
    assert (whole["preview"], whole["hasAttachment"]) == ("Grüße zwei", False)
    cut = get(peer, PLAIN + b"more", "bodyValues", fetchTextBodyValues=True, maxBodyValueBytes=3)
    assert cut["bodyValues"]["1"]["value"] == "Gr"
    assert cut["bodyValues"]["1"]["isTruncated"]


def test_no_texts_come_that_were_not_asked_for(peer: Peer) -> None:
    assert get(peer, PLAIN, "bodyValues") == {"bodyValues": {}}


def test_what_is_given_by_default_is_what_the_rfc_says(server: DemoServer, peer: Peer) -> None:
    server.account.deliver(PLAIN)
    (email,) = peer.one("Email/get", {"ids": None})["list"]
    assert email.keys() == {
        *("id", "blobId", "threadId", "mailboxIds", "keywords", "size", "receivedAt", "messageId", "inReplyTo", "references"),
        *("sender", "from", "to", "cc", "bcc", "replyTo", "subject", "sentAt", "hasAttachment", "preview", "bodyValues"),
        *("textBody", "htmlBody", "attachments"),
    }
    assert email["textBody"][0].keys() == {
        *("partId", "blobId", "size", "name", "type", "charset", "disposition", "cid", "language", "location"),
    }


def multipart(kind: str, *parts: bytes) -> bytes:
    body = b"".join(b"--b%d\r\n%b\r\n" % (len(parts), part) for part in parts)
    return b"Content-Type: multipart/%b; boundary=b%d\r\n\r\n%b--b%d--\r\n" % (kind.encode(), len(parts), body, len(parts))


def leaf(kind: str, extra: bytes = b"", body: bytes = b"x") -> bytes:
    return b"Content-Type: %b\r\n%b\r\n%b" % (kind.encode(), extra, body)


@pytest.mark.parametrize(
    ("raw", "text", "html", "attachments"),
    [
        (multipart("alternative", leaf("text/plain"), leaf("text/html")), ["1"], ["2"], []),
        (multipart("mixed", leaf("text/html"), leaf("application/pdf"), leaf("text/plain")), ["1", "3"], ["1", "3"], ["2"]),
        (multipart("mixed", leaf("text/plain"), leaf("text/plain; name=a.txt")), ["1"], ["1"], ["2"]),
        (multipart("related", leaf("text/html"), leaf("image/png", b"Content-ID: <a@b>\r\n")), ["1"], ["1"], ["2"]),
        (
            multipart(
                "alternative", leaf("text/plain"), multipart("mixed", leaf("text/html"), leaf("image/png"), leaf("text/html"))
            ),
            ["1"],
            ["2", "3", "4"],
            ["3"],
        ),
        (multipart("alternative", leaf("text/html")), ["1"], ["1"], []),
        (leaf("image/png"), ["1"], ["1"], []),
        (leaf("application/pdf"), [], [], ["1"]),
        (leaf("multipart/mixed; boundary=none"), [], [], []),
        (leaf("multipart/mixed"), [], [], []),
    ],
)
def test_parts_are_sorted_as_the_rfc_s_algorithm_does(raw: bytes, text: list[str], html: list[str], attachments: list[str]) -> None:
    body = read_message(raw)
    found = [[part.part_id for part in parts] for parts in (body.text, body.html, body.attachments)]
    assert found == [text, html, attachments]


def test_parts_can_be_downloaded(peer: Peer) -> None:
    raw = multipart("mixed", leaf("text/plain"), leaf("image/png", b"Content-Transfer-Encoding: base64\r\n", b"AAEC\r\n"))
    _, part = get(peer, raw, "textBody")["textBody"]
    assert (part["size"], peer.download(part["blobId"])) == (3, b"\0\1\2")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n\r\n",
        b"no header",
        b"Subject: \xff\xfe\r\nDate: nonsense\r\nFrom: @@\r\nTo: ::;;\r\n\r\n\xff",
        b"Content-Disposition: attachment; filename*0=a; filename*=b; filename=c\r\nSubject: =?u\xfct8?q?a?=\r\n\r\nx",
        b"Date: Mon, 99 Nov 99999999999999999999 08:00:00 +99999999999999\r\n\r\nx",
        b"Content-Type: text/plain; charset=none-such\r\nContent-Transfer-Encoding: base64\r\n\r\n*",
        multipart("mixed", *[multipart("mixed", leaf("text/plain"))] * 3)[:-40],
    ],
)
def test_odd_messages_can_be_read(raw: bytes) -> None:
    body = read_message(raw)
    assert len(body.preview()) <= 256
    fields = split_fields(raw.partition(b"\r\n\r\n")[0])
    for _, value in fields:
        assert isinstance(as_text(value), str)
        assert isinstance(as_addresses(value), list)
        assert isinstance(as_groups(value), list)
        as_date(value)


def test_messages_can_be_read_before_they_are_imported(peer: Peer) -> None:
    good, bad = peer.upload(PLAIN, "message/rfc822"), peer.upload(b"just text", "text/plain")
    answer = peer.one("Email/parse", {"blobIds": [good, bad, "Gno"], "properties": ["id", "blobId", "size", "subject", "keywords"]})
    assert answer["parsed"] == {
        good: {"id": None, "blobId": good, "size": len(PLAIN), "subject": "Schön and folded", "keywords": None}
    }
    assert (answer["notParsable"], answer["notFound"]) == ([bad], ["Gno"])
