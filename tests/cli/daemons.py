"""Run `jmapsync run` as a real process, receive what it notifies its service manager of, and wait for what it does."""

from __future__ import annotations

import signal
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.cli.conftest import PROGRAM, SECRET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Home

PATIENCE = 90.0
"""Seconds until what should come is missed; a busy machine needs many."""
PROMPT = 25.0
"""Seconds within which a daemon has to end, less than anything lasts that holds one up in these tests."""
QUIET = '[daemon]\npoll = "1h"\nsettle = "200ms"\n'
"""A daemon that does nothing by time, so that what happens was caused by what the test does."""


def wait_for(what: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Return once something holds; fail if it does not in time."""
    limit = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < limit, "It did not come about in time."
        time.sleep(0.01)


@dataclass
class Daemon:
    """A daemon under test."""

    process: subprocess.Popen[bytes]
    log_file: Path
    reported: list[str] = field(default_factory=list)
    """The lines for the service manager so far, in order."""

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def listen(self, ear: socket.socket) -> None:
        """Receive notifications; a daemon whose socket nobody reads blocks."""
        while lines := ear.recv(4096).decode().splitlines():
            self.reported += lines

    def notified(self, line: str) -> bool:
        return any(one.startswith(line) for one in self.reported)

    @property
    def status(self) -> str:
        """The status line."""
        return next((line.removeprefix("STATUS=") for line in reversed(self.reported) if line.startswith("STATUS=")), "")

    def wait_until_ready(self) -> None:
        wait_for(lambda: self.notified("READY=1") or self.process.poll() is not None)
        assert self.process.poll() is None, self.log

    def wait_for_log(self, words: str, *, times: int = 1, seconds: float = PATIENCE) -> None:
        wait_for(lambda: self.log.count(words) >= times, seconds)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> float:
        """Ask it to end, and return how many seconds that took."""
        began = time.monotonic()
        self.send(signal.SIGTERM)
        assert self.process.wait(PATIENCE) == 0, self.log
        return time.monotonic() - began


@contextmanager
def running(
    home: Home,
    *arguments: str,
    ready: bool = True,
    environment: dict[str, str] | None = None,
    where: Callable[..., list[str]] = lambda *command: list(command),
) -> Iterator[Daemon]:
    """Run a daemon that is ready; it has to end well, without a fault of ours and without the secret in its log.

    `where` makes of a command one that runs it somewhere else.
    """
    number = len(list(home.path.glob("daemon-*.log")))
    reported, log = home.path / f"reported-{number}", home.path / f"daemon-{number}.log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear, log.open("wb") as file:
        ear.bind(str(reported))
        process = subprocess.Popen(
            where(*PROGRAM, "run", *arguments),
            env=home.environment() | {"NOTIFY_SOCKET": str(reported)} | (environment or {}),
            cwd=home.path,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
        daemon = Daemon(process, log)
        listening = threading.Thread(target=daemon.listen, args=(ear,), daemon=True)
        listening.start()
        try:
            if ready:
                daemon.wait_until_ready()
            yield daemon
            if process.poll() is None:
                assert daemon.end() < PROMPT
        except BaseException as error:
            error.add_note(f"status: {daemon.status}\nits log:\n{daemon.log}")
            raise
        finally:
            process.kill()
            process.wait()
            ear.shutdown(socket.SHUT_RDWR)
            listening.join()
        assert "Traceback" not in daemon.log, daemon.log
        assert SECRET not in daemon.log
        assert not list(home.path.rglob("crash-*.txt")), [file.read_text() for file in home.path.rglob("crash-*.txt")]
