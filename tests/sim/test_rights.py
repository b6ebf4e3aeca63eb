"""Rights: a run that undoes what may not be done dies at every step, and nothing that a person wrote is lost."""

from __future__ import annotations

import os
from functools import partial
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
PLACES = ("INBOX", "Lists", "Lists/python")
CALLS = ("Mailbox/changes", "Email/import", "Email/set", "Mailbox/set", "Email/get")
STEPS = 50
"""More than a run has."""
RIGHTS = ("mayAddItems", "mayRemoveItems", "maySetSeen", "maySetKeywords", "mayCreateChild", "mayRename", "mayDelete")
FORBIDDEN = "which the server does not allow"


def forbid(base: Path) -> World:
    """Return a world in which everything was done to folders that allow nothing of it."""
    world = World(base, TOLERANT)
    populate(world)
    world.sync_until_quiet()
    for path in PLACES:
        world.account.set_rights(path, **dict.fromkeys(RIGHTS, False))
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
        problems = [one.why for one in report.problems if "the next run distinguishes them" not in one.why]
        assert (report.state, [why for why in problems if not why.endswith(FORBIDDEN)]) == (State.SYNCED, [])
        if not writes(report) and not report.folders.total:
            assert len(report.problems) == len(WRITTEN)
            return
    raise AssertionError("still writing")


def on_disk(world: World) -> set[bytes]:
    """Return the words of what was written here and is in a file."""
    bodies = [file.read_bytes() for file in world.root.rglob("*") if file.is_file()]
    return {word for word in WRITTEN if any(word in body for body in bodies)}


def set_rights(world: World, *, to: bool) -> None:
    """Allow everything in every mailbox, or nothing."""
    for ref in list(world.account.mailboxes):
        world.account.set_rights(ref, **dict.fromkeys(RIGHTS, to))


def allow(world: World) -> None:
    """Allow everything again, and fail unless all that was written here then is on the server."""
    set_rights(world, to=True)
    world.sync_until_quiet()
    assert_at_rest(world)
    bodies = [world.account.raw(ref) for ref in world.account.emails]
    assert {word for word in WRITTEN if any(word in body for body in bodies)} == WRITTEN


@pytest.mark.parametrize("start", range(1, STRIDE + 1, max(1, STRIDE // 3)))
def test_a_death_at_any_step_loses_nothing_that_was_written(start: int) -> None:
    with scratch() as base:
        world = forbid(base)
        there = world.on_server()
        steps = world.die(0).steps
        come_to_rest(world)
        end = world.picture()
        assert (world.on_server(), on_disk(world), end.conflict_copies) == (there, WRITTEN, 0)
        allow(world)
    for step in range(start, steps + 1, STRIDE):
        with scratch() as base:
            world = forbid(base)
            trace = world.die(step).trace
            come_to_rest(world)
            again = world.picture()
            kept = (again.folders, again.boxes, again.disk, again.server)
            assert kept == (end.folders, end.boxes, end.disk, end.server), trace[-1]
            assert on_disk(world) == WRITTEN
            allow(world)


@pytest.mark.parametrize("start", range(1, STRIDE + 1, max(1, STRIDE // 3)))
def test_rights_that_change_in_the_middle_of_a_run_lose_nothing(start: int) -> None:
    """Rights are taken away, or given back, before one of the calls of a run, which dies at one of its steps."""
    for step in range(start, STEPS, STRIDE):
        for allowed in (False, True):
            with scratch() as base:
                world = forbid(base)
                set_rights(world, to=not allowed)
                world.server.faults.before_call.arm(
                    partial(set_rights, world, to=allowed), times=1, only={CALLS[step % len(CALLS)]}
                )
                world.die(step)
                world.server.faults.clear()
                for _ in range(MOST_RUNS):
                    report = world.sync(full=True)
                    assert report.state is State.SYNCED
                    if not writes(report):
                        break
                bodies = [world.account.raw(ref) for ref in world.account.emails]
                there = {word for word in WRITTEN if any(word in body for body in bodies)}
                assert there | on_disk(world) == WRITTEN
                allow(world)
