"""Convert the components of names and addresses to and from the structured values N and ADR (RFC 9555, 2.5.5, 2.6.1, 3.3.1).

RFC 9554 added fields to both; their values are repeated in an old field for old readers. JSCOMPS has order and separators.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from jmapsync.formats.contentline import escape, split
from jmapsync.formats.vcard.values import fields, read_number, unescape

if TYPE_CHECKING:
    from collections.abc import Callable

Place = tuple[int, int]
"""The index of a field, and that of a value within it."""
Components = list[dict[str, Any]]

SURNAME, CREDENTIAL, SURNAME2, GENERATION = 0, 4, 5, 6
_EXTENDED, _STREET = 1, 2
_OLD_ADDRESS, _OLD_NAME = 7, 5
_ROOM_FIELDS = (7, 8, 9, 12)
_STREET_FIELDS = (10, 11, 13, 14, 15, 16, 17)
_EXTENDED_KINDS = ("room", "floor", "apartment", "building")
_STREET_KINDS = ("number", "name", "block", "direction", "landmark", "subdistrict", "district")


class Structure(NamedTuple):
    """A structured property."""

    kinds: tuple[str, ...]
    """The kind of component of each field."""
    duplicates: Callable[[list[list[str]]], set[Place]]
    """Finds values of the old fields that repeat those of the new ones."""


class Structured(NamedTuple):
    """A structured value with its JSCOMPS and pronunciation."""

    value: str
    jscomps: str | None
    phonetic: str | None
    """The value of the second property, with the pronunciation."""


def _name_duplicates(found: list[list[str]]) -> set[Place]:
    return {
        *_repeated(found, SURNAME, SURNAME2, from_end=True),
        *_repeated(found, CREDENTIAL, GENERATION, from_end=False),
    }


def _repeated(found: list[list[str]], old: int, new: int, *, from_end: bool) -> set[Place]:
    """Return the indexes in an old field that repeat values of the new one, one each."""
    if len(found) <= new:
        return set()
    left = Counter(text for text in found[new] if text)
    places: set[Place] = set()
    for index in reversed(range(len(found[old]))) if from_end else range(len(found[old])):
        if left[found[old][index]] > 0:
            left[found[old][index]] -= 1
            places.add((old, index))
    return places


def _address_duplicates(found: list[list[str]]) -> set[Place]:
    places: set[Place] = set()
    for old, new in ((_EXTENDED, _ROOM_FIELDS), (_STREET, _STREET_FIELDS)):
        if len(found) > _OLD_ADDRESS and any(index < len(found) and any(found[index]) for index in new):
            places.update((old, index) for index in range(len(found[old])))
    return places


NAME = Structure(("surname", "given", "given2", "title", "credential", "surname2", "generation"), _name_duplicates)
ADDRESS = Structure(
    (
        *("postOfficeBox", "apartment", "name", "locality", "region", "postcode", "country", "room", "apartment", "floor"),
        *("number", "name", "building", "block", "subdistrict", "district", "landmark", "direction"),
    ),
    _address_duplicates,
)
_FIELD_OF = {id(structure): {kind: index for index, kind in enumerate(structure.kinds)} for structure in (NAME, ADDRESS)}


def read_components(value: str, structure: Structure, jscomps: str | None, phonetic: str | None) -> dict[str, Any]:
    """Return `components`, `isOrdered` and `defaultSeparator` of a structured value, as far as it has them."""
    found = fields(value)
    kinds = structure.kinds
    repeated = structure.duplicates(found) if len(found) > _OLD_NAME else ()
    if jscomps is None and phonetic is None and not repeated:  # as nearly all are
        plain = [{"kind": kind, "value": text} for kind, texts in zip(kinds, found, strict=False) for text in texts if text]
        return {"components": plain} if plain else {}
    places = [
        (index, place)
        for index, texts in enumerate(found[: len(kinds)])
        for place, text in enumerate(texts)
        if text and (index, place) not in repeated
    ]
    spoken = fields(phonetic) if phonetic is not None else []
    made = {place: _component(kinds[place[0]], found[place[0]][place[1]], spoken, place) for place in places}
    ordered = _order(jscomps, found, made, kinds, spoken) if jscomps is not None else None
    if ordered is not None:
        return ordered
    return {"components": list(made.values())} if made else {}


def _component(kind: str, text: str, spoken: list[list[str]], place: Place) -> dict[str, Any]:
    component = {"kind": kind, "value": text}
    index, nth = place
    if index < len(spoken) and nth < len(spoken[index]) and spoken[index][nth]:
        component["phonetic"] = spoken[index][nth]
    return component


def _order(
    jscomps: str, found: list[list[str]], made: dict[Place, dict[str, Any]], kinds: tuple[str, ...], spoken: list[list[str]]
) -> dict[str, Any] | None:
    """Return the ordered components; None if JSCOMPS is invalid (RFC 9555, 3.3.1)."""
    entries = split(jscomps, ";")
    result: dict[str, Any] = {"isOrdered": True}
    if entries[0].startswith("s,"):
        result["defaultSeparator"] = unescape(entries[0][2:])
    elif entries[0]:
        return None
    components: Components = []
    count = 0
    for entry in entries[1:]:
        if entry.startswith("s,"):
            components.append({"kind": "separator", "value": unescape(entry[2:])})
            continue
        first, _, second = entry.partition(",")
        field, number = read_number(first), read_number(second or "0")
        if field is None or number is None:
            return None
        place = field, number
        if place[0] >= min(len(found), len(kinds)) or place[1] >= len(found[place[0]]) or not found[place[0]][place[1]]:
            return None
        components.append(made.get(place) or _component(kinds[place[0]], found[place[0]][place[1]], spoken, place))
        count += 1
    if count != len(made) or not count:
        return None
    result["components"] = components
    return result


def write_components(item: dict[str, Any], structure: Structure, *, short: bool) -> Structured | None:
    """Return the structured value of a Name or an Address; with `short`, that of vCard 3.0, with 5 or 7 fields and no JSCOMPS.

    None if it cannot express the components: an unknown kind, separators without order, no value.
    """
    components = item.get("components")
    if not isinstance(components, list):
        return None
    field_of = _FIELD_OF[id(structure)]
    texts: list[list[str]] = [[] for _ in structure.kinds]
    spoken: list[list[str]] = [[] for _ in structure.kinds]
    order: list[Place | str] = []
    heard = False
    for component in components:
        kind, text = (component.get("kind"), component.get("value")) if isinstance(component, dict) else (None, None)
        if not isinstance(text, str):
            return None
        if kind == "separator":
            order.append(text)
            continue
        index = field_of.get(kind) if isinstance(kind, str) else None
        if index is None:
            return None
        if not text:
            continue  # of `ADR:;;Street 5,;Town` some servers make an empty one
        order.append((index, len(texts[index])))
        texts[index].append(text)
        phonetic = component.get("phonetic")
        spoken[index].append(phonetic if isinstance(phonetic, str) else "")
        heard = heard or bool(spoken[index][-1])
    if not any(texts):
        return None
    generations = len(texts[GENERATION]) if structure is NAME else 0
    joined = _join_name(texts, short=short) if structure is NAME else _join_address(item, texts, short=short)
    jscomps = None if short or item.get("isOrdered") is not True else _jscomps(item, order, generations)
    said = (_join_name(spoken, short=short) if structure is NAME else _join(spoken)) if heard else None
    return Structured(joined, jscomps, said)


def _jscomps(item: dict[str, Any], order: list[Place | str], generations: int) -> str:
    separator = item.get("defaultSeparator")
    entries = [f"s,{_verbatim(separator)}" if isinstance(separator, str) else ""]
    for entry in order:
        if isinstance(entry, str):
            entries.append(f"s,{_verbatim(entry)}")
            continue
        index, nth = entry
        nth += generations if index == CREDENTIAL else 0
        entries.append(f"{index},{nth}" if nth else str(index))
    return ";".join(entries)


def _verbatim(text: str) -> str:
    """Escape a separator as in RFC 6350, 3.4, except line breaks, which the parameter encoding escapes."""
    return text.replace("\\", "\\\\").replace(",", "\\,").replace(";", "\\;")


def _join(texts: list[list[str]]) -> str:
    return ";".join([",".join([escape(text) for text in field]) if field else "" for field in texts])


def _join_name(texts: list[list[str]], *, short: bool) -> str:
    """Join the fields of N, with second surnames and generations repeated for old readers (RFC 9554, 2.2)."""
    whole = list(texts)
    whole[SURNAME] = texts[SURNAME] + texts[SURNAME2]
    whole[CREDENTIAL] = texts[GENERATION] + texts[CREDENTIAL]
    return _join(whole[:_OLD_NAME] if short else whole)


def _join_address(item: dict[str, Any], texts: list[list[str]], *, short: bool) -> str:
    """Join the fields of ADR, with the new ones combined into the two old ones (RFC 9554, 2.1)."""
    by_kind = {kind: texts[index] for kind, index in _FIELD_OF[id(ADDRESS)].items()}
    whole = list(texts)
    for field, kinds in ((_EXTENDED, _EXTENDED_KINDS), (_STREET, _STREET_KINDS)):
        used = [kind for kind in kinds if by_kind[kind]]
        if len(used) == 1:
            whole[field] = by_kind[used[0]]
        elif used:
            whole[field] = [_line_of(item, kinds)]
    return _join(whole[:_OLD_ADDRESS] if short else whole)


def _line_of(item: dict[str, Any], kinds: tuple[str, ...]) -> str:
    """Return the components of some kinds as one line: in their own order and with their separators, if ordered."""
    components: Components = item["components"]
    if item.get("isOrdered") is not True:
        return " ".join(component["value"] for kind in kinds for component in components if component["kind"] == kind)
    line = ""
    between = " "
    for component in components:
        if component["kind"] == "separator":
            between = component["value"]
        else:
            if component["kind"] in kinds:
                line = f"{line}{between}{component['value']}" if line else component["value"]
            between = " "
    return line
