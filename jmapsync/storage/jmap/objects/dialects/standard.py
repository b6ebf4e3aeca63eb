"""Contacts, calendars and tasks as RFC 9610 and draft-ietf-jmap-calendars offer them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace

from jmapsync.formats.hints import renewing
from jmapsync.formats.patch import UnfitPatchError
from jmapsync.storage.jmap.objects.dialect import Dialect
from jmapsync.storage.jmap.objects.forms import patch_with_blob_ids, with_blob_ids

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jmapsync.formats.objects import Object, Patch

CONTACTS = "urn:ietf:params:jmap:contacts"
CALENDARS = "urn:ietf:params:jmap:calendars"

CARDS = Dialect(
    using=(CONTACTS,),
    type="ContactCard",
    container="AddressBook",
    member="addressBookIds",
    named=(("vCardProps", "vCardParams"), ("vCard",)),
    keep_contents={"onDestroyRemoveContents": False},
    down=lambda card, blobs: with_blob_ids(card, "uri", blobs),
    down_patch=lambda patch, _held, given, blobs: _renewing_patch(patch, given, "uri", blobs),
)
EVENTS = Dialect(
    using=(CALENDARS,),
    type="CalendarEvent",
    container="Calendar",
    member="calendarIds",
    named=(("iCalendar",),),
    wanted="Event",
    colored=True,
    keep_contents={"onDestroyRemoveEvents": False},
    arguments={"sendSchedulingMessages": False},
    down=lambda item, blobs: with_blob_ids(item, "href", blobs),
    down_patch=lambda patch, _held, given, blobs: _renewing_patch(patch, given, "href", blobs),
)
TASKS = replace(EVENTS, wanted="Task")


def _renewing_patch(patch: Patch, given: Object, place: str, blobs: Mapping[str, str]) -> Patch:
    """Return a patch as the server takes it, the hints beside what it changes renewed."""
    with suppress(UnfitPatchError):  # it is made for the normal form, which may have what the server gives as null: let it judge
        patch = renewing(given, patch)
    return patch_with_blob_ids(patch, given, place, blobs)
