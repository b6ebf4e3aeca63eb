"""Let real mutt and neomutt read the mirror and act on it; the server must agree after a sync."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kit.mirror import Mirror
from tests.live.compare import assert_same, on_server
from tests.live.imap import Draft
from tests.live.screen import on_screen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.live.conftest import Account
    from tests.live.screen import Screen

SETTINGS = """
set mbox_type = Maildir
set folder = "{root}"
set spoolfile = "+INBOX"
set record = "+Sent"
set postponed = "+Drafts"
set trash = ""
mailboxes +INBOX +Archive +Sent +Drafts +Trash
set confirmappend = no
set delete = yes
set quit = yes
set move = no
set wait_key = no
set sort = date-received
set mark_old = no
set header_cache = ""
"""


@pytest.fixture(params=["mutt", "neomutt"])
def program(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def mirror(account: Account, tmp_path: Path) -> Mirror:
    letters = [f"From: a@example.com\r\nSubject: letter {number}\r\n\r\nBody {number}.\r\n".encode() for number in range(6)]
    account.imap.append("INBOX", [Draft(one, received=1_700_000_000 + number) for number, one in enumerate(letters)])
    found = Mirror(account.url, account.user, account.password, tmp_path / "mail", tmp_path / "state")
    found.sync()
    return found


@pytest.fixture
def screen(program: str, mirror: Mirror, tmp_path: Path) -> Iterator[Screen]:
    rc = tmp_path / "muttrc"
    rc.write_text(SETTINGS.format(root=mirror.root))
    with on_screen([program, "-F", str(rc)], {"HOME": str(tmp_path)}) as screen:
        yield screen


def test_reading_marking_moving_and_deleting_reach_the_server(account: Account, mirror: Mirror, screen: Screen) -> None:
    screen.wait_for("letter 5")
    assert all(f"letter {number}" in screen.text() for number in range(6))
    screen.keys("1", "Enter", "Enter")
    screen.wait_for("Body 0.")
    screen.keys("q", "2", "Enter", "F", "3", "Enter", "s", "C-u", "=Archive", "Enter")
    screen.keys("4", "Enter", "C", "C-u", "=Sent", "Enter", "5", "Enter", "d", "q")
    screen.wait_for_end()
    report = mirror.sync()
    assert report.problems == []
    assert_same(account, mirror)
    shown = {
        folder: {one[0].split(b"\n")[1].decode().removeprefix("Subject: "): one[1] for one in messages}
        for folder, messages in on_server(account).items()
    }
    assert shown["INBOX"] == {"letter 0": "S", "letter 1": "F", "letter 3": "", "letter 5": ""}
    assert list(shown["Archive"]) == ["letter 2"]
    assert list(shown["Sent"]) == ["letter 3"]
    assert list(shown["Trash"]) == ["letter 4"]
    again = mirror.sync()
    assert (again.to_disk.total, again.to_server.total, mirror.requests) == (0, 0, 1)
