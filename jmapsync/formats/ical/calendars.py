"""Convert iCalendar files: VCALENDAR to Group and back, and files of one UID, as in a vdir, to objects and back.

Draft: draft-ietf-calext-jscalendar-icalendar, iCalendar Objects, Recurring Components, Group.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from jmapsync.formats.contentline import Line, escape, unescape
from jmapsync.formats.ical import jcal
from jmapsync.formats.ical.entries import TYPES, read_entry, write_entry
from jmapsync.formats.ical.fields import GROUP, by_name, is_local, read_field, write_fields
from jmapsync.formats.ical.futures import with_futures, without_futures
from jmapsync.formats.ical.kept import OF_CALENDAR, Reading, Writing, keep_in, leave_unknown
from jmapsync.formats.ical.lines import Component, join, parse
from jmapsync.formats.ical.links import NAMES as LINKS
from jmapsync.formats.ical.links import read_link, write_links
from jmapsync.formats.ical.moments import Form, Source, Target
from jmapsync.formats.ical.own_zones import is_equalled, resolved, tzid_of
from jmapsync.formats.ical.recurrence import instance_of, keep_date, read_override
from jmapsync.formats.ical.schedule import has_whole_days
from jmapsync.formats.ical.texts import read_concept, read_descriptions, read_words, write_descriptions, write_words
from jmapsync.formats.ical.zones import is_own
from jmapsync.formats.objects import MalformedError

if TYPE_CHECKING:
    from jmapsync.formats.ical.schedule import Series
    from jmapsync.formats.objects import Object

PRODID: Final = "-//jmapsync//jmapsync//EN"
"""The PRODID of an object without one; it is not converted when it is read."""
_VERSION: Final = "2.0"
_PLAIN: Final = {"VERSION": _VERSION, "CALSCALE": "GREGORIAN"}
"""Lines that only state defaults."""
_GROUP: Final = by_name(GROUP)
_GROUP_KNOWN: Final = {
    *[
        "@type",
        "version",
        "entries",
        "prodId",
        "locale",
        "description",
        "descriptionContentType",
        "keywords",
        "categories",
        "links",
        "iCalendar",
    ],
    *(field.path for field in GROUP),
}
_GROUP_LINES: Final = {"CATEGORIES": read_words, "CONCEPT": read_concept, "JSPROP": Reading.set_later}


def _calendar(data: bytes) -> Component:
    found = parse(data)
    if len(found) != 1 or found[0].name != "VCALENDAR":
        if not found:
            raise MalformedError("The file is empty.")
        raise MalformedError(
            "The file holds several calendars."
            if found[0].name == "VCALENDAR"
            else f"The file holds a {found[0].name} outside a VCALENDAR."
        )
    return found[0]


def _value(calendar: Component, name: str) -> str | None:
    line = calendar.first(name)
    return None if line is None or not line.value else unescape(line.value)


def _read_entries(calendar: Component, source: Source) -> list[Object]:
    """Return the objects of a calendar: main objects with their overrides, and instances without a main object."""
    components = [component for component in calendar.components if component.name in TYPES]
    source.start(components)
    common: Object = {}
    prodid, method = _value(calendar, "PRODID"), _value(calendar, "METHOD")
    if prodid is not None and prodid != PRODID:
        common["prodId"] = prodid
    if method is not None:
        common["method"] = method.lower()
    found: list[Object] = []
    written: dict[tuple[str, str], Component] = {}
    mains: dict[tuple[str, str], tuple[Object, Series, dict[str, Component]]] = {}
    for component in components:
        if component.first("RECURRENCE-ID") is None:
            item, series = read_entry(component, source)
            if _is_repeated(component, written.setdefault((component.name, item["uid"]), component)):
                continue
            mains[component.name, item["uid"]] = item, series, {}
            found.append(item)
    for component in components:
        if component.first("RECURRENCE-ID") is not None:
            uid = component.first("UID")
            main = mains.get((component.name, "" if uid is None else unescape(uid.value)))
            if main is None:
                found.append(read_entry(component, source)[0])
            else:
                _read_override(component, source, *main)
    for item in found:
        item.update(common)
    return [resolved(with_futures(item)) if source.has_own else with_futures(item) for item in found]


def _is_repeated(component: Component, first: Component) -> bool:
    """Return whether todoman 4.7 wrote a main component again in place of an override. Raise MalformedError if it is another."""
    if component is not first and not component.is_like(first):
        raise MalformedError("The file holds two versions of one object.")
    return component is not first


def _read_override(component: Component, source: Source, main: Object, series: Series, seen: dict[str, Component]) -> None:
    organizer = main.get("organizerCalendarAddress")
    if isinstance(organizer, str) and component.first("ORGANIZER") is None:
        component.lines.append(Line("ORGANIZER", organizer, {}))  # an override cannot take it away (jscalendarbis, 3.3.4)
    instance, _ = read_entry(component, source, series)
    if component.first("DTSTART") is None and "duration" not in instance and isinstance(main.get("duration"), str):
        instance["duration"] = main["duration"]  # Stalwart writes neither of them for an occurrence of the usual length
    at = instance.get("recurrenceId")
    if at is None:
        raise MalformedError("An instance of a series does not say which one it is.")
    if at in seen:
        raise MalformedError(f"The file holds two versions of the instance of {at}.")
    seen[at] = component
    patch = read_override(main, instance, component.lines)
    overrides = main.setdefault("recurrenceOverrides", {})
    if at in overrides:
        keep_date(main, at, series)
    overrides[at] = patch


def read_group(data: bytes) -> Object:
    """Return the Group of any iCalendar file. Raise MalformedError."""
    calendar = _calendar(data)
    reading = Reading("vcalendar", "Group")
    plain: list[Line] = []
    styled: list[Line] = []
    for line in calendar.lines:
        if line.name in _GROUP:
            read_field(_GROUP[line.name], reading, line)
        elif line.name in LINKS:
            read_link(reading, line)
        elif line.name in _GROUP_LINES:
            _GROUP_LINES[line.name](reading, line)
        elif line.name in ("DESCRIPTION", "STYLED-DESCRIPTION"):
            (plain if line.name == "DESCRIPTION" else styled).append(line)
        elif line.name == "PRODID" and line.value != PRODID:
            reading.set("prodId", unescape(line.value) or None, line)
        elif line.name not in ("PRODID", "METHOD") and _PLAIN.get(line.name) != line.value.upper():
            reading.keep(line)
    read_descriptions(reading, plain, styled)
    for component in calendar.components:
        if component.name not in TYPES and component.name != "VTIMEZONE":
            reading.keep_component(component)
    reading.item["version"] = _VERSION
    reading.item["entries"] = _read_entries(calendar, Source(calendar.components))
    return reading.finished()


def write_group(group: Object) -> bytes:
    """Return the iCalendar file of a Group. Raise MalformedError."""
    entries = group.get("entries")
    objects = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    writing = Writing(group.get("iCalendar"), "vcalendar")
    prodid = group.get("prodId") or next((entry["prodId"] for entry in objects if entry.get("prodId")), PRODID)
    writing.add("VERSION", _VERSION)
    writing.add("PRODID", escape(str(prodid)))
    method = next((entry["method"] for entry in objects if isinstance(entry.get("method"), str)), None)
    if method is not None:
        writing.add("METHOD", escape(method.upper()))
    write_fields(GROUP, group, writing)
    write_descriptions(group, writing)
    write_words(group, writing, one_line=False)
    write_links(group, writing)
    leave_unknown(writing, group, _GROUP_KNOWN)
    writing.add_kept({"VERSION"})
    target = Target(objects)
    inner = [line for entry in objects for line in _write_object(entry, target, one_line=False)]
    writing.nested[:0] = [target.vtimezones(), inner]
    return join(writing.finished("VCALENDAR"))


def read_calendar(data: bytes) -> list[Object]:
    """Return the objects of a file of one UID: the main object with its overrides, or instances without a main object, in order.

    The properties of the VCALENDAR are kept in the first object. Raise MalformedError.
    """
    calendar = _calendar(data)
    if _value(calendar, "VERSION") == "1.0":
        raise MalformedError("The file is in vCalendar 1.0, the format before iCalendar.")
    source = Source(calendar.components)
    found = _read_entries(calendar, source)
    if not found:
        names = sorted({component.name for component in calendar.components if component.name != "VTIMEZONE"})
        raise MalformedError(f"The file holds no event or task{', only ' + ', '.join(names) if names else ''}.")
    if len({item["uid"] for item in found}) > 1:
        raise MalformedError("The file holds objects of several uids.")
    if len({item["@type"] for item in found}) > 1:
        raise MalformedError("The file holds an event and a task of one uid.")
    found.sort(key=lambda item: (item.get("recurrenceId", ""), item.get("recurrenceIdTimeZone") or ""))
    if any(first.get("recurrenceId") == second.get("recurrenceId") for first, second in pairwise(found)):
        raise MalformedError("The file holds two versions of one instance.")
    lines = [
        line
        for line in calendar.lines
        if line.name not in ("PRODID", "METHOD") and line.value and _PLAIN.get(line.name) != line.value.upper()
    ]
    others = [component for component in calendar.components if component.name not in TYPES and component.name != "VTIMEZONE"]
    if lines or others:
        kept = [OF_CALENDAR, list(map(jcal.from_line, lines)), list(map(jcal.from_component, others))]
        keep_in(found[0], "components", kept)
    for item in found:
        item["version"] = _VERSION
    return found


def check_writable(item: Object) -> None:
    """Raise MalformedError for an object that is not an event or task, or an event without a start, which no reader accepts."""
    if item.get("@type") not in TYPES.values():
        raise MalformedError("Only events and tasks can be written.")
    if item["@type"] == "Event" and not is_local(item.get("start")):
        raise MalformedError("The event has no start.")


def zones_of_file(item: Object) -> list[str]:
    """Return the TZIDs of an object that no IANA zone equals over its span: its times are given in UTC, or in the nearest zone."""
    target = Target([item])
    if not target.keeps:
        return []
    target.begin(item)
    own = target.restored(item)
    zones = [own.get(name) for name in ("timeZone", "endTimeZone", "recurrenceIdTimeZone")]
    return sorted({tzid_of(zone) for zone in zones if is_own(zone) and not is_equalled(own, zone)})


def write_calendar(objects: list[Object]) -> bytes:
    """Return the file of the objects of one UID; equal objects give equal octets. Raise MalformedError."""
    if not objects:
        raise MalformedError("Only events and tasks can be written.")
    for item in objects:
        check_writable(item)
    if len(objects) > 1:
        if len({str(item.get("uid")) for item in objects}) > 1:
            raise MalformedError("The objects of one file must have one uid.")
        objects = sorted(objects, key=lambda item: str(item.get("recurrenceId") or ""))
    target = Target(objects)
    inner = [line for item in objects for line in _write_object(item, target, one_line=True)]
    prodid, method = objects[0].get("prodId"), objects[0].get("method")
    header = ["BEGIN:VCALENDAR", f"VERSION:{_VERSION}", f"PRODID:{escape(prodid) if isinstance(prodid, str) else PRODID}"]
    if isinstance(method, str) and method:
        header.append(f"METHOD:{escape(method.upper())}")
    more: list[str] = []
    components: list[str] = []
    for kept in (value for item in objects for value in _kept_calendars(item)):
        lines = list(jcal.to_lines([kept[0], kept[1], []]))[1:-1]
        more.extend(line for line in lines if re.split("[:;]", line, maxsplit=1)[0] not in ("VERSION", "PRODID", "METHOD"))
        components.extend(line for value in kept[2] for line in jcal.to_lines(value))
    return join([*header, *more, *target.vtimezones(), *inner, *components, "END:VCALENDAR"])


def _kept_calendars(item: Object) -> list[Any]:
    kept = item.get("iCalendar")
    components = kept.get("components") if isinstance(kept, dict) else None
    return [
        value
        for value in (components if isinstance(components, list) else ())
        if isinstance(value, list)
        and len(value) == 3  # noqa: PLR2004  # RFC 7265, 3.2
        and value[0] == OF_CALENDAR
        and isinstance(value[1], list)
        and isinstance(value[2], list)
    ]


def _write_object(item: Object, target: Target, *, one_line: bool) -> list[str]:
    """Return the lines of an object: its component, then those of its overrides in order."""
    if target.keeps:
        target.begin(item)
        item = target.restored(item)
    item = without_futures(item)
    overrides = item.get("recurrenceOverrides")
    keys = [at for at in overrides if is_local(at)] if isinstance(overrides, dict) else []
    dates = Form("date", None, None)
    lines, form, patches = write_entry(item, target, dates=dates if has_whole_days(item, keys) else None, one_line=one_line)
    for at, patch in patches.items():
        instance, _ = instance_of(item, at, patch)
        if target.keeps and (patch.get("timeZone") or patch.get("endTimeZone")):
            instance = target.restored(instance)
        own = {name: value for name, value in instance.items() if name != "recurrenceId"}  # which is written as the series begins
        whole = dates if has_whole_days(own, [at] if form.kind == "date" else []) else None
        lines.extend(write_entry(instance, target, dates=whole, recurrence_id=form, one_line=one_line)[0])
    return lines
