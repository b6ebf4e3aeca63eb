"""List a collection so that nothing is taken for deleted that is only being renamed, and tell what changed.

As in a Maildir, absence counts only when a second listing confirms it, and a listing only when the directory did not change
meanwhile (hard cases 2 and 3).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from jmapsync.storage.files.file_state import State, leave_tick, oddity, state_of
from jmapsync.storage.vdir.names import is_item

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jmapsync.ledger import Place

_TRIES = 8


class Entry(NamedTuple):
    """One file of a collection as it was listed."""

    name: str
    ino: int
    size: int
    mtime: int
    """Nanoseconds since the epoch."""

    @property
    def state(self) -> State:
        """Return what shows that the file is untouched."""
        return self.ino, self.size, self.mtime


@dataclass(slots=True)
class Changes:
    """How a collection differs from what was known of it."""

    unknown: list[Entry] = field(default_factory=list)
    touched: list[tuple[Place, Entry]] = field(default_factory=list)
    """The same name with another inode, size or mtime: the content has to be read."""
    vanished: list[Place] = field(default_factory=list)
    odd: list[tuple[str, str]] = field(default_factory=list)
    """Entries that are no items although they are called so, by name, and why."""
    replaced: list[Place] = field(default_factory=list)
    """Known files in whose place such an entry lies."""
    count: int = 0
    """Items listed."""
    since: int = 0
    """When the directory had last changed before it was listed; see `has_changed`."""


def scan(directory: str, suffix: str, known: Iterable[Place]) -> Changes:
    """Compare a collection with what was known of it. Raises OSError when it cannot be listed."""
    since = _mtime(directory)
    leave_tick(since)
    listing, stable = _list(directory, suffix)
    changes = Changes(count=len(listing), since=since)
    missing: list[Place] = []
    touched: list[tuple[Place, State]] = []
    for place in known:
        state = listing.pop(place.name, None)
        if state is None:
            missing.append(place)
        elif state != (place.ino, place.size, place.mtime):
            touched.append((place, state))
    for place, state in touched:
        if _is_item(directory, place.name, changes):
            changes.touched.append((place, Entry(place.name, *state)))
        else:
            changes.replaced.append(place)
    changes.unknown = [Entry(name, *state) for name, state in sorted(listing.items()) if _is_item(directory, name, changes)]
    if missing and stable:
        again, stable = _list(directory, suffix, proving=True)
        if stable:
            changes.vanished = [place for place in missing if place.name not in again]
    return changes


def has_changed(directory: str, since: int) -> bool:
    """Tell whether a collection may have gained or lost a file after it was listed."""
    try:
        return _mtime(directory) != since
    except OSError:
        return True


def _list(directory: str, suffix: str, *, proving: bool = False) -> tuple[dict[str, State], bool]:
    """Return the items of a directory, and whether no change of it was seen meanwhile. When `proving`, there was none."""
    listing: dict[str, State] = {}
    for _ in range(_TRIES):
        before = _mtime(directory)
        if proving:
            leave_tick(before)
        listing = _read(directory, suffix)
        if before == _mtime(directory):
            return listing, True
    return listing, False


def _read(directory: str, suffix: str) -> dict[str, State]:
    found: dict[str, State] = {}
    with os.scandir(directory) as entries:
        for entry in entries:
            if is_item(entry.name, suffix):
                try:
                    found[entry.name] = state_of(entry.stat(follow_symlinks=False))
                except FileNotFoundError:
                    continue
    return found


def _mtime(directory: str) -> int:
    return os.stat(directory).st_mtime_ns


def _is_item(directory: str, name: str, changes: Changes) -> bool:
    """Tell whether what is called like an item is a file with something in it; what is not goes to `changes.odd`."""
    try:
        why = oddity(name, os.lstat(f"{directory}/{name}"), "a file with an item in it")
    except FileNotFoundError:
        return False
    except OSError as error:
        why = f"it cannot be looked at: {error.strerror}"
    if why:
        changes.odd.append((name, why))
    return not why
