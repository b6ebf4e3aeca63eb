"""Turn a decision about one item into orders: the difference between what each side holds and what it is to hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from jmapsync.planner import reason
from jmapsync.planner.merge import held, in_sight, means_gone
from jmapsync.planner.model import (
    ALLOWED,
    NO_TAGS,
    NOTHING,
    SIDES,
    Base,
    Decision,
    Order,
    Pair,
    Present,
    Rights,
    Rules,
    Side,
    Verb,
    Version,
)
from jmapsync.planner.permit import permit

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet


def agree(pair: Pair) -> bool:
    """Return whether the three trees agree on an item: each side holds what the base says, and nothing waits to be tidied."""
    local, remote, base = pair.local, pair.remote, pair.base
    if local is None or remote is None or base is None or local != base.local or remote != base.remote:
        return False
    return not (local.leaving or local.untidy or remote.leaving or remote.untidy)


def agreed_base(pair: Pair, local: Version | None, remote: Version | None) -> Base | None:
    """Return the base of an item: what each side holds by agreement, as it was seen where nothing was ordered, else as `ordered`.

    An item that only one side may hold keeps the base it had; one that is gone has none.
    """
    if local is None and remote is None:
        return None
    return pair.base if local is None or remote is None else Base(unmarked(local), unmarked(remote))


def ordered(order: Order, seen: Version | None) -> Version | None:
    """Return what a side holds by agreement once an order for it is done: the body that was seen, with what was ordered.

    Others may have changed tags and homes while it was written. That is no agreement: the other side has not got it. Against this
    base it shows as their change and is carried over; in the base it would never be noticed again.
    """
    return None if order.verb is Verb.DELETE or seen is None else Version(seen.body, seen.sense, order.tags, order.homes)


def unmarked(version: Version) -> Version:
    """Return a version without marks that a copy is to go: in a base, a mark would be one that was followed already."""
    return replace(version, leaving=NOTHING) if version.leaving else version


class Draft(Struct, frozen=True):
    """One item with what was decided and ordered for it, before anything is put in order."""

    pair: Pair
    decision: Decision
    orders: tuple[Order, ...]
    rules: Rules

    @property
    def deletes(self) -> bool:
        """Return whether an order takes the item off a side."""
        return any(order.verb is Verb.DELETE for order in self.orders)

    @property
    def agreed(self) -> bool:
        """Return whether both sides keep the item as wanted and only the base has to follow.

        What a side that may not be written marked to go is not agreed upon: as a base, it would undo an edit of the other.
        """
        kept = not any(means_gone(self.pair.of(side), self.rules) for side in SIDES)
        return kept and not self.orders and agreed_base(self.pair, self.pair.local, self.pair.remote) != self.pair.base

    @property
    def forgotten(self) -> bool:
        """Return whether the item is gone from both sides; one merely out of sight (in no home) was never agreed upon."""
        wanted = self.decision.local is not None or self.decision.remote is not None
        seen = self.pair.local is not None or self.pair.remote is not None
        return not wanted and not self.orders and (self.pair.base is not None or not seen)

    def then(self, rights: Rights) -> tuple[Order, ...]:
        """Return the orders that follow once these are done: the deletion of what had to be sent first."""
        pair = self.pair
        for order in self.orders:
            wanted, source = self.decision.of(order.side.other), order.source
            if source is None or wanted is None or not wanted.marked:
                continue
            made = Version(source.body, source.sense, order.tags, order.homes)
            after = replace(pair, local=made) if order.side is Side.LOCAL else replace(pair, remote=made)
            return draft(replace(after, base=agreed_base(after, after.local, after.remote)), self.rules, rights=rights).orders
        return ()

    def missing(self, side: Side, there: AbstractSet[int]) -> bool:
        """Return whether an order would put the item into a container that is not there."""
        return any(order.side is side and not order.added_homes <= there for order in self.orders)


def draft(pair: Pair, rules: Rules, *, needed: bool = False, rights: Rights = ALLOWED) -> Draft:
    """Decide on one item and return the orders that lead there."""
    decision = permit(pair, rules, rights, needed=needed)
    return redraft(pair, decision, rules)


def redraft(pair: Pair, decision: Decision, rules: Rules) -> Draft:
    """Return the orders that lead to a decision; at most one a side, none to a side that may not be written."""
    seen = in_sight(pair, rules)
    found = (_order(seen, decision, side) for side in SIDES if side in rules.writable)
    return Draft(pair, decision, tuple(order for order in found if order is not None), rules)


def waits(item: Draft, present: Present) -> str:
    """Return why an item has to wait for its containers; nothing when it need not."""
    sides = [order.side for order in item.orders if order.added_homes and item.missing(order.side, present.of(order.side))]
    return reason.join(*(f"waits for its folder to exist {reason.WHERE[side]}" for side in sides)) if sides else ""


def _order(pair: Pair, decision: Decision, side: Side) -> Order | None:
    """Return the one order that brings a side from what it holds to what it is to hold, if one is needed."""
    found, wanted = pair.of(side), decision.of(side)
    if wanted is None:
        if found is None:
            return None
        return Order(side, Verb.DELETE, pair.key, found, None, NO_TAGS, NOTHING, decision.reason, pair.name)
    source = held(pair, side.other) if wanted.source is not side else None
    if found is not None and wanted.marked:
        return None
    if found is not None and source is None:
        same = found.tags == wanted.tags and found.homes == wanted.homes
        if same and not (found.leaving or found.untidy):
            return None
    verb = Verb.CREATE if found is None else Verb.UPDATE if source is None else Verb.REPLACE
    return Order(side, verb, pair.key, found, source, wanted.tags, wanted.homes, decision.reason, pair.name)
