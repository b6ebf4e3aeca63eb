"""Make events behave as on Cyrus 3.12 where it leaves the draft; all of it was seen on 3.12.4."""

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
_INSTANCE_ID = re.compile(r"E(B?)R-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)-(.+)")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
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
    "duration": "PT0S",
    "useDefaultAlerts": False,
}
_STATUSES = frozenset({"confirmed", "cancelled", "tentative"})
_FREQUENCIES = frozenset({"yearly", "monthly", "weekly", "daily", "hourly", "minutely", "secondly"})
_FORGOTTEN = frozenset({"localizations", "categories", "locale"})
_ALWAYS = frozenset({"id", "uid", "@type"})
_NOT_OVERRIDDEN = frozenset(
    {"@type", "id", "uid", "calendarIds", "isDraft", "isOrigin", "recurrenceId", "recurrenceIdTimeZone"}
    | {"created", "updated", "sequence", "timeZone"}
)
_READABLE = ENTRY_1.keys() | {"id", "@type", "calendarIds", "isOrigin", "baseEventId", "isDraft"}
_RULE = {"@type": "RecurrenceRule", "interval": 1, "rscale": "gregorian", "skip": "omit", "firstDayOfWeek": "mo"}
RETURNED = frozenset({"id", "uid", "created", "updated", "sequence", "replyTo", "blobId"})
"""The properties that the response to `CalendarEvent/set` includes."""


def unknown_names(properties: Collection[str], *, files: bool) -> list[str]:
    """Return the names that `CalendarEvent/get` refuses, `iCalendar` among them, and without `files` also `blobId`."""
    known = _READABLE | {"blobId"} if files else _READABLE
    return [f"properties[{index}:{name}]" for index, name in enumerate(properties) if name not in known]


def shown_event(event: JsonObject, properties: Collection[str] | None) -> JsonObject:
    """Return an event as `/get` gives it: with defaults that it does not have, and a uid and type nobody asked for."""
    defaults = _DEFAULTS
    if "recurrenceId" in event:
        defaults = {name: one for name, one in _DEFAULTS.items() if name != "recurrenceOverrides"} | {"recurrenceIdTimeZone": None}
    whole = defaults | event | ({"duration": "PT0S"} if is_early(event) else {})
    return whole if properties is None else {name: one for name, one in whole.items() if name in properties or name in _ALWAYS}


def is_early(event: JsonObject) -> bool:
    """Return whether an event begins before the times that the server counts from: it shows no duration of it."""
    return str(event.get("start", "")) < "1902"


def made_event(event: JsonObject) -> JsonObject:
    """Return what becomes of a new event: without its recurrence id, where that is a day."""
    return {name: one for name, one in event.items() if name != "recurrenceId"} if event.get("showWithoutTime") else event


def created_event(returned: JsonObject, whole: JsonObject) -> JsonObject:
    """Return what the response includes of a new event, its place among the files of CalDAV too."""
    home = next(iter(whole["calendarIds"]))
    name = hashlib.sha1(whole["uid"].encode(), usedforsecurity=False).hexdigest()[:24]
    more = {"uid": whole["uid"], "x-href": f"/dav/calendars/user/demo/{home}/{name}.ics"}
    passed_over = {"sequence"} if whole["isOrigin"] else {"sequence", "created", "updated"}
    return {name: one for name, one in returned.items() if name not in passed_over} | more


def changed_event(event: JsonObject, patch: JsonObject) -> JsonObject:
    """Return what becomes of an event that a patch was applied to: without the duration that the server does not show itself."""
    if not is_early(event) or "duration" in patch:
        return event
    return {name: one for name, one in event.items() if name != "duration"}


def is_doubled(event: JsonObject) -> bool:
    """Return whether a change of an instance leaves the old version beside the new one in the file."""
    return event.get("recurrenceId") is not None and (
        event.get("recurrenceIdTimeZone") == "Etc/UTC" or event.get("showWithoutTime") is True
    )


def event_id(event: JsonObject) -> str:
    """Return the id that follows from an event's uid and recurrence id."""
    uid, moment = event["uid"], event.get("recurrenceId")
    plain = _PLAIN_UID.fullmatch(uid) is not None
    name = uid if plain else base64.urlsafe_b64encode(uid.encode()).decode().rstrip("=")
    letters = ("E" if plain else "EB") + ("R" if moment else "")
    return "-".join([letters, *([re.sub(r"[-:]", "", moment)] if moment else []), name])


def parse_instance(object_id: str) -> tuple[str, str] | None:
    """Return the uid and the recurrence id that an instance's id was made of, None for other ids."""
    match = _INSTANCE_ID.fullmatch(object_id)
    if match is None:
        return None
    encoded, year, month, day, hour, minute, second, name = match.groups()
    uid = base64.urlsafe_b64decode(name + "=" * (-len(name) % 4)).decode() if encoded else name
    return uid, f"{year}-{month}-{day}T{hour}:{minute}:{second}"


def fold_instance(base: JsonObject, moment: str, instance: JsonObject) -> JsonObject:
    """Return an event with one of its occurrences overridden by what an instance differs in."""
    usual = base | {"start": moment}
    patch = {name: one for name, one in instance.items() if name not in _NOT_OVERRIDDEN and one != usual.get(name)}
    return base | {"recurrenceOverrides": (base.get("recurrenceOverrides") or {}) | {moment: patch}}


def refused_values(event: JsonObject) -> set[str]:
    """Return the properties whose values Cyrus refuses although the specification allows them."""
    wrong = {name for name in ("alerts", "participants", "locations") if event.get(name) == {}}
    if event.get("status", "confirmed") not in _STATUSES:
        wrong.add("status")
    wrong |= {
        f"{name}/(null)[{index}]/frequency"
        for name in ("recurrenceRules", "excludedRecurrenceRules")
        for index, rule in enumerate(event.get(name) or ())
        if rule.get("frequency") not in _FREQUENCIES
    }
    wrong |= {
        f"recurrenceOverrides/{moment}"
        for moment, patch in (event.get("recurrenceOverrides") or {}).items()
        if patch.get("excluded") and len(patch) > 1
    }
    if event.get("descriptionContentType", "text/plain") != "text/plain":
        wrong.add("descriptionContentType")
    return wrong | ({"timeZones", "progress"} & event.keys())


def complete_event(account: Account, event: JsonObject) -> JsonObject:
    """Return an event as the server keeps it.

    It adds an owner and defaults inside of rules, participants and alerts; it leaves out localizations, categories, a locale,
    control characters in the title, and values that say nothing.
    """
    event = {name: one for name, one in event.items() if name not in _FORGOTTEN and one not in ({}, [])}
    if event.get("privacy") == "public":
        del event["privacy"]
    if "title" in event:
        event["title"] = _CONTROL.sub("", event["title"])
    for name in ("recurrenceRules", "excludedRecurrenceRules"):
        if event.get(name):
            event[name] = [_RULE | rule for rule in event[name]]
    if people := event.get("participants"):
        if not any(one.get("roles", {}).get("owner") for one in people.values()):
            address = (event.get("replyTo") or {}).get("imip", account.calendar_addresses[0])
            owner = {"@type": "Participant", "sendTo": {"imip": address}, "roles": {"owner": True}}
            people = {**people, hashlib.sha1(address.encode(), usedforsecurity=False).hexdigest(): owner}
        fixed = {"@type": "Participant", "participationStatus": "needs-action", "expectReply": False}
        event["participants"] = {key: fixed | one for key, one in people.items()}
    if alerts := event.get("alerts"):
        event["alerts"] = {key: _complete_alert(alert) for key, alert in alerts.items()}
    return event


def counts_as_change(former: JsonObject, event: JsonObject) -> bool:
    """Return whether another value of `recurrenceOverrides` raises `sequence`: new or removed entries do not, exclusions do."""
    old, new = (one.get("recurrenceOverrides") or {} for one in (former, event))
    if new.keys() - old.keys() and any(new[moment].get("excluded") for moment in new.keys() - old.keys()):
        return True
    return any(old[moment] != new[moment] for moment in old.keys() & new.keys())


def _complete_alert(alert: JsonObject) -> JsonObject:
    trigger = alert.get("trigger")
    if isinstance(trigger, dict) and trigger.get("@type") == "OffsetTrigger":
        alert = {**alert, "trigger": {"relativeTo": "start", **trigger}}
    return {"@type": "Alert", "action": "display", **alert}
