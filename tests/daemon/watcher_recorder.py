"""Record the hints of a watcher: in this process, or in one of its own that lives under other limits and mounts.

`python -m tests.daemon.watcher_recorder SECONDS ROOT...` watches, and prints a line of JSON for all hints and for each new state.
"""

from __future__ import annotations

import asyncio
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from jmapsync.daemon.watch.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

PATIENCE = 60.0
"""Seconds until what should come is missed."""
SILENCE = 0.12
"""Seconds without a word that count as silence; a hint takes a thousandth of a second."""


def make_maildir(folder: Path) -> None:
    for part in ("tmp", "new", "cur"):
        (folder / part).mkdir(parents=True)


class RecordedWatcher:
    """A watcher in this loop, and what it reported."""

    def __init__(self, *roots: Path, poll_seconds: float = 0.03) -> None:
        self.reported: list[Path | str] = []
        self._new = asyncio.Event()
        self.watcher = Watcher(roots, self._hear, self._hear, poll_seconds=poll_seconds)

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.watcher.start)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.watcher.stop()

    def _hear(self, what: Path | str) -> None:
        self.reported.append(what)
        self._new.set()

    async def wait_for(self, *folders: Path) -> None:
        """Wait until each folder was reported, and forget all reports."""
        async with asyncio.timeout(PATIENCE):
            while not set(folders) <= set(self.reported):
                await self._next()
        self.reported.clear()

    async def loss(self) -> str:
        """Wait until a full scan is asked for, forget all reports, and return why."""
        async with asyncio.timeout(PATIENCE):
            while not self.losses:
                await self._next()
        why = self.losses[0]
        self.reported.clear()
        return why

    @property
    def losses(self) -> list[str]:
        """Why full scans were asked for."""
        return [what for what in self.reported if isinstance(what, str)]

    async def silence(self) -> list[Path | str]:
        """Wait until nothing more is reported; return the reports and forget them."""
        while True:
            try:
                await asyncio.wait_for(self._next(), SILENCE)
            except TimeoutError:
                break
        reported = list(dict.fromkeys(self.reported))
        self.reported.clear()
        return reported

    async def _next(self) -> None:
        self._new.clear()
        await self._new.wait()


class FarEar:
    """A watcher in a process with a user and a mount namespace of its own: what is mounted and limited there is so only there."""

    def __init__(self, *roots: Path, setup: str = ":", through: Sequence[str] = ()) -> None:
        """Run shell commands there first; `through` is a program, with arguments, that starts the watcher."""
        watch = [*through, sys.executable, "-W", "error", "-m", "tests.daemon.watcher_recorder", "0.03", *map(os.fspath, roots)]
        shell = ["sh", "-ec", f'{setup}\nexec "$@"', "sh", *watch]
        command = ["unshare", "--user", "--map-root-user", "--mount", "--", *shell]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._lines: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.state = self.wait_for("state")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        assert code == 0 or kind is not None, f"The watcher ended with {code}."

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(json.loads(line))

    def run(self, *command: str | os.PathLike[str]) -> None:
        """Run a program where the watcher lives."""
        there = ("nsenter", f"--target={self.process.pid}", "--user", "--mount", "--preserve-credentials", "--wd=/", "--")
        subprocess.run([*there, *command], check=True, timeout=PATIENCE)

    def path(self, path: Path) -> Path:
        """Return a path by which this process reaches what the watcher sees at another one."""
        return Path(f"/proc/{self.process.pid}/root{path}")

    def wait_for(self, kind: str, text: str = "") -> str:
        """Wait for a line of a kind, `changed`, `lost` or `state`, that has some text in it, and return it."""
        until = time.monotonic() + PATIENCE
        others: list[list[str]] = []
        while True:
            try:
                line = self._lines.get(timeout=max(until - time.monotonic(), 0.01))
            except queue.Empty:
                raise TimeoutError(f"No {kind} {text!r} was told, but {others}.") from None
            if line[0] == kind and text in line[1]:
                return line[1]
            others.append(line)

    def silence(self) -> list[list[str]]:
        """Wait until nothing more is reported; return the reports."""
        reported: list[list[str]] = []
        while True:
            try:
                reported.append(self._lines.get(timeout=2 * SILENCE))
            except queue.Empty:
                return reported


async def watch(seconds: float, roots: list[Path]) -> None:
    """Watch until SIGTERM."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)

    def report(kind: str, text: str) -> None:
        sys.stdout.write(json.dumps([kind, text]) + "\n")
        sys.stdout.flush()

    def lose(why: str) -> None:
        report("lost", why)
        report("state", f"{watcher.state.mode}: {watcher.state.why}")

    watcher = Watcher(roots, lambda folder: report("changed", os.fspath(folder)), lose, poll_seconds=seconds)
    watcher.start()
    report("state", f"{watcher.state.mode}: {watcher.state.why}")
    await ended.wait()
    watcher.stop()


if __name__ == "__main__":
    asyncio.run(watch(float(sys.argv[1]), [Path(root) for root in sys.argv[2:]]))
