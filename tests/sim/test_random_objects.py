"""Contacts, calendars and tasks at random: worlds and deaths at random, on servers of several kinds."""

from __future__ import annotations

import os
import random

import pytest

from tests.sim.object_chance import Somebody
from tests.sim.objects import FLAVOURS, Flavour, ObjectWorld, Shown, words_in
from tests.sim.world import scratch

NIGHT = os.environ.get("JMAPSYNC_SIM") == "night"
SEEDS = range(int(os.environ.get("JMAPSYNC_SEEDS", "500")) if NIGHT else 3)
FIRST = int(os.environ.get("JMAPSYNC_SEED", "0"))
ACTS = 14


def play(world: ObjectWorld, seed: int) -> Somebody:
    """Bring a world to rest, then act on both sides."""
    somebody = Somebody(world, seed)
    somebody.populate()
    world.sync_until_quiet()
    for _ in range(ACTS):
        somebody.act()
    return somebody


def come_to_rest(world: ObjectWorld, somebody: Somebody) -> list[Shown]:
    """Put right what only a person can, run until nothing is written, and fail if a word is lost or the sides differ."""
    somebody.fix_problems()
    world.sync_until_quiet(allow_deletes=True)
    world.assert_at_rest()
    kept = {word for _, _, _, words in world.on_disk() for word in words}
    kept.update(*(words_in(content) for content in world.conflict_copies()))
    assert somebody.safe <= kept, f"lost: {sorted(somebody.safe - kept)}"
    return world.on_disk()


@pytest.mark.parametrize("flavour", FLAVOURS, ids=lambda flavour: flavour.name)
@pytest.mark.parametrize("seed", SEEDS)
def test_deaths_change_no_end(seed: int, flavour: Flavour) -> None:
    seed += FIRST
    chance = random.Random(seed)
    with scratch() as base:
        world = ObjectWorld(base, flavour)
        somebody = play(world, seed)
        steps = world.die(0).steps
        end = come_to_rest(world, somebody)
    deaths = [chance.randint(1, steps), chance.randint(1, steps)]
    with scratch() as base:
        world = ObjectWorld(base, flavour)
        somebody = play(world, seed)
        places = [world.die(step).trace[-1] for step in deaths]
        assert come_to_rest(world, somebody) == end, f"another end after dying at {places}"


@pytest.mark.parametrize("flavour", FLAVOURS, ids=lambda flavour: flavour.name)
@pytest.mark.parametrize("seed", SEEDS)
def test_acts_in_the_middle_of_a_run_survive_deaths(seed: int, flavour: Flavour) -> None:
    seed += FIRST
    chance = random.Random(-seed - 1)
    with scratch() as base:
        world = ObjectWorld(base, flavour)
        somebody = play(world, seed)
        for _ in range(4):
            slips = {chance.randint(1, 100): somebody.act for _ in range(4)}
            world.die(chance.choice((0, chance.randint(1, 120))), slips=slips)
        come_to_rest(world, somebody)
