"""Read, apply and make the patches of recurrence overrides (PatchObject, jscalendarbis, 1.5.9; JSON pointers, RFC 6901)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from jmapsync.formats.codec import Object, Patch


def join(*names: str) -> str:
    """Return the path of names, without a leading slash."""
    return "/".join(name.replace("~", "~0").replace("/", "~1") for name in names)


def split(path: str) -> list[str]:
    """Return the names of a path."""
    return [name.replace("~1", "/").replace("~0", "~") for name in path.split("/")] if path else []


def set_new(item: Object, path: Sequence[str], value: object) -> bool:
    """Set a property where it is not yet there; tell whether it could be: its parents have to exist."""
    place: Any = item
    for name in path[:-1]:
        place = place.get(name) if isinstance(place, dict) else None
    if not isinstance(place, dict) or path[-1] in place:
        return False
    place[path[-1]] = value
    return True


def patched(item: Object, patch: Mapping[str, Any]) -> tuple[Object, Patch]:
    """Return an object with a patch applied, and what of the patch could not be; null removes a property."""
    result = dict(item)
    owned = {id(result)}
    failed: Patch = {}
    for path, value in patch.items():
        names = split(path)
        place: Any = result
        for name in names[:-1]:
            inner = place.get(name) if isinstance(place, dict) else None
            if isinstance(inner, dict) and id(inner) not in owned:  # copied on the way down: the object given stays as it is
                place[name] = inner = dict(inner)
                owned.add(id(inner))
            place = inner
        if not names or not isinstance(place, dict):
            failed[path] = value
        elif value is None:
            place.pop(names[-1], None)
        else:
            place[names[-1]] = value
    return result, failed


def difference(before: Mapping[str, Any], after: Mapping[str, Any], *path: str) -> Iterator[tuple[str, Any]]:
    """Yield the patch that makes one object the other: the deepest paths that differ, null for what is gone."""
    for name, old in before.items():
        new = after.get(name)
        if new is None:
            yield join(*path, name), None
        elif isinstance(old, dict) and isinstance(new, dict):
            if old != new:
                yield from difference(old, new, *path, name)
        elif old != new or type(old) is not type(new):
            yield join(*path, name), new
    for name, new in after.items():
        if name not in before and new is not None:
            yield join(*path, name), new
