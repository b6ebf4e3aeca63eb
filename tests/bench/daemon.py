"""Run the daemon as it is run in earnest, a process of its own beside an embedded server in another, and read what it costs."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jmapsync.demo import DemoServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection
    from pathlib import Path

PROGRAM = [sys.executable, "-c", "from jmapsync.cli import main; main()"]
START_SECONDS = 1_800.0
STOP_SECONDS = 10.0
_TICK = os.sysconf("SC_CLK_TCK")


def say(line: str) -> None:
    """Print a result."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class Far:
    """A server in another process, and what can be done to its account; times are of CLOCK_MONOTONIC, which is one for all."""

    def __init__(self, pipe: Connection) -> None:
        """Wait until it answers."""
        self._pipe = pipe
        self.url: str = pipe.recv()

    def ask(self, order: str, *arguments: Any) -> Any:  # noqa: ANN401 - what the order answers
        """Have an order carried out and return its answer."""
        self._pipe.send((order, arguments))
        return self._pipe.recv()

    def deliver(self, number: int) -> tuple[float, str]:
        """Deliver a message; return when that began, and its id."""
        began, email = self.ask("deliver", number)
        return began, email

    def mark(self, email: str, *, flagged: bool) -> float:
        """Flag an email or take the flag away; return when that began."""
        began: float = self.ask("mark", email, flagged)
        return began

    def changed_after(self, moment: float) -> float:
        """Wait for the first change of the account after a moment, and return when it was."""
        found: float = self.ask("changed", moment)
        return found

    def requests(self) -> int:
        """Return how many HTTP requests there were so far, push connections among them."""
        count: int = self.ask("requests")
        return count


def _serve(pipe: Connection, messages: int) -> None:
    changes: list[float] = []
    with DemoServer() as server:
        server.account.populate(messages, size=800)
        server.account.listeners.append(lambda: changes.append(time.monotonic()))
        requests = 0

        def deliver(number: int) -> tuple[float, str]:
            began = time.monotonic()
            return began, server.account.deliver(b"Subject: trial %d\r\n\r\ntrial %d\r\n" % (number, number))

        def mark(email: str, flagged: bool) -> float:
            began = time.monotonic()
            server.account.set_keyword(email, "$flagged", present=flagged)
            return began

        def changed(moment: float) -> float:
            limit = time.monotonic() + 60
            while not changes or changes[-1] <= moment:
                if time.monotonic() > limit:
                    raise TimeoutError("No change reached the server.")
                time.sleep(0.001)
            return next(change for change in changes if change > moment)

        def count() -> int:
            nonlocal requests
            requests += len(server.requests.http)
            server.requests.clear()
            return requests

        orders: dict[str, Callable[..., object]] = {"deliver": deliver, "mark": mark, "changed": changed, "requests": count}
        pipe.send(server.url)
        while (message := pipe.recv()) is not None:
            order, arguments = message
            pipe.send(orders[order](*arguments))


@contextmanager
def far_server(messages: int) -> Iterator[Far]:
    """Serve an account with so many messages in INBOX from another process."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, messages), daemon=True)
    process.start()
    try:
        yield Far(ours)
    finally:
        ours.send(None)
        process.join(STOP_SECONDS)


@dataclass(slots=True)
class Running:
    """A daemon that is up."""

    process: subprocess.Popen[bytes]
    mail: Path
    seconds: float
    """From its start until it was ready."""

    def cpu(self) -> float:
        """Return the seconds of processor time that it has used, all threads together."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    def resident(self, what: str = "VmRSS") -> float:
        """Return its resident memory in MB; `VmHWM` is the most that it ever was."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(f"{what}:")) * 1024 / 1e6


@contextmanager
def daemon(home: Path, url: str, settings: str) -> Iterator[Running]:
    """Run the daemon for one account with some lines of `[daemon]`; it is ready when this returns, by its word to systemd."""
    mail = home / "Mail"
    config = home / ".config/jmapsync/config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(
        f'[accounts.home]\nurl = "{url}"\nuser = "demo"\nauth = "basic"\npassword_command = "echo demo"\n'
        f'[accounts.home.mail]\npath = "{mail}"\n[daemon]\n{settings}\n'
    )
    config.chmod(0o600)
    reported = home / "notify"
    reported.unlink(missing_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    log = home / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear, log.open("wb") as file:
        ear.bind(str(reported))
        ear.settimeout(START_SECONDS)
        began = time.monotonic()
        process = subprocess.Popen(
            [*PROGRAM, "run"], env=kept | {"HOME": str(home), "NOTIFY_SOCKET": str(reported)}, cwd=home, stderr=file, stdout=file
        )
        try:
            while b"READY=1" not in ear.recv(4096).split(b"\n"):
                if process.poll() is not None:
                    raise RuntimeError(log.read_text())
            ear.close()  # what it says from now on goes nowhere
            yield Running(process, mail, time.monotonic() - began)
        finally:
            process.send_signal(signal.SIGTERM)
            ending = time.monotonic()
            try:
                process.wait(STOP_SECONDS)
            finally:
                process.kill()
            took, lines = time.monotonic() - ending, log.read_text().splitlines()
            say(f"ended with status {process.returncode} after {took:.2f} s; {len(lines)} lines of log, the last:")
            for line in lines[-5:]:
                say(f"  {line}")
