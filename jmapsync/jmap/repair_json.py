"""Repair JSON with one value that cannot be decoded: nested too deep, or half a surrogate pair.

JMAP uses I-JSON (RFC 7493), which forbids unpaired surrogates and lets a receiver limit the depth. The value is replaced by a
string that is not UTF-8, so that the object with it cannot be decoded, and all others can.
"""

from __future__ import annotations

import re

DEEPEST = 60
"""Levels of arrays and objects; an event of JSCalendar has about ten in its answer."""
_SPOILT = b'"\xff"'
_HALF = re.compile(rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL)
"""An escape in a JSON string; the group is half a surrogate pair."""
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[{]++|[\]}]++', re.DOTALL)
"""A string, or brackets that stand together."""


def readable(body: bytes) -> bytes:
    """Return a body whose undecodable values are replaced; a body that is not JSON is returned unchanged."""
    return _HALF.sub(lambda found: b"\xff" if found[1] else found[0], _shallow(body))


def _shallow(body: bytes) -> bytes:
    """Return a body without values nested deeper than `DEEPEST` levels."""
    kept: list[bytes] = []
    depth = start = 0
    for token in _TOKEN.finditer(body):
        first, before = body[token.start()], depth
        if first in b"[{":
            depth += token.end() - token.start()
            if before <= DEEPEST < depth:
                kept.append(body[start : token.start() + DEEPEST - before])
        elif first in b"]}":
            depth -= token.end() - token.start()
            if depth <= DEEPEST < before:
                kept.append(_SPOILT)
                start = token.start() + before - DEEPEST
    return b"".join((*kept, body[start:])) if kept and depth <= DEEPEST else body
