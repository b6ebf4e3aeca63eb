"""Real Cyrus servers hold mail until its time (RFC 4865), let it be taken back, and pass on what a sender asks for besides."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

from tests.live.conftest import Account
from tests.live.cyrus import FLAVOURS, Cyrus
from tests.live.home_folder import HomeFolder
from tests.live.imap import Imap
from tests.live.jmapraw import Jmap
from tests.live.smtp_relay import Relay, listening
from tests.live.test_sendmail import message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from aiosmtpd.smtp import Envelope, Session

PATIENCE = 90.0
"""Seconds: Cyrus' calalarmd checks its alarms now and then."""
DELAYS = (8, 30, 90)
"""Seconds until a message is to be sent: the first that are enough for what is done before, which a busy machine does slowly."""
_REPORTS = re.compile(r" (NOTIFY|RET|ENVID|ORCPT)=(\S+)", re.IGNORECASE)


class Modern(Relay):
    """A mail server beyond that offers DSN (RFC 3461) and SMTPUTF8 (RFC 6531)."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str]] = []

    async def handle_EHLO(  # noqa: N802  # the name is aiosmtpd's
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [*responses[:-1], "250-DSN", responses[-1]]


class ReportingSMTP(SMTP):
    """Notes the parameters of RFC 3461, of which aiosmtpd knows nothing."""

    async def smtp_MAIL(self, arg: str) -> None:  # noqa: N802
        await super().smtp_MAIL(self._noted(arg))

    async def smtp_RCPT(self, arg: str) -> None:  # noqa: N802
        await super().smtp_RCPT(self._noted(arg))

    def _noted(self, arg: str) -> str:
        self.event_handler.asked += [(name.upper(), value) for name, value in _REPORTS.findall(arg)]
        return _REPORTS.sub("", arg)


class Beyond(Controller):
    """The mail server beyond, as a process of its own would be."""

    def factory(self) -> SMTP:
        return ReportingSMTP(self.handler, enable_SMTPUTF8=True)


@pytest.fixture(scope="module")
def relay() -> Iterator[tuple[Modern, int]]:
    relay = Modern()
    with listening(relay, Beyond) as port:
        yield relay, port


@contextmanager
def office(flavour: str, port: int, record: str) -> Iterator[Cyrus]:
    settings = f"smtp_backend: host\nsmtp_host: 127.0.0.1:{port}\njmapsubmission_deleteonsend: {record}\n"
    with Cyrus.start(flavour, settings=settings, alarms=True) as server:
        server.create_user("alice", "correct horse")
        yield server


@pytest.fixture(scope="module", params=[(flavour, record) for flavour in FLAVOURS for record in ("yes", "no")], ids=str)
def cyrus_that_holds(request: pytest.FixtureRequest, relay: tuple[Modern, int]) -> Iterator[Cyrus]:
    flavour, record = request.param
    with office(flavour, relay[1], record) as server:
        yield server


@pytest.fixture
def out(relay: tuple[Modern, int]) -> Modern:
    relay[0].taken.clear()
    relay[0].asked.clear()
    return relay[0]


@pytest.fixture
def desk(cyrus_that_holds: Cyrus, tmp_path: Path) -> Iterator[HomeFolder]:
    server = cyrus_that_holds
    with Jmap(server.jmap_url, "alice", "correct horse") as jmap, Imap(server.imap_port, "alice", "correct horse") as imap:
        for email in jmap.one("Email/query", {})["ids"]:
            jmap.one("Email/set", {"destroy": [email]})
        yield HomeFolder.set_up(tmp_path, Account(server, "alice", "correct horse", jmap, imap))


def send(desk: HomeFolder, subject: str, *options: str, seconds: float) -> datetime:
    """Have a message sent in so many seconds, and return when that is."""
    desk.write("letter", message(subject).decode())
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)
    desk.run("sh", "-c", f"jmapsync sendmail -t --at {at.isoformat()} {' '.join(options)} < letter")
    return at


def wait_for(what: Callable[[], object]) -> None:
    limit = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < limit, "It did not come about in time."
        time.sleep(0.2)


def listed(desk: HomeFolder) -> list[str]:
    return desk.run("jmapsync", "outbox").splitlines()


def begin_anew(desk: HomeFolder, out: Modern) -> None:
    """Wait until what was to be sent was, and forget it."""
    wait_for(lambda: (desk.run("jmapsync", "sync", code=None), not any("pending" in line for line in listed(desk)))[1])
    for line in listed(desk):
        desk.run("jmapsync", "outbox", "drop", line.split()[1], code=None)
    for email in desk.account.jmap.one("Email/query", {})["ids"]:
        desk.account.jmap.one("Email/set", {"destroy": [email]})
    out.taken.clear()
    out.asked.clear()


def test_cyrus_sends_it_at_its_time_once_and_it_is_filed(desk: HomeFolder, out: Modern) -> None:
    for seconds in DELAYS:
        at = send(desk, "later", "-N", "failure,delay", "-R", "hdrs", "-V", "id1", seconds=seconds)
        seen, there, synced = listed(desk), desk.on_server(), desk.run("jmapsync", "sync", code=None)
        if datetime.now(UTC) < at:
            break
        begin_anew(desk, out)
    assert out.taken == []
    [line] = seen
    assert "(later, to bob@example.com): pending, the server sends it at" in line
    assert "later" in there["Drafts"]
    assert "quarantined" not in synced
    wait_for(lambda: out.taken)
    assert datetime.now(UTC) >= at
    [(sender, recipients, content)] = out.taken
    assert (sender, recipients) == ("alice@example.com", ["bob@example.com"])
    assert content.endswith(message("later").replace(b"\n", b"\r\n"))
    assert set(out.asked) == {
        ("ENVID", "id1"),
        ("NOTIFY", "FAILURE,DELAY"),
        ("RET", "HDRS"),
    }  # when it is given, and when it leaves
    # Cyrus notes that it was sent after it was.
    wait_for(lambda: (desk.run("jmapsync", "sync", code=None), all("no longer has a record" in line for line in listed(desk)))[1])
    for line in listed(desk):  # without `jmapsubmission_deleteonsend: no`, which leaves nobody in doubt
        desk.run("jmapsync", "outbox", "drop", line.split()[1])
    assert listed(desk) == []
    server = desk.on_server()
    assert server["Sent"] == {"later": ("S", frozenset())}
    assert "Drafts" not in server
    desk.run("jmapsync", "sync", "--full")
    assert out.subjects() == ["later"]


def test_what_is_taken_back_is_never_sent(desk: HomeFolder, out: Modern) -> None:
    for seconds in DELAYS:
        at = send(desk, "withdrawn", seconds=seconds)
        [line] = listed(desk)
        dropped = desk.run("jmapsync", "outbox", "drop", line.split()[1], code=None)
        if datetime.now(UTC) < at:
            break
        begin_anew(desk, out)
    assert listed(desk) == [], dropped
    send(desk, "sent", seconds=max(1.0, (at - datetime.now(UTC)).total_seconds()) + 6)  # after the time of the other
    wait_for(lambda: "sent" in out.subjects())
    assert out.subjects() == ["sent"]
    desk.run("jmapsync", "sync")
    assert "withdrawn" in desk.on_server()["Drafts"]


def test_after_its_time_it_is_too_late_to_take_it_back(desk: HomeFolder, out: Modern) -> None:
    send(desk, "gone", seconds=6)
    [line] = listed(desk)
    wait_for(lambda: out.taken)
    wait_for(lambda: "pending" not in listed(desk)[0])  # Cyrus notes that it was sent after it was
    desk.run("jmapsync", "outbox", "drop", line.split()[1], code=1)
    assert listed(desk) == []
    assert desk.on_server()["Sent"] == {"gone": ("S", frozenset())}
    assert out.subjects() == ["gone"]


def test_an_address_beyond_ascii_is_passed_on(desk: HomeFolder, out: Modern) -> None:
    desk.write("letter", message("utf8").decode())
    desk.run("sh", "-c", "jmapsync sendmail 'jürgen@exämple.example' bob@bücher.example < letter")
    [(_, recipients, _)] = out.taken
    assert recipients == ["jürgen@xn--exmple-cua.example", "bob@xn--bcher-kva.example"]
