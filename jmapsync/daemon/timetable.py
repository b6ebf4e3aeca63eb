"""Schedule periodic jobs (poll, full sync, cleanup); each runs once, not repeatedly, after a suspend or a jump of the clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable

JUMP = 60.0
"""Difference of the clocks between two readings, in seconds, above which it counts as a jump or a suspend."""


class Clocks(Struct, frozen=True):
    """Readings of three clocks in seconds: CLOCK_REALTIME, CLOCK_MONOTONIC (stops in a suspend) and CLOCK_BOOTTIME (does not)."""

    wall: float
    running: float
    since_boot: float

    @classmethod
    def read(cls) -> Clocks:
        """Read them."""
        return cls(time.time(), time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME))

    def difference(self, later: Clocks) -> str:
        """Return a description of the jump between two readings; empty when there was none."""
        if (later.since_boot - self.since_boot) - (later.running - self.running) > JUMP:
            return "the machine was suspended"
        if abs((later.wall - self.wall) - (later.since_boot - self.since_boot)) > JUMP:
            return "the clock was set"
        if later.running - self.running > JUMP:
            return "the daemon was stopped for a while"
        return ""


class Timetable:
    """The periodic jobs of the daemon. A late job runs once; a job never overlaps itself."""

    def __init__(self, jumped: Callable[[str], None], *, read: Callable[[], Clocks] = Clocks.read) -> None:
        """`jumped` is called with a description of each jump of the clocks."""
        self._jumped = jumped
        self._read = read
        self._clocks = read()
        self._periods: dict[str, float] = {}
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )

    def start(self) -> None:
        """Start in the running event loop."""
        self._scheduler.start()

    def stop(self) -> None:
        """Stop; no further job starts."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def every(self, name: str, seconds: float, act: Callable[[], None], *, spread: float = 0.0) -> None:
        """Call `act` every so many seconds plus a random delay of up to `spread`; replace a job of the same name."""
        self._periods[name] = seconds
        trigger = IntervalTrigger(seconds=max(seconds, 0.001), jitter=spread or None, timezone=UTC)

        async def run() -> None:  # a plain function would run in a thread, where hints must not be given
            act()

        self._scheduler.add_job(run, trigger, id=name, replace_existing=True)

    def drop(self, name: str) -> None:
        """Remove a job if it exists."""
        if self._periods.pop(name, None) is not None:
            self._scheduler.remove_job(name)

    def due(self, name: str) -> datetime | None:
        """Return the next time of a job."""
        job = self._scheduler.get_job(name)
        return getattr(job, "next_run_time", None)

    def watch_clocks(self) -> None:
        """Detect a jump of the clocks; to be called every few seconds, and not by a job: jobs wait for the wall clock's time.

        After a jump every job is scheduled anew from now, so that none waits for a date that is far away.
        """
        before, self._clocks = self._clocks, self._read()
        what = before.difference(self._clocks)
        if not what:
            return
        now = datetime.now(UTC)
        for name, seconds in self._periods.items():
            self._scheduler.modify_job(name, next_run_time=now + timedelta(seconds=seconds))
        self._jumped(what)
