"""Show the progress of a run: bars with rate and remaining time on a terminal, plain messages elsewhere."""

from __future__ import annotations

import atexit
import time
from typing import TYPE_CHECKING

from msgspec import Struct

from jmapsync.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID


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


class _Stretch(Struct):
    """One bar: how much is done of how much, and since when."""

    task: TaskID
    total_bytes: int
    started: float
    items: int = 0
    octets: int = 0

    def figures(self) -> str:
        """Return octets and rate as text."""
        of_all = f"/{megabytes(self.total_bytes)}" if self.total_bytes else ""
        rate = self.items / max(time.monotonic() - self.started, 0.001)
        return f"{megabytes(self.octets)}{of_all} MB, {rate:,.0f}/s"


class Bars:
    """Draw bars on standard error; before there is work nothing is drawn and no library loaded."""

    def __init__(self) -> None:
        """Start without a bar."""
        self._bars: RichProgress | None = None
        self._stretches: dict[tuple[str, str], _Stretch] = {}

    def start(self, account: str, kind: str, what: str, total: int, total_bytes: int) -> None:
        """Draw a bar."""
        self.finish(account, kind)
        task = self._display().add_task(one_line(f"{account}: {what}"), total=total or None, figures="")
        self._stretches[account, kind] = _Stretch(task, total_bytes, time.monotonic())

    def advance(self, account: str, kind: str, items: int, size: int) -> None:
        """Advance the bar."""
        stretch = self._stretches.get((account, kind))
        if stretch is not None:
            stretch.items += items
            stretch.octets += size
            self._display().update(stretch.task, advance=items, figures=stretch.figures())

    def finish(self, account: str, kind: str) -> None:
        """Remove the bar; the last one restores the terminal."""
        stretch = self._stretches.pop((account, kind), None)
        if stretch is not None:
            self._display().remove_task(stretch.task)
        if not self._stretches:
            self._stop()

    def say(self, account: str, message: str) -> None:
        """Print the message above the bars."""
        from rich.text import Text  # noqa: PLC0415

        self._display().console.print(Text(one_line(f"{account}: {message}")))

    def _display(self) -> RichProgress:
        from rich.console import Console  # noqa: PLC0415
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        if self._bars is None:
            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[figures]}"),
                TimeRemainingColumn(),
            )
            self._bars = Progress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=5)
            self._bars.start()
            atexit.register(self._stop)
        return self._bars

    def _stop(self) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None


def megabytes(octets: int) -> str:
    """Return octets in units of a million."""
    return f"{octets / 1_000_000:.1f}"
