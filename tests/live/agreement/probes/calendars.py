"""Calendars and their events: what is refused, and how objects come back (draft-ietf-jmap-calendars)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.live.agreement.account import CALENDARS
from tests.live.agreement.probes import key_of, script

if TYPE_CHECKING:
    from tests.live.agreement.account import Account

_START = {"start": "2026-11-02T09:00:00", "timeZone": "Europe/Berlin", "duration": "PT1H"}


def _calendar(a: Account) -> str:
    """Return the id of the account's first calendar, named."""
    first = a.call("Calendar/get", ids=None)["list"][0]["id"]
    a.names.name(first, "calendar")
    return str(first)


@script(needs=CALENDARS)
def calendar_collections(a: Account) -> None:
    first = _calendar(a)
    a.ask("all", ("Calendar/get", {"ids": None}))
    state = a.state("Calendar")
    a.ask("create", ("Calendar/set", {"create": {"work": {"name": "Work"}}}), ("Calendar/get", {"ids": ["#work"]}))
    a.ask("changes of it", ("Calendar/changes", {"sinceState": state}))
    a.ask(
        "create with all",
        (
            "Calendar/set",
            {
                "create": {
                    "full": {
                        "name": "Full",
                        "color": "#ff0000",
                        "sortOrder": 3,
                        "isSubscribed": False,
                        "isVisible": False,
                        "description": "d",
                    }
                }
            },
        ),
        ("Calendar/get", {"ids": ["#full"]}),
    )
    a.ask("create one of the same name", ("Calendar/set", {"create": {"twin": {"name": "Work"}}}))
    for label, wish in {
        "without a name": {},
        "with an empty name": {"name": ""},
        "with a number as name": {"name": 7},
        "with a name of 300 characters": {"name": "x" * 300},
        "with an unknown property": {"name": "Shoe", "shoeSize": 44},
        "with a sort order of text": {"name": "Text", "sortOrder": "x"},
        "with an unknown colour": {"name": "Colour", "color": "nothing at all"},
        "with the id": {"name": "Id", "id": "nobody"},
        "with rights": {"name": "Rights", "myRights": {}},
        "with a time zone": {"name": "Zone", "timeZone": "Europe/Berlin"},
    }.items():
        a.ask(f"create {label}", ("Calendar/set", {"create": {key_of(f"cal {label}"): wish}}))
    work = a.call("Calendar/set", create={"other": {"name": "Other"}})["created"]["other"]["id"]
    shown = ("Calendar/get", {"ids": [work], "properties": ["name", "color", "sortOrder", "isSubscribed", "isVisible"]})
    for label, patch in {
        "rename": {"name": "Renamed"},
        "a colour": {"color": "#00ff00"},
        "no colour": {"color": None},
        "a sort order": {"sortOrder": 9},
        "hidden": {"isVisible": False},
        "subscribed": {"isSubscribed": True},
        "an empty name": {"name": ""},
        "name null": {"name": None},
        "unknown": {"shoeSize": 44},
        "rights": {"myRights": {}},
        "nothing": {},
    }.items():
        a.ask(f"update: {label}", ("Calendar/set", {"update": {work: patch}}), shown)
    a.ask("destroy", ("Calendar/set", {"destroy": [work]}))
    a.ask("destroy again", ("Calendar/set", {"destroy": [work]}))
    a.ask("destroy an unknown one", ("Calendar/set", {"destroy": ["nobody"]}))
    full = a.call("Calendar/set", create={"fill": {"name": "Fill"}})["created"]["fill"]["id"]
    event = a.call("CalendarEvent/set", create={"in": {"@type": "Event", "uid": "in-1", "calendarIds": {full: True}, **_START}})
    event_id = event["created"]["in"]["id"]
    events = a.state("CalendarEvent")
    a.ask("destroy with contents", ("Calendar/set", {"destroy": [full]}))
    a.ask("destroy contents and all", ("Calendar/set", {"destroy": [full], "onDestroyRemoveEvents": True}))
    a.ask("what is left", ("CalendarEvent/get", {"ids": [event_id], "properties": ["uid"]}))
    a.ask("changes of events", ("CalendarEvent/changes", {"sinceState": events}))
    a.ask("destroy the first", ("Calendar/set", {"destroy": [first]}))
    a.ask("set a default", ("Calendar/set", {"onSuccessSetIsDefault": first}))
    a.ask("an unknown property", ("Calendar/get", {"ids": [first], "properties": ["shoeSize"]}))
    a.ask("a query", ("Calendar/query", {}))


@script(needs=CALENDARS)
def events_created(a: Account) -> None:
    calendar = _calendar(a)
    wishes: dict[str, dict[str, Any]] = {
        "plain": {"title": "Plain", **_START},
        "defaults": {
            "title": "",
            "priority": 0,
            "sequence": 0,
            "freeBusyStatus": "busy",
            "privacy": "public",
            "showWithoutTime": False,
            **_START,
        },
        "all day": {"title": "Day", "start": "2026-11-02T00:00:00", "duration": "P1D", "showWithoutTime": True, "timeZone": None},
        "floating": {"title": "Floating", "start": "2026-11-02T09:00:00", "timeZone": None},
        "an unknown time zone": {"title": "Zone", "start": "2026-11-02T09:00:00", "timeZone": "Mars/Base"},
        "UTC": {"title": "UTC", "start": "2026-11-02T09:00:00", "timeZone": "Etc/UTC"},
        "no start": {"title": "None"},
        "a start with Z": {"title": "Z", "start": "2026-11-02T09:00:00Z"},
        "a duration that is none": {**_START, "duration": "an hour"},
        "a duration below 0": {**_START, "duration": "-PT1H"},
        "two keywords": {"title": "Keywords", "keywords": {"a": True, "B c": True}, **_START},
        "categories": {"categories": {"http://example.com/c": True}, **_START},
        "alerts": {"alerts": {"1": {"trigger": {"@type": "OffsetTrigger", "offset": "-PT5M"}}}, **_START},
        "alerts with @type": {
            "alerts": {
                "1": {
                    "@type": "Alert",
                    "action": "display",
                    "trigger": {"@type": "OffsetTrigger", "offset": "-PT5M", "relativeTo": "end"},
                }
            },
            **_START,
        },
        "an alert at a time": {
            "alerts": {"x": {"trigger": {"@type": "AbsoluteTrigger", "when": "2026-11-02T07:00:00Z"}}},
            **_START,
        },
        "no alerts": {"alerts": {}, **_START},
        "a location": {"locations": {"1": {"@type": "Location", "name": "Room", "description": "up"}}, **_START},
        "a virtual location": {
            "virtualLocations": {"v": {"@type": "VirtualLocation", "name": "Call", "uri": "https://example.com/"}},
            **_START,
        },
        "a link": {
            "links": {"l": {"@type": "Link", "href": "https://example.com/a.pdf", "contentType": "application/pdf"}},
            **_START,
        },
        "weekly": {"recurrenceRules": [{"frequency": "weekly", "byDay": [{"@type": "NDay", "day": "mo"}], "count": 5}], **_START},
        "rule of 2.0": {"recurrenceRule": {"frequency": "daily"}, **_START},
        "two rules": {"recurrenceRules": [{"frequency": "daily", "count": 2}, {"frequency": "weekly", "count": 2}], **_START},
        "a rule that is none": {"recurrenceRules": [{"frequency": "sometimes"}], **_START},
        "overrides": {
            "recurrenceRules": [{"frequency": "daily", "count": 3}],
            "recurrenceOverrides": {"2026-11-03T09:00:00": {"title": "Second"}, "2026-11-04T09:00:00": {"excluded": True}},
            **_START,
        },
        "an override of the start alone": {
            "recurrenceRules": [{"frequency": "daily", "count": 3}],
            "recurrenceOverrides": {"2026-11-03T09:00:00": {"start": "2026-11-03T10:00:00"}},
            **_START,
        },
        "excluded rules": {
            "recurrenceRules": [{"frequency": "daily", "count": 9}],
            "excludedRecurrenceRules": [{"frequency": "weekly", "count": 2}],
            **_START,
        },
        "description": {"description": 'Line 1\nLine 2; with, signs\\ and "quotes"', **_START},
        "description in HTML": {"description": "<b>x</b>", "descriptionContentType": "text/html", **_START},
        "a colour": {"color": "red", **_START},
        "locale": {"locale": "de", **_START},
        "privacy": {"privacy": "private", **_START},
        "status": {"status": "tentative", **_START},
        "an unknown status": {"status": "nothing", **_START},
        "free": {"freeBusyStatus": "free", **_START},
        "priority": {"priority": 5, **_START},
        "priority 10": {"priority": 10, **_START},
        "created and updated": {"created": "2020-01-01T00:00:00Z", "updated": "2020-01-02T00:00:00Z", **_START},
        "sequence": {"sequence": 7, **_START},
        "an unknown property": {"shoeSize": 44, **_START},
        "a vendor's property": {"example.com:shoe": 44, **_START},
        "a title that is a number": {"title": 7, **_START},
        "a title of two lines": {"title": "a\nb", **_START},
        "a title with a control character": {"title": "a\x01b", **_START},
        "prodId": {"prodId": "-//example//EN", **_START},
        "related to": {"relatedTo": {"other-uid": {"@type": "Relation", "relation": {"parent": True}}}, **_START},
        "participants": {
            "participants": {
                "p": {
                    "@type": "Participant",
                    "name": "Bob",
                    "email": "bob@example.com",
                    "sendTo": {"imip": "mailto:bob@example.com"},
                    "roles": {"attendee": True},
                }
            },
            "replyTo": {"imip": "mailto:ada@example.com"},
            **_START,
        },
        "a task": {"@type": "Task", "title": "Task", "due": "2026-11-02T09:00:00"},
        "another type": {"@type": "Group", "title": "Group"},
        "method": {"method": "publish", **_START},
        "draft": {"isDraft": True, **_START},
        "isOrigin": {"isOrigin": True, **_START},
        "null values": {"description": None, "keywords": None, "alerts": None, **_START},
        "before 1970": {"title": "Old", "start": "1960-01-01T09:00:00", "timeZone": "Etc/UTC", "duration": "PT1H"},
        "before 1970 in Berlin": {"title": "Old", "start": "1960-01-01T09:00:00", "timeZone": "Europe/Berlin", "duration": "PT1H"},
        "before 1970 floating": {"title": "Old", "start": "1960-01-01T09:00:00", "timeZone": None, "duration": "PT1H"},
        "before 1970 all day": {
            "title": "Old",
            "start": "1960-01-01T00:00:00",
            "timeZone": None,
            "duration": "P1D",
            "showWithoutTime": True,
        },
        "in 1902": {"title": "Old", "start": "1902-01-01T09:00:00", "timeZone": "Etc/UTC", "duration": "PT1H"},
        "in 1901": {"title": "Older", "start": "1901-12-15T09:00:00", "timeZone": "Etc/UTC", "duration": "PT1H"},
        "far in the future": {"title": "New", "start": "2200-01-01T09:00:00", "timeZone": "Etc/UTC"},
        "a title of 5,000 characters": {"title": "t" * 5_000, **_START},
    }
    for number, (label, wish) in enumerate(wishes.items()):
        key = key_of(f"event {label}")
        whole = {"@type": "Event", "uid": f"uid-{number:03}", "calendarIds": {calendar: True}, **wish}
        answer = a.ask(f"create {label}", ("CalendarEvent/set", {"create": {key: whole}}))[0]
        if created := (answer.get("created") or {}).get(key):
            a.ask(f"get {label}", ("CalendarEvent/get", {"ids": [created["id"]]}))


@script(needs=CALENDARS)
def events_changed(a: Account) -> None:
    calendar = _calendar(a)
    other = a.call("Calendar/set", create={"second": {"name": "Second"}})["created"]["second"]["id"]
    base: dict[str, Any] = {"@type": "Event", "calendarIds": {calendar: True}, "title": "One", **_START}
    mark = {"locations": {"1": {"@type": "Location", "name": "Room"}}, "recurrenceRules": [{"frequency": "daily", "count": 3}]}
    made = a.ask("create", ("CalendarEvent/set", {"create": {"one": {**base, "uid": "one", **mark}}}))[0]
    event = made["created"]["one"]["id"]
    state = a.state("CalendarEvent")
    shown = ("CalendarEvent/get", {"ids": [event]})
    for label, patch in {
        "title": {"title": "Two"},
        "title as it is": {"title": "Two"},
        "title null": {"title": None},
        "a path": {"locations/1/name": "Other room"},
        "a path to nothing": {"locations/9/name": "No room"},
        "a path into a list": {"recurrenceRules/0/count": 5},
        "a member away": {"locations/1": None},
        "an override": {"recurrenceOverrides/2026-11-03T09:00:00": {"title": "Second"}},
        "all overrides": {"recurrenceOverrides": {"2026-11-03T09:00:00": {"excluded": True}}},
        "a path in an override": {"recurrenceOverrides/2026-11-03T09:00:00/title": "x"},
        "start": {"start": "2026-11-02T10:00:00"},
        "uid": {"uid": "another"},
        "type": {"@type": "Task"},
        "id": {"id": "nobody"},
        "unknown": {"shoeSize": 44},
        "calendars by a path": {f"calendarIds/{other}": True},
        "move": {"calendarIds": {other: True}},
        "no calendars": {"calendarIds": {}},
        "two calendars": {"calendarIds": {calendar: True, other: True}},
        "an unknown calendar": {"calendarIds": {"nobody": True}},
        "colour and keywords": {"color": "blue", "keywords": {"k": True}},
        "sequence": {"sequence": 90},
        "created": {"created": "2020-01-01T00:00:00Z"},
        "nothing": {},
        "updated": {"updated": "2020-01-01T00:00:00Z"},
    }.items():
        a.ask(f"update: {label}", ("CalendarEvent/set", {"update": {event: patch}}), shown)
    a.ask("changes", ("CalendarEvent/changes", {"sinceState": state}))
    a.ask("the same uid again", ("CalendarEvent/set", {"create": {"twin": {**base, "uid": "one"}}}))
    nameless = a.call("CalendarEvent/set", create={"nouid": base})["created"]["nouid"]
    a.record("no uid", [sorted(nameless), bool(nameless["uid"])])
    for uid in ("with blank", "a@example.com", "ü", "x" * 300, "a/b"):
        a.ask(f"uid {uid[:20]!r}", ("CalendarEvent/set", {"create": {key_of(f"uid {uid[:20]}"): {**base, "uid": uid}}}))
    a.ask("no calendar", ("CalendarEvent/set", {"create": {"nocal": {**base, "uid": "nocal", "calendarIds": {}}}}))
    a.ask(
        "no calendarIds",
        (
            "CalendarEvent/set",
            {"create": {"nocal2": {name: one for name, one in {**base, "uid": "n2"}.items() if name != "calendarIds"}}},
        ),
    )
    a.ask(
        "no type",
        (
            "CalendarEvent/set",
            {"create": {"notype": {name: one for name, one in {**base, "uid": "n3"}.items() if name != "@type"}}},
        ),
    )
    a.ask(
        "an unknown calendar to create in",
        ("CalendarEvent/set", {"create": {"lost": {**base, "uid": "n4", "calendarIds": {"nobody": True}}}}),
    )
    a.ask(
        "an instance alone",
        ("CalendarEvent/set", {"create": {"instance": {**base, "uid": "alone", "recurrenceId": "2026-11-02T09:00:00"}}}),
        ("CalendarEvent/get", {"ids": ["#instance"]}),
    )
    a.ask("destroy", ("CalendarEvent/set", {"destroy": [event]}))
    a.ask("destroy again", ("CalendarEvent/set", {"destroy": [event]}))
    a.ask("update what is destroyed", ("CalendarEvent/set", {"update": {event: {"title": "x"}}}))
    a.ask("update an unknown one", ("CalendarEvent/set", {"update": {"nobody": {"title": "x"}}}))
    a.ask("destroy an unknown one", ("CalendarEvent/set", {"destroy": ["nobody"]}))
    a.ask("get", ("CalendarEvent/get", {"ids": [event], "properties": ["title"]}))
    a.ask("changes of all", ("CalendarEvent/changes", {"sinceState": state}))
    a.ask("the same uid after it was destroyed", ("CalendarEvent/set", {"create": {"reborn": {**base, "uid": "one"}}}))
    a.ask("changes after it", ("CalendarEvent/changes", {"sinceState": state}))
    a.ask("ifInState that is not", ("CalendarEvent/set", {"ifInState": state, "destroy": ["nobody"]}))
    a.ask("changes since garbage", ("CalendarEvent/changes", {"sinceState": "garbage"}))


@script(needs=CALENDARS)
def event_with_an_empty_uid(a: Account) -> None:
    state = a.state("CalendarEvent")
    wish = {"@type": "Event", "uid": "", "calendarIds": {_calendar(a): True}, **_START}
    a.ask("create", ("CalendarEvent/set", {"create": {"empty": wish}}))
    a.ask("changes of it", ("CalendarEvent/changes", {"sinceState": state}))


@script(needs=CALENDARS)
def events_listed(a: Account) -> None:
    calendar = _calendar(a)
    base: dict[str, Any] = {"@type": "Event", "calendarIds": {calendar: True}, "timeZone": "Etc/UTC"}
    for number in range(1, 5):
        wish = {**base, "uid": f"e{number}", "title": f"Event {number}", "start": f"2026-11-0{number}T09:00:00", "duration": "PT1H"}
        a.call("CalendarEvent/set", create={f"e{number}": wish})
    up = {"sort": [{"property": "start"}]}
    a.ask("all", ("CalendarEvent/query", up))
    a.ask("with a total", ("CalendarEvent/query", {**up, "calculateTotal": True}))
    a.ask("a page", ("CalendarEvent/query", {**up, "position": 1, "limit": 2}))
    a.ask("past the end", ("CalendarEvent/query", {**up, "position": 9}))
    a.ask("by calendar", ("CalendarEvent/query", {**up, "filter": {"inCalendars": [calendar]}}))
    a.ask("by an unknown calendar", ("CalendarEvent/query", {**up, "filter": {"inCalendars": ["nobody"]}}))
    a.ask("by uid", ("CalendarEvent/query", {**up, "filter": {"uid": "e2"}}))
    a.ask("by time", ("CalendarEvent/query", {**up, "filter": {"after": "2026-11-02T00:00:00", "before": "2026-11-04T00:00:00"}}))
    a.ask("by something unknown", ("CalendarEvent/query", {**up, "filter": {"shoeSize": 1}}))
    a.ask("sorted by something unknown", ("CalendarEvent/query", {"sort": [{"property": "shoeSize"}]}))
    a.ask("without a sort", ("CalendarEvent/query", {}))
    a.names.name("E-e1", "e1")
    a.ask("ids null", ("CalendarEvent/get", {"ids": None, "properties": ["uid"]}))
    a.ask("an id twice", ("CalendarEvent/get", {"ids": ["E-e1", "E-e1"], "properties": ["title"]}))
    a.ask("no properties", ("CalendarEvent/get", {"ids": ["E-e1"], "properties": []}))
    a.ask("an unknown property", ("CalendarEvent/get", {"ids": ["E-e1"], "properties": ["shoeSize"]}))
    a.ask("UTC times", ("CalendarEvent/get", {"ids": ["E-e1"], "properties": ["utcStart", "utcEnd"]}))
    identities = a.call("ParticipantIdentity/get", ids=None)["list"]
    a.record("the identities", [[sorted(one), len(one.get("sendTo", {}))] for one in identities])
