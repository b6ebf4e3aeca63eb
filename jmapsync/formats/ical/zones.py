"""Find the IANA zone of a TZID, convert between local time and UTC, and write VTIMEZONE components (RFC 5545, 3.6.5).

The rules come from the system's IANA database; the icalendar library reads the VTIMEZONE components of files. It does not write
them: those of version 7.3 begin summer time an hour late (onset in the offset after the transition, where the format requires the
offset before it), and list every transition of a rule without end.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from jmapsync.formats.ical.fields import at, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

UTC_ZONE: Final = "Etc/UTC"
_SHAPE = re.compile(
    r"(?:Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Etc|Europe|Indian|Pacific)(?:/[A-Za-z0-9_+-]+){1,3}"
)
_WORD = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+){0,3}")
_OFFSET = re.compile(r"\(?(?:UTC|GMT) ?([+-])(\d\d?)(?::?00)?\)?(?![^+-]*[+-]\d)(?!:?\d)")
_NO_ZONES = frozenset({"localtime", "posixrules", "Factory"})
_SAMPLED_YEARS = 3
_LAST_YEAR = 9999
FOREVER: Final = 2037
"""The last year compared with a rule without end; a rule that holds until then is written without end."""
_WEEK: Final = timedelta(days=7)
_DAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_REGULAR: Final = 12
"""Years after which a rule by weekday has fallen on each of its seven days of the month, so that it is certain."""
_FIRST: Final = 1901
"""No zone had an offset in whole minutes before it had standard time."""


@lru_cache(maxsize=1024)
def zone_info(name: str) -> ZoneInfo | None:
    """Return the rules of a zone of the IANA database; None for any other name."""
    if not _WORD.fullmatch(name) or name in _NO_ZONES:
        return None
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # a directory of the database, no zone at all, no such name
        return None


def is_zone(name: object) -> bool:
    """Return whether a name is in the IANA database, or has the form of a newer name than this system knows."""
    return isinstance(name, str) and (zone_info(name) is not None or _SHAPE.fullmatch(name) is not None)


@lru_cache(maxsize=1024)
def zone_of_name(tzid: str) -> str | None:
    """Return the IANA name for the name of a TZID: itself, without a vendor's prefix, for a Windows name, or a plain offset."""
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
    """Return the instant of a LocalDateTime, the earlier of two; None for floating time, unknown zones, the ends of time."""
    info = UTC if zone == UTC_ZONE else None if zone is None else zone_info(zone)
    if info is None:
        return None
    try:
        return at(local).replace(tzinfo=info).astimezone(UTC)
    except OverflowError:
        return None


def to_zone(moment: datetime, zone: str) -> str | None:
    """Return the LocalDateTime of an instant in a zone; None for unknown zones and the ends of time."""
    info = UTC if zone == UTC_ZONE else zone_info(zone)
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


@lru_cache(maxsize=256)
def zone_of_rules(text: str, year: int) -> str | None:
    """Return the IANA zone with the rules of a VTIMEZONE from a year on, common zones first."""
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


class _State(NamedTuple):
    """An offset of a zone."""

    offset: timedelta
    name: str
    is_dst: bool


class _Change(NamedTuple):
    """A transition: its local time before it."""

    onset: datetime
    before: timedelta
    after: _State


def years(moments: Iterable[str], *, endless: bool) -> tuple[int, int]:
    """Return the first and the last year that a VTIMEZONE has to cover for the local times of an object."""
    found = [int(moment[:4]) for moment in moments]
    first, last = min(found, default=FOREVER), max(found, default=FOREVER)
    return max(first, _FIRST), max(last, FOREVER, first + _REGULAR + 1) if endless else max(last, _FIRST)


@lru_cache(maxsize=4096)
def vtimezone(tzid: str, first: int, last: int) -> tuple[str, ...]:
    """Return the unfolded lines of the VTIMEZONE of an IANA zone for some years; none for another name."""
    info = zone_info(tzid)
    if info is None:
        return ()
    begin = _state(info, datetime(first, 1, 1, tzinfo=UTC))
    lines = ["BEGIN:VTIMEZONE", f"TZID:{tzid}", *_observance(datetime(first, 1, 1), begin.offset, begin, ())]  # noqa: DTZ001  # local time
    kinds: dict[tuple[timedelta, _State], list[datetime]] = {}
    for change in _changes(info, first, min(last, 9998)):
        kinds.setdefault((change.before, change.after), []).append(change.onset)
    for (before, after), onsets in kinds.items():
        regular, rule = _rule(onsets, last)
        single = onsets[: len(onsets) - regular]
        if single:
            lines.extend(
                _observance(single[0], before, after, [f"RDATE:{','.join(map(_basic, single[1:]))}"] if single[1:] else ())
            )
        if regular:
            lines.extend(_observance(onsets[-regular], before, after, [rule]))
    return (*lines, "END:VTIMEZONE")


def _state(info: ZoneInfo, instant: datetime) -> _State:
    local = instant.astimezone(info)
    return _State(local.utcoffset() or timedelta(), local.tzname() or "", (local.dst() or timedelta()) > timedelta())


def _changes(info: ZoneInfo, first: int, last: int) -> Iterator[_Change]:
    """Yield the transitions of some years, in order. No zone has two in a week."""
    place, end = datetime(first, 1, 1, tzinfo=UTC), datetime(last + 1, 1, 1, tzinfo=UTC)
    state = _state(info, place)
    while place < end:
        ahead = min(place + _WEEK, end)
        later = _state(info, ahead)
        if later != state:
            low, high = place, ahead
            while high - low > timedelta(seconds=1):
                middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
                low, high = (middle, high) if _state(info, middle) == state else (low, middle)
            yield _Change((high + state.offset).replace(tzinfo=None), state.offset, later)
        place, state = ahead, later


def _rule(onsets: list[datetime], last: int) -> tuple[int, str]:
    """Return how many of the last transitions follow one rule by weekday to the last year and beyond, and that rule."""
    final, days, count = onsets[-1], {onsets[-1].day}, 0
    for number, onset in enumerate(reversed(onsets)):
        same = (onset.month, onset.weekday(), onset.time()) == (final.month, final.weekday(), final.time())
        if not same or onset.year != last - number or max(*days, onset.day) - min(*days, onset.day) >= _WEEK.days:
            break
        days.add(onset.day)
        count += 1
    if count < _REGULAR or len(days) < _WEEK.days:
        return 0, ""
    day, low = _DAYS[final.weekday()], min(days)
    if low % _WEEK.days == 1:
        place = f"BYDAY={low // _WEEK.days + 1}{day}"
    elif (final.replace(day=max(days)) + timedelta(days=1)).month != final.month:
        place = f"BYDAY=-1{day}"
    else:
        place = f"BYMONTHDAY={','.join(map(str, sorted(days)))};BYDAY={day}"
    return count, f"RRULE:FREQ=YEARLY;BYMONTH={final.month};{place}"


def _observance(onset: datetime, before: timedelta, after: _State, more: Iterable[str]) -> list[str]:
    name = "DAYLIGHT" if after.is_dst else "STANDARD"
    return [
        f"BEGIN:{name}",
        f"DTSTART:{_basic(onset)}",
        *more,
        f"TZNAME:{after.name}",
        f"TZOFFSETFROM:{_offset(before)}",
        f"TZOFFSETTO:{_offset(after.offset)}",
        f"END:{name}",
    ]


def _basic(moment: datetime) -> str:
    return moment.isoformat().replace("-", "").replace(":", "")


def _offset(offset: timedelta) -> str:
    seconds = int(offset.total_seconds())
    hours, rest = divmod(abs(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    return f"{'-' if seconds < 0 else '+'}{hours:02}{minutes:02}" + (f"{rest:02}" if rest else "")
