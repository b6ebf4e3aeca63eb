"""Convert RRULE to RecurrenceRule and back (draft-ietf-calext-jscalendar-icalendar, RRULE; RFC 5545, 3.3.10; RFC 7529)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jmapsync.formats.contentline import unescape
from jmapsync.formats.ical.fields import MIDNIGHT, basic, basic_date, is_local, to_local
from jmapsync.formats.ical.zones import UTC_ZONE, to_utc, to_zone

if TYPE_CHECKING:
    from datetime import datetime

    from jmapsync.formats.objects import Object

_FREQUENCIES: Final = ("secondly", "minutely", "hourly", "daily", "weekly", "monthly", "yearly")
_DAYS: Final = ("mo", "tu", "we", "th", "fr", "sa", "su")
_SKIPS: Final = ("omit", "backward", "forward")
_DAY = re.compile(r"([+-]?[1-9]\d{0,2})?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_MONTH = re.compile(r"0?([1-9]\d?L?)", re.ASCII)
_SCALE = re.compile(r"[a-z0-9-]{1,40}", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,9}", re.ASCII)
_LISTS: Final = {
    "BYMONTH": "byMonth",
    "BYWEEKNO": "byWeekNo",
    "BYYEARDAY": "byYearDay",
    "BYMONTHDAY": "byMonthDay",
    "BYDAY": "byDay",
    "BYHOUR": "byHour",
    "BYMINUTE": "byMinute",
    "BYSECOND": "bySecond",
    "BYSETPOS": "bySetPosition",
}
"""Parts that are lists, in the order of evaluation and writing (RFC 5545, 3.3.10)."""
_BOUNDS: Final = {
    "byWeekNo": (-53, 53),
    "byYearDay": (-366, 366),
    "byMonthDay": (-31, 31),
    "byHour": (0, 23),
    "byMinute": (0, 59),
    "bySecond": (0, 60),
    "bySetPosition": (-366, 366),
}
_SCALES: Final = {"rscale": "gregorian", "skip": "omit"}
"""The defaults of RFC 7529."""
KNOWN: Final = frozenset({"@type", "frequency", "interval", "count", "until", "firstDayOfWeek", "rscale", "skip", *_LISTS.values()})


class Clock(NamedTuple):
    """The time scale of an object: whole days, or the clock of a zone; None is floating time."""

    zone: str | None
    whole_days: bool


def read_rule(text: str, clock: Clock) -> Object | None:
    """Return the rule of an RRULE value; None if it is invalid or a RecurrenceRule cannot express it.

    Old versions of vobject write it as a TEXT, with escapes.
    """
    parts: dict[str, str] = {}
    for part in unescape(text).strip().strip(";").split(";"):
        name, mark, value = part.strip().upper().partition("=")
        if not mark or name in parts:
            return None
        parts[name] = value
    rule: Object = {"@type": "RecurrenceRule"}
    for name, value in parts.items():
        key, found = _read_part(name, value, clock)
        if found is None:
            return None
        rule[key] = found
    return None if "frequency" not in rule or ("count" in rule and "until" in rule) else rule


def _read_part(name: str, value: str, clock: Clock) -> tuple[str, Any]:  # noqa: PLR0911  # a return a part
    lower = value.lower()
    match name:
        case "FREQ":
            return "frequency", lower if lower in _FREQUENCIES else None
        case "INTERVAL" | "COUNT":
            number = int(value) if _NUMBER.fullmatch(value) else 0
            return name.lower(), number if number > 0 else None
        case "UNTIL":
            return "until", read_until(value, clock)
        case "WKST":
            return "firstDayOfWeek", lower if lower in _DAYS else None
        case "RSCALE":
            return "rscale", lower if _SCALE.fullmatch(lower) else None
        case "SKIP":
            return "skip", lower if lower in _SKIPS else None
        case _ if name in _LISTS:
            key = _LISTS[name]
            items = [_read_item(key, item.strip()) for item in value.split(",")]
            return key, None if None in items else items
        case _:
            return name, None


def _read_item(key: str, text: str) -> object:
    if key == "byDay":
        day = _DAY.fullmatch(text)
        if day is None:
            return None
        found: Object = {"@type": "NDay", "day": day[2].lower()}
        return found | {"nthOfPeriod": int(day[1])} if day[1] else found
    if key == "byMonth":
        month = _MONTH.fullmatch(text)
        return month[1] if month else None
    low, high = _BOUNDS[key]
    number = int(text) if _NUMBER.fullmatch(text) else high + 1
    return number if low <= number <= high and (number or low == 0) else None


def read_until(text: str, clock: Clock) -> str | None:
    """Return UNTIL as a LocalDateTime of the object.

    Programs write other forms than the format requires: a date includes all of its day, and of whole days only the date counts.
    """
    found = to_local(text)
    if found is None:
        return None
    local, form = found
    if clock.whole_days:
        return f"{local[:10]}{MIDNIGHT}"
    if form == "date":
        return f"{local[:10]}T23:59:59"
    if form == "utc" and clock.zone is not None and (instant := to_utc(local, UTC_ZONE)) is not None:
        return to_zone(instant, clock.zone) or local
    return local


def write_until(local: str, clock: Clock) -> str:
    """Return a LocalDateTime of the object as UNTIL."""
    if clock.whole_days:
        return basic_date(local)
    instant: datetime | None = to_utc(local, clock.zone)
    utc = to_zone(instant, UTC_ZONE) if instant is not None else None
    return basic(local) if utc is None else f"{basic(utc)}Z"


def write_rule(rule: Object, clock: Clock, until: str | None = None) -> str | None:  # noqa: C901  # a branch a part
    """Return the RRULE value of a rule, with `until` as the text of UNTIL if given; None if RRULE cannot express it."""
    frequency = rule.get("frequency")
    if frequency not in _FREQUENCIES or not rule.keys() <= KNOWN:
        return None
    rule = _without_scale(rule)
    parts = [f"FREQ={frequency.upper()}"]
    if (scale := rule.get("rscale")) is not None:
        if not isinstance(scale, str) or not _SCALE.fullmatch(scale):
            return None
        parts.insert(0, f"RSCALE={scale.upper()}")
    if "interval" in rule:
        parts.append(f"INTERVAL={rule['interval']}")
    for name, key in _LISTS.items():
        if key in rule:
            items = _write_items(key, rule[key])
            if items is None:
                return None
            parts.append(f"{name}={','.join(items)}")
    if "skip" in rule:
        parts.append(f"SKIP={str(rule['skip']).upper()}")
    if "firstDayOfWeek" in rule:
        parts.append(f"WKST={str(rule['firstDayOfWeek']).upper()}")
    if "count" in rule:
        parts.append(f"COUNT={rule['count']}")
    if (bound := rule.get("until")) is not None:
        if not is_local(bound):
            return None
        parts.append(f"UNTIL={until or write_until(bound, clock)}")
    return ";".join(parts)


def _without_scale(rule: Object) -> Object:
    """Return a rule without the defaults of RFC 7529, which Cyrus returns and khal does not know; SKIP needs RSCALE."""
    if rule.get("rscale") != "gregorian" or rule.get("skip", "omit") != "omit":
        return rule
    return {name: value for name, value in rule.items() if name not in _SCALES}


def _write_items(key: str, items: object) -> list[str] | None:
    if not isinstance(items, list) or not items:
        return None
    if key != "byDay":
        return [str(item) for item in items]
    return [f"{day.get('nthOfPeriod', '')}{str(day.get('day')).upper()}" for day in items if isinstance(day, dict)]


def is_same(rule: Object, text: str, clock: Clock) -> bool:
    """Return whether an RRULE value reads as a rule."""
    again = read_rule(text, clock)
    return again is not None and _plain({**_SCALES, **again}) == _plain({**_SCALES, **rule})


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items() if key != "@type"}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value
