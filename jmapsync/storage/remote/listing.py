"""List all that an account on the server holds, page by page; only a complete listing makes anything vanish (RFC 8621, 4.4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jmapsync.jmap.wire import Call, MethodError, Response
from jmapsync.storage.port import Observation
from jmapsync.storage.remote.changes import MOST_PAGES, WENT_BACK, ChangesLook, Cursor, WholeLookNeededError, went_back
from jmapsync.storage.remote.concurrent import begun
from jmapsync.storage.remote.emails import EmailList, Mailbox, MailboxList, get_emails, get_mailboxes, seen_email
from jmapsync.storage.remote.look import unanswered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from jmapsync.storage.remote.look import RemoteLook

LISTINGS = 3
"""Times a listing is begun anew when the server's mail changes under it."""
FEW = 3
"""Messages an account may lose to the last one in one listing without a question."""
SILENTLY_CUT = 500
"""Stalwart cuts Foo/get with ids null at this number without a word."""


@dataclass(slots=True)
class _Listing:
    """What a listing has met so far."""

    ids: set[str] = field(default_factory=set)
    state: str = ""
    stable: bool = True
    total: int | None = None


class ListingLook:
    """Looks at everything."""

    def __init__(self, look: RemoteLook) -> None:
        """Prepare."""
        self._look = look
        self._position = 0
        """Where the next page begins."""
        self._outside: list[str] = []
        """Mailboxes whose mail need not be listed."""

    async def everything(
        self, known: Callable[[], set[str]], server: str, since: Cursor | None = None
    ) -> AsyncIterator[Observation]:
        """Yield all there is: folders, then pages of emails, then what a cursor taken before the listing shows to have changed.

        `known` returns the ids the ledger believes to be on the server; those that a complete listing lacks are gone. `since`
        is where the last look had come to.
        """
        account = self._look.account
        boxes = get_mailboxes(account, None, "boxes")
        state = get_emails(account, [], "state")
        listing, before = _Listing(), known()
        query, emails = await self._query(0)
        selective = self._look.selective
        response = await self._look.call([boxes, state] if selective else [boxes, state, query, emails])
        folders = response.get_as(boxes, MailboxList)
        cursor = Cursor(response.get_as(state, EmailList).state, folders.state, server)
        found_boxes = {box.id: box for box in folders.mailboxes}
        if len(folders.mailboxes) >= SILENTLY_CUT:
            found_boxes.update(await self._all_mailboxes())
        yield Observation(folders=[box.folder() for box in found_boxes.values()], folders_whole=True)
        if selective:
            query, emails, response = await self._query_inside()
        for _ in range(MOST_PAGES):
            ids = self._read_page(response, query, listing)
            fresh = [ref for ref in ids if ref not in listing.ids]
            listed = response
            query, emails = await self._query(self._position)
            reached_end = not ids or (listing.total is not None and self._position >= listing.total)
            async with begun(None if reached_end else self._look.call([query, emails])) as following:  # the server is never idle
                found = await self._look.collect(listed, ("emails",), ids)
                async for extra in self._look.unknown_homes(found):
                    yield extra
                # An id that is listed without an answer is there all the same.
                listing.ids |= set(ids) - set(self._look.lost)
                yield Observation(
                    items=[seen_email(found[ref], self._look.boxes) for ref in fresh if ref in found],
                    problems=[unanswered(ref) for ref in ids if ref not in found and ref not in self._look.lost],
                )
                complete = listing.total is not None and listing.total <= len(listing.ids) + len(self._look.lost)
                if not ids or complete or (not fresh and not listing.stable):  # or the messages move on as fast as the pages
                    break
                response = await (following or self._look.call([query, emails]))
        async for late in self._until_stable(listing):
            yield late
        yield _end(listing, before, went_back=since is not None and went_back(since.email, cursor.email))
        async for late in self._replay(listing, cursor):
            yield late

    async def _replay(self, listing: _Listing, cursor: Cursor) -> AsyncIterator[Observation]:
        """Yield what changed since before a listing, and at its end the cursor, unless the next run has to list again.

        Page by page, because a mailbox has to be taken up before the emails in it can be read.
        """
        reached, skipped = "", False
        try:
            async for page in ChangesLook(self._look).since(cursor):
                reached, page.cursor = page.cursor or reached, ""
                # Positions skip only what lies behind a message that vanished.
                skipped = skipped or (not listing.stable and bool(page.gone_refs))
                yield page
        except WholeLookNeededError:
            return  # the listing stands by itself
        if not skipped:
            yield Observation(cursor=reached)

    def _read_page(self, response: Response, query: Call, listing: _Listing) -> list[str]:
        answer = response.get(query)
        ids = [str(ref) for ref in answer.get("ids") or []]
        state = str(answer.get("queryState") or "")
        if listing.state and state != listing.state:
            listing.stable = False
        listing.state = state
        if isinstance(answer.get("total"), int):
            listing.total = answer["total"]
        self._position = int(answer.get("position") or 0) + len(ids)
        return ids

    async def _until_stable(self, listing: _Listing) -> AsyncIterator[Observation]:
        """List the ids again, without their emails, where the server's mail changed under the listing (hard case 26)."""
        if listing.total is not None and len(listing.ids) + len(self._look.lost) < listing.total:
            listing.stable = False
        for _ in range(LISTINGS):
            if listing.stable:
                return
            again = _Listing()
            position = 0
            while True:
                query, _unused = await self._query(position)
                ids = self._read_page(await self._look.call([query]), query, again)
                position = self._position
                if not ids or (again.ids.issuperset(ids) and not again.stable):
                    break
                again.ids |= set(ids)
            missed = sorted(again.ids - listing.ids)
            found = await self._look.fetch(missed)
            async for extra in self._look.unknown_homes(found):
                yield extra
            yield Observation(items=[seen_email(email, self._look.boxes) for email in found.values()])
            listing.ids = again.ids
            listing.stable = again.stable and (again.total is None or len(again.ids) >= again.total)

    async def _query_inside(self) -> tuple[Call, Call, Response]:
        """Ask for the first page of what lies in any mailbox that is not left out; for all, where the server has no such filter."""
        self._outside = sorted(self._look.boxes.outside)
        query, emails = await self._query(0)
        response = await self._look.call([query, emails])
        if self._outside and _is_unsupported(response, query):
            self._outside = []
            query, emails = await self._query(0)
            response = await self._look.call([query, emails])
        return query, emails, response

    async def _query(self, position: int) -> tuple[Call, Call]:
        account = self._look.account
        query = Call(
            "Email/query",
            {
                "accountId": account,
                **({"filter": {"inMailboxOtherThan": self._outside}} if self._outside else {}),
                "sort": [{"property": "receivedAt", "isAscending": True}],
                "position": position,
                "limit": await self._look.page(),
                "calculateTotal": position == 0,
            },
            "query",
        )
        return query, get_emails(account, query.ref("/ids"), "emails")

    async def _all_mailboxes(self) -> dict[str, Mailbox]:
        """Return every mailbox by paging, where a listing may have been cut silently."""
        found: dict[str, Mailbox] = {}
        position = 0
        while True:
            query = Call("Mailbox/query", {"accountId": self._look.account, "position": position, "limit": SILENTLY_CUT}, "q")
            get = get_mailboxes(self._look.account, query.ref("/ids"), "boxes")
            response = await self._look.call([query, get])
            ids = response.get(query).get("ids") or []
            if not ids:
                return found
            found.update({box.id: box for box in response.get_as(get, MailboxList).mailboxes})
            position += len(ids)


def _is_unsupported(response: Response, query: Call) -> bool:
    try:
        response.get(query)
    except MethodError as error:
        if error.type in {"unsupportedFilter", "invalidArguments"}:
            return True
        raise
    return False


def _end(listing: _Listing, before: set[str], *, went_back: bool) -> Observation:
    """Return the end of a listing: what it lacks is gone, if it is complete, and doubtful if it is strange."""
    last = Observation(whole=listing.stable)
    if listing.stable:
        last.gone_refs = sorted(before - listing.ids)
        if went_back:
            last.suspicious = WENT_BACK
        elif len(before) > FEW and len(last.gone_refs) == len(before):
            last.suspicious = "the server has none of the messages any more that it had"
    return last
