"""List the files of a folder so that one renamed at that time is neither missed nor reported as deleted; compare with the ledger.

A directory that changes while it is read may skip or repeat an entry (readdir(3)). A listing counts only when no directory's mtime
moved during it; absence counts only when a second such listing, begun after the first ended, confirms it. File systems keep time in
ticks of some milliseconds: the second listing begins in a later tick than the last change, so that none during it goes unseen.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from jmapsync.opening import open_directory
from jmapsync.storage.files.file_state import State, leave_tick, oddity, state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from jmapsync.ledger.rows import Place
    from jmapsync.storage.port import DiskItems

    Listing = dict[str, dict[str, State]]
    """The state of each file, by directory and by name."""

_TRIES = 8
SCANS = 5
"""Scans at most until one comes to its end with no folder changed."""


class Rules(NamedTuple):
    """Which files of a folder hold items."""

    subs: tuple[str, ...]
    """The directories of a folder that files lie in, in the order in which they are listed; "" is the folder itself."""
    is_item: Callable[[str], bool]
    """Decides by its name whether a file holds an item; any other file is ignored."""
    split: Callable[[str], tuple[str, str]]
    """Splits a file name into the part that stays for life and the part that changes with the item."""
    what: str
    """What such a file should be, with its article."""


class Entry(NamedTuple):
    """One file of a folder as it was listed."""

    name: str
    info: str
    sub: str
    ino: int
    size: int
    mtime: int
    """Nanoseconds since the epoch."""

    @property
    def file(self) -> str:
        """Return the path below the folder."""
        return _below(self.sub, self.name + self.info)

    @property
    def state(self) -> State:
        """Return what shows that the file is untouched."""
        return self.ino, self.size, self.mtime

    def alone(self) -> Entry:
        """Return the file under its whole name, for one that shares its unique part with another file."""
        return self._replace(name=self.name + self.info, info="")


class Changes(Struct):
    """How a folder differs from what was known of it."""

    unknown: list[Entry] = []
    renamed: list[tuple[Place, Entry]] = []
    """The same file under another second part of its name, or in another directory of the folder."""
    touched: list[tuple[Place, Entry]] = []
    """The same name with another inode, size or mtime: the content has to be read."""
    vanished: list[Place] = []
    odd: list[tuple[str, str]] = []
    """Entries named like items that cannot be items, by path below the folder, and why."""
    replaced: list[Place] = []
    """Known files in whose place such an entry lies."""
    count: int = 0
    """Files listed."""
    since: tuple[int, ...] = ()
    """When the directories had last changed before they were listed; see `has_changed`."""

    @property
    def are_none(self) -> bool:
        """Return whether what was listed is what was known; some of that may not have been found."""
        return not (self.unknown or self.renamed or self.touched or self.vanished or self.odd)


class Traces(Struct):
    """How the places of items differ from the ledger's after a scan of all folders."""

    updated: dict[tuple[int, str], Place | None] = {}
    """Places that are new or changed, by folder and name; None is a place that is gone, or no longer the item's."""
    touched: set[int] = set()
    """Keys of their items."""

    def gone(self, place: Place) -> None:
        """Note that a place is no longer there, or no longer the item's."""
        self.updated[place.folder, place.name] = None
        self.touched.add(place.key)

    def put(self, place: Place) -> None:
        """Note a place that is new or was changed."""
        self.updated[place.folder, place.name] = place
        self.touched.add(place.key)

    def copies(self, key: int, known: Iterable[Place]) -> list[Place]:
        """Return the places of an item as the scan leaves them, `known` being those that the ledger has."""
        kept = [place for place in known if (place.folder, place.name) not in self.updated]
        return sorted([*kept, *(place for place in self.updated.values() if place is not None and place.key == key)])


def scan(folder: str, known: Iterable[Place], rules: Rules) -> Changes:
    """Compare a folder with what was known of it. Raises OSError when it cannot be listed.

    Nearly every file is as it was: those cost a stat and no object. A `known` file whose absence is not
    confirmed counts as still there.
    """
    since = _mtimes(folder, rules.subs)
    leave_tick(max(since))
    listing, stable = _list(folder, rules)
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
    entries = _entries(folder, listing, rules, changes)
    hidden = {path.rpartition("/")[2] for path, _ in changes.odd}
    missing: list[Place] = []
    for place in others:
        entry = entries.pop(place.name, None)
        if entry is None:
            (changes.replaced if place.name + place.info in hidden else missing).append(place)
        elif entry.state != place.state:
            changes.touched.append((place, entry))
        else:
            changes.renamed.append((place, entry))
    if missing and stable:
        again, stable = _list(folder, rules, proving=True)
        if stable:
            texts = [text for names in again.values() for text in names]
            present = {*texts, *(rules.split(text)[0] for text in texts)}
            changes.vanished = [place for place in missing if place.name not in present]
    changes.unknown = sorted(entries.values())
    return changes


def scan_until_calm(scan: Callable[[Collection[str] | None], DiskItems], folders: Collection[str] | None) -> DiskItems:
    """Return what a scan of some folders observes, or of all of them; scan again where so much changed that losses are not certain.

    In folders that change all the time nothing counts as gone until they do not. What vanished from some `folders` may lie in
    another one.
    """
    if folders is not None:
        seen = scan(folders)
        if not seen.withheld:
            return seen
    for _ in range(SCANS):
        seen = scan(None)
        if seen.more or not seen.withheld:
            break
    return seen


def has_changed(folder: str, since: tuple[int, ...], rules: Rules) -> bool:
    """Return whether a folder may have gained or lost a file after it was listed."""
    try:
        return _mtimes(folder, rules.subs) != since
    except OSError:
        return True


def _list(folder: str, rules: Rules, *, proving: bool = False) -> tuple[Listing, bool]:
    """Return the files of all directories, and whether no change of them was seen during that.

    When `proving`, there was none.
    """
    for _ in range(_TRIES):
        before = _mtimes(folder, rules.subs)
        if proving:
            leave_tick(max(before))
        listing = {sub: _read(f"{folder}/{sub}", rules.is_item) for sub in rules.subs}
        if before == _mtimes(folder, rules.subs):
            return listing, True
    return listing, False


def _mtimes(folder: str, subs: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(os.lstat(f"{folder}/{sub}").st_mtime_ns for sub in subs)


def _read(directory: str, is_item: Callable[[str], bool]) -> dict[str, State]:
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
                if is_item(text):
                    try:
                        state = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    found[text] = state_of(state)
    finally:
        os.close(handle)
    return found


def _entries(folder: str, listing: Listing, rules: Rules, changes: Changes) -> dict[str, Entry]:
    """Return what is left of a listing as items by unique name; what is no item goes to `changes.odd`."""
    entries: dict[str, Entry] = {}
    for sub in rules.subs:
        for text, state in listing[sub].items():
            path = _below(sub, text)
            try:
                why = oddity(text, os.lstat(f"{folder}/{path}"), rules.what)
            except FileNotFoundError:
                continue
            except OSError as error:
                why = f"it cannot be examined: {error.strerror}"
            if why:
                changes.odd.append((path, why))
                continue
            entry = Entry(*rules.split(text), sub, *state)
            twin = entries.get(entry.name)
            if twin is not None and twin.ino != entry.ino and os.path.lexists(f"{folder}/{twin.file}"):
                entry = entry.alone()
            entries[entry.name] = entry
    return entries


def _below(sub: str, file: str) -> str:
    return f"{sub}/{file}" if sub else file
