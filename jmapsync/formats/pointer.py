"""Parse and build JSON pointers (RFC 6901), and follow them into JSON objects.

The paths of a PatchObject (RFC 8620, 5.3) are JSON pointers without the leading slash.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.formats.objects import Object

Path = tuple[str, ...]
"""The reference tokens of a pointer, unescaped."""
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


def escape(name: str) -> str:
    """Return a property name as one reference token.

    >>> escape("a/b~c")
    'a~1b~0c'
    """
    return name.replace("~", "~0").replace("/", "~1")


def unescape(token: str) -> str:
    """Return the property name of one reference token."""
    return token.replace("~1", "/").replace("~0", "~")


def join(*names: str) -> str:
    """Return the path through these names, without a leading slash.

    >>> join("emails", "e/1", "address")
    'emails/e~11/address'
    """
    return "/".join(map(escape, names))


def split(path: str) -> list[str]:
    """Return the names of a path without a leading slash; the empty path is the property with the empty name.

    >>> split("emails/e~11/address")
    ['emails', 'e/1', 'address']
    """
    return [unescape(token) for token in path.split("/")] if "~" in path else path.split("/")


def parse(pointer: str) -> Path:
    """Return the names of a JSON pointer with or without its leading slash; none for the empty pointer.

    >>> parse("/emails/e1"), parse("")
    (('emails', 'e1'), ())
    """
    path = pointer.removeprefix("/")
    return tuple(split(path)) if path else ()


def at(item: Object, path: str) -> Any:  # noqa: ANN401 # any JSON value
    """Return the value at a path of an object, None if there is none."""
    return follow(item, split(path))


def follow(item: Any, names: Sequence[str]) -> Any:  # noqa: ANN401 # any JSON value
    """Return the value behind a sequence of property names, None if there is none. Arrays are not entered."""
    for name in names:
        if not isinstance(item, dict):
            return None
        item = item.get(name)
    return item


def describe(path: str) -> str:
    """Return a path as words for messages.

    >>> describe("recurrenceOverrides/2026-01-01T09:00:00")
    'recurrence overrides 2026-01-01T09:00:00'
    """
    first, *rest = split(path.removeprefix("jmapsync:"))
    return " ".join([_HUMP.sub(" ", first).lower(), *(_HUMP.sub(" ", name).lower() if name.isalpha() else name for name in rest)])
