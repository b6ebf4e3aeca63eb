"""Read what we write with other programs: `python -m tests.formats.ical.programs DIRECTORY...`.

Each object of every .ics file below is read and written. Our own reader, icalendar, khal and todoman must read each file written:
khal must list every event, todoman every task. Prints what they refuse, and how many of the files before they refused; exits 1
where one of them refuses a file written without an excuse.
"""

# ruff: noqa: T201, BLE001  # a report for people, of programs that raise anything

from __future__ import annotations

import logging
import re
import sys
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytz  # type: ignore[import-untyped]
from icalendar import Calendar
from khal.khalendar import CalendarCollection  # type: ignore[import-untyped]
from todoman.model import Database  # type: ignore[import-untyped]

from jmapsync.formats.ical import read_calendar, write_calendar
from jmapsync.formats.objects import MalformedError
from tests.formats.ical.splitting import objects_of

if TYPE_CHECKING:
    from collections.abc import Iterable

_BERLIN = pytz.timezone("Europe/Berlin")
_LOCALE = {
    "local_timezone": _BERLIN,
    "default_timezone": _BERLIN,
    "timeformat": "%H:%M",
    "dateformat": "%d.%m.",
    "longdateformat": "%d.%m.%Y",
    "datetimeformat": "%d.%m. %H:%M",
    "longdatetimeformat": "%d.%m.%Y %H:%M",
    "unicode_symbols": True,
    "firstweekday": 0,
    "weeknumbers": False,
}
EXCUSES: Final = (
    "is currently not supported by khal",  # RDATE;VALUE=PERIOD (khal issue 152)
    "unknown parameter 'RSCALE'",  # RFC 7529
    "'tuple' object has no attribute 'tzinfo'",  # RDATE;VALUE=PERIOD again
    "'list' object has no attribute 'to_ical'",  # two RRULEs
    "'datetime.time' and 'datetime.timedelta'",  # a property of VALUE=TIME
    "an RRULE without DTSTART",  # todoman
    "'datetime.time' object has no attribute 'astimezone'",  # a property of VALUE=TIME
    "Wrong datetime format: 0000",  # a CREATED in the year 0
)
"""What programs say of files that are valid, or that they list in spite of it."""


def by_own_reader(files: dict[str, bytes]) -> dict[str, str]:
    """Return which files our own reader refuses, and why."""
    found = {}
    for name, data in files.items():
        try:
            read_calendar(data)
        except MalformedError as error:
            found[name] = str(error)
    return found


def by_icalendar(files: dict[str, bytes]) -> dict[str, str]:
    """Return which files icalendar refuses, or reads with errors."""
    found = {}
    for name, data in files.items():
        try:
            calendar = Calendar.from_ical(data)
        except Exception as error:
            found[name] = repr(error)
            continue
        errors = [error for component in calendar.walk() for error in component.errors]
        if errors:
            found[name] = repr(errors[0])
    return found


class _Log(logging.Handler):
    """Collects what a program logs."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(record.getMessage())


def by_khal(files: dict[str, bytes]) -> dict[str, str]:
    """Return which files with events khal does not list."""
    events = {name: data for name, data in files.items() if re.search(rb"^BEGIN:VEVENT", data, re.MULTILINE | re.IGNORECASE)}
    log = _Log()
    logger = logging.getLogger("khal")
    logger.addHandler(log)
    try:
        with tempfile.TemporaryDirectory() as place:
            for name, data in events.items():
                Path(place, name).write_bytes(data)
            calendars = {"c": {"name": "c", "path": place, "ctype": "calendar", "readonly": True, "color": "", "priority": 10}}
            collection = CalendarCollection(calendars, dbpath=":memory:", locale=_LOCALE)
            listed = {row[0] for row in collection._backend.sql_ex("select href from events", ())}
    finally:
        logger.removeHandler(log)
    return {name: next((line for line in log.lines if name in line), "not listed") for name in events.keys() - listed}


def by_todoman(files: dict[str, bytes]) -> dict[str, str]:
    """Return which files with tasks todoman does not list."""
    tasks = {name: data for name, data in files.items() if re.search(rb"^BEGIN:VTODO", data, re.MULTILINE | re.IGNORECASE)}
    with tempfile.TemporaryDirectory() as place, tempfile.TemporaryDirectory() as cache:
        for name, data in tasks.items():
            Path(place, name).write_bytes(data)
        listed = {todo.filename for todo in Database([place], f"{cache}/cache.sqlite").todos(status="ANY")}
    bare = {name for name, data in tasks.items() if b"\nRRULE" in data and b"\nDTSTART" not in data}
    return {name: "an RRULE without DTSTART" if name in bare else "not listed" for name in tasks.keys() - listed}


PROGRAMS: Final = {"jmapsync": by_own_reader, "icalendar": by_icalendar, "khal": by_khal, "todoman": by_todoman}


def is_excused(why: str) -> bool:
    """Return whether a program has no reason to refuse a file."""
    return any(excuse in why for excuse in EXCUSES)


def conversions(objects: Iterable[tuple[str, bytes]]) -> tuple[dict[str, bytes], dict[str, bytes], dict[str, str]]:
    """Return the files before and after, and where each is from, by a name of its own; without those that we refuse."""
    before: dict[str, bytes] = {}
    after: dict[str, bytes] = {}
    origin: dict[str, str] = {}
    for place, data in objects:
        try:
            written = write_calendar(read_calendar(data))
        except MalformedError:
            continue
        name = f"{len(before):06}.ics"
        before[name], after[name], origin[name] = data, written, place
    return before, after, origin


def main(arguments: list[str]) -> int:
    warnings.simplefilter("ignore")
    before, after, origin = conversions(objects_of(arguments))
    wrong = 0
    for program, refused in PROGRAMS.items():
        then, now = refused(before), refused(after)
        for name, why in sorted(now.items()):
            print(f"{program} {origin[name]} ({name}{', as before' if name in then else ''}): {why[:300]}")
        print(f"{program} refuses {len(now)} of {len(after)} files written, and {len(then)} of those before")
        wrong += sum(1 for why in now.values() if not is_excused(why))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
