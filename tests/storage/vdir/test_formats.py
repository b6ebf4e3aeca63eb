"""Cards, events and tasks themselves in a vdir: what the codecs and the storage promise each other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from jmapsync.formats.codec import cards, schedules
from jmapsync.storage.files.file_state import state_of
from jmapsync.storage.port import Filed
from tests.kit.vdir_driver import VdirDriver, assert_silent, rest

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.formats.objects import Object

PHOTO = "data:image/jpeg;base64," + "QUJD" * 500
CARD: Object = {
    "@type": "Card",
    "version": "1.0",
    "uid": "urn:uuid:5f0d4e62-7a3c-4c7c-9d3b-3b7d7f2c8c11",
    "name": {"full": "Ann Lee", "components": [{"kind": "surname", "value": "Lee"}, {"kind": "given", "value": "Ann"}]},
    "emails": {"home": {"address": "ann@example.com"}, "work": {"address": "ann@example.org", "contexts": {"work": True}}},
    "phones": {"p": {"number": "+49 30 1234"}},
    "media": {"face": {"kind": "photo", "uri": PHOTO, "mediaType": "image/jpeg"}},
}
EVENT: Object = {
    "@type": "Event",
    "version": "2.0",
    "uid": "ev1@example.com",
    "title": "Standup",
    "start": "2026-11-23T10:00:00",
    "timeZone": "Europe/Berlin",
    "duration": "PT15M",
    "recurrenceRule": {"@type": "RecurrenceRule", "frequency": "weekly"},
    "recurrenceOverrides": {"2026-11-30T10:00:00": {"title": "Long standup"}, "2026-12-07T10:00:00": {"excluded": True}},
    "alerts": {"soon": {"@type": "Alert", "trigger": {"@type": "OffsetTrigger", "offset": "-PT10M"}}},
}
TASK: Object = {
    "@type": "Task",
    "version": "2.0",
    "uid": "task1",
    "title": "Write",
    "due": "2026-11-23T10:00:00",
    "timeZone": "Europe/Berlin",
}


def room_for(kind: str, base: Path) -> tuple[VdirDriver, Object]:
    codec = {"cards3": cards("3.0"), "cards4": cards("4.0"), "events": schedules("Event"), "tasks": schedules("Task")}[kind]
    return VdirDriver(base, codec), {"cards3": CARD, "cards4": CARD, "events": EVENT, "tasks": TASK}[kind]


KINDS = ("cards3", "cards4", "events", "tasks")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_no_news_and_is_read_with_the_same_keys(kind: str, tmp_path: Path) -> None:
    room, content = room_for(kind, tmp_path)
    work = room.folder("Work")
    key = room.create(content, work)
    assert_silent(room)
    read = room.read(key)
    assert read is not None
    for entries in ("emails", "phones", "media", "alerts"):
        assert read.get(entries, {}).keys() == content.get(entries, {}).keys()
    assert room.version(key).sense == room.codec.sense(read) == room.codec.sense(content)
    if "media" in content:
        assert PHOTO in json.dumps(read)
        assert PHOTO not in json.dumps(room.content(key))
    [receipt] = room.write(room.to_replace(key, read))
    assert (type(receipt), receipt.version) == (Filed, room.version(key))
    room.ledger.close()


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_object_gives_the_same_bytes(kind: str, tmp_path: Path) -> None:
    room, content = room_for(kind, tmp_path)
    key = room.create(content, room.folder("Work"))
    [path] = room.paths(key)
    before = state_of(path.stat())
    for again in (room.read(key), content):
        assert again is not None
        room.write(room.to_replace(key, again))
        assert state_of(path.stat()) == before
    room.ledger.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_lost_ledger_takes_the_files_for_the_same(kind: str, tmp_path: Path) -> None:
    room, content = room_for(kind, tmp_path)
    before = room.version(room.create(content, room.folder("Work")))
    room.lose_ledger()
    room.observe()
    [record] = room.items()
    assert record.local is not None
    assert (record.local.body, record.digest) == (before.body, content["uid"])
    room.ledger.close()


@pytest.mark.parametrize(
    ("kind", "old", "new", "path"),
    [
        ("cards3", b"ann@example.org", b"lee@example.org", ("emails", "work", "address")),
        ("cards4", b"ann@example.org", b"lee@example.org", ("emails", "work", "address")),
        ("events", b"SUMMARY:Standup", b"SUMMARY:Sitdown", ("title",)),
        ("tasks", b"SUMMARY:Write", b"SUMMARY:Read", ("title",)),
    ],
)
def test_an_edit_is_one_change_at_one_path(kind: str, old: bytes, new: bytes, path: tuple[str, ...], tmp_path: Path) -> None:
    room, content = room_for(kind, tmp_path)
    key = room.create(content, room.folder("Work"))
    before = room.content(key)
    [file] = room.paths(key)
    assert file.read_bytes().count(old) == 1
    file.write_bytes(file.read_bytes().replace(old, new))
    rest(file)
    [seen] = room.observe().items
    assert seen.key == key
    patch = room.codec.patch(before, room.content(key))
    assert list(patch) == ["/".join(path)]
    room.ledger.close()


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("cards3", b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ann"),
        ("cards3", b"\0\0\0\0"),
        ("events", b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:x\r\n"),
        ("events", b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n"),
        ("tasks", schedules("Event").write(EVENT)),
        ("events", schedules("Event").write(EVENT) + schedules("Event").write(EVENT | {"uid": "another"})),
    ],
)
def test_a_file_that_holds_something_else_is_quarantined(kind: str, data: bytes, tmp_path: Path) -> None:
    room, content = room_for(kind, tmp_path)
    key = room.create(content, room.folder("Work"))
    room.save(room.paths(key)[0], data)
    path = room.save(room.root / "Work" / f"bad{room.codec.suffix}", data)
    seen = room.observe()
    assert (seen.items, seen.gone, len(seen.problems)) == ([], [], 2)
    assert path.read_bytes() == data
    room.ledger.close()
