"""Convert messages between the server's octets and the files on disk, and recognise what mail programs change in files.

Line ends: a message whose every LF follows a CR, and which has no other CR, is stored with LF and restored exactly; any other is
stored unchanged. So a file without CR was converted and one with CR was not, unless the ledger says otherwise.

Header lines: mutt and neomutt add `Content-Length` (some versions also `Lines`) to messages that they move or copy, mbsync adds
`X-TUID`. If the file without those lines is the server's message, octet for octet, it is that message.

offlineimap parses every message with Python's email package and writes the result. A file is recognised by doing the same with the
server's message; its octets then replace those of the file.
"""

from __future__ import annotations

import base64
import enum
import hashlib
import io
import re
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MARK = re.compile(rb"^(?:Content-Length|Lines):[^\n]*\n", re.IGNORECASE | re.MULTILINE)
_TUID = re.compile(rb"^X-TUID: [A-Za-z0-9+/]{12}\r?\n", re.MULTILINE)
"""As written by mbsync 1.3 to 1.5 (isync, src/sync_msg.c): once, twelve characters."""
_END = re.compile(rb"^\r?\n", re.MULTILINE)
LONGEST_HEADER = 1 << 20
"""Octets of a header that is searched; a longer header is not changed."""
_NAME = re.compile(r",U=[1-9][0-9]*,FMD5=[0-9a-f]{32}")
_FIELD = re.compile(rb"^(message-id|date|from|subject):((?:[^\n]*)(?:\n[ \t][^\n]*)*)", re.IGNORECASE | re.MULTILINE)


class Form(enum.StrEnum):
    """How the octets of a file relate to those on the server."""

    LF = "lf"
    """Every LF of the file is a CRLF on the server."""
    RAW = "raw"
    """The file has the server's octets."""
    MARKED = "marked"
    """As LF, plus header lines that mutt or neomutt added: they are not part of the message."""
    TUID = "tuid"
    """As LF, plus the header line that mbsync added: it is not part of the message."""
    OFFLINEIMAP = "retold"
    """As LF, but written by offlineimap (see `offlineimap_form`): the server's octets replace it."""
    MIXED = "mended"
    """A local message with mixed line ends: bare LFs become CRLF on the server (RFC 8621, 4.8; Cyrus refuses bare ones)."""


def digest_of(data: bytes | Iterable[bytes]) -> str:
    """Return the SHA-256 of octets, or of chunks of them, in base64, as `digest:sha-256` of `Blob/get` (RFC 9404, 4.2)."""
    hashed = hashlib.sha256()
    for piece in (data,) if isinstance(data, bytes) else data:
        hashed.update(piece)
    return base64.b64encode(hashed.digest()).decode("ascii")


def to_disk(data: bytes, *, keep_crlf: bool) -> tuple[bytes, Form]:
    """Return the octets to store for a message of the server, and their form."""
    if keep_crlf:
        return data, Form.RAW
    # Python's newline decoder converts line ends and reports their kinds in one pass: half the time of two steps.
    reader = io.IncrementalNewlineDecoder(None, translate=True)
    text = reader.decode(data.decode("latin-1"), final=True)
    return (text.encode("latin-1"), Form.LF) if reader.newlines in {None, "\r\n"} else (data, Form.RAW)


class Measure(Struct, frozen=True):
    """Digests and sizes of a file."""

    raw: str
    """Digest of the octets in the file."""
    wire: str
    """Digest of the octets with every bare LF turned into CRLF."""
    raw_size: int
    wire_size: int
    form: Form
    """The form that the octets suggest."""

    def digest(self, form: Form) -> str:
        """Return the digest of the server's octets if the file has this form."""
        return self.raw if form is Form.RAW else self.wire

    def size(self, form: Form) -> int:
        """Return the number of the server's octets if the file has this form."""
        return self.raw_size if form is Form.RAW else self.wire_size


def measure(chunks: Iterable[bytes], algorithm: str = "sha256") -> Measure:
    """Read a file once, in bounded memory, and return its digests, sizes and likely form.

    `algorithm` is hashlib's name of the digest.
    """
    raw = hashlib.new(algorithm, usedforsecurity=False)
    wire = raw  # one hash until the first bare LF: most messages have none
    raw_size = wire_size = 0
    has_cr = has_bare = False
    for chunk, converted in _with_crlf(chunks):
        if len(converted) != len(chunk) and not has_bare:
            has_bare = True
            wire = raw.copy()
        raw.update(chunk)
        raw_size += len(chunk)
        if has_bare:
            wire.update(converted)
        wire_size += len(converted)
        has_cr = has_cr or b"\r" in chunk
    form = Form.LF if not has_cr else Form.MIXED if has_bare else Form.RAW
    return Measure(
        base64.b64encode(raw.digest()).decode("ascii"),
        base64.b64encode(wire.digest()).decode("ascii"),
        raw_size,
        wire_size,
        form,
    )


def to_wire(chunks: Iterable[bytes], form: Form) -> Iterator[bytes]:
    """Yield the server's octets of a file of a form."""
    if form is Form.RAW:
        yield from chunks
        return
    if form is Form.MARKED:
        chunks = without_marks(chunks)
    elif form is Form.TUID:
        chunks = without_tuid(chunks)
    for _, converted in _with_crlf(chunks):
        yield converted


def _with_crlf(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield each chunk, and the chunk with bare LFs turned into CRLF. A CRLF may be split between chunks."""
    after_cr = False
    for chunk in chunks:
        if not chunk:
            continue
        converted = chunk.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")  # takes a fifth of the time of a regular expression
        if after_cr and chunk.startswith(b"\n"):
            converted = converted[1:]
        after_cr = chunk.endswith(b"\r")
        yield chunk, converted


def has_marks(start: bytes) -> bool:
    """Return whether the header at the start of a message has lines of mutt or neomutt."""
    return _MARK.search(_header(start)) is not None


def has_tuid(start: bytes) -> bool:
    """Return whether the header at the start of a message has the line of mbsync."""
    return _TUID.search(_header(start)) is not None


def without_tuid(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a message without the first line that mbsync added to its header."""
    return _without(_TUID, chunks, 1)


def without_marks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a message without the lines that mutt and neomutt added to its header."""
    return _without(_MARK, chunks, 0)


def _without(mark: re.Pattern[bytes], chunks: Iterable[bytes], count: int) -> Iterator[bytes]:
    start = b""
    rest = iter(chunks)
    for chunk in rest:
        start += chunk
        if _END.search(start) or len(start) > LONGEST_HEADER:
            break
    header = _header(start)
    yield mark.sub(b"", header, count=count) + start[len(header) :]
    yield from rest


def _header(start: bytes) -> bytes:
    end = _END.search(start)
    return start[: end.start()] if end else start


def is_offlineimap(name: str) -> bool:
    """Return whether a file name is one of offlineimap with the UID of the message on the server: it was downloaded from there."""
    return _NAME.search(name) is not None


def offlineimap_form(message: bytes) -> bytes | None:
    """Return the server's message as offlineimap 8 writes it to a file; None if the email package fails.

    As `savemessage` and `_fetch_from_imap` of offlineimap3: parsed, and written with 8-bit content and unfolded headers.
    """
    from email import policy  # noqa: PLC0415 - takes 60 ms; needed for offlineimap only
    from email.parser import BytesParser  # noqa: PLC0415

    read = policy.default.clone(cte_type="8bit", utf8=True, refold_source="none", linesep="\r\n")
    try:
        return BytesParser(policy=read).parsebytes(message).as_bytes(policy=read.clone(linesep="\n"))
    except Exception:  # noqa: BLE001 - the package raises many errors for malformed headers
        return None


def likeness(message: bytes) -> tuple[bytes, ...]:
    """Return a key that different forms of a message are likely to share: Message-ID, else date, author and subject.

    It proves nothing. Empty if the message has none of them.
    """
    text = message.replace(b"\r\n", b"\n")
    found = {name.lower(): b" ".join(value.split()) for name, value in _FIELD.findall(text.partition(b"\n\n")[0])}
    if b"message-id" in found:
        return (found[b"message-id"],)
    return tuple(found.get(name, b"") for name in (b"date", b"from", b"subject")) if found else ()
