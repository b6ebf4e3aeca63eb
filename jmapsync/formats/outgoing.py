"""Complete the header of a message that a program passes to sendmail, and determine its envelope.

The body is unchanged. Header fields are unchanged, except that Bcc is removed (Cyrus 3.6 and 3.12 pass it on to all recipients) and
missing Date, Message-ID and From are added, as Postfix does for local mail. A message that is sent again has a block of Resent
fields for each time, the latest first (RFC 5322, 3.6.6): that block alone names sender and recipients.
"""

from __future__ import annotations

import email.header
import email.utils
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jmapsync.errors import ExitCode, JmapsyncError
from jmapsync.formats.addresses import Named, addresses_in, is_address, with_ascii_domain
from jmapsync.formats.envelope import Envelope, Reports
from jmapsync.formats.labels import cut, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

PIECE = 1 << 16
MOST_HEADER = 1 << 20
"""Octets of a header."""
_FIELD = re.compile(rb"([\x21-\x39\x3b-\x7e]+)[ \t]*:(.*)", re.DOTALL)
_SECRET = frozenset({"bcc", "resent-bcc", "return-path", "content-length"})
"""Fields that Postfix removes from every message (its `message_drop_headers`)."""
_CONTROL = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029]")
_LONGEST_NAME = 300
_MOST_NAMED = 5
"""Invalid addresses listed in one error."""
_END = frozenset({b".\n", b".\r\n", b"."})
_RESENT = "resent-"
_NOTIFY = frozenset({"SUCCESS", "FAILURE", "DELAY"})
_LONGEST_ENVID = 100
"""Characters (RFC 3461, 4.4)."""


class OutgoingError(JmapsyncError):
    """A message that cannot be sent: its header, sender or recipients are invalid."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a message: each field with its continuation lines, without the last line break."""

    fields: tuple[bytes, ...]
    names: tuple[str, ...] = field(init=False)
    """The name of each field, in lower case."""

    def __post_init__(self) -> None:
        """Parse the names."""
        object.__setattr__(self, "names", tuple(_parsed(one)[0] for one in self.fields))

    def values(self, *names: str) -> list[str]:
        """Return the values of all fields of these names (in lower case), unfolded, in the order of the names."""
        return [_parsed(one)[1] for name in names for one, found in zip(self.fields, self.names, strict=True) if found == name]

    def resent(self) -> Header:
        """Return the fields of the latest resending: the first Resent fields, up to another field or the next block's.

        Blocks may follow each other directly: the next one starts where a name repeats, unless the line above has that name too.
        """
        first = next((at for at, name in enumerate(self.names) if name.startswith(_RESENT)), len(self.names))
        last, seen = first, set[str]()
        for name in self.names[first:]:
            if not name.startswith(_RESENT) or (name in seen and name != self.names[last - 1]):
                break
            seen.add(name)
            last += 1
        return Header(self.fields[first:last])


def check_argument(text: str) -> None:
    """Raise OutgoingError for a line break, a NUL or any other control character: it could end a header line or a command."""
    if _CONTROL.search(text):
        raise OutgoingError(f"The argument {_quoted(text)} has a control character; nothing was sent.")


def pieces_of(read_line: Callable[[int], bytes], *, dot_ends: bool) -> Iterator[bytes]:
    """Yield the input by lines, or parts of long ones; with `dot_ends`, a line with a single dot ends it."""
    fresh = True
    while piece := read_line(PIECE):
        if dot_ends and fresh and piece in _END:
            return
        yield piece
        fresh = piece.endswith(b"\n")


def take_header(pieces: Iterator[bytes]) -> tuple[Header, list[bytes]]:
    """Read the header, and return it with the first piece of the body if that was read too. Raise OutgoingError.

    It ends at an empty line or, as in every sendmail, at a line that is not a field.
    """
    fields: list[list[bytes]] = []
    size = 0
    for piece in pieces:
        line = piece.removesuffix(b"\n").removesuffix(b"\r")
        size += len(piece)
        if size > MOST_HEADER or (len(piece) == PIECE and not piece.endswith(b"\n") and not line.isspace()):
            raise OutgoingError("The header of the message is too long.")
        if not line:
            return _header(fields), []
        if line[:1] in b" \t" and fields:
            fields[-1].append(line)
        elif _FIELD.fullmatch(line):
            fields.append([line])
        elif fields or not line.startswith(b"From "):  # the first line of an mbox
            return _header(fields), [piece]
    return _header(fields), []


def _header(fields: list[list[bytes]]) -> Header:
    """Return the header of these fields. Raise OutgoingError for a CR or NUL within a line: servers may end the line there."""
    for lines in fields:
        if any(b"\r" in line or b"\0" in line for line in lines):
            name = _parsed(lines[0])[0]
            raise OutgoingError(f"The header field {name!r} has a CR or NUL inside a line; nothing was sent.")
    return Header(tuple(b"\r\n".join(lines) for lines in fields))


def bare(address: str) -> str:
    """Return an address without the angle brackets that a program may pass around it; the null reverse-path `<>` as it is."""
    return address[1:-1] if len(address) > len("<>") and address[0] == "<" and address[-1] == ">" else address


def sender_of(header: Header) -> str:
    """Return the sender that the message names; empty if it names none, or only a user without a domain.

    Raise OutgoingError if it has a domain and is not a valid address.
    """
    resent = header.resent()
    values = resent.values("resent-sender", "resent-from") if _is_resent(resent) else header.values("sender", "from")
    found = [one for value in values for one in addresses_in(value)]
    wrong = [one.text for one in found if not one.address and "@" in one.text]
    sender = next((one.address for one in found if one.address), "")
    if wrong and not sender:
        raise _refusal(wrong)
    return sender


def recipients_of(header: Header) -> list[str]:
    """Return the recipients that the message names; of a resent message, those of its latest Resent fields.

    Raise OutgoingError if one of them is not a valid address: the message is then sent to nobody.
    """
    resent = header.resent()
    values = resent.values("resent-to", "resent-cc", "resent-bcc") if _is_resent(resent) else header.values("to", "cc", "bcc")
    return _all_addresses([one for value in values for one in addresses_in(value)])


def _recipients_in(arguments: Iterable[str]) -> list[str]:
    """Return the recipients that a program passes, with or without display names. Raise OutgoingError."""
    found: list[Named] = []
    for argument in arguments:
        members = [] if _CONTROL.search(argument) else addresses_in(argument, plain=True)
        found += members or [Named(argument, "")]
    return _all_addresses(found)


def _all_addresses(members: Sequence[Named]) -> list[str]:
    if wrong := [one.text for one in members if not one.address]:
        raise _refusal(wrong)
    return [one.address for one in members]


def _refusal(wrong: Sequence[str]) -> OutgoingError:
    more = f" and {len(wrong) - _MOST_NAMED} more" if len(wrong) > _MOST_NAMED else ""
    return OutgoingError(f"{', '.join(map(_quoted, wrong[:_MOST_NAMED]))}{more}: not an address with a domain; nothing was sent.")


def _quoted(text: str) -> str:
    return repr(cut(text))


def reports_of(notify: str = "", ret: str = "", envid: str = "") -> Reports:
    """Return the delivery reports of sendmail's options -N, -R and -V. Raise OutgoingError for what RFC 3461 does not define."""
    events = [one.strip().upper() for one in notify.split(",")] if notify else []
    if events != ["NEVER"] and not _NOTIFY.issuperset(events):
        raise OutgoingError(f"-N {_quoted(notify)} is neither never nor some of success, failure and delay; nothing was sent.")
    if ret and ret.upper() not in {"FULL", "HDRS"}:
        raise OutgoingError(f"-R {_quoted(ret)} is neither full nor hdrs; nothing was sent.")
    if len(envid) > _LONGEST_ENVID or not (envid.isascii() and envid.isprintable()):
        raise OutgoingError(f"-V {_quoted(envid)} is longer than {_LONGEST_ENVID} characters, or not ASCII; nothing was sent.")
    return Reports(",".join(dict.fromkeys(events)), ret.upper(), envid)


def complete(
    header: Header,
    *,
    sender: str,
    recipients: Sequence[str],
    now: datetime,
    full_name: str = "",
    reports: Reports | None = None,
) -> tuple[bytes, Envelope]:
    """Return the header to send, with CRLF and the empty line after it, and the envelope.

    Raise OutgoingError if an address is invalid, or if there is no recipient.
    """
    check_argument(full_name)
    alike: dict[str, str] = {}
    for address in map(_routed, _recipients_in(recipients)):
        alike.setdefault(address_key(address), address)
    everybody = tuple(alike.values())
    if not everybody:
        raise OutgoingError("The message has no recipients.", advice="Name them, or use -t and name them in its header.")
    if not sender:
        advice = "Use -f ADDRESS, give the message a From, or set address in the account's configuration."
        raise OutgoingError("The message names no sender.", advice=advice)
    if not is_address(sender):
        raise _refusal([sender])
    routed = _routed(sender)
    given = next((value for value in header.values("message-id") if value), "")
    message_id = given or email.utils.make_msgid(domain=routed.rpartition("@")[2])
    added = []
    if not header.values("from"):
        added.append(f"From: {phrase(full_name)}<{sender}>".encode() if full_name else f"From: {sender}".encode())
    if not header.values("date"):
        added.append(f"Date: {email.utils.format_datetime(now)}".encode())
    if not given:
        added.append(f"Message-ID: {message_id}".encode())
    left_out = _SECRET if given else {*_SECRET, "message-id"}
    kept = [one for one, name in zip(header.fields, header.names, strict=True) if name not in left_out]
    text = b"".join(one + b"\r\n" for one in (*added, *_resent_fields(header, sender, now), *kept)) + b"\r\n"
    subject = next(iter(header.values("subject")), "")
    envelope = Envelope(
        routed,
        everybody,
        _printable(message_id),
        shown(subject),
        has_bcc="bcc" in header.names,
        reports=reports or Reports(),
        is_utf8=not text.isascii(),
    )
    return text, envelope


def _resent_fields(header: Header, sender: str, now: datetime) -> list[bytes]:
    """Return what RFC 5322, 3.6.6, requires of a resent message and its latest block lacks, to be put before it."""
    resent = header.resent()
    if not _is_resent(resent) or not header.names or not header.names[0].startswith(_RESENT):
        return []  # a trace field is above the block: what was put before that would be a block of its own
    lacking = []
    if not resent.values("resent-from"):
        lacking.append(f"Resent-From: {sender}".encode())
    if not resent.values("resent-date"):
        lacking.append(f"Resent-Date: {email.utils.format_datetime(now)}".encode())
    return lacking


def _parsed(field: bytes) -> tuple[str, str]:
    match = _FIELD.fullmatch(field)
    if match is None:
        return "", ""
    value = match[2].replace(b"\r\n", b"").decode("utf-8", "surrogateescape")
    return match[1].decode("ascii").lower(), value.strip()


def _routed(address: str) -> str:
    """Return an address as the envelope has it. Raise OutgoingError if its domain has no form in ASCII (RFC 5891)."""
    try:
        return with_ascii_domain(address)
    except ValueError as error:
        raise OutgoingError(
            f"The domain of {_quoted(address)} is not a valid international domain name; nothing was sent."
        ) from error


def address_key(address: str) -> str:
    """Return a key that is equal for two spellings of one address: only the domain ignores case (RFC 5321, 2.4)."""
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.casefold()}"


def phrase(name: str) -> str:
    """Return a display name as in a header field, with a space after it. Raise OutgoingError."""
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise OutgoingError(f"The name {_quoted(name)} is too long or not printable; nothing was sent.")
    if not name.isascii():
        return email.header.Header(name, "utf-8", header_name="From").encode(linesep="\r\n") + " "
    escaped = name.replace("\\", r"\\").replace('"', r"\"")
    return f'"{escaped}" ' if re.search(r"[^A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]", name) else f"{name} "


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _is_resent(header: Header) -> bool:
    return bool(header.values("resent-to", "resent-cc", "resent-bcc"))
