"""Run the command line against the embedded server: in this process where that is enough, else as a real one."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pytest

from jmapsync.cli import main
from jmapsync.demo import DemoServer
from jmapsync.demo.sample import fill_sample
from tests.kit.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "geheim-4711"
PROGRAM = [sys.executable, "-c", "from jmapsync.cli import main; main()"]


@dataclass(frozen=True)
class Result:
    """What came of one command."""

    code: int
    out: str
    err: str


class Command(Protocol):
    def __call__(self, *arguments: str) -> Result: ...


@dataclass
class Home:
    """The home folder of somebody with one account; `extra` stands in its table, `more` after everything."""

    path: Path
    url: str

    @property
    def config(self) -> Path:
        return self.path / ".config/jmapsync/config.toml"

    @property
    def mail(self) -> Path:
        return self.path / "Mail"

    @property
    def state(self) -> Path:
        return self.path / ".local/state/jmapsync/home"

    def configure(
        self, *, secret: str = f'password_command = "echo {SECRET}"', mail: str = "", more: str = "", url: str = ""
    ) -> None:
        self.config.parent.mkdir(parents=True, exist_ok=True)
        self.config.write_text(
            f"""\
[accounts.home]
url = "{url or self.url}"
user = "alice"
auth = "basic"
{secret}
[accounts.home.mail]
path = "~/Mail"
{mail}
{more}
"""
        )

    def inbox(self) -> list[Path]:
        return sorted(file for part in ("new", "cur") for file in (self.mail / "INBOX" / part).iterdir())

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
        return kept | {"HOME": str(self.path), "COLUMNS": "120"}


@pytest.fixture
def server() -> Iterator[DemoServer]:
    server = DemoServer(user="alice", password=SECRET)
    fill_sample(server.account)
    with server:
        yield server


@pytest.fixture
def home(tmp_path: Path, server: DemoServer, monkeypatch: pytest.MonkeyPatch) -> Home:
    home = Home(tmp_path / "alice", server.url)
    home.path.mkdir()
    home.configure()
    monkeypatch.setenv("HOME", str(home.path))
    monkeypatch.setenv("COLUMNS", "120")
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(home.path)
    return home


@pytest.fixture
def jmapsync(home: Home, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run a command in this process."""
    assert home.path.is_dir()

    def jmapsync(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["jmapsync", *arguments])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        assert SECRET not in out + err
        return Result(ended.value.code, out, err)

    return jmapsync


@pytest.fixture
def process(home: Home) -> Command:
    """Run a command as a real process, in a session of its own: it has no terminal to ask on."""

    def process(*arguments: str) -> Result:
        done = subprocess.run(
            [*PROGRAM, *arguments],
            env=home.environment(),
            cwd=home.path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            start_new_session=True,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr
        assert SECRET not in done.stdout + done.stderr
        return Result(done.returncode, done.stdout, done.stderr)

    return process


@pytest.fixture
def nothing_but_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """No keyring, no systemd-creds, no display."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.setattr("jmapsync.signin.vault.which", lambda _: None)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "SSH_CONNECTION", "SSH_TTY"):
        monkeypatch.delenv(name, raising=False)


def shown_on_terminal(home: Home, columns: int, *arguments: str) -> str:
    """Return what a terminal of so many columns shows of a command, without the progress, which a slow run draws."""
    environment = home.environment() | {"TERM": "xterm"}
    environment.pop("COLUMNS", None)
    with Terminal(columns) as terminal:
        done = subprocess.run(
            [*PROGRAM, *arguments], env=environment, stdout=terminal.end, stderr=subprocess.DEVNULL, timeout=60, check=False
        )
        text = terminal.all().decode().replace("\r\n", "\n")
    assert done.returncode == 0
    return text
