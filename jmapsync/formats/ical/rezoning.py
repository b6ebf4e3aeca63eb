"""Move the times of an object from one zone to another without moving an instant: in a series only where the zones differ.

The zones are compared by their transitions, so a series of many years costs no more than the occurrences near those that differ. An
instant in the second of two equal hours has no local time in a zone (RFC 5545, 3.3.5): such an occurrence is given in UTC.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from jmapsync.formats.checks import OVERRIDES
from jmapsync.formats.ical.fields import at, duration, is_local, plus, span
from jmapsync.formats.ical.observances import DAY, Window, rules_of, seconds, zone_changes, zone_offset
from jmapsync.formats.ical.occurrences import occurrences
from jmapsync.formats.ical.zones import UTC_ZONE, is_own, moved, to_utc, zone_info
from jmapsync.formats.objects import MalformedError

if TYPE_CHECKING:
    from datetime import datetime

    from jmapsync.formats.ical.occurrences import Occurrences
    from jmapsync.formats.objects import Object, Patch

_MARGIN: Final = 2 * DAY
"""More than a local time differs from its instant, or from another with the same digits."""
_TIMES: Final = ("start", "due", "duration")
_NONE: Final[Patch] = {}
_TOO_MANY: Final = f"Its time zone is not one of the IANA database, and more than {OVERRIDES:,} of its occurrences differ."


def differing(item: Object, old: str, new: str) -> int:
    """Return how many occurrences of the rule of a series have another offset in another zone."""
    times = occurrences(item)
    if times is None or not times.seconds:
        return 0
    spans = _unequal(old, new, times.seconds[0], times.seconds[-1])
    return sum(
        bisect_left(times.seconds, end + offset) - bisect_left(times.seconds, begin + offset) for begin, end, offset in spans
    )


def rezoned(item: Object, old: str, new: str) -> Object:
    """Return an object with its times in another zone, at the same instants. Raise MalformedError if that is impossible."""
    overrides = item.get("recurrenceOverrides")
    if item.get("recurrenceRule") is None and not overrides:
        found = _moved_times(item, item, old, new)
        if found is None:
            raise MalformedError("A time of it has no local time in the other zone, or is beyond the years 1 to 9999.")
        return {**item, **found, "timeZone": new}
    given: Object = overrides if isinstance(overrides, dict) else {}
    patches = _rezoned_overrides(item, given, old, new)
    item = {name: value for name, value in item.items() if name != "recurrenceOverrides"} | {"timeZone": new}
    return item | {"recurrenceOverrides": patches} if patches else item


def _rezoned_overrides(item: Object, given: Object, old: str, new: str) -> Object:
    """Return the overrides of a series in another zone."""
    times = occurrences(item)
    if times is None:
        raise MalformedError("Its time zone is not one of the IANA database, and its occurrences cannot be computed.")
    if differing(item, old, new) - len(given) > OVERRIDES:
        raise MalformedError(_TOO_MANY)
    patches = dict(given)
    for key, patch in {**dict.fromkeys(_affected(item, times, old, new), _NONE), **given}.items():
        if not is_local(key) or not isinstance(patch, dict) or patch.get("excluded") is True:
            continue
        found = _moved_patch(item, key, patch, old, new)
        if found or (key in given and (found == patch or not times.include(key))):
            patches[key] = found
        else:
            patches.pop(key, None)
    if sum(1 for key, patch in patches.items() if given.get(key) != patch) > OVERRIDES:
        raise MalformedError(_TOO_MANY)
    return {key: patches[key] for key in sorted(patches)}


def _affected(item: Object, times: Occurrences, old: str, new: str) -> list[str]:
    """Return the occurrences near instants at which the zones have other offsets: all that may have other times, and some more."""
    if not times.seconds:
        return []
    parts, start, due = span(item.get("duration")) or (1, 0, 0), item.get("start"), item.get("due")
    apart = abs(seconds(at(due)) - seconds(at(start))) if is_local(start) and is_local(due) else 0
    before = _MARGIN + max(parts[1] * DAY, apart)
    found: list[str] = []
    place = 0
    for begin, end, _ in _unequal(old, new, times.seconds[0] - before, times.seconds[-1] + before):
        first = max(bisect_left(times.seconds, begin - before), place)
        place = max(bisect_right(times.seconds, end + _MARGIN + apart), place)
        found.extend(times.locals[first:place])
    return found


def _unequal(old: str, new: str, first: int, last: int) -> list[tuple[int, int, int]]:
    """Return the instants between which two zones have other offsets, each with that of the old one."""
    begin, end = first - _MARGIN, last + _MARGIN
    one, other = _window(old, begin, end), _window(new, begin, end)
    offset, there, place = one.offset, other.offset, begin
    found: list[tuple[int, int, int]] = []
    changes = [(instant, True, after) for instant, after in one.changes]
    for instant, of_old, after in sorted([*changes, *((at_, False, to) for at_, to in other.changes), (end, True, 0)]):
        if offset != there and instant > place:
            found.append((place, instant, offset))
        place = instant
        offset, there = (after, there) if of_old else (offset, after)
    return found


def _window(zone: str, begin: int, end: int) -> Window:
    """Return the offsets of a zone between two instants; those of UTC for one that is unknown."""
    if is_own(zone):
        own = rules_of(zone)
        return Window(0, ()) if own is None else own.rules.window(begin, end)
    info = zone_info(zone)
    return Window(0, ()) if info is None else Window(zone_offset(info, begin), zone_changes(info, begin, end))


def _moved_patch(item: Object, key: str, patch: Patch, old: str, new: str) -> Patch:
    """Return the patch of an occurrence with its times in another zone, in UTC if it has no local times there."""
    usual = usual_times(item, key)
    given: Object = {**usual, **{name: patch[name] for name in _TIMES if name in patch}}
    zone = patch.get("timeZone")
    if zone is not None and (zone != UTC_ZONE or not is_own(new) or _moved_times(given, usual, UTC_ZONE, old) is not None):
        return patch
    there, found = new, _moved_times(given, usual, zone or old, new)
    if found is None:
        there, found = UTC_ZONE, _moved_times(given, usual, zone or old, UTC_ZONE)
    if found is None:
        raise MalformedError("A time of it is beyond the years 1 to 9999.")
    length = found.get("duration")
    if length is not None and found["start"] == key and _is_nominal(usual.get("duration")) and not _is_nominal(length):
        found["duration"] = _same_end(usual["duration"], key, length, there)
    result = dict(patch)
    if zone is not None:
        del result["timeZone"]
    for name, value in found.items():
        if value == usual.get(name) and value != patch.get(name):
            result.pop(name, None)
        elif value != usual.get(name):
            result[name] = value
    return result if there == new else {**result, "timeZone": there}


def usual_times(item: Object, key: str) -> Object:
    """Return the times of an occurrence without a patch."""
    start, due = item.get("start"), item.get("due")
    if not is_local(start):
        return {"due": key} if is_local(due) else {}
    usual: Object = {"start": key}
    if is_local(due):
        usual["due"] = plus(due, 0, seconds(at(key)) - seconds(at(start))) or due
    if "duration" in item:
        usual["duration"] = item["duration"]
    return usual


def _moved_times(times: Object, usual: Object, old: str, new: str) -> Object | None:
    """Return start, due and duration in another zone, those that are given; None if one has no local time there.

    A usual local time is preferred if it means that instant too: one that the zone skips.
    """
    found: Object = {}
    for name in ("start", "due"):
        if is_local(local := times.get(name)):
            instant, there = to_utc(local, old), usual.get(name)
            if instant is None or not is_local(there) or to_utc(there, new) != instant:
                there = moved(local, old, new)
            if there is None:
                return None
            found[name] = there
    if "start" in found and isinstance(length := times.get("duration"), str):
        found["duration"] = _moved_length(length, times["start"], old, found["start"], new)
    return found


def _moved_length(length: str, start: str, old: str, there: str, new: str) -> str:
    """Return the duration from a start to the same end in another zone: a nominal day there may have other than 24 hours."""
    end, parts, begin = _end(start, length, old), span(length), to_utc(start, old)
    if end is None or parts is None or begin is None or _end(there, length, new) == end:
        return length
    return duration(1, 0, int((end - begin).total_seconds()))


def whole_days(item: Object, zone: str) -> str | None:
    """Return the duration of an object in days if it was given as one, not by its end, and they have other than 24 hours there."""
    start, parts = item.get("start"), span(item.get("duration"))
    kept = item.get("iCalendar")
    noted = kept.get("convertedProperties") if isinstance(kept, dict) else None
    if not is_local(start) or parts is None or parts[1] or not parts[2] % DAY or (isinstance(noted, dict) and "duration" in noted):
        return None
    days = (parts[2] + DAY // 2) // DAY
    length = f"P{days // 7}W" if days and not days % 7 else f"P{days}D"
    return length if days and _end(start, length, zone) == _end(start, item["duration"], zone) else None


def _is_nominal(length: object) -> bool:
    """Return whether a duration has days, which are not always 24 hours."""
    parts = span(length)
    return parts is not None and parts[1] > 0


def _same_end(length: str, start: str, exact: str, zone: str) -> str:
    """Return the first duration if it ends where the second does, else that."""
    return length if _end(start, length, zone) == _end(start, exact, zone) is not None else exact


def _end(start: str, length: object, zone: str) -> datetime | None:
    """Return the instant at which a duration ends: nominal days first, then exact time (RFC 5545, 3.3.6)."""
    parts = span(length)
    day = None if parts is None else plus(start, parts[1])
    end = None if day is None else to_utc(day, zone)
    try:
        return None if end is None or parts is None else end + timedelta(seconds=parts[2])
    except OverflowError:
        return None
