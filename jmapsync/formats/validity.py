"""Find what in a card, event or task has another type than JSContact or JSCalendar gives it.

Else a number where a text belongs would be written to the file in some form, and the text that it stands for be taken for deleted.
Properties that no table names are anybody's, and may be anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jmapsync.formats.shapes import LIST, NAMED, ONE, PARTS, Part, type_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jmapsync.formats.codec import Object

_RESOURCE = ("kind", "uri", "mediaType", "label")
_EVENT = (
    *("uid", "title", "description", "descriptionContentType", "start", "duration", "timeZone", "endTimeZone", "status", "privacy"),
    *("freeBusyStatus", "color", "created", "updated", "prodId", "method", "recurrenceId", "recurrenceIdTimeZone", "locale"),
)
_TEXTS: dict[str, tuple[str, ...]] = {
    "Card": ("uid", "created", "updated", "kind", "language", "prodId"),
    "Name": ("full", "defaultSeparator", "phoneticSystem", "phoneticScript"),
    "NameComponent": ("kind", "value", "phonetic"),
    "Nickname": ("name",),
    "Organization": ("name", "sortAs"),
    "OrgUnit": ("name", "sortAs"),
    "Title": ("name", "kind", "organizationId"),
    "EmailAddress": ("address", "label"),
    "Phone": ("number", "label"),
    "OnlineService": ("service", "uri", "user", "label"),
    "LanguagePref": ("language",),
    **dict.fromkeys(("Calendar", "SchedulingAddress", "CryptoKey", "Directory", "Media"), _RESOURCE),
    "Link": (*_RESOURCE, "href", "contentType", "rel", "title"),
    "Address": ("full", "countryCode", "coordinates", "timeZone", "defaultSeparator"),
    "AddressComponent": ("kind", "value", "phonetic"),
    "Anniversary": ("kind",),
    "PartialDate": ("calendarScale", "utc"),
    "Note": ("note", "created"),
    "Author": ("name", "uri"),
    "PersonalInfo": ("kind", "value", "level", "label"),
    "SpeakToAs": ("grammaticalGender",),
    "Pronouns": ("pronouns",),
    "Event": _EVENT,
    "Task": (*_EVENT, "due", "progress", "progressUpdated", "estimatedDuration"),
    "Location": ("name", "description", "coordinates", "timeZone"),
    "VirtualLocation": ("name", "description", "uri"),
    "RecurrenceRule": ("frequency", "until", "rscale", "skip", "firstDayOfWeek"),
    "NDay": ("day",),
    "Participant": ("name", "email", "calendarAddress", "kind", "participationStatus", "description", "language"),
    "Alert": ("action",),
    "OffsetTrigger": ("offset", "relativeTo", "when"),
}
_NUMBERS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("EmailAddress", "Phone", "OnlineService", "Address", "LanguagePref"), ("pref",)),
    "PartialDate": ("year", "month", "day"),
    "Event": ("sequence", "priority"),
    "Task": ("sequence", "priority", "percentComplete"),
    "RecurrenceRule": ("interval", "count"),
    "NDay": ("nthOfPeriod",),
}
_FLAGS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("Event", "Task"), ("showWithoutTime",)),
    **dict.fromkeys(("Name", "Address"), ("isOrdered",)),
    "Participant": ("expectReply",),
}
_SETS = frozenset({"contexts", "features", "keywords", "categories", "members", "roles"})
"""Properties that map words to true."""
_TIMED = frozenset({"Event", "Task"})
_PATCHES = ("recurrenceOverrides",)
"""Properties of what is timed that hold patches; a plain name in one is a property of the whole."""
_LARGEST = (1 << 53) - 1
"""Of the numbers that I-JSON holds exactly (RFC 7493, section 2.2)."""


def flaw(item: Object) -> str:
    """Return the path of the first property that has another type than it may have, or nothing."""
    return _flaw(type_of(item), item)


def _flaw(owner: str, value: Object) -> str:
    for names, is_sound in ((_TEXTS, _is_text), (_NUMBERS, _is_number), (_FLAGS, _is_flag)):
        for name in ("@type", *names.get(owner, ())) if names is _TEXTS else names.get(owner, ()):
            if value.get(name) is not None and not is_sound(value[name]):
                return name
    for name in _SETS.intersection(value):
        if not _is_set(value[name]):
            return name
    parts = (*PARTS.get(owner, {}).items(), *((name, Part(NAMED, owner)) for name in _PATCHES if owner in _TIMED))
    return next((f"{name}/{found}".rstrip("/") for name, part in parts for found in _flaws(part, value.get(name))), "")


def _flaws(part: Part, held: Any) -> Iterator[str]:  # noqa: ANN401 # any JSON value
    """Yield the path of what is wrong with each object that a property holds, an empty one for the property itself."""
    members: Iterable[tuple[str, Any]] = ()
    if held is None:
        return
    if part.how == ONE:
        members = [("", held)]
    elif part.how == LIST and isinstance(held, list):
        members = ((str(number), one) for number, one in enumerate(held))
    elif part.how != LIST and isinstance(held, dict):
        members = held.items()
    else:
        yield ""
    for key, one in members:
        if one is not None and not isinstance(one, dict):
            yield key
        elif one is not None and (found := _flaw(part.of, one)):
            yield f"{key}/{found}".lstrip("/")


def _is_text(value: Any) -> bool:  # noqa: ANN401 # any JSON value
    return isinstance(value, str)


def _is_number(value: Any) -> bool:  # noqa: ANN401 # any JSON value
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST


def _is_flag(value: Any) -> bool:  # noqa: ANN401 # any JSON value
    return isinstance(value, bool)


def _is_set(value: Any) -> bool:  # noqa: ANN401 # any JSON value
    return value is None or (isinstance(value, dict) and all(one is None or isinstance(one, bool) for one in value.values()))
