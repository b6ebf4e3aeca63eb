"""What may be a disaster is suspended as a whole: exit 4, nothing written on either side, one message that says what to do."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from jmapsync.demo import DemoServer
from jmapsync.errors import ExitCode, SuspendedError
from jmapsync.sync.ingest import Ingester
from tests.kit.mirror import Mirror

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jmapsync.sync.report import KindReport

COUNT = 60
WRITES = ("Email/set", "Email/import", "Mailbox/set", "upload")


@pytest.fixture
def server() -> Iterator[DemoServer]:
    with DemoServer() as found:
        for number in range(COUNT):
            folder = "Archive" if number % 2 else "INBOX"
            found.account.deliver(f"Subject: {number}\r\n\r\nbody {number}\r\n".encode(), [folder])
        yield found


@pytest.fixture
def mirror(server: DemoServer, tmp_path: Path) -> Mirror:
    found = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
    found.sync()
    return found


def assert_suspended(server: DemoServer, mirror: Mirror, **options: bool) -> KindReport:
    """Synchronise and fail unless the run was suspended with nothing written."""
    before, there = mirror.tree(), server.account.listing()
    server.requests.clear()
    report = mirror.sync(**options)
    assert (report.state.value, report.exit_code) == ("suspended", ExitCode.SUSPENDED), report.messages
    assert len(report.messages) == 1
    assert [name for name in WRITES if server.requests.count(name)] == []
    assert (mirror.tree(), server.account.listing()) == (before, there)
    return report


class TestAMassDelete:
    def test_here_is_suspended(self, server: DemoServer, mirror: Mirror) -> None:
        for file in mirror.files()[:40]:
            file.unlink()
        report = assert_suspended(server, mirror)
        assert "40 of 60" in report.messages[0]
        assert "--allow-deletes" in report.messages[0]

    def test_on_the_server_is_suspended(self, server: DemoServer, mirror: Mirror) -> None:
        for ref in list(server.account.emails)[:40]:
            server.account.destroy(ref)
        report = assert_suspended(server, mirror)
        assert "on disk" in report.messages[0]

    def test_below_either_limit_goes_through(self, server: DemoServer, mirror: Mirror) -> None:
        for file in mirror.files()[:12]:
            file.unlink()
        assert mirror.sync().to_server.deleted == 12

    def test_that_is_a_move_goes_through(self, server: DemoServer, mirror: Mirror) -> None:
        for file in mirror.files("INBOX"):
            file.rename(mirror.root / "Junk" / "cur" / f"{file.name}:2,S")
        assert mirror.sync().exit_code == ExitCode.IN_SYNC
        assert mirror.files("INBOX") == []

    def test_does_not_hold_up_marking_everything_as_read(self, server: DemoServer, mirror: Mirror) -> None:
        for file in mirror.files():
            mirror.flag(file, "S")
        assert mirror.sync().to_server.updated == COUNT


class TestAllowDeletes:
    def test_lets_exactly_the_plan_through_that_was_shown(self, server: DemoServer, mirror: Mirror) -> None:
        for file in mirror.files()[:40]:
            file.unlink()
        assert_suspended(server, mirror)
        report = mirror.sync(allow_deletes=True)
        assert report.exit_code == ExitCode.IN_SYNC
        assert report.to_server.deleted == 40
        assert len(mirror.files("Trash")) == 40

    def test_lets_no_other_plan_through(self, server: DemoServer, mirror: Mirror) -> None:
        files = mirror.files()
        for file in files[:40]:
            file.unlink()
        assert_suspended(server, mirror)
        files[40].unlink()
        report = assert_suspended(server, mirror, allow_deletes=True)
        assert "not the plan" in report.messages[0]
        assert mirror.sync(allow_deletes=True).to_server.deleted == 41

    def test_is_used_up_by_one_run(self, server: DemoServer, mirror: Mirror) -> None:
        for file in mirror.files("INBOX"):
            file.unlink()
        assert_suspended(server, mirror)
        mirror.sync(allow_deletes=True)
        for file in mirror.files("Archive"):
            file.unlink()
        assert_suspended(server, mirror)

    def test_without_a_plan_shown_before_shows_it_first(self, server: DemoServer, mirror: Mirror) -> None:
        for file in mirror.files("INBOX"):
            file.unlink()
        assert_suspended(server, mirror, allow_deletes=True)

    def test_is_forgotten_when_the_files_are_put_back(self, server: DemoServer, mirror: Mirror, tmp_path: Path) -> None:
        shutil.copytree(mirror.root, tmp_path / "copy")
        for file in mirror.files("INBOX"):
            file.unlink()
        assert_suspended(server, mirror)
        shutil.copytree(tmp_path / "copy", mirror.root, dirs_exist_ok=True)
        assert mirror.sync().exit_code == ExitCode.IN_SYNC
        assert len(server.account.emails) == COUNT


class TestARootThatIsNotThere:
    def test_an_unmounted_root(self, server: DemoServer, mirror: Mirror, tmp_path: Path) -> None:
        mirror.root.rename(tmp_path / "elsewhere")
        server.requests.clear()
        report = mirror.sync()
        assert report.exit_code == ExitCode.SUSPENDED
        assert "nothing is deleted" in report.messages[0]
        assert server.requests.count("http") == 0 or not any(server.requests.count(name) for name in WRITES)
        assert not mirror.root.exists()
        (tmp_path / "elsewhere").rename(mirror.root)
        assert mirror.sync().to_disk.total == 0

    def test_an_empty_folder_in_place_of_the_root(self, server: DemoServer, mirror: Mirror) -> None:
        shutil.rmtree(mirror.root)
        mirror.root.mkdir()
        assert mirror.sync().exit_code == ExitCode.SUSPENDED
        assert list(mirror.root.iterdir()) == []
        assert len(server.account.emails) == COUNT

    def test_a_root_of_another_account(self, server: DemoServer, mirror: Mirror, tmp_path: Path) -> None:
        other = Mirror(server.url, "demo", "demo", mirror.root, tmp_path / "other")
        (mirror.root / ".jmapsync").write_text('{"account": "someone", "kind": "mail", "id": "x"}')
        assert other.sync().exit_code == ExitCode.SUSPENDED


class TestAFolderThatIsGone:
    def test_with_its_few_messages_is_suspended(self, server: DemoServer, tmp_path: Path) -> None:
        server.account.create_mailbox("Small")
        server.account.deliver(b"Subject: alone\r\n\r\nbody\r\n", ["Small"])
        mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
        mirror.sync()
        shutil.rmtree(mirror.root / "Small")
        report = assert_suspended(server, mirror)
        assert "Small" in report.messages[0]
        assert_suspended(server, mirror)
        assert mirror.sync(allow_deletes=True).to_server.deleted == 1

    def test_emptied_of_many_is_suspended_although_the_account_is_large(self, server: DemoServer, tmp_path: Path) -> None:
        for number in range(300):
            server.account.deliver(f"Subject: sent {number}\r\n\r\nbody\r\n".encode(), ["Sent"])
        mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
        mirror.sync()
        for file in mirror.files("INBOX"):
            file.unlink()
        assert_suspended(server, mirror)

    def test_every_message_at_once_is_suspended_even_of_a_small_account(self, tmp_path: Path) -> None:
        with DemoServer() as server:
            for number in range(5):
                server.account.deliver(f"Subject: {number}\r\n\r\nbody\r\n".encode())
            mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
            mirror.sync()
            for file in mirror.files():
                file.unlink()
            assert_suspended(server, mirror)
            assert mirror.sync(allow_deletes=True).to_server.deleted == 5


class TestAnotherAccount:
    def test_a_replaced_account_is_not_synchronised(self, server: DemoServer, mirror: Mirror, tmp_path: Path) -> None:
        before = mirror.tree()
        with DemoServer(account_id="b2") as other:
            mirror.url, mirror.session = other.url, None
            with pytest.raises(SuspendedError, match="b2"):
                mirror.sync()
        assert mirror.tree() == before

    @pytest.mark.parametrize("dialect", ["cyrus36", "cyrus312"])
    @pytest.mark.parametrize("full", [False, True])
    def test_a_server_restored_from_an_older_backup(self, tmp_path: Path, dialect: str, full: bool) -> None:
        with DemoServer(dialect=dialect) as server:
            server.account.deliver(b"Subject: early\r\n\r\nbody\r\n")
            backup = server.account.snapshot()
            mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
            for number in range(3):
                server.account.deliver(f"Subject: late {number}\r\n\r\nbody\r\n".encode())
            mirror.sync()
            server.account.restore(backup)
            report = assert_suspended(server, mirror, full=full)
            assert "restored backup" in report.messages[0]
            assert_suspended(server, mirror)
            mirror.sync(allow_deletes=True)
            assert len(mirror.files()) == 1


def test_marking_very_many_as_read_is_allowed_but_emptying_the_trash_is_suspended(tmp_path: Path) -> None:
    with DemoServer() as server:
        server.account.populate(3000, mailboxes=("INBOX", "Trash"), size=200)
        mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
        mirror.sync()
        for file in mirror.files("INBOX"):
            mirror.flag(file, "S")
        assert mirror.sync().exit_code == ExitCode.IN_SYNC
        trashed = mirror.files("Trash")
        for file in trashed:
            file.unlink()
        report = mirror.sync()
        assert report.exit_code == ExitCode.SUSPENDED
        assert f"{len(trashed):,} of" in report.messages[0]
        assert mirror.sync(allow_deletes=True).to_server.deleted == len(trashed)
        assert len(server.account.emails) == 3000 - len(trashed)


def test_a_run_that_is_stopped_in_the_middle_of_a_listing_leaves_nothing_for_the_event_loop_to_report(
    server: DemoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The next page is under way then."""
    server.limits.max_objects_in_get = 10
    mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
    reason = SuspendedError("This is another server.", advice="Ask.")
    monkeypatch.setattr(Ingester, "ingest_server_items", mock.Mock(side_effect=reason))
    assert_suspended(server, mirror)
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []
