"""Make events look and behave as on Cyrus 3.12 where it leaves the draft; all of it was seen on 3.12.4."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING

from jmapsync.demo.models import ENTRY_1

if TYPE_CHECKING:
    from collections.abc import Collection

    from jmapsync.demo.account import Account
    from jmapsync.demo.problems import JsonObject

_PLAIN_UID = re.compile(r"[A-Za-z0-9_-]{1,200}")
_PRODUCT = "-//CyrusIMAP.org/Cyrus 3.12.4-Debian-3.12.4-1//EN"
_DEFAULTS: JsonObject = {
    **dict.fromkeys(("relatedTo", "keywords", "locale", "links", "locations", "participants", "virtualLocations", "alerts")),
    "recurrenceOverrides": None,
    "timeZone": None,
    "showWithoutTime": False,
    "prodId": _PRODUCT,
    "sequence": 0,
    "priority": 0,
    "title": "",
    "descriptionContentType": "text/plain",
    "freeBusyStatus": "busy",
    "useDefaultAlerts": False,
}
_ALWAYS = frozenset({"id", "uid", "@type"})
_READABLE = ENTRY_1.keys() | {"id", "@type", "calendarIds", "isOrigin", "baseEventId", "isDraft"}
_RULE = {"@type": "RecurrenceRule", "interval": 1, "rscale": "gregorian", "skip": "omit", "firstDayOfWeek": "mo"}
TOLD = frozenset({"id", "uid", "created", "updated", "sequence", "replyTo", "blobId"})
"""The properties that the answer to `CalendarEvent/set` tells."""


def unknown_names(properties: Collection[str], *, files: bool) -> list[str]:
    """Return the names that `CalendarEvent/get` refuses, `iCalendar` among them, and without `files` also `blobId`."""
    known = _READABLE | {"blobId"} if files else _READABLE
    return [f"properties[{index}:{name}]" for index, name in enumerate(properties) if name not in known]


def shown_event(event: JsonObject, properties: Collection[str] | None) -> JsonObject:
    """Return an event as `/get` gives it: with defaults that it does not have, and a uid and type nobody asked for."""
    whole = _DEFAULTS | event
    return whole if properties is None else {name: one for name, one in whole.items() if name in properties or name in _ALWAYS}


def event_id(event: JsonObject) -> str:
    """Return the id that follows from an event's uid and recurrence id."""
    uid, moment = event["uid"], event.get("recurrenceId")
    plain = _PLAIN_UID.fullmatch(uid) is not None
    name = uid if plain else base64.urlsafe_b64encode(uid.encode()).decode().rstrip("=")
    letters = ("E" if plain else "EB") + ("R" if moment else "")
    return "-".join([letters, *([re.sub(r"[-:]", "", moment)] if moment else []), name])


def complete_event(account: Account, event: JsonObject) -> JsonObject:
    """Return an event with the parts that the server adds: an owner, and defaults inside of rules, participants and alerts."""
    event = dict(event)
    if event.get("recurrenceRules"):
        event["recurrenceRules"] = [_RULE | rule for rule in event["recurrenceRules"]]
    if people := event.get("participants"):
        if not any(one.get("roles", {}).get("owner") for one in people.values()):
            address = account.calendar_addresses[0]
            owner = {"@type": "Participant", "sendTo": {"imip": address}, "roles": {"owner": True}}
            people = {**people, hashlib.sha1(address.encode(), usedforsecurity=False).hexdigest(): owner}
        fixed = {"@type": "Participant", "participationStatus": "needs-action", "expectReply": False}
        event["participants"] = {key: fixed | one for key, one in people.items()}
    if alerts := event.get("alerts"):
        event["alerts"] = {key: _complete_alert(alert) for key, alert in alerts.items()}
    return event


def counts_as_change(former: JsonObject, event: JsonObject) -> bool:
    """Tell whether another value of `recurrenceOverrides` raises the sequence: not if entries only come or go."""
    old, new = (one.get("recurrenceOverrides") or {} for one in (former, event))
    return any(old[moment] != new[moment] for moment in old.keys() & new.keys())


def _complete_alert(alert: JsonObject) -> JsonObject:
    trigger = alert.get("trigger")
    if isinstance(trigger, dict) and trigger.get("@type") == "OffsetTrigger":
        alert = {**alert, "trigger": {"relativeTo": "start", **trigger}}
    return {"@type": "Alert", "action": "display", **alert}
