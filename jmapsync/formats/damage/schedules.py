"""Take back what todoman 4.7.0 does to the tasks that it edits; all of it seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.formats.codec import Object

_UTC = "Etc/UTC"
_MOMENTS = ("start", "due", "recurrenceId")
"""Local times in the time zone of the item."""


def utc_for_zone(before: Object, after: Object) -> Object:
    """Put back the time zone of a task: todoman 4.7 writes DTSTART and DUE in UTC (todoman#263).

    An edited time keeps its instant. A task whose times float is given back its times if both moved by the same offset, which
    is that of the machine; an event's zone is put back only if it starts at the same instant.
    """
    name = before.get("timeZone")
    if after.get("timeZone") != _UTC or name == _UTC or before.get("showWithoutTime") is True:
        return after
    if name is None:
        return _floating(before, after)
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
    """Put back the overrides of a task that todoman wrote the master over (todoman#304): they repeat it, and said more before."""
    overrides, now = before.get("recurrenceOverrides"), after.get("recurrenceOverrides")
    if after.get("@type") != "Task" or not isinstance(overrides, dict) or not isinstance(now, dict):
        return after
    kept = {key: overrides[key] if patch == {} and overrides.get(key) else patch for key, patch in now.items()}
    return {**after, "recurrenceOverrides": kept}


def _floating(before: Object, after: Object) -> Object:
    names = [name for name in ("start", "due") if name in before]
    offsets = {_offset(before[name], after.get(name)) for name in names}
    if len(names) < len(("start", "due")) or len(offsets) != 1 or None in offsets:
        return after
    shift = offsets.pop() or timedelta()
    moved = _moved(after, lambda text: _text(datetime.fromisoformat(text) + shift))
    return after if moved is None else {name: value for name, value in moved.items() if name != "timeZone"}


def _offset(one: Any, other: Any) -> timedelta | None:  # noqa: ANN401 # any JSON value
    try:
        return datetime.fromisoformat(one) - datetime.fromisoformat(other)
    except (TypeError, ValueError):
        return None


def _moved(item: Object, move: Callable[[str], str]) -> Object | None:
    """Return an item with every local time moved, those of its rule and overrides too; None where one is no time."""
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


SCHEDULE_RULES = (utc_for_zone, repeated_master)
