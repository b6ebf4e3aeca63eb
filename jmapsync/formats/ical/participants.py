"""Convert ATTENDEE, ORGANIZER and PARTICIPANT to participants and back (draft-ietf-calext-jscalendar-icalendar, Participant)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from jmapsync.formats.contentline import escape, unescape
from jmapsync.formats.ical.fields import enum, lowered, write_uri
from jmapsync.formats.ical.kept import Reading, Writing, chosen, extra, free, hashed, is_id, leave_unknown, whole
from jmapsync.formats.ical.links import NAMES as LINKS
from jmapsync.formats.ical.links import names_of, read_link, write_links
from jmapsync.formats.ical.places import add_identity, is_made, keep_but_derived
from jmapsync.formats.ical.texts import read_descriptions, write_descriptions
from jmapsync.formats.objects import as_object
from jmapsync.formats.pointer import join

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.formats.contentline import Line
    from jmapsync.formats.ical.lines import Component
    from jmapsync.formats.objects import Object

ROLES: Final = [
    ("OWNER", "owner"),
    ("CHAIR", "chair"),
    ("REQ-PARTICIPANT", "required"),
    ("OPT-PARTICIPANT", "optional"),
    ("NON-PARTICIPANT", "informational"),
]
"""Roles by rank: a line has only one."""
_KINDS: Final = [("INDIVIDUAL", "individual"), ("GROUP", "group"), ("RESOURCE", "resource"), ("ROOM", "location")]
_STATUS: Final = lowered("NEEDS-ACTION ACCEPTED DECLINED TENTATIVE DELEGATED")
_PROGRESS: Final = lowered("COMPLETED IN-PROCESS FAILED")
read_role, write_role = enum(ROLES)
read_kind, write_kind = enum(_KINDS)
read_status, write_status = enum(_STATUS)
read_progress, write_progress = enum(_PROGRESS)
TEXTS: Final = {"CN": "name", "EMAIL": "email", "SENT-BY": "sentBy"}
"""Parameters that ATTENDEE and ORGANIZER share."""
SETS: Final = {"DELEGATED-FROM": "delegatedFrom", "DELEGATED-TO": "delegatedTo", "MEMBER": "memberOf"}


_BOOLEAN: Final = {"TRUE": True, "FALSE": False}
_LINE: Final = {"@type", "calendarAddress", "roles", *TEXTS.values()}
"""Properties that an ORGANIZER line expresses."""
_COMPONENT: Final = {"description", "descriptionContentType", "links", "percentComplete"}
"""Properties that only a PARTICIPANT component expresses."""
_ATTENDEE: Final = {"kind", "participationStatus", "progress", "expectReply", *SETS.values()}


def read_people(reading: Reading, attendees: list[Line], organizers: list[Line], components: list[Component]) -> None:
    """Convert lines and components to participants; those with one address are one participant."""
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
            person.setdefault(path, whole(line.params[name]))
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
            if person[TEXTS[name]] != whole(line.params[name]):
                params[name] = line.params[name]  # the two lines differ: this one is written as it was
        person.setdefault("roles", {})["owner"] = True
    if params:
        reading.note("organizerCalendarAddress", line.name, params)


def _read_component(component: Component, found: Object, by_address: dict[str, str]) -> None:
    reading = Reading("participant", "Participant")
    address: Line | None = None
    descriptions: dict[str, list[Line]] = {"DESCRIPTION": [], "STYLED-DESCRIPTION": []}
    for line in component.lines:
        if line.name == "CALENDAR-ADDRESS" and address is None and line.value.strip():
            address = line
        elif line.name == "SUMMARY" and "VALUE" not in line.params:
            reading.set("name", unescape(line.value), line)
        elif line.name in descriptions:
            descriptions[line.name].append(line)
        elif line.name in _OF_COMPONENT:
            _OF_COMPONENT[line.name](reading, line)
        elif line.name != "JSID":
            keep_but_derived(reading, line, component)
    read_descriptions(reading, *descriptions.values())
    for inner in component.components:
        reading.keep_component(inner)
    _add_component(reading, component, address, found, by_address)


def _read_percent(reading: Reading, line: Line) -> None:
    value = line.value.strip()
    valid = value.isascii() and value.isdecimal() and len(value) <= len("100")
    reading.set("percentComplete", int(value) if valid else None, line)


_OF_COMPONENT: Final[dict[str, Callable[[Reading, Line], None]]] = {
    **dict.fromkeys(LINKS, read_link),
    "PERCENT-COMPLETE": _read_percent,
    "JSPROP": Reading.set_later,
}
"""Readers of the lines of a PARTICIPANT component."""


def _add_component(reading: Reading, component: Component, address: Line | None, found: Object, by_address: dict[str, str]) -> None:
    """Add the participant of a component, or add it to the one with the same address."""
    always = not is_made(component)
    value = "" if address is None else address.value.strip()
    key = by_address.get(value.casefold()) if address is not None else None
    if key is not None:
        again = reading.finished(always=always)
        found[key] = again | found[key] | ({"iCalendar": again["iCalendar"]} if "iCalendar" in again else {})
        return
    key = _component_key(component, value, found)
    if address is not None:
        reading.item["calendarAddress"] = value
        reading.note("calendarAddress", "CALENDAR-ADDRESS", extra(address))
        by_address[value.casefold()] = key
    found[key] = reading.finished(always=always)


def _component_key(component: Component, address: str, taken: Object) -> str:
    for name in ("JSID", "UID") if not address else ("JSID",):
        line = component.first(name)
        if line is not None and is_id(unescape(line.value)):
            return free(unescape(line.value), taken)
    uid = component.first("UID")
    return free(hashed(address or (uid.value if uid else "")), taken)


def write_people(item: Object, writing: Writing, *, task: bool) -> None:
    """Write the participants, and the organizer."""
    people = item.get("participants")
    if people is None and item.get("organizerCalendarAddress") is None and item.get("sentBy") is None:
        return
    organizer = write_uri(item.get("organizerCalendarAddress"))
    if organizer is None:
        writing.leave("organizerCalendarAddress", item.get("organizerCalendarAddress"))
    entries = as_object(people)
    if people is not None and not isinstance(people, dict):
        writing.leave("participants", people)
    usable = {key: person for key, person in sorted(entries.items()) if isinstance(person, dict) and is_id(key)}
    owner = _owner(usable, organizer)
    if organizer is not None:
        _write_organizer(item, organizer, owner, usable, writing)
    elif item.get("sentBy") is not None:
        writing.leave("sentBy", item["sentBy"])
    for key, person in usable.items():
        _write_person(key, person, writing, is_owner=key == owner and _is_restored(person, usable, key), task=task)
    writing.leave_entries("participants", {key: person for key, person in entries.items() if key not in usable}, len(entries))


def _owner(people: Object, organizer: str | None) -> str | None:
    """Return the key of the participant who is the organizer."""
    if organizer is None:
        return None
    same = [key for key, person in people.items() if str(person.get("calendarAddress", "")).casefold() == organizer.casefold()]
    return same[0] if same else None


def _is_restored(person: Object, people: Object, key: str) -> bool:
    """Return whether a reader of the ORGANIZER line gives its participant the role of an owner."""
    if any(isinstance(person.get(path), str) for path in TEXTS.values()):
        return True
    return not any(
        "owner" in names_of(other.get("roles")) and "calendarAddress" in other for name, other in people.items() if name != key
    )


def _write_organizer(item: Object, organizer: str, owner: str | None, people: Object, writing: Writing) -> None:
    person = people.get(owner or "", {})
    params: dict[str, str | list[str]] = {name: person[path] for name, path in TEXTS.items() if isinstance(person.get(path), str)}
    sent_by = item.get("sentBy")
    if isinstance(sent_by, str):
        params["SENT-BY"] = sent_by
    elif sent_by is not None:
        writing.leave("sentBy", sent_by)
    noted = writing.noted_params("organizerCalendarAddress", "ORGANIZER")
    params |= {name: values for name, values in noted.items() if name in TEXTS}
    if owner is not None and owner != hashed(organizer) and _is_covered(person):
        params["JSID"] = owner
    writing.add("ORGANIZER", organizer, params, "organizerCalendarAddress")


def _is_covered(person: Object) -> bool:
    """Return whether the ORGANIZER line expresses a participant fully."""
    roles = person.get("roles", {"owner": True})
    return (
        person.keys() <= _LINE
        and roles in ({"owner": True}, {})
        and all(isinstance(person.get(path, ""), str) for path in TEXTS.values())
    )


def _write_person(key: str, person: Object, writing: Writing, *, is_owner: bool, task: bool) -> None:
    address = write_uri(person.get("calendarAddress"))
    path = join("participants", key, "calendarAddress")
    if is_owner and _is_covered(person) and not writing.noted(path, "attendee"):
        return
    kept = person.get("iCalendar")
    inner = Writing(kept, "participant")
    alone = address is None or bool(inner.noted("calendarAddress", "calendar-address"))
    if not alone and address is not None:
        params = _attendee_params(key, person, writing, is_owner=is_owner, task=task)
        component = kept is not None or any(person.get(name) is not None for name in _COMPONENT)
        if not component:
            leave_unknown(writing, person, _LINE | _ATTENDEE, "participants", key)
        if key != hashed(address) or writing.is_pointed(key):
            params["JSID"] = key
        writing.add("ATTENDEE", address, params, path)
        if not component:
            return
    known = {"@type", "iCalendar"}
    if address is not None:
        inner.add("CALENDAR-ADDRESS", address, None, "calendarAddress")
        known.add("calendarAddress")
    known |= _LINE | _ATTENDEE if not alone else set()
    if alone and isinstance(person.get("name"), str):
        inner.add("SUMMARY", escape(person["name"]), None, "name")
        known.add("name")
    percent = person.get("percentComplete")
    if isinstance(percent, int) and not isinstance(percent, bool) and 0 <= percent <= 100:  # noqa: PLR2004
        inner.add("PERCENT-COMPLETE", str(percent), None, "percentComplete")
        known.add("percentComplete")
    write_descriptions(person, inner)
    write_links(person, inner)
    leave_unknown(inner, person, known | {"description", "descriptionContentType", "links"})
    inner.add_kept()
    add_identity(inner, key, hashed(address) if address is not None else None, uid=kept is None)
    writing.nested.append(inner.finished("PARTICIPANT"))


def _attendee_params(key: str, person: Object, writing: Writing, *, is_owner: bool, task: bool) -> dict[str, str | list[str]]:
    params: dict[str, str | list[str]] = {}
    left: Object = {}
    for name, path in TEXTS.items():
        value = person.get(path)
        if isinstance(value, str):
            params[name] = value
        else:
            left[path] = value
    if (kind := person.get("kind")) is not None:
        text = write_kind(kind)
        if text is None:
            left["kind"] = kind
        else:
            params["CUTYPE"] = text
    _add_roles(key, person.get("roles"), params, writing, is_owner=is_owner)
    _add_status(person, params, left, task=task)
    if isinstance(reply := person.get("expectReply"), bool):
        params["RSVP"] = "TRUE" if reply else "FALSE"
    else:
        left["expectReply"] = reply
    for name, path in SETS.items():
        held: Any = person.get(path)
        if isinstance(held, dict) and held and all(address and answer is True for address, answer in held.items()):
            params[name] = sorted(held)
        elif held:
            left[path] = held
    for name, value in left.items():
        writing.leave(join("participants", key, name), value)
    return params


def _add_roles(key: str, roles: object, params: dict[str, str | list[str]], writing: Writing, *, is_owner: bool) -> None:
    if roles is None or roles == {}:
        return
    names = names_of(roles)
    if not names and is_owner and isinstance(roles, dict):  # the ORGANIZER line gives the reader roles that this adds to
        for name in roles.keys() - {"owner"}:
            writing.leave(join("participants", key, "roles", name), roles[name])
        return
    if not names:
        writing.leave(join("participants", key, "roles"), roles)
        return
    rest = [name for name in names if not (is_owner and name == "owner")]
    role = next((name for _, name in ROLES if name in rest), None)
    text = write_role(role)
    if text is not None:
        params["ROLE"] = text
        rest.remove(str(role))
    if text is None and rest and not is_owner:
        writing.leave(join("participants", key, "roles"), dict.fromkeys(rest, True))
        return
    for name in rest:
        writing.leave(join("participants", key, "roles", name), value=True)


def _add_status(person: Object, params: dict[str, str | list[str]], left: Object, *, task: bool) -> None:
    status, progress = person.get("participationStatus"), person.get("progress")
    if task and status == "accepted" and (text := write_progress(progress)) is not None:
        params["PARTSTAT"] = text
        return
    left["progress"] = progress
    text = write_status(status)
    if text is not None:
        params["PARTSTAT"] = text
    else:
        left["participationStatus"] = status
