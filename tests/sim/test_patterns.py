"""Patterns that change while both sides act at random, folders too, and runs die: nothing is lost, and all of it comes back."""

from __future__ import annotations

import os
import random

import pytest

from jmapsync.demo import CYRUS_312
from jmapsync.sync.report import State
from tests.sim.chance import word_in
from tests.sim.folders import Householder
from tests.sim.sweep import assert_at_rest
from tests.sim.test_random import words
from tests.sim.world import MOST_RUNS, Picture, World, scratch, writes

NIGHT = os.environ.get("JMAPSYNC_SIM") == "night"
SEEDS = range(500 if NIGHT else 10)
FIRST = int(os.environ.get("JMAPSYNC_SEED", "0"))
ACTS = 8
FOUND = (131, 240, 278, 469)
"""Seeds that once found something."""
PATTERNS = ((), (), ("Lists",), ("Lists/*",), ("Archive", "F*"), ("*ü",), ("INBOX",), ("Sent", "Trash"))


class Chooser(Householder):
    """Somebody who besides changes what is mirrored, and never what is not."""

    def choose(self) -> None:
        self.world.exclude = self._chance.choice(PATTERNS)

    def swap(self) -> None:
        """Leave names alone that a mailbox may come back for: two that want one name are a question for people."""


def play(world: World, seed: int) -> Chooser:
    """Act on both sides between runs under other patterns each time."""
    player = Chooser(world, seed)
    player.populate()
    world.sync_until_quiet()
    for _ in range(3):
        player.choose()
        come_to_rest(world)
        for _ in range(ACTS):
            player.act()
    player.choose()
    return player


def come_to_rest(world: World) -> None:
    """Run until nothing is written, with a person's word for what is suspended."""
    suspended = False
    for _ in range(MOST_RUNS):
        report = world.sync(allow_deletes=suspended)
        suspended = report.state is State.SUSPENDED
        if not suspended and not writes(report):
            break
    assert report.state is State.SYNCED
    assert not writes(report)
    assert (report.problems, report.conflicts) == ([], 0)


def take_all_in(world: World, player: Chooser) -> Picture:
    """Leave nothing out any more; fail unless both sides are then the same, with every message that nobody destroyed."""
    world.exclude = ()
    come_to_rest(world)
    assert_at_rest(world)
    found = words(world)
    assert player.safe <= found.keys(), f"missing: {sorted(player.safe - found.keys())}"
    assert found.keys() <= player.safe | player.doomed
    assert max(found.values(), default=1) == 1, f"doubled: {[word for word, count in found.items() if count > 1]}"
    return world.picture()


def without_keywords(end: Picture) -> tuple[object, ...]:
    """Return an end but for keywords: a letter that was taken off a file out of sight may count as never having been seen."""
    disk = [(folder, data) for folder, data, _ in end.disk]
    return (end.folders, end.boxes, disk, [(homes, data, at) for homes, data, _, at in end.server], end.conflict_copies)


@pytest.mark.parametrize("seed", [*SEEDS, *FOUND])
def test_deaths_change_no_end(seed: int) -> None:
    seed += 0 if seed in FOUND else FIRST
    chance = random.Random(seed)
    with scratch() as base:
        world = World(base, CYRUS_312)
        player = play(world, seed)
        there = {word_in(data): homes for homes, data, _, _ in world.on_server()}
        steps = world.die(0).steps
        come_to_rest(world)
        assert player.safe <= words(world).keys() | {word_in(file.read_bytes()) for file in world.files()}, there
        end = without_keywords(take_all_in(world, player))
    for _ in range(2):
        deaths = [chance.randint(1, steps), chance.randint(1, steps)]
        with scratch() as base:
            world = World(base, CYRUS_312)
            player = play(world, seed)
            places = [world.die(step).trace[-1] for step in deaths]
            come_to_rest(world)
            assert without_keywords(take_all_in(world, player)) == end, f"another end after dying at {places}"
