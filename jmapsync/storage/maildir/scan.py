"""List a Maildir folder so that a message renamed meanwhile is neither missed nor taken for deleted, and tell what changed.

A directory that changes while it is read may skip or repeat an entry (hard case 2). A listing counts only when neither
directory's mtime moved during it; absence counts only when a second such listing, begun after the first ended, confirms it.
File systems tell time in ticks of some milliseconds: the second listing begins in a later tick than the last change, so that
none during it can go unseen (hard case 3).
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from jmapsync.formats.flags import parse_name
from jmapsync.opening import open_directory
from jmapsync.storage.files.file_state import State, leave_tick, may_be_directory, oddity, state_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jmapsync.ledger import Place

SUBS = ("new", "cur")
"""In this order: a message moves from `new` to `cur`, so one that moves during the listing is seen at least once."""
_TRIES = 8


class Entry(NamedTuple):
    """One file of a folder as it was listed."""

    name: str
    info: str
    sub: str
    ino: int
    size: int
    mtime: int

    @property
    def file(self) -> str:
        """Return the path below the folder."""
        return f"{self.sub}/{self.name}{self.info}"

    def alone(self) -> Entry:
        """Return the file under its whole name, for one that shares its unique part with another file."""
        return self._replace(name=self.name + self.info, info="")


@dataclass(slots=True)
class Changes:
    """How a folder differs from what was known of it."""

    unknown: list[Entry] = field(default_factory=list)
    renamed: list[tuple[Place, Entry]] = field(default_factory=list)
    """The same file under other flags or in the other directory."""
    touched: list[tuple[Place, Entry]] = field(default_factory=list)
    """The same name with another inode, size or mtime: the content has to be read."""
    vanished: list[Place] = field(default_factory=list)
    odd: list[tuple[str, str]] = field(default_factory=list)
    """Entries that are no messages, by path below the folder, and why."""
    count: int = 0
    """Files listed."""
    since: tuple[int, ...] = ()
    """When the directories had last changed before they were listed; see `has_changed`."""

    @property
    def are_none(self) -> bool:
        """Tell whether what was listed is what was known; some of that may not have been found."""
        return not (self.unknown or self.renamed or self.touched or self.vanished or self.odd)


def scan(folder: str, known: Iterable[Place]) -> Changes:
    """Compare a folder with what was known of it. Raises OSError when it cannot be listed.

    Nearly every file is as it was: those cost a stat, two look-ups and no object. A `known` file that could not be looked at
    counts as still there.
    """
    since = _mtimes(folder)
    leave_tick(max(since))
    listing, stable = _list(folder)
    changes = Changes(count=sum(map(len, listing.values())), since=since)
    others: list[Place] = []
    for place in known:
        names = listing[place.sub]
        text = place.name + place.info
        state = names.pop(text, None)
        if state != (place.ino, place.size, place.mtime):
            others.append(place)
            if state is not None:
                names[text] = state
    entries = _entries(folder, listing, changes)
    hidden = {path.partition("/")[2] for path, _ in changes.odd}
    missing: list[Place] = []
    for place in others:
        entry = entries.pop(place.name, None)
        if entry is None:
            if place.name + place.info not in hidden:
                missing.append(place)
        elif (entry.ino, entry.size, entry.mtime) != (place.ino, place.size, place.mtime):
            changes.touched.append((place, entry))
        else:
            changes.renamed.append((place, entry))
    if missing and stable:
        again, stable = _list(folder, proving=True)
        if stable:
            present = {parse_name(text).name for names in again.values() for text in names} | {*again["new"], *again["cur"]}
            changes.vanished = [place for place in missing if place.name not in present]
    changes.unknown = sorted(entries.values())
    return changes


def _list(folder: str, *, proving: bool = False) -> tuple[dict[str, dict[str, State]], bool]:
    """Return the entries of both directories, and whether no change of them was seen meanwhile.

    When `proving`, there was none.
    """
    for _ in range(_TRIES):
        before = _mtimes(folder)
        if proving:
            leave_tick(max(before))
        listing = {sub: _read(f"{folder}/{sub}") for sub in SUBS}
        if before == _mtimes(folder):
            return listing, True
    return listing, False


def _mtimes(folder: str) -> tuple[int, ...]:
    return tuple(os.lstat(f"{folder}/{sub}").st_mtime_ns for sub in SUBS)


def has_changed(folder: str, since: tuple[int, ...]) -> bool:
    """Tell whether a folder may have gained or lost a file after it was listed."""
    try:
        return _mtimes(folder) != since
    except OSError:
        return True


def is_complete(folder: str) -> bool:
    """Tell whether a folder has the directories that messages lie in, as far as can be told."""
    return all(may_be_directory(f"{folder}/{sub}") for sub in SUBS)


def _read(directory: str) -> dict[str, State]:
    found: dict[str, State] = {}
    try:
        handle = open_directory(directory)
    except OSError as error:
        if error.errno == errno.ELOOP:
            error.strerror = f"its {os.path.basename(directory)} is a symbolic link, which is not followed"
        raise
    try:
        with os.scandir(handle) as entries:
            for entry in entries:
                text = entry.name
                if text[0] != ".":
                    try:
                        state = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    found[text] = state_of(state)
    finally:
        os.close(handle)
    return found


def _entries(folder: str, listing: dict[str, dict[str, State]], changes: Changes) -> dict[str, Entry]:
    """Return what is left of a listing as messages by unique name; what is no message goes to `changes.odd`."""
    entries: dict[str, Entry] = {}
    for sub in SUBS:
        for text, (ino, size, mtime) in listing[sub].items():
            try:
                why = oddity(text, os.lstat(f"{folder}/{sub}/{text}"), "a message")
            except FileNotFoundError:
                continue
            except OSError as error:
                why = f"it cannot be looked at: {error.strerror}"
            if why:
                changes.odd.append((f"{sub}/{text}", why))
                continue
            name, info = parse_name(text)
            entry = Entry(name, info, sub, ino, size, mtime)
            twin = entries.get(name)
            if twin is not None and twin.ino != entry.ino and os.path.lexists(f"{folder}/{twin.file}"):
                entry = entry.alone()
            entries[entry.name] = entry
    return entries
