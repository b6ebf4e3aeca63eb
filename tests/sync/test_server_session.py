"""Sessions, accounts and HTTP that misbehave: the right sentence, and nothing lost."""

from __future__ import annotations

import dataclasses
import time
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import RFC, Answer, DemoServer
from jmapsync.errors import AccountGoneError, ExitCode, NetworkError, ServerError, SuspendedError, UnsupportedError
from tests.contract.peer import message
from tests.kit.mirror import Mirror, assert_converges

if TYPE_CHECKING:
    from pathlib import Path


def edit(server: DemoServer, mirror: Mirror) -> None:
    """Change something on both sides."""
    mirror.flag(mirror.files("INBOX")[0], "FS")
    mirror.drop("Archive", message().replace(b"\r\n", b"\n"))
    server.account.deliver(message())


class TestAccounts:
    @pytest.mark.parametrize("count", [5, 60])
    @pytest.mark.parametrize("ids", ["all new", "of other messages"])
    def test_an_account_moved_to_another_server_is_no_reason_to_delete_or_overwrite(
        self, server: DemoServer, mirror: Mirror, count: int, ids: str
    ) -> None:
        server.account.populate(count)
        assert_converges(server.account, mirror)
        before, url = mirror.tree(), mirror.url
        with DemoServer() as other:
            if ids == "all new":
                other.account.populate(count, first_seed=1_000)
                for email in list(other.account.emails):
                    other.account.destroy(email)
            other.account.populate(count, first_seed=0 if ids == "all new" else 50)
            assert bool(other.account.emails.keys() & server.account.emails.keys()) == (ids != "all new")
            other.account.logs["Email"].forget()
            other.account.logs["Mailbox"].forget()
            other.account.rename_mailbox("Archive", "Old")
            other.requests.clear()
            mirror.url, mirror.session = other.url, None
            for _ in range(2):
                report = mirror.sync()
                assert (report.state.value, report.exit_code) == ("suspended", 4)
                assert len(report.messages) == 1
                assert mirror.tree() == before
            assert [other.requests.count(name) for name in ("Email/set", "Email/import", "Mailbox/set")] == [0, 0, 0]
        mirror.url, mirror.session = url, None
        assert_converges(server.account, mirror)
        assert mirror.tree() == before

    def test_a_server_that_came_up_empty(self, full: DemoServer, mirror: Mirror) -> None:
        before = mirror.tree()
        with DemoServer() as empty:
            empty.account.logs["Email"].forget()
            url, mirror.url, mirror.session = mirror.url, empty.url, None
            assert mirror.sync().exit_code == ExitCode.SUSPENDED
            assert mirror.tree() == before
            assert not empty.account.emails
        mirror.url, mirror.session = url, None
        assert_converges(full.account, mirror)

    def test_another_primary_account_is_not_mirrored_into_this_ones_files(self, full: DemoServer, mirror: Mirror) -> None:
        before = mirror.tree()
        other = full.add_account("b2", name="shared")
        full.service.accounts = {"b2": other, "a1": full.account}
        mirror.session = None
        with pytest.raises(SuspendedError, match="b2"):
            mirror.sync()
        assert mirror.tree() == before
        full.service.accounts = {"a1": full.account, "b2": other}
        mirror.session = None
        assert_converges(full.account, mirror)

    @pytest.mark.parametrize("kept", [True, False])
    def test_an_account_that_vanished_leaves_the_files_alone(self, full: DemoServer, mirror: Mirror, kept: bool) -> None:
        edit(full, mirror)
        before = mirror.tree()
        full.faults.vanished_account.arm("")
        mirror.session = mirror.session if kept else None
        with pytest.raises((AccountGoneError, UnsupportedError)) as reported:
            mirror.run()
        is_gone = isinstance(reported.value, AccountGoneError)
        assert reported.value.exit_code is (ExitCode.SUSPENDED if is_gone else ExitCode.FAILED)
        assert mirror.tree() == before
        full.faults.clear()
        assert_converges(full.account, mirror)


class TestSessions:
    def test_a_session_that_flaps_is_read_a_bounded_number_of_times(self, full: DemoServer, mirror: Mirror) -> None:
        full.faults.flapping_session_state.arm()
        full.requests.clear()
        for _ in range(3):
            edit(full, mirror)
            assert mirror.sync().problems == []
        assert full.requests.count("session") <= 3
        full.faults.clear()
        assert_converges(full.account, mirror)

    def test_urls_that_move_are_followed(self, full: DemoServer, mirror: Mirror) -> None:
        edit(full, mirror)
        moved = dataclasses.replace(RFC, api_path="/elsewhere/api/")
        port = full.port
        full.stop()
        with DemoServer(dialect=moved, port=port) as server:
            server.service.accounts = full.service.accounts
            assert_converges(full.account, mirror)

    @pytest.mark.parametrize("style", ["relative", "absolute"])
    def test_urls_of_either_style(self, full: DemoServer, mirror: Mirror, style: str) -> None:
        full.faults.session_urls.arm(style)  # type: ignore[arg-type]  # both are styles
        mirror.session = None
        edit(full, mirror)
        assert_converges(full.account, mirror)

    def test_a_capability_that_goes_while_its_session_is_kept(self, full: DemoServer, mirror: Mirror) -> None:
        blob = full.service.dialect.blob_capability
        assert blob is not None
        full.faults.hidden_capabilities.arm([blob])
        edit(full, mirror)
        assert_converges(full.account, mirror)
        assert full.requests.count("download") >= 1

    def test_a_server_without_mail_says_so(self, full: DemoServer, mirror: Mirror) -> None:
        before = mirror.tree()
        full.faults.hidden_capabilities.arm(["urn:ietf:params:jmap:mail"])
        mirror.session = None
        assert mirror.run_whatever_comes() == ExitCode.FAILED
        assert mirror.tree() == before
        full.faults.clear()
        assert_converges(full.account, mirror)

    def test_a_token_without_the_right_scope(self, full: DemoServer, mirror: Mirror) -> None:
        full.faults.answer.arm(Answer(403), only={"api"})
        assert mirror.run_whatever_comes() == ExitCode.SIGN_IN
        full.faults.clear()
        assert_converges(full.account, mirror)


class TestHttp:
    @pytest.mark.parametrize("endpoint", ["api", "upload"])
    @pytest.mark.parametrize(
        "answer",
        [
            Answer.too_many_requests("0"),
            Answer.unavailable(),
            Answer(502),
        ],
        ids=lambda answer: f"{answer.status}{'-reported' if answer.headers else ''}",
    )
    def test_trouble_that_passes_is_waited_out(self, full: DemoServer, mirror: Mirror, endpoint: str, answer: Answer) -> None:
        edit(full, mirror)
        full.faults.answer.arm(answer, only={endpoint}, times=1)
        assert_converges(full.account, mirror)
        assert full.faults.answer.fired == 1

    def test_a_date_to_come_back_at_is_kept(self, full: DemoServer, mirror: Mirror) -> None:
        edit(full, mirror)
        until = int(time.time()) + 2
        full.faults.answer.arm(Answer.too_many_requests(formatdate(until, usegmt=True)), only={"api"}, times=1)
        full.requests.clear()
        assert mirror.sync().problems == []
        assert time.time() >= until
        assert_converges(full.account, mirror)

    def test_a_date_too_far_away_ends_the_run_at_once(self, full: DemoServer, mirror: Mirror) -> None:
        edit(full, mirror)
        full.faults.answer.arm(Answer.too_many_requests(formatdate(time.time() + 3600, usegmt=True)))
        started = time.monotonic()
        with pytest.raises(ServerError):
            mirror.run()
        assert time.monotonic() - started < 60
        full.faults.clear()
        assert_converges(full.account, mirror)

    @pytest.mark.parametrize("fault", ["html", "cut", "nothing", "empty"])
    def test_an_answer_that_is_none_fails_the_run_and_changes_nothing(self, full: DemoServer, mirror: Mirror, fault: str) -> None:
        edit(full, mirror)
        mirror.max_wait = 0.2
        before, there = mirror.tree(), full.account.listing()
        if fault == "html":
            full.faults.answer.arm(Answer.html(), only={"api"})
        elif fault == "cut":
            full.faults.cut_body.arm(30, only={"api"})
        elif fault == "nothing":
            full.faults.drop_before.arm(only={"api"})
        else:
            full.faults.answer.arm(Answer(200, {"Content-Type": "application/json"}, b""), only={"api"})
        with pytest.raises((ServerError, NetworkError)) as reported:
            mirror.run()
        assert reported.value.exit_code == ExitCode.FAILED
        assert (mirror.tree(), full.account.listing()) == (before, there)
        full.faults.clear()
        mirror.max_wait = 5
        assert_converges(full.account, mirror)

    @pytest.mark.parametrize("batched", [True, False])
    @pytest.mark.parametrize("fault", ["cut_body", "short_body", "missing_blob", "html"])
    def test_a_body_that_comes_wrong_once_is_had_right(self, tmp_path: Path, fault: str, batched: bool) -> None:
        dialect = RFC if batched else dataclasses.replace(RFC, blob_capability=None)
        with DemoServer(dialect=dialect) as server:
            mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
            server.account.populate(5)
            if fault == "html":
                server.faults.answer.arm(Answer.html(), only={"download"}, times=1)
            else:
                getattr(server.faults, fault).arm(only={"download", "Blob/get"}, times=1)
            assert_converges(server.account, mirror)
            if not batched:
                assert server.faults.answer.fired + getattr(server.faults, fault, server.faults.answer).fired >= 1

    def test_a_large_message_comes_and_goes_whole(self, full: DemoServer, mirror: Mirror) -> None:
        large = message(text="line of text\r\n" * 700_000)
        full.account.deliver(large)
        full.faults.cut_body.arm(3_000_000, only={"download"}, times=1)
        mirror.drop("Archive", message(text="other text\r\n" * 600_000).replace(b"\r\n", b"\n"))
        assert_converges(full.account, mirror)
        assert full.faults.cut_body.fired == 1

    def test_padding_around_an_answer_does_not_matter(self, full: DemoServer, mirror: Mirror) -> None:
        full.faults.padding.arm(1 << 20)
        edit(full, mirror)
        assert_converges(full.account, mirror)
        assert full.faults.padding.fired

    def test_no_more_requests_at_once_than_the_session_allows(self, full: DemoServer, mirror: Mirror) -> None:
        full.limits.max_concurrent_requests = full.limits.max_concurrent_upload = 2
        full.faults.latency.arm(0.01)
        for _ in range(12):
            mirror.drop("Archive", message().replace(b"\r\n", b"\n"))
        full.account.populate(20, first_seed=100)
        assert_converges(full.account, mirror)
        assert full.endpoints.busiest["upload"] <= 2
        assert full.endpoints.busiest["api"] <= 2
