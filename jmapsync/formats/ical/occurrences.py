"""Compute the local times at which the rule of a series occurs, as many as a conversion needs (RFC 5545, 3.3.10)."""

from __future__ import annotations

from bisect import bisect_left
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from jmapsync.formats.ical.fields import at, is_local, shown
from jmapsync.formats.ical.observances import FAR, HORIZON, seconds
from jmapsync.formats.ical.rules import Clock, write_rule

if TYPE_CHECKING:
    from jmapsync.formats.objects import Object

YEARS_AHEAD: Final = 12
"""Years computed of a rule without end that begins after the horizon."""
_MOST: Final = 20_000
"""Occurrences that are computed."""
_SAMPLE: Final = 2_000
"""Occurrences after which their number is estimated: a rule of every few minutes has far too many."""
_SAMPLED_DAYS: Final = 28
"""Days that these must take for an estimate: a rule may occur every second of one day a year."""
_FAR_TOO_MANY: Final = 4
"""How often the estimate must exceed the occurrences that are computed."""
_LAST_YEAR: Final = 9999
_CYCLE: Final = 400
"""Years after which the calendar repeats itself. Moved to the last ones, a rule that never occurs is searched for in few years."""
_CYCLE_DAYS: Final = 146_097
_DATES: Final = ("BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO")


class Occurrences(NamedTuple):
    """The local times at which a rule occurs, in order."""

    locals: tuple[str, ...]
    seconds: tuple[int, ...]
    """The same in seconds since 1970."""

    def include(self, local: str) -> bool:
        """Return whether the rule occurs at a local time."""
        place = bisect_left(self.locals, local)
        return place < len(self.locals) and self.locals[place] == local


def occurrences(item: Object) -> Occurrences | None:
    """Return the occurrences of the rule of a series, to its end or the horizon; None if they cannot be computed."""
    rule, start = item.get("recurrenceRule"), item.get("start") or item.get("due")
    if not isinstance(rule, dict) or not is_local(start):
        return Occurrences((), ())
    until, count = rule.get("until"), rule.get("count")
    text = write_rule(
        {name: value for name, value in rule.items() if name != "until" and value is not None}, Clock(None, whole_days=False)
    )
    if text is None or "RSCALE" in text or "SKIP" in text:
        return None
    return _expanded(text, start, until if is_local(until) else "", count if isinstance(count, int) else None)


@lru_cache(maxsize=4)  # an object that is read, written and compared needs them several times
def _expanded(rule: str, start: str, until: str, count: int | None) -> Occurrences | None:
    from dateutil.rrule import rrulestr  # noqa: PLC0415  # 10 ms, which most files do not need

    if _is_slow(rule):
        return None
    begin = at(start)
    horizon = min(max(HORIZON, begin.year + YEARS_AHEAD), _LAST_YEAR)
    ends = bool(until) and at(until).year <= max(FAR, horizon)
    last = at(until) if ends else datetime(horizon, 12, 31, 23, 59, 59)  # noqa: DTZ001  # local
    cycles = (_LAST_YEAR - max(last, begin).year) // _CYCLE
    later = cycles * timedelta(days=_CYCLE_DAYS)
    found = [begin]
    try:
        for shifted in rrulestr(rule, dtstart=begin + later):
            moment = shifted - later
            if moment > last:
                break
            if len(found) > _MOST or (len(found) == _SAMPLE and count is None and _are_too_many(found, last)):
                return None
            if moment != begin:
                found.append(moment)
    except (ValueError, OverflowError, TypeError, IndexError):  # the last of dateutil, for BYDAY=-1000SU
        return None
    found = found[:count]
    return Occurrences(tuple(map(shown, found)), tuple(map(seconds, found)))


def _is_slow(rule: str) -> bool:
    """Return whether the library that expands rules tries each second or minute of years."""
    parts = dict(part.split("=") for part in rule.split(";"))
    if parts["FREQ"] == "SECONDLY":
        return not parts.keys().isdisjoint({"BYHOUR", "BYMINUTE"})
    return parts["FREQ"] == "MINUTELY" and "BYHOUR" in parts and not parts.keys().isdisjoint(_DATES)


def _are_too_many(found: list[datetime], last: datetime) -> bool:
    """Return whether a rule that goes on as it begins has far more occurrences than are computed."""
    taken = found[-1] - found[0]
    return taken.days >= _SAMPLED_DAYS and (last - found[0]) / taken * len(found) > _FAR_TOO_MANY * _MOST
