"""Look at what an account on the server holds of one kind: what changed since a cursor, in one request where it is little, or all.

The loop over `/changes` trusts nothing; what cannot be had or believed leads to a whole look, and only a complete listing makes
anything vanish (RFC 8620, 5.2 and 5.5).
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from msgspec import Struct

from jmapsync.jmap.wire import Call
from jmapsync.storage.port import Observation, Trouble
from jmapsync.storage.remote.changes import MOST_PAGES, WENT_BACK, WholeLookNeededError, believed, went_back
from jmapsync.storage.remote.emails import Changes
from jmapsync.storage.remote.objects.reading import BATCH, LISTED, Found

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from jmapsync.storage.remote.objects.reading import Reader

LISTINGS = 3
"""Times a listing is begun anew when the server's objects change under it."""
FEW = 3
"""Objects an account may lose to the last one in one listing without a question."""


class Cursor(Struct, frozen=True):
    """The states that the next look starts from."""

    items: str
    boxes: str
    server: str = ""
    """Whose states they are."""

    def encode(self) -> str:
        """Return it as text for the ledger."""
        return json.dumps({"items": self.items, "boxes": self.boxes, "server": self.server})

    @classmethod
    def decode(cls, text: str) -> Cursor:
        """Read it back."""
        found = json.loads(text)
        return cls(found["items"], found["boxes"], found["server"])


class ObjectLook:
    """One look at one kind."""

    def __init__(self, reader: Reader) -> None:
        """Prepare."""
        self._reader = reader
        self._dialect = reader.dialect

    async def since(self, cursor: Cursor) -> AsyncIterator[Observation]:
        """Yield what changed since a cursor, containers first; each page carries the cursor that covers it.

        Raises WholeLookNeededError.
        """
        reader = self._reader
        kind, container = self._dialect.type, self._dialect.container
        for _ in range(MOST_PAGES):
            # The objects themselves are asked for once there are any: so the questions of all kinds fit into one request.
            items_call = self._changes(kind, cursor.items, "items")
            boxes_call = self._changes(container, cursor.boxes, "boxes") if container else None
            response = await reader.call([call for call in (boxes_call, items_call) if call is not None])
            boxes = believed(response, boxes_call, cursor.boxes) if boxes_call is not None else Changes()
            items = believed(response, items_call, cursor.items)
            if not boxes.empty or boxes.has_more_changes:
                # Containers are few: all of them are read, and so what is told of them in pages needs no second thought.
                read = reader.all_folders("all")
                answer = await reader.call(read)
                folders, state = reader.take_folders(answer, "all")
                yield Observation(folders=folders, folders_whole=True)
                boxes = Changes(new_state=state)
            page = await self._page(items)
            cursor = Cursor(items.new_state, boxes.new_state or cursor.boxes, cursor.server)
            page.cursor = cursor.encode()
            yield page
            if not items.has_more_changes:
                return
        raise WholeLookNeededError("the server's list of changes does not end")

    def _changes(self, kind: str, state: str, name: str) -> Call:
        return Call(f"{kind}/changes", {"accountId": self._reader.account, "sinceState": state, "maxChanges": BATCH}, name)

    async def _page(self, changes: Changes) -> Observation:
        """Return the objects that a page of changes tells of."""
        gone = set(changes.destroyed)
        listed = [ref for ref in dict.fromkeys([*changes.created, *changes.updated]) if ref not in gone]
        found = await self._reader.fetch(listed)
        if missing := [ref for ref in listed if ref not in found.items and ref not in found.lost]:
            await self._reader.fetch(missing, found)  # some servers leave ids out once (hard case 24)
        await self._reader.open(found)
        return await asyncio.to_thread(self._seen, found, listed, gone)

    async def _read(self, ids: Sequence[str]) -> Found:
        found = await self._reader.fetch(ids)
        await self._reader.open(found)
        return found

    def _seen(self, found: Found, listed: Sequence[str], gone: set[str] | frozenset[str] = frozenset()) -> Observation:
        """Return what was read as it is seen; in a thread, because conversions take time in which answers come."""
        items, troubles = self._reader.seen(found, but=gone)
        silent = [ref for ref in listed if ref not in found.items and ref not in found.lost]
        troubles += [
            Trouble(f"{self._dialect.type} {ref}", "the server lists it but does not answer for it", ref) for ref in silent
        ]
        return Observation(items=items, gone_refs=sorted(gone | found.lost), problems=troubles)

    async def unanswered(self, ids: Sequence[str]) -> AsyncIterator[Observation]:
        """Yield objects that an earlier look got no answer for."""
        yield self._seen(await self._read(ids), ids)

    async def _pages(self, ids: Sequence[str]) -> AsyncIterator[Observation]:
        """Yield objects page by page; the next page is asked for while one is taken in."""
        pages = [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]
        reading = asyncio.ensure_future(self._read(pages[0])) if pages else None
        try:
            for number, page in enumerate(pages):
                assert reading is not None  # noqa: S101 - there is a page
                found = await reading
                reading = asyncio.ensure_future(self._read(pages[number + 1])) if number + 1 < len(pages) else None
                yield await asyncio.to_thread(self._seen, found, page)
        finally:
            if reading is not None:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    async def everything(
        self, known: Callable[[], set[str]], server: str, since: Cursor | None = None
    ) -> AsyncIterator[Observation]:
        """Yield all there is: containers, then pages of objects, then what changed meanwhile.

        `known` returns the ids the ledger believes to be on the server; those that a complete listing lacks are gone.
        """
        reader, kind = self._reader, self._dialect.type
        before = known()
        state = Call(f"{kind}/get", {"accountId": reader.account, "ids": [], "properties": ["id"]}, "state")
        response = await reader.call([*reader.all_folders("all"), state])
        folders, boxes_state = reader.take_folders(response, "all")
        items_state = str(response.get(state).get("state") or "")
        yield Observation(folders=folders, folders_whole=True)
        ids = await self._list()
        present = await self._present(sorted(before - set(ids)))
        async for listed in self._pages(ids):
            yield listed
        if present.items:
            await reader.open(present)
            yield self._seen(present, sorted(present.items))
        cursor = Cursor(items_state, boxes_state, server)
        gone = sorted(before - set(ids) - present.items.keys())
        page = Observation(gone_refs=gone, whole=True, cursor=cursor.encode())
        if since is not None and (went_back(since.items, items_state) or went_back(since.boxes, boxes_state)):
            page.suspicious = WENT_BACK
        elif not ids and len(before) > FEW:
            page.suspicious = "every item disappeared from the server at once"
        yield page
        async for changed in self.since(cursor):
            yield changed

    async def _present(self, unlisted: list[str]) -> Found:
        """Ask for objects that a listing lacks before they count as gone: a listing may be cut (hard case 23)."""
        return await self._reader.fetch(unlisted) if unlisted else Found()

    async def _list(self) -> list[str]:
        """Return every id, by a listing during which nothing changed; else by the last one, which `_present` makes up for."""
        for _ in range(LISTINGS):
            ids: dict[str, None] = {}
            states: set[str] = set()
            for _ in range(MOST_PAGES):
                query = Call(
                    f"{self._dialect.type}/query",
                    {"accountId": self._reader.account, "position": len(ids), "limit": LISTED},
                    "query",
                )
                answer = (await self._reader.call([query])).get(query)
                states.add(str(answer.get("queryState") or ""))
                fresh = [ref for ref in answer.get("ids") or () if isinstance(ref, str) and ref not in ids]
                if not fresh:
                    break
                ids.update(dict.fromkeys(fresh))
            if len(states) == 1:
                break
        return list(ids)
