r"""Convert between the files and the JSON objects of contacts and calendars, and name and flag Maildir files.

The functions here are a documented interface for other programs; everything else may change. They are pure: the same input gives
the same output. Input may be hostile: it is bounded in size and nesting, and raises MalformedError if it cannot be converted.

>>> card = vcard_to_jscontact(b"BEGIN:VCARD\nVERSION:4.0\nUID:1\nFN:Ann\nEMAIL:ann@example.com\nEND:VCARD\n")
>>> card["name"], card["emails"]
({'full': 'Ann'}, {'EMAIL-1': {'address': 'ann@example.com'}})
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.formats.objects import MalformedError, Object

if TYPE_CHECKING:
    from jmapsync.formats.vcard import Version

__all__ = ["MalformedError", "Object", "ical_to_jscalendar", "jscalendar_to_ical", "jscontact_to_vcard", "vcard_to_jscontact"]


def vcard_to_jscontact(data: bytes) -> Object:
    """Return the JSContact Card (RFC 9553) of a vCard 2.1, 3.0 or 4.0 (RFC 9555). Raise MalformedError.

    The file must have exactly one vCard. One that is malformed is read with vobject, and lines that it cannot read either are kept
    as `x-jmapsync-unparsed`. A card without UID gets one that is derived from its content.
    """
    from jmapsync.formats.checks import check_file, check_object  # noqa: PLC0415 # 30 ms for those who convert nothing
    from jmapsync.formats.vcard import read_card  # noqa: PLC0415

    check_file(data)
    try:
        card = read_card(data)
    except MalformedError as refused:
        from jmapsync.formats.vcard.second_reader import read_with_vobject  # noqa: PLC0415 # seldom needed

        card = read_with_vobject(data, refused)
    check_object(card)
    return card


def jscontact_to_vcard(card: Object, version: Version = "4.0") -> bytes:
    """Return the vCard (RFC 6350, or RFC 2426 for version "3.0") of a JSContact Card. Raise MalformedError.

    Version 4.0 keeps everything; properties without a counterpart become JSPROP lines (RFC 9555, 3.2.1). What 3.0 loses is listed
    in `jmapsync.formats.vcard`. Lines end with CRLF and are folded at 75 octets.

    >>> jscontact_to_vcard({"@type": "Card", "version": "1.0", "uid": "1", "name": {"full": "Ann"}}).splitlines()
    [b'BEGIN:VCARD', b'VERSION:4.0', b'UID;VALUE=text:1', b'FN:Ann', b'END:VCARD']
    """
    from jmapsync.formats.checks import check_object  # noqa: PLC0415 # as above
    from jmapsync.formats.vcard import write_card  # noqa: PLC0415

    check_object(card)
    return write_card(card, version)


def ical_to_jscalendar(data: bytes) -> Object:
    r"""Return the JSCalendar 2.0 Group of an iCalendar file (draft-ietf-calext-jscalendar-icalendar). Raise MalformedError.

    Its `entries` are the Events and Tasks, each with its overrides. Lines and components without a counterpart are in the
    `iCalendar` property of the object. `VTIMEZONE` components become IANA names if their rules are those of an IANA zone.

    >>> event = b"BEGIN:VEVENT\nUID:1\nDTSTAMP:20260101T000000Z\nDTSTART;VALUE=DATE:20260105\nSUMMARY:Fair\nEND:VEVENT\n"
    >>> group = ical_to_jscalendar(b"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n" + event + b"END:VCALENDAR\n")
    >>> [(entry["title"], entry["start"], entry["duration"]) for entry in group["entries"]]
    [('Fair', '2026-01-05T00:00:00', 'P1D')]
    """
    from jmapsync.formats.checks import check_file, check_object  # noqa: PLC0415 # as above
    from jmapsync.formats.ical import read_group  # noqa: PLC0415

    check_file(data)
    group = read_group(data)
    for entry in group["entries"]:
        check_object(entry)
    return group


def jscalendar_to_ical(item: Object) -> bytes:
    """Return the iCalendar file of a JSCalendar Group, or of a single Event or Task. Raise MalformedError.

    Objects of JSCalendar 1.0 (RFC 8984) are converted to 2.0 first. Properties without a counterpart become JSPROP lines; VTIMEZONE
    components are added for all zones in use.

    >>> event = {"@type": "Event", "uid": "1", "title": "Lunch", "start": "2026-01-05T12:00:00", "duration": "PT1H"}
    >>> [line for line in jscalendar_to_ical(event).splitlines() if line.startswith((b"DTSTART", b"DURATION"))]
    [b'DTSTART:20260105T120000', b'DURATION:PT1H']
    """
    from jmapsync.formats.checks import check_object  # noqa: PLC0415 # as above
    from jmapsync.formats.ical import check_writable, write_calendar, write_group  # noqa: PLC0415
    from jmapsync.formats.jscalendar1 import from_v1, is_v1  # noqa: PLC0415 # as above

    if is_v1(item):
        check_object(item)
        item = from_v1(item)
    entries = item.get("entries") if item.get("@type") == "Group" else [item]
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise MalformedError("The entries of the group must be an array of objects.")
    for entry in entries:
        check_object(entry)
        check_writable(entry)
    return write_group(item) if item.get("@type") == "Group" else write_calendar([item])
