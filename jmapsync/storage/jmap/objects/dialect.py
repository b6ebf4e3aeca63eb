"""Describe how servers offer contacts, calendars and tasks: names, properties, and the forms of their objects."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from jmapsync.errors import UnsupportedError
from jmapsync.formats import jscalendar1, stalwart
from jmapsync.formats.align import likely_keys, with_keys
from jmapsync.formats.cyruscontact import contact_changes, group_changes, to_contact, to_group
from jmapsync.formats.hints import renewing
from jmapsync.formats.objects import MalformedError
from jmapsync.formats.patch import UnfitPatchError, apply, diff
from jmapsync.storage.jmap.objects.forms import normal, patch_with_blob_ids, with_blob_ids

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from jmapsync.formats.objects import Object, Patch
    from jmapsync.jmap.session import Account, Session

CONTACTS = "urn:ietf:params:jmap:contacts"
CALENDARS = "urn:ietf:params:jmap:calendars"
PRINCIPALS = "urn:ietf:params:jmap:principals"
CYRUS_CONTACTS = "https://cyrusimap.org/ns/jmap/contacts"
CYRUS_CALENDARS = "https://cyrusimap.org/ns/jmap/calendars"
CYRUS_JSCALENDARBIS = "https://cyrusimap.org/ns/jmap/jscalendarbis"
SIEVE = "urn:ietf:params:jmap:sieve"
"""The only capability that names the program behind a server (RFC 9661, 1.4: `implementation`)."""
LONGEST_TITLE = 60_000
"""Octets: a longer title makes Cyrus 3.12 fail an assertion, and with it the whole request."""
_V1_ONLY = frozenset({"recurrenceRules", "excludedRecurrenceRules", "replyTo"})


@dataclass(frozen=True, slots=True)
class Dialect:
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
    keep_contents: dict[str, Any] = field(default_factory=dict)
    """Arguments for the destruction of a container that must not take its objects along."""
    arguments: dict[str, Any] = field(default_factory=dict)
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
    older: Dialect | None = None
    """The dialect that the server may turn out to speak instead: it says so by its first object, or by refusing ours."""
    stalwart: Dialect | None = None
    """The dialect that it may turn out to speak where the session does not name Stalwart; it says so in the same ways."""

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

    def speaks_older(self, item: Object) -> bool:
        """Return whether an object that the server gave is one of the older dialect."""
        return self.older is not None and any(item.get(name) is not None for name in _V1_ONLY)

    def met(self, items: Iterable[Object]) -> Dialect:
        """Return the dialect that objects which the server gave show it to speak; this one where they show nothing."""
        for item in items:
            if self.older is not None and self.speaks_older(item):
                return self.older
            if self.stalwart is not None and stalwart.is_of_stalwart(item):
                return self.stalwart
        return self


def dialect_for(kind: str, session: Session, account: Account) -> Dialect:
    """Return how a kind is offered in an account. Raises UnsupportedError where it is not."""
    if kind == "contacts":
        return _contacts(session, account)
    if _offers(session, account, CALENDARS):
        return _calendars(session, account, "Task" if kind == "tasks" else "Event")
    raise UnsupportedError(f"The server does not offer {kind} in the account {account.id}.")


def _offers(session: Session, account: Account, capability: str) -> bool:
    return capability in session.capabilities and account.offers(capability)


def _contacts(session: Session, account: Account) -> Dialect:
    if _offers(session, account, CONTACTS):
        standard = Dialect(
            using=(CONTACTS,),
            type="ContactCard",
            container="AddressBook",
            member="addressBookIds",
            named=(("vCardProps", "vCardParams"), ("vCard",)),
            keep_contents={"onDestroyRemoveContents": False},
            down=lambda card, blobs: with_blob_ids(card, "uri", blobs),
            down_patch=lambda patch, _held, given, blobs: _renewing_patch(patch, given, "uri", blobs),
        )
        return _for_stalwart(session, standard, "uri", (("vCard",),))
    if _offers(session, account, CYRUS_CONTACTS):
        contacts = Dialect(
            using=(CYRUS_CONTACTS,),
            type="Contact",
            container="",
            member="addressbookId",
            raw=True,
            media_type="text/vcard",
            whole_members=True,
            one_member=True,
            down=lambda card, blobs: to_contact(card, blobs).properties,
            down_patch=_contact_patch,
            uploads=True,
        )
        groups = replace(
            contacts,
            type="ContactGroup",
            prefix="ContactGroup/",
            raw=False,
            up=_group_card,
            down=lambda card, _blobs: to_group(card, _contact_ids(card)).properties,
            down_patch=_group_patch,
            uploads=False,
        )
        return replace(contacts, groups=groups)
    raise UnsupportedError(f"The server does not offer contacts in the account {account.id}.")


def _calendars(session: Session, account: Account, wanted: str) -> Dialect:
    standard = Dialect(
        using=(CALENDARS,),
        type="CalendarEvent",
        container="Calendar",
        member="calendarIds",
        named=(("iCalendar",),),
        wanted=wanted,
        colored=True,
        keep_contents={"onDestroyRemoveEvents": False},
        arguments={"sendSchedulingMessages": False},
        down=lambda item, blobs: with_blob_ids(item, "href", blobs),
        down_patch=lambda patch, _held, given, blobs: _renewing_patch(patch, given, "href", blobs),
    )
    first = replace(
        standard,
        named=(),
        whole_members=True,
        up=lambda item: normal(jscalendar1.from_v1(item)),
        down=lambda item, blobs: with_blob_ids(_event_v1(item), "href", blobs),
        down_patch=_patch_v1,
    )
    if not _offers(session, account, CYRUS_CALENDARS):
        return _for_stalwart(session, replace(standard, older=first), "href", standard.named)
    if CYRUS_JSCALENDARBIS in session.capabilities:
        return replace(standard, using=(CALENDARS, CYRUS_JSCALENDARBIS))
    if wanted == "Task":
        raise UnsupportedError("The server keeps tasks to itself: Cyrus offers none over JMAP.")
    return replace(first, using=(CALENDARS, CYRUS_CALENDARS), raw=True, media_type="text/calendar")


def _for_stalwart(session: Session, standard: Dialect, place: str, named: tuple[tuple[str, ...], ...]) -> Dialect:
    """Return the dialect of Stalwart where the session names it, else the standard one, which may turn out to be that."""
    own = replace(
        standard,
        named=named,
        older=None,
        up=lambda item: stalwart.up(normal(item)),
        down=lambda item, blobs: with_blob_ids(stalwart.down(item), place, blobs),
        down_patch=lambda patch, held, given, blobs: patch_with_blob_ids(
            stalwart.patch_down(patch, held, given), given, place, blobs
        ),
    )
    about = session.capabilities.get(SIEVE)
    program = str(about.get("implementation")) if isinstance(about, dict) else ""
    return own if program.lower().startswith("stalwart") else replace(standard, stalwart=own)


def _renewing_patch(patch: Patch, given: Object, place: str, blobs: Mapping[str, str]) -> Patch:
    """Return a patch as the server takes it, the hints beside what it changes renewed."""
    with suppress(UnfitPatchError):  # it is made for the normal form, which may have what the server gives as null: let it judge
        patch = renewing(given, patch)
    return patch_with_blob_ids(patch, given, place, blobs)


def _event_v1(item: Object) -> Object:
    if any(len(title.encode("utf-8", "surrogatepass")) > LONGEST_TITLE for title in _titles(item)):
        raise MalformedError(f"Its title is longer than the {LONGEST_TITLE} octets that the server can bear.")
    return jscalendar1.to_v1(item)


def _titles(item: Object) -> list[str]:
    overrides = item.get("recurrenceOverrides")
    patches = overrides.values() if isinstance(overrides, dict) else ()
    titles = [item.get("title"), *(patch.get("title") for patch in patches if isinstance(patch, dict))]
    return [title for title in titles if isinstance(title, str)]


def _patch_v1(patch: Patch, held: Object, given: Object, blobs: Mapping[str, str]) -> Patch:
    after = apply(held, patch)
    _event_v1(after)
    reference = normal(jscalendar1.from_v1(given))
    keys = likely_keys(held, reference)
    aligned = with_keys(held, reference, keys)
    if "duration" in held and reference.get("duration") in {None, "PT0S"}:
        # Cyrus 3.12 shows no duration of an event of 1604, and takes what it shows for the truth: it is sent with whatever changes.
        aligned = {name: value for name, value in aligned.items() if name != "duration"}
    narrow = diff(aligned, with_keys(after, reference, keys))
    return patch_with_blob_ids(jscalendar1.patch_to_v1(narrow, aligned, given), given, "href", blobs)


def _contact_patch(patch: Patch, held: Object, _given: Object, blobs: Mapping[str, str]) -> Patch:
    after = apply(held, patch)
    removed = {"avatar": None} if _has_photo(held) and not _has_photo(after) else {}
    return contact_changes(held, after, blobs).properties | removed


def _has_photo(card: Object) -> bool:
    media = card.get("media")
    entries = media.values() if isinstance(media, dict) else ()
    return any(isinstance(entry, dict) and entry.get("kind") == "photo" for entry in entries)


_MEMBER = "urn:uuid:"


def _group_card(group: Object) -> Object:
    """Return the card of a ContactGroup; what its vCard holds besides cannot be read over JMAP, and survives every update there."""
    ids = group.get("contactIds")
    members = {_MEMBER + str(each).removeprefix(_MEMBER): True for each in (ids if isinstance(ids, list) else [])}
    card: Object = {
        "@type": "Card",
        "version": "1.0",
        "uid": group.get("uid"),
        "kind": "group",
        "name": {"full": group.get("name")},
    }
    return {**card, "members": members} if members else card


def _contact_ids(*cards: Object) -> dict[str, str]:
    """Return the ids of the members of groups by their uids: Cyrus writes `urn:uuid:` before each, and takes any."""
    members = [card["members"] for card in cards if isinstance(card.get("members"), dict)]
    return {uid: uid.removeprefix(_MEMBER) for every in members for uid in every if uid.startswith(_MEMBER) or ":" not in uid}


def _group_patch(patch: Patch, held: Object, _given: Object, _blobs: Mapping[str, str]) -> Patch:
    after = apply(held, patch)
    return group_changes(held, after, _contact_ids(held, after)).properties
