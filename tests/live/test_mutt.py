"""Let real mutt and neomutt read the mirror and act on it; the server must agree after a sync."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.kit.mirror import Mirror
from tests.live import mutt
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
set sort = date-sent
set arrow_cursor = yes
set mark_old = no
set header_cache = ""
"""


@pytest.fixture(params=["mutt", "neomutt"])
def program(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def mirror(account: Account, tmp_path: Path) -> Mirror:
    # Without a date, mutt would sort them by their inodes, which is the order in which they were fetched.
    letters = [
        f"From: a@example.com\r\nDate: 14 Nov 2023 22:13:{20 + number} +0000\r\nSubject: letter {number}\r\n\r\nBody {number}.\r\n"
        for number in range(6)
    ]
    account.imap.append("INBOX", [Draft(one.encode(), received=1_700_000_000 + n) for n, one in enumerate(letters)])
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
    screen.wait_for_line("-> +1 ")
    assert re.findall(r"letter \d", screen.text()) == [f"letter {number}" for number in range(6)]
    mutt.go_to(screen, 1)
    screen.keys("Enter")
    screen.wait_for("Body 0.")
    screen.keys("q")
    screen.wait_for_line("-> +1 ")
    mutt.flag(screen, 2)
    mutt.move(screen, 3, "=Archive")
    mutt.copy(screen, 4, "=Sent")
    mutt.delete(screen, 5)
    screen.keys("q")
    screen.wait_for_end()
    report = mirror.sync()
    assert report.problems == []
    assert_same(account, mirror)
    shown = {
        folder: {one[0].split(b"\n")[2].decode().removeprefix("Subject: "): one[1] for one in messages}
        for folder, messages in on_server(account).items()
    }
    assert shown["INBOX"] == {"letter 0": "S", "letter 1": "F", "letter 3": "", "letter 5": ""}
    assert list(shown["Archive"]) == ["letter 2"]
    assert list(shown["Sent"]) == ["letter 3"]
    assert list(shown["Trash"]) == ["letter 4"]
    again = mirror.sync()
    assert (again.to_disk.total, again.to_server.total, mirror.requests) == (0, 0, 1)
