"""Observe the objects of one kind in an account: what changed since a cursor, in one request where it is little.

The loop over `/changes` trusts nothing; what cannot be had or believed leads to a full listing. Nothing counts as gone but
by what the server says of each id: by `/changes`, or by `/get` for what a listing lacks (RFC 8620, 5.1, 5.2 and 5.5).
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from jmapsync.jmap.failures import MethodError
from jmapsync.jmap.session import SILENTLY_CUT
from jmapsync.jmap.wire import Call
from jmapsync.storage.jmap.caller import BATCH
from jmapsync.storage.jmap.changes import Changes, Cursor, Follower, FullListingNeededError
from jmapsync.storage.jmap.decoding import SILENT, UNREADABLE
from jmapsync.storage.jmap.objects.instances import NO_FILTER, is_instances, uid_query
from jmapsync.storage.jmap.objects.pages_ahead import PagesAhead
from jmapsync.storage.port import FolderPage, ItemPage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from jmapsync.storage.jmap.objects.answer import Found
    from jmapsync.storage.jmap.objects.containers import Containers
    from jmapsync.storage.jmap.objects.get import Reader


class ObjectObserver:
    """Observes one kind in one run."""

    def __init__(self, readers: Sequence[Reader], known: Callable[[], set[str]], *, unread: bool = False) -> None:
        """Prepare; each reader is for one data type, the first one reads the containers.

        `known` returns the ids that the ledger believes to be on the server; `unread` says that an earlier run met containers that
        could not be read: no delta shows when they can.
        """
        self._unread = unread
        self._readers = readers
        self._known = known
        self._reader = readers[0]
        self._asked: set[str] = set()
        """Containers that the server was asked about because an object is in them."""
        self.follower = Follower(self._reader.call, self._changes)
        self._joined: set[str] = set()
        """The instances of one uid that were read together."""
        self._early: dict[str, PagesAhead] = {}
        """What is read before its turn, by data type."""

    async def since(self, cursor: Cursor, besides: Sequence[Call] = ()) -> AsyncIterator[FolderPage | ItemPage]:
        """Yield what changed since a cursor, containers first; the last of each page of changes carries the cursor that covers it.

        `besides` are calls to be answered first, together with the first page. Raises FullListingNeededError.
        """
        first, container = self._reader, self._reader.dialect.container
        readers = {reader.dialect.type: reader for reader in self._readers}
        states = {container: cursor.boxes} if container else {}
        states |= {kind: _state(cursor, kind) for kind in readers}
        # The objects themselves are asked for once there are any: so the changes of all kinds fit into one request.
        async for page in self.follower.pages(states, [list(states)], besides):
            if container in page.asked:
                boxes = page.changes(container)
                if self._unread or not boxes.empty or boxes.has_more_changes:
                    # Containers are few: all of them are read, and so what is listed of them in pages needs no second thought.
                    now = await first.folders.all()
                    page.end(container, now.state)
                    here = {folder.ref for folder in now.folders} | {trouble.ref for trouble in now.troubles}
                    gone = [ref for ref in boxes.destroyed if ref not in here]
                    yield FolderPage(now.folders, are_all(now), gone, problems=now.troubles)
            changes = {kind: page.changes(kind) for kind in readers if kind in page.asked}
            for kind, one in changes.items():
                async for changed in self._changed(readers[kind], one):
                    yield changed
            items = {kind: page.states[kind] for kind in readers}
            yield ItemPage(cursor=Cursor(items, page.states.get(container, cursor.boxes), cursor.server).encode())

    def _changes(self, kind: str, state: str) -> list[Call]:
        return [Call(f"{kind}/changes", {"accountId": self._reader.account, "sinceState": state, "maxChanges": BATCH}, kind)]

    async def _changed(self, reader: Reader, changes: Changes) -> AsyncIterator[FolderPage | ItemPage]:
        """Yield the objects that a page of changes lists.

        One that is listed as destroyed and as there is asked for: where the id is the uid (Cyrus), it may have come back. What
        is gone comes first, because another client may have made it anew, with another id and the same uid.
        """
        listed = [reader.ref(one) for one in dict.fromkeys([*changes.created, *changes.updated])]
        if gone := {reader.ref(one) for one in changes.destroyed}.difference(listed):
            yield ItemPage(gone=sorted(gone))
        self._joined.clear()
        async for page in self._objects(reader, [*self._bereft(gone), *listed]):
            yield page

    def _bereft(self, gone: set[str]) -> list[str]:
        """Return the instances of one uid that may have lost some of them: an id does not show what it was."""
        if not gone or not self._reader.dialect.wanted:
            return []
        known = self._known()
        return [] if gone <= known else sorted(filter(is_instances, known))

    async def objects(self, refs: Iterable[str]) -> AsyncIterator[FolderPage | ItemPage]:
        """Yield objects by their ids; those that the server says it does not have are gone, those it is silent about a problem."""
        rest = list(refs)
        for reader in reversed(self._readers):  # the first one has no prefix: what is left is its own
            mine = [ref for ref in rest if reader.owns(ref)]
            rest = [ref for ref in rest if not reader.owns(ref)]
            async for page in self._objects(reader, mine):
                yield page

    def read_early(self, reader: Reader, refs: Sequence[str]) -> None:
        """Begin to read objects that are asked for later, whatever happens to the ledger before that."""
        if refs:
            self._early[reader.dialect.type] = PagesAhead(reader, refs, early=True)

    async def close(self) -> None:
        """Read nothing early any more."""
        while self._early:
            await self._early.popitem()[1].aclose()

    async def _objects(self, reader: Reader, refs: Sequence[str]) -> AsyncIterator[FolderPage | ItemPage]:
        """Yield objects page by page; the next page is requested while one is converted."""
        early = self._early.get(reader.dialect.type)
        is_early = early is not None and early.refs == refs
        ahead = self._early.pop(reader.dialect.type) if is_early else PagesAhead(reader, refs)
        async with aclosing(ahead):
            async for asked, found in ahead:
                if folders := await self._unknown_homes(found):
                    yield folders
                # In a thread, because conversions take time in which answers come.
                page, several = await asyncio.to_thread(self._seen, reader, found, asked)
                yield page
                async for joined in self._objects(reader, sorted(several)):
                    yield joined

    def _seen(self, reader: Reader, found: Found, asked: Iterable[str]) -> tuple[ItemPage, set[str]]:
        """Return what was read, and the instances of one uid that have yet to be read together: one of each was met."""
        items, troubles = reader.seen(found)
        known = {*(seen.ref for seen in items), *(trouble.ref for trouble in troubles)}
        others = [ref for ref in found.items if ref not in known and not is_instances(ref)]
        page = ItemPage(gone=sorted(found.lost), others=others, problems=troubles)
        self._joined |= {*filter(is_instances, asked)}
        met: set[str] = set()
        for seen in items:
            if is_instances(seen.ref) and seen.ref not in found.items:
                met.add(seen.ref)
                continue
            page.items.append(seen)
        for ref in asked:
            if ref not in found.items and ref not in found.lost:
                unreadable = ref in found.unreadable
                why = UNREADABLE if unreadable else SILENT
                page.problems.append(reader.trouble(ref, why))
        return page, met - self._joined

    async def _unknown_homes(self, found: Found) -> FolderPage | None:
        """Return the containers when an object is in an unknown one."""
        reader = self._reader  # groups are in the same
        boxes = {box for item in found.items.values() for box in reader.boxes(item)}
        unknown = boxes - reader.keys.keys() - reader.outside - self._asked
        self._asked |= unknown
        if not unknown:
            return None
        if not reader.dialect.container:
            return FolderPage([reader.folders.unlisted(box) for box in sorted(unknown)])
        now = await reader.folders.all()
        if rest := unknown.difference(folder.ref for folder in now.folders):
            more = await reader.folders.some(sorted(rest))
            now.folders += more.folders
            now.troubles += more.troubles
        return FolderPage(now.folders, covered=False, problems=now.troubles)


def are_all(found: Containers) -> bool:
    """Return whether these are all containers."""
    return not found.troubles and not found.cut and len(found.folders) < SILENTLY_CUT


def _state(cursor: Cursor, kind: str) -> str:
    """Return the state that a data type was in. Raises FullListingNeededError where none is known."""
    state = cursor.items.get(kind)
    if state is None:
        raise FullListingNeededError("what the server has besides was never listed")
    return state


async def siblings(reader: Reader, uids: Iterable[str]) -> dict[str, set[str]]:
    """Return the ids of all objects of the given uids; nothing where the server cannot search for them."""
    wanted = sorted(uids)
    found: dict[str, set[str]] = {}
    for start in range(0, len(wanted), BATCH):
        query = uid_query(reader, wanted[start : start + BATCH])
        get = Call(
            f"{reader.dialect.type}/get", {"accountId": reader.account, "ids": query.ref("/ids"), "properties": ["uid"]}, "siblings"
        )
        try:
            answer = (await reader.call([query, get])).get(get)
        except MethodError as error:
            if error.type not in NO_FILTER:
                raise
            return {}
        for one in answer.get("list") or ():
            if isinstance(one, dict) and isinstance(one.get("id"), str):
                found.setdefault(str(one.get("uid")), set()).add(one["id"])
    return found
