"""Define JSON objects, their equality, their canonical encoding and the error of everything that cannot be converted.

An object is the *normal form* of a file: JSON of a JSContact Card (RFC 9553) or of a JSCalendar 2.0 Event or Task, without the
properties that JMAP adds. Recurrence instances without a main object share one file and one UID; they are one item, whose property
INSTANCES maps each `recurrenceId` to an object (RFC 5545, 3.8.4.4: an attendee of some occurrences only gets those).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Object = dict[str, Any]
"""One JSON object."""
Patch = dict[str, Any]
"""A PatchObject (RFC 8620, 5.3): new values by path, null to remove."""
INSTANCES = "jmapsync:instances"
"""The property of an item for instances without a main object; a server's property of this name is dropped."""
_ENCODE = msgspec.json.Encoder(order="sorted").encode
_DIGITS = re.compile(r"(\d+)")
_DATA_URI = re.compile(rb'"data:', re.IGNORECASE)


class MalformedError(ValueError):
    """A file or an object that cannot be converted. The text says why, for users."""


def natural(key: str) -> tuple[Any, ...]:
    """Return a sort key by which 10 comes after 9: the order of the entries of a map in a file without keys."""
    parts = [(len(part.lstrip("0")), part.lstrip("0")) if part.isdecimal() else (-1, part) for part in _DIGITS.split(key)]
    return (*parts, (-1, key))


def encode(value: Any) -> bytes:  # noqa: ANN401 # any JSON value
    """Return a JSON value as UTF-8, keys sorted, without spaces. Lone surrogates, which JSON allows, are kept."""
    try:
        return _ENCODE(value)
    except (UnicodeEncodeError, OverflowError):
        return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def holds_data(content: bytes) -> bool:
    """Return whether encoded JSON may contain a `data:` URI (RFC 2397)."""
    return _DATA_URI.search(content) is not None


def same(one: Any, other: Any) -> bool:  # noqa: ANN401 # any JSON value
    """Return whether two JSON values are equal; in Python, true also equals 1."""
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def instances(item: Object) -> dict[str, Object]:
    """Return the instances of an item by `recurrenceId`; empty for an item that has a main object."""
    found = item.get(INSTANCES)
    return found if isinstance(found, dict) and all(isinstance(part, dict) for part in found.values()) else {}


def gathered(objects: Iterable[Object]) -> Object:
    """Return the item for instances of one UID. Raise MalformedError if two have one `recurrenceId`."""
    found: dict[str, Object] = {}
    for item in objects:
        key = str(item.get("recurrenceId"))
        if key in found:
            raise MalformedError(f"There are two versions of the instance of {key}.")
        found[key] = item
    first = next(iter(found.values()))
    return {"@type": first.get("@type"), "uid": first.get("uid"), INSTANCES: dict(sorted(found.items()))}


def as_object(value: Any) -> Object:  # noqa: ANN401 # any JSON value
    """Return the value if it is an object, else an empty object."""
    return value if isinstance(value, dict) else {}


def entries(item: Object, name: str) -> Object:
    """Return those entries of a map that are objects; empty if the property is not a map."""
    return {key: entry for key, entry in as_object(item.get(name)).items() if isinstance(entry, dict)}


def pairs(before: Object, after: Object, name: str) -> Iterator[tuple[str, Object, Object]]:
    """Yield key and both entries for each key of a map that two objects share."""
    old = entries(before, name)
    for key, entry in entries(after, name).items():
        if key in old:
            yield key, old[key], entry


def with_entry(item: Object, name: str, key: str, entry: Object) -> Object:
    """Return a copy of an object with one entry of a map set."""
    return {**item, name: {**as_object(item.get(name)), key: entry}}
