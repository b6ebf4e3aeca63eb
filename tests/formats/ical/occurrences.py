"""Compare the occurrences of real files before and after: `python -m tests.formats.ical.occurrences DIRECTORY... [--object]`.

Each object of every .ics file below is read and written; recurring_ical_events expands the file before and the file after. An
occurrence is a uid, a start and an end as instants, a summary and whether it is cancelled. With `--object` the file after is
written of the object alone, without the lines that it keeps of its file: that is what a server sees. Prints each difference with
its cause (`CAUSES`), also a file that the library cannot expand, and their number; exits 1 where one has no known cause or, without
`--object`, is not in differences.txt.
"""

# ruff: noqa: T201, ANN401, BLE001  # a report for people, of a library that raises anything

from __future__ import annotations

import datetime as dt
import hashlib
import re
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import recurring_ical_events
from icalendar import Calendar
from icalendar.timezone import tzp

from jmapsync.formats.ical import read_calendar, write_calendar
from jmapsync.formats.ical.zones import zone_info
from jmapsync.formats.objects import MalformedError
from tests.formats.ical.limits import TooLongError, limited
from tests.formats.ical.splitting import objects_of

YEARS = 3
"""How many years of a recurrence are compared, from the year before its start."""
LATE = 2030
"""A later year that is compared too: time zones change."""
LIST = Path(__file__).with_name("differences.txt")
CAUSES = {
    "date-tzid": "A DATE has no time zone (RFC 5545, 3.2.19), so the event takes whole days. The library reads a time.",
    "utc-tzid": "A time in UTC has no TZID (RFC 5545, 3.2.19), and is read as UTC, as Cyrus does. The library ignores the Z.",
    "zone-name": "The TZID begins with a space, or has no VTIMEZONE and is no name of the IANA database. The library ignores it.",
    "end-before": "DTEND is before DTSTART (RFC 5545, 3.8.2.2). We keep the line, the event takes no time. The library swaps them.",
    "mixed-end": "Of DTSTART and DTEND one is a DATE, or floating (RFC 5545, 3.8.2.2). Both are read on one clock.",
    "bad-rule": "The RRULE has a part that is not of RFC 5545, 3.3.10. We keep the line, and the event occurs once.",
    "bad-period": "The PERIOD of an RDATE has dates (RFC 5545, 3.3.9). We keep the line.",
    "two-rules": "The object has one rule (jscalendarbis, recurrenceRule); a second RRULE, or an EXRULE, is in the file only.",
    "count-until": "The RRULE has COUNT and UNTIL (RFC 5545, 3.3.10 forbids it). It is in the file only.",
    "floating-exdate": "EXDATE of a series in floating time is in UTC. It is read by its digits; the library reads all as UTC.",
    "no-times": "A VTODO without times and DTSTAMP gets a DTSTAMP, which RFC 5545, 3.6.2 requires. The library takes it for one.",
    "rid-of-other-type": "RECURRENCE-ID is a DATE, DTSTART a time. It is the occurrence of that day; the library adds one.",
    "rscale": "The RRULE has RSCALE (RFC 7529), which the library cannot expand, before and after.",
    "minutes": "The rule occurs every few minutes without end, which takes the library too long, before and after.",
    "bad-zone": "The VTIMEZONE has no TZID, two, a part without DTSTART, or an offset of days. The library cannot expand the file.",
    "bad-line": "A line is invalid, or a second one of its name. The library cannot expand the file before, but that after.",
}
"""Why occurrences differ, or are not known, without a fault of ours."""
_BEFORE_AND_AFTER = frozenset({"rscale", "minutes", "bad-zone"})
"""Causes that are still there in the file after: what is valid stays, and a VTIMEZONE that a line names."""
_FAILURES = {
    "minutes": re.escape(str(TooLongError())),
    "rscale": r"UNTIL parameter is missing: RSCALE=",
    "bad-zone": r"unsupported property: |mandatory TZID not found|Offset must be less than 24 hours"
    r"|'list' object has no attribute 'strip'",
    "bad-line": r"on broken property|Wrong datetime format|Invalid iCalendar duration|Content line could not be parsed"
    r"|UNTIL parameter |'list' object has no attribute 'dt'|not supported between instances of 'datetime.datetime' and 'datetime",
}
"""What the library raises then."""
_DATES = r"\d{8}(?:,\d{8})*"
_TIMES = re.compile(
    r"^(DTSTART|DTEND|DUE|RDATE|EXDATE|RECURRENCE-ID)((?:;[^:\"]*(?:\"[^\"]*\"[^:\"]*)*)?):(.*?)\r?$", re.MULTILINE | re.IGNORECASE
)
_RULES = re.compile(r"^(?:RRULE|EXRULE)[^:]*:(.*?)\r?$", re.MULTILINE | re.IGNORECASE)


class Difference(NamedTuple):
    """The occurrences of one object that differ."""

    key: str
    """A digest of the object's text."""
    cause: str
    """A key of CAUSES; empty if none is known."""
    gone: list[str]
    come: list[str]


def occurrences(data: bytes) -> list[str] | str:
    """Return the occurrences of a file in some years, or why the library cannot expand it."""
    tzp.use(tzp.name)  # it remembers the VTIMEZONEs of the files before
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with limited():
                return _expanded(Calendar.from_ical(data))
        except (Exception, TooLongError) as error:
            return f"{type(error).__name__}: {error}"


def _expanded(calendar: Any) -> list[str]:
    query = recurring_ical_events.of(calendar, components=["VEVENT", "VTODO"], skip_bad_series=False)
    starts = [_date(component) for component in calendar.walk() if component.name in ("VEVENT", "VTODO")]
    if not starts:
        return []
    begin, end = max(min(starts).year - 1, 1), min(min(starts).year + YEARS, 9998)
    found = query.between(dt.date(begin, 1, 1), dt.date(end, 1, 1))
    if end <= LATE and any("RRULE" in component for component in calendar.walk()):
        found = [*found, *query.between(dt.date(LATE, 1, 1), dt.date(LATE + 1, 1, 1))]
    return sorted(map(_shown, found))


def _date(component: Any) -> dt.date:
    value = component.get("DTSTART") or component.get("DUE")
    return dt.date(2000, 1, 1) if value is None else value.dt.date() if isinstance(value.dt, dt.datetime) else value.dt


def _shown(item: Any) -> str:
    start, end = (
        _instant(getattr(item.get(name), "dt", None)) for name in ("DTSTART", "DTEND" if item.name == "VEVENT" else "DUE")
    )
    cancelled = " cancelled" if str(item.get("STATUS", "")).upper() == "CANCELLED" else ""
    return f"{item.name} {item.get('UID', '')} {start} {end} {item.get('SUMMARY', '')}{cancelled}"


def _instant(value: Any) -> str:
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return value.astimezone(dt.UTC).isoformat()
    return str(value)


def difference(data: bytes, *, bare: bool = False) -> Difference | None:
    """Return how the occurrences of an object differ once it was read and written, or that the library cannot expand it.

    With `bare` what the object keeps of its file is left out. Raise MalformedError for a file that is refused.
    """
    objects = read_calendar(data)
    before = occurrences(data)
    after = occurrences(write_calendar([_bare(item) for item in objects] if bare else objects))
    key = hashlib.sha256(data).hexdigest()[:16]
    if isinstance(before, str) or isinstance(after, str):
        return Difference(key, _failure(before, after), [str(before)], [str(after)] if isinstance(after, str) else [])
    if before == after:
        return None
    gone, come = sorted((Counter(before) - Counter(after)).elements()), sorted((Counter(after) - Counter(before)).elements())
    return Difference(key, cause_of(data, bare=bare), gone, come)


def _failure(before: list[str] | str, after: list[str] | str) -> str:
    """Return why the library fails with a file; nothing if it is not known, or fails with the file after for another reason."""
    causes = [
        next((cause for cause, text in _FAILURES.items() if re.search(text, why)), "")
        for why in (before, after)
        if isinstance(why, str)
    ]
    if isinstance(after, str) and (causes[-1] not in _BEFORE_AND_AFTER or causes[0] != causes[-1]):
        return ""
    return causes[0]


def _bare(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: _bare(inner) for name, inner in value.items() if not name.startswith("iCalendar")}


def cause_of(data: bytes, *, bare: bool = False) -> str:
    """Return why the occurrences of a file may differ: the first of CAUSES that fits its lines."""
    text = re.sub(r"\r?\n[ \t]", "", data.decode("utf-8", "replace"))
    zones = set(re.findall(r"^TZID:(.*?)\r?$", text, re.MULTILINE))
    text = re.sub(r"^BEGIN:VTIMEZONE.*?^END:VTIMEZONE", "", text, flags=re.MULTILINE | re.DOTALL)
    lines = [(name, params, value.strip()) for name, params, value in _TIMES.findall(text)]
    causes = [cause for line in lines if (cause := _line_cause(*line, zones))]
    causes += _rule_causes([value.strip().upper() for value in _RULES.findall(text)], bare=bare)
    for part in re.split("^BEGIN:V(?=EVENT|TODO)", text, flags=re.MULTILINE):
        if part.startswith("TODO") and not re.search("^(?:DTSTART|DUE|DTSTAMP)", part, re.MULTILINE):
            causes.append("no-times")
        times = {name: (params, value.strip()) for name, params, value in reversed(_TIMES.findall(part))}
        if (
            "DTSTART" in times
            and times["DTSTART"][0] == ""
            and "Z" not in times["DTSTART"][1]
            and "Z" in times.get("EXDATE", "  ")[1]
        ):
            causes.append("floating-exdate")
        pairs = [(name, times[name]) for name in ("DTEND", "RECURRENCE-ID") if name in times and "DTSTART" in times]
        causes += [cause for name, other in pairs if (cause := _pair_cause(times["DTSTART"], other, name))]
    return next((cause for cause in CAUSES if cause in causes), "")


def _line_cause(name: str, params: str, value: str, zones: set[str]) -> str:
    zone = re.search(r";TZID=\"?([^\";]*)", params)
    if name == "RDATE" and "PERIOD" in params and re.match(r"\d{8}/", value):
        return "bad-period"
    if zone is None:
        return ""
    if re.fullmatch(_DATES, value):
        return "date-tzid"
    if value.endswith("Z"):
        return "utc-tzid"
    return "zone-name" if zone[1].startswith(" ") or (zone[1] not in zones and zone_info(zone[1]) is None) else ""


def _rule_causes(rules: list[str], *, bare: bool) -> list[str]:
    causes = ["bad-rule"] if any(not re.fullmatch(r"(?:[A-Z]+=[^;=]+;?)+", rule) for rule in rules) else []
    if bare:
        causes += ["count-until"] if any("COUNT=" in rule and "UNTIL=" in rule for rule in rules) else []
        causes += ["two-rules"] if len(rules) > 1 else []
    return causes


def _pair_cause(start: tuple[str, str], other: tuple[str, str], name: str) -> str:
    """Return why a start and an end, or a RECURRENCE-ID, do not fit."""
    (zoned, zulu, timed), (other_zoned, other_zulu, other_timed) = (
        ("TZID" in params, value.endswith("Z"), "T" in value) for params, value in (start, other)
    )
    if name == "RECURRENCE-ID":
        return "rid-of-other-type" if timed and not other_timed else ""
    if timed != other_timed or (zoned or zulu) != (other_zoned or other_zulu):
        return "mixed-end"
    return "end-before" if start[0] == other[0] and other[1] < start[1] else ""


def known() -> dict[str, str]:
    """Return the causes of the listed differences, by the digest of the object."""
    rows = (line.split() for line in LIST.read_text("utf-8").splitlines() if line and not line.startswith("#"))
    return {key: cause for key, cause, *_ in rows}


def main(arguments: list[str]) -> int:
    bare = "--object" in arguments
    counts: Counter[str] = Counter()
    causes: Counter[str] = Counter()
    listed = known()
    unknown = 0
    for name, data in objects_of([argument for argument in arguments if argument != "--object"]):
        counts["objects"] += 1
        try:
            found = difference(data, bare=bare)
        except MalformedError:
            counts["refused"] += 1
            continue
        if found is None:
            continue
        causes[found.cause or "unknown"] += 1
        wrong = not found.cause or (not bare and listed.get(found.key) != found.cause)
        unknown += wrong
        print(f"{found.key} {found.cause or 'UNKNOWN'} {name}\n  gone {found.gone[:3]}\n  come {found.come[:3]}")
    print(", ".join(f"{count} {what}" for what, count in sorted(counts.items())))
    for cause, count in causes.most_common():
        print(f"{count} {cause}: {CAUSES.get(cause, 'look at it')}")
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
