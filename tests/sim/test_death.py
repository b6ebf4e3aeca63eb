"""Die at every step, live on, and end as without the death: nothing missing, doubled or altered."""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING

import pytest

from jmapsync.sync import batches
from tests.sim.acts import STORIES
from tests.sim.sweep import DIALECTS, TOLERANT, begin, sweep
from tests.sim.world import scratch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.sim.acts import Story

NIGHT = os.environ.get("JMAPSYNC_SIM") == "night"
STRIDE = 1 if NIGHT else 13
"""By day every thirteenth step, begun elsewhere in each story; by night every step, on every dialect."""


BATCHED = [story for story in STORIES if story.name in {"first pull", "write many new", "everything"}]
OTHERS = [story for story in STORIES if not story.twins and (NIGHT or "edit" in story.name or "write" in story.name)]


def chosen(story: Story, dialect: str) -> Iterable[int]:
    """Return the steps to die at; one too many is harmless, for the run then lives."""
    return range(1 if NIGHT else 1 + zlib.crc32(f"{story.name} {dialect}".encode()) % STRIDE, 10_000, STRIDE)


def id_of(story: Story) -> str:
    return story.name.replace(" ", "-")


@pytest.mark.parametrize("story", STORIES, ids=id_of)
def test_a_death_at_any_step_changes_no_end(story: Story) -> None:
    steps = chosen(story, TOLERANT.name)
    assert sweep(story, lambda most: (step for step in steps if step <= most)) > 0


@pytest.mark.parametrize("story", OTHERS, ids=id_of)
@pytest.mark.parametrize("dialect", [name for name in DIALECTS if name != TOLERANT.name])
def test_a_death_at_any_step_changes_no_end_on_other_servers(story: Story, dialect: str) -> None:
    steps = chosen(story, dialect)
    assert sweep(story, lambda most: (step for step in steps if step <= most), dialect=DIALECTS[dialect]) > 0


def test_two_deaths_around_an_edit_leave_one_copy_of_the_old_version_in_the_trash() -> None:
    """The first after the server moved the old version to the Trash, the second after that came to the disk."""
    story = next(story for story in STORIES if story.name == "edit message")
    with scratch() as base:
        steps = begin(story, base).die(0).steps

    def moves(step: int) -> bool:
        with scratch() as base:
            world = begin(story, base)
            world.die(step)
            return any(homes == ("Trash",) and b"[alpha]" in data for homes, data, _, _ in world.on_server())

    first = next(step for step in range(1, steps + 1) if moves(step))
    for second in range(first, steps + 1):
        with scratch() as base:
            world = begin(story, base)
            world.die(first)
            world.die(second)
            world.sync_until_quiet()
            assert sum(b"[alpha]" in data for _, data, _, _ in world.on_server()) == 1, second
            world.assert_same()


@pytest.mark.parametrize(
    "story", [story for story in STORIES if story.name in {"first pull", "write many new", "everything"}], ids=id_of
)
def test_a_death_among_several_batches_changes_no_end(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "BATCH_ITEMS", 2)
    monkeypatch.setattr(batches, "FIRST_SHARE", 1.0)
    steps = chosen(story, "batches")
    assert sweep(story, lambda most: (step for step in steps if step <= most)) > 0


@pytest.mark.parametrize("story", BATCHED, ids=id_of)
def test_a_death_at_any_call_of_any_method_changes_no_end(story: Story) -> None:
    """Reads too, and steps within a transaction, which end like the step before them if all is well."""
    steps = range(1, 10_000, 1 if NIGHT else 61)
    assert sweep(story, lambda most: (step for step in steps if step <= most), every_call=True) > 0
