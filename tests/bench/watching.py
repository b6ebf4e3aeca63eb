"""Measure the watcher: `python -m tests.bench.watching` prints latency, the cost of bursts, and what it costs to be idle."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from jmapsync.daemon.watch.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDERS = 10
FILES = 100_000
TRIALS = 1_000
BURST = 10_000
IDLE_SECONDS = 30.0


def say(line: str) -> None:
    """Print a result."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def resident() -> int:
    """Return this process's resident memory in KiB."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize() // 1024


def fill(root: Path) -> list[Path]:
    """Make Maildirs with empty files, and return their paths."""
    folders = [root / f"folder{number}" for number in range(FOLDERS)]
    for folder in folders:
        for part in ("cur", "new", "tmp"):
            (folder / part).mkdir(parents=True)
    for number in range(FILES):
        os.close(os.open(folders[number % FOLDERS] / "cur" / f"{number}.x.host:2,S", os.O_CREAT | os.O_WRONLY))
    return folders


class Counter:
    """What the watcher reported."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.hints = 0
        self.lost: list[str] = []
        self.reported = asyncio.Event()

    def changed(self, folder: Path) -> None:
        """Count a hint."""
        self.hints += 1
        self.reported.set()

    def whole(self, why: str) -> None:
        """Keep the reason for a full scan."""
        self.lost.append(why)
        self.reported.set()


async def quiet(counter: Counter, seconds: float = 0.3) -> None:
    """Wait until nothing has been reported for some time."""
    counter.reported.clear()
    while True:
        try:
            await asyncio.wait_for(counter.reported.wait(), seconds)
        except TimeoutError:
            return
        counter.reported.clear()


async def latency(counter: Counter, folder: Path) -> None:
    """Print how long a rename takes to become a hint."""
    taken: list[float] = []
    name = folder / "cur" / "0.x.host:2,S"
    for number in range(TRIALS):
        await asyncio.sleep(0.03)
        counter.reported.clear()
        target = folder / "cur" / ("0.x.host:2,FS" if number % 2 == 0 else "0.x.host:2,S")
        started = time.perf_counter()
        name.rename(target)
        await counter.reported.wait()
        taken.append((time.perf_counter() - started) * 1000)
        name = target
    taken.sort()
    say(
        f"rename to hint, {TRIALS} trials: median {statistics.median(taken):.2f} ms, "
        f"99 % {taken[TRIALS * 99 // 100]:.2f} ms, most {taken[-1]:.2f} ms"
    )


async def burst(counter: Counter, name: str, act: Callable[[], None]) -> None:
    """Print what a burst costs this process; the files are changed in another one."""
    await quiet(counter)
    counter.hints = 0
    before, started = time.process_time(), time.perf_counter()
    calls = 0
    loop = asyncio.get_running_loop()
    original = loop.call_soon_threadsafe

    def count(*args: object, **named: object) -> object:
        nonlocal calls
        calls += 1
        return original(*args, **named)  # type: ignore[arg-type]

    loop.call_soon_threadsafe = count  # type: ignore[assignment,method-assign]
    child = multiprocessing.get_context("fork").Process(target=act)
    child.start()
    while child.is_alive():  # noqa: ASYNC110  # the loop is not notified of its end without a call into it
        await asyncio.sleep(0.01)
    await quiet(counter)
    loop.call_soon_threadsafe = original  # type: ignore[method-assign]
    say(
        f"{name}: {time.process_time() - before:.3f} s of CPU in {time.perf_counter() - started - 0.3:.2f} s, "
        f"{counter.hints} hints, {calls} calls into the loop, lost {counter.lost}, {resident()} KiB resident"
    )


async def measure(root: Path) -> None:
    """Print all measurements."""
    folders = fill(root)
    before = resident()
    counter = Counter()
    watcher = Watcher([root], counter.changed, counter.whole)
    started = time.perf_counter()
    watcher.start()
    say(f"start: {(time.perf_counter() - started) * 1000:.1f} ms, {resident() - before} KiB more resident; {watcher.state}")
    files = [path for folder in folders for path in (folder / "cur").iterdir()][:BURST]

    def touch() -> None:
        for path in files:
            with path.open("a"):
                os.utime(path)

    def flag() -> None:
        for path in files:
            path.rename(f"{path}F")

    await latency(counter, folders[0])
    files = [path for folder in folders for path in (folder / "cur").iterdir()][:BURST]
    await burst(counter, f"{BURST} files touched", touch)
    await burst(counter, f"{BURST} files renamed", flag)
    await quiet(counter)
    cpu, calls = time.process_time(), counter.hints
    await asyncio.sleep(IDLE_SECONDS)
    share = (time.process_time() - cpu) / IDLE_SECONDS * 100
    say(f"idle {IDLE_SECONDS:g} s: {share:.4f} % of a core, {counter.hints - calls} hints, {resident()} KiB resident")
    watcher.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as place:
        asyncio.run(measure(Path(place)))
