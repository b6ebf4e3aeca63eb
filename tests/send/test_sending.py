"""The outbox is emptied: each message is sent once and filed once, wherever a try ends and whatever the server forgets.

Killed between EmailSubmission and the move to Sent.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from jmapsync.demo import CYRUS_36, CYRUS_312, RFC, STALWART, Answer, DemoServer, MethodError, SetError
from jmapsync.demo.dialect import Dialect, Limits
from jmapsync.errors import OutcomeUnknownError, SignInError, UnsupportedError
from jmapsync.formats.envelope import Envelope
from jmapsync.jmap.auth import BasicCredential
from jmapsync.jmap.client import Client
from jmapsync.send.deliver import PATIENCE, Fate, Sender, Sent
from jmapsync.storage.jmap.identities import SUBMISSION
from jmapsync.storage.jmap.submission import Post
from jmapsync.storage.outbox import Outbox, Stage, Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from jmapsync.demo.records import Email

HEADER = b"From: demo@example.com\r\nTo: bob@example.com\r\nMessage-ID: <one@example.com>\r\nSubject: one\r\n\r\n"
BODY = b"Hello Bob.\r\n"
ENVELOPE = Envelope("demo@example.com", ("bob@example.com", "carol@example.com"), "<one@example.com>", "one")


class DeathError(BaseException):
    """The process ends here; nothing in the program catches it."""


@pytest.fixture(params=[RFC, CYRUS_36, CYRUS_312, STALWART], ids=lambda dialect: dialect.name)
def server(request: pytest.FixtureRequest) -> Iterator[DemoServer]:
    with DemoServer(dialect=request.param) as running:
        yield running


class Office:
    """An outbox, and somebody who empties it now and then; time passes only when the test says so."""

    def __init__(self, server: DemoServer, folder: Path) -> None:
        self.server = server
        self.outbox = Outbox(folder / "outbox")
        self.clock = 1_000_000.0

    def add(self) -> Waiting:
        return self.outbox.add(HEADER, [BODY], ENVELOPE)

    def add_named(self, name: str) -> Waiting:
        envelope = msgspec.structs.replace(ENVELOPE, message_id=f"<{name}@example.com>")
        return self.outbox.add(HEADER.replace(b"<one@", f"<{name}@".encode()), [BODY], envelope)

    def send(self, act: Callable[[Sender], None] = lambda _: None, *, only: Waiting | None = None) -> list[Sent]:
        """Empty the outbox once, or send `only` one message of it, as a new process."""

        async def run() -> list[Sent]:
            async with Client(self.server.url, BasicCredential("demo", "demo"), max_wait=0) as client:
                theirs = (await client.session()).account_for(SUBMISSION)
                sender = Sender(self.outbox, Post(client, theirs), lambda: self.clock)
                act(sender)
                return await sender.send_all() if only is None else [await sender.send(only)]

        return asyncio.run(run())

    async def refuse(self) -> None:
        """Have the server refuse what waits, and take it back."""
        self.server.faults.set_error.arm(SetError("forbiddenToSend"), times=1, only=["EmailSubmission/set"])
        async with Client(self.server.url, BasicCredential("demo", "demo")) as client:
            sender = Sender(self.outbox, Post(client, (await client.session()).account_for(SUBMISSION)))
            [reported] = await sender.send_all()
            assert reported.fate is Fate.REFUSED
            await sender.withdraw(reported.waiting)

    @property
    def emails(self) -> list[Email]:
        return list(self.server.account.emails.values())

    def homes(self, email: Email) -> set[str]:
        return {self.server.account.path(self.server.account.mailboxes[box]) for box in email.mailbox_ids}

    def assert_sent_once(self) -> None:
        [left] = self.server.account.sent
        assert (left.sender, left.recipients, left.content) == (ENVELOPE.sender, ENVELOPE.recipients, HEADER + BODY)
        [email] = self.emails
        assert (self.homes(email), set(email.keywords)) == ({"Sent"}, {"$seen"})
        assert self.outbox.entries() == []
        assert not list(self.outbox.folder.glob("*.eml"))


@pytest.fixture
def office(server: DemoServer, tmp_path: Path) -> Office:
    return Office(server, tmp_path)


def test_a_message_leaves_as_it_is_and_is_filed_among_sent_mail(office: Office) -> None:
    office.add()
    assert [one.fate for one in office.send()] == [Fate.SENT]
    office.assert_sent_once()
    assert office.send() == []


def test_several_leave_in_their_order(office: Office) -> None:
    for number in range(3):
        office.add_named(str(number))
    office.send()
    assert [one.content.split(b"<")[1][:1] for one in office.server.account.sent] == [b"0", b"1", b"2"]


# Dying


def dying(step: int, *, after: bool) -> Callable[[Sender], None]:
    """Have the process end before or after its n-th step that leaves a trace, here or on the server."""
    steps = itertools.count()

    def dying_at(call: Callable[..., Any]) -> Callable[..., Any]:
        def local(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401  # passed on
            mine = next(steps) == step
            if mine and not after:
                raise DeathError
            result = call(*arguments, **named)
            if not mine:
                return result
            if not asyncio.iscoroutine(result):
                raise DeathError
            return die_after(result)

        async def die_after(result: Any) -> None:  # noqa: ANN401
            await result
            raise DeathError

        return local

    def act(sender: Sender) -> None:
        for name in ("note", "remove"):
            setattr(sender.outbox, name, dying_at(getattr(sender.outbox, name)))
        for name in ("desk", "upload", "find_draft", "make_draft", "baseline", "submit", "file", "evidence"):
            setattr(sender.post, name, dying_at(getattr(sender.post, name)))

    return act


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_dying_at_any_step_sends_once_and_files_once(office: Office, *, after: bool) -> None:
    """The server did what it was asked, or was never asked; the process dies again in each of its next lives."""
    folder = office.outbox.folder
    for first in range(12):
        for second in (None, 0, 2, 4):
            office.outbox = Outbox(folder)
            office.add()
            deaths = 0
            for step in (first, second):
                office.outbox = Outbox(folder)
                if step is not None:
                    try:
                        office.send(dying(step, after=after))
                    except DeathError:
                        deaths += 1
            assert deaths or first > 7, "a step that is never reached tests nothing"
            office.outbox = Outbox(folder)
            office.clock += PATIENCE + 1
            office.send()
            office.assert_sent_once()
            office.server.account.sent.clear()
            office.server.account.destroy(office.emails[0].id)


@pytest.mark.parametrize("method", ["upload", "Identity/get", "Email/import", "EmailSubmission/get", "EmailSubmission/set"])
@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "cut_body"])
def test_an_answer_that_is_lost_is_no_reason_to_send_again(office: Office, method: str, fault: str) -> None:
    office.add()
    getattr(office.server.faults, fault).arm(times=1, only=[method])
    for _ in range(2):
        assert len(office.send()) <= 1
    office.clock += PATIENCE + 1
    office.send()
    office.assert_sent_once()


def test_a_server_that_was_asked_and_has_not_begun_is_given_time(office: Office) -> None:
    """A slow way out: were it asked again now, the message would leave twice."""
    office.add()
    office.server.faults.drop_before.arm(times=1, only=["EmailSubmission/set"])
    assert [(one.fate, one.waiting.stage) for one in office.send()] == [(Fate.WAITS, Stage.SENDING)]
    [waits] = office.send()
    assert (waits.fate, waits.why) == (Fate.WAITS, "the server was asked to send it and did not answer; it is asked again later")
    assert office.server.account.sent == []
    office.clock += PATIENCE + 1
    assert [one.fate for one in office.send()] == [Fate.SENT]
    office.assert_sent_once()


def test_the_same_bytes_sent_again_to_others_are_no_proof(office: Office) -> None:
    """Cyrus and the RFC's server hold them once: the first submission is of the same email."""
    office.add()
    office.send()
    others = msgspec.structs.replace(ENVELOPE, recipients=("dave@example.com",))
    office.outbox.add(HEADER, [BODY], others)
    office.server.faults.drop_before.arm(times=1, only=["EmailSubmission/set"])
    office.send()
    office.clock += PATIENCE + 1
    office.send()
    assert [one.recipients for one in office.server.account.sent] == [ENVELOPE.recipients, others.recipients]
    assert [(office.homes(email), set(email.keywords)) for email in office.emails] == [({"Sent"}, {"$seen"})] * len(office.emails)


@pytest.mark.parametrize("is_known", [True, False], ids=["after-another-one", "the-first-ever"])
def test_another_message_that_was_sent_meanwhile_is_no_doubt_where_submissions_are_kept(office: Office, *, is_known: bool) -> None:
    """The state of submissions has moved; an older submission that is still there says that this one would be there too."""
    if is_known:
        office.add_named("old")
        office.send()
    asked = office.add()
    office.server.faults.drop_before.arm(times=1, only=["EmailSubmission/set"])
    office.send()
    office.send(only=office.add_named("two"))
    office.clock += PATIENCE + 1
    [reported] = office.send()
    is_sure = is_known and office.server.account.dialect.submissions == "kept"
    assert reported.waiting.id == asked.id
    assert reported.fate is (Fate.SENT if is_sure else Fate.UNSURE)
    assert [b"<one@" in one.content for one in office.server.account.sent].count(True) == is_sure


def test_the_same_bytes_are_not_lost_because_others_were_sent_before_and_after(office: Office) -> None:
    """An older submission of the same email and a state that moved are no proof together."""
    office.add()
    office.send()
    office.outbox.add(HEADER, [BODY], msgspec.structs.replace(ENVELOPE, recipients=("dave@example.com",)))
    office.server.faults.drop_before.arm(times=1, only=["EmailSubmission/set"])
    office.send()
    office.send(only=office.add_named("two"))
    office.clock += PATIENCE + 1
    [reported] = office.send()
    is_sent = ("dave@example.com",) in [one.recipients for one in office.server.account.sent]
    assert (reported.fate is Fate.SENT) == is_sent == (office.server.account.dialect.submissions == "kept")


def test_a_server_that_reports_nothing_of_submissions_sends_and_leaves_doubts_to_a_person(office: Office) -> None:
    """James takes them and has no other method for them."""
    unknown = ["EmailSubmission/get", "EmailSubmission/query"]
    office.server.faults.method_error.arm(MethodError("unknownMethod"), only=unknown)
    office.add()
    assert [one.fate for one in office.send()] == [Fate.SENT]
    office.server.faults.drop_before.arm(times=1, only=["EmailSubmission/set"])
    office.add_named("two")
    office.send()
    office.clock += PATIENCE + 1
    [reported] = office.send()
    assert (reported.fate, reported.waiting.held) == (Fate.UNSURE, True)


def test_a_server_that_died_before_it_filed_what_it_sent_leaves_the_decision_to_a_person(office: Office) -> None:
    """Where submissions are kept they prove it; where they are not, the moved state says that something was sent."""
    office.add()
    office.server.faults.method_error.arm(times=1, only=["Email/set"])
    office.server.faults.drop_after.arm(times=1, only=["EmailSubmission/set"])
    office.send()
    office.clock += PATIENCE + 1
    [reported] = office.send()
    if office.server.account.dialect.submissions == "kept":
        assert reported.fate is Fate.SENT
        office.assert_sent_once()
        return
    assert (reported.fate, reported.waiting.held) == (Fate.UNSURE, True)
    assert "may have sent it" in reported.why
    assert office.send() == [], "what is held is not touched"
    assert len(office.server.account.sent) == 1
    assert [one.id for one in office.outbox.entries()] == [reported.waiting.id]


def test_what_was_sent_and_could_not_be_filed_is_filed_later(office: Office) -> None:
    office.add()
    office.server.faults.method_error.arm(times=2, only=["Email/set"])
    [reported] = office.send()
    assert (reported.fate, reported.waiting.stage) == (Fate.WAITS, Stage.SENT)
    assert [one.fate for one in office.send()] == [Fate.SENT]
    office.assert_sent_once()


# What the server says against it


def test_what_the_server_refuses_is_held_by_name_and_the_others_go(office: Office) -> None:
    refused = office.add()
    office.outbox.add(HEADER.replace(b"one", b"two"), [BODY], msgspec.structs.replace(ENVELOPE, message_id="<two@example.com>"))
    office.server.faults.set_error.arm(SetError("forbiddenToSend", "not today"), times=1, only=["EmailSubmission/set"])
    assert [one.fate for one in office.send()] == [Fate.REFUSED, Fate.SENT]
    [held] = office.outbox.entries()
    assert (held.id, held.held) == (refused.id, True)
    assert "not today" in held.why
    assert [office.homes(email) for email in office.emails if "$draft" in email.keywords] == [{"Drafts"}], "nothing is lost"


def test_what_is_withdrawn_leaves_nothing_behind(office: Office) -> None:
    office.add()
    asyncio.run(office.refuse())
    assert (office.emails, office.outbox.entries(), office.server.account.sent) == ([], [], [])


def test_a_message_that_was_there_before_survives_its_refusal(office: Office) -> None:
    """Cyrus: equal content is one email; to take the draft away would take the user's message."""
    mine = office.server.account.deliver(HEADER + BODY, ["Archive"])
    office.add()
    asyncio.run(office.refuse())
    [email] = office.emails
    assert (email.id, office.homes(email), email.keywords) == (mine, {"Archive"}, frozenset())


@pytest.mark.parametrize("error", ["serverFail", "serverUnavailable", "rateLimit"])
def test_trouble_of_the_server_is_waited_out(office: Office, error: str) -> None:
    office.add()
    office.server.faults.method_error.arm(MethodError(error), times=1, only=["Email/import"])
    assert [one.fate for one in office.send()] == [Fate.WAITS]
    office.send()
    office.assert_sent_once()


@pytest.mark.parametrize("error", [SetError("blobNotFound"), SetError("invalidProperties", properties=["blobId"])], ids=str)
def test_an_upload_that_the_server_lost_is_uploaded_again(office: Office, error: SetError) -> None:
    """A server deletes a blob early where the quota is used up (RFC 8620, 6)."""
    office.add()
    office.server.faults.set_error.arm(error, times=1, only=["Email/import"])
    assert [one.fate for one in office.send()] == [Fate.WAITS]
    office.send()
    office.assert_sent_once()


def test_a_message_waits_while_the_server_does_not_offer_to_send(office: Office) -> None:
    office.add()
    withdrawn = office.server.service.withdrawn
    office.server.faults.before_call.arm(lambda: withdrawn.add(SUBMISSION), times=1, only=["Email/import"])
    assert [one.fate for one in office.send()] == [Fate.WAITS]
    withdrawn.clear()
    office.send()
    office.assert_sent_once()


@pytest.mark.parametrize("call", ["Identity/get", "Email/import", "EmailSubmission/set"])
def test_a_message_waits_where_the_server_takes_a_method_of_sending_for_unknown(office: Office, call: str) -> None:
    office.add()
    office.server.faults.method_error.arm(MethodError("unknownMethod"), times=1, only=[call])
    assert [one.fate for one in office.send()] == [Fate.WAITS]
    office.clock += PATIENCE + 1
    office.send()
    office.assert_sent_once()


def test_a_server_in_trouble_is_waited_out(office: Office) -> None:
    office.add()
    office.server.faults.answer.arm(Answer.unavailable(), only=["EmailSubmission/set"], times=1)
    assert [one.fate for one in office.send()] == [Fate.WAITS]
    office.clock += PATIENCE + 1
    office.send()
    office.assert_sent_once()


def test_without_a_mailbox_for_sent_mail_one_is_made(office: Office) -> None:
    office.server.account.destroy_mailbox("Sent")
    office.add()
    office.send()
    office.assert_sent_once()
    [sent] = (box for box in office.server.account.mailboxes.values() if box.name == "Sent")
    assert office.server.account.role_of(sent) == "sent"


@pytest.mark.parametrize("dialect", [RFC, CYRUS_312, STALWART], ids=lambda dialect: dialect.name)
def test_a_role_beyond_what_a_server_gives_of_its_mailboxes_at_once_is_asked_for(dialect: Dialect, tmp_path: Path) -> None:
    with DemoServer(dialect=dataclasses.replace(dialect, limits=Limits(max_objects_in_get=2))) as server:
        office = Office(server, tmp_path)
        office.add()
        assert [one.fate for one in office.send()] == [Fate.SENT]
        office.assert_sent_once()
        assert [box.name for box in server.account.mailboxes.values()].count("Sent") == 1


def test_an_account_that_may_send_as_nobody_says_so_and_keeps_the_message(office: Office) -> None:
    office.server.account.identities.clear()
    office.add()
    with pytest.raises(UnsupportedError, match="no identity"):
        office.send()
    assert len(office.outbox.entries()) == 1


def test_nothing_is_written_to_send_from_an_account_that_may_only_be_read(office: Office) -> None:
    office.add()
    office.server.account.is_read_only = True
    with pytest.raises(UnsupportedError, match="lets you only read it"):
        office.send()
    counts = office.server.requests.counts
    assert not any(counts[name] for name in ("upload", "Mailbox/set", "Email/import") if name in counts)
    [waiting] = office.outbox.entries()
    assert not waiting.held
    office.server.account.is_read_only = False
    office.send()
    office.assert_sent_once()


def test_a_draft_that_somebody_took_away_is_not_sent(office: Office) -> None:
    office.add()
    office.server.faults.drop_before.arm(times=1, only=["EmailSubmission/set"])
    office.send()
    office.server.account.destroy(office.emails[0].id)
    office.clock += PATIENCE + 1
    [reported] = office.send()
    assert (reported.fate, reported.waiting.held) == (Fate.UNSURE, True)
    assert office.server.account.sent == []


@pytest.mark.parametrize("keywords", [("$draft",), ()], ids=["a draft", "received"])
def test_a_draft_that_was_moved_is_drafted_anew_where_an_email_is_in_one_mailbox(tmp_path: Path, keywords: tuple[str, ...]) -> None:
    """Somebody moved it after the process died; what the user has elsewhere, and is no draft, stays there."""
    limits = dataclasses.replace(RFC.limits, max_mailboxes_per_email=1)
    with DemoServer(dialect=dataclasses.replace(RFC, limits=limits)) as server:
        office = Office(server, tmp_path)
        email = server.account.deliver(HEADER + BODY, ["Archive"], keywords)
        office.add()
        [reported] = office.send()
        if keywords:
            server.account.set_keyword(email, "$seen")
            office.assert_sent_once()
        else:
            assert (reported.fate, reported.waiting.held, "tooManyMailboxes" in reported.why) == (Fate.REFUSED, True, True)
            assert [office.homes(one) for one in office.emails] == [{"Archive"}]


@pytest.mark.parametrize("single", [False, True])
def test_the_same_bytes_are_sent_again_wherever_they_lie_among_sent_mail(tmp_path: Path, *, single: bool) -> None:
    limits = dataclasses.replace(RFC.limits, max_mailboxes_per_email=1 if single else None)
    with DemoServer(dialect=dataclasses.replace(RFC, limits=limits)) as server:
        office = Office(server, tmp_path)
        for count in (1, 2):
            office.add()
            office.send()
            assert len(server.account.sent) == count
        assert [(office.homes(one), set(one.keywords)) for one in office.emails] == [({"Sent"}, {"$seen"})]


def test_a_refused_password_leaves_everything_as_it_is(office: Office) -> None:
    office.add()
    office.server.faults.answer.arm(Answer(401), only=["EmailSubmission/set"])
    with pytest.raises(SignInError):
        office.send()
    [waiting] = office.outbox.entries()
    assert waiting.stage is Stage.DRAFT
    office.server.faults.clear()
    office.send()
    office.assert_sent_once()


def test_an_unknown_outcome_is_the_error_of_the_client(office: Office) -> None:
    office.add()
    office.server.faults.drop_after.arm(times=1, only=["EmailSubmission/set"])
    [reported] = office.send()
    assert isinstance(reported.error, OutcomeUnknownError)
