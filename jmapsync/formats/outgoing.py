"""Make of what a program hands to sendmail a message that can be sent: its header completed, its envelope known.

The body stays as it is. The header is kept line by line, save that recipients named in secret leave it (Cyrus 3.6 and 3.12
pass `Bcc` on to everybody), and that a missing Date, Message-ID or From is added, as Postfix does for local mail.
"""

from __future__ import annotations

import email.errors
import email.header
import email.utils
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jmapsync.errors import ExitCode, JmapsyncError
from jmapsync.formats.envelope import Envelope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

PIECE = 1 << 16
MOST_HEADER = 1 << 20
"""Octets; a header that is longer is no header."""
_FIELD = re.compile(rb"([\x21-\x39\x3b-\x7e]+)[ \t]*:(.*)", re.DOTALL)
_SECRET = frozenset({"bcc", "resent-bcc", "return-path", "content-length"})
"""What Postfix takes out of every message (its `message_drop_headers`)."""
_WORD = r"[^\s<>@,;:\"\x00-\x1f\x7f\ud800-\udfff]+"
_ADDRESS = re.compile(f"{_WORD}@{_WORD}")
_LONGEST_SUBJECT = 80
_END = frozenset({b".\n", b".\r\n", b"."})


class OutgoingError(JmapsyncError):
    """What is to be sent is no message, or nobody is to get it."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a message as it came: each field with its continuation lines, without the last line's end."""

    fields: tuple[bytes, ...]

    def values(self, *names: str) -> list[str]:
        """Return the values of all fields of these names (in lower case), unfolded, in the order of the names."""
        return [value for name in names for found, value in map(_parsed, self.fields) if found == name]


def pieces_of(read_line: Callable[[int], bytes], *, dot_ends: bool) -> Iterator[bytes]:
    """Yield what is read, a line or a part of a long one at a time; where `dot_ends`, a line with a single dot is the end."""
    fresh = True
    while piece := read_line(PIECE):
        if dot_ends and fresh and piece in _END:
            return
        yield piece
        fresh = piece.endswith(b"\n")


def take_header(pieces: Iterator[bytes]) -> tuple[Header, list[bytes]]:
    """Read the header, and return it with the first piece of the body if that was read too. Raises OutgoingError.

    It ends with an empty line or, as for every sendmail, where a line is no field.
    """
    fields: list[bytes] = []
    size = 0
    for piece in pieces:
        line = piece.removesuffix(b"\n").removesuffix(b"\r")
        size += len(piece)
        if size > MOST_HEADER or (len(piece) == PIECE and not piece.endswith(b"\n") and not line.isspace()):
            raise OutgoingError("The header of the message is too long for one.")
        if not line:
            return Header(tuple(fields)), []
        if line[:1] in b" \t" and fields:
            fields[-1] += b"\r\n" + line
        elif _FIELD.fullmatch(line):
            fields.append(line)
        elif fields or not line.startswith(b"From "):  # the first line of an mbox
            return Header(tuple(fields)), [piece]
    return Header(tuple(fields)), []


def sender_of(header: Header) -> str:
    """Return the address that the message says it is from, or nothing."""
    names = ("resent-from",) if _is_resent(header) else ("sender", "from")
    return next((address for address in _addresses(header.values(*names)) if _ADDRESS.fullmatch(address)), "")


def recipients_of(header: Header) -> list[str]:
    """Return the addresses that the message names as recipients: those of a resending, where it is one."""
    prefix = "resent-" if _is_resent(header) else ""
    return _addresses(header.values(f"{prefix}to", f"{prefix}cc", f"{prefix}bcc"))


def complete(
    header: Header, *, sender: str, recipients: Sequence[str], now: datetime, full_name: str = ""
) -> tuple[bytes, Envelope]:
    """Return the header to send, with CRLF and the empty line after it, and the envelope.

    Raises OutgoingError where an address is none, or where there is no recipient.
    """
    everybody = tuple(dict.fromkeys(address for one in recipients for address in _bare(one)))
    if not everybody:
        raise OutgoingError("The message has no recipients.", advice="Name them, or use -t and name them in its header.")
    if not sender:
        advice = "Use -f ADDRESS, give the message a From, or set address in the account's configuration."
        raise OutgoingError("Nothing says who sends the message.", advice=advice)
    if wrong := [address for address in (sender, *everybody) if not _ADDRESS.fullmatch(address)]:
        raise OutgoingError(f"{', '.join(repr(address) for address in wrong)}: not an address with a domain.")
    told = next((value for value in header.values("message-id") if value), "")
    message_id = told or email.utils.make_msgid(domain=sender.rpartition("@")[2])
    added = []
    if not header.values("from"):
        added.append(f"From: {email.utils.formataddr((full_name, sender))}".encode())
    if not header.values("date"):
        added.append(f"Date: {email.utils.format_datetime(now)}".encode())
    if not told:
        added.append(f"Message-ID: {message_id}".encode())
    kept = [field for field in header.fields if _parsed(field)[0] not in _SECRET and (told or _parsed(field)[0] != "message-id")]
    text = b"".join(field + b"\r\n" for field in (*added, *kept)) + b"\r\n"
    subject = next(iter(header.values("subject")), "")
    return text, Envelope(sender, everybody, _printable(message_id), _shown(subject))


def _parsed(field: bytes) -> tuple[str, str]:
    match = _FIELD.fullmatch(field)
    if match is None:
        return "", ""
    value = match[2].replace(b"\r\n", b"").decode("utf-8", "surrogateescape")
    return match[1].decode("ascii").lower(), value.strip()


def _bare(recipient: str) -> list[str]:
    """Return the addresses that a program named as one recipient, with or without names; what is none, as it is."""
    found = _addresses([recipient]) if recipient.isprintable() else []
    return found if found and all(_ADDRESS.fullmatch(one) for one in found) else [recipient]


def _shown(subject: str) -> str:
    """Return a subject for people: decoded where that is possible, without anything that a terminal would obey."""
    try:
        text = str(email.header.make_header(email.header.decode_header(subject)))
    except (ValueError, LookupError, email.errors.MessageError):
        text = subject
    text = _printable(text)
    return text if len(text) <= _LONGEST_SUBJECT else f"{text[: _LONGEST_SUBJECT - 1]}…"


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _is_resent(header: Header) -> bool:
    return bool(header.values("resent-to", "resent-cc", "resent-bcc"))


def _addresses(values: Iterable[str]) -> list[str]:
    return [address for _, address in email.utils.getaddresses(list(values)) if address]
