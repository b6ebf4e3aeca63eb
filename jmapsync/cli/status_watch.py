"""Show the state of accounts until interrupted: redrawn on a terminal, else a line for whatever changed."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING

from jmapsync.cli.output import say
from jmapsync.cli.settings import is_drawable
from jmapsync.cli.status_view import Line, Segment, account_lines, plain, wrapped
from jmapsync.sync.report import worst

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

    from rich.text import Text

    from jmapsync.app.health import AccountHealth, HealthWatch
    from jmapsync.errors import ExitCode

_PAUSE = 1.0
"""Seconds between two readings at least."""
_PLAIN_PAUSE = 2.0
"""The same where lines are printed one below the other."""
_SPARING = 150
"""How many times as long as a reading took it rests: that keeps it below 1 % of a processor, with any number of accounts."""
_LONGEST_PAUSE = 15.0


def watch(health: HealthWatch) -> ExitCode:
    """Show the state until SIGINT, and return the exit code of what was shown last."""
    show = _redraw if is_drawable(sys.stdout) else _print_changes
    shown: list[AccountHealth] = []
    with _ending_by_signals(), suppress(KeyboardInterrupt):
        show(_readings(health, shown, _PAUSE if show is _redraw else _PLAIN_PAUSE))
    return worst([one.exit_code for one in shown])


def _readings(health: HealthWatch, shown: list[AccountHealth], pause: float) -> Iterator[list[AccountHealth]]:
    """Yield the state again and again, and keep the last one."""
    while True:
        began = time.process_time()
        shown[:] = health.read()
        yield shown
        time.sleep(max(pause, min(_LONGEST_PAUSE, (time.process_time() - began) * _SPARING)))


@contextmanager
def _ending_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP restore the terminal before they end the program."""

    def end(number: int, _: FrameType | None) -> None:
        sys.exit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _redraw(readings: Iterator[list[AccountHealth]]) -> None:
    from rich.console import Console, ConsoleDimensions  # noqa: PLC0415  # only this needs it
    from rich.live import Live  # noqa: PLC0415

    console = Console()
    ascii_only = not console.encoding.lower().startswith("utf")
    with Live(console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as live:
        drawn = None
        for found in readings:
            # Not COLUMNS and LINES, which say what a shell knew when it started: lines that are too long would scroll the screen.
            columns, rows = console.size = ConsoleDimensions(*os.get_terminal_size(sys.stdout.fileno()))
            lines = screen(found, columns, rows, datetime.now().astimezone(), ascii_only=ascii_only)
            if (columns, rows, lines) != drawn:
                drawn = (columns, rows, lines)
                live.update(_text(lines), refresh=True)


def _text(lines: Sequence[Sequence[Segment]]) -> Text:
    from rich.text import Text  # noqa: PLC0415  # as above

    parts: list[tuple[str, str]] = []
    for line in lines:
        parts += [*((segment.text, segment.style) for segment in line), ("\n", "")]
    return Text.assemble(*parts[:-1], no_wrap=True, overflow="crop", end="")


def screen(
    found: Sequence[AccountHealth], columns: int, rows: int, now: datetime, *, ascii_only: bool = False
) -> list[list[Segment]]:
    """Return what a terminal shows; accounts that need attention or are busy come first if there is no room for all."""
    lines = _wrapped(found, columns, now, ascii_only=ascii_only)
    if len(lines) <= rows:
        return lines
    urgent = sorted(found, key=lambda one: (not one.exit_code, not one.progress))
    lines = _wrapped(urgent, columns, now, ascii_only=ascii_only)
    return [*lines[: rows - 1], [Segment(f"… {len(lines) - rows + 1:,} more lines: jmapsync status"[:columns], "dim")]]


def _wrapped(found: Sequence[AccountHealth], columns: int, now: datetime, *, ascii_only: bool) -> list[list[Segment]]:
    return [
        part
        for health in found
        for line in account_lines(health, columns, now, ascii_only=ascii_only)
        for part in wrapped(line, columns)
    ]


def _print_changes(readings: Iterator[list[AccountHealth]]) -> None:
    """Print each line that is not as it was in the reading before, with the time."""
    before: set[tuple[str, str]] = set()
    for found in readings:
        now = datetime.now().astimezone()
        lines = {(health.name, _named(health.name, line)): None for health in found for line in account_lines(health, 100, now)}
        for text in (text for name, text in lines if (name, text) not in before):
            say(f"{now:%H:%M:%S} {text}")
        sys.stdout.flush()
        before = set(lines)


def _named(account: str, line: Line) -> str:
    text = plain(line).strip()
    return f"{account}: {text}" if line.indent else text
