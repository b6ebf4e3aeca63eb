"""Participants of events are mailed only where the configuration says so, and then only about what concerns them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.app import App
from jmapsync.config import load
from jmapsync.demo import CYRUS_312, RFC, STALWART, DemoServer, SetError
from jmapsync.demo.dialect import CYRUS_CALENDARS
from jmapsync.storage.jmap.objects.invitations import concerns_others, is_over
from jmapsync.storage.jmap.objects.people import people_of
from tests.kit.pim import Pim, change

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from jmapsync.demo.dialect import Dialect

ME, BOB = "mailto:demo@example.com", "mailto:bob@example.com"


def ics(
    uid: str, title: str = "Lunch", *, organizer: str = ME, year: int = 2037, more: str = "", status: str = "NEEDS-ACTION"
) -> str:
    guest = BOB if organizer == ME else ME
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\n"
        f"UID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:{year}0102T100000Z\r\nDURATION:PT1H\r\nSUMMARY:{title}\r\n"
        f"ORGANIZER:{organizer}\r\nATTENDEE;PARTSTAT=ACCEPTED;ROLE=CHAIR:{organizer}\r\n"
        f"ATTENDEE;PARTSTAT={status};RSVP=TRUE:{guest}\r\n{more}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )


class Desk(Pim):
    """Somebody with a calendar."""

    def __init__(self, base: Path, server: DemoServer, *, send: bool | None = True) -> None:
        super().__init__(base, server.url, "demo", "demo", ("calendars",))
        if send is not None:
            config = self.config.read_text()
            self.config.write_text(config + f"send_invitations = {str(send).lower()}\n")
        self.server = server

    def add(self, name: str, text: str) -> Path:
        [folder] = [one for one in (self.base / "calendars").iterdir() if one.is_dir()][:1]
        file = folder / f"{name}.ics"
        file.write_bytes(text.encode())
        return file

    def sync_until_quiet(self) -> None:
        """Synchronise until nothing changes: what the server completes of an event comes back with a later run."""
        for _ in range(5):
            if not self.run().changed:
                return
        raise AssertionError

    @property
    def mailed(self) -> list[tuple[str, str]]:
        found, self.server.account.calendars.sent = self.server.account.calendars.sent, []
        return found


@pytest.fixture(params=[RFC, CYRUS_312, STALWART], ids=lambda dialect: dialect.name)
def server(request: pytest.FixtureRequest) -> Iterator[DemoServer]:
    dialect: Dialect = request.param
    with DemoServer(dialect=dialect) as server:
        server.faults.hidden_capabilities.arm([CYRUS_CALENDARS])  # no files behind events
        yield server


@pytest.fixture
def make(server: DemoServer, tmp_path: Path) -> Callable[..., Desk]:
    def made(*, send: bool | None = True) -> Desk:
        desk = Desk(tmp_path, server, send=send)
        desk.sync_until_quiet()
        return desk

    return made


@pytest.mark.parametrize("send", [None, False])
def test_nobody_is_mailed_unless_the_configuration_says_so(make: Callable[..., Desk], *, send: bool | None) -> None:
    desk = make(send=send)
    file = desk.add("lunch", ics("lunch"))
    desk.sync_until_quiet()
    change(file, "SUMMARY:Lunch", "SUMMARY:Dinner")
    desk.sync_until_quiet()
    file.unlink()
    desk.sync_until_quiet()
    calls = desk.server.requests.calls("CalendarEvent/set")
    assert calls
    assert {call.arguments["sendSchedulingMessages"] for call in calls} == {False}
    assert desk.mailed == []


def test_with_the_key_an_own_event_is_mailed_about_when_it_is_made_changed_and_deleted(make: Callable[..., Desk]) -> None:
    desk = make()
    file = desk.add("lunch", ics("lunch"))
    desk.add("alone", ics("alone").replace(f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:{BOB}\r\n", ""))
    desk.sync_until_quiet()
    assert desk.mailed == [("create", "lunch")]
    change(desk.file("calendars", "lunch"), "SUMMARY:Lunch", "SUMMARY:Dinner")
    desk.sync_until_quiet()
    assert desk.mailed == [("update", "lunch")]
    change(desk.file("calendars", "lunch"), "SUMMARY:Dinner", "COLOR:red\r\nSUMMARY:Dinner")
    desk.sync_until_quiet()
    assert desk.mailed == [], "only its user sees a colour"
    file.unlink()
    desk.sync_until_quiet()
    assert desk.mailed == [("destroy", "lunch")]


@pytest.mark.parametrize("send", [True, False])
def test_a_dry_run_says_about_which_events_participants_would_be_mailed(make: Callable[..., Desk], *, send: bool) -> None:
    desk = make(send=send)
    for uid in ("changed", "coloured", "gone"):
        desk.add(uid, ics(uid))
    desk.sync_until_quiet()
    desk.mailed.clear()
    change(desk.file("calendars", "changed"), "SUMMARY:Lunch", "SUMMARY:Dinner")
    change(desk.file("calendars", "coloured"), "SUMMARY:Lunch", "COLOR:red\r\nSUMMARY:Lunch")
    desk.file("calendars", "gone").unlink()
    desk.add("new", ics("new"))
    desk.add("past", ics("past", year=2020))
    moments = ("20370102T100000Z", "20370109T100000Z")
    event = ics("lone").split("BEGIN:VEVENT")[1].partition("END:VCALENDAR")[0]
    events = "".join("BEGIN:VEVENT" + event.replace("SUMMARY", f"RECURRENCE-ID:{one}\r\nSUMMARY") for one in moments)
    desk.add("lone", f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{events}END:VCALENDAR\r\n")
    report = asyncio.run(App(load(desk.config)).sync(dry_run=True)).accounts["home"].kinds["calendars"]
    mailed = [step for step in report.planned if "its participants are mailed" in step.changes]
    assert len(report.planned) == 6
    assert len(mailed) == (4 if send else 0), [step.message for step in mailed]
    assert desk.mailed == []


def test_what_is_over_is_never_mailed_about(make: Callable[..., Desk]) -> None:
    desk = make()
    file = desk.add("past", ics("past", year=2020))
    desk.sync_until_quiet()
    change(file, "SUMMARY:Lunch", "SUMMARY:Dinner")
    desk.sync_until_quiet()
    file.unlink()
    desk.sync_until_quiet()
    assert desk.mailed == []


def test_what_was_there_before_the_first_run_is_never_mailed_about(server: DemoServer, tmp_path: Path) -> None:
    desk = Desk(tmp_path, server)
    (tmp_path / "calendars/default").mkdir(parents=True)
    (tmp_path / "calendars/default/lunch.ics").write_bytes(ics("lunch").encode())
    desk.sync_until_quiet()
    assert len(server.account.calendars.items) == 1
    assert desk.mailed == []


def test_what_a_first_run_left_undone_is_never_mailed_about(server: DemoServer, tmp_path: Path) -> None:
    desk = Desk(tmp_path, server)
    (tmp_path / "calendars/default").mkdir(parents=True)
    (tmp_path / "calendars/default/lunch.ics").write_bytes(ics("lunch").encode())
    server.faults.set_error.arm(SetError("serverFail"), only=["CalendarEvent/set"])
    asyncio.run(App(load(desk.config)).sync())
    assert len(server.account.calendars.items) == 0
    server.faults.clear()
    asyncio.run(App(load(desk.config)).sync(full=True))
    desk.sync_until_quiet()
    assert len(server.account.calendars.items) == 1
    assert desk.mailed == []


def test_what_lies_in_a_calendar_that_is_mirrored_again_is_not_mailed_about(make: Callable[..., Desk]) -> None:
    desk = make()
    calendars = desk.server.account.calendars
    calendars.create_collection("Team")
    desk.sync_until_quiet()
    config = desk.config.read_text()
    for again in ('exclude = ["Team"]', "hidden = false"):
        desk.config.write_text(f"{config}{again}\n")
        calendars.edit_collection("Team", isSubscribed=again != "hidden = false")
        desk.sync_until_quiet()
        uid = again.split()[0]
        (desk.base / f"calendars/Team/{uid}.ics").write_bytes(ics(uid).encode())
        desk.sync_until_quiet()
        assert uid not in [one["uid"] for one in calendars.items.values()]
        calendars.edit_collection("Team", isSubscribed=True)
        if again != "hidden = false":
            desk.config.write_text(config)
        desk.sync_until_quiet()
        assert uid in [one["uid"] for one in calendars.items.values()]
        assert desk.mailed == []
        desk.add(f"new-{uid}", ics(f"new-{uid}"))
        desk.sync_until_quiet()
        assert desk.mailed == [("create", f"new-{uid}")]


def test_what_is_put_back_is_not_mailed_about(make: Callable[..., Desk]) -> None:
    desk = make()
    desk.add("lunch", ics("lunch"))
    desk.sync_until_quiet()
    assert desk.mailed == [("create", "lunch")]
    [item] = desk.server.account.calendars.items
    desk.server.account.calendars.remove(item)
    app = App(load(desk.config))
    asyncio.run(app.restore("home", kind="calendars", paths=[str(desk.file("calendars", "lunch"))]))
    assert [one["uid"] for one in desk.server.account.calendars.items.values()] == ["lunch"]
    assert desk.mailed == []


def test_an_answer_reaches_the_organizer_where_the_configuration_says_so(make: Callable[..., Desk]) -> None:
    desk = make()
    invite(desk)
    file = desk.file("calendars", "invited")
    change(file, "PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED")
    desk.sync_until_quiet()
    assert desk.mailed == [("update", "invited")]
    [event] = desk.server.account.calendars.items.values()
    assert event["participants"]["me"]["participationStatus"] == "accepted"


def test_a_user_is_known_by_an_address_in_any_case(make: Callable[..., Desk]) -> None:
    address = "MAILTO:Demo@Example.COM"
    desk = make()
    invite(desk, me=address)
    change(desk.file("calendars", "invited"), "PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED")
    desk.sync_until_quiet()
    assert desk.mailed == [("update", "invited")]
    desk.add("own", ics("own").replace(f"ORGANIZER:{ME}", f"ORGANIZER:{address}"))
    desk.sync_until_quiet()
    assert desk.mailed == [("create", "own")]


def test_an_alarm_of_a_guest_is_no_answer(make: Callable[..., Desk]) -> None:
    desk = make()
    invite(desk)
    alarm = "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT"
    change(desk.file("calendars", "invited"), "END:VEVENT", alarm)
    desk.sync_until_quiet()
    assert desk.mailed == []


def test_without_the_key_an_answer_stays_with_the_user(make: Callable[..., Desk]) -> None:
    desk = make(send=False)
    invite(desk)
    change(desk.file("calendars", "invited"), "PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED")
    desk.sync_until_quiet()
    [event] = desk.server.account.calendars.items.values()
    assert (event["participants"]["me"]["participationStatus"], desk.mailed) == ("accepted", [])


def test_an_answer_where_the_calendar_allows_none_is_not_sent(make: Callable[..., Desk]) -> None:
    desk = make()
    invite(desk)
    rights = dict.fromkeys(("mayWriteAll", "mayWriteOwn", "mayRSVP"), False) | {"mayUpdatePrivate": True}
    desk.server.account.calendars.set_rights("", **rights)
    change(desk.file("calendars", "invited"), "PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED")
    report = asyncio.run(App(load(desk.config)).sync()).accounts["home"].kinds["calendars"]
    [event] = desk.server.account.calendars.items.values()
    assert (event["participants"]["me"]["participationStatus"], desk.mailed) == ("needs-action", [])
    assert report.problems


def test_participants_that_cannot_be_mailed_do_not_keep_an_event_from_the_server(make: Callable[..., Desk]) -> None:
    desk = make()
    desk.server.faults.set_error.arm(SetError("noSupportedScheduleMethods"), times=1, only=["CalendarEvent/set"])
    desk.add("lunch", ics("lunch"))
    desk.sync_until_quiet()
    assert len(desk.server.account.calendars.items) == 1
    assert desk.mailed == []


def invite(desk: Desk, *, me: str = ME, **properties: Any) -> None:  # noqa: ANN401 # any JSON value
    """Put an event of somebody else into the user's calendar."""
    account = desk.server.account
    is_old = account.dialect.calendars == "1.0"
    people: dict[str, dict[str, Any]] = {
        "bob": {"@type": "Participant", "roles": {"owner": True, "attendee": True}, "participationStatus": "accepted"},
        "me": {"@type": "Participant", "roles": {"attendee": True}, "participationStatus": "needs-action", "expectReply": True},
    }
    for key, address in (("bob", BOB), ("me", me)):
        people[key] |= {"sendTo": {"imip": address}} if is_old else {"calendarAddress": address}
    organizer: dict[str, Any] = {"replyTo": {"imip": BOB}} if is_old else {"organizerCalendarAddress": BOB}
    event = {"uid": "invited", "title": "Talk", "start": "2037-01-02T10:00:00", "timeZone": "Etc/UTC", "duration": "PT1H"}
    account.calendars.add({**event, "participants": people, **organizer, **properties})
    desk.sync_until_quiet()
    account.calendars.sent.clear()


def answer_one(file: Path, moment: str) -> None:
    """Accept one occurrence as khal does: with a copy of the series that has its moment."""
    text = file.read_bytes().decode().replace("\r\n ", "")
    head, series = text.split("BEGIN:VEVENT\r\n")
    series, tail = series.split("END:VEVENT\r\n")
    lines = [line for line in series.split("\r\n") if not line.startswith(("RRULE", "DTSTART"))]
    one = "\r\n".join(lines).replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=ACCEPTED").replace("NEEDS-ACTION", "ACCEPTED")
    if "PARTSTAT=ACCEPTED" not in one.partition(f"{ME}")[0].rpartition("ATTENDEE")[2]:
        one = one.replace("ATTENDEE;", "ATTENDEE;PARTSTAT=ACCEPTED;")
    when = f"RECURRENCE-ID:{moment}\r\nDTSTART:{moment}\r\n"
    file.write_bytes(f"{head}BEGIN:VEVENT\r\n{series}END:VEVENT\r\nBEGIN:VEVENT\r\n{when}{one}END:VEVENT\r\n{tail}".encode())


@pytest.mark.parametrize("send", [True, False])
def test_an_answer_to_one_occurrence_of_a_series_reaches_the_organizer(make: Callable[..., Desk], *, send: bool) -> None:
    desk = make(send=send)
    is_old = desk.server.account.dialect.calendars == "1.0"
    rule = {"@type": "RecurrenceRule", "frequency": "weekly", "count": 5}
    invite(desk, **({"recurrenceRules": [rule]} if is_old else {"recurrenceRule": rule}))
    answer_one(desk.file("calendars", "invited"), "20370109T100000Z")
    desk.sync_until_quiet()
    assert desk.mailed == [("update", "invited")] * send
    [event] = desk.server.account.calendars.items.values()
    people = people_of(event)
    assert [(moment, one["me"]["participationStatus"]) for moment, one in people.items()] == [
        ("", "needs-action"),
        ("2037-01-09T10:00:00", "accepted"),
    ]


@pytest.mark.parametrize("send", [True, False])
def test_an_answer_of_a_guest_of_single_occurrences_reaches_the_organizer(make: Callable[..., Desk], *, send: bool) -> None:
    desk = make(send=send)
    for day in ("02", "09"):
        moment = f"2037-01-{day}T10:00:00"
        invite(desk, start=moment, recurrenceId=moment, recurrenceIdTimeZone="Etc/UTC")
    file = desk.file("calendars", "invited")
    text = file.read_text()
    assert text.count("BEGIN:VEVENT") == 2
    first, second = text.rsplit("BEGIN:VEVENT", 1)
    file.write_text(f"{first}BEGIN:VEVENT{second.replace('PARTSTAT=NEEDS-ACTION', 'PARTSTAT=ACCEPTED')}", newline="\r\n")
    desk.sync_until_quiet()
    assert desk.mailed == [("update", "invited")] * send
    answers = [one["participants"]["me"]["participationStatus"] for one in desk.server.account.calendars.items.values()]
    assert sorted(answers) == ["accepted", "needs-action"]
    calls = desk.server.requests.calls("CalendarEvent/set")
    assert [call.arguments["sendSchedulingMessages"] for call in calls] == [send]
    desk.server.requests.clear()
    file.unlink()
    desk.sync_until_quiet()
    assert desk.mailed == [("destroy", "invited")] * send, "declined, where it was answered"
    calls = desk.server.requests.calls("CalendarEvent/set")
    assert [call.arguments["sendSchedulingMessages"] for call in calls] == [False, True][: 1 + send]


NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("event", "over"),
    [
        ({"start": "2026-05-30T10:00:00", "duration": "PT1H"}, True),
        ({"start": "2026-05-30T10:00:00", "duration": "P5D"}, False),
        ({"start": "2026-06-01T10:00:00"}, False),
        ({"start": "2020-01-01T10:00:00", "recurrenceRule": {"frequency": "weekly"}}, False),
        ({"start": "2020-01-01T10:00:00", "recurrenceRule": {"frequency": "weekly", "until": "2021-01-01T10:00:00"}}, True),
        ({"start": "2020-01-01T10:00:00", "recurrenceOverrides": {"2026-07-01T10:00:00": {}}}, False),
        ({"start": "?"}, False),
        ({}, False),
    ],
)
def test_an_event_is_over_when_nothing_of_it_is_to_come(event: dict[str, Any], *, over: bool) -> None:
    assert is_over(event, NOW) is over


def test_an_answer_to_one_occurrence_is_an_answer() -> None:
    me = {"calendarAddress": ME, "participationStatus": "needs-action"}
    event = {
        "start": "2026-05-30T10:00:00",
        "recurrenceRule": {"frequency": "weekly"},
        "organizerCalendarAddress": BOB,
        "participants": {"p": me, "q": {"calendarAddress": BOB}},
    }
    answered = {**event, "recurrenceOverrides": {"2026-06-06T10:00:00": {"participants/p/participationStatus": "declined"}}}
    mine = frozenset({ME})
    assert concerns_others(event, answered, mine, NOW)
    assert not concerns_others(event, {**event, "recurrenceOverrides": {"2026-06-06T10:00:00": {"alerts": None}}}, mine, NOW)
    assert not concerns_others(event, None, mine, NOW), "an invitation that was never answered is declined by nobody"
    assert concerns_others(answered, None, mine, NOW)


def test_a_guest_of_a_single_occurrence_counts_as_one() -> None:
    event = {"start": "2026-05-30T10:00:00", "recurrenceRule": {"frequency": "weekly"}, "organizerCalendarAddress": ME}
    moment, bob = "2026-06-06T10:00:00", {"calendarAddress": BOB, "participationStatus": "needs-action"}
    mine = frozenset({ME})
    for patch in ({"participants": {"b": bob}}, {"participants/b": bob}):
        asked = {**event, "recurrenceOverrides": {moment: patch}}
        assert concerns_others(event, asked, mine, NOW), "an invitation"
        assert concerns_others(asked, event, mine, NOW), "a cancellation"
        assert not concerns_others(event, {**event, "title": "Mine"}, mine, NOW), "nobody else is in it"
        theirs = frozenset({BOB})
        answered = {moment: {"participants": {"b": {**bob, "participationStatus": "accepted"}}}}
        assert concerns_others(asked, {**asked, "recurrenceOverrides": answered}, theirs, NOW)
        assert not concerns_others(asked, {**asked, "alerts": {}}, theirs, NOW)
