"""Derive the plan: what has to be written to make the three trees equal. Nothing of it is ever stored.

Because the plan follows from what was observed, resuming after a crash needs no code: observe again, plan again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.planner import reason
from jmapsync.planner.containers import draft_containers
from jmapsync.planner.merge import hidden_on
from jmapsync.planner.model import ALLOWED, SIDES, Blocked, Change, Pair, Plan, Present, Rights, Rules
from jmapsync.planner.orders import Draft, agree, draft, waits
from jmapsync.planner.permit import permit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def plan(
    pairs: Iterable[Pair],
    rules: Rules,
    present: Present,
    *,
    needed: frozenset[int] = frozenset(),
    rights: Rights = ALLOWED,
) -> Plan:
    """Return what has to be done about these items, the same for the same items in any order.

    Items may come in batches; containers (`rules.homeless`) must come all at once, because they lean on one another.
    `present` names the containers that exist on each side, `needed` those that some item has to live in (`needed_homes`), and
    `rights` what may not be done on the server.
    """
    if rules.homeless:
        drafts, stages, blocked = draft_containers(pairs, rules, present, needed, rights)
    else:
        drafts = [draft(pair, rules, rights=rights) for pair in pairs if not agree(pair)]
        blocked = {item.pair.key: why for item in drafts if (why := waits(item, present))}
        stages = {item.pair.key: int(item.deletes) for item in drafts}
    return _arrange(drafts, stages, blocked, rules, rights)


def needed_homes(pairs: Iterable[Pair], rules: Rules, rights: Rights = ALLOWED) -> frozenset[int]:
    """Return the containers that these items have to live in, so that none of them is deleted under an item."""
    needed: set[int] = set()
    for pair in pairs:
        decision = permit(pair, rules, rights)
        for side in SIDES:
            wanted = decision.of(side)
            needed |= wanted.homes if wanted is not None else frozenset()
    return frozenset(needed)


def _arrange(drafts: Iterable[Draft], stages: Mapping[int, int], blocked: Mapping[int, str], rules: Rules, rights: Rights) -> Plan:
    """Sort drafts into a plan."""
    changes, agreed, forgotten, hidden = [], [], [], []
    for item in drafts:
        key = item.pair.key
        side = hidden_on(item.pair, rules)
        if side is not None:
            hidden.append(Blocked(key, reason.hidden(side)))
        elif item.decision.waits:
            hidden.append(Blocked(key, item.decision.waits))
        elif key in blocked:
            continue
        elif item.orders:
            decision = item.decision
            then = item.then(rights)
            changes.append(Change(key, item.orders, decision.reason, decision.loser, stages[key], decision.undone, then))
        elif item.forgotten:
            forgotten.append(key)
        elif item.agreed and rules.writable:
            agreed.append(key)
    changes.sort(key=lambda change: (change.stage, change.key))
    waiting = tuple(Blocked(key, blocked[key]) for key in sorted(blocked))
    hidden.sort(key=lambda one: one.key)
    return Plan(tuple(changes), tuple(sorted(agreed)), tuple(sorted(forgotten)), waiting, tuple(hidden))
