"""What servers make of our writes: nothing twice, nothing lost, nothing for ever."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import RFC, DemoServer, MethodError, SetError
from tests.contract.peer import message
from tests.kit.mirror import Mirror, assert_converges, assert_mirrored, places_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jmapsync.demo import Dialect

COPYING = dataclasses.replace(RFC, duplicates="copy")
"""A server that takes the same message twice, as Stalwart does."""


def served(dialect: Dialect | str, tmp_path: Path) -> tuple[DemoServer, Mirror]:
    server = DemoServer(dialect=dialect).start()
    server.account.populate(10)
    mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
    assert_converges(server.account, mirror)
    return server, mirror


@pytest.fixture(params=["rfc", "copying", "cyrus312"])
def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[DemoServer, Mirror]]:
    """Offer a server with ten messages, of every make, and its mirror."""
    server, mirror = served(COPYING if request.param == "copying" else request.param, tmp_path)
    yield server, mirror
    server.stop()


@pytest.fixture
def full(server: DemoServer, mirror: Mirror) -> DemoServer:
    """Offer a server with ten mirrored messages."""
    server.account.populate(10)
    assert_converges(server.account, mirror)
    return server


def drop(mirror: Mirror, count: int = 3) -> set[bytes]:
    """Write new messages into INBOX and return their bytes."""
    texts = {message().replace(b"\r\n", b"\n") for _ in range(count)}
    for text in texts:
        mirror.drop("INBOX", text)
    return texts


class TestAnswersThatAreLost:
    @pytest.mark.parametrize("fault", ["drop_after", "cut_body", "html_after"])
    def test_an_import_whose_answer_is_lost_is_not_made_twice(self, anywhere: tuple[DemoServer, Mirror], fault: str) -> None:
        server, mirror = anywhere
        texts = drop(mirror)
        if fault == "cut_body":
            server.faults.cut_body.arm(20, only={"Email/import"}, times=1)
        elif fault == "html_after":
            server.faults.partial_fail.arm(2, only={"Email/import"}, times=1)
        else:
            server.faults.drop_after.arm(only={"Email/import"}, times=1)
        mirror.sync()
        assert_converges(server.account, mirror)
        held = [server.account.raw(email).replace(b"\r\n", b"\n") for email in server.account.emails]
        assert {text: held.count(text) for text in texts} == dict.fromkeys(texts, 1)
        assert len(held) == 13

    @pytest.mark.parametrize("fault", ["drop_before", "drop_after", "cut_body"])
    def test_a_change_whose_answer_is_lost_is_made(self, anywhere: tuple[DemoServer, Mirror], fault: str) -> None:
        server, mirror = anywhere
        first, second, *_ = mirror.files("INBOX")
        mirror.flag(first, "F")
        second.unlink()
        getattr(server.faults, fault).arm(only={"Email/set"}, times=1)
        assert_converges(server.account, mirror)
        assert getattr(server.faults, fault).fired == 1
        assert server.account.mailbox("Trash").total == 1

    @pytest.mark.parametrize("fault", ["drop_before", "drop_after", "cut_body"])
    def test_an_upload_whose_answer_is_lost_is_made_again(self, anywhere: tuple[DemoServer, Mirror], fault: str) -> None:
        server, mirror = anywhere
        drop(mirror)
        getattr(server.faults, fault).arm(20 if fault == "cut_body" else True, only={"upload"}, times=1)
        assert_converges(server.account, mirror)
        assert getattr(server.faults, fault).fired == 1
        assert len(server.account.emails) == 13

    @pytest.mark.parametrize("fault", ["drop_before", "drop_after", "cut_body"])
    def test_uploads_together_whose_answer_is_lost_are_made_again(self, anywhere: tuple[DemoServer, Mirror], fault: str) -> None:
        server, mirror = anywhere
        if server.service.dialect.upload_rules == "cyrus":
            return  # it keeps for an import what is uploaded singly
        drop(mirror, 10)
        getattr(server.faults, fault).arm(20 if fault == "cut_body" else True, only={"Blob/upload"}, times=1)
        assert_converges(server.account, mirror)
        assert getattr(server.faults, fault).fired == 1
        assert len(server.account.emails) == 20

    def test_a_mailbox_whose_creation_was_not_answered_is_made_once(self, anywhere: tuple[DemoServer, Mirror]) -> None:
        server, mirror = anywhere
        mirror.folder("Projects/cur").mkdir(parents=True)
        server.faults.drop_after.arm(only={"Mailbox/set"}, times=1)
        mirror.run_whatever_comes()
        assert_converges(server.account, mirror)
        assert sum(mailbox.name == "Projects" for mailbox in server.account.mailboxes.values()) == 1

    @pytest.mark.parametrize("done", [0, 5])
    def test_a_set_of_which_only_a_part_was_done(self, anywhere: tuple[DemoServer, Mirror], done: int) -> None:
        server, mirror = anywhere
        for file in mirror.files("INBOX"):
            mirror.flag(file, "FRS")
        server.faults.partial_fail.arm(done, only={"Email/set"}, times=1)
        assert_converges(server.account, mirror)
        assert server.faults.partial_fail.fired == 1
        assert all({"$flagged", "$answered", "$seen"} <= keywords for _, keywords in server.account.listing().values())

    @pytest.mark.parametrize("error", ["serverFail", "somethingNew"])
    def test_a_method_that_fails_for_a_while(self, anywhere: tuple[DemoServer, Mirror], error: str) -> None:
        server, mirror = anywhere
        drop(mirror)
        mirror.flag(mirror.files("INBOX")[0], "F")
        server.faults.method_error.arm(MethodError(error), only={"Email/set", "Email/import"})
        assert mirror.sync().exit_code == 3
        server.faults.clear()
        assert_converges(server.account, mirror)
        assert len(server.account.emails) == 13


class TestImports:
    def test_content_that_the_account_holds_already_is_bound_to_it(self, full: DemoServer, mirror: Mirror) -> None:
        text = message()
        mirror.drop("Archive", text.replace(b"\r\n", b"\n"), sub="cur", info=":2,S")
        late: list[str] = []
        full.faults.before_call.arm(
            lambda: late.append(full.account.deliver(text, ["Sent"], ["$flagged"])), only={"Email/import"}, times=1
        )
        mirror.sync()
        assert_converges(full.account, mirror)
        assert set(full.account.listing()[late[0]][0]) == {"Archive", "Sent"}
        assert len(full.account.emails) == 11

    def test_the_same_message_in_two_folders_is_one_email(self, anywhere: tuple[DemoServer, Mirror]) -> None:
        server, mirror = anywhere
        text = message().replace(b"\r\n", b"\n")
        mirror.drop("Archive", text)
        mirror.drop("Sent", text)
        assert_converges(server.account, mirror)
        assert len(server.account.emails) == 11

    def test_a_message_that_the_server_repairs_is_uploaded_once_and_stays_here_as_written(
        self, full: DemoServer, mirror: Mirror
    ) -> None:
        texts = drop(mirror, 2)
        full.faults.rewrite_imports.arm()
        mirror.sync()
        assert full.faults.rewrite_imports.fired == 2
        self.assert_kept_apart(full, mirror, texts)

    def test_the_answer_of_a_repairing_import_is_lost(self, full: DemoServer, mirror: Mirror) -> None:
        texts = drop(mirror, 2)
        full.faults.rewrite_imports.arm()
        full.faults.drop_after.arm(only={"Email/import"}, times=1)
        mirror.sync()
        assert full.faults.drop_after.fired == 1
        self.assert_kept_apart(full, mirror, texts)

    def assert_kept_apart(self, server: DemoServer, mirror: Mirror, texts: set[bytes]) -> None:
        """Fail unless the server has its version once, the disk has ours once, and flags go both ways between them."""
        mirror.sync()
        server.requests.clear()
        assert mirror.sync().problems == []
        assert [server.requests.count(name) for name in ("http", "upload", "Email/import")] == [1, 0, 0]
        held = [server.account.raw(email) for email in server.account.emails]
        assert sorted(one for one in held if one.startswith(b"X-Repaired")) == sorted(
            b"X-Repaired: yes\r\n" + text.replace(b"\n", b"\r\n") for text in texts
        )
        assert len(held) == 12
        here = {file.read_bytes(): file for file in mirror.files("INBOX")}
        assert texts <= here.keys()
        assert len(mirror.files()) == 12
        for text in texts:
            mirror.flag(here[text], "F")
        assert mirror.sync().to_server.updated == 2
        assert sum("$flagged" in keywords for _, keywords in server.account.listing().values()) >= 2

    def test_lf_here_and_crlf_there_are_the_same_message(self, anywhere: tuple[DemoServer, Mirror]) -> None:
        server, mirror = anywhere
        texts = drop(mirror)
        assert_converges(server.account, mirror)
        held = {server.account.raw(email) for email in server.account.emails}
        assert {text.replace(b"\n", b"\r\n") for text in texts} <= held

    def test_a_blob_forgotten_between_upload_and_import_is_uploaded_again(self, full: DemoServer, mirror: Mirror) -> None:
        drop(mirror)
        full.faults.set_error.arm(SetError("blobNotFound"), only={"Email/import"}, times=1)
        assert_converges(full.account, mirror)
        assert full.faults.set_error.fired == 1
        assert len(full.account.emails) == 13

    def test_messages_uploaded_together_that_no_import_finds_are_uploaded_singly(self, full: DemoServer, mirror: Mirror) -> None:
        """Cyrus 3.12 lets no later request use what Blob/upload made."""
        drop(mirror, 10)
        full.faults.set_error.arm(SetError("invalidProperties", properties=["blobId"]), only={"Email/import"}, times=10)
        assert_converges(full.account, mirror)
        assert full.requests.count("Blob/upload") == 1
        assert full.requests.count("upload") == 10
        assert len(full.account.emails) == 20


class TestRefusals:
    @pytest.mark.parametrize("error", ["overQuota", "tooLarge", "rateLimit", "forbidden", "invalidEmail", "neverHeardOf"])
    def test_a_message_that_is_refused_is_quarantined_by_name_and_the_rest_goes_on(
        self, full: DemoServer, mirror: Mirror, error: str
    ) -> None:
        full.faults.set_error.arm(SetError(error), only={"Email/import"}, times=1)
        drop(mirror)
        full.account.deliver(message())
        report = mirror.sync()
        assert report.exit_code == 3
        [problem] = report.problems
        assert places_of([problem])[0].startswith("INBOX/new/")
        assert error in problem.why
        assert len(full.account.emails) == 13
        full.account.deliver(message())
        mirror.sync(full=True)
        assert_converges(full.account, mirror)
        assert len(full.account.emails) == 15

    @pytest.mark.parametrize("error", ["overQuota", "tooLarge", "forbidden"])
    def test_a_refusal_that_lasts_is_not_tried_anew_by_every_run(self, full: DemoServer, mirror: Mirror, error: str) -> None:
        full.faults.set_error.arm(SetError(error), only={"Email/import"})
        drop(mirror, 1)
        mirror.sync()
        full.requests.clear()
        again = [mirror.sync() for _ in range(3)]
        assert {report.exit_code for report in again} == {3}
        assert full.requests.count("upload") == 0

    def test_a_message_over_max_size_upload_is_never_sent(self, full: DemoServer, mirror: Mirror) -> None:
        full.limits.max_size_upload = 5_000
        mirror.drop("INBOX", message(text="x" * 6_000).replace(b"\r\n", b"\n"))
        texts = drop(mirror, 1)
        report = mirror.sync()
        assert [problem.why for problem in report.problems] == ["it is larger than the server takes"]
        assert len(full.account.emails) == 11
        assert full.requests.count("upload") == len(texts)
        full.limits.max_size_upload = 50_000
        mirror.sync(full=True)
        assert_converges(full.account, mirror)

    def test_a_keyword_write_that_is_dropped_is_reported_and_does_not_loop(self, full: DemoServer, mirror: Mirror) -> None:
        full.faults.drop_keyword_writes.arm()
        mirror.flag(mirror.files("INBOX")[0], "FRS")
        report = mirror.sync()
        assert report.exit_code == 3
        assert "did not keep" in report.problems[0].why
        full.requests.clear()
        assert [mirror.sync().exit_code for _ in range(2)] == [3, 3]
        assert full.requests.count("Email/set") == 0
        assert "FR" in str(mirror.files("INBOX")[0])
        full.faults.clear()
        mirror.sync(full=True)
        assert_converges(full.account, mirror)
        assert any("$answered" in keywords for _, keywords in full.account.listing().values())

    def test_an_update_of_a_message_just_destroyed_there_is_no_failure(self, full: DemoServer, mirror: Mirror) -> None:
        file = mirror.files("INBOX")[0]
        email = next(e for e in full.account.emails if full.account.raw(e).replace(b"\r\n", b"\n") == file.read_bytes())
        mirror.flag(file, "F")
        full.faults.before_call.arm(lambda: full.account.destroy(email), only={"Email/set"}, times=1)
        assert mirror.sync().problems == []
        assert_converges(full.account, mirror)
        assert len(mirror.files()) == 9

    def test_a_rate_limit_in_the_middle_is_waited_out_by_a_later_run(self, full: DemoServer, mirror: Mirror) -> None:
        full.faults.set_error.arm(SetError("rateLimit"), only={"Email/import"}, skip=1)
        drop(mirror, 4)
        assert mirror.sync().exit_code == 3
        full.faults.clear()
        assert_converges(full.account, mirror)
        assert_mirrored(full.account, mirror)
        assert len(full.account.emails) == 14


class TestNewEmailsThatAreNotAsTheyWereOrdered:
    """An email is believed to be what it is read to be, not what it was to be."""

    def test_keywords_left_out_of_an_import_are_written_again_and_not_taken_from_the_file(
        self, anywhere: tuple[DemoServer, Mirror]
    ) -> None:
        server, mirror = anywhere
        mirror.drop("INBOX", message().replace(b"\r\n", b"\n"), sub="cur", info=":2,FS")
        server.faults.after_call.arm(lambda: bare(server, "INBOX"), only={"Email/import"}, times=1)
        assert mirror.sync().problems == []
        assert_converges(server.account, mirror)
        assert server.account.emails[newest(server)].keywords == {"$flagged", "$seen"}

    def test_what_the_server_never_keeps_is_quarantined_by_name_and_stays_in_the_file(
        self, anywhere: tuple[DemoServer, Mirror]
    ) -> None:
        server, mirror = anywhere
        file = mirror.drop("INBOX", message().replace(b"\r\n", b"\n"), sub="cur", info=":2,F")
        server.faults.after_call.arm(lambda: bare(server, "INBOX"), only={"Email/import"}, times=1)
        server.faults.drop_keyword_writes.arm()
        for _ in range(2):
            report = mirror.sync()
            assert report.exit_code == 3
            assert "did not keep it" in report.problems[0].why
            assert file.exists()

    def test_a_mailbox_left_out_of_an_import_is_added_and_its_file_stays(self, anywhere: tuple[DemoServer, Mirror]) -> None:
        server, mirror = anywhere
        text = message().replace(b"\r\n", b"\n")
        here = mirror.drop("INBOX", text)
        there = mirror.folder("Archive") / "new" / here.name
        there.hardlink_to(here)
        server.faults.after_call.arm(lambda: bare(server, "INBOX"), only={"Email/import"}, times=1)
        mirror.sync()
        assert here.exists()
        assert there.exists()
        assert_converges(server.account, mirror)
        assert len(server.account.emails[newest(server)].mailbox_ids) == 2

    def test_reading_new_emails_back_costs_no_request(self, anywhere: tuple[DemoServer, Mirror]) -> None:
        _, mirror = anywhere
        drop(mirror)
        mirror.sync()
        assert mirror.requests == 5  # the observation with the quotas, three uploads, the import

    def test_where_creation_ids_cannot_be_read_it_costs_one(self, anywhere: tuple[DemoServer, Mirror]) -> None:
        server, mirror = anywhere
        mirror.drop("INBOX", message().replace(b"\r\n", b"\n"), sub="cur", info=":2,F")
        server.faults.after_call.arm(lambda: bare(server, "INBOX"), only={"Email/import"}, times=1)
        server.faults.method_error.arm(MethodError("invalidArguments"), only={"Email/get"}, skip=2, times=1)
        mirror.sync()
        assert server.faults.method_error.fired == 1
        assert_converges(server.account, mirror)
        assert server.account.emails[newest(server)].keywords == {"$flagged"}


def newest(server: DemoServer) -> str:
    return list(server.account.emails)[-1]


def bare(server: DemoServer, path: str) -> None:
    """Take from the newest email its keywords and all its mailboxes but one, as a server does that drops what it was given."""
    email = server.account.emails[newest(server)]
    server.account.update_email(email, mailbox_ids=frozenset({server.account.mailbox(path).id}), keywords=frozenset())
