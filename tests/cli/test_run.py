"""`jmapsync run`: what it reports to systemd and to users, how `sync` and `status` use it, hooks and triggers."""

from __future__ import annotations

import json
import signal
import stat
import sys
import time
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import Answer
from tests.cli.conftest import SECRET
from tests.cli.daemons import QUIET, running, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.demo import DemoServer
    from tests.cli.conftest import Command, Home
    from tests.cli.daemons import Daemon

LETTER = b"Subject: hello\r\n\r\nhello\r\n"


@pytest.fixture(autouse=True)
def _in_sync(home: Home) -> None:
    home.configure(more=QUIET)


def here(home: Home, words: str = "Subject: hello") -> list[Path]:
    """Return the messages in INBOX that have some words; the folder need not be there yet."""
    return [file for file in home.mail.glob("INBOX/[cn][ue][rw]/*") if words.encode() in file.read_bytes()]


def live(jmapsync: Command) -> dict[str, object]:
    """Return the state that the daemon reports; nothing while none answers."""
    reported: dict[str, object] | None = json.loads(jmapsync("status", "--json").out)["accounts"]["home"]["daemon"]
    return reported or {}


def delete_at_once(daemon: Daemon, files: list[Path]) -> None:
    """Delete files of a daemon that is stopped for that: a pause in the middle would have it delete the first of them alone."""
    daemon.send(signal.SIGSTOP)
    for file in files:
        file.unlink()
    daemon.send(signal.SIGCONT)


class TestTheServiceManager:
    def test_is_ready_only_after_the_first_run(self, home: Home, server: DemoServer) -> None:
        server.faults.latency.arm(0.3)
        with running(home, ready=False) as daemon:
            wait_for(lambda: "home: " in daemon.status)
            assert not daemon.notified("READY=1")
            daemon.wait_until_ready()
            assert len(here(home, "Welcome")) == 1

    def test_shows_the_state_in_plain_words(self, home: Home, server: DemoServer) -> None:
        with running(home) as daemon:
            wait_for(lambda: daemon.status == "home: in step")
            server.faults.answer.arm(Answer.html())
            server.account.deliver(LETTER)
            wait_for(lambda: "home: in trouble, trying again" in daemon.status)

    def test_gets_its_signs_of_life_and_hears_of_reloads_and_the_end(self, home: Home) -> None:
        with running(home, environment={"WATCHDOG_USEC": "600000"}) as daemon:
            wait_for(lambda: daemon.reported.count("WATCHDOG=1") >= 3)
            daemon.send(signal.SIGHUP)
            wait_for(lambda: daemon.notified("RELOADING=1") and daemon.reported.count("READY=1") == 2)
            assert daemon.notified("MONOTONIC_USEC=")
            daemon.end()
            wait_for(lambda: daemon.notified("STOPPING=1"))

    def test_that_is_not_there_is_not_missed(self, home: Home) -> None:
        with running(home, ready=False, environment={"NOTIFY_SOCKET": "/nowhere/at/all"}):
            wait_for(lambda: here(home, "Welcome"))


class TestTheLog:
    def test_is_quiet_while_nothing_goes_wrong(self, home: Home, server: DemoServer) -> None:
        with running(home) as daemon:
            time.sleep(1.5)
            before = len(daemon.log.splitlines())
            for number in range(5):
                server.account.deliver(LETTER)
                wait_for(lambda number=number: len(here(home)) == number + 1)  # type: ignore[misc]
            time.sleep(1)
            assert [line for line in daemon.log.splitlines()[before:] if "created here" not in line] == []


class TestSync:
    def test_is_done_by_the_daemon_and_reported_as_ever(self, home: Home, server: DemoServer, jmapsync: Command) -> None:
        home.configure(more='[daemon]\npush = false\npoll = "1h"\nsettle = "60s"\n')
        home.mail.mkdir()  # a root that appears begins a run
        with running(home) as daemon:
            server.account.deliver(LETTER)
            done = jmapsync("sync")
            assert (done.code, done.err) == (0, "")
            assert done.out.startswith("home mail: 1 created here")
            assert len(here(home)) == 1
            assert "1 created here" in daemon.log

            reported = json.loads(jmapsync("sync", "--full", "--json").out)
            assert reported["ok"] is True
            mail = reported["accounts"]["home"]["kinds"]["mail"]
            assert (mail["state"], mail["to_disk"]) == ("synced", {"created": 0, "updated": 0, "deleted": 0})
            assert reported["accounts"]["home"]["requests"] >= 1

    def test_that_is_dry_is_done_without_it(self, home: Home, server: DemoServer, jmapsync: Command) -> None:
        home.configure(more='[daemon]\npush = false\npoll = "1h"\nsettle = "60s"\n')
        home.mail.mkdir()  # a root that appears begins a run
        with running(home):
            server.account.deliver(LETTER)
            assert len(jmapsync("sync", "--dry-run").out.splitlines()) == 1
            assert here(home) == []

    def test_lets_through_what_the_daemon_suspended_and_nothing_else_does(
        self, home: Home, server: DemoServer, jmapsync: Command
    ) -> None:
        server.account.populate(60)
        with running(home) as daemon:
            delete_at_once(daemon, home.inbox()[:50])
            wait_for(lambda: "home: suspended" in daemon.status)
            held = len(server.account.listing())
            assert jmapsync("sync").code == 4
            server.account.deliver(LETTER)
            time.sleep(1)
            assert len(server.account.listing()) == held + 1
            wait_for(lambda: "home: suspended" in daemon.status)

            assert jmapsync("sync", "--allow-deletes").code == 0
            wait_for(lambda: "home: in step" in daemon.status)
            assert len(here(home)) == 1

    def test_of_one_kind_reports_no_other_and_allows_no_deletions_of_another(
        self, home: Home, server: DemoServer, jmapsync: Command
    ) -> None:
        home.configure(more=f'[accounts.home.contacts]\npath = "~/contacts"\n{QUIET}')
        server.account.populate(60)
        with running(home) as daemon:
            delete_at_once(daemon, home.inbox()[:50])
            wait_for(lambda: "home: suspended" in daemon.status)
            held = len(server.account.listing())
            reported = json.loads(jmapsync("sync", "--kind", "contacts", "--allow-deletes", "--json").out)
            assert list(reported["accounts"]["home"]["kinds"]) == ["contacts"]
            assert reported["ok"] is True
            assert len(server.account.listing()) == held
            wait_for(lambda: "home: suspended" in daemon.status)

    def test_of_a_dead_daemon_s_account_needs_no_daemon(self, home: Home, jmapsync: Command) -> None:
        with running(home) as daemon:
            daemon.process.kill()
            daemon.process.wait()
        assert (home.state / "control.sock").exists()
        assert jmapsync("sync").code == 0
        with running(home):
            assert jmapsync("status").code == 0

    def test_reaches_the_daemon_by_a_socket_that_is_its_owner_s_alone(self, home: Home) -> None:
        with running(home):
            assert stat.S_IMODE((home.state / "control.sock").stat().st_mode) == 0o600
            assert stat.S_IMODE(home.state.stat().st_mode) == 0o700
        assert not (home.state / "control.sock").exists()


class TestStatus:
    def test_shows_what_the_daemon_does(self, home: Home, jmapsync: Command) -> None:
        with running(home):
            for words in ("daemon: in step", "push: eventsource, connected", "disk: inotify", "next poll: "):
                wait_for(lambda words=words: words in jmapsync("status").out)  # type: ignore[misc]
        assert "daemon" not in jmapsync("status").out

    def test_shows_a_first_pull_under_way(self, home: Home, server: DemoServer, jmapsync: Command) -> None:
        server.account.populate(3_000, size=500)
        server.faults.latency.arm(1.0)
        with running(home, ready=False):
            wait_for(lambda: "fetching mail " in jmapsync("status").out)  # before that it lists


class TestTriggers:
    def test_polling_needs_no_trigger(self, home: Home, server: DemoServer) -> None:
        home.configure(more='[daemon]\npush = false\npoll = "500ms"\nsettle = "200ms"\n')
        with running(home):
            server.account.deliver(LETTER)
            wait_for(lambda: here(home))

    def test_a_full_sync_needs_no_trigger(self, home: Home, server: DemoServer) -> None:
        home.configure(more='[daemon]\npush = false\npoll = "1h"\nfull = "1s"\nsettle = "200ms"\n')
        with running(home):
            time.sleep(0.5)
            server.requests.clear()
            wait_for(lambda: server.requests.count("Email/query"))

    def test_being_stopped_for_a_while_causes_one_run(self, home: Home, server: DemoServer, jmapsync: Command) -> None:
        with running(home) as daemon:
            time.sleep(1.5)
            runs = live(jmapsync)["looks"]
            assert isinstance(runs, int)
            daemon.send(signal.SIGSTOP)
            server.account.deliver(LETTER)
            for number in range(20):
                (home.mail / f"INBOX/cur/1.{number}.dropped.here:2,S").write_bytes(b"Subject: mine %d\n\nmine\n" % number)
            time.sleep(3)
            daemon.send(signal.SIGCONT)
            wait_for(lambda: len(here(home)) == 1 and len(server.account.listing()) == 12 + 1 + 20)
            time.sleep(1)
            after = live(jmapsync)["looks"]
            assert isinstance(after, int)
            assert after - runs <= 4, "one for push, one for the disk, and one for the echo of each"


class TestHooks:
    def test_run_once_for_a_change_even_if_they_touch_the_mail_as_notmuch_does(self, home: Home, server: DemoServer) -> None:
        hook = (
            "echo $JMAPSYNC_ACCOUNT:$JMAPSYNC_KINDS >> hooked; for f in Mail/INBOX/new/*; do mv $f Mail/INBOX/cur/${f##*/}:2,; done"
        )
        home.configure(more=f"{QUIET}[hooks]\nafter_sync = '{hook}'\n")
        hooked = home.path / "hooked"
        with running(home):
            wait_for(hooked.exists)
            time.sleep(2)
            first = len(hooked.read_text().splitlines())
            server.account.deliver(LETTER)
            wait_for(lambda: len(hooked.read_text().splitlines()) > first)
            wait_for(lambda: list(home.mail.glob("INBOX/new/*")) == [])
            time.sleep(2)
            assert hooked.read_text().splitlines()[first:] == ["home:mail"]
            assert first == 1

    def test_that_synchronise_themselves_end(self, home: Home, server: DemoServer) -> None:
        program = f"{sys.executable} -c 'from jmapsync.cli import main; main()' sync"
        home.configure(more=f'{QUIET}[hooks]\nafter_sync = "echo x >> hooked; {program} && echo done >> hooked"\n')
        hooked = home.path / "hooked"
        with running(home):
            wait_for(lambda: hooked.exists() and "done" in hooked.read_text())
            time.sleep(2)
            assert hooked.read_text().splitlines() == ["x", "done"]

    def test_do_not_run_when_nothing_changed(self, home: Home, jmapsync: Command) -> None:
        jmapsync("sync")
        home.configure(more=f'{QUIET}[hooks]\nafter_sync = "echo x >> hooked"\n')
        with running(home):
            assert jmapsync("sync").code == 0
            time.sleep(1)
        assert not (home.path / "hooked").exists()

    def test_on_success_runs_once_an_interval(self, home: Home, jmapsync: Command) -> None:
        home.configure(more=f'{QUIET}[hooks]\non_success = "echo x >> succeeded"\n')
        succeeded = home.path / "succeeded"
        with running(home):
            wait_for(succeeded.exists)
            for _ in range(2):
                assert jmapsync("sync").code == 0
        assert succeeded.read_text() == "x\n"

    def test_that_take_too_long_are_ended_with_all_they_started_and_hold_nothing_up(self, home: Home, server: DemoServer) -> None:
        home.configure(more=f'{QUIET}[hooks]\nafter_sync = "sleep 60; echo x >> hooked"\ntimeout = "1s"\n')
        with running(home) as daemon:
            server.account.deliver(LETTER)
            wait_for(lambda: here(home))
            daemon.wait_for_log("was ended after 1 seconds")
        assert not (home.path / "hooked").exists()

    def test_on_trouble_says_what_a_person_has_to_do(self, home: Home) -> None:
        home.configure(
            secret='password_command = "cat secret"',
            more=f"{QUIET}[hooks]\non_trouble = 'echo \"$JMAPSYNC_ACCOUNT: $JMAPSYNC_MESSAGE\" >> trouble'\n",
        )
        (home.path / "secret").write_text("wrong\n")
        trouble = home.path / "trouble"
        with running(home):
            wait_for(lambda: trouble.exists() and trouble.read_text())
            time.sleep(1)
            assert trouble.read_text().startswith("home: ")
            assert len(trouble.read_text().splitlines()) == 1
            assert SECRET not in trouble.read_text()
