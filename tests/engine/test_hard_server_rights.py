"""Mailboxes that may not be written, roles that are not there, containers that go (hard cases 44 to 48)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import DemoServer, MethodError, SetError
from tests.contract.peer import message
from tests.mirror import Mirror, assert_converges, assert_mirrored

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.engine.report import KindReport

WRITES = ("Email/set", "Email/import", "Mailbox/set", "upload")


@pytest.fixture
def shared(server: DemoServer, mirror: Mirror) -> DemoServer:
    """Offer a server with a mailbox `Shared` of four messages, mirrored."""
    server.account.create_mailbox("Shared")
    for number in range(4):
        server.account.deliver(message(), ["Shared"], received_at=1_700_000_000 + number)
    server.account.populate(3)
    assert_converges(server.account, mirror)
    return server


def assert_reported_and_left_alone(server: DemoServer, mirror: Mirror) -> KindReport:
    """Fail unless a run tells of something held back, does the rest, and further runs do not try it again."""
    server.account.deliver(message())
    mirror.drop("Archive", message().replace(b"\r\n", b"\n"))
    before = len(server.account.emails)
    report = mirror.sync()
    assert report.exit_code == 3
    assert len(server.account.emails) >= before + 1
    assert len(mirror.files("Archive")) == 1
    mirror.sync()
    server.requests.clear()
    again = mirror.sync()
    assert (again.exit_code, again.problems) == (3, report.problems)
    assert {name: server.requests.count(name) for name in WRITES} == dict.fromkeys(WRITES, 0)
    return report


class TestRights:
    def test_case_47_a_flag_that_may_not_be_set_is_told_and_not_tried_by_every_run(
        self, shared: DemoServer, mirror: Mirror
    ) -> None:
        shared.account.set_rights("Shared", maySetSeen=False, maySetKeywords=False)
        mirror.flag(mirror.files("Shared")[0], "FS")
        report = assert_reported_and_left_alone(shared, mirror)
        assert "forbidden" in report.problems[0].why
        shared.account.set_rights("Shared", maySetSeen=True, maySetKeywords=True)
        assert_converges(shared.account, mirror)
        assert any(keywords == {"$seen", "$flagged"} for _, keywords in shared.account.listing().values())

    def test_case_47_a_message_that_may_not_be_added_stays_here_and_is_told(self, shared: DemoServer, mirror: Mirror) -> None:
        shared.account.set_rights("Shared", mayAddItems=False)
        mirror.sync()
        text = message().replace(b"\r\n", b"\n")
        mirror.drop("Shared", text)
        assert_reported_and_left_alone(shared, mirror)
        assert text in {file.read_bytes() for file in mirror.files("Shared")}
        shared.account.set_rights("Shared", mayAddItems=True)
        assert_converges(shared.account, mirror)
        assert shared.account.mailbox("Shared").total == 5

    @pytest.mark.parametrize("act", ["delete", "move"])
    def test_case_47_a_message_that_may_not_be_removed(self, shared: DemoServer, mirror: Mirror, act: str) -> None:
        shared.account.set_rights("Shared", mayRemoveItems=False)
        file = mirror.files("Shared")[0]
        if act == "delete":
            file.unlink()
        else:
            file.rename(mirror.folder("Drafts") / "cur" / f"{file.name.partition(':2,')[0]}:2,")
        assert_reported_and_left_alone(shared, mirror)
        assert shared.account.mailbox("Shared").total == 4
        shared.account.set_rights("Shared", mayRemoveItems=True)
        assert_converges(shared.account, mirror)
        assert shared.account.mailbox("Shared").total == 3

    def test_case_47_a_folder_that_may_not_be_made_is_told_and_its_mail_waits(self, shared: DemoServer, mirror: Mirror) -> None:
        shared.account.set_rights("Shared", mayCreateChild=False)
        for part in ("cur", "new", "tmp"):
            (mirror.folder("Shared/below") / part).mkdir(parents=True)
        text = message().replace(b"\r\n", b"\n")
        mirror.drop("Shared/below", text)
        assert_reported_and_left_alone(shared, mirror)
        assert [file.read_bytes() for file in mirror.files("Shared/below")] == [text]
        shared.account.set_rights("Shared", mayCreateChild=True)
        assert_converges(shared.account, mirror)
        assert shared.account.mailbox("Shared/below").total == 1

    def test_case_47_a_mailbox_that_may_not_be_renamed(self, shared: DemoServer, mirror: Mirror) -> None:
        shared.account.set_rights("Shared", mayRename=False)
        mirror.sync()
        mirror.folder("Shared").rename(mirror.folder("Ours"))
        assert_reported_and_left_alone(shared, mirror)
        assert len(mirror.files()) == 9
        assert shared.account.mailbox("Shared").total == 4
        shared.account.set_rights("Shared", mayRename=True)
        assert_converges(shared.account, mirror)
        assert shared.account.mailbox("Ours").total == 4

    def test_case_47_an_account_that_is_read_only(self, shared: DemoServer, mirror: Mirror) -> None:
        shared.account.is_read_only = True
        mirror.flag(mirror.files("Shared")[0], "F")
        mirror.drop("INBOX", message().replace(b"\r\n", b"\n"))
        shared.account.deliver(message(), ["Sent"])
        assert mirror.sync().exit_code == 3
        mirror.sync()
        shared.requests.clear()
        assert mirror.sync().exit_code == 3
        assert {name: shared.requests.count(name) for name in WRITES} == dict.fromkeys(WRITES, 0)
        assert len(mirror.files("Sent")) == 1
        shared.account.is_read_only = False
        mirror.sync(full=True)
        assert_converges(shared.account, mirror)


class TestRoles:
    def test_case_46_no_roles_at_all(self, tmp_path: Path) -> None:
        with DemoServer() as server:
            server.faults.no_roles.arm()
            server.account.populate(4, mailboxes=("INBOX", "Archive"))
            mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
            assert_converges(server.account, mirror)
            mirror.flag(mirror.files("INBOX")[0], "F")
            mirror.files("Archive")[0].unlink()
            report = mirror.sync()
            assert [problem.why[:24] for problem in report.problems] == ["the server has no Trash "]
            assert len(server.account.emails) == 4
            assert sum("$flagged" in keywords for _, keywords in server.account.listing().values()) >= 1
            server.faults.clear()
            server.account.note_mailbox(server.account.mailbox("Trash"))
            assert_converges(server.account, mirror)
            assert server.account.mailbox("Trash").total == 1

    def test_case_46_the_trash_role_moves_to_another_mailbox(self, shared: DemoServer, mirror: Mirror) -> None:
        shared.account.mailbox("Trash").role = None
        shared.account.note_mailbox(shared.account.mailbox("Trash"))
        shared.account.create_mailbox("Bin", role="trash")
        mirror.files("Shared")[0].unlink()
        mirror.sync()
        mirror.files("Shared")[0].unlink()
        assert_converges(shared.account, mirror)
        assert (shared.account.mailbox("Bin").total, shared.account.mailbox("Trash").total) == (2, 0)

    def test_case_46_the_inbox_role_is_not_what_the_folder_hangs_on(self, shared: DemoServer, mirror: Mirror) -> None:
        shared.account.create_mailbox("Inbox")
        shared.account.deliver(message(), ["Inbox"])
        mirror.sync()
        listed = sorted(path.parent.name for path in mirror.root.rglob("cur"))
        assert len(listed) == len(shared.account.mailboxes)
        assert len({name.lower() for name in listed}) == len(listed)
        assert len(mirror.files("INBOX")) == 3
        again = mirror.sync()
        assert (again.to_disk.total, again.to_server.total) == (0, 0)


class TestMailboxesThatGo:
    def test_case_44_a_mailbox_destroyed_there_takes_only_what_was_mirrored_along(self, shared: DemoServer, mirror: Mirror) -> None:
        text = message().replace(b"\r\n", b"\n")
        mirror.drop("Shared", text)
        kept = next(email for email, (homes, _) in shared.account.listing().items() if "Shared" in homes)
        shared.account.copy(kept, "Archive")
        shared.account.destroy_mailbox("Shared")
        assert_converges(shared.account, mirror)
        assert [file.read_bytes() for file in mirror.files("Shared")] == [text]
        assert len(mirror.files("Archive")) == 1
        assert len(shared.account.emails) == 5

    def test_case_44_a_message_moved_here_into_a_mailbox_destroyed_there(self, shared: DemoServer, mirror: Mirror) -> None:
        file = mirror.files("INBOX")[0]
        text = file.read_bytes()
        file.rename(mirror.folder("Shared") / "cur" / f"{file.name.partition(':2,')[0]}:2,")
        shared.account.destroy_mailbox("Shared")
        assert_converges(shared.account, mirror)
        assert text in {one.read_bytes() for one in mirror.files()}
        assert len(shared.account.emails) == 3

    def test_case_44_a_mailbox_destroyed_between_our_look_and_our_import(self, shared: DemoServer, mirror: Mirror) -> None:
        text = message().replace(b"\r\n", b"\n")
        mirror.drop("Shared", text)
        shared.faults.before_call.arm(lambda: shared.account.destroy_mailbox("Shared"), only={"Email/import"}, times=1)
        mirror.sync()
        assert shared.faults.before_call.fired == 1
        assert_converges(shared.account, mirror)
        assert [file.read_bytes() for file in mirror.files("Shared")] == [text]

    @pytest.mark.parametrize("inside", ["mail", "child"])
    def test_case_45_a_mailbox_that_got_something_inside_before_it_was_removed_stays(
        self, server: DemoServer, mirror: Mirror, inside: str
    ) -> None:
        server.account.create_mailbox("Work")
        assert_converges(server.account, mirror)
        for part in ("cur", "new", "tmp"):
            mirror.folder(f"Work/{part}").rmdir()
        mirror.folder("Work/.jmapsync").unlink()
        mirror.folder("Work").rmdir()

        def fill() -> None:
            if inside == "mail":
                server.account.deliver(message(), ["Work"])
            else:
                server.account.create_mailbox("Work/below")

        server.faults.before_call.arm(fill, only={"Mailbox/set"}, times=1)
        mirror.sync()
        assert server.faults.before_call.fired == 1
        assert not any("onDestroyRemoveEmails" in call.arguments for call in server.requests.calls("Mailbox/set"))
        assert_converges(server.account, mirror)
        assert mirror.folder("Work").is_dir()

    @pytest.mark.parametrize("error", [SetError("forbidden"), MethodError("serverFail")])
    def test_a_mailbox_that_the_server_will_not_make(
        self, server: DemoServer, mirror: Mirror, error: SetError | MethodError
    ) -> None:
        server.account.populate(2)
        assert_converges(server.account, mirror)
        if isinstance(error, SetError):
            server.faults.set_error.arm(error, only={"Mailbox/set"})
        else:
            server.faults.method_error.arm(error, only={"Mailbox/set"})
        for part in ("cur", "new", "tmp"):
            (mirror.folder("Mine") / part).mkdir(parents=True)
        mirror.drop("Mine", message().replace(b"\r\n", b"\n"))
        server.account.deliver(message())
        report = mirror.sync()
        assert (report.exit_code, report.to_disk.created) == (3, 1)
        assert [problem.item for problem in report.problems] == ["Mine"]
        server.faults.clear()
        mirror.sync(full=True)
        assert_converges(server.account, mirror)
        assert server.account.mailbox("Mine").total == 1

    def test_case_48_every_folder_on_disk_is_a_mailbox_and_the_other_way_round(self, server: DemoServer, mirror: Mirror) -> None:
        for path in ("Lists", "Lists/python", "Lists/python/dev", "Archive/2025"):
            server.account.create_mailbox(path)
        server.account.deliver(message(), ["Lists/python/dev"])
        assert_converges(server.account, mirror)
        (mirror.folder("Projects/one/cur")).mkdir(parents=True)
        assert_converges(server.account, mirror)
        assert server.account.mailbox("Projects/one").total == 0
        assert_mirrored(server.account, mirror)
