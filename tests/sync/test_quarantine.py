"""A quarantined item is known by its id or path, not by its name, and since when it is quarantined."""

from __future__ import annotations

import itertools
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import CYRUS_312, DemoServer
from jmapsync.ledger import Ledger, Quarantined
from tests.kit.mirror import Mirror, assert_converges

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def mirror(mirror: Mirror) -> Mirror:
    """Mirror by a clock that goes on by a minute at each reading."""
    minutes = itertools.count(1_700_000_000, 60)
    mirror.clock = lambda: next(minutes)
    return mirror


def problems(mirror: Mirror) -> list[Quarantined]:
    ledger = Ledger.open_readonly(mirror.state / "ledger.sqlite")
    assert ledger is not None
    with closing(ledger):
        return ledger.problems("mail")


def test_a_file_that_cannot_be_ingested_is_quarantined_since_it_was_first_met(server: DemoServer, mirror: Mirror) -> None:
    mirror.sync()
    mirror.drop("INBOX", b"")
    mirror.sync()
    [first] = problems(mirror)
    mirror.drop("Archive", b"")
    mirror.sync()
    later = {one.item: one for one in problems(mirror)}
    assert len(later) == 2
    assert later[first.item].since == first.since
    assert later[first.item].last > first.last
    for file in mirror.files():
        file.unlink()
    assert_converges(server.account, mirror)


def test_an_email_without_an_answer_is_quarantined_since_it_was_first_met(server: DemoServer, mirror: Mirror) -> None:
    mirror.sync()
    server.account.deliver(b"Subject: a\r\n\r\n")
    server.faults.missing_in_get.arm(only={"Email"})
    mirror.sync()
    [first] = problems(mirror)
    mirror.sync()
    [later] = problems(mirror)
    assert (later.item, later.since) == (first.item, first.since)
    assert later.last > first.last
    server.faults.clear()
    assert_converges(server.account, mirror)


def test_two_folders_of_one_name_are_two_problems_and_end_one_by_one(tmp_path: Path) -> None:
    with DemoServer(dialect=CYRUS_312) as server:
        mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
        for path in ("One", "Two"):
            server.account.create_mailbox(path)
            server.account.create_mailbox(f"{path}/post")
        mirror.sync()
        for path in ("One", "Two"):
            (mirror.root / path / "post").rename(mirror.root / path / "a%2Fb")
        assert len(mirror.sync().problems) == 2
        (mirror.root / "One" / "a%2Fb").rename(mirror.root / "One" / "post")
        assert [problem.item for problem in mirror.sync().problems] == ["Two/a%2Fb"]
        (mirror.root / "Two" / "a%2Fb").rename(mirror.root / "Two" / "post")
        assert_converges(server.account, mirror)


def test_two_mailboxes_of_one_name_that_the_disk_refuses_are_two_problems(server: DemoServer, mirror: Mirror) -> None:
    server.account.create_mailbox("One")
    server.account.create_mailbox("Two")
    mirror.sync()
    for path in ("One", "Two"):
        (mirror.root / path / "post").write_text("in the way")
        server.account.create_mailbox(f"{path}/post")
    assert [problem.item for problem in mirror.sync().problems] == ["post", "post"]
    (mirror.root / "One" / "post").unlink()
    mirror.clock = lambda: 1_800_000_000
    assert [problem.item for problem in mirror.sync().problems] == ["post"]
    (mirror.root / "Two" / "post").unlink()
    mirror.sync(full=True)
    assert_converges(server.account, mirror)
