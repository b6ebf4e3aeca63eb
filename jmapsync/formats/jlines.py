"""Reduce jCal and jCard lines to a canonical form (RFC 7265, RFC 7095).

A server may give a known property the type "unknown" (Stalwart does for every property of the default type), dates in the basic
form of iCalendar, and several values as one array. The canonical form is only compared, never sent or written.
"""

from __future__ import annotations

import re
from typing import Any, Final

_BY_TYPE: Final = {
    "text": "ACTION CALSCALE CATEGORIES CLASS COLOR COMMENT CONTACT DESCRIPTION JSID JSPROP LOCATION LOCATION-TYPE METHOD NAME"
    " PARTICIPANT-TYPE PRODID PROXIMITY REASON REFID RELATED-TO REQUEST-STATUS RESOURCES STATUS SUBSTATE SUMMARY TASK-MODE TRANSP"
    " TZID TZNAME UID VERSION BUSYTYPE RESOURCE-TYPE",
    "uri": "ATTACH CONCEPT SOURCE TZURL URL COORDINATES",
    "cal-address": "ATTENDEE CALENDAR-ADDRESS ORGANIZER",
    "date-time": "ACKNOWLEDGED COMPLETED CREATED DTEND DTSTAMP DTSTART DUE EXDATE LAST-MODIFIED RDATE RECURRENCE-ID",
    "duration": "DURATION ESTIMATED-DURATION REFRESH-INTERVAL TRIGGER",
    "float": "GEO",
    "integer": "PERCENT-COMPLETE PRIORITY REPEAT SEQUENCE",
    "boolean": "SHOW-WITHOUT-TIME",
    "period": "FREEBUSY",
    "recur": "EXRULE RRULE",
    "utc-offset": "TZOFFSETFROM TZOFFSETTO",
}
DEFAULT_TYPES: Final = {name: kind for kind, names in _BY_TYPE.items() for name in names.split()}
"""The value type of an iCalendar property without VALUE; for any other property it is "unknown"."""
LISTS: Final = frozenset({"CATEGORIES", "EXDATE", "FREEBUSY", "LOCATION-TYPE", "RDATE", "RESOURCES"})
"""iCalendar properties with several values, separated by commas."""
_STRUCTURED: Final = frozenset({"GEO", "REQUEST-STATUS"})
"""iCalendar properties with one value of several components, separated by semicolons."""
TIMES: Final = frozenset({"date", "date-time", "time", "timestamp", "date-and-or-time", "period", "utc-offset"})
"""Types with a basic and an extended form (ISO 8601)."""
_EXTENDED: Final = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)?(?P<time>T?\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?(?P<zone>Z|[+-]\d\d(?::\d\d){0,2})?", re.ASCII
)
_SEPARATORS: Final = re.compile(r"(?<=\d)[-:](?=\d)")
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


def basic(text: str) -> str:
    """Return a date, a time, a period or an offset in the basic form of ISO 8601.

    Incomplete values, such as `1990-04` of a vCard, are unchanged: without the dash it would be another date.
    """
    return "/".join([_basic(part) for part in text.split("/")])


def _basic(text: str) -> str:
    match = _EXTENDED.fullmatch(text)
    return _SEPARATORS.sub("", text) if match is not None and any(match.groups()) else text


def meaning(line: list[Any]) -> list[Any]:
    """Return the canonical form of a line: name, parameters, type, values."""
    name, params, kind, *values = line
    upper, plain_kind = str(name).upper(), str(kind).lower()
    default = DEFAULT_TYPES.get(upper, "unknown")
    if default == "unknown" and plain_kind in ("unknown", "text"):
        # Nobody knows its structure: servers add and remove the escapes of separators in it.
        whole = ",".join([";".join(_texts(value)) for value in values])
        texts = [_unescaped(whole) if plain_kind == "unknown" else whole]
    else:
        texts = [text for value in values for text in _texts(value)]
        if plain_kind == "unknown":
            texts = [_unescaped(text) for part in texts for text in _parted(upper, part, alone=len(texts) == 1)]
        if (default if plain_kind == "unknown" else plain_kind) in TIMES:
            texts = [basic(text) for text in texts]
    return [str(name).lower(), params, "" if plain_kind in ("unknown", "text", default) else plain_kind, *texts]


def _texts(value: Any) -> list[str]:  # noqa: ANN401 # any JSON value
    """Return the values within a value as strings."""
    if isinstance(value, list):
        return [text for part in value for text in _texts(part)]
    if isinstance(value, dict):
        return [";".join(sorted(f"{key}={','.join(_texts(part))}".upper() for key, part in value.items()))]
    if isinstance(value, bool):
        return [str(value).upper()]
    return [f"{value:g}" if isinstance(value, float) else str(value)]


def _parted(name: str, text: str, *, alone: bool) -> list[str]:
    """Return the values of one string of a file: the elements of a list, or the components of a structured value."""
    from jmapsync.formats.contentline import split  # noqa: PLC0415  # the patterns there cost every start of the program 2 ms

    separator = "," if name in LISTS else ";" if name in _STRUCTURED else ""
    return split(text, separator) if separator and alone else [text]


def _unescaped(text: str) -> str:
    """Return a text without escapes: a value of type "unknown" is as in the file, and Stalwart unescapes it."""
    return _ESCAPED.sub(lambda match: "\n" if match[1] in "nN" else match[1], text)
