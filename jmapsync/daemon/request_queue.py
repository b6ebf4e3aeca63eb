"""Collect the runs that somebody asks a daemon for, make one run of them, and tell each what came of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jmapsync.sync.options import Options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.daemon.triggers import Look
    from jmapsync.sync.report import AccountReport


@dataclass(frozen=True, slots=True)
class Demand:
    """A run that somebody waits for."""

    options: Options
    by_hook: bool
    """Whether our own hook asked: it is not called again for what this run changes."""
    done: asyncio.Future[AccountReport]


@dataclass(slots=True)
class Demands:
    """The runs of one account that somebody waits for."""

    _waiting: list[Demand] = field(default_factory=list)

    def add(self, options: Options, *, by_hook: bool) -> asyncio.Future[AccountReport]:
        """Take one on and return the report to come."""
        done: asyncio.Future[AccountReport] = asyncio.get_running_loop().create_future()
        self._waiting.append(Demand(options, by_hook, done))
        return done

    def now(self) -> tuple[Demand, ...]:
        """Return those that the run about to begin is for."""
        return tuple(self._waiting)

    def answer(self, report: AccountReport, demands: Sequence[Demand] | None = None) -> None:
        """Tell some what came of their run, or all."""
        told = self.now() if demands is None else demands
        self._waiting = [demand for demand in self._waiting if demand not in told]
        for demand in told:
            if not demand.done.done():
                demand.done.set_result(report)

    def cancel(self) -> None:
        """Run nothing of what waits."""
        for demand in self._waiting:
            demand.done.cancel()


def options_for(look: Look, demands: Sequence[Demand], folders: frozenset[str] | None) -> Options:
    """Return what a run is asked for by a hint and by all who wait for it.

    Deletions are let through for the kinds that were named with that, for all where somebody named none.
    """
    allowed = [demand.options.kinds for demand in demands if demand.options.allow_deletes]
    return Options(
        full=look.full or any(demand.options.full for demand in demands),
        allow_deletes=bool(allowed),
        kinds=frozenset().union(*allowed) if all(allowed) else frozenset(),
        disk_only=look.disk_only,
        folders=folders,
    )


def is_by_hook(look: Look, demands: Sequence[Demand]) -> bool:
    """Return whether nothing but our own hook had a run take place."""
    return look.by_hook or (bool(demands) and all(demand.by_hook for demand in demands))
