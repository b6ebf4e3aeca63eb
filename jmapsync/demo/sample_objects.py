"""Give the sample account contacts, events and tasks: one of each that files find hard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.demo.models import CALENDAR_MODEL, CONTACT_MODEL, is_offered

if TYPE_CHECKING:
    from jmapsync.demo.account import Account
    from jmapsync.demo.problems import JsonObject

_ZONE = "Europe/London"
_DEMO = "demo@example.com"
_PICTURE = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
_CARDS: tuple[JsonObject, ...] = (
    {
        "uid": "urn:uuid:6c6f7665-6c61-4ce0-8000-000000001815",
        "name": {
            "components": [{"kind": "given", "value": "Ada"}, {"kind": "surname", "value": "Lovelace"}],
            "full": "Ada Lovelace",
            "isOrdered": True,
        },
        "nicknames": {"n1": {"name": "Enchantress of Number"}},
        "emails": {
            "e1": {"address": "ada@example.org", "contexts": {"private": True}, "pref": 1},
            "e2": {"address": "lovelace@engine.example", "contexts": {"work": True}},
        },
        "phones": {"p1": {"number": "tel:+44-20-7946-0991", "features": {"mobile": True, "voice": True}}},
        "addresses": {
            "a1": {
                "components": [
                    {"kind": "number", "value": "12"},
                    {"kind": "name", "value": "St James's Square"},
                    {"kind": "locality", "value": "London"},
                    {"kind": "country", "value": "United Kingdom"},
                ],
                "countryCode": "GB",
                "isOrdered": True,
            }
        },
        "anniversaries": {"b": {"kind": "birth", "date": {"@type": "PartialDate", "year": 1815, "month": 12, "day": 10}}},
        "media": {"photo": {"kind": "photo", "uri": _PICTURE, "mediaType": "image/png"}},
        "keywords": {"engine": True, "mathematics": True},
        "vCardProps": [["x-favourite-card", {}, "unknown", "Jacquard"]],
    },
    {
        "uid": "urn:uuid:6c6f7665-6c61-4ce0-8000-000000001791",
        "name": {
            "components": [{"kind": "given", "value": "Charles"}, {"kind": "surname", "value": "Babbage"}],
            "full": "Charles Babbage",
        },
        "organizations": {"o1": {"name": "Analytical Engine Works", "units": [{"name": "Mill"}, {"name": "Store"}]}},
        "titles": {"t1": {"kind": "title", "name": "Engineer"}},
        "emails": {"e1": {"address": "charles@example.org"}},
        "anniversaries": {"b": {"kind": "birth", "date": {"@type": "PartialDate", "month": 12, "day": 26}}},
        "notes": {"n1": {"note": "Dislikes barrel organs;\nwrites long letters, with commas."}},
    },
    {
        "uid": "urn:uuid:6c6f7665-6c61-4ce0-8000-000000001906",
        "name": {
            "components": [
                {"kind": "title", "value": "Rear Admiral"},
                {"kind": "given", "value": "Grace"},
                {"kind": "given2", "value": "Brewster"},
                {"kind": "surname", "value": "Hopper"},
            ],
            "full": "Rear Admiral Grace Hopper",
        },
        "emails": {"e1": {"address": "grace@example.org", "label": "the relay room"}},
        "links": {"l1": {"uri": "https://example.org/moth"}},
    },
    {
        "uid": "urn:uuid:6c6f7665-6c61-4ce0-8000-00000000c0de",
        "kind": "org",
        "name": {"full": "Bank of Example"},
        "phones": {"p1": {"number": "+44 20 7946 0000", "contexts": {"work": True}}},
    },
    {
        "uid": "urn:uuid:6c6f7665-6c61-4ce0-8000-0000000060e5",
        "kind": "group",
        "name": {"full": "Engine builders"},
        "members": {
            "urn:uuid:6c6f7665-6c61-4ce0-8000-000000001815": True,
            "urn:uuid:6c6f7665-6c61-4ce0-8000-000000001791": True,
        },
    },
)
_EVENTS: tuple[JsonObject, ...] = (
    {
        "uid": "tea@example.com",
        "title": "Tea with Charles",
        "start": "2026-11-04T16:00:00",
        "timeZone": _ZONE,
        "duration": "PT1H",
        "locations": {"l1": {"@type": "Location", "name": "Dorset Street 1"}},
        "recurrenceRule": {"@type": "RecurrenceRule", "frequency": "weekly", "count": 8},
        "recurrenceOverrides": {
            "2026-11-18T16:00:00": {"start": "2026-11-18T17:30:00", "title": "Late tea with Charles"},
            "2026-12-02T16:00:00": {"excluded": True},
        },
        "alerts": {"a1": {"@type": "Alert", "trigger": {"@type": "OffsetTrigger", "offset": "-PT15M"}, "action": "display"}},
    },
    {
        "uid": "birthday@example.com",
        "title": "Ada's birthday",
        "start": "2026-12-10T00:00:00",
        "showWithoutTime": True,
        "duration": "P1D",
        "freeBusyStatus": "free",
        "recurrenceRule": {"@type": "RecurrenceRule", "frequency": "yearly"},
    },
    {
        "uid": "review@example.com",
        "title": "Review of note G",
        "description": "Bring the table of Bernoulli numbers.\nAda presents.",
        "start": "2026-11-12T10:00:00",
        "timeZone": _ZONE,
        "duration": "PT2H",
        "status": "tentative",
        "keywords": {"engine": True},
        "participants": {
            "demo": {"@type": "Participant", "name": "Demo", "address": _DEMO, "roles": {"owner": True, "attendee": True}},
            "ada": {
                "@type": "Participant",
                "name": "Ada Lovelace",
                "address": "ada@example.org",
                "roles": {"attendee": True},
                "participationStatus": "accepted",
            },
        },
    },
    {
        "uid": "lecture@example.org",
        "title": "Lecture: how long is a nanosecond?",
        "start": "2026-11-20T19:00:00",
        "timeZone": "America/New_York",
        "duration": "PT1H30M",
        "organizer": "grace@example.org",
        "participants": {
            "grace": {"@type": "Participant", "name": "Grace Hopper", "address": "grace@example.org", "roles": {"owner": True}},
            "demo": {
                "@type": "Participant",
                "name": "Demo",
                "address": _DEMO,
                "roles": {"attendee": True},
                "participationStatus": "needs-action",
                "expectReply": True,
            },
        },
    },
)
_TASKS: tuple[JsonObject, ...] = (
    {"uid": "proofs@example.com", "title": "Read the proofs", "due": "2026-11-30T12:00:00", "timeZone": _ZONE, "priority": 1},
    {"uid": "cards@example.com", "title": "Punch the cards", "percentComplete": 40, "progress": "in-process"},
    {"uid": "moth@example.com", "title": "Glue in the moth", "progress": "completed", "percentComplete": 100},
)
_IN_ENGINE = frozenset({"urn:uuid:6c6f7665-6c61-4ce0-8000-000000001791", "review@example.com"})


def fill_objects(account: Account) -> None:
    """Put contacts, events and tasks into the account, as far as its server has them, and a collection more of each."""
    with account.transaction():
        if is_offered(CONTACT_MODEL, account.dialect):
            account.contacts.create_collection("Engine")
            for card in _CARDS:
                account.contacts.add(card, _home(card))
        if is_offered(CALENDAR_MODEL, account.dialect):
            account.calendars.create_collection("Engine", color="#1a7f37")
            for event in _EVENTS:
                account.calendars.add(in_version(event, account.dialect.calendars), _home(event))
        if is_offered(CALENDAR_MODEL, account.dialect) and account.dialect.tasks:
            account.calendars.create_collection("Tasks", color="orange")
            for task in _TASKS:
                account.calendars.add({"@type": "Task", **task}, ("Tasks",))


def _home(item: JsonObject) -> tuple[str]:
    return ("Engine",) if item["uid"] in _IN_ENGINE else ("",)


def in_version(event: JsonObject, version: str | None) -> JsonObject:
    """Return a sample event in JSCalendar 1.0 (RFC 8984) or 2.0."""
    event = dict(event)
    organizer = event.pop("organizer", None)
    old = version == "1.0"
    if organizer is not None:
        address = f"mailto:{organizer}"
        event |= {"replyTo": {"imip": address}} if old else {"organizerCalendarAddress": address}
    if "participants" in event:
        event["participants"] = {key: _participant(one, old=old) for key, one in event["participants"].items()}
    if old and "recurrenceRule" in event:
        event["recurrenceRules"] = [event.pop("recurrenceRule")]
    return event


def _participant(sample: JsonObject, *, old: bool) -> JsonObject:
    address = f"mailto:{sample['address']}"
    rest = {name: value for name, value in sample.items() if name != "address"}
    return {**rest, **({"sendTo": {"imip": address}} if old else {"calendarAddress": address})}
