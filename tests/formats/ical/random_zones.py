"""Convert events in random VTIMEZONEs: `python -m tests.formats.ical.random_zones [CASES] [SEED] [FIRST]` (100,000, 1, 0).

Each VTIMEZONE is made of a zone of the tz database and renamed: to nonsense, to a Windows name, or to the name of another zone.
The instants of all occurrences within 50 years must be those of the zone it was made of, in the object, and after it was written
and read again. Prints the cases in which they are not, and exits 1 if there is one.
"""

# ruff: noqa: T201  # a report for people

from __future__ import annotations

import random
import sys
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, available_timezones

from tzlocal.windows_tz import win_tz

from jmapsync.formats.contentline import escape
from jmapsync.formats.ical import read_calendar, write_calendar
from jmapsync.formats.ical.observances import zone_changes, zone_offset
from jmapsync.formats.ical.occurrences import occurrences
from jmapsync.formats.ical.vtimezones import vtimezone

if TYPE_CHECKING:
    from collections.abc import Iterator

YEARS = 50
FIRST, LAST = 1972, 2045
ZONES = sorted(available_timezones() - {"localtime", "posixrules", "Factory"})
DISPLAY = ["(UTC-05:00) Eastern Time (US & Canada)", "(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna", "GMT+0100"]
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # local time


def listed(zone: str, tzid: str, first: int, last: int) -> list[str]:
    """Return a VTIMEZONE that lists each transition, as khal and pytz make it."""
    info = ZoneInfo(zone)
    begin = int((datetime(first, 1, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
    end = int((datetime(last + 1, 1, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
    lines = ["BEGIN:VTIMEZONE", f"TZID:{tzid}"]
    before = zone_offset(info, begin)
    for instant, after in ((begin, before), *zone_changes(info, begin, end)):
        kind = random.choice(["STANDARD", "DAYLIGHT"])
        local = EPOCH + timedelta(seconds=instant + before)
        lines += [
            f"BEGIN:{kind}",
            f"DTSTART:{local:%Y%m%dT%H%M%S}",
            f"TZOFFSETFROM:{offset(before)}",
            f"TZOFFSETTO:{offset(after)}",
        ]
        lines.append(f"END:{kind}")
        before = after
    return [*lines, "END:VTIMEZONE"]


def offset(seconds: int) -> str:
    minutes, rest = divmod(abs(seconds), 60)
    return f"{'-' if seconds < 0 else '+'}{minutes // 60:02}{minutes % 60:02}" + (f"{rest:02}" if rest else "")


def renamed(chance: random.Random) -> str:
    return chance.choice(
        [
            f"Zone {chance.randrange(10)}",
            "tzone://Microsoft/Custom",
            chance.choice(ZONES),
            chance.choice(list(win_tz)),
            chance.choice(DISPLAY),
        ]
    )


@lru_cache(maxsize=4096)
def made(zone: str, first: int, seed: int) -> tuple[str, tuple[str, ...]]:
    """Return a TZID, and the lines of a VTIMEZONE that covers 50 years from a year on."""
    chance = random.Random(f"{zone} {first} {seed}")
    tzid = renamed(chance)
    if chance.random() < 0.3:
        random.seed(seed)
        lines = listed(zone, tzid, first - 1, first + YEARS + 1)
    else:
        lines = [
            f"TZID:{tzid}" if line == f"TZID:{zone}" else line for line in vtimezone(zone, first - 1, max(first + YEARS + 1, 2037))
        ]
    if chance.random() < 0.3:
        lines.insert(2, f"X-LIC-LOCATION:{chance.choice([zone, chance.choice(ZONES)])}")
    if chance.random() < 0.5:  # TZID is TEXT (RFC 5545, 3.8.3.1), but many programs write it without escapes
        lines = [f"TZID:{escape(tzid)}" if line == f"TZID:{tzid}" else line for line in lines]
    return tzid, tuple(lines)


def event(chance: random.Random) -> tuple[str, int, list[str]]:
    """Return a zone, the year of the start, and the lines of a file."""
    zone, first = chance.choice(ZONES), chance.randrange(FIRST, LAST)
    tzid, vtimezone_lines = made(zone, first, chance.randrange(2))
    start = datetime(first, 1, 1) + timedelta(minutes=15 * chance.randrange(366 * 96))  # noqa: DTZ001  # local time
    rule = chance.choice(
        [
            "",
            f"RRULE:FREQ=WEEKLY;COUNT={chance.randrange(1, 120)}",
            f"RRULE:FREQ=DAILY;INTERVAL={chance.randrange(1, 9)};UNTIL={start + timedelta(days=chance.randrange(2000)):%Y%m%d}",
            f"RRULE:FREQ=MONTHLY;COUNT={chance.randrange(1, 600)}",
            "RRULE:FREQ=YEARLY",
            "RRULE:FREQ=MONTHLY;INTERVAL=3",
        ]
    )
    quoted = f'"{tzid}"'
    return (
        zone,
        first,
        [
            *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//EN", *vtimezone_lines),
            *("BEGIN:VEVENT", "UID:u", "DTSTAMP:20260101T000000Z", f"DTSTART;TZID={quoted}:{start:%Y%m%dT%H%M%S}", "DURATION:PT1H"),
            *((rule,) if rule else ()),
            *("END:VEVENT", "END:VCALENDAR", ""),
        ],
    )


def instants(item: dict[str, Any], zone: str | None = None) -> list[datetime]:
    """Return the instants of the occurrences within 50 years, in the zone of the object or in another."""
    overrides = {} if zone else item.get("recurrenceOverrides", {})
    series = occurrences(item)
    assert series is not None
    last = f"{int(item['start'][:4]) + YEARS:04}"
    found: list[datetime] = []
    for key in series.locals or (item["start"],):
        if key < last:
            patch = overrides.get(key, {})
            info = ZoneInfo(zone or patch.get("timeZone", item["timeZone"]))
            found.append(datetime.fromisoformat(patch.get("start", key)).replace(tzinfo=info).astimezone(UTC))
    return found


def expected(zone: str, lines: list[str]) -> list[datetime]:
    """Return the instants of a file's event in the zone that its VTIMEZONE was made of."""
    own = [line for line in lines if not line.startswith(("TZID", "X-LIC"))]
    begin = own.index("BEGIN:VTIMEZONE")
    del own[begin : own.index("END:VTIMEZONE") + 1]
    plain = [line if not line.startswith("DTSTART;") else f"DTSTART:{line.rpartition(':')[2]}" for line in own]
    return instants(read_calendar("\r\n".join(plain).encode())[0], zone)


def problems(cases: int, seed: int, first: int = 0) -> Iterator[str]:
    """Yield a description of each case that is wrong, of those from a number on."""
    for number in range(first, first + cases):
        chance = random.Random(f"{seed} {number}")
        zone, _, lines = event(chance)
        data = "\r\n".join(lines).encode()
        item = read_calendar(data)[0]
        again = read_calendar(write_calendar([item]))[0]
        wanted = expected(zone, lines)
        for what, found in (("read", instants(item)), ("written and read", instants(again))):
            if found != wanted:
                yield f"case {number} of seed {seed}, {zone} as {lines[4]}, {what}: {item.get('timeZone')}\n{data.decode()}"


def main(arguments: list[str]) -> int:
    cases, seed, first = (int(value) for value in (*arguments, *("100000", "1", "0")[len(arguments) :]))
    wrong = 0
    for problem in problems(cases, seed, first):
        wrong += 1
        print(problem)
    print(f"{cases} cases, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
