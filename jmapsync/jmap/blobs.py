"""Move bytes: uploads and downloads (RFC 8620, section 6), and many blobs in one request by Blob/get (RFC 9404).

Cyrus 3.6 offers Blob/get as an extension of its own, before the RFC; Cyrus 3.12 and Stalwart offer the standard one.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from jmapsync.errors import JmapsyncError, LocalError, Remedy, Scope, ServerError, UnsupportedError
from jmapsync.jmap.failures import MethodError, RequestError
from jmapsync.jmap.wire import Call, split

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account, Session
    from jmapsync.jmap.transport import Reply

BLOB = "urn:ietf:params:jmap:blob"
CYRUS_BLOB = "https://cyrusimap.org/ns/jmap/blob"


class BlobNotFoundError(JmapsyncError):
    """The server does not have the blob (any more); its object has to be read again for the blob id it has now."""

    remedy = Remedy.NOW
    scope = Scope.ITEM


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What the server made of uploaded bytes; kept at least an hour unless something refers to it."""

    blob_id: str
    size: int
    type: str


@dataclass(frozen=True, slots=True)
class Blob:
    """One blob as Blob/get gave it; either `data` or the reason why not."""

    id: str
    data: bytes | None
    error: str = ""


async def upload(client: Client, account_id: str, source: bytes | Path, media_type: str) -> Uploaded:
    """Upload bytes, or a file without holding it in memory."""
    raise NotImplementedError


def download(
    client: Client, account_id: str, blob_id: str, *, name: str = "blob", media_type: str = "application/octet-stream"
) -> AsyncIterator[bytes]:
    """Yield the bytes of a blob piece by piece."""
    raise NotImplementedError


def blob_capability(session: Session, account: Account) -> str | None:
    """Return the capability by which Blob/get can be used in the account: the standard's, else Cyrus' own, else None."""
    raise NotImplementedError


async def get_blobs(client: Client, account_id: str, ids: Sequence[str]) -> list[Blob]:
    """Return many blobs by Blob/get, one for each id and in their order."""
    raise NotImplementedError


async def get_digests(client: Client, account_id: str, ids: Sequence[str], algorithm: str = "sha") -> dict[str, bytes]:
    """Return the digests of the blobs that the server has."""
    raise NotImplementedError
