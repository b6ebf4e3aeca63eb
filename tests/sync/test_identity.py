"""Which messages are the same: repeated Message-IDs, content that is there already, imports whose answer was lost."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import RFC, DemoServer
from tests.kit.letters import keywords, letter, wire
from tests.kit.mirror import Mirror, assert_converges

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def copying() -> Iterator[DemoServer]:
    """A server that stores the same content twice, as Stalwart does."""
    with DemoServer(dialect=dataclasses.replace(RFC, duplicates="copy")) as server:
        yield server


@pytest.fixture
def twin(copying: DemoServer, tmp_path: Path) -> Mirror:
    return Mirror(copying.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")


class TestIdentity:
    def test_a_message_id_that_repeats_or_is_missing_joins_nothing(self, server: DemoServer, mirror: Mirror) -> None:
        mirror.sync()
        for number in range(3):
            mirror.drop("INBOX", letter(number, message_id="same@example.com"))
            mirror.drop("INBOX", letter(10 + number))
        assert_converges(server.account, mirror)
        assert len(server.account.emails) == 6

    def test_content_that_the_server_has_already_is_bound_not_sent_twice(self, server: DemoServer, mirror: Mirror) -> None:
        mirror.sync()
        for _ in range(2):
            mirror.drop("Archive", letter(1))

        def deliver_the_same() -> None:
            server.account.deliver(wire(letter(1)), ["Sent"])

        server.faults.before_call.arm(deliver_the_same, times=1, only={"Email/import"})
        mirror.sync()
        mirror.sync()
        [ref] = server.account.emails
        assert server.account.listing()[ref][0] == {"Archive", "Sent"}
        assert (mirror.sync().to_server.total, mirror.requests) == (0, 1)

    def test_the_same_content_delivered_twice_is_two_messages(self, copying: DemoServer, twin: Mirror) -> None:
        first, second = (copying.account.deliver(wire(letter(1))) for _ in range(2))
        assert first != second
        twin.sync()
        assert len(twin.files("INBOX")) == 2
        twin.flag(twin.files("INBOX")[0], "F")
        twin.sync()
        assert sorted(map(len, (keywords(copying, ref) for ref in (first, second)))) == [0, 1]
        twin.files("INBOX")[0].unlink()
        assert_converges(copying.account, twin)
        assert sorted(map(sorted, (copying.account.listing()[ref][0] for ref in (first, second)))) == [["INBOX"], ["Trash"]]

    def test_an_import_whose_answer_was_lost_is_not_repeated(self, copying: DemoServer, twin: Mirror) -> None:
        twin.sync()
        for number in range(5):
            twin.drop("INBOX", letter(number))
        copying.faults.drop_after.arm(times=1, only={"Email/import"})
        twin.sync()
        assert_converges(copying.account, twin)
        assert len(copying.account.emails) == 5
