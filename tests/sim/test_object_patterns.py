"""Patterns of collections that change while both sides act at random and runs die: nothing is lost, and all of it comes back."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from jmapsync.formats.names import CollectionPatterns
from tests.sim.object_chance import Somebody
from tests.sim.objects import FLAVOURS, MOST_RUNS, Flavour, ObjectWorld, Shown, words_in
from tests.sim.world import scratch

if TYPE_CHECKING:
    from collections.abc import Iterator

NIGHT = os.environ.get("JMAPSYNC_SIM") == "night"
SEEDS = range(int(os.environ.get("JMAPSYNC_SEEDS", "200")) if NIGHT else 2)
FIRST = int(os.environ.get("JMAPSYNC_SEED", "0"))
ACTS = 8


class Chooser(Somebody):
    """Somebody who besides changes what is mirrored and what is hidden, by a random stream of its own."""

    def __init__(self, world: ObjectWorld, seed: int) -> None:
        super().__init__(world, seed)
        self._choice = random.Random(f"patterns {seed}")

    def choose(self) -> None:
        """Leave out some collections by name, or those that are hidden."""
        names = sorted(set(self._names()))
        some = tuple(self._choice.sample(names, min(len(names), self._choice.choice((0, 1, 2)))))
        self.world.patterns = CollectionPatterns(exclude=some, hidden=self._choice.random() < 0.5)
        for kind in self.world.flavour.kinds:
            store = self.world.store(kind)
            chosen = self._choice.choice(sorted(store.collections))
            store.edit_collection(chosen, isSubscribed=self._choice.random() < 0.5)

    def _names(self) -> Iterator[str]:
        for kind in self.world.flavour.kinds:
            yield from (str(one["name"]) for one in self.world.store(kind).collections.values())
            yield from self.world.collections_on_disk(kind)


def play(world: ObjectWorld, seed: int) -> Chooser:
    """Act on both sides between runs under other patterns each time."""
    somebody = Chooser(world, seed)
    somebody.populate()
    world.sync_until_quiet()
    for _ in range(2):  # nobody acted: nothing comes of what is only left out, or taken back in
        before = kept_by(world)
        somebody.choose()
        come_to_rest(world)
        assert kept_by(world) == before
    for _ in range(3):
        somebody.choose()
        come_to_rest(world)
        for _ in range(ACTS):
            somebody.act()
    somebody.choose()
    return somebody


def come_to_rest(world: ObjectWorld) -> None:
    """Run until a run writes nothing; what is named then waits for another choice."""
    for number in range(MOST_RUNS):
        report = world.sync(allow_deletes=True, full=number == 1)
        if not report.changed and {one.state.value for one in report.kinds.values()} == {"synced"}:
            return
    raise AssertionError(f"not at rest: {report}")


def kept_by(world: ObjectWorld) -> tuple[set[str], set[str]]:
    """Return the words of each side."""
    server = {word for _, _, _, words in world.on_server() for word in words}
    here = {word for kind in world.flavour.kinds for file in world.files(kind) for word in words_in(file.read_bytes())}
    return server, here


def take_all_in(world: ObjectWorld, somebody: Chooser) -> list[Shown]:
    """Leave nothing out any more; fail unless both sides are then the same, with every word that nobody gave up."""
    world.patterns = CollectionPatterns()
    return somebody.bring_to_rest()


@pytest.mark.parametrize("flavour", FLAVOURS, ids=lambda flavour: flavour.name)
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_whatever_is_left_out_and_deaths_change_no_end(seed: int, flavour: Flavour) -> None:
    seed += FIRST
    chance = random.Random(seed)
    with scratch() as base:
        world = ObjectWorld(base, flavour)
        somebody = play(world, seed)
        steps = world.die(0).steps
        come_to_rest(world)
        end = take_all_in(world, somebody)
    with scratch() as base:
        world = ObjectWorld(base, flavour)
        somebody = play(world, seed)
        places = [world.die(chance.randint(1, steps)).trace[-1] for _ in range(2)]
        come_to_rest(world)
        assert take_all_in(world, somebody) == end, f"another end after dying at {places}"
