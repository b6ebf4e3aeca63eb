"""Files that are spoilt, absurd or huge, and such objects of a server: each is carried over whole, or named and left as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.errors import ExitCode
from tests.kit.object_mirror import ObjectMirror
from tests.sync.objects.samples import card, event
from tests.sync.objects.test_photos import in_file, line, stored

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.demo import DemoServer, Store

UID = "../../a/b\\..c"
"""A uid that must never become a path."""
TIMES = "DTSTART;TZID=Europe/Berlin:20261201T100000"


def spoilt(old: str, new: str) -> bytes:
    """Return the file of an event with a change in its text."""
    data = event("bad").decode()
    assert old in data
    return data.replace(old, new).encode()


REFUSED: dict[str, tuple[str, bytes]] = {
    "half a card": ("contacts", card("bad", "NOTE:x")[:60]),
    "half an event": ("calendars", event("bad")[:150]),
    "two cards": ("contacts", card("bad") + card("worse")),
    "two uids": ("calendars", spoilt("END:VCALENDAR", event("worse").decode().partition("//EN\r\n")[2].removesuffix("\r\n"))),
    "no uid": ("calendars", spoilt("UID:bad\r\n", "")),
    "the year 0": ("calendars", spoilt(TIMES, "DTSTART:00000101T000000")),
    "no start": ("calendars", spoilt(f"{TIMES}\r\n", "")),
    "NUL": ("contacts", card("bad").replace(b"VCARD", b"\0")),
    "no text": ("contacts", card("bad", "NOTE:x").replace(b"NOTE:x", b"NOTE:\xff\xfe")),
}
ABSURD: dict[str, tuple[str, ...]] = {
    "a rule that never ends": (TIMES, "RRULE:FREQ=SECONDLY"),
    "a rule that never ends but names nothing": (TIMES, "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"),
    "the year 9999": ("DTSTART:99991231T235959Z", "RRULE:FREQ=DAILY"),
    "the year 1": ("DTSTART;TZID=Europe/Berlin:00010101T000000",),
    "a time zone that nobody knows": ("DTSTART;TZID=Nowhere/Land:20261201T100000",),
    "a time zone with a definition that says nothing": ('DTSTART;TZID="a/b":20261201T100000', 'EXDATE;TZID="a/b":20261202T100000'),
}


@pytest.mark.parametrize(("kind", "content"), REFUSED.values(), ids=REFUSED)
def test_a_file_that_is_no_item_is_named_and_left_alone_and_the_rest_goes_on(desk: ObjectMirror, kind: str, content: bytes) -> None:
    good = desk.files(kind)[0]
    file = good.with_name(f"bad{good.suffix}")
    file.write_bytes(content)
    good.with_name(f"good{good.suffix}").write_bytes(card("good") if kind == "contacts" else event("good"))
    for created in (1, 0):
        found = desk.sync()[kind]
        assert [problem.item for problem in found.problems] == [f"{file.parent.name}/{file.name}"]
        assert (found.to_server.created, found.to_server.total, found.exit_code) == (created, created, ExitCode.QUARANTINED)
    assert file.read_bytes() == content


def absurd(*lines: str) -> bytes:
    return spoilt(TIMES, "\r\n".join(lines))


@pytest.mark.parametrize("lines", ABSURD.values(), ids=ABSURD)
def test_an_event_that_makes_no_sense_goes_there_and_comes_to_another_desk(
    server: DemoServer, desk: ObjectMirror, tmp_path: Path, lines: tuple[str, ...]
) -> None:
    file = desk.file("calendars", "weekly").with_name("bad.ics")
    file.write_bytes(absurd(*lines))
    desk.sync_until_quiet()
    assert file.read_bytes() == absurd(*lines)
    (tmp_path / "other").mkdir()
    other = ObjectMirror(server.url, tmp_path / "other")
    other.sync_until_quiet()
    written = other.file("calendars", "bad").read_bytes().decode()
    start = lines[0].partition(":")[2]
    assert f":{start}\r\n" in written.replace("\r\n ", "")


@pytest.mark.parametrize("kind", ["contacts", "calendars"])
def test_a_uid_with_slashes_stays_within_its_folder_both_ways(
    server: DemoServer, desk: ObjectMirror, tmp_path: Path, kind: str
) -> None:
    make: Any = card if kind == "contacts" else event
    text = make("bad").replace(b"bad", UID.replace("\\", "\\\\").encode())
    desk.files(kind)[0].with_name(f"bad{desk.files(kind)[0].suffix}").write_bytes(text)
    desk.sync_until_quiet()
    store = server.account.contacts if kind == "contacts" else server.account.calendars
    assert store.by_uid(UID)["uid"] == UID
    (tmp_path / "other").mkdir()
    other = ObjectMirror(server.url, tmp_path / "other")
    before = sorted(path.name for path in tmp_path.iterdir())
    other.sync_until_quiet()
    assert len([file for file in other.files(kind) if b"a/b" in file.read_bytes()]) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_photo_of_20_mb_goes_there_and_comes_to_another_desk_or_is_named(
    server: DemoServer, desk: ObjectMirror, tmp_path: Path
) -> None:
    photo = b"\xff\xd8\xff\xe0" + bytes(range(256)) * (20 * 4096)
    file = desk.file("contacts", "ada").with_name("huge.vcf")
    file.write_bytes(card("huge", line(photo)))
    if server.service.dialect.attachments == "inline":  # then all of it must fit into a request
        found = desk.sync()["contacts"]
        assert [(problem.item, problem.why) for problem in found.problems] == [
            (f'"huge" ({file.parent.name}/huge.vcf)', "it is larger than the server takes")
        ]
    else:
        desk.sync_until_quiet()
        assert stored(server, "huge") == photo
        (tmp_path / "other").mkdir()
        other = ObjectMirror(server.url, tmp_path / "other", kinds=("contacts",))
        other.sync_until_quiet()
        assert in_file(other, "huge").endswith(line(photo).partition(":")[2])
    assert file.read_bytes() == card("huge", line(photo))


UNUSUAL: dict[str, tuple[str, dict[str, Any]]] = {
    "a map that is a list": ("contacts", {"uid": "bad", "phones": [], "emails": {"e": {"address": "a@example.com"}}}),
    "a name that is a text": ("contacts", {"uid": "bad", "name": "x"}),
    "a participant that is a list": ("calendars", {"uid": "bad", "start": "2026-01-01T10:00:00", "participants": {"p": []}}),
    "a type that nobody knows": ("calendars", {"@type": "Poll", "uid": "bad", "title": "x"}),
    "an event without a start": ("calendars", {"@type": "Event", "uid": "bad", "title": "x"}),
    "an event whose start is no time": ("calendars", {"@type": "Event", "uid": "bad", "start": "soon"}),
    "a uid that is no text": ("contacts", {"uid": 7, "name": {"full": "x"}}),
}


@pytest.mark.parametrize(("kind", "unusual"), UNUSUAL.values(), ids=UNUSUAL)
def test_an_object_that_no_file_can_hold_is_named_and_the_rest_comes(  # noqa: PLR0917
    server: DemoServer, desk: ObjectMirror, cards: Store, events: Store, kind: str, unusual: dict[str, Any]
) -> None:
    files = {file: file.read_bytes() for file in desk.files(kind)}
    store = cards if kind == "contacts" else events
    store.add(unusual)
    store.add({"uid": "good", "name": {"full": "Good"}} if kind == "contacts" else {"uid": "good", "start": "2026-01-01T10:00:00"})
    for created in (1, 0):
        found = desk.sync()[kind]
        assert len(found.problems) == 1
        assert found.problems[0].why
        assert (found.to_disk.created, found.to_disk.total, found.exit_code) == (created, created, ExitCode.QUARANTINED)
    assert {file: file.read_bytes() for file in desk.files(kind) if file in files} == files
    assert server.requests.calls("ContactCard/set") == server.requests.calls("CalendarEvent/set") == []


@pytest.mark.parametrize(
    ("kind", "unusual"),
    [
        ("contacts", {"uid": "bare"}),
        ("contacts", {"uid": "bare", "emails": {"e": {}}}),
        ("calendars", {"uid": "bare", "start": "2026-01-01T10:00:00", "alerts": {"a": {}}, "participants": {}}),
    ],
)
def test_an_object_that_lacks_what_it_must_have_comes_as_far_as_it_goes(
    desk: ObjectMirror, cards: Store, events: Store, kind: str, unusual: dict[str, Any]
) -> None:
    (cards if kind == "contacts" else events).add(unusual)
    desk.sync_until_quiet()
    assert b"UID:bare\r\n" in desk.file(kind, "bare").read_bytes()
