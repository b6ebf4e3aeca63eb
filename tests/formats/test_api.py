"""The documented interface of the converters, `jmapsync.formats`."""

from __future__ import annotations

import doctest
import importlib
import re
import sys
from pathlib import Path
from subprocess import run

import pytest

from jmapsync import formats
from jmapsync.formats import MalformedError, ical_to_jscalendar, jscalendar_to_ical, jscontact_to_vcard, vcard_to_jscontact

CARD = {"@type": "Card", "version": "1.0", "uid": "1", "name": {"full": "Ann"}, "emails": {"e": {"address": "ann@example.com"}}}
EVENT = {"@type": "Event", "uid": "1", "title": "Lunch", "start": "2026-01-05T12:00:00", "timeZone": "Europe/Berlin"}
TASK = {"@type": "Task", "uid": "2", "title": "Shop", "due": "2026-01-05T12:00:00", "progress": "needs-action"}
PAGE = Path(__file__).parents[2] / "docs" / "formats.md"


@pytest.mark.parametrize("name", ["", ".contentline", ".patch", ".pointer"])
def test_the_examples_of_the_docstrings_hold(name: str) -> None:
    found = doctest.testmod(importlib.import_module(f"jmapsync.formats{name}"))
    assert found.attempted
    assert not found.failed


def test_the_examples_of_the_page_hold() -> None:
    found = doctest.testfile(str(PAGE), module_relative=False)
    assert found.attempted
    assert not found.failed


def test_the_page_has_every_function() -> None:
    assert set(re.findall(r"^\| `(\w+)", PAGE.read_text("utf-8"), re.MULTILINE)) == set(formats.__all__) - {
        "MalformedError",
        "Object",
    }


@pytest.mark.parametrize("version", ["3.0", "4.0"])
def test_a_card_survives_both_versions(version: str) -> None:
    again = vcard_to_jscontact(jscontact_to_vcard(CARD, "3.0" if version == "3.0" else "4.0"))
    assert again["name"] == CARD["name"]
    assert [entry["address"] for entry in again["emails"].values()] == ["ann@example.com"]


def test_a_group_keeps_its_entries() -> None:
    group = ical_to_jscalendar(jscalendar_to_ical({"@type": "Group", "entries": [EVENT, TASK]}))
    assert [entry["title"] for entry in group["entries"]] == ["Lunch", "Shop"]
    assert ical_to_jscalendar(jscalendar_to_ical(group)) == group


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"@type": "Event", "uid": "1"},
        {"@type": "Group"},
        {"@type": "Group", "entries": {}},
        {"@type": "Group", "entries": [1]},
        {"@type": "Group", "entries": [{"@type": "Event"}]},
        {"@type": "Group", "entries": [{**EVENT, "x": [[]] * 60_000}]},
        {**EVENT, "uid": " "},
        {**EVENT, "uid": "\u0085\n"},
    ],
)
def test_an_object_that_cannot_be_converted_is_refused(item: dict[str, object]) -> None:
    with pytest.raises(MalformedError):
        jscalendar_to_ical(item)


@pytest.mark.parametrize("uid", ["", " ", "\u0085", "\n", "\u2003", "\r", "a\rb"])
def test_a_card_whose_uid_would_be_read_as_none_is_refused(uid: str) -> None:
    with pytest.raises(MalformedError):
        jscontact_to_vcard({"@type": "Card", "version": "1.0", "uid": uid, "name": {"full": "Ada"}})


def test_a_file_that_cannot_be_converted_is_refused() -> None:
    for data in (b"", b"\xff", b"BEGIN:VCARD", b"BEGIN:VCALENDAR\r\n" + b"X:1\r\n" * 60_000):
        with pytest.raises(MalformedError):
            vcard_to_jscontact(data)
        with pytest.raises(MalformedError):
            ical_to_jscalendar(data)


def test_importing_the_interface_imports_no_converter() -> None:
    code = "import sys, jmapsync.formats; print([name for name in sys.modules if name.startswith('jmapsync.formats.')])"
    done = run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['jmapsync.formats.objects']"


def test_an_event_of_rfc_8984_becomes_lines_that_every_program_reads() -> None:
    person = {"@type": "Participant", "sendTo": {"imip": "mailto:b@b.example"}, "participationStatus": "accepted"}
    event = {
        "@type": "Event",
        "uid": "u",
        "start": "2026-06-01T10:00:00",
        "recurrenceRules": [{"@type": "RecurrenceRule", "frequency": "weekly", "count": 3}],
        "excludedRecurrenceRules": [{"@type": "RecurrenceRule", "frequency": "monthly"}],
        "replyTo": {"imip": "mailto:a@b.example"},
        "participants": {"p": person},
    }
    for item in (event, {"@type": "Group", "entries": [event]}):
        written = jscalendar_to_ical(item)
        assert b"JSPROP" not in written
        for line in (b"RRULE:FREQ=WEEKLY;COUNT=3", b"EXRULE:FREQ=MONTHLY", b"ORGANIZER:mailto:a@b.example"):
            assert b"\r\n" + line + b"\r\n" in written
        assert b"PARTSTAT=ACCEPTED;JSID=p:mailto:b@b.example\r\n" in written
