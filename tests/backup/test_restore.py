"""A restore that dies at any request and is repeated: the same end, nothing doubled; onto the same account or another one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from jmapsync.app.account import AccountRun, Sides
from jmapsync.backup import restore
from jmapsync.backup.restore import Restored, released
from jmapsync.backup.rewritten_headers import as_rewritten
from jmapsync.backup.selection import ForeignTree, Selection
from jmapsync.demo import RFC, DemoServer
from jmapsync.demo.freedoms import Freedoms
from jmapsync.demo.problems import SetError
from jmapsync.jmap.auth import BasicCredential
from jmapsync.jmap.client import Client
from jmapsync.kinds import MAIL
from jmapsync.ledger import Ledger, Record
from jmapsync.planner.guard import Limits
from jmapsync.planner.model import Base, Version
from jmapsync.storage.jmap.mail.emails import MAIL as MAIL_CAPABILITY
from jmapsync.storage.jmap.mail.side import MailSide
from jmapsync.storage.maildir.side import MaildirSide
from jmapsync.storage.port import MailPair
from jmapsync.sync import batches, execute
from jmapsync.sync.commit import Committer
from jmapsync.sync.options import Options
from jmapsync.sync.report import Silent
from tests.kit.held import held
from tests.kit.mirror import Mirror, assert_converges

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from jmapsync.demo.account import Account
    from jmapsync.sync.commit import Work


class DeathError(BaseException):
    """The process ends here; nothing in the program catches it."""


@dataclass
class Mortal(httpx.AsyncBaseTransport):
    """Dies at one request: before the server has it, or before its answer comes."""

    at: int
    answered: bool
    seen: int = 0

    def __post_init__(self) -> None:
        self._inner = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.seen += 1
        mine = self.seen == self.at
        if mine and not self.answered:
            raise DeathError
        answer = await self._inner.handle_async_request(request)
        if mine:
            await answer.aread()
            raise DeathError
        return answer

    async def aclose(self) -> None:
        await self._inner.aclose()


def fill(account: Account) -> None:
    """Put five messages into an account: one in three mailboxes, one with a keyword of its own, one that Cyrus rewrites."""
    account.create_mailbox("Lists")
    account.create_mailbox("Lists/python")
    account.deliver(
        b"Subject: one\r\n\r\nthree mailboxes\r\n", ["INBOX", "Archive", "Lists/python"], ["$seen", "$flagged"], 1_700_000_001
    )
    account.deliver(b"Subject: two\r\n\r\nbody\r\n", ["Archive"], ["work", "$flagged"], 1_700_000_002)
    account.deliver(b"Subject: three\r\n\r\nbody\r\n", ["Lists/python"], [], 1_700_000_003)
    account.deliver(b"Subject: caf\xe9\r\n\r\nbody\r\n", ["INBOX"], ["$seen"], 1_700_000_004)
    account.deliver(b"Subject: draft\r\n\r\nbody\r\n", ["Drafts"], ["$draft"], 1_700_000_005)


def wipe(account: Account) -> None:
    for email in list(account.emails):
        account.destroy(email)
    account.destroy_mailbox("Lists/python")
    account.destroy_mailbox("Lists")


def into(mirror: Mirror, server: DemoServer, transport: httpx.AsyncBaseTransport | None = None) -> Restored:
    """Put a mirror of one server into the account of another, as `--into` does."""

    async def run() -> Restored:
        ledger = Ledger.copy_of(mirror.state / "ledger.sqlite")
        owner = ledger.note("account")
        ledger.forget_server()
        async with Client(server.url, BasicCredential("demo", "demo"), transport=transport, max_wait=5) as client:
            try:
                account = (await client.session()).account_for(MAIL_CAPABILITY)
                run = AccountRun("test", mirror.state, ledger, Limits(25, 20), Options(full=True), Silent())
                local = MaildirSide(mirror.root, mirror.state / "spool", dry=True)
                remote = MailSide(client, account, mirror.state / "spool")
                found = await run.restore(Sides(MAIL, owner, MailPair(local, remote)), Selection(), ForeignTree(has_ledger=True))
                assert found is not None, run.report.kinds["mail"].messages
                return found
            finally:
                ledger.close()

    return asyncio.run(run())


@pytest.fixture
def filled(server: DemoServer, mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> Account:
    """An account that is mirrored, and batches small enough for several."""
    monkeypatch.setattr(batches, "BATCH_ITEMS", 2)
    monkeypatch.setattr(batches, "FIRST_SHARE", 1.0)
    monkeypatch.setattr(restore, "PAGE", 3)
    fill(server.account)
    mirror.sync()
    return server.account


@pytest.mark.parametrize("answered", [False, True], ids=["unsent", "unanswered"])
@pytest.mark.parametrize("dialect", ["stalwart", "cyrus312"])
def test_dying_at_any_request_and_restoring_again_doubles_nothing(
    filled: Account, mirror: Mirror, dialect: str, answered: bool, tmp_path: Path
) -> None:
    wanted = [one for one in held(filled) if as_rewritten(one[0]) == one[0]]
    deaths = 0
    for at in range(1, 1000):
        with DemoServer(dialect=dialect) as other:
            mortal = Mortal(at, answered)
            try:
                into(mirror, other, mortal)
            except DeathError:
                deaths += 1
            again = into(mirror, other)
            sent = [one for one in held(other.account) if b"caf" not in one[0]]
            assert sent == wanted, at
            assert len(other.account.emails) == len(filled.emails), at
            assert again.items == len(filled.emails)
            third = into(mirror, other)
            assert (third.report.to_server.total, third.report.folders.total, third.there) == (0, 0, third.items), at
        if mortal.seen < at:
            break
    assert deaths > 9


@pytest.mark.parametrize("answered", [False, True], ids=["unsent", "unanswered"])
def test_dying_at_any_request_onto_the_same_account_and_restoring_again_doubles_nothing(
    monkeypatch: pytest.MonkeyPatch, answered: bool, tmp_path: Path
) -> None:
    monkeypatch.setattr(batches, "BATCH_ITEMS", 2)
    monkeypatch.setattr(batches, "FIRST_SHARE", 1.0)
    deaths = 0
    for at in range(1, 1000):
        with DemoServer(dialect="stalwart") as server:
            fill(server.account)
            mirror = Mirror(server.url, "demo", "demo", tmp_path / str(at) / "mail", tmp_path / str(at) / "state")
            mirror.root.parent.mkdir()
            mirror.sync()
            before = held(server.account)
            wipe(server.account)
            mirror.transport = mortal = Mortal(at, answered)
            try:
                mirror.restore()
            except DeathError:
                deaths += 1
            mirror.transport, mirror.session = None, None
            mirror.restore()
            assert held(server.account) == before, at
            again = mirror.restore()
            assert (again.report.to_server.total, again.report.folders.total, again.there) == (0, 0, len(before)), at
            assert_converges(server.account, mirror)
        if mortal.seen < at:
            break
    assert deaths > 9


def test_a_run_after_a_killed_restore_finishes_it_and_deletes_nothing(
    filled: Account, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = held(filled)
    wipe(filled)
    with monkeypatch.context() as patch:
        patch.setattr(execute.Executor, "run", _die)
        with pytest.raises(DeathError):
            mirror.restore()
    assert not filled.emails
    assert_converges(filled, mirror)
    assert held(filled) == before


def test_mail_that_is_there_under_another_id_is_known_by_its_bytes(filled: Account, mirror: Mirror) -> None:
    contents = [(filled.raw(email.id), email.keywords, email.received_at) for email in filled.emails.values()]
    before = held(filled)
    wipe(filled)
    for content, keywords, received in contents[:3]:
        filled.deliver(content, ["Junk"], keywords, received)
    found = mirror.restore()
    assert (found.report.to_server.created, found.report.to_server.updated) == (2, 3)
    again = [content for content, _, _ in contents[:3]]
    assert held(filled) == [
        (raw, tuple(sorted({*boxes, *(["Junk"] if raw in again else [])})), *rest) for raw, boxes, *rest in before
    ]
    assert_converges(filled, mirror)


def test_messages_of_equal_bytes_stay_as_many_as_they_were(tmp_path: Path) -> None:
    with DemoServer(dialect="stalwart") as server, DemoServer(dialect="stalwart") as other:
        mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
        for mailbox in ("INBOX", "INBOX", "Archive"):
            server.account.deliver(b"Subject: twin\r\n\r\nbody\r\n", [mailbox], ["$seen"], 1_700_000_009)
        mirror.sync()
        before = held(server.account)
        for email in list(server.account.emails):
            server.account.destroy(email)
        mirror.restore()
        assert held(server.account) == before
        assert_converges(server.account, mirror)
        for _ in range(2):
            into(mirror, other)
            assert held(other.account) == before


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_dying_between_the_server_and_the_ledger_doubles_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, batch: int
) -> None:
    monkeypatch.setattr(batches, "BATCH_ITEMS", 2)
    monkeypatch.setattr(batches, "FIRST_SHARE", 1.0)
    with DemoServer(dialect="stalwart") as server:
        fill(server.account)
        mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
        mirror.sync()
        before = held(server.account)
        wipe(server.account)
        left, commit = [batch], Committer.commit

        def commit_or_die(committer: Committer, works: Sequence[Work]) -> None:
            left[0] -= 1
            if not left[0]:
                raise DeathError
            commit(committer, works)

        with monkeypatch.context() as patch:
            patch.setattr(Committer, "commit", commit_or_die)
            with pytest.raises(DeathError):
                mirror.restore()
        assert len(server.account.emails) == min(2 * batch, 5)
        mirror.restore()
        assert held(server.account) == before
        assert_converges(server.account, mirror)


async def _die(*_: Any) -> None:  # noqa: ANN401 - whatever it is called with
    raise DeathError


@pytest.mark.parametrize("fault", ["drop_after", "drop_before"])
def test_lost_connections_are_survived_within_one_restore(filled: Account, mirror: Mirror, server: DemoServer, fault: str) -> None:
    before = held(filled)
    wipe(filled)
    getattr(server.faults, fault).arm(times=1, only=["Email/import"])
    found = mirror.restore()
    assert (held(filled), found.report.problems) == (before, [])
    assert mirror.restore().report.to_server.total == 0


def test_what_the_server_puts_off_is_tried_again_and_may_be_there_in_part(
    filled: Account, mirror: Mirror, server: DemoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Cyrus 3.12.4 does: it says that a mailbox is locked, and has the message in the other one."""
    monkeypatch.setattr(restore, "PAUSE", 0.01)
    before = held(filled)
    wipe(filled)
    [content] = (raw for raw, boxes, _, _ in before if len(boxes) == 3)
    server.faults.set_error.arm(SetError("serverFail", "Mailbox is locked"), times=4, only=["Email/import"])

    def deliver() -> None:
        filled.deliver(content, ["Archive"], ["$seen", "$flagged"], 1_700_000_001)

    server.faults.after_call.arm(deliver, times=1, only=["Email/import"])
    found = mirror.restore()
    assert (held(filled), found.report.problems) == (before, [])


def test_what_the_server_refuses_for_good_is_named_and_tried_once(filled: Account, mirror: Mirror, server: DemoServer) -> None:
    wipe(filled)
    server.faults.set_error.arm(SetError("forbidden"), only=["Email/import"])
    server.requests.clear()
    found = mirror.restore()
    assert [one.why.partition(" (")[0] for one in found.report.problems] == ["the server refused it: forbidden"] * 5
    assert len(server.requests.calls("Email/import")) == 3
    server.faults.set_error.disarm()
    assert mirror.restore().report.problems == []


def test_another_client_moving_mail_meanwhile_loses_nothing_of_what_it_did(
    filled: Account, mirror: Mirror, server: DemoServer
) -> None:
    [email] = (one for one in filled.emails.values() if len(one.mailbox_ids) == 3)
    filled.set_keyword(email.id, "$flagged", present=False)
    filled.move(email.id, "Archive", "Junk")
    server.faults.before_call.arm(lambda: filled.set_keyword(email.id, "theirs"), times=1, only=["Email/set"])
    mirror.restore()
    assert filled.emails[email.id].keywords == {"$seen", "$flagged", "theirs"}
    assert_converges(filled, mirror)
    assert filled.emails[email.id].keywords == {"$seen", "$flagged", "theirs"}


def test_a_message_destroyed_while_it_was_to_be_fixed_is_made_anew(filled: Account, mirror: Mirror, server: DemoServer) -> None:
    [email] = (one for one in filled.emails.values() if len(one.mailbox_ids) == 3)
    content = filled.raw(email.id)
    filled.move(email.id, "Archive", "Junk")
    server.faults.before_call.arm(lambda: filled.destroy(email.id), times=1, only=["Email/set"])
    assert mirror.restore().report.problems == []
    assert [raw for raw, *_ in held(filled)].count(content) == 1


def test_pending_deletions_here_are_neither_undone_nor_carried_out(filled: Account, mirror: Mirror) -> None:
    [file] = (one for one in mirror.files("Lists/python") if b"Subject: three" in one.read_bytes())
    file.unlink()
    mirror.restore()
    assert any(b"Subject: three" in raw for raw, *_ in held(filled))
    mirror.sync()
    [boxes] = [boxes for raw, boxes, _, _ in held(filled) if b"Subject: three" in raw]
    assert boxes == ("Trash",)


def test_what_was_agreed_on_stays_but_for_what_the_server_lacks() -> None:
    both = Version("d", "d", frozenset({"$seen", "x"}), frozenset({1, 2}))
    there = Version("b", "d", frozenset({"$seen"}), frozenset({2, 3}))
    record = Record(7, "mail", "e1", local=both, remote=there, base=Base(both, Version("b", "d", both.tags, both.homes)))
    found = released(record, frozenset({1}), frozenset({"x"}))
    assert found.base is not None
    assert (found.base.local.homes, found.base.remote.homes) == (frozenset({2}), frozenset({2}))
    assert (found.base.local.tags, found.base.remote.tags) == (frozenset({"$seen"}), frozenset({"$seen"}))
    gone: Callable[..., Record] = released
    assert gone(Record(7, "mail", "e1", local=both, base=record.base), both.homes, both.tags).base is None


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"Subject: caf\xe9\r\n\r\n\xe9\r\n", b"Subject: cafX\r\n\r\n\xe9\r\n"),
        (b"Subject: plain\r\n\r\n\xe9\r\n", b"Subject: plain\r\n\r\n\xe9\r\n"),
        (b"Subject: \xff alone\r\n", b"Subject: X alone\r\n"),
    ],
)
def test_only_the_header_is_rewritten(sent: bytes, kept: bytes) -> None:
    assert as_rewritten(sent) == kept


def test_a_message_that_was_moved_here_is_left_to_a_run_where_the_server_has_it_in_one_mailbox_only(tmp_path: Path) -> None:
    dialect = replace(RFC, limits=replace(RFC.limits, max_mailboxes_per_email=1))
    with DemoServer(dialect=dialect) as server:
        email = server.account.deliver(b"Subject: one\r\n\r\nbody\r\n", ["INBOX"], received_at=1_700_000_000)
        mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
        mirror.sync()
        [file] = mirror.files("INBOX")
        file.rename(mirror.folder("Archive") / "cur" / f"{file.name}:2,")
        report = mirror.restore().report
        assert (report.exit_code, report.problems) == (0, [])
        assert_converges(server.account, mirror)
        assert server.account.listing()[email][0] == {"Archive"}


def test_a_file_that_was_edited_since_it_was_sent_is_not_said_to_be_kept_otherwise(tmp_path: Path) -> None:
    """James names what was imported otherwise than what was uploaded, so that only the bytes say whether they are the same."""
    with DemoServer(freedoms=Freedoms(blob_ids="apart")) as server:
        mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
        mirror.sync()
        mirror.drop("INBOX", b"Subject: one\n\nbody\n")
        mirror.sync()
        [file] = mirror.files("INBOX")
        file.write_bytes(b"Subject: one\n\nedited\n")
        report = mirror.restore().report
        assert (report.problems, len(server.account.emails)) == ([], 1)
        assert_converges(server.account, mirror)
