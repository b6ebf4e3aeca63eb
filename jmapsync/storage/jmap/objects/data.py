"""Download the blobs that a normal form names into it, and upload the data that a server takes as blobs only."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from jmapsync.errors import JmapsyncError, LocalError, NetworkError, SignInError, UnsupportedError
from jmapsync.formats.large_data import decode
from jmapsync.jmap.blobs import BlobNotFoundError, blob_capability, download_whole, get_blobs, upload
from jmapsync.jmap.failures import MethodError
from jmapsync.jmap.media_types import BINARY
from jmapsync.storage.jmap.caller import Pace
from jmapsync.storage.jmap.concurrent import together
from jmapsync.storage.jmap.objects.forms import BLOB, strings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jmapsync.formats.objects import Object
    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account

FIRST = 20
"""Blobs of the first request: photos may have some 100 KB each."""
_TYPES = ("mediaType", "contentType")
"""The property beside a URI with the media type: JSContact's, JSCalendar's."""


class Data:
    """Moves the data of one account."""

    def __init__(self, client: Client, account: Account) -> None:
        """Prepare."""
        self._client = client
        self._account = account
        self._pace = Pace(FIRST)

    async def fetch(self, items: Iterable[Object]) -> dict[str, bytes]:
        """Return the octets of all blobs that objects name, by blob id; those that cannot be had are left out."""
        names = {text for item in items for text in strings(item) if text.startswith(BLOB)}
        wanted = sorted(name.removeprefix(BLOB) for name in names)
        found: dict[str, bytes] = {}
        if wanted and blob_capability(await self._client.session(), self._account):
            limit = (await self._client.session()).limits.max_objects_in_get
            at = 0
            while at < len(wanted):
                some = wanted[at : at + self._pace.count(limit)]
                found |= await self._together(some)
                at += len(some)
        rest = [blob_id for blob_id in wanted if blob_id not in found]
        for blob_id, octets in zip(rest, await together(map(self._one, rest)), strict=True):
            if octets is not None:
                found[blob_id] = octets
        return found

    async def _together(self, some: Sequence[str]) -> dict[str, bytes]:
        try:
            blobs = await get_blobs(self._client, self._account.id, some)
        except (MethodError, UnsupportedError):
            return {}
        self._pace.note(len(blobs), sum(len(blob.data or b"") for blob in blobs))
        return {blob.id: blob.data for blob in blobs if blob.data is not None}

    async def _one(self, blob_id: str) -> bytes | None:
        try:
            return await download_whole(self._client, self._account.id, blob_id)
        except BlobNotFoundError:
            return None

    async def upload(self, uris: Iterable[str]) -> dict[str, str]:
        """Upload the data of `data:` URIs and return the blobs' ids by URI. Raises what `jmap.blobs.upload` raises."""
        data = _decoded(uris)
        acts = [upload(self._client, self._account.id, octets, media_type) for octets, media_type in data.values()]
        return {uri: blob.blob_id for uri, blob in zip(data, await together(acts), strict=True)}

    async def upload_ahead(self, uris: Iterable[str]) -> dict[str, str]:
        """Upload the data of many objects at the same time, as far as the server takes them; return the blobs' ids by URI.

        What it refuses is left out: `upload` then says why of each object. Raises what stops everything.
        """
        data = _decoded(uris)
        if len(data) <= 1:
            return {}
        found: dict[str, str] = {}

        async def one(uri: str) -> None:
            try:
                found[uri] = (await upload(self._client, self._account.id, *data[uri])).blob_id
            except (SignInError, NetworkError, LocalError):
                raise
            except JmapsyncError:
                return

        await together(map(one, data))
        return found


def _decoded(uris: Iterable[str]) -> dict[str, tuple[bytes, str]]:
    """Return octets and media types of `data:` URIs."""
    every = {uri: decode(uri) for uri in dict.fromkeys(uris)}
    return {uri: (one[1], one[0] or BINARY) for uri, one in every.items() if one is not None}


def data_uris(value: Any) -> list[str]:  # noqa: ANN401 # any JSON value
    """Return the `data:` URIs inside a value."""
    return [text for text in strings(value) if text[:5].lower() == "data:"]


def inlined(item: Object, blobs: Mapping[str, bytes]) -> Object:
    """Return an object with data in the places where it names blobs. Raises KeyError for a blob that is not in `blobs`."""
    result: Object = _inlined(item, blobs)
    return result


def _inlined(value: Any, blobs: Mapping[str, bytes]) -> Any:  # noqa: ANN401 # any JSON value
    if isinstance(value, list):
        return [_inlined(part, blobs) for part in value]
    if not isinstance(value, dict):
        return value
    result = {}
    for name, part in value.items():
        if isinstance(part, str) and part.startswith(BLOB):
            media_type = next((value[each] for each in _TYPES if isinstance(value.get(each), str)), BINARY)
            octets = base64.b64encode(blobs[part.removeprefix(BLOB)]).decode("ascii")
            result[name] = f"data:{media_type};base64,{octets}"
        else:
            result[name] = _inlined(part, blobs)
    return result
