"""Give a part of a card, an event or a task the one form that says the same: without noise, defaults and any order of its own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from jmapsync.formats.encoding import encode
from jmapsync.formats.jlines import meaning
from jmapsync.formats.shapes import IMPLIED, KEYED, LIST, NAMED, ONE, PARTS, Part, is_default, type_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.formats.codec import Object

PATCHES = ("recurrenceOverrides", "localizations")
"""The properties that hold patches of the item they are in."""
_ITEMS = frozenset({"Card", "Event", "Task"})
STAMPS = frozenset({"updated", "created", "prodId", "sequence", "version", "method"})
"""Properties of an item that servers and programs set as they like."""
_NOISE = {
    **dict.fromkeys(_ITEMS, STAMPS),
    "Participant": frozenset({"scheduleSequence", "scheduleUpdated", "scheduleStatus", "scheduleForceSend"}),
    "ICalComponent": frozenset({"@type", "name"}),
    "ICalProperty": frozenset({"@type", "name", "valueType"}),
}
"""Properties that servers and programs set as they like, or that tell the form of a file only."""
_STAMP_LINES = frozenset(
    {
        "version",
        "prodid",
        "rev",
        "calscale",
        "method",
        "dtstamp",
        "created",
        "last-modified",
        "sequence",
        "x-kind",
        "x-lic-location",
        "x-jmap-usedefaultalerts",
    }
)
"""jCard and jCal properties of that sort (RFC 7095, RFC 7265); the last one Cyrus 3.12 writes into events that it changes."""
_IDENTITY = frozenset({"uid", "x-wr-alarmuid"})
"""What tells one alarm from another and means nothing, like a key."""
_FORM_PARAMETERS = frozenset({"group", "jsid", "prop-id", "derived", "tzid", "value"})
_BARE_CALENDAR = ["x-jmapsync-vcalendar", [], []]
"""What is left of the lines of a VCALENDAR (formats.ical.kept) that all say nothing."""
_FILLERS = frozenset({"", "Reminder", "Alarm", "Event reminder", "This is an event reminder"})
_UNORDERED = frozenset(
    {"byDay", "byMonth", "byMonthDay", "byYearDay", "byWeekNo", "byHour", "byMinute", "bySecond", "bySetPosition"}
)
_DURATIONS = frozenset({"duration", "estimatedDuration", "offset"})
_DURATION = re.compile(
    r"([+-]?)P(?:(\d{1,18})W)?(?:(\d{1,18})D)?(?:T(?:(\d{1,18})H)?(?:(\d{1,18})M)?(?:(\d{1,18})(?:\.0+)?S)?)?\Z", re.ASCII
)
_GEO = re.compile(r"^geo:([+-]?\d+(?:\.\d+)?),([+-]?\d+(?:\.\d+)?)\Z", re.ASCII)


def plain_item(item: Object, beside: Object | None = None) -> Object:
    """Return the canonical form of an item without its patches; `beside` tells the title and the description, if that is given."""
    told = item if beside is None else beside
    result = plain_part(type_of(item), {name: value for name, value in item.items() if name not in PATCHES})
    if isinstance(alerts := result.get("alerts"), dict):
        fillers = {*_FILLERS, *(text for text in (told.get("title"), told.get("description")) if isinstance(text, str))}
        result["alerts"] = {key: _without_filler(alert, fillers) for key, alert in alerts.items()}
    return result


def plain_part(owner: str, value: Object) -> Object:
    """Return the canonical form of an object inside an item: without noise, defaults and what its type implies."""
    result: Object = {}
    noise, parts = _NOISE.get(owner, frozenset()), PARTS.get(owner, {})
    for name, inner in value.items():
        if name in noise or (name == "@type" and inner in IMPLIED.get(owner, (owner,)) and owner not in _ITEMS):
            continue
        plain = _plain_property(parts[name], inner) if name in parts else _plain_value(owner, name, inner)
        if isinstance(plain, list) and name in _UNORDERED:
            plain = sorted(plain, key=text_key)
        elif isinstance(plain, list) and name == "components" and owner == "Address" and value.get("isOrdered") is not True:
            plain = sorted(plain, key=_kind_of)  # the fields of ADR have an order of RFC 6350, and another of RFC 9554
        elif name == "iCalendar" and owner not in _ITEMS:
            plain = _without_lines(plain, lambda line: line[0] in _IDENTITY)
        if not is_default(owner, name, plain):
            result[name] = plain
    return result


def _kind_of(component: Any) -> str:  # noqa: ANN401 # any JSON value
    return text_key(component.get("kind") if isinstance(component, dict) else component)


def _plain_property(part: Part, value: Any) -> Any:  # noqa: ANN401 # any JSON value
    if part.how == LIST and isinstance(value, list):
        elements = [plain_part(part.of, element) if isinstance(element, dict) else element for element in value]
        return [element for element in elements if part.of != "OrgUnit" or element not in ({}, {"name": ""})]  # of `ORG:Acme;`
    if part.how in {KEYED, NAMED} and isinstance(value, dict):
        entries = {key: plain_part(part.of, entry) if isinstance(entry, dict) else entry for key, entry in value.items()}
        return {key: entry for key, entry in entries.items() if entry is not None and (entry or part.of != "ICalProperty")}
    return plain_part(part.of, value) if part.how == ONE and isinstance(value, dict) else value


def _plain_value(owner: str, name: str, value: Any) -> Any:  # noqa: ANN401 # any JSON value
    if isinstance(value, str):
        if name == "coordinates":
            return _GEO.sub(lambda match: f"geo:{float(match[1])},{float(match[2])}", value)
        return _plain_duration(value) if name in _DURATIONS else value.replace("\r\n", "\n")
    if isinstance(value, list) and (name == "vCardProps" or (owner == "ICalComponent" and name in {"properties", "components"})):
        return _plain_components(value) if name == "components" else _plain_lines(value, _STAMP_LINES)
    if isinstance(value, dict):
        form = _FORM_PARAMETERS if name in {"vCardParams", "parameters"} else ()
        return {key: inner for key, inner in value.items() if inner is not None and key.lower() not in form}
    return value


def _plain_lines(lines: list[Any], noise: frozenset[str]) -> list[Any]:
    """Return jCard or jCal properties without noise, by their meaning, in an order of their own."""
    kept = [plain_line(line) for line in lines if not (_is_line(line) and line[0].lower() in noise)]
    return sorted(kept, key=text_key)


def plain_line(line: Any) -> Any:  # noqa: ANN401 # any JSON value
    """Return a jCard or jCal property, or a jCal component, by its meaning; lines of one meaning are the same."""
    match line:
        case [str(name), dict(params), _, *_] if _is_line(line):
            return meaning([name, _without_form(params), *line[2:]])
        case [str(name), list(lines), list(inner)]:
            return [name, _plain_lines(lines, _STAMP_LINES), _plain_components(inner)]
        case _:
            return line


def _without_form(params: Object) -> Object:
    """Return the parameters of a line without those that tell the form of its file only; one value is a list of one too."""
    kept = {key.lower(): value for key, value in params.items() if key.lower() not in _FORM_PARAMETERS}
    return {key: value[0] if isinstance(value, list) and len(value) == 1 else value for key, value in kept.items()}


def _plain_components(components: list[Any]) -> list[Any]:
    """Return jCal components in an order of their own; VTIMEZONE says nothing that the time zone's name does not (RFC 7809)."""
    kept = []
    for component in components:
        match component:
            case ["vtimezone", _, _]:
                continue
            case [_, list(_), list(_)]:
                plain = plain_line(component)
                if plain != _BARE_CALENDAR:
                    kept.append(plain)
            case _:
                kept.append(component)
    return sorted(kept, key=text_key)


def _is_line(line: Any) -> bool:  # noqa: ANN401 # any JSON value
    return (
        isinstance(line, list)
        and len(line) > len(("name", "parameters"))
        and isinstance(line[0], str)
        and isinstance(line[1], dict)
    )


def _without_lines(component: Any, unwanted: Callable[[list[Any]], bool]) -> Any:  # noqa: ANN401 # any JSON value
    lines = component.get("properties") if isinstance(component, dict) else None
    if not isinstance(lines, list):
        return component
    kept = [line for line in lines if not (_is_line(line) and unwanted(line))]
    return {name: value for name, value in {**component, "properties": kept}.items() if value != []}


def _text_of(line: list[Any]) -> str | None:
    return next((value for value in line[3:] if isinstance(value, str)), None)


def _without_filler(alert: Any, fillers: set[Any]) -> Any:  # noqa: ANN401 # any JSON value
    """Return an alert without the DESCRIPTION that a VALARM must have, where a program filled it with what the event says."""
    if not isinstance(alert, dict) or "action" in alert or "iCalendar" not in alert:
        return alert
    component = _without_lines(alert["iCalendar"], lambda line: line[0] == "description" and _text_of(line) in fillers)
    return {name: value for name, value in {**alert, "iCalendar": component}.items() if name != "iCalendar" or value != {}}


def _plain_duration(text: str) -> str:
    """Return a duration in days and seconds: a week is seven days, an hour 3600 seconds, but no day 24 hours (RFC 8984, 1.4.6)."""
    match = _DURATION.match(text)
    if match is None:
        return text
    weeks, days, hours, minutes, seconds = (int(number or 0) for number in match.groups()[1:])
    days, seconds = weeks * 7 + days, hours * 3600 + minutes * 60 + seconds
    date, time = (f"{days}D" if days else ""), (f"T{seconds}S" if seconds or not days else "")
    return f"{'-' if match[1] == '-' and (days or seconds) else ''}P{date}{time}"


def text_key(value: Any) -> str:  # noqa: ANN401 # any JSON value
    """Return the text of a value, by which values are put in an order."""
    return encode(value).decode("utf-8", "surrogatepass")
