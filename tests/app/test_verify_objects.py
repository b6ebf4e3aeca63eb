"""`verify` of contacts, calendars and tasks: clean whenever a sync has nothing to do, and every real difference is found."""

from __future__ import annotations

import asyncio
import base64
import os
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.app import App
from jmapsync.config import load
from jmapsync.demo import DemoServer
from jmapsync.demo.dialect import CYRUS_CALENDARS
from tests.kit.pim import Kind, Pim, change
from tests.storage.jmap.objects.conftest import render

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jmapsync.backup.verify import Proof
    from jmapsync.demo import Store

PHOTO = base64.b64encode(b"\xff\xd8\xff" + b"a photo" * 60).decode()
FILES: dict[str, bytes] = {
    "contacts": "\r\n".join(
        (
            *("BEGIN:VCARD", "VERSION:3.0", "UID:rich", "FN:Rich Card", "N:Card;Rich;;;", "TEL;TYPE=CELL,WORK:+44 1"),
            *(
                "item1.TEL:+44 2",
                "item1.X-ABLABEL:Boat",
                "ADR;TYPE=HOME:;;Street;Town;;1;UK",
                "BDAY:--0229",
                "X-ANNIVERSARY:2011-05-06",
            ),
            *(
                "ORG:Acme;Unit",
                "TITLE:Boss",
                "URL:https://a.example/",
                f"PHOTO;ENCODING=b;TYPE=JPEG:{PHOTO}",
                "X-CUSTOM;X-P=1:kept",
            ),
            *("NOTE:one", "CATEGORIES:b,a", "IMPP:xmpp:ada@example.com", "GEO:1.5;2.5", "REV:20260101T000000Z", "END:VCARD", ""),
        )
    ).encode(),
    "calendars": "\r\n".join(
        (
            *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//EN", "X-WR-CALNAME:Mine", "BEGIN:VEVENT", "UID:rich"),
            *("DTSTAMP:20260101T000000Z", "DTSTART;TZID=Europe/Berlin:20261201T100000", "DURATION:PT1H", "SUMMARY:Rich"),
            *("LOCATION:Room 1", "GEO:1.5;2.5", "URL:https://a.example/", "ATTACH;FMTTYPE=text/plain:https://a.example/f.txt"),
            *("CONFERENCE;VALUE=URI;FEATURE=AUDIO;LABEL=Call:tel:+441", "PRIORITY:5", "CLASS:PRIVATE", "X-CUSTOM;X-P=1:kept"),
            *("ORGANIZER;CN=Demo:mailto:demo@example.com", "ATTENDEE;CN=Bob;PARTSTAT=ACCEPTED;RSVP=TRUE:mailto:bob@example.com"),
            *("CATEGORIES:b,a", "RRULE:FREQ=WEEKLY;COUNT=5", "EXDATE;TZID=Europe/Berlin:20261208T100000", "COLOR:red"),
            *("BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:Wake", "TRIGGER:-PT5M", "END:VALARM", "END:VEVENT"),
            *("BEGIN:VEVENT", "UID:rich", "DTSTAMP:20260101T000000Z", "RECURRENCE-ID;TZID=Europe/Berlin:20261215T100000"),
            *("DTSTART;TZID=Europe/Berlin:20261215T120000", "DURATION:PT2H", "SUMMARY:Rich moved", "LOCATION:Room 2", "END:VEVENT"),
            *("END:VCALENDAR", ""),
        )
    ).encode(),
    "tasks": "\r\n".join(
        (
            *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//EN", "BEGIN:VTODO", "UID:rich", "DTSTAMP:20260101T000000Z"),
            *("DUE;TZID=Europe/Berlin:20261201T100000", "SUMMARY:Rich", "PRIORITY:3", "PERCENT-COMPLETE:20", "STATUS:IN-PROCESS"),
            *("LOCATION:Room 1", "RELATED-TO:other", "X-CUSTOM:kept", "BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:Rich"),
            *("TRIGGER;RELATED=END:-PT5M", "END:VALARM", "END:VTODO", "END:VCALENDAR", ""),
        )
    ).encode(),
}
TITLE = {
    "contacts": ("NOTE:one", "NOTE:two"),
    "calendars": ("SUMMARY:Rich\r", "SUMMARY:Poor\r"),
    "tasks": ("SUMMARY:Rich", "SUMMARY:Poor"),
}
CASES: list[tuple[Kind, str, bool]] = [
    ("contacts", "rfc", False),
    ("contacts", "stalwart", False),
    ("calendars", "rfc", False),
    ("calendars", "stalwart", False),
    ("calendars", "cyrus312", False),
    ("calendars", "cyrus312", True),
    ("tasks", "rfc", False),
    ("tasks", "stalwart", False),
]


@pytest.fixture(params=CASES, ids=lambda case: "-".join([*case[:2], *(["files"] if case[2] else [])]))
def case(request: pytest.FixtureRequest) -> tuple[Kind, str, bool]:
    found: tuple[Kind, str, bool] = request.param
    return found


@pytest.fixture
def server(case: tuple[Kind, str, bool]) -> Iterator[DemoServer]:
    with DemoServer(dialect=case[1]) as server:
        if case[2]:
            server.account.calendars.render = render
        elif case[1] == "cyrus312":
            server.faults.hidden_capabilities.arm({CYRUS_CALENDARS})
        yield server


@pytest.fixture
def store(server: DemoServer, case: tuple[Kind, str, bool]) -> Store:
    return server.account.contacts if case[0] == "contacts" else server.account.calendars


@pytest.fixture
def pim(server: DemoServer, case: tuple[Kind, str, bool], tmp_path: Path) -> Pim:
    """A mirror with one item that was made here and edited here."""
    kind, suffix = case[0], ".vcf" if case[0] == "contacts" else ".ics"
    pim = Pim(tmp_path, server.url, "demo", "demo", (kind,))
    pim.run()
    folder = next(path for path in (tmp_path / kind).iterdir() if path.is_dir() and path.name[0] != ".")
    (folder / f"rich{suffix}").write_bytes(FILES[kind])
    pim.run()
    change(pim.file(kind, "rich"), *TITLE[kind])
    pim.run()
    pim.sync_until_quiet()
    return pim


def verified(pim: Pim, kind: Kind) -> Proof:
    report, proofs = asyncio.run(App(load(pim.config)).verify())["home"]
    assert (report.error, report.worst) == ("", 0)
    return proofs[kind]


def test_what_the_server_does_not_keep_is_named_by_property(pim: Pim, case: tuple[Kind, str, bool], server: DemoServer) -> None:
    kind = case[0]
    kept = {"contacts": "notes", "calendars": "locations", "tasks": "locations"}[kind]
    server.faults.rewrite_items.arm(lambda item: {name: value for name, value in item.items() if name != kept})
    change(pim.file(kind, "rich"), TITLE[kind][1], TITLE[kind][0])
    pim.run()
    pim.sync_until_quiet()
    proof = verified(pim, kind)
    assert proof.differences == []
    assert [kept in one.why for one in proof.not_kept] == [True]


def test_what_was_made_and_edited_here_is_no_difference_and_every_change_is_found(
    pim: Pim, case: tuple[Kind, str, bool], store: Store
) -> None:
    kind = case[0]
    assert (verified(pim, kind).items, verified(pim, kind).differences) == (1, [])

    # A line that was changed here and not sent, and a byte that was changed without a trace.
    file, (old, new) = pim.file(kind, "rich"), TITLE[kind]
    content, state = file.read_bytes(), file.stat()
    change(file, new, old)
    [one] = verified(pim, kind).differences
    assert ("notes" if kind == "contacts" else "title") in one.why
    with file.open("r+b") as opened:
        opened.write(content.replace(new.encode(), new.replace("o", "u").encode()))
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    [one] = verified(pim, kind).differences
    assert one.why == "it does not say what was mirrored"
    file.write_bytes(content)
    assert verified(pim, kind).differences == []

    # A value that another client changed, and one of a restored backup of the server, whose states show no change.
    [ref] = store.items
    patch: dict[str, Any] = {"keywords": {"other": True}} if kind == "contacts" else {"title": "Other"}
    store.edit(ref, patch)
    [one] = verified(pim, kind).differences
    assert ("keywords" if kind == "contacts" else "title") in one.why
    pim.run()
    pim.sync_until_quiet()
    assert verified(pim, kind).differences == []
    name = "phones" if kind == "contacts" else "title"
    store.items[ref] = {**store.items[ref], name: {"p": {"number": "+1"}} if kind == "contacts" else "Another"}
    [one] = verified(pim, kind).differences
    assert name in one.why


@pytest.mark.parametrize("case", [case for case in CASES if case[0] == "contacts"], indirect=True, ids=lambda case: case[1])
def test_another_photo_is_found_on_either_side(pim: Pim, case: tuple[Kind, str, bool], store: Store) -> None:
    other = base64.b64encode(b"\xff\xd8\xff" + b"another" * 60).decode()
    file = pim.file("contacts", "rich")
    content = file.read_bytes()
    file.write_bytes(content.replace(b"\r\n ", b"").replace(PHOTO.encode(), other.encode()))
    assert len(verified(pim, "contacts").differences) == 1
    file.write_bytes(content)
    assert verified(pim, "contacts").differences == []
    [(ref, item)] = store.items.items()
    [key] = item["media"]
    store.edit(ref, {f"media/{key}": {"@type": "Media", "kind": "photo", "uri": f"data:image/jpeg;base64,{other}"}})
    assert ["media" in one.why for one in verified(pim, "contacts").differences] == [True]
