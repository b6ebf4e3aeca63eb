"""`jmapsync status`: what the ledgers know, without asking anybody."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from jmapsync.app import App, health
from jmapsync.config import load
from jmapsync.ledger import AccountLock, Summary
from tests.cli.conftest import PROGRAM
from tests.cli.daemons import running, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jmapsync.demo import DemoServer
    from tests.cli.conftest import Command, Home


class TestStatus:
    def test_before_the_first_run(self, jmapsync: Command, home: Home) -> None:
        done = jmapsync("status")
        assert (done.code, done.out, done.err) == (0, "home\n  mail: never synchronized\n", "")
        assert not home.state.exists()

    def test_after_a_run_needs_no_server(self, jmapsync: Command, server: DemoServer) -> None:
        jmapsync("sync")
        server.stop()
        done = jmapsync("status")
        assert done.code == 0
        assert done.out.startswith("home\n  mail: synced 2")
        assert done.out.endswith("    12 here, 12 on the server\n")

    def test_as_json(self, jmapsync: Command) -> None:
        jmapsync("sync")
        reported = json.loads(jmapsync("status", "--json").out)
        mail = reported["accounts"]["home"]["kinds"]["mail"]
        assert reported["ok"] is True
        assert (mail["last_state"], mail["here"], mail["on_server"], mail["waiting"]) == ("synced", 12, 12, 0)
        assert (mail["conflicts"], mail["problems"], mail["suspended"]) == (0, [], None)
        assert mail["last_run"].endswith("+00:00")

    def test_shows_the_quotas_as_the_last_run_read_them(self, jmapsync: Command, server: DemoServer) -> None:
        allowance = server.account.allowance
        allowance.octets, allowance.messages = 10**12, 12
        jmapsync("sync")
        server.stop()
        done = jmapsync("status")
        assert done.code == 0
        assert " of 1.0 TB used (0%) (Mail octets), read 2" in done.out
        assert "  quota: 12 of 12 messages used (100%) (Mail count); full, read 2" in done.out
        quota = json.loads(jmapsync("status", "--json").out)["accounts"]["home"]["quota"]
        used = sum(email.size for email in server.account.emails.values())
        assert quota["quotas"][0] == {
            "id": "q-octets",
            "name": "Mail octets",
            "resource": "octets",
            "used": used,
            "limit": 10**12,
            "soft_limit": None,
            "warn_limit": 9 * 10**11,
            "scope": "account",
            "types": ["Email"],
            "text": quota["quotas"][0]["text"],
            "near": False,
        }
        assert (quota["quotas"][1]["near"], quota["error"]) == (True, None)
        assert quota["seen"].endswith("+00:00")

    def test_names_what_waits_for_room(self, jmapsync: Command, home: Home, server: DemoServer) -> None:
        jmapsync("sync")
        server.account.allowance.messages = 12
        (home.mail / "INBOX/new/1.x.y").write_bytes(b"Subject: one too many\n\nbody\n")
        assert jmapsync("sync").code == 3
        done = jmapsync("status")
        assert done.code == 3
        figures = "0 messages are left, 12 of 12 messages used (100%) (Mail count)"
        assert f"waits for room on the server: {figures}; it is sent by itself" in done.out
        server.account.allowance.messages = 13
        assert jmapsync("sync").code == 0
        assert jmapsync("status").code == 0

    def test_names_a_card_that_waits_for_room(self, jmapsync: Command, home: Home, server: DemoServer) -> None:
        home.configure(more='[accounts.home.contacts]\npath = "~/.contacts"\n')
        jmapsync("sync")
        full = {"id": "q", "name": "cards", "resourceType": "count", "used": 5, "hardLimit": 5, "types": ["ContactCard"]}
        server.account.allowance.shown = [full]
        [folder, *_] = (one for one in (home.path / ".contacts").iterdir() if one.is_dir())
        (folder / "new.vcf").write_text("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:new\r\nFN:New\r\nEND:VCARD\r\n")
        assert jmapsync("sync").code == 3
        assert "waits for room on the server: 0 are left, 5 of 5 used (100%) (cards)" in jmapsync("status").out
        server.account.allowance.shown = [{**full, "hardLimit": 6}]
        assert jmapsync("sync").code == 0

    def test_names_folders_that_are_left_out_by_now(self, jmapsync: Command, home: Home) -> None:
        jmapsync("sync")
        home.configure(mail='exclude = ["Lists"]')
        done = jmapsync("sync")
        assert done.code == 0
        assert "The folder Lists/python stays as it is, detached: it is left out of the mirror now." in done.out
        done = jmapsync("status")
        assert done.code == 0
        assert "    detached: Lists/python: excluded from the mirror; its files stay\n" in done.out
        reported = json.loads(jmapsync("status", "--json").out)
        assert "Lists/python" in reported["accounts"]["home"]["kinds"]["mail"]["detached"]
        assert list((home.mail / "Lists" / "python").rglob("*.*"))
        assert jmapsync("verify").code == 0
        assert "quarantined" not in jmapsync("sync", "--dry-run").err
        reported = json.loads(jmapsync("sync", "--json").out)
        assert "Lists/python" in reported["accounts"]["home"]["kinds"]["mail"]["detached"]
        home.configure()
        assert jmapsync("sync").code == 0
        assert "detached" not in jmapsync("status").out

    def test_names_calendars_that_are_left_out(self, jmapsync: Command, home: Home, server: DemoServer) -> None:
        root = home.path / ".calendars"
        (root / "Mine").mkdir(parents=True)
        home.configure(more=f'[accounts.home.calendars]\npath = "{root}"\nexclude = ["Mine"]\n')
        assert jmapsync("sync").code == 0
        assert "    detached: Mine: excluded from the mirror; its files stay\n" in jmapsync("status").out
        home.configure(more=f'[accounts.home.calendars]\npath = "{root}"\nexclude = ["Mine", "Tasks"]\n')
        assert jmapsync("sync").code == 0
        kinds = json.loads(jmapsync("status", "--json").out)["accounts"]["home"]["kinds"]
        assert kinds["calendars"]["detached"] == ["Mine", "Tasks"]
        assert jmapsync("verify").code == 0
        assert "Mine" not in {one["name"] for one in server.account.calendars.collections.values()}

    def test_during_a_run(self, jmapsync: Command, home: Home) -> None:
        jmapsync("sync")
        with AccountLock(home.state / "lock", "home"):
            assert jmapsync("status").out.startswith("home (a run is active)\n")
            assert json.loads(jmapsync("status", "--json").out)["accounts"]["home"]["running"] is True
        assert json.loads(jmapsync("status", "--json").out)["accounts"]["home"]["running"] is False

    def test_of_a_daemon_that_waits_to_try_again(self, jmapsync: Command, home: Home, server: DemoServer) -> None:
        server.stop()
        with running(home):
            wait_for(lambda: "  daemon: in trouble, trying again: " in jmapsync("status").out)
            assert json.loads(jmapsync("status", "--json").out)["accounts"]["home"]["daemon"]["next_poll"]

    def test_of_a_daemon_that_waits_for_the_server_in_the_middle_of_a_run(
        self, jmapsync: Command, home: Home, server: DemoServer
    ) -> None:
        home.configure(more='[daemon]\npoll = "500ms"\n')
        with running(home) as daemon:
            wait_for(lambda: "12 here, 12 on the server" in jmapsync("status").out)
            server._wanted_port = server.port
            server.stop()
            wait_for(lambda: "  waiting since " in jmapsync("status").out)
            reported = json.loads(jmapsync("status", "--json").out)
            assert (reported["ok"], reported["accounts"]["home"]["exit_code"]) == (False, 1)
            assert "could not be reached" in reported["accounts"]["home"]["reason"]
            wait_for(lambda: "could not be reached" in daemon.status)
            handed_over = subprocess.Popen([*PROGRAM, "sync"], env=home.environment(), stderr=subprocess.PIPE)
            assert handed_over.stderr is not None
            assert handed_over.stderr.readline().startswith(b"home: The daemon waits: Trying again in ")
            server.start()
            handed_over.communicate(timeout=90)
            assert handed_over.returncode == 0
            wait_for(lambda: jmapsync("status").code == 0)

    def test_of_a_daemon_that_does_not_answer(self, jmapsync: Command, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("jmapsync.app.health._PATIENCE", 0.2)
        with running(home) as daemon:
            daemon.process.send_signal(signal.SIGSTOP)
            done = jmapsync("status")
            daemon.process.send_signal(signal.SIGCONT)
        assert (done.code, "  The process that holds the account does not answer.\n" in done.out) == (1, True)

    def test_of_a_run_that_failed(self, jmapsync: Command, home: Home) -> None:
        jmapsync("sync")
        (home.mail / ".jmapsync").unlink()
        assert jmapsync("sync").code == 4
        assert jmapsync("status").code != 0

    def test_names_no_counts_before_both_sides_were_listed(self, jmapsync: Command, server: DemoServer) -> None:
        server.stop()
        jmapsync("sync")
        out = jmapsync("status").out
        assert "last success: never" in out
        assert "on the server" not in out

    def test_of_a_ledger_that_is_none(self, jmapsync: Command, home: Home) -> None:
        home.state.mkdir(parents=True)
        (home.state / "ledger.sqlite").write_bytes(b"no database at all, " * 100)
        done = jmapsync("status")
        assert done.code == 1
        assert f"The ledger {home.state}/ledger.sqlite cannot be used" in done.err


class TestWatch:
    @pytest.fixture
    def watching(self, home: Home) -> Iterator[subprocess.Popen[str]]:
        with (home.path / "shown").open("w") as shown:
            process = subprocess.Popen(
                [*PROGRAM, "status", "--watch"],
                env=home.environment(),
                cwd=home.path,
                stdin=subprocess.DEVNULL,
                stdout=shown,
                stderr=subprocess.PIPE,
                text=True,
            )
        yield process
        process.kill()
        process.communicate()

    def test_without_a_terminal_prints_what_changed_and_ends_with_the_code_of_the_state(
        self, home: Home, watching: subprocess.Popen[str], jmapsync: Command
    ) -> None:
        shown = home.path / "shown"
        wait_for(lambda: "home: mail: never synchronized" in shown.read_text())
        with running(home, ready=False):
            wait_for(lambda: "home: in sync  push: eventsource  disk: inotify" in shown.read_text())
        (home.mail / ".jmapsync").unlink()
        assert jmapsync("sync").code == 4
        wait_for(lambda: "home: mail: failed" in shown.read_text())
        watching.send_signal(signal.SIGINT)
        assert watching.wait(90) == 4
        assert watching.stderr is not None
        assert watching.stderr.read() == ""
        assert "\x1b" not in shown.read_text()

    def test_a_ledger_that_did_not_change_is_not_read_again(
        self, jmapsync: Command, home: Home, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        jmapsync("sync")
        read, opened = Summary.open_readonly, []

        def note(path: Path) -> Summary | None:
            opened.append(path)
            return read(path)

        monkeypatch.setattr(Summary, "open_readonly", note)
        monkeypatch.setattr(health, "_SPARING", 0.0)
        watch = App(load(home.config)).health_watch()
        assert [watch.read()[0].kinds["mail"].here for _ in range(3)] == [12, 12, 12]
        assert len(opened) == 1
        next(path for path in (home.mail / "INBOX/cur").iterdir()).unlink()
        jmapsync("sync")
        assert watch.read()[0].kinds["mail"].here == 12  # in Trash
        assert len(opened) == 2

    def test_excludes_json(self, jmapsync: Command) -> None:
        assert jmapsync("status", "--watch", "--json").code == 2
