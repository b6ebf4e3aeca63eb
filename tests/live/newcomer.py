"""A newcomer's run, step by step with times: from `pipx install` of the wheel to mail in mutt, as an unprivileged user.

It downloads packages, so tests/run does not do it; `tests/live/run-newcomer` does.
"""

from __future__ import annotations

import os
import subprocess
import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hatchling.builders.wheel import WheelBuilder

from tests.live.imap import Draft
from tests.live.interview import answer_all
from tests.live.screen import on_screen

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live.conftest import Account
    from tests.live.userspace import Userspace

PROJECT = Path(__file__).parents[2]
README = (PROJECT / "README.md").read_text(encoding="utf-8")
LONGEST = 120
"""Seconds from `pipx install` to mail in mutt."""


class Newcomer:
    """An unprivileged user with nothing installed; each step is reported with the seconds since the first."""

    def __init__(self, user: Userspace, report: Callable[[str], None]) -> None:
        self.user = user
        self._report = report
        self.environment = {"PATH": f"{user.home}/.local/bin:/usr/bin:/bin", "TERM": "screen"}
        [wheel] = WheelBuilder(str(PROJECT)).build(directory=str(user.directory), versions=["standard"])
        self.wheel = Path(wheel)
        os.chown(self.wheel, user.uid, user.uid)
        self._began = self._last = time.monotonic()

    def note(self, step: str) -> None:
        now = time.monotonic()
        self._report(f"  {now - self._began:6.1f} s  (+{now - self._last:5.1f})  {step}")
        self._last = now

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def command(self, *words: str) -> list[str]:
        return self.user.entering(*words, **self.environment)

    def install(self, extras: str) -> None:
        """Install the wheel by pipx, as the README says of a copy of the repository."""
        assert "pipx install '.[keyring]'" in README
        what = f"{self.wheel}[{extras}]"
        subprocess.run(self.command("pipx", "install", what), check=True, capture_output=True, timeout=300, cwd="/")
        self.note(f"pipx install jmapsync[{extras}]")

    def set_up(self, url: str, user: str, password: str) -> Path:
        """Answer the questions of `jmapsync init`; return the inbox."""
        assert "jmapsync init alice@example.com" in README
        with on_screen(self.command("jmapsync", "init", url, "--user", user), {}, columns=80, lines=50) as screen:
            answer_all(screen, password, note=lambda question: self.note(f"jmapsync init: {question}"))
            screen.wait_for_wrapped("Keep it synchronized by a systemd service?")
            screen.keys("Enter")
            screen.wait_for_end()
        self.note("jmapsync init: mail is here, the service runs")
        written = (self.user.home / ".config/jmapsync/config.toml").read_text()
        assert "keyring = true" in written
        assert "password" not in written
        [inbox] = (self.user.home / "Mail").glob("*/INBOX")
        return inbox

    def read(self, inbox: Path, subject: str) -> None:
        with on_screen(self.command("mutt", "-f", str(inbox)), {}) as screen:
            screen.wait_for_wrapped(subject)
            self.note(f"mutt shows {subject!r}")
            screen.keys("x")


@pytest.fixture
def newcomer(user: Userspace, report: Callable[[str], None]) -> Newcomer:
    return Newcomer(user, report)


def test_on_the_embedded_server(newcomer: Newcomer) -> None:
    newcomer.install("demo,keyring")
    with on_screen(newcomer.command("jmapsync", "demo", f"{newcomer.user.home}/demo"), {}) as screen:
        screen.wait_for_wrapped("Changes on the server:")
        newcomer.note("jmapsync demo: the server runs")
        config = tomllib.loads((newcomer.user.home / "demo/config.toml").read_text())
        inbox = newcomer.set_up(config["accounts"]["demo"]["url"], "demo", "demo")
        newcomer.read(inbox, "Welcome")
    assert newcomer.seconds < LONGEST


def test_on_cyrus(newcomer: Newcomer, account: Account) -> None:
    account.imap.append("INBOX", [Draft(b"From: ada@example.com\r\nSubject: the first letter\r\n\r\nHello.\r\n")])
    newcomer.note("(the server is ready)")
    newcomer.install("keyring")
    newcomer.read(newcomer.set_up(account.url, account.user, account.password), "the first letter")
    assert newcomer.seconds < LONGEST
