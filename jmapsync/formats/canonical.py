"""Reduce cards, events and tasks to a canonical form, compare them by it and digest it.

Two objects have one canonical form if they differ only in defaults, in time stamps that servers and programs set, in the order of
what is unordered, or in the form of the file they were read from. Their digests (`sense`) also ignore map keys that are arbitrary.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from jmapsync.formats.jlines import meaning
from jmapsync.formats.large_data import set_aside
from jmapsync.formats.message import digest_of
from jmapsync.formats.objects import INSTANCES, encode, holds_data, instances
from jmapsync.formats.patch import apply, diff, instance
from jmapsync.formats.pointer import at, escape, split
from jmapsync.formats.shapes import IMPLIED, KEYED, LIST, NAMED, ONE, PARTS, REFERENCES, Part, is_default, objects, type_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.formats.objects import Object, Patch

_FIXED = frozenset({"recurrenceRule", "recurrenceOverrides", "recurrenceId", "recurrenceIdTimeZone", "localizations", "uid"})
"""Properties that an override or a localization cannot change (RFC 8984, 4.3.5)."""
PATCHES = ("recurrenceOverrides", "localizations")
"""Properties that hold patches of the item they are in."""
_ITEMS = frozenset({"Card", "Event", "Task"})
STAMPS = frozenset({"updated", "created", "prodId", "sequence", "version", "method"})
"""Properties of an item that servers and programs set at will."""
_NOISE = {
    **dict.fromkeys(_ITEMS, STAMPS),
    "Participant": frozenset({"scheduleSequence", "scheduleUpdated", "scheduleStatus", "scheduleForceSend"}),
    "ICalComponent": frozenset({"@type", "name"}),
    "ICalProperty": frozenset({"@type", "name", "valueType"}),
}
"""Properties that servers and programs set at will, or that describe the form of a file only."""
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
"""The same of jCard and jCal properties (RFC 7095, RFC 7265); Cyrus 3.12 writes the last one into events that it changes."""
_IDENTITY = frozenset({"uid", "x-wr-alarmuid"})
"""Properties that only identify an alarm: like a map key, they have no other meaning."""
_FORM_PARAMETERS = frozenset({"group", "jsid", "prop-id", "derived", "tzid", "value"})
_BARE_CALENDAR = ["x-jmapsync-vcalendar", [], []]
"""The component for the lines of a VCALENDAR (formats.ical.kept) when none of them counts."""
_FILLERS = frozenset({"", "Reminder", "Alarm", "Event reminder", "This is an event reminder"})
_UNORDERED = frozenset(
    {"byDay", "byMonth", "byMonthDay", "byYearDay", "byWeekNo", "byHour", "byMinute", "bySecond", "bySetPosition"}
)
_DURATIONS = frozenset({"duration", "estimatedDuration", "offset"})
_DURATION = re.compile(
    r"([+-]?)P(?:(\d{1,18})W)?(?:(\d{1,18})D)?(?:T(?:(\d{1,18})H)?(?:(\d{1,18})M)?(?:(\d{1,18})(?:\.0+)?S)?)?\Z", re.ASCII
)
_GEO = re.compile(r"^geo:([+-]?\d+(?:\.\d+)?),([+-]?\d+(?:\.\d+)?)\Z", re.ASCII)


def canonical(item: Object, beside: Object | None = None) -> Object:
    """Return the canonical form of an object. Keys of maps are kept.

    Overrides and localizations become the narrowest patches of the canonical form. Alarm texts that only repeat the title or the
    description are left out; `beside` is the object whose title and description count, if not this one.
    """
    if parts := instances(item):
        others = instances(beside or {})
        return {**plain_item(_without_instances(item)), INSTANCES: {key: canonical(parts[key], others.get(key)) for key in parts}}
    result = plain_item(item, beside)
    for name in PATCHES:
        if patches := _patches(item, name):
            result[name] = {key: _narrowest(item, name, key, patches[key]) for key in patches}
    return result


def sense(item: Object) -> str:
    """Return the digest of an object: SHA-256 in base64 of its canonical form without arbitrary map keys.

    Large `data:` URIs count by the digest of their octets, whether they are in place or set aside (formats.large_data).
    """
    if holds_data(encode(item)):
        item = set_aside(item)[0]
    if parts := instances(item):
        return digest_of(encode({**_content(_without_instances(item)), INSTANCES: {key: sense(parts[key]) for key in parts}}))
    content = _content(item)
    for name in PATCHES:
        if patches := _patches(item, name):
            content[name] = {key: _meaning(item, name, key, patches[key]) for key in patches}
    return digest_of(encode(content))


def changes(before: Object, after: Object) -> Patch:
    """Return the narrowest patch from the canonical form of `before` to that of `after`; the values are as `after` writes them.

    A property that `after` lacks or has empty is null in the patch, which sets it to its default (RFC 8620, 5.3).
    """
    old, new = instances(before), instances(after)
    if old and new:
        return diff(_without_instances(before), _without_instances(after)) | _changed_instances(old, new)
    meaning = canonical(after)
    patch = {path: at(after, path) for path in diff(canonical(before, after), meaning)}
    for path, value in list(patch.items()):
        name, _, key = path.partition("/")
        if value in ("", {}, []) and at(meaning, path) is None:
            patch[path] = None
        elif name in PATCHES and key and isinstance(value, dict):
            if _still_says(after, path, at(before, path)):
                del patch[path]
            else:
                patch[path] = {inner: each for inner, each in value.items() if inner not in STAMPS}
    return _fitted(before, after, patch)


def _changed_instances(before: dict[str, Object], after: dict[str, Object]) -> Patch:
    patch: Patch = {}
    for key in before.keys() | after.keys():
        path = f"{INSTANCES}/{escape(key)}"
        if key in before and key in after:
            patch |= {f"{path}/{inner}": value for inner, value in changes(before[key], after[key]).items()}
        else:
            patch[path] = after.get(key)
    return patch


def _without_instances(item: Object) -> Object:
    return {name: value for name, value in item.items() if name != INSTANCES}


def _fitted(before: Object, after: Object, patch: Patch) -> Patch:
    """Return a patch whose overrides and localizations apply to the patched `before`, which may lack defaults."""
    patches = {path: value for path, value in patch.items() if path.partition("/")[0] in PATCHES and value}
    if not patches:
        return patch
    base = apply(before, {path: value for path, value in patch.items() if path not in patches})

    def fit(name: str, key: str, value: Any) -> Any:  # noqa: ANN401 # any JSON value
        wanted, plain = _whole(after, name, key, value), _whole(base, name, key, {})
        if wanted is None or plain is None or _whole(base, name, key, value) is not None:
            return value
        return diff(plain, wanted)

    for path, value in patches.items():
        name, *key = split(path)
        if key:
            patch[path] = fit(name, key[0], value)
        elif isinstance(value, dict):
            patch[path] = {each: fit(name, each, inner) for each, inner in value.items()}
    return patch


def _still_says(after: Object, path: str, old: Any) -> bool:  # noqa: ANN401 # any JSON value
    """Return whether the old patch of an override or a localization makes of the new item what its new patch makes."""
    name, key = split(path)
    one, other = _whole(after, name, key, old), _whole(after, name, key, at(after, path))
    return one is not None and other is not None and plain_item(one) == plain_item(other)


def _patches(item: Object, name: str) -> Object:
    patches = item.get(name)
    return {key: patch for key, patch in patches.items() if patch is not None} if isinstance(patches, dict) else {}


def _whole(item: Object, name: str, key: str, patch: Any) -> Object | None:  # noqa: ANN401 # any JSON value
    """Return the item with an override or a localization applied; None if there is none, or it does not fit."""
    if not isinstance(patch, dict) or patch.get("excluded") is True:
        return None
    changes = {path: value for path, value in patch.items() if path.partition("/")[0] not in _FIXED | {"@type", "excluded"}}
    return instance(item, name, key, changes, without=_FIXED)


def _narrowest(item: Object, name: str, key: str, patch: Any) -> Any:  # noqa: ANN401 # any JSON value
    whole = _whole(item, name, key, patch)
    if whole is None:
        return {"excluded": True} if isinstance(patch, dict) and patch.get("excluded") is True else patch
    base = _whole(item, name, key, {})
    return diff(plain_item(base or {}), plain_item(whole))


def _meaning(item: Object, name: str, key: str, patch: Any) -> Any:  # noqa: ANN401 # any JSON value
    whole = _whole(item, name, key, patch)
    return _narrowest(item, name, key, patch) if whole is None else _content(whole)


def _content(item: Object) -> Object:
    """Return the canonical form in which maps with arbitrary keys are sorted lists of their values."""
    plain = plain_item(item)
    owner = type_of(item)
    locations = plain.get("locations")
    if plain.get("mainLocationId") is not None and isinstance(locations, dict) and len(locations) == 1:
        del plain["mainLocationId"]  # which of one is no question
    for name, target in REFERENCES.get(owner, ()):
        _resolve(plain, split(name), plain.get(target), target)
    result: Object = _unkeyed(owner, plain)
    if isinstance(component := result.get("iCalendar"), dict) and isinstance(
        pointers := component.get("convertedProperties"), dict
    ):
        component["convertedProperties"] = sorted(text_key([_pointer(owner, path), pointers[path]]) for path in pointers)
    return result


def _unkeyed(owner: str, value: Object) -> Object:
    result = dict(value)
    for name, part, inner in objects(owner, value):
        if part.how == LIST and isinstance(inner, list):
            result[name] = [_unkeyed(part.of, element) if isinstance(element, dict) else element for element in inner]
        elif part.how in {KEYED, NAMED} and isinstance(inner, dict):
            entries = {key: _unkeyed(part.of, entry) if isinstance(entry, dict) else entry for key, entry in inner.items()}
            result[name] = sorted(map(text_key, entries.values())) if part.how == KEYED else entries
        elif part.how == ONE and isinstance(inner, dict):
            result[name] = _unkeyed(part.of, inner)
    return result


def _pointer(owner: str, path: str) -> str:
    """Return a pointer with `*` for an arbitrary key."""
    names = split(path)
    part = PARTS.get(owner, {}).get(names[0])
    if part is not None and part.how == KEYED and len(names) > 1:
        names[1] = "*"
    return "/".join(map(escape, names))


def _resolve(value: Any, names: list[str], targets: Any, kind: str) -> None:  # noqa: ANN401 # any JSON value
    """Replace a reference by key, or a set of such references, by the content of the entries."""
    if not isinstance(value, dict) or not isinstance(targets, dict):
        return
    name, *rest = names
    if name == "*":
        for entry in value.values():
            _resolve(entry, rest, targets, kind)
    elif rest:
        _resolve(value.get(name), rest, targets, kind)
    elif isinstance(meant := value.get(name), dict):
        value[name] = {_meant(key, targets, kind): inner for key, inner in meant.items()}
    elif isinstance(meant, str):
        value[name] = _meant(meant, targets, kind)


def _meant(key: str, targets: Object, kind: str) -> str:
    """Return a text that stands for a referenced entry: its calendar address, or the entry without references of its own."""
    entry = targets.get(key)
    if not isinstance(entry, dict):
        return key
    if isinstance(entry.get("calendarAddress"), str):
        return str(entry["calendarAddress"])
    plain = {name: inner for name, inner in entry.items() if name not in {"delegatedTo", "delegatedFrom", "memberOf", "relatedTo"}}
    return text_key(_unkeyed(PARTS["Event" if kind in PARTS["Event"] else "Card"][kind].of, plain))


def plain_item(item: Object, beside: Object | None = None) -> Object:
    """Return the canonical form of an item without its patches; `beside` is as for `canonical`."""
    holder = item if beside is None else beside
    result = plain_part(type_of(item), {name: value for name, value in item.items() if name not in PATCHES})
    if isinstance(alerts := result.get("alerts"), dict):
        fillers = {*_FILLERS, *(text for text in (holder.get("title"), holder.get("description")) if isinstance(text, str))}
        result["alerts"] = {key: _without_filler(alert, fillers) for key, alert in alerts.items()}
    return result


def plain_part(owner: str, value: Object) -> Object:
    """Return the canonical form of an object inside an item: without noise, defaults and implied types."""
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


def _is_empty(owner: str, element: Any) -> bool:  # noqa: ANN401 # any JSON value
    """Return whether an element says nothing, as servers make one of `ORG:Acme;` and of `ADR:;;Street 5,;Town`."""
    if owner == "OrgUnit":
        return element in ({}, {"name": ""})
    if owner in ("AddressComponent", "NameComponent") and isinstance(element, dict):
        return element.get("value") == "" and element.get("kind") != "separator"
    return False


def _kind_of(component: Any) -> str:  # noqa: ANN401 # any JSON value
    return text_key(component.get("kind") if isinstance(component, dict) else component)


def _plain_property(part: Part, value: Any) -> Any:  # noqa: ANN401 # any JSON value
    if part.how == LIST and isinstance(value, list):
        elements = [plain_part(part.of, element) if isinstance(element, dict) else element for element in value]
        return [element for element in elements if not _is_empty(part.of, element)]
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


def is_form_parameter(name: str) -> bool:
    """Return whether a parameter of a line describes the form of the file only."""
    return name.lower() in _FORM_PARAMETERS


def _plain_lines(lines: list[Any], noise: frozenset[str]) -> list[Any]:
    """Return jCard or jCal properties in canonical form, sorted, without time stamps and the like."""
    kept = [plain_line(line) for line in lines if not (_is_line(line) and line[0].lower() in noise)]
    return sorted(kept, key=text_key)


def plain_line(line: Any) -> Any:  # noqa: ANN401 # any JSON value
    """Return the canonical form of a jCard or jCal property, or of a jCal component."""
    match line:
        case [str(name), dict(params), _, *_] if _is_line(line):
            return meaning([name, _without_form(params), *line[2:]])
        case [str(name), list(lines), list(inner)]:
            return [name, _plain_lines(lines, _STAMP_LINES), _plain_components(inner)]
        case _:
            return line


def _without_form(params: Object) -> Object:
    """Return the parameters of a line without those that describe the form of the file; a list of one value becomes the value."""
    kept = {key.lower(): value for key, value in params.items() if key.lower() not in _FORM_PARAMETERS}
    return {key: value[0] if isinstance(value, list) and len(value) == 1 else value for key, value in kept.items()}


def _plain_components(components: list[Any]) -> list[Any]:
    """Return jCal components in canonical form, sorted, without VTIMEZONE: the name of the zone is enough (RFC 7809)."""
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
    """Return an alert without the mandatory DESCRIPTION of its VALARM if that only repeats texts of the event."""
    if not isinstance(alert, dict) or "action" in alert or "iCalendar" not in alert:
        return alert
    component = _without_lines(alert["iCalendar"], lambda line: line[0] == "description" and _text_of(line) in fillers)
    return {name: value for name, value in {**alert, "iCalendar": component}.items() if name != "iCalendar" or value != {}}


def _plain_duration(text: str) -> str:
    """Return a duration in days and seconds: a week is seven days, an hour 3600 seconds, a day not 24 hours (RFC 8984, 1.4.6)."""
    match = _DURATION.match(text)
    if match is None:
        return text
    weeks, days, hours, minutes, seconds = (int(number or 0) for number in match.groups()[1:])
    days, seconds = weeks * 7 + days, hours * 3600 + minutes * 60 + seconds
    date, time = (f"{days}D" if days else ""), (f"T{seconds}S" if seconds or not days else "")
    return f"{'-' if match[1] == '-' and (days or seconds) else ''}P{date}{time}"


def text_key(value: Any) -> str:  # noqa: ANN401 # any JSON value
    """Return the sort key of a value."""
    return encode(value).decode("utf-8", "surrogatepass")
