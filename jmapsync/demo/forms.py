"""Give the HTTP answers of the embedded server other forms: compressed, in chunks (RFC 9110, 8.4.1; RFC 9112, 7.1)."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response, StreamingResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator

    from jmapsync.demo.freedoms import Freedoms

_PIECE = 97
"""Octets of a chunk; small, so that little ends where something in it does."""
_LEVEL = 1


def in_form(response: Response, freedoms: Freedoms) -> Response:
    """Return an answer in the form that a server chooses for its bodies."""
    if freedoms.json_form != "compact" and not isinstance(response, StreamingResponse) and "json" in (response.media_type or ""):
        response.body = _rewritten(bytes(response.body), freedoms)
        response.headers["content-length"] = str(len(response.body))
    if freedoms.content_coding == "identity" and not freedoms.chunked:
        return response
    if response.headers.get("content-type", "").startswith("text/event-stream"):
        return response  # what buffers events is a fault of its own
    if isinstance(response, StreamingResponse):
        pieces = _compressed(response.body_iterator, freedoms)
    else:
        body = _encoded(bytes(response.body), freedoms)
        if not freedoms.chunked:
            return _with_body(response, body, freedoms)
        pieces = _in_pieces(body)
    streamed = StreamingResponse(pieces, response.status_code)
    streamed.raw_headers = [(name, value) for name, value in response.raw_headers if name != b"content-length"]
    _name_coding(streamed, freedoms)
    return streamed


def _rewritten(body: bytes, freedoms: Freedoms) -> bytes:
    """Return JSON with the same meaning and other octets."""
    if freedoms.json_form == "spaced":
        return b"\r\n" + msgspec.json.format(body, indent=1)
    return json.dumps(msgspec.json.decode(body)).encode()


def _with_body(response: Response, body: bytes, freedoms: Freedoms) -> Response:
    response.body = body
    response.headers["content-length"] = str(len(body))
    _name_coding(response, freedoms)
    return response


def _name_coding(response: Response, freedoms: Freedoms) -> None:
    if freedoms.content_coding != "identity":
        response.headers["content-encoding"] = freedoms.content_coding


def _encoded(body: bytes, freedoms: Freedoms) -> bytes:
    if freedoms.content_coding == "gzip":
        return gzip.compress(body, _LEVEL, mtime=0)
    return zlib.compress(body, _LEVEL) if freedoms.content_coding == "deflate" else body


async def _in_pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), _PIECE):
        yield body[start : start + _PIECE]


async def _compressed(pieces: AsyncIterable[str | bytes | memoryview], freedoms: Freedoms) -> AsyncIterator[bytes]:
    window = zlib.MAX_WBITS | (16 if freedoms.content_coding == "gzip" else 0)
    packer = None if freedoms.content_coding == "identity" else zlib.compressobj(_LEVEL, wbits=window)
    async for piece in pieces:
        data = piece.encode() if isinstance(piece, str) else bytes(piece)
        if some := data if packer is None else packer.compress(data):
            yield some
    if packer is not None:
        yield packer.flush()
