"""List the types of cards, events and tasks: how they contain each other, which map keys are arbitrary, defaults, references.

Cards: JSContact (RFC 9553). Events and tasks: JSCalendar 2.0 (draft-ietf-calext-jscalendarbis). Properties that no table names are
unknown, and are kept unchanged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from jmapsync.formats.objects import INSTANCES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jmapsync.formats.objects import Object

ONE, LIST, KEYED, NAMED = "", "[", "{", "<"
"""How a property contains objects: directly, in an array, in a map with arbitrary keys, in a map with meaningful keys."""

_RICH = {"nicknames": "{Nickname", "organizations": "{Organization", "titles": "{Title", "emails": "{EmailAddress"}
_TIMED = {
    "locations": "{Location",
    "virtualLocations": "{VirtualLocation",
    "links": "{Link",
    "recurrenceRule": "RecurrenceRule",
    "relatedTo": "<Relation",
    "participants": "{Participant",
    "alerts": "{Alert",
    "iCalendar": "ICalComponent",
}
_SHAPES: dict[str, dict[str, str]] = {
    "Card": {
        **_RICH,
        "name": "Name",
        "speakToAs": "SpeakToAs",
        "onlineServices": "{OnlineService",
        "phones": "{Phone",
        "preferredLanguages": "{LanguagePref",
        "calendars": "{Calendar",
        "schedulingAddresses": "{SchedulingAddress",
        "addresses": "{Address",
        "cryptoKeys": "{CryptoKey",
        "directories": "{Directory",
        "links": "{Link",
        "media": "{Media",
        "anniversaries": "{Anniversary",
        "notes": "{Note",
        "personalInfo": "{PersonalInfo",
        "relatedTo": "<Relation",
    },
    "Name": {"components": "[NameComponent"},
    "Organization": {"units": "[OrgUnit"},
    "SpeakToAs": {"pronouns": "{Pronouns"},
    "Address": {"components": "[AddressComponent"},
    "Anniversary": {"date": "PartialDate", "place": "Address"},
    "Note": {"author": "Author"},
    "Event": {**_TIMED, INSTANCES: "<Event"},
    "Task": {**_TIMED, INSTANCES: "<Task"},
    "Group": {"links": "{Link"},
    "Location": {"links": "{Link", "iCalendar": "ICalComponent"},
    "VirtualLocation": {"iCalendar": "ICalComponent"},
    "Link": {"iCalendar": "ICalComponent"},
    "RecurrenceRule": {"byDay": "[NDay"},
    "Participant": {"links": "{Link", "iCalendar": "ICalComponent"},
    "Alert": {"trigger": "OffsetTrigger", "relatedTo": "<Relation", "iCalendar": "ICalComponent"},
    "ICalComponent": {"convertedProperties": "<ICalProperty"},
}
IMPLIED = {"PartialDate": ("PartialDate", "Timestamp"), "OffsetTrigger": ("OffsetTrigger", "AbsoluteTrigger")}
"""Types that `@type` may name where the other properties imply the type; elsewhere only the type of the table."""

_EVENT: dict[str, Any] = {
    "title": "",
    "description": "",
    "descriptionContentType": "text/plain",
    "showWithoutTime": False,
    "priority": 0,
    "freeBusyStatus": "busy",
    "privacy": "public",
    "status": "confirmed",
    "duration": "PT0S",
}
_SET_DEFAULTS: dict[str, dict[str, Any]] = {
    "Card": {"kind": "individual"},
    "Name": {"isOrdered": False},
    "Address": {"isOrdered": False},
    "Title": {"kind": "title"},
    "Event": _EVENT,
    "Task": {"progress": "needs-action", **{name: _EVENT[name] for name in _EVENT.keys() - {"status", "duration"}}},
    "Link": {"rel": "enclosure"},
    "Location": {"name": ""},
    "VirtualLocation": {"name": ""},
    "RecurrenceRule": {"interval": 1, "rscale": "gregorian", "skip": "omit", "firstDayOfWeek": "mo"},
    "Participant": {"participationStatus": "needs-action", "expectReply": False, "kind": "individual"},
    "Alert": {"action": "display"},
    "OffsetTrigger": {"relativeTo": "start"},
}
EMPTY = frozenset(
    {
        "label",
        "contexts",
        "features",
        "roles",
        "members",
        "keywords",
        "categories",
        "relation",
        "locationTypes",
        "display",
        "delegatedTo",
        "delegatedFrom",
        "memberOf",
        "units",
        "components",
        "properties",
        "convertedProperties",
        "parameters",
        "byDay",
        "byMonth",
        "byMonthDay",
        "byYearDay",
        "byWeekNo",
        "byHour",
        "byMinute",
        "bySecond",
        "bySetPosition",
        "recurrenceOverrides",
        "localizations",
        "vCardProps",
        "vCardParams",
        "full",
    }
)
"""Properties that mean the same empty as missing."""


REFERENCES: dict[str, tuple[tuple[str, str], ...]] = {
    "Card": (("titles/*/organizationId", "organizations"),),
    **dict.fromkeys(
        ("Event", "Task"),
        (
            ("mainLocationId", "locations"),
            ("alerts/*/relatedTo", "alerts"),
            ("participants/*/delegatedTo", "participants"),
            ("participants/*/delegatedFrom", "participants"),
            ("participants/*/memberOf", "participants"),
        ),
    ),
}
"""Properties that refer to entries of a map by key, and the map."""


class Part(NamedTuple):
    """A property that contains objects."""

    how: str
    """ONE, LIST, KEYED or NAMED."""
    of: str
    """The type of the objects."""


PARTS: dict[str, dict[str, Part]] = {
    owner: {
        name: Part(text[0], text[1:]) if text[0] in {LIST, KEYED, NAMED} else Part(ONE, text) for name, text in properties.items()
    }
    for owner, properties in _SHAPES.items()
}
"""Properties that contain objects, by the type of their owner."""


def type_of(item: Object) -> str:
    """Return the type of an item: Event, Task or, without either, Card."""
    name = item.get("@type")
    return name if name in ("Event", "Task") else "Card"  # what a server sends there may not be hashable


def is_default(owner: str, name: str, value: Any) -> bool:  # noqa: ANN401 # any JSON value
    """Return whether a value means the same as the absence of the property."""
    if value is None:
        return True
    if not value and value in ("", {}, []) and (name in EMPTY or name in PARTS.get(owner, ())):
        return True
    defaults = _SET_DEFAULTS.get(owner)
    if defaults is None or name not in defaults:
        return False
    return bool(defaults[name] == value) and isinstance(value, bool) == isinstance(defaults[name], bool)


def objects(owner: str, value: Object) -> Iterator[tuple[str, Part, Any]]:
    """Yield the properties of an object that contain objects, with their part and value."""
    for name, part in PARTS.get(owner, {}).items():
        if name in value:
            yield name, part, value[name]


def part_at(item: Object, names: list[str]) -> Part | None:
    """Return how the property at a path contains objects; None if it does not, or is unknown."""
    owner, part = type_of(item), None
    steps = iter(names)
    for name in steps:
        part = PARTS.get(owner, {}).get(name)
        if part is None:
            return None
        owner = part.of
        if part.how in {KEYED, NAMED} and next(steps, None) is not None:
            part = None
    return part
