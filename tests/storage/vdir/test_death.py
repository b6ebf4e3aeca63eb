"""Dying at every step of a batch: each file is the old one or the new one, nothing is lost, and the next run ends it."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import pytest

from jmapsync.planner.model import Verb, Version
from jmapsync.storage.files import atomic
from tests.kit.vdir_driver import VdirDriver, assert_silent, item
from tests.sim.fate import DiedError, Fate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jmapsync.storage.port import Job

OLD = {"kept": "old", "edited": "old", "spread": "old", "moved": "old", "gathered": "old", "removed": "old"}
FIRST = {"Work/kept", "Work/edited", "Work/spread", "Work/moved", "Work/gathered", "Home/gathered", "Work/removed"}
LAST = {
    *("Work/kept old", "Work/edited new", "Work/spread new", "Home/spread new", "Home/moved old"),
    *("Work/gathered new", "Home/created new", "Work/created new"),
}


def later() -> float:
    """Return the time of a second from now: every file has rested by then."""
    return time.time() + 1


def prepare(base: Path) -> tuple[VdirDriver, int, int]:
    room = VdirDriver(base, clock=later)
    work, home = room.folder("Work"), room.folder("Home")
    for uid in OLD:
        room.create(item(uid, "old"), *([work, home] if uid == "gathered" else [work]))
    room.to_create(item("created", "new"), [work, home])
    return room, work, home


def jobs_of(room: VdirDriver, work: int, home: int) -> list[Job]:
    """Return what is still to be done, as a plan would have it from what the ledger knows."""
    jobs = []
    wanted = {
        "edited": ("new", [work]),
        "spread": ("new", [work, home]),
        "moved": ("old", [home]),
        "gathered": ("new", [work]),
        "created": ("new", [work, home]),
    }
    for record in room.ledger.all("calendars"):
        title, homes = wanted.get(record.digest, ("", []))
        if record.local is None and title:
            jobs.append(room.to_create(item(record.digest, title), homes, key=record.key))
        elif record.local is not None and record.digest == "removed":
            jobs.append(room.to_delete(record.key))
        elif record.local is not None and title:
            same = room.codec.sense(item(record.digest, title)) == record.local.body
            jobs.append(
                room.to_update(record.key, homes) if same else room.to_replace(record.key, item(record.digest, title), homes)
            )
    return jobs


def files(room: VdirDriver) -> set[str]:
    return {
        f"{path.parent.name}/{content['uid']} {content['title']}"
        for path in room.root.glob("*/*.ics")
        for content in [room.codec.read(path.read_bytes())]
    }


def steps(base: Path) -> int:
    room, work, home = prepare(base)
    fate = Fate()
    with fate.over(room.root):
        room.side.write(jobs_of(room, work, home), room.ledger)
    room.ledger.close()
    return fate.steps


@pytest.mark.parametrize("exchange", [True, False])
def test_dying_at_any_step_leaves_old_or_new_and_the_next_run_ends_it(
    tmp_path: Path, exchange: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exchange:
        monkeypatch.setattr(atomic, "_RENAMEAT2", None)
    (tmp_path / "0").mkdir()
    count = steps(tmp_path / "0")
    assert count > 30, "not every change of the disk is a step"
    for number in range(1, count + 1):
        base = tmp_path / str(number)
        base.mkdir()
        room, work, home = prepare(base)
        fate = Fate(number)
        with fate.over(room.root), pytest.raises(DiedError):
            room.side.write(jobs_of(room, work, home), room.ledger)
        where = f"at step {number}: {fate.trace[-1]}"
        found = files(room)
        assert found <= {*(f"{place} old" for place in FIRST), *LAST}, where
        for uid in OLD.keys() - {"removed"}:
            assert any(entry.split("/")[1].startswith(uid) for entry in found), where
        room.enter()
        assert list(room.root.rglob("*.tmp")) == [], where
        seen = room.observe()
        assert (seen.problems, seen.suspicious) == ([], ""), where
        assert seen.gone == [] or [room.record(key).digest for key in seen.gone] == ["removed"], where
        room.write(*jobs_of(room, work, home))
        assert files(room) == LAST, where
        assert_silent(room)
        room.ledger.close()


@pytest.mark.parametrize("verb", [Verb.REPLACE, Verb.DELETE])
def test_what_is_saved_in_the_moment_of_death_is_found_again(tmp_path: Path, verb: Verb) -> None:
    """Somebody saves over a file right before one step, and the process dies at the next one: both at the worst time."""
    for number in range(1, 30):
        base = tmp_path / str(number)
        base.mkdir()
        room = VdirDriver(base, clock=later)
        work = room.folder("Work")
        key = room.create(item("one", "old"), work)
        [path] = room.paths(key)
        saved = room.codec.write(item("one", "saved"))
        job = room.to_delete(key) if verb is Verb.DELETE else room.to_replace(key, item("one", "new"))

        def save(path: Path = path, saved: bytes = saved) -> None:
            path.with_name("editing").write_bytes(saved)
            path.with_name("editing").rename(path)

        fate = Fate(number + 1, slips={number: save})
        with contextlib.suppress(DiedError), fate.over(room.root):
            room.side.write([job], room.ledger)
        room.enter()
        contents = [file.read_bytes() for file in room.directory(work).glob("*.ics")]
        assert saved in contents or fate.slips, fate.trace
        room.ledger.close()
        if fate.slips:
            return
    pytest.fail("it never came to its end")


ACTS: dict[str, Callable[[VdirDriver], object]] = {
    "make": lambda room: room.folder("New", "#00FF00"),
    "rename": lambda room: room.write_folder(folder_key(room), Verb.REPLACE, version("Renamed", "#FF0000")),
    "colour": lambda room: room.write_folder(folder_key(room), Verb.UPDATE, version("Old", "#0000FF")),
    "remove": lambda room: room.write_folder(folder_key(room), Verb.DELETE, None),
}


def version(name: str, color: str) -> Version:
    return Version(name, name, tags=frozenset({color}))


def folder_key(room: VdirDriver) -> int:
    return min(room.side.tree.paths)


@pytest.mark.parametrize("act", ACTS)
def test_dying_while_a_collection_changes_leaves_the_old_or_the_new_one(tmp_path: Path, act: str) -> None:
    for number in range(1, 60):
        base = tmp_path / str(number)
        base.mkdir()
        room = VdirDriver(base, clock=later)
        room.folder("Old", "#FF0000", ref="C0")
        fate = Fate(number)
        with contextlib.suppress(DiedError), fate.over(room.root):
            ACTS[act](room)
        room.enter()
        shown = {(folder.ref, folder.name, folder.color) for folder in room.observe_folders()}
        old, new = ("Old", "Old", "#FF0000"), ("New", "New", "#00FF00")
        allowed = {
            "make": [{old}, {old, new}],
            "rename": [{old}, {("Old", "Renamed", "#FF0000")}],
            "colour": [{old}, {("Old", "Old", "#0000FF")}],
            "remove": [{old}, {("Old", "Old", "")}, set()],
        }[act]
        assert shown in allowed, fate.trace
        assert list(room.root.rglob("*.tmp")) == []
        room.ledger.close()
        if not fate.dead:
            assert shown == allowed[-1]
            return
    pytest.fail("it never came to its end")
