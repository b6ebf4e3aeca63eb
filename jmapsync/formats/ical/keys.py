"""Make the keys of entries that a file gives none, always the same (draft-ietf-calext-jscalendar-icalendar, JSCalendar Ids)."""

from __future__ import annotations

import json
import re
from hashlib import sha1
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Collection

    from jmapsync.formats.codec import Object
    from jmapsync.formats.ical.lines import Params

_NAMESPACE = UUID("7f1e1965-ae73-4454-b088-232c90730ce2").bytes
"""The namespace of the draft."""
_TRIES = 32
"""Numbers that are tried in turn; then greater steps are taken, for a file may hold the same line many thousand times."""
_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")


def is_id(value: object) -> bool:
    """Tell whether a value may be a key (Id, jscalendarbis, 1.5.1)."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def hashed(value: str) -> str:
    """Return the UUID version 5 of a value as it stands on the wire: text with its escapes, binary as its base64."""
    digest = bytearray(sha1(_NAMESPACE + value.encode("utf-8", "replace"), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def hashed_object(value: Object) -> str:
    """Return the key of an entry that has no value of its own to make one from: that of its JSON."""
    return hashed(json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")))


def chosen(params: Params, value: str, taken: Collection[str]) -> str:
    """Return the key of a line: its JSID where it has a usable one, else the hash of its value, else of value and number."""
    given = params.get("JSID")
    if given and is_id(given[0]) and given[0] not in taken:
        return given[0]
    return free(hashed(value), taken)


def free(key: str, taken: Collection[str]) -> str:
    """Return a key, or where it is taken one made from it."""
    number, found = 1, key
    while found in taken:
        number += 1 if number < _TRIES else len(taken)
        found = hashed(f"{key} {number}")
    return found
