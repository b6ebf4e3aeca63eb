"""Measure what the daemon costs in the long run: `python -m tests.bench.soak [--messages N] [--minutes M] [--cycles N]`.

First it is left alone over a large account, with the settings that it has by default; then a small account changes many times.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from tests.bench.daemon import daemon, far_server, say
from tests.bench.latency import await_touch, touched

SMALL = 100
STEPS = 10
CALM_SECONDS = 10.0
"""Seconds for what is still to be done after the first run."""


def idle(messages: int, minutes: float) -> None:
    """Print what it costs when nothing happens."""
    with tempfile.TemporaryDirectory() as home, far_server(messages) as server:
        with daemon(Path(home), server.url, "") as running:
            say(
                f"{messages} messages mirrored and ready after {running.seconds:.0f} s, {running.cpu():.0f} s of processor time, "
                f"{running.resident('VmHWM'):.0f} MB at most"
            )
            time.sleep(CALM_SECONDS)
        with daemon(Path(home), server.url, "") as running:
            say(
                f"started anew: ready after {running.seconds:.1f} s, {running.cpu():.1f} s of processor time, "
                f"{running.resident('VmHWM'):.0f} MB at most"
            )
            time.sleep(CALM_SECONDS)
            requests, cpu, memory, began = server.requests(), running.cpu(), running.resident(), time.monotonic()
            time.sleep(60 * minutes)
            spent, passed = running.cpu() - cpu, time.monotonic() - began
            say(
                f"idle for {passed / 60:.1f} minutes: {server.requests() - requests} requests, {spent:.2f} s of processor time "
                f"({100 * spent / passed:.3f} % of a core), {running.resident():.1f} MB ({running.resident() - memory:+.1f})"
            )


def cycle(cycles: int) -> None:
    """Print how memory grows over many cycles."""
    with (
        tempfile.TemporaryDirectory() as home,
        far_server(SMALL) as server,
        daemon(Path(home), server.url, 'settle = "100ms"') as running,
    ):
        folders = [running.mail / "INBOX/new", running.mail / "INBOX/cur"]
        shown = touched(folders)
        _, email = server.deliver(0)
        await_touch(folders, shown)
        began, cpu = time.monotonic(), running.cpu()
        for number in range(cycles):
            if number % (cycles // STEPS) == 0:
                say(f"after {number} cycles: {running.resident():.1f} MB")
            shown = touched(folders)
            server.mark(email, flagged=number % 2 == 0)
            await_touch(folders, shown)
            time.sleep(0.005)  # the clock of files goes in steps of 4 ms
        say(
            f"after {cycles} cycles: {running.resident():.1f} MB; {(time.monotonic() - began) * 1000 / cycles:.1f} ms and "
            f"{(running.cpu() - cpu) * 1000 / cycles:.1f} ms of processor time a cycle"
        )


def main() -> None:
    """Leave the daemon alone, then trouble it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--cycles", type=int, default=10_000)
    wanted = parser.parse_args()
    if wanted.minutes:
        idle(wanted.messages, wanted.minutes)
    if wanted.cycles:
        cycle(wanted.cycles)


if __name__ == "__main__":
    main()
