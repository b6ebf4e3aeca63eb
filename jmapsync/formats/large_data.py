"""Replace large `data:` URIs in objects by names that contain their SHA-256, and restore them.

A photo of a card or an attachment of an event is a `data:` URI (RFC 2397). The ledger keeps objects with names of the form
`urn:jmapsync:sha-256:<hex>`; the digest is of the decoded octets, so a photo has one name however it is encoded.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.formats.objects import Object

PREFIX = "urn:jmapsync:sha-256:"
LARGEST = 256
"""Characters of a `data:` URI that is not replaced."""
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_TYPE_BESIDE = {"uri": "mediaType", "href": "contentType"}
"""The property for the media type of a URI: JSContact's, JSCalendar's."""


def set_aside(item: Object) -> tuple[Object, dict[str, bytes]]:
    """Return the object with its large `data:` URIs replaced, and the octets by name.

    The media type goes into the property for it, which is added if missing; without such a property it follows the name after a `#`
    (RFC 8141, 2.3.3). A URI that cannot be decoded is unchanged.
    """
    found: dict[str, bytes] = {}
    return _aside(item, found), found


def bring_back(item: Object, find: Callable[[str], bytes | None]) -> Object:
    """Return the object with its `data:` URIs restored, base64-encoded; `find` returns the octets of a name, or None.

    A name without octets is unchanged.
    """
    result: Object = _back(item, find)
    return result


def decode(uri: str) -> tuple[str, bytes] | None:
    """Return media type and octets of a `data:` URI (RFC 2397); None for other URIs and invalid data."""
    head, comma, text = uri.partition(",")
    if not comma or head[:5].lower() != "data:":
        return None
    media_type, semicolon, encoding = head[5:].rpartition(";")
    if not semicolon or encoding.strip().lower() != "base64":
        return head[5:], unquote_to_bytes(text)
    try:
        raw = unquote_to_bytes(text) if "%" in text else text.encode("ascii")
        plain = b"".join(raw.split()).translate(_URL_SAFE).rstrip(b"=")
        return media_type, base64.b64decode(plain + b"=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None


def _aside(value: Any, found: dict[str, bytes]) -> Any:  # noqa: ANN401 # any JSON value
    if isinstance(value, str):
        name, media_type = _name(value, found)
        return f"{name}#{media_type}" if media_type else name
    if isinstance(value, list):
        return [_aside(element, found) for element in value]
    if not isinstance(value, dict):
        return value
    result = {}
    for key, inner in value.items():
        if key in _TYPE_BESIDE and isinstance(inner, str):
            result[key], media_type = _name(inner, found)
            if media_type and not value.get(_TYPE_BESIDE[key]):
                result[_TYPE_BESIDE[key]] = media_type
        elif key not in result:
            result[key] = _aside(inner, found)
    return result


def _name(text: str, found: dict[str, bytes]) -> tuple[str, str]:
    decoded = decode(text) if len(text) > LARGEST and text[:5].lower() == "data:" else None
    if decoded is None:
        return text, ""
    media_type, data = decoded
    if len(data) * 4 // 3 + len(media_type) + len("data:;base64,==") <= LARGEST:  # junk may make little long
        return text, ""
    name = PREFIX + hashlib.sha256(data).hexdigest()
    found[name] = data
    return name, media_type


def _back(value: Any, find: Callable[[str], bytes | None]) -> Any:  # noqa: ANN401 # any JSON value
    if isinstance(value, str):
        return _data(value, "", find)
    if isinstance(value, list):
        return [_back(element, find) for element in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _data(inner, value.get(_TYPE_BESIDE[key]), find)
        if key in _TYPE_BESIDE and isinstance(inner, str)
        else _back(inner, find)
        for key, inner in value.items()
    }


def _data(text: str, media_type: object, find: Callable[[str], bytes | None]) -> str:
    if not text.startswith(PREFIX):
        return text
    name, _, suffix = text.partition("#")
    data = find(name)
    kind = suffix or (media_type if isinstance(media_type, str) else "")
    return text if data is None else f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
