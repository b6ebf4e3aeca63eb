"""`jmapsync run` through failures: servers that go, disks that go, broken configurations, bursts, and no echo of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import Answer, DemoServer
from jmapsync.demo.sample import fill_sample
from tests.cli.conftest import SECRET
from tests.cli.daemons import PATIENCE, PROMPT, QUIET, running, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Command, Home

LETTER = b"Subject: hello\r\n\r\nhello\r\n"
WRITES = ("Email/set", "Email/import", "Mailbox/set")


@pytest.fixture(autouse=True)
def _in_sync(home: Home) -> None:
    home.configure(more=QUIET)
    home.mail.mkdir()  # a root that the daemon makes is one run more


def holds(home: Home, words: str) -> bool:
    """Return whether a message in INBOX has some words."""
    return bool(found(home, words))


def found(home: Home, words: str) -> list[Path]:
    """Return the messages in INBOX that have some words; the folder need not be there yet."""
    return [file for file in home.mail.glob("INBOX/[cn][ue][rw]/*") if words.encode() in file.read_bytes()]


def welcome(home: Home) -> Path:
    """Return a message that lies in one folder only."""
    (file,) = found(home, "Subject: Welcome")
    return file


def rest(server: DemoServer, seconds: float = 1.5) -> None:
    """Wait until the server has been asked nothing for some time.

    Turns are counted, not seconds: while the machine stands still nothing is asked, and that proves nothing.
    """
    known, quiet = -1, 0
    while quiet < seconds / 0.05:
        quiet = quiet + 1 if known == (known := len(server.requests.http)) else 0
        time.sleep(0.05)


def rest_once_connected(server: DemoServer) -> None:
    """Wait until push is connected, for which there is a run, and then for quiet."""
    wait_for(lambda: server.endpoints.broadcast.listeners)
    rest(server)


def writes(server: DemoServer) -> dict[str, int]:
    return {name: server.requests.count(name) for name in WRITES if server.requests.count(name)}


def stamps(folder: Path) -> dict[Path, int]:
    """Return the directories of a mirror, and when their entries changed last."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_dir() and path.name in {"cur", "new"}}


def flag(file: Path, letters: str) -> Path:
    """Show flags on a message, as a mail program does."""
    return file.rename(file.parent.parent / "cur" / f"{file.name.partition(':2,')[0]}:2,{letters}")


def remote_keywords(server: DemoServer) -> list[frozenset[str]]:
    return [keywords for _, keywords in server.account.listing().values()]


class TestNoEcho:
    def test_a_change_of_the_server_is_written_once_here_and_never_back(self, home: Home, server: DemoServer) -> None:
        with running(home):
            rest_once_connected(server)
            server.requests.clear()
            server.account.deliver(LETTER)
            wait_for(lambda: holds(home, "Subject: hello"))
            shown = stamps(home.mail)
            rest(server)
            assert writes(server) == {}
            assert stamps(home.mail) == shown
            assert len(server.requests.http) <= 2, "a look, and its body"

    def test_an_edit_here_is_written_once_there_and_never_back(self, home: Home, server: DemoServer) -> None:
        with running(home):
            rest_once_connected(server)
            server.requests.clear()
            flag(welcome(home), "FRS")
            shown = stamps(home.mail)
            wait_for(lambda: frozenset({"$flagged", "$answered", "$seen"}) in remote_keywords(server))
            rest(server)
            assert writes(server) == {"Email/set": 1}
            assert stamps(home.mail) == shown
            assert len(server.requests.http) <= 3, "a look, the write, and the look that push of it asks for"

    def test_files_that_are_only_read_ask_nothing(self, home: Home, server: DemoServer) -> None:
        with running(home):
            rest_once_connected(server)
            server.requests.clear()
            assert all(file.read_bytes() for file in home.inbox())
            time.sleep(1)
            assert server.requests.http == []

    def test_a_program_that_works_in_tmp_asks_nothing(self, home: Home, server: DemoServer) -> None:
        with running(home):
            rest_once_connected(server)
            server.requests.clear()
            half = home.mail / "INBOX/tmp/1.half.here"
            half.write_bytes(b"Subject: half")
            time.sleep(1)
            assert server.requests.http == []
            half.unlink()


class TestBursts:
    def test_ten_thousand_files_are_one_run(self, home: Home, server: DemoServer, jmapsync: Command) -> None:
        server.account.populate(10_000, size=200)
        with running(home):
            rest_once_connected(server)
            server.requests.clear()
            runs = json.loads(jmapsync("status", "--json").out)["accounts"]["home"]["daemon"]["looks"]
            for file in home.inbox():
                os.utime(file)
            time.sleep(3)
            after = json.loads(jmapsync("status", "--json").out)["accounts"]["home"]["daemon"]["looks"]
            assert after - runs <= 1
            assert writes(server) == {}

    def test_ten_thousand_flags_set_at_once_are_written_once_each(self, home: Home, server: DemoServer) -> None:
        server.account.populate(10_000, size=200)
        with running(home) as daemon:
            rest_once_connected(server)
            server.requests.clear()
            daemon.send(signal.SIGSTOP)  # or on a busy machine it would begin while files are still renamed
            for file in home.inbox():
                flag(file, "FS")
            daemon.send(signal.SIGCONT)
            wanted = frozenset({"$flagged", "$seen"})
            wait_for(lambda: sum(wanted <= words for words in remote_keywords(server)) >= 10_000)
            rest(server)
            written = [email for call in server.requests.calls("Email/set") for email in call.arguments["update"]]
            assert len(written) == len(set(written))  # in how many requests depends on how fast the server answers


class TestServers:
    def test_one_that_went_and_came_back_is_caught_up_with_by_itself(self, home: Home, server: DemoServer) -> None:
        with running(home) as daemon:
            rest(server)
            port = server.port
            server.stop()
            flag(welcome(home), "FRS")
            daemon.wait_for_log("could not be reached")
            server.account.deliver(LETTER)
            server._wanted_port = port
            server.start()
            wait_for(lambda: holds(home, "Subject: hello"))
            wait_for(lambda: frozenset({"$flagged", "$answered", "$seen"}) in remote_keywords(server))
            wait_for(lambda: "home: in step" in daemon.status)

    def test_one_that_is_away_at_the_start_does_not_keep_the_daemon_from_being_ready(self, home: Home, server: DemoServer) -> None:
        port = server.port
        server.stop()
        with running(home) as daemon:
            daemon.wait_for_log("in trouble")
            server._wanted_port = port
            server.start()
            wait_for(lambda: holds(home, "Welcome"))

    def test_one_that_refuses_the_secret_is_not_asked_again_until_requested(
        self, home: Home, server: DemoServer, jmapsync: Command
    ) -> None:
        home.configure(secret='password_command = "cat secret"', more='[daemon]\npoll = "500ms"\nsettle = "200ms"\n')
        secret = home.path / "secret"
        secret.write_text("wrong\n")
        with running(home) as daemon:
            daemon.wait_for_log("needs sign-in")  # after the second refusal
            time.sleep(0.5)
            asked = len(server.requests.http)
            time.sleep(2)
            assert len(server.requests.http) == asked
            wait_for(lambda: "needs sign-in" in daemon.status)
            next_poll = json.loads(jmapsync("status", "--json").out)["accounts"]["home"]["next_look"]
            assert datetime.fromisoformat(next_poll) > datetime.now(UTC) + timedelta(minutes=30)  # polling pauses too
            assert jmapsync("sync").code == 5

            secret.write_text(f"{SECRET}\n")
            assert jmapsync("sync").code == 0
            server.account.deliver(LETTER)
            wait_for(lambda: holds(home, "Subject: hello"))

    def test_a_secret_that_is_no_longer_accepted_is_reported_and_sighup_tries_the_new_one(
        self, home: Home, server: DemoServer
    ) -> None:
        home.configure(secret='password_command = "cat secret"', more=QUIET)
        secret = home.path / "secret"
        secret.write_text(f"{SECRET}\n")
        with running(home) as daemon:
            rest(server)
            server.credentials.password = "another"
            server.account.deliver(LETTER)
            daemon.wait_for_log("needs sign-in")
            secret.write_text("another\n")
            daemon.send(signal.SIGHUP)
            wait_for(lambda: holds(home, "Subject: hello"))


class TestAccounts:
    @pytest.fixture
    def other(self) -> Iterator[DemoServer]:
        server = DemoServer(user="bob", password=SECRET)
        fill_sample(server.account)
        with server:
            yield server

    def test_one_that_fails_holds_no_other_up(self, home: Home, server: DemoServer, other: DemoServer) -> None:
        work = f'[accounts.work]\nurl = "{other.url}"\nuser = "bob"\nauth = "basic"\npassword_command = "echo {SECRET}"\n'
        home.configure(more=f'{work}[accounts.work.mail]\npath = "~/Work"\n{QUIET}')
        other.faults.answer.arm(Answer.html())
        with running(home) as daemon:
            wait_for(lambda: "work: in trouble" in daemon.status)
            server.account.deliver(LETTER)
            wait_for(lambda: holds(home, "Subject: hello"))
            wait_for(lambda: "home: in step" in daemon.status)


class TestConfigurations:
    def test_an_invalid_one_is_reported_and_the_old_one_stays_until_it_is_fixed(self, home: Home, server: DemoServer) -> None:
        with running(home) as daemon:
            rest(server)
            whole = home.config.read_text()
            home.config.write_text(f"{whole}\npol = 3\n")
            daemon.send(signal.SIGHUP)
            daemon.wait_for_log("was not changed")
            assert "pol" in daemon.log
            wait_for(lambda: "The configuration was not changed: " in daemon.status)
            server.account.deliver(LETTER)
            wait_for(lambda: holds(home, "Subject: hello"))

            home.config.write_text(f'{whole}[hooks]\nafter_sync = "touch hooked"\n')
            daemon.send(signal.SIGHUP)
            daemon.wait_for_log("was read again")
            server.account.deliver(LETTER)
            wait_for((home.path / "hooked").exists)
            wait_for(lambda: "was not changed" not in daemon.status)

    def test_many_reloads_at_once_leave_one_loop_per_account(self, home: Home, server: DemoServer) -> None:
        with running(home) as daemon:
            whole = home.config.read_text()
            for number in range(30):
                home.config.write_text(whole.replace("200ms", f"{200 + number}ms"))
                daemon.send(signal.SIGHUP)
                time.sleep(0.02)
            daemon.wait_for_log("was read again")
            server.account.deliver(LETTER)
            wait_for(lambda: holds(home, "Subject: hello"))
            rest(server)
            assert "Another jmapsync" not in daemon.log
            assert "never retrieved" not in daemon.log

    def test_one_that_is_broken_at_the_start_ends_it_with_2(self, home: Home) -> None:
        home.configure(more="[daemon]\npol = 3\n")
        with running(home, ready=False) as daemon:
            assert daemon.process.wait(PATIENCE) == 2
            assert "pol" in daemon.log


class TestDisks:
    @pytest.fixture
    def mount(self, home: Home) -> Iterator[Callable[[str], None]]:
        """Mount a file system of some options at the root of the mail."""

        def mount(options: str) -> None:
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "jmapsync-test", home.mail], check=True)

        yield mount
        while os.path.ismount(home.mail):
            subprocess.run(["umount", "--lazy", home.mail], check=True)

    def test_a_root_that_is_unmounted_deletes_nothing_and_is_synchronized_again(
        self, home: Home, server: DemoServer, mount: Callable[[str], None]
    ) -> None:
        mount("size=64m")
        before = server.account.listing()
        with running(home) as daemon:
            rest(server)
            subprocess.run(["cp", "-a", home.mail, home.path / "kept"], check=True)
            subprocess.run(["umount", home.mail], check=True)
            wait_for(lambda: "suspended" in daemon.status)
            server.account.deliver(LETTER)
            rest(server)
            assert {ref: server.account.listing()[ref] for ref in before} == before
            assert list(home.mail.iterdir()) == []

            time.sleep(1)
            mount("size=64m")
            # The daemon makes folders during the copy.
            shutil.copytree(home.path / "kept", home.mail, symlinks=True, dirs_exist_ok=True)
            wait_for(lambda: holds(home, "Subject: hello"))
            wait_for(lambda: "home: in step" in daemon.status)
        assert len(server.account.listing()) == len(before) + 1

    def test_a_full_disk_is_reported_and_freed_room_is_used(
        self, home: Home, server: DemoServer, mount: Callable[[str], None]
    ) -> None:
        mount("size=4m")
        with running(home) as daemon:
            rest(server)
            filler = home.mail / "filler"
            assert subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=4k"], check=False, capture_output=True).returncode
            server.account.deliver(LETTER + b"x" * 100_000)
            daemon.wait_for_log("No space left")
            filler.unlink()
            wait_for(lambda: holds(home, "Subject: hello"))
            wait_for(lambda: "home: in step" in daemon.status)


class TestEnding:
    def test_while_the_secret_is_still_to_be_had_takes_no_time(self, home: Home) -> None:
        home.configure(secret='password_command = "sleep 30"', more=QUIET)
        with running(home, ready=False) as daemon:
            wait_for((home.state / "ledger.sqlite").exists)
            time.sleep(0.5)
            assert daemon.end() < PROMPT

    def test_while_the_server_hangs_takes_no_time(self, home: Home, server: DemoServer) -> None:
        with running(home) as daemon:
            rest(server)
            server.faults.latency.arm(60.0)
            server.account.deliver(LETTER)
            time.sleep(1)
            assert daemon.end() < PROMPT

    def test_while_a_name_is_looked_up_by_a_thread_that_cannot_be_ended_takes_no_time(self, home: Home) -> None:
        site = home.path / "site"
        site.mkdir()
        (site / "sitecustomize.py").write_text("import socket, time\nsocket.getaddrinfo = lambda *_, **__: time.sleep(60)\n")
        home.configure(url="https://mail.example/jmap", more=QUIET)
        with running(home, ready=False, environment={"PYTHONPATH": str(site)}) as daemon:
            wait_for((home.state / "ledger.sqlite").exists)
            time.sleep(0.5)
            assert daemon.end() < PROMPT

    def test_in_the_middle_of_a_first_pull_loses_nothing(self, home: Home, server: DemoServer, jmapsync: Command) -> None:
        server.account.populate(5_000, size=500)
        with running(home, ready=False) as daemon:
            wait_for(lambda: len(list(home.mail.glob("INBOX/new/*"))) > 100)
            assert daemon.end() < PROMPT
        assert jmapsync("sync").code == 0
        assert len(home.inbox()) == 5_006
        assert jmapsync("sync").out.startswith("home mail: nothing to do")


class TestTwoDaemons:
    def test_the_second_takes_neither_the_account_nor_its_socket_away(
        self, home: Home, server: DemoServer, jmapsync: Command
    ) -> None:
        with running(home):
            rest(server)
            with running(home) as second:
                assert "in trouble" in second.log
            server.account.deliver(LETTER)
            wait_for(lambda: holds(home, "Subject: hello"))
            assert jmapsync("sync").code == 0
