"""Calendars and events as draft-ietf-jmap-calendars has them, and as Cyrus 3.12 has them with RFC 8984."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.objects import Objects, unique
from tests.contract.peer import CALENDARS, CYRUS_CALENDARS, Peer

if TYPE_CHECKING:
    from tests.live.jmapraw import Json

DAILY = {"@type": "RecurrenceRule", "frequency": "daily", "count": 5}


@pytest.fixture
def peer(calendar_peer: Peer) -> Peer:
    return calendar_peer


@pytest.fixture
def calendars(peer: Peer) -> Objects:
    return Objects(peer, "Calendar")


@pytest.fixture
def events(peer: Peer) -> Objects:
    return Objects(peer, "CalendarEvent")


@pytest.fixture
def home(calendars: Objects) -> str:
    (only,) = calendars.all()
    return str(only["id"])


def event(home: str, **more: object) -> Json:
    whole = {
        "@type": "Event",
        "uid": unique("event"),
        "calendarIds": {home: True},
        "title": "Tea",
        "start": "2026-11-23T10:00:00",
        "timeZone": "Europe/Berlin",
        "duration": "PT1H",
    }
    return whole | more


def recurring(peer: Peer, home: str, **more: object) -> Json:
    rule = {"recurrenceRules": [DAILY]} if peer.is_cyrus else {"recurrenceRule": DAILY}
    return event(home, **rule, **more)


def guest(peer: Peer, address: str, **more: object) -> Json:
    where = {"sendTo": {"imip": address}} if peer.is_cyrus else {"calendarAddress": address}
    return {"@type": "Participant", **where, "roles": {"attendee": True}, **more}


def kind_of(error: Json) -> tuple[object, object]:
    return error["type"], error.get("properties")


def test_the_session_reports_calendars_in_the_account(peer: Peer) -> None:
    assert peer.session["capabilities"][CALENDARS] == {}
    details = peer.session["accounts"][peer.session["primaryAccounts"][CALENDARS]]["accountCapabilities"][CALENDARS]
    assert details["maxCalendarsPerEvent"] == (1 if peer.is_cyrus else None)
    assert details["mayCreateCalendar"] is True
    assert {"minDateTime", "maxDateTime", "maxExpandedQueryDuration", "maxParticipantsPerEvent"} <= details.keys()


def test_a_new_account_has_one_calendar(peer: Peer, calendars: Objects) -> None:
    (first,) = calendars.all()
    rights = {"mayReadFreeBusy", "mayReadItems", "mayWriteAll", "mayWriteOwn", "mayUpdatePrivate", "mayRSVP", "mayDelete"}
    assert first["myRights"] == dict.fromkeys(rights | {"mayAdmin" if peer.is_cyrus else "mayShare"}, True)
    fixed = {"description": None, "sortOrder": 0, "isVisible": True, "isSubscribed": True, "timeZone": None, "shareWith": None}
    assert {name: first[name] for name in fixed} == fixed
    assert first["includeInAvailability"] == "all"
    if peer.is_cyrus:
        assert (first["id"], first["name"], "isDefault" in first, "color" in first) == ("Default", "personal", False, False)
    else:
        assert (first["isDefault"], first["color"]) == (True, None)


def test_calendars_are_created_changed_and_destroyed(peer: Peer, calendars: Objects) -> None:
    before = calendars.state()
    made = calendars.create(name="Work", color="#FF0000")
    assert {"id", "myRights"} <= made.keys()
    if peer.is_cyrus:
        assert made.keys() == {"id", "myRights"}
    assert calendars.patch(made["id"], {"name": "Arbeit", "sortOrder": 3, "color": "blue"}) == {}
    got = calendars.get(made["id"], "name", "sortOrder", "color")
    assert got == {"id": made["id"], "name": "Arbeit", "sortOrder": 3, "color": "blue"}
    assert calendars.listed(before) == ([made["id"]], [], [])
    middle = calendars.state()
    assert calendars.destroy(made["id"]) == {}
    assert not calendars.exists(made["id"])
    assert calendars.listed(middle) == ([], [], [made["id"]])


def test_names_of_calendars(peer: Peer, calendars: Objects) -> None:
    for name in ("x" * 256, 5):
        assert kind_of(calendars.refuse(name=name)) == ("invalidProperties", ["name"])
    assert kind_of(calendars.refuse(color="red")) == ("invalidProperties", ["name"])
    assert calendars.create(name="Twin")["id"] != calendars.create(name="Twin")["id"]
    if peer.is_cyrus:
        calendars.create(name="")
    else:
        assert kind_of(calendars.refuse(name="")) == ("invalidProperties", ["name"])


def test_unknown_and_server_set_properties_of_calendars_are_refused(calendars: Objects, home: str) -> None:
    assert kind_of(calendars.refuse(name="x", surprise=1)) == ("invalidProperties", ["surprise"])
    for name, value in (("surprise", 1), ("name", 5), ("myRights", {}), ("isDefault", False)):
        assert kind_of(calendars.patch(home, {name: value})) == ("invalidProperties", [name])


def test_the_default_calendar_is_chosen_but_not_on_cyrus(peer: Peer, calendars: Objects, home: str) -> None:
    if peer.is_cyrus:
        assert peer.error("Calendar/set", {"onSuccessSetIsDefault": home}) == "invalidArguments"
        return
    answer = calendars.set(create={"new": {"name": "Work"}}, onSuccessSetIsDefault="#new")
    assert (answer["created"]["new"]["isDefault"], answer["updated"]) == (True, {home: {"isDefault": False}})
    calendars.destroy(answer["created"]["new"]["id"])
    assert calendars.get(home, "isDefault")["isDefault"] is True


def test_destruction_of_a_calendar_spares_its_events_unless_asked_to(peer: Peer, calendars: Objects, events: Objects) -> None:
    work = calendars.create(name="Work")["id"]
    event_id = events.create(**event(work))["id"]
    assert calendars.destroy(work)["type"] == ("calendarHasEvents" if peer.is_cyrus else "calendarHasEvent")
    before = events.state()
    assert calendars.destroy(work, onDestroyRemoveEvents=True) == {}
    assert not events.exists(event_id)
    if peer.is_cyrus:
        assert peer.error("CalendarEvent/changes", {"sinceState": before}) == "cannotCalculateChanges"
    else:
        assert events.listed(before) == ([], [], [event_id])


def test_cyrus_makes_its_first_calendar_again(peer: Peer, calendars: Objects, home: str) -> None:
    assert calendars.destroy(home) == {}
    assert [one["id"] for one in calendars.all()] == (["Default"] if peer.is_cyrus else [])


def test_an_event_comes_back_as_it_was_written_and_on_cyrus_with_defaults(peer: Peer, events: Objects, home: str) -> None:
    wanted = event(home, priority=3, locations={"l1": {"@type": "Location", "name": "Room"}}, keywords={"a": True}, color="red")
    made = events.create(**wanted)
    got = events.get(made["id"])
    assert {name: got[name] for name in wanted} == wanted
    assert {name: got[name] for name in made if name != "x-href"} == {name: made[name] for name in made if name != "x-href"}
    assert (got["isOrigin"], got["isDraft"], got["sequence"]) == (True, False, 0)
    assert got["created"] == got["updated"]
    extra = got.keys() - wanted.keys() - {"id", "isOrigin", "isDraft", "sequence", "created", "updated"}
    if peer.is_cyrus:
        nulls = {"relatedTo", "locale", "links", "participants", "virtualLocations", "alerts", "recurrenceOverrides"}
        defaults = {"prodId", "descriptionContentType", "freeBusyStatus", "useDefaultAlerts", "showWithoutTime"}
        assert extra == nulls | defaults
        assert all(got[name] is None for name in nulls)
        assert made["id"] == f"E-{wanted['uid']}"
    elif peer.flavour == "stalwart":
        assert extra == set()
    else:
        assert extra == {"version"}
        assert got["version"] == "2.0"


def test_properties_that_no_specification_knows_are_kept_but_refused_by_real_servers(
    peer: Peer, events: Objects, home: str
) -> None:
    for extra in ({"surprise": 1}, {"example.com:shoe": {"size": 39}}):
        wanted = event(home, **extra)
        if peer.is_cyrus or peer.flavour == "stalwart":
            assert kind_of(events.refuse(**wanted)) == ("invalidProperties", list(extra))
        else:
            assert extra.items() <= events.get(events.create(**wanted)["id"]).items()


def test_what_an_event_lacks_is_filled_in_and_reported(peer: Peer, events: Objects, home: str) -> None:
    made = events.create(calendarIds={home: True}, start="2026-11-23T10:00:00", description=None)
    got = events.get(made["id"])
    assert got["@type"] == "Event"
    assert got["uid"] == made.get("uid", got["uid"])
    assert got.get("title", "") == ""


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"calendarIds": {}}, "calendarIds"),
        ({"calendarIds": {"nowhere": True}}, "calendarIds"),
        ({"start": None}, "start"),
        ({"start": "tomorrow"}, "start"),
        ({"duration": "1h"}, "duration"),
        ({"title": 5}, "title"),
        ({"timeZone": "Nowhere/Land"}, "timeZone"),
        ({"timeZone": {}}, "timeZone"),
        ({"locations": {"a/b": {"@type": "Location", "name": "Room"}}}, "locations"),
        ({"locations": []}, "locations"),
        ({"recurrenceOverrides": {"tomorrow": {"title": "x"}}}, "recurrenceOverrides"),
        ({"participants": {"a": {"@type": "Participant", "roles": ["owner"]}}}, "participants"),
        ({"keywords": {"a": False}}, "keywords"),
        ({"created": "yesterday"}, "created"),
        ({"sequence": -1}, "sequence"),
        ({"method": "request"}, "method"),
    ],
)
def test_wrong_properties_of_a_new_event_are_named(events: Objects, home: str, change: Json, named: str) -> None:
    error = events.refuse(**event(home) | change)
    assert error["type"] == "invalidProperties"
    assert {name.partition("/")[0] for name in error["properties"]} == {named}


def test_each_server_takes_the_recurrence_of_its_own_version_only(peer: Peer, events: Objects, home: str) -> None:
    foreign = {"recurrenceRule": DAILY} if peer.is_cyrus else {"recurrenceRules": [DAILY]}
    assert kind_of(events.refuse(**event(home, **foreign))) == ("invalidProperties", list(foreign))
    if peer.is_cyrus:
        assert kind_of(events.refuse(**event(home, version="2.0"))) == ("invalidProperties", ["version"])
    else:
        assert kind_of(events.refuse(**event(home, version="1.0"))) == ("invalidProperties", ["version"])


def test_cyrus_adds_defaults_to_rules_triggers_and_participants(peer: Peer, events: Objects, home: str) -> None:
    alert = {"trigger": {"@type": "OffsetTrigger", "offset": "-PT5M"}}
    people = {"a": guest(peer, "mailto:ann@example.org")}
    got = events.get(events.create(**recurring(peer, home, alerts={"1": alert}, participants=people))["id"])
    if peer.is_cyrus:
        rule = DAILY | {"interval": 1, "rscale": "gregorian", "skip": "omit", "firstDayOfWeek": "mo"}
        assert got["recurrenceRules"] == [rule]
        trigger = {"@type": "OffsetTrigger", "offset": "-PT5M", "relativeTo": "start"}
        assert got["alerts"] == {"1": {"@type": "Alert", "action": "display", "trigger": trigger}}
        assert got["participants"]["a"] == people["a"] | {"participationStatus": "needs-action", "expectReply": False}
        (owner,) = [one for key, one in got["participants"].items() if key != "a"]
        assert (owner["roles"], owner["sendTo"]) == ({"owner": True}, got["replyTo"])
    else:
        assert (got["recurrenceRule"], got["alerts"], got["participants"]) == (DAILY, {"1": alert}, people)
        assert got["organizerCalendarAddress"].startswith("mailto:")
    assert got["isOrigin"] is True


def test_an_event_whose_organizer_is_elsewhere_does_not_originate_here(peer: Peer, events: Objects, home: str) -> None:
    ann = "mailto:ann@example.org"
    organizer = {"replyTo": {"imip": ann}} if peer.is_cyrus else {"organizerCalendarAddress": ann}
    people = {"a": guest(peer, ann, roles={"owner": True})}
    made = events.create(**event(home, participants=people, **organizer, created="2026-01-01T00:00:00Z"))
    assert events.get(made["id"])["isOrigin"] is False


def test_one_uid_is_one_event(peer: Peer, events: Objects, home: str) -> None:
    first = event(home)
    event_id = events.create(**first)["id"]
    assert kind_of(events.refuse(**first)) == ("invalidProperties", ["uid"])
    assert events.patch(event_id, {"uid": "other"})["type"] == "invalidProperties"
    assert events.patch(event_id, {"uid": first["uid"]}) == {}
    before = events.state()
    events.destroy(event_id)
    again = events.create(**first)["id"]
    if peer.is_cyrus:
        assert again == event_id
        assert events.listed(before) == ([], [event_id], [])
    else:
        assert events.listed(before) == ([again], [], [event_id])


def test_lone_instances_of_one_uid_are_events_of_their_own(peer: Peer, events: Objects, home: str) -> None:
    uid = unique("lone")
    lone = [
        event(home, uid=uid, recurrenceId=moment, recurrenceIdTimeZone="Europe/Berlin", start=moment)
        for moment in ("2026-12-01T10:00:00", "2026-12-02T10:00:00")
    ]
    ids = [events.create(**one)["id"] for one in lone]
    assert len(set(ids)) == 2
    assert [events.get(one, "recurrenceId")["recurrenceId"] for one in ids] == [one["recurrenceId"] for one in lone]
    if peer.is_cyrus:
        assert ids[0] == f"ER-20261201T100000-{uid}"
    else:
        assert kind_of(events.refuse(**lone[0])) == ("invalidProperties", ["uid"])


def test_cyrus_replaces_lone_instances_by_the_event_they_are_of(peer: Peer, events: Objects, home: str) -> None:
    uid, moment = unique("lone"), "2026-12-01T10:00:00"
    lone = event(home, uid=uid, recurrenceId=moment, recurrenceIdTimeZone="Europe/Berlin", start=moment, title="Late tea")
    before = events.state()
    lone_id = events.create(**lone)["id"]
    middle = events.state()
    base_id = events.create(**recurring(peer, home, uid=uid))["id"]
    if peer.is_cyrus:
        assert events.listed(before) == ([base_id], [], [])
        assert events.listed(middle) == ([base_id], [], [lone_id])
        assert events.get(base_id)["recurrenceOverrides"] is None
    else:
        assert events.listed(middle) == ([base_id], [], [])


def test_cyrus_makes_an_instance_an_override_of_its_event_and_calls_that_created(peer: Peer, events: Objects, home: str) -> None:
    uid, moment = unique("base"), "2026-11-25T10:00:00"
    base_id = events.create(**recurring(peer, home, uid=uid))["id"]
    before = events.state()
    lone = event(
        home, uid=uid, recurrenceId=moment, recurrenceIdTimeZone="Europe/Berlin", start="2026-11-25T12:00:00", title="Late"
    )
    lone_id = events.create(**lone)["id"]
    if not peer.is_cyrus:
        assert events.listed(before) == ([lone_id], [], [])
        return
    assert events.listed(before) == ([base_id], [], [])
    assert events.get(base_id)["recurrenceOverrides"] == {moment: {"title": "Late", "start": "2026-11-25T12:00:00"}}
    assert events.destroy(lone_id) == {}
    assert events.get(base_id)["recurrenceOverrides"] == {moment: {"excluded": True}}


def test_what_cyrus_refuses_or_forgets_of_sound_values(peer: Peer, events: Objects, home: str) -> None:
    for name, value in (("alerts", {}), ("participants", {}), ("descriptionContentType", "text/html")):
        if peer.is_cyrus:
            assert kind_of(events.refuse(**event(home, **{name: value}))) == ("invalidProperties", [name])
        else:
            assert events.get(events.create(**event(home, **{name: value}))["id"])[name] == value
    reported = events.get(events.create(**event(home, privacy="public", keywords={}, title="Tea\u0001 time"))["id"])
    if peer.is_cyrus:
        assert ("privacy" in reported, reported["keywords"], reported["title"]) == (False, None, "Tea time")
        wanted = event(home, localizations={"de": {"title": "Tee"}})
        assert events.get(events.create(**wanted)["id"]).get("localizations") is None
    else:
        assert (reported["privacy"], reported["keywords"], reported["title"]) == ("public", {}, "Tea\u0001 time")


def test_odd_uids_are_taken(peer: Peer, events: Objects, home: str) -> None:
    event_id = events.create(**event(home, uid="a/b c"))["id"]
    assert events.get(event_id, "uid")["uid"] == "a/b c"
    if peer.is_cyrus:
        assert event_id == "EB-YS9iIGM"


def test_a_change_raises_sequence_and_updated_but_not_one_of_the_user_s_own_properties(
    peer: Peer, events: Objects, home: str
) -> None:
    """Stalwart leaves the sequence as it is."""
    event_id = events.create(**event(home, created="2020-01-01T00:00:00Z", updated="2020-01-02T00:00:00Z", sequence=5))["id"]
    first = events.get(event_id, "created", "updated", "sequence")
    assert (first["created"], first["sequence"]) == ("2020-01-01T00:00:00Z", 5)
    assert first["updated"] > "2026"
    sequence = 5
    for patch, step in (
        ({"title": "Coffee"}, 1),
        ({"keywords": {"a": True}, "color": "red"}, 0),
        ({"keywords/b": True}, 0),
        ({"alerts": {"1": {"trigger": {"@type": "OffsetTrigger", "offset": "-PT5M"}}}}, 0),
        ({"locations": {"l": {"@type": "Location", "name": "Room"}}}, 1),
        ({"locations/l/name": "Hall"}, 1),
        ({"sequence": 50, "title": "Tea"}, 50 - sequence - 3),
        ({"sequence": 3, "title": "Milk"}, 1),
    ):
        assert events.patch(event_id, patch) == {}
        sequence = int(str(patch.get("sequence", sequence))) if peer.flavour == "stalwart" else sequence + step
        assert events.get(event_id, "sequence")["sequence"] == sequence, patch


def test_overrides_are_patched_by_path_and_escaped(peer: Peer, events: Objects, home: str) -> None:
    overrides = {"2026-11-24T10:00:00": {"title": "Late tea"}, "2026-11-25T10:00:00": {"excluded": True}}
    event_id = events.create(**recurring(peer, home, recurrenceOverrides=overrides))["id"]
    assert events.get(event_id)["recurrenceOverrides"] == overrides
    patch = {
        "recurrenceOverrides/2026-11-24T10:00:00/title": "Later tea",
        "recurrenceOverrides/2026-11-25T10:00:00": None,
        "recurrenceOverrides/2026-11-26T10:00:00": {"start": "2026-11-26T12:00:00", "priority": 1},
    }
    assert events.patch(event_id, patch) == {}
    assert events.get(event_id)["recurrenceOverrides"] == {
        "2026-11-24T10:00:00": {"title": "Later tea"},
        "2026-11-26T10:00:00": {"start": "2026-11-26T12:00:00", "priority": 1},
    }


@pytest.mark.parametrize("patch", [{"locations/x/name": "Room"}, {"rule/0/count": 4}, {"title/x": "y"}])
def test_paths_that_lead_nowhere_refuse_the_whole_patch(peer: Peer, events: Objects, home: str, patch: Json) -> None:
    event_id = events.create(**recurring(peer, home))["id"]
    rule = "recurrenceRules/0" if peer.is_cyrus else "recurrenceRule/byDay"
    state = events.state()
    patch = {path.replace("rule", rule): value for path, value in patch.items()}
    expected = "invalidProperties" if peer.flavour == "stalwart" else "invalidPatch"
    assert events.patch(event_id, {"priority": 4, **patch})["type"] == expected
    assert events.state() == state


def test_one_path_that_leads_to_another_is_refused_but_not_by_cyrus(peer: Peer, events: Objects, home: str) -> None:
    event_id = events.create(**event(home))["id"]
    error = events.patch(event_id, {"locations": {"x": {"@type": "Location", "name": "a"}}, "locations/x/name": "b"})
    assert error.get("type") == (None if peer.is_cyrus else "invalidProperties" if peer.flavour == "stalwart" else "invalidPatch")


def test_a_patch_must_leave_a_sound_event(events: Objects, home: str) -> None:
    event_id = events.create(**event(home))["id"]
    for name, value in (("calendarIds", {}), ("id", "other"), ("@type", "Task"), ("start", None), ("isDraft", True)):
        assert kind_of(events.patch(event_id, {name: value})) == ("invalidProperties", [name])


def test_null_removes_a_property(events: Objects, home: str) -> None:
    event_id = events.create(**event(home, priority=3))["id"]
    assert events.patch(event_id, {"title": None, "priority": None}) == {}
    got = events.get(event_id)
    assert (got.get("title", ""), got.get("priority", 0)) == ("", 0)


def test_an_event_moves_but_on_cyrus_not_by_paths(peer: Peer, calendars: Objects, events: Objects, home: str) -> None:
    work = calendars.create(name="Work")["id"]
    event_id = events.create(**event(home))["id"]
    error = events.patch(event_id, {f"calendarIds/{home}": None, f"calendarIds/{work}": True})
    assert error.get("type") == ("invalidPatch" if peer.is_cyrus else None)
    before = events.state()
    assert events.patch(event_id, {"calendarIds": {work: True}}) == {}
    assert events.get(event_id)["calendarIds"] == {work: True}
    assert events.get(event_id)["sequence"] == 0
    if peer.is_cyrus:
        assert events.listed(before) == ([], [event_id], [])
        assert kind_of(events.patch(event_id, {"calendarIds": {work: True, home: True}})) == ("invalidProperties", ["calendarIds"])
    else:
        assert events.patch(event_id, {"calendarIds": {work: True, home: True}}) == {}


def test_an_event_is_put_into_a_calendar_of_the_same_request(peer: Peer, events: Objects, home: str) -> None:
    made, put = peer.call(
        [
            ("Calendar/set", {"create": {"c": {"name": "Work"}}}),
            ("CalendarEvent/set", {"create": {"e": event("#c")}}),
        ]
    )
    assert events.get(put["created"]["e"]["id"])["calendarIds"] == {made["created"]["c"]["id"]: True}


def test_a_patch_without_effect_moves_the_state_on_cyrus(peer: Peer, events: Objects, home: str) -> None:
    event_id = events.create(**event(home))["id"]
    before = events.state()
    assert events.patch(event_id, {"title": "Tea"}) == {}
    assert (events.state() != before) is peer.is_cyrus
    assert events.get(event_id)["sequence"] == 0


def test_update_and_destruction_of_one_event_in_one_call(peer: Peer, events: Objects, home: str) -> None:
    event_id = events.create(**event(home))["id"]
    answer = events.set(update={event_id: {"title": "x"}}, destroy=[event_id])
    assert answer["destroyed"] == [event_id]
    assert answer["notUpdated"][event_id]["type"] == ("notFound" if peer.is_cyrus else "willDestroy")


def test_unknown_events_are_not_found(events: Objects) -> None:
    assert events.patch("nowhere", {"title": "x"})["type"] == "notFound"
    assert events.destroy("nowhere")["type"] == "notFound"
    assert not events.exists("nowhere")


def test_a_set_is_refused_in_another_state(peer: Peer, events: Objects, home: str) -> None:
    before = events.state()
    events.create(**event(home))
    assert peer.error("CalendarEvent/set", {"ifInState": before, "destroy": []}) == "stateMismatch"
    assert peer.error("CalendarEvent/set", {"surprise": True}) == "invalidArguments"


def test_scheduling_messages_can_be_forbidden_by_name(events: Objects, home: str) -> None:
    assert events.set(create={"new": event(home)}, sendSchedulingMessages=False)["created"]


def test_changes_come_in_pages(peer: Peer, events: Objects, home: str) -> None:
    events.create(**event(home))
    before = events.state()
    ids = [events.create(**event(home))["id"] for _ in range(5)]
    seen, state, more = [], before, True
    while more:
        page = peer.changes(state, "CalendarEvent", maxChanges=2)
        assert page["oldState"] == state
        seen += page["created"]
        state, more = page["newState"], page["hasMoreChanges"]
    assert (seen, state) == (ids, events.state())


def test_states_of_calendars_and_events_are_one_on_cyrus_and_never_that_of_mail(
    peer: Peer, events: Objects, calendars: Objects, home: str
) -> None:
    mail, before = peer.state("Email"), calendars.state()
    events.create(**event(home))
    assert peer.state("Email") == mail
    assert (calendars.state() != before) is peer.is_cyrus
    assert calendars.listed(before) == ([], [], [])


def test_states_nobody_gave(peer: Peer) -> None:
    expected = "invalidArguments" if peer.flavour == "stalwart" else "cannotCalculateChanges"
    assert peer.error("CalendarEvent/changes", {"sinceState": "nonsense"}) == expected
    if peer.is_cyrus:
        assert peer.listed("99999999", "CalendarEvent") == ([], [], [])
    else:
        assert peer.error("CalendarEvent/changes", {"sinceState": "99999999"}) == "cannotCalculateChanges"


def test_preserved_lines_come_when_asked_for_by_name_and_cyrus_refuses_the_question(peer: Peer, events: Objects, home: str) -> None:
    kept = {"name": "vevent", "properties": [["x-shoe", {}, "unknown", "39"]]}
    if peer.is_cyrus:
        event_id = events.create(**event(home))["id"]
        assert peer.error("CalendarEvent/get", {"ids": [event_id], "properties": ["title", "iCalendar"]}) == "invalidArguments"
        return
    event_id = events.create(**event(home, iCalendar=kept))["id"]
    assert "iCalendar" not in events.get(event_id)
    assert events.get(event_id, "title", "iCalendar") == {"id": event_id, "title": "Tea", "iCalendar": kept}


def test_cyrus_offers_the_file_of_an_event_as_a_blob_to_those_who_name_its_capability(
    peer: Peer, events: Objects, home: str
) -> None:
    if not peer.is_cyrus:
        assert CYRUS_CALENDARS not in peer.session["capabilities"]
        return
    quiet = events.create(**event(home))
    assert "blobId" not in quiet
    assert peer.error("CalendarEvent/get", {"ids": [quiet["id"]], "properties": ["blobId"]}) == "invalidArguments"
    assert "blobId" not in events.get(quiet["id"])
    peer.using.append(CYRUS_CALENDARS)
    wanted = event(home, title="Teatime")
    made = events.create(**wanted)
    assert events.get(made["id"], "blobId")["blobId"] == events.get(made["id"])["blobId"] == made["blobId"]
    reported = events.set(update={made["id"]: {"title": "Coffee break"}})["updated"][made["id"]]
    assert reported["blobId"] != made["blobId"]
    assert reported["blobId"] == events.get(made["id"])["blobId"]
    url = f"{peer.base.rstrip('/')}/download/{peer.account}/{reported['blobId']}/x"
    for accepted in ("text/calendar", "application/octet-stream", None):
        answer = peer.http.get(url, params={} if accepted is None else {"accept": accepted})
        assert answer.content.startswith(b"BEGIN:VCALENDAR\r\n")
        assert b"Coffee break" in answer.content
        assert wanted["uid"].encode() in answer.content
    for accepted in ("*/*", "message/rfc822", "text/calendar; charset=utf-8"):
        assert peer.http.get(url, params={"accept": accepted}).status_code == 406
    (found,) = peer.one("Blob/get", {"ids": [reported["blobId"]], "properties": ["data:asText"]})["list"]
    assert found["data:asText"].startswith("BEGIN:VCALENDAR\r\n")


def test_named_properties_come_alone_but_cyrus_adds_uid_and_type(peer: Peer, events: Objects, home: str) -> None:
    event_id = events.create(**event(home))["id"]
    assert events.get(event_id, "title").keys() == {"id", "title"} | ({"uid", "@type"} if peer.is_cyrus else set())


def test_events_are_found_by_uid_and_calendar(peer: Peer, calendars: Objects, events: Objects, home: str) -> None:
    work = calendars.create(name="Work")["id"]
    first = events.create(**event(home, uid=unique("here")))["id"]
    second = events.create(**event(work, uid=unique("there")))["id"]
    condition = {"inCalendars": [work]} if peer.is_cyrus else {"inCalendar": work}
    assert peer.one("CalendarEvent/query", {"filter": condition})["ids"] == [second]
    uid = events.get(first, "uid")["uid"]
    assert peer.one("CalendarEvent/query", {"filter": {"uid": uid}})["ids"] == [first]
    if peer.is_cyrus:
        assert peer.error("CalendarEvent/query", {"filter": {"inCalendar": work}}) == "invalidArguments"
    assert peer.error("CalendarEvent/query", {"sort": [{"property": "shoeSize"}]}) == "unsupportedSort"


def test_listings_come_in_pages_whose_position_cyrus_misnames(peer: Peer, events: Objects, home: str) -> None:
    ids = [events.create(**event(home))["id"] for _ in range(5)]
    wish = {"position": 2, "limit": 2, "calculateTotal": True, "sort": [{"property": "uid"}]}
    page = peer.one("CalendarEvent/query", wish)
    assert (page["ids"], page["queryState"]) == (ids[2:4], events.state())
    assert page.get("total") == (None if peer.flavour == "stalwart" else 5)
    assert page["position"] == (0 if peer.is_cyrus else 2)


def test_tasks_live_among_the_events_but_not_on_cyrus(peer: Peer, events: Objects, home: str) -> None:
    task = {"@type": "Task", "uid": unique("task"), "calendarIds": {home: True}, "title": "Bins", "due": "2026-11-24T08:00:00"}
    if peer.is_cyrus:
        assert events.refuse(**task)["type"] == "invalidProperties"
        return
    task_id = events.create(**task)["id"]
    assert task.items() <= events.get(task_id).items()
    assert events.patch(task_id, {"progress": "completed", "percentComplete": 100}) == {}
    assert kind_of(events.refuse(**event(home, due="2026-11-24T08:00:00"))) == ("invalidProperties", ["due"])
