"""Measure how far a run is, for whoever asks: what is being done, how much of it, how fast, and since when nothing moved."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jmapsync.sync.report import Progress


class _Stretch(Struct):
    """One piece of work under way."""

    what: str
    total: int
    octets_in_all: int
    begun: float
    items: int = 0
    octets: int = 0


class Both:
    """A progress that is passed on to another one and to a meter."""

    def __init__(self, shown: Progress, meter: Meter) -> None:
        """Pass on what happens to both; the meter logs no messages, because `shown` prints them."""
        self._both = (shown, meter)

    def start(self, account: str, kind: str, what: str, total: int, total_bytes: int) -> None:
        """Begin a stretch of work."""
        for one in self._both:
            one.start(account, kind, what, total, total_bytes)

    def advance(self, account: str, kind: str, items: int, size: int) -> None:
        """Count what was done."""
        for one in self._both:
            one.advance(account, kind, items, size)

    def finish(self, account: str, kind: str) -> None:
        """End the stretch of work."""
        for one in self._both:
            one.finish(account, kind)

    def say(self, account: str, message: str) -> None:
        """Pass on a message."""
        shown, meter = self._both
        shown.say(account, message)
        meter.note(message)


class Meter:
    """A progress that remembers instead of drawing."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns seconds that only grow."""
        self._clock = clock
        self._moved = clock()
        self._waits: dict[str, Any] | None = None
        self._stretches: dict[str, _Stretch] = {}

    def beat(self) -> None:
        """Note that something moved."""
        self._moved = self._clock()
        self._waits = None

    def note(self, message: str) -> None:
        """Note what the run waits for, until something moves."""
        self._waits = {"since": time.time(), "why": message}

    @property
    def waits(self) -> dict[str, Any] | None:
        """Return since when the run waits (seconds since 1970), and why; None while it does not."""
        return self._waits

    def silence(self) -> float:
        """Return for how many seconds nothing moved."""
        return self._clock() - self._moved

    def start(self, account: str, kind: str, what: str, total: int, total_bytes: int) -> None:  # noqa: ARG002 - Progress
        """Begin a stretch of work."""
        self.beat()
        self._stretches[kind] = _Stretch(what, total, total_bytes, self._clock())

    def advance(self, account: str, kind: str, items: int, size: int) -> None:  # noqa: ARG002 - Progress
        """Count what was done."""
        self.beat()
        stretch = self._stretches.get(kind)
        if stretch is not None:
            stretch.items += items
            stretch.octets += size

    def finish(self, account: str, kind: str) -> None:  # noqa: ARG002 - Progress
        """End the stretch of work."""
        self.beat()
        self._stretches.pop(kind, None)

    def say(self, account: str, message: str) -> None:
        """Log a message, and keep it as what the run waits for."""
        self.note(message)
        import logging  # noqa: PLC0415  # a command that hands its work to the daemon does without

        logging.getLogger(__name__).info("%s: %s", account, message)

    def to_json(self) -> list[dict[str, Any]]:
        """Return what is under way, with rates a second and the seconds that are left at this rate."""
        return [self._to_json(kind, stretch) for kind, stretch in list(self._stretches.items())]

    def _to_json(self, kind: str, stretch: _Stretch) -> dict[str, Any]:
        seconds = max(self._clock() - stretch.begun, 0.001)
        rate = stretch.items / seconds
        left = (stretch.total - stretch.items) / rate if rate and stretch.total else None
        return {
            "kind": kind,
            "what": stretch.what,
            "done": stretch.items,
            "of": stretch.total,
            "bytes": stretch.octets,
            "of_bytes": stretch.octets_in_all,
            "per_second": round(rate, 1),
            "bytes_per_second": round(stretch.octets / seconds),
            "seconds": round(seconds),
            "seconds_left": round(left) if left is not None else None,
        }


def described(figures: Mapping[str, Any]) -> str:
    """Return what is under way in words: `fetching mail, 4,120 of 20,000, 812/s`."""
    if not figures["done"] and not figures["of"]:
        return str(figures["what"])
    of_all = f" of {figures['of']:,}" if figures["of"] else ""
    return f"{figures['what']} {figures['done']:,}{of_all}, {figures['per_second']:,.0f}/s"
