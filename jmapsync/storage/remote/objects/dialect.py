"""Describe how servers offer contacts, calendars and tasks: names, properties, and the forms of their objects."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from jmapsync.errors import UnsupportedError
from jmapsync.formats import jscalendar1
from jmapsync.formats.codec import MalformedError
from jmapsync.formats.cyruscontact import contact_changes, to_contact
from jmapsync.formats.objects import apply, at

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jmapsync.formats.codec import Object, Patch
    from jmapsync.jmap.session import Account, Session

CONTACTS = "urn:ietf:params:jmap:contacts"
CALENDARS = "urn:ietf:params:jmap:calendars"
CYRUS_CONTACTS = "https://cyrusimap.org/ns/jmap/contacts"
CYRUS_CALENDARS = "https://cyrusimap.org/ns/jmap/calendars"
CYRUS_JSCALENDARBIS = "https://cyrusimap.org/ns/jmap/jscalendarbis"

_OWN = frozenset(
    {
        "id",
        "addressBookIds",
        "addressbookId",
        "calendarIds",
        "baseEventId",
        "isDraft",
        "isOrigin",
        "utcStart",
        "utcEnd",
        "mayInviteSelf",
        "mayInviteOthers",
        "hideAttendees",
        "useDefaultAlerts",
        "blobId",
        "debugBlobId",
    }
)
"""Properties that are JMAP's own and never part of a file (RFC 9610, 3; draft-ietf-jmap-calendars, 5)."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind is offered. Names are those of the protocol."""

    using: tuple[str, ...]
    type: str
    container: str
    """The container's type; nothing where there is one that cannot be asked for."""
    member: str
    """The property that says which containers an object is in."""
    named: tuple[str, ...] = ()
    """Preservation properties that some servers give only when asked for by name (Stalwart)."""
    raw: bool = False
    """True where objects are read as files, from their blobs: that form loses nothing (Cyrus)."""
    media_type: str = ""
    """Of those blobs; Cyrus answers 406 for another `accept`."""
    wanted: str = ""
    """The `@type` of the objects that belong to the kind, where one data type holds several."""
    whole_members: bool = False
    """True where `member` can only be written whole (Cyrus refuses paths into it)."""
    keep_contents: dict[str, Any] = field(default_factory=dict)
    """Arguments for the destruction of a container that must not take its objects along."""
    arguments: dict[str, Any] = field(default_factory=dict)
    """Further arguments of /set."""
    up: Callable[[Object], Object] = dict
    """The normal form of an object as the server gives it."""
    down: Callable[[Object, Mapping[str, str]], Object] = lambda item, _blobs: item
    """An object as the server takes it, of its normal form and the ids of uploaded data by URI. Raises MalformedError."""
    down_patch: Callable[[Patch, Object, Object, Mapping[str, str]], Patch] = lambda patch, _held, _given, _blobs: patch
    """A patch as the server takes it: of the patch, the normal form that it changes, the object as it was given, and blobs."""
    uploads: bool = False
    """True where photos have to be uploaded before anything can refer to them."""

    def properties(self) -> list[str] | None:
        """Return the properties to ask for; None for all, which leaves out what has to be named."""
        return ["id", "uid", "blobId", *([self.member] if self.member else [])] if self.raw else None


def normal(item: Object) -> Object:
    """Return an object without what is JMAP's own; a blob of it is named by its id until somebody needs it."""
    found = {name: value for name, value in item.items() if name not in _OWN and not name.startswith("x-")}
    for name in ("media", "links"):
        entries = found.get(name)
        if isinstance(entries, dict):
            found[name] = {key: _named_blob(entry) for key, entry in entries.items()}
    return found


def _named_blob(entry: Any) -> Any:  # noqa: ANN401 # any JSON value
    if not isinstance(entry, dict) or not isinstance(entry.get("blobId"), str):
        return entry
    named = {name: value for name, value in entry.items() if name != "blobId"}
    place = "href" if entry.get("@type") == "Link" and "kind" not in entry else "uri"
    return {**named, place: f"urn:jmapsync:blob:{entry['blobId']}"}


def _blobs_replaced(patch: Patch, held: Object, _given: Object, _blobs: Mapping[str, str]) -> Patch:
    """Return a patch that takes a blob off an entry that gets other data: the same bytes may not be given twice (RFC 9610, 3)."""
    off: Patch = {}
    for path in patch:
        parent, _, name = path.rpartition("/")
        if name in {"uri", "href"} and str(at(held, path) or "").startswith("urn:jmapsync:blob:"):
            off[f"{parent}/blobId"] = None
    return patch | off


def dialect_for(kind: str, session: Session, account: Account) -> Dialect:
    """Return how a kind is offered in an account. Raises UnsupportedError where it is not."""
    if kind == "contacts":
        return _contacts(session, account)
    if CALENDARS in session.capabilities and account.offers(CALENDARS):
        return _calendars(session, account, "Task" if kind == "tasks" else "Event")
    raise UnsupportedError(f"The server does not offer {kind} in the account {account.id}.")


def _contacts(session: Session, account: Account) -> Dialect:
    if CONTACTS in session.capabilities and account.offers(CONTACTS):
        return Dialect(
            using=(CONTACTS,),
            type="ContactCard",
            container="AddressBook",
            member="addressBookIds",
            named=("vCardProps", "vCardParams"),
            keep_contents={"onDestroyRemoveContents": False},
            up=normal,
            down_patch=_blobs_replaced,
        )
    if CYRUS_CONTACTS in session.capabilities and account.offers(CYRUS_CONTACTS):
        return Dialect(
            using=(CYRUS_CONTACTS,),
            type="Contact",
            container="",
            member="",
            raw=True,
            media_type="text/vcard",
            up=normal,
            down=_contact,
            down_patch=_contact_patch,
            uploads=True,
        )
    raise UnsupportedError(f"The server does not offer contacts in the account {account.id}.")


def _calendars(session: Session, account: Account, wanted: str) -> Dialect:
    standard = Dialect(
        using=(CALENDARS,),
        type="CalendarEvent",
        container="Calendar",
        member="calendarIds",
        named=("iCalendar",),
        wanted=wanted,
        keep_contents={"onDestroyRemoveEvents": False},
        arguments={"sendSchedulingMessages": False},
        up=normal,
        down_patch=_blobs_replaced,
    )
    if CYRUS_CALENDARS not in session.capabilities or not account.offers(CYRUS_CALENDARS):
        return standard
    if CYRUS_JSCALENDARBIS in session.capabilities:
        return replace(standard, using=(CALENDARS, CYRUS_JSCALENDARBIS))
    if wanted == "Task":
        raise UnsupportedError("The server keeps tasks to itself: Cyrus offers none over JMAP.")
    return replace(
        standard,
        using=(CALENDARS, CYRUS_CALENDARS),
        named=(),
        raw=True,
        media_type="text/calendar",
        whole_members=True,
        up=lambda item: normal(jscalendar1.from_v1(item)),
        down=lambda item, _blobs: jscalendar1.to_v1(item),
        down_patch=_patch_v1,
    )


def _patch_v1(patch: Patch, held: Object, given: Object, _blobs: Mapping[str, str]) -> Patch:
    return jscalendar1.patch_to_v1(patch, held, given or None)


def _contact(card: Object, blobs: Mapping[str, str]) -> Object:
    if card.get("kind") == "group":
        raise MalformedError("This server keeps groups of contacts in a form that cannot be written yet.")
    return to_contact(card, blobs).properties


def _contact_patch(patch: Patch, held: Object, _given: Object, blobs: Mapping[str, str]) -> Patch:
    return contact_changes(held, apply(held, patch), blobs).properties
