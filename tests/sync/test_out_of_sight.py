"""An email in no mailbox that the account is shown (another user's, by RFC 4314 without `l`): it is not deleted, and not here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.errors import ExitCode
from jmapsync.storage.jmap.mail.side import MailSide
from jmapsync.storage.port import FolderPage
from tests.contract.peer import message
from tests.kit.mirror import Mirror, assert_converges, places_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from jmapsync.demo import DemoServer
    from jmapsync.storage.port import Observation

SECRET = "Secret"


class Veiled:
    """A server that does not list one of its mailboxes."""

    def __init__(self, side: MailSide) -> None:
        self._side = side

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the side has
        return getattr(self._side, name)

    async def observe(
        self, cursor: str, known: Callable[[], set[str]], again: Sequence[str] = (), *, whole: bool = False
    ) -> AsyncIterator[Observation]:
        async for page in self._side.observe(cursor, known, again, whole=whole):
            if isinstance(page, FolderPage):
                page.folders = [folder for folder in page.folders if folder.name != SECRET]
            yield page


@pytest.fixture
def mirror(mirror: Mirror) -> Mirror:
    mirror.wrap = lambda part: Veiled(part) if isinstance(part, MailSide) else part
    return mirror


@pytest.fixture
def email(server: DemoServer, mirror: Mirror) -> str:
    """Mirror one message of INBOX, next to a mailbox that is not shown, and return its id."""
    server.account.create_mailbox(SECRET)
    ref = server.account.deliver(message(), received_at=1_700_000_000)
    mirror.sync()
    assert len(mirror.files("INBOX")) == 1
    return ref


def test_a_message_that_went_out_of_sight_keeps_its_file_and_is_named(server: DemoServer, mirror: Mirror, email: str) -> None:
    server.account.move(email, "INBOX", SECRET)
    for full in (False, False, True):
        report = mirror.sync(full=full)
        assert report.exit_code is ExitCode.QUARANTINED
        assert places_of(report.problems) == [f"email {email}"]
        assert "in no folder that can be seen on the server" in report.problems[0].why
        assert (report.to_disk.total, report.to_server.total) == (0, 0)
        assert len(mirror.files("INBOX")) == 1


def test_a_dry_run_names_it_too(server: DemoServer, mirror: Mirror, email: str) -> None:
    server.account.move(email, "INBOX", SECRET)
    assert places_of(mirror.sync(dry=True).problems) == [f"email {email}"]


def test_it_is_followed_to_where_it_comes_back_with_what_happened_here_meanwhile(
    server: DemoServer, mirror: Mirror, email: str
) -> None:
    server.account.move(email, "INBOX", SECRET)
    mirror.sync()
    mirror.flag(mirror.files("INBOX")[0], "F")
    mirror.sync()
    assert server.account.emails[email].keywords == frozenset()
    server.account.move(email, SECRET, "Archive")
    server.account.destroy_mailbox(SECRET)
    assert_converges(server.account, mirror)
    assert server.account.listing()[email] == (frozenset({"Archive"}), frozenset({"$flagged"}))
    assert len(mirror.files("Archive")) == 1


def test_it_is_released_when_it_comes_back_to_where_it_was(server: DemoServer, mirror: Mirror, email: str) -> None:
    server.account.move(email, "INBOX", SECRET)
    mirror.sync()
    server.account.move(email, SECRET, "INBOX")
    server.account.destroy_mailbox(SECRET)
    assert_converges(server.account, mirror)


def test_it_goes_when_it_is_deleted_on_the_server(server: DemoServer, mirror: Mirror, email: str) -> None:
    server.account.move(email, "INBOX", SECRET)
    mirror.sync()
    server.account.destroy(email)
    server.account.destroy_mailbox(SECRET)
    assert_converges(server.account, mirror)
    assert mirror.files() == []


def test_deleted_here_too_it_is_no_problem_any_more_and_stays_on_the_server(server: DemoServer, mirror: Mirror, email: str) -> None:
    server.account.move(email, "INBOX", SECRET)
    mirror.sync()
    mirror.files("INBOX")[0].unlink()
    report = mirror.sync()
    assert (report.exit_code, report.problems) == (ExitCode.IN_SYNC, [])
    assert server.account.listing()[email][0] == {SECRET}


def test_a_message_that_goes_out_of_sight_between_our_reading_and_our_write_keeps_its_file(
    server: DemoServer, mirror: Mirror, email: str
) -> None:
    mirror.flag(mirror.files("INBOX")[0], "F")
    server.faults.before_call.arm(lambda: server.account.move(email, "INBOX", SECRET), only={"Email/set"}, times=1)
    assert mirror.sync().exit_code is ExitCode.QUARANTINED
    assert server.account.emails[email].keywords == {"$flagged"}
    assert len(mirror.files("INBOX")) == 1


def test_its_file_stays_when_the_mailbox_it_was_in_goes(server: DemoServer, mirror: Mirror) -> None:
    server.account.create_mailbox(SECRET)
    server.account.create_mailbox("Work")
    email = server.account.deliver(message(), ["Work"])
    mirror.sync()
    server.account.move(email, "Work", SECRET)
    server.account.destroy_mailbox("Work")
    for _ in range(2):
        report = mirror.sync()
        assert sorted(places_of(report.problems)) == ["Work", f"email {email}"]
        assert len(mirror.files("Work")) == 1
    server.account.move(email, SECRET, "Archive")
    server.account.destroy_mailbox(SECRET)
    mirror.sync()
    mirror.sync(full=True)
    assert_converges(server.account, mirror)
    assert len(mirror.files("Archive")) == 1


def test_a_message_in_no_mailbox_that_is_shown_is_named(server: DemoServer, mirror: Mirror) -> None:
    server.account.create_mailbox(SECRET)
    server.account.deliver(message(), [SECRET])
    report = mirror.sync()
    assert (report.exit_code, len(report.problems), mirror.files()) == (ExitCode.QUARANTINED, 1, [])
    assert "mailbox" in report.problems[0].why


def test_a_message_that_goes_out_of_sight_before_it_was_fetched_is_named(server: DemoServer, mirror: Mirror) -> None:
    server.account.create_mailbox(SECRET)
    mirror.sync()
    ref = server.account.deliver(message())
    server.faults.missing_blob.arm()
    assert mirror.sync().exit_code is ExitCode.QUARANTINED
    server.faults.clear()
    server.account.move(ref, "INBOX", SECRET)
    report = mirror.sync()
    assert (report.exit_code, len(report.problems), mirror.files()) == (ExitCode.QUARANTINED, 1, [])
    assert "mailbox" in report.problems[0].why
