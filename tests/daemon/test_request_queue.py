"""Runs that several ask for become one run, and each hears what came of the one it asked for."""

from __future__ import annotations

import pytest

from jmapsync.daemon.request_queue import RequestQueue, is_by_hook, options_for
from jmapsync.daemon.triggers import Trigger
from jmapsync.sync.options import Options
from jmapsync.sync.report import AccountReport

pytestmark = pytest.mark.anyio

MAIL, CONTACTS, EVERY = frozenset({"mail"}), frozenset({"contacts"}), frozenset[str]()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        ([], None),
        ([Options(), Options(full=True)], None),
        ([Options(allow_deletes=True, kinds=MAIL), Options()], MAIL),
        ([Options(allow_deletes=True, kinds=MAIL), Options(allow_deletes=True, kinds=CONTACTS)], MAIL | CONTACTS),
        ([Options(allow_deletes=True, kinds=MAIL), Options(allow_deletes=True)], EVERY),
    ],
)
async def test_deletions_are_let_through_for_what_they_were_allowed_for(
    asked: list[Options], allowed: frozenset[str] | None
) -> None:
    """Nothing named means every kind, and must not come of one name alone."""
    requests = RequestQueue()
    for options in asked:
        requests.add(options, by_hook=False)
    run = options_for(Trigger(), requests.now(), None)
    assert (run.kinds if run.allow_deletes else None) == allowed
    assert run.full == any(options.full for options in asked)


async def test_who_asks_while_a_run_is_under_way_waits_for_the_next() -> None:
    requests = RequestQueue()
    first = requests.add(Options(), by_hook=False)
    under_way = requests.now()
    second = requests.add(Options(full=True), by_hook=False)
    requests.answer(AccountReport("home"), under_way)
    assert (first.done(), second.done()) == (True, False)
    assert options_for(Trigger(), requests.now(), None).full


async def test_who_gave_up_waiting_hinders_nobody() -> None:
    requests = RequestQueue()
    gone, stays = (requests.add(Options(), by_hook=False) for _ in range(2))
    gone.cancel()
    requests.answer(AccountReport("home"))
    assert stays.result().name == "home"
    assert requests.now() == ()


@pytest.mark.parametrize(
    ("trigger", "asked", "by_hook"),
    [
        (Trigger(by_hook=True), [], True),
        (Trigger(by_hook=False), [], False),
        (Trigger(by_hook=False), [True], True),
        (Trigger(by_hook=False), [True, False], False),
    ],
)
async def test_a_run_is_the_hooks_only_where_nobody_else_wanted_it(trigger: Trigger, asked: list[bool], *, by_hook: bool) -> None:
    requests = RequestQueue()
    for hook in asked:
        requests.add(Options(), by_hook=hook)
    assert is_by_hook(trigger, requests.now()) is by_hook


@pytest.mark.parametrize(("every_file", "expected"), [(False, frozenset({"INBOX"})), (True, None)])
async def test_files_are_examined_in_the_folders_that_were_reported(every_file: bool, expected: frozenset[str] | None) -> None:
    trigger = Trigger(folders=None, reported={"INBOX"}, every_file=every_file)
    assert options_for(trigger, [], None).examined == expected
