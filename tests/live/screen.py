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
    from collections.abc import Callable, Iterator, Mapping, Sequence

PATIENCE = 90.0
"""Seconds that a program may take to show something, much more than it needs: the machine may be busy or stand still."""


@dataclass
class Screen:
    """A program in a terminal."""

    session: str
    """Name of its tmux server: one that is shared would end with its last session, in the middle of the next test's start."""

    def tmux(self, command: str, *arguments: str) -> str:
        """Run a command of tmux and return what it prints."""
        return subprocess.run(["tmux", "-L", self.session, command, *arguments], check=True, capture_output=True, text=True).stdout

    def keys(self, *keys: str) -> None:
        """Press keys, by tmux' names, or type texts. Wait for what the screen shows then before pressing more."""
        self.tmux("send-keys", *keys)

    def text(self) -> str:
        return self.tmux("capture-pane", "-p")

    def coloured(self) -> str:
        """Return the text with the sequences that colour it."""
        return self.tmux("capture-pane", "-e", "-p")

    def wait_for(self, text: str) -> None:
        self._wait_until(lambda: text in self.text(), f"{text!r} never came")

    def wait_for_line(self, pattern: str) -> None:
        """Wait until a line matches from its beginning."""
        self._wait_until(lambda: re.search(rf"(?m)^{pattern}", self.text()) is not None, f"{pattern!r} never came")

    def wait_for_wrapped(self, text: str) -> None:
        """Wait for a text, however the terminal wraps its lines."""
        wanted = "".join(text.split())
        self._wait_until(lambda: wanted in "".join(self.text().split()), f"{text!r} never came")

    def wait_for_gone(self, text: str) -> None:
        self._wait_until(lambda: text not in self.text(), f"{text!r} stayed")

    def wait_for_end(self) -> None:
        self._wait_until(self._ended, "the program did not end")

    def _ended(self) -> bool:
        return subprocess.run(["tmux", "-L", self.session, "has-session"], check=False, capture_output=True).returncode != 0

    def _wait_until(self, true: Callable[[], bool], problem: str) -> None:
        until = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < until, f"{problem}; the screen:\n{self.text()}"
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
