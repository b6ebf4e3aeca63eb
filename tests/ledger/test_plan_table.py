"""The plan of a round is kept beside the ledger, and read back in the order in which it is carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jmapsync.ledger import Ledger
from jmapsync.ledger.plan_table import MOST_IN_MEMORY, PAGE, Step
from jmapsync.planner.model import Blocked, Change, Order, Plan, Side, Verb, Version

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HELD = Version("body", "sense", frozenset({"$seen"}), frozenset({1, 2}), frozenset({2}), untidy=True)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(tmp_path / "ledger")
    yield opened
    opened.close()


def change(key: int, verb: Verb, *, then: tuple[Order, ...] = ()) -> Change:
    order = Order(Side.REMOTE, verb, key, HELD, None if verb is Verb.DELETE else HELD, HELD.tags, HELD.homes, "why", "name")
    return Change(key, (order,), "why", Side.LOCAL, 1, undone=True, then=then)


def kept(ledger: Ledger, step: Step) -> list[int]:
    return [row.key for page in ledger.plan.pages(step) for row in page]


@pytest.mark.parametrize("others", [0, MOST_IN_MEMORY], ids=["in memory", "in the table"])
def test_a_change_comes_back_as_it_was_planned(ledger: Ledger, others: int) -> None:
    planned = change(7, Verb.REPLACE)
    ledger.plan.add(Plan((planned,), tuple(range(100, 100 + others)), ()), [planned])
    assert [row.change for page in ledger.plan.pages(Step.WRITE) for row in page] == [planned]


def test_rows_come_by_step_and_key_however_they_were_added(ledger: Ledger) -> None:
    deletion, write = change(9, Verb.DELETE), change(3, Verb.UPDATE)
    ledger.plan.add(Plan((), (8,), (6,), (), (Blocked(5, "hidden"),)), [deletion])
    ledger.plan.add(Plan((), (2,), ()), [write])
    found = {step: kept(ledger, step) for step in Step}
    assert found == {Step.AGREED: [2, 8], Step.FORGOTTEN: [6], Step.HIDDEN: [5], Step.WRITE: [3], Step.DELETE: [9]}


def test_what_follows_a_write_is_among_the_deletions(ledger: Ledger) -> None:
    planned = change(3, Verb.CREATE, then=change(3, Verb.DELETE).orders)
    ledger.plan.add(Plan((planned,), (), ()), [planned])
    assert (kept(ledger, Step.WRITE), kept(ledger, Step.DELETE)) == ([3], [3])


@pytest.mark.parametrize("count", [2 * PAGE + 1, MOST_IN_MEMORY + PAGE // 2], ids=["in memory", "in the table"])
def test_a_plan_of_many_pages_is_read_to_its_end(ledger: Ledger, count: int) -> None:
    ledger.plan.add(Plan((), tuple(range(1, count + 1)), ()), [])
    pages = list(ledger.plan.pages(Step.AGREED))
    assert [row.key for page in pages for row in page] == list(range(1, count + 1))
    assert max(map(len, pages)) == PAGE
    assert not ledger.plan.has_work()


def test_a_new_plan_begins_empty_and_no_plan_outlives_the_connection(ledger: Ledger, tmp_path: Path) -> None:
    ledger.plan.add(Plan((), (), ()), [change(1, Verb.CREATE)])
    assert ledger.plan.has_work()
    ledger.plan.clear()
    assert not ledger.plan.has_work()
    ledger.plan.add(Plan((), (), ()), [change(1, Verb.CREATE)])
    other = Ledger.open(tmp_path / "ledger")
    assert not other.plan.has_work()
    other.close()
