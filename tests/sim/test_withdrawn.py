"""A mailbox of somebody else that is withdrawn, at any step of a run that dies: nothing here is lost, nothing comes back there."""

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
STRIDE = 1 if NIGHT else 13
BOX = "Lists/python"
CALLS = ("Mailbox/changes", "Email/changes", "Email/get", "Mailbox/get", "Email/set", "Email/import")
STEPS = 40
"""More than a run has."""
MINE = b"[mine]"


def shared(base: Path) -> World:
    """Return a world of somebody else's account with much to do for the next run, in the mailbox that is withdrawn and outside."""
    world = World(base, TOLERANT)
    world.account.is_personal = False
    populate(world)
    world.account.deliver(local_letter("doomed"), [BOX])
    world.account.deliver(local_letter("kept"), [BOX])
    world.sync_until_quiet()
    world.drop(BOX, local_letter("mine"))
    world.flag(world.file(b"[kept]"), "FS")
    world.flag(world.file(b"[alpha]"), "FS")
    world.account.deliver(local_letter("fresh"), ["INBOX"])
    return world


def run_until_quiet(world: World) -> bool:
    """Run until nothing is written, and return whether the mailbox is reported as withdrawn then."""
    for _ in range(MOST_RUNS):
        report = world.sync()
        assert report.state is State.SYNCED, report.messages
        if not writes(report) and not report.folders.total:
            return bool(report.withdrawn)
    raise AssertionError("still writing")


def here(world: World) -> set[bytes]:
    """Return those of the words of the mailbox that are in files."""
    bodies = [file.read_bytes() for file in world.root.rglob("*") if file.is_file()]
    return {word for word in (b"[doomed]", b"[kept]", MINE) if any(word in body for body in bodies)}


@pytest.mark.parametrize("start", range(1, STRIDE + 1, max(1, STRIDE // 3)))
def test_a_mailbox_withdrawn_at_any_step_keeps_its_files_until_it_is_back(start: int) -> None:
    for step in range(start, STEPS, STRIDE):
        for times in (0, 1):  # before the run, or in the middle of it
            with scratch() as base:
                world = shared(base)
                doomed = world.email(b"[doomed]")
                only = {CALLS[step % len(CALLS)]} if times else ()
                world.server.faults.before_call.arm(partial(world.account.withdraw_mailbox, BOX), times=1, only=only)
                world.die(step)
                if world.server.faults.before_call.armed:  # the run did not make that call
                    world.server.faults.clear()
                    world.account.withdraw_mailbox(BOX)
                world.server.faults.clear()
                assert run_until_quiet(world)
                assert here(world) == {b"[doomed]", b"[kept]", MINE}
                world.account.destroy_withdrawn(BOX, doomed)
                world.account.share_mailbox(BOX)
                world.sync_until_quiet()
                assert_at_rest(world)
                assert here(world) == {b"[kept]", MINE}
                assert doomed not in world.account.emails
                assert any(MINE in world.account.raw(ref) for ref in world.account.emails)
