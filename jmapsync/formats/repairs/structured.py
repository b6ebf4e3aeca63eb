"""Give the components of a name or an address back what the fields of an old N or ADR do not say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jmapsync.formats.codec import Object

NAME = {
    "surname": "surname",
    "surname2": "surname",
    "given": "given",
    "given2": "given2",
    "title": "title",
    "credential": "credential",
    "generation": "credential",
}
"""The field of a five-field N that says each kind of component, by the kind that the field alone is read as (RFC 9554, 2.2)."""
ADDRESS = {
    **dict.fromkeys(("room", "floor", "apartment", "building"), "apartment"),
    **dict.fromkeys(("number", "name", "block", "direction", "landmark", "subdistrict", "district"), "name"),
    **{kind: kind for kind in ("postOfficeBox", "locality", "region", "postcode", "country")},
}
"""The same of a seven-field ADR (RFC 9554, 2.1)."""
_WORD = re.compile(r"\w+")
_SAID_BESIDE = ("sortAs", "isOrdered", "defaultSeparator", "phoneticSystem", "phoneticScript")


def with_kinds(before: Object, after: Object, fields: dict[str, str]) -> Object:
    """Return a name or an address with the components of the one before in every field that has the same words.

    One that has kinds of components which the old fields cannot say was written by a program that knows them: it stays.
    """
    old, new = before.get("components"), after.get("components")
    if not isinstance(old, list) or not isinstance(new, list) or old == new:
        return after
    if any(fields.get(_kind(part)) != _kind(part) for part in new):
        return after
    same = {field for field in set(fields.values()) if _words(old, field, fields) == _words(new, field, fields)}
    components: list[Any] = []
    placed = set(same)
    for part in old:
        field = fields.get(_kind(part))
        if field is None or field in same:
            components.append(part)
        elif field not in placed:
            components += [other for other in new if fields.get(_kind(other)) == field]
            placed.add(field)
    components += [part for part in new if fields.get(_kind(part)) not in placed]
    beside = {name: before[name] for name in _SAID_BESIDE if name in before and name not in after}
    if isinstance(sort_as := beside.get("sortAs"), dict):
        beside["sortAs"] = {kind: text for kind, text in sort_as.items() if fields.get(kind) in same}
    return {**after, "components": components, **{name: value for name, value in beside.items() if value != {}}}


def _kind(part: Any) -> str:  # noqa: ANN401 # any JSON value
    return str(part.get("kind")) if isinstance(part, dict) else ""


def _words(components: list[Any], field: str, fields: dict[str, str]) -> list[str]:
    texts = [str(part.get("value")) for part in components if isinstance(part, dict) and fields.get(_kind(part)) == field]
    return sorted(word for text in texts for word in _WORD.findall(text))
