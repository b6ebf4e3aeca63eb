"""Send the requests of sign-in: bounded, with a deadline, without redirects, by https or to this machine only."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from msgspec import Struct

from jmapsync.errors import NetworkError, ServerError
from jmapsync.jmap.decoding import DecodeError, decode_json
from jmapsync.jmap.hosts import Origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jmapsync.jmap.replies import Reply
    from jmapsync.jmap.transport import Transport

MOST = 1 << 18
"""Octets of one answer; metadata documents of real servers have about 4,000."""
SECONDS = 30.0
"""Deadline of one request."""
_REDIRECTS = range(300, 400)
_FORM = "application/x-www-form-urlencoded"


class Document(Struct, frozen=True):
    """The answer to one request: its status, and its JSON object or nothing."""

    status: int
    content: dict[str, Any]
    headers: Mapping[str, str]
    url: str

    @property
    def is_success(self) -> bool:
        """Return whether the status is one of success and the content a JSON object."""
        return 200 <= self.status < 300 and bool(self.content)  # noqa: PLR2004

    def text(self, name: str) -> str:
        """Return a string of the object; empty for anything else."""
        value = self.content.get(name)
        return value if isinstance(value, str) else ""

    def texts(self, name: str) -> tuple[str, ...] | None:
        """Return an array of strings of the object; None where there is none."""
        value = self.content.get(name)
        return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else None


async def get(transport: Transport, url: str) -> Document:
    """Return a document; raise `HostRefusedError`, `NetworkError` or `ServerError`."""
    return await _send(transport, "GET", url, {}, None)


async def post_form(transport: Transport, url: str, fields: Mapping[str, str], *, authorization: str = "") -> Document:
    """Send a form and return the answer; raise what `get` raises."""
    headers = {"Content-Type": _FORM} | ({"Authorization": authorization} if authorization else {})
    return await _send(transport, "POST", url, headers, urlencode(fields).encode())


async def post_json(transport: Transport, url: str, value: Mapping[str, Any]) -> Document:
    """Send a JSON object and return the answer; raise what `get` raises."""
    return await _send(transport, "POST", url, {"Content-Type": "application/json"}, json.dumps(value).encode())


async def fetch(
    transport: Transport, method: str, url: str, headers: Mapping[str, str], content: bytes | None = None, *, most: int = MOST
) -> Reply:
    """Send one request and return the answer.

    Raise `HostRefusedError` for http to another machine, `NetworkError` or `ServerError`.
    """
    origin = Origin.of(url)
    sent = {"Accept": "application/json", "Cache-Control": "no-store", **headers}
    try:
        async with asyncio.timeout(SECONDS), transport.open(method, url, sent, content) as response:
            return await transport.read(response, most)
    except TimeoutError as error:
        raise NetworkError(f"{origin} gave no answer within {SECONDS:g} seconds.") from error


async def _send(transport: Transport, method: str, url: str, headers: Mapping[str, str], content: bytes | None) -> Document:
    reply = await fetch(transport, method, url, headers, content)
    if reply.status in _REDIRECTS:  # RFC 9728, section 3.1, and RFC 8414, section 3, know none
        raise ServerError(f"{Origin.of(url)} redirects a request of the sign-in (status {reply.status}), which is not followed.")
    try:
        decoded: object = decode_json(reply.body)
    except DecodeError:
        decoded = None
    return Document(reply.status, decoded if isinstance(decoded, dict) else {}, reply.headers, url)
