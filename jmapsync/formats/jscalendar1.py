"""Convert between JSCalendar 1.0 (RFC 8984), which Cyrus 3.8 to 3.12 implements, and JSCalendar 2.0.

Properties that 2.0 lacks (a location's description, a participant's language, localizations) are kept and sent back unchanged. 2.0
has one recurrence rule; further ones and EXRULEs become jCal lines `rrule` and `exrule` of the `iCalendar` property. Cyrus sends
null for missing properties, and `cyrusimap.org:iCalProps` for lines it cannot convert; from a client it refuses those lines and
empty maps (imap/jmap_calendar.c of 3.12), so neither is ever sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from jmapsync.formats.merge import merge
from jmapsync.formats.objects import Object, Patch, as_object
from jmapsync.formats.patch import apply, diff
from jmapsync.formats.pointer import escape, split
from jmapsync.formats.shapes import EMPTY, KEYED, LIST, NAMED, ONE, PARTS

_WORDS = {"frequency": "freq", "rscale": "rscale", "skip": "skip", "firstDayOfWeek": "wkst"}
_PLAIN = {"interval": "interval", "count": "count", "until": "until"}
_LISTS = {
    "bySecond": "bysecond",
    "byMinute": "byminute",
    "byHour": "byhour",
    "byMonthDay": "bymonthday",
    "byYearDay": "byyearday",
    "byWeekNo": "byweekno",
    "byMonth": "bymonth",
    "bySetPosition": "bysetpos",
}
_NAMES = {jcal: name for names in (_WORDS, _PLAIN, _LISTS) for name, jcal in names.items()}
_NUMBER = re.compile(r"[+-]?\d{1,9}", re.ASCII)
_DAY = 2
"""Letters of an abbreviated weekday."""
Convert = Callable[[str, Object], Object]
"""Converts an object of a type, or some of its properties."""
_ONE_ADDRESS = {"replyTo": "organizerCalendarAddress", "sendTo": "calendarAddress"}
"""Maps of addresses by method (RFC 8984, 4.4.4 and 4.4.6), and the single address of 2.0."""
_METHODS = {new: old for old, new in _ONE_ADDRESS.items()}
_PEOPLE = ("delegatedTo", "delegatedFrom", "memberOf")
"""Sets of participants: by key in 1.0, by calendar address in 2.0."""
_RULES = {"recurrenceRules": "rrule", "excludedRecurrenceRules": "exrule"}
_RULE_OF = {line: name for name, line in _RULES.items()}
_RECUR = ("name", "parameters", "type")
_OF_V1 = frozenset({*_RULES, "replyTo"})
_LINES = ("cyrusimap.org:iCalProps", "iCalProps", "iCalComponent")
_COMPONENTS = {"Event": "vevent", "Task": "vtodo", "Group": "vcalendar", "Alert": "valarm"}
_UNKNOWN = frozenset({"mainLocationId", "iCalendar", *_LINES})
_MAPS = {name for parts in PARTS.values() for name in parts} | set(_ONE_ADDRESS)
_END = "end"
"""The key of the location that is added for the time zone of the end."""


def to_jcal(rule: Object) -> Object:
    """Return the jCal `recur` value of a rule (RFC 7265, 3.6.10). `until` stays in the time zone of the event."""
    result: Object = {jcal: str(rule[name]).upper() for name, jcal in _WORDS.items() if name in rule}
    result |= {jcal: rule[name] for name, jcal in _PLAIN.items() if name in rule}
    for name, jcal in _LISTS.items():
        if values := rule.get(name):
            result[jcal] = [int(value) if _NUMBER.fullmatch(str(value)) else value for value in values]
    if days := rule.get("byDay"):
        result["byday"] = [f"{day.get('nthOfPeriod', '')}{day.get('day', '')}".upper() for day in days]
    return result


def from_jcal(recur: Object) -> Object:
    """Return the rule of a jCal `recur` value without unknown parts."""
    rule: Object = {"@type": "RecurrenceRule"}
    for part, value in recur.items():
        name = _NAMES.get(part.lower())
        if name in _LISTS:
            values = value if isinstance(value, list) else [value]
            rule[name] = [str(each) for each in values] if name == "byMonth" else values
        elif name is not None:
            rule[name] = str(value).lower() if name in _WORDS else value
        elif part.lower() == "byday":
            rule["byDay"] = [_day(str(each)) for each in (value if isinstance(value, list) else [value])]
    return rule


def _day(text: str) -> dict[str, Any]:
    number, day = text[:-_DAY], text[-_DAY:].lower()
    return {"@type": "NDay", "day": day, **({"nthOfPeriod": int(number)} if _NUMBER.fullmatch(number) else {})}


def is_v1(item: Object) -> bool:
    """Return whether an Event, Task or Group is of JSCalendar 1.0: it has no version, and properties that 2.0 lacks."""
    if item.get("version") is not None:
        return False
    if not _OF_V1.isdisjoint(item):
        return True
    entries = item.get("entries")
    return any("sendTo" in person for person in as_object(item.get("participants")).values() if isinstance(person, dict)) or any(
        is_v1(entry) for entry in (entries if isinstance(entries, list) else ()) if isinstance(entry, dict)
    )


def from_v1(item: Object) -> Object:
    """Return the JSCalendar 2.0 object of a 1.0 Event, Task or Group. Only nulls are lost."""
    people = _people(item, lambda entry: _address(entry.get("sendTo"))[0])

    def up(owner: str, value: Object) -> Object:
        return _up(owner, value, people, up)

    result = {name: value for name, value in up(_owner(item), item).items() if value is not None}
    end = next((key for key, zone in _ends(item).items() if isinstance(zone, str)), None)
    if end is not None:
        location = result["locations"].pop(end)
        result["endTimeZone"] = location.pop("timeZone")
        if location.keys() - {"@type", "relativeTo"}:
            result["locations"][end] = location  # else it says no more than the zone, as Cyrus makes it of a DTEND
        elif not result["locations"]:
            del result["locations"]
    if isinstance(patches := result.get("recurrenceOverrides"), dict):
        result["recurrenceOverrides"] = {key: _ended(_patch(item, patch, up, up), end) for key, patch in patches.items()}
    if isinstance(entries := result.get("entries"), list):
        result["entries"] = [from_v1(entry) if isinstance(entry, dict) else entry for entry in entries]
    result["version"] = "2.0"
    return result


def to_v1(item: Object, held: Object | None = None) -> Object:
    """Return the JSCalendar 1.0 object to send for a 2.0 Event, Task or Group.

    `held` is the server's 1.0 object, if there is one: it has the key of the location with the time zone of the end, which 2.0
    lacks. `iCalendar`, except further rules, and `mainLocationId` have no counterpart and are left out.
    """
    people = {address: key for key, address in _people(item, lambda entry: entry.get("calendarAddress")).items()}

    def down(owner: str, value: Object) -> Object:
        return _down(owner, value, people, entry)

    def entry(owner: str, value: Object) -> Object:
        return _typed(owner, _sendable(down(owner, value)))

    result = {name: value for name, value in down(_owner(item), item).items() if value is not None and not _is_empty(name, value)}
    end = next(iter([*_ends(result), *_ends(held or {}), _END]))
    if (zone := result.pop("endTimeZone", None)) is not None:
        locations = found if isinstance(found := result.get("locations"), dict) else {}
        marked = {"@type": "Location", "relativeTo": "end", **_object(locations.get(end)), "timeZone": zone}
        result["locations"] = {**locations, end: marked}
    if isinstance(patches := result.get("recurrenceOverrides"), dict):
        located = {key: _located(_patch(item, patch, down, entry), end) for key, patch in patches.items()}
        result["recurrenceOverrides"] = {key: _without_lines(patch) for key, patch in located.items()}
    if isinstance(entries := result.get("entries"), list):
        result["entries"] = [to_v1(entry) if isinstance(entry, dict) else entry for entry in entries]
    return result


def _object(value: Any) -> Object:  # noqa: ANN401 # any JSON value
    return as_object(value)


def _without_lines(patch: Any) -> Any:  # noqa: ANN401 # any JSON value
    """Return an override without changes of kept lines, which have no counterpart in 1.0."""
    if not isinstance(patch, dict):
        return patch
    return {path: value for path, value in patch.items() if path.partition("/")[0] != "iCalendar"}


def patch_to_v1(patch: Patch, held: Object, held_v1: Object | None = None) -> Patch:
    """Return the patch of the 1.0 object for a patch of the 2.0 object.

    `held` is the server's object in 2.0, `held_v1` as received, if known: the paths fit it. Raise UnfitPatchError.
    """
    before, after = to_v1(held, held_v1), to_v1(apply(held, patch), held_v1)
    return diff(before, after) if held_v1 is None else merge(before, after, held_v1, held_v1).patch


def _owner(item: Object) -> str:
    kind = item.get("@type")
    return kind if kind in ("Task", "Group") else "Event"


def _people(item: Object, address: Callable[[Object], Any]) -> dict[str, str]:
    """Return the calendar addresses of participants by key."""
    participants = item.get("participants")
    if not isinstance(participants, dict):
        return {}
    found = {key: address(entry) for key, entry in participants.items() if isinstance(entry, dict)}
    return {key: text for key, text in found.items() if isinstance(text, str)}


def _up(owner: str, value: Object, people: dict[str, str], up: Convert) -> Object:
    """Return an object, or some of its properties, in 2.0; `up` converts contained objects."""
    result = _up_lines(owner, value, up)
    for name, inner in value.items():
        if name in _ONE_ADDRESS:
            address, rest = _address(inner)
            result |= {_ONE_ADDRESS[name]: address} if address or inner is None else {}
            result |= {name: rest} if rest else {}
        elif name in _PEOPLE and isinstance(inner, dict):
            result[name] = {people.get(key, key): there for key, there in inner.items()}
        elif name == "display" and owner == "Link" and isinstance(inner, str):
            result[name] = {inner: True}
        elif name == "byMonth" and isinstance(inner, list):
            result[name] = [str(month) for month in inner]
        elif name not in _LINES and name not in _RULES:
            result[name] = _inside(owner, name, inner, lambda of, entry: _without_nulls(up(of, entry)))
    return result


def _up_lines(owner: str, value: Object, up: Convert) -> Object:
    """Return the rule of 2.0, and the lines of iCalendar for the others."""
    result: Object = {}
    lines: list[Any] = []
    for name, line in _RULES.items():
        given = value.get(name)
        rules = [up("RecurrenceRule", rule) for rule in (given if isinstance(given, list) else ()) if isinstance(rule, dict)]
        if name == "recurrenceRules" and name in value:
            result["recurrenceRule"] = rules.pop(0) if rules else None
        lines += [[line, {}, "recur", to_jcal(rule)] for rule in rules]
    component = value.get("iCalComponent")
    for name in _LINES:
        lines += value[name] if isinstance(value.get(name), list) else []
    if lines or isinstance(component, dict):
        component = component or {"@type": "ICalComponent", "name": _COMPONENTS.get(owner, owner.lower())}
        result["iCalendar"] = {
            **component,
            "properties": [*(kept if isinstance(kept := component.get("properties"), list) else ()), *lines],
        }
    return result


def _down(owner: str, value: Object, people: dict[str, str], entry: Convert) -> Object:
    """Return an object, or some of its properties, in 1.0; `entry` converts contained objects."""
    result: Object = {}
    rules: dict[str, list[Any]] = {name: [] for name in _RULES}
    for name, inner in value.items():
        if name in _METHODS:
            methods = _METHODS[name]
            others = value.get(methods)
            given = as_object(others)
            result[methods] = {**given, _scheme(inner): inner} if isinstance(inner, str) else inner
        elif name == "recurrenceRule" and isinstance(inner, dict):
            rules["recurrenceRules"].insert(0, entry("RecurrenceRule", inner))
        elif name == "recurrenceRule":
            result["recurrenceRules"] = inner
        elif name == "iCalendar":
            for line in _recur_lines(inner):
                rules[_RULE_OF[line[0]]].append(from_jcal(line[3]))
        elif name in _PEOPLE and isinstance(inner, dict):
            result[name] = {people[address]: there for address, there in inner.items() if address in people}
        elif name == "display" and owner == "Link" and isinstance(inner, dict):
            result[name] = next(iter(sorted(inner)), None)
        elif name not in _UNKNOWN and name not in result and not (name == "version" and owner in _COMPONENTS):
            result[name] = _inside(owner, name, inner, entry)
    return result | {name: found for name, found in rules.items() if found}


def _inside(owner: str, name: str, value: Any, convert: Convert) -> Any:  # noqa: ANN401 # any JSON value
    part = PARTS.get(owner, {}).get(name)
    if part is None:
        return value
    if part.how == LIST and isinstance(value, list):
        return [convert(part.of, element) if isinstance(element, dict) else element for element in value]
    if part.how in {KEYED, NAMED} and isinstance(value, dict):
        return {key: convert(part.of, entry) if isinstance(entry, dict) else entry for key, entry in value.items()}
    return convert(part.of, value) if part.how == ONE and isinstance(value, dict) else value


def _patch(item: Object, patch: Any, convert: Convert, entry: Convert) -> Any:  # noqa: ANN401 # any JSON value
    """Return the patch of an override with every path and value converted."""
    if not isinstance(patch, dict):
        return patch
    result: Patch = {}
    for path, value in patch.items():
        place, owner, rest = _locate(item, split(path))
        if not rest:
            result[path] = entry(owner, value) if isinstance(value, dict) else value
            continue
        name, *below = rest
        for step in reversed(below):
            value = {step: value}  # noqa: PLW2901 # nested as the path is
        for new, inner in convert(owner, {name: value}).items():
            if new == name and below:
                result[path] = patch[path]
            else:
                result["/".join(map(escape, [*place, new]))] = None if _is_empty(new, inner) else inner
    return result


def _locate(item: Object, names: list[str]) -> tuple[list[str], str, list[str]]:
    """Return path and type of the innermost known object on a path, and the rest of the path."""
    owner, at = _owner(item), 0
    while at < len(names):
        part = PARTS.get(owner, {}).get(names[at])
        step = 1 if part is not None and part.how == ONE else 2
        if part is None or part.how == LIST or at + step > len(names) or (part.how == ONE and at + step == len(names)):
            break
        at, owner = at + step, part.of
    return names[:at], owner, names[at:]


def _address(methods: Any) -> tuple[str | None, Any]:  # noqa: ANN401 # any JSON value
    """Return the address of 2.0, and the remaining methods."""
    for method in ("imip", "other"):
        address = methods.get(method) if isinstance(methods, dict) else None
        if isinstance(address, str) and method == _scheme(address):
            return address, {name: uri for name, uri in methods.items() if name != method}
    return None, methods


def _scheme(address: str) -> str:
    """Return the method under which Cyrus lists an address (imap/jmap_ical.c of 3.12)."""
    return "imip" if address[:7].lower() == "mailto:" else "other"


def _recur_lines(component: Any) -> list[Any]:  # noqa: ANN401 # any JSON value
    lines = component.get("properties") if isinstance(component, dict) else None
    return [
        line
        for line in (lines if isinstance(lines, list) else [])
        if isinstance(line, list)
        and len(line) > len(_RECUR)
        and isinstance(line[0], str)
        and line[0] in _RULE_OF
        and isinstance(line[len(_RECUR)], dict)
    ]


def _ends(item: Object) -> dict[str, Any]:
    """Return the locations of the end (RFC 8984, 4.2.5) with their time zones."""
    locations = item.get("locations")
    entries = locations.items() if isinstance(locations, dict) else ()
    return {key: entry.get("timeZone") for key, entry in entries if isinstance(entry, dict) and entry.get("relativeTo") == "end"}


def _ended(patch: Any, end: str | None) -> Any:  # noqa: ANN401 # any JSON value
    """Return an override in 2.0, with `endTimeZone`."""
    if not isinstance(patch, dict) or end is None:
        return patch
    return {"endTimeZone" if path == f"locations/{escape(end)}/timeZone" else path: value for path, value in patch.items()}


def _located(patch: Any, end: str) -> Any:  # noqa: ANN401 # any JSON value
    """Return an override in 1.0, with the time zone of the end in its location."""
    if not isinstance(patch, dict):
        return patch
    return {f"locations/{escape(end)}/timeZone" if path == "endTimeZone" else path: value for path, value in patch.items()}


def _is_empty(name: str, value: Any) -> bool:  # noqa: ANN401 # any JSON value
    return value in ({}, []) and (name in _MAPS or name in EMPTY)


def _without_nulls(entry: Object) -> Object:
    return {name: value for name, value in entry.items() if value is not None}


def _sendable(entry: Object) -> Object:
    return {name: value for name, value in entry.items() if value is not None and not _is_empty(name, value)}


def _typed(owner: str, entry: Object) -> Object:
    """Return an object with `@type`, which 1.0 requires (RFC 8984, 1.4)."""
    if owner == "OffsetTrigger" and "when" in entry:
        owner = "AbsoluteTrigger"
    return {"@type": owner, **entry}
