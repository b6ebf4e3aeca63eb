"""Describe the data models whose items are objects in collections: contacts (RFC 9610) and calendars (its draft)."""

from __future__ import annotations

import functools
import re
import zoneinfo
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jmapsync.demo.dialect import CALENDARS, CONTACTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jmapsync.demo.dialect import Dialect
    from jmapsync.demo.problems import JsonObject

_zones = functools.cache(zoneinfo.available_timezones)
_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d*[1-9])?Z")
_LOCAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d*[1-9])?")
_DURATION = re.compile(r"P(?=.)(\d+W)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?")


def _text(value: object) -> bool:
    return isinstance(value, str)


def _text_or_null(value: object) -> bool:
    return value is None or isinstance(value, str)


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _unsigned(value: object) -> bool:
    return type(value) is int and value >= 0


def _object(value: object) -> bool:
    return isinstance(value, dict)


def _object_or_null(value: object) -> bool:
    return value is None or isinstance(value, dict)


def _array(value: object) -> bool:
    return isinstance(value, list)


def _strings(value: object) -> bool:
    """Take String[Boolean], whose values are all true."""
    return isinstance(value, dict) and all(marker is True for marker in value.values())


def _named(value: object) -> bool:
    """Take String[Object]."""
    return isinstance(value, dict) and all(isinstance(one, dict) for one in value.values())


def _keyed(value: object) -> bool:
    """Take Id[Object] (RFC 8620, section 1.2)."""
    return _named(value) and all(_ID.fullmatch(key) for key in value)  # type: ignore[attr-defined]


def _utc(value: object) -> bool:
    return isinstance(value, str) and _UTC.fullmatch(value) is not None


def _local(value: object) -> bool:
    return isinstance(value, str) and _LOCAL.fullmatch(value) is not None


def _duration(value: object) -> bool:
    return isinstance(value, str) and _DURATION.fullmatch(value) is not None


def _rule(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("frequency"), str)


def _rules(value: object) -> bool:
    return isinstance(value, list) and all(_rule(one) for one in value)


def _overrides(value: object) -> bool:
    return _named(value) and all(_local(key) for key in value)  # type: ignore[attr-defined]


def _zone(value: object) -> bool:
    return value is None or (isinstance(value, str) and value in _zones())


def _participants(value: object) -> bool:
    return _keyed(value) and all(_strings(one.get("roles", {})) and _object(one.get("sendTo", {})) for one in value.values())  # type: ignore[attr-defined]


def _one_of(*values: object) -> Callable[[Any], bool]:
    return lambda value: value in values


def _each(check: Callable[[Any], bool], *names: str) -> dict[str, Callable[[Any], bool]]:
    return dict.fromkeys(names, check)


_CARD: dict[str, Callable[[Any], bool]] = {
    "@type": _one_of("Card"),
    "version": _one_of("1.0"),
    "created": _utc,
    "updated": _utc,
    **_each(_text, "uid", "kind", "language", "prodId"),
    **_each(_object, "name", "speakToAs"),
    **_each(_strings, "keywords", "members"),
    **_each(_named, "relatedTo", "localizations"),
    **_each(_keyed, "emails", "phones", "nicknames", "organizations", "titles", "onlineServices", "preferredLanguages"),
    **_each(_keyed, "calendars", "schedulingAddresses", "addresses", "cryptoKeys", "directories", "links", "media"),
    **_each(_keyed, "anniversaries", "notes", "personalInfo"),
    "vCardProps": _array,
}
_ENTRY: dict[str, Callable[[Any], bool]] = {
    **_each(_utc, "created", "updated"),
    **_each(_text, "uid", "prodId", "title", "description", "descriptionContentType", "locale", "status", "privacy"),
    **_each(_text, "freeBusyStatus", "progress"),
    "color": _text_or_null,
    "timeZone": _zone,
    **_each(_unsigned, "sequence", "percentComplete"),
    "priority": lambda value: type(value) is int and 0 <= value <= 9,  # noqa: PLR2004 - RFC 8984, section 4.4.1
    **_each(_flag, "showWithoutTime", "isDraft", "useDefaultAlerts", "mayInviteSelf", "mayInviteOthers", "hideAttendees"),
    **_each(_strings, "keywords", "categories"),
    "relatedTo": _named,
    **_each(_keyed, "locations", "virtualLocations", "links", "alerts"),
    "participants": _participants,
    **_each(_local, "start", "due", "recurrenceId"),
    **_each(_duration, "duration", "estimatedDuration"),
    "recurrenceOverrides": _overrides,
}
_ENTRY_2: dict[str, Callable[[Any], bool]] = {
    **_ENTRY,
    "version": _one_of("2.0"),
    "iCalendar": _object,
    "recurrenceRule": _rule,
    **_each(_text_or_null, "endTimeZone", "recurrenceIdTimeZone", "organizerCalendarAddress"),
    **_each(_text, "mainLocationId", "sentBy"),
}
ENTRY_1: dict[str, Callable[[Any], bool]] = {
    **_ENTRY,
    **_each(_rules, "recurrenceRules", "excludedRecurrenceRules"),
    "replyTo": _object,
    "localizations": _named,
    "timeZones": _named,
    "recurrenceIdTimeZone": _text_or_null,
}
# Properties that a server of each JSCalendar version refuses by name: Stalwart the first, Cyrus the second.
_FOREIGN_TO = {
    "2.0": frozenset({"recurrenceRules", "excludedRecurrenceRules", "method", "localizations", "timeZones"}),
    "1.0": frozenset({"recurrenceRule", "organizerCalendarAddress", "method"}),
}
_OF_JMAP = frozenset({"@type", "id", "calendarIds", "isOrigin", "baseEventId"})
_TASK_ONLY = frozenset({"due", "estimatedDuration", "percentComplete", "progress"})
PER_USER = frozenset({"keywords", "color", "freeBusyStatus", "useDefaultAlerts", "alerts"})
"""Properties of an event that each user of a shared calendar has an own value of."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """The two data types of one model: a collection, and the items in it."""

    capability: str
    collection: str
    """The collections' type, such as `AddressBook`."""
    item: str
    """The items' type, such as `ContactCard`."""
    homes: str
    """The items' property that names the collections they are in."""
    default_name: str
    """The name of the collection that every account starts with."""
    collection_properties: Mapping[str, tuple[object, Callable[[Any], bool]]]
    """What clients may set of a collection: the default, and what it may be."""
    rights: tuple[str, ...]
    server_set: frozenset[str]
    """Properties of an item that only the server gives a value."""
    attachments: str
    """The items' property whose entries may have a `blobId` instead of their bytes."""
    contents_error: str
    """The SetError for destroying a collection that is not empty."""
    prefixes: tuple[str, str]
    """How ids of collections and of items begin."""


_COLLECTION: dict[str, tuple[object, Callable[[Any], bool]]] = {
    "name": (None, lambda value: isinstance(value, str) and 0 < len(value.encode()) <= 255),  # noqa: PLR2004 - RFC 9610, 2
    "description": (None, _text_or_null),
    "sortOrder": (0, lambda value: _unsigned(value) and value < 1 << 31),
    "isSubscribed": (True, _flag),
    "shareWith": (None, _object_or_null),
}
CONTACT_MODEL = Model(
    capability=CONTACTS,
    collection="AddressBook",
    item="ContactCard",
    homes="addressBookIds",
    default_name="Contacts",
    collection_properties=_COLLECTION,
    rights=("mayRead", "mayWrite", "mayShare", "mayDelete"),
    server_set=frozenset({"id"}),
    attachments="media",
    contents_error="addressBookHasContents",
    prefixes=("b", "c"),
)
CALENDAR_MODEL = Model(
    capability=CALENDARS,
    collection="Calendar",
    item="CalendarEvent",
    homes="calendarIds",
    default_name="Calendar",
    collection_properties=_COLLECTION
    | {
        "color": (None, _text_or_null),
        "isVisible": (True, _flag),
        "includeInAvailability": ("all", _one_of("all", "attending", "none")),
        "defaultAlertsWithTime": (None, lambda value: value is None or _keyed(value)),
        "defaultAlertsWithoutTime": (None, lambda value: value is None or _keyed(value)),
        "timeZone": (None, _text_or_null),
    },
    rights=(
        *("mayReadFreeBusy", "mayReadItems", "mayWriteAll", "mayWriteOwn", "mayUpdatePrivate", "mayRSVP"),
        *("mayShare", "mayDelete"),
    ),
    server_set=frozenset({"id", "baseEventId", "isOrigin"}),
    attachments="links",
    contents_error="calendarHasEvent",
    prefixes=("k", "v"),
)
MODELS = (CONTACT_MODEL, CALENDAR_MODEL)


def is_offered(model: Model, dialect: Dialect) -> bool:
    """Return whether servers of a dialect have this model at all."""
    return dialect.contacts if model is CONTACT_MODEL else dialect.calendars is not None


def follows_cyrus(model: Model, dialect: Dialect) -> bool:
    """Return whether objects of this model are those of Cyrus' calendars, which leave the draft in many points."""
    return model is CALENDAR_MODEL and dialect.event_rules == "cyrus"


def wrong_properties(model: Model, dialect: Dialect, item: JsonObject) -> list[str]:
    """Return the names of the properties of an item that are of the wrong type, missing, or out of place.

    Properties that no specification knows are right: they belong to some other client, and are kept.
    """
    if model is CONTACT_MODEL:
        wrong = _mistyped(item, _CARD)
        if "members" in item and item.get("kind") != "group":
            wrong.append("members")  # RFC 9553, section 2.1.6
        return wrong
    wrong = _mistyped(item, ENTRY_1 if dialect.calendars == "1.0" else _ENTRY_2)
    if follows_cyrus(model, dialect):
        wrong = [name for name in wrong if not _loose(name, item[name])]
        wrong += item.keys() - ENTRY_1.keys() - _OF_JMAP
    wrong += _FOREIGN_TO[dialect.calendars or "2.0"] & item.keys()
    if item["@type"] == "Event":
        wrong += [*(_TASK_ONLY & item.keys()), *({"start"} - item.keys())]
    elif item["@type"] != "Task" or not dialect.tasks:
        wrong.append("@type")
    return list(dict.fromkeys(wrong))


def _loose(name: str, value: object) -> bool:
    """Return whether Cyrus takes a value that the specification does not allow: a duration below 0, a priority above 9."""
    return (name == "duration" and isinstance(value, str) and _duration(value.removeprefix("-"))) or (
        name == "priority" and _unsigned(value)
    )


def known_names(model: Model) -> frozenset[str]:
    """Return the names of the properties that the specifications of a model know, JMAP's own among them."""
    if model is CONTACT_MODEL:
        return frozenset({*_CARD, "id", "addressBookIds"})
    return frozenset({*_ENTRY_2, *_OF_JMAP, *_TASK_ONLY})


def _mistyped(item: JsonObject, table: Mapping[str, Callable[[Any], bool]]) -> list[str]:
    return [name for name, value in item.items() if name in table and not table[name](value)]
