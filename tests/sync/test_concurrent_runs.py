"""Two runs, two clients, dry runs, mass edits, and how few requests they take."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import DemoServer
from jmapsync.errors import BusyError, ExitCode
from jmapsync.ledger import AccountLock
from jmapsync.sync.report import Counts
from tests.contract.peer import message
from tests.kit.mirror import Mirror, assert_converges, assert_mirrored

if TYPE_CHECKING:
    from pathlib import Path

WRITES = ("Email/set", "Email/import", "Mailbox/set", "upload")


@pytest.fixture
def full(server: DemoServer, mirror: Mirror) -> DemoServer:
    """Offer a server with sixty mirrored messages in three mailboxes."""
    server.account.populate(60, mailboxes=("INBOX", "Archive", "Sent"))
    assert_converges(server.account, mirror)
    return server


def picture(*folders: Path) -> dict[str, tuple[int, int, str]]:
    """Return every file below some folders with its inode, mtime and digest."""
    found = {}
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            state = file.lstat()
            digest = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
            found[str(file)] = (state.st_ino, state.st_mtime_ns, digest)
    return found


def edit_everything(server: DemoServer, mirror: Mirror) -> None:
    """Do one act of every kind on each side, to different messages."""
    files, ids = mirror.files("INBOX"), list(server.account.emails)
    mirror.flag(files[0], "FS")
    files[1].unlink()
    files[2].rename(mirror.folder("Drafts") / "cur" / f"{files[2].name.partition(':2,')[0]}:2,D")
    os.link(files[3], mirror.folder("Junk") / "cur" / files[3].name)
    mirror.drop("INBOX", message().replace(b"\r\n", b"\n"))
    (mirror.folder("Made here") / "cur").mkdir(parents=True)
    server.account.set_keyword(ids[1], "work")
    server.account.destroy(ids[4])
    server.account.move(ids[7], "Archive", "Trash")
    server.account.deliver(message(), ["Sent"])
    server.account.create_mailbox("Made there")
    server.account.rename_mailbox("Junk", "Spam")


def step(line: str) -> tuple[str, str]:
    """Return the verb and the side of a line of a dry run."""
    does = line.partition(": ")[0]
    return " ".join(does.split()[: 2 if does.split()[1] == "folder" else 1]), does.split()[-1]


class TestTwoRuns:
    def test_a_second_run_learns_who_is_at_work(self, server: DemoServer, mirror: Mirror) -> None:
        mirror.sync()
        with AccountLock(mirror.state / "lock", "test"), pytest.raises(BusyError, match=r"process \d+"):
            mirror.sync()
        assert mirror.sync().exit_code == ExitCode.IN_SYNC

    def test_a_second_run_at_the_same_time_learns_that_it_is_busy(self, full: DemoServer, mirror: Mirror) -> None:
        with AccountLock(mirror.state / "lock", "other"), pytest.raises(BusyError) as reported:
            mirror.sync()
        assert reported.value.exit_code == ExitCode.BUSY
        assert_converges(full.account, mirror)

    def test_a_lock_left_by_a_process_that_died_holds_nobody_up(self, full: DemoServer, mirror: Mirror) -> None:
        holding = (
            "import os, sys, pathlib; from jmapsync.ledger import AccountLock;"
            " AccountLock(pathlib.Path(sys.argv[1]), 'dead').__enter__(); print('held', flush=True); os.kill(os.getpid(), 9)"
        )
        done = subprocess.run(
            [sys.executable, "-c", holding, mirror.state / "lock"], capture_output=True, text=True, timeout=90, check=False
        )
        assert (done.returncode, done.stdout) == (-9, "held\n")
        assert_converges(full.account, mirror)

    def test_runs_that_start_together_do_the_work_once(self, full: DemoServer, mirror: Mirror) -> None:
        for _ in range(5):
            mirror.drop("INBOX", message().replace(b"\r\n", b"\n"))
        full.faults.latency.arm(0.05)
        codes: list[ExitCode] = []
        twins = [Mirror(mirror.url, "demo", "demo", mirror.root, mirror.state) for _ in range(4)]
        threads = [threading.Thread(target=lambda twin=twin: codes.append(twin.run_whatever_comes())) for twin in twins]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        full.faults.clear()
        assert set(codes) <= {ExitCode.IN_SYNC, ExitCode.BUSY}
        assert ExitCode.IN_SYNC in codes
        assert_converges(full.account, mirror)
        assert len(full.account.emails) == 65


class TestTwoClients:
    def test_two_mirrors_of_one_account_with_edits_in_both(self, full: DemoServer, mirror: Mirror, tmp_path: Path) -> None:
        other = Mirror(mirror.url, "demo", "demo", tmp_path / "other", tmp_path / "other-state")
        assert_converges(full.account, other)
        edit_everything(full, mirror)
        for file in other.files("Archive")[:5]:
            other.flag(file, "FR")
        other.files("Sent")[0].unlink()
        other.drop("Archive", message().replace(b"\r\n", b"\n"))
        for one in (mirror, other, mirror, other):
            assert one.sync().problems == []
        assert_converges(full.account, mirror)
        assert_converges(full.account, other)
        assert mirror.tree() == other.tree()

    def test_two_mirrors_at_the_very_same_time(self, full: DemoServer, mirror: Mirror, tmp_path: Path) -> None:
        other = Mirror(mirror.url, "demo", "demo", tmp_path / "other", tmp_path / "other-state")
        assert_converges(full.account, other)
        for number in range(4):
            for one, letters in ((mirror, "F"), (other, "R")):
                for file in one.files("INBOX")[number::3]:
                    one.flag(file, "".join(sorted(set(file.name.partition(":2,")[2]) | set(letters))))
                moved = one.files("Archive")[number]
                moved.rename(one.folder("Drafts" if one is mirror else "Junk") / "cur" / moved.name)
                one.drop("Sent", message().replace(b"\r\n", b"\n"))
            threads = [threading.Thread(target=one.run_whatever_comes) for one in (mirror, other)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        for one in (mirror, other, mirror, other):
            assert one.sync().problems == []
        assert_converges(full.account, mirror)
        assert_converges(full.account, other)
        assert len(full.account.emails) == 68


class TestDryRuns:
    def test_a_dry_run_reports_what_a_run_does_and_writes_nothing(self, full: DemoServer, mirror: Mirror) -> None:
        edit_everything(full, mirror)
        before, there = picture(mirror.root, mirror.state), full.account.listing()
        full.requests.clear()
        reported = mirror.sync(dry=True)
        assert {name: full.requests.count(name) for name in WRITES} == dict.fromkeys(WRITES, 0)
        assert (picture(mirror.root, mirror.state), full.account.listing()) == (before, there)
        assert reported.exit_code == ExitCode.IN_SYNC
        assert all(line.partition(": ")[2] for line in reported.messages)
        done = mirror.sync()
        steps = Counter(step(line) for line in reported.messages)
        # Only that what goes to Trash comes back into the folder of that name is not foreseen.
        assert done.to_disk == Counts(steps["create", "disk"] + 1, steps["update", "disk"], steps["delete", "disk"])
        assert done.to_server == Counts(steps["create", "server"], steps["update", "server"], steps["delete", "server"])
        assert done.folders.total == sum(count for (verb, _), count in steps.items() if verb.endswith(" folder"))
        assert_converges(full.account, mirror)

    def test_a_dry_run_of_nothing_to_do_says_nothing(self, full: DemoServer, mirror: Mirror) -> None:
        before = picture(mirror.root, mirror.state)
        assert (mirror.sync(dry=True).messages, mirror.requests) == ([], 1)
        assert picture(mirror.root, mirror.state) == before

    def test_a_dry_run_of_a_suspended_plan_does_not_use_up_the_permission(self, full: DemoServer, mirror: Mirror) -> None:
        for file in [*mirror.files("INBOX"), *mirror.files("Archive")]:
            file.unlink()
        assert mirror.sync(dry=True).exit_code == ExitCode.SUSPENDED
        assert mirror.sync().exit_code == ExitCode.SUSPENDED
        assert mirror.sync(dry=True, allow_deletes=True).exit_code == ExitCode.IN_SYNC
        assert mirror.sync().exit_code == ExitCode.SUSPENDED
        assert mirror.sync(allow_deletes=True).to_server.deleted == 40
        assert_converges(full.account, mirror)

    def test_a_dry_run_does_not_wait_for_a_run(self, full: DemoServer, mirror: Mirror) -> None:
        full.account.deliver(message())
        with AccountLock(mirror.state / "lock", "daemon"):
            assert len(mirror.sync(dry=True).messages) == 1


class TestFewRequests:
    def test_nothing_to_do_takes_one_request_in_every_further_run(self, full: DemoServer, mirror: Mirror) -> None:
        counts = []
        for _ in range(4):
            mirror.sync()
            counts.append(mirror.requests)
        assert counts == [1, 1, 1, 1]

    @pytest.mark.parametrize("dialect", ["cyrus36", "cyrus312"])
    def test_a_thousand_flags_set_here_take_at_most_three_requests(self, dialect: str, tmp_path: Path) -> None:
        with DemoServer(dialect=dialect) as server:
            mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
            server.account.populate(1000, size=300)
            mirror.sync()
            mirror.sync()
            for file in mirror.files("INBOX"):
                mirror.flag(file, "FRS")
            report = mirror.sync()
            assert (report.to_server.updated, mirror.requests <= 3) == (1000, True)
            assert_mirrored(server.account, mirror)

    def test_one_flag_set_here_takes_two_requests(self, full: DemoServer, mirror: Mirror) -> None:
        mirror.flag(mirror.files("INBOX")[0], "FRS")
        assert mirror.sync().to_server.updated == 1
        assert mirror.requests == 2
        assert_mirrored(full.account, mirror)

    def test_a_thousand_flags_set_there_take_one_request(self, tmp_path: Path) -> None:
        with DemoServer(dialect="cyrus312") as server:
            mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
            server.account.populate(1000, size=300)
            assert_converges(server.account, mirror)
            for email in list(server.account.emails):
                server.account.set_keyword(email, "$answered")
            assert (mirror.sync().to_disk.updated, mirror.requests) == (1000, 1)
            assert_mirrored(server.account, mirror)

    def test_a_mass_edit_on_purpose_goes_through_and_a_mass_delete_explains_itself(self, full: DemoServer, mirror: Mirror) -> None:
        for file in mirror.files():
            mirror.flag(file, "S")
        assert_converges(full.account, mirror)
        for file in mirror.files("INBOX") + mirror.files("Archive"):
            file.unlink()
        report = mirror.sync()
        assert report.exit_code == ExitCode.SUSPENDED
        assert "40 of 60" in report.messages[0]
        assert "--allow-deletes" in report.messages[0]
        assert mirror.sync(allow_deletes=True).exit_code == ExitCode.IN_SYNC
        assert_converges(full.account, mirror)
        assert full.account.mailbox("Trash").total == 40
