"""Measure how fast a change gets to the other side while the daemon runs: `python -m tests.bench.latency [--trials N]`.

Server to file: from the moment before the server's account changes until the directory shows it. File to server: from the moment
before the rename until the server's account has changed. Requests are counted afterwards, so that an echo would be seen.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.daemon import daemon, far_server, say

if TYPE_CHECKING:
    from tests.bench.daemon import Far

MESSAGES = 1_000
DEBOUNCE = 0.1


def summarise(what: str, taken: list[float], requests: int) -> None:
    """Print the spread of some times in seconds, and the requests that went with them."""
    ordered = sorted(1000 * seconds for seconds in taken)
    rare = ordered[len(ordered) * 99 // 100]
    say(
        f"{what}, {len(ordered)} trials: median {statistics.median(ordered):.1f} ms, 99 % {rare:.1f} ms, "
        f"most {ordered[-1]:.1f} ms; {requests / len(ordered):.2f} requests a trial"
    )


def touched(folders: list[Path]) -> tuple[int, ...]:
    """Return when entries of some directories last changed."""
    return tuple(os.stat(folder).st_mtime_ns for folder in folders)


def await_touch(folders: list[Path], before: tuple[int, ...]) -> float:
    """Wait until a directory changes, and return when that was seen."""
    limit = time.monotonic() + 60
    while touched(folders) == before:
        if time.monotonic() > limit:
            raise TimeoutError("No change reached the disk.")
        time.sleep(0.001)
    return time.monotonic()


def to_disk(server: Far, inbox: Path, trials: int, rest: float) -> None:
    """Change the server's account: every other time a new message, then a flag on it."""
    folders = [inbox / "new", inbox / "cur"]
    taken: list[float] = []
    before, email = server.requests(), ""
    for number in range(trials):
        shown = touched(folders)
        if number % 2 == 0:
            began, email = server.deliver(number)
        else:
            began = server.mark(email, flagged=True)
        taken.append(await_touch(folders, shown) - began)
        time.sleep(rest * random.uniform(1, 1.5))  # so that no trial is in step with the daemon
    time.sleep(2 * rest + 1)
    summarise("server to file", taken, server.requests() - before)


def to_server(server: Far, inbox: Path, trials: int, rest: float) -> None:
    """Change flags on the disk; return the seconds it took beyond the debounce time."""
    file = min((inbox / "cur").iterdir())
    base = file.name.partition(":2,")[0]
    taken: list[float] = []
    before = server.requests()
    for number in range(trials):
        target = inbox / "cur" / f"{base}:2,{'R' if number % 2 else 'FR'}"
        began = time.monotonic()
        file.rename(target)
        file = target
        taken.append(server.changed_after(began) - began - DEBOUNCE)
        time.sleep(rest * random.uniform(1, 1.5))
    time.sleep(2 * rest + 1)
    summarise(f"file to server beyond settle ({1000 * DEBOUNCE:g} ms)", taken, server.requests() - before)


def main() -> None:
    """Measure both ways on an account of a thousand messages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1_000)
    parser.add_argument("--messages", type=int, default=MESSAGES)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, far_server(wanted.messages) as server:
        settings = f'poll = "1h"\nsettle = "{1000 * DEBOUNCE:g}ms"'
        with daemon(Path(home), server.url, settings) as running:
            say(f"{wanted.messages} messages mirrored, ready after {running.seconds:.1f} s")
            time.sleep(3)
            inbox = running.mail / "INBOX"
            cpu = running.cpu()
            to_disk(server, inbox, wanted.trials, 2 * DEBOUNCE)
            middle = running.cpu()
            to_server(server, inbox, wanted.trials, 2 * DEBOUNCE)
            spent = [1000 * seconds / wanted.trials for seconds in (middle - cpu, running.cpu() - middle)]
            say(f"processor time of the daemon: {spent[0]:.1f} ms a trial to the disk, {spent[1]:.1f} ms a trial to the server")


if __name__ == "__main__":
    main()
