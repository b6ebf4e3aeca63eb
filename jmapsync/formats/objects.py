"""Walk, compare and change JSON objects by path (RFC 8620, 5.3).

Paths are JSON pointers (RFC 6901) without the leading slash. A property that is null counts as missing, but for the values that
are patches themselves (overrides of recurrences, localizations): those are one value each, sent whole (RFC 8984, 4.3.5).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from jmapsync.formats.codec import MalformedError, Object, Patch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAPS_OF_PATCHES = frozenset({"recurrenceOverrides", "localizations"})
"""Properties whose values are PatchObjects: a null or a slash in them means something of its own."""
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


class UnfitPatchError(MalformedError):
    """A patch with a path whose parent the object lacks."""


def escape(name: str) -> str:
    """Return a property's name as one token of a path (RFC 6901, 3)."""
    return name.replace("~", "~0").replace("/", "~1")


def tokens(path: str) -> list[str]:
    """Return the names that a path goes through."""
    return [token.replace("~1", "/").replace("~0", "~") for token in path.split("/")]


def words(path: str) -> str:
    """Return a path for people: `emails e1 address`."""
    first, *rest = tokens(path.removeprefix("jmapsync:"))
    return " ".join([_HUMP.sub(" ", first).lower(), *(_HUMP.sub(" ", name).lower() if name.isalpha() else name for name in rest)])


def at(item: Object, path: str) -> Any:  # noqa: ANN401 # any JSON value
    """Return what an object holds at a path; None where it holds nothing."""
    return follow(item, tokens(path))


def same(one: Any, other: Any) -> bool:  # noqa: ANN401 # any JSON value
    """Tell whether two JSON values are the same; to Python true is also 1."""
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def diff(before: Object, after: Object) -> Patch:
    """Return the narrowest patch that makes `after` of `before`; empty where they are the same.

    Arrays are replaced whole, and so is an object whose `@type` changed. No path leads into an array or below what is missing or
    null in `before`, and none is the start of another (RFC 8620, 5.3).
    """
    return dict(_differences(before, after, ""))


def _differences(before: Object, after: Object, start: str) -> Iterator[tuple[str, Any]]:
    whole = start[:-1] in MAPS_OF_PATCHES
    for name in before.keys() | after.keys():
        old, new = before.get(name), after.get(name)
        if same(old, new):
            continue
        path = start + escape(name)
        if isinstance(old, dict) and isinstance(new, dict) and not whole and old.get("@type") == new.get("@type"):
            yield from _differences(old, new, path + "/")
        else:
            yield path, new


def apply(item: Object, patch: Patch) -> Object:
    """Return an object with a patch applied; the object itself stays as it is.

    Removing what is not there does nothing. Raises UnfitPatchError where a value's parent is missing or is no object: nothing is
    created on the way, and nothing of such a patch is applied (RFC 8984, 1.4.9).
    """
    result = dict(item)
    owned = {"": result}
    for path in sorted(patch):
        value, *names = patch[path], *tokens(path)
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
            raise UnfitPatchError(f"there is no {words(path.rpartition('/')[0])} to hold {names[-1]}")
    return result


def apply_fitting(item: Object, patch: Patch) -> tuple[Object, Patch]:
    """Return an object with what fits of a patch, and what of it does not fit."""
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


def follow(item: Any, names: Sequence[str]) -> Any:  # noqa: ANN401 # any JSON value
    """Return what an object holds behind some names; None where it holds nothing."""
    for name in names:
        if not isinstance(item, dict):
            return None
        item = item.get(name)
    return item
