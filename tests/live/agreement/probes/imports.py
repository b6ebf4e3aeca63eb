"""Email/import: duplicates, properties, malformed bytes, keywords (RFC 8621, sections 4.1.1 and 4.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.live.agreement.probes import script

if TYPE_CHECKING:
    from tests.live.agreement.account import Account

_SHOWN = ["blobId", "threadId", "mailboxIds", "keywords", "size", "receivedAt"]
_DATE = "2026-01-02T03:04:05Z"


def _wish(a: Account, **more: Any) -> dict[str, Any]:  # noqa: ANN401 # properties of any type
    """Return what every server takes, with something else in it; None takes a property out."""
    whole = {"mailboxIds": {a.box("inbox"): True}, "keywords": {"$seen": True}, "receivedAt": _DATE, **more}
    return {name: one for name, one in whole.items() if one is not None}


@script()
def imports(a: Account) -> None:
    inbox, archive = a.box("inbox"), a.box("archive")
    blob = a.upload(a.message(), name="upload")
    before = a.state()
    a.ask(
        "import",
        ("Email/import", {"emails": {"one": _wish(a, blobId=blob)}}),
        ("Email/get", {"ids": ["#one"], "properties": _SHOWN}),
    )
    a.ask("changes of it", ("Email/changes", {"sinceState": before}))
    a.ask("again", ("Email/import", {"emails": {"two": _wish(a, blobId=blob)}}))
    a.ask("again into another mailbox", ("Email/import", {"emails": {"three": _wish(a, blobId=blob, mailboxIds={archive: True})}}))
    a.record("how many there are then", len(a.call("Email/query")["ids"]))
    blob = a.upload(a.message(), name="upload2")
    a.ask(
        "into two mailboxes",
        ("Email/import", {"emails": {"both": _wish(a, blobId=blob, mailboxIds={inbox: True, archive: True})}}),
        ("Email/get", {"ids": ["#both"], "properties": _SHOWN}),
    )
    blob = a.upload(a.message(), name="upload3")
    a.ask("one blob twice in one call", ("Email/import", {"emails": {"t1": _wish(a, blobId=blob), "t2": _wish(a, blobId=blob)}}))
    mail = a.deliver("destroyed", content=a.message(number=900))
    a.call("Email/set", destroy=[mail])
    blob = a.upload(a.message(number=900), name="upload4")
    a.ask("again after it was destroyed", ("Email/import", {"emails": {"reborn": _wish(a, blobId=blob)}}))
    source = a.deliver("source")
    (reported,) = a.call("Email/get", ids=[source], properties=["blobId"])["list"]
    a.call("Email/set", destroy=[source])
    a.ask(
        "of the blob of a message that is destroyed", ("Email/import", {"emails": {"ghost": _wish(a, blobId=reported["blobId"])}})
    )
    blob = a.upload(a.message(), name="upload5")
    state = a.state()
    a.ask("ifInState that is", ("Email/import", {"ifInState": state, "emails": {"s": _wish(a, blobId=blob)}}))
    a.ask("ifInState that is not", ("Email/import", {"ifInState": before, "emails": {"s2": _wish(a, blobId=blob)}}))
    a.ask("of nothing", ("Email/import", {"emails": {}}))
    a.ask("without emails", ("Email/import", {}))
    a.ask("with emails null", ("Email/import", {"emails": None}))
    a.ask(
        "one good and one bad",
        ("Email/import", {"emails": {"good": _wish(a, blobId=a.upload(a.message())), "bad": _wish(a, blobId="nobody")}}),
    )


@script()
def import_properties(a: Account) -> None:
    archive = a.box("archive")

    def attempt(label: str, number: int, **more: Any) -> None:  # noqa: ANN401
        wish = _wish(a, **{"blobId": a.upload(a.message(number=number)), **more})
        a.ask(
            label,
            ("Email/import", {"emails": {f"n{number}": wish}}),
            ("Email/get", {"ids": [f"#n{number}"], "properties": ["mailboxIds", "keywords", "receivedAt"]}),
        )

    attempt("no receivedAt", 1, receivedAt=None)
    attempt("receivedAt with a fraction", 2, receivedAt="2026-01-02T03:04:05.678Z")
    attempt("receivedAt with an offset", 3, receivedAt="2026-01-02T03:04:05+01:00")
    attempt("receivedAt without a time", 4, receivedAt="2026-01-02")
    attempt("receivedAt of 1970", 5, receivedAt="1970-01-01T00:00:00Z")
    attempt("receivedAt before 1970", 6, receivedAt="1960-01-01T00:00:00Z")
    attempt("receivedAt of 2100", 7, receivedAt="2100-01-01T00:00:00Z")
    attempt("receivedAt that is a number", 8, receivedAt=7)
    attempt("no mailboxes", 9, mailboxIds=None)
    attempt("mailboxes empty", 10, mailboxIds={})
    attempt("an unknown mailbox", 11, mailboxIds={"nobody": True})
    attempt("a mailbox that is false", 12, mailboxIds={archive: False})
    attempt("mailboxes as a list", 13, mailboxIds=[archive])
    attempt("no blob", 14, blobId=None)
    attempt("an unknown blob", 15, blobId="G" + "0" * 40)
    attempt("a blob that is a number", 16, blobId=7)
    attempt("an unknown property", 17, shoeSize=44)
    attempt("no keywords", 18, keywords=None)
    attempt("keywords empty", 19, keywords={})
    attempt("keywords as a list", 20, keywords=["$seen"])
    attempt("a keyword that is false", 21, keywords={"$seen": False})
    attempt("a keyword that is 1", 22, keywords={"$seen": 1})


@script()
def keywords(a: Account) -> None:
    names = {
        "capitals": "ToDo",
        "system in capitals": "$SEEN",
        "a blank": "a b",
        "a parenthesis": "a(b",
        "a brace": "a{b",
        "a bracket": "a]b",
        "an opening bracket": "a[b",
        "a percent sign": "a%b",
        "an asterisk": "a*b",
        "a quote": 'a"b',
        "a backslash": "a\\b",
        "a backslash in front": "\\Seen",
        "a slash": "a/b",
        "a tilde": "a~b",
        "an umlaut": "grün",
        "an emoji": "\N{PARTY POPPER}",
        "a control character": "a\x01b",
        "empty": "",
        "punctuation": "!#&'+,-.:;<=>?@^_`|}",
        "a dollar sign alone": "$",
        "Forwarded": "$Forwarded",
        "MDNSent": "$MDNSent",
        "Recent": "$recent",
        "Deleted": "$deleted",
        "Draft": "$draft",
        "Junk": "$Junk",
        "255 characters": "k" * 255,
        "256 characters": "k" * 256,
    }
    a.box("inbox")
    for number, (label, keyword) in enumerate(names.items(), start=1):
        wish = _wish(a, blobId=a.upload(a.message(number=number)), keywords={"$flagged": True, keyword: True})
        a.ask(
            f"import with {label}",
            ("Email/import", {"emails": {f"n{number}": wish}}),
            ("Email/get", {"ids": [f"#n{number}"], "properties": ["keywords"]}),
        )
    for number, (label, keyword) in enumerate(names.items(), start=100):
        mail = a.deliver(f"u{number}", content=a.message(number=number))
        path = "keywords/" + keyword.replace("~", "~0").replace("/", "~1")
        a.ask(
            f"patch with {label}",
            ("Email/set", {"update": {mail: {path: True}}}),
            ("Email/get", {"ids": [mail], "properties": ["keywords"]}),
        )
    many = {f"k{number:03}": True for number in range(150)}
    a.ask(
        "150 of them",
        ("Email/import", {"emails": {"many": _wish(a, blobId=a.upload(a.message(number=300)), keywords=many)}}),
        ("Email/get", {"ids": ["#many"], "properties": ["keywords"]}),
    )
    mail = a.deliver("grown", content=a.message(number=400))
    a.ask("150 by an update", ("Email/set", {"update": {mail: {"keywords": many}}}))


_CONTENTS = {
    "bare LF": b"Subject: x\n\nbare LF\n",
    "bare LF in the body": b"Subject: x\r\n\r\na\nb\r\n",
    "bare CR in the body": b"Subject: x\r\n\r\na\rb\r\n",
    "bare CR in the header": b"Subject: x\ry\r\n\r\nb\r\n",
    "NUL in the body": b"Subject: x\r\n\r\na\0b\r\n",
    "NUL in the header": b"Subject: a\0b\r\n\r\nb\r\n",
    "no header": b"just text\r\nand more\r\n",
    "a broken header line": b"Subject: x\r\nthis is no header\r\n\r\nbody\r\n",
    "a header line with a blank before the colon": b"Subject : x\r\n\r\nbody\r\n",
    "a header name with 8 bits": b"S\xfcbject: x\r\n\r\nbody\r\n",
    "an empty header name": b": x\r\n\r\nbody\r\n",
    "a continuation first": b" x\r\nSubject: x\r\n\r\nbody\r\n",
    "an empty header": b"\r\nonly a body\r\n",
    "nothing": b"",
    "a line end": b"\r\n",
    "the line of an mbox": b"From ada@example.org Mon Nov  2 08:00:00 2026\r\nSubject: x\r\n\r\nmbox\r\n",
    "the line of an mbox, quoted": b">From ada@example.org Mon Nov  2 08:00:00 2026\r\nSubject: x\r\n\r\nmbox\r\n",
    "no body": b"Subject: no body\r\n",
    "no body but the blank line": b"Subject: no body\r\n\r\n",
    "no line end at all": b"Subject: no end",
    "no line end at the end": b"Subject: x\r\n\r\nbody",
    "a long header line": b"Subject: " + b"x" * 70_000 + b"\r\n\r\nlong\r\n",
    "many header lines": b"".join(b"X-%d: y\r\n" % number for number in range(2_000)) + b"\r\nmany\r\n",
    "an 8-bit header": b"Subject: Gr\xfc\xdfe\r\n\r\nbody \xfc\r\n",
    "a UTF-8 header": "Subject: Grüße\r\n\r\nbody\r\n".encode(),
    "an 8-bit body": b"Subject: x\r\n\r\n\xff\xfe\r\n",
    "a long body line": b"Subject: x\r\n\r\n" + b"y" * 20_000 + b"\r\n",
    "no From and no Date": b"X: y\r\n\r\nz\r\n",
}


@script()
def malformed_messages(a: Account) -> None:
    a.box("inbox")
    for number, (label, content) in enumerate(_CONTENTS.items()):
        for kind in ("message/rfc822", "application/octet-stream"):
            if kind != "message/rfc822" and not label.endswith(("header", "header line")):
                continue
            response = a.post_blob(content, kind)
            if not response.is_success:
                a.record(f"{label}, {kind}", response.status_code)
                continue
            blob = response.json()["blobId"]
            key = f"n{number}{kind[0]}"
            answer = a.call("Email/import", emails={key: _wish(a, blobId=blob)})
            if (error := (answer.get("notCreated") or {}).get(key)) is not None:
                a.record(f"{label}, {kind}", error)
                continue
            made = answer["created"][key]
            stored = a.download(made["blobId"]).content
            a.record(
                f"{label}, {kind}",
                {
                    "size": made["size"],
                    "stored": "as it is" if stored == content else repr(stored[:80]),
                    "blob of the upload": blob == made["blobId"],
                },
            )
            a.call("Email/set", destroy=[made["id"]])
