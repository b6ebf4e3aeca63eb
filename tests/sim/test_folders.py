"""Folders at random: both sides make, rename, move, swap and remove them at random, with mail in them, and runs die."""

from __future__ import annotations

import itertools
import os
import random

import pytest

from jmapsync.sync.report import Problem, State
from tests.sim.chance import word_in
from tests.sim.folders import Householder
from tests.sim.sweep import TOLERANT, assert_at_rest
from tests.sim.test_random import assert_nothing_lost, words
from tests.sim.world import MOST_RUNS, World, scratch, writes

NIGHT = os.environ.get("JMAPSYNC_SIM") == "night"
SEEDS = range(1000 if NIGHT else 15)
FIRST = int(os.environ.get("JMAPSYNC_SEED", "0"))
ACTS = 12


def play(world: World, seed: int) -> Householder:
    player = Householder(world, seed)
    player.populate()
    world.sync_until_quiet()
    for _ in range(ACTS):
        player.act()
    return player


def assert_same_folders(world: World) -> None:
    picture = world.picture()
    assert sorted(picture.folders) == sorted(picture.boxes)


def come_to_rest(world: World) -> list[Problem]:
    """Run until nothing is written, with a person's consent to what is suspended: a folder that is renamed while it is scanned.

    Return what is quarantined by name: folders whose names others took on the server, and what is to go into them.
    """
    suspended = False
    for _ in range(MOST_RUNS):
        report = world.sync(allow_deletes=suspended)
        suspended = report.state is State.SUSPENDED
        if not suspended and not writes(report):
            break
    assert (report.state, report.messages) == (State.SYNCED, [])
    return report.problems


@pytest.mark.parametrize("seed", SEEDS)
def test_deaths_change_no_end(seed: int) -> None:
    seed += FIRST
    chance = random.Random(seed)
    with scratch() as base:
        world = World(base, TOLERANT)
        player = play(world, seed)
        steps = world.die(0).steps
        world.sync_until_quiet()
        assert_same_folders(world)
        assert_at_rest(world)
        assert_nothing_lost(world, player)
        end = world.picture()
    for _ in range(2):
        deaths = [chance.randint(1, steps), chance.randint(1, steps)]
        with scratch() as base:
            world = World(base, TOLERANT)
            play(world, seed)
            places = [world.die(step).trace[-1] for step in deaths]
            world.sync_until_quiet()
            assert world.picture() == end, f"another end after dying at {places}"
            assert_at_rest(world)


@pytest.mark.parametrize("seed", SEEDS)
def test_edits_in_the_middle_of_a_run_survive(seed: int) -> None:
    seed += FIRST
    chance = random.Random(-seed - 1)
    with scratch() as base:
        world = World(base, TOLERANT)
        player = play(world, seed)
        for _ in range(4):
            slips = {chance.randint(1, 120): player.act for _ in range(4)}
            world.die(chance.choice((0, chance.randint(1, 120))), slips=slips)
        problems = come_to_rest(world)
        if problems:
            assert any("another mailbox of this name" in one.why for one in problems), problems
            assert player.safe <= words(world).keys() | {word_in(file.read_bytes()) for file in world.files()}
            return
        assert_same_folders(world)
        assert_at_rest(world)
        assert_nothing_lost(world, player)


def test_a_mailbox_that_is_gone_again_after_a_run_died_over_it_leaves_no_folder() -> None:
    """No list of changes has to name what was made and destroyed since a state (RFC 8620, 5.2)."""
    with scratch() as base:
        world = World(base, TOLERANT)
        world.sync_until_quiet()
        for step in itertools.count(1):
            world.account.create_mailbox(f"New {step}")
            is_dead = world.die(step).dead
            world.account.destroy_mailbox(f"New {step}")
            world.sync_until_quiet()
            assert_same_folders(world)
            if not is_dead:
                break
        assert step > 10


@pytest.mark.parametrize("full", [False, True])
def test_a_mailbox_that_appears_within_a_run_and_is_gone_by_the_next_leaves_no_folder(full: bool) -> None:
    """What was read in a newer state than the cursor names may be in no list of changes (RFC 8620, 5.2)."""
    with scratch() as base:
        world = World(base, TOLERANT)
        letter = world.account.deliver(b"Subject: here\r\n\r\nHello.\r\n")
        world.sync_until_quiet()
        for step in itertools.count():

            def make(name: str = f"New {step}") -> None:
                world.account.create_mailbox(name)
                world.account.copy(letter, name)

            world.account.set_keyword(letter, "$flagged", present=step % 2 == 0)
            world.server.faults.before_call.arm(make, times=1, skip=step)
            world.sync(full=full)
            if world.server.faults.before_call.armed:
                break
            world.account.move(letter, f"New {step}", "INBOX")
            world.account.destroy_mailbox(f"New {step}")
            world.sync_until_quiet()
            assert_same_folders(world)
        assert step > 3
