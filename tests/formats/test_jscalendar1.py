"""JSCalendar 1.0 (RFC 8984) and 2.0 (draft-ietf-calext-jscalendarbis)."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from jmapsync.formats.canonical import sense
from jmapsync.formats.ical import read_calendar, write_calendar
from jmapsync.formats.jscalendar1 import from_jcal, from_v1, patch_to_v1, to_jcal, to_v1
from jmapsync.formats.patch import apply

RULE = {"@type": "RecurrenceRule", "frequency": "weekly"}
# The examples of RFC 8984, section 6; 6.3 with erratum 8028, 6.6 with `relativeTo` where the text prints `rel`.
EVENT_6_1 = {
    "@type": "Event",
    "uid": "a8df6573-0474-496d-8496-033ad45d7fea",
    "updated": "2020-01-02T18:23:04Z",
    "title": "Some event",
    "start": "2020-01-15T13:00:00",
    "timeZone": "America/New_York",
    "duration": "PT1H",
}
TASK_6_2 = {
    "@type": "Task",
    "uid": "2a358cee-6489-4f14-a57f-c104db4dc2f2",
    "updated": "2020-01-09T14:32:01Z",
    "title": "Do something",
}
FIGURES: dict[str, dict[str, Any]] = {
    "6.1": EVENT_6_1,
    "6.2": TASK_6_2,
    "6.3": {
        "@type": "Group",
        "uid": "bf0ac22b-4989-4caf-9ebd-54301b4ee51a",
        "updated": "2020-01-15T18:00:00Z",
        "title": "A simple group",
        "entries": [EVENT_6_1, TASK_6_2],
    },
    "6.4": {
        "@type": "Event",
        "uid": "a8df6573-0474-496d-8496-033ad45d7fea",
        "title": "April Fool's Day",
        "showWithoutTime": True,
        "start": "1900-04-01T00:00:00",
        "duration": "P1D",
        "recurrenceRules": [{"@type": "RecurrenceRule", "frequency": "yearly"}],
    },
    "6.5": {
        "@type": "Task",
        "uid": "2a358cee-6489-4f14-a57f-c104db4dc2f2",
        "title": "Buy groceries",
        "due": "2020-01-19T18:00:00",
        "timeZone": "Europe/Vienna",
        "estimatedDuration": "PT1H",
    },
    "6.6": {
        "@type": "Event",
        "uid": "a8df6573-0474-496d-8496-033ad45d7fea",
        "title": "Flight XY51 to Tokyo",
        "start": "2020-04-01T09:00:00",
        "timeZone": "Europe/Berlin",
        "duration": "PT10H30M",
        "locations": {
            "1": {"@type": "Location", "name": "Frankfurt Airport (FRA)", "relativeTo": "start"},
            "2": {"@type": "Location", "name": "Narita International Airport (NRT)", "relativeTo": "end", "timeZone": "Asia/Tokyo"},
        },
    },
    "6.7": {
        "@type": "Event",
        "uid": "a8df6573-0474-496d-8496-033ad45d7fea",
        "title": "Yoga",
        "start": "2020-01-01T07:00:00",
        "duration": "PT30M",
        "recurrenceRules": [{"@type": "RecurrenceRule", "frequency": "daily"}],
    },
    "6.8": {
        "@type": "Event",
        "uid": "a8df6573-0474-496d-8496-033ad45d7fea",
        "title": "Live from Music Bowl: The Band",
        "description": "Go see the biggest music event ever!",
        "locale": "en",
        "start": "2020-07-04T17:00:00",
        "timeZone": "America/New_York",
        "duration": "PT3H",
        "locations": {
            "c0503d30-8c50-4372-87b5-7657e8e0fedd": {
                "@type": "Location",
                "name": "The Music Bowl",
                "description": "Music Bowl, Central Park, New York",
                "coordinates": "geo:40.7829,-73.9654",
            }
        },
        "virtualLocations": {
            "vloc1": {
                "@type": "VirtualLocation",
                "name": "Free live Stream from Music Bowl",
                "uri": "https://stream.example.com/the_band_2020",
            }
        },
        "localizations": {
            "de": {
                "title": "Live von der Music Bowl: The Band!",
                "description": "Schau dir das größte Musikereignis an!",
                "virtualLocations/vloc1/name": "Gratis Live-Stream aus der Music Bowl",
            }
        },
    },
    "6.9": {
        "@type": "Event",
        "uid": "a8df6573-0474-496d-8496-033ad45d7fea",
        "title": "Calculus I",
        "start": "2020-01-08T09:00:00",
        "timeZone": "Europe/London",
        "duration": "PT1H30M",
        "locations": {
            "mlab": {"@type": "Location", "title": "Math lab room 1", "description": "Math Lab I, Department of Mathematics"}
        },
        "recurrenceRules": [{**RULE, "until": "2020-06-24T09:00:00"}],
        "recurrenceOverrides": {
            "2020-01-07T14:00:00": {"title": "Introduction to Calculus I (optional)"},
            "2020-04-01T09:00:00": {"excluded": True},
            "2020-06-25T09:00:00": {
                "title": "Calculus I Exam",
                "start": "2020-06-25T10:00:00",
                "duration": "PT2H",
                "locations": {
                    "auditorium": {"@type": "Location", "title": "Big Auditorium", "description": "Big Auditorium, Other Road"}
                },
            },
        },
    },
    "6.10": {
        "@type": "Event",
        "uid": "a8df6573-0474-496d-8496-033ad45d7fea",
        "title": "FooBar team meeting",
        "start": "2020-01-08T09:00:00",
        "timeZone": "Africa/Johannesburg",
        "duration": "PT1H",
        "virtualLocations": {
            "0": {
                "@type": "VirtualLocation",
                "name": "ChatMe meeting room",
                "uri": "https://chatme.example.com?id=1234567&pw=a8a24627b63d",
            }
        },
        "recurrenceRules": [RULE],
        "replyTo": {"imip": "mailto:f245f875-7f63-4a5e-a2c8@schedule.example.com"},
        "participants": {
            "dG9tQGZvb2Jhci5xlLmNvbQ": {
                "@type": "Participant",
                "name": "Tom Tool",
                "email": "tom@foobar.example.com",
                "sendTo": {"imip": "mailto:tom@calendar.example.com"},
                "participationStatus": "accepted",
                "roles": {"attendee": True},
            },
            "em9lQGZvb2GFtcGxlLmNvbQ": {
                "@type": "Participant",
                "name": "Zoe Zelda",
                "email": "zoe@foobar.example.com",
                "sendTo": {"imip": "mailto:zoe@foobar.example.com"},
                "participationStatus": "accepted",
                "roles": {"owner": True, "attendee": True, "chair": True},
            },
        },
        "recurrenceOverrides": {"2020-03-04T09:00:00": {"participants/dG9tQGZvb2Jhci5xlLmNvbQ/participationStatus": "declined"}},
    },
}


@pytest.mark.parametrize("figure", list(FIGURES))
def test_every_example_of_rfc_8984_comes_back_as_it_was(figure: str) -> None:
    kept = copy.deepcopy(FIGURES[figure])
    found = from_v1(FIGURES[figure])
    assert found["version"] == "2.0"
    assert not {"recurrenceRules", "replyTo", "excludedRecurrenceRules"} & found.keys()
    assert to_v1(found) == kept
    assert FIGURES[figure] == kept


@pytest.mark.parametrize("figure", list(FIGURES))
def test_every_example_of_rfc_8984_is_the_same_after_a_file(figure: str) -> None:
    for item in FIGURES[figure].get("entries", [FIGURES[figure]]):
        expected = from_v1(item)
        if figure == "6.6":
            expected["mainLocationId"] = "1"  # of two locations one stands in LOCATION, which programs show
        [back] = read_calendar(write_calendar([from_v1(item)]))
        assert sense(back) == sense(expected)


def test_2_0_has_one_rule_one_organizer_and_one_address_each() -> None:
    found = from_v1(FIGURES["6.10"])
    assert found["recurrenceRule"] == RULE
    assert found["organizerCalendarAddress"] == "mailto:f245f875-7f63-4a5e-a2c8@schedule.example.com"
    assert found["participants"]["dG9tQGZvb2Jhci5xlLmNvbQ"]["calendarAddress"] == "mailto:tom@calendar.example.com"
    assert "sendTo" not in found["participants"]["dG9tQGZvb2Jhci5xlLmNvbQ"]


def test_the_time_zone_of_the_end_is_a_property_of_its_own() -> None:
    found = from_v1(FIGURES["6.6"])
    assert found["endTimeZone"] == "Asia/Tokyo"
    assert "timeZone" not in found["locations"]["2"]


def test_a_location_that_cyrus_made_of_a_dtend_is_none() -> None:
    held = {"@type": "Event", "locations": {"x7": {"@type": "Location", "timeZone": "Asia/Tokyo", "relativeTo": "end"}}}
    found = from_v1(held)
    assert found == {"@type": "Event", "endTimeZone": "Asia/Tokyo", "version": "2.0"}
    assert to_v1(found, held) == held
    assert patch_to_v1({"endTimeZone": "Asia/Seoul"}, found, held) == {"locations/x7/timeZone": "Asia/Seoul"}
    assert patch_to_v1({"endTimeZone": None}, found, held) == {"locations": None}


def test_methods_other_than_mail_stay_beside_the_address() -> None:
    held = {
        "@type": "Event",
        "replyTo": {"imip": "mailto:a@x", "web": "https://x/rsvp"},
        "participants": {
            "p": {"@type": "Participant", "sendTo": {"other": "urn:uuid:1"}},
            "q": {"@type": "Participant", "sendTo": {"web": "https://x"}},
        },
    }
    found = from_v1(held)
    assert found["organizerCalendarAddress"] == "mailto:a@x"
    assert found["participants"]["p"]["calendarAddress"] == "urn:uuid:1"
    assert to_v1(found) == held


def test_delegates_are_keys_in_1_0_and_addresses_in_2_0() -> None:
    held: dict[str, Any] = {
        "@type": "Event",
        "participants": {
            "p": {"@type": "Participant", "sendTo": {"imip": "mailto:p@x"}, "delegatedTo": {"q": True}},
            "q": {"@type": "Participant", "sendTo": {"imip": "mailto:q@x"}, "delegatedFrom": {"p": True}},
        },
    }
    found = from_v1(held)
    assert found["participants"]["p"]["delegatedTo"] == {"mailto:q@x": True}
    assert to_v1(found) == held


def test_further_rules_are_lines_of_icalendar() -> None:
    second = {"@type": "RecurrenceRule", "frequency": "monthly", "byDay": [{"@type": "NDay", "day": "fr", "nthOfPeriod": -1}]}
    held = {"@type": "Event", "recurrenceRules": [RULE, second], "excludedRecurrenceRules": [{**RULE, "byMonth": ["5", "5L"]}]}
    found = from_v1(held)
    assert found["recurrenceRule"] == RULE
    assert found["iCalendar"] == {
        "@type": "ICalComponent",
        "name": "vevent",
        "properties": [
            ["rrule", {}, "recur", {"freq": "MONTHLY", "byday": ["-1FR"]}],
            ["exrule", {}, "recur", {"freq": "WEEKLY", "bymonth": [5, "5L"]}],
        ],
    }
    assert to_v1(found) == held


def test_cyrus_lines_are_read_and_never_sent() -> None:
    line = ["x-foo", {}, "unknown", "bar"]
    held = {
        "@type": "Event",
        "cyrusimap.org:iCalProps": [line],
        "alerts": {
            "a": {"@type": "Alert", "trigger": {"@type": "OffsetTrigger", "offset": "-PT5M"}, "cyrusimap.org:iCalProps": [line]}
        },
    }
    found = from_v1(held)
    assert found["iCalendar"]["properties"] == [line]
    assert found["alerts"]["a"]["iCalendar"] == {"@type": "ICalComponent", "name": "valarm", "properties": [line]}
    sent = to_v1({**found, "mainLocationId": "l"})
    assert sent == {"@type": "Event", "alerts": {"a": {"@type": "Alert", "trigger": {"@type": "OffsetTrigger", "offset": "-PT5M"}}}}


def test_what_cyrus_sends_as_null_is_not_there() -> None:
    held = {
        "@type": "Event",
        "title": "t",
        "links": None,
        "replyTo": None,
        "recurrenceRules": None,
        "participants": {"p": {"name": None}},
    }
    assert from_v1(held) == {"@type": "Event", "title": "t", "version": "2.0", "participants": {"p": {}}}


def test_what_is_sent_has_its_type_and_no_empty_maps() -> None:
    item = {
        "@type": "Event",
        "alerts": {"a": {"trigger": {"when": "2026-01-01T00:00:00Z"}, "relatedTo": {}}},
        "relatedTo": {},
        "links": {"k": {"href": "https://x", "display": {"badge": True}}},
        "recurrenceRule": {"frequency": "daily", "byDay": [{"day": "mo"}]},
    }
    assert to_v1(item) == {
        "@type": "Event",
        "alerts": {"a": {"@type": "Alert", "trigger": {"@type": "AbsoluteTrigger", "when": "2026-01-01T00:00:00Z"}}},
        "links": {"k": {"@type": "Link", "href": "https://x", "display": "badge"}},
        "recurrenceRules": [{"@type": "RecurrenceRule", "frequency": "daily", "byDay": [{"@type": "NDay", "day": "mo"}]}],
    }


def test_overrides_are_patches_of_their_own_dialect() -> None:
    held = {
        **FIGURES["6.10"],
        "links": {"k": {"@type": "Link", "href": "https://x"}},
        "recurrenceOverrides": {
            "2020-03-04T09:00:00": {
                "participants/dG9tQGZvb2Jhci5xlLmNvbQ/sendTo/imip": "mailto:new@x",
                "participants/n": {"@type": "Participant", "sendTo": {"imip": "mailto:n@x"}},
                "links/k/display": "badge",
                "alerts": None,
            },
            "2020-03-11T09:00:00": {},
        },
    }
    found = from_v1(held)["recurrenceOverrides"]
    assert found == {
        "2020-03-04T09:00:00": {
            "participants/dG9tQGZvb2Jhci5xlLmNvbQ/calendarAddress": "mailto:new@x",
            "participants/n": {"@type": "Participant", "calendarAddress": "mailto:n@x"},
            "links/k/display": {"badge": True},
            "alerts": None,
        },
        "2020-03-11T09:00:00": {},
    }
    back = to_v1(from_v1(held))
    override = back["recurrenceOverrides"]["2020-03-04T09:00:00"]
    assert override.pop("participants/dG9tQGZvb2Jhci5xlLmNvbQ/sendTo") == {"imip": "mailto:new@x"}
    expected = dict(held["recurrenceOverrides"]["2020-03-04T09:00:00"])
    del expected["participants/dG9tQGZvb2Jhci5xlLmNvbQ/sendTo/imip"]
    assert override == expected


@pytest.mark.parametrize(
    ("patch", "sent"),
    [
        ({"title": "x", "duration": None}, {"title": "x", "duration": None}),
        ({"recurrenceRule/interval": 2}, {"recurrenceRules": [{**RULE, "interval": 2}]}),
        ({"recurrenceRule": None}, {"recurrenceRules": None}),
        ({"organizerCalendarAddress": "mailto:n@x"}, {"replyTo/imip": "mailto:n@x"}),
        (
            {"participants/em9lQGZvb2GFtcGxlLmNvbQ/calendarAddress": "mailto:n@x"},
            {"participants/em9lQGZvb2GFtcGxlLmNvbQ/sendTo/imip": "mailto:n@x"},
        ),
        (
            {"participants/new": {"calendarAddress": "urn:x"}},
            {"participants/new": {"@type": "Participant", "sendTo": {"other": "urn:x"}}},
        ),
        (
            {"recurrenceOverrides/2020-03-18T09:00:00": {"excluded": True}},
            {"recurrenceOverrides/2020-03-18T09:00:00": {"excluded": True}},
        ),
        (
            {"endTimeZone": "Asia/Tokyo"},
            {"locations": {"end": {"@type": "Location", "relativeTo": "end", "timeZone": "Asia/Tokyo"}}},
        ),
        ({"iCalendar": {"properties": [["x-a", {}, "unknown", "b"]]}, "mainLocationId": "x"}, {}),
        (
            {"alerts": {"a": {"trigger": {"offset": "PT0S"}}}},
            {"alerts": {"a": {"@type": "Alert", "trigger": {"@type": "OffsetTrigger", "offset": "PT0S"}}}},
        ),
    ],
)
def test_a_patch_is_sent_in_the_words_of_1_0(patch: dict[str, Any], sent: dict[str, Any]) -> None:
    held = FIGURES["6.10"]
    assert patch_to_v1(patch, from_v1(held), held) == sent
    assert patch_to_v1(patch, from_v1(held)) == sent
    apply(held, sent)


def test_a_path_below_what_the_server_has_not_is_sent_with_its_parent() -> None:
    held = {"@type": "Event", "links": None}
    seen = {"@type": "Event", "links": {"k": {"href": "https://x"}}}
    assert patch_to_v1({"links/k/title": "t"}, seen, held) == {"links": {"k": {"@type": "Link", "href": "https://x", "title": "t"}}}


def test_every_part_of_a_rule_survives_jcal() -> None:
    rule = {
        "@type": "RecurrenceRule",
        "frequency": "yearly",
        "interval": 2,
        "rscale": "hebrew",
        "skip": "forward",
        "firstDayOfWeek": "su",
        "byDay": [{"@type": "NDay", "day": "mo"}, {"@type": "NDay", "day": "we", "nthOfPeriod": 2}],
        "byMonthDay": [1, -1],
        "byMonth": ["1", "5L"],
        "byYearDay": [100],
        "byWeekNo": [20],
        "byHour": [9],
        "byMinute": [0, 30],
        "bySecond": [0],
        "bySetPosition": [-1],
        "count": 5,
    }
    assert from_jcal(to_jcal(rule)) == rule
    assert from_jcal({"freq": "DAILY", "byday": "MO", "bymonth": 3, "x-part": 1}) == {
        "@type": "RecurrenceRule",
        "frequency": "daily",
        "byDay": [{"@type": "NDay", "day": "mo"}],
        "byMonth": ["3"],
    }


def test_an_override_says_nothing_of_lines_that_no_property_stands_for() -> None:
    """Cyrus 3.12 refuses a whole override for a path into `iCalendar`."""
    series = {"@type": "Event", "uid": "u", "start": "2026-01-05T10:00:00", "recurrenceRule": {"frequency": "weekly"}}
    held = {**series, "recurrenceOverrides": {"2026-01-12T10:00:00": {"iCalendar/properties": None, "title": "moved"}}}
    patch = {"recurrenceOverrides/2026-01-12T10:00:00": {"iCalendar/properties": None, "title": "moved again"}}
    assert patch_to_v1(patch, held) == {"recurrenceOverrides/2026-01-12T10:00:00/title": "moved again"} or patch_to_v1(
        patch, held
    ) == {"recurrenceOverrides/2026-01-12T10:00:00": {"title": "moved again"}}
