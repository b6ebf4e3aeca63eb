"""Test that the published archives are valid, and that pipx and uv install a program that works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

from jmapsync import __version__

pytestmark = pytest.mark.live  # installs from a package index
PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the source archive and the wheel."""
    place = str(tmp_path_factory.mktemp("dist"))
    [source] = SdistBuilder(str(PROJECT)).build(directory=place, versions=["standard"])
    [wheel] = WheelBuilder(str(PROJECT)).build(directory=place, versions=["standard"])
    return Path(source), Path(wheel)


def _run(*command: str | Path, **variables: Path) -> str:
    environment = os.environ | {name: str(value) for name, value in variables.items()}
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_twine_accepts_both_archives(archives: tuple[Path, Path]) -> None:
    assert _run(sys.executable, "-m", "twine", "check", "--strict", *archives).count("PASSED") == 2


def test_pipx_installs_the_wheel(archives: tuple[Path, Path], tmp_path: Path) -> None:
    places = {"PIPX_HOME": tmp_path / "home", "PIPX_BIN_DIR": tmp_path / "bin", "PIPX_MAN_DIR": tmp_path / "man"}
    _run(sys.executable, "-m", "pipx", "install", "--quiet", "--python", sys.executable, archives[1], **places)
    assert _run(tmp_path / "bin/jmapsync", "--version") == f"jmapsync {__version__}\n"
    assert (tmp_path / "man/man1/jmapsync.1").exists()


def test_uv_installs_the_source_archive(archives: tuple[Path, Path], tmp_path: Path) -> None:
    places = {"UV_TOOL_DIR": tmp_path / "tools", "UV_TOOL_BIN_DIR": tmp_path / "bin", "UV_PYTHON_DOWNLOADS": Path("never")}
    _run(Path(sys.executable).with_name("uv"), "tool", "install", "--quiet", "--python", sys.executable, archives[0], **places)
    assert _run(tmp_path / "bin/jmapsync", "--version") == f"jmapsync {__version__}\n"
    assert "Synchronize once." in _run(tmp_path / "bin/jmapsync", "--help")
