"""A small world with two sides, containers and items, on which plans are carried out.

It does what storages do and nothing more: it keeps bodies in a form of each side's own, cannot hold some tags locally, refuses
orders that expect something else than what is there, and insists that containers exist while anything is in them.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec.structs import replace

from jmapsync.planner.model import NOTHING, Order, Pair, Plan, Present, Rules, Side, Verb, Version

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

    from tests.planner.rooms import Planner

ITEMS = Rules("mail")
CONTAINERS = Rules("mailbox", homeless=True, keeps_loser=False)


class RefusedError(Exception):
    """A side refuses an order."""


def body(side: Side, content: str, form: int = 0) -> str:
    """Return a side's own fingerprint of some content; `form` is for what reads differently but means the same."""
    return f"{side.value}|{content}|{form}"


def content(version: Version) -> str:
    """Return what a version says, whatever its form."""
    return version.body.split("|")[1]


@dataclass
class ModelSides:
    """Both sides and the base, of containers and of items, and the conflict copies."""

    items: dict[int, Pair] = field(default_factory=dict)
    containers: dict[int, Pair] = field(default_factory=dict)
    item_rules: Rules = ITEMS
    container_rules: Rules = CONTAINERS
    cannot_hold: dict[Side, frozenset[str]] = field(default_factory=lambda: dict.fromkeys(Side, frozenset()))
    senses: bool = True
    conflict_copies: set[tuple[int, str]] = field(default_factory=set)
    writes: list[Order] = field(default_factory=list)
    failure_rate: float = 0.0
    failed: int = 0

    def copy(self) -> ModelSides:
        """Return an independent world in the same state."""
        return dataclasses.replace(
            self,
            items=dict(self.items),
            containers=dict(self.containers),
            conflict_copies=set(self.conflict_copies),
            writes=list(self.writes),
        )

    def state(self) -> object:
        """Return all that there is, for comparison."""
        return self.items, self.containers, self.conflict_copies

    def there(self, side: Side) -> frozenset[int]:
        """Return the containers that exist on a side."""
        return frozenset(key for key, pair in self.containers.items() if pair.of(side) is not None)

    def present(self) -> Present:
        """Return the containers that exist on both sides."""
        return Present(self.there(Side.LOCAL), self.there(Side.REMOTE))

    def version(self, side: Side, said: str, *, form: int = 0, **parts: frozenset[object]) -> Version:
        """Return a version as this world's sides make them."""
        made = Version(body(side, said, form), said if self.senses else "", **parts)  # type: ignore[arg-type]
        return replace(made, tags=made.tags - self.cannot_hold[side])

    def _occupants(self, side: Side, key: int) -> list[int]:
        everything = [*self.containers.values(), *self.items.values()]
        return [pair.key for pair in everything if (seen := pair.of(side)) is not None and key in seen.homes]

    def write(self, order: Order, trees: dict[int, Pair]) -> None:
        """Carry out one order, or raise RefusedError."""
        pair, side = trees[order.key], order.side
        held = pair.of(side)
        if held != order.expect:
            raise RefusedError(f"stale: {order}")
        if not order.homes <= self.there(side):
            raise RefusedError(f"no such container: {order}")
        if order.verb is Verb.DELETE:
            if trees is self.containers and self._occupants(side, order.key):
                raise RefusedError(f"not empty: {order}")
            after = None
        elif order.verb is Verb.UPDATE:
            if held is None:
                raise RefusedError(f"nothing to update: {order}")
            after = replace(held, tags=order.tags, homes=order.homes, leaving=NOTHING, untidy=False)
        else:
            if order.source is None:
                raise RefusedError(f"no body to write: {order}")
            after = Version(body(side, content(order.source)), order.source.sense, order.tags, order.homes)
        if after is not None:
            after = replace(after, tags=after.tags - self.cannot_hold[side])
        if trees is self.containers and self._inside_itself(side, order.key, order.homes):
            raise RefusedError(f"inside itself: {order}")
        trees[order.key] = replace(pair, local=after) if side is Side.LOCAL else replace(pair, remote=after)
        self.writes.append(order)

    def _inside_itself(self, side: Side, key: int, homes: frozenset[int]) -> bool:
        above, passed = set(homes), set[int]()
        while above:
            if key in above or above <= passed:  # or inside others that are inside one another, as a mutant may put them
                return True
            passed |= above
            seen = [self.containers[home].of(side) for home in above]
            above = {home for version in seen if version is not None for home in version.homes}
        return False

    def execute(
        self, planner: Planner, plan: Plan, trees: dict[int, Pair], dice: random.Random, *, deletes: bool | None = None
    ) -> None:
        """Carry out a plan stage by stage, shuffled inside each; with `deletes`, only the changes that do or do not."""
        changes = [change for change in plan.changes if deletes in (None, change.deletes)]
        for stage in sorted({change.stage for change in changes}):
            batch = [change for change in changes if change.stage == stage]
            dice.shuffle(batch)
            for change in batch:
                if change.loser is not None:
                    loser = trees[change.key].of(change.loser)
                    assert loser is not None, "nothing to shelve"
                    self.conflict_copies.add((change.key, content(loser)))
                done = [self._try(order, trees, dice) for order in dice.sample(change.orders, len(change.orders))]
                if all(done):
                    pair = trees[change.key]
                    trees[change.key] = replace(pair, base=planner.agreed_base(pair, pair.local, pair.remote))
        for key in plan.agreed if not deletes else ():
            pair = trees[key]
            trees[key] = replace(pair, base=planner.agreed_base(pair, pair.local, pair.remote))
        for key in plan.forgotten if not deletes else ():
            del trees[key]
        if deletes is not False:
            self._forget(trees)

    def _forget(self, trees: dict[int, Pair]) -> None:
        for key in [key for key, pair in trees.items() if pair.local is None and pair.remote is None and pair.base is None]:
            del trees[key]

    def _try(self, order: Order, trees: dict[int, Pair], dice: random.Random) -> bool:
        """Carry out an order; only where failures are asked for may it fail."""
        if dice.random() < self.failure_rate:
            self.failed += 1
            return False
        try:
            self.write(order, trees)
        except RefusedError:
            # One failure may make others: no parent, not empty. Without any, a refusal is the planner's fault.
            if not self.failed:
                raise
            return False
        return True

    def cycle(self, planner: Planner, dice: random.Random) -> bool:
        """Observe, plan and execute once, as a run does; return whether anything was done."""
        before = len(self.writes)
        self.failed = 0
        needed = planner.needed_homes(shuffled(self.items.values(), dice), self.item_rules)
        folders = planner.plan(shuffled(self.containers.values(), dice), self.container_rules, self.present(), needed=needed)
        self.execute(planner, folders, self.containers, dice, deletes=False)
        mail = planner.plan(shuffled(self.items.values(), dice), self.item_rules, self.present())
        self.execute(planner, mail, self.items, dice)
        self.execute(planner, folders, self.containers, dice, deletes=True)
        quiet = not any((folders.changes, folders.agreed, folders.forgotten, mail.changes, mail.agreed, mail.forgotten))
        assert len(self.writes) == before or not quiet
        return not quiet

    def run(self, planner: Planner, dice: random.Random, *, rounds: int = 3) -> None:
        """Cycle until silent; AssertionError when that takes too long."""
        for _ in range(rounds):
            if not self.cycle(planner, dice):
                return
        assert not self.cycle(planner, dice), f"still busy after {rounds} rounds: {self}"


def shuffled(pairs: Iterable[Pair], dice: random.Random) -> list[Pair]:
    """Return the pairs in a random order."""
    mixed = list(pairs)
    dice.shuffle(mixed)
    return mixed
