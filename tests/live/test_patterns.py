"""Mailboxes left out, and mailboxes of others with few rights, on real Cyrus servers; what happened there is read over IMAP."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.kit.mirror import Mirror
from tests.live.compare import assert_same, on_disk, on_server
from tests.live.imap import Draft

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jmapsync.sync.report import KindReport
    from tests.live.conftest import Account

TREE = ("Lists", "Lists/python", "Secret", "Work")
NEW = b"Subject: new here\n\nHello.\n"


def letter(number: int) -> bytes:
    return f"From: a@example.com\r\nMessage-ID: <{number}@example.com>\r\nSubject: letter {number}\r\n\r\nHello.\r\n".encode()


@pytest.fixture
def mirror(account: Account, tmp_path: Path) -> Mirror:
    """Put a letter into each of some folders."""
    for number, folder in enumerate(("INBOX", *TREE)):
        if folder != "INBOX":
            account.imap.create_folder(folder)
        account.imap.append(folder, [Draft(letter(number), received=1_700_000_000 + number)])
    return Mirror(account.url, account.user, account.password, tmp_path / "mail", tmp_path / "state")


def rest(mirror: Mirror) -> KindReport:
    """Fail unless a run does all there is to do and a further one nothing at all; return what the first did."""
    report = mirror.sync()
    assert (report.exit_code, report.problems) == (0, [])
    again = mirror.sync()
    assert (again.to_disk.total, again.to_server.total, again.folders.total, mirror.requests) == (0, 0, 0, 1)
    return report


def uids(account: Account, folder: str) -> list[int]:
    return [message.uid for message in account.imap.messages(folder)]


class TestMailboxesLeftOut:
    def test_are_not_mirrored(self, account: Account, mirror: Mirror) -> None:
        mirror.exclude = ("Secret", "Lists/*")
        report = rest(mirror)
        assert report.to_disk.created == 3
        assert set(on_disk(mirror)) == {"INBOX", "Lists", "Work"}
        account.imap.append("Secret", [Draft(letter(9))])
        assert rest(mirror).to_disk.total == 0

    def test_stay_here_and_come_back(self, account: Account, mirror: Mirror) -> None:
        rest(mirror)
        before, there = mirror.tree(), on_server(account)
        mirror.exclude = ("Lists",)
        report = rest(mirror)
        assert report.detached == ["Lists", "Lists/python"]
        [file] = mirror.files("Lists/python")
        mirror.flag(file, "F")
        mirror.files("Lists")[0].unlink()
        account.imap.store("Lists/python", uids(account, "Lists/python"), "+", ["\\Answered"])
        mirror.sync(full=True)
        assert set(on_server(account)) == set(there)
        mirror.exclude = ()
        report = rest(mirror)
        assert report.to_disk.created == 1  # the file that was removed
        assert_same(account, mirror)
        assert {path: [data for data, _ in files] for path, files in mirror.tree().items()} == {
            path: [data for data, _ in files] for path, files in before.items()
        }
        assert [shown[1] for shown in on_server(account)["Lists/python"]] == ["FR"]

    def test_keep_what_lies_in_a_mirrored_one_too(self, account: Account, mirror: Mirror) -> None:
        account.imap.copy("Work", uids(account, "Work"), "Secret")
        mirror.exclude = ("Secret",)
        rest(mirror)
        [file] = mirror.files("Work")
        file.rename(mirror.folder("Archive") / file.parent.name / file.name)
        rest(mirror)
        assert letter(4) in [message.content for message in account.imap.messages("Secret")]
        assert [message.content for message in account.imap.messages("Archive")] == [letter(4)]
        mirror.files("Archive")[0].unlink()
        rest(mirror)
        assert len(uids(account, "Secret")) == 2
        assert [uids(account, folder) for folder in ("Archive", "Work", "Trash")] == [[], [], []]

    def test_take_what_is_moved_there(self, account: Account, mirror: Mirror) -> None:
        mirror.exclude = ("Secret",)
        rest(mirror)
        account.imap.move("Work", uids(account, "Work"), "Secret")
        rest(mirror)
        assert mirror.files("Work") == []
        account.imap.rename_folder("Secret", "Open")
        rest(mirror)
        assert_same(account, mirror)
        account.imap.rename_folder("Open", "Secret")
        assert rest(mirror).detached == ["Open"]
        assert len(mirror.files("Open")) == 2

    def test_take_a_copy_of_their_mail_that_is_made_here(self, account: Account, mirror: Mirror) -> None:
        rest(mirror)
        mirror.exclude = ("Secret",)
        rest(mirror)
        [file] = mirror.files("Secret")
        shutil.copy2(file, mirror.folder("Work") / "cur" / "copied:2,")
        rest(mirror)
        assert sorted(message.content for message in account.imap.messages("Work")) == sorted([letter(3), letter(4)])
        assert [message.content for message in account.imap.messages("Secret")] == [letter(3)]


class TestSomebodyElsesMailbox:
    @pytest.fixture
    def owner(self, account: Account, make_account: Callable[[], Account], mirror: Mirror) -> Account:
        """Mirror what somebody shares: of three letters one is marked as seen by us, who may read and mark them and no more."""
        owner = make_account()
        owner.imap.create_folder("Team")
        owner.imap.append("Team", [Draft(letter(number), received=1_700_000_000 + number) for number in range(3)])
        owner.imap.set_acl("Team", account.user, "lrs")
        mirror.account_id = owner.user
        rest(mirror)
        assert len(self.files(mirror)) == 3
        return owner

    @staticmethod
    def files(mirror: Mirror) -> list[Path]:
        return sorted((file for file in mirror.files() if "Team" in str(file)), key=lambda file: file.stat().st_mtime)

    def test_gets_back_what_may_not_be_done_to_it_and_what_was_written_waits(
        self, account: Account, owner: Account, mirror: Mirror
    ) -> None:
        before = on_server(owner)
        first, second, third = self.files(mirror)
        folder = first.parent.parent
        mirror.flag(first, "F")
        second.unlink()
        third.write_bytes(NEW)
        (folder / "new" / "1700000100.T.test").write_bytes(NEW + b"another\n")
        report = mirror.sync()
        forbidden = "which the server does not allow"
        assert sorted(problem.why for problem in report.problems) == [f"edited here, {forbidden}", f"new here, {forbidden}"]
        assert len(report.messages) == 2
        assert all(f"{forbidden}: taken back" in description for description in report.messages)
        again = mirror.sync()
        assert (again.messages, again.to_disk.total, again.to_server.total, mirror.requests) == ([], 0, 0, 1)
        assert on_server(owner) == before
        here = {file.read_bytes().replace(b"\n", b"\r\n") for file in self.files(mirror)}
        written = {text.replace(b"\n", b"\r\n") for text in (NEW, NEW + b"another\n")}
        assert here == {letter(0), letter(1)} | written
        assert not any("F" in file.name.partition(":2,")[2] for file in self.files(mirror))
        owner.imap.set_acl("Team", account.user, "lrswipkxte")
        mirror.on_delete = "destroy"
        rest(mirror)
        assert {message.content for message in owner.imap.messages("Team")} >= written

    def test_may_be_read_and_marked_so(self, account: Account, owner: Account, mirror: Mirror) -> None:
        mirror.flag(self.files(mirror)[0], "S")
        report = mirror.sync()
        assert (report.messages, report.problems, report.to_server.updated) == ([], [], 1)
        [found] = account.jmap.call([("Email/query", {"accountId": owner.user, "filter": {"hasKeyword": "$seen"}})])
        assert len(found["ids"]) == 1

    def test_cannot_be_renamed_or_given_children(self, owner: Account, mirror: Mirror) -> None:
        folder = self.files(mirror)[0].parent.parent
        folder.rename(folder.with_name("Mine"))
        [description] = mirror.sync().messages
        assert "renamed here, which the server does not allow: taken back" in description
        assert len(self.files(mirror)) == 3
        for part in ("cur", "new", "tmp"):
            (folder / "below" / part).mkdir(parents=True)
        [description] = mirror.sync().messages
        assert "new here, which the server does not allow: taken back" in description
        assert not (folder / "below").exists()
        for part in ("cur", "new", "tmp"):
            (folder / "below" / part).mkdir(parents=True)
        (folder / "below" / "new" / "1700000100.T.test").write_bytes(NEW)
        for _ in range(2):
            [problem] = mirror.sync().problems
            assert problem.why == "new here, which the server does not allow"
        assert [file.read_bytes() for file in (folder / "below" / "new").iterdir()] == [NEW]

    def test_takes_all_of_it_once_the_owner_allows_it(self, account: Account, owner: Account, mirror: Mirror) -> None:
        owner.imap.set_acl("Team", account.user, "lrswipkxte")
        first, second, third = self.files(mirror)
        mirror.flag(first, "F")
        second.unlink()
        [said] = mirror.sync().messages
        assert said.startswith("The rights in the mailbox Team changed on the server: you may now add items,")
        messages = {message.content: message.flags for message in owner.imap.messages("Team")}
        assert "\\Flagged" in messages[letter(0)]
        owner.imap.set_acl("Team", account.user, "lrs")
        third.unlink()
        changed, taken_back = sorted(mirror.sync().messages)
        assert changed.startswith("The rights in the mailbox Team changed on the server: you may no longer add items,")
        assert "taken back" in taken_back
        assert third.name.split(":")[0].split(".")[0] in {file.name.split(".")[0] for file in self.files(mirror)}
