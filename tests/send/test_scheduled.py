"""A message with a time is sent by the server that holds it, or from here: never before its time, and never twice."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from jmapsync.demo import CYRUS_312, RFC, STALWART, DemoServer, SetError
from jmapsync.demo.dialect import JAMES
from jmapsync.jmap.auth import BasicCredential
from jmapsync.jmap.client import Client
from jmapsync.send.deliver import PATIENCE, Fate, Sender, Sent
from jmapsync.storage.jmap.identities import SUBMISSION
from jmapsync.storage.jmap.submission import Post
from jmapsync.storage.outbox import Outbox, Stage
from tests.send.test_sending import BODY, ENVELOPE, HEADER, DeathError, Office, dying

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from jmapsync.storage.outbox import Waiting

NOON = 1_900_000_000
HOUR = 3600
SHORT = dataclasses.replace(RFC, name="short", max_delayed_send=HOUR)
NEVER = dataclasses.replace(RFC, name="never", max_delayed_send=0)


class Desk(Office):
    """An outbox and a server that share a clock; it moves only when the test says so."""

    def __init__(self, server: DemoServer, folder: Path) -> None:
        super().__init__(server, folder)
        self.clock = float(NOON)
        server.account.clock = lambda: self.clock

    def add_for(self, at: int) -> Waiting:
        return self.outbox.add(HEADER, [BODY], ENVELOPE, at)

    def sent(self) -> int:
        self.server.account.release()
        return len(self.server.account.sent)

    def with_sender(self, act: Callable[[Sender], Awaitable[Sent]]) -> Sent:
        async def run() -> Sent:
            async with Client(self.server.url, BasicCredential("demo", "demo"), max_wait=0) as client:
                account = (await client.session()).account_for(SUBMISSION)
                return await act(Sender(self.outbox, Post(client, account), lambda: self.clock))

        return asyncio.run(run())

    def cancel_elsewhere(self) -> None:
        [held] = self.server.account.held
        self.server.account.held.clear()
        self.server.account.conclude(held, "canceled")

    @property
    def known(self) -> Fate:
        """Return what is known of a message that the server held until its time: Cyrus deletes its record of it."""
        return Fate.UNCONFIRMED if self.server.account.dialect.submissions == "forgotten" else Fate.SENT

    def assert_sent_at_its_time(self) -> None:
        """Fail unless the message was sent once and filed, and is still listed where the server does not say whether it was."""
        listed = [one for one in self.outbox.entries() if one.stage is Stage.CONCLUDED]
        assert len(listed) == (self.known is Fate.UNCONFIRMED)
        for one in listed:
            assert "the server no longer has a record of it" in one.why
            self.outbox.remove(one.id)
        self.assert_sent_once()

    def restart(self) -> None:
        """Read the outbox as a new process."""
        self.outbox = Outbox(self.outbox.folder)


@pytest.fixture(params=[RFC, CYRUS_312, STALWART], ids=lambda dialect: dialect.name)
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    with DemoServer(dialect=request.param) as server:
        yield Desk(server, tmp_path)


def test_the_server_holds_it_and_sends_it_at_its_time(desk: Desk) -> None:
    desk.add_for(NOON + HOUR)
    [result] = desk.send()
    assert (result.fate, result.waiting.stage) == (Fate.SCHEDULED, Stage.SCHEDULED)
    [email] = desk.emails
    assert (desk.homes(email), set(email.keywords)) == ({"Drafts"}, {"$draft", "$seen"})
    desk.clock += HOUR - 1
    assert desk.send()[0].fate is Fate.SCHEDULED
    assert desk.sent() == 0
    desk.clock += 2
    assert desk.sent() == 1, "nobody had to ask for it"
    assert desk.send()[0].fate is desk.known
    desk.assert_sent_at_its_time()


def test_a_server_that_has_not_sent_it_yet_is_asked_again(desk: Desk) -> None:
    desk.add_for(NOON + HOUR)
    desk.send()
    desk.clock += HOUR
    desk.server.account.clock = lambda: NOON
    [result] = desk.send()
    assert (result.fate, result.waiting.stage) == (Fate.WAITS, Stage.SCHEDULED)
    desk.server.account.clock = lambda: desk.clock
    desk.send()
    desk.assert_sent_at_its_time()


@pytest.mark.parametrize("dialect", [NEVER, JAMES, SHORT], ids=lambda dialect: dialect.name)
def test_what_the_server_does_not_hold_is_kept_here_until_its_time(dialect: object, tmp_path: Path) -> None:
    with DemoServer(dialect=dialect) as server:  # type: ignore[arg-type]
        desk = Desk(server, tmp_path)
        desk.add_for(NOON + 3 * HOUR)
        [result] = desk.send()
        assert (result.fate, result.waiting.stage) == (Fate.SCHEDULED, Stage.QUEUED)
        assert desk.emails == [], "nothing of it is on the server"
        assert desk.outbox.next_time(desk.clock) == NOON + 3 * HOUR
        desk.clock += 2.5 * HOUR
        [result] = desk.send()
        assert result.waiting.stage is (Stage.SCHEDULED if dialect is SHORT else Stage.QUEUED)
        assert desk.sent() == 0
        desk.clock += HOUR
        desk.send()
        assert desk.sent() == 1
        assert desk.outbox.entries() == []


def test_one_whose_time_passed_without_a_network_is_sent_at_once(desk: Desk) -> None:
    desk.add_for(NOON + HOUR)
    desk.clock += 2 * HOUR
    desk.send()
    desk.assert_sent_once()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_dying_at_any_step_it_is_sent_once_at_its_time(desk: Desk, *, after: bool) -> None:
    for first in range(10):
        desk.restart()
        desk.add_for(int(desk.clock) + HOUR)
        try:
            desk.send(dying(first, after=after))
        except DeathError:
            pass
        else:
            assert first > 5, "a step that is never reached tests nothing"
        desk.restart()
        desk.clock += PATIENCE + 1
        desk.send()
        assert desk.sent() == 0
        [waiting] = desk.outbox.entries()
        assert waiting.stage is Stage.SCHEDULED
        desk.clock += HOUR
        desk.restart()
        desk.send()
        desk.assert_sent_at_its_time()
        desk.server.account.sent.clear()
        desk.server.account.destroy(desk.emails[0].id)


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "cut_body"])
def test_an_answer_that_is_lost_schedules_it_once(desk: Desk, fault: str) -> None:
    desk.add_for(NOON + HOUR)
    getattr(desk.server.faults, fault).arm(times=1, only=["EmailSubmission/set"])
    desk.send()
    desk.clock += PATIENCE + 1
    desk.send()
    desk.clock += HOUR
    desk.send()
    desk.assert_sent_at_its_time()


def test_it_is_taken_back_before_its_time_and_its_draft_stays(desk: Desk) -> None:
    desk.send(only=desk.add_for(NOON + HOUR))
    [waiting] = desk.outbox.entries()
    assert desk.with_sender(lambda sender: sender.unsend(waiting)).fate is Fate.CANCELED
    desk.clock += 2 * HOUR
    assert desk.sent() == 0
    assert desk.outbox.entries() == []
    [email] = desk.emails
    assert (desk.homes(email), set(email.keywords)) == ({"Drafts"}, {"$draft", "$seen"})


def test_taking_it_back_is_repeated_where_the_answer_was_lost(desk: Desk) -> None:
    desk.send(only=desk.add_for(NOON + HOUR))
    [waiting] = desk.outbox.entries()
    desk.server.faults.drop_after.arm(times=1, only=["EmailSubmission/set"])
    result = desk.with_sender(lambda sender: sender.unsend(waiting))
    desk.clock += 2 * HOUR
    assert desk.sent() == 0
    assert result.fate is not Fate.SENT


def test_too_late_to_take_it_back_is_said_and_it_is_filed(desk: Desk) -> None:
    desk.send(only=desk.add_for(NOON + HOUR))
    [waiting] = desk.outbox.entries()
    desk.clock += 2 * HOUR
    assert desk.with_sender(lambda sender: sender.unsend(waiting)).fate is desk.known
    desk.assert_sent_once()


def test_what_was_canceled_elsewhere_is_not_sent_and_waits_for_a_person(desk: Desk) -> None:
    desk.add_for(NOON + HOUR)
    desk.send()
    desk.cancel_elsewhere()
    desk.send()
    [waiting] = desk.outbox.entries()
    assert waiting.held
    assert "canceled" in waiting.why
    desk.clock += 2 * HOUR
    assert desk.send() == []
    assert desk.sent() == 0


def test_a_record_that_is_gone_after_its_time_is_listed_until_it_is_dropped_or_a_week_passed(tmp_path: Path) -> None:
    """Of Cyrus nobody can learn whether the message was sent, or canceled by a web mail."""
    with DemoServer(dialect=CYRUS_312) as server:
        desk = Desk(server, tmp_path)
        desk.add_for(NOON + HOUR)
        desk.send()
        desk.cancel_elsewhere()
        desk.clock += 2 * HOUR
        [result] = desk.send()
        assert result.fate is Fate.UNCONFIRMED
        assert result.why.startswith(
            "the server no longer has a record of it, as of what it sent or what was canceled; it was due at "
        )
        assert desk.sent() == 0
        assert desk.homes(desk.emails[0]) == {"Sent"}
        assert desk.send() == []
        [waiting] = desk.outbox.entries()
        assert (waiting.held, waiting.is_open, desk.outbox.next_time(desk.clock)) == (False, False, None)
        desk.outbox.tidy()
        assert desk.outbox.entries() == [], "it was concluded more than a week from now"


def test_a_message_that_another_program_filed_as_sent_was_sent(tmp_path: Path) -> None:
    with DemoServer(dialect=CYRUS_312) as server:
        desk = Desk(server, tmp_path)
        desk.add_for(NOON + HOUR)
        desk.send()
        [email] = desk.emails
        server.account.move(email.id, "Drafts", "Sent")
        server.account.set_keyword(email.id, "$draft", present=False)
        desk.clock += 2 * HOUR
        server.account.release()
        assert desk.send()[0].fate is Fate.SENT
        desk.assert_sent_once()


def test_a_record_that_is_gone_where_others_are_kept_is_no_proof_that_it_was_sent(tmp_path: Path) -> None:
    with DemoServer(dialect=RFC) as server:
        desk = Desk(server, tmp_path)
        desk.add_named("before")
        desk.send()
        desk.add_for(NOON + HOUR)
        desk.send()
        [held] = server.account.held
        server.account.held.clear()
        del server.account.submissions[held]
        desk.clock += 2 * HOUR
        desk.send()
        [waiting] = desk.outbox.entries()
        assert waiting.held
        assert "could not be sent" in waiting.why
        assert desk.sent() == 1


def test_the_server_is_not_asked_for_delivery_reports_that_it_does_not_offer(desk: Desk) -> None:
    reports = replace(ENVELOPE.reports, notify="SUCCESS,FAILURE", ret="HDRS", envid="id 1")
    desk.outbox.add(HEADER, [BODY], replace(ENVELOPE, reports=reports))
    [result] = desk.send()
    [left] = desk.server.account.sent
    if "DSN" in desk.server.account.dialect.submission_extensions:
        assert left.mail_parameters == {"RET": "HDRS", "ENVID": "id 1"}
        assert left.recipient_parameters == ({"NOTIFY": "SUCCESS,FAILURE"},) * 2
        assert result.notice == ""
    else:
        assert (left.mail_parameters, left.recipient_parameters) == ({}, ({}, {}))
        assert "no request for delivery reports" in result.notice


def test_an_address_beyond_ascii_is_sent_as_such(desk: Desk) -> None:
    desk.outbox.add(HEADER, [BODY], replace(ENVELOPE, recipients=("jürgen@xn--exmple-cua.example",)))
    desk.send()
    [left] = desk.server.account.sent
    assert left.recipients == ("jürgen@xn--exmple-cua.example",)
    assert left.mail_parameters == {"SMTPUTF8": None}


def test_a_refusal_of_an_address_beyond_ascii_names_the_extension_that_is_not_offered(desk: Desk) -> None:
    desk.server.faults.set_error.arm(SetError("invalidProperties", "no such thing"), times=1, only=["EmailSubmission/set"])
    desk.outbox.add(HEADER, [BODY], replace(ENVELOPE, recipients=("jürgen@xn--exmple-cua.example",)))
    [result] = desk.send()
    assert result.fate is Fate.REFUSED
    is_offered = "SMTPUTF8" in desk.server.account.dialect.submission_extensions
    assert ("for which it does not offer SMTPUTF8" in result.why) != is_offered
    assert "no such thing" in result.why


def test_a_header_beyond_ascii_needs_the_extension_only_where_it_is_offered(desk: Desk) -> None:
    desk.outbox.add(HEADER, [BODY], replace(ENVELOPE, is_utf8=True))
    desk.send()
    [left] = desk.server.account.sent
    assert ("SMTPUTF8" in left.mail_parameters) == ("SMTPUTF8" in desk.server.account.dialect.submission_extensions)
