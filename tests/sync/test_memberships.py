"""A message in several mailboxes, edited here and there: every edit meets the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.peer import message
from tests.kit.mirror import Mirror, assert_converges

if TYPE_CHECKING:
    from jmapsync.demo import DemoServer

Shown = tuple[set[str], set[str]]


@pytest.fixture
def email(server: DemoServer, mirror: Mirror) -> str:
    """Deliver one message into INBOX, with others around it, and mirror it; return its id."""
    server.account.populate(3, mailboxes=("Sent", "Drafts"))
    server.account.create_mailbox("Work")
    ref = server.account.deliver(message(), received_at=1_700_000_000)
    assert_converges(server.account, mirror)
    return ref


def shown(server: DemoServer, email: str) -> Shown:
    """Return the mailboxes and keywords of a message on the server."""
    homes, keywords = server.account.listing()[email]
    return set(homes), set(keywords)


def move(mirror: Mirror, source: str, target: str, letters: str = "") -> None:
    """Move the only message of a folder into another, as a mail program does."""
    [file] = mirror.files(source)
    file.rename(mirror.folder(target) / "cur" / f"{file.name.partition(':2,')[0]}:2,{letters}")


class TestLocalActs:
    def test_deleting_one_of_two_files_takes_the_message_out_of_that_mailbox_only(
        self, server: DemoServer, mirror: Mirror, email: str
    ) -> None:
        server.account.copy(email, "Archive")
        assert_converges(server.account, mirror)
        mirror.files("INBOX")[0].unlink()
        assert_converges(server.account, mirror)
        assert shown(server, email) == ({"Archive"}, set())

    def test_deleting_the_last_file_puts_the_message_into_the_trash(self, server: DemoServer, mirror: Mirror, email: str) -> None:
        server.account.copy(email, "Archive")
        assert_converges(server.account, mirror)
        mirror.files("INBOX")[0].unlink()
        mirror.files("Archive")[0].unlink()
        assert_converges(server.account, mirror)
        assert shown(server, email) == ({"Trash"}, set())
        assert len(mirror.files("Trash")) == 1

    def test_deleting_it_from_the_trash_destroys_it(self, server: DemoServer, mirror: Mirror, email: str) -> None:
        mirror.files("INBOX")[0].unlink()
        assert_converges(server.account, mirror)
        mirror.files("Trash")[0].unlink()
        assert_converges(server.account, mirror)
        assert email not in server.account.listing()

    @pytest.mark.parametrize(("method", "ends_in"), [("Email/get", {"Work"}), ("Email/set", {"Work", "Trash"})])
    def test_put_into_another_mailbox_right_before_its_last_file_is_deleted(
        self, server: DemoServer, mirror: Mirror, email: str, method: str, ends_in: set[str]
    ) -> None:
        mirror.files("INBOX")[0].unlink()
        server.faults.before_call.arm(lambda: server.account.copy(email, "Work"), only={method}, times=1)
        mirror.sync()
        assert server.faults.before_call.fired == 1
        assert_converges(server.account, mirror)
        assert shown(server, email) == (ends_in, set())

    def test_moved_here_with_the_third_mailbox_untouched(self, server: DemoServer, mirror: Mirror, email: str) -> None:
        server.account.copy(email, "Work")
        assert_converges(server.account, mirror)
        move(mirror, "INBOX", "Archive", "S")
        assert_converges(server.account, mirror)
        assert shown(server, email) == ({"Archive", "Work"}, {"$seen"})

    def test_moved_here_while_put_into_a_third_mailbox_there(self, server: DemoServer, mirror: Mirror, email: str) -> None:
        move(mirror, "INBOX", "Archive")
        server.account.copy(email, "Work")
        assert_converges(server.account, mirror)
        assert shown(server, email) == ({"Archive", "Work"}, set())

    def test_put_into_a_third_mailbox_between_our_reading_and_our_write(
        self, server: DemoServer, mirror: Mirror, email: str
    ) -> None:
        move(mirror, "INBOX", "Archive")
        server.faults.before_call.arm(lambda: server.account.copy(email, "Work"), only={"Email/set"}, times=1)
        mirror.sync()
        assert server.faults.before_call.fired == 1
        assert_converges(server.account, mirror)
        assert shown(server, email) == ({"Archive", "Work"}, set())


class TestBothSides:
    def test_deleted_here_in_one_mailbox_while_moved_on_there(self, server: DemoServer, mirror: Mirror, email: str) -> None:
        mirror.files("INBOX")[0].unlink()
        server.account.move(email, "INBOX", "Work")
        assert_converges(server.account, mirror)
        assert shown(server, email) == ({"Work"}, set())

    def test_moved_on_there_between_our_reading_and_our_write(self, server: DemoServer, mirror: Mirror, email: str) -> None:
        mirror.files("INBOX")[0].unlink()
        server.faults.before_call.arm(lambda: server.account.move(email, "INBOX", "Work"), only={"Email/set"}, times=1)
        mirror.sync()
        assert_converges(server.account, mirror)
        assert shown(server, email)[0] >= {"Work"}

    def test_moved_to_different_mailboxes_on_both_sides(self, server: DemoServer, mirror: Mirror, email: str) -> None:
        move(mirror, "INBOX", "Archive", "F")
        server.account.move(email, "INBOX", "Work")
        assert_converges(server.account, mirror)
        assert shown(server, email) == ({"Archive", "Work"}, {"$flagged"})

    def test_two_files_of_one_message_with_different_flags(self, server: DemoServer, mirror: Mirror, email: str) -> None:
        server.account.copy(email, "Archive")
        server.account.set_keyword(email, "$answered")
        assert_converges(server.account, mirror)
        mirror.flag(mirror.files("INBOX")[0], "RS")
        mirror.flag(mirror.files("Archive")[0], "F")
        assert_converges(server.account, mirror)
        assert shown(server, email) == ({"INBOX", "Archive"}, {"$seen", "$flagged"})

    def test_flags_of_the_two_files_and_of_the_server_at_once(self, server: DemoServer, mirror: Mirror, email: str) -> None:
        server.account.copy(email, "Archive")
        assert_converges(server.account, mirror)
        mirror.flag(mirror.files("INBOX")[0], "S")
        mirror.flag(mirror.files("Archive")[0], "R")
        server.account.set_keyword(email, "work")
        assert_converges(server.account, mirror)
        assert shown(server, email) == ({"INBOX", "Archive"}, {"$seen", "$answered", "work"})

    def test_different_keywords_on_both_sides_are_merged_one_by_one(self, server: DemoServer, mirror: Mirror, email: str) -> None:
        server.account.set_keyword(email, "$flagged")
        server.account.set_keyword(email, "old")
        assert_converges(server.account, mirror)
        mirror.flag(mirror.files("INBOX")[0], "S" + mirror.files("INBOX")[0].name[-1])
        server.account.set_keyword(email, "old", present=False)
        server.account.set_keyword(email, "new")
        assert_converges(server.account, mirror)
        assert shown(server, email) == ({"INBOX"}, {"$seen", "new"})

    def test_the_same_keyword_on_both_sides_is_no_conflict(self, server: DemoServer, mirror: Mirror, email: str) -> None:
        mirror.flag(mirror.files("INBOX")[0], "S")
        server.account.set_keyword(email, "$seen")
        assert_converges(server.account, mirror)
        assert shown(server, email) == ({"INBOX"}, {"$seen"})

    @pytest.mark.parametrize("moment", ["before_call", "after_call"])
    @pytest.mark.parametrize("method", ["Email/changes", "Email/get", "Email/set"])
    def test_edits_on_both_sides_in_the_middle_of_a_cycle(
        self, server: DemoServer, mirror: Mirror, email: str, moment: str, method: str
    ) -> None:
        mirror.flag(mirror.files("INBOX")[0], "S")

        def edit() -> None:
            server.account.set_keyword(email, "$flagged")
            server.account.copy(email, "Work")
            mirror.flag(mirror.files("INBOX")[0], "RS")

        getattr(server.faults, moment).arm(edit, only={method}, times=1)
        mirror.sync()
        assert getattr(server.faults, moment).fired == 1
        assert_converges(server.account, mirror)
        assert shown(server, email) == ({"INBOX", "Work"}, {"$seen", "$flagged", "$answered"})

    @pytest.mark.parametrize("method", ["Email/changes", "Email/get", "Email/set"])
    def test_moved_here_and_deleted_there_in_the_middle_of_a_cycle(
        self, server: DemoServer, mirror: Mirror, email: str, method: str
    ) -> None:
        mirror.flag(mirror.files("INBOX")[0], "S")

        def edit() -> None:
            move(mirror, "INBOX", "Archive")
            server.account.destroy(email)

        server.faults.before_call.arm(edit, only={method}, times=1)
        mirror.sync()
        assert server.faults.before_call.fired == 1
        assert_converges(server.account, mirror)
        assert len(mirror.files("Archive")) == 1


class TestPatchesThatAreRefused:
    def acts(self, server: DemoServer, mirror: Mirror, email: str) -> None:
        server.account.copy(email, "Work")
        assert_converges(server.account, mirror)
        move(mirror, "INBOX", "Archive", "S")

    def test_a_server_without_patches_gets_whole_sets(self, server: DemoServer, mirror: Mirror, email: str) -> None:
        self.acts(server, mirror, email)
        server.faults.refuse_patches.arm()
        assert_converges(server.account, mirror)
        assert shown(server, email) == ({"Archive", "Work"}, {"$seen"})

    def test_a_mailbox_added_right_before_the_whole_set_is_not_lost(self, server: DemoServer, mirror: Mirror, email: str) -> None:
        self.acts(server, mirror, email)
        server.faults.refuse_patches.arm()

        def slip_in() -> None:
            server.account.copy(email, "Drafts")
            server.account.set_keyword(email, "$flagged")

        server.faults.before_call.arm(slip_in, only={"Email/set"}, skip=1, times=1)
        mirror.sync()
        assert server.faults.before_call.fired == 1
        assert_converges(server.account, mirror)
        assert shown(server, email) == ({"Archive", "Work", "Drafts"}, {"$seen", "$flagged"})

    def test_deleting_the_last_file_without_patches(self, server: DemoServer, mirror: Mirror, email: str) -> None:
        server.faults.refuse_patches.arm()
        mirror.files("INBOX")[0].unlink()
        assert_converges(server.account, mirror)
        assert shown(server, email) == ({"Trash"}, set())
