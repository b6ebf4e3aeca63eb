"""More mailboxes than one answer holds: refused, or cut without a word (RFC 8620, 5.1; Stalwart)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jmapsync.demo import DemoServer, MethodError
from jmapsync.errors import ExitCode
from tests.contract.peer import message
from tests.kit.mirror import Mirror, assert_converges

if TYPE_CHECKING:
    from pathlib import Path


def fill(server: DemoServer, count: int) -> None:
    for number in range(count):
        server.account.create_mailbox(f"Box {number}")
    server.account.create_mailbox("Box 3/below")
    server.account.deliver(message(), ["Box 3/below"])


@pytest.mark.parametrize("dialect", ["rfc", "cyrus312", "stalwart"])
def test_mailboxes_are_read_where_the_server_refuses_all_at_once(dialect: str, tmp_path: Path) -> None:
    with DemoServer(dialect=dialect) as server:
        server.limits.max_objects_in_get = 10
        fill(server, 33)
        mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
        assert_converges(server.account, mirror)
        server.account.destroy_mailbox("Box 7")
        server.account.rename_mailbox("Box 8", "Other")
        for number in range(40, 65):
            server.account.create_mailbox(f"Box {number}")
        mirror.sync()
        assert_converges(server.account, mirror)
        server.account.destroy_mailbox("Box 9")
        mirror.sync(full=True)
        assert_converges(server.account, mirror)


def test_a_list_that_is_cut_without_a_word_is_completed(tmp_path: Path) -> None:
    with DemoServer(dialect="stalwart") as server:
        server.limits.max_objects_in_get = 40
        server.faults.truncated_get.arm(40, only={"Mailbox"})
        fill(server, 34)
        server.limits.max_objects_in_get = 41  # 6 of its own, 35 made
        mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
        server.faults.truncated_get.arm(41, only={"Mailbox"})
        assert_converges(server.account, mirror)


def test_what_a_shorter_list_lacks_is_asked_for_by_its_id(tmp_path: Path) -> None:
    with DemoServer() as server:
        fill(server, 20)
        mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
        assert_converges(server.account, mirror)
        server.faults.truncated_get.arm(5, only={"Mailbox"})
        report = mirror.sync(full=True)
        assert (report.exit_code, report.to_disk.total) == (ExitCode.IN_SYNC, 0)
        assert_converges(server.account, mirror)
        assert len(list(mirror.root.rglob("cur"))) == 27


@pytest.mark.parametrize("dialect", ["rfc", "stalwart"])
def test_a_list_that_could_not_be_completed_for_now_is_listed_again(dialect: str, tmp_path: Path) -> None:
    """No list of changes names what was made before the state that a list was read in."""
    with DemoServer(dialect=dialect) as server:
        server.limits.max_objects_in_get = 10
        fill(server, 20)
        mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state", max_wait=0)
        assert_converges(server.account, mirror)
        server.account.create_mailbox("Empty")
        server.faults.method_error.arm(MethodError("serverUnavailable"), only={"Mailbox/query"})
        assert mirror.sync(full=True).state.value == "failed"
        server.faults.clear()
        mirror.sync()
        assert_converges(server.account, mirror)
        assert (mirror.root / "Empty" / "cur").is_dir()


def test_a_list_that_is_not_proven_whole_is_named_and_read_again(tmp_path: Path) -> None:
    with DemoServer(dialect="stalwart") as server:
        server.limits.max_objects_in_get = 10
        fill(server, 5)
        mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
        first = list(server.account.mailboxes)[:3]
        server.faults.rewrite_result.arm(lambda result: result | {"ids": first, "position": 0}, only={"Mailbox/query"})
        report = mirror.sync()
        assert [(one.item, "may be missing here" in one.why) for one in report.problems] == [("the list of mailboxes", True)]
        server.faults.clear()
        mirror.sync()
        assert_converges(server.account, mirror)
