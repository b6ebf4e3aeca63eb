"""Find the IANA zone that has the same offsets as a VTIMEZONE at every instant of a span.

The rules of the file decide (RFC 5545, 3.2.19); its names only choose among zones with these rules. Preferred are, in this order,
the zone that the TZID or X-LIC-LOCATION names, the zone of a Windows name, and the zone that most people use.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import TZPATH, available_timezones

from jmapsync.formats.ical.observances import DAY, HORIZON, rules_of, year_at, zone_changes, zone_offset
from jmapsync.formats.ical.windows import windows_zones
from jmapsync.formats.ical.zones import NO_ZONES, UTC_ZONE, zone_info, zone_of_other_name, zone_of_plain_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jmapsync.formats.ical.observances import Rules, Window

_EPOCH: Final = date(1970, 1, 1).toordinal()
_YEARS_AHEAD: Final = 12
"""Years compared of an object that begins after the horizon."""
_YEAR: Final = 366 * DAY
_YEARS_BEFORE_THE_END: Final = 5
"""Years compared of a VTIMEZONE whose rules end before the object begins."""
_YEARS_LISTED: Final = 2
"""Years of the object whose changes a program lists that leaves out the later ones."""
_LAST_YEAR: Final = 9998
_NAME_COLUMN: Final = 2
"""The column of zone1970.tab with the name of the zone."""
_NEAR: Final = 8
"""Zones tried of those that have the offsets of a VTIMEZONE for most of a span."""
_SAMPLES: Final = (14, 196)
"""Days of a year in its winter and its summer."""
_TRIED: Final = 6
"""Changes of the file that a zone is tried at before its own are computed."""
_MOST_USED: Final = (
    *("Etc/UTC", "Europe/Berlin", "Europe/London", "Europe/Athens", "Europe/Moscow", "Europe/Istanbul", "Europe/Lisbon"),
    *("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Phoenix", "America/Anchorage"),
    *("America/Halifax", "America/St_Johns", "America/Toronto", "America/Mexico_City", "America/Bogota", "America/Sao_Paulo"),
    *("America/Argentina/Buenos_Aires", "America/Caracas", "America/Santiago", "America/Lima", "Pacific/Honolulu"),
    *("Asia/Shanghai", "Asia/Kolkata", "Asia/Tokyo", "Asia/Dubai", "Asia/Karachi", "Asia/Dhaka", "Asia/Jakarta", "Asia/Kathmandu"),
    *("Asia/Tehran", "Asia/Jerusalem", "Asia/Riyadh", "Asia/Yangon", "Asia/Kabul", "Asia/Colombo", "Asia/Tashkent"),
    *("Australia/Sydney", "Australia/Brisbane", "Australia/Adelaide", "Australia/Darwin", "Australia/Perth", "Pacific/Auckland"),
    *("Africa/Lagos", "Africa/Cairo", "Africa/Johannesburg", "Africa/Nairobi", "Africa/Casablanca"),
)
"""Zones that stand for their offsets: each has more people than any other zone with its present rules."""


def hints(tzid: str, text: str) -> list[str]:
    """Return the IANA zones that a VTIMEZONE names: by its TZID, its X-LIC-LOCATION, and a Windows name, in this order."""
    locations = [line.partition(":")[2].strip() for line in text.split("\n") if line.startswith("X-LIC-LOCATION:")]
    names = [*(zone_of_plain_name(name) for name in (tzid, *locations)), zone_of_other_name(tzid)]
    return list(dict.fromkeys(name for name in names if name is not None))


@lru_cache(maxsize=4096)
def zone_of_rules(tzid: str, text: str, year: int) -> str | None:
    """Return the IANA zone of a VTIMEZONE for all of the time from a year on.

    None if there is none, or if the span of the object decides: the zones that the VTIMEZONE names have other rules.
    """
    zone = rules_of(text)
    if zone is None:
        return None
    begin, end = _instant(year) - 2 * DAY, _instant(max(HORIZON, year + _YEARS_AHEAD) + 1)
    named = hints(tzid, text)
    return (
        _named(zone.rules, named, begin, end) or _listed(zone.rules, named) or (None if named else _unnamed(zone.rules, begin, end))
    )


def zone_of_span(tzid: str, text: str, begin: int, end: int) -> str | None:
    """Return the IANA zone of a VTIMEZONE from one instant to another; None if no zone has its offsets.

    A day before is compared too: after a change then, the first local times mean other instants.
    """
    zone = rules_of(text)
    if zone is None:
        return None
    begin, later = begin - DAY, max(end, _instant(HORIZON + 1))
    return (
        _named(zone.rules, hints(tzid, text), begin, end)
        or _unnamed(zone.rules, begin, later)
        or (_unnamed(zone.rules, begin, end) if end < later else None)
    )


def near_zones(tzid: str, text: str, begin: int, end: int) -> list[str]:
    """Return IANA zones that have the offsets of a VTIMEZONE for most of a span, the most likely first; the last is a fixed offset.

    They are compared in the middle of winter and summer of its first and last year.
    """
    zone = rules_of(text)
    if zone is None:
        return [UTC_ZONE]
    days = sorted(_instant(year_at(at)) + day * DAY for at in (begin, end) for day in _SAMPLES)
    wanted = [zone.rules.offset(day) for day in days]
    found = []
    for name in dict.fromkeys([*hints(tzid, text), *_candidates()]):
        info = zone_info(name)
        if info is not None and all(zone_offset(info, day) == offset for day, offset in zip(days, wanted, strict=True)):
            found.append(name)
            if len(found) == _NEAR:
                break
    hours, rest = divmod(zone.rules.offset(begin), 3600)
    fixed = f"Etc/GMT{-hours:+d}"
    return [*found, fixed if hours and not rest and zone_info(fixed) is not None else UTC_ZONE]


def _named(rules: Rules, names: list[str], begin: int, end: int) -> str | None:
    """Return the first of the zones that a file names which has its offsets, as far as the VTIMEZONE covers the span.

    A VTIMEZONE says nothing of the time before its first onset. Programs such as khal list the transitions of some years only,
    and Cyrus ends the rules before the event (TZUNTIL, RFC 7808, section 7.1): after these, a zone is accepted if all that the
    file names have the last of them. Earlier ones are not compared: Cyrus writes rules of one form for years that had others.
    A zone without changes in the end needs no cut: there the file is taken at its word, as where it lists many years.
    """
    if not names or end < rules.begin:
        return names[0] if names else None
    begin = max(begin, rules.begin)
    window = rules.window(begin, end)
    found = next((name for name in names if _has(name, window, begin, end)), None)
    if found is not None or rules.end is None or end <= rules.end or rules.end > begin + _YEARS_LISTED * _YEAR:
        return found
    if begin >= rules.end or not rules.window(begin, rules.end).changes:
        begin = max(rules.begin, rules.end - _YEARS_BEFORE_THE_END * _YEAR)
    window = rules.window(begin, rules.end)
    holds = all(_has(name, window, begin, rules.end) and _changes_until(name, end) for name in names)
    return names[0] if holds else None


def _listed(rules: Rules, names: list[str]) -> str | None:
    """Return the first of the zones that a file names whose changes are those that khal lists of it."""
    changes = rules.listed_by_khal()
    if not changes:
        return None
    for name in names:
        info = zone_info(name)
        if info is not None and zone_changes(info, changes[0][0] - 1, changes[-1][0]) == changes:
            return name
    return None


def _changes_until(name: str, end: int) -> bool:
    """Return whether an IANA zone still changes its offset in the year before an instant."""
    info = zone_info(name)
    return info is not None and bool(zone_changes(info, end - _YEAR, end))


def _unnamed(rules: Rules, begin: int, end: int) -> str | None:
    """Return the most used zone with the offsets of a VTIMEZONE."""
    begin = max(begin, min(rules.begin, end))
    return _first(rules.window(begin, end), begin, end)


@lru_cache(maxsize=2048)
def _first(window: Window, begin: int, end: int) -> str | None:
    return next((name for name in _candidates() if _has(name, window, begin, end)), None)


def _has(name: str, window: Window, begin: int, end: int) -> bool:
    """Return whether an IANA zone has the offsets of a window: at its transitions first, then with all of its own."""
    info = zone_info(name)
    if info is None or zone_offset(info, begin) != window.offset:
        return False
    before = window.offset
    for instant, after in window.changes[:_TRIED]:
        if zone_offset(info, instant) != after or zone_offset(info, instant - 1) != before:
            return False
        before = after
    return zone_changes(info, begin, end) == window.changes


def _candidates() -> Iterator[str]:
    """Yield all zones with rules of their own: the most used first, then those of Windows."""
    yield from _MOST_USED
    yield from _windows()
    yield from _others()


@lru_cache(maxsize=1)
def _windows() -> tuple[str, ...]:
    return tuple(sorted(windows_zones() - set(_MOST_USED)))


@lru_cache(maxsize=1)
def _others() -> tuple[str, ...]:
    """Return the other zones: those that zone1970.tab lists, for listing all names of the database costs 50 ms."""
    names: set[str] = set()
    for directory in TZPATH:
        try:
            table = Path(directory, "zone1970.tab").read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        rows = [line.split("\t") for line in table.splitlines() if not line.startswith("#")]
        names = {row[_NAME_COLUMN].strip() for row in rows if len(row) > _NAME_COLUMN}
        break
    else:
        names = available_timezones() - NO_ZONES
    names.update(f"Etc/GMT{sign}{hours}" for sign in "+-" for hours in range(1, 15))
    return tuple(sorted(names - {*_MOST_USED, *_windows()}))


def _instant(year: int) -> int:
    return (date(min(max(year, 1), _LAST_YEAR + 1), 1, 1).toordinal() - _EPOCH) * DAY
