"""Read mailbox names in IMAP's modified UTF-7 (RFC 3501, 5.1.3), as mbsync and offlineimap name folders."""

from __future__ import annotations

import base64
import binascii
import re

_SHIFTED = re.compile(r"&([A-Za-z0-9+,]*)-")


def from_utf7(text: str) -> str:
    """Return the name that a text in modified UTF-7 stands for; the text itself where it is none."""
    if not text.isascii() or "&" in _SHIFTED.sub("", text):
        return text
    try:
        return _SHIFTED.sub(lambda match: _decode(match[1]), text)
    except (binascii.Error, UnicodeDecodeError):
        return text


def _decode(shifted: str) -> str:
    if not shifted:
        return "&"
    padding = "=" * (-len(shifted) % 4)
    return base64.b64decode(shifted.replace(",", "/") + padding, validate=True).decode("utf-16-be")
