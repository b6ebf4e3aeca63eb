"""Read the names of scripts as servers give them, and order the renames of scripts that take over names from one another."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jmapsync.formats.names import fold

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_ENCODED = re.compile(r"(?:=\?[\w-]+\?[BbQq]\?[^?\s]*\?=\s*)+")
"""Only encoded words (RFC 2047, 2)."""
_RENAMING = " (being renamed by jmapsync)"
"""How the name of a script ends that waits until another one gives up the name before this."""


def plain_name(name: str) -> str:
    """Return the name of a script: Cyrus 3.6 to 3.12 gives one that is not ASCII as it stands in a header of its own."""
    if _ENCODED.fullmatch(name) is None:
        return name
    import email.errors  # noqa: PLC0415  # few need it
    import email.header  # noqa: PLC0415

    try:
        return str(email.header.make_header(email.header.decode_header(name)))
    except (ValueError, LookupError, email.errors.MessageError):
        return name


def temporary_name(name: str) -> str:
    """Return the name of a script until another one gives up the one that it is to have.

    A run that dies leaves it there. From it, the next run, and any other client of ours, knows the name that was meant.
    """
    return name + _RENAMING


def meant_name(name: str) -> str:
    """Return the name that a script is to have, which has this one now."""
    return name.removesuffix(_RENAMING) or name


def first_in_cycle(wanted: Mapping[int, str], held: Mapping[int, str]) -> int | None:
    """Return a script that waits for a name which, by way of others, waits for its own; `held` are the names they have now.

    It is the one that waits for the shortest name, as it gets a longer one instead.

    Servers may take names for one that differ in case or in their Unicode form only: such a script may wait for itself.
    """
    holders = {fold(held[key]): key for key in wanted if key in held}
    waiting = [key for key in wanted if key in _waits_for(key, wanted, holders)]
    return min(waiting, key=lambda key: len(wanted[key].encode()), default=None)


def _waits_for(key: int, wanted: Mapping[int, str], holders: Mapping[str, int]) -> Iterable[int]:
    """Return the scripts that one waits for, one after another."""
    found: list[int] = []
    after = holders.get(fold(wanted[key]))
    while after is not None and after not in found:
        found.append(after)
        after = holders.get(fold(wanted[after]))
    return found
