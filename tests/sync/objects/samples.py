"""A card, an event and a task as another client makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kit.object_mirror import ObjectMirror

ADA: dict[str, Any] = {
    "uid": "ada",
    "name": {"components": [{"kind": "given", "value": "Ada"}, {"kind": "surname", "value": "Lovelace"}], "full": "Ada Lovelace"},
    "emails": {"e1": {"address": "ada@example.com", "contexts": {"work": True}, "pref": 7}},
    "phones": {"p1": {"number": "+44 1"}, "p2": {"number": "+44 2"}},
    "notes": {"n1": {"note": "first"}},
    "speakToAs": {"grammaticalGender": "feminine"},
    "vendor.example:x": {"kept": True},
}
WEEKLY: dict[str, Any] = {
    "@type": "Event",
    "uid": "weekly",
    "title": "Weekly",
    "description": "As ever",
    "start": "2026-12-07T10:00:00",
    "timeZone": "Europe/Berlin",
    "duration": "PT1H",
    "recurrenceRule": {"frequency": "weekly", "count": 4},
    "recurrenceOverrides": {"2026-12-14T10:00:00": {"title": "Moved"}, "2026-12-21T10:00:00": {"excluded": True}},
    "participants": {
        "me": {"calendarAddress": "mailto:demo@example.com", "roles": {"owner": True, "attendee": True}},
        "bob": {"calendarAddress": "mailto:bob@example.com", "roles": {"attendee": True}},
    },
}
PROOFS: dict[str, Any] = {
    "@type": "Task",
    "uid": "proofs",
    "title": "Read proofs",
    "due": "2026-12-01T17:00:00",
    "timeZone": "Europe/Berlin",
}

MONDAY, TUESDAY, FRIDAY = (f"202612{day:02}T100000" for day in (7, 8, 11))


def card(uid: str, *lines: str) -> bytes:
    """Return the file of a new card."""
    return "\r\n".join(["BEGIN:VCARD", "VERSION:3.0", f"UID:{uid}", f"FN:{uid}", f"N:{uid};;;;", *lines, "END:VCARD", ""]).encode()


def event(uid: str, *lines: str) -> bytes:
    """Return the file of a new event."""
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//test//EN", "BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20260101T000000Z"]
    body = [
        "DTSTART;TZID=Europe/Berlin:20261201T100000",
        "DURATION:PT1H",
        f"SUMMARY:{uid}",
        *lines,
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]
    return "\r\n".join([*head, *body]).encode()


def component(moment: str, title: str) -> str:
    """Return one instance of a series that is not here; `drop` puts the uid in."""
    lines = [
        "BEGIN:VEVENT",
        "UID:{uid}",
        "DTSTAMP:20260101T000000Z",
        f"RECURRENCE-ID;TZID=Europe/Berlin:{moment}",
        f"DTSTART;TZID=Europe/Berlin:{moment}",
        "DURATION:PT1H",
        f"SUMMARY:{title}",
        "END:VEVENT",
        "",
    ]
    return "\r\n".join(lines)


def drop(desk: ObjectMirror, *components: str, uid: str = "lone") -> Path:
    """Put a file of instances into the first calendar, as a mail program does with an invitation."""
    file = desk.file("calendars", "weekly").parent / f"{uid}.ics"
    inner = "".join(components).replace("{uid}", uid)
    file.write_text(f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\n{inner}END:VCALENDAR\r\n", newline="")
    return file
