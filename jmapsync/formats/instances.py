"""Hold the instances of a series whose main object is not here as one item, as they share one file: they have one uid.

So it is for who was invited to some occurrences of somebody's series only (RFC 5545, 3.8.4.4). A server has an object for each; a
vdir has one file for all, and so has Cyrus. Each instance is an object of its own in a map by its `recurrenceId`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.formats.codec import MalformedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jmapsync.formats.codec import Object

INSTANCES = "jmapsync:instances"
"""The property of the map; what a server gives under this name is dropped (storage.jmap.objects.forms)."""


def instances(item: Object) -> dict[str, Object]:
    """Return the instances that an item stands for, by `recurrenceId`; nothing for every other item."""
    found = item.get(INSTANCES)
    return found if isinstance(found, dict) and all(isinstance(part, dict) for part in found.values()) else {}


def gathered(objects: Iterable[Object]) -> Object:
    """Return the item that stands for the instances of one uid. Raises MalformedError where two are of one occurrence."""
    found: dict[str, Object] = {}
    for item in objects:
        key = str(item.get("recurrenceId"))
        if key in found:
            raise MalformedError(f"There are two versions of the instance of {key}.")
        found[key] = item
    first = next(iter(found.values()))
    return {"@type": first.get("@type"), "uid": first.get("uid"), INSTANCES: dict(sorted(found.items()))}
