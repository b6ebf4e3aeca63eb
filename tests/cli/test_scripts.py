"""Sieve scripts in every command that knows kinds: they are a kind like any other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.daemons import QUIET, running, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.demo import DemoServer
    from jmapsync.demo.scripts import ScriptStore
    from tests.cli.conftest import Command, Home

BROKEN = 'require "fileinto";\nfileinto "x"\nkeep;\n'
TABLE = '[accounts.home.sieve]\npath = "~/sieve"\n'


@pytest.fixture
def store(server: DemoServer) -> ScriptStore:
    store = server.account.scripts
    store.add("main", "keep;\r\n", active=True)
    store.add("other", "stop;\r\n")
    return store


@pytest.fixture
def root(home: Home, store: ScriptStore) -> Path:
    assert store.scripts
    home.configure(more=TABLE)
    return home.path / "sieve"


@pytest.fixture
def mirrored(root: Path, jmapsync: Command) -> Path:
    assert jmapsync("sync").code == 0
    return root


def test_sync_reports_them_and_both_kinds_take_one_request(mirrored: Path, jmapsync: Command) -> None:
    assert {file.name for file in mirrored.iterdir() if file.name[0] != "."} == {"main.sieve", "other.sieve", "active"}
    done = jmapsync("sync", "--json")
    report = json.loads(done.out)["accounts"]["home"]
    assert (report["requests"], report["kinds"]["sieve"]["state"]) == (1, "synced")
    assert "home sieve: nothing to do" in jmapsync("sync", "--kind", "sieve").out


def test_status_shows_the_line_and_the_message_of_a_refused_script(mirrored: Path, jmapsync: Command) -> None:
    (mirrored / "main.sieve").write_text(BROKEN)
    assert jmapsync("sync").code == 3
    done = jmapsync("status")
    assert done.code == 3
    assert "quarantined: script main: the server does not accept the script: line 3: syntax error" in done.out
    assert "2 here, 2 on the server" in done.out


def test_check_lists_them_validates_files_and_warns_of_mailboxes_that_are_not_there(
    root: Path, store: ScriptStore, jmapsync: Command
) -> None:
    store.edit(
        "main", 'require ["fileinto", "mailbox"];\r\nfileinto "Lists/python";\r\nfileinto "Gone";\r\nfileinto :create "New";\r\n'
    )
    root.mkdir()
    (root / "bad.sieve").write_text(BROKEN)
    done = jmapsync("check")
    assert done.code == 0
    assert "  sieve      2: main (active), other\n" in done.out
    assert done.err.splitlines() == [
        "home: The server does not accept the script bad: line 3: syntax error.",
        'home: The script main files into "Gone" (line 3), a mailbox that does not exist.',
        'home: The script bad files into "x" (line 2), a mailbox that does not exist.',
    ]
    assert set(store.listing()) == {"main", "other"}


def test_check_finds_nothing_wrong_with_the_ledger_of_a_run(mirrored: Path, jmapsync: Command) -> None:
    (mirrored / "third.sieve").write_text("keep;\n")
    assert jmapsync("sync").code == 0
    done = jmapsync("check")
    assert (done.code, done.err) == (0, "")


def test_verify_proves_them_and_names_what_differs(mirrored: Path, store: ScriptStore, jmapsync: Command) -> None:
    assert jmapsync("verify").code == 0
    store.edit("other", "discard;\r\n")
    (mirrored / "new.sieve").write_text("keep;\n")
    (mirrored / "active").unlink()
    done = jmapsync("verify")
    assert done.code == 3
    for line in (
        "new.sieve: it is here, and not on the server",
        "other.sieve: its bytes are not the server's",
        "main.sieve: it is named main here and active, named main on the server",
    ):
        assert line in done.out


def test_restore_puts_them_back_with_the_active_one_and_no_twice(mirrored: Path, store: ScriptStore, jmapsync: Command) -> None:
    for name in ("main", "other"):
        store.delete(name)
    done = jmapsync("restore", "home", "--kind", "sieve", "--dry-run")
    assert (done.code, store.listing()) == (0, {})
    assert jmapsync("restore", "home", "--kind", "sieve").code == 0
    assert (store.listing(), store.active_name) == ({"main": b"keep;\r\n", "other": b"stop;\r\n"}, "main")
    assert "nothing to send" in jmapsync("restore", "home", "--kind", "sieve").out
    done = jmapsync("sync", "--kind", "sieve")
    assert (done.code, "nothing to do" in done.out) == (0, True)
    store.delete("other")
    assert jmapsync("restore", "home", str(mirrored / "other.sieve")).code == 0
    assert store.listing()["other"] == b"stop;\r\n"


def test_a_restore_activates_nothing_where_another_script_is_active(mirrored: Path, store: ScriptStore, jmapsync: Command) -> None:
    assert mirrored.is_dir()
    store.add("theirs", "discard;\r\n", active=True)
    store.delete("main")
    jmapsync("restore", "home", "--kind", "sieve")
    assert (store.active_name, set(store.listing())) == ("theirs", {"main", "other", "theirs"})


def test_a_conflict_copy_is_listed_and_put_back_as_a_file(mirrored: Path, store: ScriptStore, jmapsync: Command) -> None:
    (mirrored / "main.sieve").write_text("# mine\nkeep;\n")
    store.edit("main", "# theirs\r\nkeep;\r\n")
    assert jmapsync("sync").code == 3
    assert "script main" in jmapsync("conflicts").out
    assert "message" not in jmapsync("conflicts").out
    assert jmapsync("conflicts", "show", "home/1").out == "# mine\r\nkeep;\r\n"
    assert jmapsync("conflicts", "restore", "home/1").code == 0
    assert (mirrored / "main.sieve").read_bytes() == b"# mine\nkeep;\n"
    assert jmapsync("sync").code == 0
    assert store.listing()["main"] == b"# mine\r\nkeep;\r\n"


def test_an_existing_directory_of_scripts_is_adopted(root: Path, store: ScriptStore, jmapsync: Command) -> None:
    root.mkdir()
    (root / "main.sieve").write_text("keep;\n")
    (root / "other.sieve").write_text("# mine\nstop;\n")
    (root / "third.sieve").write_text("discard;\n")
    (root / "notes.txt").write_text("not a script")
    (root / "active").symlink_to("third.sieve")
    assert jmapsync("sync").code == 3
    assert set(store.listing()) == {"main", "other", "third"}
    assert (store.active_name, (root / "active").readlink().name) == ("main", "main.sieve")
    assert (root / "other.sieve").read_text() == "stop;\n"
    assert jmapsync("conflicts", "show", "home/1").out == "# mine\r\nstop;\r\n"
    assert (root / "notes.txt").read_text() == "not a script"


def test_a_lost_ledger_finds_its_scripts_again(mirrored: Path, home: Home, store: ScriptStore, jmapsync: Command) -> None:
    long, slash = "n" * 512, "a/b c%20d"
    for name in (long, slash, "Grüße", "main ", ".dot"):
        store.add(name, f"# {name}\r\nkeep;\r\n")
    assert jmapsync("sync").code == 0
    before = {file.name: file.read_bytes() for file in mirrored.glob("[!.]*.sieve")}
    for file in home.state.iterdir():
        if file.name.startswith("ledger"):
            file.unlink()
    done = jmapsync("sync", "--kind", "sieve")
    assert (done.code, "nothing to do" in done.out) == (0, True)
    assert {file.name: file.read_bytes() for file in mirrored.glob("[!.]*.sieve")} == before
    assert len(store.listing()) == 7


def test_pull_undoes_what_is_done_here(root: Path, home: Home, store: ScriptStore, jmapsync: Command) -> None:
    home.configure(more=f'{TABLE}direction = "pull"\n')
    assert jmapsync("sync").code == 0
    (root / "main.sieve").write_text("discard;\n")
    (root / "active").unlink()
    jmapsync("sync")
    assert (root / "main.sieve").read_text() == "keep;\n"
    assert (root / "active").readlink().name == "main.sieve"
    assert (store.listing()["main"], store.active_name) == (b"keep;\r\n", "main")


def test_the_daemon_follows_files_the_link_and_the_server(root: Path, home: Home, store: ScriptStore) -> None:
    home.configure(more=TABLE + QUIET)
    with running(home):
        wait_for((root / "active").is_symlink)
        (root / "main.sieve").write_text("discard;\n")
        wait_for(lambda: store.listing()["main"] == b"discard;\r\n")
        (root / "active").unlink()
        (root / "active").symlink_to("other.sieve")
        wait_for(lambda: store.active_name == "other")
        store.edit("other", "keep;\r\n")
        wait_for(lambda: (root / "other.sieve").read_text() == "keep;\n")


def test_a_server_that_stops_offering_scripts_for_a_time_loses_none(
    mirrored: Path, server: DemoServer, store: ScriptStore, jmapsync: Command
) -> None:
    server.faults.hidden_capabilities.arm(["urn:ietf:params:jmap:sieve"])
    (mirrored / "main.sieve").write_text("stop;\n")
    for _ in range(2):
        done = jmapsync("sync")
        assert (done.code, "offers no sieve to" in done.out + done.err) == (1, True)
    assert (set(store.listing()), store.active_name) == ({"main", "other"}, "main")
    assert (mirrored / "active").is_symlink()
    server.faults.clear()
    assert jmapsync("sync").code == 0
    assert (store.listing()["main"], store.active_name) == (b"stop;\r\n", "main")
