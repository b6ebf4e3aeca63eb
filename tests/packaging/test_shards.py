"""Test the script by which a pod of Kubernetes finds its accounts: each is in one shard, and few move when shards are added."""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

SCRIPT = Path(__file__).parents[2] / "docs/deploy/kubernetes/base/shard.py"
NAMES = [f"user{number}@example.com" for number in range(1000)]
PLACES = runpy.run_path(str(SCRIPT), run_name="shard")
shard_of: Callable[[str, int], int] = PLACES["shard_of"]
this_shard: Callable[[str, int], int] = PLACES["this_shard"]


@pytest.mark.parametrize("shards", [1, 2, 3, 4, 10, 64])
def test_each_account_is_in_one_shard_and_the_shards_are_of_similar_size(shards: int) -> None:
    places = [shard_of(name, shards) for name in NAMES]
    sizes = [places.count(shard) for shard in range(shards)]
    assert sum(sizes) == len(NAMES)
    assert max(sizes) < 2.2 * len(NAMES) / shards


def test_the_places_are_fixed_for_ever() -> None:
    assert [shard_of(name, 4) for name in ("home", "work", "alice", "bob", "büro", "")] == [2, 0, 3, 0, 2, 3]


@pytest.mark.parametrize("shards", [1, 2, 4, 7])
def test_another_shard_takes_only_what_it_gets(shards: int) -> None:
    moved = {shard_of(name, shards + 1) for name in NAMES if shard_of(name, shards) != shard_of(name, shards + 1)}
    assert moved == {shards}


@pytest.mark.parametrize(("value", "number"), [("0", 0), ("3", 3), ("jmapsync-2", 2), ("my-set-0", 0)])
def test_a_pod_knows_its_shard(value: str, number: int) -> None:
    assert this_shard(value, 4) == number


@pytest.mark.parametrize("value", ["", "4", "jmapsync-4", "jmapsync", "-"])
def test_what_is_no_shard_is_an_error(value: str) -> None:
    with pytest.raises(ValueError, match=r"shard|literal"):
        this_shard(value, 4)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A jmapsync that has three accounts and notes how it was called."""
    program = tmp_path / "bin/jmapsync"
    program.parent.mkdir()
    listed = '{"accounts": {"alice": {}, "bob": {}, "carol": {}, "team": {"shared": {}}}}'
    program.write_text(f"#!/bin/sh\nif [ $1 = accounts ]; then echo '{listed}'; else echo $* >>calls; fi\n")
    program.chmod(0o755)
    return program


def _start(program: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    path = f"{program.parent}:{os.environ['PATH']}"
    return subprocess.Popen(
        [sys.executable, SCRIPT, *arguments],
        cwd=program.parent,
        env={"PATH": path, **environment},
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_pods_of_a_job_synchronize_all_accounts_once(program: Path) -> None:
    for index in range(3):
        process = _start(program, "sync", "--full", SHARDS="3", JOB_COMPLETION_INDEX=str(index))
        process.communicate(timeout=60)
        assert process.returncode == 0
    calls = (program.parent / "calls").read_text().splitlines()
    assert all(call.startswith("sync --full ") for call in calls)
    assert sorted(name for call in calls for name in call.split()[2:]) == ["alice", "bob", "carol"]


def test_a_daemon_without_accounts_waits_for_its_end_and_takes_no_others(program: Path) -> None:
    empty = next(shard for shard in range(40) if shard not in {shard_of(name, 40) for name in ("alice", "bob", "carol")})
    process = _start(program, "run", SHARDS="40", SHARD=f"jmapsync-{empty}")
    assert process.stderr is not None
    assert process.stderr.readline() == f"shard {empty} of 40: 0 accounts\n"
    time.sleep(0.2)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    process.stderr.close()
    assert not (program.parent / "calls").exists()


def test_an_account_that_cannot_be_listed_ends_the_pod(program: Path) -> None:
    program.write_text("#!/bin/sh\nexit 2\n")
    process = _start(program, "run", SHARDS="1", SHARD="jmapsync-0")
    process.communicate(timeout=60)
    assert process.returncode != 0
