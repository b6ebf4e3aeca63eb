"""Show how far a run is: bars with rate and remaining time on a terminal, plain sentences elsewhere."""

from __future__ import annotations

import atexit
from typing import TYPE_CHECKING

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


class Bars:
    """A watcher that draws on standard error; nothing is drawn, and no library loaded, before there is work."""

    def __init__(self) -> None:
        """Draw nothing yet."""
        self._bars: RichProgress | None = None
        self._tasks: dict[tuple[str, str], TaskID] = {}
        self._octets: dict[tuple[str, str], tuple[int, int]] = {}

    def start(self, account: str, kind: str, what: str, total: int, total_bytes: int) -> None:
        """Draw a bar."""
        self.finish(account, kind)
        self._octets[account, kind] = (0, total_bytes)
        self._tasks[account, kind] = self._display().add_task(f"{account}: {what}", total=total or None, octets="")

    def advance(self, account: str, kind: str, items: int, size: int) -> None:
        """Move the bar on."""
        task = self._tasks.get((account, kind))
        if task is None:
            return
        done, total = self._octets[account, kind]
        self._octets[account, kind] = (done + size, total)
        text = megabytes(done + size) + (f"/{megabytes(total)}" if total else "")
        self._display().update(task, advance=items, octets=f"{text} MB")

    def finish(self, account: str, kind: str) -> None:
        """Take the bar away; the last one leaves the terminal as it was."""
        task = self._tasks.pop((account, kind), None)
        if task is not None:
            self._display().remove_task(task)
        if not self._tasks:
            self._stop()

    def say(self, account: str, sentence: str) -> None:
        """Print the sentence above the bars."""
        from rich.text import Text  # noqa: PLC0415

        self._display().console.print(Text(f"{account}: {sentence}"))

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
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[octets]}"),
                TextColumn("{task.speed:.0f}/s"),
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
