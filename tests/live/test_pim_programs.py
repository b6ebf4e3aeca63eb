"""khal, khard and todoman work on the mirrored files; the server then holds exactly what they were asked to change.

Against the embedded server, which shows every call, and which alone offers tasks; and against Cyrus, asked over CardDAV and CalDAV.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.demo import DemoServer
from jmapsync.formats.codec import schedules
from tests.kit.pim import Dav, Pim
from tests.live.khal import khal_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.live.conftest import Account
    from tests.live.cyrus import Cyrus

KHARD = """\
[addressbooks]
[[book]]
path = {book}

[general]
editor = {editor}
merge_editor = {editor}

[vcard]
preferred_version = 3.0
"""
TODOMAN = """\
path = "{tasks}/*"
cache_path = "{base}/todoman.sqlite3"
date_format = "%Y-%m-%d"
time_format = "%H:%M"
default_list = "Tasks"
"""
CARD = {
    "uid": "ada",
    "name": {"components": [{"kind": "given", "value": "Ada"}, {"kind": "surname", "value": "Lovelace"}], "full": "Ada Lovelace"},
    "emails": {"e1": {"address": "ada@example.com", "contexts": {"work": True}}},
    "phones": {"p1": {"number": "+44 1", "features": {"mobile": True}}},
    "anniversaries": {"a1": {"kind": "birth", "date": {"@type": "PartialDate", "month": 12, "day": 10}}},
    "vendor.example:x": {"kept": True},
}
EVENT = {
    "uid": "weekly",
    "title": "Weekly",
    "start": "2026-12-07T10:00:00",
    "timeZone": "Europe/Berlin",
    "duration": "PT1H",
    "recurrenceRule": {"frequency": "weekly", "count": 4},
    "recurrenceOverrides": {"2026-12-14T10:00:00": {"title": "Weekly, moved", "start": "2026-12-14T12:00:00"}},
    "vendor.example:x": {"kept": True},
}
TASK = {"@type": "Task", "uid": "proofs", "title": "Read proofs", "due": "2026-12-01T17:00:00", "timeZone": "Europe/Berlin"}

VCARD = (
    "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:ada\r\nN:Lovelace;Ada;;;\r\nFN:Ada Lovelace\r\nEMAIL;TYPE=WORK:ada@example.com\r\n"
    "TEL;TYPE=CELL:+44 1\r\nX-CUSTOM;X-P=1:kept\r\nEND:VCARD\r\n"
)
ICALENDAR = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//x//EN\r\nBEGIN:VEVENT\r\nUID:weekly\r\nDTSTAMP:20260101T000000Z\r\n"
    "DTSTART;TZID=Europe/Berlin:20261207T100000\r\nDTEND;TZID=Europe/Berlin:20261207T110000\r\nRRULE:FREQ=WEEKLY;COUNT=4\r\n"
    "SUMMARY:Weekly\r\nX-CUSTOM:kept\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:weekly\r\nDTSTAMP:20260101T000000Z\r\n"
    "RECURRENCE-ID;TZID=Europe/Berlin:20261214T100000\r\nDTSTART;TZID=Europe/Berlin:20261214T120000\r\n"
    "DTEND;TZID=Europe/Berlin:20261214T130000\r\nSUMMARY:Weekly\\, moved\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


@pytest.fixture
def server() -> Iterator[DemoServer]:
    with DemoServer() as server:
        server.account.calendars.create_collection("Tasks")
        yield server


@pytest.fixture
def pim(server: DemoServer, tmp_path: Path) -> Pim:
    pim = Pim(tmp_path, server.url, "demo", "demo", ("contacts", "calendars", "tasks"))
    server.account.contacts.add(CARD)
    server.account.calendars.add(EVENT)
    server.account.calendars.add(TASK, ("Tasks",))
    pim.sync_until_quiet()
    return pim


def program(pim: Pim, name: str, *arguments: str, text: str = "") -> str:
    """Run a program of the environment with its configuration; return what it printed."""
    base = pim.base
    editor = base / "editor"
    [book] = (folder for folder in (base / "contacts").iterdir() if folder.is_dir())
    calendar = next(base / "calendars" / name for name in ("Calendar", "personal") if (base / "calendars" / name).is_dir())
    configs = {
        "khal/config": khal_config(calendar, base / "khal.db", "Europe/Berlin"),
        "khard/khard.conf": KHARD.format(book=book, editor=editor),
        "todoman/config.py": TODOMAN.format(base=base, tasks=base / "tasks"),
    }
    for file, config in configs.items():
        (base / "config" / file).parent.mkdir(parents=True, exist_ok=True)
        (base / "config" / file).write_text(config)
    environment = {
        **os.environ,
        "HOME": str(base),
        "XDG_CONFIG_HOME": str(base / "config"),
        "XDG_CACHE_HOME": str(base / "cache"),
        "XDG_DATA_HOME": str(base / "data"),
        "LC_ALL": "C.UTF-8",
        "TZ": "Europe/Berlin",
    }
    command = [str(Path(sys.executable).with_name(name)), *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def patches(server: DemoServer, method: str) -> list[dict[str, Any]]:
    """Return the patches that were sent, one an object."""
    calls = server.requests.calls(method)
    return [patch for call in calls for patch in (call.arguments.get("update") or {}).values()]


def nickname(pim: Pim, name: str) -> None:
    """Give Ada a nickname in khard."""
    form = program(pim, "khard", "show", "--format", "yaml", "ada")
    assert "\nNickname:\n" in form
    filled = pim.base / "form.yaml"
    filled.write_text(form.replace("\nNickname:\n", f"\nNickname: {name}\n"))
    program(pim, "khard", "edit", "--input-file", str(filled), "ada", text="y\n" * 3)


def changed(before: list[str], after: list[str]) -> tuple[set[str], set[str]]:
    """Return the lines that went and those that came, without the stamps of the change itself."""
    stamps = ("PRODID:", "REV:", "DTSTAMP:", "LAST-MODIFIED:", "SEQUENCE:")
    gone, come = set(before) - set(after), set(after) - set(before)
    return {line for line in gone if not line.startswith(stamps)}, {line for line in come if not line.startswith(stamps)}


class TestKhal:
    def test_lists_events_with_their_overrides(self, pim: Pim) -> None:
        listed = program(pim, "khal", "list", "2026-12-07", "30d", "--format", "{start} {title}")
        assert [line for line in listed.splitlines() if "Weekly" in line] == [
            "2026-12-07 10:00 Weekly",
            "2026-12-14 12:00 Weekly, moved",
            "2026-12-21 10:00 Weekly",
            "2026-12-28 10:00 Weekly",
        ]

    def test_a_new_event_is_one_on_the_server(self, pim: Pim, server: DemoServer) -> None:
        program(pim, "khal", "new", "2026-12-24", "18:00", "19:00", "Candles", "::", "with tea", "--location", "Home")
        assert pim.sync("calendars").to_server.created == 1
        [made] = [item for item in server.account.calendars.items.values() if item.get("title") == "Candles"]
        assert (made["start"], made["timeZone"], made["duration"]) == ("2026-12-24T18:00:00", "Europe/Berlin", "PT1H")
        assert [place["name"] for place in made["locations"].values()] == ["Home"]
        pim.sync_until_quiet()

    def test_an_edited_title_is_one_path(self, pim: Pim, server: DemoServer) -> None:
        program(pim, "khal", "edit", "Weekly", text="s\nEvery week\nq\n" * 4)
        pim.run()
        assert patches(server, "CalendarEvent/set") == [{"title": "Every week"}]
        held = server.account.calendars.by_uid("weekly")
        assert held["recurrenceOverrides"] == EVENT["recurrenceOverrides"]
        assert held["vendor.example:x"] == {"kept": True}
        pim.sync_until_quiet()

    def test_a_deleted_event_is_gone_there(self, pim: Pim, server: DemoServer) -> None:
        program(pim, "khal", "edit", "Weekly", text="D\ny\nq\n")  # it asks about each instance
        assert pim.sync("calendars").to_server.deleted == 1
        assert [item["uid"] for item in server.account.calendars.items.values()] == ["proofs"]
        assert server.account.calendars.sent == []


class TestKhard:
    def test_lists_contacts_and_answers_mutt(self, pim: Pim) -> None:
        assert "Ada Lovelace" in program(pim, "khard", "list")
        assert "ada@example.com\tAda Lovelace" in program(pim, "khard", "email", "--parsable", "ada")

    def test_a_nickname_is_one_path_whatever_else_khard_rewrote(self, pim: Pim, server: DemoServer) -> None:
        nickname(pim, "Countess")
        pim.run()
        [patch] = patches(server, "ContactCard/set")
        assert [path.partition("/")[0] for path in patch] == ["nicknames"]
        held = server.account.contacts.by_uid("ada")
        assert [one["name"] for one in held["nicknames"].values()] == ["Countess"]
        assert held["anniversaries"]["a1"]["date"] == CARD["anniversaries"]["a1"]["date"]  # type: ignore[index]
        assert held["vendor.example:x"] == {"kept": True}
        pim.sync_until_quiet()

    def test_a_new_contact_is_one_on_the_server(self, pim: Pim, server: DemoServer) -> None:
        text = "First name : Grace\nLast name : Hopper\nEmail :\n    work : grace@example.com\n"
        program(pim, "khard", "new", "--vcard-version", "3.0", "-a", "book", "--input-file", "/dev/stdin", text=text)
        assert pim.sync("contacts").to_server.created == 1
        [made] = [item for item in server.account.contacts.items.values() if item["uid"] != "ada"]
        assert made["name"]["full"] == "Grace Hopper"
        assert [email["address"] for email in made["emails"].values()] == ["grace@example.com"]
        pim.sync_until_quiet()


class TestTodoman:
    def test_lists_and_adds(self, pim: Pim, server: DemoServer) -> None:
        assert "Read proofs" in program(pim, "todo", "list")
        program(pim, "todo", "new", "--list", "Tasks", "Call the printer")
        assert pim.sync("tasks").to_server.created == 1
        titles = [item["title"] for item in server.account.calendars.items.values() if item.get("@type") == "Task"]
        assert sorted(titles) == ["Call the printer", "Read proofs"]
        pim.sync_until_quiet()

    def test_a_task_that_is_done_changes_in_nothing_else(self, pim: Pim, server: DemoServer) -> None:
        program(pim, "todo", "done", "1")
        pim.run()
        [patch] = patches(server, "CalendarEvent/set")
        lines = [line[0] for line in patch.pop("iCalendar")["properties"]]  # COMPLETED has no property of JSCalendar's own
        assert (patch, sorted(lines)) == ({"progress": "completed", "percentComplete": 100}, ["completed", "last-modified"])
        pim.sync_until_quiet()


class TestOnCyrus:
    """What the programs change is what CardDAV and CalDAV clients then see changed, on 3.12.4."""

    @pytest.fixture
    def cyrus(self, running_cyrus: Callable[[str], Cyrus]) -> Cyrus:
        return running_cyrus("3.12")

    @pytest.fixture
    def dav(self, account: Account) -> Iterator[Dav]:
        with Dav(account.server.jmap_port, account.user, account.password) as dav:
            yield dav

    @pytest.fixture
    def pim(self, account: Account, dav: Dav, tmp_path: Path) -> Pim:
        dav.put("contacts", "ada.vcf", VCARD)
        dav.put("calendars", "weekly.ics", ICALENDAR)
        pim = Pim(tmp_path, account.url, account.user, account.password, ("contacts", "calendars"))
        pim.sync_until_quiet()
        return pim

    def test_a_title_edited_in_khal(self, pim: Pim, dav: Dav) -> None:
        codec = schedules("Event")
        before = codec.read(dav.get("calendars", "weekly.ics").encode())
        program(pim, "khal", "edit", "Weekly", text="s\nEvery week\nq\n" * 4)
        assert pim.sync("calendars").to_server.updated == 1
        after = dav.get("calendars", "weekly.ics")  # Cyrus writes the file anew, in its own way
        assert "SUMMARY:Every week" in after.splitlines()
        assert codec.patch(before, codec.read(after.encode())) == {"title": "Every week"}
        pim.sync_until_quiet()

    def test_an_event_made_and_deleted_in_khal(self, pim: Pim, dav: Dav) -> None:
        program(pim, "khal", "new", "2026-12-24", "18:00", "19:00", "Candles", "::", "with tea", "--location", "Home")
        assert pim.sync("calendars").to_server.created == 1
        [made] = set(dav.names("calendars")) - {"weekly.ics"}
        lines = dav.get("calendars", made).splitlines()
        assert {"SUMMARY:Candles", "DESCRIPTION:with tea", "DTSTART;TZID=Europe/Berlin:20261224T180000"} <= set(lines)
        pim.sync_until_quiet()
        program(pim, "khal", "edit", "Candles", text="D\ny\n")
        assert pim.sync("calendars").to_server.deleted == 1
        assert dav.names("calendars") == ["weekly.ics"]
        pim.sync_until_quiet()

    def test_a_nickname_edited_in_khard(self, pim: Pim, dav: Dav) -> None:
        before = dav.get("contacts", "ada.vcf").splitlines()
        nickname(pim, "Countess")
        assert pim.sync("contacts").to_server.updated == 1
        assert changed(before, dav.get("contacts", "ada.vcf").splitlines()) == (set(), {"NICKNAME:Countess"})
        pim.sync_until_quiet()

    def test_a_contact_made_in_khard(self, pim: Pim, dav: Dav) -> None:
        text = "First name : Grace\nLast name : Hopper\nEmail :\n    work : grace@example.com\n"
        program(pim, "khard", "new", "--vcard-version", "3.0", "-a", "book", "--input-file", "/dev/stdin", text=text)
        assert pim.sync("contacts").to_server.created == 1
        [made] = set(dav.names("contacts")) - {"ada.vcf"}
        lines = dav.get("contacts", made).splitlines()
        assert "FN:Grace Hopper" in lines
        assert any(line.startswith("EMAIL") and line.endswith(":grace@example.com") for line in lines)
        pim.sync_until_quiet()
