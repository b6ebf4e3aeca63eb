"""State what must always hold of a planner, as checks that take the planner: the real one, or one with a deliberate bug.

Each check raises AssertionError (or lets a refusal of the world through) when the planner is wrong.
"""

from __future__ import annotations

import ast
import dataclasses
import random
from typing import TYPE_CHECKING

from msgspec.structs import replace

from jmapsync.planner.model import Base, Change, Decision, Order, Pair, Plan, Present, Rules, Side, Verb, Version
from tests.planner.model_sides import ITEMS, ModelSides, content, shuffled
from tests.planner.trees import Edit, perturb

if TYPE_CHECKING:
    from tests.planner.rooms import Planner

ROUNDS = 3


def means_gone(version: Version | None) -> bool:
    """Return whether a side gave an item up."""
    return version is None or not version.kept


def synced(planner: Planner, world: ModelSides, seed: int) -> ModelSides:
    """Return the world at its fixed point."""
    end = world.copy()
    end.run(planner, random.Random(seed), rounds=ROUNDS)
    return end


def item_plan(planner: Planner, world: ModelSides, seed: int = 0) -> Plan:
    """Return the plan for the items of a world, with every container in place on both sides."""
    everywhere = frozenset(world.containers)
    plan: Plan = planner.plan(
        shuffled(world.items.values(), random.Random(seed)), world.item_rules, Present(everywhere, everywhere)
    )
    return plan


def container_plan(planner: Planner, world: ModelSides, seed: int = 0) -> Plan:
    """Return the plan for the containers of a world."""
    needed = planner.needed_homes(world.items.values(), world.item_rules)
    mixed = shuffled(world.containers.values(), random.Random(seed))
    plan: Plan = planner.plan(mixed, world.container_rules, world.present(), needed=needed)
    return plan


def p1_ends_in_a_fixed_point(planner: Planner, world: ModelSides, seed: int) -> None:
    """Orders all succeed: silent after 3 rounds at most. Some fail first: silent after 3 rounds more."""
    synced(planner, world, seed)
    world, dice = world.copy(), random.Random(seed)
    world.failure_rate = 0.4
    for _ in range(2):
        world.cycle(planner, dice)
    world.failure_rate = 0.0
    world.run(planner, dice, rounds=ROUNDS)


def p2_the_three_trees_agree(planner: Planner, world: ModelSides, seed: int) -> None:
    """At the fixed point both sides say the same, as far as they can, and the base says what they hold."""
    end = synced(planner, world, seed)
    for pair in [*end.items.values(), *end.containers.values()]:
        assert pair.local is not None
        assert pair.remote is not None
        assert pair.base == Base(pair.local, pair.remote)
        assert content(pair.local) == content(pair.remote)
        assert pair.local.homes == pair.remote.homes
        assert not pair.local.leaving
        assert not pair.local.untidy
        assert pair.local.tags == pair.remote.tags - end.cannot_hold[Side.LOCAL]


def p2_the_follower_mirrors_the_leader(planner: Planner, world: ModelSides, seed: int) -> None:
    """With one side writable, the other is never written, and all that it holds is held by the first."""
    (follower,) = world.item_rules.writable
    end = synced(planner, world, seed)
    assert all(order.side is follower for order in end.writes)
    for pair in [*end.items.values(), *end.containers.values()]:
        model, copy = pair.of(follower.other), pair.of(follower)
        if model is not None and (pair.key in end.containers or not means_gone(model)):
            assert copy is not None
            assert content(copy) == content(model)
            assert copy.homes == model.kept
            assert copy.tags == model.tags - end.cannot_hold[follower]


def p3_planning_again_yields_nothing(planner: Planner, world: ModelSides, seed: int) -> None:
    """At the fixed point a new plan is empty."""
    end = synced(planner, world, seed)
    for plan in (container_plan(planner, end), item_plan(planner, end)):
        assert plan == Plan((), (), (), ())


def p4_the_same_input_gives_the_same_plan(planner: Planner, world: ModelSides, seed: int) -> None:
    """The order in which pairs are handed in leaves no trace in the plan."""
    for make in (container_plan, item_plan):
        assert make(planner, world, seed) == make(planner, world, seed + 1)


def p5_any_order_inside_a_stage_gives_the_same_end(planner: Planner, world: ModelSides, seed: int) -> None:
    """Two executions that shuffle each stage differently end alike."""
    first, second = synced(planner, world, seed), synced(planner, world, seed + 1)
    assert first.state() == second.state()


def p6_every_edited_body_survives(planner: Planner, world: ModelSides, seed: int) -> None:
    """What somebody wrote is on a side or a conflict copy, unless they gave it up; what nobody gave up is still there."""
    for failure_rate in (0.0, 0.4):
        end = world.copy()
        end.failure_rate = failure_rate
        for number in range(2):
            end.cycle(planner, random.Random(seed + number))
        end.failure_rate = 0.0
        end.run(planner, random.Random(seed))
        for key, pair in world.items.items():
            _assert_survival(world, end, key, pair)


def _assert_survival(world: ModelSides, end: ModelSides, key: int, pair: Pair) -> None:
    versions = [pair.of(side) for side in Side]
    now = end.items.get(key)
    kept = {content(version) for version in (now.local, now.remote) if version is not None} if now else set()
    kept |= {said for copied, said in end.conflict_copies if copied == key}
    for side in Side:
        version = pair.of(side)
        if version is None or means_gone(version):
            continue
        edited = pair.base is None or content(version) != content(pair.base.of(side))
        if edited:
            assert content(version) in kept, f"lost {content(version)} of {pair}"
        if pair.base is None or (means_gone(versions[0]) == means_gone(versions[1])):
            assert now is not None, f"lost {pair}"


def p7_the_side_that_changed_is_not_written(planner: Planner, world: ModelSides, seed: int) -> None:
    """Item by item: only the side that did not change is written. `world` has no marks."""
    plan = item_plan(planner, world, seed)
    orders = {(change.key, order.side) for change in plan.changes for order in change.orders}
    for key, pair in world.items.items():
        if pair.base is None:
            continue
        changed = [side for side in Side if pair.of(side) != pair.base.of(side)]
        if not changed:
            assert not orders & {(key, side) for side in Side}
        if len(changed) == 1:
            assert (key, changed[0]) not in orders, f"{changed[0]} changed and is written: {pair}"


def p7_a_world_edited_on_one_side_is_written_on_the_other(planner: Planner, world: ModelSides, side: Side, seed: int) -> None:
    """All in all: when only `side` was edited, whatever the edits, only the other side is written."""
    end = synced(planner, world, seed)
    assert all(order.side is side.other for order in end.writes), end.writes


def _mirror_rules(rules: Rules) -> Rules:
    return replace(rules, prefer=rules.prefer.other, writable=frozenset(side.other for side in rules.writable))


def _mirror_pair(pair: Pair) -> Pair:
    base = None if pair.base is None else Base(pair.base.remote, pair.base.local)
    return replace(pair, local=pair.remote, remote=pair.local, base=base)


def _mirror_change(change: Change) -> Change:
    orders, then = ([replace(order, side=order.side.other) for order in some] for some in (change.orders, change.then))
    keep_copy = change.loser.other if change.loser else None
    return _wordless_change(replace(change, orders=tuple(orders), then=tuple(then), loser=keep_copy))


def _wordless_change(change: Change) -> Change:
    orders, then = (tuple(sorted(map(_wordless, some), key=_side)) for some in (change.orders, change.then))
    return replace(change, orders=orders, then=then, reason="")


def _wordless(order: Order) -> Order:
    return replace(order, reason="")


def _side(order: Order) -> str:
    return order.side.value


def p8_swapping_sides_mirrors_the_plan(planner: Planner, world: ModelSides, seed: int) -> None:
    """Neither side is special: sides and preference swapped give the swapped plan (its words apart)."""
    mirrored = dataclasses.replace(
        world.copy(),
        items={key: _mirror_pair(pair) for key, pair in world.items.items()},
        containers={key: _mirror_pair(pair) for key, pair in world.containers.items()},
        item_rules=_mirror_rules(world.item_rules),
        container_rules=_mirror_rules(world.container_rules),
    )
    for make in (container_plan, item_plan):
        plan, other = make(planner, world, seed), make(planner, mirrored, seed)
        assert (plan.agreed, plan.forgotten) == (other.agreed, other.forgotten)
        assert [blocked.key for blocked in plan.blocked] == [blocked.key for blocked in other.blocked]
        assert [_wordless_change(change) for change in plan.changes] == [_mirror_change(change) for change in other.changes]


def p9_set_replay_is_idempotent(planner: Planner, mine: frozenset[str], theirs: frozenset[str], base: frozenset[str]) -> None:
    """Replaying twice is replaying once, and afterwards the two sides of one base hold the same."""
    once = planner.replay(mine, theirs, base)
    assert planner.replay(once, theirs, base) == once
    assert once == planner.replay(theirs, mine, base)


def p9_changes_of_different_elements_commute(
    planner: Planner, base: frozenset[str], local: frozenset[str], remote: frozenset[str]
) -> None:
    """What each side toggled takes effect on both, whoever did it, as long as they toggled different elements.

    `local` and `remote` are the elements that each side toggled.
    """
    remote -= local
    agreed = Version("b", "s", base, frozenset({1}))
    pair = Pair(1, replace(agreed, tags=base ^ local), replace(agreed, tags=base ^ remote), Base(agreed, agreed))
    decision: Decision = planner.decide(pair, ITEMS)
    assert decision.local is not None
    assert decision.remote is not None
    assert decision.local.tags == decision.remote.tags == base ^ local ^ remote


def p10_an_edit_beats_a_deletion(planner: Planner, pair: Pair, side: Side, rules: Rules) -> None:
    """One side gave up what `side` edited (a new body or a new home): it lives on, on both sides, with that body."""
    decision: Decision = planner.decide(pair, rules)
    assert decision.local is not None
    assert decision.remote is not None
    edited, left = pair.of(side), pair.of(side.other)
    assert edited is not None
    assert decision.loser is None
    sources = {each: wanted.source for each in Side if (wanted := decision.of(each)) is not None}
    assert sources[side] is side
    # A copy that was only marked to go holds the body already, unless that is what was edited.
    assert sources[side.other] is side or (left is not None and left.body == edited.body)


def p10_a_tag_change_does_not(planner: Planner, pair: Pair, rules: Rules) -> None:
    """One side gave up what the other only tagged: it goes."""
    decision: Decision = planner.decide(pair, rules)
    assert decision.local is None
    assert decision.remote is None


def p11_an_edit_after_a_clean_commit_is_no_conflict(
    planner: Planner, world: ModelSides, edits: list[tuple[Side, Edit]], seed: int
) -> None:
    """From a fixed point, edits that touch each item on one side only arrive on the other; no conflict copy is made."""
    end = synced(planner, world, seed)
    start = end.copy()
    start.conflict_copies = set()
    start.writes = []
    after = start.copy()
    for side, edit in edits:
        trial = after.copy()
        perturb(trial, side, [edit])
        touched = [pair for pair in trial.items.values() if pair.base is not None]
        if all(pair.local == pair.base.local or pair.remote == pair.base.remote for pair in touched if pair.base):
            after = trial
    edited = after.copy()
    after.run(planner, random.Random(seed))
    assert not after.conflict_copies
    for key, pair in edited.items.items():
        said = [
            version
            for side in Side
            if (version := pair.of(side)) is not None and pair.base is not None and version.body != pair.base.of(side).body
        ]
        for version in said:
            now = after.items[key]
            assert now.local is not None
            assert now.remote is not None
            assert content(now.local) == content(now.remote) == content(version)


def p12_a_mass_delete_is_suspended(
    planner: Planner, counts: tuple[int, int], side: Side, limits: tuple[int, int], batch: int
) -> None:
    """`side` lost some of its items (counts: all, lost) in two folders: suspended exactly when both limits are passed."""
    count, lost = counts
    version = Version("b", "s", homes=frozenset({1}))
    inside = [replace(version, homes=frozenset({1 + key % 2})) for key in range(count)]
    pairs = [
        Pair(
            key,
            None if side is Side.LOCAL and key < lost else seen,
            None if side is Side.REMOTE and key < lost else seen,
            Base(seen, seen),
        )
        for key, seen in enumerate(inside)
    ]
    tally = planner.Tally()
    both = Present(frozenset({1, 2}), frozenset({1, 2}))
    for start in range(0, count, batch):
        tally.add(planner.plan(pairs[start : start + batch], ITEMS, both).changes)
    totals = dict.fromkeys(Side, count)
    folders = {home: sum(home in seen.homes for seen in inside) for home in (1, 2)}
    population = dict.fromkeys(Side, folders)
    result = planner.judge(tally, population, totals, planner.Limits(*limits), {1: "INBOX", 2: "Archive"})
    most, percent = limits
    gone = {home: sum(home in seen.homes for seen in inside[:lost]) for home in (1, 2)}
    too_many = [(lost, count), *((gone[home], folders[home]) for home in (1, 2))]
    expected = any(bad > most and bad * 100 > percent * total for bad, total in too_many)
    assert bool(result) == expected
    assert all(held.side is side.other and "--allow-deletes" in held.message for held in result)
    assert len(list(tally.lines())) == lost


def p12_a_move_is_no_loss(planner: Planner, count: int) -> None:
    """Any number of moves passes, with limits of nothing at all."""
    old, new = (Version("b", "s", homes=frozenset({home})) for home in (1, 2))
    both = Present(frozenset({1, 2}), frozenset({1, 2}))
    tally = planner.Tally()
    tally.add(planner.plan([Pair(key, new, old, Base(old, old)) for key in range(count)], ITEMS, both).changes)
    people = {key: {1: count} for key in Side}
    assert not planner.judge(tally, people, dict.fromkeys(Side, count), planner.Limits(0, 0), {})


def p12_a_vanished_directory_always_suspends(planner: Planner, other_home: bool) -> None:
    """One loss in a container whose directory vanished is enough, however wide the limits."""
    homes = frozenset({1, 2}) if other_home else frozenset({1})
    seen, left = Version("b", "s", homes=homes), Version("b", "s", homes=homes - {1})
    pair = Pair(7, left if other_home else None, seen, Base(seen, seen))
    tally = planner.Tally()
    tally.add(planner.plan([pair], ITEMS, Present(frozenset({2}), frozenset({1, 2}))).changes)
    people, totals = {key: {1: 9999, 2: 9999} for key in Side}, dict.fromkeys(Side, 9_999)
    wide = planner.Limits(1_000, 100)
    assert not planner.judge(tally, people, totals, wide, {1: "INBOX"})
    found = planner.judge(tally, people, totals, wide, {1: "INBOX"}, vanished=frozenset({1}))
    assert [held.side for held in found] == [Side.REMOTE]
    assert "INBOX" in found[0].message


ALLOWED = {
    "__future__",
    "dataclasses",
    "enum",
    "collections.abc",
    "typing",
    "msgspec",
    "msgspec.structs",
    "jmapsync.errors",
    "jmapsync.text",
}
IMPURE = {"open", "print", "input", "exec", "eval", "compile", "__import__", "hash", "id", "globals", "breakpoint"}


def p13_no_clock_no_random_no_io(planner: Planner) -> None:
    """The planner imports nothing that could block, read a clock or make random numbers, and calls no built-in that could."""
    assert set(planner.sources) >= {"model", "decide", "plan", "guard", "identify"}
    for module, text in planner.sources.items():
        for node in ast.walk(ast.parse(text)):
            imported = []
            if isinstance(node, ast.Import):
                imported = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert not node.level
                imported = [node.module or ""]
            for name in imported:
                assert name in ALLOWED or f"{name}.".startswith("jmapsync.planner."), f"{module} imports {name}"
            if isinstance(node, ast.Name):
                assert node.id not in IMPURE, f"{module} uses {node.id}"


def p14_containers_come_first_and_go_last(planner: Planner, world: ModelSides, seed: int) -> None:
    """No order meets a missing parent, a container with something in it, or one inside itself; stages say so too."""
    # The world refuses exactly these, and a refusal without a failure before it is not caught.
    synced(planner, world, seed)
    plan = container_plan(planner, world, seed)
    last_write = max((change.stage for change in plan.changes if not change.deletes), default=-1)
    first_delete = min((change.stage for change in plan.changes if change.deletes), default=last_write + 1)
    assert last_write < first_delete
    stages = {change.key: change.stage for change in plan.changes}
    for change in plan.changes:
        for order in change.orders:
            homes = order.homes if order.verb is not Verb.DELETE else order.removed_homes
            for parent in homes & stages.keys():
                above, below = stages[parent], change.stage
                deleted = any(one.key == parent and one.deletes for one in plan.changes)
                if order.verb is Verb.DELETE:
                    assert not deleted or below < above
                else:
                    assert above < below
    mail = item_plan(planner, world, seed)
    assert [change.deletes for change in mail.changes] == sorted(change.deletes for change in mail.changes)
