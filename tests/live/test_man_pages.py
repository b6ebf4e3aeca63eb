"""Show the manual pages with man, groff and mandoc, in columns of several widths, as a wheel installs them."""

from __future__ import annotations

import os
import re
import subprocess
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

pytestmark = pytest.mark.live

PROJECT = Path(__file__).parents[2]
WIDTHS = (40, 80, 200)


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Put what a wheel installs below its prefix into a directory. pip would remove the package from this environment first."""
    place = tmp_path_factory.mktemp("installed")
    [wheel] = WheelBuilder(str(PROJECT)).build(directory=str(place), versions=["standard"])
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place)
    return next(place.glob("*.data/data"))


def run(*command: str, **more: str) -> str:
    """Run a program and return what it prints, warnings included."""
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **more}
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=True
    )
    return done.stdout.decode()


def pages(prefix: Path) -> list[Path]:
    found = sorted((prefix / "share/man").glob("man[15]/*"))
    assert len(found) > 15
    return found


def test_mandoc_has_no_complaint(prefix: Path) -> None:
    assert run("mandoc", "-T", "lint", *map(str, pages(prefix))) == ""


@pytest.mark.parametrize("width", WIDTHS)
def test_groff_has_no_warning(width: int, prefix: Path) -> None:
    for page in pages(prefix):
        assert run("groff", "-ww", "-man", f"-rLL={width}n", "-z", str(page)) == ""


@pytest.mark.parametrize("width", WIDTHS)
def test_man_shows_every_page_within_the_width(width: int, prefix: Path) -> None:
    for page in pages(prefix):
        shown = run("man", "-l", "--warnings=w", str(page), MANWIDTH=str(width))
        body = shown.split("\n", 1)[1].rpartition("\n\n")[0]  # without the lines at the top and the bottom
        example = body.partition("\nEXAMPLE\n")[2].partition("\nKEYS\n")[0].splitlines()
        assert [line for line in body.splitlines() if len(line) > width and line not in example] == []
        assert "\nNAME\n" in shown
        assert "\\" not in shown


def test_man_finds_the_pages_by_name(prefix: Path) -> None:
    assert re.search(r"\n +jmapsync sync +\[--kind", run("man", "jmapsync-sync", MANPATH=str(prefix / "share/man"), MANWIDTH="80"))
    assert "password_command = string" in run("man", "5", "jmapsync.toml", MANPATH=str(prefix / "share/man"), MANWIDTH="80")
