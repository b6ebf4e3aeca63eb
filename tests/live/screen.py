"""Work a program of a terminal by its keys, and read its screen."""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


@dataclass
class Screen:
    """A program in a terminal."""

    session: str
    """Name of its tmux server: one that is shared would end with its last session, in the middle of the next test's start."""

    def tmux(self, command: str, *arguments: str) -> str:
        """Run a command of tmux and return what it prints."""
        return subprocess.run(["tmux", "-L", self.session, command, *arguments], check=True, capture_output=True, text=True).stdout

    def keys(self, *keys: str) -> None:
        """Press keys, by tmux' names, or type texts."""
        for key in keys:
            self.tmux("send-keys", key)
            time.sleep(0.25)

    def text(self) -> str:
        return self.tmux("capture-pane", "-p")

    def wait_for(self, text: str, seconds: float = 10) -> None:
        until = time.monotonic() + seconds
        while text not in self.text():
            assert time.monotonic() < until, f"{text!r} never came; the screen:\n{self.text()}"
            time.sleep(0.05)

    def wait_for_line(self, pattern: str, seconds: float = 10) -> None:
        """Wait until a line matches from its beginning."""
        until = time.monotonic() + seconds
        while re.search(rf"(?m)^{pattern}", self.text()) is None:
            assert time.monotonic() < until, f"{pattern!r} never came; the screen:\n{self.text()}"
            time.sleep(0.05)

    def wait_for_end(self, seconds: float = 10) -> None:
        until = time.monotonic() + seconds
        while subprocess.run(["tmux", "-L", self.session, "has-session"], check=False, capture_output=True).returncode == 0:
            assert time.monotonic() < until, f"the program did not end; the screen:\n{self.text()}"
            time.sleep(0.05)


@contextmanager
def on_screen(command: Sequence[str], environment: Mapping[str, str], *, columns: int = 100, lines: int = 30) -> Iterator[Screen]:
    """Run a program in a terminal until it ends or is left."""
    session = f"jmapsync-{time.monotonic_ns()}"
    given = [f"{name}={value}" for name, value in environment.items()]
    line = shlex.join(["env", *given, "TERM=screen", *command])
    screen = Screen(session)
    screen.tmux("new-session", "-d", "-x", str(columns), "-y", str(lines), line)
    try:
        yield screen
    finally:
        subprocess.run(["tmux", "-L", session, "kill-server"], check=False, capture_output=True)
