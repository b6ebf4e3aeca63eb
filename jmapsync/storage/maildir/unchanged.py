"""Detect which directories of a Maildir tree are as they were when they were last listed, and need not be listed again.

What is kept of each folder are the stamps of its directories and of its marker (`storage.stamps`), all of them as they were both
before and after the listing. That a file's content is as it was never follows from a directory.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from jmapsync.formats.names import KEYWORDS
from jmapsync.kinds import MAIL
from jmapsync.ledger.notes import UNCHANGED_FOLDERS
from jmapsync.ledger.rows import Listed
from jmapsync.storage.files.directory_stamps import NONE, are_exact, is_directory, is_old, mtime_in, stamp_at, stamp_of
from jmapsync.storage.files.root import MARKER
from jmapsync.storage.port import Learnt

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from jmapsync.storage.known import Known

_NOTE = f"{UNCHANGED_FOLDERS}:{MAIL.name}"
_Own = tuple[bytes, bytes, bytes, bytes]
"""The stamps of a folder itself, of its marker, its keyword table and its `tmp`."""


class Stamps:
    """The stamps of one tree during one run."""

    def __init__(self, top: str) -> None:
        """Name the root."""
        self._top = top
        self._rows: dict[str, Listed] = {}
        self._changed: dict[str, Listed] = {}
        self._before: dict[str, _Own] = {}
        self._same: set[str] = set()
        self._device = -1
        self._moment = 0
        self.fresh = False
        """Whether the folders were examined since the run began, and not yet reported."""

    def begin(self, known: Known, places: Iterable[str]) -> None:
        """Find out which folders below the root are as they were; the root itself is the place of no name."""
        self._rows, self._changed, self._before, self._same = {}, {}, {}, set()
        self.fresh, self._device = False, -1
        try:
            root = os.stat(self._top)
        except OSError:
            return
        if not are_exact(self._top):
            return
        self._device, self._moment = root.st_dev, time.time_ns()
        self._rows = known.listed(MAIL.name)
        self.fresh = True
        for place in sorted({"", *places}):
            row = self._rows.get(place)
            now = self._own(place, row)
            if now is None:
                continue
            self._before[place] = now
            above = place.rpartition("/")[0]
            if row is not None and now == (row.own, row.marker, row.keywords, row.tmp) and (not above or above in self._same):
                self._same.add(place)

    def _own(self, place: str, known: Listed | None) -> _Own | None:
        """Return the stamps of a folder; what was not in it when it had the stamp that it still has is not searched for."""
        path = f"{self._top}/{place}" if place else self._top
        try:
            own = stamp_at(path) if place else stamp_of(os.stat(path))
            same = known is not None and known.own == own
            marker = NONE if same and known is not None and known.marker == NONE else stamp_at(f"{path}/{MARKER}")
            keywords = NONE if same and known is not None and known.keywords == NONE else stamp_at(f"{path}/{KEYWORDS}")
            return own, marker, keywords, stamp_at(f"{path}/tmp")
        except OSError:
            return None

    def is_same(self, place: str) -> bool:
        """Return whether a folder has the entries, the marker, and the entries of `tmp` that it had."""
        return place in self._same

    def has_no_keywords(self, place: str) -> bool:
        """Return whether a folder that is as it was has no keyword table."""
        return place in self._same and self._rows[place].keywords == NONE

    def are_ingested(self, known: Known, places: Collection[str]) -> bool:
        """Return whether the ledger has these folders, and the root, as they are, and nothing more is there."""
        return self._same.issuperset(places) and "" in self._same and bool(known.note(_NOTE))

    def note_folders(self, known: Known, places: Collection[str], unsure: Collection[str], *, whole: bool) -> Learnt:
        """Return the stamps of what was listed, and, if it is `whole`, that the folders are those of the ledger.

        Any change to the containers in the ledger takes that back by itself: see its migrations. Of the `unsure` nothing is kept.
        """
        for place in {"", *places} - self._same:
            before = self._before.get(place)
            if before is None or place in unsure or not all(is_old(one, self._device, self._moment) for one in before):
                continue
            if is_directory(before[0]) and self._own(place, None) == before:
                self._put(self._row(place)._replace(own=before[0], marker=before[1], keywords=before[2], tmp=before[3]))
                self._same.add(place)
        gone = [place for place in self._rows if place and place not in places]
        ingested = whole and self._same.issuperset(places) and "" in self._same
        for place in gone:
            del self._rows[place]
        listed = self.changed()
        if not (listed or gone or ingested != bool(known.note(_NOTE))):
            return Learnt()
        return Learnt(notes={_NOTE: "1" if ingested else ""}, listed=listed, unlisted=gone)

    def messages(self, place: str) -> tuple[bytes, bytes] | None:
        """Return the stamps of the directories in which a folder's messages lie, as they are now; None where nothing is trusted."""
        if self._device < 0 or place not in self._same:
            return None
        path = f"{self._top}/{place}" if place else self._top
        try:
            new, cur = stamp_of(os.lstat(f"{path}/new")), stamp_of(os.lstat(f"{path}/cur"))
        except OSError:
            return None
        return (new, cur) if new and cur else None

    def files_in(self, place: str, now: tuple[bytes, bytes] | None) -> int | None:
        """Return how many files a folder of these stamps held; None where it has to be listed."""
        row = self._rows.get(place)
        return row.files if now is not None and row is not None and (row.new, row.cur) == now else None

    def note_messages(self, place: str, before: tuple[bytes, bytes] | None, files: int, moment: int) -> None:
        """Note a folder that was listed after a moment at which it had these stamps, and whose files are all known."""
        if before is None or not all(is_old(one, self._device, moment) and is_directory(one) for one in before):
            return
        if self.messages(place) == before:
            self._put(self._row(place)._replace(new=before[0], cur=before[1], files=files))

    def changed(self) -> list[Listed]:
        """Return what is new since this was last asked for."""
        changed, self._changed = list(self._changed.values()), {}
        return changed

    def _row(self, place: str) -> Listed:
        return self._rows.get(place) or Listed(MAIL.name, place)

    def _put(self, row: Listed) -> None:
        self._rows[row.place] = self._changed[row.place] = row


def mtimes(stamps: tuple[bytes, bytes]) -> tuple[int, ...]:
    """Return the mtimes that stamps of `Stamps.messages` hold."""
    return tuple(map(mtime_in, stamps))
