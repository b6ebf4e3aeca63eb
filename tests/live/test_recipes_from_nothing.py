"""Run the recipes for backups, health checks, machines without a desktop, Fastmail and Stalwart, against the embedded server."""

from __future__ import annotations

import subprocess
import sys
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from jmapsync.demo import DemoServer
from jmapsync.demo.sample import fill_sample
from tests.live.home_folder import shown
from tests.live.screen import on_screen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.live
SECRET = "geheim-4711"
SAVE = ".local/bin/save-mail"


class Home:
    """Somebody's home folder, with jmapsync on the PATH."""

    def __init__(self, path: Path) -> None:
        self.path = path
        program = self.write("bin/jmapsync", f'#!/bin/sh\nexec {sys.executable} -m jmapsync "$@"\n')
        program.chmod(0o755)
        self.environment = {
            "HOME": str(path),
            "PATH": f"{path}/bin:/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        }

    def write(self, name: str, text: str) -> Path:
        """Write a file that only its owner may read."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o600)
        return path

    def configure(self, server: DemoServer, more: str = "") -> None:
        self.write(
            ".config/jmapsync/config.toml",
            f'[accounts.home]\nurl = "{server.url}"\nuser = "alice"\nauth = "basic"\npassword_command = "echo {SECRET}"\n'
            '[accounts.home.mail]\npath = "~/Mail/home"\n[accounts.home.contacts]\npath = "~/.contacts/home"\n'
            f'[accounts.home.calendars]\npath = "~/.calendars/home"\n{more}',
        )

    def run(self, *command: str, text: str = "", code: int = 0) -> str:
        done = subprocess.run(
            command, env=self.environment, cwd=self.path, input=text, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout


def _server(dialect: str = "rfc") -> DemoServer:
    server = DemoServer(dialect=dialect, user="alice", password=SECRET, token=SECRET)
    fill_sample(server.account)
    return server


@pytest.fixture
def server() -> Iterator[DemoServer]:
    with _server() as server:
        yield server


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def saving(home: Home, server: DemoServer) -> Home:
    home.configure(server, shown("Backups with borg or restic", "toml"))
    home.write(".config/backup-password", "correct horse\n")
    (home.path / "backup").mkdir()
    return home


def test_borg_saves_the_files_after_each_run_without_fault(saving: Home) -> None:
    saving.write(SAVE, shown("Backups with borg or restic", "sh")).chmod(0o700)
    saving.environment |= {
        "BORG_PASSCOMMAND": f"cat {saving.path}/.config/backup-password",
        "BORG_REPO": f"{saving.path}/backup/borg",
    }
    saving.run("borg", "init", "--encryption", "repokey")
    saving.run("jmapsync", "sync")
    saving.run("jmapsync", "sync")
    [archive] = saving.run("borg", "list", "--short").splitlines()
    assert archive.startswith("home-")
    saved = saving.run("borg", "list", "--short", f"::{archive}")
    assert "Mail/home/INBOX/" in saved
    assert ".vcf" in saved
    assert "ledger.sqlite" in saved


def test_restic_saves_the_files_and_they_can_be_restored(saving: Home) -> None:
    saving.write(SAVE, shown("Backups with borg or restic", "sh", 1)).chmod(0o700)
    repository = {
        "RESTIC_REPOSITORY": f"{saving.path}/backup/restic",
        "RESTIC_PASSWORD_FILE": f"{saving.path}/.config/backup-password",
    }
    saving.environment |= repository
    saving.run("restic", "-q", "init")
    saving.run("jmapsync", "sync")
    assert saving.run("restic", "snapshots", "--compact", "--no-lock").count("\n1 snapshots") == 1
    saving.run("restic", "-q", "restore", "latest", "--target", f"{saving.path}/restored")
    inbox = saving.path / "Mail/home/INBOX"
    restored = saving.path / "restored" / inbox.relative_to("/")
    assert sorted(file.name for file in restored.rglob("*")) == sorted(file.name for file in inbox.rglob("*"))


class Pings(BaseHTTPRequestHandler):
    """Notes what it is asked for."""

    found: list[tuple[str, str]]

    def do_GET(self) -> None:
        self.found.append((self.path, self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()))
        self.send_response(200)
        self.end_headers()

    do_POST = do_GET  # noqa: N815  # the names of the standard library

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def pings() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    found: list[tuple[str, str]] = []
    handler = type("Handler", (Pings,), {"found": found})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", found
        server.shutdown()
        thread.join()


def test_health_checks_are_pinged_after_success_and_not_after_a_failure(
    home: Home, server: DemoServer, pings: tuple[str, list[tuple[str, str]]]
) -> None:
    url, found = pings
    block = shown("Health checks", "toml").replace("https://hc-ping.com", url)
    home.configure(server, block)
    home.run("jmapsync", "sync")
    assert found == [("/your-uuid", "")]
    (home.path / ".local/state/jmapsync/home/on_success").unlink()
    (home.path / "Mail/home/.jmapsync").unlink()
    home.run("jmapsync", "sync", code=4)
    assert found == [("/your-uuid", "")]
    home.environment["JMAPSYNC_MESSAGE"] = "A sign-in is needed."
    home.run("sh", "-c", tomllib.loads(block)["hooks"]["on_trouble"])
    assert found[1:] == [("/your-uuid/fail", "A sign-in is needed.")]


def test_a_machine_without_a_desktop_is_set_up_without_a_question(home: Home, server: DemoServer) -> None:
    lines = shown("A machine without a desktop", "sh").replace(
        "init alice@example.com", f"init alice@example.com --url {server.url} --user alice"
    )
    home.run("sh", "-eu", "-c", lines, text=f"{SECRET}\n")
    assert list((home.path / "Mail/home/INBOX").rglob("*:2,*")) or list((home.path / "Mail/home/INBOX/new").iterdir())
    assert oct((home.path / ".config/jmapsync/password").stat().st_mode)[-3:] == "600"


def _follow(home: Home, server: DemoServer, config: str, steps: str) -> None:
    """Write the configuration, run the steps, and see mail in mutt."""
    home.write(".muttrc", shown("mutt and NeoMutt", "muttrc"))
    home.write(".config/jmapsync/config.toml", config)
    *commands, last = steps.splitlines()
    assert (len(commands), last) == (2, "mutt")
    for command in commands:
        home.run("sh", "-c", command)
    with on_screen(["sh", "-c", "cd; exec mutt"], home.environment, columns=80) as screen:
        screen.wait_for("Welcome")
        screen.keys("q")


def test_fastmail_from_nothing_to_mail_in_mutt(home: Home) -> None:
    config = shown("Fastmail, from nothing to mail in mutt", "toml")
    home.write(".config/jmapsync/token", f"{SECRET}\n")
    with _server("fastmail") as server:
        # Like Fastmail, it has messages downloaded from another host.
        for real, here in (
            ("https://api.fastmail.com/jmap/session", server.url),
            ("www.fastmailusercontent.com", f"127.0.0.2:{urlsplit(server.url).port}"),
        ):
            assert real in config
            config = config.replace(real, here)
        _follow(home, server, config, shown("Fastmail, from nothing to mail in mutt", "sh"))


def test_stalwart_from_nothing_to_mail_in_mutt(home: Home) -> None:
    config = shown("Stalwart, from nothing to mail in mutt", "toml")
    home.write(".config/jmapsync/password", f"{SECRET}\n")
    with _server("stalwart") as server:
        for real, here in (
            ("https://mail.example.com/.well-known/jmap", server.url),
            ('auth = "basic"', 'user = "alice"\nauth = "basic"'),
        ):
            assert real in config
            config = config.replace(real, here)
        _follow(home, server, config, shown("Stalwart, from nothing to mail in mutt", "sh"))
    assert list((home.path / ".contacts/home").rglob("*.vcf"))
    assert list((home.path / ".calendars/home").rglob("*.ics"))
