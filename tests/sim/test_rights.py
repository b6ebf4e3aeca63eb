"""Rights: a run that undoes what may not be done dies at every step, and nothing that a person wrote is lost."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from jmapsync.sync.report import State
from tests.sim.acts import populate
from tests.sim.sweep import TOLERANT, assert_at_rest
from tests.sim.world import MOST_RUNS, World, local_letter, scratch, writes

if TYPE_CHECKING:
    from pathlib import Path

NIGHT = os.environ.get("JMAPSYNC_SIM") == "night"
STRIDE = 1 if NIGHT else 11
WRITTEN = {b"[mine]", b"[mine too]", b"[edited]"}


def forbid(base: Path) -> World:
    """Return a world in which everything was done to folders that allow nothing of it."""
    world = World(base, TOLERANT)
    populate(world)
    world.sync_until_quiet()
    for path in ("INBOX", "Lists", "Lists/python"):
        rights = ("mayAddItems", "mayRemoveItems", "maySetSeen", "maySetKeywords", "mayCreateChild", "mayRename", "mayDelete")
        world.account.set_rights(path, **dict.fromkeys(rights, False))
    world.drop("INBOX", local_letter("mine"))
    world.drop("Lists", local_letter("mine too"))
    world.edit(world.file(b"[alpha]"), local_letter("edited"))
    world.move(world.file(b"[beta]"), "Lists/python")
    world.file(b"[gamma]").unlink()
    world.flag(world.file(b"[both]", "INBOX"), "FS")
    (world.root / "Lists").rename(world.root / "Post")
    world.mkdir("INBOX/below")
    return world


def come_to_rest(world: World) -> None:
    for _ in range(MOST_RUNS):
        report = world.sync()
        problems = [one for one in report.problems if "the next run distinguishes them" not in one.why]
        assert (report.state, problems) == (State.SYNCED, [])
        if not writes(report) and not report.folders.total:
            assert report.problems == []
            return
    raise AssertionError("still writing")


def conflict_copies(world: World) -> set[bytes]:
    """Return the words of the conflict copies; after a death there may be two of one."""
    bodies = [file.read_bytes() for file in (world.state / "shelf").iterdir()]
    return {word for word in WRITTEN if any(word in body for body in bodies)}


@pytest.mark.parametrize("start", range(1, STRIDE + 1, max(1, STRIDE // 3)))
def test_a_death_at_any_step_loses_nothing_that_was_written(start: int) -> None:
    with scratch() as base:
        world = forbid(base)
        there = world.on_server()
        steps = world.die(0).steps
        come_to_rest(world)
        assert_at_rest(world)
        end = world.picture()
        assert (world.on_server(), conflict_copies(world), end.conflict_copies) == (there, WRITTEN, 3)
    for step in range(start, steps + 1, STRIDE):
        with scratch() as base:
            world = forbid(base)
            trace = world.die(step).trace
            come_to_rest(world)
            assert_at_rest(world)
            again = world.picture()
            kept = (again.folders, again.boxes, again.disk, again.server)
            assert kept == (end.folders, end.boxes, end.disk, end.server), trace[-1]
            assert conflict_copies(world) == WRITTEN
