"""Units that systemd can use, from wherever the program lies, and nothing of the user's touched."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jmapsync.app.install import UNITS, default_unit_dir, find_program, install, uninstall
from jmapsync.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT = Path(__file__).parents[2]
PROGRAM = Path("/opt/mail/bin/jmapsync")


def lines(file: Path, key: str) -> list[str]:
    return [line for line in file.read_text().splitlines() if line.startswith(f"{key}=")]


def started(unit_dir: Path, *, program: Path = PROGRAM, config: Path | None = None) -> list[str]:
    install(unit_dir, program=program, config=config, environment={})
    return [line for name in UNITS for line in lines(unit_dir / name, "ExecStart")]


def test_the_units_start_this_program(tmp_path: Path) -> None:
    assert started(tmp_path) == [
        "ExecStart=/opt/mail/bin/jmapsync run",
        "ExecStart=/opt/mail/bin/jmapsync run %i",
        "ExecStart=/opt/mail/bin/jmapsync -q sync",
    ]


def test_the_units_name_a_configuration_that_is_not_the_default(tmp_path: Path) -> None:
    assert started(tmp_path, config=Path("/home/me/two.toml"))[0] == "ExecStart=/opt/mail/bin/jmapsync -c /home/me/two.toml run"


def test_a_path_is_written_so_that_systemd_reads_exactly_it(tmp_path: Path) -> None:
    odd = started(tmp_path, program=Path("/o p/1%i$HOME/jmapsync"), config=Path('/c %u"\\x/$HOME'))[0]
    assert odd == r'ExecStart="/o p/1%%i$HOME/jmapsync" -c "/c %%u\"\\x/$$HOME" run'


@pytest.mark.parametrize("letter", ["'", '"', "\\"])
def test_a_path_that_systemd_refuses_is_reported_at_once(tmp_path: Path, letter: str) -> None:
    with pytest.raises(LocalError, match="a quote or backslash"):
        install(tmp_path, program=Path(f"/opt/{letter}/jmapsync"))
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, []),
        ({"XDG_STATE_HOME": "/s t", "HOME": "/home/me"}, ['Environment="XDG_STATE_HOME=/s t"']),
        ({"XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s"}, ["Environment=XDG_CONFIG_HOME=/c XDG_STATE_HOME=/s"]),
        ({"XDG_STATE_HOME": "relative"}, []),
    ],
)
def test_the_daemon_finds_its_state_where_the_shell_does(
    tmp_path: Path, environment: Mapping[str, str], expected: list[str]
) -> None:
    install(tmp_path, program=PROGRAM, environment=environment)
    assert [lines(tmp_path / name, "Environment") for name in UNITS] == [expected, expected, expected, []]


def test_installing_lists_the_files_and_the_next_commands(tmp_path: Path) -> None:
    outcome = install(tmp_path / "new" / "user", program=PROGRAM)
    assert outcome.files == tuple(tmp_path / "new" / "user" / name for name in UNITS)
    assert sorted((tmp_path / "new" / "user").iterdir()) == sorted(outcome.files)
    assert outcome.commands == ("systemctl --user daemon-reload", "systemctl --user enable --now jmapsync.service")


def test_installing_again_replaces_our_units_and_keeps_a_drop_in(tmp_path: Path) -> None:
    started(tmp_path)
    drop_in = tmp_path / "jmapsync.service.d" / "mine.conf"
    drop_in.parent.mkdir()
    drop_in.write_text("[Service]\n")
    assert started(tmp_path, program=Path("/new/jmapsync"))[0] == "ExecStart=/new/jmapsync run"
    uninstall(tmp_path)
    assert drop_in.read_text() == "[Service]\n"


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_that_is_not_ours_stays(tmp_path: Path, name: str) -> None:
    own = tmp_path / name
    own.write_text("[Service]\nExecStart=/usr/bin/mine\n")
    with pytest.raises(LocalError, match="was not written by jmapsync"):
        install(tmp_path, program=PROGRAM)
    with pytest.raises(LocalError, match="was not written by jmapsync"):
        uninstall(tmp_path)
    assert [*tmp_path.iterdir()] == [own]
    assert own.read_text() == "[Service]\nExecStart=/usr/bin/mine\n"


def test_uninstalling_leaves_nothing_that_systemd_would_start(tmp_path: Path) -> None:
    started(tmp_path)
    wants = tmp_path / "default.target.wants"
    wants.mkdir()
    other = wants / "other.service"
    other.symlink_to("/usr/lib/systemd/user/other.service")
    for name, target in (("jmapsync.service", UNITS[0]), ("jmapsync@home.service", UNITS[1]), ("jmapsync-sync.timer", UNITS[3])):
        (wants / name).symlink_to(tmp_path / target)
    outcome = uninstall(tmp_path)
    assert len(outcome.files) == 7
    assert [one for one in tmp_path.rglob("*") if one.is_symlink() or one.is_file()] == [other]
    assert outcome.commands[-1] == "systemctl --user daemon-reload"


def test_uninstalling_what_is_not_there_removes_nothing(tmp_path: Path) -> None:
    assert uninstall(tmp_path / "none").files == ()


def test_a_directory_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LocalError, match="cannot be"):
        install(tmp_path / "file" / "user", program=PROGRAM)


@pytest.mark.parametrize(("base", "expected"), [("/c", "/c"), ("", "/home/me/.config"), ("relative", "/home/me/.config")])
def test_units_are_written_to_the_directory_of_the_users_service_manager(
    monkeypatch: pytest.MonkeyPatch, base: str, expected: str
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert default_unit_dir({"XDG_CONFIG_HOME": base}) == Path(expected, "systemd/user")


def test_the_program_is_the_one_that_was_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "pipx" / "jmapsync"
    inside.parent.mkdir()
    inside.write_text("")
    link = tmp_path / "jmapsync"
    link.symlink_to(inside)
    monkeypatch.setattr(sys, "argv", [str(link), "run", "--install"])
    assert find_program() == link


def test_the_program_lies_beside_its_python_when_it_was_called_by_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/pytest"])
    assert find_program() == Path(sys.executable).with_name("jmapsync")


def test_the_wheel_carries_the_units(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=PROJECT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        carried = {name.rpartition("/")[2]: archive.read(name) for name in archive.namelist() if "/systemd/" in name}
    assert carried == {file.name: file.read_bytes() for file in (PROJECT / "systemd").iterdir()}
