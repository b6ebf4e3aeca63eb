"""Where the credential goes: to the server the user named, and nowhere else."""

from __future__ import annotations

import base64
import logging
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import Answer, DemoServer
from jmapsync.errors import ExitCode, HostRefusedError, SignInError
from tests.contract.peer import message
from tests.kit.mirror import Mirror, assert_converges

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "s3cret-of-this-test"


@pytest.fixture
def other_host() -> Iterator[DemoServer]:
    """Offer a second server, which would accept the credential if it were sent it."""
    with DemoServer(password=SECRET) as other_host:
        other_host.account.populate(3, first_seed=500)
        yield other_host


@pytest.fixture
def home(tmp_path: Path) -> Iterator[DemoServer]:
    with DemoServer(password=SECRET) as home:
        home.account.populate(4)
        yield home


@pytest.fixture
def mine(home: DemoServer, tmp_path: Path) -> Mirror:
    mirror = Mirror(home.url, "demo", SECRET, tmp_path / "mail", tmp_path / "state")
    assert_converges(home.account, mirror)
    return mirror


def assert_never_heard_of(other_host: DemoServer) -> None:
    assert other_host.requests.count("http") == 0


class TestForeignUrls:
    def test_urls_on_another_host_are_refused(self, home: DemoServer, other_host: DemoServer, mine: Mirror) -> None:
        home.faults.foreign_origin = other_host.origin
        home.faults.session_urls.arm("foreign")
        home.account.deliver(message())
        before, mine.session = mine.tree(), None
        with pytest.raises(HostRefusedError, match=r"trusted_hosts"):
            mine.run()
        assert_never_heard_of(other_host)
        assert mine.tree() == before
        home.faults.clear()
        assert_converges(home.account, mine)

    def test_urls_that_move_to_another_host_while_a_session_is_kept(
        self, home: DemoServer, other_host: DemoServer, mine: Mirror
    ) -> None:
        home.faults.foreign_origin = other_host.origin
        home.faults.session_urls.arm("foreign")
        home.limits.max_objects_in_get = 100  # so that the session's state moves
        home.account.deliver(message())
        assert ExitCode.SIGN_IN in {mine.run_whatever_comes() for _ in range(2)}
        assert_never_heard_of(other_host)
        home.faults.clear()
        mine.session = None
        assert_converges(home.account, mine)

    @pytest.mark.parametrize("status", [302, 307])
    @pytest.mark.parametrize("endpoint", ["session", "api", "upload", "download"])
    def test_redirects_to_another_host_are_not_followed(
        self, home: DemoServer, other_host: DemoServer, mine: Mirror, endpoint: str, status: int
    ) -> None:
        home.faults.answer.arm(Answer.redirect(other_host.url, status), only={endpoint})
        home.account.deliver(message())
        mine.drop("Archive", message().replace(b"\r\n", b"\n"))
        if endpoint == "session":
            mine.session = None
        if endpoint == "download":
            home.faults.hidden_capabilities.arm([str(home.service.dialect.blob_capability)])
        assert mine.run_whatever_comes() in {ExitCode.FAILED, ExitCode.SIGN_IN, ExitCode.QUARANTINED}
        assert_never_heard_of(other_host)
        home.faults.clear()
        mine.session = None
        mine.sync(full=True)
        assert_converges(home.account, mine)

    def test_the_session_url_of_an_unencrypted_host_is_refused(self, home: DemoServer, mine: Mirror) -> None:
        home.faults.foreign_origin = "http://mail.example.org"
        home.faults.session_urls.arm("foreign")
        mine.session = None
        with pytest.raises(HostRefusedError, match=r"unencrypted|not approved"):
            mine.run()


class TestSecrets:
    @pytest.mark.parametrize("trouble", ["none", "password", "html", "refused"])
    def test_no_secret_in_logs_files_or_messages(
        self, home: DemoServer, mine: Mirror, trouble: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        mine.max_wait = 0.2
        mine.session = None
        if trouble == "password":
            home.endpoints.credentials.password = "another"
        elif trouble == "html":
            home.faults.answer.arm(Answer.html())
        elif trouble == "refused":
            home.faults.session_urls.arm("foreign")
        try:
            reported = str(mine.run().to_json())
        except Exception as error:  # noqa: BLE001 - whatever error it is
            reported = repr(error) + str(error) + str(vars(error))
        encoded = base64.b64encode(f"demo:{SECRET}".encode()).decode()
        kept = b"".join(file.read_bytes() for file in mine.state.rglob("*") if file.is_file())
        for secret in (SECRET, encoded):
            assert secret not in reported + caplog.text
            assert secret.encode() not in kept

    def test_a_wrong_password_is_tried_once_and_reported(self, home: DemoServer, mine: Mirror) -> None:
        home.account.deliver(message())
        before = mine.tree()
        mine.password = "wrong"
        home.requests.clear()
        with pytest.raises(SignInError) as reported:
            mine.run()
        assert reported.value.exit_code == ExitCode.SIGN_IN
        assert home.requests.count("http") == 1
        assert mine.tree() == before
        mine.password = SECRET
        assert_converges(home.account, mine)

    def test_a_password_changed_in_the_middle_of_a_run_ends_it(self, home: DemoServer, mine: Mirror) -> None:
        home.account.populate(30, first_seed=100)
        for _ in range(5):
            mine.drop("Archive", message().replace(b"\r\n", b"\n"))

        def change() -> None:
            home.endpoints.credentials.password = "another"

        home.faults.after_call.arm(change, only={"Blob/get", "Email/import"}, times=1)
        with pytest.raises(SignInError):
            mine.run()
        home.endpoints.credentials.password = SECRET
        assert_converges(home.account, mine)
        assert len(home.account.emails) == 39


def test_no_secret_is_in_the_ledger_or_in_the_folders(server: DemoServer, tmp_path: Path) -> None:
    server.credentials.password = "s3cr3t-p4ssw0rd"
    server.account.deliver(b"Subject: 1\r\n\r\nbody\r\n")
    mirror = Mirror(server.url, "demo", "s3cr3t-p4ssw0rd", tmp_path / "mail", tmp_path / "state")
    mirror.sync()
    for file in tmp_path.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert b"s3cr3t-p4ssw0rd" not in content, file
            assert b"ZGVtbzpzM2NyM3QtcDRzc3cwcmQ" not in content, file
