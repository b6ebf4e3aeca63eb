"""Every act on folders, from both sides and from both at once, on real Cyrus servers; every end is compared over IMAP."""

from __future__ import annotations

import os
import shutil
import subprocess
import unicodedata
from typing import TYPE_CHECKING

import pytest

from tests.kit.mirror import Mirror
from tests.live.compare import assert_same, on_server
from tests.live.imap import Draft

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live.conftest import Account

STANDARD = {"INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"}
TREE = {"Lists", "Lists/python", "Lists/python/dev", "Work"}


def letter(number: int) -> bytes:
    return f"From: a@example.com\r\nMessage-ID: <{number}@example.com>\r\nSubject: letter {number}\r\n\r\nHello.\r\n".encode()


@pytest.fixture
def mirror(account: Account, tmp_path: Path) -> Mirror:
    """A mirror of a tree of folders with one letter in each."""
    mirror = Mirror(account.url, account.user, account.password, tmp_path / "mail", tmp_path / "state")
    for number, folder in enumerate(sorted(TREE)):
        account.imap.create_folder(folder)
        account.imap.append(folder, [Draft(letter(number), received=1_700_000_000 + number)])
    agree(account, mirror, TREE)
    return mirror


def own(account: Account) -> set[str]:
    """Return the folders of an account beside those that each has."""
    return set(account.imap.folders()) - STANDARD


def here(mirror: Mirror) -> set[str]:
    """Return the folders of a mirror beside those that each account has."""
    return {str(cur.parent.relative_to(mirror.root)) for cur in mirror.root.rglob("cur")} - STANDARD


def ids(account: Account) -> set[str]:
    """Return the ids of all emails: one that was made anew has another id."""
    [found] = account.jmap.call([("Email/query", {})])
    return set(found["ids"])


def agree(account: Account, mirror: Mirror, folders: set[str]) -> None:
    """Synchronise; both sides then have these folders with the same mail, and a further run does nothing with one request."""
    for _ in range(3):
        report = mirror.sync()
        assert (report.state.value, report.problems, report.messages) == ("synced", [], [])
    assert (report.to_disk.total, report.to_server.total, report.folders.total, mirror.requests) == (0, 0, 0, 1)
    assert (own(account), here(mirror)) == (folders, folders)
    assert_same(account, mirror)


def moved(folders: set[str], old: str, new: str) -> set[str]:
    """Return folders after a tree of them got another path."""
    return {new + one.removeprefix(old) if one == old or one.startswith(f"{old}/") else one for one in folders}


class TestHere:
    """Acts on the disk reach the server."""

    def test_mkdir_makes_a_mailbox(self, account: Account, mirror: Mirror) -> None:
        (mirror.root / "Plans" / "2027").mkdir(parents=True)
        for folder in ("Plans", "Plans/2027"):
            for sub in ("cur", "new", "tmp"):
                (mirror.root / folder / sub).mkdir()
        mirror.drop("Plans/2027", b"Subject: dropped\n\nat once\n")
        agree(account, mirror, TREE | {"Plans", "Plans/2027"})
        assert [one[0] for one in on_server(account)["Plans/2027"]] == [b"Subject: dropped\n\nat once\n"]

    def test_maildirmake_makes_a_mailbox(self, account: Account, mirror: Mirror) -> None:
        subprocess.run(["maildirmake.mblaze" if shutil.which("maildirmake.mblaze") else "mkdir", mirror.root / "New"], check=True)
        for sub in ("cur", "new", "tmp"):
            (mirror.root / "New" / sub).mkdir(exist_ok=True)
        agree(account, mirror, TREE | {"New"})

    def test_mv_renames_a_tree_and_nothing_is_sent_or_fetched_again(self, account: Account, mirror: Mirror) -> None:
        before = ids(account)
        (mirror.root / "Lists").rename(mirror.root / "Groups")
        agree(account, mirror, moved(TREE, "Lists", "Groups"))
        assert ids(account) == before

    def test_mv_into_another_folder_moves_the_tree(self, account: Account, mirror: Mirror) -> None:
        before = ids(account)
        (mirror.root / "Lists" / "python").rename(mirror.root / "Work" / "snakes")
        agree(account, mirror, moved(TREE, "Lists/python", "Work/snakes"))
        assert ids(account) == before

    def test_two_folders_that_swap_their_names(self, account: Account, mirror: Mirror) -> None:
        there, before = on_server(account), ids(account)
        (mirror.root / "Work").rename(mirror.root / "between")
        (mirror.root / "Lists").rename(mirror.root / "Work")
        (mirror.root / "between").rename(mirror.root / "Lists")
        agree(account, mirror, {"Lists", "Work", "Work/python", "Work/python/dev"})
        assert on_server(account)["Lists"] == there["Work"]
        assert on_server(account)["Work"] == there["Lists"]
        assert ids(account) == before

    def test_a_tree_removed_with_its_mail_leaves_the_mail_in_the_trash(self, account: Account, mirror: Mirror) -> None:
        shutil.rmtree(mirror.root / "Lists" / "python")
        held = mirror.sync()
        assert (held.state.value, own(account)) == ("suspended", TREE)  # it may be the disk's loss
        mirror.sync(allow_deletes=True)
        agree(account, mirror, {"Lists", "Work"})
        assert len(on_server(account)["Trash"]) == 2

    def test_rmdir_of_an_emptied_folder_removes_the_mailbox(self, account: Account, mirror: Mirror) -> None:
        for file in mirror.files("Work"):
            file.rename(mirror.root / "Archive" / "cur" / file.name)
        agree(account, mirror, TREE)
        shutil.rmtree(mirror.root / "Work")
        agree(account, mirror, TREE - {"Work"})
        assert len(on_server(account)["Archive"]) == 1

    def test_a_folder_renamed_and_filled_at_once(self, account: Account, mirror: Mirror) -> None:
        (mirror.root / "Work").rename(mirror.root / "Job")
        mirror.drop("Job", b"Subject: late\n\nafter the move\n")
        os.link(mirror.files("Lists")[0], mirror.root / "Job" / "cur" / "linked:2,S")
        agree(account, mirror, moved(TREE, "Work", "Job"))
        assert len(on_server(account)["Job"]) == 3


class TestThere:
    """Acts of another client reach the disk."""

    def test_a_new_mailbox(self, account: Account, mirror: Mirror) -> None:
        account.imap.create_folder("Plans/2027")
        account.imap.append("Plans/2027", [Draft(letter(50), received=1_700_000_050)])
        mirror.sync()
        assert "Plans/2027" in here(mirror)
        assert len(mirror.files("Plans/2027")) == 1
        assert_same(account, mirror)

    def test_a_tree_renamed_keeps_its_files(self, account: Account, mirror: Mirror) -> None:
        before = {file.stat().st_ino for file in mirror.files()}
        account.imap.rename_folder("Lists", "Groups")
        agree(account, mirror, moved(TREE, "Lists", "Groups"))
        assert {file.stat().st_ino for file in mirror.files()} == before

    def test_a_tree_moved_under_another_parent_keeps_its_files(self, account: Account, mirror: Mirror) -> None:
        before = {file.stat().st_ino for file in mirror.files()}
        account.imap.rename_folder("Lists/python", "Work/snakes")
        agree(account, mirror, moved(TREE, "Lists/python", "Work/snakes"))
        assert {file.stat().st_ino for file in mirror.files()} == before

    def test_two_mailboxes_that_swap_their_names(self, account: Account, mirror: Mirror) -> None:
        there = on_server(account)
        account.imap.rename_folder("Work", "between")
        account.imap.rename_folder("Lists", "Work")
        account.imap.rename_folder("between", "Lists")
        agree(account, mirror, {"Lists", "Work", "Work/python", "Work/python/dev"})
        assert on_server(account)["Lists"] == there["Work"]

    def test_a_mailbox_deleted_with_its_mail(self, account: Account, mirror: Mirror) -> None:
        account.imap.delete_folder("Lists/python/dev")
        agree(account, mirror, TREE - {"Lists/python/dev"})
        assert not (mirror.root / "Lists/python/dev").exists()


class TestBoth:
    """Acts on both sides between two runs."""

    def test_the_same_rename(self, account: Account, mirror: Mirror) -> None:
        (mirror.root / "Work").rename(mirror.root / "Job")
        account.imap.rename_folder("Work", "Job")
        agree(account, mirror, moved(TREE, "Work", "Job"))

    def test_two_different_renames_leave_one_folder_with_the_server_s_name(self, account: Account, mirror: Mirror) -> None:
        before = ids(account)
        (mirror.root / "Work").rename(mirror.root / "Mine")
        account.imap.rename_folder("Work", "Theirs")
        agree(account, mirror, moved(TREE, "Work", "Theirs"))
        assert ids(account) == before

    def test_a_rename_here_and_a_move_there(self, account: Account, mirror: Mirror) -> None:
        before = ids(account)
        (mirror.root / "Work").rename(mirror.root / "Job")
        account.imap.rename_folder("Lists/python", "Work/python")
        agree(account, mirror, {"Lists", "Job", "Job/python", "Job/python/dev"})
        assert ids(account) == before

    def test_a_parent_deleted_there_while_its_child_is_renamed_here(self, account: Account, mirror: Mirror) -> None:
        """Nobody's mail is lost; the child that is wanted here stays."""
        before = sorted(message[0] for messages in on_server(account).values() for message in messages)
        (mirror.root / "Lists/python/dev").rename(mirror.root / "Lists/python/core")
        account.imap.delete_folder("Lists/python/dev")
        account.imap.delete_folder("Lists/python")
        for _ in range(3):
            mirror.sync()
        assert_same(account, mirror)
        after = sorted(message[0] for messages in on_server(account).values() for message in messages)
        assert set(before) - set(after) <= {letter(1).replace(b"\r\n", b"\n"), letter(2).replace(b"\r\n", b"\n")}

    def test_mail_put_into_a_folder_that_is_deleted_there_is_rescued(self, account: Account, mirror: Mirror) -> None:
        mirror.drop("Work", b"Subject: precious\n\nnobody else has it\n")
        account.imap.delete_folder("Work")
        for _ in range(3):
            mirror.sync()
        kept = [message[0] for messages in on_server(account).values() for message in messages]
        assert b"Subject: precious\n\nnobody else has it\n" in kept
        assert_same(account, mirror)

    def test_a_folder_of_the_same_name_made_on_both_sides(self, account: Account, mirror: Mirror) -> None:
        account.imap.create_folder("Plans")
        account.imap.append("Plans", [Draft(letter(60), received=1_700_000_060)])
        for sub in ("cur", "new", "tmp"):
            (mirror.root / "Plans" / sub).mkdir(parents=True)
        mirror.drop("Plans", b"Subject: mine\n\nhere\n")
        agree(account, mirror, TREE | {"Plans"})
        assert len(on_server(account)["Plans"]) == 2

    def test_names_that_differ_by_case_or_normalisation_only(self, account: Account, mirror: Mirror) -> None:
        composed, decomposed = (unicodedata.normalize(form, "Bücher") for form in ("NFC", "NFD"))
        account.imap.create_folder("work")
        account.imap.append("work", [Draft(letter(70), received=1_700_000_070)])
        account.imap.create_folder(composed)
        account.imap.append(composed, [Draft(letter(71), received=1_700_000_071)])
        for sub in ("cur", "new", "tmp"):
            (mirror.root / decomposed / sub).mkdir(parents=True)
        mirror.drop(decomposed, b"Subject: mine\n\nhere\n")
        for _ in range(3):
            mirror.sync()
        kept = sorted(message[0] for messages in on_server(account).values() for message in messages)
        assert b"Subject: mine\n\nhere\n" in kept
        shown = sorted(file.read_bytes() for file in mirror.files())
        assert shown == kept
        [marked] = here(mirror) - TREE - {composed, decomposed}
        assert marked.startswith(("work%~", f"{composed}%~", f"{decomposed}%~")) or marked == "work"
