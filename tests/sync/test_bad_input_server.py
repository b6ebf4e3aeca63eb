"""Not a JMAP server, a network that is down, mail and mailboxes no server should have: a message, and the rest in order."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import Answer, DemoServer
from jmapsync.errors import DiscoveryError, ExitCode, JmapsyncError, NetworkError
from tests.contract.peer import message
from tests.kit.mirror import Mirror, assert_converges

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def dead_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@pytest.fixture
def other_host() -> Iterator[str]:
    """Offer something that accepts connections and speaks another protocol."""
    listener = socket.create_server(("127.0.0.1", 0))

    def greet() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.sendall(b"* OK IMAP4rev1 ready\r\n")

    thread = threading.Thread(target=greet, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    listener.close()


class TestServersThatAreNone:
    def test_nobody_listens_there(self, mirror: Mirror, dead_port: int) -> None:
        mirror.url, mirror.max_wait = f"http://127.0.0.1:{dead_port}/", 0.5
        with pytest.raises(NetworkError, match=r"could not be reached"):
            mirror.run()
        assert not mirror.root.exists()

    def test_the_network_goes_down_between_two_runs(self, full: DemoServer, mirror: Mirror) -> None:
        port, before = full.port, mirror.tree()
        full.stop()
        mirror.max_wait = 0.5
        with pytest.raises(NetworkError) as reported:
            mirror.run()
        assert reported.value.exit_code == ExitCode.FAILED
        assert mirror.tree() == before
        with DemoServer(port=port) as server:
            server.service.accounts = full.service.accounts
            assert_converges(full.account, mirror)

    def test_the_network_goes_down_in_the_middle_of_a_run(self, full: DemoServer, mirror: Mirror) -> None:
        full.account.populate(20, first_seed=100)
        for file in mirror.files("INBOX"):
            mirror.flag(file, "F")
        mirror.max_wait = 0.3
        full.faults.drop_before.arm(skip=2)
        with pytest.raises(NetworkError):
            mirror.run()
        full.faults.clear()
        mirror.max_wait = 5
        assert_converges(full.account, mirror)
        assert len(full.account.emails) == 30

    def test_a_host_that_speaks_html(self, server: DemoServer, mirror: Mirror) -> None:
        server.faults.answer.arm(Answer.html())
        mirror.max_wait = 0.5
        with pytest.raises(JmapsyncError, match=r"HTML") as reported:
            mirror.run()
        assert reported.value.exit_code == ExitCode.FAILED
        assert not mirror.root.exists()

    def test_a_host_that_speaks_another_protocol(self, mirror: Mirror, other_host: str) -> None:
        mirror.url, mirror.max_wait = other_host, 0.5
        with pytest.raises((NetworkError, DiscoveryError)):
            mirror.run()
        assert not mirror.root.exists()

    @pytest.mark.parametrize("body", [b"null", b"[]", b"{}", b'{"capabilities": 7}', b"\xff\xfe", b'{"apiUrl": "http://['])
    def test_a_session_that_makes_no_sense(self, server: DemoServer, mirror: Mirror, body: bytes) -> None:
        server.faults.answer.arm(Answer(200, {"Content-Type": "application/json"}, body), only={"session"})
        mirror.max_wait = 0.5
        assert mirror.run_whatever_comes() in {ExitCode.FAILED, ExitCode.SIGN_IN}
        assert not mirror.root.exists()

    @pytest.mark.parametrize(
        "body",
        [
            b"null",
            b"{}",
            b'{"methodResponses": []}',
            b'{"methodResponses": [["error", {"type": "serverFail"}, "0"]]}',
            b'{"methodResponses": [["Email/changes", {"oldState": 5}, "emails"], ["Mailbox/changes", [], "boxes"]]}',
            b'{"methodResponses": {"a": 1}, "sessionState": []}',
        ],
    )
    def test_a_response_that_makes_no_sense(self, full: DemoServer, mirror: Mirror, body: bytes) -> None:
        before = mirror.tree()
        mirror.flag(mirror.files("INBOX")[0], "FRS")
        full.faults.answer.arm(Answer(200, {"Content-Type": "application/json"}, body), only={"api"})
        mirror.max_wait = 0.5
        assert mirror.run_whatever_comes() == ExitCode.FAILED
        assert sum(map(len, mirror.tree().values())) == sum(map(len, before.values()))
        full.faults.clear()
        assert_converges(full.account, mirror)


class TestOddMail:
    @pytest.mark.parametrize(
        "content",
        [
            b"\r\n",
            b"\n",
            b"no headers at all",
            b"Subject: NUL \x00 here\r\n\r\nand \x00 there\r\n",
            b"From someone@example.org Mon Nov  2 08:00:00 2026\r\nSubject: mbox\r\n\r\nFrom here on\r\n",
            b"Subject: \xe9\xff\xfe\r\n\r\n\x80\x81\r\n",
            b"Subject: bare LF\n\nbody\n",
            b"Subject: bare CR\r\r\nbody\r",
            b"Subject: mixed\r\n\r\nLF\nCRLF\r\nCR\rend",
            b"X-Long: " + b"x" * 1_000_000 + b"\r\n\r\nbody\r\n",
            b"\xef\xbb\xbfSubject: BOM\r\n\r\nbody\r\n",
            b"Content-Length: 5\r\nSubject: marked\r\n\r\nbody\r\n",
        ],
        ids=range(12),
    )
    def test_whatever_the_bytes_are_they_come_and_stay(self, full: DemoServer, mirror: Mirror, content: bytes) -> None:
        ref = full.account.deliver(content, received_at=1_700_000_000)
        assert_converges(full.account, mirror)
        for file in mirror.files("INBOX"):
            mirror.flag(file, "FS")
        assert_converges(full.account, mirror)
        assert full.account.listing()[ref][1] == {"$seen", "$flagged"}
        assert full.account.raw(ref) == content

    def test_a_message_of_no_bytes_at_all_comes_and_stays(self, full: DemoServer, mirror: Mirror) -> None:
        full.account.deliver(b"", received_at=1_700_000_000)
        assert_converges(full.account, mirror)
        assert len(full.account.emails) == 11

    @pytest.mark.parametrize("stamp", [-1, 0, 1, -(10**9), 253402300799, 4_000_000_000])
    def test_dates_before_the_epoch_and_far_in_the_future(self, full: DemoServer, mirror: Mirror, stamp: int) -> None:
        full.account.deliver(message(), received_at=stamp)
        report = mirror.sync()
        assert (report.to_disk.created, report.problems) == (1, [])
        again = mirror.sync()
        assert (again.to_disk.total, again.to_server.total) == (0, 0)


class TestOddNames:
    @pytest.mark.parametrize(
        "name",
        [
            "../../etc",
            "con/..",
            "..",
            "cur",
            ".hidden",
            "-rf",
            "trailing ",
            "a\nb",
            "percent %2F %",
            "\N{GRINNING FACE}" * 75,
            "ä" * 200,
            "a\N{COMBINING DIAERESIS}",
            "dovecot-keywords",
            "~root",
            "/",
        ],
    )
    def test_a_mailbox_of_any_name_stays_inside_the_root(self, full: DemoServer, mirror: Mirror, name: str) -> None:
        outside = sorted(mirror.root.parent.iterdir())
        box = full.account.add_mailbox(name, None, None)
        child = full.account.add_mailbox(name, box.id, None)
        moved = next(iter(full.account.emails))
        full.account.update_email(full.account.emails[moved], mailbox_ids=frozenset([box.id, child.id]))
        report = mirror.sync()
        assert (report.exit_code, report.problems) == (0, [])
        assert sorted(mirror.root.parent.iterdir()) == outside
        copies = [file for file in mirror.files() if file.read_bytes() == full.account.raw(moved).replace(b"\r\n", b"\n")]
        assert len(copies) == 2
        assert len({copy.parent.parent for copy in copies}) == 2
        again = mirror.sync()
        assert (again.to_disk.total, again.to_server.total, mirror.requests) == (0, 0, 1)
        copies[0].rename(mirror.folder("Archive") / "cur" / "moved:2,S")
        assert mirror.sync().problems == []
        homes = full.account.emails[moved].mailbox_ids
        assert full.account.mailbox("Archive").id in homes
        assert len(homes & {box.id, child.id}) == 1

    def test_siblings_that_differ_in_case_or_form_only_have_folders_of_their_own(self, full: DemoServer, mirror: Mirror) -> None:
        names = ["Work", "work", "WORK", "\N{LATIN SMALL LETTER A WITH DIAERESIS}", "a\N{COMBINING DIAERESIS}", "Work"]
        for name in names:
            box = full.account.add_mailbox(name, None, None)
            full.account.deliver(message(), [box.id])
        report = mirror.sync()
        assert (report.to_disk.created, report.problems) == (6, [])
        again = mirror.sync()
        assert (again.to_disk.total, again.to_server.total, again.folders.total) == (0, 0, 0)
