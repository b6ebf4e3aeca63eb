"""The properties that convert one to one: a table (draft-ietf-calext-jscalendar-icalendar, sections of these names)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from jmapsync.formats.ical.lines import escape, unescape
from jmapsync.formats.ical.times import basic, common_duration, is_utc, to_utc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from jmapsync.formats.codec import Object
    from jmapsync.formats.ical.kept import Reading, Writing
    from jmapsync.formats.ical.lines import Line

Read = "Callable[[str], object | None]"
"""Converts the value of a line; nothing where it has no counterpart."""
Write = "Callable[[object], str | None]"
"""Converts it back; nothing where it cannot be said."""

_NUMBER = re.compile(r"\+?(\d{1,15})", re.ASCII)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


class Field(NamedTuple):
    """One property of iCalendar and the property of JSCalendar that it is."""

    name: str
    path: str
    read: Callable[[str], object | None]
    write: Callable[[object], str | None]
    value: str = ""
    """The VALUE parameter that the line has, because the property has no default type."""


def _text(value: object) -> str | None:
    return escape(value) if isinstance(value, str) else None


def read_utc(value: str) -> str | None:
    """Return a DATE-TIME in UTC as a UTCDateTime."""
    return to_utc(value)


def write_utc(value: object) -> str | None:
    """Return a UTCDateTime as a DATE-TIME."""
    return basic(str(value)) if is_utc(value) else None


def write_uri(value: object) -> str | None:
    """Return a URI as the value of a line, on which it stands as it is."""
    return value if isinstance(value, str) and value and not _CONTROLS.search(value) else None


def _number(low: int, high: int) -> tuple[Callable[[str], object | None], Callable[[object], str | None]]:
    def read(value: str) -> object | None:
        match = _NUMBER.fullmatch(value.strip())
        return int(match[1]) if match and low <= int(match[1]) <= high else None

    def write(value: object) -> str | None:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high else None

    return read, write


def enum(values: Iterable[tuple[str, str]]) -> tuple[Callable[[str], object | None], Callable[[object], str | None]]:
    """Return the two conversions of a table of values, those of iCalendar first."""
    to_json = dict(values)
    to_ical = {value: name for name, value in to_json.items()}
    return (lambda value: to_json.get(value.strip().upper())), (
        lambda value: to_ical.get(value) if isinstance(value, str) else None
    )


def lowered(names: str) -> list[tuple[str, str]]:
    """Return a table of values that are the same in lower case."""
    return [(name, name.lower()) for name in names.split()]


_SEQUENCE = _number(0, 2**31 - 1)
_TEXT = (unescape, _text)
_UTC = (read_utc, write_utc)
_DURATION = (common_duration, common_duration)
PRIVACY: Final = [("PUBLIC", "public"), ("PRIVATE", "private"), ("CONFIDENTIAL", "secret")]
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
LOCALE: Final = {"SUMMARY", "NAME"}
"""The lines whose LANGUAGE is the `locale` of the object."""
_LANGUAGE: Final = ("LANGUAGE",)


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


_TYPES_OF: Final = {
    **dict.fromkeys(("DTSTAMP", "CREATED", "LAST-MODIFIED"), ("DATE-TIME",)),
    **dict.fromkeys(("SEQUENCE", "PRIORITY", "PERCENT-COMPLETE"), ("INTEGER",)),
    "ESTIMATED-DURATION": ("DURATION",),
    "SOURCE": ("URI",),
}


def write_fields(fields: Iterable[Field], item: Object, writing: Writing) -> None:
    """Write the lines of the table; a value that no line can say is left to JSPROP."""
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
