"""A server like Apache James 3.8.1: pages without a total, imports of one mailbox and with keywords, mailboxes that go silently."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import DemoServer
from jmapsync.demo.freedoms import Freedoms
from jmapsync.demo.problems import MethodError
from jmapsync.errors import ExitCode
from tests.contract.peer import message
from tests.kit.mirror import Mirror, assert_converges, assert_mirrored

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server() -> Iterator[DemoServer]:
    with DemoServer(dialect="james") as server:
        yield server


def local(number: int = 0) -> bytes:
    return message(f"Subject: number {number}").replace(b"\r\n", b"\n")


def test_deletions_over_several_pages_arrive(server: DemoServer, mirror: Mirror) -> None:
    server.limits.max_query_limit = 10
    server.account.populate(35)
    assert_converges(server.account, mirror)
    for email in sorted(server.account.emails)[::4]:
        server.account.destroy(email)
    assert mirror.sync(full=True).to_disk.deleted == 9
    assert_converges(server.account, mirror)


def test_a_message_without_flags_is_imported_without_any(server: DemoServer, mirror: Mirror) -> None:
    mirror.sync()
    for number in range(5):
        mirror.drop("INBOX", local(number))
    mirror.drop("INBOX", local(9), sub="cur", info=":2,FS")
    report = mirror.sync()
    assert (report.to_server.created, report.problems) == (6, [])
    assert_converges(server.account, mirror)
    keywords = sorted(sorted(words) for _, words in server.account.listing().values())
    assert keywords == [[], [], [], [], [], ["$flagged", "$seen"]]


def test_one_message_of_a_batch_that_is_refused_spoils_no_other(server: DemoServer, mirror: Mirror) -> None:
    mirror.sync()
    for number in range(9):
        mirror.drop("INBOX", local(number), sub="cur", info=":2,S")
    bad = mirror.drop("INBOX", b"Subject: bad\n\nbody\n", sub="cur", info=":2,S")
    size = len(bad.read_bytes()) + 3

    real = server.service.methods["Email/import"]

    def run(context, arguments):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - as the method is
        blobs = [server.account.blobs.get(str(wish["blobId"])) for wish in arguments.emails.values()]
        if any(isinstance(blob, bytes) and len(blob) == size for blob in blobs):
            raise MethodError("invalidArguments", "one of them is wrong")
        return real.run(context, arguments)

    server.service.methods["Email/import"] = type(real)(real.capability, real.arguments, run)
    report = mirror.sync()
    assert (report.to_server.created, len(report.problems)) == (9, 1)
    server.service.methods["Email/import"] = real
    mirror.sync(full=True)
    assert_converges(server.account, mirror)


def put_in_two(mirror: Mirror, number: int) -> None:
    """Put a message into two folders, as a copy of one file."""
    file = mirror.drop("INBOX", local(number), sub="cur", info=":2,S")
    (mirror.folder("Archive") / "cur" / file.name).hardlink_to(file)


def test_a_message_in_two_folders_is_imported_into_one_and_then_put_into_the_other(server: DemoServer, mirror: Mirror) -> None:
    mirror.sync()
    for number in range(3):
        put_in_two(mirror, number)
    mirror.sync()
    assert_converges(server.account, mirror)
    homes = [homes for homes, _ in server.account.listing().values()]
    assert homes == [{"INBOX", "Archive"}] * 3


@pytest.mark.parametrize("method", ["Email/import", "Email/set"])
def test_a_connection_lost_in_between_makes_no_second_one(server: DemoServer, mirror: Mirror, method: str) -> None:
    mirror.sync()
    put_in_two(mirror, 1)
    mirror.drop("Sent", local(2))
    server.faults.drop_after.arm(only={method}, times=1)
    mirror.run_whatever_comes()
    mirror.sync()
    server.faults.clear()
    assert_converges(server.account, mirror)
    assert len(server.account.emails) == 2
    assert sorted(map(sorted, (homes for homes, _ in server.account.listing().values()))) == [["Archive", "INBOX"], ["Sent"]]


@pytest.mark.parametrize("method", ["Email/import", "Email/set"])
def test_a_death_in_between_makes_no_second_one(server: DemoServer, mirror: Mirror, method: str) -> None:
    mirror.sync()
    put_in_two(mirror, 1)
    mirror.drop("Sent", local(2))
    mirror.max_wait = 0.01
    server.faults.drop_after.arm(only={method})
    mirror.run_whatever_comes()
    server.faults.clear()
    mirror.sync(full=True)  # what was given up for a while is tried at once
    assert_converges(server.account, mirror)
    assert len(server.account.emails) == 2


def test_a_mailbox_deleted_with_its_mail_goes_with_it_here(server: DemoServer, mirror: Mirror) -> None:
    server.account.create_mailbox("Lists")
    server.account.create_mailbox("Lists/python")
    for path in ("Lists", "Lists/python", "INBOX"):
        server.account.deliver(message(), [path])
    both = server.account.deliver(message(), ["Lists/python", "INBOX"])
    assert_converges(server.account, mirror)
    server.account.destroy_mailbox("Lists/python")
    report = mirror.sync()
    assert (report.exit_code, report.problems) == (ExitCode.IN_SYNC, [])
    assert_mirrored(server.account, mirror)
    assert both in server.account.emails
    assert not mirror.folder("Lists/python").exists()
    server.account.destroy_mailbox("Lists")
    mirror.sync()
    assert_converges(server.account, mirror)


def test_what_was_written_into_a_folder_that_goes_there_stays(server: DemoServer, mirror: Mirror) -> None:
    server.account.create_mailbox("Lists")
    server.account.deliver(message(), ["Lists"])
    assert_converges(server.account, mirror)
    server.account.destroy_mailbox("Lists")
    mirror.drop("Lists", local(7))
    mirror.sync()
    mirror.sync()
    assert len(server.account.emails) == 1
    assert_converges(server.account, mirror)


@pytest.mark.parametrize("dialect", ["james", "stalwart"])
def test_a_restore_raises_no_alarm_over_another_blob_id(dialect: str, tmp_path: Path) -> None:
    with DemoServer(dialect=dialect, freedoms=Freedoms(blob_ids="apart", total="never")) as server:
        mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
        server.account.populate(30)
        assert_converges(server.account, mirror)
        for email in list(server.account.emails):
            server.account.destroy(email)
        restored = mirror.restore()
        assert (restored.report.problems, len(server.account.emails)) == ([], 30)
        assert mirror.restore().report.problems == []


def test_a_restore_names_what_the_server_changed(server: DemoServer, mirror: Mirror) -> None:
    server.account.populate(5)
    assert_converges(server.account, mirror)
    for email in list(server.account.emails):
        server.account.destroy(email)
    server.faults.rewrite_imports.arm(times=1)
    report = mirror.restore().report
    assert [one.why for one in report.problems] == ["the server keeps it with other bytes than these"]


def test_many_mailboxes_are_read_although_they_cannot_be_queried(server: DemoServer, mirror: Mirror) -> None:
    server.limits.max_objects_in_get = 2000
    for number in range(600):
        server.account.create_mailbox(f"Box {number}")
    assert mirror.sync().exit_code is ExitCode.IN_SYNC
    assert len(list(mirror.root.rglob("cur"))) == 607
    server.account.destroy_mailbox("Box 7")
    mirror.sync(full=True)
    assert not mirror.folder("Box 7").exists()


def test_a_message_of_which_the_server_keeps_a_part_is_named_as_long_as_that_is_so(server: DemoServer, mirror: Mirror) -> None:
    mirror.sync()
    whole = b"no line of a header, only words\n"
    mirror.drop("INBOX", whole)
    mirror.drop("INBOX", local())
    for full in (False, False, True):
        report = mirror.sync(full=full)
        assert [one.why for one in report.problems] == [
            "the server keeps 2 of its 33 octets; the file here is the only whole copy"
        ], report
        assert report.exit_code is ExitCode.QUARANTINED
        assert whole in {one.read_bytes() for one in mirror.files("INBOX")}
        assert len(server.account.emails) == len(mirror.files()) == 2
    assert mirror.verify().differences
    next(one for one in mirror.files("INBOX") if one.read_bytes() == whole).unlink()
    assert mirror.sync().problems == []
