"""Replace a time zone that only its file defines by an IANA zone, without moving an instant, and restore it.

JSCalendar 2.0 has no time zones of its own (the draft's "Timezone identifiers"); RFC 8984 has `timeZones`, which Cyrus 3.6 and 3.12
refuse (tests/live/test_servers.py). If no IANA zone has the offsets of the VTIMEZONE over the span of an object, a single event is
converted to UTC, and a series gets the zone that has its offsets in the end: the occurrences at which the two differ become
overrides with their own start. The file keeps its VTIMEZONE; `restored` reverses this for writing.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from jmapsync.formats.checks import OVERRIDES
from jmapsync.formats.contentline import unescape
from jmapsync.formats.ical.fields import at, is_local, plus, shown, span
from jmapsync.formats.ical.observances import HORIZON, seconds
from jmapsync.formats.ical.rules import Clock, write_rule
from jmapsync.formats.ical.zone_match import near_zones, zone_of_rules, zone_of_span
from jmapsync.formats.ical.zones import UTC_ZONE, is_own, moved, to_utc, to_zone
from jmapsync.formats.objects import MalformedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jmapsync.formats.objects import Object

_ZONES: Final = ("timeZone", "endTimeZone", "recurrenceIdTimeZone")
_OCCURRENCES: Final = 20_000
"""Occurrences of a series that are computed."""
_COMPARED: Final = 500
"""Occurrences of a series by which a zone is chosen."""
_YEARS_AHEAD: Final = 12
_PATHS: Final = (
    ("start", "timeZone"),
    ("due", "timeZone"),
    ("recurrenceId", "recurrenceIdTimeZone"),
    ("duration", "endTimeZone"),
)
"""The times that a TZID is recorded for, with the property that has the zone."""


def tzid_of(text: str) -> str:
    """Return the TZID in the text of a VTIMEZONE."""
    return next((unescape(line.partition(":")[2]) for line in text.split("\n") if line.startswith(("TZID:", "TZID;"))), "")


def resolved(item: Object) -> Object:
    """Return an object in IANA zones for one with zones of its file. Raise MalformedError if too many occurrences would differ."""
    item = dict(item)
    overrides = item.get("recurrenceOverrides")
    if isinstance(overrides, dict):
        item["recurrenceOverrides"] = {key: _override(item, key, patch) for key, patch in overrides.items()}
    if is_own(zone := item.get("timeZone")):
        found = zone_of_span(tzid_of(zone), zone, *_span(item, zone))
        item = _rezoned(item, zone, _other_zone(item, zone)) if found is None else {**item, "timeZone": found}
    if is_own(zone := item.get("recurrenceIdTimeZone")):
        given = item["recurrenceId"]
        found = _moment_zone(zone, given)
        item |= {"recurrenceId": moved(given, zone, found) or given, "recurrenceIdTimeZone": found}
    if is_own(zone := item.get("endTimeZone")):
        found = _end_zone(item, zone)
        item["endTimeZone"] = found
        if found == item.get("timeZone"):
            del item["endTimeZone"]
    return item


def restored(item: Object, kept: Mapping[str, str], year: int) -> Object:
    """Return an object in the zones of its file for one in IANA zones, where `resolved` gives the same instants again.

    `kept` are the texts of the VTIMEZONEs that the object keeps, by TZID, `year` is that in which it begins. The object records the
    TZID that each time came from.
    """
    noted = _noted(item)
    for path, name in _PATHS:
        tzid, zone = noted.get(path, ""), item.get(name)
        text = kept.get(tzid)
        if text is not None and isinstance(zone, str) and zone_of_rules(tzid, text, year) != zone:
            item = next((tried for tried in _tries(item, path, name, zone, text) if _resolves_to(tried, item)), item)
    return item


def is_equalled(item: Object, zone: str) -> bool:
    """Return whether an IANA zone has the offsets of a zone of the file over the span of an object."""
    return zone_of_span(tzid_of(zone), zone, *_span(item, zone)) is not None


def _tries(item: Object, path: str, name: str, zone: str, text: str) -> Iterator[Object]:
    """Yield an object with a time in a zone of its file: as it is, and moved there."""
    yield {**item, name: text}
    if path == "recurrenceId":
        yield {**item, name: text, path: moved(item[path], zone, text) or item[path]}
    elif name == "timeZone":
        try:
            yield _rezoned(item, zone, text)
        except MalformedError:
            return


def _resolves_to(tried: Object, item: Object) -> bool:
    try:
        return resolved(tried) == item
    except MalformedError:
        return False


def _noted(item: Object) -> dict[str, str]:
    kept = item.get("iCalendar")
    notes = kept.get("convertedProperties") if isinstance(kept, dict) else None
    found: dict[str, str] = {}
    for path, note in notes.items() if isinstance(notes, dict) else ():
        params = note.get("parameters") if isinstance(note, dict) else None
        if isinstance(params, dict) and isinstance(tzid := params.get("tzid"), str):
            found[path] = tzid
    return found


def year_of(item: Object) -> int:
    """Return the year in which an object begins."""
    overrides = item.get("recurrenceOverrides")
    moments = [item.get("start"), item.get("due"), item.get("recurrenceId"), *(overrides if isinstance(overrides, dict) else ())]
    return min((int(moment[:4]) for moment in moments if is_local(moment)), default=HORIZON)


def _override(item: Object, key: str, patch: Any) -> Any:  # noqa: ANN401  # any JSON value
    """Return an override with a zone of its own in an IANA zone."""
    if not isinstance(patch, dict) or not any(is_own(patch.get(name)) for name in _ZONES):
        return patch
    one = {
        "start": key,
        "duration": item.get("duration"),
        "timeZone": item.get("timeZone"),
        **{name: patch[name] for name in patch if "/" not in name},
    }
    one = {name: value for name, value in one.items() if name not in ("recurrenceRule", "recurrenceOverrides")}
    if not is_own(patch.get("timeZone")) and is_own(one.get("timeZone")):
        one["timeZone"] = UTC_ZONE  # that of the series, which is replaced later
    found = resolved(one)
    changed = dict(patch)
    for name in ("start", "due", *_ZONES):
        if name in patch and name not in found:
            changed[name] = None
        elif found.get(name) != one.get(name):
            changed[name] = found[name]
    return changed


def _other_zone(item: Object, zone: str) -> str:
    """Return the IANA zone for an object whose own zone none equals: UTC, or for a series the one that moves the fewest."""
    if item.get("recurrenceRule") is None and not item.get("recurrenceOverrides"):
        return UTC_ZONE
    times = occurrences(item) or [item["start"]]
    compared = [(local, _instant(local, zone)) for local in times[:: max(len(times) // _COMPARED, 1)]]

    def differing(name: str) -> int:
        return sum(1 for local, instant in compared if _instant(local, name) != instant)

    return min(near_zones(tzid_of(zone), zone, *_span(item, zone)), key=differing)


def _moment_zone(zone: str, local: str) -> str:
    instant = _instant(local, zone)
    return zone_of_span(tzid_of(zone), zone, instant, instant) or UTC_ZONE


def _end_zone(item: Object, zone: str) -> str:
    """Return the IANA zone for the zone of the end of an object."""
    parts = span(item.get("duration"))
    begin = to_utc(item["start"], item.get("timeZone")) if is_local(item.get("start")) else None
    if parts is None or begin is None:
        return UTC_ZONE
    end = seconds(begin.replace(tzinfo=None)) + parts[1] * 86_400 + parts[2]
    return zone_of_span(tzid_of(zone), zone, end, end) or UTC_ZONE


def _instant(local: str, zone: str) -> int:
    instant = to_utc(local, zone)
    return seconds((at(local) if instant is None else instant).replace(tzinfo=None))


def _span(item: Object, zone: str) -> tuple[int, int]:
    """Return the first and the last instant of an object."""
    overrides = item.get("recurrenceOverrides")
    moments = [item.get("start"), item.get("due")]
    for key, patch in overrides.items() if isinstance(overrides, dict) else ():
        moments += [key, *((patch.get("start"), patch.get("due")) if isinstance(patch, dict) and not patch.get("timeZone") else ())]
    instants = [_instant(moment, zone) for moment in moments if is_local(moment)]
    rule = item.get("recurrenceRule")
    if isinstance(rule, dict) and instants:
        instants.append(_last(item, rule, zone))
    parts = span(item.get("duration")) or (1, 0, 0)
    return min(instants, default=0), max(instants, default=0) + parts[1] * 86_400 + parts[2]


def _last(item: Object, rule: Object, zone: str) -> int:
    """Return the instant of the last occurrence; for a rule without end, the horizon."""
    until = rule.get("until")
    if is_local(until):
        return _instant(until, zone)
    if "count" in rule and (found := occurrences(item)) is not None and found:
        return _instant(max(found), zone)
    return seconds(datetime(max(HORIZON, min(year_of(item) + _YEARS_AHEAD, 9998)) + 1, 1, 1, tzinfo=UTC).replace(tzinfo=None))


def occurrences(item: Object) -> list[str] | None:
    """Return the local times at which the rule of a series occurs, to its end or the horizon; None if they cannot be computed."""
    from dateutil.rrule import rrulestr  # noqa: PLC0415  # 10 ms, which most files do not need

    rule, start = item.get("recurrenceRule"), item.get("start") or item.get("due")
    if not isinstance(rule, dict) or not is_local(start):
        return []
    until = rule.get("until")
    text = write_rule(
        {name: value for name, value in rule.items() if name != "until" and value is not None}, Clock(None, whole_days=False)
    )
    if text is None or "RSCALE" in text or "SKIP" in text:
        return None
    last = at(until) if is_local(until) else datetime(max(HORIZON, int(start[:4]) + _YEARS_AHEAD), 12, 31, 23, 59, 59)  # noqa: DTZ001  # local
    found = [start]
    try:
        for moment in rrulestr(text, dtstart=at(start)):
            if moment > last:
                break
            if len(found) > _OCCURRENCES:
                return None
            if (local := shown(moment)) != start:
                found.append(local)
    except (ValueError, OverflowError, TypeError):
        return None
    count = rule.get("count")
    return found[:count] if isinstance(count, int) else found


def _rezoned(item: Object, old: str, new: str) -> Object:
    """Return an object with its times in another zone, at the same instants. Raise MalformedError."""
    item = {**item, "timeZone": new}
    overrides = item.get("recurrenceOverrides")
    if item.get("recurrenceRule") is None and not overrides:
        return item | {name: _moved(item[name], old, new) for name in ("start", "due") if is_local(item.get(name))}
    times = occurrences(item)
    if times is None:
        raise MalformedError("Its time zone is not one of the IANA database, and its occurrences cannot be computed.")
    given: Object = overrides if isinstance(overrides, dict) else {}
    patches = _rezoned_overrides(item, dict.fromkeys(times), given, old, new)
    if sum(1 for key, patch in patches.items() if given.get(key) != patch) > OVERRIDES:
        raise MalformedError(
            f"Its time zone is not one of the IANA database, and more than {OVERRIDES:,} of its occurrences differ."
        )
    if patches:
        return item | {"recurrenceOverrides": patches}
    return {name: value for name, value in item.items() if name != "recurrenceOverrides"}


def _rezoned_overrides(item: Object, times: dict[str, None], given: Object, old: str, new: str) -> Object:
    """Return the overrides of a series in another zone; `times` are the occurrences of its rule."""
    main = {name: item[name] for name in ("start", "due") if is_local(item.get(name))}
    patches = dict(given)
    for key in sorted({*times, *(key for key in given if is_local(key))}):
        patch = given.get(key, {})
        if not isinstance(patch, dict) or patch.get("excluded") is True or patch.get("timeZone") is not None:
            continue
        if "start" not in patch and "due" not in main and _moved(key, old, new) == key:
            continue
        found = _moved_override(main, key, patch, old, new)
        if found or (key not in times and key in given):
            patches[key] = found
        else:
            patches.pop(key, None)
    return patches


def _moved_override(main: Object, key: str, patch: Object, old: str, new: str) -> Object:
    """Return the patch of an occurrence with its times in another zone."""
    found = dict(patch)
    plain = dict(main)
    if "start" in main:
        plain["start"] = key
        if "due" in main:
            plain["due"] = plus(main["due"], 0, int((at(key) - at(main["start"])) / timedelta(seconds=1))) or main["due"]
    else:
        plain["due"] = key
    for name, usual in plain.items():
        given = patch.get(name, usual)
        if not is_local(given):
            continue
        local = _moved(given, old, new)
        found.pop(name, None)
        if local != usual:
            found[name] = local
    return found


def _moved(local: str, old: str, new: str) -> str:
    instant = to_utc(local, old)
    there = None if instant is None else to_zone(instant, new)
    if there is None:
        raise MalformedError("A time of it is beyond the years 1 to 9999.")
    return there
