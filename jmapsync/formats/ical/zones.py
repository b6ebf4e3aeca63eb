"""Name time zones as the IANA database does, and convert between their local time and UTC.

The rules come from the system's IANA database; the VTIMEZONE components of others are understood by the icalendar library.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from jmapsync.formats.ical.times import at, shown

UTC_ZONE: Final = "Etc/UTC"
_SHAPE = re.compile(
    r"(?:Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Etc|Europe|Indian|Pacific)(?:/[A-Za-z0-9_+-]+){1,3}"
)
_WORD = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+){0,3}")
_OFFSET = re.compile(r"\(?(?:UTC|GMT) ?([+-])(\d\d?)(?::?00)?\)?(?![^+-]*[+-]\d)(?!:?\d)")
_NO_ZONES = frozenset({"localtime", "posixrules", "Factory"})
_SAMPLED_YEARS = 3
_LAST_YEAR = 9999


@lru_cache(maxsize=1024)
def zone_info(name: str) -> ZoneInfo | None:
    """Return the rules of a zone of the IANA database, nothing for any other name."""
    if not _WORD.fullmatch(name) or name in _NO_ZONES:
        return None
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # a directory of the database, no zone at all, no such name
        return None


def is_zone(name: object) -> bool:
    """Tell whether a name is one of the IANA database, or has the form of one that this system may be too old to know."""
    return isinstance(name, str) and (zone_info(name) is not None or _SHAPE.fullmatch(name) is not None)


@lru_cache(maxsize=1024)
def zone_of_name(tzid: str) -> str | None:
    """Return the IANA name that a TZID stands for by its name alone: its own, after a vendor's prefix, Windows', a plain offset."""
    if zone_info(tzid) is not None:
        return tzid
    parts = tzid.strip('"').split("/")
    for count in (3, 2, 1):
        tail = "/".join(parts[-count:])
        if len(parts) > count and (count > 1 or len(parts) == 2) and zone_info(tail) is not None:  # noqa: PLR2004
            return tail
    if (windows := _names_of_windows().get(tzid.strip('" '))) is not None:
        return windows
    if offset := _OFFSET.match(tzid):
        name = f"Etc/GMT{'-' if offset[1] == '+' else '+'}{int(offset[2])}" if int(offset[2]) else UTC_ZONE
        return name if zone_info(name) is not None else None
    return tzid if _SHAPE.fullmatch(tzid) else None


def _names_of_windows() -> dict[str, str]:
    from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON  # noqa: PLC0415  # the library costs 90 ms, and is seldom needed

    return WINDOWS_TO_OLSON


def to_utc(local: str, zone: str | None) -> datetime | None:
    """Return the instant of a LocalDateTime, the earlier of two; nothing for floating time, unknown zones, the ends of time."""
    info = UTC if zone == UTC_ZONE else None if zone is None else zone_info(zone)
    if info is None:
        return None
    try:
        return at(local).replace(tzinfo=info).astimezone(UTC)
    except OverflowError:
        return None


def to_zone(moment: datetime, zone: str) -> str | None:
    """Return the local time of an instant in a zone as a LocalDateTime; nothing for unknown zones and the ends of time."""
    info = UTC if zone == UTC_ZONE else zone_info(zone)
    if info is None:
        return None
    try:
        return shown(moment.astimezone(info).replace(tzinfo=None))
    except OverflowError:
        return None


def moved(local: str, zone: str | None, to: str | None) -> str | None:
    """Return a local time of one zone as that of another; nothing where that cannot be known, or not be taken back."""
    if zone == to:
        return local
    instant = to_utc(local, zone)
    if instant is None or to is None:
        return None
    there = to_zone(instant, to)
    return there if there is not None and to_utc(there, to) == instant else None


@lru_cache(maxsize=256)
def zone_of_rules(text: str, year: int) -> str | None:
    """Return the IANA zone whose clock goes as a VTIMEZONE says, from a year on, the best known zones first."""
    from icalendar import Timezone  # noqa: PLC0415  # as above

    try:
        rules = Timezone.from_ical(text).to_tz(lookup_tzid=False)  # type: ignore[attr-defined]  # it is a Timezone
        first = datetime(min(max(year, 1970), _LAST_YEAR - _SAMPLED_YEARS), 1, 1, 12)  # noqa: DTZ001  # local time is what is asked about
        days = [first + timedelta(days=number) for number in range(_SAMPLED_YEARS * 366)]
        offsets = [rules.utcoffset(day) for day in days]
    except Exception:  # noqa: BLE001  # the library reads a component of strangers; whatever it trips over, the rules stay unknown
        return None
    if None in offsets:
        return None
    ends = (0, 182)  # one day of each half of the year
    near: str | None = None
    for name in _candidates():
        info = zone_info(name)
        if info is None or any(info.utcoffset(days[day]) != offsets[day] for day in ends):
            continue
        if all(info.utcoffset(day) == offset for day, offset in zip(days, offsets, strict=True)):
            return name
        near = near or name
    return near


@lru_cache(maxsize=1)
def _candidates() -> tuple[str, ...]:
    known = list(
        dict.fromkeys(["Etc/UTC", *sorted(_names_of_windows().values(), key=lambda name: (not name.startswith("Europe/"), name))])
    )
    return (*known, *sorted(available_timezones() - set(known) - _NO_ZONES))
