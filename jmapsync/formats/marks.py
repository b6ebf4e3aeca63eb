"""Recognise the header lines that mail programs write into a message when they save it to a Maildir folder.

Moving or copying a message mutt and neomutt add `Content-Length` (and, in some versions, `Lines`), mbsync adds `X-TUID` to what it
brings, so that the file no longer is the message that was received. Without those lines it is again, to the byte: that, and
nothing less, is taken as proof.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
