"""Translate a recurrence rule between JSCalendar (RFC 8984, 4.3.3) and jCal (RFC 7265, 3.6.10).

JSCalendar 2.0 has one rule; further ones and EXRULEs live on as the jCal lines `rrule` and `exrule` of the `iCalendar` property.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jmapsync.formats.codec import Object

_WORDS = {"frequency": "freq", "rscale": "rscale", "skip": "skip", "firstDayOfWeek": "wkst"}
_PLAIN = {"interval": "interval", "count": "count", "until": "until"}
_LISTS = {
    "bySecond": "bysecond",
    "byMinute": "byminute",
    "byHour": "byhour",
    "byMonthDay": "bymonthday",
    "byYearDay": "byyearday",
    "byWeekNo": "byweekno",
    "byMonth": "bymonth",
    "bySetPosition": "bysetpos",
}
_NAMES = {jcal: name for names in (_WORDS, _PLAIN, _LISTS) for name, jcal in names.items()}
_NUMBER = re.compile(r"[+-]?\d{1,9}", re.ASCII)
_DAY = 2
"""Letters of a weekday."""


def to_jcal(rule: Object) -> Object:
    """Return the jCal `recur` value of a rule. `until` stays in the time zone of the rule's event, as JSCalendar has it."""
    result: Object = {jcal: str(rule[name]).upper() for name, jcal in _WORDS.items() if name in rule}
    result |= {jcal: rule[name] for name, jcal in _PLAIN.items() if name in rule}
    for name, jcal in _LISTS.items():
        if values := rule.get(name):
            result[jcal] = [int(value) if _NUMBER.fullmatch(str(value)) else value for value in values]
    if days := rule.get("byDay"):
        result["byday"] = [f"{day.get('nthOfPeriod', '')}{day.get('day', '')}".upper() for day in days]
    return result


def from_jcal(recur: Object) -> Object:
    """Return the rule of a jCal `recur` value; parts nobody knows are left out."""
    rule: Object = {"@type": "RecurrenceRule"}
    for part, value in recur.items():
        name = _NAMES.get(part.lower())
        if name in _LISTS:
            values = value if isinstance(value, list) else [value]
            rule[name] = [str(each) for each in values] if name == "byMonth" else values
        elif name is not None:
            rule[name] = str(value).lower() if name in _WORDS else value
        elif part.lower() == "byday":
            rule["byDay"] = [_day(str(each)) for each in (value if isinstance(value, list) else [value])]
    return rule


def _day(text: str) -> dict[str, Any]:
    number, day = text[:-_DAY], text[-_DAY:].lower()
    return {"@type": "NDay", "day": day, **({"nthOfPeriod": int(number)} if _NUMBER.fullmatch(number) else {})}
