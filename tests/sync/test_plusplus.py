"""Mirror into Maildir++: every act on folders, from both sides, and the same mirror as in the other layout."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.contract.peer import message
from tests.kit.mirror import Mirror, assert_converges

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.demo import DemoServer


@pytest.fixture
def flat(server: DemoServer, tmp_path: Path) -> Mirror:
    """Mirror an account with nested mailboxes, a message in each."""
    for number, path in enumerate(["INBOX", "Lists", "Lists/python", "Lists/python/dev", "Work"]):
        if path != "INBOX":
            server.account.create_mailbox(path)
        server.account.deliver(message(), [path], received_at=1_700_000_000 + number)
    flat = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state", layout="maildir++")
    assert_converges(server.account, flat)
    return flat


def make(flat: Mirror, path: str) -> None:
    """Make a folder as `maildirmake` does."""
    for part in ("cur", "new", "tmp"):
        (flat.folder(path) / part).mkdir(parents=True)


def paths(server: DemoServer) -> set[str]:
    return {server.account.path(mailbox) for mailbox in server.account.mailboxes.values()}


def test_messages_change_folders_both_ways(server: DemoServer, flat: Mirror) -> None:
    [inbox], [work] = flat.files("INBOX"), flat.files("Work")
    inbox.rename(flat.folder("Lists/python") / "cur" / f"{inbox.name.partition(':2,')[0]}:2,S")
    shutil.copy2(work, flat.root / "cur" / f"{work.name.partition(':2,')[0]}:2,F")
    flat.drop("INBOX", message().replace(b"\r\n", b"\n"))
    assert_converges(server.account, flat)
    assert server.account.mailbox("INBOX").total == 2
    flat.files("Lists")[0].unlink()
    assert_converges(server.account, flat)


@pytest.mark.parametrize("way", ["mkdir", "maildirmake"])
def test_a_folder_made_here_is_made_there_with_its_parent(server: DemoServer, flat: Mirror, way: str) -> None:
    if way == "mkdir":
        flat.folder("New/below").mkdir()
    else:
        make(flat, "New/below")
    assert_converges(server.account, flat)
    assert {"New", "New/below"} <= paths(server)


def test_a_folder_renamed_here_is_renamed_there(server: DemoServer, flat: Mirror) -> None:
    ref = server.account.mailbox("Work").id
    flat.folder("Work").rename(flat.folder("Lists/job"))
    assert_converges(server.account, flat)
    assert server.account.path(server.account.mailboxes[ref]) == "Lists/job"
    flat.folder("Lists/job").rename(flat.folder("Job"))
    assert_converges(server.account, flat)
    assert server.account.path(server.account.mailboxes[ref]) == "Job"


def test_folders_renamed_here_one_by_one_stay_the_same_mailboxes(server: DemoServer, flat: Mirror) -> None:
    before = {box.id for box in server.account.mailboxes.values()}
    for path in ("Lists/python/dev", "Lists/python", "Lists"):
        flat.folder(path).rename(flat.folder(path.replace("Lists", "Old")))
    assert_converges(server.account, flat)
    assert {box.id for box in server.account.mailboxes.values()} == before
    assert {"Old", "Old/python", "Old/python/dev"} <= paths(server)


def test_swapped_names(server: DemoServer, flat: Mirror) -> None:
    flat.folder("Work").rename(flat.root / ".x")
    flat.folder("Lists/python").rename(flat.folder("Work"))
    (flat.root / ".x").rename(flat.folder("Lists/python"))
    assert_converges(server.account, flat)


def test_a_mailbox_renamed_there_takes_along_what_lies_below(server: DemoServer, flat: Mirror) -> None:
    inodes = {file.stat().st_ino for file in flat.files()}
    server.account.rename_mailbox("Lists", "Old")
    assert_converges(server.account, flat)
    server.account.rename_mailbox("Old/python", "snake", parent="Work")
    assert_converges(server.account, flat)
    assert (flat.root / ".Work.snake.dev" / "cur").is_dir()
    assert {file.stat().st_ino for file in flat.files()} == inodes


def test_a_parent_renamed_there_while_a_child_is_renamed_here(server: DemoServer, flat: Mirror) -> None:
    server.account.rename_mailbox("Lists", "Old")
    flat.folder("Lists/python").rename(flat.folder("Lists/snake"))
    flat.sync()
    assert_converges(server.account, flat)
    assert "Old/snake" in paths(server)
    assert len(server.account.emails) == 5


def test_a_mailbox_deleted_there_goes_here(server: DemoServer, flat: Mirror) -> None:
    server.account.destroy_mailbox("Lists/python/dev")
    assert_converges(server.account, flat)
    assert not flat.folder("Lists/python/dev").exists()


def test_an_empty_folder_removed_here_is_removed_there(server: DemoServer, flat: Mirror) -> None:
    server.account.create_mailbox("Empty")
    assert_converges(server.account, flat)
    shutil.rmtree(flat.folder("Empty"))
    assert_converges(server.account, flat)
    assert "Empty" not in paths(server)


def test_a_folder_removed_here_above_others_is_asked_about_and_loses_its_mail_only(server: DemoServer, flat: Mirror) -> None:
    shutil.rmtree(flat.folder("Lists"))
    assert flat.sync(dry=True).exit_code == 4
    for _ in range(2):
        report = flat.sync()
        assert (report.exit_code, server.account.mailbox("Lists").total) == (4, 1)
        assert "The folder Lists disappeared with the messages in it." in report.messages[0]
    assert flat.sync(allow_deletes=True).exit_code == 0
    assert_converges(server.account, flat)
    assert {"Lists", "Lists/python", "Lists/python/dev"} <= paths(server)
    assert (server.account.mailbox("Lists").total, server.account.mailbox("Trash").total) == (0, 1)


def test_an_inbox_removed_here_is_no_deletion(server: DemoServer, flat: Mirror) -> None:
    for part in ("cur", "new", "tmp"):
        shutil.rmtree(flat.root / part)
    report = flat.sync()
    assert report.exit_code == 4
    assert server.account.mailbox("INBOX").total == 1


def test_names_with_dots_and_others_that_need_care(server: DemoServer, flat: Mirror) -> None:
    names = ["v1.2", "a/b", "~", ".", "Work.x", "work", "inbox", "n" * 250]
    for name in names:
        box = server.account.add_mailbox(name, None, None)
        server.account.deliver(message(), [box.name])
    assert flat.sync().exit_code == 0
    assert {".v1%2E2", ".~", ".%2E", ".Work%2Ex", ".%69nbox"} <= set(os.listdir(flat.root))
    assert len(flat.files()) == 5 + len(names)
    again = flat.sync(full=True)
    assert (again.exit_code, again.folders.total, again.to_server.total, again.to_disk.total) == (0, 0, 0, 0)
    (flat.root / ".v1%2E2").rename(flat.root / ".v2%2E0%2Ebeta")
    assert flat.sync().exit_code == 0
    assert "v2.0.beta" in paths(server)


def test_a_lost_ledger_finds_everything_again(server: DemoServer, flat: Mirror) -> None:
    before, inodes = server.account.listing(), {file.stat().st_ino for file in flat.files()}
    shutil.rmtree(flat.state)
    assert_converges(server.account, flat)
    assert (server.account.listing(), {file.stat().st_ino for file in flat.files()}) == (before, inodes)


def test_mv_of_one_folder_leaves_a_parent_for_those_below_it(server: DemoServer, flat: Mirror) -> None:
    ref = server.account.mailbox("Lists/python").id
    flat.folder("Lists").rename(flat.folder("Old"))
    assert_converges(server.account, flat)
    assert {"Old", "Lists", "Lists/python", "Lists/python/dev"} <= paths(server)
    assert (server.account.mailbox("Old").total, server.account.mailbox("Lists/python").id) == (1, ref)
