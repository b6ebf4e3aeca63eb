"""Undo the faults of todoman 4.7.0 in tasks and of khal 0.14.1 in events, all of them observed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from jmapsync.formats.objects import as_object, entries, pairs, same, with_entry
from jmapsync.formats.pointer import at
from jmapsync.formats.repairs.jsprops import stranded
from jmapsync.formats.repairs.zones import shortened_zones

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.formats.objects import Object

_UTC = "Etc/UTC"
_CLASSES = {"public": "PUBLIC", "private": "PRIVATE", "secret": "CONFIDENTIAL"}
"""CLASS of each `privacy`."""
_DURATION = re.compile(r"(-)?P(?:(\d{1,9})W)?(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})S)?)?", re.ASCII)
_LINE = ("name", "parameters", "type", "value")
_MOMENTS = ("start", "due", "recurrenceId")
"""Local times in the time zone of the item."""
_FARTHEST, _STEP = timedelta(hours=14), timedelta(minutes=15)
"""The largest UTC offset in use, and the unit of all offsets."""


def utc_for_zone(before: Object, after: Object) -> Object:
    """Restore the time zone of a task: todoman 4.7 writes DTSTART and DUE in UTC (todoman#263).

    An edited time keeps its instant. Floating times are restored if only one offset can be that of the machine, by which todoman
    moved both. The zone of an event is restored only if it starts at the same instant.
    """
    name = before.get("timeZone")
    if after.get("timeZone") != _UTC or name == _UTC or before.get("showWithoutTime") is True:
        return after
    if name is None:
        return _floating(before, after)
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415  # few events are repaired

    try:
        zone = ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return after

    def local(text: str) -> str:
        return _text(datetime.fromisoformat(text).replace(tzinfo=UTC).astimezone(zone))

    moved = _moved(after, local)
    if moved is None or (after.get("@type") != "Task" and moved.get("start") != before.get("start")):
        return after
    return {**moved, "timeZone": name}


def repeated_master(before: Object, after: Object) -> Object:
    """Restore the overrides that todoman replaced by the main component (todoman#304): they are empty or missing now.

    An occurrence that is excluded or only added is a date of the main component, and goes with it.
    """
    overrides, now = before.get("recurrenceOverrides"), after.get("recurrenceOverrides", {})
    if after.get("@type") != "Task" or not isinstance(overrides, dict) or not isinstance(now, dict):
        return after
    kept = {key: overrides[key] if patch == {} and overrides.get(key) else patch for key, patch in now.items()}
    if _is_rewritten(before, after):
        kept |= {key: patch for key, patch in overrides.items() if key not in now and patch and patch.get("excluded") is not True}
    return {**after, "recurrenceOverrides": kept} if kept or now else after


def copied_location(before: Object, after: Object) -> Object:
    """Rename the main location if khal 0.14 edited the LOCATION that is a derived copy of its name (DERIVED=TRUE)."""
    main, now = str(before.get("mainLocationId")), str(after.get("mainLocationId"))
    old, places = entries(before, "locations"), entries(after, "locations")
    if (
        main == now
        or main not in old
        or now not in places
        or places.get(main) != old[main]
        or now in old
        or not places[now].keys() <= {"@type", "name"}
    ):
        return after
    kept = {
        key: {**place, "name": places[now].get("name", "")} if key == main else place for key, place in places.items() if key != now
    }
    return {**after, "mainLocationId": main, "locations": kept}


def edited_copy(before: Object, after: Object) -> Object:
    """Rename the main location if somebody edited its derived copy, which is no location's name now, and therefore a kept line."""
    old = entries(before, "locations")
    main = str(before.get("mainLocationId", next(iter(old), "")))
    if main not in old or entries(after, "locations").get(main) != old[main]:
        return after
    for line in _kept(after):
        match line:
            case ["location", {"derived": _}, _, str(name)] if line not in _kept(before):
                named = with_entry(after, "locations", main, {**old[main], "name": name})
                noted = {"mainLocationId": main} if "mainLocationId" in before else {}
                return _without_kept(before, named, [line]) | noted
            case _:
                pass
    return after


def stranded_jsprops(before: Object, after: Object) -> Object:
    """Remove the JSPROP lines of an entry whose own line was removed."""
    gone = stranded(before, after, _kept(before), _kept(after))
    return _without_kept(before, after, gone) if gone else after


def _kept(item: Object) -> list[Any]:
    component = item.get("iCalendar")
    lines = component.get("properties") if isinstance(component, dict) else None
    return lines if isinstance(lines, list) else []


def _without_kept(before: Object, after: Object, gone: list[Any]) -> Object:
    """Return an item without some of its kept lines."""
    component = after["iCalendar"]
    left = {**component, "properties": [line for line in _kept(after) if line not in gone]}
    if not left["properties"]:
        del left["properties"]
    if left.keys() <= {"@type", "name"} and "iCalendar" not in before:
        return {name: value for name, value in after.items() if name != "iCalendar"}
    return {**after, "iCalendar": left}


def forgotten_language(before: Object, after: Object) -> Object:
    """Restore the language of a title that khal 0.14 changed: it writes SUMMARY without parameters."""
    written = _is_rewritten(before, after) or after.get("title") != before.get("title")
    if "locale" in before and "locale" not in after and after.get("title") is not None and written:
        return {**after, "locale": before["locale"]}
    return after


def _is_rewritten(before: Object, after: Object) -> bool:
    """Return whether a program wrote the file: it counts its versions."""
    return bool(after.get("sequence", 0) != before.get("sequence", 0))


def split_categories(before: Object, after: Object) -> Object:
    """Restore keywords with commas: todoman 4.7 makes several of each."""
    old, new = before.get("keywords"), after.get("keywords")
    if isinstance(old, dict) and isinstance(new, dict) and _is_rewritten(before, after) and old.keys() != new.keys():
        parts = {part.strip() for word in old for part in word.split(",")}
        if parts == {word.strip() for word in new}:
            return {**after, "keywords": old}
    return after


def repeated_location(before: Object, after: Object) -> Object:
    """Remove a location that todoman 4.7 makes of the copy of another's name, by writing LOCATION without parameters."""
    old, places = entries(before, "locations"), entries(after, "locations")
    names = {name for key, place in old.items() if places.get(key) == place and isinstance(name := place.get("name"), str)}
    new = [key for key in places.keys() - old.keys() if places[key].keys() <= {"@type", "name"}]
    copies = {key for key in new if isinstance(name := places[key].get("name"), str) and name in names}
    if not copies:
        return after
    result = {**after, "locations": {key: place for key, place in places.items() if key not in copies}}
    if after.get("mainLocationId") in copies:
        del result["mainLocationId"]
        result |= {name: before[name] for name in ("mainLocationId",) if name in before}
    return result


def replaced_style(before: Object, after: Object) -> Object:
    """Remove a STYLED-DESCRIPTION in place of which khal 0.14 wrote a DESCRIPTION; it has become a kept line.

    Todoman 4.7 writes the copy of the styled text as a DESCRIPTION of its own: then the styled text is restored.
    """
    gone = [
        line
        for line in _kept(after)
        if _is_line(line, "styled-description") and line not in _kept(before) and line[3] == before.get("description")
    ]
    if not gone or after.get("description") is None:
        return after
    from jmapsync.formats.ical.texts import to_plain  # noqa: PLC0415  # few descriptions are styled

    result = _without_kept(before, after, gone)
    if str(after["description"]).strip() == to_plain(str(before["description"])):
        result |= {name: before[name] for name in ("description", "descriptionContentType") if name in before}
    return result


def respelled_durations(before: Object, after: Object) -> Object:
    """Restore durations that the icalendar library wrote in another way: PT24H as P1D."""
    for name in ("duration", "estimatedDuration"):
        if name in before and name in after and _length(before[name]) == _length(after[name]):
            after = {**after, name: before[name]}
    for key, old, new in pairs(before, after, "alerts"):
        trigger, now = as_object(old.get("trigger")), as_object(new.get("trigger"))
        if "offset" in trigger and _length(trigger["offset"]) == _length(now.get("offset")):
            after = with_entry(after, "alerts", key, {**new, "trigger": {**now, "offset": trigger["offset"]}})
    for key, old, new in pairs(before, after, "recurrenceOverrides"):
        if "duration" in old and _length(old["duration"]) == _length(new.get("duration")):
            after = with_entry(after, "recurrenceOverrides", key, {**new, "duration": old["duration"]})
    return after


def _length(text: Any) -> int | None:  # noqa: ANN401 # any JSON value
    """Return a duration in seconds, with days of 24 hours."""
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    weeks, days, hours, minutes, seconds = (int(number or 0) for number in match.groups()[1:])
    return (-1 if match[1] else 1) * ((((weeks * 7 + days) * 24 + hours) * 60 + minutes) * 60 + seconds)


def _is_line(line: Any, name: str) -> bool:  # noqa: ANN401 # any JSON value
    return isinstance(line, list) and len(line) == len(_LINE) and line[0] == name


def stale_copies(before: Object, after: Object) -> Object:
    """Apply the edit of a series to its overrides: khal 0.14 edits the main component only, and each override is a copy of it.

    A property that the override did not change, with the former value of the series, is such a copy. So is a line that an override
    cannot have as a property.
    """
    old, new = entries(before, "recurrenceOverrides"), entries(after, "recurrenceOverrides")
    former = {
        name: value
        for name, path, value in _fixed_lines(before)
        if value is not None and not same(at(after, path), at(before, path))
    }
    for key in old.keys() & new.keys():
        own = old[key]
        kept = {
            path: value
            for path, value in new[key].items()
            if any(path == other or path.startswith(other + "/") or other.startswith(path + "/") for other in own)
            or not same(value, at(before, path))
            or same(at(after, path), at(before, path))
        }
        if former:
            kept = _without_former(own, kept, former, _kept(after))
        after = with_entry(after, "recurrenceOverrides", key, kept)
    return after


def _fixed_lines(item: Object) -> list[tuple[str, str, Any]]:
    """Return what the lines of a series say that its overrides cannot change: their name in jCal, path and value."""
    return [
        ("class", "privacy", _CLASSES.get(str(item.get("privacy")))),
        ("organizer", "organizerCalendarAddress", item.get("organizerCalendarAddress")),
    ]


def _without_former(own: Object, patch: Object, former: Object, common: list[Any]) -> Object:
    """Return the patch of an override without kept lines that repeat a former value of the series, and which it did not have."""
    result = dict(patch)
    for path, value in patch.items():
        lines = value.get("properties") if path == "iCalendar" and isinstance(value, dict) else value
        if path not in ("iCalendar", "iCalendar/properties") or path in own or not isinstance(lines, list):
            continue
        left = [line for line in lines if not (len(line) == len(_LINE) and line[0] in former and line[3] == former[line[0]])]
        if path == "iCalendar/properties":
            result[path] = left
            if left == common:
                del result[path]
        elif left:
            result[path] = {**value, "properties": left}
        elif value.keys() <= {"@type", "name", "properties"}:
            del result[path]
        else:
            result[path] = {name: inner for name, inner in value.items() if name != "properties"}
    return result


def _floating(before: Object, after: Object) -> Object:
    if all(before.get(name) == after.get(name) for name in ("start", "due")):  # the machine is in UTC
        return {name: value for name, value in after.items() if name != "timeZone"}
    offsets = {_offset(before[name], after.get(name)) for name in ("start", "due") if name in before}
    possible = [offset for offset in offsets if offset is not None and abs(offset) <= _FARTHEST and not offset % _STEP]
    if len([name for name in ("start", "due") if name in before]) < len(("start", "due")) or len(possible) != 1:
        return after
    moved = _moved(after, lambda text: _text(datetime.fromisoformat(text) + possible[0]))
    return after if moved is None else {name: value for name, value in moved.items() if name != "timeZone"}


def _offset(one: Any, other: Any) -> timedelta | None:  # noqa: ANN401 # any JSON value
    try:
        return datetime.fromisoformat(one) - datetime.fromisoformat(other)
    except (TypeError, ValueError):
        return None


def _moved(item: Object, move: Callable[[str], str]) -> Object | None:
    """Return an item with all local times moved, those of rule and overrides included; None if one is invalid."""
    try:
        result = {name: move(value) if name in _MOMENTS and isinstance(value, str) else value for name, value in item.items()}
        rule, overrides = item.get("recurrenceRule"), item.get("recurrenceOverrides")
        if isinstance(rule, dict) and isinstance(rule.get("until"), str):
            result["recurrenceRule"] = {**rule, "until": move(rule["until"])}
        if isinstance(overrides, dict):
            result["recurrenceOverrides"] = {
                move(key): {
                    name: move(value) if name in _MOMENTS and isinstance(value, str) else value for name, value in patch.items()
                }
                if isinstance(patch, dict)
                else patch
                for key, patch in overrides.items()
            }
    except (TypeError, ValueError, OverflowError):
        return None
    return result


def _text(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat()


SCHEDULE_RULES = (
    *(shortened_zones, utc_for_zone, repeated_master, copied_location, edited_copy, stranded_jsprops),
    *(repeated_location, split_categories, forgotten_language, replaced_style, respelled_durations, stale_copies),
)
