"""Write VTIMEZONE components of IANA zones (RFC 5545, 3.6.5).

The icalendar library does not write them: those of version 7.3 begin summer time an hour late (onset in the offset after the
transition, where the format requires the offset before it), and list every transition of a rule without end.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from jmapsync.formats.ical.observances import FAR
from jmapsync.formats.ical.zones import zone_info

if TYPE_CHECKING:
    from collections.abc import Iterable
    from zoneinfo import ZoneInfo

FOREVER: Final = 2037
"""The last year compared with a rule without end; a rule that holds until then is written without end."""
_WEEK: Final = timedelta(days=7)
_DAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_REGULAR: Final = 12
"""Years after which a rule by weekday has fallen on each of its seven days of the month, so that it is certain."""
_FIRST: Final = 1901
"""No zone had an offset in whole minutes before it had standard time."""


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
    last = min(last, max(FAR, first + _REGULAR + 1))
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
    for year in range(first, min(last, 9998) + 1):
        for change in _changes(tzid, year):
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


@lru_cache(maxsize=4096)
def _changes(tzid: str, year: int) -> tuple[_Change, ...]:
    """Return the transitions of a year, in order. No zone has two in a week."""
    info = zone_info(tzid)
    if info is None:
        return ()
    place, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    state = _state(info, place)
    found = []
    while place < end:
        ahead = min(place + _WEEK, end)
        later = _state(info, ahead)
        if later != state:
            low, high = place, ahead
            while high - low > timedelta(seconds=1):
                middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
                low, high = (middle, high) if _state(info, middle) == state else (low, middle)
            found.append(_Change((high + state.offset).replace(tzinfo=None), state.offset, later))
        place, state = ahead, later
    return tuple(found)


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
