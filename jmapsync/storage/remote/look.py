"""Ask an account on the server for emails and mailboxes by their ids, and never take silence for absence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.jmap.wire import Call, MethodError, Response, batched
from jmapsync.storage.port import Observation, Trouble
from jmapsync.storage.remote.emails import MAIL, Email, EmailList, MailboxList, get_emails, get_mailboxes, seen_email

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account, Limits
    from jmapsync.storage.port import Folder
    from jmapsync.storage.remote.emails import Boxes

PAGE = 4096
"""Most ids a page, whatever the server would allow: an answer of this length takes about 1.5 MB."""


class RemoteLook:
    """One look at an account. `boxes` is filled as folders are taken up."""

    def __init__(self, client: Client, account: Account, boxes: Boxes, *, selective: bool = False) -> None:
        """Prepare; `selective` says that mailboxes may be left out, so that they have to be known before any email is listed."""
        self._client = client
        self._account = account
        self.account = account.id
        self.boxes = boxes
        self.selective = selective
        self.lost: list[str] = []
        """Ids asked for last that the server says it does not have."""

    async def unanswered(self, ids: Sequence[str]) -> AsyncIterator[Observation]:
        """Yield emails that an earlier look got no answer for."""
        self.lost = []
        found = await self.fetch(list(ids))
        async for folders in self.unknown_homes(found):
            yield folders
        silent = [ref for ref in ids if ref not in found and ref not in self.lost]
        yield Observation(
            items=[seen_email(email, self.boxes) for email in found.values()],
            gone_refs=list(self.lost),
            problems=[unanswered(ref) for ref in silent],
        )

    async def unknown_homes(self, found: dict[str, Email]) -> AsyncIterator[Observation]:
        """Read the mailboxes again when an email is in one that nobody told of."""
        if not all(self.boxes.know(box) for email in found.values() for box in email.mailbox_ids):
            yield Observation(folders=await self.all_folders())

    async def all_folders(self) -> list[Folder]:
        """Return every mailbox that the server lists."""
        get = get_mailboxes(self.account, None, "boxes")
        return [box.folder() for box in (await self.call([get])).get_as(get, MailboxList).mailboxes]

    async def collect(self, response: Response, names: tuple[str, ...], ids: list[str]) -> dict[str, Email]:
        """Return the emails that back-referenced calls gave, and ask again for those they left out (hard cases 24, 25).

        `lost` then are those of them that the server says it does not have.
        """
        found: dict[str, Email] = {}
        self.lost = []
        for name in names:
            try:
                answer = response.get_as(Call("Email/get", {}, name), EmailList)
            except MethodError:
                continue
            found.update({email.id: email for email in answer.emails})
            self.lost += answer.not_found or ()
        missing = [ref for ref in dict.fromkeys(ids) if ref not in found and ref not in set(self.lost)]
        if missing:
            found.update(await self.fetch(missing))
        wanted = set(ids)
        return {ref: email for ref, email in found.items() if ref in wanted}

    async def fetch(self, ids: list[str]) -> dict[str, Email]:
        """Return emails by their ids; those that the server says it does not have are added to `lost`."""
        found: dict[str, Email] = {}
        waiting = list((await self.limits()).gets(ids))
        while waiting:
            batch = waiting.pop()
            get = get_emails(self.account, batch, "emails")
            try:
                answer = (await self.call([get])).get_as(get, EmailList)
            except MethodError as error:
                if error.type != "requestTooLarge" or len(batch) == 1:
                    raise
                waiting += batched(batch, (len(batch) + 1) // 2)
                continue
            found.update({email.id: email for email in answer.emails})
            self.lost += answer.not_found or ()
        return found

    async def limits(self) -> Limits:
        """Return what the server allows."""
        return (await self._client.session()).limits

    async def page(self) -> int:
        """Return how many ids to ask for at a time."""
        return min((await self.limits()).max_objects_in_get, PAGE)

    async def call(self, calls: list[Call]) -> Response:
        """Send calls in one request."""
        using = (await self._client.session()).using(MAIL, account=self._account)
        return await self._client.call(calls, using=using)


def unanswered(ref: str) -> Trouble:
    """Return the trouble with an email that the server lists and does not answer for."""
    return Trouble(f"email {ref}", "the server lists it but does not answer for it", ref)
