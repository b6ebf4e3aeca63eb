"""Remember what changed since which state, within a bound (RFC 8620, section 5.2)."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jmapsync.demo.freedoms import BriefLives


@dataclass(slots=True)
class ChangePage:
    """One answer to `/changes`; `position` is the modification sequence up to which it is complete."""

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    destroyed: list[str] = field(default_factory=list)
    position: int = 0
    has_more: bool = False

    def __len__(self) -> int:
        """Return how many ids the page lists."""
        return len(self.created) + len(self.updated) + len(self.destroyed)


class ChangeLog:
    """The changes of one data type, each under its own modification sequence (modseq), oldest first.

    As on Cyrus a record is listed once, at its latest change; one made and destroyed since is not listed at all; and one
    that came back under its old id counts as updated, because its first life is still remembered.
    """

    def __init__(self, bound: int) -> None:
        """Keep the latest `bound` entries; a state before them can no longer be answered."""
        self.bound = bound
        self.state = 0
        self.floor = 0
        self._modseqs: list[int] = []
        self._ids: list[str] = []
        self._latest: dict[str, int] = {}
        self._born: dict[str, int] = {}
        self._known: dict[str, int] = {}
        """When a record that counts as created anew was in fact created."""
        self._dead: set[str] = set()

    def record(self, record_id: str, modseq: int, *, dead: bool = False, anew: bool = False) -> None:
        """Note that a record was made, changed or (`dead`) destroyed at `modseq`, which must be the highest so far.

        `anew`: from now on it counts as created then, even to those who know it.
        """
        self._modseqs.append(modseq)
        self._ids.append(record_id)
        self._latest[record_id] = modseq
        if anew:
            self._known.setdefault(record_id, self._born.get(record_id, modseq))
            self._born[record_id] = modseq
        self._born.setdefault(record_id, modseq)
        if dead:
            self._dead.add(record_id)
        else:
            self._dead.discard(record_id)
        self.state = modseq
        if len(self._ids) > self.bound + self.bound // 4:
            self.forget(len(self._ids) - self.bound)

    def know(self, record_id: str) -> None:
        """Note that a record was there before the log began."""
        self._born.setdefault(record_id, 0)

    def forget(self, count: int | None = None) -> None:
        """Drop the oldest `count` entries, all of them by default; states before that become unanswerable."""
        count = len(self._ids) if count is None else count
        if not count:
            return
        self.floor = self._modseqs[count - 1]
        for record_id, modseq in zip(self._ids[:count], self._modseqs[:count], strict=True):
            if record_id in self._dead and self._latest[record_id] == modseq:
                self._dead.discard(record_id)
                del self._latest[record_id], self._born[record_id]
                self._known.pop(record_id, None)
        del self._ids[:count], self._modseqs[:count]

    def page(
        self,
        since: int,
        *,
        until: int | None = None,
        limit: int | None = None,
        newest_first: bool = False,
        brief_lives: BriefLives = "omitted",
        omitted_count: bool = False,
        created_too: bool = False,
    ) -> ChangePage:
        """Return what changed after `since` (and not after `until`), at most `limit` ids.

        With `newest_first` the page holds the latest changes and its `position` is where the earlier ones end. `brief_lives`
        says how a record is listed that was made and destroyed since; `omitted_count`: it counts even where it is not listed;
        `created_too`: one that was changed after it was created stands in both lists.
        """
        until = self.state if until is None else until
        first = bisect.bisect_right(self._modseqs, since)
        end = bisect.bisect_right(self._modseqs, until)
        order = range(end - 1, first - 1, -1) if newest_first else range(first, end)
        page = ChangePage(position=since if newest_first else until)
        last = until if newest_first else since
        omitted = 0
        for index in order:
            record_id, modseq = self._ids[index], self._modseqs[index]
            if self._latest.get(record_id) != modseq:
                continue
            dead, old = record_id in self._dead, self._born[record_id] <= since
            brief = dead and not old
            known = brief and self._known.get(record_id, modseq) <= since
            lives: BriefLives = "both" if known else brief_lives  # James omits nothing that was there before
            if brief and lives == "omitted" and not omitted_count:
                continue
            # Twice in one page, unless that alone were too much for it.
            twice = brief and lives == "both" and limit != 1
            if limit is not None and len(page) + omitted + twice >= limit:
                page.has_more = True
                page.position = last
                break
            last = modseq - 1 if newest_first else modseq
            if brief and lives == "omitted":
                omitted += 1
                continue
            gone = dead and not (brief and lives == "created")
            (page.destroyed if gone else page.updated if old else page.created).append(record_id)
            if created_too and not old and not dead and self._born[record_id] != modseq:
                page.updated.append(record_id)
            if twice:
                page.created.append(record_id)
        return page
