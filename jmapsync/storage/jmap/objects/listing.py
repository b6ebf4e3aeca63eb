"""List all objects of one kind in an account, and prove the listing complete before its cursor is kept.

A listing may be cut or skip something. What the ledger has and no list names is asked for by its id: only what the server says of
that id makes it gone (RFC 8620, 5.1 and 5.5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from jmapsync.jmap.failures import MethodError
from jmapsync.jmap.wire import Call
from jmapsync.storage.jmap.changes import WENT_BACK, Cursor, FullListingNeededError, first_of
from jmapsync.storage.jmap.objects.changes import are_all
from jmapsync.storage.jmap.objects.instances import is_instances
from jmapsync.storage.jmap.paging import Page, read_page, walk_through
from jmapsync.storage.port import FolderPage, ItemPage, ListingEnd, resumed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from jmapsync.jmap.wire import Response
    from jmapsync.storage.jmap.objects.changes import ObjectObserver
    from jmapsync.storage.jmap.objects.get import Reader
    from jmapsync.storage.port import Observation

LISTED = 4096
"""Ids a page of a listing: Cyrus 3.12 takes 0.2 s for each page of contacts, however long it is."""
CUT = "the server's list lacks items that it has"
FEW = 3
"""Objects an account may lose to the last one in one listing without a question."""


class ObjectListing:
    """Lists everything."""

    def __init__(self, observer: ObjectObserver, readers: Sequence[Reader], known: Callable[[], set[str]]) -> None:
        """Prepare; `known` returns the ids that the ledger believes to be on the server."""
        self._observer = observer
        self._readers = readers
        self._known = known
        self._lists: list[_Listing] = []
        self._refs: dict[str, None] = {}
        """What was listed."""

    async def everything(self, server: str, since: Cursor | None = None) -> AsyncIterator[Observation]:
        """Yield all there is: containers, then pages of objects, then what changed during that.

        `since` is the cursor of the last run. The cursor comes with the end of a listing that is complete, and with no other.
        """
        before = self._known()
        cursor, response, containers = await self._begin(server)
        if not before:
            self._read_early(response)
        try:
            async for page in self._pages(response, cursor, containers, before, since):
                yield page
        finally:
            await self._observer.close()

    def _read_early(self, response: Response) -> None:
        """Begin to read the objects of a first listing that one page holds: another kind may be written before they are wanted."""
        for reader in self._readers:
            try:
                page = read_page(response, _query(reader, 0))
            except MethodError:  # it is reported where the list is wanted
                continue
            if not page.why and page.total == len(page.ids):
                self._observer.read_early(reader, [reader.ref(one) for one in page.ids])

    async def _pages(
        self, response: Response, cursor: Cursor, containers: FolderPage, before: set[str], since: Cursor | None
    ) -> AsyncIterator[Observation]:
        yield containers
        self._lists = [await _list(reader, response) for reader in self._readers]
        self._refs = dict.fromkeys(ref for one in self._lists for ref in one.refs)
        async for page in self._missing(before, since, cursor):
            yield page
        async for page in self._observer.objects(self._refs):
            yield page
        changes = self._observer.since(cursor, [one.probe for one in self._lists if one.probe is not None])
        ahead = await first_of(changes)
        async for page in self._behind_ends():
            yield page
        why = next((one.why for one in self._lists if one.why), "")
        yield ListingEnd(unlisted=why, cursor="" if why else cursor.encode())
        try:
            async for changed in resumed(ahead, changes):
                if isinstance(changed, ItemPage):
                    changed.cursor = "" if why else changed.cursor  # what a list skipped, no delta lists
                yield changed
        except FullListingNeededError:
            return  # the listing stands by itself

    async def _begin(self, server: str) -> tuple[Cursor, Response, FolderPage]:
        """Return the states before the listing, the response with its first pages, and the containers."""
        first = self._readers[0]
        states = [_state_call(reader) for reader in self._readers]
        queries = [_query(reader, 0) for reader in self._readers]
        response = await first.call([*first.folders.calls("all"), *states, *queries])
        boxes = await first.folders.all(response, "all")
        items = {call.id.partition("-")[0]: response.get(call).get("state", "") for call in states}
        whole = bool(first.dialect.container) and are_all(boxes)
        containers = FolderPage(boxes.folders, whole, problems=boxes.troubles)
        return Cursor(items, boxes.state, server), response, containers

    async def _missing(self, before: set[str], since: Cursor | None, now: Cursor) -> AsyncIterator[FolderPage | ItemPage]:
        """Yield what the ledger has and no list names: gone, where the server says so of its id."""
        lost, unlisted = set[str](), set[str]()
        async for page in self._observer.objects(sorted(before.difference(self._refs))):
            if isinstance(page, ItemPage):
                lost.update(page.gone)
                page.gone = []
                unlisted.update(seen.ref for seen in page.items if not is_instances(seen.ref))
            yield page
        if unlisted:
            self._lists = [one if one.probe is None else await _walk(one.reader) for one in self._lists]
            listed = {ref: None for one in self._lists for ref in one.refs}
            self._refs.update((ref, None) for ref in listed if ref not in unlisted)
            if not unlisted <= listed.keys():
                self._lists[0].why = self._lists[0].why or CUT
        gone = ItemPage(gone=sorted(before & lost))
        gone.suspicious = _doubt(gone, before, since, now)
        yield gone

    async def _behind_ends(self) -> AsyncIterator[FolderPage | ItemPage]:
        """Yield what lies behind the ends that totals gave, where there is more than what came since."""
        for one in self._lists:
            if one.probe is not None and not self._observer.follower.is_end(one.probe):
                more = await _walk(one.reader)
                one.why = one.why or more.why
                async for page in self._observer.objects(ref for ref in more.refs if ref not in self._refs):
                    yield page


def _doubt(page: ItemPage, before: set[str], since: Cursor | None, now: Cursor) -> str:
    """Return why what is gone by a listing may be the server's loss, or nothing."""
    if since is not None and since.went_back_to(now):
        return WENT_BACK
    return "every item disappeared from the server at once" if len(page.gone) == len(before) > FEW else ""


class _Listing(Struct):
    """The objects of one data type that a server lists."""

    reader: Reader
    refs: list[str]
    why: str = ""
    """Why it is not whole, or nothing."""
    probe: Call | None = None
    """What asks for more behind an end that a total gave."""


async def _list(reader: Reader, first: Response) -> _Listing:
    """Return every id; `first` answers the first page."""
    page = read_page(first, _query(reader, 0))
    if page.why or page.total is None or page.total > len(page.ids):
        return await _walk(reader, page)
    refs = [reader.ref(one) for one in page.ids]
    return _Listing(reader, refs, probe=_query(reader, len(page.ids)) if refs else None)


async def _walk(reader: Reader, first: Page | None = None) -> _Listing:
    async def ask(position: int) -> Page:
        query = _query(reader, position)
        return read_page(await reader.call([query]), query)

    walk = await walk_through(ask, first)
    return _Listing(reader, [reader.ref(one) for one in (*walk.ids, *walk.strays)], walk.why)


def _query(reader: Reader, position: int) -> Call:
    arguments = {"accountId": reader.account, "position": position, "limit": LISTED, "calculateTotal": position == 0}
    return Call(f"{reader.dialect.type}/query", arguments, f"{reader.dialect.type}-query")


def _state_call(reader: Reader) -> Call:
    """Return the call that returns the state of a data type, and nothing else."""
    kind = reader.dialect.type
    return Call(f"{kind}/get", {"accountId": reader.account, "ids": [], "properties": ["id"]}, f"{kind}-state")
