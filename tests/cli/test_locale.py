"""A locale that is not UTF-8, and a home folder whose name is not: nothing fails, and names on the disk are UTF-8."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from jmapsync.app.control import Answer, Ask, answering, ask
from jmapsync.app.crash import report_crash
from jmapsync.app.notify import ServiceManager
from jmapsync.sync.report import AccountReport
from tests.cli.conftest import PROGRAM, SECRET, Home

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.demo import DemoServer

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.fixture
def latin(tmp_path: Path) -> dict[str, str]:
    """The environment of a German of 1998."""
    if shutil.which("localedef") is None:
        pytest.skip("no localedef")
    made = subprocess.run(
        ["localedef", "-i", "de_DE", "-f", "ISO-8859-1", str(tmp_path / "de_DE.ISO-8859-1")], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("no sources of locales")
    return {"LOCPATH": str(tmp_path), "LC_ALL": "de_DE.ISO-8859-1"}


def run(home: Path, environment: dict[str, str], *arguments: str) -> tuple[int, bytes]:
    kept = {"PATH": os.environ["PATH"], "HOME": os.fspath(home)}
    done = subprocess.run([*PROGRAM, *arguments], env=kept | environment, cwd="/", capture_output=True, timeout=60, check=False)
    said = done.stdout + done.stderr
    assert b"Traceback" not in said
    assert b"unexpected" not in said
    assert b"Logging error" not in said
    return done.returncode, said


def prepare(path: Path, url: str) -> Path:
    path.mkdir()
    home = Home(path, url)
    home.configure()
    home.config.write_text(home.config.read_text().replace("~/Mail", "~/Büro"), "utf-8")
    (path / "Büro" / "Ablage" / "cur").mkdir(parents=True)
    os.makedirs(os.fsencode(path) + b"/B\xc3\xbcro/bad\xff/cur")
    return path


@pytest.mark.parametrize("name", ["Büro", os.fsdecode(b"h\xffme")])
@pytest.mark.parametrize("locale", ["ascii", "latin"])
def test_folders_get_the_names_that_they_have_in_any_other_locale(
    server: DemoServer, tmp_path: Path, request: pytest.FixtureRequest, locale: str, name: str
) -> None:
    environment = ASCII if locale == "ascii" else request.getfixturevalue("latin")
    server.account.create_mailbox("Grüße 日本")
    home = prepare(tmp_path / name, server.url)
    code, said = run(home, environment, "-v", "sync")
    assert (code, b"bad\\xff" in said) == (3, True), said
    assert (home / "Büro" / "Grüße 日本" / "cur").is_dir()
    assert "Ablage" in {box.name for box in server.account.mailboxes.values()}
    assert run(home, environment, "status")[0] == 3
    if locale == "latin":
        assert "Grüße".encode("latin-1") in run(home, environment, "mailboxes")[1] or name != "Büro"


def test_a_report_of_a_fault_names_paths_that_are_no_text(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"st\xffte")
    assert "in words" not in str(report_crash(ValueError("in words"), folder))
    [file] = folder.iterdir()
    assert b"builtins.ValueError" in file.read_bytes()


def test_the_service_manager_is_notified_of_paths_that_are_not_utf8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(90)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "5000000")
        manager = ServiceManager()
        manager.status(f"home: trouble ({os.fsdecode(b'/h/x' + bytes([255]))} is not there)")
        manager.alive()
        assert b"STATUS=home: trouble (/h/x" in heard.recv(4096)
        assert heard.recv(4096) == b"WATCHDOG=1"


def test_the_daemon_is_asked_about_paths_that_are_no_text(tmp_path: Path) -> None:
    path = os.fsdecode(b"/h\xffme/Mail")
    heard: list[Ask] = []

    async def answer(question: Ask) -> Answer:
        heard.append(question)
        return Answer(report=AccountReport("home", error=f"{path} is not there"))

    async def talk() -> Answer | None:
        async with answering(tmp_path, answer):
            return await ask(tmp_path, Ask("restore", paths=(path,)))

    reported = asyncio.run(talk())
    assert heard[0].paths == (path,)
    assert reported is not None
    assert reported.report is not None
    assert reported.report.error == f"{path} is not there"
    assert SECRET not in reported.report.error
