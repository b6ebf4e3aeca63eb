"""A path that cannot be written: `check` finds it and changes nothing, and every other command says why."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jmapsync.demo import DemoServer
    from tests.cli.conftest import Command, Home


def below_a_file(path: Path) -> str:
    path.parent.write_text("no folder")
    return f"{path.parent} is no folder"


def a_file(path: Path) -> str:
    path.parent.mkdir()
    path.write_text("no folder")
    return "it is a file, not a folder"


def a_pipe(path: Path) -> str:
    path.parent.mkdir()
    os.mkfifo(path)
    return "it is a pipe, not a folder"


def a_dangling_link(path: Path) -> str:
    path.parent.mkdir()
    path.symlink_to(path.parent / "nowhere")
    return "it is a symbolic link that leads nowhere"


def a_circle(path: Path) -> str:
    path.parent.mkdir()
    path.symlink_to(path)
    return "Too many levels of symbolic links"


WRONG: dict[str, Callable[[Path], str]] = {
    "below a file": below_a_file,
    "a file": a_file,
    "a pipe": a_pipe,
    "a dangling link": a_dangling_link,
    "a circle of links": a_circle,
}


def configure(home: Home, kind: str) -> None:
    home.configure()
    text = home.config.read_text()
    path = home.path / "there" / "mail"
    if kind == "mail":
        text = text.replace('"~/Mail"', f'"{path}"')
    elif kind == "contacts":
        text += f'\n[accounts.home.contacts]\npath = "{path}"\n'
    else:
        text = f'state_dir = "{path}"\n{text}'
    home.config.write_text(text)


@pytest.mark.parametrize(("what", "kind"), [*((what, "mail") for what in WRONG), ("a file", "contacts"), ("a pipe", "contacts")])
def test_each_command_says_why_a_path_cannot_be_used(jmapsync: Command, home: Home, what: str, kind: str) -> None:
    why = WRONG[what](home.path / "there" / "mail")
    configure(home, kind)
    before = sorted(os.walk(home.path))
    checked = jmapsync("check")
    assert checked.code == 1
    assert why in checked.err
    assert sorted(os.walk(home.path)) == before
    for command in (["sync", "--dry-run"], ["sync"]):
        done = jmapsync(*command)
        assert done.code == 1, command
        assert why in done.out + done.err, command
    assert jmapsync("status").code == 1


@pytest.mark.parametrize("path", ["n" * 256, "/".join(["n" * 200] * 25), f"there/{'ü' * 130}/mail"])
def test_a_path_whose_names_are_too_long_is_found(jmapsync: Command, home: Home, path: str) -> None:
    home.config.write_text(home.config.read_text().replace('"~/Mail"', f'"~/{path}"'))
    for command in (["check"], ["sync", "--dry-run"], ["sync"], ["status"]):
        done = jmapsync(*command)
        assert done.code == 1, command
        assert "unexpected" not in done.err
        assert "too long" in done.out + done.err, command
    tour = jmapsync("demo", path)
    assert (tour.code, "too long" in tour.err) == (1, True)


def test_a_state_folder_that_cannot_be_made_is_found_too(jmapsync: Command, home: Home) -> None:
    below_a_file(home.path / "there" / "mail")
    configure(home, "state")
    checked = jmapsync("check")
    assert (checked.code, "The state folder" in checked.err) == (1, True)
    dry = jmapsync("sync", "--dry-run")
    assert (dry.code, "The state folder" in dry.err) == (1, True)
    assert jmapsync("sync").code == 1
    assert jmapsync("status").code == 1


def test_status_names_a_state_folder_that_cannot_be_made(home: Home, unprivileged: Callable[..., tuple[int, str]]) -> None:
    above = home.path / ".local"
    above.mkdir()
    above.chmod(0o500)
    try:
        assert unprivileged("sync")[0] == 1
        code, said = unprivileged("status")
    finally:
        above.chmod(0o700)
    assert (code, "The state folder" in said, "Permission denied" in said) == (1, True, True)


def test_a_dry_run_says_that_a_known_folder_may_not_be_written_once_there_is_something_to_write(
    home: Home, server: DemoServer, unprivileged: Callable[..., tuple[int, str]]
) -> None:
    assert unprivileged("sync")[0] == 0
    folders = [home.mail, *(path for path in home.mail.rglob("*") if path.is_dir())]
    for path in folders:
        path.chmod(0o500)
    try:
        idle = unprivileged("sync", "--dry-run")
        server.account.deliver(b"Subject: new\r\n\r\nnew\r\n")
        dry, real = unprivileged("sync", "--dry-run"), unprivileged("sync")
    finally:
        for path in folders:
            path.chmod(0o700)
    assert idle[0] == 0
    assert (dry[0], f"The folder {home.mail} cannot be written: Permission denied." in dry[1]) == (1, True)
    assert real[0] in {1, 3}


@pytest.fixture
def unprivileged(home: Home) -> Callable[..., tuple[int, str]]:
    """Run a command without the right to pass over permissions, which the tests have where root runs them."""
    before: list[str] = []
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("no setpriv")
        before = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"]

    def run(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [*before, *PROGRAM, *arguments], env=home.environment(), capture_output=True, text=True, timeout=60, check=False
        )
        assert "Traceback" not in done.stdout + done.stderr
        assert "unexpected" not in done.stdout + done.stderr
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.mark.parametrize(("mode", "below"), [(0o500, False), (0o300, False), (0o600, True)])
def test_a_folder_without_permission_is_found(
    home: Home, unprivileged: Callable[..., tuple[int, str]], mode: int, *, below: bool
) -> None:
    folder = home.path / "there" / "mail" if not below else home.path / "there"
    folder.mkdir(parents=True)
    configure(home, "mail")
    folder.chmod(mode)
    try:
        for command in (["check"], ["sync"]):
            code, said = unprivileged(*command)
            assert (code, "Permission denied" in said) == (1, True), (command, said)
    finally:
        folder.chmod(0o700)
