"""Mailboxes that may not be written, roles that are not there, containers that go."""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.demo import DemoServer, MethodError, SetError
from jmapsync.ledger import Ledger
from jmapsync.storage.maildir.side import MaildirSide
from tests.contract.peer import message
from tests.kit.mirror import Mirror, assert_converges, assert_mirrored, said

if TYPE_CHECKING:
    from pathlib import Path


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


def assert_undone(server: DemoServer, mirror: Mirror, *, kept_copies: int = 0) -> None:
    """Fail unless a run undoes an act and reports that, and further ones do the rest and have then nothing left to do."""
    before = server.account.listing()
    reported = said(mirror.sync())
    assert len(reported) == 1
    assert "which the server does not allow: taken back" in reported[0]
    server.account.deliver(message())
    mirror.drop("Archive", message().replace(b"\r\n", b"\n"))
    report = mirror.sync()
    assert (report.exit_code, report.problems, report.conflicts) == (3 if kept_copies else 0, [], kept_copies)
    assert len(mirror.files("Archive")) == 1
    after = server.account.listing()
    assert {email: after[email] for email in before} == before
    assert len(after) == len(before) + 2
    server.requests.clear()
    again = mirror.sync()
    assert (again.to_disk.total, again.to_server.total, again.folders.total, said(again)) == (0, 0, 0, [])
    assert {name: server.requests.count(name) for name in WRITES} == dict.fromkeys(WRITES, 0)
    assert_mirrored(server.account, mirror)


def assert_waits(server: DemoServer, mirror: Mirror, why: str) -> None:
    """Fail unless a local item stays as it is and is named by every run, and the server is not written."""
    before, there = mirror.tree(), server.account.listing()
    server.requests.clear()
    for _ in range(3):
        report = mirror.sync()
        assert (report.exit_code, [problem.why for problem in report.problems]) == (3, [why])
    assert {name: server.requests.count(name) for name in WRITES} == dict.fromkeys(WRITES, 0)
    assert (mirror.tree(), server.account.listing(), conflict_copies(mirror)) == (before, there, {})


def conflict_copies(mirror: Mirror) -> dict[bytes, str]:
    """Return the bytes of the conflict copies, as the disk has them, and why each is there."""
    ledger = Ledger.open_readonly(mirror.state / "ledger.sqlite")
    assert ledger is not None
    with closing(ledger):
        files = {one.reason: mirror.state / "shelf" / str(one.id) for one in ledger.conflict_copies()}
    return {file.read_bytes().replace(b"\r\n", b"\n"): why for why, file in files.items()}


def make(folder: Path) -> None:
    for part in ("cur", "new", "tmp"):
        (folder / part).mkdir(parents=True)


def text() -> bytes:
    """Return a new message as a mail program writes it here."""
    return message().replace(b"\r\n", b"\n")


class TestRights:
    """What may not be done on the server is undone here, and nothing that a person wrote is lost."""

    @pytest.fixture(autouse=True)
    def email(self, shared: DemoServer, mirror: Mirror) -> str:
        """Mark the last message of Shared as read, and return its id."""
        email = next(ref for ref, one in shared.account.emails.items() if one.received_at == 1_700_000_003)
        shared.account.set_keyword(email, "$seen")
        mirror.sync()
        assert_mirrored(shared.account, mirror)
        return email

    @staticmethod
    def file(mirror: Mirror) -> Path:
        return next(file for file in mirror.files("Shared") if file.stat().st_mtime == 1_700_000_003)

    def edit(self, mirror: Mirror, content: bytes = b"") -> bytes:
        """Replace the bytes of that message's file, keep its time, and return them."""
        file, content = self.file(mirror), content or text()
        file.with_name("saved").write_bytes(content)
        os.utime(file.with_name("saved"), (1_700_000_003, 1_700_000_003))
        file.with_name("saved").rename(file)
        return content

    @pytest.mark.parametrize(("letters", "right"), [("", "maySetSeen"), ("FRS", "maySetKeywords"), ("aS", "maySetKeywords")])
    def test_a_flag_that_may_not_be_changed_is_turned_back(
        self, shared: DemoServer, mirror: Mirror, letters: str, right: str
    ) -> None:
        (mirror.folder("Shared") / "dovecot-keywords").write_text("0 urgent\n")
        shared.account.set_rights("Shared", **{right: False})
        mirror.flag(self.file(mirror), letters)
        assert_undone(shared, mirror)
        assert self.file(mirror).name.endswith(":2,S")

    def test_of_two_flags_the_one_that_may_be_set_is_set(self, shared: DemoServer, mirror: Mirror, email: str) -> None:
        shared.account.set_rights("Shared", maySetSeen=False)
        mirror.flag(self.file(mirror), "F")
        [description] = said(mirror.sync())
        assert "unflagged here: $seen" in description
        assert shared.account.emails[email].keywords == {"$seen", "$flagged"}
        assert_converges(shared.account, mirror)

    def test_a_flag_of_a_message_in_two_mailboxes_needs_both_rights(self, shared: DemoServer, mirror: Mirror, email: str) -> None:
        shared.account.copy(email, "Drafts")
        shared.account.set_rights("Shared", maySetKeywords=False)
        mirror.sync()
        mirror.flag(mirror.files("Drafts")[0], "FS")
        assert_undone(shared, mirror)

    def test_a_message_that_may_not_be_added_waits_and_is_named(self, shared: DemoServer, mirror: Mirror) -> None:
        shared.account.set_rights("Shared", mayAddItems=False)
        mirror.drop("Shared", text(), sub="cur", info=":2,F")
        assert_waits(shared, mirror, "new here, which the server does not allow")
        shared.account.set_rights("Shared", mayAddItems=True)
        assert_converges(shared.account, mirror)
        assert shared.account.mailbox("Shared").total == 5

    def test_many_that_may_not_be_added_wait_without_a_question(self, shared: DemoServer, mirror: Mirror) -> None:
        shared.account.set_rights("Shared", mayAddItems=False)
        for _ in range(40):
            mirror.drop("Shared", text())
        report = mirror.sync()
        assert (report.state.value, report.conflicts, len(report.problems), said(report)) == ("synced", 0, 40, [])
        assert len(mirror.files("Shared")) == 44

    def test_a_message_that_may_not_be_added_is_no_problem_once_it_is_gone(self, shared: DemoServer, mirror: Mirror) -> None:
        shared.account.set_rights("Shared", mayAddItems=False)
        file = mirror.drop("Shared", text())
        assert len(mirror.sync().problems) == 1
        file.rename(mirror.folder("Drafts") / "new" / file.name)
        assert_converges(shared.account, mirror)
        assert shared.account.mailbox("Drafts").total == 1

    def test_a_new_message_in_another_folder_too_is_added_there(self, shared: DemoServer, mirror: Mirror) -> None:
        shared.account.set_rights("Shared", mayAddItems=False)
        file = mirror.drop("Shared", text())
        os.link(file, mirror.folder("Drafts") / "cur" / f"{file.name}:2,")
        assert mirror.sync().conflicts == 0
        assert_converges(shared.account, mirror)
        assert (shared.account.mailbox("Shared").total, shared.account.mailbox("Drafts").total) == (4, 1)

    def test_a_copy_that_may_not_be_added_goes_and_its_message_stays(self, shared: DemoServer, mirror: Mirror) -> None:
        shared.account.set_rights("Shared", mayAddItems=False)
        file = mirror.files("INBOX")[0]
        shutil.copy2(file, mirror.folder("Shared") / file.parent.name / file.name)
        assert_undone(shared, mirror)

    @pytest.mark.parametrize("act", ["delete", "mark", "move"])
    def test_a_message_that_may_not_be_removed_comes_back(self, shared: DemoServer, mirror: Mirror, act: str) -> None:
        shared.account.set_rights("Shared", mayRemoveItems=False)
        file = self.file(mirror)
        if act == "delete":
            file.unlink()
        elif act == "mark":
            mirror.flag(file, "ST")
        else:
            file.rename(mirror.folder("Drafts") / "cur" / file.name)
        assert_undone(shared, mirror)
        assert mirror.files("Drafts") == []

    def test_a_message_moved_where_none_may_be_added_goes_back(self, shared: DemoServer, mirror: Mirror) -> None:
        shared.account.set_rights("Shared", mayAddItems=False)
        file = mirror.files("INBOX")[0]
        file.rename(mirror.folder("Shared") / file.parent.name / file.name)
        assert_undone(shared, mirror)

    def test_an_edited_message_waits_and_is_named(self, shared: DemoServer, mirror: Mirror) -> None:
        shared.account.set_rights("Shared", mayAddItems=False, mayRemoveItems=False)
        content = self.edit(mirror)
        assert_waits(shared, mirror, "edited here, which the server does not allow")
        shared.account.set_rights("Shared", mayAddItems=True, mayRemoveItems=True)
        assert_converges(shared.account, mirror)
        assert content in {one.read_bytes() for one in mirror.files("Shared")}
        assert content.replace(b"\n", b"\r\n") in {shared.account.raw(ref) for ref in shared.account.emails}

    def test_an_edited_message_becomes_a_conflict_copy_once_the_servers_changes(
        self, shared: DemoServer, mirror: Mirror, email: str
    ) -> None:
        shared.account.set_rights("Shared", mayAddItems=False, mayRemoveItems=False)
        content = self.edit(mirror)
        assert len(mirror.sync().problems) == 1
        shared.account.set_keyword(email, "$flagged")
        assert (mirror.sync().conflicts, mirror.sync().problems) == (1, [])
        assert_mirrored(shared.account, mirror)
        assert list(conflict_copies(mirror)) == [content]

    def test_an_edited_message_is_no_problem_once_it_is_as_it_was(self, shared: DemoServer, mirror: Mirror) -> None:
        shared.account.set_rights("Shared", mayAddItems=False, mayRemoveItems=False)
        before = self.file(mirror).read_bytes()
        self.edit(mirror)
        assert len(mirror.sync().problems) == 1
        self.edit(mirror, before)
        assert_converges(shared.account, mirror)

    def test_everything_deleted_at_once_comes_back_without_a_question(self, shared: DemoServer, mirror: Mirror) -> None:
        shared.account.populate(60, mailboxes=("Shared",))
        shared.account.set_rights("Shared", mayRemoveItems=False)
        mirror.sync()
        before = mirror.tree()
        for file in mirror.files("Shared"):
            file.unlink()
        [description] = said(mirror.sync())
        assert " and 63 others: deleted here, " in description
        assert mirror.tree() == before
        assert_converges(shared.account, mirror)

    def test_what_the_server_did_meanwhile_stays(self, shared: DemoServer, mirror: Mirror, email: str) -> None:
        shared.account.set_rights("Shared", mayRemoveItems=False, maySetKeywords=False)
        flagged = mirror.flag(self.file(mirror), "FS")
        flagged.rename(mirror.folder("Drafts") / "cur" / flagged.name)
        shared.account.set_keyword(email, "$answered")
        shared.account.copy(email, "Archive")
        mirror.sync()
        assert_converges(shared.account, mirror)
        assert [one.name.partition(":2,")[2] for one in mirror.files("Archive")] == ["RS"]
        assert mirror.files("Drafts") == []

    def test_an_edit_of_what_the_server_deleted_waits(self, shared: DemoServer, mirror: Mirror, email: str) -> None:
        shared.account.set_rights("Shared", mayAddItems=False)
        content = self.edit(mirror)
        shared.account.destroy(email)
        assert_waits(shared, mirror, "deleted on the server, but edited here, which the server does not allow")
        shared.account.set_rights("Shared", mayAddItems=True)
        assert_converges(shared.account, mirror)
        assert content in {one.read_bytes() for one in mirror.files("Shared")}

    def test_a_file_that_vanishes_before_it_becomes_a_conflict_copy_leaves_nothing_behind(
        self, shared: DemoServer, mirror: Mirror
    ) -> None:
        shared.account.set_rights("Shared", mayAddItems=False)
        file = mirror.drop("Shared", text(), sub="cur", info=":2,T")
        mirror.wrap = lambda part: Thief(part, file) if isinstance(part, MaildirSide) else part
        mirror.sync()
        assert conflict_copies(mirror) == {}
        mirror.wrap = lambda part: part
        assert_converges(shared.account, mirror)

    def test_a_dry_run_reports_and_touches_nothing(self, shared: DemoServer, mirror: Mirror) -> None:
        shared.account.set_rights("Shared", mayAddItems=False)
        file = mirror.drop("Shared", text())
        self.file(mirror).unlink()
        shared.account.set_rights("Shared", mayRemoveItems=False)
        report = mirror.sync(dry=True)
        [problem], [description] = report.problems, said(report)
        assert ("(Shared/" in problem.item, problem.why) == (True, "new here, which the server does not allow")
        assert description.startswith("create ")
        assert "deleted here, unchanged on the server, which the server does not allow: taken back" in description
        assert file.exists()

    def test_an_empty_folder_that_may_not_be_made_is_removed(self, shared: DemoServer, mirror: Mirror) -> None:
        shared.account.set_rights("Shared", mayCreateChild=False)
        make(mirror.folder("Shared/below"))
        assert_undone(shared, mirror)
        assert not mirror.folder("Shared/below").exists()

    def test_a_folder_with_mail_that_may_not_be_made_stays_and_is_named(self, shared: DemoServer, mirror: Mirror) -> None:
        shared.account.set_rights("Shared", mayCreateChild=False)
        make(mirror.folder("Shared/below"))
        content = text()
        mirror.drop("Shared/below", content)
        assert [problem.item for problem in mirror.sync(dry=True).problems] == ["Shared/below"]
        for _ in range(3):
            report = mirror.sync()
            assert (report.exit_code, [problem.item for problem in report.problems]) == (3, ["Shared/below"])
            assert report.problems[0].why == "new here, which the server does not allow"
            assert [file.read_bytes() for file in mirror.files("Shared/below")] == [content]
        shared.account.set_rights("Shared", mayCreateChild=True)
        assert_converges(shared.account, mirror)
        assert shared.account.mailbox("Shared/below").total == 1

    def test_a_folder_with_mail_that_may_not_be_made_is_no_problem_once_it_is_gone(
        self, shared: DemoServer, mirror: Mirror
    ) -> None:
        shared.account.set_rights("Shared", mayCreateChild=False)
        make(mirror.folder("Shared/below"))
        file = mirror.drop("Shared/below", text())
        mirror.sync()
        file.rename(mirror.folder("Drafts") / "new" / file.name)
        shutil.rmtree(mirror.folder("Shared/below"))
        mirror.sync()
        assert_converges(shared.account, mirror)

    def test_a_mailbox_that_may_not_be_renamed_gets_its_name_back(self, shared: DemoServer, mirror: Mirror) -> None:
        shared.account.set_rights("Shared", mayRename=False)
        mirror.sync()
        mirror.folder("Shared").rename(mirror.folder("Ours"))
        assert_undone(shared, mirror)
        assert len(mirror.files("Shared")) == 4

    def test_a_mailbox_that_may_take_no_other_in_gives_it_back(self, shared: DemoServer, mirror: Mirror) -> None:
        shared.account.create_mailbox("Work")
        shared.account.set_rights("Shared", mayCreateChild=False)
        mirror.sync()
        mirror.folder("Work").rename(mirror.folder("Shared/Work"))
        assert_undone(shared, mirror)

    def test_a_mailbox_that_may_not_be_deleted_comes_back(self, shared: DemoServer, mirror: Mirror) -> None:
        shared.account.create_mailbox("Shared/empty")
        shared.account.set_rights("Shared/empty", mayDelete=False)
        mirror.sync()
        shutil.rmtree(mirror.folder("Shared/empty"))
        assert_undone(shared, mirror)
        assert (mirror.folder("Shared/empty") / "cur").is_dir()

    def test_a_mailbox_comes_back_with_its_mail(self, shared: DemoServer, mirror: Mirror) -> None:
        shared.account.set_rights("Shared", mayDelete=False, mayRemoveItems=False)
        mirror.sync()
        before = mirror.tree()
        shutil.rmtree(mirror.folder("Shared"))
        mirror.sync()
        assert_converges(shared.account, mirror)
        assert mirror.tree() == before

    def test_an_account_that_is_read_only(self, shared: DemoServer, mirror: Mirror) -> None:
        shared.account.is_read_only = True
        mirror.session = None
        before, content = mirror.tree(), text()
        mirror.flag(self.file(mirror), "F")
        next(file for file in mirror.files("Shared") if file.stat().st_mtime == 1_700_000_001).unlink()
        mirror.drop("INBOX", content)
        make(mirror.folder("Mine"))
        mirror.folder("Archive").rename(mirror.folder("Attic"))
        shared.account.deliver(message(), ["Sent"])
        report = mirror.sync()
        assert (report.exit_code, len(report.problems), report.conflicts) == (3, 1, 0)
        assert len(said(report)) == 4
        mirror.sync()
        shared.requests.clear()
        assert said(mirror.sync()) == []
        assert {name: shared.requests.count(name) for name in WRITES} == dict.fromkeys(WRITES, 0)
        assert content in {one.read_bytes() for one in mirror.files("INBOX")}
        kept = [path for path in before if path != "INBOX"]
        assert {path: mirror.tree()[path] for path in kept} == {path: before[path] for path in kept}
        shared.account.is_read_only = False
        mirror.session = None
        assert_converges(shared.account, mirror)

    def test_an_account_that_may_be_written_again_is_written_at_once(self, shared: DemoServer, mirror: Mirror) -> None:
        shared.account.is_read_only = True
        mirror.sync()
        mirror.sync()
        assert mirror.session is not None
        shared.account.is_read_only = False
        mirror.drop("Drafts", text())
        mirror.flag(self.file(mirror), "FS")
        report = mirror.sync()
        assert (report.conflicts, said(report)) == (0, [])
        assert_converges(shared.account, mirror)
        assert shared.account.mailbox("Drafts").total == 1

    def test_what_the_server_forbids_although_its_rights_allow_it_is_not_tried_by_every_run(
        self, shared: DemoServer, mirror: Mirror
    ) -> None:
        shared.faults.set_error.arm(SetError("forbidden"), only={"Email/set"})
        mirror.flag(self.file(mirror), "FS")
        report = mirror.sync()
        assert report.exit_code == 3
        assert "forbidden" in report.problems[0].why
        mirror.sync()
        shared.requests.clear()
        assert mirror.sync().problems == report.problems
        assert {name: shared.requests.count(name) for name in WRITES} == dict.fromkeys(WRITES, 0)
        shared.faults.clear()
        mirror.sync(full=True)
        assert_converges(shared.account, mirror)


class Thief:
    """A disk from which a file vanishes between the scan and the first use of what it holds."""

    def __init__(self, side: MaildirSide, file: Path) -> None:
        self._side = side
        self._file = file

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the side has
        if name == "read":
            self._file.unlink(missing_ok=True)
        return getattr(self._side, name)


class TestRoles:
    def test_no_roles_at_all(self, tmp_path: Path) -> None:
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

    def test_the_trash_role_moves_to_another_mailbox(self, shared: DemoServer, mirror: Mirror) -> None:
        shared.account.mailbox("Trash").role = None
        shared.account.note_mailbox(shared.account.mailbox("Trash"))
        shared.account.create_mailbox("Bin", role="trash")
        mirror.files("Shared")[0].unlink()
        mirror.sync()
        mirror.files("Shared")[0].unlink()
        assert_converges(shared.account, mirror)
        assert (shared.account.mailbox("Bin").total, shared.account.mailbox("Trash").total) == (2, 0)

    def test_the_inbox_role_is_not_what_the_folder_hangs_on(self, shared: DemoServer, mirror: Mirror) -> None:
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
    def test_a_mailbox_destroyed_there_takes_only_what_was_mirrored_along(self, shared: DemoServer, mirror: Mirror) -> None:
        text = message().replace(b"\r\n", b"\n")
        mirror.drop("Shared", text)
        kept = next(email for email, (homes, _) in shared.account.listing().items() if "Shared" in homes)
        shared.account.copy(kept, "Archive")
        shared.account.destroy_mailbox("Shared")
        assert_converges(shared.account, mirror)
        assert [file.read_bytes() for file in mirror.files("Shared")] == [text]
        assert len(mirror.files("Archive")) == 1
        assert len(shared.account.emails) == 5

    def test_a_message_moved_here_into_a_mailbox_destroyed_there(self, shared: DemoServer, mirror: Mirror) -> None:
        file = mirror.files("INBOX")[0]
        text = file.read_bytes()
        file.rename(mirror.folder("Shared") / "cur" / f"{file.name.partition(':2,')[0]}:2,")
        shared.account.destroy_mailbox("Shared")
        assert_converges(shared.account, mirror)
        assert text in {one.read_bytes() for one in mirror.files()}
        assert len(shared.account.emails) == 3

    def test_a_mailbox_destroyed_between_our_reading_and_our_import(self, shared: DemoServer, mirror: Mirror) -> None:
        text = message().replace(b"\r\n", b"\n")
        mirror.drop("Shared", text)
        shared.faults.before_call.arm(lambda: shared.account.destroy_mailbox("Shared"), only={"Email/import"}, times=1)
        mirror.sync()
        assert shared.faults.before_call.fired == 1
        assert_converges(shared.account, mirror)
        assert [file.read_bytes() for file in mirror.files("Shared")] == [text]

    @pytest.mark.parametrize("inside", ["mail", "child"])
    def test_a_mailbox_that_got_something_inside_before_it_was_removed_stays(
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

    def test_every_folder_on_disk_is_a_mailbox_and_the_other_way_round(self, server: DemoServer, mirror: Mirror) -> None:
        for path in ("Lists", "Lists/python", "Lists/python/dev", "Archive/2025"):
            server.account.create_mailbox(path)
        server.account.deliver(message(), ["Lists/python/dev"])
        assert_converges(server.account, mirror)
        (mirror.folder("Projects/one/cur")).mkdir(parents=True)
        assert_converges(server.account, mirror)
        assert server.account.mailbox("Projects/one").total == 0
        assert_mirrored(server.account, mirror)
