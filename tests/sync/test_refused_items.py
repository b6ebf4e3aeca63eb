"""One bad thing never stops the others, is named while it lasts, and is forgotten when it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import CYRUS_312, DemoServer, SetError
from tests.kit.mirror import Mirror, assert_converges

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LETTER = b"Subject: a\n\nbody\n"


def wire(content: bytes) -> bytes:
    return content.replace(b"\n", b"\r\n")


@pytest.fixture
def cyrus() -> Iterator[DemoServer]:
    """A server that refuses a slash in a mailbox name."""
    with DemoServer(dialect=CYRUS_312) as found:
        yield found


@pytest.fixture
def strict(cyrus: DemoServer, tmp_path: Path) -> Mirror:
    found = Mirror(cyrus.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
    found.sync()
    return found


class TestAFolderThatIsRefused:
    def test_makes_only_its_children_wait(self, cyrus: DemoServer, strict: Mirror) -> None:
        (strict.root / "a%2Fb" / "c").mkdir(parents=True)
        strict.drop("INBOX", LETTER)
        report = strict.sync()
        assert [problem.item for problem in report.problems] == ["a%2Fb"]
        assert [cyrus.account.raw(ref) for ref in cyrus.account.emails] == [wire(LETTER)]

    def test_by_the_disk_makes_only_its_children_wait(self, server: DemoServer, mirror: Mirror) -> None:
        mirror.sync()
        (mirror.root / "P").write_text("in the way")
        server.account.create_mailbox("P")
        server.account.create_mailbox("P/c")
        server.account.deliver(wire(LETTER))
        report = mirror.sync()
        assert [problem.item for problem in report.problems] == ["P"]
        assert [file.read_bytes() for file in mirror.files()] == [LETTER]
        (mirror.root / "P").unlink()
        mirror.sync(full=True)
        assert_converges(server.account, mirror)

    def test_is_no_problem_any_more_once_it_has_its_old_name(self, cyrus: DemoServer, strict: Mirror) -> None:
        cyrus.account.create_mailbox("Foo")
        strict.sync()
        (strict.root / "Foo").rename(strict.root / "x%2Fy")
        assert [problem.item for problem in strict.sync().problems] == ["x%2Fy"]
        (strict.root / "x%2Fy").rename(strict.root / "Foo")
        assert_converges(cyrus.account, strict)

    def test_is_why_its_mail_waits_whatever_it_waited_for_before(self, server: DemoServer, mirror: Mirror) -> None:
        server.account.create_mailbox("Work")
        mirror.sync()
        mirror.drop("Work", LETTER)
        server.faults.set_error.arm(SetError("rateLimit"), only={"Email/import"})
        assert ["rateLimit" in problem.why for problem in mirror.sync().problems] == [True]
        server.faults.set_error.arm(SetError("forbidden"), only={"Mailbox/set", "Email/import"})
        server.account.destroy_mailbox("Work")
        for _ in range(2):
            assert [(problem.item, "forbidden" in problem.why) for problem in mirror.sync().problems] == [("Work", True)]
        server.faults.clear()
        mirror.sync(full=True)
        assert_converges(server.account, mirror)
        assert len(server.account.emails) == 1


def test_a_flag_that_was_refused_is_no_problem_any_more_once_it_is_taken_back(server: DemoServer, mirror: Mirror) -> None:
    server.account.deliver(wire(LETTER))
    mirror.sync()
    server.faults.drop_keyword_writes.arm()
    flagged = mirror.flag(mirror.files()[0], "F")
    assert len(mirror.sync().problems) == 1
    mirror.flag(flagged, "")
    assert_converges(server.account, mirror)


class TestAFolderThatIsNoMaildir:
    def test_because_a_file_is_in_the_way_is_named(self, server: DemoServer, mirror: Mirror) -> None:
        mirror.sync()
        (mirror.root / "x").mkdir()
        (mirror.root / "x" / "cur").write_text("not a directory")
        mirror.drop("INBOX", LETTER)
        report = mirror.sync()
        assert [problem.item for problem in report.problems] == ["x"]
        assert len(server.account.emails) == 1

    def test_because_its_name_is_no_utf_8_is_named(self, server: DemoServer, mirror: Mirror) -> None:
        mirror.sync()
        (mirror.root / "\udcff\udcfe").mkdir()
        mirror.drop("INBOX", LETTER)
        report = mirror.sync()
        assert [problem.item for problem in report.problems] == ["\\xff\\xfe"]
        assert len(server.account.emails) == 1


@pytest.mark.parametrize("dialect", ["rfc", "cyrus312"])
def test_equal_files_in_one_folder_do_not_stop_a_server_that_holds_each_content_once(dialect: str, tmp_path: Path) -> None:
    with DemoServer(dialect=dialect) as server:
        mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
        mirror.sync()
        for folder in ("INBOX", "INBOX", "INBOX", "Archive"):
            mirror.drop(folder, LETTER)
        assert mirror.sync().problems == []
        (held,) = server.account.listing().values()
        assert {path.upper() for path in held[0]} == {"INBOX", "ARCHIVE"}
        again = mirror.sync()
        assert (again.to_disk.total, again.to_server.total, mirror.requests) == (0, 0, 1)
        assert len(mirror.files()) == 4
