"""What each command imports: a command that is typed all day must not load what only a run needs."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from jmapsync.app.daemon_socket import bound

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.cli.conftest import Home

LISTING = """
import atexit, sys
atexit.register(lambda: print(*sorted(sys.modules), file=open("modules", "w")))
from jmapsync.cli import main
main()
"""
LIBRARIES = {"httpx", "httpcore", "h11", "h2", "anyio", "rich", "pygments", "certifi", "icalendar", "websockets", "watchdog"}
"""What no command needs that asks no server."""
PARTS = ("planner", "jmap", "formats", "adopt", "backup", "kinds", "sync.run", "ledger.ledger", "app.wiring")
OF_A_RUN = {f"jmapsync.{name}" for name in PARTS}
HEAVY = {"asyncio", "logging", "dataclasses", "email", "importlib.metadata", "ssl"}
"""Parts of the standard library that take 3 to 25 ms each."""
UNNEEDED = LIBRARIES | OF_A_RUN | HEAVY


def imported(home: Home, *arguments: str, more: Mapping[str, str] | None = None) -> set[str]:
    """Run a command and return the modules that it imported."""
    file = home.path / "modules"
    file.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", LISTING, *arguments],
        env={**home.environment(), **(more or {})},
        cwd=home.path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(file.read_text().split())


@pytest.mark.parametrize(
    ("arguments", "more"),
    [
        (["--help"], {}),
        (["--version"], {}),
        ([], {"_JMAPSYNC_COMPLETE": "bash_complete", "COMP_WORDS": "jmapsync\ns", "COMP_CWORD": "1"}),
    ],
    ids=["help", "version", "completion"],
)
def test_help_version_and_completion_import_the_command_line_only(home: Home, arguments: list[str], more: dict[str, str]) -> None:
    found = imported(home, *arguments, more=more)
    assert found & (UNNEEDED | {"msgspec", "tomllib", "sqlite3", "json"}) == set()
    parts = ["encoding", "output", "parameters", "program", "settings", *(["shells"] if more else [])]
    assert {name for name in found if name.startswith("jmapsync")} == {
        "jmapsync",
        *(f"jmapsync.{name}" for name in ("cli", "errors", "text", *(f"cli.{part}" for part in parts))),
    }


def test_completion_of_accounts_reads_the_configuration_and_nothing_else(home: Home) -> None:
    more = {"_JMAPSYNC_COMPLETE": "zsh_complete", "COMP_WORDS": "jmapsync\nsync\n", "COMP_CWORD": "2"}
    found = imported(home, more=more)
    assert "jmapsync.config.account_names" in found
    assert found & (UNNEEDED | {"sqlite3", "socket"}) == set()


@pytest.fixture
def synchronized(home: Home) -> Home:
    assert imported(home, "-q", "sync") >= {"pycurl", "jmapsync.planner"}
    return home


@pytest.mark.parametrize("command", ["status", "mailboxes"])
def test_status_and_mailboxes_import_neither_the_client_nor_the_planner(synchronized: Home, command: str) -> None:
    assert imported(synchronized, command) & UNNEEDED == set()


def test_a_run_with_nothing_to_do_imports_no_other_command_and_no_conversion(synchronized: Home) -> None:
    found = imported(synchronized, "-q", "sync")
    unneeded = (LIBRARIES - {"certifi"}) | {"apscheduler", "importlib.metadata", "notmuch2"}
    unneeded |= {f"jmapsync.{name}" for name in ("backup", "formats.ical", "formats.vcard", "demo", "daemon", "app.hook")}
    assert found & unneeded == set()


@pytest.fixture
def daemon(home: Home) -> Iterator[dict[str, object]]:
    """Answer as a daemon that holds the account, and yield what it was asked."""
    asked: dict[str, object] = {}
    with bound(home.state) as listening:
        listening.setblocking(True)

        def answer() -> None:
            link, _ = listening.accept()
            with link, link.makefile("rwb") as lines:
                asked.update(json.loads(lines.readline()))
                lines.write(json.dumps({"report": {"name": "home", "kinds": {"mail": {}}}}).encode() + b"\n")

        thread = threading.Thread(target=answer)
        thread.start()
        yield asked
        thread.join()


def test_a_run_by_the_daemon_imports_neither_the_client_nor_the_planner(home: Home, daemon: dict[str, object]) -> None:
    assert imported(home, "-q", "sync") & UNNEEDED == set()
    assert daemon == {"do": "sync", "full": False, "allow_deletes": False, "kinds": ["mail"], "by_hook": False}
