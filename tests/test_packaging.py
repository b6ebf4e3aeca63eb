"""Test what is published: the licences of what is installed with it, and what the source archive contains."""

from __future__ import annotations

import re
import tarfile
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

from jmapsync.cli.program import COMMANDS
from manual.installed import files

PROJECT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
COMPATIBLE = re.compile(r"\b(MIT|BSD|ISC|Apache|MPL|PSF|Python Software Foundation)", re.IGNORECASE)
"""Licences whose code a program under MIT may require. The extra `notmuch` is left out: notmuch itself is GPL."""


def _required() -> set[str]:
    """Return the names of all installed distributions that jmapsync requires, directly or not, with its extras."""
    waiting = PYPROJECT["dependencies"] + PYPROJECT["optional-dependencies"]["demo"] + PYPROJECT["optional-dependencies"]["keyring"]
    found: set[str] = set()
    while waiting:
        requirement = waiting.pop()
        name = re.match(r"[\w.-]+", requirement)
        if name is None or name[0] in found or "extra ==" in requirement:
            continue
        try:
            waiting += metadata.requires(name[0]) or []
        except metadata.PackageNotFoundError:  # for another Python or system
            continue
        found.add(name[0])
    return found


def _licence(name: str) -> str:
    about = metadata.metadata(name)
    classifiers = [one for one in about.get_all("Classifier") or [] if one.startswith("License ::")]
    return " ".join(
        [*(about.get_all("License-Expression") or []), *(one[:100] for one in about.get_all("License") or []), *classifiers]
    )


def test_every_required_package_has_a_compatible_licence() -> None:
    required = _required()
    assert {"httpx", "httpcore", "h11"} <= required
    assert {name: _licence(name) for name in required if not COMPATIBLE.search(_licence(name))} == {}


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> tuple[set[str], set[str]]:
    """Return the names in the source archive and in the wheel."""
    place = tmp_path_factory.mktemp("dist")
    [source] = SdistBuilder(str(PROJECT)).build(directory=str(place), versions=["standard"])
    [wheel] = WheelBuilder(str(PROJECT)).build(directory=str(place), versions=["standard"])
    with tarfile.open(source) as tar, zipfile.ZipFile(wheel) as file:
        return {name.partition("/")[2] for name in tar.getnames()}, set(file.namelist())


def test_the_source_archive_has_the_tests_and_the_documentation_but_no_caches(archives: tuple[set[str], set[str]]) -> None:
    source, _ = archives
    assert {"README.md", "CHANGELOG.md", "LICENSE", "tests/run", "systemd/jmapsync.service", "jmapsync/py.typed"} <= source
    assert {"docs/manual/roff.py", "docs/manual/build_hook.py", "share/man/man1/jmapsync.1", "docs/config.schema.json"} <= source
    assert [name for name in source if re.search(r"__pycache__|\.pyc$|\.(venv|git|hypothesis)|_cache/", name)] == [".gitignore"]


def test_the_wheel_has_the_types_the_schema_the_units_and_the_licence(archives: tuple[set[str], set[str]]) -> None:
    _, wheel = archives
    wanted = {"jmapsync/py.typed", "jmapsync/ledger/schema.sql", "jmapsync/systemd/jmapsync.service"}
    assert wanted <= wheel
    assert any(name.endswith("licenses/LICENSE") for name in wheel)
    assert not [name for name in wheel if name.startswith(("tests/", "docs/"))]


def test_both_have_the_manual_pages_and_the_completion_of_each_shell(archives: tuple[set[str], set[str]]) -> None:
    source, wheel = archives
    below = {name.partition(".data/data/")[2] for name in wheel}
    assert set(files()) <= source
    assert set(files()) == {name for name in below if name}
    assert {f"share/man/man1/jmapsync-{name}.1" for name in COMMANDS} | {"share/man/man5/jmapsync.toml.5"} <= below
    places = {"bash-completion/completions/jmapsync", "zsh/site-functions/_jmapsync", "fish/vendor_completions.d/jmapsync.fish"}
    assert {f"share/{place}" for place in places} <= below
