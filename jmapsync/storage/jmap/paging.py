"""Page through a `/query`, and prove that nothing was skipped without trusting `queryState` and `total`.

`queryState` and `total` may be missing, differ from page to page, or be wrong (RFC 8620, 5.5, makes both optional in part; James
gives one state for each page and no total). What has to hold is the one rule about order: it is the same for each call. So pages
overlap by one id: where a page begins with an id that was listed before, nothing between the two was skipped, whatever was added or
removed during the walk; where it does not, the walk steps back. The listing ends where a page holds nothing but that one id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from jmapsync.jmap.session import SILENTLY_CUT
from jmapsync.storage.jmap.decoding import text_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from jmapsync.jmap.wire import Call, Response

MOST_PAGES = 10_000
"""Pages of one listing: ten million ids where a page has a thousand."""
PASSES = 4
"""Passes over a list without overlapping pages, until two are equal."""
ENDS = 3
"""Short pages in a row that have the same end and nothing new."""
MOST_STEPS = 64
"""Times that a walk steps back without meeting anything new, before it is given up."""
IDLE = 8
"""Pages in a row that may have nothing new."""
NO_IDS = "the server's answer has no list of ids"
WRONG_IDS = "the server lists ids that are not strings"
ENDLESS = "the server's list does not end"
STUCK = "the server's list does not move on from page to page"
CHANGING = "the server's list changes faster than it can be read"
ONE_BY_ONE = "the server lists one id at a time"
NARROWED = "the server lowers its limit to one id while it is asked for a list"


class Page(Struct, frozen=True):
    """One answer to `/query`."""

    ids: list[str]
    why: str = ""
    """What is wrong with its ids."""
    position: int | None = None
    total: int | None = None
    limit: int | None = None
    """The most ids that the server gives, where it says that these are fewer than were asked for."""

    @property
    def is_full(self) -> bool:
        """Whether the server's limit ends the page, not the list: a limit may be lowered on the way (RFC 8620, 5.5)."""
        return self.limit is not None and len(self.ids) >= self.limit


class _Answer(msgspec.Struct):
    ids: msgspec.Raw = msgspec.Raw(b"null")
    position: msgspec.Raw = msgspec.Raw(b"null")
    total: msgspec.Raw = msgspec.Raw(b"null")
    limit: msgspec.Raw = msgspec.Raw(b"null")


def read_page(response: Response, query: Call) -> Page:
    """Return one page; what is of a wrong type is left out. Raises MethodError."""
    answer = response.get_as(query, _Answer)
    try:
        values = msgspec.json.decode(answer.ids, type=list[msgspec.Raw])
    except msgspec.DecodeError:
        return Page([], NO_IDS)
    ids = [text for value in values if (text := text_of(value))]
    why = WRONG_IDS if len(ids) < len(values) else ""
    return Page(list(dict.fromkeys(ids)), why, _count(answer.position), _count(answer.total), _count(answer.limit))


def _count(raw: msgspec.Raw) -> int | None:
    try:
        value = msgspec.json.decode(raw, type=int)
    except msgspec.DecodeError:
        return None
    return value if value >= 0 else None


class Walk(Struct):
    """One walk through a listing: ask for the page at `position`, give the answer to `take`, until it has `ended`."""

    position: int = 0
    ids: dict[str, None] = {}
    """What was listed, up to here without a gap."""
    strays: set[str] = set()
    """Ids listed behind a gap."""
    ended: bool = False
    why: str = ""
    """Why the listing is not proven to be whole, or nothing."""
    _longest: int = 0
    _pages: int = 0
    _steps: int = 0
    _reach: int = 1
    _idle: int = 0
    """Pages in a row that had nothing new."""
    _patience: int = IDLE
    _last: str = ""
    _ends: int = 0

    @property
    def whole(self) -> bool:
        """Return whether everything was listed that was there from the first page to the last."""
        return self.ended and not self.why

    def take(self, page: Page) -> None:
        """Add the page that was asked for."""
        self._pages += 1
        self.why = self.why or page.why
        self._longest = max(self._longest, len(page.ids))
        is_known = bool(page.ids) and page.ids[0] in self.ids
        at = self.position if is_known or not self.position or page.position is None else page.position
        one_by_one = self._longest == 1
        if page.why == NO_IDS:
            self.ended = True
        elif self._pages >= MOST_PAGES:
            self._give_up(ENDLESS)
        elif page.limit == 1 and self._longest > 1:
            self._give_up(NARROWED)  # such pages cannot overlap
        elif not page.ids and (self.position == 0 or one_by_one):
            self.ended = True
            self.why = self.why or (ONE_BY_ONE if len(self.ids) > 1 and self.position else "")
        elif not page.ids or (at and not is_known and not one_by_one):
            self.strays.update(page.ids)
            self._step_back()
        elif at and len(page.ids) == 1 and not one_by_one and not page.is_full:
            self.ended = True
        else:
            self._go_on(at, page.ids, overlap=0 if one_by_one else 1)

    def _go_on(self, at: int, ids: list[str], *, overlap: int) -> None:
        self._reach = 1
        is_new = any(one not in self.ids for one in ids)
        self._idle = 0 if is_new else self._idle + 1
        if is_new and ids[0] in self.ids:
            self._steps = 0
        # What is added further up moves the end away from under each page: then it is one that is short, again and again.
        is_end = not is_new and ids[-1] == self._last and 1 < len(ids) < self._longest
        self._ends = self._ends + 1 if is_end else 0
        self._last = ids[-1]
        self.ended = self._ends == ENDS
        self.ids.update(dict.fromkeys(ids))
        self.position = at + len(ids) - overlap
        if self._idle > self._patience:
            self._give_up(STUCK)

    def _step_back(self) -> None:
        """Ask for an earlier page: what was removed during the walk moved the rest to lower positions."""
        self._steps += 1
        if self._steps > MOST_STEPS:
            self._give_up(CHANGING)
        self._patience = IDLE + 2 * self._reach // max(1, self._longest - 1)
        self.position = max(0, self.position - self._reach)
        self._reach *= 4

    def _give_up(self, why: str) -> None:
        self.ended = True
        self.why = self.why or why


def cut_at(count: int, limit: int) -> str:
    """Return why a list that was given at once may be cut: it is as long as what a server gives at once; else nothing."""
    return f"the server gives {count:,}, and lists no more at once" if count in {SILENTLY_CUT, limit} else ""


async def walk_through(ask: Callable[[int], Awaitable[Page]], first: Page | None = None) -> Walk:
    """Return a walk through all pages; `ask` returns the page at a position, `first` is the one at 0 where it is there already.

    Pages of one id cannot overlap: then two equal passes are the proof.
    """
    walk = await _pass(ask, first)
    for _ in range(PASSES):
        if walk.why not in {ONE_BY_ONE, NARROWED}:
            break
        before, walk = walk, await _pass(ask, None)
        if walk.why == before.why == ONE_BY_ONE and list(walk.ids) == list(before.ids):
            walk.why = ""
    return walk


async def _pass(ask: Callable[[int], Awaitable[Page]], first: Page | None) -> Walk:
    walk = Walk()
    if first is not None:
        walk.take(first)
    while not walk.ended:
        walk.take(await ask(walk.position))
    return walk
