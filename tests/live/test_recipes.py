"""Run each recipe of docs/recipes.md for a mail program, as it is printed there, against real Cyrus 3.12."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.live import mutt
from tests.live.home_folder import HomeFolder, shown
from tests.live.imap import Draft
from tests.live.screen import on_screen
from tests.live.service import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.live.conftest import Account
    from tests.live.cyrus import Cyrus
    from tests.live.screen import Screen

NOBODY: frozenset[str] = frozenset()


@pytest.fixture
def cyrus(running_cyrus: Callable[[str], Cyrus]) -> Cyrus:
    return running_cyrus("3.12")


@pytest.fixture
def make_desk(account: Account, tmp_path: Path) -> Callable[..., HomeFolder]:
    """Make a home with four letters in its inbox; `mail` stands in the table of mail, `more` ends the configuration."""

    def make(more: str = "", *, mail: str = "") -> HomeFolder:
        letters = [
            f"From: a@example.com\r\nDate: 14 Nov 2023 22:13:{20 + number} +0000\r\n"
            f"Subject: letter {number}\r\nMessage-ID: <{number}@x>\r\n\r\nBody {number}.\r\n"
            for number in range(4)
        ]
        account.imap.append("INBOX", [Draft(one.encode(), received=1_700_000_000 + n) for n, one in enumerate(letters)])
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
    rc = desk.write(".muttrc", f"{lines}set confirmappend = no\nset sort = date-sent\nset arrow_cursor = yes\n")
    with on_screen([program, "-F", str(rc)], desk.environment) as screen:
        screen.wait_for_line("-> +1 ")
        mutt.flag(screen, 2)
        mutt.move(screen, 3, "=Archive")
        desk.account.imap.store("INBOX", [desk.uid("INBOX", "letter 0")], "+", ["\\Flagged"])
        screen.keys("S")
        screen.wait_for("Press any key")
        assert desk.on_server()["Archive"] == {"letter 2": ("", NOBODY)}
        screen.keys("Enter")
        screen.wait_for_line(r"(->)? +1 ..!")  # marked on the server
        screen.wait_for_line(r"(->)? +2 ..!")  # marked here
        screen.keys("q")
        screen.wait_for_end()
    assert desk.on_server()["INBOX"] == {"letter 0": ("F", NOBODY), "letter 1": ("F", NOBODY), "letter 3": ("", NOBODY)}


def _command_of_aerc(screen: Screen, text: str) -> None:
    screen.keys(":")
    screen.wait_for_line(":")
    screen.keys(text)
    screen.wait_for_line(f":{text}")
    screen.keys("Enter")


@pytest.mark.parametrize("layout", ["nested", "maildir++"])
def test_aerc_reads_flags_and_moves_and_synchronises_by_check_mail(layout: str, make_desk: Callable[..., HomeFolder]) -> None:
    desk = make_desk(mail=f'layout = "{layout}"')
    desk.run("jmapsync", "-q", "sync")
    lines = shown("aerc", "ini")
    if layout == "maildir++":
        lines = lines.replace("maildir://", "maildirpp://")
    desk.write(".config/aerc/accounts.conf", lines)
    desk.write(".config/aerc/aerc.conf", "[ui]\nsort = date\n")
    with on_screen(["aerc"], desk.environment) as screen:
        screen.wait_for("letter 3")
        screen.wait_for("Archive")
        _command_of_aerc(screen, "select 1")
        _command_of_aerc(screen, "flag")
        screen.wait_for("! letter 1")
        _command_of_aerc(screen, "select 2")
        _command_of_aerc(screen, "move Archive")
        screen.wait_for("Messages moved to Archive")
        _command_of_aerc(screen, "check-mail")
        until(lambda: "Archive" in desk.on_server())
        screen.wait_for_gone("Checking for new mail")  # aerc starts no second check while one runs
        desk.account.imap.append("INBOX", [Draft(b"From: a@example.com\r\nSubject: fresh\r\n\r\nNew.\r\n")])
        _command_of_aerc(screen, "check-mail")
        screen.wait_for("fresh")
        _command_of_aerc(screen, "quit")
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
