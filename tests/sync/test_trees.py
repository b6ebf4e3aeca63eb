"""Sync whole trees: odd names, missing directories, a lost or restored ledger, a mail program at work during the runs."""

from __future__ import annotations

import dataclasses
import os
import random
import shutil
import threading
import time
from pathlib import Path

import pytest

from jmapsync.demo import RFC, DemoServer, Dialect
from jmapsync.errors import ExitCode
from tests.kit.letters import bodies_fetched
from tests.kit.mirror import Mirror, assert_converges

NAMES = [
    *("../../etc", "con/..", "..", ".", "a/b", "cur", "new", "tmp", "CUR", "con", "-rf", ".hidden", "trailing.", "trailing ", " "),
    *("a\nb", "a\tb", "a\0b", "%41", "%~", "%~deadbeef", "a:2,S", "'\"`$(x)\\", "Work", "work", "WORK"),
    *(
        "e\u0301",
        "\N{KELVIN SIGN}",
        "\N{PILE OF POO}" * 75,
        "x" * 255,
        "x" * 254 + "y",
        "\N{RIGHT-TO-LEFT OVERRIDE}txt",
        "\ufeffbom",
    ),
]


def letter(number: int | str) -> bytes:
    return f"From: a@example.com\r\nSubject: {number}\r\n\r\nbody {number}\r\n".encode()


def fill(server: DemoServer, count: int, folder: str = "INBOX", keywords: tuple[str, ...] = ()) -> list[str]:
    return [server.account.deliver(letter(f"{folder} {number}"), [folder], keywords) for number in range(count)]


def lose_ledger(mirror: Mirror) -> None:
    mirror.session = None
    for file in mirror.state.glob("ledger.sqlite*"):
        file.unlink()


def restore_ledger(mirror: Mirror, backup: Path) -> None:
    mirror.session = None
    shutil.rmtree(mirror.state)
    backup.rename(mirror.state)


class TestOddNames:
    @pytest.fixture
    def odd(self, server: DemoServer) -> DemoServer:
        """A server with every odd name at the top and below a mailbox, each with a message."""
        server.account.create_mailbox("parent")
        for parent, names in (("", NAMES), ("parent", NAMES[:9])):
            for number, name in enumerate(names):
                box = server.account.create_mailbox(f"{parent}/plain" if parent else "plain")
                server.account.rename_mailbox(box, name, parent=parent)
                server.account.deliver(letter(f"{parent} {number}"), [box])
        return server

    def test_mailboxes_of_any_name_lie_inside_the_root_each_in_a_folder_of_its_own(
        self, odd: DemoServer, mirror: Mirror, tmp_path: Path
    ) -> None:
        report = mirror.sync()
        assert (report.problems, report.to_disk.created) == ([], len(odd.account.emails))
        assert {entry.name for entry in tmp_path.iterdir()} == {"mail", "state"}
        folders = [folder.parent for folder in mirror.root.rglob("cur") if (folder.parent / "tmp").is_dir()]
        assert len(folders) == len(odd.account.mailboxes)
        assert all(folder.resolve().is_relative_to(mirror.root.resolve()) for folder in folders)
        assert all(len(os.fsencode(folder.name)) <= 255 for folder in folders)
        assert len({str(folder).casefold() for folder in folders}) == len(folders)

    @pytest.mark.parametrize("lost", [False, True])
    def test_odd_names_come_back_as_they_were(self, odd: DemoServer, mirror: Mirror, lost: bool) -> None:
        mirror.sync()
        before = (odd.account.listing(), mirror.tree())
        if lost:
            lose_ledger(mirror)
        odd.requests.clear()
        report = mirror.sync(full=True)
        assert (report.problems, report.to_disk.total, report.to_server.total) == ([], 0, 0)
        assert odd.requests.count("Mailbox/set") == 0
        assert (odd.account.listing(), mirror.tree()) == before
        assert (mirror.sync().folders.total, mirror.requests) == (0, 1)

    def test_names_too_long_for_a_path_are_quarantined_by_name_and_the_rest_goes_on(
        self, server: DemoServer, mirror: Mirror
    ) -> None:
        path = "/".join("x" * 180 for _ in range(30))
        for depth in range(1, 31):
            server.account.create_mailbox("/".join(path.split("/")[:depth]))
        deep = server.account.deliver(letter("deep"), [path])
        fill(server, 2)
        report = mirror.sync()
        assert report.exit_code == ExitCode.QUARANTINED
        assert "File name too long" in report.problems[0].why
        assert len(mirror.files("INBOX")) == 2
        assert mirror.sync().to_server.total == 0
        assert deep in server.account.emails

    def test_folders_of_any_name_that_are_made_here_become_mailboxes(self, server: DemoServer, mirror: Mirror) -> None:
        mirror.sync()
        for name in ("Work: stuff", "a%2Fb", "%2E%2E", "ünï", "sp ace ", "Inbox", "Lists/python"):
            (mirror.root / name).mkdir(parents=True)
        report = mirror.sync()
        assert report.problems == []
        made = {mailbox.name for mailbox in server.account.mailboxes.values() if not mailbox.role}
        assert made == {"Work: stuff", "a/b", "..", "ünï", "sp ace ", "Inbox", "Lists", "python"}
        assert (mirror.sync().folders.total, mirror.requests) == (0, 1)


class TestDirectoriesThatAreGone:
    @pytest.fixture
    def full(self, server: DemoServer, mirror: Mirror) -> DemoServer:
        fill(server, 60)
        fill(server, 5, "Archive", ("$seen",))
        mirror.sync()
        return server

    def test_a_folder_on_a_disk_that_is_not_mounted(self, full: DemoServer, mirror: Mirror, tmp_path: Path) -> None:
        (mirror.root / "Archive").rename(tmp_path / "elsewhere")
        (mirror.root / "Archive").mkdir()
        for _ in range(2):
            report = mirror.sync()
            assert report.exit_code == ExitCode.SUSPENDED
            assert "Archive" in report.messages[0]
        assert full.account.mailbox("Archive").total == 5
        shutil.rmtree(mirror.root / "Archive")
        (tmp_path / "elsewhere").rename(mirror.root / "Archive")
        assert_converges(full.account, mirror)
        assert full.account.mailbox("Archive").total == 5

    def test_a_directory_that_had_all_the_messages(self, full: DemoServer, mirror: Mirror) -> None:
        shutil.rmtree(mirror.root / "Archive" / "cur")
        assert mirror.sync().exit_code == ExitCode.SUSPENDED
        assert full.account.mailbox("Archive").total == 5

    def test_a_tree_that_came_back_without_its_empty_directories(self, full: DemoServer, mirror: Mirror) -> None:
        for directory in sorted(mirror.root.rglob("*"), reverse=True):
            if directory.is_dir() and not any(directory.iterdir()):
                directory.rmdir()
        assert not (mirror.root / "Archive" / "new").exists()
        full.account.deliver(letter("late"), ["Archive"])
        assert_converges(full.account, mirror)
        assert full.account.mailbox("Archive").total == 6
        assert full.account.mailbox("Trash").total == 0


class TestTheLedger:
    def test_lost_while_both_sides_went_on_it_is_rebuilt_and_nothing_is_lost(self, server: DemoServer, mirror: Mirror) -> None:
        ids = fill(server, 6)
        mirror.sync()
        lose_ledger(mirror)
        edited, removed, moved, *_ = sorted(mirror.files("INBOX"), key=Path.read_bytes)
        edited.write_bytes(b"Subject: edited\n\nafter the loss\n")
        removed.unlink()
        moved.rename(mirror.root / "Archive" / "cur" / "moved:2,S")
        server.account.move(ids[4], "INBOX", "Sent")
        server.account.destroy(ids[5])
        mirror.sync()
        assert_converges(server.account, mirror)
        held = {server.account.raw(ref) for ref in server.account.emails}
        assert held == {letter(f"INBOX {number}") for number in range(6)} | {b"Subject: edited\r\n\r\nafter the loss\r\n"}

    def test_lost_it_needs_no_body_of_odd_messages_and_loses_no_keyword(self, server: DemoServer, mirror: Mirror) -> None:
        for odd in (b"Subject: bare\nx\r\n\r\nb\n", b"Subject: cr\r\n\r\na\rb\r\n", b"Subject: nul\r\n\r\n\0\r\n"):
            server.account.deliver(odd)
        words = tuple(f"w{number}" for number in range(35))
        for ref in fill(server, 4, "INBOX", words):
            server.account.copy(ref, "Archive")
        mirror.sync()
        lose_ledger(mirror)
        for file in mirror.files("Archive"):
            content, state = file.read_bytes(), file.stat()
            file.unlink()  # a backup tool cut the hard links
            file.write_bytes(content)
            os.utime(file, (state.st_mtime, state.st_mtime))
        before = server.account.listing()
        server.requests.clear()
        report = mirror.sync()
        assert (bodies_fetched(server), server.requests.count("upload")) == (0, 0)
        assert (report.to_disk.created, report.to_server.created, report.problems) == (0, 0, [])
        assert server.account.listing() == before
        assert (mirror.sync().to_disk.total, mirror.requests) == (0, 1)

    def test_from_an_older_backup_it_changes_neither_side(self, server: DemoServer, mirror: Mirror, tmp_path: Path) -> None:
        ids = fill(server, 12)
        mirror.sync()
        shutil.copytree(mirror.state, tmp_path / "backup")
        files = mirror.files("INBOX")
        files[0].rename(mirror.root / "Archive" / "cur" / f"{files[0].name}:2,")
        mirror.flag(files[1], "F")
        files[2].unlink()
        files[3].write_bytes(b"Subject: edited\n\nbody\n")
        mirror.drop("INBOX", b"Subject: dropped\n\nbody\n")
        server.account.move(ids[7], "INBOX", "Sent")
        server.account.destroy(ids[8])
        server.account.set_keyword(ids[9], "work")
        fill(server, 2, "Sent")
        mirror.sync()
        assert_converges(server.account, mirror)
        before = (server.account.listing(), mirror.tree())
        restore_ledger(mirror, tmp_path / "backup")
        report = mirror.sync()
        assert (report.to_disk.total, report.to_server.total) == (0, 0)
        assert (server.account.listing(), mirror.tree()) == before
        assert_converges(server.account, mirror)

    @pytest.mark.parametrize("keywords", [(), ("$draft",)])
    @pytest.mark.parametrize("dialect", [RFC, dataclasses.replace(RFC, duplicates="copy")], ids=["refuses", "copies"])
    def test_from_an_older_backup_it_sends_no_edit_twice_and_destroys_no_old_version(
        self, tmp_path: Path, dialect: Dialect, keywords: tuple[str, ...]
    ) -> None:
        with DemoServer(dialect=dialect) as server:
            mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
            fill(server, 2, "INBOX", keywords)
            mirror.sync()
            shutil.copytree(mirror.state, tmp_path / "backup")
            mirror.files("INBOX")[0].write_bytes(b"Subject: edited\n\nbody\n")
            assert mirror.sync().exit_code == ExitCode.IN_SYNC
            before = server.account.listing()
            restore_ledger(mirror, tmp_path / "backup")
            assert mirror.sync().to_server.total == 0
            assert server.account.listing() == before
            stored = sorted(server.account.raw(ref).replace(b"\r\n", b"\n") for ref in server.account.emails)
            assert sorted(file.read_bytes() for file in mirror.files()) == stored
            assert (mirror.sync().to_disk.total, mirror.requests) == (0, 1)


def test_a_mail_program_at_work_during_many_runs_loses_no_message_and_no_flag(server: DemoServer, mirror: Mirror) -> None:
    fill(server, 60)
    mirror.sync()
    dice = random.Random(1)
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            file = dice.choice(mirror.files("INBOX") + mirror.files("Archive"))
            name = file.name if ":2," in file.name else f"{file.name}:2,"
            try:
                if dice.random() < 0.5:
                    mirror.flag(file, "".join(sorted(dice.sample("FRS", dice.randrange(4)))))
                else:
                    file.rename(mirror.root / dice.choice(["INBOX", "Archive"]) / "cur" / name)
            except FileNotFoundError:  # the mirror was quicker
                continue
            time.sleep(0.0005)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for _ in range(12):
            report = mirror.sync()
            assert (report.to_server.created, report.to_server.deleted, report.to_disk.deleted) == (0, 0, 0)
    finally:
        over.set()
        worker.join()
    assert_converges(server.account, mirror)
    assert len(server.account.emails) == 60
    assert server.account.mailbox("Trash").total == 0


def test_a_parent_that_is_a_mailbox_has_the_three_directories(server: DemoServer, mirror: Mirror) -> None:
    server.account.create_mailbox("Lists")
    server.account.create_mailbox("Lists/python")
    mirror.sync()
    for path in ("Lists", "Lists/python"):
        assert {"cur", "new", "tmp"} <= set(os.listdir(mirror.root / path))
