"""Write vCards and Cards for tests, and compare Cards."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from jmapsync.formats.vcard.residue import plain

if TYPE_CHECKING:
    from jmapsync.formats.objects import Object
    from jmapsync.formats.vcard.values import Json

UID = "urn:uuid:03a0e51f-d1aa-4385-8a53-e29025acd8af"


def vcard(*lines: str, version: str = "4.0") -> bytes:
    """Return a file with some lines, and with a UID if they have none."""
    uid = () if any(line.upper().startswith("UID") for line in lines) else (f"UID:{UID}",)
    return "\r\n".join(["BEGIN:VCARD", f"VERSION:{version}", *uid, *lines, "END:VCARD", ""]).encode()


def card(**properties: Json) -> Object:
    """Return a Card with some properties."""
    return {"@type": "Card", "version": "1.0", "uid": UID, **properties}


def lines_of(data: bytes) -> list[str]:
    """Return the unfolded lines of a file, without its frame, VERSION and UID."""
    lines = data.decode().replace("\r\n ", "").split("\r\n")
    assert lines[0] == "BEGIN:VCARD"
    assert lines[-2:] == ["END:VCARD", ""]
    return [line for line in lines[2:-2] if not line.startswith("UID")]


def meaning(item: Object) -> Object:
    """Return a Card without what means nothing: defaults, implied types, the order of what has none."""
    result: Object = plain({name: value for name, value in item.items() if name != "kind" or value != "individual"})
    return result


def unkeyed(item: Object) -> Object:
    """Return a Card without the keys of its maps, which vCard 3.0 does not hold."""
    result = {name: value for name, value in meaning(item).items() if name != "speakToAs"}
    for name, entries in result.items():
        if (
            name not in {"name", "localizations"}
            and isinstance(entries, dict)
            and all(isinstance(part, dict) for part in entries.values())
        ):
            result[name] = sorted(json.dumps(part, sort_keys=True) for part in entries.values())
    return result
