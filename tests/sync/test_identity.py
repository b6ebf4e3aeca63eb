"""Which messages are the same: repeated Message-IDs, content that is there already, imports whose answer was lost."""

from __future__ import annotations

import dataclasses
import shutil
from typing import TYPE_CHECKING, NoReturn

import pytest

from jmapsync.demo import RFC, DemoServer
from jmapsync.sync.commit import Committer
from tests.kit.letters import keywords, letter, wire
from tests.kit.mirror import Mirror, assert_converges

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class DeathError(BaseException):
    """The process ends here; nothing in the program catches it."""


def die(*_: object) -> NoReturn:
    raise DeathError


def deliver_and_die(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run until files are in their places, and die before the ledger has them."""
    with monkeypatch.context() as patch:
        patch.setattr(Committer, "commit", die)
        with pytest.raises(DeathError):
            mirror.sync()


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

    @pytest.mark.parametrize("count", [1, 3])
    @pytest.mark.parametrize("is_named_alike", [False, True])
    def test_a_copy_of_what_a_dead_run_delivered_is_filed_and_not_sent(
        self, copying: DemoServer, twin: Mirror, monkeypatch: pytest.MonkeyPatch, count: int, *, is_named_alike: bool
    ) -> None:
        for _ in range(count):
            copying.account.deliver(wire(letter(1)), ["Archive"])
        deliver_and_die(twin, monkeypatch)
        file = twin.files("Archive")[0]
        shutil.copy2(file, twin.root / "Sent" / "cur" / (file.name if is_named_alike else "1700000000.C1.test:2,"))
        assert_converges(copying.account, twin)
        homes = sorted(sorted(boxes) for boxes, _ in copying.account.listing().values())
        assert homes == [*([["Archive"]] * (count - 1)), ["Archive", "Sent"]]

    @pytest.mark.parametrize("is_ours", [False, True])
    def test_a_message_that_a_dead_run_delivered_in_two_mailboxes_and_somebody_copied_stays_one(
        self, copying: DemoServer, twin: Mirror, monkeypatch: pytest.MonkeyPatch, *, is_ours: bool
    ) -> None:
        copying.account.deliver(wire(letter(1)), ["Archive", "INBOX"])
        deliver_and_die(twin, monkeypatch)
        file = twin.files("Archive")[0]
        shutil.copy2(file, twin.root / "Sent" / "cur" / (file.name if is_ours else "1700000000.C1.test:2,"))
        assert_converges(copying.account, twin)
        assert [sorted(boxes) for boxes, _ in copying.account.listing().values()] == [["Archive", "INBOX", "Sent"]]

    def test_files_whose_names_say_that_they_were_two_messages_stay_two(self, copying: DemoServer, twin: Mirror) -> None:
        copying.account.deliver(wire(letter(1)), ["Archive"])
        copying.account.deliver(wire(letter(1)), ["Sent"])
        twin.sync()
        shutil.rmtree(twin.state)
        gone = next(ref for ref, (boxes, _) in copying.account.listing().items() if boxes == {"Sent"})
        copying.account.destroy(gone)
        assert_converges(copying.account, twin)
        assert sorted(sorted(boxes) for boxes, _ in copying.account.listing().values()) == [["Archive"], ["Sent"]]
