"""Decode the objects of a `/get` answer one by one where they cannot be decoded together: a malformed one spoils no other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from jmapsync.errors import ServerError

if TYPE_CHECKING:
    from jmapsync.jmap.wire import Call, Response

T = TypeVar("T")
UNREADABLE = "the server's answer for it is malformed"
SILENT = "the server lists it but does not answer for it"


@dataclass(slots=True)
class Listed(Generic[T]):
    """The answer to one `/get`."""

    state: str = ""
    items: list[T] = field(default_factory=list)
    not_found: list[str] = field(default_factory=list)
    malformed: dict[str, str] = field(default_factory=dict)
    """Why an object cannot be read, by its id."""
    nameless: int = 0
    """How many cannot be read, not even their ids."""


class _Answer(msgspec.Struct, Generic[T], rename="camel"):
    items: list[T] = msgspec.field(name="list")
    state: str = ""
    not_found: list[str] | None = None


class _Raw(msgspec.Struct, rename="camel"):
    items: list[msgspec.Raw] = msgspec.field(name="list")
    state: msgspec.Raw = msgspec.Raw(b"null")
    not_found: msgspec.Raw = msgspec.Raw(b"null")


def listed(response: Response, call: Call, kind: type[T]) -> Listed[T]:
    """Return the objects that a call gave, as structs of a kind that have an `id`.

    Raise MethodError, and ServerError where the list is missing, which does not mean an empty one.
    """
    together: Any = _Answer[kind]  # type: ignore[valid-type]
    try:
        answer: _Answer[T] = response.get_as(call, together)
    except ServerError:
        return _one_by_one(response.get_as(call, _Raw), kind)
    return Listed(answer.state, answer.items, answer.not_found or [])


def _one_by_one(answer: _Raw, kind: type[T]) -> Listed[T]:
    found: Listed[T] = Listed(text_of(answer.state), not_found=texts_of(answer.not_found))
    for raw in answer.items:
        try:
            found.items.append(msgspec.json.decode(raw, type=kind))
        except (msgspec.DecodeError, RecursionError) as error:
            if ref := id_of(raw):
                found.malformed[ref] = f"{UNREADABLE} ({error})"
            else:
                found.nameless += 1
    return found


def id_of(raw: msgspec.Raw) -> str:
    """Return the id of an object that may be malformed elsewhere; nothing where that cannot be read."""
    try:
        return text_of(msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).get("id", msgspec.Raw(b"null")))
    except (msgspec.DecodeError, RecursionError):
        return ""


def text_of(raw: msgspec.Raw) -> str:
    """Return a string; nothing for any other value."""
    try:
        return msgspec.json.decode(raw, type=str)
    except (msgspec.DecodeError, RecursionError):
        return ""


def texts_of(raw: msgspec.Raw) -> list[str]:
    """Return the strings of an array that are not empty; none where it is no array."""
    try:
        values = msgspec.json.decode(raw, type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        return []
    return [text for value in values if (text := text_of(value))]
