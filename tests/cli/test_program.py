"""What holds for every command: help, exit codes, and that nothing ugly or secret is ever shown."""

from __future__ import annotations

import functools
import logging
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import PROGRAM, SECRET
from tests.kit.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jmapsync.demo import DemoServer
    from tests.cli.conftest import Command, Home

COMMANDS = ("sync", "check", "status", "conflicts", "mailboxes", "demo")


class TestHelp:
    def test_names_every_command_and_every_exit_code(self, jmapsync: Command) -> None:
        done = jmapsync("--help")
        assert done.code == 0
        assert all(re.search(rf"^  {command} +[A-Z]", done.out, re.MULTILINE) for command in COMMANDS)
        assert all(re.search(rf"^    {code}  [a-z]", done.out, re.MULTILINE) for code in range(7))

    @pytest.mark.parametrize("command", COMMANDS)
    def test_of_a_command_needs_no_configuration(self, command: str, jmapsync: Command, home: Home) -> None:
        home.config.unlink()
        done = jmapsync(command, "--help")
        assert (done.code, done.err) == (0, "")
        assert done.out.startswith(f"Usage: jmapsync {command} ")

    def test_the_version(self, jmapsync: Command) -> None:
        assert re.fullmatch(r"jmapsync \d+\.\d+\.\d+\n", jmapsync("--version").out)

    @pytest.mark.parametrize("arguments", [("synk",), ("sync", "--ful"), ("-c",), ("status", "--kind", "mail")])
    def test_wrong_usage_ends_with_2(self, arguments: tuple[str, ...], jmapsync: Command) -> None:
        done = jmapsync(*arguments)
        assert (done.code, done.out) == (2, "")

    def test_the_package_runs_as_a_module(self, home: Home) -> None:
        command = [sys.executable, "-m", "jmapsync"]
        run = functools.partial(subprocess.run, env=home.environment(), capture_output=True, text=True, check=False)
        done = run([*command, "--version"])
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("jmapsync ")
        done = run([*command, "sync", "hmoe"])
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("jmapsync: There is no account 'hmoe'")

    def test_another_configuration_may_be_named(self, jmapsync: Command, home: Home) -> None:
        other = home.path / "other.toml"
        home.config.rename(other)
        assert jmapsync("-c", str(other), "status").code == 0
        assert jmapsync("status").code == 2


class TestSurprises:
    @pytest.fixture
    def surprise(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def surprise(*_: object, **__: object) -> None:
            raise KeyError(SECRET) from ValueError(f"Basic {SECRET}")

        monkeypatch.setattr("jmapsync.app.wiring.open_account", surprise)

    @pytest.mark.usefixtures("surprise")
    def test_in_an_account_become_a_message_and_a_private_report(self, jmapsync: Command, home: Home) -> None:
        done = jmapsync("sync")

        (report,) = home.state.glob("crash-*.txt")
        assert done.code == 1
        assert done.err == (
            f"home: Something unexpected happened (KeyError). A report for the developers, without secrets, is in {report}.\n"
        )
        text = report.read_text()
        assert stat.S_IMODE(report.stat().st_mode) == 0o600
        assert "builtins.KeyError\n" in text
        assert "caused by: builtins.ValueError\n" in text
        assert "in surprise" in text
        assert SECRET not in text

    def test_elsewhere_too(self, jmapsync: Command, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
        def surprise(*_: object) -> None:
            raise RuntimeError(SECRET)

        monkeypatch.setattr("jmapsync.app.root.App.status", surprise)
        done = jmapsync("-v", "status")
        (report,) = home.state.parent.glob("crash-*.txt")
        assert done.code == 1
        assert str(report) in done.err
        assert SECRET not in report.read_text()

    @pytest.mark.usefixtures("surprise")
    def test_are_reported_even_if_no_file_can_be_written(self, jmapsync: Command, home: Home) -> None:
        home.state.parent.parent.mkdir(parents=True)
        home.state.parent.write_text("")
        done = jmapsync("sync")
        assert done.code == 1
        assert f"No report could be written to {home.state}: Not a directory." in done.err


class TestSecrets:
    def test_stand_in_no_log_ledger_or_result(self, process: Command, home: Home) -> None:
        secret = home.path / "secret"
        secret.write_text(f"{SECRET}\n")
        secret.chmod(0o600)
        home.configure(secret='password_file = "~/secret"')

        done = process("-v", "-v", "sync", "--json")  # the fixture searches both streams for the secret

        assert done.code == 0
        assert f"GET {home.url}" in done.err
        kept = [path for path in home.state.rglob("*") if path.is_file()]
        assert {"ledger.sqlite", "lock"} <= {path.name for path in kept}
        assert all(SECRET.encode() not in path.read_bytes() for path in kept)

    def test_stand_in_no_command_line(self, home: Home, server: DemoServer) -> None:
        home.configure(secret='password_command = "cat secret; until [ -e seen ]; do sleep 0.05; done"')
        (home.path / "secret").write_text(f"{SECRET}\n")
        server.faults.latency.arm(0.3)
        run = subprocess.Popen([*PROGRAM, "sync"], env=home.environment(), cwd=home.path, stdout=subprocess.PIPE)
        seen = set()
        while run.poll() is None:
            seen |= command_lines(run.pid)
            if any("cat secret" in line for line in seen):
                (home.path / "seen").touch()
            time.sleep(0.02)
        out, _ = run.communicate()
        assert b"created here" in out
        assert any("cat secret" in line for line in seen)
        assert not any(SECRET in line for line in seen)

    def test_what_the_password_command_says_besides_is_not_shown(self, jmapsync: Command, home: Home) -> None:
        home.configure(secret='password_command = "cat secret; exit 1"')
        (home.path / "secret").write_text(SECRET)
        assert jmapsync("sync").code == 5  # the fixture searches both streams for the secret


def command_lines(parent: int) -> set[str]:
    """Return the command lines and environments of a process and its children, as `ps ewww` shows them."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            about = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(folder.name) == parent or int(about[1]) == parent:
                found.add(((folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()).replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


class TestTheOutsideWorld:
    def test_nothing_asks_without_a_terminal(self, process: Command, home: Home) -> None:
        home.configure(secret='password_command = "read -r answer </dev/tty; echo $answer"')
        assert process("sync").code == 5

    def test_a_password_command_cannot_ask_on_a_terminal_either(self, home: Home) -> None:
        home.configure(secret='password_command = "read -r answer </dev/tty; echo $answer"')
        with Terminal() as terminal:
            at = terminal.end
            done = subprocess.run(
                [*PROGRAM, "sync"], env=home.environment(), stdin=at, stdout=at, stderr=at, timeout=60, check=False
            )
        assert done.returncode == 5

    def test_a_reader_who_leaves_early_causes_no_complaint(self, home: Home, process: Command) -> None:
        process("sync")
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [*PROGRAM, "mailboxes"], env=home.environment(), stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False
        )
        os.close(writer)
        assert (done.returncode, done.stderr) == (141, b"")

    def test_nor_one_of_standard_error(self, home: Home) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([*PROGRAM, "status", "nobody"], env=home.environment(), stderr=writer, timeout=60, check=False)
        os.close(writer)
        assert done.returncode == 141

    def test_an_interrupt_ends_with_130_and_a_word(self, home: Home) -> None:
        home.configure(secret='password_command = "touch asked; sleep 600"')
        run = subprocess.Popen([*PROGRAM, "sync"], env=home.environment(), cwd=home.path, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 90
        while not (home.path / "asked").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=90)
        assert (run.returncode, err) == (130, b"jmapsync: interrupted.\n")

    def test_progress_is_drawn_on_a_terminal_only(self, home: Home, process: Command, server: DemoServer) -> None:
        server.account.populate(1500)
        server.faults.latency.arm(0.3)  # a run that is over within half a second draws nothing
        with Terminal() as terminal:
            done = subprocess.run(
                [*PROGRAM, "sync"],
                env=home.environment() | {"TERM": "xterm"},
                stdout=subprocess.PIPE,
                stderr=terminal.end,
                timeout=60,
                check=False,
            )
            drawn = terminal.all().decode()
        assert done.returncode == 0
        assert "home: fetching mail" in drawn
        assert b"created here" in done.stdout
        server.account.populate(10, first_seed=5000)
        assert process("sync").err == ""


@pytest.fixture(autouse=True)
def quiet_log() -> Iterator[None]:
    """Take back what -v does to the log of this process."""
    logs = [logging.getLogger(name) for name in ("jmapsync", "httpx")]
    before = [(list(log.handlers), log.level) for log in logs]
    yield
    for log, (handlers, level) in zip(logs, before, strict=True):
        log.handlers[:] = handlers
        log.setLevel(level)


def test_without_a_command_it_prints_its_help(jmapsync: Command) -> None:
    bare = jmapsync()
    assert bare.code == 2
    assert "Error" not in bare.err
    assert bare.err.splitlines() == jmapsync("--help").out.splitlines()
