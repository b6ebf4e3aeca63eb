"""Suspend a plan that would delete too much, before anything is written.

Many mistakes have the form of a mass delete: an unmounted disk, a folder restored empty, a server that answers an
empty list. Losses are counted over all batches of a plan. A side is suspended when both limits are passed, in the whole
set or in any one container (an emptied folder has to be noticed in a large account too), and always when a container's
directory vanished with items in it. A move is no loss.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from jmapsync.planner.model import NOTHING, SIDES, Change, Homes, Order, Side, Verb
from jmapsync.text import command

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class Limits(Struct, frozen=True):
    """How much may be deleted without a person's consent."""

    max_deletes: int
    max_delete_percent: int

    def passed(self, count: int, total: int) -> bool:
        """Return whether deleting `count` of `total` items passes both limits."""
        return count > self.max_deletes and count * 100 > self.max_delete_percent * total


class Loss(Struct, frozen=True):
    """An item that one side is to lose, and the containers it is to be taken out of."""

    side: Side
    key: int
    homes: Homes


class Suspension(Struct, frozen=True):
    """Why a plan is suspended, for people."""

    side: Side
    """The side that would lose items."""
    count: int
    total: int
    message: str


def losses(change: Change) -> Iterator[Loss]:
    """Yield what each side loses by a change: an order that takes an item out of containers and puts it into none.

    What is undone here is kept as a conflict copy, or the server has it.
    """
    for order in change.orders:
        if _loses(order) and not (change.undone and order.side is Side.LOCAL):
            yield Loss(order.side, order.key, order.removed_homes)
    sent = {order.side for order in change.orders}
    for order in change.then:  # what a side is only about to be sent is no loss of its own
        if _loses(order) and order.side not in sent:
            yield Loss(order.side, order.key, order.removed_homes)


def _loses(order: Order) -> bool:
    """Return whether an order takes away without giving; a container at the top has no home to lose and is lost as well."""
    return order.verb is Verb.DELETE or (bool(order.removed_homes) and not order.added_homes)


class Tally(Struct):
    """The losses of a plan, counted batch by batch."""

    counts: dict[Side, int] = field(default_factory=lambda: dict.fromkeys(SIDES, 0))
    by_container: dict[Side, dict[int, int]] = field(default_factory=lambda: {side: {} for side in SIDES})
    fresh: dict[Side, dict[int, int]] = field(default_factory=lambda: {side: {} for side in SIDES})
    """The items of each container that are about to be known on the other side too; no base counts them yet."""
    _losses: list[tuple[str, int, tuple[int, ...]]] = []

    def add(self, changes: Iterable[Change], *, allowed: Homes = NOTHING) -> None:
        """Count the losses of one batch of changes, without those here of containers whose loss a person allowed."""
        for change in changes:
            for order in change.orders:
                if order.verb is Verb.CREATE and order.source is not None:
                    met = self.fresh[order.side.other]
                    for home in order.source.homes:
                        met[home] = met.get(home, 0) + 1
            for loss in losses(change):
                if loss.side is Side.LOCAL and loss.homes and loss.homes <= allowed:
                    continue
                self.counts[loss.side] += 1
                counted = self.by_container[loss.side]
                for home in loss.homes:
                    counted[home] = counted.get(home, 0) + 1
                self._losses.append((loss.side.value, loss.key, tuple(sorted(loss.homes))))

    def lines(self) -> Iterator[str]:
        """Yield one line per loss, sorted: the same losses give the same lines, however they were batched."""
        for side, key, homes in sorted(self._losses):
            yield f"{side} {key} {','.join(map(str, homes))}"


def judge(
    tally: Tally,
    population: Mapping[Side, Mapping[int, int]],
    totals: Mapping[Side, int],
    limits: Limits,
    names: Mapping[int, str],
    *,
    vanished: frozenset[int] = NOTHING,
    account: str = "ACCOUNT",
) -> tuple[Suspension, ...]:
    """Return why the plan has to be suspended; nothing when it may be executed.

    `population` counts the items of each container and `totals` those of each side before the plan; `vanished` names the
    containers whose directory disappeared while the base has items in it.
    """
    found: list[Suspension] = []
    for side in SIDES:
        counted = tally.by_container[side]
        held = dict(population.get(side, {}))
        for home, met in tally.fresh[side].items():
            held[home] = held.get(home, 0) + met
        places = sorted(counted, key=lambda home: (names.get(home, ""), home))
        for home in places:
            if home in vanished:
                scene = _Scene(side, counted[home], held.get(home, 0), names.get(home, str(home)), account)
                found.append(scene.vanished())
        count, total = tally.counts[side], totals.get(side, 0)
        if limits.passed(count, total):
            found.append(_Scene(side, count, total, "", account).too_many(limits))
            continue
        for home in places:
            if home not in vanished and limits.passed(counted[home], held.get(home, 0)):
                scene = _Scene(side, counted[home], held.get(home, 0), names.get(home, str(home)), account)
                found.append(scene.too_many(limits))
    return tuple(found)


class _Scene(Struct, frozen=True):
    """The facts of a suspension; `place` is empty for the whole set."""

    side: Side
    count: int
    total: int
    place: str
    account: str

    def vanished(self) -> Suspension:
        """Say that a directory is gone with what was in it."""
        return self._suspend("because its directory is gone")

    def too_many(self, limits: Limits) -> Suspension:
        """Say that both limits are passed."""
        if not limits.max_deletes and not limits.max_delete_percent:
            return self._suspend("and none is deleted without your consent")
        most = f"more than {limits.max_deletes:,} and more than {limits.max_delete_percent} %"
        return self._suspend(f"which is {most} at once")

    def _suspend(self, why: str) -> Suspension:
        """Say what would be deleted where, why the plan is suspended, and what to do."""
        where = "on the server" if self.side is Side.REMOTE else "on disk"
        place = f' from "{self.place}"' if self.place else ""
        cure = "put the files back" if self.side is Side.REMOTE else "put them back on the server"
        return Suspension(
            self.side,
            self.count,
            self.total,
            f"{self.count:,} of {self.total:,} items would be deleted{place} {where}, {why}. Nothing was written. "
            f"`{command('sync --dry-run', self.account)}` lists them. "
            f"If this is meant, `{command('sync --allow-deletes', self.account)}` lets exactly this through; "
            f"otherwise {cure}.",
        )
