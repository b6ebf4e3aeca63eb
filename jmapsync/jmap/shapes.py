"""Validate the arguments of a response against RFC 8620, section 5; discard values of a wrong type.

A response that is malformed in one place is used elsewhere. A malformed object of a `/get` is left out, as if the server had not
returned it; after a malformed result of a `/set` it is unknown whether the object was written. So no caller gets a value of an
unexpected type.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from jmapsync.jmap.failures import AnswerError

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = (1 << 53) - 1
"""The largest UnsignedInt (RFC 8620, section 1.3)."""
_UNREADABLE = (msgspec.DecodeError, RecursionError)


UNREADABLE = "jmapsync:unreadable"
"""Extra argument of a `/get` response: the ids of its malformed objects, empty strings for those without an id."""


def arguments(raw: msgspec.Raw, name: str) -> dict[str, Any]:
    """Return the arguments of a method's response without values of a wrong type.

    Raise `AnswerError` where they are not an object, or lack the method's main result: a missing list is not an empty list.
    """
    try:
        found = msgspec.json.decode(raw, type=dict[str, Any])
    except _UNREADABLE:
        found = _part_by_part(raw, name)
    if isinstance(found.get("list"), list):
        found[UNREADABLE] = [_id_of(one) for one in found["list"] if not _has_id(one)]
    kind = name.rpartition("/")[2]
    shapes = _SHAPES.get(kind, {})
    sound = {key: shapes[key](value) if key in shapes else value for key, value in found.items()}
    needed = _NEEDED.get(kind)
    if needed is not None and sound.get(needed) is None:
        raise AnswerError(f"The server's answer to {name} has no {needed}.")
    return {key: value for key, value in sound.items() if value is not None or key not in shapes}


def _part_by_part(raw: msgspec.Raw, name: str) -> dict[str, Any]:
    """Return arguments that cannot be decoded together, without those parts that cannot be decoded at all."""
    try:
        parts = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except _UNREADABLE as error:
        raise AnswerError(f"The server's answer to {name} has a shape that the protocol does not allow.") from error
    return {key: value for key, part in parts.items() if (value := _value(part)) is not None}


def _value(part: msgspec.Raw) -> Any:  # noqa: ANN401 # any JSON value
    """Return a value; of an array or an object, the members that can be decoded; None where nothing can."""
    found = _whole(part)
    if found is not part:
        return found
    try:
        return [_whole(one) for one in msgspec.json.decode(part, type=list[msgspec.Raw])]
    except _UNREADABLE:
        pass  # it is no array
    try:
        members = msgspec.json.decode(part, type=dict[str, msgspec.Raw])
    except _UNREADABLE:
        return None
    return {key: value for key, one in members.items() if not isinstance(value := _whole(one), msgspec.Raw)}


def _whole(part: msgspec.Raw) -> Any:  # noqa: ANN401 # any JSON value
    """Return a member of an array or an object; itself where it cannot be decoded."""
    try:
        return msgspec.json.decode(part)
    except _UNREADABLE:
        return part


def _id_of(value: Any) -> str:  # noqa: ANN401 # a JSON value, or what could not be decoded
    """Return the id of an object that may be malformed elsewhere; nothing where it has none that can be read."""
    if not isinstance(value, msgspec.Raw):
        return ""
    try:
        return msgspec.json.decode(msgspec.json.decode(value, type=dict[str, msgspec.Raw])["id"], type=str)
    except (*_UNREADABLE, KeyError):
        return ""


def _text(value: Any) -> str | None:  # noqa: ANN401 # any JSON value
    return value if isinstance(value, str) else None


def _count(value: Any) -> int | None:  # noqa: ANN401 # any JSON value
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST else None


def _ids(value: Any) -> list[str] | None:  # noqa: ANN401 # any JSON value
    """Return the ids of an array; an empty one for each member that is no id."""
    return [one if isinstance(one, str) else "" for one in value] if isinstance(value, list) else None


def _known_ids(value: Any) -> list[str] | None:  # noqa: ANN401 # any JSON value
    """Return those members of an array that are ids."""
    return [one for one in value if isinstance(one, str) and one] if isinstance(value, list) else None


def _objects(value: Any) -> list[dict[str, Any]] | None:  # noqa: ANN401 # any JSON value
    """Return those members of an array that are objects with an id."""
    return [one for one in value if _has_id(one)] if isinstance(value, list) else None


def _made(value: Any) -> dict[str, dict[str, Any]] | None:  # noqa: ANN401 # any JSON value
    """Return created objects with a valid id; those without one are found by the next run."""
    if not isinstance(value, dict):
        return None
    shapes = {"blobId": _text, "size": _count}
    return {
        name: {key: part for key, part in one.items() if key not in shapes or shapes[key](part) is not None}
        for name, one in value.items()
        if _has_id(one) and _MADE_ID.fullmatch(one["id"])
    }


def _map(value: Any) -> dict[str, Any] | None:  # noqa: ANN401 # any JSON value
    return value if isinstance(value, dict) else None


def _has_id(value: Any) -> bool:  # noqa: ANN401 # any JSON value
    return isinstance(value, dict) and isinstance(value.get("id"), str) and bool(value["id"])


_MADE_ID = re.compile(r"[!-.0-~]{1,255}")
"""RFC 8620, 1.2, allows letters, digits, `-` and `_` only. Other signs are left to servers that take them; no slash or space."""
_OF_SET: dict[str, Callable[[Any], Any]] = {
    "created": _made,
    "updated": _map,
    "destroyed": _known_ids,
    **dict.fromkeys(("notCreated", "notUpdated", "notDestroyed"), _map),
    **dict.fromkeys(("oldState", "newState"), _text),
}
_SHAPES: dict[str, dict[str, Callable[[Any], Any]]] = {
    "get": {"list": _objects, "notFound": _known_ids, "state": _text},
    "set": _OF_SET,
    "import": _OF_SET,
    "query": {"ids": _ids, "queryState": _text, "total": _count, "position": _count, "limit": _count},
}
"""By the last part of a method's name, what reads each property of RFC 8620, sections 5.1, 5.3 and 5.5; None for another type."""
_NEEDED = {"get": "list", "query": "ids"}
