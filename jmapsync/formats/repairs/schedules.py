"""Undo the faults of todoman 4.7.0 in tasks and of khal 0.14.1 in events, all of them observed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from jmapsync.formats.objects import entries, same, with_entry
from jmapsync.formats.pointer import at

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.formats.objects import Object

_UTC = "Etc/UTC"
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
        or places.get(main) != old[main]
        or now in old
        or not places.get(now, {}).keys() <= {"@type", "name"}
    ):
        return after
    kept = {
        key: {**place, "name": places[now].get("name", "")} if key == main else place for key, place in places.items() if key != now
    }
    return {**after, "mainLocationId": main, "locations": kept}


def stale_copies(before: Object, after: Object) -> Object:
    """Apply the edit of a series to its overrides: khal 0.14 edits the main component only, and each override is a copy of it.

    A property that the override did not change, with the former value of the series, is such a copy.
    """
    old, new = entries(before, "recurrenceOverrides"), entries(after, "recurrenceOverrides")
    for key in old.keys() & new.keys():
        own = old[key]
        kept = {
            path: value
            for path, value in new[key].items()
            if any(path == other or path.startswith(other + "/") or other.startswith(path + "/") for other in own)
            or not same(value, at(before, path))
            or same(at(after, path), at(before, path))
        }
        after = with_entry(after, "recurrenceOverrides", key, kept)
    return after


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


SCHEDULE_RULES = (utc_for_zone, repeated_master, copied_location, stale_copies)
