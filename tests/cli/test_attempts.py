"""What did not end is never reported as a success: `sync`, `status` and `check` say what went wrong, for each kind."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.demo import Answer
from tests.cli.conftest import PROGRAM, SECRET
from tests.cli.daemons import QUIET, running, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.demo import DemoServer
    from tests.cli.conftest import Command, Home

KINDS = ("contacts", "calendars", "tasks")
MORE = "".join(f'[accounts.home.{kind}]\npath = "~/{kind}"\n' for kind in KINDS)
WRONG = 'password_command = "echo wrong"'
CONTACTS = "urn:ietf:params:jmap:contacts"


@pytest.fixture
def all_kinds(home: Home) -> Home:
    home.configure(more=MORE)
    return home


def account(jmapsync: Command, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = jmapsync(*arguments, "--json")
    reported = json.loads(done.out)
    assert reported["ok"] is (done.code == 0)
    found: dict[str, Any] = reported["accounts"]["home"]
    assert found["exit_code"] == done.code
    return done.code, found


def backdate(home: Home, seconds: int = 100) -> None:
    """Make all that is recorded of runs older, so that a later attempt differs from it."""
    with sqlite3.connect(home.state / "ledger.sqlite") as ledger:
        for kind, at, report in ledger.execute("SELECT kind, at, report FROM run").fetchall():
            reported = {
                key: value - seconds if key in {"began", "ended", "succeeded"} else value
                for key, value in json.loads(report).items()
            }
            ledger.execute("UPDATE run SET at = ?, report = ? WHERE kind = ?", (at - seconds, json.dumps(reported), kind))
    ledger.close()


def test_one_that_is_interrupted_while_it_waits_for_the_secret_is_no_success_either(home: Home, jmapsync: Command) -> None:
    assert jmapsync("sync").code == 0
    home.configure(secret='password_command = "touch asked; sleep 60"')
    with subprocess.Popen([*PROGRAM, "sync"], env=home.environment(), cwd=home.path, stderr=subprocess.DEVNULL) as process:
        wait_for((home.path / "asked").exists)
        process.send_signal(signal.SIGINT)
        assert process.wait(50) == 130
    code, found = account(jmapsync, "status")
    assert (code, found["reason"]) == (1, "the run was interrupted")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("where", ["session", "Blob/get"])
def test_an_interrupted_pull_is_no_success(
    all_kinds: Home, server: DemoServer, jmapsync: Command, number: signal.Signals, where: str
) -> None:
    server.faults.latency.arm(60.0, only=[where])
    with subprocess.Popen([*PROGRAM, "sync"], env=all_kinds.environment(), stderr=subprocess.DEVNULL) as process:
        wait_for(lambda: server.faults.latency.fired)
        code, found = account(jmapsync, "status")
        assert (found["running"], found["last_success"]) == (True, None)
        process.send_signal(number)
        assert process.wait(50) != 0
    code, found = account(jmapsync, "status")
    assert (code, found["last_success"]) == (1, None)
    assert found["last_attempt"] is not None
    for kind in ("mail", *KINDS):
        one = found["kinds"][kind]
        assert (one["last_state"], one["exit_code"], one["last_success"]) == ("failed", 1, None), kind
        assert "interrupted" in one["reason"] or "killed" in one["reason"], kind
    text = jmapsync("status").out
    assert "synced" not in text
    assert text.count("last success: never") == 4
    server.faults.clear()
    assert jmapsync("sync").code == 0
    code, found = account(jmapsync, "status")
    assert code == 0
    assert found["reason"] is None
    assert found["last_success"] is not None


def unreachable(home: Home, server: DemoServer) -> None:
    server.stop()


def wrong_password(home: Home, server: DemoServer) -> None:
    home.configure(secret=WRONG, more=MORE)


def no_password(home: Home, server: DemoServer) -> None:
    home.configure(secret='password_command = "exit 3"', more=MORE)


def garbage(home: Home, server: DemoServer) -> None:
    server.faults.answer.arm(Answer.html())


def no_tls(home: Home, server: DemoServer) -> None:
    home.configure(url=server.url.replace("http:", "https:"), more=MORE)


def trouble_in_the_middle(home: Home, server: DemoServer) -> None:
    server.faults.answer.arm(Answer(401), only=["api"])


CODES: list[tuple[Callable[[Home, DemoServer], None], int]] = [
    (unreachable, 1),
    (wrong_password, 5),
    (no_password, 5),
    (garbage, 1),
    (no_tls, 1),
    (trouble_in_the_middle, 5),
]


@pytest.mark.parametrize(("breaks", "expected"), CODES, ids=[breaks.__name__ for breaks, _ in CODES])
def test_what_the_account_fails_by_every_kind_fails_by(
    all_kinds: Home,
    server: DemoServer,
    jmapsync: Command,
    breaks: Callable[[Home, DemoServer], None],
    expected: int,
) -> None:
    jmapsync("sync")
    backdate(all_kinds)
    _, before = account(jmapsync, "status")
    breaks(all_kinds, server)
    code, found = account(jmapsync, "sync")
    assert code == expected
    reasons = {kind["reason"] for kind in found["kinds"].values()}
    assert sorted(found["kinds"]) == sorted(("mail", *KINDS))
    assert {(kind["state"], kind["exit_code"]) for kind in found["kinds"].values()} == {("failed", expected)}
    assert reasons == {found["error"]}
    code, after = account(jmapsync, "status")
    assert code == expected
    for kind in ("mail", *KINDS):
        one = after["kinds"][kind]
        assert (one["exit_code"], one["last_state"]) == (expected, "failed")
        assert one["reason"] == found["error"]
        assert one["last_success"] == before["kinds"][kind]["last_success"] < one["last_attempt"]
    text = jmapsync("status")
    assert text.code == expected
    assert "synced" not in text.out
    assert found["error"].splitlines()[0][:40] in text.out
    assert "nothing to do" not in jmapsync("sync").out


def test_a_dry_run_and_a_run_that_meets_another_leave_no_trace(all_kinds: Home, server: DemoServer, jmapsync: Command) -> None:
    jmapsync("sync")
    before = jmapsync("status").out
    server.stop()
    assert account(jmapsync, "sync", "--dry-run")[1]["kinds"]["tasks"]["state"] == "failed"
    assert jmapsync("status").out == before


def test_a_root_that_is_missing_fails_its_kind_alone(all_kinds: Home, jmapsync: Command) -> None:
    jmapsync("sync")
    shutil.rmtree(all_kinds.path / "contacts")
    code, found = account(jmapsync, "sync")
    assert code == 4
    assert {kind: one["state"] for kind, one in found["kinds"].items()} == {
        "mail": "synced",
        "contacts": "failed",
        "calendars": "synced",
        "tasks": "synced",
    }
    code, after = account(jmapsync, "status")
    assert (code, after["kinds"]["contacts"]["exit_code"], after["kinds"]["mail"]["exit_code"]) == (4, 4, 0)
    assert str(all_kinds.path / "contacts") in after["kinds"]["contacts"]["reason"]


@pytest.mark.parametrize("others", ["", MORE.partition("[accounts.home.calendars]")[2]])
def test_a_kind_that_the_server_does_not_offer_is_the_same_to_every_command(
    home: Home, server: DemoServer, jmapsync: Command, others: str
) -> None:
    more = '[accounts.home.contacts]\npath = "~/contacts"\n' + (f"[accounts.home.calendars]{others}" if others else "")
    home.configure(more=more)
    server.faults.hidden_capabilities.arm([CONTACTS])
    message = f"127.0.0.1:{server.port} offers no contacts to alice."
    code, found = account(jmapsync, "sync")
    assert (code, found["kinds"]["contacts"]["state"], found["kinds"]["contacts"]["reason"]) == (1, "skipped", message)
    assert found["kinds"]["mail"]["state"] == "synced"
    code, found = account(jmapsync, "status")
    assert (code, found["kinds"]["contacts"]["last_state"], found["kinds"]["contacts"]["reason"]) == (1, "skipped", message)
    assert found["kinds"]["mail"]["exit_code"] == 0
    for command in ("sync", "check", "status"):
        done = jmapsync(command)
        assert (done.code, message in done.out + done.err) == (1, True), command
    done = jmapsync("sync", "--kind", "contacts")
    assert (done.code, message in done.err) == (1, True)


@pytest.mark.parametrize("command", ["sync", "sync --dry-run", "sync --full"])
@pytest.mark.parametrize("kind", ["contacts", "calendars", "mail"])
@pytest.mark.usefixtures("all_kinds")
def test_a_kind_that_the_server_stops_offering_is_skipped_in_the_same_words(
    server: DemoServer, jmapsync: Command, kind: str, command: str
) -> None:
    assert jmapsync("sync").code == 0
    server.faults.hidden_capabilities.arm([f"urn:ietf:params:jmap:{kind}"])
    message = f"127.0.0.1:{server.port} offers no {kind} to alice."
    for _ in range(2):
        code, found = account(jmapsync, *command.split())
        assert (code, found["kinds"][kind]["state"], found["kinds"][kind]["reason"]) == (1, "skipped", message)
    if "dry" not in command:
        code, found = account(jmapsync, "status")
        assert (code, found["kinds"][kind]["last_state"], found["kinds"][kind]["reason"]) == (1, "skipped", message)
    server.faults.clear()
    assert jmapsync("sync").code == 0
    assert account(jmapsync, "status")[0] == 0


def test_the_daemon_records_its_attempts_and_they_stay_when_it_has_ended(
    all_kinds: Home, server: DemoServer, jmapsync: Command
) -> None:
    jmapsync("sync")
    backdate(all_kinds)
    all_kinds.configure(secret=WRONG, more=MORE + QUIET)
    with running(all_kinds):
        code, live = account(jmapsync, "status")
        assert code == 5
        assert live["reason"]
    code, found = account(jmapsync, "status")
    assert code == 5
    assert {kind["exit_code"] for kind in found["kinds"].values()} == {5}
    assert found["last_success"] < found["last_attempt"]
    all_kinds.configure(secret=f'password_command = "echo {SECRET}"', more=MORE + QUIET)
    with running(all_kinds) as daemon:
        daemon.wait_for_log("connected")
        wait_for(lambda: account(jmapsync, "status")[1]["daemon"]["looks"] > 1)
        wait_for(lambda: account(jmapsync, "status")[1]["daemon"]["standing"] == "in step")
        assert account(jmapsync, "status")[0] == 0
    assert account(jmapsync, "status")[0] == 0


def test_a_daemon_serves_the_kinds_that_are_offered(home: Home, server: DemoServer, jmapsync: Command) -> None:
    home.configure(more='[accounts.home.contacts]\npath = "~/contacts"\n' + QUIET)
    server.faults.hidden_capabilities.arm([CONTACTS])
    with running(home) as daemon:
        daemon.wait_for_log("connected")
        wait_for(lambda: account(jmapsync, "status")[1]["daemon"]["standing"] == "in step")
        code, found = account(jmapsync, "status")
        assert (code, found["daemon"]["standing"]) == (1, "in step")
        assert "offers no contacts" in found["daemon"]["why"]
        server.account.deliver(b"Subject: news\r\n\r\n")
        wait_for(lambda: any(b"Subject: news" in file.read_bytes() for file in home.inbox()))


def test_a_ledger_of_an_older_version_is_read(home: Home, jmapsync: Command) -> None:
    jmapsync("sync")
    with sqlite3.connect(home.state / "ledger.sqlite") as ledger:
        ledger.execute("UPDATE run SET report = ?", (json.dumps({"state": "synced"}),))
    ledger.close()
    code, found = account(jmapsync, "status")
    assert code == 0
    assert found["kinds"]["mail"]["last_success"] == found["kinds"]["mail"]["last_run"]


def test_a_ledger_that_another_program_holds_fails_every_kind(
    all_kinds: Home, jmapsync: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    jmapsync("sync")
    connect = sqlite3.connect

    def connect_at_once(*arguments: Any, **options: Any) -> sqlite3.Connection:  # noqa: ANN401
        found: sqlite3.Connection = connect(*arguments, **options | {"timeout": 0.1})
        return found

    monkeypatch.setattr(sqlite3, "connect", connect_at_once)
    with sqlite3.connect(all_kinds.state / "ledger.sqlite") as ledger:
        ledger.execute("BEGIN IMMEDIATE")
        code, found = account(jmapsync, "sync")
        ledger.rollback()
    ledger.close()
    assert code == 1
    assert {kind["state"] for kind in found["kinds"].values()} == {"failed"}
    assert {kind["reason"] for kind in found["kinds"].values()} == {found["error"]}


def test_a_ledger_that_cannot_be_used_fails_every_kind(all_kinds: Home, jmapsync: Command) -> None:
    jmapsync("sync")
    (all_kinds.state / "ledger.sqlite").write_bytes(b"no database at all, " * 1000)
    for name in ("ledger.sqlite-wal", "ledger.sqlite-shm"):
        (all_kinds.state / name).unlink(missing_ok=True)
    code, found = account(jmapsync, "sync")
    assert code == 1
    assert {kind["state"] for kind in found["kinds"].values()} == {"failed"}
    code, found = account(jmapsync, "status")
    assert code == 1
    assert {(kind["exit_code"], kind["reason"]) for kind in found["kinds"].values()} == {(1, found["error"])}
    assert "synced" not in jmapsync("status").out
    assert "never" not in jmapsync("status").out
