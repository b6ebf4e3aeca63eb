"""A mailbox or calendar that vanishes from somebody else's account was withdrawn or deleted: its files stay."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import CYRUS_312, RFC, STALWART, DemoServer
from jmapsync.errors import ExitCode
from tests.contract.peer import message
from tests.kit.mirror import Mirror, assert_converges, assert_mirrored
from tests.kit.object_mirror import ObjectMirror, change

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jmapsync.demo.account import Account
    from jmapsync.sync.report import KindReport

WRITES = ("Email/set", "Email/import", "Mailbox/set", "upload", "Blob/upload")
WAITS = "its folder is no longer shared with you; it stays as it is here until that is back"


class Share:
    """A server with an account of somebody else, and its mirror."""

    def __init__(self, server: DemoServer, base: Path) -> None:
        self.server = server
        self.account: Account = server.account
        self.account.is_personal = False
        self.mirror = Mirror(server.url, "demo", "demo", base / "mail", base / "state")
        self.account.create_mailbox("Team")
        self.account.create_mailbox("Other")
        self.team = [self.account.deliver(message(), ["Team"], received_at=1_700_000_000 + number) for number in range(3)]
        self.other = self.account.deliver(message(), ["Other"])
        self.both = self.account.deliver(message(), ["Team", "Other"])
        assert_converges(self.account, self.mirror)

    def sync(self, *, code: ExitCode = ExitCode.SUSPENDED, writes: bool = False, **options: bool) -> KindReport:
        """Run; fail unless it ends so, and nothing is written on the server unless that is to be."""
        self.server.requests.clear()
        report = self.mirror.sync(**options)
        assert (report.state.value, report.exit_code) == ("synced", code), report
        if not writes:
            assert {name: self.server.requests.count(name) for name in WRITES} == dict.fromkeys(WRITES, 0)
        return report

    def count(self, folder: str) -> int:
        return len(self.mirror.files(folder))


@pytest.fixture(params=[RFC, CYRUS_312, STALWART], ids=lambda dialect: dialect.name)
def share(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Share]:
    with DemoServer(dialect=request.param) as server:
        yield Share(server, tmp_path)


class TestAMailboxThatIsWithdrawn:
    def test_keeps_its_files_and_is_named_and_the_others_go_on(self, share: Share) -> None:
        share.account.withdraw_mailbox("Team")
        arrived = share.account.deliver(message(), ["Other"])
        report = share.sync()
        assert (report.to_disk.created, report.to_disk.deleted, report.folders.total) == (1, 0, 0)
        assert report.withdrawn == ["Team"]
        assert "The mailbox Team is no longer in the account: withdrawn or deleted" in report.messages[0]
        assert "`jmapsync sync --allow-deletes test`" in report.messages[0]
        share.account.set_keyword(arrived, "$flagged")
        for full in (False, True, False):
            report = share.sync(full=full)
            assert (report.to_disk.deleted, report.withdrawn, report.problems) == (0, ["Team"], [])
        assert (share.count("Team"), share.count("Other")) == (4, 3)

    def test_goes_on_when_it_is_shared_again(self, share: Share) -> None:
        share.account.withdraw_mailbox("Team")
        share.sync()
        share.account.share_mailbox("Team")
        report = share.sync(code=ExitCode.IN_SYNC)
        assert (report.to_disk.total, report.to_server.total, report.messages) == (0, 0, [])
        assert_converges(share.account, share.mirror)
        share.account.set_keyword(share.team[0], "$flagged")
        assert_converges(share.account, share.mirror)

    def test_takes_what_was_deleted_in_it_off_the_disk_when_it_is_back_and_brings_nothing_back(self, share: Share) -> None:
        share.account.withdraw_mailbox("Team")
        share.sync()
        share.account.destroy_withdrawn("Team", share.team[0])
        share.account.share_mailbox("Team")
        report = share.sync(code=ExitCode.IN_SYNC)
        assert (report.to_disk.deleted, report.to_server.total) == (1, 0)
        assert share.team[0] not in share.account.emails
        assert_converges(share.account, share.mirror)

    def test_has_what_happened_here_wait_for_it(self, share: Share) -> None:
        share.account.withdraw_mailbox("Team")
        share.sync()
        flagged, deleted, *_ = share.mirror.files("Team")
        share.mirror.flag(flagged, "F")
        deleted.unlink()
        share.mirror.drop("Team", message().replace(b"\r\n", b"\n"))
        before = share.mirror.tree()
        for _ in range(2):
            report = share.sync()
            assert [one.why for one in report.problems].count(WAITS) >= 2
            assert share.mirror.tree() == before
        share.account.share_mailbox("Team")
        share.sync(code=ExitCode.IN_SYNC, writes=True)
        assert_converges(share.account, share.mirror)
        assert share.count("Team") == 4

    def test_goes_on_elsewhere_with_a_message_that_is_in_another_mailbox_too(self, share: Share) -> None:
        share.account.withdraw_mailbox("Team")
        share.sync()
        share.account.set_keyword(share.both, "$flagged")
        assert share.sync().to_disk.updated == 1
        [file] = [one for one in share.mirror.files("Other") if "F" in one.name.rpartition(",")[2]]
        share.mirror.flag(file, "FS")
        share.sync(writes=True)
        assert share.account.emails[share.both].keywords == {"$flagged", "$seen"}
        assert share.sync().to_disk.total == 0
        share.account.destroy(share.both)
        assert share.sync().problems == []
        assert (share.count("Team"), share.count("Other")) == (4, 1)

    def test_is_deleted_here_where_a_person_allows_it(self, share: Share) -> None:
        share.account.withdraw_mailbox("Team")
        share.sync()
        report = share.sync(code=ExitCode.IN_SYNC, allow_deletes=True)
        assert (report.to_disk.deleted, report.messages) == (3, [])
        assert_converges(share.account, share.mirror)

    def test_is_not_deleted_by_a_consent_that_was_given_before_it_was_reported(self, share: Share) -> None:
        share.account.withdraw_mailbox("Team")
        assert share.sync(allow_deletes=True).to_disk.deleted == 0
        assert share.count("Team") == 4

    def test_is_let_go_of_where_its_directory_is_removed(self, share: Share) -> None:
        share.account.withdraw_mailbox("Team")
        share.sync()
        shutil.rmtree(share.mirror.folder("Team"))
        report = share.sync(code=ExitCode.IN_SYNC)
        assert (report.problems, report.messages) == ([], [])
        assert_mirrored(share.account, share.mirror)
        share.account.share_mailbox("Team")
        assert_converges(share.account, share.mirror)
        assert share.count("Team") == 4

    def test_is_left_alone_where_the_patterns_leave_it_out(self, share: Share) -> None:
        share.account.withdraw_mailbox("Team")
        share.sync()
        share.mirror.exclude = ("Team",)
        report = share.sync(code=ExitCode.IN_SYNC)
        assert (report.detached, report.withdrawn, share.count("Team")) == (["Team"], [], 4)

    def test_is_the_same_with_patterns(self, share: Share) -> None:
        share.mirror.exclude = ("Archive",)
        share.mirror.sync()
        share.account.withdraw_mailbox("Team")
        for full in (False, True):
            assert share.sync(full=full).withdrawn == ["Team"]
        assert share.count("Team") == 4
        share.account.share_mailbox("Team")
        share.sync(code=ExitCode.IN_SYNC)

    def test_that_holds_nothing_is_deleted(self, share: Share) -> None:
        share.account.create_mailbox("Empty")
        share.mirror.sync()
        share.account.withdraw_mailbox("Empty")
        share.sync(code=ExitCode.IN_SYNC)
        assert_mirrored(share.account, share.mirror)

    def test_is_proven_to_be_no_fault_of_the_mirror(self, share: Share) -> None:
        share.account.withdraw_mailbox("Team")
        share.sync()
        assert share.mirror.verify().differences == []


def test_a_mailbox_with_others_in_it_is_withdrawn_with_them(tmp_path: Path) -> None:
    with DemoServer(dialect=CYRUS_312) as server:
        share = Share(server, tmp_path)
        share.account.create_mailbox("Group")
        share.account.create_mailbox("Group/Inner")
        share.account.deliver(message(), ["Group/Inner"])
        share.mirror.sync()
        share.account.withdraw_mailbox("Group/Inner")
        share.account.withdraw_mailbox("Group")
        report = share.sync()
        assert (report.withdrawn, report.problems) == (["Group", "Group/Inner"], [])
        share.account.share_mailbox("Group")
        share.account.share_mailbox("Group/Inner")
        share.sync(code=ExitCode.IN_SYNC)
        assert_converges(share.account, share.mirror)


def test_a_mailbox_that_may_no_longer_be_read_is_withdrawn(share: Share) -> None:
    share.account.set_rights("Team", mayReadItems=False)
    for full in (False, True):
        assert share.sync(full=full).withdrawn == ["Team"]
    assert share.count("Team") == 4
    share.account.set_rights("Team", mayReadItems=True)
    share.sync(code=ExitCode.IN_SYNC)
    assert_converges(share.account, share.mirror)


def test_messages_that_are_gone_before_their_mailbox_is_are_kept_too(tmp_path: Path) -> None:
    with DemoServer(dialect=RFC) as server:
        share = Share(server, tmp_path)
        share.server.faults.before_call.arm(lambda: share.account.withdraw_mailbox("Team"), only={"Email/changes"}, times=1)
        assert share.sync().withdrawn == ["Team"]
        assert share.count("Team") == 4


def test_a_mailbox_that_vanishes_from_the_account_of_the_user_was_deleted(share: Share) -> None:
    share.account.is_personal = True
    share.mirror.session = None
    share.account.withdraw_mailbox("Team")
    report = share.sync(code=ExitCode.IN_SYNC)
    assert (report.to_disk.deleted, report.withdrawn) == (3, [])


@pytest.mark.parametrize("kind", ["contacts", "calendars"])
def test_an_address_book_or_a_calendar_that_is_withdrawn_keeps_its_files(tmp_path: Path, kind: str) -> None:
    with DemoServer(dialect=RFC) as server:
        account = server.account
        account.is_personal = False
        store = getattr(account, kind)
        store.create_collection("Team")
        uids = [
            store.items[store.add({"name": {"full": f"P{n}"}} if kind == "contacts" else event(n), ["Team"])]["uid"]
            for n in range(2)
        ]
        mirror = ObjectMirror(server.url, tmp_path, kinds=(kind,))
        assert mirror.sync()[kind].exit_code == 0
        files = {uid: mirror.file(kind, uid).read_bytes() for uid in uids}

        store.withdraw_collection("Team")
        for full in (False, True, False):
            report = mirror.sync(full=full)[kind]
            assert (report.exit_code, report.withdrawn, report.problems, report.to_disk.total) == (4, ["Team"], [], 0)
        assert {uid: mirror.file(kind, uid).read_bytes() for uid in uids} == files

        change(mirror.file(kind, uids[0]), *(("FN:P0", "FN:P9") if kind == "contacts" else ("SUMMARY:E0", "SUMMARY:E9")))
        report = mirror.sync()[kind]
        assert [one.why for one in report.problems] == [WAITS]
        assert report.to_server.total == 0

        store.share_collection("Team")
        report = mirror.sync()[kind]
        assert (report.exit_code, report.to_server.updated, report.to_disk.deleted) == (0, 1, 0)

        store.withdraw_collection("Team")
        mirror.sync()
        report = mirror.sync(allow_deletes=True)[kind]
        assert (report.exit_code, report.to_disk.deleted, len(mirror.files(kind))) == (0, 2, 0)


def event(number: int) -> dict[str, str]:
    return {"title": f"E{number}", "start": f"2026-01-0{number + 1}T10:00:00", "duration": "PT1H"}
