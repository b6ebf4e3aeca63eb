"""Apply an override of RANGE=THISANDFUTURE to all later occurrences of its series, and leave these out of the file again.

JSCalendar has no such override (RFC 5545, 3.2.13), so each later occurrence gets the same patch, its start moved by the same time,
until the next override of this kind. An occurrence with an override of its own keeps that; one that RDATE adds has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from jmapsync.formats.checks import OVERRIDES
from jmapsync.formats.ical.fields import at, is_local, plus
from jmapsync.formats.ical.occurrences import occurrences
from jmapsync.formats.pointer import split

if TYPE_CHECKING:
    from jmapsync.formats.objects import Object, Patch

_NOTES: Final = ("iCalendar", "convertedProperties", "recurrenceId", "parameters", "range")
_FUTURE: Final = "THISANDFUTURE"


def with_futures(item: Object) -> Object:
    """Return a series whose overrides of RANGE=THISANDFUTURE apply to the later occurrences, if these are not too many."""
    overrides = item.get("recurrenceOverrides")
    starts = _starts(overrides) if isinstance(overrides, dict) else []
    if not starts or not isinstance(overrides, dict):
        return item
    more = {key: patch for key, patch in _derived(overrides, starts, _times(item)).items() if overrides.get(key) != patch}
    if len(overrides) + len(more) > OVERRIDES:
        return item
    return {**item, "recurrenceOverrides": {**overrides, **more}} if more else item


def without_futures(item: Object) -> Object:
    """Return a series without the overrides that follow from one of RANGE=THISANDFUTURE; without RANGE where one is missing."""
    overrides = item.get("recurrenceOverrides")
    starts = _starts(overrides) if isinstance(overrides, dict) else []
    if not starts or not isinstance(overrides, dict):
        return item
    times = _times(item)
    derived, added = _derived(overrides, starts, times), _added(overrides, times)
    if derived.keys() - overrides.keys():
        return {
            **item,
            "recurrenceOverrides": {key: _unranged(patch) if key in starts else patch for key, patch in overrides.items()},
        }
    kept = {key: {} if derived.get(key) == patch else patch for key, patch in overrides.items()}
    return {
        **item,
        "recurrenceOverrides": {key: patch for key, patch in kept.items() if patch or key in added or not overrides[key]},
    }


def _times(item: Object) -> tuple[str, ...]:
    """Return the occurrences of the rule; none if they cannot be computed."""
    found = occurrences(item)
    return () if found is None else found.locals


def _starts(overrides: Object) -> list[str]:
    """Return the overrides of RANGE=THISANDFUTURE, in order."""
    return sorted(key for key, patch in overrides.items() if isinstance(patch, dict) and is_local(key) and _range(patch) == _FUTURE)


def _range(patch: Patch) -> str:
    """Return the RANGE that an override records."""
    for path, value in patch.items():
        names = split(path)
        if tuple(names) == _NOTES[: len(names)]:
            found: Any = value
            for name in _NOTES[len(names) :]:
                found = found.get(name) if isinstance(found, dict) else None
            if isinstance(found, str):
                return found.upper()
    return ""


def _derived(overrides: Object, starts: list[str], times: tuple[str, ...]) -> dict[str, Patch]:
    """Return the patches of the later occurrences without one of their own, until the next override of this kind, by time.

    `times` are the occurrences of the rule.
    """
    added = _added(overrides, times)
    found: dict[str, Patch] = {}
    for number, key in enumerate(starts):
        end = starts[number + 1] if number + 1 < len(starts) else None
        for time in (*times, *sorted(added)):
            if time <= key or (end is not None and time >= end):
                continue
            patch = _moved(overrides[key], key, time)
            if patch and (overrides.get(time, patch) == patch or (time in added and not overrides[time])):
                found[time] = patch
    return found


def _added(overrides: Object, times: tuple[str, ...]) -> set[str]:
    """Return the occurrences that are not of the rule."""
    return {key for key in overrides if is_local(key)}.difference(times)


def _moved(patch: Patch, key: str, time: str) -> Patch:
    """Return the patch of one occurrence for another."""
    shift = int((at(time) - at(key)).total_seconds())
    result: Patch = {}
    for path, value in patch.items():
        if split(path)[0] == "iCalendar":
            continue
        result[path] = (plus(value, 0, shift) or value) if path in ("start", "due") and is_local(value) else value
    return result


def _unranged(patch: Patch) -> Patch:
    """Return an override without its RANGE."""
    result: Patch = {}
    for path, value in patch.items():
        names = split(path)
        if tuple(names) == _NOTES[: len(names)]:
            value = _removed(value, _NOTES[len(names) :])  # noqa: PLW2901  # its part
            if value is None:
                continue
        result[path] = value
    return result


def _removed(value: Any, names: tuple[str, ...]) -> Any:  # noqa: ANN401  # any JSON value
    if not names:
        return None
    if not isinstance(value, dict) or names[0] not in value:
        return value
    inner = _removed(value[names[0]], names[1:])
    left = {name: held for name, held in value.items() if name != names[0]}
    return left if inner is None else {**left, names[0]: inner}
