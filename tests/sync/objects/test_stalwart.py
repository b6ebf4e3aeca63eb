"""What a real Stalwart 0.16.19 does to contacts, events and tasks, and what a mirror of them must do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.demo import DemoServer
from jmapsync.demo.stalwart_dav import rendered
from jmapsync.errors import ExitCode
from tests.kit.object_mirror import ObjectMirror, change, writes
from tests.sync.objects.samples import card, event

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jmapsync.demo import Store


@pytest.fixture
def server() -> Iterator[DemoServer]:
    with DemoServer(dialect="stalwart") as server:
        yield server


@pytest.fixture
def desk(server: DemoServer, tmp_path: Path) -> ObjectMirror:
    desk = ObjectMirror(server.url, tmp_path)
    desk.sync_until_quiet()
    return desk


def store_of(server: DemoServer, kind: str) -> Store:
    return server.account.contacts if kind == "contacts" else server.account.calendars


def drop(desk: ObjectMirror, kind: str, uid: str, content: bytes) -> Path:
    """Put a new file into the first folder of a kind, and have it synchronised."""
    folder = next(path for path in (desk.base / kind).iterdir() if path.is_dir() and not path.name.startswith("."))
    file = folder / f"{uid}{'.vcf' if kind == 'contacts' else '.ics'}"
    file.write_bytes(content)
    return file


def todo(uid: str, *lines: str) -> bytes:
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//test//EN", "BEGIN:VTODO", f"UID:{uid}", "DTSTAMP:20260101T000000Z"]
    return "\r\n".join([*head, f"SUMMARY:{uid}", *lines, "END:VTODO", "END:VCALENDAR", ""]).encode()


def vevent(uid: str, *lines: str) -> bytes:
    return todo(uid, *lines).replace(b"VTODO", b"VEVENT")


def unfolded(text: str) -> list[str]:
    return text.replace("\r\n ", "").split("\r\n")


def dav(server: DemoServer, kind: str, uid: str) -> list[str]:
    """Return the lines that CardDAV or CalDAV gives of an object."""
    return unfolded(rendered(store_of(server, kind).by_uid(uid)))


def rests(desk: ObjectMirror) -> None:
    """Run; fail unless the next run, which reads what came of it, writes nothing, and the one after that asks once."""
    desk.sync()
    for _ in range(2):
        assert writes(desk.sync()) == 0
    assert desk.requests == 1


class TestDates:
    @pytest.mark.parametrize(
        ("kind", "before", "after", "lines"),
        [
            (
                "calendars",
                ["DTSTART;VALUE=DATE:20261205", "DTEND;VALUE=DATE:20261206"],
                ["DTSTART;TZID=Europe/Vienna:20261205T150000", "DTEND;TZID=Europe/Vienna:20261205T160000"],
                ["DTSTART;TZID=Europe/Vienna:20261205T150000", "DTEND;TZID=Europe/Vienna:20261205T160000"],
            ),
            (
                "calendars",
                ["DTSTART;VALUE=DATE:20261205", "DTEND;VALUE=DATE:20261207"],
                ["DTSTART:20261205T080000Z", "DURATION:PT30M"],
                ["DTSTART:20261205T080000Z"],
            ),
            (
                "calendars",
                ["DTSTART;TZID=Europe/Vienna:20261205T150000", "DTEND;TZID=Europe/Vienna:20261205T160000"],
                ["DTSTART;VALUE=DATE:20261205", "DTEND;VALUE=DATE:20261206"],
                ["DTSTART;VALUE=DATE:20261205", "DTEND;VALUE=DATE:20261206"],
            ),
            (
                "tasks",
                ["DUE;VALUE=DATE:20261210"],
                ["DUE;TZID=Asia/Baku:20261210T170000"],
                ["DUE;TZID=Asia/Baku:20261210T170000"],
            ),
            ("tasks", ["DUE:20261210T170000Z"], ["DUE;VALUE=DATE:20261210"], ["DUE;VALUE=DATE:20261210"]),
            (
                "tasks",
                ["DTSTART;VALUE=DATE:20261201", "DUE;VALUE=DATE:20261210"],
                ["DTSTART;TZID=Europe/Oslo:20261201T090000", "DUE;TZID=Europe/Oslo:20261210T170000"],
                ["DTSTART;TZID=Europe/Oslo:20261201T090000", "DUE;TZID=Europe/Oslo:20261210T170000"],
            ),
        ],
    )
    def test_an_event_or_a_due_gets_or_loses_its_time(  # noqa: PLR0917
        self, server: DemoServer, desk: ObjectMirror, kind: str, before: list[str], after: list[str], lines: list[str]
    ) -> None:
        file = drop(desk, kind, "a", (vevent if kind == "calendars" else todo)("a", *before))
        rests(desk)
        assert set(before) <= set(dav(server, kind, "a"))
        change(file, "\r\n".join(before), "\r\n".join(after))
        rests(desk)
        reported = dav(server, kind, "a")
        assert set(lines) <= set(reported)
        assert [line for line in reported if "VALUE=DATE;TZID" in line or "VALUE=DATE:" in line] == [
            line for line in lines if "VALUE=DATE:" in line
        ]
        assert set(lines) <= set(unfolded(file.read_bytes().decode()))

    def test_a_series_of_whole_days_that_gets_a_time_takes_its_exceptions_along(
        self, server: DemoServer, desk: ObjectMirror
    ) -> None:
        lines = ["DTSTART;VALUE=DATE:20261205", "DURATION:P1D", "RRULE:FREQ=DAILY;COUNT=5", "EXDATE;VALUE=DATE:20261207"]
        file = drop(desk, "calendars", "a", vevent("a", *lines))
        rests(desk)
        assert "EXDATE;VALUE=DATE:20261207" in dav(server, "calendars", "a")
        timed = ["DTSTART;TZID=Europe/Rome:20261205T070000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=5"]
        change(file, "\r\n".join(lines), "\r\n".join([*timed, "EXDATE;TZID=Europe/Rome:20261207T070000"]))
        rests(desk)
        reported = dav(server, "calendars", "a")
        assert {"DTSTART;TZID=Europe/Rome:20261205T070000", "EXDATE;TZID=Europe/Rome:20261207T070000"} <= set(reported)
        assert not any("VALUE=DATE" in line for line in reported)

    def test_an_override_is_sent_whole(self, server: DemoServer, desk: ObjectMirror) -> None:
        """Stalwart writes of an override what that says, so a changed title alone would have neither a start nor an end."""
        start = "DTSTART;TZID=Europe/Rome:20261207T070000"
        file = drop(desk, "calendars", "a", vevent("a", start, "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=5", "LOCATION:Hall"))
        moved = vevent(
            "a", "RECURRENCE-ID;TZID=Europe/Rome:20261208T070000", start.replace("07T", "08T"), "DURATION:PT1H", "LOCATION:Hall"
        )
        moved = moved.replace(b"SUMMARY:a", b"SUMMARY:other")
        override = moved[moved.index(b"BEGIN:VEVENT") : moved.index(b"END:VCALENDAR")]
        file.write_bytes(file.read_bytes().replace(b"END:VCALENDAR", override + b"END:VCALENDAR"))
        rests(desk)
        reported = dav(server, "calendars", "a")
        second = reported[reported.index("END:VEVENT") :]
        assert {"SUMMARY:other", "DTSTART;TZID=Europe/Rome:20261208T070000", "DURATION:PT1H"} <= set(second)

    @pytest.mark.parametrize(
        ("kind", "line"),
        [
            ("tasks", "COMPLETED:20261130T040422Z"),
            ("calendars", "LAST-MODIFIED:20261130T040422Z"),
            ("calendars", "X-SINCE;VALUE=DATE:20261130"),
            ("calendars", "X-WHEN;VALUE=DATE-TIME:20261130T040422Z"),
            ("calendars", "X-AT;VALUE=TIME:040422"),
            ("calendars", "X-ZONE;VALUE=UTC-OFFSET:-0530"),
            ("calendars", "X-SPAN;VALUE=PERIOD:20261130T040422Z/PT1H"),
            ("calendars", "EXRULE:FREQ=DAILY;COUNT=2"),
            ("calendars", "REQUEST-STATUS:2.0;Success"),
            ("contacts", "X-SINCE;VALUE=DATE:19900102"),
            ("contacts", "X-ZONE;VALUE=UTC-OFFSET:-0500"),
            ("contacts", "X-STAMP;VALUE=TIMESTAMP:19900102T101500Z"),
        ],
    )
    def test_a_kept_line_is_written_as_it_was(self, server: DemoServer, desk: ObjectMirror, kind: str, line: str) -> None:
        if kind == "contacts":
            drop(desk, kind, "a", card("a", line.replace("19900102T101500Z", "1990-01-02T10:15:00Z")))
        else:
            make = todo if kind == "tasks" else vevent
            drop(desk, kind, "a", make("a", *(["DTSTART:20261205T080000Z"] if kind == "calendars" else []), line))
        rests(desk)
        assert line in dav(server, kind, "a")
        assert desk.sync()[kind].messages == []


class TestLines:
    @pytest.mark.parametrize("kind", ["contacts", "calendars", "tasks"])
    def test_a_line_that_no_property_stands_for_reaches_the_server_and_the_disk(
        self, server: DemoServer, desk: ObjectMirror, kind: str
    ) -> None:
        make = {"contacts": card, "calendars": event, "tasks": todo}[kind]
        file = drop(desk, kind, "a", make("a"))
        rests(desk)
        end = {"contacts": "END:VCARD", "calendars": "END:VEVENT", "tasks": "END:VTODO"}[kind]
        change(file, end, f"X-OWN-FIELD;X-P=1:12\\,3\r\n{end}")
        found = desk.sync()[kind]
        assert (found.exit_code, found.problems, found.messages) == (ExitCode.IN_SYNC, [], [])
        rests(desk)
        assert "X-OWN-FIELD;X-P=1:12\\,3" in dav(server, kind, "a")
        store, where = store_of(server, kind), "vCard" if kind == "contacts" else "iCalendar"
        held = store.by_uid("a")
        store.edit(held["id"], {f"{where}/properties": [*held[where]["properties"], ["x-there", {}, "unknown", "yes"]]})
        rests(desk)
        lines = unfolded(file.read_bytes().decode())
        assert (lines.count("X-THERE:yes"), lines.count("X-OWN-FIELD;X-P=1:12\\,3")) == (1, 1)

    @pytest.mark.parametrize("kind", ["contacts", "calendars"])
    def test_a_refused_property_stops_neither_the_rest_nor_the_item(
        self, server: DemoServer, desk: ObjectMirror, kind: str
    ) -> None:
        """Stalwart refuses an object for the first property that it does not know; nothing of it can say the others."""
        make, end = (card, "END:VCARD") if kind == "contacts" else (event, "END:VEVENT")
        title = "FN:a" if kind == "contacts" else "SUMMARY:a"
        file = drop(desk, kind, "a", make("a"))
        rests(desk)
        jsprops = [f'JSPROP;JSPTR="{name}.example:x":{{"a":1}}' for name in ("one", "two", "three")]
        change(file, end, "\r\n".join([*jsprops, end]))
        change(file, title, f"{title}b")
        found = desk.sync()[kind]
        assert found.problems == []
        assert "The server does not keep this" in found.messages[0]
        rests(desk)
        assert f"{title}b" in dav(server, kind, "a")
        assert [line for line in unfolded(file.read_bytes().decode()) if line.startswith("JSPROP")] != []
        change(file, '"one.example:x":{"a":1}', '"one.example:x":{"a":2}')  # that alone, of which nothing is left to send
        assert desk.sync()[kind].problems == []
        store_of(server, kind).edit(store_of(server, kind).by_uid("a")["id"], {"keywords": {"there": True}})
        rests(desk)
        assert "CATEGORIES:there" in unfolded(file.read_bytes().decode())

    @pytest.mark.parametrize("params", ["", ";LANGUAGE=de;X-P=1"])
    @pytest.mark.parametrize(
        "line",
        ["COMMENT{}:a\\, b\\; c", "CONTACT{}:Jim\\, +1", "RESOURCES{}:a,b\\,c", "X-OWN{}:a\\,b", "X-PARTS{}:a;b", "X-BARE{}:a,b"],
    )
    def test_a_line_beside_the_properties_is_never_doubled(
        self, server: DemoServer, desk: ObjectMirror, line: str, params: str
    ) -> None:
        text = line.format(params)
        file = drop(desk, "calendars", "a", event("a", text))
        assert desk.sync()["calendars"].messages == []
        name = text.partition(":")[0]
        for number in range(3):
            store_of(server, "calendars").edit(store_of(server, "calendars").by_uid("a")["id"], {"title": f"t{number}"})
            rests(desk)
            kept = [one for one in unfolded(file.read_bytes().decode()) if one.startswith(name)]
            assert len(kept) == 1
        assert len([one for one in dav(server, "calendars", "a") if one.startswith(name)]) == 1


class TestHiddenValues:
    """vCard 3.0 cannot say some values: they are in JSPROP lines, beside which an editor writes lines of its own."""

    @pytest.mark.parametrize(
        ("held", "line", "reported"),
        [
            (
                {"organizations": {"k1": {"name": "Acme", "units": [{"name": ""}, {"name": "Sales"}]}}},
                "ORG:Other",
                "ORG;PROP-ID=ORG-1:Other",
            ),
            ({"titles": {"k1": {"name": ""}}}, "TITLE:Boss", "TITLE;PROP-ID=TITLE-1:Boss"),
            ({"kind": "x-odd"}, "NOTE:n", "NOTE;PROP-ID=NOTE-1:n"),
        ],
    )
    def test_a_line_written_beside_one_is_sent(
        self, server: DemoServer, desk: ObjectMirror, held: dict[str, Any], line: str, reported: str
    ) -> None:
        cards = server.account.contacts
        cards.add({"uid": "a", "name": {"full": "Ada"}, **held})
        desk.sync_until_quiet()
        file = desk.file("contacts", "a")
        change(file, "END:VCARD", f"{line}\r\nEND:VCARD")
        assert writes(desk.sync()) == 1
        assert reported in dav(server, "contacts", "a")
        rests(desk)
        assert line.partition(":")[2] in file.read_bytes().decode()

    def test_a_date_of_a_month_is_no_hidden_value_and_is_replaced_by_its_line(self, server: DemoServer, desk: ObjectMirror) -> None:
        month = {"k1": {"kind": "birth", "date": {"@type": "PartialDate", "year": 1963, "month": 9}}}
        server.account.contacts.add({"uid": "a", "name": {"full": "Ada"}, "anniversaries": month})
        desk.sync_until_quiet()
        change(desk.file("contacts", "a"), "BDAY:1963-09", "BDAY:1963-10-04")
        assert writes(desk.sync()) == 1
        assert "BDAY;PROP-ID=k1:19631004" in dav(server, "contacts", "a")

    def test_an_organization_with_an_empty_unit_is_a_line_that_can_be_edited(self, server: DemoServer, desk: ObjectMirror) -> None:
        """So Stalwart has `ORG:Acme;`."""
        server.account.contacts.add(
            {"uid": "a", "name": {"full": "A"}, "organizations": {"k1": {"name": "Acme", "units": [{"name": ""}]}}}
        )
        desk.sync_until_quiet()
        file = desk.file("contacts", "a")
        change(file, "ORG:Acme\r", "ORG:Other\r")
        rests(desk)
        assert [line for line in dav(server, "contacts", "a") if line.startswith("ORG")] == ["ORG;PROP-ID=k1:Other;"]
        assert b"ORG:Other\r" in file.read_bytes()

    def test_an_edit_that_no_patch_says_is_kept_as_a_conflict_copy(
        self, desk: ObjectMirror, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whatever a converter overlooks, an edited file is never taken for agreement without a trace."""
        file = drop(desk, "calendars", "a", event("a"))
        rests(desk)
        monkeypatch.setattr("jmapsync.formats.canonical.changes", lambda *_: {})
        monkeypatch.setattr("jmapsync.sync.merge_objects.changes", lambda *_: {})
        change(file, "SUMMARY:a", "SUMMARY:edited")
        found = desk.sync()["calendars"]
        assert found.conflicts == 1
        [(_, content)] = desk.conflict_copies()
        assert b"SUMMARY:edited" in content


class TestOneUid:
    @pytest.mark.parametrize("kind", ["contacts", "calendars", "tasks"])
    def test_several_objects_of_one_uid_are_one_file_and_the_others_named(
        self, server: DemoServer, desk: ObjectMirror, kind: str
    ) -> None:
        store = store_of(server, kind)
        item: dict[str, Any] = {"uid": "twin", "name": {"full": "T"}} if kind == "contacts" else {"uid": "twin", "title": "T"}
        item |= {"calendars": {"start": "2026-12-05T10:00:00"}, "tasks": {"@type": "Task"}}.get(kind, {})
        refs = [store.add(item) for _ in range(4)]
        for full in (False, False, False, True, False):
            found = desk.sync(full=full)[kind]
            assert len(desk.files(kind)) == 1
            assert found.exit_code is ExitCode.QUARANTINED
            assert len(found.problems) == 3
            assert all("several objects of this uid" in problem.why for problem in found.problems)
        [file] = desk.files(kind)
        change(file, "FN:T" if kind == "contacts" else "SUMMARY:T", "FN:mine" if kind == "contacts" else "SUMMARY:mine")
        desk.sync()
        named = "name" if kind == "contacts" else "title"
        shown = {ref: str(store.items[ref][named]) for ref in refs}
        assert sum("mine" in text for text in shown.values()) == 1
        mirrored = next(ref for ref, text in shown.items() if "mine" in text)
        for ref in [ref for ref in refs if ref != mirrored][1:]:
            store.delete(ref)
        store.delete(mirrored)  # another one takes its place
        for _ in range(3):
            found = desk.sync()[kind]
        assert (found.exit_code, found.problems) == (ExitCode.IN_SYNC, [])
        assert [file.name for file in desk.files(kind)] == [file.name]
        rests(desk)
