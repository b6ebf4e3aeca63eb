"""Queue requested runs, merge them into one run, and answer each with its report."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec import Struct

from jmapsync.sync.options import Options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.daemon.triggers import Trigger
    from jmapsync.sync.report import AccountReport


class RunRequest(Struct, frozen=True):
    """A requested run whose report a client waits for."""

    options: Options
    by_hook: bool
    """Whether the hook requested it: it is not called again for the changes of this run."""
    done: asyncio.Future[AccountReport]


class RequestQueue(Struct):
    """The requested runs of one account."""

    _waiting: list[RunRequest] = []

    def add(self, options: Options, *, by_hook: bool) -> asyncio.Future[AccountReport]:
        """Add a request and return a future of its report."""
        done: asyncio.Future[AccountReport] = asyncio.get_running_loop().create_future()
        self._waiting.append(RunRequest(options, by_hook, done))
        return done

    def now(self) -> tuple[RunRequest, ...]:
        """Return the requests that the next run answers."""
        return tuple(self._waiting)

    def answer(self, report: AccountReport, requests: Sequence[RunRequest] | None = None) -> None:
        """Set the report of some requests, or of all, and remove them."""
        answered = self.now() if requests is None else requests
        self._waiting = [request for request in self._waiting if request not in answered]
        for request in answered:
            if not request.done.done():
                request.done.set_result(report)

    def cancel(self) -> None:
        """Cancel all requests."""
        for request in self._waiting:
            request.done.cancel()


def options_for(trigger: Trigger, requests: Sequence[RunRequest], folders: frozenset[str] | None) -> Options:
    """Return the options of a run that serves a trigger and all requests.

    Deletions are allowed for the kinds named by the requests that allow them; for all kinds where such a request names none.
    """
    allowed = [request.options.kinds for request in requests if request.options.allow_deletes]
    return Options(
        full=trigger.full or any(request.options.full for request in requests),
        allow_deletes=bool(allowed),
        kinds=frozenset().union(*allowed) if all(allowed) else frozenset(),
        disk_only=trigger.disk_only,
        folders=folders,
        examined=None if trigger.every_file else frozenset(trigger.reported),
    )


def is_by_hook(trigger: Trigger, requests: Sequence[RunRequest]) -> bool:
    """Return whether the hook alone caused a run."""
    return trigger.by_hook or (bool(requests) and all(request.by_hook for request in requests))
