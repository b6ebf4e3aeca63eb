"""Decompress a response in pieces of bounded size: a megabyte of gzip may expand to a gigabyte."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Protocol

from jmapsync.errors import ServerError
from jmapsync.jmap.hosts import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE = 1 << 18
"""Octets of one decoded piece, at most."""
_GZIP = zlib.MAX_WBITS | 16
_RAW = -zlib.MAX_WBITS


class Inflater(Protocol):
    """Decoder of one content coding."""

    is_whole: bool
    """Whether the content may end here."""

    def feed(self, octets: bytes) -> Iterator[bytes]:
        """Yield the decoded content of some octets, in pieces."""
        ...


def codings_for(host: str) -> str:
    """Return the value of Accept-Encoding for a host: on a loopback connection compressing costs more than it saves."""
    return "identity" if is_loopback(host) else "gzip, deflate"


def inflater(encoding: str) -> Inflater:
    """Return the decoder of a Content-Encoding (RFC 9110, section 8.4.1); raise `ServerError` for one that was not requested.

    Nested encodings are not requested.
    """
    match encoding.strip().lower():
        case "" | "identity":
            return _Identity()
        case "gzip" | "x-gzip":
            return _Zlib(_GZIP)
        case "deflate":
            return _Zlib(zlib.MAX_WBITS)
    raise ServerError(f"The server encodes its answer as {encoding[:40]!r}, which was not asked for.")


class _Identity:
    is_whole = True

    def feed(self, octets: bytes) -> Iterator[bytes]:
        yield octets


class _Zlib:
    def __init__(self, window: int) -> None:
        self._window = window
        self._member = zlib.decompressobj(window)
        self._begun = False
        self.is_whole = True

    def feed(self, octets: bytes) -> Iterator[bytes]:
        piece = b""
        while octets or len(piece) == PIECE:  # a full piece: there may be more of what was read already
            try:
                piece = self._member.decompress(octets, PIECE)
            except zlib.error as error:
                if self._begun or self._window != zlib.MAX_WBITS:
                    raise ServerError("The server's answer is not compressed as it says.") from error
                # RFC 9110, section 8.4.1.2: some send "deflate" without the zlib format around it.
                self._window = _RAW
                self._member = zlib.decompressobj(_RAW)
                continue
            self._begun = True
            octets = self._member.unconsumed_tail
            self.is_whole = self._member.eof
            if piece:
                yield piece
            if self._member.eof:
                octets, piece = self._member.unused_data, b""
                if self._window != _GZIP or not octets.startswith(b"\x1f\x8b"):
                    return
                self._member = zlib.decompressobj(_GZIP)  # RFC 1952, section 2.2: there may be several members
