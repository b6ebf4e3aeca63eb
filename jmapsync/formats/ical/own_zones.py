"""Replace a time zone that only its file defines by an IANA zone, without moving an instant, and restore it.

JSCalendar 2.0 has no time zones of its own (the draft's "Timezone identifiers"); RFC 8984 has `timeZones`, which Cyrus 3.6 and 3.12
refuse (tests/live/test_servers.py). If no IANA zone has the offsets of the VTIMEZONE over the span of an object, a single event is
converted to UTC, and a series gets the zone that has its offsets in the end: the occurrences at which the two differ become
overrides with their own start. The file keeps its VTIMEZONE; `restored` reverses this for writing.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from jmapsync.formats.contentline import unescape
from jmapsync.formats.ical.fields import at, is_local, span
from jmapsync.formats.ical.observances import DAY, FAR, HORIZON, seconds
from jmapsync.formats.ical.occurrences import YEARS_AHEAD, occurrences
from jmapsync.formats.ical.rezoning import differing, rezoned, usual_times, whole_days
from jmapsync.formats.ical.zone_match import near_zones, zone_of_rules, zone_of_span
from jmapsync.formats.ical.zones import UTC_ZONE, is_own, moved, to_utc
from jmapsync.formats.objects import MalformedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jmapsync.formats.objects import Object

_TIMES: Final = ("start", "due", "duration")
_ZONES: Final = ("timeZone", "endTimeZone")
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
        item = rezoned(item, zone, _other_zone(item, zone)) if found is None else {**item, "timeZone": found}
    if is_own(zone := item.get("recurrenceIdTimeZone")) and is_local(given := item.get("recurrenceId")):
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
    noted, given = _noted(item), item
    for path, name in _PATHS:
        tzid, zone = noted.get(path, ""), item.get(name)
        text = kept.get(tzid)
        if text is not None and isinstance(zone, str) and zone_of_rules(tzid, text, year) != zone:
            item = next((tried for tried in _tries(item, path, name, zone, text) if _resolves_to(tried, given)), item)
    return item


def is_equalled(item: Object, zone: str) -> bool:
    """Return whether an IANA zone has the offsets of a zone of the file over the span of an object."""
    return zone_of_span(tzid_of(zone), zone, *_span(item, zone)) is not None


def _tries(item: Object, path: str, name: str, zone: str, text: str) -> Iterator[Object]:
    """Yield an object with a time in a zone of its file: moved there, and as it is."""
    if path == "recurrenceId":
        yield {**item, name: text, path: moved(item[path], zone, text) or item[path]}
    elif name == "timeZone":
        with suppress(MalformedError):
            there = rezoned(item, zone, text)
            if length := whole_days(there, text):
                yield {**there, "duration": length}
            yield there
    yield {**item, name: text}


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
    moments = [item.get("start"), item.get("due"), item.get("recurrenceId")]
    for key, patch in overrides.items() if isinstance(overrides, dict) else ():
        moments += [key, *((patch.get("start"), patch.get("due")) if isinstance(patch, dict) else ())]
    return min((int(moment[:4]) for moment in moments if is_local(moment)), default=HORIZON)


def _override(item: Object, key: str, patch: Any) -> Any:  # noqa: ANN401  # any JSON value
    """Return an override with a zone of its own in an IANA zone."""
    if not isinstance(patch, dict) or not any(is_own(patch.get(name)) for name in _ZONES):
        return patch
    one = {**usual_times(item, key), "timeZone": item.get("timeZone")}
    one |= {name: patch[name] for name in (*_TIMES, *_ZONES) if name in patch}
    if not is_own(patch.get("timeZone")):  # that of the series may be, and is replaced later
        return {**patch, "endTimeZone": _end_zone(one, patch["endTimeZone"])}
    found = resolved(one)
    changed = dict(patch)
    for name in (*_TIMES, *_ZONES):
        if name in patch and name not in found:
            changed[name] = None
        elif found.get(name) != one.get(name):
            changed[name] = found[name]
    return changed


def _other_zone(item: Object, zone: str) -> str:
    """Return the IANA zone for an object whose own zone none equals: UTC, or for a series the one that moves the fewest."""
    if item.get("recurrenceRule") is None and not item.get("recurrenceOverrides"):
        return UTC_ZONE
    return min(near_zones(tzid_of(zone), zone, *_span(item, zone)), key=lambda name: differing(item, zone, name))


def _moment_zone(zone: str, local: str) -> str:
    instant = _instant(local, zone)
    return zone_of_span(tzid_of(zone), zone, instant, instant) or UTC_ZONE


def _end_zone(item: Object, zone: str) -> str:
    """Return the IANA zone for the zone of the end of an object."""
    parts = span(item.get("duration"))
    begin = to_utc(item["start"], item.get("timeZone")) if is_local(item.get("start")) else None
    if parts is None or begin is None:
        return UTC_ZONE
    end = seconds(begin.replace(tzinfo=None)) + parts[1] * DAY + parts[2]
    return zone_of_span(tzid_of(zone), zone, end, end) or UTC_ZONE


def _instant(local: str, zone: str) -> int:
    instant = to_utc(local, zone)
    return seconds((at(local) if instant is None else instant).replace(tzinfo=None))


def _span(item: Object, zone: str) -> tuple[int, int]:
    """Return the first and the last instant of an object."""
    overrides = item.get("recurrenceOverrides")
    rule = item.get("recurrenceRule")
    start, due = item.get("start"), item.get("due")
    starts, ends, lengths = [start], [due], [item.get("duration")]
    for key, patch in overrides.items() if isinstance(overrides, dict) else ():
        starts.append(key)
        if isinstance(patch, dict) and not patch.get("timeZone"):
            starts.append(patch.get("start"))
            ends.append(patch.get("due"))
            lengths.append(patch.get("duration"))
    begins = [_instant(moment, zone) for moment in starts if is_local(moment)]
    instants = [*begins, *(_instant(moment, zone) for moment in ends if is_local(moment))]
    if isinstance(rule, dict) and instants:
        begins.append(_last(item, rule, zone))
    length = max((_most(parts) for text in lengths if (parts := span(text)) is not None), default=0)
    if is_local(start) and is_local(due) and len(begins) > 1:  # each occurrence takes as long as the first
        length = max(length, seconds(at(due)) - seconds(at(start)) + DAY)
    instants += [begin + length for begin in begins]
    return min(instants, default=0), max(instants, default=0)


def _most(parts: tuple[int, int, int]) -> int:
    """Return the most seconds that a duration takes: its days may be longer than 24 hours."""
    _, days, exact = parts
    return (days + 1) * DAY + exact if days else exact


def _last(item: Object, rule: Object, zone: str) -> int:
    """Return the instant of the last occurrence; for a rule without end, the horizon."""
    until = rule.get("until")
    horizon = max(HORIZON, min(year_of(item) + YEARS_AHEAD, 9998))
    if is_local(until) and at(until).year <= max(FAR, horizon):
        return _instant(until, zone)
    if "count" in rule and (found := occurrences(item)) is not None and found.locals:
        return _instant(found.locals[-1], zone)
    return seconds(datetime(horizon + 1, 1, 1, tzinfo=UTC).replace(tzinfo=None))
