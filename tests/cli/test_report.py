"""`jmapsync report`: what it says, and that nothing is in it that belongs to anybody."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from jmapsync import __version__
from jmapsync.app.redaction import redacted
from jmapsync.app.server_offer import offer_of
from jmapsync.demo import DemoServer
from jmapsync.jmap.session import Session
from tests.cli.conftest import PROGRAM, SECRET
from tests.kit.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Command, Home

MARKERS = ("Vesuvius", "Quagga", "Ocelot", "Zugspitze", "Kestrel", "Umbrella", SECRET, "alice")
"""In names, addresses, subjects, secrets and paths: none of them is in a report."""


@pytest.fixture
def server() -> Iterator[DemoServer]:
    """Serve an account in which everything has a name that would be recognised."""
    server = DemoServer(user="alice", password=SECRET)
    account = server.account
    account.create_mailbox("Vesuvius")
    account.deliver(b"From: Quagga <q@ocelot.example>\r\nSubject: Zugspitze\r\n\r\nKestrel\r\n", mailboxes=("Vesuvius",))
    with server:
        yield server


def test_says_versions_settings_capabilities_and_how_the_last_run_went(jmapsync: Command, home: Home) -> None:
    home.configure(mail='layout = "maildir++"', more='[daemon]\npoll = "3m"\n[hooks]\nafter_sync = "test Umbrella"\n')
    assert jmapsync("sync").code == 0
    done = jmapsync("report")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "# jmapsync bug report"
    assert lines[2].startswith(f"- jmapsync {__version__}, Python ")
    assert {'- daemon.poll = "3m"', "- hooks.after_sync is set", '- mail.layout = "maildir++"', "- url is set"} <= set(lines)
    assert '- auth = "basic"' in lines
    assert "- mail: synced, exit code 0" in lines
    assert any(re.fullmatch(r"  - urn:ietf:params:jmap:core: .*maxObjectsInGet \d+.*", line) for line in lines)
    assert max(map(len, lines)) < 500


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_fits_the_terminal(columns: int, process: Command, home: Home) -> None:
    assert process("sync").code == 0
    environment = home.environment() | {"TERM": "xterm"}
    environment.pop("COLUMNS")
    with Terminal(columns) as terminal:
        subprocess.run([*PROGRAM, "report"], env=environment, stdout=terminal.end, stderr=terminal.end, timeout=60, check=True)
        lines = terminal.all().decode().splitlines()
    assert lines[0] == "# jmapsync bug report"
    assert max(map(len, lines)) <= columns


def contents(folder: Path) -> dict[Path, bytes]:
    """Return the files below a folder, without those that SQLite makes for every reader."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and not path.name.startswith("ledger.sqlite-")}


def test_needs_no_server_and_writes_nothing(jmapsync: Command, home: Home, server: DemoServer) -> None:
    jmapsync("sync")
    before = contents(home.path)
    requests = server.requests.count("http")
    assert jmapsync("report").code == 0
    assert server.requests.count("http") == requests
    assert contents(home.path) == before


def test_before_the_first_run(jmapsync: Command, home: Home) -> None:
    done = jmapsync("report")
    assert done.code == 0
    assert "- mail: never run, exit code 0" in done.out
    assert "what it offers is not known yet" in done.out
    assert not home.state.exists()


def test_of_a_configuration_that_is_wrong_says_how(jmapsync: Command, home: Home) -> None:
    home.configure(more='[accounts.home.Vesuvius]\npath = "Quagga"\n[daemon]\npoll = "Kestrel"\n')
    done = jmapsync("report")
    assert done.code == 0
    assert "must be a duration such as" in done.out
    assert not [marker for marker in MARKERS if marker.casefold() in done.out.casefold()]


def test_holds_nothing_that_belongs_to_anybody(
    jmapsync: Command, home: Home, server: DemoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = home.config.read_text().replace("accounts.home", "accounts.Umbrella").replace("~/Mail", "~/Ocelot")
    home.config.write_text(f'{text}exclude = ["Quagga*"]\n[hooks]\nafter_sync = "test Kestrel"\n')
    state = home.state.parent / "Umbrella"
    assert jmapsync("sync").code == 0
    os.symlink("/Kestrel", home.path / "Ocelot/Vesuvius/cur/Zugspitze")  # is quarantined by its name
    (home.path / "Ocelot/Quagga").symlink_to(home.path)
    assert jmapsync("sync").code == 3

    def crash(*_: object, **__: object) -> None:
        raise KeyError("Vesuvius") from ValueError(f"Quagga {SECRET}")

    with monkeypatch.context() as patch:
        patch.setattr("jmapsync.app.wiring.open_account", crash)
        assert jmapsync("sync").code == 1
    url = server.url
    server.stop()
    assert jmapsync("sync").code == 1

    done = jmapsync("report")
    assert done.code == 0
    assert list(state.glob("crash-*.txt"))
    assert "- builtins.KeyError" in done.out
    assert "- caused by: builtins.ValueError" in done.out
    assert re.search(r"    jmapsync/app/syncing\.py:\d+ in ", done.out)
    assert "1 x " in done.out
    assert "a symbolic link" in done.out
    assert [marker for marker in MARKERS if marker.casefold() in done.out.casefold()] == []
    assert str(home.path) not in done.out
    assert url not in done.out
    assert "127.0.0.1" not in done.out


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (
            "The state folder /home/a cannot be written: Permission denied.",
            "The state folder … cannot be written: Permission denied.",
        ),
        ("Vesuvius", "…"),
        ("", ""),
        ("mail", "…"),
        ("The server refused it (forbiddenMailFrom): Quagga", "The server refused … forbiddenMailFrom …"),
        ("Zugspitzecannot be written", "…"),
        ("cannot be written@example.com", "…"),
    ],
)
def test_of_a_message_only_the_words_of_the_program_are_kept(text: str, kept: str) -> None:
    assert redacted(text) == kept


def test_capabilities_of_unknown_vendors_are_counted_and_their_texts_left_out() -> None:
    session = Session.parse(
        b'{"apiUrl": "https://mail.example.com/api", "username": "alice", "accounts": {"Quagga": {"name": "Ocelot",'
        b' "accountCapabilities": {"urn:ietf:params:jmap:mail": {"maxMailboxDepth": 10, "options": ["Kestrel"]}}}},'
        b' "capabilities": {"urn:ietf:params:jmap:core": {"maxCallsInRequest": 16, "x Zugspitze": 1},'
        b' "urn:ietf:params:jmap:mail": {}, "https://vesuvius.example.com/jmap": {}}}',
        "https://mail.example.com/.well-known/jmap",
    )
    assert offer_of(session) == {
        "capabilities": {
            "urn:ietf:params:jmap:core": {"maxCallsInRequest": 16},
            "urn:ietf:params:jmap:mail": {"maxMailboxDepth": 10},
        },
        "others": 1,
        "accounts": 1,
        "push": False,
    }


def test_a_crash_report_of_somebody_else_is_shown_by_types_and_places_only(jmapsync: Command, home: Home) -> None:
    folder: Path = home.state
    folder.mkdir(parents=True)
    (folder / "crash-20260101-000000-1.txt").write_text(
        "jmapsync 0.1\nnow\n\njmapsync.errors.LocalError: The state folder /home/Vesuvius cannot be written: Quagga\n"
        "  /home/Vesuvius/jmapsync/lib/python3.11/site-packages/jmapsync/app/x.py:12 in run\n  /home/Ocelot/own.py:1 in <module>\n"
        "Kestrel said: something\n"
    )
    out = jmapsync("report").out
    assert "- jmapsync.errors.LocalError: The state folder … cannot be written …\n" in out
    assert "    jmapsync/app/x.py:12 in run\n    own.py:1 in <module>\n" in out
    assert not [marker for marker in MARKERS if marker.casefold() in out.casefold()]
