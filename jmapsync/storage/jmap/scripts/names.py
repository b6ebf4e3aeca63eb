"""Read the names of scripts as servers give them."""

from __future__ import annotations

import re

_ENCODED = re.compile(r"(?:=\?[\w-]+\?[BbQq]\?[^?\s]*\?=\s*)+")
"""Only encoded words (RFC 2047, 2)."""


def plain_name(name: str) -> str:
    """Return the name of a script: Cyrus 3.6 to 3.12 gives one that is not ASCII as it stands in a header of its own."""
    if _ENCODED.fullmatch(name) is None:
        return name
    import email.errors  # noqa: PLC0415  # few need it
    import email.header  # noqa: PLC0415

    try:
        return str(email.header.make_header(email.header.decode_header(name)))
    except (ValueError, LookupError, email.errors.MessageError):
        return name
