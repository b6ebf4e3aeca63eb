"""Find the IANA zone that a name stands for, and convert between local time and UTC.

A zone is an IANA name, or the text of a VTIMEZONE of a file whose rules no IANA zone has.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Final, TypeGuard
from zoneinfo import ZoneInfo, available_timezones

from jmapsync.formats.ical.fields import at, shown
from jmapsync.formats.ical.observances import rules_of
from jmapsync.formats.ical.windows import zone_of_windows

UTC_ZONE: Final = "Etc/UTC"
_SHAPE = re.compile(
    r"(?:Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Etc|Europe|Indian|Pacific)(?:/[A-Za-z0-9_+-]+){1,3}"
)
_WORD = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+){0,3}")
_OFFSET = re.compile(r"\(?(?:UTC|GMT)? ?([+-]) ?(\d\d?)(?::?(\d\d))?\)?")
_OFFSETS: Final = {
    "+0430": "Asia/Kabul",
    "+0530": "Asia/Kolkata",
    "+0545": "Asia/Kathmandu",
    "+0630": "Asia/Yangon",
    "+0930": "Australia/Darwin",
    "-0930": "Pacific/Marquesas",
}
"""Zones for offsets that are not whole hours: those that have had no other since 1986."""
_AREAS: Final = frozenset(
    {
        *("africa", "america", "antarctica", "arctic", "asia", "atlantic", "australia", "etc", "europe", "indian", "pacific"),
        *("brazil", "canada", "chile", "mexico", "us"),
    }
)
_OWN: Final = "BEGIN:VTIMEZONE\n"
NO_ZONES: Final = frozenset({"localtime", "posixrules", "Factory"})


@lru_cache(maxsize=1024)
def zone_info(name: str) -> ZoneInfo | None:
    """Return the rules of a zone of the IANA database; None for any other name."""
    if not _WORD.fullmatch(name) or name in NO_ZONES:
        return None
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # a directory of the database, no zone at all, no such name
        return None


def is_zone(name: object) -> bool:
    """Return whether a name is in the IANA database, or has the form of a newer name than this system knows."""
    return isinstance(name, str) and (zone_info(name) is not None or _SHAPE.fullmatch(name) is not None)


def is_own(zone: object) -> TypeGuard[str]:
    """Return whether a zone is the text of a VTIMEZONE."""
    return isinstance(zone, str) and zone.startswith(_OWN)


@lru_cache(maxsize=1024)
def zone_of_name(tzid: str) -> str | None:
    """Return the IANA zone for the name of a TZID, without its VTIMEZONE: see `zone_of_plain_name`, or that of a Windows name."""
    return zone_of_plain_name(tzid) or zone_of_other_name(tzid) or (tzid if _SHAPE.fullmatch(tzid) else None)


def zone_of_plain_name(tzid: str) -> str | None:
    """Return the IANA name that a TZID is, in any case, or ends with after a vendor's prefix."""
    if zone_info(tzid) is not None:
        return tzid
    parts = tzid.strip('"').split("/")
    for count in (3, 2, 1):
        tail = "/".join(parts[-count:])
        if len(parts) > count and (count > 1 or len(parts) == 2) and zone_info(tail) is not None:  # noqa: PLR2004
            return tail
    area = tzid.partition("/")[0].casefold()
    cased = tzid.upper() if area == tzid.casefold() else _cased().get(tzid.casefold(), "") if area in _AREAS else ""
    return cased if zone_info(cased) is not None else None


@lru_cache(maxsize=1)
def _cased() -> dict[str, str]:
    """Return the names of the database by their small letters; listing them costs 50 ms."""
    return {name.casefold(): name for name in available_timezones()}


@lru_cache(maxsize=1024)
def zone_of_other_name(tzid: str) -> str | None:
    """Return the IANA zone of a Windows name, or of an offset from UTC and no more."""
    name = tzid.strip('" ')
    if (windows := zone_of_windows(name)) is not None:
        return windows
    offset = _OFFSET.fullmatch(name)
    if offset is None:
        return None
    if (offset[3] or "00") != "00":
        return _OFFSETS.get(f"{offset[1]}{offset[2]:>02}{offset[3]}")
    zone = f"Etc/GMT{'-' if offset[1] == '+' else '+'}{int(offset[2])}" if int(offset[2]) else UTC_ZONE
    return zone if zone_info(zone) is not None else None


def _rules(zone: str | None) -> tzinfo | None:
    if zone == UTC_ZONE:
        return UTC
    if zone is None:
        return None
    return rules_of(zone) if zone.startswith(_OWN) else zone_info(zone)


def to_utc(local: str, zone: str | None) -> datetime | None:
    """Return the instant of a LocalDateTime, the earlier of two; None for floating time, unknown zones, the ends of time."""
    info = _rules(zone)
    if info is None:
        return None
    try:
        return at(local).replace(tzinfo=info).astimezone(UTC)
    except OverflowError:
        return None


def to_zone(moment: datetime, zone: str) -> str | None:
    """Return the LocalDateTime of an instant in a zone; None for unknown zones and the ends of time."""
    info = _rules(zone)
    if info is None:
        return None
    try:
        return shown(moment.astimezone(info).replace(tzinfo=None))
    except OverflowError:
        return None


def moved(local: str, zone: str | None, to: str | None) -> str | None:
    """Return a local time of one zone as that of another; None if that is unknown or not reversible."""
    if zone == to:
        return local
    instant = to_utc(local, zone)
    if instant is None or to is None:
        return None
    there = to_zone(instant, to)
    return there if there is not None and to_utc(there, to) == instant else None
