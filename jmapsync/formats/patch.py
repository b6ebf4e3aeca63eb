"""Make and apply PatchObjects (RFC 8620, 5.3), those of recurrence overrides and of localizations among them.

A property that is null counts as missing, except in the maps of MAPS_OF_PATCHES: their values are PatchObjects, in which null means
removal. Each of those is one value and is sent whole.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from jmapsync.formats.objects import MalformedError, Object, Patch, same
from jmapsync.formats.pointer import describe, escape, parse, split

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

MAPS_OF_PATCHES = frozenset({"recurrenceOverrides", "localizations"})
"""Properties whose values are PatchObjects."""
_LONGEST_INDEX = 18
"""Digits of an array index."""


class UnfitPatchError(MalformedError):
    """A patch with a path whose parent the object lacks."""


def diff(before: Object, after: Object) -> Patch:
    """Return the narrowest patch that makes `after` of `before`; empty if they are equal.

    Arrays are replaced whole, and so is an object whose `@type` changed. No path leads into an array or below what is missing or
    null in `before`, and none is the start of another (RFC 8620, 5.3).

    >>> diff({"title": "a", "color": "red"}, {"title": "b"}) == {"title": "b", "color": None}
    True
    """
    return dict(_differences(before, after, ""))


def _differences(before: Object, after: Object, start: str) -> Iterator[tuple[str, Any]]:
    whole = start[:-1] in MAPS_OF_PATCHES
    for name in before | after:  # not a set of names: the order of a patch is the same in every process
        old, new = before.get(name), after.get(name)
        if same(old, new):
            continue
        path = start + escape(name)
        if isinstance(old, dict) and isinstance(new, dict) and not whole and old.get("@type") == new.get("@type"):
            yield from _differences(old, new, path + "/")
        else:
            yield path, new


def apply(item: Object, patch: Patch) -> Object:
    """Return a copy of an object with a patch applied.

    Removing what is missing does nothing. Raise UnfitPatchError if the parent of a value is missing or not an object: parents are
    not created, and nothing of such a patch is applied (RFC 8984, 1.4.9).

    >>> apply({"name": {"full": "Ann"}}, {"name/full": "Anna"})
    {'name': {'full': 'Anna'}}
    """
    result = dict(item)
    owned = {"": result}
    for path in sorted(patch):
        value, *names = patch[path], *split(path)
        parent, where = result, ""
        for name in names[:-1]:
            below = parent.get(name)
            if not isinstance(below, dict):
                break
            where += "/" + escape(name)
            if where not in owned:
                owned[where] = parent[name] = dict(below)
            parent = owned[where]
        else:
            if value is None:
                parent.pop(names[-1], None)
            else:
                parent[names[-1]] = value
            continue
        if value is not None:
            raise UnfitPatchError(f"there is no {describe(path.rpartition('/')[0])} to hold {names[-1]}")
    return result


def apply_fitting(item: Object, patch: Patch) -> tuple[Object, Patch]:
    """Return a copy of an object with those parts of a patch applied that fit, and the parts that do not."""
    try:
        return apply(item, patch), {}
    except UnfitPatchError:
        unfit: Patch = {}
        for path in sorted(patch):
            try:
                item = apply(item, {path: patch[path]})
            except UnfitPatchError:
                unfit[path] = patch[path]
        return item, unfit


def instance(item: Object, name: str, key: str, patch: Any, without: Collection[str] = MAPS_OF_PATCHES) -> Object | None:  # noqa: ANN401 # any JSON value
    """Return the item with the override or localization `key` of the map `name` applied; None if it is excluded or does not fit.

    The result lacks the properties `without`; an instance starts at its recurrence id (RFC 8984, 4.3.5).
    """
    if not isinstance(patch, dict) or patch.get("excluded") is True:
        return None
    base = {each: value for each, value in item.items() if each not in without}
    if name == "recurrenceOverrides" and base.get("start") is not None:
        base["start"] = key
    try:
        return apply(base, patch)
    except UnfitPatchError:
        return None


def localized(card: Object, patch: Patch) -> Object | None:
    """Return a card in the language of one of its localizations; None if the patch does not fit.

    The paths of localizations may lead into arrays (RFC 9553, 2.7.1).
    """
    result: Object = copy.deepcopy({name: value for name, value in card.items() if name != "localizations"})
    for pointer, value in patch.items():
        path = parse(pointer)
        if not path or path[0] == "localizations":
            return None
        parent: Any = result
        for step in path[:-1]:
            parent = _member(parent, step)
        if isinstance(parent, list):
            place = _index(parent, path[-1])
            if place is None or value is None:
                return None
            parent[place] = copy.deepcopy(value)
        elif isinstance(parent, dict):
            if value is None:
                parent.pop(path[-1], None)
            else:
                parent[path[-1]] = copy.deepcopy(value)
        else:
            return None
    return result


def _member(parent: Any, step: str) -> Any:  # noqa: ANN401 # any JSON value
    if isinstance(parent, dict):
        return parent.get(step)
    place = _index(parent, step) if isinstance(parent, list) else None
    return None if place is None else parent[place]


def _index(values: list[Any], step: str) -> int | None:
    valid = step.isdecimal() and step.isascii() and len(step) <= _LONGEST_INDEX
    return int(step) if valid and int(step) < len(values) else None
