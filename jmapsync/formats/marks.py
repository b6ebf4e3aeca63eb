"""Recognise the header lines that mutt and neomutt write into a message when they save it to another Maildir folder.

Moving or copying a message they add `Content-Length` (and, in some versions, `Lines`), so that the file no longer is the message
that was received. Without those lines it is again, to the byte: that, and nothing less, is taken as proof.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MARK = re.compile(rb"^(?:Content-Length|Lines):[^\n]*\n", re.IGNORECASE | re.MULTILINE)
_END = re.compile(rb"^\r?\n", re.MULTILINE)
LONGEST_HEADER = 1 << 20
"""Octets of a header that is searched; a longer one is left alone."""


def has_marks(start: bytes) -> bool:
    """Tell whether the header at the start of a message has such lines."""
    return _MARK.search(_header(start)) is not None


def without_marks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a message's bytes without such lines in its header."""
    start = b""
    rest = iter(chunks)
    for chunk in rest:
        start += chunk
        if _END.search(start) or len(start) > LONGEST_HEADER:
            break
    header = _header(start)
    yield _MARK.sub(b"", header) + start[len(header) :]
    yield from rest


def _header(start: bytes) -> bytes:
    end = _END.search(start)
    return start[: end.start()] if end else start
