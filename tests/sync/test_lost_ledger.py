"""A ledger that is lost, restored, corrupt or of a newer version, and files restored beside a ledger."""

from __future__ import annotations

import shutil
import sqlite3
from typing import TYPE_CHECKING

import pytest

from jmapsync.errors import ExitCode, LedgerError
from jmapsync.ledger import Ledger
from tests.kit.letters import bodies_fetched, fill, keywords, letter, wire
from tests.kit.mirror import Mirror, assert_converges

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.demo import DemoServer


LETTER = b"Subject: a\n\nbody\n"


class TestALedger:
    def test_lost_it_is_rebuilt_without_fetching_a_body_that_is_here(self, server: DemoServer, mirror: Mirror) -> None:
        refs = fill(server, 30)
        server.account.copy(refs[0], "Archive")
        mirror.sync()
        for file in mirror.state.glob("ledger.sqlite*"):
            file.unlink()
        mirror.session = None
        mirror.flag(mirror.files("Archive")[0], "F")
        server.account.set_keyword(refs[1], "$seen")
        server.requests.clear()
        report = mirror.sync()
        assert bodies_fetched(server) == 0
        assert (report.to_disk.created, report.to_server.created) == (0, 0)
        assert keywords(server, refs[0]) == {"$flagged"}
        assert_converges(server.account, mirror)
        assert set(server.account.emails) == set(refs)

    def test_restored_from_an_older_backup_it_loses_nothing(self, server: DemoServer, mirror: Mirror, tmp_path: Path) -> None:
        fill(server, 3)
        mirror.sync()
        shutil.copytree(mirror.state, tmp_path / "backup")
        mirror.drop("INBOX", letter(50))
        server.account.deliver(wire(letter(51)))
        mirror.flag(mirror.files("INBOX")[0], "F")
        mirror.sync()
        shutil.rmtree(mirror.state)
        (tmp_path / "backup").rename(mirror.state)
        mirror.sync()
        assert_converges(server.account, mirror)
        assert len(server.account.emails) == 5

    def test_files_restored_from_an_older_backup_are_not_taken_for_deletions(
        self, server: DemoServer, mirror: Mirror, tmp_path: Path
    ) -> None:
        fill(server, 30)
        mirror.sync()
        shutil.copytree(mirror.root, tmp_path / "backup")
        for number in range(100, 160):
            server.account.deliver(wire(letter(number)))
        mirror.sync()
        shutil.rmtree(mirror.root)
        (tmp_path / "backup").rename(mirror.root)
        assert mirror.sync().exit_code == ExitCode.SUSPENDED
        assert len(server.account.emails) == 90

    def test_written_by_a_newer_version_it_is_refused_and_left_alone(self, server: DemoServer, mirror: Mirror) -> None:
        fill(server, 1)
        mirror.sync()
        path = mirror.state / "ledger.sqlite"
        with sqlite3.connect(path) as database:
            database.execute("PRAGMA user_version = 99")
        database.close()
        with pytest.raises(LedgerError, match="newer"):
            mirror.sync()
        with pytest.raises(LedgerError, match="newer"):
            Ledger.open_readonly(path)

    def test_malformed_it_says_what_to_do(self, server: DemoServer, mirror: Mirror) -> None:
        fill(server, 1)
        mirror.sync()
        for file in mirror.state.glob("ledger.sqlite*"):
            file.write_bytes(b"this is no database" * 100)
        with pytest.raises(LedgerError, match="move it away"):
            mirror.sync()


class TestALostLedger:
    def test_knows_a_folder_again_whose_name_is_too_long_for_the_disk(self, server: DemoServer, mirror: Mirror) -> None:
        server.account.create_mailbox("L" * 240)
        server.account.deliver(wire(LETTER), ["L" * 240])
        mirror.sync()
        before, there = mirror.tree(), server.account.listing()
        shutil.rmtree(mirror.state)
        for _ in range(2):
            assert mirror.sync().problems == []
            assert (mirror.tree(), server.account.listing()) == (before, there)
        assert len(server.account.mailboxes) == 7

    def test_gives_no_two_mailboxes_one_folder(self, server: DemoServer, mirror: Mirror) -> None:
        server.account.create_mailbox("L" * 240)
        server.account.deliver(wire(LETTER), ["L" * 240])
        mirror.sync()
        for marker in mirror.root.glob("*/.jmapsync"):
            marker.unlink()
        shutil.rmtree(mirror.state)
        for _ in range(2):
            assert mirror.sync().problems == []
        assert_mirrored_folders(server, mirror)

    def test_takes_a_copied_folder_for_a_new_one(self, server: DemoServer, mirror: Mirror) -> None:
        server.account.create_mailbox("Foo")
        server.account.deliver(wire(LETTER), ["Foo"])
        mirror.sync()
        shutil.copytree(mirror.root / "Foo", mirror.root / "Copy")
        shutil.rmtree(mirror.state)
        mirror.sync()
        assert_converges(server.account, mirror)
        assert sorted(box.name for box in server.account.mailboxes.values() if box.role is None) == ["Copy", "Foo"]


def assert_mirrored_folders(server: DemoServer, mirror: Mirror) -> None:
    """Fail unless each mailbox has a folder of its own."""
    folders = [one for one in mirror.root.rglob("cur") if one.is_dir()]
    assert len(folders) == len(server.account.mailboxes)
