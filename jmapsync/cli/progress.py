"""Show the progress of a run: lines with rate and remaining time on a terminal, plain messages elsewhere."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from typing import TYPE_CHECKING

from jmapsync.cli.figures import progress_line
from jmapsync.sync.progress import Meter
from jmapsync.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.live import Live
    from rich.text import Text

_SOON = 0.5
"""Seconds after which a run shows what it does; shorter ones draw nothing and load no library."""
_AGAIN = 0.1
"""The same once it has."""
_FRAMES = 4
"""Drawings a second."""


class Messages:
    """Print messages; show no progress."""

    def __init__(self, print_message: Callable[[str], None]) -> None:
        """Print messages with the given function."""
        self._print_message = print_message

    def start(self, account: str, kind: str, what: str, total: int, total_bytes: int) -> None:
        """Do nothing."""

    def advance(self, account: str, kind: str, items: int, size: int) -> None:
        """Do nothing."""

    def finish(self, account: str, kind: str) -> None:
        """Do nothing."""

    def say(self, account: str, message: str) -> None:
        """Print the message."""
        self._print_message(f"{account}: {message}")


class Bars:
    """Draw a line for each kind that is being worked on, on standard error, from the first second on."""

    def __init__(self) -> None:
        """Start without a line."""
        self._meters: dict[str, Meter] = {}
        self._live: Live | None = None
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()
        self._due = time.monotonic() + _SOON
        self._busy: set[tuple[str, str]] = set()

    def start(self, account: str, kind: str, what: str, total: int, total_bytes: int) -> None:
        """Show a stretch of work."""
        with self._lock:
            self._meters.setdefault(account, Meter()).start(account, kind, what, total, total_bytes)
            self._busy.add((account, kind))
            if self._live is None and self._timer is None:
                self._timer = threading.Timer(max(_AGAIN, self._due - time.monotonic()), self._show)
                self._timer.daemon = True
                self._timer.start()

    def advance(self, account: str, kind: str, items: int, size: int) -> None:
        """Count what was done."""
        meter = self._meters.get(account)
        if meter is not None:
            meter.advance(account, kind, items, size)

    def finish(self, account: str, kind: str) -> None:
        """Remove a line; the last one restores the terminal."""
        with self._lock:
            if (account, kind) in self._busy:
                self._meters[account].finish(account, kind)
                self._busy.discard((account, kind))
            idle = not self._busy
        if idle:
            self._stop()

    def say(self, account: str, message: str) -> None:
        """Print the message above the lines."""
        from rich.console import Console  # noqa: PLC0415  # most runs have no message
        from rich.text import Text  # noqa: PLC0415

        console = self._live.console if self._live is not None else Console(stderr=True)
        console.print(Text(one_line(f"{account}: {message}")))

    def _show(self) -> None:
        """Begin to draw, in the timer's thread, unless the work ended before."""
        from rich.console import Console  # noqa: PLC0415
        from rich.live import Live  # noqa: PLC0415

        console = Console(stderr=True)
        live = Live(
            console=console,
            get_renderable=lambda: self._lines(_width(), ascii_only=not console.encoding.lower().startswith("utf")),
            transient=True,
            refresh_per_second=_FRAMES,
            redirect_stdout=False,
        )
        with self._lock:
            self._timer = None
            if self._busy:
                self._live = live
                live.start()
                atexit.register(self._stop)

    def _lines(self, columns: int, *, ascii_only: bool) -> Text:
        from rich.text import Text  # noqa: PLC0415

        # The last column stays empty: some terminals wrap a line that fills it.
        lines = [
            progress_line(name, one, columns - 1, ascii_only=ascii_only)
            for name, meter in list(self._meters.items())
            for one in meter.to_json()
        ]
        return Text("\n".join(lines), no_wrap=True, overflow="crop")

    def _stop(self) -> None:
        with self._lock:
            timer, self._timer = self._timer, None
            live, self._live = self._live, None
        if timer is not None:
            timer.cancel()
        if live is not None:
            live.stop()
            atexit.unregister(self._stop)


_UNKNOWN = 80
"""Columns of a terminal that has not said how many it has, such as a serial line, or is not there any more."""


def _width() -> int:
    """Return the columns of the terminal itself: COLUMNS says what a shell knew when it started."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or _UNKNOWN
    except (OSError, ValueError):  # it was closed during the run
        return _UNKNOWN
