"""Plan containers: create parents before children, delete children before parents.

A container's home is its parent, which may be about to be created, deleted or moved by the same plan. A container that
another one has to live in is not deleted; two moves that only together put a container into its own child are not both
made; and nothing is deleted that still holds something which has to wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from jmapsync.planner import reason
from jmapsync.planner.decide import BOTH, as_it_is
from jmapsync.planner.merge import held
from jmapsync.planner.model import ALLOWED, SIDES, Decision, Homes, Pair, Present, Rights, Rules, Side, Verb
from jmapsync.planner.orders import Draft, agree, redraft
from jmapsync.planner.permit import permit

Parents = Mapping[int, Homes]


def draft_containers(
    pairs: Iterable[Pair], rules: Rules, present: Present, needed: frozenset[int], rights: Rights = ALLOWED
) -> tuple[list[Draft], dict[int, int], dict[int, str]]:
    """Return the draft of every container, the stage of each and, for those that have to wait, why."""
    trees = {pair.key: pair for pair in pairs}
    decisions, tangled = _decide_together(trees, rules, needed, rights)
    drafts = {key: redraft(trees[key], decisions[key], rules) for key in sorted(trees)}
    blocked = dict.fromkeys(tangled, "lies inside itself")
    while more := _blocked(drafts, present, blocked):
        blocked |= more
    return list(drafts.values()), _stages(drafts, decisions), blocked


def _decide_together(
    trees: Mapping[int, Pair], rules: Rules, needed: frozenset[int], rights: Rights
) -> tuple[dict[int, Decision], frozenset[int]]:
    """Decide on all containers: parents of what stays are needed, and no two moves close a circle.

    Each round widens `needed` or `circular`, so this ends. A circle that neither breaks is in a tree as it was observed: its
    containers wait until it is observed otherwise.
    """
    circular: frozenset[int] = frozenset()
    # Deciding is what takes time, and of thousands of containers most agree: those stay as they are, needed or not.
    agreed = {key: as_it_is(pair) for key, pair in trees.items() if agree(pair)} if rules.writable == BOTH else {}
    while True:
        decisions = {key: agreed.get(key) or permit(pair, rules, rights, needed=key in needed) for key, pair in trees.items()}
        decisions |= {key: _keep_in_place(decisions[key], trees[key], rules) for key in circular}
        parents = {side: _parents(decisions, side) for side in SIDES}
        wider = needed.union(*parents[Side.LOCAL].values(), *parents[Side.REMOTE].values())
        circle = frozenset().union(*(_circles(parents[side]) for side in SIDES))
        if wider == needed and circle <= circular:
            return decisions, circle
        needed, circular = wider, circular | circle


def _keep_in_place(decision: Decision, pair: Pair, rules: Rules) -> Decision:
    """Return the decision with the container left where the preferred side has it: that side alone has no circle."""
    if pair.of(rules.prefer) is None or rules.writable != BOTH or decision.local is None or decision.remote is None:
        return decision
    homes = held(pair, rules.prefer).kept
    phrase = f"moves on both sides would put it into its own child: its place {reason.WHERE[rules.prefer]} stays"
    return replace(
        decision,
        local=replace(decision.local, homes=homes),
        remote=replace(decision.remote, homes=homes),
        reason=reason.join(decision.reason, phrase),
    )


def _parents(decisions: Mapping[int, Decision], side: Side) -> Parents:
    """Return the parents that every container is to have on one side."""
    wishes = {key: decision.of(side) for key, decision in decisions.items()}
    return {key: wish.homes for key, wish in wishes.items() if wish is not None}


def _circles(parents: Parents) -> frozenset[int]:
    """Return the containers that are their own ancestors."""
    left = set(parents)
    while True:
        inner = {key for key in left if parents[key] & left}
        above = set().union(*(parents[key] for key in inner)) if inner else set()
        if inner & above == left:
            return frozenset(left)
        left = inner & above


def _depth(key: int, parents: Parents) -> int:
    """Return how many ancestors a container has; within a circle, as many as there are containers."""
    depth, above = 0, parents.get(key, frozenset())
    while above and depth < len(parents):
        depth, above = depth + 1, frozenset().union(*(parents.get(home, frozenset()) for home in above))
    return depth


def _stages(drafts: Mapping[int, Draft], decisions: Mapping[int, Decision]) -> dict[int, int]:
    """Return the stages: creations and moves from the top down as things are to be, deletions from the bottom up."""
    future = [_parents(decisions, side) for side in SIDES]
    seen = {
        side: {key: version.homes for key, item in drafts.items() if (version := item.pair.of(side)) is not None} for side in SIDES
    }
    down = {key: max(_depth(key, parents) for parents in future) for key in drafts}
    up = {key: max(_depth(key, parents) for parents in seen.values()) for key in drafts}
    first_deletion, deepest = max(down.values(), default=0) + 1, max(up.values(), default=0)
    return {key: first_deletion + deepest - up[key] if item.deletes else down[key] for key, item in drafts.items()}


def _blocked(drafts: Mapping[int, Draft], present: Present, blocked: Mapping[int, str]) -> dict[int, str]:
    """Return which further containers have to wait, given those that do already."""
    more: dict[int, str] = {}
    active = {key: item for key, item in drafts.items() if key not in blocked}
    for side in SIDES:
        verbs = {key: order.verb for key, item in active.items() for order in item.orders if order.side is side}
        there = present.of(side) | {key for key, verb in verbs.items() if verb is Verb.CREATE}
        for key, item in active.items():
            if item.missing(side, there):
                more[key] = f"waits for its parent to exist {reason.WHERE[side]}"
        for home in _still_inside(drafts, active, side):
            if verbs.get(home) is Verb.DELETE:
                more[home] = f"still holds a folder {reason.WHERE[side]}"
    return more


def _still_inside(drafts: Mapping[int, Draft], active: Mapping[int, Draft], side: Side) -> Homes:
    """Return the containers that will still be somebody's parent on one side when the plan is done."""
    inside: set[int] = set()
    for key, item in drafts.items():
        version = item.pair.of(side)
        ordered = [order for order in item.orders if order.side is side] if key in active else []
        if version is not None:
            inside |= ordered[0].homes if ordered else version.homes
    return frozenset(inside)
