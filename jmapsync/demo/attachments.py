"""Exchange the bytes inside of items for blobs: photos of cards, attachments of events (RFC 9610, section 3)."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from jmapsync.demo.content import read_content
from jmapsync.demo.models import CONTACT_MODEL, Model
from jmapsync.demo.problems import JsonObject, invalid_properties

if TYPE_CHECKING:
    from jmapsync.demo.account import Account

_IMAGES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
    b"<svg": "image/svg+xml",
}


def check_blobs(account: Account, model: Model, item: JsonObject) -> None:
    """Raise SetError where an item names a blob that is not there, a second source of bytes, or as a photo something else."""
    for key, entry in item.get(model.attachments, {}).items():
        if "blobId" not in entry:
            continue
        place = f"{model.attachments}/{key}"
        if "uri" in entry or "href" in entry:
            raise invalid_properties(place, description="The bytes are given twice.")
        content = account.blobs.get(str(entry["blobId"]))
        if content is None or account.dialect.attachments == "inline":
            raise invalid_properties(f"{place}/blobId", description="There is no such blob, or no blob is taken.")
        if entry.get("kind") == "photo" and _picture_type(read_content(content)) is None:
            raise invalid_properties(place, description="The blob is no picture.")


def store_data_uris(account: Account, model: Model, item: JsonObject) -> JsonObject:
    """Return an item with its `data:` URIs made blobs, and the type given of each blob, where servers do that."""
    media = item.get(model.attachments)
    if model is not CONTACT_MODEL or not media or account.dialect.attachments == "inline":
        return item
    return {**item, model.attachments: {key: _store_data_uri(account, entry) for key, entry in media.items()}}


def _store_data_uri(account: Account, entry: JsonObject) -> JsonObject:
    if "blobId" in entry:
        if "mediaType" in entry:
            return entry
        data, kind = read_content(account.blobs[entry["blobId"]]), ""
    elif str(entry.get("uri", "")).startswith("data:"):
        try:
            data, kind = _decode(entry["uri"])
        except (binascii.Error, ValueError):
            raise invalid_properties("media", description="The data: URI is unsound.") from None
        entry = {name: value for name, value in entry.items() if name != "uri"} | {"blobId": account.add_blob(data)}
    else:
        return entry
    return {"mediaType": kind or _picture_type(data) or "application/octet-stream", **entry}


def _decode(uri: str) -> tuple[bytes, str]:
    """Return the bytes of a `data:` URI and the media type it names (RFC 2397); raise ValueError for an unsound one."""
    header, comma, text = uri.removeprefix("data:").partition(",")
    if not comma:
        raise ValueError("no comma")
    media_type, _, parameters = header.partition(";")
    data = unquote_to_bytes(text)
    return base64.b64decode(data, validate=True) if parameters.endswith("base64") or media_type == "base64" else data, media_type


def _picture_type(data: bytes) -> str | None:
    """Return the media type of a picture by its first octets."""
    return next((name for start, name in _IMAGES.items() if data.startswith(start)), None)
