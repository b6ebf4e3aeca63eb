"""Offer one account of a JMAP server as the remote side of mail."""

from __future__ import annotations

import base64
from functools import partial
from typing import TYPE_CHECKING

from jmapsync.errors import JmapsyncError, Scope, UnsupportedError
from jmapsync.jmap.failures import MethodError
from jmapsync.planner.model import Verb
from jmapsync.storage.jmap.caller import with_rights
from jmapsync.storage.jmap.changes import changes_or_listing, loses
from jmapsync.storage.jmap.mail.bodies import Bodies, Request
from jmapsync.storage.jmap.mail.changes import MailChanges
from jmapsync.storage.jmap.mail.emails import MAIL, Boxes
from jmapsync.storage.jmap.mail.get import EmailReader, names
from jmapsync.storage.jmap.mail.imports import Importer
from jmapsync.storage.jmap.mail.listing import MailListing
from jmapsync.storage.jmap.mail.mailboxes import MailboxSetter
from jmapsync.storage.jmap.mail.set import Setter
from jmapsync.storage.jmap.quota import quotas_for_sending
from jmapsync.storage.jmap.set import read_only
from jmapsync.storage.port import ItemPage, Traits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from jmapsync.formats.quota import Quota
    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account
    from jmapsync.ledger.record import Record
    from jmapsync.storage.jmap.changes import Cursor
    from jmapsync.storage.port import Body, Context, Job, Observation, Receipt


class MailSide:
    """The remote side of mail; see `storage.port.Remote`."""

    def __init__(self, client: Client, account: Account, spool: Path, *, on_delete: str = "trash", selective: bool = False) -> None:
        """Prepare; `on_delete` says what deleting the last copy here does there, `selective` that mailboxes may be left out."""
        boxes = self._boxes = Boxes()
        most = account.limit_of(MAIL, "maxMailboxesPerEmail")
        self.traits = Traits(account.is_read_only, most, on_delete, is_shared=not account.is_personal)
        self._context: Context | None = None
        self._selective = selective
        self._client = client
        self._account = account
        self._bodies = Bodies(client, account, spool)
        self._setter = Setter(client, account, boxes, on_delete)
        self._importer = Importer(client, account, boxes)
        self._folders = MailboxSetter(client, account)

    def open(self, context: Context) -> None:
        """Begin a run with the mailboxes that are known."""
        self._boxes.keys, self._boxes.roles, self._boxes.outside = context.keys, context.roles, context.outside
        self._context = context

    async def observe(
        self, cursor: str, known: Callable[[], set[str]], again: Sequence[str] = (), *, whole: bool = False
    ) -> AsyncIterator[Observation]:
        """Yield what changed since a cursor; everything there is when `whole`, or when the changes cannot be had or believed.

        Emails of `again` are asked for besides if need be: an earlier run got no answer for them, or they were just made.

        Raises AccountGoneError when the server no longer has the account.
        """
        changes = partial(self._changes, again=again)
        listing = partial(MailListing(self._new_reader()).everything, known)
        async for page in changes_or_listing(self._client, self._account, cursor, changes, listing, whole=whole):
            if self.traits.is_shared and loses(page, known):  # it may have been withdrawn with its mailbox since these were read
                yield (await self._new_reader().mailboxes.all()).page()
            yield page
        # The Session that was kept may be older than what was just read: whether it may be written decides what is undone here.
        self.traits = await with_rights(self._client, self._account, self.traits)

    async def _changes(self, since: Cursor, again: Sequence[str]) -> AsyncIterator[Observation]:
        reader = self._new_reader()
        seen_ids: set[str] = set()
        if self._context is not None and self._context.has_unread:
            yield (await reader.mailboxes.all()).page()
        async for page in MailChanges(reader).since(since):
            if isinstance(page, ItemPage):
                seen_ids.update((seen.ref for seen in page.items), page.gone)
            yield page
        if missing := [ref for ref in again if ref not in seen_ids]:
            async for page in reader.unanswered(missing):
                yield page

    def _new_reader(self) -> EmailReader:
        return EmailReader(self._client, self._account, self._boxes, selective=self._selective)

    async def read(self, wanted: Sequence[Record]) -> dict[int, Body]:
        """Return the bytes of emails by key; one that cannot be had says why."""
        keys = {str(record.ref): record.key for record in wanted}
        requests = [Request(str(one.ref), one.remote.body, one.size) for one in wanted if one.remote is not None]
        return {keys[ref]: body for ref, body in (await self._bodies.read(requests)).items()}

    async def digests(self, wanted: Sequence[Record]) -> dict[int, str]:
        """Return the SHA-256 of emails by key where the server computes it (RFC 9404, 4.2), else nothing."""
        from jmapsync.jmap.blobs import get_digests  # noqa: PLC0415  # most runs ask for none

        blobs = {one.remote.body: one.key for one in wanted if one.remote is not None}
        try:
            digests = await get_digests(self._client, self._account.id, list(blobs), "sha-256")
        except (UnsupportedError, MethodError):
            return {}
        except JmapsyncError as error:
            if error.scope is Scope.ACCOUNT:
                raise
            return {}
        by_blob = {blob: base64.b64encode(digest).decode("ascii") for blob, digest in digests.items()}
        return {one.key: by_blob[one.remote.body] for one in wanted if one.remote is not None and one.remote.body in by_blob}

    async def names(self, refs: Sequence[str]) -> dict[str, str]:
        """Return subject and sender of emails by their ids."""
        return await names(self._client, self._account, refs)

    async def write(self, jobs: Sequence[Job]) -> list[Receipt]:
        """Change, remove and import emails."""
        if self.traits.is_read_only:
            return [read_only(job) for job in jobs]
        made = [job for job in jobs if job.order.verb in {Verb.CREATE, Verb.REPLACE}]
        changed = [job for job in jobs if job.order.verb in {Verb.UPDATE, Verb.DELETE}]
        receipts = await self._setter.write(changed) if changed else []
        if made:
            receipts += await self._importer.write(made)
            receipts = await self._setter.retire(made, receipts)
        return receipts

    async def quotas(self) -> Sequence[Quota] | None:
        """Return the quotas of the account; None where the server offers none, or fails to answer for them."""
        return await quotas_for_sending(self._client, self._account)

    async def finish(self) -> None:
        """Complete the imports that an interrupted run left half done."""
        if not self.traits.is_read_only:
            await self._importer.finish()

    async def write_folder(self, job: Job) -> Receipt:
        """Change one mailbox."""
        if self.traits.is_read_only:
            return read_only(job)
        return await self._folders.write(job, {key: box for box, key in self._boxes.keys.items()})

    async def rename_folders(self, jobs: Sequence[Job]) -> list[Receipt]:
        """Rename mailboxes at once."""
        if self.traits.is_read_only:
            return [read_only(job) for job in jobs]
        return await self._folders.rename(jobs, {key: box for box, key in self._boxes.keys.items()})
