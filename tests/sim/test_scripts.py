"""Sieve scripts: worlds at random, deaths at any step, on servers of several kinds."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.sim.fate import DiedError, Fate
from tests.sim.scripts import DIALECTS, WORD, ScriptWorld, Somebody
from tests.sim.world import scratch

if TYPE_CHECKING:
    from pathlib import Path

NIGHT = os.environ.get("JMAPSYNC_SIM") == "night"
SEEDS = range(int(os.environ.get("JMAPSYNC_SEEDS", "200")) if NIGHT else 2)
FIRST = int(os.environ.get("JMAPSYNC_SEED", "0"))
STRIDE = 1 if NIGHT else 23
ACTS = 6


def begin(base: Path, dialect: str) -> ScriptWorld:
    """Return a world in which both sides agreed once, and then both did everything that they can."""
    world = ScriptWorld(base, dialect)
    store = world.store
    for name in ("active", "edited", "theirs", "gone"):
        store.add(name, f"# {name}\r\nkeep;\r\n", active=name == "active")
    world.sync_until_quiet()
    (world.root / "edited.sieve").write_bytes(b"# edited here\nstop;\n")
    store.rename("edited", "renamed")
    store.edit("theirs", "# theirs\r\nstop;\r\n")
    (world.root / "theirs.sieve").write_bytes(b"# mine\nstop;\n")
    (world.root / "gone.sieve").unlink()
    (world.root / "new.sieve").write_bytes(b"# new\nstop;\n")
    (world.root / "active").unlink()
    (world.root / "active").symlink_to("new.sieve")
    (world.root / "active.sieve").rename(world.root / "former.sieve")
    return world


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_death_at_any_step_changes_no_end(dialect: str) -> None:
    with scratch() as base:
        world = begin(base, dialect)
        fate = Fate()
        world.sync(fate)
        world.sync_until_quiet()
        world.assert_same()
        expected, most = world.picture(), fate.steps
        assert (set(world.files), world.link) == ({"former", "renamed", "theirs", "new"}, "new")
        assert world.conflict_copies() == [b"# mine\r\nstop;\r\n"]
    for step in range(1 + DIALECTS.index(dialect) * STRIDE // 4, most + 1, STRIDE):
        with scratch() as base:
            world = begin(base, dialect)
            fate = Fate(step)
            with pytest.raises(DiedError):
                world.sync(fate)
            world.sync_until_quiet()
            assert world.picture() == expected, f"died at {step}, {fate.trace[-1]}"
            assert set(world.conflict_copies()) == {b"# mine\r\nstop;\r\n"}, f"died at {step}, {fate.trace[-1]}"
            assert (world.sync().to_server.total, world.requests) == (0, 1)


EXCHANGED = {"a": "b", "b": "a", "c": "d", "d": "e", "e": "c", "f": "g", "g": "", "h": "H"}
"""What becomes of the names of scripts; an empty one is deleted."""


def begin_exchange(base: Path, dialect: str, side: str) -> ScriptWorld:
    """Return a world in which names were exchanged on a side, once both sides had agreed."""
    world = ScriptWorld(base, dialect)
    store = world.store
    for name in EXCHANGED:
        store.add(name, f"# {name}\r\nkeep;\r\n", active=name == "a")
    world.sync_until_quiet()
    if side == "there":
        for name, new in EXCHANGED.items():
            store.rename(name, f"{name} moving") if new else store.delete(name)
        for name, new in EXCHANGED.items():
            if new:
                store.rename(f"{name} moving", new)
        return world
    files = {name: world.root / f"{name}.sieve" for name in EXCHANGED}
    for name, file in files.items():
        file.rename(world.root / f"{name}.moving") if EXCHANGED[name] else file.unlink()
    for name, new in EXCHANGED.items():
        if new:
            (world.root / f"{name}.moving").rename(world.root / f"{new}.sieve")
    if side == "edited here":
        (world.root / "a.sieve").write_text("# b, edited\nkeep;\n")  # what the link leads to now
        return world
    (world.root / "active").unlink()
    (world.root / "active").symlink_to("b.sieve")
    return world


@pytest.mark.parametrize(
    ("dialect", "side"),
    [
        *((dialect, side) for dialect in DIALECTS for side in ("here", "there")),
        # An edit of a renamed file is a new script, and Cyrus has no room for more than five.
        *((dialect, "edited here") for dialect in DIALECTS if not dialect.startswith("cyrus")),
    ],
)
def test_a_death_in_an_exchange_of_names_changes_no_end_and_switches_nothing(dialect: str, side: str) -> None:
    scripts = {new: f"# {name}\r\nkeep;\r\n".encode() for name, new in EXCHANGED.items() if new}
    scripts |= {"a": b"# b, edited\r\nkeep;\r\n"} if side == "edited here" else {}
    active = "a" if side == "edited here" else "b"
    with scratch() as base:
        world = begin_exchange(base, dialect, side)
        fate = Fate()
        world.sync(fate)
        most = fate.steps
    for step in range(1 + DIALECTS.index(dialect) * STRIDE // 4, most + 1, STRIDE):
        with scratch() as base:
            world = begin_exchange(base, dialect, side)
            switched = world.watch_active()
            fate = Fate(step)
            with pytest.raises(DiedError):
                world.sync(fate)
            died = f"died at {step}, {fate.trace[-1]}"
            world.sync_until_quiet()
            assert (world.files, world.link) == (scripts, active), died
            assert (world.store.listing(), world.store.active_name) == (scripts, active), died
            ids = {world.store.script("a").id} if side == "edited here" else set()
            assert (world.leftovers(), world.conflict_copies(), set(switched)) == ([], [], ids), died


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("exchanges", [False, True])
def test_acts_on_both_sides_and_deaths_lose_nothing(dialect: str, seed: int, exchanges: bool) -> None:
    with scratch() as base:
        world = ScriptWorld(base, dialect)
        somebody = Somebody(world, FIRST + seed, exchanges=exchanges)
        somebody.populate()
        world.sync_until_quiet()
        for _ in range(3):
            for _ in range(somebody.chance.randrange(1, ACTS)):
                somebody.act()
            try:
                world.sync(Fate(somebody.chance.randrange(1, 400)))
            except DiedError:
                somebody.acts.append("died")
        world.sync()
        somebody.fix_link()
        world.sync_until_quiet(allow_deletes=True)
        world.assert_same()
        assert world.leftovers() == []
        held = [*world.files.values(), *world.conflict_copies()]
        kept = {word for data in held for word in WORD.findall(data.decode())}
        assert somebody.safe <= kept, (somebody.safe - kept, somebody.acts)
