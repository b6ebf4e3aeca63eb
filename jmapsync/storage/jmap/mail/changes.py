"""Observe what changed in the mail of an account since a cursor, in one request where it is little."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.jmap.failures import MethodError
from jmapsync.jmap.wire import Call
from jmapsync.storage.jmap.changes import IDLE, ChangesPage, Cursor, Follower
from jmapsync.storage.jmap.decoding import listed
from jmapsync.storage.jmap.mail.emails import Mailbox, get_emails, get_mailboxes
from jmapsync.storage.jmap.mail.mailboxes import Mailboxes
from jmapsync.storage.port import FolderPage, ItemPage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from jmapsync.storage.jmap.mail.get import EmailReader

CALLS = 6
"""Calls of the request for the changes of mailboxes and emails together."""
EMAIL, MAILBOX = "Email", "Mailbox"
_NAMES = {EMAIL: "emails", MAILBOX: "boxes"}
"""The ids of the calls for changes."""


class MailChanges:
    """Observes what changed."""

    def __init__(self, reader: EmailReader) -> None:
        """Prepare."""
        self._reader = reader
        self._limit = 0
        """Changes to ask for at a time."""
        self.follower = Follower(reader.call, self._calls)

    async def since(self, cursor: Cursor, besides: Sequence[Call] = ()) -> AsyncIterator[FolderPage | ItemPage]:
        """Yield what changed since a cursor, folders first; each page carries the cursor that covers it.

        `besides` are calls to be answered first, together with the first page. Raises FullListingNeededError.
        """
        self._limit = await self._reader.page()
        together = (await self._reader.limits()).max_calls_in_request >= CALLS + len(besides)
        stages = [[MAILBOX, EMAIL]] if together else [[MAILBOX], [EMAIL]]
        states = {MAILBOX: cursor.boxes, EMAIL: cursor.items.get(EMAIL, "")}
        async for page in self.follower.pages(states, stages, besides):
            folders = await self._mailboxes(page) if MAILBOX in page.asked else FolderPage()
            changes = page.changes(EMAIL) if EMAIL in page.asked else None  # before any of the page counts
            if folders.folders or folders.gone or folders.problems:
                yield folders
            items = ItemPage()
            if changes is not None:
                listed_ids = [*changes.created, *changes.updated]
                found = await self._reader.collect(page.response, ("email-created", "email-updated"), listed_ids)
                async for more in self._reader.unknown_homes(found):
                    yield more
                gone = set(changes.destroyed)
                items = self._reader.seen(found, [ref for ref in listed_ids if ref not in gone])
                items.gone = [*changes.destroyed, *(ref for ref in self._reader.lost if ref not in gone)]
            items.cursor = Cursor({EMAIL: page.states[EMAIL]}, page.states[MAILBOX], cursor.server).encode()
            yield items

    def _calls(self, kind: str, state: str) -> list[Call]:
        """Return the calls for the changes of a type, and for the objects that they name."""
        account = self._reader.account
        changes = self._changes(kind, state, _NAMES[kind])
        get, name = (get_emails, "email") if kind == EMAIL else (get_mailboxes, "box")
        return [
            changes,
            get(account, changes.ref("/created"), f"{name}-created"),
            get(account, changes.ref("/updated"), f"{name}-updated"),
        ]

    def _changes(self, kind: str, state: str, name: str) -> Call:
        return Call(f"{kind}/changes", {"accountId": self._reader.account, "sinceState": state, "maxChanges": self._limit}, name)

    async def _mailboxes(self, page: ChangesPage) -> FolderPage:
        """Return the mailboxes that changed."""
        changes = page.changes(MAILBOX)
        found = Mailboxes()
        for name, ids in (("box-created", changes.created), ("box-updated", changes.updated)):
            try:
                found.take(listed(page.response, Call("Mailbox/get", {}, name), Mailbox))
            except MethodError:
                more = await self._reader.mailboxes.some(ids)
                found.folders |= more.folders
                found.unread |= more.unread
                found.flawed |= more.flawed
                found.lost |= more.lost
        gone = set(changes.destroyed) | found.lost
        known = self._reader.boxes.keys.keys() | self._reader.boxes.outside | found.folders.keys()
        if any(folder.parent and folder.parent not in known for folder in found.folders.values()):
            found = await self._reader.mailboxes.all()  # a page may list a child before its parent
            found.whole = False
            found.states.add(page.states[MAILBOX])
        found.folders = {ref: folder for ref, folder in found.folders.items() if ref not in gone}
        mailboxes = found.page()
        mailboxes.gone = sorted(gone)
        return mailboxes

    async def destroyed_since(self, state: str) -> set[str]:
        """Return the ids of the emails that were destroyed since a state. Raises FullListingNeededError."""
        self._limit = await self._reader.page()
        follower = Follower(self._reader.call, lambda kind, state: [self._changes(kind, state, "since")])
        pages = follower.pages({EMAIL: state}, [[EMAIL]], most=IDLE)
        return {ref async for page in pages for ref in page.changes(EMAIL).destroyed}
