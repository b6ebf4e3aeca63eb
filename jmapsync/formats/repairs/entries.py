"""Walk the entries that two versions of an object share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jmapsync.formats.codec import Object


def entries(item: Object, name: str) -> Object:
    """Return a map of objects; an empty one where there is none."""
    found = item.get(name)
    return {key: entry for key, entry in found.items() if isinstance(entry, dict)} if isinstance(found, dict) else {}


def pairs(before: Object, after: Object, name: str) -> Iterator[tuple[str, Object, Object]]:
    """Yield the entries of a map that both objects have, with their key."""
    old = entries(before, name)
    for key, entry in entries(after, name).items():
        if key in old:
            yield key, old[key], entry


def with_entry(item: Object, name: str, key: str, entry: Object) -> Object:
    """Return an object with an entry of a map set."""
    found = item.get(name)
    return {**item, name: {**(found if isinstance(found, dict) else {}), key: entry}}
