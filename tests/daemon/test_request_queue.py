"""Runs that several ask for become one run, and each hears what came of the one it asked for."""

from __future__ import annotations

import pytest

from jmapsync.daemon.request_queue import Demands, is_by_hook, options_for
from jmapsync.daemon.triggers import Look
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
    demands = Demands()
    for options in asked:
        demands.add(options, by_hook=False)
    run = options_for(Look(), demands.now(), None)
    assert (run.kinds if run.allow_deletes else None) == allowed
    assert run.full == any(options.full for options in asked)


async def test_who_asks_while_a_run_is_under_way_waits_for_the_next() -> None:
    demands = Demands()
    first = demands.add(Options(), by_hook=False)
    under_way = demands.now()
    second = demands.add(Options(full=True), by_hook=False)
    demands.answer(AccountReport("home"), under_way)
    assert (first.done(), second.done()) == (True, False)
    assert options_for(Look(), demands.now(), None).full


async def test_who_gave_up_waiting_hinders_nobody() -> None:
    demands = Demands()
    gone, stays = (demands.add(Options(), by_hook=False) for _ in range(2))
    gone.cancel()
    demands.answer(AccountReport("home"))
    assert stays.result().name == "home"
    assert demands.now() == ()


@pytest.mark.parametrize(
    ("look", "asked", "by_hook"),
    [
        (Look(by_hook=True), [], True),
        (Look(by_hook=False), [], False),
        (Look(by_hook=False), [True], True),
        (Look(by_hook=False), [True, False], False),
    ],
)
async def test_a_run_is_the_hooks_only_where_nobody_else_wanted_it(look: Look, asked: list[bool], *, by_hook: bool) -> None:
    demands = Demands()
    for hook in asked:
        demands.add(Options(), by_hook=hook)
    assert is_by_hook(look, demands.now()) is by_hook
