"""`jmapsync run` behind a portal, a push endpoint that refuses or closes, and in a home whose name is not UTF-8: it goes on."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.demo import RFC, Answer, DemoServer
from jmapsync.demo.sample import fill_sample
from tests.cli.conftest import SECRET, Home
from tests.cli.daemons import QUIET, running, wait_for
from tests.cli.test_daemon_disturbed import LETTER, flag, holds, remote_keywords, rest, welcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Command

FLAGGED = frozenset({"$flagged", "$answered", "$seen"})


def test_a_network_that_asks_for_a_sign_in_of_its_own_is_waited_for(home: Home, server: DemoServer) -> None:
    home.configure(more=QUIET)
    with running(home) as daemon:
        rest(server)
        server.faults.answer.arm(Answer.redirect("http://portal.invalid/login"))
        flag(welcome(home), "FRS")
        daemon.wait_for_log("in trouble")
        server.faults.answer.disarm()
        server.account.deliver(LETTER)
        wait_for(lambda: FLAGGED in remote_keywords(server))
        wait_for(lambda: holds(home, "Subject: hello"))
        assert "needs sign-in" not in daemon.log


@pytest.fixture
def pushing() -> Iterator[DemoServer]:
    """A server with a WebSocket."""
    server = DemoServer(dialect=dataclasses.replace(RFC, websocket=True), user="alice", password=SECRET)
    fill_sample(server.account)
    with server:
        yield server


def test_trouble_of_push_is_of_push_alone(home: Home, pushing: DemoServer, jmapsync: Command) -> None:
    def state() -> dict[str, Any]:
        return dict(json.loads(jmapsync("status", "--json").out)["accounts"]["home"]["daemon"])

    home.configure(more=QUIET, url=pushing.url)
    pushing.faults.ending_events.arm(0.0)
    with running(home) as daemon:
        wait_for(lambda: pushing.requests.count("websocket") >= 3)
        flag(welcome(home), "FRS")
        wait_for(lambda: FLAGGED in remote_keywords(pushing))
        pushing.faults.answer.arm(Answer(401, {"WWW-Authenticate": "Basic"}), only=["events", "websocket"])
        wait_for(lambda: "did not accept" in state()["push"]["why"])
        flag(welcome(home), "S")
        wait_for(lambda: FLAGGED not in remote_keywords(pushing))
        assert state()["standing"] in {"in step", "at work"}
        assert state()["faults"] == []
        assert "home: in trouble" not in daemon.log
        assert "needs sign-in" not in daemon.log


def test_a_home_whose_name_is_not_utf_8_silences_neither_watchdog_nor_status(
    home: Home, server: DemoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/al\xefce"))
    home.path.mkdir()
    home.configure(more=QUIET)
    monkeypatch.setenv("HOME", str(home.path))
    with running(home, environment={"WATCHDOG_USEC": "1000000"}) as daemon:
        rest(server)
        (home.mail / "INBOX/.jmapsync").unlink(missing_ok=True)
        os.rename(home.mail, home.path / "Elsewhere")
        daemon.wait_for_log("al")
        before = daemon.reported.count("WATCHDOG=1")
        wait_for(lambda: daemon.reported.count("WATCHDOG=1") > before + 2)
        os.rename(home.path / "Elsewhere", home.mail)
        flag(welcome(home), "FRS")
        wait_for(lambda: FLAGGED in remote_keywords(server))


def test_what_waits_for_room_is_sent_once_another_client_makes_some(home: Home, server: DemoServer, jmapsync: Command) -> None:
    home.configure(more=QUIET)
    with running(home):
        rest(server)
        server.account.allowance.messages = len(server.account.emails)
        (home.mail / "INBOX/new/1.x.y").write_bytes(b"Subject: one too many\n\nbody\n")
        wait_for(lambda: "waits for room on the server" in jmapsync("status").out)
        assert server.requests.count("Email/import") == 0
        server.account.destroy(min(server.account.emails))
        wait_for(lambda: any(b"one too many" in server.account.raw(email) for email in list(server.account.emails)))
        wait_for(lambda: "waits for room" not in jmapsync("status").out)
