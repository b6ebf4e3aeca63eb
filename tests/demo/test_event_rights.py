"""Whose event may be changed how (draft-ietf-jmap-calendars, sections 4 and 5), and that nobody is written to unasked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.objects import Objects

if TYPE_CHECKING:
    from jmapsync.demo import DemoServer, Store
    from tests.contract.peer import Peer

ME, ANN = "mailto:demo@example.com", "mailto:ann@example.org"
RULE = {"@type": "RecurrenceRule", "frequency": "daily", "count": 5}


def person(address: str, role: str) -> dict[str, Any]:
    return {"@type": "Participant", "calendarAddress": address, "roles": {role: True}, "participationStatus": "needs-action"}


@pytest.fixture
def store(server: DemoServer) -> Store:
    return server.account.calendars


@pytest.fixture
def events(peer: Peer) -> Objects:
    return Objects(peer, "CalendarEvent")


def add(store: Store, owner: str | None, *, recurring: bool = False, organizer: str | None = None) -> str:
    event: dict[str, Any] = {"title": "Tea", "start": "2026-11-23T10:00:00", "organizerCalendarAddress": organizer}
    if owner is not None:
        event["participants"] = {"o": person(owner, "owner"), "me": person(ME, "attendee"), "ann": person(ANN, "attendee")}
    if recurring:
        event["recurrenceRule"] = RULE
    return store.add({name: value for name, value in event.items() if value is not None})


OWN = {"keywords/x": True, "color": "red", "alerts": {}, "freeBusyStatus": "free"}
ANSWER = {"participants/me/participationStatus": "accepted", "participants/me/expectReply": False}
DETAIL = {"title": "Coffee"}


@pytest.mark.parametrize(
    ("rights", "owner", "patches"),
    [
        ({"mayWriteAll"}, ANN, ([DETAIL, ANSWER, OWN], [])),
        ({"mayWriteOwn"}, ME, ([DETAIL, ANSWER, OWN], [])),
        ({"mayWriteOwn"}, None, ([DETAIL, OWN], [])),
        ({"mayWriteOwn"}, ANN, ([], [DETAIL, ANSWER, OWN])),
        ({"mayUpdatePrivate"}, ANN, ([OWN], [DETAIL, ANSWER, DETAIL | OWN])),
        ({"mayRSVP"}, ANN, ([ANSWER], [DETAIL, OWN, {"participants/ann/participationStatus": "accepted"}])),
        ({"mayRSVP"}, ANN, ([], [{"participants/me/roles/owner": True}, {"participants/me": None}])),
        (set(), ME, ([], [DETAIL, ANSWER, OWN])),
    ],
)
def test_rights_of_the_calendar_say_what_may_be_changed(
    store: Store,
    events: Objects,
    rights: set[str],
    owner: str | None,
    patches: tuple[list[dict[str, object]], list[dict[str, object]]],
) -> None:
    event_id = add(store, owner)
    store.edit(event_id, {"keywords": {"y": True}})
    names = {"mayWriteAll", "mayWriteOwn", "mayUpdatePrivate", "mayRSVP"}
    store.set_rights("", **{name: name in rights for name in names})
    allowed, forbidden = patches
    for patch in forbidden:
        assert events.patch(event_id, patch).get("type") == "forbidden", patch
    for patch in allowed:
        assert events.patch(event_id, patch) == {}, patch


def test_one_occurrence_is_answered_without_the_right_to_change_it(store: Store, events: Objects) -> None:
    event_id = add(store, ANN, recurring=True)
    store.set_rights("", mayWriteAll=False, mayWriteOwn=False)
    moment = "2026-11-24T10:00:00"
    answer = {"participants/me/participationStatus": "declined"}
    assert events.patch(event_id, {f"recurrenceOverrides/{moment}": {"title": "x"}}).get("type") in ("forbidden", "invalidPatch")
    assert events.patch(event_id, {"recurrenceOverrides": {moment: {"title": "x"}}})["type"] == "forbidden"
    assert events.patch(event_id, {"recurrenceOverrides": {moment: answer}}) == {}
    assert events.patch(event_id, {f"recurrenceOverrides/{moment}/keywords": {"x": True}}) == {}
    assert events.patch(event_id, {f"recurrenceOverrides/{moment}": {"excluded": True}})["type"] == "forbidden"


def test_an_invitation_from_elsewhere_takes_answers_and_own_properties_only(store: Store, events: Objects) -> None:
    event_id = add(store, ANN, organizer=ANN)
    before = events.get(event_id)
    assert before["isOrigin"] is False
    assert events.patch(event_id, DETAIL)["type"] == "forbidden"
    assert events.patch(event_id, ANSWER) == {}
    assert events.patch(event_id, {"color": "red"}) == {}
    after = events.get(event_id)
    assert after.get("updated") == before.get("updated")
    assert after["sequence"] == before["sequence"]
    assert events.destroy(event_id) == {}


def test_events_are_put_in_and_taken_out_only_where_that_is_allowed(store: Store, events: Objects) -> None:
    here, there = store.collection("")["id"], store.create_collection("Theirs")
    event_id = store.add({"start": "2026-11-23T10:00:00"})
    theirs = store.add({"start": "2026-11-23T10:00:00"}, ["Theirs"])
    store.set_rights("Theirs", mayWriteAll=False, mayWriteOwn=False)
    assert events.patch(event_id, {"calendarIds": {there: True}})["type"] == "forbidden"
    assert events.patch(theirs, {"calendarIds": {here: True}})["type"] == "forbidden"
    assert events.refuse(calendarIds={there: True}, start="2026-11-23T10:00:00")["type"] == "forbidden"
    assert events.destroy(theirs)["type"] == "forbidden"


def test_cards_need_the_right_to_write_in_every_address_book_they_are_in(server: DemoServer, peer: Peer) -> None:
    store, cards = server.account.contacts, Objects(peer, "ContactCard")
    here, there = store.collection("")["id"], store.create_collection("Theirs")
    both, mine = store.add({"uid": "1"}, ["", "Theirs"]), store.add({"uid": "2"})
    store.set_rights("Theirs", mayWrite=False)
    assert cards.patch(both, {"language": "en"})["type"] == "forbidden"
    assert cards.patch(mine, {f"addressBookIds/{there}": True})["type"] == "forbidden"
    assert cards.patch(both, {"addressBookIds": {here: True}})["type"] == "forbidden"
    assert cards.destroy(both)["type"] == "forbidden"
    assert cards.refuse(addressBookIds={there: True})["type"] == "forbidden"
    assert cards.patch(mine, {"language": "en"}) == {}


def test_sharing_needs_the_right_to_share(store: Store, peer: Peer) -> None:
    calendars = Objects(peer, "Calendar")
    home = store.collection("")["id"]
    store.set_rights("", mayShare=False)
    assert calendars.patch(home, {"shareWith": {"ann": {"mayReadItems": True}}})["type"] == "forbidden"
    assert calendars.patch(home, {"name": "Mine"}) == {}


def test_messages_to_participants_go_out_only_when_asked_for(store: Store, events: Objects) -> None:
    home = {store.collection("")["id"]: True}
    guests = {"ann": person(ANN, "attendee")}
    quiet = events.create(calendarIds=home, uid="quiet", start="2026-11-23T10:00:00", participants=guests)["id"]
    events.patch(quiet, DETAIL)
    events.destroy(quiet)
    assert store.sent == []
    created = events.set(
        create={"e": {"calendarIds": home, "uid": "loud", "start": "2026-11-23T10:00:00", "participants": guests}},
        sendSchedulingMessages=True,
    )["created"]
    loud = created["e"]["id"]
    events.set(update={loud: DETAIL}, sendSchedulingMessages=True)
    events.destroy(loud, sendSchedulingMessages=True)
    assert store.sent == [("create", "loud"), ("update", "loud"), ("destroy", "loud")]


def test_a_draft_sends_nothing_and_never_becomes_one_again(store: Store, events: Objects) -> None:
    home = {store.collection("")["id"]: True}
    event = {"calendarIds": home, "start": "2026-11-23T10:00:00", "isDraft": True, "participants": {"ann": person(ANN, "attendee")}}
    event_id = events.set(create={"e": event}, sendSchedulingMessages=True)["created"]["e"]["id"]
    assert store.sent == []
    assert events.patch(event_id, {"isDraft": False}) == {}
    assert events.patch(event_id, {"isDraft": True})["properties"] == ["isDraft"]


def test_what_was_asked_for_can_be_read_back(server: DemoServer, store: Store, events: Objects) -> None:
    event_id = add(store, ANN)
    events.set(update={event_id: DETAIL}, sendSchedulingMessages=False)
    (call,) = server.requests.calls("CalendarEvent/set")
    assert call.arguments["sendSchedulingMessages"] is False


def test_participants_bring_an_organizer_who_is_notified(store: Store, events: Objects) -> None:
    home = {store.collection("")["id"]: True}
    made = events.create(calendarIds=home, start="2026-11-23T10:00:00")
    assert "organizerCalendarAddress" not in made
    reported = events.set(update={made["id"]: {"participants": {"ann": person(ANN, "attendee")}}})["updated"][made["id"]]
    assert (reported["organizerCalendarAddress"], reported["sequence"]) == (ME, 1)
