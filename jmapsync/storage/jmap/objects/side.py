"""Offer the cards, events or tasks of one account of a JMAP server as a remote side."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from jmapsync.errors import Remedy
from jmapsync.formats.objects import MalformedError, encode
from jmapsync.formats.unconverted import digest_of
from jmapsync.planner.model import Verb
from jmapsync.storage.jmap.caller import with_rights
from jmapsync.storage.jmap.changes import changes_or_listing, loses
from jmapsync.storage.jmap.decoding import SILENT
from jmapsync.storage.jmap.objects.changes import ObjectObserver, are_all
from jmapsync.storage.jmap.objects.containers import write_folder
from jmapsync.storage.jmap.objects.data import Data, inlined
from jmapsync.storage.jmap.objects.get import Reader
from jmapsync.storage.jmap.objects.listing import ObjectListing
from jmapsync.storage.jmap.objects.set import ObjectSetter
from jmapsync.storage.jmap.quota import quotas_for_sending
from jmapsync.storage.jmap.set import read_only
from jmapsync.storage.port import Body, Context, FolderPage, ItemPage, Traits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from jmapsync.formats.codec import Codec
    from jmapsync.formats.objects import Object
    from jmapsync.formats.quota import Quota
    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account
    from jmapsync.ledger.record import Record
    from jmapsync.planner.model import Order
    from jmapsync.storage.jmap.changes import Cursor
    from jmapsync.storage.jmap.objects.answer import Found
    from jmapsync.storage.jmap.objects.dialect import Dialect
    from jmapsync.storage.port import Context, Job, Observation, Receipt


class ObjectSide:
    """The remote side of one kind of objects; see `storage.port.Remote`."""

    def __init__(
        self, client: Client, account: Account, dialect: Dialect, codec: Codec, unmailed: frozenset[int] | None = None
    ) -> None:
        """Prepare; `unmailed` are the keys of new events that nobody is invited to, None where nobody is ever mailed."""
        self.traits = Traits(account.is_read_only, dialect.most_homes(account), is_shared=not account.is_personal)
        self._context: Context | None = None
        self._client = client
        self._account = account
        self._data = Data(client, account)
        self._readers = [Reader(client, account, each, codec) for each in (dialect, dialect.groups) if each is not None]
        self._setters = [ObjectSetter(reader, self._data, unmailed) for reader in self._readers]

    def open(self, context: Context) -> None:
        """Begin a run with the collections that are known."""
        self._context = context
        for reader in self._readers:
            reader.keys, reader.outside, reader.returned = context.keys, context.outside, context.returned

    async def observe(
        self, cursor: str, known: Callable[[], set[str]], again: Sequence[str] = (), *, whole: bool = False
    ) -> AsyncIterator[Observation]:
        """Yield what changed since a cursor; everything there is when `whole`, or when the changes cannot be had or believed.

        Objects of `again` are asked for besides if need be: an earlier run got no answer for them, or they were just made.

        Raises AccountGoneError when the server no longer has the account.
        """
        changes = partial(self._changes, known=known, again=again)
        listing = ObjectListing(ObjectObserver(self._readers, known), self._readers, known).everything
        first = self._readers[0]
        async for page in changes_or_listing(self._client, self._account, cursor, changes, listing, whole=whole):
            if self.traits.is_shared and first.dialect.container and loses(page, known):
                # They may have been withdrawn with their container since the containers were read.
                now = await first.folders.all()
                yield FolderPage(now.folders, are_all(now), problems=now.troubles)
            yield page
        self.traits = await with_rights(self._client, self._account, self.traits)

    async def _changes(self, since: Cursor, known: Callable[[], set[str]], again: Sequence[str]) -> AsyncIterator[Observation]:
        observer, seen_ids = (
            ObjectObserver(self._readers, known, unread=self._context is not None and self._context.has_unread),
            set[str](),
        )
        async for page in observer.since(since):
            if isinstance(page, ItemPage):
                seen_ids.update((seen.ref for seen in page.items), (trouble.ref for trouble in page.problems), page.gone)
            yield page
        overtaken = {ref for setter in self._setters for ref in setter.overtaken}
        if missing := [ref for ref in dict.fromkeys([*again, *sorted(overtaken)]) if ref not in seen_ids]:
            async for page in observer.objects(missing):
                yield page
        for setter in self._setters:
            setter.overtaken -= overtaken

    async def read(self, wanted: Sequence[Record]) -> dict[int, Body]:
        """Return normal forms by key, their data in place; one that cannot be had says why."""
        refs = {str(record.ref): record.key for record in wanted}
        listed = {record.key: record.remote.body for record in wanted if record.remote is not None}
        forms: dict[str, Object] = {}
        files: dict[str, bytes] = {}
        bodies: dict[int, Body] = {}
        for reader, mine in self._parted(refs):
            found = await reader.fetch(sorted(mine))
            for ref in mine:
                form = _form(reader, ref, refs[ref], found)
                if isinstance(form, Body):
                    bodies[refs[ref]] = form
                elif listed.get(refs[ref]) not in {reader.sense(form), digest_of(found.files.get(ref, b""))}:
                    # Written as what was listed, it would never be seen to differ from it.
                    bodies[refs[ref]] = Body(str(refs[ref]), why="it is another now than the one that was listed", vanished=True)
                else:
                    forms[ref] = form
                    files[ref] = reader.file(ref, found)
        blobs = await self._data.fetch(forms.values())
        for ref, form in forms.items():
            try:
                bodies[refs[ref]] = Body(str(refs[ref]), encode(inlined(form, blobs)), file=files[ref])
            except KeyError:
                why = "the server lists it but does not have its content: a photo or an attachment of it is missing"
                bodies[refs[ref]] = Body(str(refs[ref]), why=why, remedy=Remedy.LATER)
        return bodies

    def _parted(self, refs: Iterable[str]) -> list[tuple[Reader, list[str]]]:
        """Return ids by the data type that they are of: what has no prefix of another one is of the first."""
        rest, parts = list(refs), []
        for reader in reversed(self._readers):
            parts.append((reader, [ref for ref in rest if reader.owns(ref)]))
            rest = [ref for ref in rest if not reader.owns(ref)]
        return [(reader, mine) for reader, mine in reversed(parts) if mine]

    async def write(self, jobs: Sequence[Job]) -> list[Receipt]:
        """Create, change and remove objects."""
        if self.traits.is_read_only:
            return [read_only(job) for job in jobs]
        receipts: list[Receipt] = []
        for number, setter in enumerate(self._setters):  # contacts before the groups that they are members of
            mine = [job for job in jobs if self._part_of(job) == number]
            receipts += await setter.write(mine) if mine else []
        return receipts

    async def mails(self, order: Order, before: bytes | None, after: bytes | None) -> bool:
        """Return whether the server would mail participants about an order on an event."""
        was, now = (json.loads(content) if content else None for content in (before, after))
        return await self._setters[0].mails(order, was, now)

    def _part_of(self, job: Job) -> int:
        """Return the number of the data type that a job is about."""
        if len(self._readers) == 1:
            return 0
        if job.ref is not None and job.order.verb is not Verb.CREATE:
            return int(self._readers[1].owns(job.ref))
        data = job.body.data if job.body is not None else None
        return int(json.loads(data or b"{}").get("kind") == "group")

    async def quotas(self) -> Sequence[Quota] | None:
        """Return the quotas of the account; None where the server offers none, or fails to answer for them."""
        return await quotas_for_sending(self._client, self._account)

    async def finish(self) -> None:
        """Do nothing: an object is written by one call."""

    async def write_folder(self, job: Job) -> Receipt:
        """Change one container."""
        return read_only(job) if self.traits.is_read_only else await write_folder(self._readers[0], job)

    async def rename_folders(self, jobs: Sequence[Job]) -> list[Receipt]:
        """Rename containers one after the other: several may have one name."""
        return [await self.write_folder(job) for job in jobs]


def _form(reader: Reader, ref: str, key: int, found: Found) -> Object | Body:
    """Return the normal form of an object, or why there is none."""
    if ref in found.lost:
        return Body(str(key), why="it was deleted on the server since it was listed", vanished=True)
    if ref not in found.items:
        return Body(str(key), why=SILENT, remedy=Remedy.LATER)
    try:
        return reader.normal_form(ref, found)
    except MalformedError as error:
        return Body(str(key), why=f"it cannot be converted: {error}", remedy=Remedy.LATER)
