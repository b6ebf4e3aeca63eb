"""Die at each step of a story in turn, live on, and compare the end with that of the life without a death."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from jmapsync.demo.dialect import CYRUS_36, CYRUS_312, RFC
from tests.sim.world import Picture, World, scratch, writes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from jmapsync.demo.dialect import Dialect
    from tests.sim.acts import Story

TOLERANT = dataclasses.replace(RFC, name="tolerant", duplicates="copy")
"""A server that takes the same message twice without a word (Stalwart): on it a doubled import shows."""
DIALECTS = {one.name: one for one in (TOLERANT, RFC, CYRUS_36, CYRUS_312)}


@dataclasses.dataclass(frozen=True)
class Life:
    """The life without a death."""

    end: Picture
    steps: int


def begin(story: Story, base: Path, dialect: Dialect = TOLERANT) -> World:
    """Return a world in which the story has happened and waits to be synchronised."""
    world = World(base, dialect)
    if story.prepare is not None:
        story.prepare(world)
    if story.act is not None:
        world.sync_until_quiet()
        story.act(world)
    return world


def live(story: Story, base: Path, *, every_call: bool = False, dialect: Dialect = TOLERANT) -> Life:
    """Return how a story ends without a death, and how many steps its run takes."""
    world = begin(story, base, dialect)
    fate = world.die(0, every_call=every_call)
    world.sync_until_quiet()
    assert_at_rest(world)
    return Life(world.picture(), fate.steps)


def die_and_live_on(
    story: Story, base: Path, life: Life, step: int, *, every_call: bool = False, dialect: Dialect = TOLERANT
) -> None:
    """Die at a step of the first run; fail unless the end is as without it."""
    world = begin(story, base, dialect)
    fate = world.die(step, every_call=every_call)
    world.sync_until_quiet()
    assert world.picture() == life.end, f"another end after dying at {fate.trace[-1]}"
    assert_at_rest(world)


def assert_at_rest(world: World) -> None:
    """Fail unless both sides hold the same, nothing is left over, and a further run asks once and writes nothing."""
    world.assert_same()
    report = world.sync()
    assert (report.state.value, writes(report), world.requests) == ("synced", 0, 1)
    assert world.dangling() == []
    assert world.leftovers() == []


def sweep(story: Story, steps: Callable[[int], Iterable[int]], *, every_call: bool = False, dialect: Dialect = TOLERANT) -> int:
    """Die at the chosen steps of a story, each in a world of its own, and return how many lives that were."""
    with scratch() as base:
        life = live(story, base / "whole", every_call=every_call, dialect=dialect)
        chosen = list(steps(life.steps))
        for step in chosen:
            with scratch() as other:
                die_and_live_on(story, other, life, step, every_call=every_call, dialect=dialect)
    return len(chosen)
