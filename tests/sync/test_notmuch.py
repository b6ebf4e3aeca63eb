"""Keywords and mailboxes as tags of a real notmuch database, both ways."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.errors import ExitCode
from jmapsync.kinds import MAIL
from jmapsync.planner.guard import Limits
from jmapsync.storage.notmuch.side import TagRules
from tests.kit.mirror import Mirror, assert_mirrored
from tests.kit.notmuch import Notmuch

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.demo import DemoServer
    from jmapsync.sync.report import KindReport

FLAGS = {"unread", "flagged", "replied", "passed", "draft"}


@pytest.fixture
def notmuch(mirror: Mirror) -> Notmuch:
    return Notmuch.over(mirror.root)


@pytest.fixture
def mirror(server: DemoServer, tmp_path: Path) -> Mirror:
    rules = TagRules(tmp_path / "notmuch-config", names=(("$junk", "spam"),), ignore=("mine",))
    return Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state", tags=rules)


@pytest.fixture
def folders(mirror: Mirror) -> Mirror:
    """The mirror with all mailboxes as tags."""
    assert mirror.tags is not None
    mirror.tags = TagRules(mirror.tags.config, ("*",), (("Archive", "archive"),))
    return mirror


def deliver(server: DemoServer, number: int, *keywords: str, mailbox: str = "INBOX") -> str:
    wire = f"From: a@example.com\r\nSubject: {number}\r\nMessage-ID: <{number}@x>\r\n\r\nBody {number}.\r\n".encode()
    return server.account.deliver(wire, mailboxes=[mailbox], keywords=keywords)


def keywords(server: DemoServer, ref: str) -> set[str]:
    return set(server.account.emails[ref].keywords)


def boxes(server: DemoServer, ref: str) -> set[str]:
    return set(server.account.listing()[ref][0])


def read(mirror: Mirror, notmuch: Notmuch) -> None:
    """Synchronise, let notmuch read what came, and synchronise its tags."""
    mirror.sync()
    notmuch.new()
    assert mirror.sync().exit_code == ExitCode.IN_SYNC


def assert_at_rest(server: DemoServer, mirror: Mirror, notmuch: Notmuch) -> None:
    """Fail unless both sides are equal, and a further run changes nothing anywhere, the database included."""
    assert_mirrored(server.account, mirror)
    revision = notmuch.revision()
    report = mirror.sync()
    assert (report.to_disk.total, report.to_server.total, mirror.requests, report.messages) == (0, 0, 1, [])
    assert notmuch.revision() == revision


class TestKeywords:
    def test_a_keyword_of_the_server_is_a_tag_and_goes_with_it(self, server: DemoServer, mirror: Mirror, notmuch: Notmuch) -> None:
        ref = deliver(server, 1, "todo", "$junk", "$muted", "$seen")
        read(mirror, notmuch)
        assert notmuch.tags() == {"inbox", "todo", "spam", "$muted"}
        server.account.set_keyword(ref, "todo", present=False)
        server.account.set_keyword(ref, "later")
        mirror.sync()
        assert notmuch.tags() == {"inbox", "later", "spam", "$muted"}
        assert_at_rest(server, mirror, notmuch)

    def test_a_tag_given_and_one_taken_off_reach_the_server(self, server: DemoServer, mirror: Mirror, notmuch: Notmuch) -> None:
        ref, other = deliver(server, 1, "todo"), deliver(server, 2, "todo")
        read(mirror, notmuch)
        notmuch.tag("+work", "+spam", "-todo", query="id:1@x")
        mirror.sync()
        assert keywords(server, ref) == {"work", "$junk"}
        assert keywords(server, other) == {"todo"}
        assert_at_rest(server, mirror, notmuch)

    def test_both_sides_change_tags_of_one_message(self, server: DemoServer, mirror: Mirror, notmuch: Notmuch) -> None:
        ref = deliver(server, 1, "one", "two", "three")
        read(mirror, notmuch)
        notmuch.tag("+here", "-one")
        server.account.set_keyword(ref, "two", present=False)
        server.account.set_keyword(ref, "there")
        mirror.sync()
        assert keywords(server, ref) == {"three", "here", "there"}
        assert notmuch.tags() - {"inbox", "unread"} == {"three", "here", "there"}
        assert_at_rest(server, mirror, notmuch)

    def test_flags_are_left_to_the_names_of_the_files(self, server: DemoServer, mirror: Mirror, notmuch: Notmuch) -> None:
        ref = deliver(server, 1, "$flagged", "todo")
        read(mirror, notmuch)
        assert notmuch.tags() == {"inbox", "unread", "flagged", "todo"}
        notmuch.tag("-unread", "+replied", "-flagged", "+work")
        mirror.sync()
        assert keywords(server, ref) == {"$seen", "$answered", "todo", "work"}
        assert_at_rest(server, mirror, notmuch)

    def test_tags_of_long_ago_are_taken_along_and_keywords_joined(
        self, server: DemoServer, mirror: Mirror, notmuch: Notmuch
    ) -> None:
        ref = deliver(server, 1, "todo")
        rules, mirror.tags = mirror.tags, None
        mirror.sync()
        notmuch.new()
        notmuch.tag("+work", "+mine")
        mirror.tags = rules
        mirror.sync()
        assert keywords(server, ref) == {"todo", "work"}
        assert notmuch.tags() == {"inbox", "unread", "todo", "work", "mine"}
        assert_at_rest(server, mirror, notmuch)

    def test_a_message_dropped_here_is_imported_with_its_tags(self, server: DemoServer, mirror: Mirror, notmuch: Notmuch) -> None:
        mirror.sync()
        mirror.drop("INBOX", b"Subject: mine\nMessage-ID: <mine@x>\n\nHere.\n")
        notmuch.new()
        notmuch.tag("+draft-of-mine")
        mirror.sync()
        [email] = server.account.emails.values()
        assert set(email.keywords) == {"draft-of-mine"}
        assert_at_rest(server, mirror, notmuch)

    def test_two_emails_of_one_message_id_are_one_message_with_one_set_of_tags(
        self, server: DemoServer, mirror: Mirror, notmuch: Notmuch
    ) -> None:
        first = deliver(server, 1, "todo")
        second = server.account.deliver(b"Subject: the same\r\nMessage-ID: <1@x>\r\n\r\nBy the list.\r\n")
        read(mirror, notmuch)
        assert_at_rest(server, mirror, notmuch)
        notmuch.tag("-todo", "+done")
        mirror.sync()
        assert (keywords(server, first), keywords(server, second)) == ({"done"}, {"done"})
        assert_at_rest(server, mirror, notmuch)

    def test_only_a_mirror_that_is_written_takes_tags_to_the_server(
        self, server: DemoServer, mirror: Mirror, notmuch: Notmuch
    ) -> None:
        ref = deliver(server, 1, "todo")
        mirror.kind = MAIL.pulled_only()
        read(mirror, notmuch)
        notmuch.tag("+work", "-todo")
        mirror.sync()
        assert keywords(server, ref) == {"todo"}
        assert notmuch.tags() == {"inbox", "unread", "todo"}

    def test_a_dry_run_changes_neither_side_nor_the_database(self, server: DemoServer, mirror: Mirror, notmuch: Notmuch) -> None:
        ref = deliver(server, 1, "todo")
        read(mirror, notmuch)
        notmuch.tag("+work")
        server.account.set_keyword(ref, "there")
        revision, names = notmuch.revision(), [file.name for file in mirror.files()]
        report = mirror.sync(dry=True)
        assert any("on the server" in message for message in report.messages)
        assert (notmuch.revision(), [file.name for file in mirror.files()]) == (revision, names)
        assert keywords(server, ref) == {"todo", "there"}
        mirror.sync()
        assert keywords(server, ref) == {"todo", "there", "work"}


class TestTagsThatAreNoKeywords:
    def test_a_tag_that_can_be_no_keyword_stays_here(self, server: DemoServer, mirror: Mirror, notmuch: Notmuch) -> None:
        ref = deliver(server, 1)
        read(mirror, notmuch)
        odd = ["two words", "a(b", "100%", "b*c", "gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n", "mine", "signed"]
        notmuch.tag(*(f"+{tag}" for tag in odd), "+plain")
        mirror.sync()
        assert keywords(server, ref) == {"plain"}
        assert notmuch.tags() == {"inbox", "unread", "plain", *odd}
        assert_at_rest(server, mirror, notmuch)

    def test_tags_and_files_that_are_no_text_are_passed_over(self, server: DemoServer, mirror: Mirror, notmuch: Notmuch) -> None:
        ref = deliver(server, 1, "a")
        read(mirror, notmuch)
        notmuch.run("tag", "--batch", text="+a%0ab +plain -- *\n")
        odd = os.fsencode(mirror.root / "INBOX/cur") + b"/\xff:2,S"
        with open(odd, "wb") as file:
            file.write(b"Subject: odd\nMessage-ID: <odd@x>\n\nx\n")
        notmuch.new()
        notmuch.tag("+odd", query="id:odd@x")
        mirror.sync()
        assert keywords(server, ref) == {"a", "plain"}
        os.unlink(odd)
        notmuch.new()
        assert mirror.sync().problems == []
        assert_at_rest(server, mirror, notmuch)

    def test_a_tag_in_capitals_is_a_keyword_in_small_letters(self, server: DemoServer, mirror: Mirror, notmuch: Notmuch) -> None:
        ref = deliver(server, 1)
        read(mirror, notmuch)
        notmuch.tag("+ToDo")
        mirror.sync()
        assert (keywords(server, ref), notmuch.tags() - FLAGS) == ({"todo"}, {"inbox", "ToDo"})
        assert_at_rest(server, mirror, notmuch)
        server.account.set_keyword(ref, "todo", present=False)
        mirror.sync()
        assert notmuch.tags() - FLAGS == {"inbox"}

    def test_more_tags_than_letters_travel_both_ways(self, server: DemoServer, mirror: Mirror, notmuch: Notmuch) -> None:
        words = {f"word{number:02}" for number in range(40)}
        ref = deliver(server, 1, *words)
        read(mirror, notmuch)
        assert notmuch.tags() - FLAGS == words | {"inbox"}
        notmuch.tag("-word39", "-word00", "+word40")
        mirror.sync()
        assert keywords(server, ref) == words - {"word39", "word00"} | {"word40"}
        mirror.sync()
        assert keywords(server, ref) == words - {"word39", "word00"} | {"word40"}


class TestDatabasesThatLostOrGainedMessages:
    def test_the_tags_of_new_messages_are_nobodys_wish(self, server: DemoServer, mirror: Mirror) -> None:
        notmuch = Notmuch.over(mirror.root, new_tags="unread;inbox;new;todo")
        ref = deliver(server, 1, "$seen")
        read(mirror, notmuch)
        assert keywords(server, ref) == {"$seen"}
        assert notmuch.tags() == {"inbox", "new", "todo"}
        notmuch.tag("-new", "+sorted")
        mirror.sync()
        assert keywords(server, ref) == {"$seen", "sorted"}
        assert_at_rest(server, mirror, notmuch)

    def test_what_notmuch_does_not_know_yet_has_no_tags_taken_off(
        self, server: DemoServer, mirror: Mirror, notmuch: Notmuch
    ) -> None:
        deliver(server, 1)
        read(mirror, notmuch)
        ref = deliver(server, 2, "todo")
        for _ in range(2):
            mirror.sync()
        assert keywords(server, ref) == {"todo"}
        notmuch.new()
        mirror.sync()
        assert (keywords(server, ref), notmuch.count("tag:todo")) == ({"todo"}, 1)

    def test_what_notmuch_forgot_and_read_anew_keeps_its_keywords(
        self, server: DemoServer, mirror: Mirror, notmuch: Notmuch
    ) -> None:
        refs = [deliver(server, number, "todo") for number in range(3)]
        read(mirror, notmuch)
        away = mirror.root.with_name("unmounted")
        mirror.root.rename(away)
        (mirror.root / ".notmuch").mkdir(parents=True)
        shutil.copytree(away / ".notmuch", mirror.root / ".notmuch", dirs_exist_ok=True)
        notmuch.new()
        assert notmuch.count("*") == 0
        shutil.rmtree(away / ".notmuch")
        (mirror.root / ".notmuch").rename(away / ".notmuch")
        mirror.root.rmdir()
        away.rename(mirror.root)
        notmuch.new()
        assert notmuch.tags() == {"inbox", "unread"}
        mirror.sync()
        assert [keywords(server, ref) for ref in refs] == [{"todo"}] * 3
        assert notmuch.count("tag:todo") == 3
        assert_at_rest(server, mirror, notmuch)

    def test_a_database_made_anew_gets_the_tags_and_takes_none(self, server: DemoServer, mirror: Mirror, notmuch: Notmuch) -> None:
        refs = [deliver(server, number, "todo") for number in range(3)]
        read(mirror, notmuch)
        shutil.rmtree(mirror.root / ".notmuch")
        mirror.sync()
        notmuch.new()
        notmuch.tag("+extra", query="id:1@x")
        mirror.sync()
        assert [keywords(server, ref) for ref in refs] == [{"todo"}, {"todo", "extra"}, {"todo"}]
        assert notmuch.count("tag:todo") == 3
        assert_at_rest(server, mirror, notmuch)

    def test_a_restored_database_takes_off_no_tag_that_was_given_since(
        self, server: DemoServer, mirror: Mirror, notmuch: Notmuch
    ) -> None:
        ref = deliver(server, 1, "todo")
        read(mirror, notmuch)
        shutil.copytree(mirror.root / ".notmuch", mirror.root.with_name("backup"))
        notmuch.tag("+work")
        mirror.sync()
        shutil.rmtree(mirror.root / ".notmuch")
        mirror.root.with_name("backup").rename(mirror.root / ".notmuch")
        mirror.sync()
        assert keywords(server, ref) == {"todo", "work"}
        assert notmuch.tags() - FLAGS == {"inbox", "todo", "work"}
        assert_at_rest(server, mirror, notmuch)

    def test_a_compacted_database_is_the_same(self, server: DemoServer, mirror: Mirror, notmuch: Notmuch) -> None:
        ref = deliver(server, 1, "todo")
        read(mirror, notmuch)
        notmuch.run("compact", "--quiet")
        notmuch.tag("+work")
        mirror.sync()
        assert keywords(server, ref) == {"todo", "work"}
        assert_at_rest(server, mirror, notmuch)

    def test_a_locked_database_is_untouched_and_tried_again(self, server: DemoServer, mirror: Mirror, notmuch: Notmuch) -> None:
        ref = deliver(server, 1, "todo")
        read(mirror, notmuch)
        server.account.set_keyword(ref, "there")
        hold = "import notmuch2, sys; db = notmuch2.Database(config=sys.argv[1], mode='rw'); print(1, flush=True); sys.stdin.read()"
        with subprocess.Popen(
            [sys.executable, "-c", hold, str(notmuch.config)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as other:
            assert other.stdin is not None
            assert other.stdout is not None
            other.stdout.readline()
            revision = notmuch.revision()
            report = mirror.sync()
            assert [message for message in report.messages if "locked by another program" in message] == report.messages
            assert (report.exit_code, len(report.messages), notmuch.revision()) == (ExitCode.IN_SYNC, 1, revision)
            other.stdin.close()
        assert mirror.sync().messages == []
        assert notmuch.tags() - FLAGS == {"inbox", "todo", "there"}
        assert_at_rest(server, mirror, notmuch)

    def test_before_there_is_a_database_mail_is_synchronised_all_the_same(
        self, server: DemoServer, mirror: Mirror, notmuch: Notmuch
    ) -> None:
        deliver(server, 1, "todo")
        report = mirror.sync()
        assert (report.to_disk.created, report.exit_code, len(report.messages)) == (1, ExitCode.IN_SYNC, 1)
        assert "notmuch database cannot be used" in report.messages[0]

    def test_without_the_binding_mail_is_synchronised_and_the_code_says_so(
        self, server: DemoServer, mirror: Mirror, notmuch: Notmuch, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "notmuch2", None)
        deliver(server, 1)
        report = mirror.sync()
        assert (report.to_disk.created, report.exit_code) == (1, ExitCode.USAGE)
        assert "pip install notmuch2" in report.messages[0]

    def test_a_run_that_dies_after_it_wrote_tags_ends_the_same_when_repeated(
        self, server: DemoServer, mirror: Mirror, notmuch: Notmuch, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ref = deliver(server, 1, "todo")
        read(mirror, notmuch)
        notmuch.tag("+work")
        server.account.set_keyword(ref, "there")

        def die(*_: Any, **__: Any) -> None:  # noqa: ANN401
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr("jmapsync.sync.tag_index.Tagger._keep_shown", die)
            with pytest.raises(KeyboardInterrupt):
                mirror.sync()
        assert notmuch.tags() - FLAGS == {"inbox", "todo", "work", "there"}
        mirror.sync()
        mirror.sync()
        assert keywords(server, ref) == {"todo", "work", "there"}
        assert notmuch.tags() - FLAGS == {"inbox", "todo", "work", "there"}
        assert_at_rest(server, mirror, notmuch)


class TestMailboxes:
    def test_mailboxes_are_tags_and_the_inbox_is_inbox(self, server: DemoServer, folders: Mirror, notmuch: Notmuch) -> None:
        server.account.create_mailbox("Lists")
        deliver(server, 1)
        deliver(server, 2, "$seen", mailbox="Lists")
        read(folders, notmuch)
        assert notmuch.tags("id:1@x") == {"inbox", "unread"}
        assert notmuch.tags("id:2@x") == {"Lists"}
        assert_at_rest(server, folders, notmuch)

    def test_in_a_maildir_plus_plus_as_well(self, server: DemoServer, folders: Mirror, notmuch: Notmuch) -> None:
        folders.layout = "maildir++"
        server.account.create_mailbox("Lists")
        server.account.create_mailbox("Lists/python")
        ref = deliver(server, 1, "todo")
        read(folders, notmuch)
        assert notmuch.tags() == {"inbox", "unread", "todo"}
        notmuch.tag("+Lists/python", "-inbox", "-todo")
        folders.sync()
        assert (boxes(server, ref), keywords(server, ref)) == ({"Lists/python"}, set())
        notmuch.new()
        folders.sync()
        assert_at_rest(server, folders, notmuch)

    def test_a_tag_files_a_message_and_takes_it_out(self, server: DemoServer, folders: Mirror, notmuch: Notmuch) -> None:
        server.account.create_mailbox("Lists")
        ref = deliver(server, 1, "todo")
        read(folders, notmuch)
        notmuch.tag("+Lists")
        folders.sync()
        assert boxes(server, ref) == {"INBOX", "Lists"}
        assert_at_rest(server, folders, notmuch)
        notmuch.new()
        notmuch.tag("-inbox")
        folders.sync()
        assert (boxes(server, ref), keywords(server, ref)) == ({"Lists"}, {"todo"})
        assert_at_rest(server, folders, notmuch)

    def test_a_move_there_and_a_move_here_change_the_tags(self, server: DemoServer, folders: Mirror, notmuch: Notmuch) -> None:
        server.account.create_mailbox("Lists")
        ref, other = deliver(server, 1), deliver(server, 2)
        read(folders, notmuch)
        server.account.move(ref, "INBOX", "Lists")
        file = next(one for one in folders.files("INBOX") if b"Body 2" in one.read_bytes())
        file.rename(folders.root / "Lists" / "cur" / f"{file.name.partition(':')[0]}:2,S")
        folders.sync()
        assert boxes(server, other) == {"Lists"}
        assert notmuch.count("tag:Lists and not tag:inbox") == 2
        notmuch.new()
        folders.sync()
        assert_at_rest(server, folders, notmuch)

    def test_the_last_mailbox_taken_off_is_the_archive(self, server: DemoServer, folders: Mirror, notmuch: Notmuch) -> None:
        ref = deliver(server, 1)
        read(folders, notmuch)
        notmuch.tag("-inbox")
        folders.sync()
        assert boxes(server, ref) == {"Archive"}
        assert notmuch.tags() == {"archive", "unread"}
        notmuch.new()
        folders.sync()
        assert_at_rest(server, folders, notmuch)

    def test_without_an_archive_the_last_mailbox_stays(self, server: DemoServer, folders: Mirror, notmuch: Notmuch) -> None:
        ref = deliver(server, 1)
        server.account.destroy_mailbox("Archive")
        read(folders, notmuch)
        notmuch.tag("-inbox")
        folders.sync()
        assert (boxes(server, ref), notmuch.tags()) == ({"INBOX"}, {"inbox", "unread"})
        assert_at_rest(server, folders, notmuch)

    def test_inbox_among_the_tags_of_new_messages_files_nothing_there(
        self, server: DemoServer, folders: Mirror, notmuch: Notmuch
    ) -> None:
        server.account.create_mailbox("Lists")
        ref = deliver(server, 1, mailbox="Lists")
        read(folders, notmuch)
        assert (boxes(server, ref), notmuch.tags()) == ({"Lists"}, {"Lists", "unread"})
        assert_at_rest(server, folders, notmuch)

    def test_a_renamed_mailbox_renames_its_tag(self, server: DemoServer, folders: Mirror, notmuch: Notmuch) -> None:
        server.account.create_mailbox("Lists")
        ref = deliver(server, 1, "todo", mailbox="Lists")
        read(folders, notmuch)
        server.account.rename_mailbox("Lists", "Groups")
        folders.sync()
        notmuch.new()
        folders.sync()
        assert (boxes(server, ref), keywords(server, ref)) == ({"Groups"}, {"todo"})
        assert notmuch.tags() - FLAGS == {"Groups", "todo"}

    def test_a_mailbox_of_an_odd_name_is_a_tag_all_the_same(self, server: DemoServer, folders: Mirror, notmuch: Notmuch) -> None:
        name = "Caf\N{LATIN SMALL LETTER E WITH ACUTE} (50 %) & more"
        server.account.create_mailbox(name)
        ref = deliver(server, 1)
        read(folders, notmuch)
        notmuch.tag(f"+{name}", "-inbox")
        folders.sync()
        assert boxes(server, ref) == {name}
        notmuch.new()
        folders.sync()
        assert_at_rest(server, folders, notmuch)

    def test_a_mailbox_destroyed_there_takes_its_tag_along(self, server: DemoServer, folders: Mirror, notmuch: Notmuch) -> None:
        server.account.create_mailbox("Lists")
        ref = deliver(server, 1, "todo")
        server.account.copy(ref, "Lists")
        read(folders, notmuch)
        assert notmuch.tags() - FLAGS == {"inbox", "Lists", "todo"}
        server.account.destroy_mailbox("Lists")
        folders.sync()
        notmuch.new()
        folders.sync()
        assert (boxes(server, ref), keywords(server, ref)) == ({"INBOX"}, {"todo"})
        assert notmuch.tags() - FLAGS == {"inbox", "todo"}
        assert_at_rest(server, folders, notmuch)

    def test_a_tag_of_a_mailbox_that_takes_nothing_is_taken_back(
        self, server: DemoServer, folders: Mirror, notmuch: Notmuch
    ) -> None:
        server.account.create_mailbox("Shared")
        server.account.set_rights("Shared", mayAddItems=False)
        ref = deliver(server, 1, "todo")
        read(folders, notmuch)
        notmuch.tag("+Shared", "-inbox")
        [message] = folders.sync().messages
        assert "which the server does not allow: taken back" in message
        assert (boxes(server, ref), keywords(server, ref)) == ({"INBOX"}, {"todo"})
        assert len(folders.files("INBOX")) == len(folders.files()) == 1
        for _ in range(2):
            notmuch.new()
            folders.sync()
        assert notmuch.tags() - FLAGS == {"inbox", "todo"}
        assert_at_rest(server, folders, notmuch)

    def test_a_folder_that_is_only_on_the_way_is_no_tag(self, server: DemoServer, folders: Mirror, notmuch: Notmuch) -> None:
        server.account.create_mailbox("Lists")
        server.account.create_mailbox("Lists/python")
        ref = deliver(server, 1, mailbox="Lists/python")
        read(folders, notmuch)
        assert (boxes(server, ref), notmuch.tags() - FLAGS) == ({"Lists/python"}, {"Lists/python"})

    def test_mailboxes_whose_names_differ_by_case_have_a_tag_each(
        self, server: DemoServer, folders: Mirror, notmuch: Notmuch
    ) -> None:
        server.account.create_mailbox("Lists")
        server.account.create_mailbox("lists")
        first, second = deliver(server, 1, mailbox="Lists"), deliver(server, 2, mailbox="lists")
        read(folders, notmuch)
        one, two = notmuch.tags("id:1@x") - FLAGS, notmuch.tags("id:2@x") - FLAGS
        assert (len(one), len(two), one & two) == (1, 1, set())
        notmuch.tag(f"+{two.pop()}", f"-{one.pop()}", query="id:1@x")
        folders.sync()
        assert (boxes(server, first), boxes(server, second)) == ({"lists"}, {"lists"})

    def test_a_copy_marked_to_go_is_no_keyword(self, server: DemoServer, folders: Mirror, notmuch: Notmuch) -> None:
        server.account.create_mailbox("Lists")
        ref = deliver(server, 1)
        read(folders, notmuch)
        notmuch.tag("+Lists", "-inbox", "+todo")
        folders.sync()
        assert (boxes(server, ref), keywords(server, ref)) == ({"Lists"}, {"todo"})
        assert [file.name.rpartition(",")[2] for file in folders.files()] == ["a"]

    def test_a_dry_run_files_nothing(self, server: DemoServer, folders: Mirror, notmuch: Notmuch) -> None:
        server.account.create_mailbox("Lists")
        ref = deliver(server, 1)
        read(folders, notmuch)
        notmuch.tag("+Lists", "-inbox")
        before = folders.tree()
        report = folders.sync(dry=True)
        assert any("on the server" in message for message in report.messages)
        assert (folders.tree(), boxes(server, ref)) == (before, {"INBOX"})

    def test_many_tags_at_once_are_no_deletion(self, server: DemoServer, folders: Mirror, notmuch: Notmuch) -> None:
        folders.limits = Limits(2, 0)
        refs = [deliver(server, number, "todo") for number in range(12)]
        read(folders, notmuch)
        notmuch.tag("-inbox", "-todo", "+done")
        assert folders.sync().exit_code == ExitCode.IN_SYNC
        assert {frozenset(boxes(server, ref) | keywords(server, ref)) for ref in refs} == {frozenset({"Archive", "done"})}

    def test_many_taken_out_of_one_of_their_mailboxes_wait_for_a_word(
        self, server: DemoServer, folders: Mirror, notmuch: Notmuch
    ) -> None:
        folders.limits = Limits(2, 0)
        server.account.create_mailbox("Lists")
        refs = [deliver(server, number) for number in range(12)]
        read(folders, notmuch)
        notmuch.tag("+Lists")
        folders.sync()
        notmuch.new()
        notmuch.tag("-inbox")
        report: KindReport = folders.sync()
        assert report.exit_code == ExitCode.SUSPENDED
        assert all(boxes(server, ref) == {"INBOX", "Lists"} for ref in refs)
        folders.sync(allow_deletes=True)
        assert all(boxes(server, ref) == {"Lists"} for ref in refs)

    def test_a_slip_of_many_is_undone_by_giving_the_tags_back(self, server: DemoServer, folders: Mirror, notmuch: Notmuch) -> None:
        folders.limits = Limits(2, 0)
        server.account.create_mailbox("Lists")
        refs = [deliver(server, number) for number in range(12)]
        for ref in refs:
            server.account.copy(ref, "Lists")
        read(folders, notmuch)
        notmuch.tag("-inbox")
        assert folders.sync().exit_code == ExitCode.SUSPENDED
        notmuch.new()
        notmuch.tag("+inbox")
        assert folders.sync().exit_code == ExitCode.IN_SYNC
        assert all(boxes(server, ref) == {"INBOX", "Lists"} for ref in refs)
        notmuch.new()
        folders.sync()
        assert_at_rest(server, folders, notmuch)
