"""What `sync --dry-run` shows: by folder, with what each step changes, on terminals of several widths and in a pipe."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from jmapsync.sync.describe import property_changes
from tests.cli.conftest import shown_on_terminal

if TYPE_CHECKING:
    from jmapsync.demo import DemoServer
    from tests.cli.conftest import Command, Home

MORE = '[accounts.home.contacts]\npath = "~/Contacts"\n[accounts.home.calendars]\npath = "~/Calendars"\n'
NARROW = """\
home contacts: Contacts (1)
  replace "Ada King" (contacts urn:uuid:
    6c6f7665-6c61-4ce0-8000-000000001815
    ) on the server: edited here
      name full: "Ada Lovelace" -> "Ada
        King"
      notes NOTE-1 note: none -> "Met at
        the, station"
home calendars: Calendar (1)
  replace "Talk: how long is a
    nanosecond?" of 2026-11-20
    (calendars lecture@example.org) on
    the server: edited here
      title: "Lecture: how long is a
        nanosecond?" -> "Talk: how long
        is a nanosecond?"
"""


@pytest.fixture
def edited(home: Home, jmapsync: Command, server: DemoServer) -> Home:
    """Edit a card, an event and a message of a mirror, and deliver a message."""
    home.configure(more=MORE)
    assert jmapsync("sync").code == 0
    card = next(home.path.glob("Contacts/*/*-000000001815.vcf"))
    card.write_bytes(card.read_bytes().replace(b"FN:Ada Lovelace", b"NOTE:Met at the\\, station\r\nFN:Ada King"))
    event = next(home.path.glob("Calendars/*/lecture@example.org.ics"))
    event.write_bytes(event.read_bytes().replace(b"SUMMARY:Lecture", b"SUMMARY:Talk"))
    message = next(file for file in home.inbox() if b"Subject: Welcome" in file.read_bytes())
    target = home.mail / "Archive/cur" / f"{message.name.partition(':')[0]}:2,FS"
    message.rename(target)
    server.account.deliver(b"From: Bob <b@example.com>\r\nSubject: hello\r\n\r\nx\r\n")
    return home


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_lines_fit_the_terminal_and_steps_stand_below_their_folders(edited: Home, columns: int) -> None:
    text = shown_on_terminal(edited, columns, "sync", "--dry-run")
    assert max(map(len, text.splitlines())) <= columns
    headings = [line for line in text.splitlines() if not line.startswith(" ")]
    assert headings == [
        "home mail: Archive (1)",
        "home mail: INBOX (1)",
        "home contacts: Contacts (1)",
        "home calendars: Calendar (1)",
    ]
    words = " ".join(text.split())
    assert 'create "hello" from Bob <b@example.com>' in words
    assert "folders: +Archive, -INBOX" in words
    assert 'name full: "Ada Lovelace" -> "Ada King"' in words


def test_the_text_at_40_columns(edited: Home) -> None:
    assert shown_on_terminal(edited, 40, "sync", "--dry-run").partition("home contacts")[2] == NARROW.removeprefix("home contacts")


def test_in_a_pipe_each_step_is_one_line(edited: Home, jmapsync: Command) -> None:
    lines = jmapsync("sync", "--dry-run").out.splitlines()
    assert len(lines) == 4
    assert re.fullmatch(
        r'home mail: INBOX: create "hello" from Bob <b@example.com> \(email \w+\) on disk: new on the server', lines[1]
    )
    assert lines[0].startswith('home mail: Archive: update "Welcome" from jmapsync <demo@example.com> (')
    assert lines[0].endswith("on the server: flagged here: $flagged, $seen; moved here; folders: +Archive, -INBOX")
    assert lines[2].startswith('home contacts: Contacts: replace "Ada King" (contacts ')
    assert 'on the server: edited here; name full: "Ada Lovelace" -> "Ada King"; notes ' in lines[2]
    assert lines[3].endswith('; title: "Lecture: how long is a nanosecond?" -> "Talk: how long is a nanosecond?"')


def test_the_json_has_the_plan(edited: Home, jmapsync: Command) -> None:
    kinds = json.loads(jmapsync("sync", "--dry-run", "--json").out)["accounts"]["home"]["kinds"]
    [step] = kinds["calendars"]["plan"]
    assert step["folder"] == "Calendar"
    assert step["changes"] == ['title: "Lecture: how long is a nanosecond?" -> "Talk: how long is a nanosecond?"']
    assert [step["sentence"]] == kinds["calendars"]["sentences"]
    assert "plan" not in json.loads(jmapsync("sync", "--json").out)["accounts"]["home"]["kinds"]["calendars"]


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ({"title": "a"}, {"title": "b"}, ['title: "a" -> "b"']),
        ({"title": "a", "color": "red"}, {"title": "a"}, ['color: "red" -> none']),
        ({"notes": {"n": {"note": "x"}}}, {}, ['notes n note: "x" -> none']),
        ({"title": "x" * 200}, {"title": "y"}, [f'title: "{"x" * 78}… -> "y"']),
        ({f"x{n:02}": 1 for n in range(25)}, {}, [*(f"x{n:02}: 1 -> none" for n in range(20)), "and 5 more"]),
    ],
)
def test_properties_are_shown_one_by_one(before: dict[str, object], after: dict[str, object], lines: list[str]) -> None:
    assert list(property_changes(before, after)) == lines
