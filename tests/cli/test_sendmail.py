"""`jmapsync sendmail` and `jmapsync outbox`: what a mail program hands over is sent, or kept and sent once."""

from __future__ import annotations

import contextlib
import io
import json
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import CYRUS_312, Answer, DemoServer, SetError
from jmapsync.storage.outbox import Outbox, Stage, Waiting
from tests.cli.conftest import PROGRAM, SECRET
from tests.cli.daemons import QUIET, running, wait_for
from tests.cli.test_daemon_disturbed import holds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Command, Home, Result

MESSAGE = b"From: Demo <demo@example.com>\nTo: bob@example.com\nBcc: carol@example.com\nSubject: hello\n\nHello.\n"


class Sendmail:
    """The command, as a mail program runs it."""

    def __init__(self, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
        self._command = command
        self._monkeypatch = monkeypatch

    def __call__(self, *arguments: str, message: bytes = MESSAGE) -> Result:
        with self._monkeypatch.context() as patch:
            patch.setattr("jmapsync.app.sending._PATIENCE", 0.2)
            patch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(message)))
            return self._command("sendmail", *arguments)


@pytest.fixture
def sendmail(jmapsync: Command, monkeypatch: pytest.MonkeyPatch) -> Sendmail:
    return Sendmail(jmapsync, monkeypatch)


def outbox(home: Home) -> list[Path]:
    return sorted((home.state / "outbox").glob("*.eml"))


def subjects(server: DemoServer, path: str) -> list[str]:
    account = server.account
    boxes = {account.path(account.mailboxes[box]) for box in account.mailboxes}
    assert path in boxes
    held = [email for email in account.emails.values() if account.mailbox(path).id in email.mailbox_ids]
    return [account.raw(email.id).split(b"Subject: ")[1].split(b"\r\n")[0].decode() for email in held]


# Sending


def test_what_mutt_hands_over_leaves_and_is_filed(home: Home, server: DemoServer, sendmail: Sendmail) -> None:
    """Its default is `sendmail -oem -oi`, with the recipients behind; it takes Bcc out itself."""
    before = len(subjects(server, "Sent"))
    result = sendmail("-oem", "-oi", "-f", "demo@example.com", "--", "bob@example.com", "carol@example.com")
    assert (result.code, result.out, result.err) == (0, "", "")
    [left] = server.account.sent
    assert (left.sender, left.recipients) == ("demo@example.com", ("bob@example.com", "carol@example.com"))
    assert left.content.endswith(b"From: Demo <demo@example.com>\r\nTo: bob@example.com\r\nSubject: hello\r\n\r\nHello.\r\n")
    assert len(subjects(server, "Sent")) == before + 1
    assert outbox(home) == []


@pytest.mark.parametrize(
    "options",
    [("-h", "1"), ("-h1",), ("-em",), ("-O", "DeliveryMode=b"), ("-L", "cron"), ("-Am",), ("-C", "/etc/mail.cf"), ("-d0",)],
)
def test_options_of_other_sendmails_are_ignored(server: DemoServer, sendmail: Sendmail, options: tuple[str, ...]) -> None:
    assert sendmail(*options, "-f", "<demo@example.com>", "-t").code == 0
    [left] = server.account.sent
    assert (left.sender, left.recipients) == ("demo@example.com", ("bob@example.com", "carol@example.com"))


def test_the_header_names_the_recipients(server: DemoServer, sendmail: Sendmail) -> None:
    """As for git, cron and mail(1)."""
    assert sendmail("-t", "-i", "dave@example.com").code == 0
    [left] = server.account.sent
    assert left.recipients == ("dave@example.com", "bob@example.com", "carol@example.com")
    assert b"carol" not in left.content, "Cyrus would tell everybody"


def test_a_name_in_the_form_of_an_address_gets_no_message(server: DemoServer, sendmail: Sendmail) -> None:
    message = b"From: demo@example.com\nTo: a@x.example <b@y.example>\nSubject: x\n\nx\n"
    assert sendmail("-t", message=message).code == 0
    [left] = server.account.sent
    assert left.recipients == ("b@y.example",)


def test_a_single_dot_is_the_end_unless_an_option_says_otherwise(server: DemoServer, sendmail: Sendmail) -> None:
    message = MESSAGE + b".\nmore\n"
    for arguments in ((), ("-i",), ("-oi",)):
        assert sendmail(*arguments, "bob@example.com", message=message).code == 0
    assert [left.content.endswith(b"\r\n.\r\nmore\r\n") for left in server.account.sent] == [False, True, True]


def test_the_sent_copy_comes_back_with_the_next_run(home: Home, server: DemoServer, jmapsync: Command, sendmail: Sendmail) -> None:
    jmapsync("sync")
    sendmail("-t")
    assert jmapsync("sync").code == 0
    files = [path for path in (home.mail / "Sent/cur").iterdir() if b"Subject: hello\n" in path.read_bytes()]
    assert len(files) == 1
    assert jmapsync("verify").code == 0


# Whose account


def test_the_account_is_that_of_the_sender(home: Home, server: DemoServer, sendmail: Sendmail) -> None:
    with DemoServer(user="bob", password=SECRET, dialect=CYRUS_312) as other:
        table = (
            f'url = "{other.url}"\nuser = "bob"\naddress = "bob@work.example"\nauth = "basic"\npassword_command = "echo {SECRET}"'
        )
        home.configure(more=f"[accounts.work]\n{table}\n")
        message = MESSAGE.replace(b"demo@example.com", b"Bob@Work.example")
        assert sendmail("-t", message=message).code == 0
        assert (len(server.account.sent), len(other.account.sent)) == (0, 1)
        result = sendmail("-t")
        assert result.code == 2
        assert "No account of" in result.err
        assert "use --account with one of: home, work" in result.err
        assert sendmail("-t", "--account", "home").code == 0
        assert len(server.account.sent) == 1
        assert sendmail("-t", "--account", "hoem").code == 2


@pytest.mark.parametrize(
    ("arguments", "message", "said"),
    [
        ((), MESSAGE, "no recipients"),
        (("-t",), b"Subject: x\nFrom: demo@example.com\n\nx\n", "no recipients"),
        (("bob",), MESSAGE, "'bob': not an address"),
        (("bob@example.com",), b"Subject: cron\n\nx\n", "The message names no sender"),
        (("-bp",), MESSAGE, "jmapsync outbox"),
        (("-bs",), MESSAGE, "-bs is not supported"),
        (("--unknown",), MESSAGE, "No such option"),
        (("-F", "N\r\nBcc: x@example.com", "bob@example.com"), MESSAGE, "has a control character"),
        (("-f", "a@example.com\nX: y", "bob@example.com"), MESSAGE, "has a control character"),
        (("-f", "Alice <alice@example.com>", "bob@example.com"), MESSAGE, "not an address"),
        (("-o", "i\r", "bob@example.com"), MESSAGE, "has a control character"),
        (("-B", "8BIT\x00", "bob@example.com"), MESSAGE, "has a control character"),
        (("--account", "home\n", "bob@example.com"), MESSAGE, "has a control character"),
        (("bob@example.com\nRCPT TO:<x@y>",), MESSAGE, "has a control character"),
        (("bob@example.com SIZE=1",), MESSAGE, "'bob@example.com SIZE=1': not an address"),
        (("-t",), b"From: demo@example.com\nTo: a@exam ple.com\n\nx\n", "'a@exam ple.com': not an address"),
        (("-t",), b"From: demo@example.com\nTo: " + b"(" * 60_000 + b"\n\nx\n", "not an address"),
    ],
)
def test_what_cannot_be_sent_is_said_at_once(
    home: Home, sendmail: Sendmail, arguments: tuple[str, ...], message: bytes, said: str
) -> None:
    result = sendmail(*arguments, message=message)
    assert result.code == 2
    assert said in result.err
    assert outbox(home) == []


# Without a network


def test_without_a_network_it_is_kept_and_sent_once(home: Home, server: DemoServer, jmapsync: Command, sendmail: Sendmail) -> None:
    port = server.port
    server.stop()
    result = sendmail("-t")
    assert result.code == 0
    assert "Kept, to be sent later" in result.err
    assert len(outbox(home)) == 1
    [line] = jmapsync("outbox").out.splitlines()
    assert f"(hello, to bob@example.com, carol@example.com): 127.0.0.1:{port} could not be reached" in line
    status = jmapsync("status")
    assert (status.code, "waits to be sent" in status.out) == (3, True)
    assert json.loads(jmapsync("status", "--json").out)["accounts"]["home"]["outbox"][0]["item"] in line
    server._wanted_port = port
    server.start()
    for _ in range(2):
        assert jmapsync("sync").code == 0
    assert len(server.account.sent) == 1
    assert (outbox(home), jmapsync("outbox").out, jmapsync("status").code) == ([], "", 0)


def test_a_run_without_anything_to_send_asks_for_nothing_more(server: DemoServer, jmapsync: Command, sendmail: Sendmail) -> None:
    sendmail("-t")
    jmapsync("sync")
    server.requests.clear()
    assert jmapsync("sync").code == 0
    assert server.requests.count("http") == 1


def test_the_daemon_sends_what_waits(home: Home, server: DemoServer, sendmail: Sendmail) -> None:
    home.configure(more=QUIET)
    server.faults.answer.arm(Answer.unavailable(), only=["Identity/get"])
    with running(home):
        assert sendmail("-t").code == 0
        assert server.account.sent == []
        server.faults.clear()
        server.account.deliver(b"Subject: something happens\r\n\r\n")
        wait_for(lambda: server.account.sent)
        wait_for(lambda: not outbox(home))
    assert len(server.account.sent) == 1


def test_mail_that_comes_in_waits_for_no_message_that_cannot_leave(home: Home, server: DemoServer, sendmail: Sendmail) -> None:
    home.configure(more=QUIET)
    server.faults.answer.arm(Answer.unavailable(), only=["Identity/get"])
    with running(home):
        assert sendmail("-t").code == 0
        for number in range(2):
            server.account.deliver(f"Subject: news {number}\r\n\r\n".encode())
            wait_for(lambda number=number: holds(home, f"Subject: news {number}"))  # type: ignore[misc]
    assert (len(outbox(home)), server.account.sent) == (1, [])


def test_a_dry_run_sends_nothing(home: Home, server: DemoServer, jmapsync: Command, sendmail: Sendmail) -> None:
    server.faults.answer.arm(Answer.unavailable(), only=["Identity/get"])
    sendmail("-t")
    server.faults.clear()
    jmapsync("sync", "--dry-run")
    assert (len(outbox(home)), server.account.sent) == (1, [])


# Refusals


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("forbiddenMailFrom", "does not let you send as demo@example.com"),
        ("forbiddenFrom", "does not let you send with the From of this message"),
        ("invalidRecipients", "refused to send the message"),
        ("tooManyRecipients", "refused to send the message"),
        ("forbiddenToSend", "does not let you send mail"),
    ],
)
def test_what_the_server_refuses_is_said_at_once_and_kept_nowhere(
    home: Home, server: DemoServer, sendmail: Sendmail, error: str, said: str
) -> None:
    """The mail program keeps it, and whoever wrote it sends it again."""
    before = set(server.account.emails)
    server.faults.set_error.arm(SetError(error, "no such thing"), only=["EmailSubmission/set"])
    result = sendmail("-t")
    assert result.code == 1
    assert f"The server {said} ({error} no such thing)" in result.err
    assert ("it lets you send as demo@example.com" in result.err) is error.endswith("From")
    assert (outbox(home), set(server.account.emails), server.account.sent) == ([], before, [])


def test_a_refused_password_is_said_at_once(home: Home, server: DemoServer, sendmail: Sendmail) -> None:
    home.configure(secret='password_command = "echo wrong"')
    result = sendmail("-t")
    assert result.code == 5
    assert outbox(home) == []


def test_a_server_that_offers_no_sending_is_said_at_once(home: Home, server: DemoServer, sendmail: Sendmail) -> None:
    server.faults.hidden_capabilities.arm(["urn:ietf:params:jmap:submission"])
    result = sendmail("-t")
    assert result.code == 1
    assert "does not offer urn:ietf:params:jmap:submission" in result.err
    assert outbox(home) == []


def test_what_is_held_can_be_tried_again_or_thrown_away(
    home: Home, server: DemoServer, jmapsync: Command, sendmail: Sendmail
) -> None:
    server.faults.answer.arm(Answer.unavailable(), only=["Identity/get"])
    for _ in range(2):
        sendmail("-t")
    server.faults.clear()
    server.faults.set_error.arm(SetError("forbiddenToSend", "not today"), only=["EmailSubmission/set"])
    result = jmapsync("sync")
    assert result.code == 3
    assert result.err.count("not today") == 2
    server.faults.clear()
    assert jmapsync("sync").code == 3, "only a person decides"
    assert server.account.sent == []
    first, second = (line.split()[1] for line in jmapsync("outbox", "list").out.splitlines())
    assert jmapsync("outbox", "retry", first).code == 0
    assert jmapsync("outbox", "drop", second).code == 0
    assert jmapsync("outbox", "drop", second).code == 2
    assert jmapsync("sync").code == 0
    assert len(server.account.sent) == 1
    assert outbox(home) == []


# Dying


def waiting_for(event: threading.Event) -> Callable[[], None]:
    def wait() -> None:
        assert event.wait(90)

    return wait


@contextlib.contextmanager
def started(home: Home) -> Iterator[subprocess.Popen[bytes]]:
    """The program, with a message to send; killed in the end."""
    with subprocess.Popen(
        [*PROGRAM, "sendmail", "-t"], env=home.environment(), stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        process.stdin.write(MESSAGE)
        process.stdin.close()
        try:
            yield process
        finally:
            process.kill()


def test_killed_while_the_server_sends(home: Home, server: DemoServer, jmapsync: Command) -> None:
    """The server takes the message and does not answer; the program is killed; the next run finds it sent and filed."""
    answers = threading.Event()
    server.faults.after_call.arm(waiting_for(answers), only=["EmailSubmission/set"], times=1)
    with started(home) as process:
        wait_for(lambda: server.account.sent)
        process.kill()
        process.wait()
    answers.set()
    assert len(outbox(home)) == 1
    assert jmapsync("sync").code == 0
    assert len(server.account.sent) == 1
    assert subjects(server, "Sent").count("hello") == 1
    assert outbox(home) == []


def test_an_interrupted_program_that_may_have_sent_it_keeps_it(home: Home, server: DemoServer, jmapsync: Command) -> None:
    """Who hears of a failure sends it again, and this one is on its way."""
    answers = threading.Event()
    server.faults.after_call.arm(waiting_for(answers), only=["EmailSubmission/set"], times=1)
    with started(home) as process:
        wait_for(lambda: server.account.sent)
        process.send_signal(signal.SIGINT)
        assert process.wait(90) == 0
        assert process.stderr is not None
        assert b"interrupted while the server was being asked" in process.stderr.read()
    answers.set()
    assert len(outbox(home)) == 1
    assert jmapsync("sync").code == 0
    assert len(server.account.sent) == 1
    assert outbox(home) == []


def test_a_disk_that_is_full_after_the_message_was_sent_is_no_failure_to_send_it(
    home: Home, server: DemoServer, jmapsync: Command, sendmail: Sendmail, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = Outbox._put

    def is_full_once_sent(self: Outbox, waiting: Waiting) -> None:
        if waiting.stage is Stage.SENT:
            raise OSError(28, "No space left on device")
        put(self, waiting)

    with monkeypatch.context() as patch:
        patch.setattr(Outbox, "_put", is_full_once_sent)
        reported = sendmail("-t")
    assert reported.code == 0
    assert "No space left on device" in reported.err
    assert jmapsync("sync").code == 0
    assert len(server.account.sent) == 1
    assert outbox(home) == []


def test_an_interrupted_program_that_sent_nothing_leaves_nothing_behind(home: Home, server: DemoServer) -> None:
    """Who hears of a failure sends it again."""
    server.faults.latency.arm(30.0, only=["session"])
    with started(home) as process:
        wait_for(lambda: server.requests.count("session"))
        process.send_signal(signal.SIGINT)
        assert process.wait(90) == 130
        assert process.stderr is not None
        assert b"interrupted" in process.stderr.read()
    assert outbox(home) == []
    assert server.account.sent == []
