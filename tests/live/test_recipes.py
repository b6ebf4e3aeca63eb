"""Run each recipe of docs/recipes.md for a mail program, as it is printed there, against real Cyrus 3.12."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.live.home_folder import HomeFolder, shown
from tests.live.imap import Draft
from tests.live.screen import on_screen

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.live.conftest import Account
    from tests.live.cyrus import Cyrus

NOBODY: frozenset[str] = frozenset()


@pytest.fixture
def cyrus(running_cyrus: Callable[[str], Cyrus]) -> Cyrus:
    return running_cyrus("3.12")


@pytest.fixture
def make_desk(account: Account, tmp_path: Path) -> Callable[..., HomeFolder]:
    """Make a home with four letters in its inbox; `mail` stands in the table of mail, `more` ends the configuration."""

    def make(more: str = "", *, mail: str = "") -> HomeFolder:
        letters = [
            f"From: a@example.com\r\nSubject: letter {number}\r\nMessage-ID: <{number}@x>\r\n\r\nBody {number}.\r\n".encode()
            for number in range(4)
        ]
        account.imap.append("INBOX", [Draft(one, received=1_700_000_000 + number) for number, one in enumerate(letters)])
        return HomeFolder.set_up(tmp_path / "alice", account, mail=mail, more=more)

    return make


@pytest.mark.parametrize("program", ["mutt", "neomutt"])
def test_mutt_lists_the_folders_marks_and_moves_and_synchronises_by_a_key(
    program: str, make_desk: Callable[..., HomeFolder]
) -> None:
    desk = make_desk()
    desk.run("jmapsync", "-q", "sync")
    lines = shown("mutt and NeoMutt", "muttrc")
    if program == "neomutt":
        lines = lines.replace('source "jmapsync mailboxes|"', 'source "jmapsync mailboxes --named|"')
    rc = desk.write(".muttrc", f"{lines}set confirmappend = no\nset sort = date-received\nset arrow_cursor = yes\n")
    with on_screen([program, "-F", str(rc)], desk.environment) as screen:
        screen.wait_for("letter 3")
        screen.keys("2", "Enter")
        screen.wait_for_line(r"-> +2 ")
        screen.keys("F")
        screen.wait_for("! Jan")
        screen.keys("3", "Enter")
        screen.wait_for_line(r"-> +3 ")
        screen.keys("s", "C-u", "=Archive", "Enter")
        desk.account.imap.store("INBOX", [desk.uid("INBOX", "letter 0")], "+", ["\\Flagged"])
        screen.keys("S")
        screen.wait_for("Press any key", 90)
        assert desk.on_server()["Archive"] == {"letter 2": ("", NOBODY)}
        screen.keys("Enter")
        until = time.monotonic() + 10
        while screen.text().count("! Jan") != 2:  # the one marked here and the one marked there
            assert time.monotonic() < until, screen.text()
            time.sleep(0.1)
        screen.keys("q")
        screen.wait_for_end()
    assert desk.on_server()["INBOX"] == {"letter 0": ("F", NOBODY), "letter 1": ("F", NOBODY), "letter 3": ("", NOBODY)}


@pytest.mark.parametrize("layout", ["nested", "maildir++"])
def test_aerc_reads_flags_and_moves_and_synchronises_by_check_mail(layout: str, make_desk: Callable[..., HomeFolder]) -> None:
    desk = make_desk(mail=f'layout = "{layout}"')
    desk.run("jmapsync", "-q", "sync")
    lines = shown("aerc", "ini")
    if layout == "maildir++":
        lines = lines.replace("maildir://", "maildirpp://")
    desk.write(".config/aerc/accounts.conf", lines)
    with on_screen(["aerc"], desk.environment) as screen:
        screen.wait_for("letter 3", 90)
        assert "Archive" in screen.text()
        screen.keys(":", "search letter 1", "Enter")
        screen.keys(":", "flag", "Enter", ":", "search letter 2", "Enter", ":", "move Archive", "Enter")
        screen.keys(":", "check-mail", "Enter")
        until = time.monotonic() + 20
        while "Archive" not in desk.on_server():
            assert time.monotonic() < until, f"{desk.on_server()}\n{screen.text()}"
            time.sleep(0.2)
        desk.account.imap.append("INBOX", [Draft(b"From: a@example.com\r\nSubject: fresh\r\n\r\nNew.\r\n")])
        screen.keys(":", "check-mail", "Enter")
        screen.wait_for("fresh", 90)
        screen.keys(":", "quit", "Enter")
        screen.wait_for_end()
    desk.run("jmapsync", "-q", "sync")
    there = desk.on_server()
    assert there["Archive"] == {"letter 2": ("", NOBODY)}
    assert there["INBOX"]["letter 1"] == ("F", NOBODY)
    assert sorted(there["INBOX"]) == ["fresh", "letter 0", "letter 1", "letter 3"]


def test_notmuch_tags_that_are_flags_travel_both_ways(make_desk: Callable[..., HomeFolder]) -> None:
    desk = make_desk(shown("notmuch", "toml"))
    desk.write(".notmuch-config", shown("notmuch", "ini"))
    desk.run("jmapsync", "-q", "sync")
    assert desk.run("notmuch", "count", "tag:unread").strip() == "4"

    desk.run("notmuch", "tag", "-unread", "+flagged", "--", "id:1@x")
    desk.run("jmapsync", "-q", "sync")
    assert desk.on_server()["INBOX"]["letter 1"] == ("FS", NOBODY)

    desk.account.imap.store("INBOX", [desk.uid("INBOX", "letter 2")], "+", ["\\Seen", "\\Answered"])
    desk.account.imap.move("INBOX", [desk.uid("INBOX", "letter 3")], "Archive")
    desk.run("jmapsync", "-q", "sync")
    assert "replied" in desk.run("notmuch", "search", "--output=tags", "id:2@x").split()
    assert desk.run("notmuch", "count", "tag:unread").strip() == "2"
    assert desk.run("notmuch", "count", "path:home/Archive/**").strip() == "1"


def test_notmuch_tags_are_keywords_and_mailboxes(make_desk: Callable[..., HomeFolder]) -> None:
    desk = make_desk(shown("notmuch", "toml") + shown("notmuch", "toml", 1))
    desk.write(".notmuch-config", shown("notmuch", "ini"))
    desk.account.imap.store("INBOX", [desk.uid("INBOX", "letter 0")], "+", ["$Junk", "Work", "\\Seen"])
    desk.run("jmapsync", "-q", "sync")
    assert desk.run("notmuch", "search", "--exclude=false", "--output=tags", "id:0@x").split() == ["inbox", "spam", "work"]

    desk.run("notmuch", "tag", "+later", "+two words", "+private", "--", "id:1@x")
    desk.run("notmuch", "tag", "-inbox", "+archive", "--", "id:2@x")
    desk.run("notmuch", "tag", "-work", "--", "id:0@x")
    desk.run("jmapsync", "-q", "sync")
    there = desk.on_server()
    assert there["INBOX"]["letter 0"] == ("S", frozenset({"$junk"}))
    assert there["INBOX"]["letter 1"] == ("", frozenset({"later"}))
    assert there["Archive"] == {"letter 2": ("", NOBODY)}

    desk.account.imap.store("INBOX", [desk.uid("INBOX", "letter 1")], "-", ["later"])
    desk.account.imap.move("INBOX", [desk.uid("INBOX", "letter 3")], "Archive")
    desk.run("jmapsync", "-q", "sync")
    tags = desk.run("notmuch", "search", "--output=tags", "id:1@x").splitlines()
    assert tags == ["inbox", "private", "two words", "unread"]
    assert desk.run("notmuch", "search", "--output=tags", "id:3@x").split() == ["archive", "unread"]

    revision = desk.run("notmuch", "count", "--lastmod", "*")
    assert "nothing to do" in desk.run("jmapsync", "sync")
    assert desk.run("notmuch", "count", "--lastmod", "*") == revision
