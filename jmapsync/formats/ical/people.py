"""Read ATTENDEE, ORGANIZER and PARTICIPANT as participants (draft-ietf-calext-jscalendar-icalendar, Participant)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jmapsync.formats.ical.fields import write_uri
from jmapsync.formats.ical.kept import Reading, extra
from jmapsync.formats.ical.keys import chosen, free, hashed, is_id
from jmapsync.formats.ical.lines import unescape
from jmapsync.formats.ical.links import NAMES as LINKS
from jmapsync.formats.ical.links import read_link
from jmapsync.formats.ical.places import is_made, keep_but_derived
from jmapsync.formats.ical.pointers import join
from jmapsync.formats.ical.roles import SETS, TEXTS, read_kind, read_progress, read_role, read_status
from jmapsync.formats.ical.texts import read_descriptions

if TYPE_CHECKING:
    from jmapsync.formats.codec import Object
    from jmapsync.formats.ical.lines import Component, Line

_BOOLEAN: Final = {"TRUE": True, "FALSE": False}


def read_people(reading: Reading, attendees: list[Line], organizers: list[Line], components: list[Component]) -> None:
    """Convert the lines and components that say who; those of one address are one participant."""
    if not (attendees or organizers or components):
        return
    found: Object = {}
    by_address: dict[str, str] = {}
    for line in attendees:
        address = line.value.strip()
        if write_uri(address) is None or address.casefold() in by_address:  # none, or one that no line of ours could hold
            reading.keep(line)
            continue
        key = chosen(line.params, address, found)
        by_address[address.casefold()] = key
        found[key] = _read_attendee(reading, line, key, address)
    for number, line in enumerate(organizers):
        if number or not line.value.strip():
            reading.keep(line)
        else:
            _read_organizer(reading, line, found, by_address)
    for component in components:
        _read_component(component, found, by_address)
    if found:
        reading.item["participants"] = found


def _read_attendee(reading: Reading, line: Line, key: str, address: str) -> Object:
    person: Object = {"@type": "Participant", "calendarAddress": address}
    known = _read_texts(person, line)
    params = line.params
    for name, path in SETS.items():
        if values := [value for value in params.get(name, ()) if value]:
            person[path] = dict.fromkeys(values, True)
            known.add(name)
    for name, path, read in (("ROLE", "roles", read_role), ("CUTYPE", "kind", read_kind), ("RSVP", "expectReply", _BOOLEAN.get)):
        value = read(params[name][0].upper()) if name in params else None
        if value is not None:
            person[path] = {str(value): True} if path == "roles" else value
            known.add(name)
    if "PARTSTAT" in params:
        status, progress = read_status(params["PARTSTAT"][0]), read_progress(params["PARTSTAT"][0])
        if status is not None:
            person["participationStatus"] = status
            known.add("PARTSTAT")
        elif progress is not None and reading.name == "VTODO":
            person |= {"participationStatus": "accepted", "progress": progress}
            known.add("PARTSTAT")
    reading.note_extra(join("participants", key, "calendarAddress"), line, known)
    return person


def _read_texts(person: Object, line: Line) -> set[str]:
    known = set()
    for name, path in TEXTS.items():
        if name in line.params:
            person.setdefault(path, line.params[name][0])
            known.add(name)
    return known


def _read_organizer(reading: Reading, line: Line, found: Object, by_address: dict[str, str]) -> None:
    address = line.value.strip()
    reading.item["organizerCalendarAddress"] = address
    params = extra(line, TEXTS)
    key = by_address.get(address.casefold())
    if "SENT-BY" in line.params:
        reading.item["sentBy"] = line.params["SENT-BY"][0]
    says_who = any(name in line.params for name in TEXTS)
    if says_who or not any(person.get("roles", {}).get("owner") for person in found.values()):
        if key is None:
            key = chosen(line.params, address, found)
            by_address[address.casefold()] = key
            found[key] = {"@type": "Participant", "calendarAddress": address}
        person = found[key]
        for name in _read_texts(person, line):
            if person[TEXTS[name]] != line.params[name][0]:
                params[name] = line.params[name]  # the two lines differ: this one is written as it was
        person.setdefault("roles", {})["owner"] = True
    if params:
        reading.note("organizerCalendarAddress", line.name, params)


def _read_component(  # noqa: C901  # a branch a property
    component: Component, found: Object, by_address: dict[str, str]
) -> None:
    reading = Reading("participant", "Participant")
    item = reading.item
    address: Line | None = None
    plain: list[Line] = []
    styled: list[Line] = []
    for line in component.lines:
        if line.name == "CALENDAR-ADDRESS" and address is None and line.value.strip():
            address = line
        elif line.name == "SUMMARY" and "VALUE" not in line.params:
            reading.set("name", unescape(line.value), line)
        elif line.name in LINKS:
            read_link(reading, line)
        elif line.name == "PERCENT-COMPLETE":
            value = line.value.strip()
            reading.set("percentComplete", int(value) if value.isascii() and value.isdecimal() and len(value) < 4 else None, line)  # noqa: PLR2004
        elif line.name == "DESCRIPTION":
            plain.append(line)
        elif line.name == "STYLED-DESCRIPTION":
            styled.append(line)
        elif line.name == "JSPROP":
            reading.set_later(line)
        elif line.name != "JSID":
            keep_but_derived(reading, line, component)
    read_descriptions(reading, plain, styled)
    for inner in component.components:
        reading.keep_component(inner)
    made = is_made(component)
    if address is None:
        found[_component_key(component, "", found)] = reading.finished(always=not made)
        return
    value = address.value.strip()
    key = by_address.get(value.casefold())
    if key is None:
        item["calendarAddress"] = value
        reading.note("calendarAddress", "CALENDAR-ADDRESS", extra(address))
        key = _component_key(component, value, found)
        by_address[value.casefold()] = key
        found[key] = reading.finished(always=not made)
        return
    person = found[key]
    again = reading.finished(always=not made)
    found[key] = again | person | ({"iCalendar": again["iCalendar"]} if "iCalendar" in again else {})


def _component_key(component: Component, address: str, taken: Object) -> str:
    for name in ("JSID", "UID") if not address else ("JSID",):
        line = component.first(name)
        if line is not None and is_id(unescape(line.value)):
            return free(unescape(line.value), taken)
    uid = component.first("UID")
    return free(hashed(address or (uid.value if uid else "")), taken)
