"""The guard: what counts as a loss, when a plan is suspended, and what it says."""

from __future__ import annotations

import pytest

from jmapsync.planner.guard import Limits, Loss, Suspension, Tally, judge, losses
from jmapsync.planner.model import Pair, Side
from jmapsync.planner.plan import plan
from tests.planner.notation import EVERYWHERE, FOLDERS, MAIL, both, homes, pair, v

LIMITS = Limits(max_deletes=25, max_delete_percent=20)
NAMES = {0: "INBOX", 1: "Archive"}


def lost(one: Pair) -> list[Loss]:
    return [loss for change in plan([one], MAIL, EVERYWHERE).changes for loss in losses(change)]


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (pair(None, v(where="AB"), v(where="AB")), [Loss(Side.REMOTE, 7, homes("AB"))]),
        (pair(v(where="AB"), None, v(where="AB")), [Loss(Side.LOCAL, 7, homes("AB"))]),
        (pair(v(where="B"), v(where="AB"), v(where="AB")), [Loss(Side.REMOTE, 7, homes("A"))]),
        (pair(v(where="C"), v(where="AB"), v(where="AB")), []),
        (pair(v(tags="$seen"), v(), v()), []),
        (pair(None, v()), []),
        (pair(v("new", where="B"), v(where="AB"), v(where="AB")), [Loss(Side.REMOTE, 7, homes("A"))]),
    ],
    ids=["deleted here", "deleted there", "out of one folder", "moved", "tagged", "new", "edited and out of one folder"],
)
def test_what_is_a_loss(one: Pair, expected: list[Loss]) -> None:
    assert lost(one) == expected


def test_a_deleted_container_is_a_loss_even_at_the_top() -> None:
    one = pair(None, v("Lists", ""), v("Lists", ""))
    (change,) = plan([one], FOLDERS, EVERYWHERE).changes
    assert list(losses(change)) == [Loss(Side.REMOTE, 7, frozenset())]


def result(in_a: tuple[int, int], in_b: tuple[int, int], *, vanished: str = "") -> tuple[Suspension, ...]:
    """Judge a plan that deletes so many of so many items in A and in B on the server."""
    tally = Tally()
    for home, (count, _), first in (("A", in_a, 0), ("B", in_b, 10_000)):
        gone = [Pair(first + key, None, v(where=home), both(v(where=home))) for key in range(count)]
        tally.add(plan(gone, MAIL, EVERYWHERE).changes)
    held = {0: in_a[1], 1: in_b[1]}
    total = dict.fromkeys(Side, sum(held.values()))
    return judge(tally, dict.fromkeys(Side, held), total, LIMITS, NAMES, vanished=homes(vanished), account="home")


def test_few_deletes_pass_however_large_their_part() -> None:
    assert not result((25, 25), (0, 0))


def test_a_small_part_passes_however_many() -> None:
    assert not result((2_000, 10_000), (0, 0))


def test_both_limits_passed_suspend() -> None:
    (held,) = result((2_001, 10_000), (0, 0))
    assert (held.side, held.count, held.total) == (Side.REMOTE, 2_001, 10_000)
    assert held.message.startswith("2,001 of 10,000 items would be deleted on the server, which is more than 25 and more than 20 %")
    assert "`jmapsync sync --allow-deletes home` lets exactly this through" in held.message


def test_an_emptied_folder_is_noticed_in_a_large_account() -> None:
    (held,) = result((26, 26), (0, 10_000))
    assert held.message.startswith('26 of 26 items would be deleted from "INBOX" on the server')


def test_a_vanished_directory_suspends_for_a_single_item() -> None:
    (held,) = result((1, 500), (1, 500), vanished="B")
    assert held.message.startswith('1 of 500 items would be deleted from "Archive" on the server, because its directory is gone.')
    assert held.message.endswith("otherwise put the files back.")


def test_an_unknown_population_counts_as_all_lost() -> None:
    tally = Tally()
    tally.add(plan([Pair(key, v(), None, both(v())) for key in range(26)], MAIL, EVERYWHERE).changes)
    (held,) = judge(tally, {}, {}, LIMITS, {})
    assert held.side is Side.LOCAL
    assert held.message.endswith("otherwise put them back on the server.")


def test_a_plan_has_the_same_lines_however_it_was_batched() -> None:
    pairs = [Pair(key, None, v(where="AB"), both(v(where="AB"))) for key in (12, 3, 101)]
    whole, parts = Tally(), Tally()
    whole.add(plan(pairs, MAIL, EVERYWHERE).changes)
    for one in reversed(pairs):
        parts.add(plan([one], MAIL, EVERYWHERE).changes)
    assert list(whole.lines()) == list(parts.lines()) == ["remote 3 0,1", "remote 12 0,1", "remote 101 0,1"]
    assert whole.counts == parts.counts
