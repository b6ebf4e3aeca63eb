"""Events on a server like Cyrus 3.12, which gives them as files and keeps no parameters of others: each part stays at its entry."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.demo import DemoServer
from tests.formats.ical.test_zones import OLD_US, US, file, zone
from tests.kit.object_mirror import ObjectMirror, change
from tests.storage.jmap.objects.conftest import render
from tests.sync.objects.samples import event

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jmapsync.demo import Store

NAMES = ("a", "b", "c", "d")
LINES = (
    *(f"ATTENDEE;X-OF={name};CN=of {name}:mailto:{name}@example.com" for name in NAMES),
    *(f"CONFERENCE;VALUE=URI;X-OF={name};LABEL=of {name}:https://{name}.example/" for name in NAMES),
    *(f"ATTACH;X-OF={name}:https://{name}.example/file" for name in NAMES),
    *(
        line
        for number, name in enumerate(NAMES, 5)
        for line in (
            "BEGIN:VALARM",
            "ACTION:DISPLAY",
            f"TRIGGER:-PT{number}M",
            f"DESCRIPTION:of {name}",
            f"X-OF:{name}",
            "END:VALARM",
        )
    ),
)
MAPS = ("participants", "virtualLocations", "links", "alerts")


@pytest.fixture
def server() -> Iterator[DemoServer]:
    with DemoServer(dialect="cyrus312") as server:
        server.account.calendars.render = render
        yield server


@pytest.fixture
def store(server: DemoServer) -> Store:
    return server.account.calendars


@pytest.fixture
def desk(server: DemoServer, tmp_path: Path) -> ObjectMirror:
    desk = ObjectMirror(server.url, tmp_path, ("calendars",))
    desk.sync()
    (tmp_path / "calendars" / "personal" / "rich.ics").write_bytes(event("rich", *LINES))
    assert any("does not keep" in message for message in desk.sync()["calendars"].messages)
    desk.sync_until_quiet()
    return desk


def marks(desk: ObjectMirror) -> dict[str, set[str]]:
    """Return whose parts each entry of the file has, by its value; fail where it has another one's."""
    text = desk.file("calendars", "rich").read_bytes().decode().replace("\r\n ", "")
    found: dict[str, set[str]] = {}
    for line in text.split("\r\n"):
        if match := re.match(r"(ATTENDEE|CONFERENCE|ATTACH)(.*):(?:mailto:|https://)(\w+)[@.]example", line):
            found[f"{match[1]} {match[3]}"] = set(re.findall(r"X-OF=(\w+)", match[2]))
    for alarm in re.findall(r"BEGIN:VALARM(.*?)END:VALARM", text, re.DOTALL):
        minutes = re.search(r"TRIGGER[^:]*:-PT(\d+)M", alarm)
        assert minutes
        found[f"VALARM {dict(enumerate(NAMES, 5)).get(int(minutes[1]), minutes[1])}"] = set(re.findall(r"X-OF:(\w+)", alarm))
    for value, owners in found.items():
        assert owners <= {value.partition(" ")[2]}, value
    return found


def another(name: str, entry: dict[str, Any], number: int) -> dict[str, Any]:
    """Return an entry of another value, as another client makes or changes it."""
    match name:
        case "participants":
            return {**entry, "sendTo": {"imip": f"mailto:n{number}@example.com"}, "roles": {"attendee": True}}
        case "virtualLocations":
            return {**entry, "uri": f"https://n{number}.example/"}
        case "links":
            return {**entry, "href": f"https://n{number}.example/file"}
    return {**entry, "trigger": {"@type": "OffsetTrigger", "offset": f"-PT{40 + number}M"}}


@pytest.mark.parametrize("seed", range(6))
def test_parts_stay_at_their_entries_whatever_another_client_does(store: Store, desk: ObjectMirror, seed: int) -> None:
    chance, before = random.Random(seed), marks(desk)
    assert all(len(owners) == 1 for owners in before.values())
    [ref] = store.items
    for number in range(3):
        patch: dict[str, Any] = {"title": f"round {number}"}
        for name in MAPS:
            entries = list((store.items[ref].get(name) or {}).items())
            chance.shuffle(entries)
            entries = entries[chance.randint(0, 1) :]
            if entries and chance.random() < 0.5:
                entries[0] = (f"edited{number}", another(name, entries[0][1], 10 * number))  # by DAV, where entries have no ids
            if chance.random() < 0.5:
                entries.insert(0, (f"new{number}", another(name, {}, 10 * number + 1)))
            patch[name] = dict(entries) or None
        store.edit(ref, patch)
        assert not desk.sync()["calendars"].problems
        marks(desk)


def test_the_zone_and_the_end_of_the_file_stay_when_the_title_is_edited_there(store: Store, desk: ObjectMirror) -> None:
    times = ("DTSTART;TZID=Mine:20260308T093000", "DTEND;TZID=Mine:20260308T103000", "RRULE:FREQ=WEEKLY;COUNT=60", "SUMMARY:old")
    for uid, rules in (("equal", US), ("own", OLD_US)):
        path = desk.file("calendars", "rich").with_name(f"{uid}.ics")
        path.write_bytes(file(*times, zones=zone("Mine", "-0500", "-0400", rules)).replace(b"UID:u\r", f"UID:{uid}\r".encode()))
        desk.sync()
        before = path.read_text()
        [ref] = [ref for ref, item in store.items.items() if item["uid"] == uid]
        store.edit(ref, {"title": "new"})
        desk.sync()
        stamps = ("DTSTAMP", "CREATED", "LAST-MODIFIED", "SEQUENCE")
        after = [line for line in path.read_text().splitlines() if not line.startswith(stamps)]
        wanted = [line for line in before.replace(":old", ":new").splitlines() if not line.startswith(stamps)]
        assert sorted(after) == sorted(wanted)


def test_an_entry_with_an_id_keeps_its_parts_when_its_value_changes(store: Store, desk: ObjectMirror) -> None:
    [ref] = store.items
    rooms = store.items[ref]["virtualLocations"]
    [key] = [key for key, one in rooms.items() if one["uri"] == "https://b.example/"]
    store.edit(ref, {f"virtualLocations/{key}/uri": "https://z.example/"})
    desk.sync()
    text = desk.file("calendars", "rich").read_text().replace("\n ", "")
    assert re.search(r"CONFERENCE[^\n]*X-OF=b[^\n]*:https://z\.example/", text)


def test_an_edit_here_reaches_the_entry_that_was_edited_after_another_client_removed_some(store: Store, desk: ObjectMirror) -> None:
    [ref] = store.items
    people = store.items[ref]["participants"]
    kept = {key: one for key, one in people.items() if one.get("sendTo", {}).get("imip") != "mailto:a@example.com"}
    store.edit(ref, {"participants": dict(reversed(kept.items()))})
    change(desk.file("calendars", "rich"), "CN=of c", "CN=See")
    desk.sync()
    desk.sync_until_quiet()
    named = {one["sendTo"]["imip"]: one.get("name") for one in store.items[ref]["participants"].values()}
    assert named["mailto:c@example.com"] == "See"
    assert "mailto:a@example.com" not in named
    assert {value: owners for value, owners in marks(desk).items() if value.startswith("ATTENDEE")} == {
        "ATTENDEE b": {"b"},
        "ATTENDEE c": {"c"},
        "ATTENDEE d": {"d"},
        **{value: owners for value, owners in marks(desk).items() if "demo" in value},
    }
