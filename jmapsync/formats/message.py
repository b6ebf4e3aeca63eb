"""Turn a message's line ends between the wire (CRLF) and the disk (LF), only where that is provably reversible.

A message whose every LF follows a CR, and which has no other CR, is stored with LF and restored exactly. Any other message
is stored as it came. So a file without a CR was shortened, and one with a CR was not, unless the ledger says otherwise.

Recognise the header lines that mail programs write into a message when they save it to a Maildir folder.

Moving or copying a message mutt and neomutt add `Content-Length` (and, in some versions, `Lines`), mbsync adds `X-TUID` to what it
brings, so that the file no longer is the message that was received. Without those lines it is again, to the byte: that, and
nothing less, is taken as proof.

Know the files of offlineimap, which parses every message with Python's email package and writes down what it understood.

Most messages come out of that as they went in. The rest can be told by what the server holds: sent the same way, its bytes become
the file's.
"""

from __future__ import annotations

import base64
import enum
import hashlib
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Form(enum.StrEnum):
    """How a file's bytes relate to the bytes on the wire."""

    LF = "lf"
    """Every LF of the file stands for a CRLF on the wire."""
    RAW = "raw"
    """The file is the wire's bytes."""
    MARKED = "marked"
    """As LF, with header lines that a mail program added when it saved the file (see `without_marks`): not part of the message."""
    TUID = "tuid"
    """As LF, with the header line that mbsync added: not part of the message either."""
    RETOLD = "retold"
    """As LF, and only what offlineimap made of the message (see `retell`): the wire's bytes are to take its place."""
    MENDED = "mended"
    """A local message with mixed line ends: its bare LFs become CRLF on the wire (RFC 8621, 4.8; Cyrus refuses them)."""


def digest_of(data: bytes | Iterable[bytes]) -> str:
    """Return the SHA-256 of bytes, or of their pieces, in base64, as `Blob/get` writes `digest:sha-256` (RFC 9404, 4.2)."""
    hashed = hashlib.sha256()
    for piece in (data,) if isinstance(data, bytes) else data:
        hashed.update(piece)
    return base64.b64encode(hashed.digest()).decode("ascii")


def to_disk(data: bytes, *, keep_crlf: bool) -> tuple[bytes, Form]:
    """Return the bytes to store for a message from the wire, and their form."""
    if keep_crlf:
        return data, Form.RAW
    # Python's own reader of text both turns line ends and tells which kinds it met: in half the time of any two steps.
    reader = io.IncrementalNewlineDecoder(None, translate=True)
    text = reader.decode(data.decode("latin-1"), final=True)
    return (text.encode("latin-1"), Form.LF) if reader.newlines in {None, "\r\n"} else (data, Form.RAW)


@dataclass(frozen=True, slots=True)
class Measure:
    """What reading a file once tells of it."""

    raw: str
    """Digest of the bytes as they are."""
    wire: str
    """Digest of the bytes with every bare LF turned into CRLF."""
    raw_size: int
    wire_size: int
    form: Form
    """The form the bytes alone suggest."""

    def digest(self, form: Form) -> str:
        """Return the digest of the wire's bytes for a form."""
        return self.raw if form is Form.RAW else self.wire

    def size(self, form: Form) -> int:
        """Return the number of the wire's octets for a form."""
        return self.raw_size if form is Form.RAW else self.wire_size


def measure(chunks: Iterable[bytes], algorithm: str = "sha256") -> Measure:
    """Read a file's bytes once, in bounded memory, and return its digests, sizes and likely form.

    `algorithm` is hashlib's name of the digests' one.
    """
    raw = hashlib.new(algorithm, usedforsecurity=False)
    wire = raw  # until the two part: a message from the wire is hashed once
    raw_size = wire_size = 0
    has_cr = has_bare = False
    for chunk, mended in _mend(chunks):
        if len(mended) != len(chunk) and not has_bare:
            has_bare = True
            wire = raw.copy()
        raw.update(chunk)
        raw_size += len(chunk)
        if has_bare:
            wire.update(mended)
        wire_size += len(mended)
        has_cr = has_cr or b"\r" in chunk
    form = Form.LF if not has_cr else Form.MENDED if has_bare else Form.RAW
    return Measure(
        base64.b64encode(raw.digest()).decode("ascii"),
        base64.b64encode(wire.digest()).decode("ascii"),
        raw_size,
        wire_size,
        form,
    )


def to_wire(chunks: Iterable[bytes], form: Form) -> Iterator[bytes]:
    """Yield the wire's bytes of a file of a form."""
    if form is Form.RAW:
        yield from chunks
        return
    if form is Form.MARKED:
        chunks = without_marks(chunks)
    elif form is Form.TUID:
        chunks = without_tuid(chunks)
    for _, mended in _mend(chunks):
        yield mended


def _mend(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield each chunk beside itself with bare LFs turned into CRLF, minding a CRLF cut between two chunks."""
    after_cr = False
    for chunk in chunks:
        if not chunk:
            continue
        mended = chunk.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")  # a fifth of the time that a look-behind takes
        if after_cr and chunk.startswith(b"\n"):
            mended = mended[1:]
        after_cr = chunk.endswith(b"\r")
        yield chunk, mended


_MARK = re.compile(rb"^(?:Content-Length|Lines):[^\n]*\n", re.IGNORECASE | re.MULTILINE)
_TUID = re.compile(rb"^X-TUID: [A-Za-z0-9+/]{12}\r?\n", re.MULTILINE)
"""As mbsync 1.3 to 1.5 write it (isync, src/sync_msg.c): once, twelve characters."""
_END = re.compile(rb"^\r?\n", re.MULTILINE)
LONGEST_HEADER = 1 << 20
"""Octets of a header that is searched; a longer one is left alone."""


def has_marks(start: bytes) -> bool:
    """Tell whether the header at the start of a message has such lines."""
    return _MARK.search(_header(start)) is not None


def has_tuid(start: bytes) -> bool:
    """Tell whether the header at the start of a message has the line that mbsync adds."""
    return _TUID.search(_header(start)) is not None


def without_tuid(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a message's bytes without the first line that mbsync added to its header."""
    return _without(_TUID, chunks, 1)


def without_marks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a message's bytes without the lines in its header that mutt and neomutt add."""
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


_NAME = re.compile(r",U=[1-9][0-9]*,FMD5=[0-9a-f]{32}")
_FIELD = re.compile(rb"^(message-id|date|from|subject):((?:[^\n]*)(?:\n[ \t][^\n]*)*)", re.IGNORECASE | re.MULTILINE)


def is_offlineimap(name: str) -> bool:
    """Tell whether offlineimap gave a file its name, with the UID that the message has on the server: it came from there."""
    return _NAME.search(name) is not None


def retell(message: bytes) -> bytes | None:
    """Return a message of the wire as offlineimap 8 writes it to a file; None where the package gives up.

    As `savemessage` and `_fetch_from_imap` of offlineimap3 do it: parsed and written with 8-bit content and unfolded headers.
    """
    from email import policy  # noqa: PLC0415 - 60 ms that only trees of offlineimap need
    from email.parser import BytesParser  # noqa: PLC0415

    read = policy.default.clone(cte_type="8bit", utf8=True, refold_source="none", linesep="\r\n")
    try:
        return BytesParser(policy=read).parsebytes(message).as_bytes(policy=read.clone(linesep="\n"))
    except Exception:  # noqa: BLE001 - the package raises nearly anything at a damaged header
        return None


def likeness(message: bytes) -> tuple[bytes, ...]:
    """Return what a message is likely to be known by however it is written down: its Message-ID, else date, author and subject.

    A hint, no proof. Nothing where it has neither.
    """
    text = message.replace(b"\r\n", b"\n")
    found = {name.lower(): b" ".join(value.split()) for name, value in _FIELD.findall(text.partition(b"\n\n")[0])}
    if b"message-id" in found:
        return (found[b"message-id"],)
    return tuple(found.get(name, b"") for name in (b"date", b"from", b"subject")) if found else ()
