"""Undo the faults of todoman 4.7.0 in tasks and of khal 0.14.1 in events, all of them observed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from jmapsync.formats.objects import entries, same, with_entry
from jmapsync.formats.pointer import at
from jmapsync.formats.repairs.jsprops import stranded

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.formats.objects import Object

_UTC = "Etc/UTC"
_CLASSES = {"public": "PUBLIC", "private": "PRIVATE", "secret": "CONFIDENTIAL"}
"""CLASS of each `privacy`."""
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
    """Restore the overrides that todoman replaced by the main component (todoman#304): they are now empty."""
    overrides, now = before.get("recurrenceOverrides"), after.get("recurrenceOverrides")
    if after.get("@type") != "Task" or not isinstance(overrides, dict) or not isinstance(now, dict):
        return after
    kept = {key: overrides[key] if patch == {} and overrides.get(key) else patch for key, patch in now.items()}
    return {**after, "recurrenceOverrides": kept}


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


SCHEDULE_RULES = (utc_for_zone, repeated_master, copied_location, edited_copy, stranded_jsprops, stale_copies)
