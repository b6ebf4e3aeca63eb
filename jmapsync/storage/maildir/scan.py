"""List a Maildir folder so that a message renamed meanwhile is neither missed nor taken for deleted, and tell what changed.

A directory that changes while it is read may skip or repeat an entry (hard case 2). A listing counts only when neither
directory's mtime moved during it; absence counts only when a second such listing, begun after the first ended, confirms it.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from jmapsync.formats.flags import parse_name

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


def scan(folder: str, known: Iterable[Place]) -> Changes:
    """Compare a folder with what was known of it. Raises OSError when it cannot be listed.

    A `known` file that could not be looked at counts as still there.
    """
    listing, odd, stable = _list(folder)
    changes = Changes(odd=odd, count=len(listing))
    missing: list[Place] = []
    hidden = {path.partition("/")[2] for path, _ in odd}
    for place in known:
        entry = listing.pop(place.name, None)
        if entry is None:
            if place.name + place.info not in hidden:
                missing.append(place)
        elif (entry.ino, entry.size, entry.mtime) != (place.ino, place.size, place.mtime):
            changes.touched.append((place, entry))
        elif entry.info != place.info or entry.sub != place.sub:
            changes.renamed.append((place, entry))
    if missing and stable:
        again, _, stable = _list(folder)
        if stable:
            changes.vanished = [place for place in missing if place.name not in again]
    changes.unknown = sorted(listing.values())
    return changes


def _list(folder: str) -> tuple[dict[str, Entry], list[tuple[str, str]], bool]:
    """Return the messages by unique name, the odd entries, and whether the listing can prove an absence."""
    for _ in range(_TRIES):
        before = _mtimes(folder)
        listing: dict[str, Entry] = {}
        odd: list[tuple[str, str]] = []
        for sub in SUBS:
            _read(folder, sub, listing, odd)
        if before == _mtimes(folder):
            return listing, odd, True
    return listing, odd, False


def _mtimes(folder: str) -> tuple[int, ...]:
    return tuple(os.stat(f"{folder}/{sub}").st_mtime_ns for sub in SUBS)


def is_complete(folder: str) -> bool:
    """Tell whether a folder has the directories that messages lie in."""
    return all(os.path.isdir(f"{folder}/{sub}") for sub in SUBS)


def _read(folder: str, sub: str, listing: dict[str, Entry], odd: list[tuple[str, str]]) -> None:
    with os.scandir(f"{folder}/{sub}") as entries:
        for found in entries:
            text = found.name
            if text[0] == ".":
                continue
            try:
                state = found.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            except OSError as error:
                odd.append((f"{sub}/{text}", f"it cannot be looked at: {error.strerror}"))
                continue
            why = _oddity(text, state)
            if why:
                odd.append((f"{sub}/{text}", why))
                continue
            name, info = parse_name(text)
            entry = Entry(name, info, sub, state.st_ino, state.st_size, state.st_mtime_ns)
            twin = listing.get(name)
            if twin is not None and twin.file != entry.file and os.path.lexists(f"{folder}/{twin.file}"):
                entry = entry._replace(name=text, info="")
            listing[entry.name] = entry


def _oddity(text: str, state: os.stat_result) -> str:
    if not stat.S_ISREG(state.st_mode):
        kinds = {stat.S_IFDIR: "a directory", stat.S_IFLNK: "a symbolic link", stat.S_IFIFO: "a pipe"}
        return f"it is {kinds.get(stat.S_IFMT(state.st_mode), 'no regular file')}, not a message"
    if state.st_size == 0:
        return "it is empty"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "its name is not valid UTF-8; rename it"
    return ""
