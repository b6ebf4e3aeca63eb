"""Turn a message's line ends between the wire (CRLF) and the disk (LF), only where that is provably reversible.

A message whose every LF follows a CR, and which has no other CR, is stored with LF and restored exactly. Any other message
is stored as it came. So a file without a CR was shortened, and one with a CR was not, unless the ledger says otherwise.
"""

from __future__ import annotations

import base64
import enum
import hashlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jmapsync.formats.marks import without_marks, without_tuid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Form(enum.StrEnum):
    """How a file's bytes relate to the bytes on the wire."""

    LF = "lf"
    """Every LF of the file stands for a CRLF on the wire."""
    RAW = "raw"
    """The file is the wire's bytes."""
    MARKED = "marked"
    """As LF, with header lines that a mail program added when it saved the file (see formats.marks): not part of the message."""
    TUID = "tuid"
    """As LF, with the header line that mbsync added: not part of the message either."""
    RETOLD = "retold"
    """As LF, and only what offlineimap made of the message (see formats.retelling): the wire's bytes are to take its place."""
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
