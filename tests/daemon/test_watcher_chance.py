"""Folders made, renamed, swapped and removed at random while the watcher follows: in the end it watches what is there."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from tests.daemon.watcher_recorder import RecordedWatcher

pytestmark = pytest.mark.anyio
ACTS = 150


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def swap(one: Path, other: Path, between: Path) -> None:
    one.rename(between)
    other.rename(one)
    between.rename(other)


def act(root: Path, chance: random.Random) -> None:
    """Do one thing to the folders below a root."""
    folders = [Path(top) for top, _, _ in os.walk(root) if Path(top).name not in ("cur", "new", "tmp")]
    one, other = chance.choice(folders), chance.choice(folders)
    name = chance.choice("ABCD")
    match chance.randrange(8):
        case 0 | 1 | 2:
            for part in ("tmp", "new", "cur")[: chance.randrange(4)]:
                (one / name / part).mkdir(parents=True, exist_ok=True)
        case 3 | 4:
            one.rename(other / name)
        case 5 if one != root:
            shutil.rmtree(one)
        case 6 if one != root:
            shutil.copytree(one, root / name, dirs_exist_ok=True)
        case 7:
            swap(one, other, root / "between")


def watched(ear: RecordedWatcher) -> set[int]:
    """Return the inodes that the kernel watches for us, as it says itself (proc(5), fdinfo)."""
    kernel = ear.watcher._kernel
    assert kernel is not None
    lines = Path(f"/proc/self/fdinfo/{kernel._inotify_fd}").read_text().splitlines()
    return {int(line.split(" ino:")[1].split()[0], 16) for line in lines if line.startswith("inotify ")}


def worth_watching(root: Path) -> set[int]:
    found = set()
    for top, names, _ in os.walk(root):
        found.add(Path(top).stat().st_ino)
        names[:] = [] if Path(top).name in ("cur", "new") else [name for name in names if name != "tmp"]
    return found


@pytest.mark.parametrize("seed", range(8))
async def test_after_any_acts_on_folders_exactly_those_that_are_there_are_watched(tmp_path: Path, seed: int) -> None:
    root = tmp_path / "mail"
    root.mkdir()
    chance = random.Random(seed)

    def live() -> None:
        for _ in range(ACTS):
            with suppress(OSError):
                act(root, chance)

    async with RecordedWatcher(root) as ear:
        await asyncio.to_thread(live)
        await ear.silence()
        assert watched(ear) == worth_watching(root)
        assert ear.losses == []
