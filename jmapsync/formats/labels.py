"""Describe messages, cards and calendar entries for users: by subject and sender, by name, by title and date.

The texts come from others; they are escaped when they are printed (`jmapsync.text`).
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST = 80
"""Characters of a subject, a sender or a title."""
HEAD = 1 << 16
"""Octets of a message that are searched for subject and sender."""
_LONGEST_READ = 1000
_FIELD = re.compile(rb"^(subject|from)[ \t]*:[ \t]*((?:[^\r\n]|\r?\n[ \t])*)", re.IGNORECASE | re.MULTILINE)
_END = re.compile(rb"\r?\n\r?\n")


def shown(text: str) -> str:
    """Return the decoded text of a header field without control characters, truncated."""
    import email.errors  # noqa: PLC0415  # the package costs 4 ms, and only problems and conflicts need a label
    import email.header  # noqa: PLC0415

    text = text[:_LONGEST_READ]
    with contextlib.suppress(ValueError, LookupError, email.errors.MessageError):
        text = str(email.header.make_header(email.header.decode_header(text)))
    return cut("".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text))


def cut(text: str) -> str:
    """Return a text truncated to LONGEST characters."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def message_label(subject: str, sender: str) -> str:
    """Return the description of a message with this subject and sender."""
    return (f'"{subject}"' if subject else "a message without a subject") + (f" from {sender}" if sender else "")


def label_of_head(head: bytes) -> str:
    """Return the description of a message that begins with these octets."""
    end = _END.search(head)
    fields: dict[bytes, str] = {}
    for match in _FIELD.finditer(head[: end.start() + 1 if end else len(head)]):
        value = b" ".join(match[2][:_LONGEST_READ].split())
        fields.setdefault(match[1].lower(), shown(value.decode("utf-8", "replace")))
    return message_label(fields.get(b"subject", ""), fields.get(b"from", ""))


def label_of_object(item: Mapping[str, Any]) -> str:
    """Return the name of a card (RFC 9553), or title and date of an event or task (RFC 8984); empty without either."""
    title = _text(item.get("title"))
    moment = next((_text(item.get(name))[:10] for name in ("start", "due") if _text(item.get(name))), "")
    if title or moment:
        return (f'"{cut(title)}"' if title else "an entry without a title") + (f" of {moment}" if moment else "")
    return f'"{cut(name)}"' if (name := _name_of_card(item)) else ""


def _name_of_card(item: Mapping[str, Any]) -> str:
    name = item.get("name")
    if isinstance(name, dict):
        if full := _text(name.get("full")):
            return full
        parts = [_text(part.get("value")) for part in name.get("components") or () if isinstance(part, dict)]
        if any(parts):
            return " ".join(part for part in parts if part)
    for group, key in (("organizations", "name"), ("nicknames", "name"), ("emails", "address"), ("phones", "number")):
        members = item.get(group)
        for member in members.values() if isinstance(members, dict) else ():
            if isinstance(member, dict) and (value := _text(member.get(key))):
                return value
    return ""


def _text(value: object) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""
