"""Read and write JSPROP lines: JSON values with a pointer, for properties without a vCard property (RFC 9555, 3.2.1).

Unlike in the RFC, each JSPROP line is valid or invalid alone: if one telephone is deleted with an editor, the other lines still
count. A line that points nowhere is kept in vCardProps. If another line has the property of a JSPROP line, it was written later
(`BDAY` into a file with the birthday in a JSPROP line), and it wins.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from jmapsync.formats.contentline import Line, escape
from jmapsync.formats.pointer import join, parse
from jmapsync.formats.vcard.preserved import write_property
from jmapsync.formats.vcard.values import Json, unescape

if TYPE_CHECKING:
    from jmapsync.formats.objects import Object
    from jmapsync.formats.pointer import Path
    from jmapsync.formats.vcard.state import Reading

_DEEPEST = 64
"""Nesting of JSON in a JSPROP line; a deeper one is kept unread."""
_MISSING = object()
_MADE = frozenset({"name", "version"})
"""Properties that every file has although the card may not: FN and N are mandatory; see `vcard.read_card`."""
_ONCE = frozenset({"birth", "death"})
"""Kinds of anniversaries that a person has once (RFC 6350, 6.2.5; RFC 6474, 2.3)."""


def read_patch(reading: Reading, line: Line) -> None:
    """Apply a JSPROP line to the card after all other lines; keep it if it is invalid."""
    pointer = line.params.get("jsptr")
    value = _json(unescape(line.value))
    path = parse(",".join(pointer)) if pointer else ()
    if path == ("vCardProps",) and isinstance(value, list):
        reading.card["vCardProps"] = [*reading.card.get("vCardProps", ()), *value]
    elif value is _MISSING or not path or path[0] in {"@type", "vCardProps"} or not _set(reading.card, path, value):
        reading.keep(line)


def apply_pending(card: Object) -> Object:
    """Return a card with those kept JSPROP lines applied that pointed nowhere when the file was read, but do so now.

    khard removes PROP-ID from the lines that it rewrites, so the pointers of a vCard 4.0 miss. After the keys of the maps were
    aligned with those of the stored card, they fit again.
    """
    if not any(entry[0] == "jsprop" for entry in card.get("vCardProps", ()) if isinstance(entry, list) and entry):
        return card
    result: Object = copy.deepcopy(card)
    left = [entry for entry in result.pop("vCardProps") if not _applied(result, entry)]
    if left:
        result["vCardProps"] = left
    return result


def _applied(card: Object, entry: Json) -> bool:
    line = write_property(entry) if isinstance(entry, list) and entry and entry[0] == "jsprop" else None
    path = parse(",".join(line.params.get("jsptr", ()))) if line else ()
    value = _json(unescape(line.value)) if line else _MISSING
    return value is not _MISSING and len(path) > 1 and _set(card, path, value)


def filled_by(line: Line) -> list[tuple[str, str]]:
    """Return the maps and keys of the entries of a JSPROP line."""
    path = parse(",".join(line.params.get("jsptr", ())))
    if len(path) == 2:  # noqa: PLR2004 (a map and a key)
        return [(path[0], path[1])]
    value = _json(unescape(line.value)) if len(path) == 1 else None
    return [(path[0], key) for key in value] if isinstance(value, dict) else []


def _json(text: str) -> Json:
    if text.count("[") + text.count("{") > _DEEPEST and _depth(text) > _DEEPEST:
        return _MISSING
    try:
        value = json.loads(text, strict=False)  # a writer may have forgotten that JSON is escaped as text once more
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return _MISSING
    return value


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in text:
        if character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _set(card: Object, path: Path, value: Json) -> bool:
    parent: Any = card
    for step in path[:-1]:
        inner = parent.get(step, _MISSING)
        if inner is _MISSING and parent is card and len(path) == 2 and value is not None:  # noqa: PLR2004 (an entry of a map)
            inner = parent[step] = {}
        if not isinstance(inner, dict):
            return False
        parent = inner
    if value is None:
        parent.pop(path[-1], None)
    elif path[-1] not in parent or path[0] in _MADE:
        parent[path[-1]] = value
    elif len(path) == 1 and isinstance(value, dict) and isinstance(parent[path[-1]], dict):
        parent[path[-1]] = _beside(parent[path[-1]], value)
    return True


def _beside(said: Object, entries: Object) -> Object:
    """Return the entries of a map from lines, with those of a JSPROP line.

    If the JSPROP line has the whole map, no other line expressed an entry when it was written: the others are new. Of what a person
    has once (a birth), a new entry replaces the old one.
    """
    once = {entry.get("kind") for entry in said.values() if isinstance(entry, dict)} & _ONCE
    left = {
        key: entry
        for key, entry in entries.items()
        if key not in said and not (isinstance(entry, dict) and entry.get("kind") in once)
    }
    return {**left, **said}


def write_patch(path: Path, value: Json) -> Line:
    """Return the JSPROP line for a value."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return Line("JSPROP", escape(text), {"jsptr": [join(*path)]})
