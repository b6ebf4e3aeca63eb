"""Apply and make JSPROP lines: what has no vCard property travels as JSON with a pointer (RFC 9555, 3.2.1; RFC 9553, 1.4.3).

Unlike the RFC, each JSPROP line is judged alone: a file whose owner deleted one telephone with an editor must not lose what all the
other lines say. A line that points nowhere is kept in vCardProps. Where another line says what a JSPROP line says, somebody wrote
that line after it (`BDAY` into a file that had the birthday in a JSPROP line), and it wins.
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
"""Levels of JSON in one JSPROP line; what goes deeper is kept unread."""
_MISSING = object()
_MADE = frozenset({"name", "version"})
"""Properties that a card has although no line may say them as they are: every file has FN and N; see `vcard.read_card`."""
_ONCE = frozenset({"birth", "death"})
"""Kinds of anniversaries that a person has once (RFC 6350, 6.2.5; RFC 6474, 2.3)."""


def read_patch(reading: Reading, line: Line) -> None:
    """Apply a JSPROP line to the card, all other lines having been read; keep it where that cannot be."""
    pointer = line.params.get("jsptr")
    value = _json(unescape(line.value))
    path = parse(",".join(pointer)) if pointer else ()
    if path == ("vCardProps",) and isinstance(value, list):
        reading.card["vCardProps"] = [*reading.card.get("vCardProps", ()), *value]
    elif value is _MISSING or not path or path[0] in {"@type", "vCardProps"} or not _set(reading.card, path, value):
        reading.keep(line)


def apply_pending(card: Object) -> Object:
    """Return a card with the JSPROP lines applied that it keeps because they pointed nowhere when it was read, but do so now.

    khard takes PROP-ID off what it writes anew, so that the pointers of a vCard 4.0 miss. Once the keys of the maps have been
    chosen as in the card that was stored, they meet again.
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
    """Return the maps and keys of entries that a JSPROP line brings."""
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
    """Return the entries of a map that lines say, with those of a JSPROP line.

    Where that has the whole map, no line said any entry of it when it was written: those are new ones. Of what a person has once
    (a birth), a new one takes the place of the old one.
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
