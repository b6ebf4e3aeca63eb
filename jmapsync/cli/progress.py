"""Show how far a run is: bars with rate and remaining time on a terminal, plain sentences elsewhere."""

from __future__ import annotations

import atexit
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jmapsync.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID


class Sentences:
    """A watcher that only passes sentences on."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        """Keep whom to tell."""
        self._tell = tell

    def start(self, account: str, kind: str, what: str, total: int, total_bytes: int) -> None:
        """Do nothing."""

    def advance(self, account: str, kind: str, items: int, size: int) -> None:
        """Do nothing."""

    def finish(self, account: str, kind: str) -> None:
        """Do nothing."""

    def say(self, account: str, sentence: str) -> None:
        """Pass the sentence on."""
        self._tell(f"{account}: {sentence}")


@dataclass(slots=True)
class _Stretch:
    """One bar: what was done of how much, and since when."""

    task: TaskID
    total_bytes: int
    started: float
    items: int = 0
    octets: int = 0

    def figures(self) -> str:
        """Return octets and rate in words."""
        of_all = f"/{megabytes(self.total_bytes)}" if self.total_bytes else ""
        rate = self.items / max(time.monotonic() - self.started, 0.001)
        return f"{megabytes(self.octets)}{of_all} MB, {rate:,.0f}/s"


class Bars:
    """A watcher that draws on standard error; nothing is drawn, and no library loaded, before there is work."""

    def __init__(self) -> None:
        """Draw nothing yet."""
        self._bars: RichProgress | None = None
        self._stretches: dict[tuple[str, str], _Stretch] = {}

    def start(self, account: str, kind: str, what: str, total: int, total_bytes: int) -> None:
        """Draw a bar."""
        self.finish(account, kind)
        task = self._display().add_task(one_line(f"{account}: {what}"), total=total or None, figures="")
        self._stretches[account, kind] = _Stretch(task, total_bytes, time.monotonic())

    def advance(self, account: str, kind: str, items: int, size: int) -> None:
        """Move the bar on."""
        stretch = self._stretches.get((account, kind))
        if stretch is not None:
            stretch.items += items
            stretch.octets += size
            self._display().update(stretch.task, advance=items, figures=stretch.figures())

    def finish(self, account: str, kind: str) -> None:
        """Take the bar away; the last one leaves the terminal as it was."""
        stretch = self._stretches.pop((account, kind), None)
        if stretch is not None:
            self._display().remove_task(stretch.task)
        if not self._stretches:
            self._stop()

    def say(self, account: str, sentence: str) -> None:
        """Print the sentence above the bars."""
        from rich.text import Text  # noqa: PLC0415

        self._display().console.print(Text(one_line(f"{account}: {sentence}")))

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
