"""Read LANGUAGE and ALTID as localizations; pair lines with their pronunciations (RFC 9555, 2.3.1, 2.3.11, 2.3.15).

A line in another language is an alternative of the line with the same ALTID or, for properties that occur once, of that property.
Without such a line it is a line of its own, with LANGUAGE in vCardParams.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from jmapsync.formats.vcard.anniversaries import PLACES
from jmapsync.formats.vcard.values import unescape

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.formats.contentline import Line
    from jmapsync.formats.objects import Object, Patch
    from jmapsync.formats.vcard.state import Reading

_SINGLE = frozenset({"FN", "N", "GRAMGENDER", *PLACES})
_OVERRULED = ("isOrdered", "defaultSeparator")
_NO_MAPS = frozenset({"@type", "version", "uid", "vCardProps", "language", "name", "speakToAs"})


class Sorted(NamedTuple):
    """The lines of a card by language."""

    main: list[Line]
    spoken: list[tuple[Line, Line]]
    """A line and its pronunciation."""
    others: dict[str, list[tuple[Line, Line]]]
    """By language: a line, and its alternative."""
    language: str | None
    """The language of the card, if only FN has it."""


def sort_languages(lines: list[Line]) -> Sorted:
    """Separate the lines in the language of the card, their pronunciations, and their alternatives in other languages."""
    if not any("language" in line.params or "altid" in line.params for line in lines):
        return Sorted(lines, [], {}, None)
    named = next((line.value for line in lines if line.name == "LANGUAGE" and line.value), None)
    implied = None if named else _implied(lines)
    own = (named or implied or "").lower()
    main, alternatives = _pair(lines, own)
    known = {id(partner) for partner, _ in alternatives}
    bare = {id(line): _without(line, own, alternative=id(line) in known) for line in main}
    result = Sorted([bare[id(line)] for line in main], [], {}, implied)
    for partner, line in alternatives:
        tag = _tag(line)
        pair = bare[id(partner)], _without(line, tag, alternative=True)
        taken = any(other is pair[0] for other, _ in result.spoken)
        if "phonetic" in line.params and tag in {"", own} and not taken:
            result.spoken.append(pair)
        elif tag:
            result.others.setdefault(",".join(line.params["language"]), []).append(pair)
        else:
            result.main.append(line)
    return result


def _pair(lines: list[Line], own: str) -> tuple[list[Line], list[tuple[Line, Line]]]:
    """Return the independent lines, and the others with the lines that they are alternatives of."""
    partners: dict[tuple[str, str], Line] = {}
    for wanted in ("", own):
        for line in lines:
            if "phonetic" not in line.params and _tag(line) == wanted:
                for key in _keys(line):
                    partners.setdefault(key, line)
    main: list[Line] = []
    alternatives: list[tuple[Line, Line]] = []
    for line in lines:
        partner = next((partners[key] for key in _keys(line) if key in partners), None)
        if partner is None or partner is line or ("phonetic" not in line.params and _tag(line) == ""):
            main.append(line)
        else:
            alternatives.append((partner, line))
    return main, alternatives


def _implied(lines: list[Line]) -> str | None:
    full = [line for line in lines if line.name == "FN"]
    if not full or not all("language" in line.params for line in full):
        return None
    first, dash, rest = ",".join(full[0].params["language"]).partition("-")
    return first.lower() + dash + rest


def _tag(line: Line) -> str:
    return ",".join(line.params["language"]).lower() if "language" in line.params else ""


def _keys(line: Line) -> tuple[tuple[str, str], ...]:
    alternative = line.params.get("altid")
    if alternative:
        return ((line.name, ",".join(alternative)),)
    return ((line.name, "\n"),) if line.name in _SINGLE else ()


def _without(line: Line, own: str, *, alternative: bool) -> Line:
    """Remove the parameters that were converted."""
    params = line.params
    drop = {"altid"} if alternative else set()
    if "language" in params and _tag(line) == own:
        drop.add("language")
    return line._replace(params={name: values for name, values in params.items() if name not in drop}) if drop else line


def read_localizations(reading: Reading, found: Sorted, read: Callable[[list[Line], list[tuple[Line, Line]]], Object]) -> None:
    """Set `localizations` with the narrowest patches; `read` makes a card of lines and their pronunciations."""
    for language, pairs in found.others.items():
        patch: Patch = {}
        lines: list[Line] = []
        spoken: list[tuple[Line, Line]] = []
        names = {id(line): line for _, line in pairs if line.name == "N" and "phonetic" not in line.params}
        for main, line in pairs:
            _, key = reading.places.get(id(main), ("", ""))
            if line.name in PLACES:
                if key and "geo:" not in line.value:
                    patch[f"anniversaries/{key}/place/full"] = unescape(line.value)
                continue
            keyed = line._replace(params={**line.params, **({"prop-id": [key]} if key else {})}, group="")
            if "phonetic" in line.params:
                base = next(iter(names.values()), main) if line.name == "N" else main._replace(params=_prop_id(main, key), group="")
                spoken.append((base, keyed))
                if not any(other is base for other in lines):
                    lines.append(base)
            else:
                lines.append(line if line.name == "N" else keyed)
        mini = read(lines, spoken)
        _compare(reading.card, mini, patch)
        if "vCardProps" in mini:
            reading.card.setdefault("vCardProps", []).extend(mini["vCardProps"])
        if patch:
            reading.card.setdefault("localizations", {})[language] = patch


def _prop_id(line: Line, key: str) -> dict[str, list[str]]:
    return {**line.params, "prop-id": [key]} if key else line.params


def _compare(card: Object, mini: Object, patch: Patch) -> None:
    for where in mini.keys() - _NO_MAPS:
        known = card.get(where, {})
        for key, entry in mini[where].items() if isinstance(mini[where], dict) else ():
            if isinstance(known, dict) and isinstance(known.get(key), dict) and isinstance(entry, dict):
                _compare_entry(f"{where}/{key}", known[key], entry, patch)
    for where in ("name", "speakToAs"):
        if where in mini:
            _compare_entry(where, card.get(where, {}), mini[where], patch)


def _compare_entry(path: str, known: Object, entry: Object, patch: Patch) -> None:
    for name, value in entry.items():
        if value == known.get(name) or name == "vCardParams":
            continue
        if isinstance(value, dict) and isinstance(known.get(name), dict):
            _compare_entry(f"{path}/{name}", known[name], value, patch)
        elif name == "components" and _same_words(value, known.get(name)):
            for place, part in enumerate(value):
                if part.get("phonetic") != known[name][place].get("phonetic"):
                    patch[f"{path}/components/{place}/phonetic"] = part.get("phonetic", "")
        else:
            patch[f"{path}/{name}"] = value
    if "components" in entry:
        for name in _OVERRULED:
            if name in known and name not in entry:
                patch[f"{path}/{name}"] = None


def _same_words(parts: list[Any], known: object) -> bool:
    return (
        isinstance(known, list)
        and len(known) == len(parts)
        and all(
            isinstance(old, dict) and (old.get("kind"), old.get("value")) == (part["kind"], part["value"])
            for old, part in zip(known, parts, strict=True)
        )
    )
