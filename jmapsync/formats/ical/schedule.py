"""Convert DTSTART, DTEND, DUE, DURATION and RECURRENCE-ID (draft-ietf-calext-jscalendar-icalendar, sections of these names)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jmapsync.formats.ical.fields import (
    DAY,
    MIDNIGHT,
    at,
    common_duration,
    days_between,
    duration,
    is_local,
    plus,
    read_duration,
    span,
)
from jmapsync.formats.ical.kept import extra
from jmapsync.formats.ical.moments import ZONES, Form, Moment, as_of, at_midnight, form_of, read_moment
from jmapsync.formats.ical.rules import Clock
from jmapsync.formats.ical.zones import UTC_ZONE, to_utc, to_zone
from jmapsync.formats.objects import MalformedError

if TYPE_CHECKING:
    from datetime import datetime

    from jmapsync.formats.contentline import Line
    from jmapsync.formats.ical.kept import Reading, Writing
    from jmapsync.formats.ical.moments import Source, Target
    from jmapsync.formats.objects import Object

Times = dict[str, list["Line"]]
"""Lines with times, by name."""
NAMES = frozenset({"DTSTART", "DTEND", "DUE", "DURATION", "RECURRENCE-ID", "RRULE", "RDATE", "EXDATE", "SHOW-WITHOUT-TIME"})


_LAST_MINUTE: Final = ("T23:59:00", "T23:59:59")


class Series(NamedTuple):
    """The time scale and the time of day of a main object, for its overrides."""

    clock: Clock
    time: str


def read_schedule(  # noqa: C901  # a branch a form of time
    reading: Reading, times: Times, source: Source, series: Series | None
) -> Series:
    """Convert the times of an entry, and return its time scale; `series` is that of its main object."""
    item, task = reading.item, reading.name == "VTODO"
    start = _only(reading, times, "DTSTART", source)
    due = _only(reading, times, "DUE", source) if task else None
    recurrence = _only(reading, times, "RECURRENCE-ID", source)
    if start is None and not task:
        if recurrence is None:
            given = times.get("DTSTART")
            raise MalformedError(
                f"The start of the event is no date: {given[0].value[:40]}." if given else "The event has no start."
            )
        start = recurrence
    if start is not None and "DTEND" in times:
        start = _beside_end(start, times, source)
    main = next((moment for moment in (start, due) if moment is not None and moment.form != "date"), None)
    zone = None if main is None else main.zone
    whole_days = main is None and (start or due) is not None
    if zone is not None:
        item["timeZone"] = zone
    if whole_days:
        item["showWithoutTime"] = True
    if start is not None:
        item["start"] = start.local
        _note(reading, "start", times.get("DTSTART", times.get("RECURRENCE-ID")), start, source, whole_days=whole_days)
    if due is not None:
        local = as_of(due, zone, whole_days=whole_days)
        if local is None:
            reading.keep(times["DUE"][0])
        else:
            item["due"] = local
            _note(
                reading, "due", times["DUE"], due if local == due.local else due._replace(tzid=None), source, whole_days=whole_days
            )
    clock = Clock(zone, whole_days)
    if recurrence is not None:
        _read_recurrence_id(reading, times["RECURRENCE-ID"][0], recurrence, source, series)
    _read_span(reading, times, start, source)
    for line in times.get("SHOW-WITHOUT-TIME", ()):
        if line.value.upper() == "TRUE" and not whole_days:
            item["showWithoutTime"] = True
    first = start or due
    return Series(clock, MIDNIGHT if first is None else first.local[10:])


def _beside_end(start: Moment, times: Times, source: Source) -> Moment:
    """Return a start as its DTEND says what is missing: without a zone in that of its end, as khal reads it; a date as midnight.

    A date beside an end at 23:59 stays one: programs write so of whole days.
    """
    if start.form != "date" and (start.form, start.zone, start.tzid) != ("local", None, None):
        return start
    end = read_moment(times["DTEND"][0], source)
    if end is None:
        return start
    if start.form == "date":
        if end.form == "date" or end.local.endswith((MIDNIGHT, *_LAST_MINUTE)):
            return start
        start = at_midnight(start, times["DTSTART"][0], source) if "DTSTART" in times else start._replace(form="local")
    return start if start.zone is not None or end.zone is None else start._replace(zone=end.zone, tzid=end.tzid)


def _only(reading: Reading, times: Times, name: str, source: Source) -> Moment | None:
    """Return the date-time of the first line with a name; further lines, and an invalid one, are kept."""
    lines = times.get(name)
    if not lines:
        return None
    moment = read_moment(lines[0], source)
    for line in lines[1 if moment is not None else 0 :]:
        reading.keep(line)
    return moment


def _note(reading: Reading, path: str, lines: list[Line] | None, moment: Moment, source: Source, *, whole_days: bool) -> None:
    """Record what the object does not express of a line: its own TZID, a date among times."""
    if not lines:
        return
    params = extra(lines[0], ZONES) if path != "start" or lines[0].name == "DTSTART" else {}
    if moment.tzid is not None:
        params["TZID"] = [moment.tzid]
        source.keep(reading, moment.tzid)
    kind = "date" if moment.form == "date" and not whole_days else None
    if params or kind:
        reading.note(path, lines[0].name, params, kind)


def _read_recurrence_id(reading: Reading, line: Line, moment: Moment, source: Source, series: Series | None) -> None:
    params = extra(line, ZONES)
    if series is not None:
        clock = series.clock
        local = as_of(moment, clock.zone, whole_days=clock.whole_days, time=series.time)
        reading.item["recurrenceId"] = local or (moment.local[:10] + MIDNIGHT if clock.whole_days else moment.local)
        if params:
            reading.note("recurrenceId", line.name, params)
        return
    reading.item["recurrenceId"] = moment.local
    if moment.zone is not None:
        reading.item["recurrenceIdTimeZone"] = moment.zone
    _note(reading, "recurrenceId", [line], moment, source, whole_days=bool(reading.item.get("showWithoutTime")))


def _read_span(reading: Reading, times: Times, start: Moment | None, source: Source) -> None:
    """Convert DTEND or DURATION; an event of whole days without either takes one day (RFC 5545, 3.6.1)."""
    ends = times.get("DTEND", [])
    for line in ends:
        if line is not ends[0] or start is None or reading.name != "VEVENT" or not _read_end(reading, line, start, source):
            reading.keep(line)
    for line in times.get("DURATION", ()):
        length = read_duration(line.value)
        if length is not None and start is not None and start.form == "date":
            length = _in_days(length)
            if length is None:
                continue
        reading.set("duration", length, line)
    if reading.name == "VEVENT" and "duration" not in reading.item and start is not None and start.form == "date":
        reading.item["duration"] = "P1D"


def _in_days(length: str) -> str | None:
    """Return a duration of whole days in days, as one beside a date must be (RFC 5545, 3.8.2.5), none for one of no time."""
    sign, days, seconds = span(length) or (1, 0, 1)
    if not days and not seconds:
        return None
    return duration(sign, days + seconds // DAY, 0) if seconds and not seconds % DAY else length


def _read_end(reading: Reading, line: Line, start: Moment, source: Source) -> bool:
    end = _on_clock_of(start, read_moment(line, source))
    if end is None or (end.form == "date") != (start.form == "date"):
        return False
    if end.form == "date":
        days = days_between(start.local, end.local)
        if days < 0:
            return False
        reading.item["duration"] = f"P{days}D"
    else:
        seconds = seconds_between(start.local, start.zone, end.local, end.zone)
        if seconds is None or seconds < 0:
            return False
        reading.item["duration"] = duration(1, 0, seconds)
    params = extra(line, ZONES)
    if end.tzid is not None and end.tzid != start.tzid:
        params["TZID"] = [end.tzid]
        source.keep(reading, end.tzid)
    if end.zone != start.zone:
        reading.item["endTimeZone"] = end.zone
    if end.zone == start.zone or params:
        reading.note("duration", line.name, params)
    return True


def _on_clock_of(start: Moment, end: Moment | None) -> Moment | None:
    """Return an end of another form than the start in that of the start: one of them is a day, or floating."""
    if end is None:
        return None
    if start.form != "date":
        return Moment(end.local, "local", start.zone, None) if end.form == "date" or start.zone is None or end.zone is None else end
    if end.local.endswith(MIDNIGHT):
        return Moment(end.local, "date", None, None)
    day = plus(end.local[:10] + MIDNIGHT, 1) if end.local.endswith(_LAST_MINUTE) else None
    return end if day is None else Moment(day, "date", None, None)


def seconds_between(first: str, zone: str | None, last: str, end_zone: str | None) -> int | None:
    """Return the seconds between two local times; within one unknown zone, those of local time."""
    return _seconds(to_utc(first, zone), first, zone, last, end_zone)


def _seconds(begin: datetime | None, first: str, zone: str | None, last: str, end_zone: str | None) -> int | None:
    """Return the seconds between two local times, of which the first is the instant `begin`."""
    end = None if begin is None else to_utc(last, end_zone)
    if begin is not None and end is not None:
        return int((end - begin).total_seconds())
    return int((at(last) - at(first)).total_seconds()) if zone == end_zone else None


def has_whole_days(item: Object, more: list[str]) -> bool:
    """Return whether an entry is written with dates (draft, Event and Task); `more` are further date-times of it."""
    if item.get("showWithoutTime") is not True or item.get("timeZone") is not None:
        return False
    names = ["start", "due", *(["recurrenceId"] if item.get("recurrenceIdTimeZone") is None else [])]  # else it is of another form
    moments = [item[name] for name in names if item.get(name) is not None]
    rule = item.get("recurrenceRule")
    if isinstance(rule, dict) and rule.get("until") is not None:
        moments.append(rule["until"])
    spans = [span(item[name]) for name in ("duration", "estimatedDuration") if item.get(name) is not None]
    moments += more
    return (
        bool(moments)
        and all(isinstance(moment, str) and moment.endswith(MIDNIGHT) for moment in moments)
        and all(parts is not None and not parts[2] for parts in spans)
    )


def write_schedule(item: Object, writing: Writing, target: Target, dates: Form | None) -> Form:
    """Write the times of an entry, and return the form of its start; `dates` is the form if all are dates."""
    zone = item.get("timeZone")
    if zone is not None and not target.is_zone(zone):
        writing.leave("timeZone", zone)
        zone = None
    path = "start" if "start" in item else "due"
    form = dates or form_of(zone, writing, path, ("dtstart", "due", "recurrence-id"), target)
    if form.kind == "utc" and item.get("endTimeZone") is not None:
        form = Form("local", UTC_ZONE, UTC_ZONE)
    for name, path in (("DTSTART", "start"), ("DUE", "due")):
        local = item.get(path)
        if isinstance(local, str) and is_local(local):
            shape = Form("date", None, None) if writing.noted(path, name.lower()).get("valueType") == "date" else form
            writing.add(name, *(shape if local.endswith(MIDNIGHT) else form).write(local, target), path)
        elif local is not None:
            writing.leave(path, local)
    _write_span(item, writing, target, form)
    if item.get("showWithoutTime") is True and form.kind != "date":
        writing.add("SHOW-WITHOUT-TIME", "TRUE", {"VALUE": "BOOLEAN"})
    elif not isinstance(item.get("showWithoutTime", False), bool):
        writing.leave("showWithoutTime", item["showWithoutTime"])
    return form


def _write_span(item: Object, writing: Writing, target: Target, form: Form) -> None:
    length, end_zone = item.get("duration"), item.get("endTimeZone")
    noted = writing.noted("duration", "dtend")
    if (end_zone is not None or noted) and is_local(item.get("start")):
        end = _end(item, form, end_zone, target)
        if end is not None:
            own = end_zone is not None or "tzid" in (noted.get("parameters") or {})
            shape = (
                form_of(end_zone or form.zone, writing, "duration", ("dtend",), target) if own and form.kind == "local" else form
            )
            writing.add("DTEND", *shape.write(end, target), "duration")
            return
    writing.leave("endTimeZone", end_zone)
    if length is None:
        return
    text = common_duration(length)
    parts = span(text)
    if text is None or parts is None:
        writing.leave("duration", length)
    elif form.kind != "date" or parts[1]:
        writing.add("DURATION", text, None, "duration")
        if end := plus(item["start"], parts[1], parts[2]) if is_local(item.get("start")) else None:
            target.moments.append(end)


def _end(item: Object, form: Form, end_zone: Any, target: Target) -> str | None:  # noqa: ANN401  # a value of JSON
    """Return the local time of the end, if a reader of it gets the same duration."""
    parts = span(item.get("duration", "PT0S"))
    if parts is None or (end_zone is not None and (not target.is_zone(end_zone) or end_zone == form.zone or form.zone is None)):
        return None
    start, (_, days, seconds) = item["start"], parts
    if form.kind == "date":
        return plus(start, days)
    zone = end_zone or form.zone
    begin = to_utc(start, form.zone)
    if days:
        return None  # a day on the clock on the wall has not always 24 hours, which is how a DTEND is read
    if begin is None:
        return plus(start, 0, seconds) if end_zone is None else None
    try:
        end = to_zone(begin + timedelta(seconds=seconds), zone)  # type: ignore[arg-type]  # a floating time stays one
    except OverflowError:
        return None
    return end if end is not None and _seconds(begin, start, form.zone, end, zone) == seconds else None
