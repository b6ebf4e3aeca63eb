"""Convert dates, times, durations and simple properties by a table (draft-ietf-calext-jscalendar-icalendar; RFC 5545, 3.3)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple, TypeGuard

from jmapsync.formats.contentline import escape, unescape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from jmapsync.formats.contentline import Line
    from jmapsync.formats.ical.kept import Reading, Writing
    from jmapsync.formats.objects import Object

_MOMENT = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)?(Z?))?", re.ASCII)
_EXTENDED = re.compile(
    r"(\d{4}-?\d\d-?\d\d)(?:[T ](\d\d:?\d\d(?::?\d\d)?)(?:[.,]0+)?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII
)  # the other forms of ISO 8601 and RFC 3339, as web forms write them
_LOCAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)
_SPAN = re.compile(
    r"([+-]?)P(?:(\d{1,9})W)?(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})S)?)?", re.ASCII
)  # wider than both grammars: PT1H30S is met in files
_EXACT_SPAN = re.compile(
    r"P(?=[\dT])(?:\d{1,9}W|(?:\d{1,9}D)?(?:T(?:\d{1,9}H(?:\d{1,9}M(?:\d{1,9}S)?)?|\d{1,9}M(?:\d{1,9}S)?|\d{1,9}S))?)", re.ASCII
)  # what both grammars allow
MIDNIGHT: Final = "T00:00:00"
DAY: Final = 86_400
"""Seconds of a day of 24 hours."""
_MOST_DAYS: Final = 3_652_059
"""Days of the years 1 to 9999."""
_SHORT: Final = 7
"""Characters of a duration that cannot be longer."""
Read = "Callable[[str], object | None]"
"""Converts the value of a line; None if it has no counterpart."""
Write = "Callable[[object], str | None]"
"""Converts a property to the value of a line; None if that is impossible."""
_NUMBER = re.compile(r"\+?(\d{1,15})", re.ASCII)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
PRIVACY: Final = [("PUBLIC", "public"), ("PRIVATE", "private"), ("CONFIDENTIAL", "secret")]
LOCALE: Final = {"SUMMARY", "NAME"}
"""Lines whose LANGUAGE is the `locale` of the object."""
_LANGUAGE: Final = ("LANGUAGE",)
_TYPES_OF: Final = {
    **dict.fromkeys(("DTSTAMP", "CREATED", "LAST-MODIFIED"), ("DATE-TIME",)),
    **dict.fromkeys(("SEQUENCE", "PRIORITY", "PERCENT-COMPLETE"), ("INTEGER",)),
    "ESTIMATED-DURATION": ("DURATION",),
    "SOURCE": ("URI",),
}


def to_local(value: str) -> tuple[str, str] | None:
    """Return a DATE or DATE-TIME as a LocalDateTime and its form ("date", "local" or "utc"); None for other values.

    Programs leave out the seconds, write 24:00 for the end of a day, and write the extended form of ISO 8601, also with an offset
    from UTC. A leap second is the second before it (RFC 5545, 3.3.12).
    """
    text = value.strip().upper()
    match = _MOMENT.fullmatch(text)
    if match is None:
        return _from_extended(text)
    year, month, day, hour, minute, second, zulu = match.groups()
    local = f"{year}-{month}-{day}T{hour or '00'}:{minute or '00'}:{'59' if second == '60' else second or '00'}"
    try:
        if hour == "24" and minute == "00" and second in (None, "00"):  # the end of a day (ISO 8601)
            local = shown(datetime.fromisoformat(f"{local[:11]}00:00:00") + timedelta(days=1))
        datetime.fromisoformat(local)
    except (ValueError, OverflowError):
        return None
    return local, "date" if hour is None else "utc" if zulu else "local"


def _from_extended(text: str) -> tuple[str, str] | None:
    """Return a date-time in the extended form of ISO 8601 as `to_local` does; one with an offset is in UTC."""
    match = _EXTENDED.fullmatch(text)
    if match is None:
        return None
    day, time, offset = match.groups()
    if offset in (None, "Z"):
        return to_local(f"{basic(day)}T{basic(time)}{offset or ''}" if time else basic(day))
    found = to_local(f"{basic(day)}T{basic(time)}")
    try:
        instant = datetime.fromisoformat(found[0] + offset).astimezone(UTC) if found else None
    except (ValueError, OverflowError):
        return None
    return None if instant is None else (shown(instant), "utc")


def to_utc(value: str) -> str | None:
    """Return a DATE-TIME as a UTCDateTime; without a zone it is UTC, which the properties that use this require."""
    found = to_local(value)
    return None if found is None or found[1] == "date" else f"{found[0]}Z"


def is_local(value: object) -> TypeGuard[str]:
    """Return whether a value is an existing LocalDateTime."""
    if not isinstance(value, str) or not _LOCAL.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def is_utc(value: object) -> bool:
    """Return whether a value is a UTCDateTime."""
    return isinstance(value, str) and value.endswith("Z") and is_local(value[:-1])


def basic(local: str) -> str:
    """Return a LocalDateTime or UTCDateTime as a DATE-TIME: `2024-01-02T03:04:05` is `20240102T030405`."""
    return local.replace("-", "").replace(":", "")


def basic_date(local: str) -> str:
    """Return the DATE of a LocalDateTime."""
    return local[:10].replace("-", "")


def at(local: str) -> datetime:
    """Return a LocalDateTime as a naive date-time."""
    return datetime.fromisoformat(local)


def shown(moment: datetime) -> str:
    """Return a date-time as a LocalDateTime."""
    return moment.isoformat()[:19]


def days_between(first: str, last: str) -> int:
    """Return the days from the date of one LocalDateTime to that of another."""
    return (date.fromisoformat(last[:10]) - date.fromisoformat(first[:10])).days


def span(value: object) -> tuple[int, int, int] | None:
    """Return a duration as sign, nominal days and exact seconds; None for other values and for fractions of a second."""
    match = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if match is None or value[-1] in "PT":  # type: ignore[index]  # it is text where it matched
        return None
    sign, *parts = match.groups()
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in parts)
    return -1 if sign == "-" else 1, weeks * 7 + days, hours * 3600 + minutes * 60 + seconds


def duration(sign: int, days: int, seconds: int) -> str:
    """Return a duration in the notation common to iCalendar and JSCalendar."""
    text = "-P" if sign < 0 else "P"
    if days:
        text += f"{days}D"
    if seconds or not days:
        hours, rest = divmod(seconds, 3600)
        minutes, rest = divmod(rest, 60)
        text += "T"
        if hours:
            text += f"{hours}H"
        if minutes or (hours and rest):
            text += f"{minutes}M"
        if rest or not (hours or minutes):
            text += f"{rest}S"
    return text


def common_duration(value: object, *, signed: bool = False) -> str | None:
    """Return a duration in a notation that both formats allow, unchanged if it is one; None if neither can express it."""
    if not isinstance(value, str):
        return None
    exact = _EXACT_SPAN.fullmatch(value) is not None
    if exact and len(value) <= _SHORT:
        return value
    parts = span(value)
    if parts is None or (parts[0] < 0 and not signed) or parts[1] + parts[2] // DAY > _MOST_DAYS:
        return None
    if exact or (signed and value[0] == "-" and _EXACT_SPAN.fullmatch(value[1:])):
        return value
    return duration(*parts)


def read_duration(value: str, *, signed: bool = False) -> str | None:
    """Return the duration of a line, in any case of letters (RFC 5545, 1), or with nothing after its T; None for other values."""
    found = common_duration(value, signed=signed)
    return found if found is not None else common_duration(value.strip().upper().removeprefix("+").removesuffix("T"), signed=signed)


def plus(local: str, days: int, seconds: int = 0) -> str | None:
    """Return a LocalDateTime plus days and seconds of local time; None outside the years 1 to 9999."""
    try:
        return shown(at(local) + timedelta(days=days, seconds=seconds))
    except OverflowError:
        return None


class Field(NamedTuple):
    """A property of iCalendar and its counterpart in JSCalendar."""

    name: str
    path: str
    read: Callable[[str], object | None]
    write: Callable[[object], str | None]
    value: str = ""
    """The VALUE parameter of the line, if the property has no default type."""


def _text(value: object) -> str | None:
    return escape(value) if isinstance(value, str) else None


def read_utc(value: str) -> str | None:
    """Return a DATE-TIME in UTC as a UTCDateTime."""
    return to_utc(value)


def write_utc(value: object) -> str | None:
    """Return a UTCDateTime as a DATE-TIME."""
    return basic(str(value)) if is_utc(value) else None


def write_uri(value: object) -> str | None:
    """Return a URI as the value of a line; None if a line cannot contain it."""
    return value if isinstance(value, str) and value and not _CONTROLS.search(value) else None


def _number(low: int, high: int) -> tuple[Callable[[str], object | None], Callable[[object], str | None]]:
    def read(value: str) -> object | None:
        match = _NUMBER.fullmatch(value.strip())
        return int(match[1]) if match and low <= int(match[1]) <= high else None

    def write(value: object) -> str | None:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high else None

    return read, write


def enum(values: Iterable[tuple[str, str]]) -> tuple[Callable[[str], object | None], Callable[[object], str | None]]:
    """Return both conversions of a table of values, iCalendar's first."""
    to_json = dict(values)
    to_ical = {value: name for name, value in to_json.items()}
    return (lambda value: to_json.get(value.strip().upper())), (
        lambda value: to_ical.get(value) if isinstance(value, str) else None
    )


def lowered(names: str) -> list[tuple[str, str]]:
    """Return a table of values that JSCalendar has in lower case."""
    return [(name, name.lower()) for name in names.split()]


_SEQUENCE = _number(0, 2**31 - 1)
_TEXT = (unescape, _text)
_UTC = (read_utc, write_utc)
_DURATION = (read_duration, common_duration)
_ENTRY: Final = (
    Field("DTSTAMP", "updated", *_UTC),
    Field("CREATED", "created", *_UTC),
    Field("SEQUENCE", "sequence", *_SEQUENCE),
    Field("SUMMARY", "title", *_TEXT),
    Field("PRIORITY", "priority", *_number(0, 9)),
    Field("CLASS", "privacy", *enum(PRIVACY)),
    Field("TRANSP", "freeBusyStatus", *enum([("OPAQUE", "busy"), ("TRANSPARENT", "free")])),
    Field("COLOR", "color", *_TEXT),
)
EVENT: Final = (*_ENTRY, Field("STATUS", "status", *enum(lowered("TENTATIVE CONFIRMED CANCELLED"))))
TASK: Final = (
    *_ENTRY,
    Field("STATUS", "progress", *enum(lowered("NEEDS-ACTION IN-PROCESS COMPLETED FAILED CANCELLED"))),
    Field("ESTIMATED-DURATION", "estimatedDuration", *_DURATION),
    Field("PERCENT-COMPLETE", "percentComplete", *_number(0, 100)),
)
GROUP: Final = (
    Field("UID", "uid", *_TEXT),
    Field("LAST-MODIFIED", "updated", *_UTC),
    Field("CREATED", "created", *_UTC),
    Field("NAME", "title", *_TEXT),
    Field("COLOR", "color", *_TEXT),
    Field("SOURCE", "source", lambda value: value or None, write_uri, "URI"),
)


def by_name(fields: Iterable[Field]) -> dict[str, Field]:
    """Return fields by the name of their line."""
    return {field.name: field for field in fields}


def read_field(field: Field, reading: Reading, line: Line) -> None:
    """Convert a line of the table, or keep it."""
    declared = line.params.get("VALUE")
    if declared and declared[0].upper() not in _TYPES_OF.get(field.name, ("TEXT",)):
        reading.keep(line)
        return
    if field.name in LOCALE and "LANGUAGE" in line.params and field.path not in reading.item:
        reading.item["locale"] = line.params["LANGUAGE"][0]
        reading.set(field.path, field.read(line.value), line, _LANGUAGE)
    else:
        reading.set(field.path, field.read(line.value), line)


def write_fields(fields: Iterable[Field], item: Object, writing: Writing) -> None:
    """Write the lines of the table; a value that no line can express goes to a JSPROP line."""
    for field in fields:
        value = item.get(field.path)
        if value is None:
            continue
        text = field.write(value)
        if text is None:
            writing.leave(field.path, value)
            continue
        params: dict[str, str | list[str]] = {"VALUE": field.value} if field.value else {}
        if field.name in LOCALE and isinstance(locale := item.get("locale"), str):
            params["LANGUAGE"] = locale
        writing.add(field.name, text, params, field.path)
    locale = item.get("locale")
    if locale is not None and not (isinstance(locale, str) and writing.written & LOCALE):
        writing.leave("locale", locale)
