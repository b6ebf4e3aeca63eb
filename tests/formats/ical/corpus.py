"""Convert real files: `python -m tests.formats.ical.corpus DIRECTORY...` takes every .ics file below, split by uid.

Of each it demands that file -> objects -> file is stable from the second pass, and that the occurrences of the file written are
those of the file read. Prints which files were refused, with the reason, and whatever else went wrong; exits 1 where anything did.
"""

# ruff: noqa: T201, ANN401, BLE001, ICN001  # a report for people, of a runner that is not ours

from __future__ import annotations

import datetime
import os
import re
import sys
import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any

import recurring_ical_events
from icalendar import Calendar

from jmapsync.formats.ical import read_calendar, write_calendar
from jmapsync.formats.objects import MalformedError

if TYPE_CHECKING:
    from collections.abc import Iterator

YEARS = 3
"""How many years of a recurrence are compared."""


def split(data: bytes) -> list[bytes]:
    """Return a file as one file for each uid; as it is where its components do not nest."""
    lines = re.sub(rb"\r\n?", b"\n", data.removeprefix(b"\xef\xbb\xbf")).split(b"\n")
    header: list[bytes] = []
    blocks: dict[bytes, list[bytes]] = {}
    block: list[bytes] = []
    depth, calendars = 0, 0
    for line in lines:
        upper = line.upper()
        begins, ends = upper.startswith(b"BEGIN:"), upper.startswith(b"END:")
        depth += begins
        calendars += upper.strip() == b"BEGIN:VCALENDAR"
        if depth >= 2:
            block.append(line)
            if ends and depth == 2:
                text = b"\n".join(block) + b"\n"
                inside = re.sub(rb"\nBEGIN:(?!VEVENT|VTODO).*?\nEND:[^\n]*", b"", text, flags=re.DOTALL | re.IGNORECASE)
                uid = re.search(rb"\nUID[;:][^\n]*(?:\n [^\n]*)*", inside, re.IGNORECASE)
                if block[0].upper().startswith(b"BEGIN:VTIMEZONE"):
                    header.append(text.rstrip(b"\n"))
                else:
                    blocks.setdefault(uid[0] if uid else str(len(blocks)).encode(), []).append(text)
                block = []
        elif not ends and line:
            header.append(line)
        depth -= ends
    if depth or calendars != 1 or not blocks:
        return [data]
    return [b"\n".join(header) + b"\n" + b"".join(texts) + b"END:VCALENDAR\n" for texts in blocks.values()]


def repaired(data: bytes) -> bytes:
    """Return what is only a part of a file as a whole one: with a VCALENDAR, a UID and a start."""
    data = re.sub(rb"\r\n?", b"\n", data)
    if data.upper().startswith((b"BEGIN:VEVENT", b"BEGIN:VTODO", b"BEGIN:VALARM")):
        if data.upper().startswith(b"BEGIN:VALARM"):
            data = b"BEGIN:VEVENT\n" + data.strip() + b"\nEND:VEVENT"
        data = b"BEGIN:VCALENDAR\n" + data.strip() + b"\nEND:VCALENDAR\n"

    def complete(match: re.Match[bytes]) -> bytes:
        more = b"" if re.search(rb"\nUID[:;]", match[0], re.IGNORECASE) else b"UID:repaired\n"
        if match[2].upper() == b"VEVENT" and not re.search(rb"\nDTSTART[:;]", match[0], re.IGNORECASE):
            more += b"DTSTART:20200101T120000Z\n"
        return match[1] + more + match[3]

    return re.sub(rb"(BEGIN:(VEVENT|VTODO)\n)(.*?\nEND:\2)", complete, data, flags=re.DOTALL | re.IGNORECASE)


def occurrences(data: bytes) -> list[str] | None:
    """Return the occurrences of a file in a window of some years; nothing where the library that expands them cannot."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            calendar = Calendar.from_ical(data)
            query = recurring_ical_events.of(calendar, components=["VEVENT", "VTODO"], skip_bad_series=False)
            first = min((_date(component) for component in calendar.walk() if component.name in ("VEVENT", "VTODO")), default=None)
            if first is None:
                return []
            begin = datetime.date(max(first.year - 1, 1), 1, 1)
            return sorted(_shown(item) for item in query.between(begin, datetime.date(min(first.year + YEARS, 9998), 1, 1)))
        except Exception:
            return None


def _date(component: Any) -> datetime.date:
    value = component.get("DTSTART") or component.get("DUE")
    return datetime.date(2000, 1, 1) if value is None else value.dt.date() if isinstance(value.dt, datetime.datetime) else value.dt


def _shown(item: Any) -> str:
    start, end = (
        _instant(getattr(item.get(name), "dt", None)) for name in ("DTSTART", "DTEND" if item.name == "VEVENT" else "DUE")
    )
    return f"{item.name} {start} {end} {item.get('SUMMARY', '')}"


def _instant(value: Any) -> str:
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return value.astimezone(datetime.UTC).isoformat()
    return str(value)


def problems(data: bytes, counts: Counter[str]) -> Iterator[str]:
    """Yield what is wrong with the conversion of the file of one uid."""
    try:
        objects = read_calendar(data)
    except MalformedError as error:
        counts["refused"] += 1
        yield f"refused: {error}"
        return
    except Exception as error:
        counts["raised"] += 1
        yield f"RAISED {error!r}"
        return
    try:
        once = write_calendar(objects)
        again = read_calendar(once)
        twice = write_calendar(again)
        third = read_calendar(twice)
    except Exception as error:
        counts["raised"] += 1
        yield f"RAISED on the way back {error!r}"
        return
    counts["converted"] += 1
    counts["same objects at once"] += objects == again
    if once != twice or again != third:
        counts["unstable"] += 1
        yield f"UNSTABLE\n{_changed(once, twice)}"
    before, after = occurrences(data), occurrences(once)
    if before is None:
        counts["not expanded by the library"] += 1
    elif before != after:
        counts["other occurrences"] += 1
        gone, come = sorted(set(before) - set(after or ())), sorted(set(after or ()) - set(before))
        yield f"OTHER OCCURRENCES: gone {gone[:3]}, come {come[:3]}"
    else:
        counts["same occurrences"] += 1


def _changed(first: bytes, second: bytes) -> str:
    one, two = first.decode().split("\r\n"), second.decode().split("\r\n")
    return "\n".join(
        [f"  - {line}" for line in one if line not in two][:5] + [f"  + {line}" for line in two if line not in one][:5]
    )


def main(arguments: list[str]) -> int:
    names = sorted(
        os.path.join(place, name)
        for top in arguments
        for place, _, files in os.walk(top)
        for name in files
        if name.endswith(".ics")
    )
    counts: Counter[str] = Counter()
    for name in names:
        with open(name, "rb") as file:
            data = file.read()
        for part in map(repaired, split(data)):
            counts["objects"] += 1
            for problem in problems(part, counts):
                print(f"{name}: {problem}")
    print(f"{len(names)} files: {', '.join(f'{count} {what}' for what, count in sorted(counts.items()))}")
    return 1 if counts["raised"] + counts["unstable"] + counts["other occurrences"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
