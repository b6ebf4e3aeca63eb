"""The dialects of Cyrus: contacts and contact groups of its own, events in either version of JSCalendar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from jmapsync.formats.patch import apply
from jmapsync.storage.jmap.objects.dialect import Dialect
from jmapsync.storage.jmap.objects.dialects import jscalendar1, standard

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jmapsync.formats.objects import Object, Patch
    from jmapsync.jmap.session import Session

CONTACTS = "https://cyrusimap.org/ns/jmap/contacts"
CALENDARS = "https://cyrusimap.org/ns/jmap/calendars"
JSCALENDARBIS = "https://cyrusimap.org/ns/jmap/jscalendarbis"
_MEMBER = "urn:uuid:"


def has_second_version(session: Session) -> bool:
    """Return whether it offers the successor of RFC 8984 beside it."""
    return JSCALENDARBIS in session.capabilities


def _contact_patch(patch: Patch, held: Object, _given: Object, blobs: Mapping[str, str]) -> Patch:
    from jmapsync.formats.cyruscontact import contact_changes  # noqa: PLC0415  # a run in which no contact changed needs none of it

    after = apply(held, patch)
    removed = {"avatar": None} if _has_photo(held) and not _has_photo(after) else {}
    return contact_changes(held, after, blobs).properties | removed


def _contact(card: Object, blobs: Mapping[str, str]) -> Object:
    from jmapsync.formats.cyruscontact import to_contact  # noqa: PLC0415  # as above

    return to_contact(card, blobs).properties


def _group(card: Object, _blobs: Mapping[str, str]) -> Object:
    from jmapsync.formats.cyruscontact import to_group  # noqa: PLC0415  # as above

    return to_group(card, _contact_ids(card)).properties


def _has_photo(card: Object) -> bool:
    media = card.get("media")
    entries = media.values() if isinstance(media, dict) else ()
    return any(isinstance(entry, dict) and entry.get("kind") == "photo" for entry in entries)


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
    from jmapsync.formats.cyruscontact import group_changes  # noqa: PLC0415  # as above

    after = apply(held, patch)
    return group_changes(held, after, _contact_ids(held, after)).properties


_CONTACTS = Dialect(
    using=(CONTACTS,),
    type="Contact",
    container="",
    member="addressbookId",
    raw=True,
    media_type="text/vcard",
    whole_members=True,
    one_member=True,
    down=_contact,
    down_patch=_contact_patch,
    uploads=True,
)
_GROUPS = replace(
    _CONTACTS,
    type="ContactGroup",
    prefix="ContactGroup/",
    raw=False,
    up=_group_card,
    down=_group,
    down_patch=_group_patch,
    uploads=False,
)
CARDS = replace(_CONTACTS, groups=_GROUPS)
EVENTS = replace(jscalendar1.EVENTS, using=(standard.CALENDARS, CALENDARS), raw=True, media_type="text/calendar")
EVENTS_2 = replace(standard.EVENTS, using=(standard.CALENDARS, JSCALENDARBIS))
TASKS_2 = replace(EVENTS_2, wanted="Task")
