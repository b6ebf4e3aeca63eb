"""`jmapsync sendmail --at`, what is taken back before it is sent, and what a mail program asks for besides sending."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import RFC, DemoServer
from tests.cli.conftest import SECRET
from tests.cli.daemons import QUIET, running, wait_for
from tests.cli.test_sendmail import Sendmail, outbox, subjects

if TYPE_CHECKING:
    from tests.cli.conftest import Command, Home

NEVER = dataclasses.replace(RFC, max_delayed_send=0)


@pytest.fixture
def sendmail(jmapsync: Command, monkeypatch: pytest.MonkeyPatch) -> Sendmail:
    return Sendmail(jmapsync, monkeypatch)


def pending(server: DemoServer) -> list[str]:
    return [one["undoStatus"] for one in server.account.submissions.values()]


def test_a_message_with_a_time_is_held_by_the_server_and_can_be_taken_back(
    home: Home, server: DemoServer, jmapsync: Command, sendmail: Sendmail
) -> None:
    result = sendmail("-t", "--at", "+2h")
    assert (result.code, "To be sent later: the server sends it at" in result.err) == (0, True)
    assert (pending(server), server.account.sent) == (["pending"], [])
    [line] = jmapsync("outbox").out.splitlines()
    identity = line.split()[1]
    assert line.startswith(f"home: {identity} (hello, to bob@example.com, carol@example.com): pending, the server sends it at 20")
    assert jmapsync("sync").code == 0, "it is no problem"
    status = json.loads(jmapsync("status", "--json").out)["accounts"]["home"]
    assert (status["outbox"], len(status["scheduled"])) == ([], 1)
    assert "to be sent later" in jmapsync("status").out
    assert jmapsync("outbox", "retry", identity).code == 2
    dropped = jmapsync("outbox", "drop", identity)
    assert (dropped.code, "was canceled and will not be sent; its draft stays" in dropped.err) == (0, True)
    assert (pending(server), server.account.sent) == (["canceled"], [])
    assert jmapsync("outbox").out == ""
    assert "hello" in subjects(server, "Drafts")


def test_a_run_with_nothing_due_asks_nothing_of_a_message_that_the_server_holds(
    home: Home, server: DemoServer, jmapsync: Command, sendmail: Sendmail
) -> None:
    sendmail("-t", "--at", "+2h")
    jmapsync("sync")
    assert json.loads(jmapsync("sync", "--json").out)["accounts"]["home"]["requests"] == 1


def test_after_its_time_taking_it_back_is_too_late(home: Home, server: DemoServer, jmapsync: Command, sendmail: Sendmail) -> None:
    sendmail("-t", "--at", "+2h")
    [identity] = [line.split()[1] for line in jmapsync("outbox").out.splitlines()]
    server.account.clock = lambda: 1e10
    assert "hello" not in subjects(server, "Sent")
    dropped = jmapsync("outbox", "drop", identity)
    assert (dropped.code, "Too late" in dropped.err, len(server.account.sent)) == (1, True, 1)
    assert "hello" in subjects(server, "Sent")
    assert jmapsync("outbox").out == ""


def test_one_of_which_the_server_has_no_record_after_its_time_is_listed_and_is_no_error(
    home: Home, server: DemoServer, jmapsync: Command, sendmail: Sendmail
) -> None:
    server.account.dialect = dataclasses.replace(server.account.dialect, submissions="forgotten")
    sendmail("-t", "--at", "+2h")
    [note] = (home.state / "outbox").glob("*.json")
    note.write_text(json.dumps(json.loads(note.read_text()) | {"at": int(time.time()) - 60}))
    server.account.clock = lambda: 1e10
    said = "the server no longer has a record of it, as of what it sent or what was canceled; it was due at "
    assert jmapsync("sync").code == 0
    [line] = jmapsync("outbox").out.splitlines()
    assert said in line
    shown = jmapsync("status")
    assert (shown.code, "not known whether it was sent: " in shown.out, said in shown.out) == (0, True, True)
    status = json.loads(jmapsync("status", "--json").out)["accounts"]["home"]
    assert (status["outbox"], status["scheduled"], len(status["unconfirmed"])) == ([], [], 1)
    assert "hello" in subjects(server, "Sent")
    identity = line.split()[1]
    assert jmapsync("outbox", "retry", identity).code == 2
    dropped = jmapsync("outbox", "drop", identity)
    assert (dropped.code, "is no longer listed" in dropped.err, jmapsync("outbox").out) == (0, True, "")


def test_without_a_server_that_holds_mail_it_is_kept_here(
    home: Home, server: DemoServer, jmapsync: Command, sendmail: Sendmail
) -> None:
    with DemoServer(user="alice", password=SECRET, dialect=NEVER) as other:
        home.configure(url=other.url)
        result = sendmail("-t", "--at", "+2h")
        assert (result.code, "it is sent from here at" in result.err) == (0, True)
        assert "or by the first run after that: the server holds no mail" in result.err
        assert jmapsync("sync").code == 0
        assert (other.account.sent, other.account.emails) == ([], {})
        [identity] = [line.split()[1] for line in jmapsync("outbox").out.splitlines()]
        assert jmapsync("outbox", "drop", identity).code == 0
        assert outbox(home) == []


def test_without_a_network_the_time_is_kept(home: Home, server: DemoServer, jmapsync: Command, sendmail: Sendmail) -> None:
    port = server.port
    server.stop()
    assert "Kept, to be sent later" in sendmail("-t", "--at", "+2h").err
    listed = jmapsync("outbox")
    assert (listed.code, len(listed.out.splitlines()), "what the server holds is not known" in listed.err) == (0, 1, True)
    server._wanted_port = port
    server.start()
    jmapsync("sync")
    assert (pending(server), server.account.sent) == (["pending"], [])


def test_what_another_program_has_the_server_send_later_is_listed_and_canceled(
    home: Home, server: DemoServer, jmapsync: Command, sendmail: Sendmail
) -> None:
    sendmail("-t", "--at", "+2h")
    for path in (home.state / "outbox").iterdir():
        path.unlink()
    [line] = jmapsync("outbox").out.splitlines()
    identity = line.split()[1]
    assert (identity, "(hello, to bob@example.com" in line, "pending" in line) == ("home/S1", True, True)
    assert jmapsync("outbox", "drop", "home/S2").code == 2
    assert jmapsync("outbox", "drop", identity).code == 0
    assert pending(server) == ["canceled"]
    assert "hello" in subjects(server, "Drafts")


def test_the_daemon_sends_what_is_kept_at_its_time(home: Home, server: DemoServer, sendmail: Sendmail) -> None:
    with DemoServer(user="alice", password=SECRET, dialect=NEVER) as other:
        home.configure(url=other.url, more=QUIET)
        with running(home):
            for delay in (2, 20, 60):  # a pause may outlast the first
                at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=delay)
                if sendmail("-t", "--at", at.isoformat()).code == 0:
                    break
            wait_for(lambda: len(other.account.sent) == 1)
            assert time.time() >= at.timestamp()


@pytest.mark.parametrize(("when", "said"), [("yesterday", "is not a time such as"), ("2020-01-01 10:00", "has passed")])
def test_a_time_that_cannot_be_is_refused(home: Home, sendmail: Sendmail, when: str, said: str) -> None:
    result = sendmail("-t", "--at", when)
    assert (result.code, said in result.err, outbox(home)) == (2, True, [])


def test_delivery_reports_are_asked_for_as_mutt_does(server: DemoServer, sendmail: Sendmail) -> None:
    assert sendmail("-t", "-N", "failure,delay", "-R", "hdrs", "-V", "id1").code == 0
    [left] = server.account.sent
    assert (left.mail_parameters, left.recipient_parameters[0]) == ({"RET": "HDRS", "ENVID": "id1"}, {"NOTIFY": "FAILURE,DELAY"})
    assert sendmail("-t", "-N", "sometimes").code == 2


def test_a_read_receipt_that_somebody_asks_for_is_never_sent(home: Home, server: DemoServer, jmapsync: Command) -> None:
    """Disposition notifications (RFC 8098, RFC 9007) are the mail program's to send, with the user's consent."""
    server.account.deliver(
        b"From: bob@example.com\r\nDisposition-Notification-To: bob@example.com\r\nSubject: receipt?\r\n\r\nHi.\r\n"
    )
    jmapsync("sync")
    [path] = [path for path in home.inbox() if b"receipt?" in path.read_bytes()]
    path.rename(path.parent.parent / "cur" / f"{path.name.partition(':')[0]}:2,RS")
    assert jmapsync("sync").code == 0
    path = next(path for path in home.inbox() if b"receipt?" in path.read_bytes())
    path.unlink()
    assert jmapsync("sync", "--full").code == 0
    assert server.account.sent == []
    assert server.requests.count("MDN/send") == server.requests.count("EmailSubmission/set") == 0


MEASURED = """
import resource, sys
from jmapsync.cli import main
try:
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


def test_a_large_message_is_streamed(home: Home, server: DemoServer) -> None:
    """Memory does not grow with the message: it goes to the disk by pieces, and from there to the server."""
    server.limits.max_size_upload = 100_000_000
    peaks = []
    for size in (0, 50_000_000):
        text = b"From: demo@example.com\nTo: bob@example.com\nSubject: large\n\n" + b"x" * 76 + b"\n"
        letter = home.path / "letter"
        with letter.open("wb") as file:
            file.write(text)
            for _ in range(size // 77_000):
                file.write((b"x" * 76 + b"\n") * 1000)
        with letter.open("rb") as file:
            command = [sys.executable, "-c", MEASURED, "sendmail", "-t"]
            done = subprocess.run(command, env=home.environment(), stdin=file, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stderr.split()[-1]))
    assert len(server.account.sent[1].content) > 50_000_000
    assert peaks[1] - peaks[0] < 12_000, f"kilobytes: {peaks}"
