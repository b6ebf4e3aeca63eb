"""Read what we write with other programs: `python -m tests.formats.ical.programs DIRECTORY... [--state FILE] [--commands N]`.

Each object of every .ics file below is read and written, equal ones once. Our own reader, icalendar, khal and todoman must read
each file written: khal must list every event, todoman every task. The programs' own readers run in this process, a file at a time,
with a limit of processor time. `--state` keeps the results, so that a run that was stopped goes on. With `--commands` the commands
`khal` and `todo` themselves read a directory of N of the files, and must list what their readers list.

Prints what they refuse, with the cause (`CAUSES`) and whether they refused the file before; exits 1 where one refuses a file and
refusals.txt does not list it.
"""

# ruff: noqa: T201, BLE001  # a report for people, of programs that raise anything

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import re
import sqlite3
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import pytz  # type: ignore[import-untyped]
from icalendar import Calendar
from khal.khalendar import CalendarCollection
from todoman.model import Database

from jmapsync.formats.ical import read_calendar, write_calendar
from jmapsync.formats.objects import MalformedError
from tests.formats.ical.limits import TooLongError, limited
from tests.formats.ical.splitting import objects_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
LIST: Final = Path(__file__).with_name("refusals.txt")
CAUSES: Final = {
    "period": "RDATE;VALUE=PERIOD (RFC 5545, 3.8.5.2). khal does not know it (khal issue 152).",
    "rscale": "RSCALE in an RRULE (RFC 7529). The dateutil of khal does not know it.",
    "two-rules": "Two RRULEs, which RFC 5545, 3.8.5.3 advises against and defines. khal takes one.",
    "minutes": "A rule that occurs every few minutes without end. khal computes all occurrences.",
    "half-zone": "The VTIMEZONE of the file has a part without DTSTART, and a line that is kept names it. icalendar fails.",
}
"""Why a program refuses a file, without a fault of ours."""
_SIGNS: Final = {
    "period": ("`RDATE;VALUE=PERIOD` is currently not supported by khal", "'tuple' object has no attribute 'tzinfo'"),
    "rscale": ("unknown parameter 'RSCALE'",),
    "two-rules": ("'list' object has no attribute 'to_ical'",),
    "minutes": (str(TooLongError()),),
    "half-zone": ("'<' not supported between instances of 'NoneType' and 'datetime.datetime'",),
}
"""What a program says of it."""
_LINES: Final = {
    "period": rb"^RDATE[^:]*;VALUE=PERIOD",
    "rscale": rb"^RRULE[^:]*:.*RSCALE=",
    "two-rules": rb"^RRULE[^:]*:.*^RRULE",
    "minutes": rb"^RRULE[^:]*:[^\r\n]*FREQ=(?:MINUTE|SECOND)LY",
    "half-zone": rb"^BEGIN:(?:STANDARD|DAYLIGHT)\r?\n(?:(?!DTSTART|END:)[^\n]*\n)*END:",
}
"""The lines of the file that cause it."""


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
    if not events:
        return {}
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
    if not tasks:
        return {}
    with tempfile.TemporaryDirectory() as place, tempfile.TemporaryDirectory() as cache:
        for name, data in tasks.items():
            Path(place, name).write_bytes(data)
        listed = {todo.filename for todo in Database([place], f"{cache}/cache.sqlite").todos(status="ANY")}
    return dict.fromkeys(tasks.keys() - listed, "not listed")


PROGRAMS: Final = {"jmapsync": by_own_reader, "icalendar": by_icalendar, "khal": by_khal, "todoman": by_todoman}


class Conversion(NamedTuple):
    """An object of a file before and after."""

    key: str
    """A digest of the object's text."""
    origin: str
    before: bytes
    after: bytes


def conversions(objects: Iterable[tuple[str, bytes]]) -> Iterator[Conversion]:
    """Yield the objects, equal ones once, without those that we refuse."""
    seen = set()
    for place, data in objects:
        key = hashlib.sha256(data).hexdigest()[:16]
        if key in seen:
            continue
        seen.add(key)
        try:
            yield Conversion(key, place, data, write_calendar(read_calendar(data)))
        except MalformedError:
            continue


def refusal(program: str, data: bytes) -> str | None:
    """Return why a program refuses a file, in one line; nothing if it reads it."""
    try:
        with limited():
            why = PROGRAMS[program]({"object.ics": data}).get("object.ics")
    except TooLongError as error:
        why = str(error)
    return None if why is None else " ".join(why.split())


def cause_of(why: str, data: bytes) -> str:
    """Return why a program refuses a file: the first of CAUSES that fits what it says and the lines of the file."""
    text = re.sub(rb"\r?\n[ \t]", b"", data)
    for cause, signs in _SIGNS.items():
        if any(sign in why for sign in signs) and re.search(_LINES[cause], text, re.MULTILINE | re.DOTALL):
            return cause
    return ""


def known() -> dict[tuple[str, str], str]:
    """Return the causes of the listed refusals, by the digest of the object and the program."""
    rows = (line.split() for line in LIST.read_text("utf-8").splitlines() if line and not line.startswith("#"))
    return {(key, program): cause for key, program, cause, *_ in rows}


class _State:
    """Results by program and text, kept in a file of lines of JSON."""

    def __init__(self, path: str | None) -> None:
        self._path = Path(path) if path else None
        lines = self._path.read_text("utf-8").splitlines() if self._path is not None and self._path.exists() else []
        self._known: dict[str, str | None] = dict(json.loads(line) for line in lines)

    def refusal(self, program: str, data: bytes) -> str | None:
        """Return what `refusal` does, from the file if it is there."""
        key = f"{program} {hashlib.sha256(data).hexdigest()}"
        if key not in self._known:
            self._known[key] = refusal(program, data)
            if self._path is not None:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([key, self._known[key]]) + "\n")
        return self._known[key]


def listed_by_khal(place: str, cache: str) -> set[str]:
    """Return the files of a directory whose events the command khal stores."""
    config = Path(cache, "khal.conf")
    database = Path(cache, "khal.db")
    zones = "local_timezone = Europe/Berlin\ndefault_timezone = Europe/Berlin\n"
    config.write_text(f"[calendars]\n[[c]]\npath = {place}\n[locale]\n{zones}[sqlite]\npath = {database}\n", "utf-8")
    _run("khal", "-c", str(config), "printcalendars")  # which reads them
    with sqlite3.connect(database) as connection:
        return {row[0] for row in connection.execute("select href from events")}


def listed_by_todoman(place: str, cache: str) -> set[str]:
    """Return the uids of the tasks of a directory that the command todo lists."""
    config = Path(cache, "todoman.py")
    config.write_text(f"path = {place!r}\ncache_path = {cache + '/todoman.sqlite'!r}\n", "utf-8")
    rows = json.loads(_run("todo", "-c", str(config), "--porcelain", "list", "--status", "ANY"))
    return {str(row["summary"]) for row in rows}


def _run(command: str, *arguments: str) -> str:
    found = Path(sys.executable).with_name(command)
    return subprocess.run([str(found), *arguments], capture_output=True, text=True, check=True, timeout=600).stdout


def check_commands(found: list[Conversion], number: int) -> list[str]:
    """Return which of a number of files the commands khal and todo do not list though their readers do, or the other way round."""
    wrong = []
    for program, listed, mark in (("khal", listed_by_khal, b"BEGIN:VEVENT"), ("todoman", listed_by_todoman, b"BEGIN:VTODO")):
        with tempfile.TemporaryDirectory() as place, tempfile.TemporaryDirectory() as cache:
            Path(place, "c").mkdir()
            wanted = set()
            files = [each for each in found if mark in each.after]
            files = files[:: max(len(files) // number, 1)]
            for place_in_list, one in enumerate(files):
                name = f"{place_in_list:06}"
                data = re.sub(rb"^(?:UID|SUMMARY)[:;][^\n]*\n(?: [^\n]*\n)*", b"", one.after, flags=re.MULTILINE)
                data = data.replace(mark, mark + f"\r\nUID:{name}\r\nSUMMARY:{name}.ics".encode())  # two files of one uid are one
                Path(place, "c", f"{name}.ics").write_bytes(data)
                if refusal(program, data) is None:
                    wanted.add(f"{name}.ics")
            seen = listed(f"{place}/c" if program == "khal" else f"{place}/*", cache)
            print(f"the command of {program} lists {len(seen)} of {len(files)} files, its reader {len(wanted)}")
            wrong += [f"{program} {name}" for name in sorted(wanted ^ seen)]
    return wrong


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.formats.ical.programs")
    parser.add_argument("directories", nargs="+")
    parser.add_argument("--state")
    parser.add_argument("--commands", type=int, default=0)
    args = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    state, listed = _State(args.state), known()
    found = list(conversions(objects_of(args.directories)))
    refused: Counter[str] = Counter()
    causes: Counter[str] = Counter()
    wrong = 0
    for program in PROGRAMS:
        for each in found:
            why = state.refusal(program, each.after)
            if why is None:
                continue
            refused[program] += 1
            cause = cause_of(why, each.after)
            causes[cause or "unknown"] += 1
            wrong += not cause or listed.get((each.key, program)) != cause
            before = "as before" if state.refusal(program, each.before) is not None else "NOT BEFORE"
            print(f"{each.key} {program} {cause or 'UNKNOWN'} {each.origin} ({before}): {why[:200]}", flush=True)
        print(f"{program} refuses {refused[program]} of {len(found)} files written", flush=True)
    for cause, count in causes.most_common():
        print(f"{count} {cause}: {CAUSES.get(cause, 'look at it')}")
    broken = check_commands(found, args.commands) if args.commands else []
    print("".join(f"the command and the reader differ: {each}\n" for each in broken), end="")
    return 1 if wrong or broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
