"""Set what only the server sets of an item: times, the sequence, whose event it is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from jmapsync.demo.cyrus_events import complete_event, counts_as_change
from jmapsync.demo.models import CONTACT_MODEL, PER_USER, Model
from jmapsync.demo.records import format_utc_date

if TYPE_CHECKING:
    from jmapsync.demo.account import Account
    from jmapsync.demo.problems import JsonObject

_UNCOUNTED = PER_USER | {"calendarIds", "isDraft", "isOrigin", "updated", "sequence"}


def stamp(model: Model, account: Account, item: JsonObject, before: JsonObject | None) -> JsonObject:
    """Return an item as the server completes it; `before` is what it was, None for a new one."""
    now = format_utc_date(int(time.time()))
    if model is CONTACT_MODEL:
        return _stamp_card(item, before, now) if account.dialect.stamps_cards else item
    return _stamp_event(account, item, before, now)


def _stamp_card(item: JsonObject, before: JsonObject | None, now: str) -> JsonObject:
    """Set the times that the client left as they were."""
    if before is None:
        return {"created": now, "updated": now, **item}
    return item if item.get("updated") != before.get("updated") else {**item, "updated": now}


def _stamp_event(account: Account, item: JsonObject, before: JsonObject | None, now: str) -> JsonObject:
    """Follow the draft's section on `CalendarEvent/set`: organizer, isOrigin, created, updated, sequence."""
    former: JsonObject = before or {}
    item = {"isDraft": False, **item}
    if item.get("participants") and not former.get("participants"):
        address = account.calendar_addresses[0]
        if account.dialect.calendars == "1.0":
            item = {"replyTo": {"imip": address}, **item}
        else:
            item = {"organizerCalendarAddress": address, **item}
    if account.dialect.event_rules == "cyrus":
        item = complete_event(account, item)
    item["isOrigin"] = is_origin(account, item)
    if before is None:
        item = {"created": now, "sequence": 0, **item}
    if not item["isOrigin"]:
        return {"updated": now, **item} if account.dialect.event_rules == "cyrus" else item
    item = {**item, "updated": now, "created": min(item.get("created", now), now) if before is None else item.get("created", now)}
    changed = {name for name in item.keys() | former.keys() if item.get(name) != former.get(name)}
    if account.dialect.event_rules == "cyrus" and not counts_as_change(former, item):
        changed.discard("recurrenceOverrides")
    counts = account.dialect.item_form != "stalwart"  # which leaves SEQUENCE as it is
    if before is not None and counts and changed - _UNCOUNTED and item.get("sequence", 0) <= former.get("sequence", 0):
        item["sequence"] = former.get("sequence", 0) + 1
    return item


def is_origin(account: Account, event: JsonObject) -> bool:
    """Return whether scheduling of an event starts in this account."""
    organizer = event.get("organizerCalendarAddress") or (event.get("replyTo") or {}).get("imip")
    return organizer is None or account.has_calendar_address(organizer)
