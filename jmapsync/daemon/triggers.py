"""Collect what wakes an account, so that ten thousand hints make one look.

A hint says that a look is worth it, and how soon; it never says what changed.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

RESTLESS = 10
"""A folder that never rests is looked at after so many settle times all the same."""
_REMEMBERED = 8
"""Reasons kept for the log; a burst has thousands of the same."""


@dataclass(slots=True)
class Look:
    """What one look is asked for."""

    full: bool = False
    """Look at everything instead of what changed."""
    disk_only: bool = True
    """Whether nothing but the disk gave a hint: where it shows no change, the server need not be asked."""
    by_hook: bool = True
    """Whether all of it came from the disk while our own hook ran."""
    folders: set[str] | None = field(default_factory=set)
    """The folders of the disk that may have changed; None when any may have."""
    reasons: list[str] = field(default_factory=list)


class Hints:
    """The hints to one account since its last look. All methods belong to the event loop's thread."""

    def __init__(self, settle: float) -> None:
        """`settle` is how many seconds the disk has to rest before a look at it."""
        self._settle = settle
        self._look: Look | None = None
        self._asked: float | None = None
        """When a look is due that was asked for, by the loop's clock."""
        self._rested: float | None = None
        """When one is due because the disk changed."""
        self._latest = 0.0
        self._woken = asyncio.Event()

    @property
    def due(self) -> float | None:
        """When the next look is due, by the loop's clock; None while nothing asks for one."""
        return min((due for due in (self._asked, self._rested) if due is not None), default=None)

    def wake(self, reason: str, *, full: bool = False, after: float = 0.0, server_only: bool = False) -> None:
        """Ask for a look in so many seconds; one that is due earlier does as well.

        Where it is the server's change alone, the disk is looked at no further than it gave hints itself.
        """
        look = self._note(reason)
        if not server_only:
            look.folders = None
        look.disk_only = look.by_hook = False
        look.full = look.full or full
        due = asyncio.get_running_loop().time() + after
        self._asked = due if self._asked is None else min(self._asked, due)
        self._woken.set()

    def touch(self, folder: str, *, by_hook: bool = False) -> None:
        """Ask for a look at a folder once the disk has come to rest."""
        now = asyncio.get_running_loop().time()
        look = self._note(f"{folder} changed")
        if look.folders is not None:
            look.folders.add(folder)
        look.by_hook = look.by_hook and by_hook
        if self._rested is None:
            self._latest = now + RESTLESS * self._settle
        self._rested = min(now + self._settle, self._latest)
        self._woken.set()

    def give_back(self, look: Look) -> None:
        """Take a look back that could not be had: it is due at once."""
        new = self._look
        if new is not None:
            look = Look(
                look.full or new.full,
                look.disk_only and new.disk_only,
                look.by_hook and new.by_hook,
                look.folders | new.folders if look.folders is not None and new.folders is not None else None,
                list(dict.fromkeys(look.reasons + new.reasons))[:_REMEMBERED],
            )
        self._look = look
        self._asked = asyncio.get_running_loop().time()
        self._woken.set()

    async def next(self) -> Look:
        """Wait until a look is due, and return what it is asked for."""
        loop = asyncio.get_running_loop()
        while True:
            self._woken.clear()
            due = self.due
            if self._look is not None and due is not None and due <= loop.time():
                return self.drop()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._woken.wait()

    def drop(self) -> Look:
        """Return what the next look is asked for, due or not, and ask for none."""
        look, self._look = self._look or Look(), None
        self._asked = self._rested = None
        return look

    def _note(self, reason: str) -> Look:
        if self._look is None:
            self._look = Look()
        if reason not in self._look.reasons and len(self._look.reasons) < _REMEMBERED:
            self._look.reasons.append(reason)
        return self._look
