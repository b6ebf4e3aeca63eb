"""Convert RRULE, RDATE, EXDATE and overrides (draft-ietf-calext-jscalendar-icalendar, Recurring Components)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from jmapsync.formats.contentline import Line
from jmapsync.formats.ical import jcal
from jmapsync.formats.ical.fields import at as moment_at
from jmapsync.formats.ical.fields import basic, common_duration, duration, is_local, plus, read_duration
from jmapsync.formats.ical.kept import OF_CALENDAR, extra, keep_in
from jmapsync.formats.ical.moments import ZONES, as_of, read_moment
from jmapsync.formats.ical.own_zones import tzid_of
from jmapsync.formats.ical.rules import Clock, is_same, read_rule, read_until, write_rule, write_until
from jmapsync.formats.ical.schedule import seconds_between
from jmapsync.formats.ical.zones import UTC_ZONE, is_own
from jmapsync.formats.objects import as_object
from jmapsync.formats.patch import apply_fitting, diff
from jmapsync.formats.pointer import join, split

if TYPE_CHECKING:
    from jmapsync.formats.ical.kept import Reading, Writing
    from jmapsync.formats.ical.moments import Form, Source, Target
    from jmapsync.formats.ical.schedule import Series, Times
    from jmapsync.formats.objects import Object, Patch

_FORM = re.compile(r"\d{8}(?:T(?:[01]\d|2[0-3])(?:[0-5]\d){2}Z?)?", re.ASCII)
_UNTIL: Final = "X-JMAPSYNC-UNTIL"
"""The parameter that records an UNTIL which the LocalDateTime does not restore: another form, or the second of equal times."""
FIXED: Final = frozenset(
    [
        "@type",
        "method",
        "organizerCalendarAddress",
        "privacy",
        "prodId",
        "recurrenceId",
        "recurrenceIdTimeZone",
        "sentBy",
        "uid",
        "version",
        "recurrenceOverrides",
        "recurrenceRule",
    ]
)
"""Properties that an override cannot change (jscalendarbis, 3.3.4)."""
_LINES_OF: Final = {"organizerCalendarAddress": "ORGANIZER", "privacy": "CLASS"}
"""Lines of an override that are kept if they differ from the main component's, because the patch cannot express them."""


def read_recurrence(reading: Reading, times: Times, source: Source, series: Series | None) -> None:
    """Convert rule and dates of a main component; the lines of an instance are kept."""
    rules, dates = times.get("RRULE", []), [*times.get("RDATE", []), *times.get("EXDATE", [])]
    clock = None if series is None or ("start" not in reading.item and "due" not in reading.item) else series.clock
    for line in rules:
        rule = None if clock is None or "recurrenceRule" in reading.item else read_rule(line.value, clock)
        if rule is None or clock is None:
            reading.keep(line)
            continue
        reading.item["recurrenceRule"] = rule
        params = extra(line)
        until = _until_text(line.value)
        if until is not None and _FORM.fullmatch(until) and not clock.whole_days and write_until(rule["until"], clock) != until:
            params[_UNTIL] = [until]
        if params:
            reading.note("recurrenceRule", line.name, params)
    for line in dates:
        if clock is None or series is None:
            reading.keep(line)
        else:
            _read_dates(reading, line, source, series)


def _until_text(text: str) -> str | None:
    return next((part[6:] for part in text.upper().split(";") if part.startswith("UNTIL=")), None)


def _read_dates(reading: Reading, line: Line, source: Source, series: Series) -> None:
    overrides = reading.item.setdefault("recurrenceOverrides", {})
    unread: list[str] = []
    params = extra(line, ZONES)
    for text in line.value.split(","):
        first, _, last = text.partition("/")
        moment = read_moment(line, source, first)
        clock = series.clock
        key = None if moment is None else as_of(moment, clock.zone, whole_days=clock.whole_days, time=series.time)
        if key is None and moment is not None and line.name == "EXDATE" and clock == (None, False):
            key = moment.local  # of a series in floating time, an occurrence can only be meant by its digits
        length = _length(line, first, last, source) if last else None
        if (
            key is None
            or moment is None
            or key in overrides
            or (last and (moment.form == "date" or length is None or line.name != "RDATE"))
        ):
            unread.append(text)
            continue
        overrides[key] = {"excluded": True} if line.name == "EXDATE" else {"duration": length} if last else {}
        if params or last:
            reading.note(join("recurrenceOverrides", key), line.name, params, "period" if last else None)
    if any(unread):
        reading.keep(Line(line.name, ",".join(unread), line.params))
    if not overrides:
        del reading.item["recurrenceOverrides"]


def _length(line: Line, first: str, last: str, source: Source) -> str | None:
    if "P" in last.upper():
        return read_duration(last)
    start, end = read_moment(line, source, first), read_moment(line, source, last)
    if start is None or end is None:
        return None
    seconds = seconds_between(start.local, start.zone, end.local, end.zone)
    return None if seconds is None or seconds < 0 else duration(1, 0, seconds)


def base_of(main: Object, at: str) -> Object:
    """Return the unchanged instance of a main object, which patches are made from and applied to."""
    base = {name: value for name, value in main.items() if name not in ("recurrenceRule", "recurrenceOverrides")}
    start, due = main.get("start"), main.get("due")
    if "start" in base:
        base["start"] = at
        if isinstance(start, str) and isinstance(due, str) and is_local(start) and is_local(due) and is_local(at):
            moved = plus(due, 0, int((moment_at(at) - moment_at(start)).total_seconds()))
            base["due"] = moved or due
    elif "due" in base:
        base["due"] = at
    if "iCalendar" in base:
        base["iCalendar"] = _of_instance(base["iCalendar"])
        if base["iCalendar"] is None:
            del base["iCalendar"]
    return base


def _of_instance(kept: Any) -> Any:  # noqa: ANN401  # a value of JSON
    """Return the kept parts of a main component without those of its calendar and its rule."""
    if not isinstance(kept, dict):
        return kept
    found = dict(kept)
    components, noted = found.pop("components", None), found.pop("convertedProperties", None)
    if isinstance(components, list) and (
        own := [value for value in components if not (isinstance(value, list) and value and value[0] in (OF_CALENDAR, "vtimezone"))]
    ):
        found["components"] = own
    if isinstance(noted, dict) and (
        own_noted := {path: value for path, value in noted.items() if not path.startswith("recurrence")}
    ):
        found["convertedProperties"] = own_noted
    return found if found.keys() - {"@type", "name"} else None


def read_override(main: Object, instance: Object, lines: list[Line]) -> Patch:
    """Return the patch of a main object's instance for a component with RECURRENCE-ID."""
    base = base_of(main, instance["recurrenceId"])
    after = _without_zones(instance, main)
    for name, line_name in _LINES_OF.items():
        kept = (after.get("iCalendar") or {}).get("properties", [])
        others = [value for value in kept if value[0] != line_name.lower()]
        own = [jcal.from_line(line) for line in lines if line.name == line_name]
        if own and (base.get(name) != after.get(name) or len(others) < len(kept)):
            keep_in(after, "properties", own[0])
            after["iCalendar"]["properties"] = [*own, *others]
    for name in FIXED:
        base.pop(name, None)
        after.pop(name, None)
    patch = diff(base, after)
    for path in [path for path in patch if path.endswith("/calendarAddress")]:  # may not be patched: the participant is replaced
        names = split(path)
        if names[0] == "participants" and len(names) == 3:  # noqa: PLR2004
            patch = {other: value for other, value in patch.items() if split(other)[:2] != names[:2]}
            patch[join(*names[:2])] = after["participants"][names[1]]
    return patch


def _without_zones(instance: Object, main: Object) -> Object:
    """Return an instance without the VTIMEZONEs that its main object keeps."""
    kept, own = main.get("iCalendar"), instance.get("iCalendar")
    if not isinstance(own, dict) or "components" not in own:
        return dict(instance)
    zones = [value for value in as_object(kept).get("components", ()) if value[0] == "vtimezone"]
    components = [value for value in own["components"] if value not in zones]
    left = {name: value for name, value in {**own, "components": components}.items() if name != "components" or value}
    if left.keys() <= {"@type", "name"}:
        return {name: value for name, value in instance.items() if name != "iCalendar"}
    return {**instance, "iCalendar": left}


def keep_date(main: Object, at: str, series: Series) -> None:
    """Keep the RDATE or EXDATE of an occurrence with an override: the patch can express only one of the two."""
    patch = main["recurrenceOverrides"][at]
    name = "exdate" if patch.get("excluded") is True else "rdate"
    zone = series.clock.zone
    value: Any = at[:10] if series.clock.whole_days else f"{at}Z" if zone == UTC_ZONE else at
    kind = "date" if series.clock.whole_days else "date-time"
    if "duration" in patch and not series.clock.whole_days:
        value, kind = [value, patch["duration"]], "period"
    tzid = tzid_of(zone) if zone is not None and is_own(zone) else zone
    keep_in(main, "properties", [name, {"tzid": tzid} if tzid not in (None, UTC_ZONE) else {}, kind, value])


def instance_of(main: Object, at: str, patch: Patch) -> tuple[Object, Patch]:
    """Return the object of an override, and the part of its patch that does not apply."""
    allowed = {path: value for path, value in patch.items() if path and split(path)[0] not in FIXED}
    instance, failed = apply_fitting(base_of(main, at), allowed)
    if "" in patch:
        failed[""] = patch[""]  # in JSPTR the empty path is the whole object
    kept = instance.get("iCalendar")
    properties = kept.get("properties") if isinstance(kept, dict) else None
    names = (
        {str(value[0]).upper() for value in properties if isinstance(value, list) and value}
        if isinstance(properties, list)
        else set()
    )
    for name, line in _LINES_OF.items():
        if line in names:
            instance.pop(name, None)  # the line that is kept says it instead
    instance["recurrenceId"] = at
    return instance, failed


def write_recurrence(item: Object, writing: Writing, target: Target, form: Form) -> dict[str, Patch]:
    """Write rule and dates of a main object, and return the overrides that need a component."""
    clock = Clock(form.zone, form.kind == "date")
    rule = item.get("recurrenceRule")
    if rule is not None:
        _write_rule(rule, writing, target, clock)
    overrides = item.get("recurrenceOverrides")
    if not isinstance(overrides, dict):
        writing.leave("recurrenceOverrides", overrides)
        return {}
    instances: dict[str, Patch] = {}
    left: Object = {}
    for at in sorted(overrides):
        patch = overrides[at]
        path = join("recurrenceOverrides", at)
        if not isinstance(patch, dict) or not is_local(at):
            left[at] = patch
        elif patch.get("excluded") is True:
            writing.add("EXDATE", *form.write(at, target), path)
        elif not patch or patch == {"excluded": False}:
            writing.add("RDATE", *form.write(at, target), path)
        elif patch.keys() == {"duration"} and writing.noted(path, "rdate").get("valueType") == "period":
            value, params = form.write(at, target)
            if form.kind == "date":
                value, params = basic(at), {}
            writing.add("RDATE", f"{value}/{common_duration(patch['duration']) or 'PT0S'}", {**params, "VALUE": "PERIOD"}, path)
        elif instance_of(item, at, patch)[1] or (patch.get("start", at) is None and item.get("@type") == "Event"):
            left[at] = patch
        else:
            instances[at] = patch
    writing.leave_entries("recurrenceOverrides", left, len(overrides))
    return instances


def _write_rule(rule: Any, writing: Writing, target: Target, clock: Clock) -> None:  # noqa: ANN401  # a value of JSON
    known = {name: value for name, value in rule.items() if value is not None} if isinstance(rule, dict) else {}
    params = writing.noted_params("recurrenceRule", "RRULE")
    noted = "".join(params.pop(_UNTIL, [])[:1])
    until = known.get("until")
    reused = noted if noted and is_local(until) and read_until(noted, clock) == until else None
    text = write_rule(known, clock, reused)
    if text is None or not is_same(
        {**known, "until": read_until(reused or write_until(until, clock), clock)} if until else known, text, clock
    ):
        writing.leave("recurrenceRule", rule)
        return
    writing.add("RRULE", text, params)
    if until is not None:
        target.moments.append(until)
    else:
        target.endless = True
