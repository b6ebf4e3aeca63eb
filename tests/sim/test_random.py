"""Worlds at random, deaths at random, others' edits in the middle of a run; each seed is a world of its own."""

from __future__ import annotations

import os
import random
from collections import Counter

import pytest

from tests.sim.chance import Player, word_in
from tests.sim.fate import Fate
from tests.sim.sweep import TOLERANT, assert_at_rest
from tests.sim.world import World, scratch

NIGHT = os.environ.get("JMAPSYNC_SIM") == "night"
SEEDS = range(2000 if NIGHT else 12)
FIRST = int(os.environ.get("JMAPSYNC_SEED", "0"))
ACTS = 12
FOUND = (1004, 1011, 1060, 1104, 1134)
"""Seeds that once found something."""


def play(world: World, seed: int) -> Player:
    """Bring a world to rest, then act on both sides."""
    player = Player(world, seed)
    player.populate()
    world.sync_until_quiet()
    for _ in range(ACTS):
        player.act()
    return player


def words(world: World) -> Counter[str]:
    """Count the server's messages by their words."""
    return Counter(word_in(data) for _, data, _, _ in world.on_server())


def assert_nothing_lost(world: World, player: Player) -> None:
    found = words(world)
    assert player.safe <= found.keys(), f"missing: {sorted(player.safe - found.keys())}"
    assert max(found.values(), default=1) == 1, f"doubled: {[word for word, count in found.items() if count > 1]}"
    assert found.keys() <= player.safe | player.doomed


@pytest.mark.parametrize("seed", SEEDS)
def test_deaths_change_no_end(seed: int) -> None:
    seed += FIRST
    chance = random.Random(seed)
    with scratch() as base:
        world = World(base, TOLERANT)
        player = play(world, seed)
        steps = world.die(0).steps
        world.sync_until_quiet()
        assert_at_rest(world)
        assert_nothing_lost(world, player)
        end = world.picture()
    for _ in range(3):
        deaths = [chance.randint(1, steps), chance.randint(1, steps)]
        with scratch() as base:
            world = World(base, TOLERANT)
            play(world, seed)
            places = [world.die(step).trace[-1] for step in deaths]
            world.sync_until_quiet()
            assert world.picture() == end, f"another end after dying at {places}"
            assert_at_rest(world)


@pytest.mark.parametrize("seed", [*SEEDS, *FOUND])
def test_edits_in_the_middle_of_a_run_survive_deaths(seed: int) -> None:
    seed += 0 if seed in FOUND else FIRST
    chance = random.Random(-seed - 1)
    with scratch() as base:
        world = World(base, TOLERANT)
        player = play(world, seed)
        for _ in range(4):
            slips = {chance.randint(1, 120): player.act for _ in range(4)}
            world.die(chance.choice((0, chance.randint(1, 120))), slips=slips)
        world.sync_until_quiet()
        assert_at_rest(world)
        assert_nothing_lost(world, player)


@pytest.mark.parametrize("seed", list(SEEDS)[:5])
def test_a_seed_replays_to_the_same_trace(seed: int) -> None:
    traces = []
    for _ in range(2):
        with scratch() as base:
            world = World(base, TOLERANT)
            play(world, seed + FIRST)
            chance = random.Random(seed)
            player = Player(world, seed)
            fates = [world.die(step, every_call=True, slips={20: player.act}) for step in (chance.randint(50, 300), 0)]
            traces.append([fate.trace for fate in fates])
    assert traces[0] == traces[1]
    assert all(isinstance(fate, Fate) for fate in fates)
