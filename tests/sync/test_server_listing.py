"""Listings that move, are cut short or pass a limit: complete, or nothing vanishes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import DemoServer
from tests.contract.peer import message
from tests.kit.letters import letter, wire
from tests.kit.mirror import Mirror, assert_converges, assert_mirrored

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FOLDERS = ("INBOX", "Archive", "Sent")


def early(server: DemoServer, folder: str = "INBOX") -> str:
    """Deliver a message that sorts before all others, so that every later position moves by one."""
    return server.account.deliver(message(), [folder], received_at=1_000)


class TestLimits:
    def test_a_thousand_messages_where_get_takes_a_hundred(self, server: DemoServer, mirror: Mirror) -> None:
        server.limits.max_objects_in_get = 100
        server.limits.max_objects_in_set = 100
        server.account.populate(1000, mailboxes=FOLDERS)
        assert_converges(server.account, mirror)
        for email in list(server.account.emails):
            server.account.set_keyword(email, "work")
        assert_converges(server.account, mirror)
        assert all("work" in keywords for _, keywords in server.account.listing().values())

    @pytest.mark.parametrize("dialect", ["rfc", "cyrus312"])
    def test_requests_are_split_by_their_size(self, dialect: str, tmp_path: Path) -> None:
        with DemoServer(dialect=dialect) as server:
            server.limits.max_size_request = 20_000
            mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
            server.account.populate(1200, mailboxes=FOLDERS, size=500)
            assert_converges(server.account, mirror)
            for file in mirror.files("Archive"):
                mirror.flag(file, "FS")
            for _ in range(300):
                mirror.drop("INBOX", message().replace(b"\r\n", b"\n"))
            assert_converges(server.account, mirror, requests=2 if dialect == "rfc" else 1)
            listing = list(server.account.listing().values())
            assert sum("Archive" in homes and keywords == {"$seen", "$flagged"} for homes, keywords in listing) == 400
            assert len(listing) == 1500

    def test_the_deletion_of_many_is_split_by_size_too(self, server: DemoServer, mirror: Mirror) -> None:
        server.limits.max_size_request = 5_000
        server.account.populate(900, size=500)
        assert_converges(server.account, mirror)
        for file in mirror.files("INBOX")[:150]:
            file.unlink()
        assert_converges(server.account, mirror)
        assert server.account.mailbox("Trash").total == 150

    def test_few_calls_in_a_request(self, server: DemoServer, mirror: Mirror) -> None:
        server.limits.max_calls_in_request = 4
        server.account.populate(20, mailboxes=FOLDERS)
        mirror.sync()
        assert_mirrored(server.account, mirror)
        server.account.deliver(message())
        mirror.flag(mirror.files("Sent")[0], "F")
        mirror.sync()
        assert_mirrored(server.account, mirror)

    @pytest.mark.parametrize("dialect", ["rfc", "cyrus312"])
    def test_a_limit_lowered_while_a_kept_session_names_the_old_one(self, dialect: str, tmp_path: Path) -> None:
        with DemoServer(dialect=dialect) as server:
            mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
            server.account.populate(300)
            assert_converges(server.account, mirror)
            server.limits.max_objects_in_get = server.limits.max_objects_in_set = 50
            for email in list(server.account.emails):
                server.account.set_keyword(email, "work")
            for file in mirror.files("INBOX"):
                mirror.flag(file, "F")
            assert mirror.run_whatever_comes() in {0, 1}
            assert_converges(server.account, mirror, requests=1 if dialect == "rfc" else 6)
            assert all(keywords >= {"work", "$flagged"} for _, keywords in server.account.listing().values())


class TestListingsThatMove:
    @pytest.fixture
    def paged(self, server: DemoServer) -> DemoServer:
        server.limits.max_query_limit = 10
        server.account.populate(45, mailboxes=FOLDERS)
        return server

    def arrive(self, server: DemoServer) -> None:
        early(server)

    def vanish(self, server: DemoServer) -> None:
        server.account.destroy(min(server.account.emails.values(), key=lambda email: email.received_at).id)

    def both(self, server: DemoServer) -> None:
        self.arrive(server)
        self.vanish(server)

    def edit(self, server: DemoServer) -> None:
        for email in list(server.account.emails)[::7]:
            server.account.set_keyword(email, "late")

    def move(self, server: DemoServer) -> None:
        email = max(server.account.emails.values(), key=lambda email: email.received_at)
        server.account.copy(email.id, "Drafts")

    @pytest.mark.parametrize("act", ["arrive", "vanish", "both", "edit", "move"])
    @pytest.mark.parametrize("times", [1, None])
    def test_mail_changes_during_the_first_listing(self, paged: DemoServer, mirror: Mirror, act: str, times: int | None) -> None:
        change: Callable[[DemoServer], None] = getattr(self, act)
        paged.faults.before_call.arm(lambda: change(paged), only={"Email/query"}, skip=1, times=times)
        mirror.sync()
        paged.faults.clear()
        assert_converges(paged.account, mirror)

    def test_mail_vanishing_during_a_later_full_sync_takes_nothing_else_along(self, paged: DemoServer, mirror: Mirror) -> None:
        assert_converges(paged.account, mirror)
        before = len(mirror.files())
        paged.faults.before_call.arm(lambda: self.vanish(paged), only={"Email/query"}, skip=1, times=4)
        report = mirror.sync(full=True)
        assert report.to_disk.deleted <= 4
        paged.faults.clear()
        assert_converges(paged.account, mirror)
        assert len(mirror.files()) == before - 4

    def test_a_message_in_a_mailbox_made_between_the_mailboxes_and_the_emails(self, server: DemoServer, mirror: Mirror) -> None:
        server.account.populate(5)

        def appear() -> None:
            server.account.create_mailbox("Sudden")
            early(server, "Sudden")

        server.faults.before_call.arm(appear, only={"Email/query"}, times=1)
        mirror.sync()
        assert_mirrored(server.account, mirror)
        assert len(mirror.files("Sudden")) == 1

    def test_a_message_in_a_mailbox_made_between_the_two_changes(self, server: DemoServer, mirror: Mirror) -> None:
        server.account.populate(5)
        assert_converges(server.account, mirror)

        def appear() -> None:
            server.account.create_mailbox("Sudden")
            early(server, "Sudden")

        server.faults.before_call.arm(appear, only={"Email/changes"}, times=1)
        mirror.sync()
        assert_mirrored(server.account, mirror)
        assert_converges(server.account, mirror)

    def test_a_mailbox_destroyed_in_the_middle_of_the_listing(self, paged: DemoServer, mirror: Mirror) -> None:
        paged.faults.before_call.arm(lambda: paged.account.destroy_mailbox("Sent"), only={"Email/query"}, skip=2, times=1)
        mirror.sync()
        assert_converges(paged.account, mirror)
        assert not mirror.folder("Sent").exists()


class TestCountsThatAreMissing:
    def test_no_total(self, server: DemoServer, mirror: Mirror) -> None:
        server.account.populate(40)
        server.faults.missing_total.arm()
        assert_converges(server.account, mirror)
        assert server.faults.missing_total.fired

    @pytest.mark.parametrize("total", [True, False])
    def test_a_page_shorter_than_asked_for_is_not_the_end(self, server: DemoServer, mirror: Mirror, total: bool) -> None:
        server.account.populate(40)
        server.faults.truncated_query.arm(7)
        if not total:
            server.faults.missing_total.arm()
        assert_converges(server.account, mirror)
        before = mirror.tree()
        assert mirror.sync(full=True).to_disk.total == 0
        assert mirror.tree() == before

    def test_a_listing_that_ends_before_its_total_deletes_nothing(self, server: DemoServer, mirror: Mirror) -> None:
        server.account.populate(40)
        assert_converges(server.account, mirror)
        before = mirror.tree()
        server.faults.truncated_query.arm(0)
        report = mirror.sync(full=True)
        assert report.to_disk.deleted == 0
        assert mirror.tree() == before
        server.faults.clear()
        assert_converges(server.account, mirror)


class TestMailThatComesBack:
    def test_a_message_marked_deleted_over_imap_vanishes_and_returns(self, server: DemoServer, mirror: Mirror) -> None:
        server.account.populate(3)
        email = next(iter(server.account.emails))
        assert_converges(server.account, mirror)
        server.account.hide(email)
        assert_converges(server.account, mirror)
        assert len(mirror.files()) == 2
        server.account.unhide(email)
        assert_converges(server.account, mirror)
        assert len(mirror.files()) == 3

    def test_it_returns_with_the_flags_it_got_here_meanwhile(self, server: DemoServer, mirror: Mirror) -> None:
        server.account.populate(3)
        email = next(iter(server.account.emails))
        assert_converges(server.account, mirror)
        server.account.hide(email)
        server.account.unhide(email)
        file = next(one for one in mirror.files() if one.read_bytes() == server.account.raw(email).replace(b"\r\n", b"\n"))
        mirror.flag(file, "FRS")
        assert_converges(server.account, mirror)
        assert server.account.listing()[email][1] >= {"$flagged", "$answered", "$seen"}


@pytest.mark.parametrize("call", ["Mailbox/changes", "Email/changes"])
def test_mail_in_a_mailbox_made_at_the_end_of_the_first_listing_is_not_missed(
    server: DemoServer, mirror: Mirror, call: str
) -> None:
    server.account.deliver(wire(letter(1)))

    def slip_in(*_: object) -> None:
        server.account.create_mailbox("Late")
        server.account.deliver(wire(letter(2)), ["Late"])

    server.faults.before_call.arm(slip_in, times=1, only={call})
    mirror.sync()
    assert_converges(server.account, mirror)


def test_a_mailbox_reported_before_its_parent_lies_in_its_parent(server: DemoServer, mirror: Mirror) -> None:
    mirror.sync()
    server.limits.max_changes = 1
    server.faults.newest_first.arm()
    for path in ("P", "P/c", "P/c/d"):
        server.account.create_mailbox(path)
    server.account.deliver(wire(letter(1)), ["P/c/d"])
    mirror.sync()
    assert_mirrored(server.account, mirror)
