"""Render cards, events and tasks as the files that Stalwart 0.16.19 gives by CardDAV and CalDAV (seen live; its library calcard).

Hints beside a value overrule it there, and dates among the kept lines are written as they stand: so what a client loses by its
writes over JMAP shows here, and not in the objects. Of a card, names and addresses are not rendered field by field.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import TYPE_CHECKING, Any

from jmapsync.demo.stalwart_items import DEFAULT_TYPES, UNKNOWN, value_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jmapsync.demo.problems import JsonObject

_ESCAPES = {"\\": "\\\\", ",": "\\,", ";": "\\;", "\n": "\\n"}
_DURATION = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_TEXTS = {
    "title": "SUMMARY",
    "description": "DESCRIPTION",
    "status": "STATUS",
    "progress": "STATUS",
    "priority": "PRIORITY",
    "percentComplete": "PERCENT-COMPLETE",
    "sequence": "SEQUENCE",
    "color": "COLOR",
    "privacy": "CLASS",
    "estimatedDuration": "ESTIMATED-DURATION",
}
_UPPER = frozenset({"status", "progress", "privacy"})
_OF_JMAP = frozenset({"id", "calendarIds", "addressBookIds", "isDraft", "isOrigin", "@type", "version", "prodId"})
_SAID = frozenset({"start", "duration", "due", "timeZone", "uid", "showWithoutTime", "iCalendar", "locale", "updated", "created"})
_LISTS = frozenset({"categories", "resources", "exdate", "rdate", "freebusy"})
_CARD_MAPS = {
    "nicknames": ("NICKNAME", "name"),
    "phones": ("TEL", "number"),
    "emails": ("EMAIL", "address"),
    "notes": ("NOTE", "note"),
    "titles": ("TITLE", "name"),
    "links": ("URL", "uri"),
    "media": ("PHOTO", "uri"),
    "anniversaries": ("", "date"),
    "organizations": ("ORG", "name"),
}
_DATES = {"birth": "BDAY", "death": "DEATHDATE", "wedding": "ANNIVERSARY"}
_SAID_OF_CARDS = frozenset({"name", "uid", "keywords", "vCard", "addresses", "created", "updated", "kind", *_CARD_MAPS})


def rendered(item: JsonObject) -> str:
    """Return the file of an item."""
    if item.get("@type") in ("Event", "Task"):
        lines = ["BEGIN:VCALENDAR", "PRODID:-//rec//EN", "VERSION:2.0", *_components(item), "END:VCALENDAR"]
    else:
        lines = ["BEGIN:VCARD", "VERSION:4.0", *_card(item), "END:VCARD"]
    return "".join(f"{line}\r\n" for line in lines)


def _escaped(value: object) -> str:
    return re.sub(r"[\\,;\n]", lambda match: _ESCAPES[match[0]], str(value))


def _parameters(given: object) -> str:
    found = given.items() if isinstance(given, dict) else ()
    return "".join(f";{name.upper()}={_parameter(value)}" for name, value in found)


def _parameter(value: object) -> str:
    parts = value if isinstance(value, list) else [value]
    return ",".join(f'"{part}"' if re.search(r"[:;, ]", str(part)) else str(part) for part in parts)


def _hint(owner: JsonObject, holder: str, path: str) -> JsonObject:
    found: JsonObject = owner.get(holder, {}).get("convertedProperties", {}).get(path, {})
    return found


def _kept(lines: list[Any], default: dict[str, str]) -> Iterator[str]:
    """Yield kept lines: the value as it stands where it is none of its type."""
    for name, given, kind, value in lines:
        params = dict(given)
        group = params.pop("group", "")
        suffix = "" if kind.lower() in (UNKNOWN, "text", default.get(name)) else f";VALUE={kind.upper()}"
        meant = kind.lower() if kind != UNKNOWN else default.get(name, "text")
        parts = value if isinstance(value, list) else [value]
        shown = [_escaped(part) if meant == "text" else str(part) for part in parts]
        text = ("," if name in _LISTS else ";").join(shown)
        yield f"{group + '.' if group else ''}{name.upper()}{_parameters(params)}{suffix}:{text}"


# events and tasks


def _components(item: JsonObject) -> Iterator[str]:
    name = "VTODO" if item["@type"] == "Task" else "VEVENT"
    plain = {at: patch for at, patch in (item.get("recurrenceOverrides") or {}).items() if not patch or patch.get("excluded")}
    yield f"BEGIN:{name}"
    yield from _component(item, {})
    for at, patch in plain.items():
        yield _moment("EXDATE" if patch else "RDATE", at, item, {}, f"recurrenceOverrides/{at}")
    yield f"END:{name}"
    for at, patch in (item.get("recurrenceOverrides") or {}).items():
        if at not in plain:
            yield f"BEGIN:{name}"
            yield f"UID:{item['uid']}"
            yield _moment("RECURRENCE-ID", at, patch, item, "recurrenceId")
            yield from _component(patch, item)
            yield f"END:{name}"


def _moment(name: str, at: str, owner: JsonObject, series: JsonObject, path: str) -> str:
    """Return the line of a moment: a hint says whether it is a date, whatever it is."""
    params = dict(_hint(owner, "iCalendar", path).get("parameters", {}))
    zone = owner.get("timeZone", series.get("timeZone"))
    text = at.replace("-", "").replace(":", "")
    if str(params.get("value", "")).upper() == "DATE":
        text = text.partition("T")[0]
    elif zone == "Etc/UTC":
        text += "Z"
    if zone and zone != "Etc/UTC" and "tzid" not in params:
        params["tzid"] = zone
    return f"{name}{_parameters(params)}:{text}"


def _component(owner: JsonObject, series: JsonObject) -> Iterator[str]:
    """Yield the lines of an object, or of an override, which has those that it says itself."""
    if owner.get("uid"):
        yield f"UID:{owner['uid']}"
    yield from _times(owner, series)
    for name, value in owner.items():
        if name in _TEXTS:
            text = str(value).upper() if name in _UPPER else _escaped(value)
            yield f"{_TEXTS[name]}{_parameters(_hint(owner, 'iCalendar', name).get('parameters'))}:{text}"
        elif name == "alerts":
            for key, alert in value.items():
                yield from _alarm(key, alert)
        elif name in _MADE:
            yield _MADE[name](value)
        elif name not in _SAID | _OF_JMAP | {"recurrenceOverrides"}:
            yield f'JSPROP;JSPTR="{name}":{_escaped(json.dumps(value, sort_keys=True))}'
    yield from _kept(owner.get("iCalendar", {}).get("properties", []), DEFAULT_TYPES)


def _times(owner: JsonObject, series: JsonObject) -> Iterator[str]:
    lines: list[str] = []
    if start := owner.get("start"):
        lines.append(_moment("DTSTART", start, owner, series, "start"))
    if due := owner.get("due"):
        lines.append(_moment("DUE", due, owner, series, "due"))
    if length := owner.get("duration"):
        if start and _hint(owner, "iCalendar", "duration").get("name") == "dtend":
            lines.append(_moment("DTEND", _after(start, length), owner, series, "duration"))
        else:
            lines.append(f"DURATION:{length}")
    dated = any(";VALUE=DATE" in line for line in lines)
    yield from lines
    if "showWithoutTime" in owner and (not owner["showWithoutTime"] or not dated):
        yield f"SHOW-WITHOUT-TIME:{str(owner['showWithoutTime']).upper()}"


def _after(start: str, length: str) -> str:
    match = _DURATION.fullmatch(length)
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0,) * 5
    span = dt.timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    return (dt.datetime.fromisoformat(start) + span).isoformat()


def _rule(rule: JsonObject) -> str:
    parts = [f"FREQ={rule['frequency'].upper()}"]
    for name, key in (("interval", "INTERVAL"), ("count", "COUNT"), ("until", "UNTIL")):
        if name in rule:
            parts.append(f"{key}={str(rule[name]).replace('-', '').replace(':', '')}")
    if "byDay" in rule:
        parts.append("BYDAY=" + ",".join(f"{day.get('nthOfPeriod', '')}{day['day'].upper()}" for day in rule["byDay"]))
    return ";".join(parts)


_MADE: dict[str, Callable[[Any], str]] = {
    "keywords": lambda value: f"CATEGORIES:{','.join(map(_escaped, value))}",
    "freeBusyStatus": lambda value: f"TRANSP:{'TRANSPARENT' if value == 'free' else 'OPAQUE'}",
    "recurrenceRule": lambda value: f"RRULE:{_rule(value)}",
}


def _alarm(key: str, alert: JsonObject) -> Iterator[str]:
    trigger = alert.get("trigger", {})
    params = _parameters(_hint(alert, "iCalendar", "trigger").get("parameters"))
    yield "BEGIN:VALARM"
    if "when" in trigger:
        yield f"TRIGGER{params or ';VALUE=DATE-TIME'}:{trigger['when'].replace('-', '').replace(':', '')}"
    else:
        yield f"TRIGGER{params}:{trigger.get('offset', 'PT0S')}"
    if "action" in alert:
        yield f"ACTION:{alert['action'].upper()}"
    yield from _kept(alert.get("iCalendar", {}).get("properties", []), DEFAULT_TYPES)
    yield f"JSID:{key}"
    yield "END:VALARM"


# cards


def _card(card: JsonObject) -> Iterator[str]:
    yield from _kept([line for line in card.get("vCard", {}).get("properties", []) if line[0] != "version"], {})
    yield f"UID:{_escaped(card['uid'])}"
    yield f"FN:{_escaped(value_at(card, 'name/full') or '')}"
    if card.get("keywords"):
        yield f"CATEGORIES:{','.join(map(_escaped, card['keywords']))}"
    for where, (name, value) in _CARD_MAPS.items():
        for key, entry in card.get(where, {}).items():
            yield from _entry(card, where, key, entry, name, value)
    for name, value in card.items():
        if name not in _SAID_OF_CARDS | _OF_JMAP:
            yield f'JSPROP;JSPTR="{name}":{_escaped(json.dumps(value, sort_keys=True))}'


def _entry(card: JsonObject, where: str, key: str, entry: JsonObject, name: str, value: str) -> Iterator[str]:  # noqa: PLR0917
    """Yield the line of an entry, and that of its label; the hint of a label that is gone takes the entry's line."""
    params = dict(_hint(card, "vCard", f"{where}/{key}/{value}").get("parameters", {}))
    label = _hint(card, "vCard", f"{where}/{key}/label")
    if label and "label" not in entry:
        name, params = str(label.get("name", "")).upper(), dict(label.get("parameters", {}))
    group = params.pop("group", "")
    types = [_type(one) for part in ("contexts", "features") for one in entry.get(part, {})]
    shown = f";TYPE={','.join(types)}" if types else ""
    text = _escaped(entry.get(value, "")) if where != "media" else str(entry.get(value, "")).replace(",", "\\,")
    if where == "anniversaries":
        name, text = _DATES.get(entry.get("kind", ""), "ANNIVERSARY"), _date(entry["date"])
    elif where == "organizations":
        text = ";".join([text, *(_escaped(unit.get("name", "")) for unit in entry.get("units", []))])
    yield f"{group + '.' if group else ''}{name}{shown};PROP-ID={key}{_parameters(params)}:{text}"
    if "label" in entry and label:
        yield f"{label.get('parameters', {}).get('group', '')}.{label['name'].upper()}:{_escaped(entry['label'])}"


def _type(name: str) -> str:
    return {"private": "HOME", "mobile": "CELL"}.get(name, name.upper())


def _date(date: JsonObject) -> str:
    if "utc" in date:
        return str(date["utc"]).replace("-", "").replace(":", "")
    year, month, day = date.get("year"), date.get("month"), date.get("day")
    if year and month and not day:
        return f"{year:04}-{month:02}"
    return (f"{year:04}" if year else "--") + "".join(f"{part:02}" for part in (month, day) if part)
