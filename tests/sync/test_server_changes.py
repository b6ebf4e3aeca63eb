"""What servers make of /changes, /get and /query: nothing is lost, and the next run finds the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import DemoServer, MethodError
from tests.contract.peer import message
from tests.kit.mirror import Mirror, assert_converges, assert_mirrored

if TYPE_CHECKING:
    from pathlib import Path


def fill(server: DemoServer, count: int = 5, folder: str = "INBOX") -> list[str]:
    """Deliver messages that differ and return their ids."""
    return [server.account.deliver(message(), [folder], received_at=1_700_000_000 + number) for number in range(count)]


def edit_both_sides(server: DemoServer, mirror: Mirror, ids: list[str]) -> None:
    """Change every kind of thing on the server and on disk; one message is edited on both sides."""
    account = server.account
    by_bytes = {file.read_bytes(): file for file in mirror.files("INBOX")}
    first = by_bytes[account.raw(ids[0]).replace(b"\r\n", b"\n")]
    account.set_keyword(ids[0], "work")
    account.move(ids[1], "INBOX", "Archive")
    account.copy(ids[2], "Sent")
    account.destroy(ids[3])
    account.deliver(message())
    account.create_mailbox("Lists")
    account.deliver(message(), ["Lists"])
    mirror.flag(first, "F")
    mirror.drop("INBOX", message().replace(b"\r\n", b"\n"))


def assert_edits_arrived(server: DemoServer, ids: list[str]) -> None:
    listing = server.account.listing()
    inbox = server.account.mailbox("INBOX").name
    assert [*map(set, listing[ids[0]])] == [{inbox}, {"work", "$flagged"}]
    assert [*map(set, listing[ids[1]])] == [{"Archive"}, set()]
    assert [*map(set, listing[ids[2]])] == [{inbox, "Sent"}, set()]
    assert ids[3] not in listing
    assert len(listing) == 7


@pytest.mark.parametrize("dialect", ["rfc", "cyrus36", "cyrus312"])
def test_edits_on_both_sides_meet_whatever_the_dialect(dialect: str, tmp_path: Path) -> None:
    with DemoServer(dialect=dialect) as server:
        mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
        ids = fill(server)
        assert_converges(server.account, mirror)
        edit_both_sides(server, mirror, ids)
        assert_converges(server.account, mirror)
        assert_edits_arrived(server, ids)


class TestChangesThatCannotBeHadOrBelieved:
    @pytest.fixture
    def ids(self, server: DemoServer, mirror: Mirror) -> list[str]:
        ids = fill(server)
        assert_converges(server.account, mirror)
        edit_both_sides(server, mirror, ids)
        return ids

    def test_cannot_calculate_changes_ends_in_a_full_sync_that_keeps_local_edits(
        self, server: DemoServer, mirror: Mirror, ids: list[str]
    ) -> None:
        server.account.logs["Email"].forget()
        assert_converges(server.account, mirror)
        assert_edits_arrived(server, ids)

    def test_cannot_calculate_changes_of_mailboxes(self, server: DemoServer, mirror: Mirror, ids: list[str]) -> None:
        server.account.logs["Mailbox"].forget()
        assert_converges(server.account, mirror)
        assert_edits_arrived(server, ids)

    @pytest.mark.parametrize("error", ["serverFail", "invalidArguments", "tooManyChanges"])
    def test_another_error_than_the_one_that_is_meant(self, server: DemoServer, mirror: Mirror, ids: list[str], error: str) -> None:
        server.faults.method_error.arm(MethodError(error), only={"Email/changes"}, times=1)
        assert_converges(server.account, mirror)
        assert_edits_arrived(server, ids)
        assert server.faults.method_error.fired == 1

    def test_a_full_sync_that_breaks_off_in_the_middle_deletes_nothing(
        self, server: DemoServer, mirror: Mirror, ids: list[str]
    ) -> None:
        server.account.logs["Email"].forget()
        server.limits.max_query_limit = 2
        server.faults.method_error.arm(MethodError("serverUnavailable"), only={"Email/query"}, skip=1)
        files = mirror.tree()
        report = mirror.sync()
        assert (report.state.value, report.exit_code) == ("failed", 1)
        assert "serverUnavailable" in report.messages[0]
        assert mirror.tree() == files
        server.faults.clear()
        assert_converges(server.account, mirror)
        assert_edits_arrived(server, ids)

    @pytest.mark.parametrize("kind", ["Email", "Mailbox"])
    def test_has_more_changes_with_an_unchanged_state_ends_in_a_full_sync(
        self, server: DemoServer, mirror: Mirror, ids: list[str], kind: str
    ) -> None:
        server.faults.stuck_changes.arm(only={kind}, times=1)
        assert_converges(server.account, mirror)
        assert_edits_arrived(server, ids)
        assert server.faults.stuck_changes.fired == 1

    def test_a_server_that_stays_stuck_ends_the_run_in_bounded_requests(
        self, server: DemoServer, mirror: Mirror, ids: list[str]
    ) -> None:
        server.faults.stuck_changes.arm()
        mirror.run_whatever_comes()
        assert mirror.requests < 40
        server.faults.clear()
        assert_converges(server.account, mirror)
        assert_edits_arrived(server, ids)

    @pytest.mark.parametrize("kind", ["Email", "Mailbox"])
    def test_an_old_state_that_is_not_ours_is_not_the_range_asked_for(
        self, server: DemoServer, mirror: Mirror, ids: list[str], kind: str
    ) -> None:
        server.faults.foreign_old_state.arm("another", only={kind}, times=1)
        assert_converges(server.account, mirror)
        assert_edits_arrived(server, ids)
        assert server.faults.foreign_old_state.fired == 1

    def test_destroyed_wins_over_created_and_updated(self, server: DemoServer, mirror: Mirror, ids: list[str]) -> None:
        brief = server.account.deliver(message())
        server.account.destroy(brief)
        server.faults.created_and_destroyed.arm([ids[3], brief])
        assert_converges(server.account, mirror)
        assert_edits_arrived(server, ids)
        assert server.faults.created_and_destroyed.fired

    def test_an_id_in_two_lists_of_two_pages(self, server: DemoServer, mirror: Mirror, ids: list[str]) -> None:
        late = server.account.deliver(message())
        server.limits.max_changes = 1

        def flag() -> None:
            server.account.set_keyword(late, "$seen")

        server.faults.after_call.arm(flag, only={"Email/changes"}, times=1)
        mirror.sync()
        server.account.destroy(late)
        assert_converges(server.account, mirror)
        assert_edits_arrived(server, ids)

    def test_pages_that_begin_with_the_newest_changes(self, server: DemoServer, mirror: Mirror, ids: list[str]) -> None:
        server.limits.max_changes = 2
        server.faults.newest_first.arm()
        server.account.rename_mailbox("Lists", "Readings")
        server.account.set_keyword(ids[2], "$answered")
        server.account.set_keyword(ids[2], "$answered", present=False)
        report = mirror.sync()
        assert report.problems == []
        assert server.faults.newest_first.fired
        assert_mirrored(server.account, mirror)
        assert_edits_arrived(server, ids)

    def test_mail_between_changes_and_get_is_not_skipped(self, server: DemoServer, mirror: Mirror, ids: list[str]) -> None:
        late: list[str] = []
        server.faults.before_call.arm(lambda: late.append(server.account.deliver(message())), only={"Email/get"}, times=1)
        mirror.sync()
        assert_converges(server.account, mirror)
        assert set(server.account.listing()) > set(late) != set()

    def test_destroyed_between_changes_and_get(self, server: DemoServer, mirror: Mirror, ids: list[str]) -> None:
        server.faults.before_call.arm(lambda: server.account.destroy(ids[2]), only={"Email/get"}, times=1)
        report = mirror.sync()
        assert report.problems == []
        assert_converges(server.account, mirror)
        assert ids[2] not in server.account.listing()

    def test_a_get_that_names_an_object_neither_found_nor_missing_is_asked_again(
        self, server: DemoServer, mirror: Mirror, ids: list[str]
    ) -> None:
        server.faults.missing_in_get.arm(1, only={"Email"}, times=2)
        assert_converges(server.account, mirror)
        assert_edits_arrived(server, ids)
        assert server.faults.missing_in_get.fired == 2

    def test_an_object_that_is_not_answered_for_is_quarantined_by_name_and_asked_for_again(
        self, server: DemoServer, mirror: Mirror, ids: list[str]
    ) -> None:
        server.faults.missing_in_get.arm(1, only={"Email"})
        report = mirror.sync()
        assert report.exit_code == 3
        assert {problem.why for problem in report.problems} == {"the server lists it but does not answer for it"}
        held = report.problems
        assert mirror.sync().problems == held
        server.faults.clear()
        assert_converges(server.account, mirror)
        assert_edits_arrived(server, ids)

    def test_an_object_that_a_listing_names_without_an_answer_is_not_gone(
        self, server: DemoServer, mirror: Mirror, ids: list[str]
    ) -> None:
        mirror.sync()
        server.faults.missing_in_get.arm(1, only={"Email"})
        before = mirror.tree()
        report = mirror.sync(full=True)
        assert (report.exit_code, report.to_disk.total) == (3, 0)
        assert mirror.tree() == before
        server.faults.clear()
        assert_converges(server.account, mirror)

    def test_an_object_listed_twice_is_one_object(self, server: DemoServer, mirror: Mirror, ids: list[str]) -> None:
        server.faults.repeated_in_get.arm(3)
        report = mirror.sync()
        assert report.problems == []
        assert server.faults.repeated_in_get.fired
        assert_mirrored(server.account, mirror)
        assert_edits_arrived(server, ids)

    def test_changes_that_the_server_forgot_to_report_are_found_by_a_full_run(
        self, server: DemoServer, mirror: Mirror, ids: list[str]
    ) -> None:
        server.faults.omit_destroyed.arm()
        mirror.sync()
        server.faults.clear()
        report = mirror.sync(full=True)
        assert report.to_disk.deleted == 1
        assert_converges(server.account, mirror)
        assert_edits_arrived(server, ids)


class TestAServerSetBack:
    @pytest.mark.parametrize("dialect", ["rfc", "cyrus312"])
    def test_a_backup_restored_on_the_server_deletes_nothing_here(self, dialect: str, tmp_path: Path) -> None:
        with DemoServer(dialect=dialect) as server:
            mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
            fill(server)
            assert_converges(server.account, mirror)
            backup = server.account.snapshot()
            late = fill(server)
            for email in late:
                server.account.set_keyword(email, "late")
            assert_converges(server.account, mirror)
            mirror.flag(mirror.files("INBOX")[0], "F")
            before = mirror.tree()
            server.account.restore(backup)
            for _ in range(2):
                report = mirror.sync()
                assert (report.state.value, report.exit_code) == ("suspended", 4)
                assert "restored backup" in report.messages[0]
                assert mirror.tree() == before
            assert mirror.sync(allow_deletes=True).exit_code == 0
            assert_converges(server.account, mirror)
            assert len(mirror.files()) == 5


class TestOwnWrites:
    def test_another_clients_write_right_after_ours_is_seen(self, server: DemoServer, mirror: Mirror) -> None:
        ids = fill(server)
        assert_converges(server.account, mirror)
        mirror.flag(mirror.files("INBOX")[0], "S")
        server.faults.after_call.arm(lambda: server.account.set_keyword(ids[4], "$flagged"), only={"Email/set"}, times=1)
        mirror.sync()
        assert_converges(server.account, mirror)
        assert server.account.listing()[ids[4]][1] == {"$flagged"}

    def test_another_clients_write_right_before_ours_is_seen(self, server: DemoServer, mirror: Mirror) -> None:
        ids = fill(server)
        assert_converges(server.account, mirror)
        mirror.flag(mirror.files("INBOX")[0], "S")
        server.faults.before_call.arm(lambda: server.account.destroy(ids[4]), only={"Email/set"}, times=1)
        mirror.sync()
        assert_converges(server.account, mirror)
        assert len(server.account.listing()) == 4
