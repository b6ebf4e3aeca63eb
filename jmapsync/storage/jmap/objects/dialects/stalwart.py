"""The dialect of Stalwart: the standard one, with other forms of what cards and events carry along."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from jmapsync.storage.jmap.objects.dialects import standard
from jmapsync.storage.jmap.objects.forms import normal, patch_with_blob_ids, with_blob_ids

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jmapsync.formats.objects import Object, Patch
    from jmapsync.jmap.session import Session
    from jmapsync.storage.jmap.objects.dialect import Dialect

_SIEVE = "urn:ietf:params:jmap:sieve"
"""The only capability that names the program behind a server (RFC 9661, 1.4: `implementation`)."""
UNKNOWN = frozenset({"vCardProps"})
"""What it refuses of the standard's."""


def is_named(session: Session) -> bool:
    """Return whether a session names Stalwart as its server."""
    about = session.capabilities.get(_SIEVE)
    program = str(about.get("implementation")) if isinstance(about, dict) else ""
    return program.lower().startswith("stalwart")


# Its conversion needs those of vCard and iCalendar: 15 ms of a run in which no object changed, and so imported when one did.


def is_its_own(item: Object) -> bool:
    """Return whether a server's object has the form of Stalwart."""
    from jmapsync.formats.stalwart import is_of_stalwart  # noqa: PLC0415

    return is_of_stalwart(item)


def _up(item: Object) -> Object:
    from jmapsync.formats.stalwart import up  # noqa: PLC0415

    return up(normal(item))


def _of(dialect: Dialect, place: str) -> Dialect:
    """Return a standard dialect as Stalwart speaks it; data are in the property `place`."""

    def down(item: Object, blobs: Mapping[str, str]) -> Object:
        from jmapsync.formats import stalwart  # noqa: PLC0415

        written: Object = with_blob_ids(stalwart.down(item), place, blobs)
        return written

    def down_patch(patch: Patch, held: Object, given: Object, blobs: Mapping[str, str]) -> Patch:
        from jmapsync.formats import stalwart  # noqa: PLC0415

        return patch_with_blob_ids(stalwart.patch_down(patch, held, given), given, place, blobs)

    return replace(dialect, up=_up, down=down, down_patch=down_patch)


CARDS = _of(replace(standard.CARDS, named=(("vCard",),)), "uri")
EVENTS = _of(standard.EVENTS, "href")
TASKS = replace(EVENTS, wanted="Task")
