"""What a run is asked for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """What a run was asked for."""

    full: bool = False
    """Look at everything instead of the delta."""
    dry: bool = False
    """Say what would be done, and write nothing."""
    allow_deletes: bool = False
    """Let the plan through that the guard held back the last time."""
    kinds: frozenset[str] = frozenset()
    """The kinds that `allow_deletes` is for; none for all."""
    disk_only: bool = False
    """Look at the disk first, and leave the server alone where nothing changed on it."""
    folders: frozenset[str] | None = None
    """The folders of the disk, by path, in which alone anything may have changed; None for all."""
