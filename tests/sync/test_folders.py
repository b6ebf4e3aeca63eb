"""Folders that trade names: each ends with the name its mailbox has."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.kit.mirror import assert_converges

if TYPE_CHECKING:
    from jmapsync.demo import DemoServer
    from tests.kit.mirror import Mirror


def test_mailboxes_that_swapped_their_names_there_end_with_plain_names(server: DemoServer, mirror: Mirror) -> None:
    account = server.account
    for path in ("Work", "Lists", "Lists/python"):
        account.deliver(f"Subject: {path}\r\n\r\nin {path}\r\n".encode(), [account.create_mailbox(path)])
    assert_converges(account, mirror)
    for old, new in (("Work", "between"), ("Lists", "Work"), ("between", "Lists")):
        account.rename_mailbox(old, new)
    assert_converges(account, mirror)
    assert [file.read_bytes().splitlines()[0] for file in mirror.files("Lists")] == [b"Subject: Work"]
    assert mirror.folder("Work/python").is_dir()


@pytest.mark.parametrize("removed", ["Lists", "Work"])
def test_names_swapped_there_of_which_one_was_removed_here_are_plain_after_one_run(
    server: DemoServer, mirror: Mirror, removed: str
) -> None:
    account = server.account
    for path in ("Lists", "Work"):
        account.create_mailbox(path)
    assert_converges(account, mirror)
    shutil.rmtree(mirror.folder(removed))
    for old, new in (("Work", "between"), ("Lists", "Work"), ("between", "Lists")):
        account.rename_mailbox(old, new)
    mirror.sync()
    assert [path.name for path in mirror.root.iterdir() if "%~" in path.name] == []
    assert_converges(account, mirror)


def test_a_ring_of_three(server: DemoServer, mirror: Mirror) -> None:
    account = server.account
    for path in ("A", "B", "C"):
        account.deliver(f"Subject: {path}\r\n\r\n".encode(), [account.create_mailbox(path)])
    assert_converges(account, mirror)
    for old, new in (("A", "x"), ("C", "A"), ("B", "C"), ("x", "B")):
        account.rename_mailbox(old, new)
    assert_converges(account, mirror)
    subjects = {name: mirror.files(name)[0].read_bytes()[:10] for name in "ABC"}
    assert subjects == {"A": b"Subject: C", "B": b"Subject: A", "C": b"Subject: B"}


def test_a_name_given_up_by_one_of_another_case_is_taken(server: DemoServer, mirror: Mirror) -> None:
    account = server.account
    account.create_mailbox("work")
    account.create_mailbox("Work")
    mirror.sync()
    marked = [path.name for path in mirror.root.iterdir() if "%~" in path.name]
    assert len(marked) == 1
    account.rename_mailbox("work" if marked[0].startswith("Work") else "Work", "Elsewhere")
    mirror.sync()
    assert [path.name for path in mirror.root.iterdir() if "%~" in path.name] == []
    assert mirror.folder(marked[0].partition("%~")[0]).is_dir()


def test_folders_that_swapped_their_names_here_are_renamed_there(server: DemoServer, mirror: Mirror) -> None:
    account = server.account
    for path in ("Work", "Lists", "Lists/python"):
        account.deliver(f"Subject: {path}\r\n\r\n".encode(), [account.create_mailbox(path)])
    assert_converges(account, mirror)
    names = {box.id: account.path(box) for box in account.mailboxes.values()}
    emails = {email.id: email.mailbox_ids for email in account.emails.values()}
    for old, new in (("Work", "between"), ("Lists", "Work"), ("between", "Lists")):
        mirror.folder(old).rename(mirror.folder(new))
    assert_converges(account, mirror)
    swapped = {"Work": "Lists", "Lists": "Work", "Lists/python": "Work/python"}
    assert {box.id: account.path(box) for box in account.mailboxes.values()} == {
        ref: swapped.get(name, name) for ref, name in names.items()
    }
    assert {email.id: email.mailbox_ids for email in account.emails.values()} == emails


def test_a_child_that_takes_its_parent_s_place(server: DemoServer, mirror: Mirror) -> None:
    account = server.account
    for path in ("Lists", "Lists/python"):
        account.deliver(f"Subject: {path}\r\n\r\n".encode(), [account.create_mailbox(path)])
    assert_converges(account, mirror)
    mirror.folder("Lists/python").rename(mirror.folder("between"))
    mirror.folder("Lists").rename(mirror.folder("Old"))
    mirror.folder("between").rename(mirror.folder("Lists"))
    assert_converges(account, mirror)
    assert [file.read_bytes().split()[1] for name in ("Lists", "Old") for file in mirror.files(name)] == [b"Lists/python", b"Lists"]
    assert len(account.emails) == 2


def test_a_folder_whose_name_another_mailbox_took_meanwhile_is_quarantined_by_name(server: DemoServer, mirror: Mirror) -> None:
    account = server.account
    work, lists = account.create_mailbox("Work"), account.create_mailbox("Lists")
    account.deliver(b"Subject: one\r\n\r\n", [lists])
    assert_converges(account, mirror)
    mirror.drop("Work", b"Subject: precious\n\nnobody else has it\n")
    account.destroy_mailbox(work)
    account.rename_mailbox("Lists", "Work")
    for _ in range(3):
        report = mirror.sync()
    assert [b"precious" in file.read_bytes() for file in mirror.files()].count(True) == 1
    reported = [problem.why for problem in report.problems]
    kept = any(b"precious" in account.raw(email) for email in account.emails)
    assert kept or any("another mailbox of this name" in why for why in reported)


def test_mail_moved_there_out_of_a_folder_that_both_sides_removed_comes_back_where_it_went(
    server: DemoServer, mirror: Mirror
) -> None:
    account = server.account
    work = account.create_mailbox("Work")
    email = account.deliver(b"Subject: kept\r\n\r\n", [work])
    assert_converges(account, mirror)
    account.move(email, work, "Archive")
    account.destroy_mailbox(work)
    shutil.rmtree(mirror.folder("Work"))
    mirror.sync()
    assert_converges(account, mirror)
    assert [file.read_bytes() for file in mirror.files("Archive")] == [b"Subject: kept\n\n"]
