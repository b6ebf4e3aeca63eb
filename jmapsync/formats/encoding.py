"""Write JSON values as bytes in one way: what is the same has the same bytes."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

_ENCODE = msgspec.json.Encoder(order="sorted").encode
_DATA = re.compile(rb'"data:', re.IGNORECASE)


def encode(value: Any) -> bytes:  # noqa: ANN401 # any JSON value
    """Return a JSON value as UTF-8 with sorted keys and without spaces; half a character, which JSON can hold, as it is."""
    try:
        return _ENCODE(value)
    except (UnicodeEncodeError, OverflowError):
        return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def holds_data(content: bytes) -> bool:
    """Tell whether what `encode` wrote may hold a `data:` URI (RFC 2397)."""
    return _DATA.search(content) is not None
