"""Define the options of a run."""

from __future__ import annotations

from msgspec import Struct


class Options(Struct, frozen=True):
    """The options of a run."""

    full: bool = False
    """Compare everything instead of fetching what changed."""
    dry: bool = False
    """Say what would be done, and write nothing."""
    allow_deletes: bool = False
    """Carry out the plan that the guard suspended the last time."""
    kinds: frozenset[str] = frozenset()
    """The kinds that `allow_deletes` is for; none for all."""
    disk_only: bool = False
    """Scan the disk first, and ask the server nothing if the disk did not change."""
    folders: frozenset[str] | None = None
    """The folders of the disk, by path, in which alone anything may have changed; None for all."""
    examined: frozenset[str] | None = frozenset()
    """The folders, by path, in which every file is examined, although their directories did not change; None for all."""
