"""Describe how a server offers contacts, calendars or tasks: names, properties, and the forms of its objects.

What servers speak is declared in `dialects`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from jmapsync.storage.jmap.objects.forms import normal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from jmapsync.formats.objects import Object, Patch
    from jmapsync.jmap.session import Account

PRINCIPALS = "urn:ietf:params:jmap:principals"


class Dialect(Struct, frozen=True):
    """How one kind is offered. Names are those of the protocol."""

    using: tuple[str, ...]
    type: str
    container: str
    """The container's type; nothing where there is one that cannot be asked for."""
    member: str
    """The property that says which containers an object is in."""
    named: tuple[tuple[str, ...], ...] = ()
    """Preservation properties that some servers give only when asked for by name (Stalwart), as they are asked for together.

    A server that knows one property of a call not may refuse the call (RFC 8620, 5.1).
    """
    raw: bool = False
    """True where objects are read as files, from their blobs: that form loses nothing (Cyrus)."""
    media_type: str = ""
    """Of those blobs; Cyrus answers 406 for another `accept`."""
    wanted: str = ""
    """The `@type` of the objects that belong to the kind, where one data type holds several."""
    whole_members: bool = False
    """True where `member` can only be written whole (Cyrus refuses paths into it)."""
    one_member: bool = False
    """True where `member` is the id of the one container that an object is in."""
    colored: bool = False
    """True where a container has a colour: a calendar has, an address book has none (RFC 9610, 2)."""
    keep_contents: dict[str, Any] = {}
    """Arguments for the destruction of a container that must not take its objects along."""
    arguments: dict[str, Any] = {}
    """Further arguments of /set."""
    up: Callable[[Object], Object] = normal
    """The normal form of an object as the server gives it."""
    down: Callable[[Object, Mapping[str, str]], Object] = lambda item, _blobs: item
    """An object as the server takes it, of its normal form and the ids of uploaded data by URI. Raises MalformedError."""
    down_patch: Callable[[Patch, Object, Object, Mapping[str, str]], Patch] = lambda patch, _held, _given, _blobs: patch
    """A patch as the server takes it: of the patch, the normal form that it changes, the object as it was given, and blobs."""
    uploads: bool = False
    """True where data has to be uploaded before anything can refer to it; else only what is too large for a request is."""
    prefix: str = ""
    """The prefix that distinguishes the ids of objects from those of another data type of the same kind."""
    groups: Dialect | None = None
    """How contact groups are offered, where they are a data type of their own (Cyrus' vendor contacts)."""
    others: tuple[Other, ...] = ()
    """The dialects that the server may turn out to speak instead."""

    def properties(self) -> list[str] | None:
        """Return the properties to ask for; None for all, which leaves out what has to be named."""
        if not self.raw:
            return None
        return ["id", "uid", "blobId", self.member, *(["baseEventId", "recurrenceId"] if self.wanted else [])]

    def most_homes(self, account: Account) -> int:
        """Return the most containers that an object may be in (RFC 9610, 1.3.1; draft-ietf-jmap-calendars, 1.5.1), or 0."""
        if self.one_member:
            return 1
        return max(account.limit_of(self.using[0], name) for name in ("maxAddressBooksPerCard", "maxCalendarsPerEvent"))

    def met(self, items: Iterable[Object]) -> Dialect:
        """Return the dialect that objects which the server gave show it to speak; this one where they show nothing."""
        if not self.others:
            return self
        return next((other.dialect for item in items for other in self.others if other.is_shown_by(item)), self)


class Other(Struct, frozen=True):
    """A dialect that no capability names: the server shows by its first object that it speaks it, or by what it refuses."""

    dialect: Dialect
    is_shown_by: Callable[[Object], bool]
    """Returns whether an object that the server gave is of this dialect."""
    unknown: frozenset[str]
    """Properties that only a server of this dialect refuses."""
