"""Move the grouped lines of a card into the entries of their group, and back: servers rename groups.

Cyrus writes `item2.ADR` and its `item2.X-ABLABEL` as `adr0.ADR` and `adr0.X-ABLABEL`. As part of the entry, a line stays with it.
"""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jmapsync.formats.objects import Object

LINES = "jmapsync:lines"
"""The property of an entry for the jCard properties of its group."""
_GROUP = "jmapsync:group"
"""The name of a jCard property that contains all lines of a group without an entry."""


def fold(card: Object) -> Object:
    """Return a card whose grouped lines are part of the entries of their groups; the lines of any other group become one line."""
    lines = card.get("vCardProps")
    grouped = [line for line in lines if _group_of(line)] if isinstance(lines, list) else []
    if not grouped or not isinstance(lines, list):
        return card
    owners = {group: (name, key) for name, key, group in reversed(list(_entries(card)))}
    result = dict(card)
    others: dict[str, list[Any]] = {}
    for line in grouped:
        group, bare = _group_of(line), _without_group(line)
        if group in owners:
            name, key = owners[group]
            entry = result[name][key]
            result[name] = {**result[name], key: {**entry, LINES: [*entry.get(LINES, ()), bare]}}
        else:
            others.setdefault(group, []).append(bare)
    result["vCardProps"] = [line for line in lines if not _group_of(line)]
    result["vCardProps"] += [[_GROUP, {}, "unknown", sorted(found, key=_text)] for found in others.values()]
    return result


def unfold(card: Object, *named: Object) -> Object:
    """Return a card whose grouped lines are separate lines again.

    Groups get the names that they have in the first of the other cards that has them, if nothing else uses the name.
    """
    names = {_text(found): group for other in reversed(named) for group, found in _groups(other).items()}
    result = dict(card)
    lines = [line for line in _list(card.get("vCardProps")) if not _is_group(line)]
    entries = list(_entries(card, every=True))
    used = {_group_of(line) for line in lines} | {group for _, _, group in entries}
    taken: set[str] = set()
    for name, key, known in entries:
        entry = result[name][key]
        if LINES in entry:
            group = known if known and known not in taken else _new_group(used)
            params = entry.get("vCardParams", {})
            shown = params.get("group", group) if group == known else group
            plain = {each: value for each, value in entry.items() if each != LINES}
            result[name] = {**result[name], key: {**plain, "vCardParams": {**params, "group": shown}}}
            lines += [_with_group(line, shown) for line in _list(entry[LINES])]
        taken.add(known)
    for line in filter(_is_group, _list(card.get("vCardProps"))):
        group = names.get(_text(line[3]), "")
        if not group or group in used:
            group = _new_group(used)
        used.add(group)
        lines += [_with_group(each, group) for each in line[3]]
    if lines or "vCardProps" in card:
        result["vCardProps"] = lines
    return result


def _new_group(used: set[str]) -> str:
    """Return an unused group name, and mark it as used."""
    group = next(name for number in count(1) if (name := f"item{number}") not in used)
    used.add(group)
    return group


def _entries(card: Object, *, every: bool = False) -> Iterator[tuple[str, str, str]]:
    """Yield property, key and group, in lower case, of the entries that have a group; of all entries with `every`."""
    for name, entries in card.items():
        for key, entry in entries.items() if isinstance(entries, dict) else ():
            if isinstance(entry, dict):
                params = entry.get("vCardParams")
                group = params.get("group") if isinstance(params, dict) else None
                if (isinstance(group, str) and group) or every:
                    yield name, key, group.lower() if isinstance(group, str) else ""


def _groups(card: Object) -> dict[str, list[Any]]:
    """Return the groups of a card by their lines."""
    found: dict[str, list[Any]] = {}
    for line in _list(card.get("vCardProps")):
        if group := _group_of(line):
            found.setdefault(group, []).append(_without_group(line))
    return {group: sorted(lines, key=_text) for group, lines in found.items()}


def _is_group(line: Any) -> bool:  # noqa: ANN401 # any JSON value
    return isinstance(line, list) and line[:1] == [_GROUP]


def _group_of(line: Any) -> str:  # noqa: ANN401 # any JSON value
    """Return the group of a jCard property (RFC 7095, 3.3.1.1) in lower case; empty if it has none."""
    params = line[1] if isinstance(line, list) and len(line) > 1 else None
    group = params.get("group") if isinstance(params, dict) else None
    return group.lower() if isinstance(group, str) else ""


def _without_group(line: list[Any]) -> list[Any]:
    return [line[0], {name: value for name, value in line[1].items() if name != "group"}, *line[2:]]


def _with_group(line: list[Any], group: str) -> list[Any]:
    return [line[0], {**line[1], "group": group}, *line[2:]]


def _list(value: Any) -> list[Any]:  # noqa: ANN401 # any JSON value
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:  # noqa: ANN401 # any JSON value
    return json.dumps(value, sort_keys=True)
