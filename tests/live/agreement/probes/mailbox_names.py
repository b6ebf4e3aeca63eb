"""Names of mailboxes: what is refused and what is made of them (RFC 8621, section 2)."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

from tests.live.agreement.probes import key_of, script

if TYPE_CHECKING:
    from tests.live.agreement.account import Account

_NAMES = {
    "empty": "",
    "a blank": " ",
    "blanks around": " around ",
    "a slash": "a/b",
    "a slash in front": "/front",
    "a dot": "a.b",
    "dots alone": "..",
    "a dot alone": ".",
    "a tilde in front": "~home",
    "a backslash": "a\\b",
    "a percent sign": "a%b",
    "an asterisk": "a*b",
    "quotes": "a\"b'c",
    "an ampersand": "a&b",
    "an exclamation mark": "a!b",
    "a caret": "a^b",
    "a hash in front": "#hash",
    "braces": "a{b}c",
    "a tab": "a\tb",
    "a line end": "a\nb",
    "NUL": "a\0b",
    "DEL": "a\x7fb",
    "a control character of Latin-1": "a\x85b",
    "a lone control character": "\x01",
    "umlauts": "Entwürfe ß",
    "umlauts apart": "Entwu\u0308rfe NFD",
    "an emoji": "Post \N{OPEN MAILBOX WITH RAISED FLAG}",
    "a line separator": "a\u2028b",
    "right to left": "\u202eevil",
    "a zero-width joiner": "a\u200db",
    "no character": "a\ufffeb",
    "INBOX": "INBOX",
    "Inbox": "Inbox",
    "inbox": "inbox",
    "DELETED": "DELETED",
    "user": "user",
    "Other Users": "Other Users",
    "modified UTF-7": "&APw-ber",
    "200 characters": "x" * 200,
    "255 octets": "y" * 255,
    "256 octets": "z" * 256,
    "490 octets": "u" * 490,
    "491 octets": "v" * 491,
    "1,000 characters": "w" * 1000,
    "200 umlauts": "ü" * 200,
}


@script()
def mailbox_names(a: Account) -> None:
    a.box("inbox")
    a.record("each sign of ASCII", {sign: _outcome(a, f"p{sign}q") for sign in string.punctuation})
    a.record("lengths that are kept", {length: _outcome(a, "n" * length) for length in (400, 460, 480, 485, 520)})
    for label, name in _NAMES.items():
        response = a.send([("Mailbox/set", {"create": {key_of(label): {"name": name}}})])
        if not response.is_success:
            a.record(label, a.reported(response))
            continue
        answer = response.json()["methodResponses"][0][1]
        if not answer.get("created"):
            a.record(label, answer.get("notCreated"))
            continue
        a.names.name_created(answer)
        box = answer["created"][key_of(label)]["id"]
        (kept,) = a.call("Mailbox/get", ids=[box], properties=["name", "parentId", "role"])["list"]
        a.record(label, ["kept", kept["name"] if kept["name"] != name else "as it is", kept.get("parentId"), kept.get("role")])
        a.call("Mailbox/set", destroy=[box])


def _outcome(a: Account, name: str) -> object:
    """Return what is made of a mailbox's name: its SetError, or the name that is kept, where that is another."""
    answer = a.call("Mailbox/set", create={"x": {"name": name}})
    if not answer.get("created"):
        return answer["notCreated"]["x"]["type"]
    box = answer["created"]["x"]["id"]
    kept = a.call("Mailbox/get", ids=[box], properties=["name"])["list"][0]["name"]
    a.call("Mailbox/set", destroy=[box])
    return "kept" if kept == name else kept
