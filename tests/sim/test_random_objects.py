"""Contacts, calendars and tasks at random: worlds and deaths at random, on servers of several kinds."""

from __future__ import annotations

import os
import random

import pytest

from tests.sim.object_chance import Somebody
from tests.sim.objects import FLAVOURS, Flavour, ObjectWorld
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


@pytest.mark.parametrize("flavour", FLAVOURS, ids=lambda flavour: flavour.name)
@pytest.mark.parametrize("seed", SEEDS)
def test_deaths_change_no_end(seed: int, flavour: Flavour) -> None:
    seed += FIRST
    chance = random.Random(seed)
    with scratch() as base:
        world = ObjectWorld(base, flavour)
        somebody = play(world, seed)
        steps = world.die(0).steps
        end = somebody.bring_to_rest()
    deaths = [chance.randint(1, steps), chance.randint(1, steps)]
    with scratch() as base:
        world = ObjectWorld(base, flavour)
        somebody = play(world, seed)
        places = [world.die(step).trace[-1] for step in deaths]
        assert somebody.bring_to_rest() == end, f"another end after dying at {places}"


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
        somebody.bring_to_rest()
