"""Read the header fields of a message in the forms of RFC 8621, section 4.1.2."""

from __future__ import annotations

import email.errors
import email.header
import email.utils
import re
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.demo.problems import JsonObject

Fields = list[tuple[str, str]]
"""Header fields in order: the name, and the value as it stands, its folding included."""

_FOLD = re.compile(r"\r\n(?=[ \t])")
_URL = re.compile(r"<([^<>]*)>")
_MESSAGE_ID = re.compile(r"<([^<>\s]+)>")
_NAME = re.compile(r"[\x21-\x39\x3b-\x7e]+")
_ADDRESSES = ("From", "Sender", "Reply-To", "To", "Cc", "Bcc")
_IDS = ("Message-ID", "In-Reply-To", "References", "Resent-Message-ID")
_LISTS = ("List-Help", "List-Unsubscribe", "List-Subscribe", "List-Post", "List-Owner", "List-Archive")

CONVENIENT = {
    "messageId": "header:Message-ID:asMessageIds",
    "inReplyTo": "header:In-Reply-To:asMessageIds",
    "references": "header:References:asMessageIds",
    "sender": "header:Sender:asAddresses",
    "from": "header:From:asAddresses",
    "to": "header:To:asAddresses",
    "cc": "header:Cc:asAddresses",
    "bcc": "header:Bcc:asAddresses",
    "replyTo": "header:Reply-To:asAddresses",
    "subject": "header:Subject:asText",
    "sentAt": "header:Date:asDate",
}
"""The properties that stand for a header field in a form (section 4.1.3)."""


def split_fields(header: bytes) -> Fields:
    """Return the fields of a header block; a line that begins none continues the one before it."""
    fields: Fields = []
    for line in header.decode("utf-8", "replace").replace("\0", "").split("\r\n"):
        name, colon, value = line.partition(":")
        name = name.rstrip(" \t")
        if colon and not line.startswith((" ", "\t")) and _NAME.fullmatch(name):
            fields.append((name, value))
        elif fields and line.startswith((" ", "\t")):
            fields[-1] = (fields[-1][0], f"{fields[-1][1]}\r\n{line}")
    return fields


def as_text(raw: str) -> str:
    """Return a value unfolded, its encoded words decoded, without blanks around it, in NFC."""
    return unicodedata.normalize("NFC", _decoded(_FOLD.sub("", raw).strip()))


def as_addresses(raw: str) -> list[JsonObject]:
    """Return the addresses of a value, groups or not."""
    return [address for group in as_groups(raw) for address in group["addresses"]]


def as_groups(raw: str) -> list[JsonObject]:
    """Return the addresses of a value in their groups; those outside of any have a group without a name."""
    groups: list[JsonObject] = []
    for name, text in _split_groups(_FOLD.sub("", raw)):
        pairs = email.utils.getaddresses([text])
        addresses = [{"name": _decoded(shown) or None, "email": address} for shown, address in pairs if shown or address]
        if addresses or name is not None:
            groups.append({"name": name, "addresses": addresses})
    return groups


def as_message_ids(raw: str) -> list[str] | None:
    """Return the message ids of a value without their angle brackets; None without any."""
    return _MESSAGE_ID.findall(raw) or [part.strip("<>") for part in raw.split()] or None


def as_date(raw: str) -> str | None:
    """Return the date of a value; None if it is not a date."""
    try:
        moment = email.utils.parsedate_to_datetime(_FOLD.sub("", raw).strip())
    except (OverflowError, ValueError):
        return None
    text = moment.isoformat()
    return text.removesuffix("+00:00") + "Z" if moment.tzinfo is None or text.endswith("+00:00") else text


def as_urls(raw: str) -> list[str] | None:
    """Return the URLs in angle brackets of a value; None without any."""
    return ["".join(url.split()) for url in _URL.findall(raw)] or None


FORMS: dict[str, Callable[[str], Any]] = {
    "asRaw": lambda raw: raw,
    "asText": as_text,
    "asAddresses": as_addresses,
    "asGroupedAddresses": as_groups,
    "asMessageIds": as_message_ids,
    "asDate": as_date,
    "asURLs": as_urls,
}
_FORMS_OF: dict[str, frozenset[str]] = {
    **{name.lower(): frozenset({"asAddresses", "asGroupedAddresses"}) for name in _ADDRESSES},
    **{f"resent-{name.lower()}": frozenset({"asAddresses", "asGroupedAddresses"}) for name in _ADDRESSES},
    **{name.lower(): frozenset({"asMessageIds"}) for name in _IDS},
    **{name.lower(): frozenset({"asText"}) for name in ("Subject", "Comments", "Keywords", "List-Id")},
    **{name.lower(): frozenset({"asURLs"}) for name in _LISTS},
    "date": frozenset({"asDate"}),
    "resent-date": frozenset({"asDate"}),
    "return-path": frozenset(),
    "received": frozenset(),
}
"""The forms, besides `asRaw`, of the fields that RFC 5322 and RFC 2369 define; others may be asked for in any form."""


def split_property(name: str) -> tuple[str, str, bool]:
    """Return the field, the form, and whether all fields of the name are asked for, of a `header:...` property.

    Raise ValueError for an invalid name, or a form that the field does not have.
    """
    field, *rest = name.removeprefix("header:").split(":")
    every = bool(rest) and rest[-1] == "all"
    rest = rest[:-1] if every else rest
    form = rest[0] if rest else "asRaw"
    known = _FORMS_OF.get(field.lower())
    if not _NAME.fullmatch(field) or len(rest) > 1 or form not in FORMS or (known is not None and form not in {"asRaw", *known}):
        raise ValueError(f"There is no property {name!r}.")
    return field, form, every


def read_property(fields: Fields, name: str) -> Any:  # noqa: ANN401 # any JSON value
    """Return a `header:...` property: the last field of the name in a form, or all of them."""
    field, form, every = split_property(name)
    values = [FORMS[form](value) for own, value in fields if own.lower() == field.lower()]
    return values if every else values[-1] if values else None


def _decoded(text: str) -> str:
    """Return text with its encoded words (RFC 2047) decoded; as it is where they are unsound."""
    if "=?" not in text:
        return text
    try:
        return str(email.header.make_header(email.header.decode_header(text)))
    except (LookupError, ValueError, email.errors.MessageError):
        return text


def _split_groups(text: str) -> list[tuple[str | None, str]]:
    """Return the parts of an address list with the name of the group each is, None for what is in none."""
    parts: list[tuple[str | None, str]] = []
    name: str | None = None
    current, quoted, depth = "", False, 0
    previous = ""
    for sign in text:
        if sign == '"' and previous != "\\" and not depth:
            quoted = not quoted
        depth += {"(": 1, ")": -1}.get(sign, 0) if not quoted else 0
        if sign == ":" and name is None and not quoted and not depth and "<" not in current.rpartition(",")[2]:
            before, _, shown = current.rpartition(",")
            parts.append((None, before))
            name, current = _decoded(shown.strip().strip('"')), ""
        elif sign == ";" and name is not None and not quoted and not depth:
            parts.append((name, current))
            name, current = None, ""
        else:
            current += sign
        previous = sign
    parts.append((name, current))
    return [(group, part.strip().strip(",")) for group, part in parts if group is not None or part.strip(" ,")]
