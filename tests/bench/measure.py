"""Run one program and say what it cost."""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Cost:
    """Seconds of wall clock and of CPU (user and system, children waited for included), and the program's own peak
    of resident memory in megabytes (10^6 bytes).
    """

    wall: float
    cpu: float
    peak: float

    def __str__(self) -> str:
        return f"{self.wall:.2f} s, {self.cpu:.2f} s of CPU, peak {self.peak:.0f} MB"


class ProgramError(Exception):
    """The program failed; the message ends with what it printed."""


def measure(command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> Cost:
    """Run a program to its end, its output going to `log`; raise ProgramError unless it exits with 0."""
    with log.open("wb") as output:
        started = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment)
        try:
            peak = _watch(process.pid)
            wall = time.monotonic() - started
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise ProgramError(f"{command[0]} exited with {process.returncode}: {log.read_text(errors='replace')[-2000:]}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, peak)


def _watch(pid: int) -> float:
    """Wait for a process to end, leave it to be reaped, and return its peak resident memory in megabytes.

    The kernel's ru_maxrss will not do: it starts from what our own process had when it forked.
    """
    peak = 0.0
    descriptor = os.pidfd_open(pid)
    try:
        while not select.select([descriptor], [], [], 0.01)[0]:
            found = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace"))
            peak = max(peak, int(found[1]) * 1024 / 1e6) if found else peak
    finally:
        os.close(descriptor)
    return peak
