"""Reject files and objects that are too large to convert in bounded time, and values of a wrong type.

Only the input is counted (lines, values, nesting, occurrences, time zone transitions), so a file is accepted or rejected alike on
every machine. The bounds are far above what programs write, and keep a conversion, a comparison and a merge within seconds.

A value of another type than JSContact or JSCalendar gives a property is not written to a file: reading it back would be an edit.
Properties that no table names may have any type.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from jmapsync.formats.objects import MalformedError
from jmapsync.formats.shapes import LIST, NAMED, ONE, PARTS, Part, type_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jmapsync.formats.objects import Object

LINES: Final = 50_000
"""Unfolded lines of a file."""
VALUES: Final = 50_000
"""Values of an object: strings, numbers, objects and arrays."""
DEPTH: Final = 64
"""Nesting of objects and arrays."""
OVERRIDES: Final = 5_000
"""Occurrences of a series that differ from it; each is an object."""
CHANGES: Final = 10_000
"""Time zone transitions computed for the VTIMEZONEs of a file."""
_TOO_MANY: Final = f"Its time zones change the clock more than the {CHANGES:,} times that are computed."
_HORIZON: Final = 2037
_PERIODS: Final = {"YEARLY": 1, "MONTHLY": 12, "WEEKLY": 53, "DAILY": 366}
_WEEKS_OF_A_MONTH: Final = 5
_FIRST: Final = 1970
_YEARS_AHEAD: Final = 4
"""Years after the start of an object in which a zone is compared (formats.ical.zones)."""
_YEARS_COMPUTED: Final = 12
"""Years of a rule that occurs once a year without end which are computed to compare it (formats.ical.observances)."""
_SEARCH: Final = 2_000
_PLAIN = re.compile(
    r"FREQ=\w+|UNTIL=\w+|WKST=\w\w|INTERVAL=1|BYMONTH=\d{1,2}|BYDAY=(?:[+-]?[1-4])?[A-Z]{2}|BYMONTHDAY=(?:-1|[12]?\d)(?:,[12]?\d)*"
)
"""The parts of a rule that occurs every year, as those of all time zones do."""
_ENDLESS = re.compile(r"FREQ=YEARLY(?:;(?:INTERVAL=1|WKST=\w\w|BYMONTH=\d{1,2}|BYDAY=[+-]?[1-5][A-Z]{2}|BYMONTHDAY=-?\d{1,2}))*")
_FOLDED = re.compile(rb"\n[ \t]")
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
_SETS = ("contexts", "features", "keywords", "categories", "members", "roles")
"""Properties that are sets: maps of names to true."""
_TIMED = frozenset({"Event", "Task"})
_CONTAINERS = (dict, list)
_PATCHES = ("recurrenceOverrides",)
"""Properties of events and tasks that hold patches; a plain name in one is a property of the item."""
_LARGEST = (1 << 53) - 1
"""The largest integer that I-JSON represents exactly (RFC 7493, section 2.2)."""


def check_file(data: bytes) -> None:
    """Raise MalformedError for a file with more than LINES lines."""
    if data.count(b"\n") > LINES and data.count(b"\n") - len(_FOLDED.findall(data)) > LINES:
        raise MalformedError(f"It has more than the {LINES:,} lines that are converted.")


def check_object(item: Any) -> None:  # noqa: ANN401 # any JSON value
    """Raise MalformedError for an object with more than VALUES values, or nested more than DEPTH levels."""
    if isinstance(item, dict) and isinstance(overrides := item.get("recurrenceOverrides"), dict):
        changed = sum(1 for patch in overrides.values() if patch and patch != {"excluded": True})
        if changed > OVERRIDES:
            raise MalformedError(f"More than {OVERRIDES:,} occurrences of its series differ from the others.")
    count, level = 0, [item] if isinstance(item, _CONTAINERS) else []
    for depth in range(DEPTH):
        below: list[Any] = []
        for value in level:
            below.extend(value.values() if isinstance(value, dict) else value)
        count += len(below)
        if count > VALUES:
            raise MalformedError(f"It holds more than the {VALUES:,} values that are converted.")
        level = [value for value in below if type(value) is not str and isinstance(value, _CONTAINERS)]  # nearly all are texts
        if not below or (not level and depth < DEPTH - 1):
            return
    raise MalformedError(f"Its objects lie inside each other more than {DEPTH} deep.")


class Clock:
    """Counts the time zone transitions computed for one file."""

    def __init__(self) -> None:
        self._changes = 0

    def check_zone(self, text: str) -> None:
        """Raise MalformedError if the rules of the VTIMEZONEs so far and of this text have too many transitions."""
        self._changes += _cost(text)
        if self._changes > CHANGES:
            raise MalformedError(_TOO_MANY)

    def check(self, lines: Iterable[str], year: int) -> None:
        """Raise MalformedError if the rules of a VTIMEZONE, up to a year, have too many transitions."""
        first = _FIRST
        for line in lines:
            name, _, value = line.partition(":")
            name = name.partition(";")[0].upper()
            if name == "BEGIN":
                self._changes, first = self._changes + 1, _FIRST
            elif name == "DTSTART" and value[:4].isdecimal():
                first = int(value[:4])
            elif name == "RDATE":
                self._changes += value.count(",") + 1
            elif name == "RRULE":
                span = max(year - first, 0)
                if _ENDLESS.fullmatch(value.upper()):
                    span = min(span, _YEARS_COMPUTED)
                self._changes += _each_year(value.upper()) * (span + _YEARS_AHEAD) + _searched(value.upper())
            if self._changes > CHANGES:
                raise MalformedError(_TOO_MANY)

    @property
    def changes(self) -> int:
        """Return the transitions counted."""
        return self._changes


@lru_cache(maxsize=1024)
def _cost(text: str) -> int:
    """Return the transitions of a VTIMEZONE, until the tz database ends; more than the bound for too many."""
    clock = Clock()
    try:
        clock.check(text.split("\n"), _HORIZON)
    except MalformedError:
        return CHANGES + 1
    return clock.changes


def _each_year(rule: str) -> int:
    """Return how often a rule occurs in a year, at most; more than any bound for hourly and shorter frequencies."""
    parts = {name: value.split(",") for name, _, value in (part.partition("=") for part in rule.split(";"))}
    frequency = "".join(parts.get("FREQ", []))
    if frequency not in _PERIODS:
        return CHANGES + 1 if frequency else 0
    times = len(parts.get("BYHOUR", "1")) * len(parts.get("BYMINUTE", "1")) * len(parts.get("BYSECOND", "1"))
    ordinal = [day for day in parts.get("BYDAY", []) if day[:1] in "+-0123456789"]
    by_day = len(ordinal) + _WEEKS_OF_A_MONTH * (len(parts.get("BYDAY", [])) - len(ordinal))
    by_date = len(parts.get("BYMONTHDAY", []))
    days = min(by_day, by_date) if by_day and by_date else by_day or by_date or 1
    if frequency == "YEARLY":
        months = len(parts["BYMONTH"]) if "BYMONTH" in parts else 12 if by_day or by_date else 1
        return times * max(months * days, len(parts.get("BYYEARDAY", [])), len(parts.get("BYWEEKNO", [])) * max(days, 1))
    return times * _PERIODS[frequency] * (days if frequency in {"MONTHLY", "WEEKLY"} else 1)


def _searched(rule: str) -> int:
    """Return the cost of a rule that may never occur, such as 30 February: all years are searched."""
    return 0 if all(_PLAIN.fullmatch(part) for part in rule.split(";")) else _SEARCH


def flaw(item: Object) -> str:
    """Return the path of the first property with a value of a wrong type; empty if there is none."""
    return _flaw(type_of(item), item)


def _flaw(owner: str, value: Object) -> str:
    for names, is_sound in ((_TEXTS, _is_text), (_NUMBERS, _is_number), (_FLAGS, _is_flag)):
        for name in ("@type", *names.get(owner, ())) if names is _TEXTS else names.get(owner, ()):
            if value.get(name) is not None and not is_sound(value[name]):
                return name
    for name in (name for name in _SETS if name in value):
        if not _is_set(value[name]):
            return name
    parts = (*PARTS.get(owner, {}).items(), *((name, Part(NAMED, owner)) for name in _PATCHES if owner in _TIMED))
    return next((f"{name}/{found}".rstrip("/") for name, part in parts for found in _flaws(part, value.get(name))), "")


def _flaws(part: Part, held: Any) -> Iterator[str]:  # noqa: ANN401 # any JSON value
    """Yield the path of each wrong value within a property; empty for the property itself."""
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
