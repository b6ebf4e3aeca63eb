"""With two users on a real Cyrus: no mail leaves when an event is pushed unless the configuration says so; with the key it does.

Counted at the SMTP server behind Cyrus for a participant elsewhere, and in the calendar of the other user.
"""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import ExitStack
from email import message_from_bytes
from typing import TYPE_CHECKING

import pytest

from tests.kit.pim import Dav, Pim, change
from tests.live.cyrus import Cyrus
from tests.live.jmapraw import CORE, Jmap
from tests.live.khal import khal_config
from tests.live.service import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.live.smtp_relay import Relay

PASSWORD = "correct horse"
CALENDARS = "urn:ietf:params:jmap:calendars"
QUIET = 2.0
"""Seconds in which a mail that is to leave has left: Cyrus sends within the request."""


@pytest.fixture(scope="module")
def server(relay: tuple[Relay, int]) -> Iterator[Cyrus]:
    settings = f"smtp_backend: host\nsmtp_host: 127.0.0.1:{relay[1]}\ncalendar_user_address_set: example.com\n"
    with Cyrus.start("3.12", settings=settings) as server:
        for user in ("alice", "bob"):
            server.create_user(user, PASSWORD)
        yield server


class Person:
    """A user with a mirrored calendar, and the server as it shows that without us."""

    def __init__(self, base: Path, server: Cyrus, name: str, opened: ExitStack) -> None:
        base.mkdir()
        self.pim = Pim(base, server.jmap_url, name, PASSWORD, ("calendars",))
        self.jmap = opened.enter_context(Jmap(server.jmap_url, name, PASSWORD))
        self.dav = opened.enter_context(Dav(server.jmap_port, name, PASSWORD))
        self._set("destroy", [one["id"] for one in self.events()])
        for inbox in self.dav.names("calendars", "Inbox"):
            self.dav.http.delete(f"/dav/calendars/user/{name}/Inbox/{inbox}")

    def allow(self) -> None:
        """Let the server mail participants."""
        self.pim.config.write_text(self.pim.config.read_text() + "send_invitations = true\n")

    def events(self) -> list[dict[str, object]]:
        query, get = self.jmap.call([("CalendarEvent/query", {}), ("CalendarEvent/get", {"ids": None})], [CORE, CALENDARS])
        assert query["ids"] is not None
        found: list[dict[str, object]] = get["list"]
        return found

    def _set(self, verb: str, what: object) -> None:
        self.jmap.call([("CalendarEvent/set", {verb: what, "sendSchedulingMessages": False})], [CORE, CALENDARS])

    def sync(self) -> None:
        for _ in range(4):
            if not self.pim.run().changed:
                return
        raise AssertionError

    def add(
        self,
        uid: str,
        *,
        more: str = "",
        guests: tuple[str, ...] = ("bob@example.com", "carol@elsewhere.example"),
        start: str = ":20370102T100000Z",
    ) -> Path:
        [folder] = [one for one in (self.pim.base / "calendars").iterdir() if one.is_dir()]
        file = folder / f"{uid}.ics"
        file.write_text(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\n"
            f"UID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART{start}\r\nDURATION:PT1H\r\nSUMMARY:{uid}\r\n"
            "ORGANIZER:mailto:alice@example.com\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:alice@example.com\r\n"
            + "".join(f"ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{guest}\r\n" for guest in guests)
            + f"{more}END:VEVENT\r\nEND:VCALENDAR\r\n",
            newline="",
        )
        return file


class Stage:
    def __init__(self, base: Path, server: Cyrus, relay: Relay, opened: ExitStack) -> None:
        self.relay = relay
        self.alice = Person(base / "alice", server, "alice", opened)
        self.bob = Person(base / "bob", server, "bob", opened)
        relay.taken.clear()

    def ask(self) -> None:
        """Have alice invite bob, who has that invitation on his disk then."""
        self.alice.allow()
        self.alice.sync()
        self.alice.add("asked")
        self.alice.sync()
        self.bob.sync()
        self.mailed()

    def mailed(self, least: int = 0) -> list[tuple[str, ...]]:
        """Return whom mail left to, and with which method, since the last call; wait for so many at least, and for some quiet."""
        until(lambda: len(self.relay.taken) >= least)
        for _ in range(20):  # in turns: that the machine stands still proves nothing
            time.sleep(QUIET / 20)
        found, self.relay.taken = self.relay.taken, []
        return sorted((*recipients, method_of(content)) for _, recipients, content in found)


def method_of(content: bytes) -> str:
    parts = [part for part in message_from_bytes(content).walk() if part.get_content_type() == "text/calendar"]
    return str(parts[0].get_param("method")).upper() if parts else "none"


@pytest.fixture
def stage(tmp_path: Path, server: Cyrus, relay: tuple[Relay, int]) -> Iterator[Stage]:
    with ExitStack() as opened:
        yield Stage(tmp_path, server, relay[0], opened)


def test_no_mail_leaves_when_an_event_is_pushed_changed_and_deleted(stage: Stage) -> None:
    alice, bob = stage.alice, stage.bob
    alice.sync()
    file = alice.add("quiet")
    alice.sync()
    change(file, "SUMMARY:quiet", "SUMMARY:still")
    alice.sync()
    assert [one["title"] for one in alice.events()] == ["still"]
    file.unlink()
    alice.sync()
    assert alice.events() == []
    assert stage.mailed() == []
    assert (bob.events(), bob.dav.names("calendars", "Inbox")) == ([], [])


def test_cyrus_mails_where_a_request_does_not_say_whether_to(stage: Stage) -> None:
    """Therefore every request says so; the draft has false for what is not said."""
    alice, using = stage.alice, [CORE, CALENDARS]
    [calendar] = alice.jmap.call([("Calendar/get", {})], using)[0]["list"][:1]
    people = {
        "a": {"roles": {"owner": True, "attendee": True}, "sendTo": {"imip": "mailto:alice@example.com"}},
        "c": {"roles": {"attendee": True}, "sendTo": {"imip": "mailto:carol@elsewhere.example"}, "expectReply": True},
    }
    event = {"uid": "unsaid", "title": "Unsaid", "start": "2037-01-02T10:00:00", "timeZone": "Etc/UTC", "duration": "PT1H"}
    organizer = {"replyTo": {"imip": "mailto:alice@example.com"}, "participants": people}
    new = {"e": {**event, **organizer, "calendarIds": {calendar["id"]: True}}}
    [answer] = alice.jmap.call([("CalendarEvent/set", {"create": new})], using)
    assert answer["created"], answer
    assert stage.mailed(1) == [("carol@elsewhere.example", "REQUEST")]


def test_with_the_key_the_participants_hear_of_it(stage: Stage) -> None:
    alice, bob = stage.alice, stage.bob
    alice.allow()
    alice.sync()
    file = alice.add("loud")
    alice.sync()
    assert stage.mailed(1) == [("carol@elsewhere.example", "REQUEST")]
    assert [one["title"] for one in bob.events()] == ["loud"]
    alice.sync()
    assert stage.mailed() == [], "once"
    alarm = "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT"
    change(alice.pim.file("calendars", "loud"), "END:VEVENT", alarm)
    alice.sync()
    assert stage.mailed() == [], "an alarm is nobody else's"
    file.unlink()
    alice.sync()
    assert stage.mailed(1) == [("carol@elsewhere.example", "CANCEL")]


def test_an_answer_reaches_the_organizer_only_with_the_key(stage: Stage) -> None:
    alice, bob = stage.alice, stage.bob
    stage.ask()

    def answer() -> list[str]:
        [event] = alice.events()
        people = event["participants"]
        assert isinstance(people, dict)
        return [one.get("participationStatus") for one in people.values() if "bob" in str(one.get("sendTo"))]

    file = bob.pim.file("calendars", "asked")
    mine = [line for line in file.read_text().replace("\n ", "").splitlines() if "bob@example.com" in line]
    assert ["NEEDS-ACTION" in line for line in mine] == [True]
    edit_answer(file, "TENTATIVE")
    bob.sync()
    assert answer() == ["needs-action"], "without the key it stays with Bob"
    bob.allow()
    edit_answer(file, "ACCEPTED")
    bob.sync()
    assert answer() == ["accepted"]
    alice.sync()
    assert "PARTSTAT=ACCEPTED" in next(line for line in unfolded(alice.pim.file("calendars", "asked")) if "bob@example.com" in line)


ANSWER = """\
import sys
from icalendar.prop import vText
from khal.cli import build_collection
from khal.settings import get_config
config, title, address, status = sys.argv[1:]
collection = build_collection(get_config(config), None)
collection.update_db()
[event] = {one.uid: one for one in collection.search(title)}.values()
found = event._vevents[event.ref]["ATTENDEE"]
[mine] = [one for one in (found if isinstance(found, list) else [found]) if address in one]
mine.params["PARTSTAT"] = vText(status)
event.increment_sequence()
collection.update(event)
"""
"""What khal does to save an event that was edited in it; its editors show a PARTSTAT and have no field for it."""


def answer_in_khal(person: Person, title: str, status: str) -> None:
    [folder] = [one for one in (person.pim.base / "calendars").iterdir() if one.is_dir()]
    config = person.pim.base / "khal.conf"
    config.write_text(khal_config(folder, person.pim.base / "khal.db", "Etc/UTC"))
    subprocess.run([sys.executable, "-c", ANSWER, config, title, "bob@example.com", status], check=True)


def answers(person: Person, name: str = "bob") -> dict[str, str]:
    """Return what somebody answered by the organizer's calendar: the series by "", else by the occurrence."""
    [event] = person.events()
    people = event["participants"]
    assert isinstance(people, dict)
    [key] = [key for key, one in people.items() if name in str(one.get("sendTo"))]
    found = {"": people[key]["participationStatus"]}
    overrides = event.get("recurrenceOverrides")
    for moment, patch in overrides.items() if isinstance(overrides, dict) else ():
        status = patch.get(f"participants/{key}/participationStatus")
        found |= {moment: status} if status else {}
    return found


def test_an_answer_saved_by_khal_reaches_the_organizer_only_with_the_key(stage: Stage) -> None:
    alice, bob = stage.alice, stage.bob
    stage.ask()
    answer_in_khal(bob, "asked", "TENTATIVE")
    bob.sync()
    assert answers(alice) == {"": "needs-action"}, "without the key it stays with Bob"
    assert "PARTSTAT=TENTATIVE" in "".join(line for line in unfolded(bob.pim.file("calendars", "asked")) if "bob@" in line)
    bob.allow()
    answer_in_khal(bob, "asked", "ACCEPTED")
    bob.sync()
    assert answers(alice) == {"": "accepted"}
    assert stage.mailed() == [], "Alice is a user of the same server"


def occurrence(file: Path, moment: str, *more: str, answer: str = "") -> None:
    """Change one occurrence of a series as programs do: with an event of its own for it."""
    lines = unfolded(file)
    start, end = lines.index("BEGIN:VEVENT"), len(lines) - 1 - lines[::-1].index("END:VEVENT")
    one = [line for line in lines[start:end] if not line.startswith(("RRULE", "DTSTART"))]
    one[1:1] = [f"RECURRENCE-ID{moment}", f"DTSTART{moment}", *more]
    file.write_bytes("\r\n".join([*lines[: end + 1], *one, *lines[end:]]).encode())
    if answer:
        edit_answer(file, answer, last=True)


@pytest.mark.parametrize("key", [False, True])
def test_an_answer_to_one_occurrence_reaches_the_organizer_only_with_the_key(stage: Stage, *, key: bool) -> None:
    alice, bob = stage.alice, stage.bob
    alice.allow()
    alice.sync()
    file = alice.add("series", more="RRULE:FREQ=WEEKLY;COUNT=4\r\n")
    alice.sync()
    bob.sync()
    stage.mailed()
    if key:
        bob.allow()
    occurrence(bob.pim.file("calendars", "series"), ":20370109T100000Z", answer="DECLINED")
    bob.sync()
    assert answers(alice) == {"": "needs-action"} | ({"2037-01-09T10:00:00": "declined"} if key else {})
    alice.sync()
    assert (file.read_text().count("BEGIN:VEVENT") == 2) is key


@pytest.mark.parametrize("key", [False, True])
def test_an_answer_of_a_guest_of_a_single_occurrence_reaches_the_organizer_only_with_the_key(stage: Stage, *, key: bool) -> None:
    alice, bob = stage.alice, stage.bob
    alice.allow()
    alice.sync()
    zone = ";TZID=Europe/Berlin"  # Cyrus 3.12 finds no single occurrence by a moment in UTC, and jmapsync then sends nothing
    file = alice.add("series", more="RRULE:FREQ=WEEKLY;COUNT=4\r\n", guests=(), start=f"{zone}:20370102T100000")
    alice.sync()
    assert (stage.mailed(), bob.events()) == ([], [])
    guest = "ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:bob@example.com"
    occurrence(alice.pim.file("calendars", "series"), f"{zone}:20370109T100000", guest)
    alice.sync()
    [invitation] = bob.events()
    assert invitation.get("recurrenceId") == "2037-01-09T10:00:00"
    bob.sync()
    if key:
        bob.allow()
    edit_answer(bob.pim.file("calendars", "series"), "ACCEPTED")
    bob.sync()
    [event] = alice.events()
    overrides = event["recurrenceOverrides"]
    assert isinstance(overrides, dict)
    assert ("accepted" in str(overrides).replace("'participationStatus': 'accepted', 'sendTo': {'imip': 'mailto:alice", "")) is key
    alice.sync()
    mine = [line for line in unfolded(file) if "bob@example.com" in line]
    assert ["PARTSTAT=ACCEPTED" in line for line in mine] == [key]


def unfolded(file: Path) -> list[str]:
    return file.read_bytes().decode().replace("\r\n ", "").split("\r\n")


def edit_answer(file: Path, answer: str, *, last: bool = False) -> None:
    """Answer as a text editor does; the last event in a file, or the only one."""
    lines = unfolded(file)
    found = [number for number, line in enumerate(lines) if line.startswith("ATTENDEE") and "bob@example.com" in line]
    [at] = found[-1:] if last else found
    before, _, rest = lines[at].partition("PARTSTAT=")
    value = rest.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ-")
    lines[at] = f"{before}PARTSTAT={answer}{value}"
    file.write_bytes("\r\n".join(lines).encode())


def test_an_event_keeps_the_alerts_of_its_calendar_until_it_gets_an_alarm_of_its_own(stage: Stage) -> None:
    alice = stage.alice
    alert = {"@type": "Alert", "trigger": {"@type": "OffsetTrigger", "offset": "-PT15M"}, "action": "display"}
    using = [CORE, CALENDARS]
    [calendar] = alice.jmap.call([("Calendar/get", {})], using)[0]["list"][:1]
    alice.jmap.call([("Calendar/set", {"update": {calendar["id"]: {"defaultAlertsWithTime": {"a": alert}}}})], using)
    event = {"uid": "talk", "title": "Talk", "start": "2037-01-02T10:00:00", "timeZone": "Etc/UTC", "duration": "PT1H"}
    new = {"e": {**event, "calendarIds": {calendar["id"]: True}, "useDefaultAlerts": True}}
    alice.jmap.call([("CalendarEvent/set", {"create": new})], using)
    alice.sync()
    file = alice.pim.file("calendars", "talk")
    assert "VALARM" not in file.read_text()
    change(file, "SUMMARY:Talk", "SUMMARY:Speech")
    alice.sync()
    assert [(one["title"], one["useDefaultAlerts"]) for one in alice.events()] == [("Speech", True)]
    alarm = "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT"
    change(alice.pim.file("calendars", "talk"), "END:VEVENT", alarm)
    alice.sync()
    [found] = alice.events()
    alerts = found["alerts"]
    assert isinstance(alerts, dict)
    assert (found["useDefaultAlerts"], [one["trigger"]["offset"] for one in alerts.values()]) == (False, ["-PT5M"])
    assert alice.pim.file("calendars", "talk").read_text().count("BEGIN:VALARM") == 1


def test_an_occurrence_gets_an_alarm_of_its_own_beside_the_alerts_of_its_calendar(stage: Stage) -> None:
    alice, using = stage.alice, [CORE, CALENDARS]
    [calendar] = alice.jmap.call([("Calendar/get", {})], using)[0]["list"][:1]
    rule = {"@type": "RecurrenceRule", "frequency": "weekly", "count": 4}
    event = {"uid": "talks", "title": "Talks", "start": "2037-01-02T10:00:00", "timeZone": "Europe/Berlin", "duration": "PT1H"}
    new = {"e": {**event, "recurrenceRules": [rule], "calendarIds": {calendar["id"]: True}, "useDefaultAlerts": True}}
    [answer] = alice.jmap.call([("CalendarEvent/set", {"create": new})], using)
    assert answer["created"], answer
    alice.sync()
    alarm = ("BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:x", "TRIGGER:-PT5M", "END:VALARM")
    occurrence(alice.pim.file("calendars", "talks"), ";TZID=Europe/Berlin:20370109T100000", *alarm)
    alice.sync()
    [found] = alice.events()
    overrides = found["recurrenceOverrides"]
    assert isinstance(overrides, dict)
    patch = overrides["2037-01-09T10:00:00"]
    assert (found["useDefaultAlerts"], patch.get("useDefaultAlerts")) == (True, False), patch
    assert "-PT5M" in str(patch)
    assert alice.pim.file("calendars", "talks").read_text().count("BEGIN:VALARM") == 1


def test_the_description_and_colour_of_a_calendar_go_both_ways(stage: Stage) -> None:
    alice, using = stage.alice, [CORE, CALENDARS]
    [calendar] = alice.jmap.call([("Calendar/get", {})], using)[0]["list"][:1]
    update = {"description": "What we do.\nAnd when.", "color": "#112233"}
    alice.jmap.call([("Calendar/set", {"update": {calendar["id"]: update}})], using)
    alice.sync()
    [file] = alice.pim.base.glob("calendars/*/description")
    assert (file.read_text(), file.with_name("color").read_text()) == ("What we do.\nAnd when.\n", "#112233")
    file.write_text("Another")
    file.with_name("color").write_text("#445566")
    alice.sync()
    [found] = [one for one in alice.jmap.call([("Calendar/get", {})], using)[0]["list"] if one["id"] == calendar["id"]]
    assert (found["description"], found["color"]) == ("Another", "#445566")
    file.unlink()
    alice.sync()
    [found] = [one for one in alice.jmap.call([("Calendar/get", {})], using)[0]["list"] if one["id"] == calendar["id"]]
    assert not found["description"]
