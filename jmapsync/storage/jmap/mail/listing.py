"""List all mail of an account, page by page, and prove the listing complete before its cursor is kept.

The proof trusts neither `queryState` nor `total`, which may be missing, differ from page to page, or be wrong. Where every page
was read in the state known before the first, nothing moved; else the ids are listed once more by pages that overlap (`paging`).
What the ledger believes to be there and no list names is asked for by its id: only the server's word for it makes it gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from jmapsync.jmap.failures import RequestError
from jmapsync.jmap.wire import Call, MethodError, Response, batched
from jmapsync.storage.jmap.changes import WENT_BACK, Cursor, FullListingNeededError, first_of, went_back
from jmapsync.storage.jmap.concurrent import Begun
from jmapsync.storage.jmap.mail.changes import EMAIL, MailChanges
from jmapsync.storage.jmap.mail.emails import emails_of, get_emails, get_mailboxes
from jmapsync.storage.jmap.paging import ENDLESS, MOST_PAGES, Page, read_page, walk_through
from jmapsync.storage.port import FolderPage, ItemPage, ListingEnd, resumed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from jmapsync.storage.jmap.mail.get import EmailReader
    from jmapsync.storage.jmap.mail.mailboxes import Mailboxes
    from jmapsync.storage.port import Observation

FEW = 3
"""Messages an account may lose to the last one in one listing without a question."""
BARREN = 10
"""Pages in a row of which the server may not have a single email."""
MOST_STATES = 16
"""States of which the changes are asked for one by one."""
UNREAD = "the server lists emails that it does not have"
CUT = "the server's list lacks emails that it has"


class _Listing(Struct):
    """What a listing has met so far."""

    state: str
    """The server's state before the first page."""
    ids: set[str] = set()
    """What the last pass named, and the server did not say it lacks."""
    every: set[str] = set()
    """What any pass named."""
    ended: bool = False
    """Whether the end is known: a page without ids."""
    why: str = ""
    """Why the listing is not whole, or nothing."""


class MailListing:
    """Lists everything."""

    def __init__(self, reader: EmailReader) -> None:
        """Prepare."""
        self._reader = reader
        self._outside: list[str] = []
        """Mailboxes whose mail need not be listed."""
        self._sorted = True
        """Whether the server sorts by the time of receipt: what arrives during a listing then comes at its end."""

    async def everything(
        self, known: Callable[[], set[str]], server: str, since: Cursor | None = None
    ) -> AsyncIterator[Observation]:
        """Yield all there is: folders, then pages of emails, then what a cursor taken before the listing shows to have changed.

        `known` returns the ids the ledger believes to be on the server. `since` is the cursor of the last run. The cursor
        comes at the end of a listing that is whole, and of no other.
        """
        before = known()
        state = get_emails(self._reader.account, [], "state")
        response, folders = await self._begin([state] if self._reader.selective else [state, *await self._query(0)])
        listing = _Listing(emails_of(response, state).state)
        cursor = Cursor({EMAIL: listing.state}, folders.state, server)
        yield folders.page()
        if self._reader.selective:
            self._outside = sorted(self._reader.boxes.outside)
        async for page in self._pages(listing, None if self._reader.selective else response):
            yield page
        changes = MailChanges(self._reader)
        replay, ahead = changes.since(cursor), None
        if not (listing.ended or listing.why or self._has_moved(listing)):
            # A total gave the end: that is proven together with the first of the changes.
            probe = (await self._query(len(listing.every)))[0]
            replay = changes.since(cursor, [probe])
            ahead = await first_of(replay)
            listing.ended = changes.follower.is_end(probe)
        if not listing.why and (not listing.ended or self._has_moved(listing)):
            replay, ahead = MailChanges(self._reader).since(cursor), None
            async for extra in self._list_again(listing):
                yield extra
        lower = since is not None and went_back(since.items.get(EMAIL, ""), listing.state)
        async for last in self._conclude(listing, before, went_back=lower):
            yield last
        async for later in self._replay(listing, before, resumed(ahead, replay)):
            yield later

    # the first pass

    async def _begin(self, calls: list[Call]) -> tuple[Response, Mailboxes]:
        """Send the first request; return its response, and all mailboxes."""
        boxes = get_mailboxes(self._reader.account, None, "boxes")
        try:
            response = await self._reader.call([boxes, *calls])
        except RequestError as error:
            if error.type != "limit":
                raise
            # Cyrus refuses the whole request where one of its calls would give too many objects.
            return await self._reader.call(calls), await self._reader.mailboxes.paged()
        return response, await self._reader.mailboxes.all(response, boxes)

    async def _pages(self, listing: _Listing, response: Response | None) -> AsyncIterator[FolderPage | ItemPage]:
        """Yield the emails page by page; `response` may have the first one."""
        position, barren = 0, 0
        total: int | None = None
        response, page = await self._page(0, response)
        for _ in range(MOST_PAGES):
            listing.why, total = page.why, page.total if page.total is not None else total
            fresh = [ref for ref in page.ids if ref not in listing.every]
            position = (position if page.position is None else page.position) + len(page.ids)
            listing.every.update(page.ids)
            is_last = not fresh or (total is not None and position >= total)
            async with Begun(None if is_last else self._page(position)) as following:  # the server is never idle
                found = await self._reader.collect(response, ("emails",), page.ids)
                async for extra in self._reader.unknown_homes(found):
                    yield extra
                # An id that is listed without an answer is there all the same.
                listing.ids.update(set(page.ids).difference(self._reader.lost))
                yield self._reader.seen(found, fresh)
                listing.ended = not page.ids and not page.why
                barren = barren + 1 if fresh and not (found or self._reader.malformed) else 0
                if barren == BARREN:
                    listing.why = UNREAD
                if listing.why or not fresh or (total is not None and total <= len(listing.every)):
                    return
                response, page = await (following or self._page(position))
        listing.why = ENDLESS

    async def _page(self, position: int, response: Response | None = None) -> tuple[Response, Page]:
        """Return a page with its emails, asked for in another way where the server does not know a filter or an order."""
        while True:
            query, emails = await self._query(position)
            response = response or await self._reader.call([query, emails])
            try:
                return response, read_page(response, query)
            except MethodError as error:
                if self._sorted and error.type == "unsupportedSort":
                    self._sorted = False
                elif self._outside and error.type in {"unsupportedFilter", "invalidArguments"}:
                    self._outside = []
                else:
                    raise
            response = None

    async def _query(self, position: int, *, ascending: bool = True) -> tuple[Call, Call]:
        account = self._reader.account
        query = Call(
            "Email/query",
            {
                "accountId": account,
                **({"filter": {"inMailboxOtherThan": self._outside}} if self._outside else {}),
                **({"sort": [{"property": "receivedAt", "isAscending": ascending}]} if self._sorted else {}),
                "position": position,
                "limit": await self._reader.page(),
                "calculateTotal": position == 0,
            },
            "query",
        )
        return query, get_emails(account, query.ref("/ids"), "emails")

    def _has_moved(self, listing: _Listing) -> bool:
        """Return whether any email was read in another state than the one before the first page."""
        return not listing.state or bool(self._reader.states - {listing.state})

    # the proof

    async def _list_again(self, listing: _Listing) -> AsyncIterator[Observation]:
        """List the ids once more, by pages that overlap, and yield the emails that were skipped."""
        walk = await walk_through(self._ids)
        listing.ended, listing.why = True, walk.why
        listing.ids = {*walk.ids, *walk.strays}
        async for page in self._fetched(sorted(listing.ids - listing.every)):
            yield page
            if isinstance(page, ItemPage):
                listing.ids.difference_update(page.gone)
        listing.every |= listing.ids

    async def _ids(self, position: int) -> Page:
        """Return a page of ids, the newest first: what arrives during the walk comes where it has been already."""
        query, _ = await self._query(position, ascending=False)
        return read_page(await self._reader.call([query]), query)

    async def _fetched(self, ids: list[str]) -> AsyncIterator[FolderPage | ItemPage]:
        """Yield emails by their ids; those that the server says it does not have are gone."""
        for some in batched(ids, await self._reader.page()):
            self._reader.forget()
            found = await self._reader.fetch(some)
            async for extra in self._reader.unknown_homes(found):
                yield extra
            page = self._reader.seen(found, some)
            page.gone = list(self._reader.lost)
            yield page

    async def _conclude(self, listing: _Listing, before: set[str], *, went_back: bool) -> AsyncIterator[Observation]:
        """Yield what the listing lacks: gone, where the server says so of its id; and the end of the listing."""
        gone: list[str] = []
        async for page in self._fetched(sorted((before | listing.every) - listing.ids)):
            found = bool(page.problems)
            if isinstance(page, ItemPage):
                gone += page.gone
                page.gone = []
                found = found or any(not seen.outside for seen in page.items)
            if found:
                listing.why = listing.why or CUT
            yield page
        last = ListingEnd(gone, listing.why)
        if went_back:
            last.suspicious = WENT_BACK
        elif len(before) > FEW and before.issubset(gone):
            last.suspicious = "the server has none of the messages any more that it had"
        yield last

    async def _replay(self, listing: _Listing, before: set[str], changes: AsyncIterator[Observation]) -> AsyncIterator[Observation]:
        """Yield what changed since before a listing, and at its end the cursor, unless the next run has to list again.

        Page by page, because a mailbox has to be ingested before the emails in it can be read.
        """
        states = sorted(self._reader.states - {listing.state})
        reached = ""
        try:
            async for page in changes:
                if isinstance(page, ItemPage):
                    reached, page.cursor = page.cursor or reached, ""
                yield page
        except FullListingNeededError:
            return  # the listing stands by itself
        if states:
            yield ItemPage(gone=await self._passed_by(states, sorted(listing.every - before)))
        if not listing.why:
            yield ItemPage(cursor=reached)

    async def _passed_by(self, states: list[str], listed: list[str]) -> list[str]:
        """Return what came and went during the listing: the changes since the state before it do not list such."""
        if len(states) <= MOST_STATES:
            try:
                destroyed = {ref for state in states for ref in await MailChanges(self._reader).destroyed_since(state)}
            except FullListingNeededError:
                pass
            else:
                return sorted(destroyed.intersection(listed))
        gone: list[str] = []
        async for page in self._fetched(listed):
            gone += page.gone if isinstance(page, ItemPage) else []
        return gone
