"""Compute the offsets of a VTIMEZONE from its observances (RFC 5545, 3.6.5), and those of an IANA zone, to compare them.

Instants and local times are whole seconds since 1970-01-01T00:00:00. Rules that occur once a year are computed for the years asked
for only: those of Outlook begin in 1601.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from jmapsync.formats.checks import Clock
from jmapsync.formats.objects import MalformedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from zoneinfo import ZoneInfo

HORIZON: Final = 2037
"""The year until which the tz database lists transitions; a rule without end is compared until then."""
FAR: Final = 2100
"""The year from which on all zones follow the rules that they have then. A later UNTIL, as 99991231, ends no comparison."""
DAY: Final = 86_400
_EPOCH: Final = date(1970, 1, 1).toordinal()
_WEEK: Final = 7
_LAST_YEAR: Final = 9998
_DECADE: Final = 10
_OLDEST: Final = 180
_RULED: Final = 209
_CYCLE: Final = 40
"""Decades after which the calendar repeats itself."""
_CYCLE_DAYS: Final = 146_097
_DAYS: Final = {"MO": 0, "TU": 1, "WE": 2, "TH": 3, "FR": 4, "SA": 5, "SU": 6}
_MOMENT = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)?(Z?))?", re.ASCII)
_OFFSET = re.compile(r"([+-]?)(\d\d?):?(\d\d)(?::?(\d\d))?", re.ASCII)  # some programs write +01:00 or +100
_ORDINAL = re.compile(r"([+-]?[1-5])(MO|TU|WE|TH|FR|SA|SU)")
_LAST_DAY: Final = 31
_DATE: Final = 8
"""Characters of a DATE."""
_TOO_MANY: Final = 10_000
_FIRST: Final = (2 - _EPOCH) * DAY
_LAST: Final = (date.max.toordinal() - 1 - _EPOCH) * DAY


class Yearly(NamedTuple):
    """A rule that occurs once a year."""

    first: int
    """Its DTSTART as a local time."""
    month: int
    weekday: int | None
    days: tuple[int, ...]
    """Days of the month; negative ones count from its end. With a weekday, those it may fall on."""

    def day(self, year: int) -> int | None:
        """Return the local day of the occurrence in a year; None if there is none."""
        begin = date(year, self.month, 1).toordinal()
        length = (date(year + self.month // 12, self.month % 12 + 1, 1)).toordinal() - begin
        for number in self.days:
            place = begin + (number - 1 if number > 0 else length + number)
            if begin <= place < begin + length and (self.weekday is None or (place - 1) % _WEEK == self.weekday):
                return place - _EPOCH
        return None


class _Observance(NamedTuple):
    before: int
    after: int
    onsets: tuple[int, ...]
    """Instants of the transitions that are listed or come of a rule with an end."""
    yearly: Yearly | None


class Window(NamedTuple):
    """The offsets of a zone between two instants."""

    offset: int
    """That at the first instant, in seconds east of UTC."""
    changes: tuple[tuple[int, int], ...]
    """Instants after it at which the offset changes, each with the offset from then on."""


class Rules:
    """The offsets that a VTIMEZONE defines."""

    def __init__(self, lines: Iterable[str]) -> None:
        """Read the unfolded lines of the component. Raise MalformedError if they define no offset, or too many transitions."""
        lines = list(lines)
        Clock().check(lines, HORIZON)
        observances = [found for inner in _blocks(lines) if (found := _observance(inner)) is not None]
        if not observances:
            raise MalformedError("Its time zone defines no offset.")
        listed = [(onset, each.after, each.before) for each in observances for onset in each.onsets]
        if len(listed) > _TOO_MANY:
            raise MalformedError("Its time zone changes the clock too often.")
        listed.sort(key=lambda change: change[0])
        self._listed = listed
        self._yearly = [(each, each.yearly) for each in observances if each.yearly is not None]
        self.begin: int = listed[0][0]
        """The first onset; what applies before it is undefined."""
        self.end: int | None = listed[-1][0] if not self._yearly and len(listed) > 1 else None
        """The last transition of a list of several, after which a program may have listed no more; None for rules without end."""
        self._first, self._last = 1, 0
        self._times: list[int] = []
        self._offsets: list[int] = []

    def listed_by_khal(self) -> tuple[tuple[int, int], ...]:
        """Return the changes of a list as khal 0.14 means them, each with the new offset; none for yearly rules.

        It writes the local time after a change, where RFC 5545, 3.6.5, asks for the one before it.
        """
        if self._yearly:
            return ()
        current, found = self._listed[0][2], []
        for onset, after, before in self._listed:
            if after != current:
                found.append((onset + before - after, after))
                current = after
        return tuple(found)

    def _expand(self, first: int, last: int) -> None:
        """Compute the transitions of some years, and of those computed before."""
        if self._last:
            first, last = min(first, self._first), max(last, self._last)
        first, last = max(first, 1), min(last, _LAST_YEAR)
        found = list(self._listed)
        for each, rule in self._yearly:
            for year in range(first, last + 1):
                day = rule.day(year)
                local = None if day is None else day * DAY + rule.first % DAY
                if local is not None and local > rule.first:
                    found.append((local - each.before, each.after, each.before))
        found.sort(key=lambda change: change[0])
        after = {change[0]: change[1] for change in found}  # of several at one instant the last
        self._times = list(after)
        self._offsets = [found[0][2], *after.values()]
        self._first, self._last = first, last

    def _cover(self, first: int, last: int) -> None:
        low, high = year_at(first), year_at(last)
        if not self._last or low <= self._first or high >= self._last:
            self._expand(low - 1, high + 1)

    def offset(self, instant: int) -> int:
        """Return the offset at an instant."""
        self._cover(instant, instant)
        return self._offsets[bisect_right(self._times, instant)]

    def to_instant(self, local: int) -> int:
        """Return the instant of a local time: the earlier of two, and in a gap that of the offset before it (RFC 5545, 3.3.5)."""
        self._cover(local, local)
        place, stop = bisect_right(self._times, local - DAY), bisect_right(self._times, local + DAY)
        near = self._offsets[place : stop + 1]
        if len(near) == 1:
            return local - near[0]
        fits = [local - offset for offset in near if self.offset(local - offset) == offset]
        if fits:
            return min(fits)
        passed = [before for time, before in zip(self._times[place:stop], near, strict=False) if local - before >= time]
        return local - (passed[-1] if passed else near[0])

    def window(self, begin: int, end: int) -> Window:
        """Return the offsets between two instants."""
        self._cover(begin, end)
        place, stop = bisect_right(self._times, begin), bisect_right(self._times, end)
        offset = first = self._offsets[place]
        changes: list[tuple[int, int]] = []
        for number in range(place, stop):
            if self._offsets[number + 1] != offset:
                offset = self._offsets[number + 1]
                changes.append((self._times[number], offset))
        return Window(first, tuple(changes))


class FileZone(tzinfo):
    """The time zone of a VTIMEZONE."""

    def __init__(self, rules: Rules) -> None:
        """Wrap its rules."""
        self.rules = rules

    def utcoffset(self, moment: datetime | None) -> timedelta:
        """Return the offset at a local time."""
        local = 0 if moment is None else seconds(moment)
        return timedelta(seconds=local - self.rules.to_instant(local))

    def dst(self, moment: datetime | None) -> timedelta | None:  # noqa: ARG002  # of the interface
        """Return nothing: a VTIMEZONE does not say which part of its offset is summer time."""
        return None

    def tzname(self, moment: datetime | None) -> str | None:  # noqa: ARG002  # of the interface
        """Return nothing: names are not needed."""
        return None

    def fromutc(self, moment: datetime) -> datetime:
        """Return the local time of an instant."""
        return moment + timedelta(seconds=self.rules.offset(seconds(moment)))


@lru_cache(maxsize=512)
def rules_of(text: str) -> FileZone | None:
    """Return the time zone of the unfolded lines of a VTIMEZONE; None if they define none."""
    try:
        return FileZone(Rules(text.split("\n")))
    except (MalformedError, ValueError, OverflowError, IndexError):  # the last of dateutil, for BYDAY=-1000SU
        return None


def seconds(moment: datetime) -> int:
    """Return a date-time, whatever its zone, as seconds since 1970 on its own clock."""
    return (moment.toordinal() - _EPOCH) * DAY + moment.hour * 3600 + moment.minute * 60 + moment.second


def year_at(instant: int) -> int:
    """Return the year of an instant, the nearest of those that are computed."""
    return date.fromordinal(min(max(instant // DAY + _EPOCH, 1), 3_651_695)).year  # to the end of 9998


def _blocks(lines: list[str]) -> Iterator[dict[str, list[str]]]:
    """Yield the lines of each observance, by name."""
    block: dict[str, list[str]] | None = None
    for line in lines:
        head, _, value = line.partition(":")
        name = head.partition(";")[0].upper()
        if name == "BEGIN" and value.strip().upper() in ("STANDARD", "DAYLIGHT"):
            block = {}
        elif name == "END" and block is not None:
            yield block
            block = None
        elif block is not None:
            block.setdefault(name, []).append(value.strip())


def _observance(block: dict[str, list[str]]) -> _Observance | None:
    """Return an observance; None for one without the properties that are required."""
    given = [block.get(name, [""])[0] for name in ("DTSTART", "TZOFFSETFROM", "TZOFFSETTO")]
    first, before, after = _local(given[0]), _seconds(given[1]), _seconds(given[2])
    if first is None or after is None:
        return None
    if before is None:  # the onset may be an hour off; without it the other observance would apply all year
        before = after
    locals_ = [first[0] + (before if first[1] else 0)]
    for text in ",".join(block.get("RDATE", [])).split(","):
        moment = _local(text.partition("/")[0])
        if moment is not None:
            locals_.append(moment[0] + (before if moment[1] else 0))
    yearly: Yearly | None = None
    for rule in block.get("RRULE", []):
        found = _yearly(rule.upper(), locals_[0])
        if found is None or yearly is not None:
            locals_.extend(_occurrences(rule.upper(), locals_[0], before))
        else:
            yearly = found
    return _Observance(before, after, tuple(sorted({local - before for local in locals_})), yearly)


def _local(text: str) -> tuple[int, bool] | None:
    """Return a DATE-TIME in seconds, and whether it is in UTC."""
    match = _MOMENT.fullmatch(text.strip().upper())
    if match is None:
        return None
    year, month, day, hour, minute, second, zulu = match.groups()
    try:
        ordinal = date(int(year), int(month), int(day)).toordinal()
    except ValueError:
        return None
    return (ordinal - _EPOCH) * DAY + int(hour or 0) * 3600 + int(minute or 0) * 60 + int(second or 0), bool(zulu)


def _seconds(text: str) -> int | None:
    """Return a UTC-OFFSET in seconds."""
    match = _OFFSET.fullmatch(text)
    if match is None:
        return None
    sign, hours, minutes, rest = match.groups()
    found = int(hours) * 3600 + int(minutes) * 60 + int(rest or 0)
    return (-found if sign == "-" else found) if found < DAY else None


def _parts(rule: str) -> dict[str, str]:
    return {name.strip(): value.strip() for name, _, value in (part.partition("=") for part in rule.split(";")) if name.strip()}


def _yearly(rule: str, first: int) -> Yearly | None:
    """Return a rule that occurs once a year without end; None for other rules."""
    parts = _parts(rule)
    parts.pop("WKST", None)
    for name, value in (("BYHOUR", first % DAY // 3600), ("BYMINUTE", first // 60 % 60), ("BYSECOND", first % 60)):
        if name in parts and parts[name].lstrip("0") == (str(value) if value else ""):
            del parts[name]  # Lotus Notes repeats the time of DTSTART
    if parts.get("BYDAY") in _DAYS and "BYMONTHDAY" not in parts and (place := parts.pop("BYSETPOS", "")):
        parts["BYDAY"] = place + parts["BYDAY"]
    known = {"FREQ", "BYMONTH", "BYDAY", "BYMONTHDAY", "INTERVAL"}
    if parts.get("FREQ") != "YEARLY" or parts.get("INTERVAL", "1") != "1" or not parts.keys() <= known:
        return None
    begin = date.fromordinal(first // DAY + _EPOCH)
    month, by_day, by_date = parts.get("BYMONTH", str(begin.month)), parts.get("BYDAY"), parts.get("BYMONTHDAY")
    if not month.isdecimal() or not 1 <= int(month) <= 12 or ("BYMONTH" not in parts and (by_day or by_date)):  # noqa: PLR2004
        return None
    if by_day is None:
        days = (begin.day,) if by_date is None else _numbers(by_date)
        return Yearly(first, int(month), None, days) if len(days) == 1 else None
    if by_day in _DAYS and by_date is not None:
        days = _numbers(by_date)
        whole = len(days) == _WEEK and max(days) - min(days) == _WEEK - 1 and len(set(days)) == _WEEK and min(days) * max(days) > 0
        return Yearly(first, int(month), _DAYS[by_day], days) if whole else None
    match = _ORDINAL.fullmatch(by_day)
    if match is None or by_date is not None:
        return None
    number = int(match[1])
    days = tuple(range(number * _WEEK - 6, number * _WEEK + 1) if number > 0 else range(number * _WEEK, number * _WEEK + _WEEK))
    return Yearly(first, int(month), _DAYS[match[2]], days)


def _numbers(text: str) -> tuple[int, ...]:
    """Return the days of a BYMONTHDAY; none if one is invalid."""
    try:
        found = tuple(map(int, text.split(",")))
    except ValueError:
        return ()
    return found if all(0 < abs(number) <= _LAST_DAY for number in found) else ()


def _occurrences(rule: str, first: int, before: int) -> list[int]:
    """Return the local times of any rule, to its end or the horizon. Raise ValueError if it is invalid."""
    parts = _parts(rule)
    end = parts.pop("UNTIL", "")
    until = _local(f"{end}T235959" if len(end) == _DATE else end)  # a date includes its day, as in `rules.read_until`
    last = (until[0] + (before if until[1] else 0)) if until is not None else (date(HORIZON + 1, 1, 1).toordinal() - _EPOCH) * DAY
    text = ";".join(f"{name}={value}" for name, value in parts.items())
    found: list[int] = []
    if (yearly := _yearly(text, first)) is not None:  # Cyrus writes a VTIMEZONE that ends with each event: no two are the same
        days = (yearly.day(year) for year in range(year_at(first), min(year_at(last), _LAST_YEAR) + 1))
        times = (day * DAY + first % DAY for day in days if day is not None)
        return list(islice((local for local in times if first <= local <= last), _TOO_MANY + 1))
    from dateutil.rrule import rrulestr  # noqa: PLC0415  # 10 ms, for rules that occur other than once a year

    begin = datetime.fromtimestamp(0, UTC).replace(tzinfo=None) + timedelta(seconds=first)
    for moment in rrulestr(text, dtstart=begin):
        local = seconds(moment)
        if local > last or len(found) > _TOO_MANY:
            break
        found.append(local)
    return found


@lru_cache(maxsize=8192)
def _decade(zone: ZoneInfo, number: int) -> tuple[tuple[int, int], ...]:
    """Return the changes of the offset of an IANA zone in ten years. None lists two in a week, and none has any before 1800.

    Those after the years that the database lists come of a rule, and repeat themselves as the calendar does.
    """
    cycles = (number - _RULED) // _CYCLE
    if number < _OLDEST or cycles > 0:
        later = cycles * _CYCLE_DAYS * DAY
        return () if number < _OLDEST else tuple((at + later, to) for at, to in _decade(zone, number - cycles * _CYCLE))
    place = (date(max(number * _DECADE, 1), 1, 1).toordinal() - _EPOCH) * DAY
    end = (date(min(number * _DECADE + _DECADE, _LAST_YEAR + 1), 1, 1).toordinal() - _EPOCH) * DAY
    offset, found = zone_offset(zone, place), []
    while place < end:
        ahead = min(place + _WEEK * DAY, end)
        later = zone_offset(zone, ahead)
        if later != offset:
            low, high = place, ahead
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if zone_offset(zone, middle) == offset else (low, middle)
            found.append((high, later))
        place, offset = ahead, later
    return tuple(found)


def zone_offset(zone: ZoneInfo, instant: int) -> int:
    """Return the offset of an IANA zone at an instant, within the years that have local times everywhere."""
    moment = datetime.fromtimestamp(min(max(instant, _FIRST), _LAST), zone)
    offset = moment.utcoffset()
    return 0 if offset is None else offset.days * DAY + offset.seconds


def zone_changes(zone: ZoneInfo, begin: int, end: int) -> tuple[tuple[int, int], ...]:
    """Return the changes of the offset of an IANA zone after one instant, up to another."""
    decades = range(year_at(begin) // _DECADE, year_at(end) // _DECADE + 1)
    return tuple(change for number in decades for change in _decade(zone, number) if begin < change[0] <= end)
