"""Get emails by their ids; one that the server does not answer for, or whose answer cannot be read, does not count as gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jmapsync.errors import ServerError
from jmapsync.formats.labels import message_label, shown
from jmapsync.jmap.failures import MethodError
from jmapsync.jmap.wire import Call, Response
from jmapsync.storage.jmap.caller import Caller
from jmapsync.storage.jmap.decoding import SILENT
from jmapsync.storage.jmap.mail.emails import MAIL, Email, emails_of, get_emails, seen_email
from jmapsync.storage.jmap.mail.mailboxes import MailboxReader
from jmapsync.storage.jmap.sharing import GET_MAILBOXES, OF_MAILBOXES, with_shares
from jmapsync.storage.port import FolderPage, ItemPage, Trouble

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account
    from jmapsync.storage.jmap.decoding import Listed
    from jmapsync.storage.jmap.mail.emails import Boxes

PAGE = 4096
"""Most ids a page, whatever the server would allow: an answer of this length takes about 1.5 MB."""
_NAMING = ("id", "subject", "from")


class EmailReader(Caller):
    """Reads emails of an account in one run. `boxes` is filled as mailboxes are ingested."""

    def __init__(self, client: Client, account: Account, boxes: Boxes, *, selective: bool = False) -> None:
        """Prepare; `selective` says that mailboxes may be left out, so that they have to be known before any email is listed."""
        super().__init__(client, account, MAIL)
        self.boxes = boxes
        self.selective = selective
        self.mailboxes = MailboxReader(self)
        self.lost: list[str] = []
        """Ids asked for last that the server says it does not have."""
        self.malformed: dict[str, str] = {}
        """Why the answer for an id asked for last cannot be read."""
        self.states: set[str] = set()
        """The states in which emails were read."""
        self._asked: set[str] = set()
        """Mailboxes asked for because an email is in them, and not to be had."""

    async def call(self, calls: Sequence[Call], *, repeatable: bool = True) -> Response:
        """Send calls in one request, those for mailboxes so that they read whom these are shared with, where that is offered."""
        session = await self._client.session()
        using = session.using(MAIL, *OF_MAILBOXES, account=self._account)
        if using[2:] and any(call.name == GET_MAILBOXES for call in calls):
            return await self._client.call([with_shares(call) for call in calls], using=using, repeatable=repeatable)
        return await super().call(calls, repeatable=repeatable)

    async def unanswered(self, ids: Sequence[str]) -> AsyncIterator[FolderPage | ItemPage]:
        """Yield emails that an earlier run got no answer for."""
        self.forget()
        found = await self.fetch(list(ids))
        async for folders in self.unknown_homes(found):
            yield folders
        page = self.seen(found, ids)
        page.gone = list(self.lost)
        yield page

    def forget(self) -> None:
        """Begin to ask for other ids."""
        self.lost, self.malformed = [], {}

    def seen(self, found: dict[str, Email], ids: Iterable[str], gone: Iterable[str] = ()) -> ItemPage:
        """Return a page of emails, with what is wrong with any of the ids that were asked for."""
        passed_over = {*self.lost, *gone}
        page = ItemPage()
        for ref in dict.fromkeys(ids):
            if (email := found.get(ref)) is not None:
                page.items.append(seen_email(email, self.boxes))
            elif ref not in passed_over:
                page.problems.append(self.trouble(ref, self.malformed.get(ref, SILENT)))
        return page

    def trouble(self, ref: str, why: str) -> Trouble:
        """Return the trouble with an email, by name."""
        return Trouble(f"email {ref}", why, ref)

    async def unknown_homes(self, found: dict[str, Email]) -> AsyncIterator[FolderPage]:
        """Read the mailboxes again when an email is in an unknown one; those that are not listed are asked for once."""
        unknown = self._unknown_boxes(found)
        if not unknown:
            return
        boxes = await self.mailboxes.all()
        if rest := unknown - boxes.folders.keys() - boxes.unread.keys():
            more = await self.mailboxes.some(rest)
            boxes.folders |= more.folders
            boxes.unread |= more.unread
        page = boxes.page()
        page.whole = page.covered = False
        yield page
        self._asked |= unknown

    def _unknown_boxes(self, found: dict[str, Email]) -> set[str]:
        boxes = {box for email in found.values() for box in email.boxes}
        return {box for box in boxes - self._asked if not self.boxes.know(box)}

    async def collect(self, response: Response, names: tuple[str, ...], ids: Sequence[str]) -> dict[str, Email]:
        """Return the emails that back-referenced calls gave, and ask again for those they left out.

        `lost` and `malformed` are then about these ids alone.
        """
        found: dict[str, Email] = {}
        self.forget()
        for name in names:
            try:
                answer = emails_of(response, Call("Email/get", {}, name))
            except (MethodError, ServerError):
                continue
            self._take(answer, found)
        passed_over = {*self.lost, *self.malformed}
        missing = [ref for ref in dict.fromkeys(ids) if ref not in found and ref not in passed_over]
        if missing:
            found.update(await self.fetch(missing))
        wanted = set(ids)
        return {ref: email for ref, email in found.items() if ref in wanted}

    async def fetch(self, ids: list[str]) -> dict[str, Email]:
        """Return emails by their ids, and add to `lost` and `malformed`."""
        found: dict[str, Email] = {}

        async def ask(some: list[str]) -> None:
            get = get_emails(self.account, some, "emails")
            self._take(emails_of(await self.call([get]), get), found)

        await self.in_batches(ids, ask)
        return found

    def _take(self, answer: Listed[Email], found: dict[str, Email]) -> None:
        self.states.add(answer.state)
        found.update({email.id: email for email in answer.items})
        self.lost += answer.not_found
        self.malformed |= answer.malformed

    async def page(self) -> int:
        """Return how many ids to ask for at a time."""
        return min((await self.limits()).max_objects_in_get, PAGE)


async def names(client: Client, account: Account, refs: Sequence[str]) -> dict[str, str]:
    """Return subject and sender of emails by their ids; those that the server does not answer for are left out.

    Raises what `Client.call` raises.
    """
    caller = Caller(client, account, MAIL)
    found: dict[str, str] = {}

    async def ask(some: list[str]) -> None:
        call = get_emails(account.id, some, "names", _NAMING)
        emails = (await caller.call([call])).get(call).get("list")
        for email in emails if isinstance(emails, list) else ():
            if isinstance(email, dict) and isinstance(email.get("id"), str):
                found[email["id"]] = message_label(_text(email.get("subject")), _sender(email.get("from")))

    await caller.in_batches(list(refs), ask)
    return found


def _sender(value: object) -> str:
    first: Any = value[0] if isinstance(value, list) and value else None
    if not isinstance(first, dict):
        return ""
    name, address = _text(first.get("name")), _text(first.get("email"))
    return f"{name} <{address}>" if name and address else name or address


def _text(value: object) -> str:
    return shown(value) if isinstance(value, str) else ""
