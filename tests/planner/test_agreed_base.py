"""What both sides are taken to agree on after a write: what was ordered, never what others did to a side since."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from msgspec.structs import replace

from jmapsync.planner.model import Base, Pair, Present, Rules, Side, Version
from jmapsync.planner.orders import agreed_base, ordered
from jmapsync.planner.plan import plan

if TYPE_CHECKING:
    from jmapsync.planner.model import Order

WORLDS = 400
TAGS = ("$seen", "$flagged", "work", "later", "red")
HOME = frozenset({1})
MAIL = Rules("mail")
THERE = Present(HOME, HOME)


def some(chance: random.Random) -> frozenset[str]:
    return frozenset(tag for tag in TAGS if chance.random() < 0.4)


def version(tags: frozenset[str]) -> Version:
    return Version("body", "body", tags, HOME)


def written(pair: Pair, order: Order, seen: Version, *, as_seen: bool) -> Pair:
    """Return an item after one order, with the base that follows from what was ordered, or from what was seen."""
    after = replace(pair, local=seen) if order.side is Side.LOCAL else replace(pair, remote=seen)
    held = seen if as_seen else ordered(order, seen)
    local, remote = (held, after.remote) if order.side is Side.LOCAL else (after.local, held)
    return replace(after, base=agreed_base(after, local, remote))


def played(seed: int, *, as_seen: bool) -> tuple[Pair, frozenset[str]]:
    """Change one side, let others change the other one while it is written, and plan to the end.

    Return the item, and the tags that it must have: what was ordered, with what the others did.
    """
    chance = random.Random(seed)
    before, mine, others = version(some(chance)), version(some(chance)), some(chance)
    here = chance.choice((Side.LOCAL, Side.REMOTE))
    pair = Pair(1, before, before, Base(before, before))
    pair = replace(pair, local=mine) if here is Side.LOCAL else replace(pair, remote=mine)
    wanted = mine.tags
    for number in range(4):
        found = plan([pair], MAIL, THERE)
        if not found.changes:
            return pair, wanted
        [order] = found.changes[0].orders
        seen = version(order.tags ^ others if number == 0 else order.tags)
        wanted = seen.tags if number == 0 else wanted
        pair = written(pair, order, seen, as_seen=as_seen)
    raise AssertionError(f"still busy: {pair}")


def ends(seed: int, *, as_seen: bool) -> bool:
    """Return whether both sides end with what each of them was given."""
    pair, wanted = played(seed, as_seen=as_seen)
    assert pair.local is not None
    assert pair.remote is not None
    return pair.local.tags == pair.remote.tags == wanted


def test_what_others_did_during_a_write_reaches_the_other_side() -> None:
    assert [seed for seed in range(WORLDS) if not ends(seed, as_seen=False)] == []


def test_it_would_never_do_so_if_what_was_seen_were_taken_for_agreed() -> None:
    lost = [seed for seed in range(WORLDS) if not ends(seed, as_seen=True)]
    assert len(lost) > WORLDS // 2
