"""Upload and download blobs (RFC 8620, section 6), and many blobs in one request by Blob/upload and Blob/get (RFC 9404).

Cyrus 3.6 offers Blob/get as an extension of its own, before the RFC; Cyrus 3.12 and Stalwart offer the standard one.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack
from urllib.parse import quote

import msgspec
from msgspec import Struct

from jmapsync.errors import JmapsyncError, Remedy, Scope, ServerError, UnsupportedError
from jmapsync.jmap.bounds import API_OCTETS
from jmapsync.jmap.content import FileContent
from jmapsync.jmap.decoding import DecodeError, decode_json
from jmapsync.jmap.failures import MethodError, RequestError
from jmapsync.jmap.media_types import BINARY, JSON
from jmapsync.jmap.wire import Call, Response, describe, split

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from jmapsync.jmap.client import Client
    from jmapsync.jmap.replies import Reply, Sink
    from jmapsync.jmap.session import Account, Session

BLOB = "urn:ietf:params:jmap:blob"
CYRUS_BLOB = "https://cyrusimap.org/ns/jmap/blob"

_SMALL = 1 << 16
"""Octets up to which a blob is rather sent together with others, in Base64, than in a round trip of its own."""
_USEFUL = 1 << 14
"""Octets that a server has to take at least. Cyrus 3.12 takes 4,096, and no later request may use what it made of them."""
_UPLOADED_AT_ONCE = 1 << 20
"""Octets of the contents of one Blob/upload."""
_MOST_ADDRESSES = 5
"""Addresses for uploads that a server may name in turn, and withdraw, before an upload fails."""
_MOMENT = 0.5
"""Seconds until an upload is sent to the same address again that had nothing there: Cyrus 3.6 answers one of the first two uploads
of a user so, where two clients send them at the same time, while it makes the folder for them."""

_AS_BASE64 = ("data:asBase64",)
_AS_EITHER = ("data", "digest:sha")
"""Text where the octets are UTF-8, else Base64 (RFC 9404, section 4.2): a fifth less for the server to do and to send, and it
compresses. The digest shows that the text is the octets, whatever the server did to it."""
_ABSENT = msgspec.Raw(b"null")
_ALTERED = "The server gave the blob as other text than its digest says."
_STRING = msgspec.json.Decoder(str)

T = TypeVar("T")


class BlobNotFoundError(JmapsyncError):
    """The server no longer has the blob; its object has to be fetched again for its current blob id."""

    remedy = Remedy.NOW
    scope = Scope.ITEM


class _How(TypedDict, total=False):
    """The options of `download`."""

    name: str
    media_type: str
    most: int
    many: bool


class Uploaded(msgspec.Struct, frozen=True, rename="camel"):
    """An uploaded blob; servers keep it for at least an hour even if nothing refers to it."""

    blob_id: str
    size: int
    type: str


class Blob(Struct, frozen=True):
    """One blob as Blob/get gave it; either `data` or the reason why not."""

    id: str
    data: bytes | None
    error: str = ""


class _Item(msgspec.Struct):
    """One element of a Blob/get result; msgspec decodes base64 itself, three times faster than binascii after JSON."""

    id: str
    text: msgspec.Raw = msgspec.field(name="data:asText", default=_ABSENT)
    """JSON still: as a string, text with one character beyond Latin-1 takes two or four times the memory."""
    data: bytes | None = msgspec.field(name="data:asBase64", default=None)
    sha: bytes | None = msgspec.field(name="digest:sha", default=None)
    is_truncated: bool = msgspec.field(name="isTruncated", default=False)


class _Kept(msgspec.Struct):
    """What Blob/upload made of one blob."""

    id: str
    size: int
    type: str = ""


class _Made(msgspec.Struct):
    created: dict[str, _Kept] | None = None


class _Result(msgspec.Struct):
    items: list[_Item] = msgspec.field(name="list")


async def upload(client: Client, account_id: str, source: bytes | Path, media_type: str, *, many: bool = True) -> Uploaded:
    """Upload bytes, or a file without holding it in memory (RFC 8620, section 6.1); `many` lets libcurl carry it.

    Raise `RequestError` with the limit `maxSizeUpload` before anything is sent, `LocalError` if the file cannot be read or
    changes during the upload, `ServerError` if the server kept another number of octets, and what `Exchange.send` raises.
    """
    content = source if isinstance(source, bytes) else FileContent(source)
    size = len(content) if isinstance(content, bytes) else content.size

    def read(reply: Reply) -> Uploaded:
        uploaded = _uploaded(reply)
        if uploaded.size != size:
            raise ServerError(f"The server kept {uploaded.size} of {size} octets of an upload.")
        return uploaded

    asked, is_again = "", False
    for _ in range(_MOST_ADDRESSES):
        session = await client.session()
        if size > session.limits.max_size_upload:
            raise RequestError.too_large("maxSizeUpload", size, session.limits.max_size_upload)
        url = _usable(session.upload_url, "uploads", accountId=account_id)
        if url == asked:
            if is_again:
                break
            is_again = True
            await asyncio.sleep(_MOMENT)
        asked = url
        try:
            return await client.exchange.send(
                "POST",
                url,
                read,
                purpose="uploads",
                limit=client.upload_limit,
                headers={"Content-Type": _sendable(media_type), "Accept": JSON},
                content=content,
                size_limit="maxSizeUpload",
                many=many,
            )
        except RequestError as error:
            if error.type != "notFound":
                raise
            withdrawn = error
            client.expire_session()  # another session may name another address
    raise withdrawn


async def upload_together(client: Client, account_id: str, contents: Mapping[str, bytes], media_type: str) -> dict[str, Uploaded]:
    """Upload small blobs by Blob/upload (RFC 9404, section 4.1), as many in one request as the server takes.

    Return those that the server kept, by their names in `contents`; what is missing has to be uploaded singly: all, if they are so
    few that single uploads take one round trip too. Raise what `Client.call` raises, other than `RequestError`.
    """
    session = await client.session()
    account = session.accounts.get(account_id)
    using = session.using(BLOB, account=account) if account is not None else []
    if account is None or BLOB not in using:
        return {}
    offered = account.capabilities.get(BLOB)
    largest = offered.get("maxSizeBlobSet") if isinstance(offered, dict) else None
    most = min(_SMALL, session.limits.max_size_upload, largest if isinstance(largest, int) else _SMALL)
    if most < _USEFUL:
        return {}
    small = {name: content for name, content in contents.items() if len(content) <= most}
    if len(small) <= session.limits.max_concurrent_upload:
        return {}
    uploaded: dict[str, Uploaded] = {}
    room = min(session.limits.room, _UPLOADED_AT_ONCE)
    for some in split(small, session.limits.max_objects_in_set, room, lambda name: len(small[name]) * 4 // 3 + len(name) + 100):
        create = {name: {"data": [{"data:asBase64": small[name]}], "type": media_type} for name in some}
        call = Call("Blob/upload", {"accountId": account_id, "create": create}, "uploads")
        try:
            answer = (await client.call([call], using=using)).get_as(call, _Made)
        except (MethodError, RequestError):
            return uploaded
        made = answer.created or {}
        uploaded |= {
            name: Uploaded(made[name].id, made[name].size, made[name].type)
            for name in some
            if name in made and made[name].size == len(small[name])
        }
    return uploaded


async def download(
    client: Client,
    account_id: str,
    blob_id: str,
    sink: Sink,
    *,
    name: str = "blob",
    media_type: str = BINARY,
    most: int = API_OCTETS,
    many: bool = True,
    is_checked: bool = True,
) -> None:
    """Give the bytes of a blob to `sink` piece by piece (RFC 8620, section 6.2); the caller checks their number if it says so.

    `many` lets libcurl carry it. Raise `BlobNotFoundError`, `TooLargeError` beyond `most` octets, what the sink and
    `Exchange.send` raise.
    """
    session = await client.session()
    url = _usable(session.download_url, "downloads", accountId=account_id, blobId=blob_id, name=name, type=media_type)
    try:
        await client.exchange.download(
            url, sink, purpose="downloads", limit=client.download_limit, most=most, many=many, is_checked=is_checked
        )
    except RequestError as error:
        if error.type == "notFound":
            raise BlobNotFoundError(f"The server does not have the blob {blob_id}.") from error
        raise


async def download_whole(client: Client, account_id: str, blob_id: str, *, is_checked: bool = False, **how: Unpack[_How]) -> bytes:
    """Return the bytes of a blob; raise what `download` raises."""
    pieces: list[bytes] = []
    await download(client, account_id, blob_id, pieces.append, is_checked=is_checked, **how)
    return b"".join(pieces)


def _sendable(media_type: str) -> str:
    """Return a media type that a header can hold: one of a `data:` URI may hold anything, line ends too."""
    return media_type if media_type.isascii() and media_type.isprintable() and "/" in media_type else BINARY


def _usable(template: str, purpose: str, **values: str) -> str:
    if not template:
        raise ServerError(f"The server names no address for {purpose} that can be used.")
    return expand(template, **values)


def expand(template: str, **values: str) -> str:
    """Expand a URL template of level 1 (RFC 6570); every reserved character of a value is percent-encoded."""
    # Text and names of variables take turns.
    return "".join(_quoted(values.get(part, "")) if at % 2 else part for at, part in enumerate(_parts(template)))


@lru_cache(8)
def _parts(template: str) -> list[str]:
    return re.split(r"\{(\w+)\}", template)


@lru_cache(64)
def _quoted(value: str) -> str:
    return quote(value, safe="")


def blob_capability(session: Session, account: Account) -> str | None:
    """Return the capability by which Blob/get can be used in the account: the standard's, else Cyrus' own, else None."""
    return next((name for name in (BLOB, CYRUS_BLOB) if name in session.using(name, account=account)), None)


async def get_blobs(client: Client, account_id: str, ids: Sequence[str]) -> list[Blob]:
    """Return many blobs by Blob/get, one for each id and in their order.

    All of them are in memory at once: the caller bounds their number by their sizes. More ids than the session's
    `maxObjectsInGet` go in several requests, and a batch that the server finds too large is halved. Raise `UnsupportedError`,
    `MethodError`, and what `Client.call` raises.
    """
    asked = _AS_EITHER if client.trusts_text and await _offers_digest(client, account_id, "sha") else _AS_BASE64
    found = {blob.id: blob for blob in await _get(client, account_id, ids, asked, _blobs)}
    if altered := [id_ for id_, blob in found.items() if blob.error == _ALTERED]:
        client.trusts_text = False
        found |= {blob.id: blob for blob in await _get(client, account_id, altered, _AS_BASE64, _blobs)}
    return [found.get(id_) or Blob(id_, None, "The server does not have the blob.") for id_ in ids]


async def get_digests(client: Client, account_id: str, ids: Sequence[str], algorithm: str = "sha") -> dict[str, bytes]:
    """Return the digests of those blobs that the server has (RFC 9404, section 4.2).

    `algorithm` is a name of RFC 9404, section 6.3: "sha" (SHA-1), "sha-256". Raise `UnsupportedError` if it is not offered.
    """
    if not await _offers_digest(client, account_id, algorithm):
        raise UnsupportedError(f"The server does not offer the digest {algorithm} of blobs.")
    name = f"digest:{algorithm}"

    def read(response: Response, call: Call) -> list[tuple[str, bytes | None]]:
        return [(item["id"], _decoded(item.get(name))) for item in response.get(call)["list"]]

    digests = await _get(client, account_id, ids, (name,), read)
    return {id_: digest for id_, digest in digests if digest is not None}


async def _offers_digest(client: Client, account_id: str, algorithm: str) -> bool:
    session = await client.session()
    account = session.accounts.get(account_id)
    capability = blob_capability(session, account) if account else None
    offered = account.capabilities.get(capability) if account and capability else None
    algorithms = offered.get("supportedDigestAlgorithms") if isinstance(offered, dict) else None
    return isinstance(algorithms, list) and algorithm in algorithms


async def _get(
    client: Client, account_id: str, ids: Sequence[str], wanted: Sequence[str], read: Callable[[Response, Call], list[T]]
) -> list[T]:
    session = await client.session()
    account = session.accounts.get(account_id)
    capability = blob_capability(session, account) if account else None
    if account is None or capability is None:
        raise UnsupportedError("The server does not offer Blob/get.")
    using = session.using(capability, account=account)
    items: list[T] = []
    waiting = list(session.limits.gets(dict.fromkeys(ids)))
    while waiting:
        batch = waiting.pop(0)
        call = Call("Blob/get", {"accountId": account_id, "ids": batch, "properties": wanted}, "blobs")
        response = await client.call([call], using=using)
        try:
            items += read(response, call)
        except MethodError as error:
            if error.type != "requestTooLarge" or len(batch) == 1:
                raise
            middle = len(batch) // 2
            waiting[:0] = [batch[:middle], batch[middle:]]
    return items


def _blobs(response: Response, call: Call) -> list[Blob]:
    try:
        return [_blob(item) for item in response.get_as(call, _Result).items]
    except ServerError:  # base64 with line breaks, or one blob of a thousand that is broken
        items = response.get(call)["list"]
        return [_blob(_lenient(item)) for item in items]


def _lenient(item: Mapping[str, Any]) -> _Item:
    text = msgspec.Raw(msgspec.json.encode(item.get("data:asText")))
    data, digest = _decoded(item.get("data:asBase64")), _decoded(item.get("digest:sha"))
    return _Item(item["id"], text, data, digest, bool(item.get("isTruncated")))


def _blob(item: _Item) -> Blob:
    if item.is_truncated:
        return Blob(item.id, None, "The server gave only a part of the blob.")
    data = item.data
    if data is None and item.text != _ABSENT:
        data = _octets(item.text)
        if data is None or hashlib.sha1(data, usedforsecurity=False).digest() != item.sha:
            return Blob(item.id, None, _ALTERED)
    return Blob(item.id, data, "" if data is not None else "The server gave no data for the blob.")


def _octets(text: msgspec.Raw) -> bytes | None:
    """Return the octets of the text of a JSON string; None for another value, or where it is not Unicode."""
    try:
        return _STRING.decode(text).encode()
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None


def _decoded(data: object) -> bytes | None:
    try:
        return base64.b64decode("".join(data.split()), validate=True) if isinstance(data, str) else None
    except ValueError:
        return None


def _uploaded(reply: Reply) -> Uploaded:
    try:
        return decode_json(reply.body, Uploaded)
    except DecodeError as error:
        raise ServerError(f"The server answered an upload with something else than JMAP ({describe(reply.body)}).") from error
