"""Convert VEVENT to Event and VTODO to Task, and back (draft-ietf-calext-jscalendar-icalendar, VEVENT, VTODO, Event and Task)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jmapsync.formats.contentline import escape, unescape, write_params
from jmapsync.formats.ical import jcal
from jmapsync.formats.ical.alerts import read_alerts, read_relation, write_alerts, write_relations
from jmapsync.formats.ical.fields import EVENT, MIDNIGHT, TASK, by_name, is_local, read_field, to_local, write_fields
from jmapsync.formats.ical.kept import Reading, Writing, leave_unknown
from jmapsync.formats.ical.links import NAMES as LINKS
from jmapsync.formats.ical.links import read_link, write_links
from jmapsync.formats.ical.moments import Form, form_of
from jmapsync.formats.ical.participants import read_people, write_people
from jmapsync.formats.ical.places import read_conference, read_places, write_conferences, write_places
from jmapsync.formats.ical.recurrence import read_recurrence, write_recurrence
from jmapsync.formats.ical.schedule import NAMES as TIMES
from jmapsync.formats.ical.schedule import read_schedule, write_schedule
from jmapsync.formats.ical.texts import read_concept, read_descriptions, read_words, write_descriptions, write_words
from jmapsync.formats.objects import MalformedError

if TYPE_CHECKING:
    from jmapsync.formats.contentline import Line
    from jmapsync.formats.ical.lines import Component
    from jmapsync.formats.ical.moments import Source, Target
    from jmapsync.formats.ical.schedule import Series, Times
    from jmapsync.formats.objects import Object, Patch

TYPES: Final = {"VEVENT": "Event", "VTODO": "Task"}
_FIELDS: Final = {"VEVENT": EVENT, "VTODO": TASK}
_BY_NAME: Final = {name: by_name(fields) for name, fields in _FIELDS.items()}
_GATHERED: Final = frozenset({"ATTENDEE", "ORGANIZER", "LOCATION", "GEO", "DESCRIPTION", "STYLED-DESCRIPTION"})
_LINES: Final = {
    **dict.fromkeys(LINKS, read_link),
    "CATEGORIES": read_words,
    "CONCEPT": read_concept,
    "CONFERENCE": read_conference,
    "RELATED-TO": read_relation,
    "JSPROP": Reading.set_later,
}
_COMPONENTS: Final = frozenset({"VALARM", "PARTICIPANT", "VLOCATION"})
NO_STAMP: Final = "1970-01-01T00:00:00Z"
"""The DTSTAMP of an object without `updated`: equal objects give equal octets."""
_KNOWN: Final = frozenset(
    [
        "@type",
        "uid",
        "version",
        "method",
        "prodId",
        "iCalendar",
        "start",
        "due",
        "duration",
        "endTimeZone",
        "timeZone",
        "showWithoutTime",
        "recurrenceId",
        "recurrenceIdTimeZone",
        "recurrenceRule",
        "recurrenceOverrides",
        "description",
        "descriptionContentType",
        "keywords",
        "categories",
        "locations",
        "mainLocationId",
        "virtualLocations",
        "links",
        "relatedTo",
        "participants",
        "organizerCalendarAddress",
        "sentBy",
        "alerts",
        "locale",
    ]
)
_ALL_KNOWN: Final = {name: _KNOWN | {field.path for field in fields} for name, fields in _FIELDS.items()}


def read_entry(  # noqa: C901  # a step a group of properties
    component: Component, source: Source, series: Series | None = None
) -> tuple[Object, Series]:
    """Return the object of a VEVENT or VTODO, and the form of its times; `series` is that of its main component."""
    reading = Reading(component.name, TYPES[component.name])
    source.begin(component)
    fields = _BY_NAME[component.name]
    times: Times = {}
    gathered: dict[str, list[Line]] = {}
    for line in component.lines:
        name = line.name
        if name in TIMES:
            times.setdefault(name, []).append(line)
        elif name in fields:
            read_field(fields[name], reading, line)
        elif name in _GATHERED:
            gathered.setdefault(name, []).append(line)
        elif name in _LINES:
            _LINES[name](reading, line)
        elif name != "UID":
            reading.keep(line)
        elif "uid" not in reading.item and unescape(line.value).strip():
            reading.set("uid", unescape(line.value), line)
    if "uid" not in reading.item:
        raise MalformedError(f"The {TYPES[component.name].lower()} has no UID.")
    own = read_schedule(reading, times, source, series)
    alone = series is not None or "recurrenceId" in reading.item
    read_recurrence(reading, times, source, None if alone else own)
    _read_done(reading, component)
    read_descriptions(reading, gathered.get("DESCRIPTION", []), gathered.get("STYLED-DESCRIPTION", []))
    inner: dict[str, list[Component]] = {}
    for nested in component.components:
        if nested.name in _COMPONENTS:
            inner.setdefault(nested.name, []).append(nested)
        else:
            reading.keep_component(nested)
    read_places(reading, gathered.get("LOCATION", []), gathered.get("GEO", []), inner.get("VLOCATION", []))
    read_people(reading, gathered.get("ATTENDEE", []), gathered.get("ORGANIZER", []), inner.get("PARTICIPANT", []))
    read_alerts(reading, inner.get("VALARM", []))
    source.keep_all(reading)
    if reading.item.get("updated") == NO_STAMP:
        del reading.item["updated"]
    return reading.finished(), own


def _read_done(reading: Reading, component: Component) -> None:
    """Set the status of a task that has a completion time but no status; else record the status beside that time."""
    if component.name == "VTODO" and "progress" not in reading.item and component.first("STATUS") is None:
        done = component.first("COMPLETED")
        if done is not None:
            reading.item["progress"] = "completed"
            if to_local(done.value) is not None and jcal.from_line(done)[2] != "unknown":  # else only STATUS can say it
                reading.note("progress", done.name)
    elif component.name == "VTODO" and component.first("COMPLETED") is not None and not reading.is_noted("progress"):
        reading.note("progress", "COMPLETED", kind=str(reading.item.get("progress")))


def write_entry(
    item: Object, target: Target, *, dates: Form | None, recurrence_id: Form | None = None, one_line: bool = True
) -> tuple[list[str], Form, dict[str, Patch]]:
    """Return the lines of an object, the form of its start, and the overrides that need components.

    `dates` is the form of its times if all are dates; `recurrence_id`, for an override, is the form of the main object's start.
    """
    name = "VTODO" if item.get("@type") == "Task" else "VEVENT"
    uid = item.get("uid")
    if not isinstance(uid, str) or not uid.strip():  # a blank one is read as none
        raise MalformedError("The object has no uid.")
    writing = Writing(item.get("iCalendar"), name)
    writing.lines.append(f"UID{write_params(writing.noted_params('uid', 'UID'))}:{escape(uid)}")
    if item.get("updated") is None and not writing.noted_kept("dtstamp"):
        writing.lines.append("DTSTAMP:19700101T000000Z")
    writing.written.add("UID")
    form = write_schedule(item, writing, target, dates)
    _write_recurrence_id(item, writing, target, form, recurrence_id)
    overrides = {} if recurrence_id is not None else _write_series(item, writing, target, form)
    left_out = _write_fields(name, item, writing)
    write_descriptions(item, writing)
    write_words(item, writing, one_line=one_line)
    write_places(item, writing)
    write_conferences(item, writing)
    write_links(item, writing)
    write_relations(item, writing)
    write_people(item, writing, task=name == "VTODO")
    title = item.get("title")
    write_alerts(item, writing, title if isinstance(title, str) else "")
    leave_unknown(writing, item, _ALL_KNOWN[name])
    writing.add_kept(left_out)
    for tzid in sorted(writing.tzids):
        target.use(tzid)
    return writing.finished(name), form, overrides


def _write_fields(name: str, item: Object, writing: Writing) -> set[str]:
    """Write the lines of the table; return which kept lines are stale."""
    progress = item.get("progress")
    if (
        name == "VTODO"
        and progress == "completed"
        and writing.noted("progress", "completed")
        and "valueType" not in writing.noted("progress", "completed")
        and writing.noted_kept("completed")
    ):
        item = {path: value for path, value in item.items() if path != "progress"}
    write_fields(_FIELDS[name], item, writing)
    unchanged = progress in (None, "completed") or writing.noted("progress", "completed").get("valueType") == progress
    return {"COMPLETED"} if name == "VTODO" and not unchanged else set()


def _write_series(item: Object, writing: Writing, target: Target, form: Form) -> dict[str, Patch]:
    if item.get("recurrenceId") is None:
        return write_recurrence(item, writing, target, form)
    for name in ("recurrenceRule", "recurrenceOverrides"):  # an instance has none: lines would make a series of it
        writing.leave(name, item.get(name))
    return {}


def _write_recurrence_id(item: Object, writing: Writing, target: Target, form: Form, main: Form | None) -> None:
    local, zone = item.get("recurrenceId"), item.get("recurrenceIdTimeZone")
    if local is None:
        writing.leave("recurrenceIdTimeZone", zone)
        return
    if not is_local(local):
        writing.leave("recurrenceId", local)
        return
    noted = writing.noted("recurrenceId", "recurrence-id")
    if main is not None:
        shape = main
    elif (form.kind == "date" or noted.get("valueType") == "date") and local.endswith(MIDNIGHT) and zone is None:
        shape = Form("date", None, None)
    else:
        if zone is not None and not target.is_zone(zone):
            writing.leave("recurrenceIdTimeZone", zone)
            zone = None
        shape = form_of(zone, writing, "recurrenceId", ("recurrence-id",), target)
    writing.add("RECURRENCE-ID", *shape.write(local, target), "recurrenceId")
