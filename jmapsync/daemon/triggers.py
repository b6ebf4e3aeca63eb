"""Collect hints and merge them into one trigger of a sync run, with a debounce for local changes.

A hint says that something may have changed, and how soon to run; it never says what changed.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from msgspec import Struct

MAX_DEBOUNCES = 10
"""Upper limit of the debounce, in debounce times: a folder that changes without a pause is still scanned."""
_REMEMBERED = 8
"""Reasons kept for the log; a burst has thousands of the same."""


class Trigger(Struct):
    """What the next run is asked to do."""

    full: bool = False
    """Run a full sync instead of fetching changes."""
    disk_only: bool = True
    """Whether all hints came from the disk: where it shows no change, no request is sent."""
    by_hook: bool = True
    """Whether all hints came from the disk while the hook ran."""
    folders: set[str] | None = set()
    """The local folders that may have changed; None when any may have."""
    reported: set[str] = set()
    """The local folders that gave hints themselves; a file in them may have been edited in place, which no directory shows."""
    every_file: bool = False
    """Whether hints of such edits may have been lost."""
    reasons: list[str] = []


class Hints:
    """The hints for one account since its last run. All methods must be called in the event loop's thread."""

    def __init__(self, debounce: float) -> None:
        """`debounce`: seconds without a local change before a run starts."""
        self._debounce = debounce
        self._pending: Trigger | None = None
        self._requested_at: float | None = None
        """When a requested run is due, by the loop's clock."""
        self._quiet_at: float | None = None
        """When a run for local changes is due."""
        self._deadline = 0.0
        self._woken = asyncio.Event()

    @property
    def due(self) -> float | None:
        """When the next run is due, by the loop's clock; None while there is no hint."""
        return min((due for due in (self._requested_at, self._quiet_at) if due is not None), default=None)

    def wake(
        self, reason: str, *, full: bool = False, after: float = 0.0, server_only: bool = False, every_file: bool = False
    ) -> None:
        """Request a run in `after` seconds, or earlier if one is already due.

        With `server_only`, only the local folders that gave hints themselves are scanned; with `every_file` all files are examined.
        """
        trigger = self._note(reason)
        if not server_only:
            trigger.folders = None
        trigger.disk_only = trigger.by_hook = False
        trigger.full = trigger.full or full
        trigger.every_file = trigger.every_file or every_file
        due = asyncio.get_running_loop().time() + after
        self._requested_at = due if self._requested_at is None else min(self._requested_at, due)
        self._woken.set()

    def touch(self, folder: str, *, by_hook: bool = False) -> None:
        """Request a run for a changed folder after the debounce."""
        now = asyncio.get_running_loop().time()
        trigger = self._note(f"{folder} changed")
        trigger.reported.add(folder)
        if trigger.folders is not None:
            trigger.folders.add(folder)
        trigger.by_hook = trigger.by_hook and by_hook
        if self._quiet_at is None:
            self._deadline = now + MAX_DEBOUNCES * self._debounce
        self._quiet_at = min(now + self._debounce, self._deadline)
        self._woken.set()

    def give_back(self, trigger: Trigger) -> None:
        """Put a trigger back whose run could not start; it is due at once."""
        new = self._pending
        if new is not None:
            trigger = Trigger(
                trigger.full or new.full,
                trigger.disk_only and new.disk_only,
                trigger.by_hook and new.by_hook,
                trigger.folders | new.folders if trigger.folders is not None and new.folders is not None else None,
                trigger.reported | new.reported,
                trigger.every_file or new.every_file,
                list(dict.fromkeys(trigger.reasons + new.reasons))[:_REMEMBERED],
            )
        self._pending = trigger
        self._requested_at = asyncio.get_running_loop().time()
        self._woken.set()

    async def next(self) -> Trigger:
        """Wait until a run is due, and return its trigger."""
        loop = asyncio.get_running_loop()
        while True:
            self._woken.clear()
            due = self.due
            if self._pending is not None and due is not None and due <= loop.time():
                return self.drop()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._woken.wait()

    def drop(self) -> Trigger:
        """Return the pending trigger, due or not, and clear it."""
        trigger, self._pending = self._pending or Trigger(), None
        self._requested_at = self._quiet_at = None
        return trigger

    def _note(self, reason: str) -> Trigger:
        if self._pending is None:
            self._pending = Trigger()
        if reason not in self._pending.reasons and len(self._pending.reasons) < _REMEMBERED:
            self._pending.reasons.append(reason)
        return self._pending
