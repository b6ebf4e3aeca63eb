"""Listings whose queryState, total or position says nothing, or what is not so: whole, or named as not; nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from jmapsync.demo import DemoServer
from jmapsync.demo.freedoms import Freedoms
from jmapsync.demo.problems import MethodError
from jmapsync.errors import ExitCode
from tests.contract.peer import message
from tests.kit.mirror import Mirror, assert_converges, assert_mirrored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

JsonObject = dict[str, Any]
SIZE = 7
"""Ids on a page."""


def reported(**values: object) -> Callable[[JsonObject], JsonObject]:
    """Return what says these of a listing, and leaves out what is None."""
    return lambda result: {**result, **values}


def without(name: str) -> Callable[[JsonObject], JsonObject]:
    return lambda result: {key: value for key, value in result.items() if key != name}


def late_total(result: JsonObject) -> JsonObject:
    return {**result, "total": result.get("total", 0) + 1000}


WAYS: dict[str, Callable[[JsonObject], JsonObject]] = {
    "as it is": lambda result: result,
    "no state": without("queryState"),
    "a state of null": reported(queryState=None),
    "one state always": reported(queryState="always"),
    "no total": without("total"),
    "a total of null": reported(total=None),
    "a total of text": reported(total="many"),
    "a total of 0": reported(total=0),
    "a total too low": reported(total=3),
    "a total too high": late_total,
    "no position": without("position"),
    "a position of text": reported(position="0"),
    "a negative position": reported(position=-1),
    "a limit of text": reported(limit="7"),
}


def change_between(server: DemoServer, *acts: Callable[[], object], skip: int = 1) -> None:
    """Do one act before each further page."""
    waiting = list(acts)

    def act() -> None:
        if waiting:
            waiting.pop(0)()

    server.faults.before_call.arm(act, only={"Email/query"}, skip=skip)


@pytest.fixture
def server() -> Iterator[DemoServer]:
    with DemoServer() as server:
        server.limits.max_query_limit = SIZE
        yield server


def oldest(server: DemoServer) -> str:
    return min(server.account.emails.values(), key=lambda email: email.received_at).id


def early(server: DemoServer) -> str:
    """Deliver a message that sorts before all others."""
    return server.account.deliver(message(), ["INBOX"], received_at=1_000)


@pytest.mark.parametrize("way", WAYS)
def test_what_was_deleted_there_goes_here_whatever_a_page_says(server: DemoServer, mirror: Mirror, way: str) -> None:
    server.account.populate(25)
    server.faults.rewrite_result.arm(WAYS[way], only={"Email/query"})
    mirror.sync()
    for _ in range(3):
        server.account.destroy(oldest(server))
    server.account.populate(2, first_seed=100)
    assert mirror.sync(full=True).to_disk.deleted == 3
    assert_converges(server.account, mirror)


@pytest.mark.parametrize("way", ["as it is", "one state always", "no total", "a total too low"])
@pytest.mark.parametrize("first", [True, False])
def test_mail_that_goes_between_the_pages_takes_nothing_along(server: DemoServer, mirror: Mirror, way: str, first: bool) -> None:
    server.account.populate(40)
    if not first:
        assert_converges(server.account, mirror)
    server.faults.rewrite_result.arm(WAYS[way], only={"Email/query"})
    go = [lambda: server.account.destroy(oldest(server))] * 4
    change_between(server, *go)
    report = mirror.sync(full=True)
    assert (report.exit_code, report.problems) == (ExitCode.IN_SYNC, [])
    assert server.faults.before_call.fired >= 4
    server.faults.clear()
    assert_mirrored(server.account, mirror)
    assert_converges(server.account, mirror)


@pytest.mark.parametrize("way", ["as it is", "one state always", "no total"])
def test_mail_that_comes_and_goes_between_the_pages_leaves_no_trace(server: DemoServer, mirror: Mirror, way: str) -> None:
    server.account.populate(40)
    server.faults.rewrite_result.arm(WAYS[way], only={"Email/query"})
    made: list[str] = []

    def come() -> None:
        made.append(early(server))

    def late() -> None:
        made.append(server.account.deliver(message(), ["INBOX"]))

    def go() -> None:
        server.account.destroy(made.pop())

    change_between(server, come, go, late, come, go, lambda: None, go)
    report = mirror.sync(full=True)
    assert (report.exit_code, report.problems) == (ExitCode.IN_SYNC, [])
    server.faults.clear()
    assert_mirrored(server.account, mirror)


def test_what_came_was_listed_and_went_before_the_end_is_not_kept(server: DemoServer, mirror: Mirror) -> None:
    server.account.populate(20)
    ref: list[str] = []
    change_between(server, lambda: ref.append(server.account.deliver(message(), ["INBOX"])), skip=0)
    server.faults.after_call.arm(lambda: server.account.destroy(ref.pop()) if ref else None, only={"Email/query"}, skip=4, times=3)
    mirror.sync()
    assert not ref
    server.faults.clear()
    assert_converges(server.account, mirror)


def test_a_server_that_is_never_at_rest_is_listed_whole(server: DemoServer, mirror: Mirror) -> None:
    server.account.populate(60)

    def turn() -> None:
        server.account.destroy(oldest(server))
        server.account.deliver(message(), ["INBOX"])

    server.faults.before_call.arm(turn, only={"Email/query"}, skip=1)
    report = mirror.sync(full=True)
    assert (report.exit_code, report.problems) == (ExitCode.IN_SYNC, [])
    server.faults.clear()
    assert_converges(server.account, mirror)


@pytest.mark.parametrize("limits", [(20, 5, 3), (3, 9, 2), (1, 5, 5), (9, 1, 1)])
def test_a_limit_that_changes_between_the_pages(server: DemoServer, mirror: Mirror, limits: tuple[int, ...]) -> None:
    server.account.populate(40)
    server.faults.rewrite_result.arm(without("total"), only={"Email/query"})

    def set_limit(limit: int) -> None:
        server.limits.max_query_limit = limit
        server.account.destroy(oldest(server))

    change_between(server, *[lambda limit=limit: set_limit(limit) for limit in limits])
    mirror.sync()
    server.faults.clear()
    mirror.sync()
    assert_converges(server.account, mirror)


def test_pages_that_repeat_ids(server: DemoServer, mirror: Mirror) -> None:
    server.account.populate(30)
    server.faults.rewrite_result.arm(lambda result: {**result, "ids": [*result["ids"], *result["ids"]]}, only={"Email/query"})
    mirror.sync()
    server.faults.clear()
    server.account.destroy(oldest(server))
    mirror.sync(full=True)
    assert_converges(server.account, mirror)


def test_a_position_that_is_ignored_is_said_and_deletes_nothing(server: DemoServer, mirror: Mirror) -> None:
    server.account.populate(30)
    assert_converges(server.account, mirror)
    first = server.account.deliver(message(), ["INBOX"], received_at=5)
    ids = [first, *sorted(server.account.emails)[:5]]
    server.faults.rewrite_result.arm(reported(ids=ids, position=0, total=None), only={"Email/query"})
    report = mirror.sync(full=True)
    assert (report.exit_code, [one.item for one in report.problems]) == (ExitCode.QUARANTINED, ["the server's list"])
    assert (report.to_disk.deleted, len(mirror.files())) == (0, 31)
    server.faults.clear()
    assert_converges(server.account, mirror)


def test_ids_without_end_that_nobody_has_are_given_up(server: DemoServer, mirror: Mirror) -> None:
    server.account.populate(5)
    numbers = iter(range(10**9))
    server.faults.rewrite_result.arm(
        lambda result: {**result, "ids": [f"x{next(numbers)}" for _ in range(SIZE)], "total": None}, only={"Email/query"}
    )
    report = mirror.sync()
    assert [one.item for one in report.problems] == ["the server's list"]
    assert mirror.requests < 60
    server.faults.clear()
    assert_converges(server.account, mirror)


def test_a_list_that_lacks_what_the_server_has_deletes_nothing_and_is_said(server: DemoServer, mirror: Mirror) -> None:
    server.account.populate(20)
    assert_converges(server.account, mirror)
    before = mirror.tree()
    hidden = set(sorted(server.account.emails)[3:6])
    server.faults.rewrite_result.arm(
        lambda result: {**result, "ids": [one for one in result["ids"] if one not in hidden], "total": 17}, only={"Email/query"}
    )
    report = mirror.sync(full=True)
    assert [one.item for one in report.problems] == ["the server's list"]
    assert (report.to_disk.total, mirror.tree()) == (0, before)
    server.faults.clear()
    assert_converges(server.account, mirror)


def test_an_empty_list_of_a_full_account_deletes_nothing(server: DemoServer, mirror: Mirror) -> None:
    server.account.populate(20)
    assert_converges(server.account, mirror)
    server.faults.rewrite_result.arm(reported(ids=[], total=0), only={"Email/query"})
    report = mirror.sync(full=True)
    assert (report.exit_code, report.to_disk.total, len(mirror.files())) == (ExitCode.QUARANTINED, 0, 20)
    server.faults.clear()
    assert_converges(server.account, mirror)


def test_what_a_wrong_list_said_to_be_gone_comes_back_by_the_next_run(server: DemoServer, mirror: Mirror) -> None:
    """Where even `notFound` is wrong in a list that is not whole, no change since the cursor names those emails again."""

    def lacking(result: JsonObject) -> JsonObject:
        kept, lost = result["list"][:-2], [email["id"] for email in result["list"][-2:]]
        return {**result, "list": kept, "notFound": [*result["notFound"], *lost]}

    for _ in range(2 * SIZE):
        server.account.deliver(message(), ["INBOX"])
    mirror.sync()
    server.faults.rewrite_result.arm(lacking, only={"Email/get"})
    first = mirror.sync(full=True)
    assert (first.exit_code, len(first.problems)) == (ExitCode.QUARANTINED, 1)
    assert "listed again by the next run" in first.problems[0].why
    server.faults.clear()
    mirror.sync()
    assert_converges(server.account, mirror)


@pytest.mark.parametrize("error", ["unknownMethod", "cannotCalculateChanges", "tooManyChanges"])
@pytest.mark.parametrize("busy", [False, True])
def test_a_server_without_changes_is_listed_each_time(server: DemoServer, mirror: Mirror, error: str, busy: bool) -> None:
    server.account.populate(20)
    server.faults.method_error.arm(MethodError(error), only={"Email/changes", "Mailbox/changes"})
    mirror.sync()
    assert_mirrored(server.account, mirror)
    for _ in range(3):
        server.account.destroy(oldest(server))
    server.account.populate(2, first_seed=100)
    if busy:
        change_between(server, lambda: server.account.destroy(oldest(server)))
    report = mirror.sync()
    assert report.exit_code is ExitCode.IN_SYNC
    assert report.to_disk.deleted == (4 if busy else 3)
    assert_mirrored(server.account, mirror)


def test_changes_that_never_end_lead_to_a_listing(server: DemoServer, mirror: Mirror) -> None:
    server.account.populate(5)
    assert_converges(server.account, mirror)
    numbers = iter(range(10**9))

    def follow(result: JsonObject) -> JsonObject:
        return {**result, "newState": f"s{next(numbers)}", "hasMoreChanges": True}

    server.faults.rewrite_result.arm(follow, only={"Email/changes"})
    server.account.destroy(oldest(server))
    mirror.sync()
    assert mirror.requests < 250
    server.faults.clear()
    assert_converges(server.account, mirror)


def test_the_usual_listing_takes_two_requests(tmp_path: Path) -> None:
    with DemoServer() as server:
        mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
        server.account.populate(50)
        mirror.sync()
        mirror.sync(full=True)
        assert mirror.requests == 2


@pytest.mark.parametrize("seed", range(4))
def test_pages_of_a_legal_server_that_says_nothing_of_its_lists(seed: int, tmp_path: Path) -> None:
    ways = Freedoms(
        seed=seed, total="never", query_state="answer", past_the_end="zero", state_changes_alone=0.5, state_form="opaque"
    )
    with DemoServer(freedoms=ways) as server:
        server.limits.max_query_limit = 1 + seed
        mirror = Mirror(server.url, "demo", "demo", tmp_path / "mail", tmp_path / "state")
        server.account.populate(12)
        assert mirror.sync().exit_code is ExitCode.IN_SYNC
        server.account.destroy(oldest(server))
        report = mirror.sync(full=True)
        assert (report.exit_code, report.to_disk.deleted) == (ExitCode.IN_SYNC, 1)
        assert_mirrored(server.account, mirror)


def test_a_restore_says_that_a_list_is_not_whole(server: DemoServer, mirror: Mirror) -> None:
    server.account.populate(10)
    assert_converges(server.account, mirror)
    server.account.destroy(oldest(server))
    server.faults.rewrite_result.arm(reported(ids=None), only={"Email/query"})
    restored = mirror.restore()
    assert "the server's list" in {one.item for one in restored.report.problems}
    assert restored.report.exit_code is ExitCode.QUARANTINED
    assert len(server.account.emails) == 10  # what it says of each id that is known is believed all the same


def test_what_was_made_here_and_destroyed_there_is_gone_after_a_run_that_proved_nothing(server: DemoServer, mirror: Mirror) -> None:
    """It need not be in the list of changes since the state before both (RFC 8620, 5.2), where the next run begins again."""
    mirror.sync()
    mirror.drop("INBOX", b"Subject: new\n\nbody\n")
    assert mirror.sync().to_server.created == 1
    server.faults.method_error.arm(MethodError("cannotCalculateChanges"), only=["Email/changes"])
    mirror.sync()
    server.faults.method_error.disarm()
    server.account.destroy(next(iter(server.account.emails)))
    mirror.sync()
    assert mirror.files() == []
