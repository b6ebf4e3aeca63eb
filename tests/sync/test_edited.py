"""A file that was edited: whose date and size are known of it before and after its new email is made."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import STALWART, DemoServer, SetError
from jmapsync.errors import ExitCode
from jmapsync.kinds import MAIL
from jmapsync.ledger import Ledger
from tests.contract.peer import message
from tests.kit.mirror import Mirror, assert_converges, assert_mirrored

if TYPE_CHECKING:
    from pathlib import Path


RECEIVED = 1_700_000_000
EDITED = RECEIVED + 1_000_000
LONGER = b"Subject: edited\n\n" + b"much longer than before\n" * 50


@pytest.fixture
def email(server: DemoServer, mirror: Mirror) -> str:
    """Mirror one message and return its id."""
    ref = server.account.deliver(message(), received_at=RECEIVED)
    mirror.sync()
    return ref


def edit(file: Path, content: bytes, moment: float = EDITED) -> None:
    file.write_bytes(content)
    os.utime(file, (moment, moment))


def known(mirror: Mirror) -> dict[str, tuple[int, int]]:
    """Return the size and the date that the ledger has of each email on the server."""
    ledger = Ledger.open(mirror.state / "ledger.sqlite")
    records = [record for record in ledger.all("mail") if record.remote is not None]
    ledger.close()
    return {str(record.ref): (record.size, record.stamp) for record in records}


def held(server: DemoServer) -> dict[str, tuple[int, int]]:
    return {ref: (email.size, email.received_at) for ref, email in server.account.emails.items()}


def test_the_new_email_is_of_the_date_that_the_file_shows(server: DemoServer, mirror: Mirror, email: str) -> None:
    edit(mirror.files("INBOX")[0], LONGER)
    mirror.sync()
    dates = {ref: other.received_at for ref, other in server.account.emails.items()}
    assert sorted(dates.values()) == [RECEIVED, EDITED]
    assert dates[email] == RECEIVED
    assert_converges(server.account, mirror)


def test_the_ledger_knows_the_size_of_the_new_email_at_once(server: DemoServer, mirror: Mirror, email: str) -> None:
    edit(mirror.files("INBOX")[0], LONGER)
    mirror.sync()
    [ref] = server.account.emails.keys() - {email}
    assert known(mirror)[ref] == held(server)[ref]
    assert server.account.emails[ref].size > 1000


def test_edited_here_and_moved_there_it_keeps_the_date_of_the_edit(server: DemoServer, mirror: Mirror, email: str) -> None:
    edit(mirror.files("INBOX")[0], LONGER)
    server.account.move(email, "INBOX", "Archive")
    mirror.sync()
    assert [int(file.stat().st_mtime) for file in mirror.files("Archive")] == [EDITED]
    assert_converges(server.account, mirror)


def test_what_the_server_refuses_is_of_the_size_and_date_of_what_it_still_has(
    server: DemoServer, mirror: Mirror, email: str
) -> None:
    edit(mirror.files("INBOX")[0], LONGER)
    server.faults.set_error.arm(SetError("forbidden"), only={"Email/import"})
    assert mirror.sync().exit_code is ExitCode.QUARANTINED
    assert known(mirror) == held(server)


def test_a_message_that_is_only_here_is_of_the_size_and_date_of_its_file(server: DemoServer, mirror: Mirror) -> None:
    mirror.sync()
    file = mirror.drop("INBOX", message().replace(b"\r\n", b"\n"))
    server.faults.set_error.arm(SetError("invalidEmail"), only={"Email/import"}, times=1)
    assert mirror.sync().exit_code is ExitCode.QUARANTINED
    edit(file, LONGER)
    assert_converges(server.account, mirror)
    [(ref, other)] = server.account.emails.items()
    assert (other.received_at, known(mirror)[ref]) == (EDITED, held(server)[ref])


def test_an_edit_that_may_not_be_sent_is_undone_with_the_date_of_the_email(server: DemoServer, mirror: Mirror, email: str) -> None:
    mirror.kind = MAIL.pulled_only()
    edit(mirror.files("INBOX")[0], LONGER, time.time() - 60)
    mirror.sync()
    [file] = mirror.files("INBOX")
    assert file.read_bytes().replace(b"\n", b"\r\n") == server.account.raw(email)
    assert file.stat().st_mtime == RECEIVED


def test_an_edit_bound_to_an_email_that_has_its_content_takes_its_size_and_date(
    server: DemoServer, mirror: Mirror, email: str
) -> None:
    edit(mirror.files("INBOX")[0], LONGER)
    content = LONGER.replace(b"\n", b"\r\n")

    def slip_in() -> None:
        server.account.deliver(content, ["Archive"], received_at=RECEIVED + 7)

    server.faults.before_call.arm(slip_in, only={"Email/import"}, times=1)
    mirror.sync()
    assert_converges(server.account, mirror)
    assert known(mirror) == held(server)


def test_the_old_version_is_in_the_trash_of_both_sides_after_one_run(server: DemoServer, mirror: Mirror, email: str) -> None:
    edit(mirror.files("INBOX")[0], LONGER)
    assert mirror.sync().exit_code is ExitCode.IN_SYNC
    assert_mirrored(server.account, mirror)
    assert server.account.listing()[email][0] == {"Trash"}


def test_an_old_version_that_cannot_be_removed_is_mirrored_beside_the_new_one(
    server: DemoServer, mirror: Mirror, email: str
) -> None:
    server.faults.no_roles.arm()  # no mailbox is the Trash
    mirror.sync(full=True)
    edit(mirror.files("INBOX")[0], LONGER)
    mirror.sync()
    assert email in server.account.emails
    assert_mirrored(server.account, mirror)
    assert len(mirror.files("INBOX")) == 2
    assert_converges(server.account, mirror)


@pytest.mark.parametrize(("letters", "others"), [("S", ""), ("", "FR"), ("S", "F")])
def test_copies_of_an_edited_message_that_show_other_flags_come_to_show_all(
    server: DemoServer, mirror: Mirror, email: str, letters: str, others: str
) -> None:
    file = mirror.files("INBOX")[0]
    edit(file, LONGER)
    edit(mirror.drop("Archive", LONGER, sub="cur", info=f":2,{others}"), LONGER)  # as `cp -p` copies it
    file = mirror.flag(file, letters)
    file.rename(mirror.folder("Sent") / "cur" / file.name)
    assert_converges(server.account, mirror)
    words = {"S": "$seen", "F": "$flagged", "R": "$answered"}
    kept = [one for one in server.account.emails.values() if one.id != email]
    assert [one.keywords for one in kept] == [{words[letter] for letter in letters + others}]


def test_a_message_that_was_edited_moved_and_copied_is_one_message_in_two_folders(tmp_path: Path) -> None:
    with DemoServer(dialect=STALWART) as server:
        server.account.deliver(message(), received_at=RECEIVED)
        mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
        mirror.sync()
        [file] = mirror.files("INBOX")
        saved = file.parent.parent / "tmp" / "saved"
        edit(saved, LONGER)
        saved.replace(file)
        moved = file.rename(mirror.folder("Archive") / "cur" / f"{file.name}:2,")
        copy = mirror.drop("Junk", LONGER)
        os.utime(copy, (EDITED, EDITED))
        report = mirror.sync()
        assert (report.exit_code, report.problems) == (ExitCode.IN_SYNC, [])
        new = [ref for ref in server.account.emails if server.account.raw(ref) == LONGER.replace(b"\n", b"\r\n")]
        assert [server.account.listing()[ref][0] for ref in new] == [{"Archive", "Junk"}]
        assert moved.exists()
        assert_converges(server.account, mirror)
