"""Run the recipes of docs/recipes.md for khal, khard and todoman; see that each other block is run by a live test."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import DemoServer
from jmapsync.demo.sample import fill_sample

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs/recipes.md").read_text(encoding="utf-8")
PIM = "khal, khard and todoman"
PATIENCE = 60
CONFIG = """\
[accounts.home]
url = "{url}"
user = "alice"
auth = "basic"
password = "geheim"
[accounts.home.contacts]
path = "~/.contacts/home"
[accounts.home.calendars]
path = "~/.calendars/home"
[accounts.home.tasks]
path = "~/.tasks/home"
"""


def blocks() -> list[tuple[str, str, int, str]]:
    """Return the blocks of the page: section, language, number among those of that language there, text."""
    found: list[tuple[str, str, int, str]] = []
    for section in PAGE.split("\n## ")[1:]:
        title, _, text = section.partition("\n")
        counts: dict[str, int] = {}
        for language, block in re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL):
            found.append((title, language, counts.get(language, 0), block))
            counts[language] = counts.get(language, 0) + 1
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a home directory with a mirror of the sample account, and the programs configured as the page says."""
    home = tmp_path_factory.mktemp("home")
    server = DemoServer(user="alice", password="geheim")
    fill_sample(server.account)
    for section, _, _, block in blocks():
        named = re.match(r"# ~/(\S+)\n", block)
        if section == PIM and named is not None:
            _write(home / named[1], block)
    with server:
        _write(home / ".config/jmapsync/config.toml", CONFIG.format(url=server.url))
        run(home, sys.executable, "-m", "jmapsync", "-q", "sync")
        yield home


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)


def run(home: Path, *command: str) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"HOME": str(home), "PATH": path, "LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        command, env=environment, cwd=home, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_khal_khard_and_todoman_list_what_the_server_has(home: Path) -> None:
    assert "Ada Lovelace" in run(home, "khard", "list")
    assert "Tea with Charles" in run(home, "khal", "search", "Charles")
    assert "Read the proofs" in run(home, "todo", "list")


def test_a_new_event_and_a_new_task_go_to_the_default_places_and_to_the_server(home: Path) -> None:
    before = set((home / ".calendars/home/Calendar").glob("*.ics")), set((home / ".tasks/home/Tasks").glob("*.ics"))
    run(home, "khal", "new", "05/06/31", "Dentist")
    run(home, "todo", "new", "Return the books")
    [event] = set((home / ".calendars/home/Calendar").glob("*.ics")) - before[0]
    [task] = set((home / ".tasks/home/Tasks").glob("*.ics")) - before[1]
    assert "SUMMARY:Dentist" in event.read_text()
    assert "SUMMARY:Return the books" in task.read_text()
    assert run(home, sys.executable, "-m", "jmapsync", "sync").count("1 created on the server") == 2


def test_khal_shows_birthdays_and_makes_no_directory(home: Path) -> None:
    assert "birthdays" in run(home, "khal", "printcalendars").split()
    assert "Ada Lovelace" in run(home, "khal", "list", "12/09/30", "3d")
    assert {path.name for path in (home / ".contacts/home").iterdir()} == {".jmapsync", "Contacts", "Engine"}


def test_khard_has_both_address_books(home: Path) -> None:
    assert run(home, "khard", "addressbooks").split() == ["home", "engine"]
    assert "Charles Babbage" in run(home, "khard", "list", "-a", "engine")
    assert "Charles Babbage" not in run(home, "khard", "list", "-a", "home")


def test_mutt_completes_addresses_with_khard(home: Path) -> None:
    [line] = [block for section, language, _, block in blocks() if (section, language) == (PIM, "muttrc")]
    command = re.fullmatch(r'set query_command = "(.*)"\n', line)
    assert command is not None
    assert "Ada Lovelace" in run(home, *shlex.split(command[1].replace("%s", "ada")))


def test_each_other_block_is_used_by_a_live_test() -> None:
    live = "\n".join(file.read_text(encoding="utf-8") for file in (PROJECT / "tests/live").glob("*.py"))
    for section, language, number, _ in blocks():
        if section != PIM:
            assert f'shown("{section}", "{language}"{f", {number}" if number else ""})' in live, (section, language, number)
