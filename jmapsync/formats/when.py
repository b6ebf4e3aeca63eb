"""Read the time of a message that is to be sent later, in the local zone, as people write it for at(1)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DELAY = re.compile(r"(?:now\s*)?\+\s*(\d{1,6})\s*(m|min|minutes?|h|hours?|d|days?|w|weeks?)", re.IGNORECASE)
_CLOCK = re.compile(r"(?:(today|tomorrow)\s+)?(\d{1,2}):(\d{2})", re.IGNORECASE)
EXAMPLES = '"18:30", "tomorrow 8:00", "2026-12-24 18:30", "2026-12-24T18:30Z" or "+2h"'


def read_when(text: str, now: datetime) -> datetime:
    """Return the time that a text names; `now` is aware. Raise ValueError, in words, for what is no time or has passed.

    A time of day without a date is the next one. A date without a zone is in the local one, at the offset of that day.
    """
    text = text.strip()
    try:
        moment = _moment(text, now)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a time such as {EXAMPLES}") from None
    if moment <= now:
        raise ValueError(f"{text!r} has passed")
    return moment


def _moment(text: str, now: datetime) -> datetime:
    if match := _DELAY.fullmatch(text):
        return now + timedelta(**{_UNITS[match[2][0].lower()]: int(match[1])})
    if match := _CLOCK.fullmatch(text):
        day = now.date() + timedelta(days=(match[1] or "").lower() == "tomorrow")
        moment = _local(day.year, day.month, day.day, int(match[2]), int(match[3]))
        if moment <= now and not match[1]:
            day += timedelta(days=1)
            moment = _local(day.year, day.month, day.day, int(match[2]), int(match[3]))
        return moment
    if ":" not in text:
        raise ValueError
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else _in_local_zone(moment)


def _local(year: int, month: int, day: int, hour: int, minute: int) -> datetime:
    return _in_local_zone(datetime(year, month, day, hour, minute))  # noqa: DTZ001


def _in_local_zone(moment: datetime) -> datetime:
    """Return a local time as an instant; of a time that a change of the clocks skips, the one after the change."""
    return datetime.fromtimestamp(moment.timestamp()).astimezone()
