"""`jmapsync mailboxes`: lines for a muttrc."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jmapsync.app.mutt import quote

if TYPE_CHECKING:
    from tests.cli.conftest import Command, Home


def make(home: Home, *folders: str) -> None:
    for folder in folders:
        for part in ("cur", "new", "tmp"):
            (home.mail / folder / part).mkdir(parents=True)


class TestMailboxes:
    def test_names_every_maildir_the_inbox_first(self, jmapsync: Command, home: Home) -> None:
        make(home, "INBOX", "Archive", "Lists/python", ".hidden")
        done = jmapsync("mailboxes")
        assert done.code == 0
        assert done.out.splitlines() == [
            f"mailboxes '{home.mail}/INBOX'",
            f"mailboxes '{home.mail}/Archive'",
            f"mailboxes '{home.mail}/Lists/python'",
        ]

    def test_names_the_folders_of_maildir_plus_plus_as_they_lie(self, jmapsync: Command, home: Home) -> None:
        home.configure(mail='layout = "maildir++"')
        make(home, "", ".Archive", ".Lists.python")
        (home.mail / ".notmuch").mkdir()
        assert jmapsync("mailboxes", "--named").out.splitlines() == [
            f"named-mailboxes 'INBOX' '{home.mail}'",
            f"named-mailboxes 'Archive' '{home.mail}/.Archive'",
            f"named-mailboxes 'Lists/python' '{home.mail}/.Lists.python'",
        ]

    def test_with_labels_for_neomutt(self, jmapsync: Command, home: Home) -> None:
        make(home, "INBOX")
        assert jmapsync("mailboxes", "--named").out == f"named-mailboxes 'INBOX' '{home.mail}/INBOX'\n"

    def test_labels_distinguish_accounts(self, jmapsync: Command, home: Home) -> None:
        make(home, "INBOX")
        more = f'[accounts.work]\nurl = "{home.url}"\npassword_command = "x"\n'
        home.configure(more=more)
        assert jmapsync("mailboxes", "--named").out == f"named-mailboxes 'home/INBOX' '{home.mail}/INBOX'\n"

    def test_before_the_first_run_there_are_none(self, jmapsync: Command) -> None:
        done = jmapsync("mailboxes")
        assert (done.code, done.out) == (0, "")

    def test_a_name_that_no_line_can_hold_is_left_out(self, jmapsync: Command, home: Home) -> None:
        make(home, "two\nlines", "plain")
        assert jmapsync("mailboxes").out == f"mailboxes '{home.mail}/plain'\n"


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("Lists/python", "'Lists/python'"),
        ("two words", "'two words'"),
        ("a `touch /tmp/x` b", "'a `touch /tmp/x` b'"),
        ('$HOME \\ " # ; ^', "'$HOME \\ \" # ; ^'"),
        ("it's", r"'it'\''s'"),
    ],
)
def test_nothing_in_a_name_means_anything_to_mutt(name: str, quoted: str) -> None:
    assert quote(name) == quoted
