"""`jmapsync restore`: what the server lost comes back byte for byte, once, with its mailboxes, keywords and dates."""

from __future__ import annotations

import dataclasses
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import DemoServer
from jmapsync.demo.dialect import RFC
from jmapsync.demo.faults import Answer
from jmapsync.ledger import AccountLock
from tests.cli.conftest import SECRET
from tests.cli.daemons import QUIET, running, wait_for
from tests.kit.held import held

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jmapsync.demo.account import Account
    from tests.cli.conftest import Command, Home, Result


@pytest.fixture
def mirrored(home: Home, jmapsync: Command) -> Home:
    home.configure(mail="keep_deleted = true")
    assert jmapsync("sync").code == 0
    return home


@pytest.fixture(params=["rfc", "stalwart", "cyrus36"])
def other(mirrored: Home, request: pytest.FixtureRequest) -> Iterator[Account]:
    """Another account, on another server, which mirrors to a root of its own."""
    with DemoServer(dialect=request.param, user="bob", password=SECRET) as server:
        add_account(mirrored, server)
        yield server.account


def add_account(home: Home, server: DemoServer) -> None:
    table = f'url = "{server.url}"\nuser = "bob"\nauth = "basic"\npassword_command = "echo {SECRET}"'
    home.configure(mail="keep_deleted = true", more=f'[accounts.new]\n{table}\n[accounts.new.mail]\npath = "~/New"\n')


def wipe(account: Account) -> None:
    for email in list(account.emails):
        account.destroy(email)


def without_eight_bit(account: Account) -> None:
    """Destroy the message whose header Cyrus rewrites."""
    [email] = (one.id for one in account.emails.values() if b"8-bit octets" in account.raw(one.id))
    account.destroy(email)


def done(result: Result) -> str:
    assert result.code == 0, (result.out, result.err)
    return result.out


def test_an_emptied_account_gets_everything_back_and_the_next_run_moves_nothing(
    mirrored: Home, server: DemoServer, jmapsync: Command
) -> None:
    before = held(server.account)
    assert any(len(boxes) == 3 for _, boxes, _, _ in before)
    wipe(server.account)
    server.account.destroy_mailbox("Projects/Engine")
    server.account.destroy_mailbox("Projects")
    files = {file: file.stat().st_mtime_ns for file in mirrored.mail.rglob("*") if file.is_file()}
    out = done(jmapsync("restore", "home"))
    assert f"home mail: {len(before)} created on the server, 2 folders written; 0 of {len(before)} were there already" in out
    assert held(server.account) == before
    server.requests.clear()
    assert "nothing to do" in done(jmapsync("sync"))
    assert "complete" in done(jmapsync("verify"))
    assert not [call for call in server.requests.calls("Blob/get") if "data" in call.arguments["properties"]]
    kept = {file: file.stat().st_mtime_ns for file in mirrored.mail.rglob("*") if file.is_file() and file.name != ".jmapsync"}
    assert kept == {file: at for file, at in files.items() if file.name != ".jmapsync"}
    again = done(jmapsync("restore", "home"))
    assert f"home mail: nothing to send; {len(before)} of {len(before)} were there already" in again
    assert held(server.account) == before


def test_a_dry_run_says_what_would_be_sent_and_sends_nothing(mirrored: Home, server: DemoServer, jmapsync: Command) -> None:
    [gone, *rest] = sorted(server.account.emails)
    server.account.destroy(gone)
    before = (mirrored.state / "ledger.sqlite").read_bytes()
    out = done(jmapsync("restore", "home", "--dry-run"))
    assert sum(line.startswith("home mail: create ") for line in out.splitlines()) == 1
    assert f"home mail: {len(rest)} of {len(rest) + 1} are there already" in out
    assert sorted(server.account.emails) == rest
    assert (mirrored.state / "ledger.sqlite").read_bytes() == before


def test_one_file_and_one_folder_come_back_and_nothing_else_does(
    mirrored: Home, server: DemoServer, jmapsync: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = held(server.account)
    wipe(server.account)
    [file] = (one for one in mirrored.inbox() if b"Moth found" in one.read_bytes())
    done(jmapsync("restore", "home", str(file), "Lists"))
    wanted = [one for one in before if b"Subject: Moth found" in one[0] or "Lists/python" in one[1]]
    assert held(server.account) == wanted
    monkeypatch.chdir(mirrored.mail / "Archive")
    done(jmapsync("restore", "."))
    assert held(server.account) == [one for one in before if one in wanted or "Archive" in one[1]]


def test_a_message_that_lost_a_mailbox_and_a_keyword_gets_them_back_and_keeps_what_it_gained(
    mirrored: Home, server: DemoServer, jmapsync: Command
) -> None:
    account = server.account
    [email] = (one for one in account.emails.values() if len(one.mailbox_ids) == 3)
    account.copy(email.id, "Junk")
    account.set_keyword(email.id, "$flagged", present=False)
    account.set_keyword(email.id, "new-word")
    account.move(email.id, "Archive", "Junk")
    out = done(jmapsync("restore", "home"))
    assert "1 updated on the server" in out
    email = account.emails[email.id]
    paths = {account.path(account.mailboxes[box]) for box in email.mailbox_ids}
    assert paths >= {"INBOX", "Archive", "Projects/Engine", "Junk"}
    assert email.keywords == {"$seen", "$flagged", "new-word"}
    done(jmapsync("sync"))
    assert "complete" in done(jmapsync("verify"))
    assert account.emails[email.id].keywords == {"$seen", "$flagged", "new-word"}


def test_what_was_kept_below_deleted_goes_back_where_it_was(mirrored: Home, server: DemoServer, jmapsync: Command) -> None:
    before = held(server.account)
    gone = [one.id for one in server.account.emails.values() if "receipts" in one.keywords or "$answered" in one.keywords]
    assert len(gone) == 2
    for email in gone:
        server.account.destroy(email)
    done(jmapsync("sync"))
    assert "receipts" in str(before)
    done(jmapsync("restore", "home", "DELETED/Archive"))
    assert len(held(server.account)) == len(before) - 1
    done(jmapsync("restore", "home", str(mirrored.mail / "DELETED")))
    assert held(server.account) == before
    assert "nothing to send" in done(jmapsync("restore", "home", "DELETED"))
    done(jmapsync("sync"))
    assert "complete" in done(jmapsync("verify"))


def test_another_account_gets_everything_by_path_and_by_role(other: Account, server: DemoServer, jmapsync: Command) -> None:
    without_eight_bit(server.account)
    done(jmapsync("sync"))
    other.rename_mailbox("Junk", "Spam")
    out = done(jmapsync("restore", "home", "--into", "new"))
    assert "new mail: " in out
    wanted = [(raw, tuple("Spam" if one == "Junk" else one for one in boxes), *rest) for raw, boxes, *rest in held(server.account)]
    assert held(other) == wanted
    assert "nothing to send" in done(jmapsync("restore", "home", "--into", "new"))
    assert held(other) == wanted
    done(jmapsync("sync"))
    assert "complete" in done(jmapsync("verify"))


def test_a_copy_of_a_root_is_as_good_as_the_root(mirrored: Home, other: Account, server: DemoServer, jmapsync: Command) -> None:
    without_eight_bit(server.account)
    done(jmapsync("sync"))
    before = held(server.account)
    shutil.copytree(mirrored.mail, mirrored.path / "backup")
    shutil.rmtree(mirrored.state)
    wipe(server.account)
    done(jmapsync("restore", "home", str(mirrored.path / "backup" / "INBOX"), "--into", "new"))
    assert held(other) == [one for one in before if "INBOX" in one[1]]
    done(jmapsync("restore", "home", str(mirrored.path / "backup")))
    assert held(server.account) == before


@pytest.mark.parametrize("layout", ["nested", "maildir++"])
def test_paths_are_understood_in_both_layouts(home: Home, server: DemoServer, jmapsync: Command, layout: str) -> None:
    home.configure(mail=f'keep_deleted = true\nlayout = "{layout}"')
    content = b"Subject: work\r\n\r\nbody\r\n"
    server.account.deliver(content, ["Lists/python"], ["work"], 1_700_000_000)
    done(jmapsync("sync"))
    before = held(server.account)
    wipe(server.account)
    where = {"nested": ["INBOX", "Lists/python"], "maildir++": ["cur", ".Lists.python"]}[layout]
    done(jmapsync("restore", "home", "--kind", "mail", where[1]))
    assert held(server.account) == [one for one in before if "Lists/python" in one[1]]
    [file] = (
        one for one in home.mail.glob(f"{'INBOX/' if layout == 'nested' else ''}[cn][ue][rw]/*") if b"Moth" in one.read_bytes()
    )
    done(jmapsync("restore", "home", str(file)))
    assert len(server.account.emails) == 4
    done(jmapsync("restore", "home", where[0]))
    assert len(server.account.emails) > 4
    done(jmapsync("restore", "home", str(home.mail)))
    assert held(server.account) == before
    done(jmapsync("sync"))
    [gone] = (email.id for email in server.account.emails.values() if server.account.raw(email.id) == content)
    server.account.destroy(gone)
    done(jmapsync("sync"))
    done(jmapsync("restore", "home", "DELETED"))
    assert held(server.account) == before


def test_a_message_of_mixed_line_ends_is_put_back_as_it_came_or_not_at_all(
    mirrored: Home, server: DemoServer, jmapsync: Command
) -> None:
    content = b"Subject: mixed\r\n\r\nbare\nand not\r\n"
    email = server.account.deliver(content, ["Archive"], [], 1_700_000_000)
    done(jmapsync("sync"))
    server.account.destroy(email)
    done(jmapsync("sync"))
    count = len(server.account.emails)
    result = jmapsync("restore", "home", "DELETED")
    assert (result.code, len(server.account.emails)) == (3, count)
    assert "the server does not take it for a message (Message contains bare newlines)" in result.err
    with DemoServer(dialect=dataclasses.replace(RFC, bare_newlines="accept"), user="bob", password=SECRET) as tolerant:
        add_account(mirrored, tolerant)
        done(jmapsync("restore", "home", "DELETED", "--into", "new"))
        assert [(raw, boxes) for raw, boxes, _, _ in held(tolerant.account)] == [(content, ("Archive",))]
        assert "nothing to send" in done(jmapsync("restore", "home", "DELETED", "--into", "new"))


def test_an_account_that_is_only_pulled_can_be_restored(home: Home, server: DemoServer, jmapsync: Command) -> None:
    home.configure(mail='direction = "pull"')
    done(jmapsync("sync"))
    before = held(server.account)
    for email in list(server.account.emails)[:3]:
        server.account.destroy(email)
    done(jmapsync("restore", "home"))
    assert held(server.account) == before
    assert "nothing to do" in done(jmapsync("sync"))


def test_a_root_that_is_not_there_restores_nothing(mirrored: Home, server: DemoServer, jmapsync: Command) -> None:
    mirrored.mail.rename(mirrored.path / "elsewhere")
    result = jmapsync("restore", "home")
    assert result.code == 4
    assert "is not there" in result.err


def test_files_without_their_ledger_are_enough(mirrored: Home, server: DemoServer, jmapsync: Command) -> None:
    before = held(server.account)
    for ledger in mirrored.state.glob("ledger.sqlite*"):
        ledger.unlink()
    wipe(server.account)
    done(jmapsync("restore", "home"))
    assert held(server.account) == before
    assert "nothing to do" in done(jmapsync("sync"))


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["nobody"], "There is no account 'nobody'"),
        (["home", "no/such"], "no/such: there is no such file or folder"),
        (["home", "/etc/passwd"], "/etc/passwd: it is neither in a root of account home nor in a copy of one"),
        (["home", "INBOX/.jmapsync"], "it is no message: those lie in cur and new"),
        (["home", "--kind", "contacts"], "home has no kind contacts."),
        (["home", "--into", "nowhere"], "There is no account 'nowhere'"),
    ],
)
def test_what_means_nothing_is_a_mistake_of_usage(
    mirrored: Home, server: DemoServer, jmapsync: Command, arguments: list[str], why: str
) -> None:
    result = jmapsync("restore", *arguments)
    assert result.code == 2
    assert why in result.err


def test_a_message_that_the_server_keeps_with_other_bytes_is_named_and_not_sent_again(
    mirrored: Home, server: DemoServer, jmapsync: Command
) -> None:
    [gone] = (one.id for one in server.account.emails.values() if b"8-bit octets" in server.account.raw(one.id))
    server.account.destroy(gone)
    server.faults.rewrite_imports.arm()
    first = jmapsync("restore", "home")
    count = len(server.account.emails)
    again = jmapsync("restore", "home")
    assert (first.code, again.code, len(server.account.emails)) == (3, 3, count)
    assert "1 created on the server" in first.out
    assert "nothing to send" in again.out
    for result in (first, again):
        assert "the server keeps it with other bytes than these" in result.err


def test_an_account_at_work_is_left_alone(mirrored: Home, jmapsync: Command) -> None:
    with AccountLock(mirrored.state / "lock", "home"):
        result = jmapsync("restore", "home")
    assert result.code == 6
    assert "Another jmapsync" in result.err


def test_a_daemon_that_holds_the_account_does_it_and_goes_on_as_ever(mirrored: Home, server: DemoServer, jmapsync: Command) -> None:
    before = held(server.account)
    mirrored.configure(mail="keep_deleted = true", more=QUIET + "push = false\n[safety]\nmax_deletes = 3\n")
    with running(mirrored) as daemon:
        wipe(server.account)
        assert jmapsync("sync").code == 4
        wait_for(lambda: "home: suspended" in daemon.status)
        assert "are there already" in done(jmapsync("restore", "home", "--dry-run"))
        assert f"home mail: {len(before)} created on the server; 0 of {len(before)} were there already" in done(
            jmapsync("restore", "home", "--kind", "mail")
        )
        assert held(server.account) == before
        wait_for(lambda: daemon.status == "home: in step")
        assert "nothing to send" in done(jmapsync("restore", "home", "INBOX"))
        server.account.destroy(next(iter(server.account.emails)))
        done(jmapsync("sync"))
        done(jmapsync("restore", "home", "DELETED"))
        assert held(server.account) == before
        server.faults.answer.arm(Answer(401))
        result = jmapsync("restore", "home")
        assert result.code == 5


def test_a_file_that_cannot_be_read_is_named_and_the_rest_goes_on(mirrored: Home, server: DemoServer, jmapsync: Command) -> None:
    before = len(server.account.emails)
    wipe(server.account)
    file = min(mirrored.inbox())
    content = file.read_bytes()
    file.unlink()
    file.mkdir()
    result = jmapsync("restore", "home")
    assert (result.code, len(server.account.emails)) == (3, before - 1)
    file.rmdir()
    file.write_bytes(content)
    os.utime(file, (1_700_000_000, 1_700_000_000))
    done(jmapsync("restore", "home"))
    assert len(server.account.emails) == before
