"""Blob/get and Blob/upload, of RFC 9404 or of Cyrus before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.live.agreement.account import BLOB, CORE
from tests.live.agreement.probes import script

if TYPE_CHECKING:
    from tests.live.agreement.account import Account


@script()
def blob_get(a: Account) -> None:
    a.box("inbox")
    text = a.upload(b"hello, world", "text/plain", "text")
    octets = a.upload(b"\xff\xfe\x00x", "application/octet-stream", "octets")
    a.upload(b"", "application/octet-stream", "empty")
    mail = a.deliver("mail")
    blob = a.call("Email/get", ids=[mail], properties=["blobId"])["list"][0]["blobId"]
    a.ask("a text", ("Blob/get", {"ids": [text]}))
    a.ask("octets", ("Blob/get", {"ids": [octets]}))
    a.ask("a message", ("Blob/get", {"ids": [blob], "properties": ["data:asBase64", "size"]}))
    for name in (
        "data",
        "data:asText",
        "data:asBase64",
        "size",
        "id",
        "digest:sha",
        "digest:sha-256",
        "digest:md5",
        "digest:none",
        "shoeSize",
    ):
        a.ask(f"{name} of octets", ("Blob/get", {"ids": [octets], "properties": [name]}))
    a.ask("no properties", ("Blob/get", {"ids": [text], "properties": []}))
    a.ask("an unknown blob", ("Blob/get", {"ids": ["nobody", text], "properties": ["size"]}))
    a.ask("a blob twice", ("Blob/get", {"ids": [text, text], "properties": ["size"]}))
    a.ask("no ids", ("Blob/get", {"ids": []}))
    a.ask("ids null", ("Blob/get", {"ids": None}))
    a.ask("a part", ("Blob/get", {"ids": [text], "offset": 2, "length": 3}))
    a.ask("a part past the end", ("Blob/get", {"ids": [text], "offset": 8, "length": 30}))
    a.ask("from past the end", ("Blob/get", {"ids": [text], "offset": 80}))
    a.ask("a part below 0", ("Blob/get", {"ids": [text], "offset": -1}))
    a.ask("an unknown argument", ("Blob/get", {"ids": [text], "shoeSize": 1}))
    a.ask(
        "ids of emails",
        ("Email/get", {"ids": [mail], "properties": ["blobId"]}),
        ("Blob/get", {"#ids": {"resultOf": "0", "name": "Email/get", "path": "/list/*/blobId"}, "properties": ["size"]}),
    )


@script(needs=BLOB)
def blob_upload(a: Account) -> None:
    one = a.upload(b"hello, world", "text/plain", "one")
    a.ask("a text", ("Blob/upload", {"create": {"t": {"data": [{"data:asText": "hällo"}], "type": "text/plain"}}}))
    a.ask(
        "what there is then", ("Blob/upload", {"create": {"t1": {"data": [{"data:asText": "x"}]}}}), ("Blob/get", {"ids": ["#t1"]})
    )
    a.ask("octets", ("Blob/upload", {"create": {"o": {"data": [{"data:asBase64": "//4="}]}}}))
    a.ask("Base64 that is none", ("Blob/upload", {"create": {"b": {"data": [{"data:asBase64": "%%"}]}}}))
    a.ask(
        "parts",
        (
            "Blob/upload",
            {"create": {"p": {"data": [{"data:asText": "a"}, {"blobId": one, "offset": 0, "length": 5}, {"data:asText": "z"}]}}},
        ),
    )
    a.ask("an unknown blob", ("Blob/upload", {"create": {"u": {"data": [{"blobId": "nobody"}]}}}))
    a.ask("no data", ("Blob/upload", {"create": {"n": {"data": []}}}))
    a.ask("data missing", ("Blob/upload", {"create": {"m": {}}}))
    a.ask("too much", ("Blob/upload", {"create": {"x": {"data": [{"data:asText": "x" * 5_000_000}]}}}))
    a.ask("4,097 octets", ("Blob/upload", {"create": {"x4097": {"data": [{"data:asText": "x" * 4097}]}}}))
    a.ask("parts past the end", ("Blob/upload", {"create": {"e": {"data": [{"blobId": one, "offset": 5, "length": 50}]}}}))
    a.ask("an unknown property", ("Blob/upload", {"create": {"s": {"data": [{"data:asText": "s"}], "shoeSize": 1}}}))


@script()
def limits(a: Account) -> None:
    a.box("inbox")
    core = a.session["capabilities"][CORE]
    many = core["maxObjectsInSet"] + 1
    if many <= 10_001:
        a.ask("too many to create", ("Mailbox/set", {"create": {f"k{number}": {"name": ""} for number in range(many)}}))
        a.ask(
            "too many to import",
            (
                "Email/import",
                {
                    "emails": {
                        f"k{number}": {
                            "blobId": "nobody",
                            "mailboxIds": {"nobody": True},
                            "keywords": {"$seen": True},
                            "receivedAt": "2026-01-01T00:00:00Z",
                        }
                        for number in range(many)
                    }
                },
            ),
        )
    many = core["maxObjectsInGet"] + 1
    if many <= 10_001:
        ids = [f"nobody{number}" for number in range(many)]
        a.ask("too many mailboxes to get", ("Mailbox/get", {"ids": ids}))
        a.ask("too many threads to get", ("Thread/get", {"ids": ids}))
        a.ask("too many in the second call", ("Core/echo", {"first": True}), ("Mailbox/get", {"ids": ids}))
    boxes = {a.create_box(f"box{number:02}"): True for number in range(25)}
    mail = a.deliver("mail")
    a.ask("in 25 mailboxes", ("Email/set", {"update": {mail: {"mailboxIds": boxes}}}))
