"""A card, an event and a task as another client makes them."""

from __future__ import annotations

from typing import Any

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
