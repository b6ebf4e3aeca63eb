"""Look at what changed on the server since a cursor, in one request where it is little.

The loop over `/changes` trusts nothing (RFC 8620, 5.2 and the servers named below): an answer to another question, a loop that
does not move, a state that went back, all lead to a whole look, which deletes nothing before its listing is complete.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from msgspec import Struct

from jmapsync.errors import ServerError
from jmapsync.jmap.wire import Call, MethodError, Response
from jmapsync.storage.jmap.decoding import listed
from jmapsync.storage.jmap.mail.emails import Changes, Mailbox, get_emails, get_mailboxes
from jmapsync.storage.jmap.mail.mailboxes import Mailboxes
from jmapsync.storage.port import Observation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from jmapsync.storage.jmap.mail.get import RemoteLook

CALLS = 6
"""Calls of the request for the changes of mailboxes and emails together."""
MOST_PAGES = 10_000
"""Pages of one list of changes."""
IDLE = 100
"""Pages in a row that may tell of nothing (James gives such)."""
ENDLESS = "the server's list of changes does not end"
WENT_BACK = "the server's state went back, as after a restored backup"


class WholeLookNeededError(Exception):
    """The changes since a cursor cannot be had or cannot be believed."""

    def __init__(self, why: str, *, suspicious: bool = False) -> None:
        """Keep the reason; `suspicious` says that what is missing on the server may be its loss, not a deletion."""
        super().__init__(why)
        self.why = why
        self.suspicious = suspicious


class Cursor(Struct, frozen=True):
    """The states that the next look starts from."""

    email: str
    mailbox: str
    server: str = ""
    """Whose states they are: another server may count the same, and mean other mail."""

    def encode(self) -> str:
        """Return it as text for the ledger."""
        return json.dumps({"email": self.email, "mailbox": self.mailbox, "server": self.server})

    @classmethod
    def decode(cls, text: str) -> Cursor:
        """Read it back."""
        found = json.loads(text)
        return cls(found["email"], found["mailbox"], found.get("server", ""))


class ChangesLook:
    """Looks at what changed."""

    def __init__(self, look: RemoteLook) -> None:
        """Prepare."""
        self._look = look
        self.response: Response | None = None
        """The answer to the first request."""
        self.created: set[str] = set()
        """Emails that were told to be new."""

    async def since(self, cursor: Cursor, besides: Sequence[Call] = ()) -> AsyncIterator[Observation]:
        """Yield what changed since a cursor, folders first; each page carries the cursor that covers it.

        `besides` are calls to be answered first, together with the first page: see `response`. Raises WholeLookNeededError.
        """
        more_mailboxes = more_emails = True
        together = (await self._look.limits()).max_calls_in_request >= CALLS + len(besides)
        idle = 0
        for _ in range(MOST_PAGES):
            with_emails = more_emails and (together or not more_mailboxes)
            boxes_call, emails_call, calls = await self._ask_changes(cursor, mailboxes=more_mailboxes, emails=with_emails)
            response = await self._look.call([*besides, *calls])
            besides = ()
            self.response = self.response or response
            page = Observation()
            boxes, emails = Changes(new_state=cursor.mailbox), Changes(new_state=cursor.email)
            if more_mailboxes:
                boxes = believed(response, boxes_call, cursor.mailbox)
                await self._take_mailboxes(response, boxes, page)
            if with_emails:
                emails = believed(response, emails_call, cursor.email)
            if page.folders or page.gone_folders or page.problems:
                yield page
            page = Observation()
            if with_emails:
                self.created.update(emails.created)
                told = [*emails.created, *emails.updated]
                found = await self._look.collect(response, ("email-created", "email-updated"), told)
                async for folders in self._look.unknown_homes(found):
                    yield folders
                gone = set(emails.destroyed)
                page = self._look.seen(found, [ref for ref in told if ref not in gone])
                page.gone_refs = [*emails.destroyed, *(ref for ref in self._look.lost if ref not in gone)]
            idle = idle + 1 if boxes.empty and emails.empty else 0
            cursor = Cursor(emails.new_state, boxes.new_state, cursor.server)
            page.cursor = cursor.encode()
            yield page
            more_mailboxes = more_mailboxes and boxes.has_more_changes
            more_emails = emails.has_more_changes if with_emails else more_emails
            if not (more_mailboxes or more_emails):
                return
            if idle > IDLE:
                break
        raise WholeLookNeededError(ENDLESS)

    async def _ask_changes(self, cursor: Cursor, *, mailboxes: bool, emails: bool) -> tuple[Call, Call, list[Call]]:
        account, limit = self._look.account, await self._look.page()
        boxes = Call("Mailbox/changes", {"accountId": account, "sinceState": cursor.mailbox, "maxChanges": limit}, "boxes")
        mails = Call("Email/changes", {"accountId": account, "sinceState": cursor.email, "maxChanges": limit}, "emails")
        calls = []
        if mailboxes:
            calls += [
                boxes,
                get_mailboxes(account, boxes.ref("/created"), "box-created"),
                get_mailboxes(account, boxes.ref("/updated"), "box-updated"),
            ]
        if emails:
            calls += [
                mails,
                get_emails(account, mails.ref("/created"), "email-created"),
                get_emails(account, mails.ref("/updated"), "email-updated"),
            ]
        return boxes, mails, calls

    async def _take_mailboxes(self, response: Response, changes: Changes, page: Observation) -> None:
        gone = set(changes.destroyed)
        found = Mailboxes()
        for name in ("box-created", "box-updated"):
            try:
                found.take(listed(response, Call("Mailbox/get", {}, name), Mailbox))
            except MethodError:
                ids = changes.created if name == "box-created" else changes.updated
                more = await self._look.mailboxes.some(ids)
                found.folders |= more.folders
                found.unread |= more.unread
                found.flawed |= more.flawed
                found.lost |= more.lost
        gone |= found.lost
        known = self._look.boxes.keys.keys() | self._look.boxes.outside | found.folders.keys()
        if any(folder.parent and folder.parent not in known for folder in found.folders.values()):
            found = await self._look.mailboxes.all()  # a page may tell of a child before its parent (hard case 21)
            found.whole = False
        found.folders = {ref: folder for ref, folder in found.folders.items() if ref not in gone}
        told = found.observation()
        page.folders, page.unread, page.problems = told.folders, told.unread, told.problems
        page.gone_folders = sorted(gone)


async def destroyed_since(look: RemoteLook, state: str) -> set[str]:
    """Return the ids of the emails that were destroyed since a state. Raises WholeLookNeededError."""
    destroyed: set[str] = set()
    for _ in range(IDLE):
        call = Call("Email/changes", {"accountId": look.account, "sinceState": state, "maxChanges": await look.page()}, "since")
        changes = believed(await look.call([call]), call, state)
        destroyed.update(changes.destroyed)
        state = changes.new_state
        if not changes.has_more_changes:
            return destroyed
    raise WholeLookNeededError(ENDLESS)


def believed(response: Response, call: Call, since: str) -> Changes:
    """Return the changes of a call, or raise WholeLookNeededError where they cannot be had or believed."""
    try:
        changes = response.get_as(call, Changes)
    except MethodError as error:
        if error.type in {"accountNotFound", "accountReadOnly", "forbidden", "serverUnavailable"}:
            raise
        # Cyrus also answers serverFail or invalidArguments where cannotCalculateChanges is meant (cyrus-imapd 3687).
        raise WholeLookNeededError(f"the server cannot tell what changed ({error.type})") from error
    except ServerError as error:
        raise WholeLookNeededError("the server's list of changes is malformed") from error
    if changes.old_state != since:
        raise WholeLookNeededError("the server told the changes since another state than ours")
    if went_back(since, changes.new_state):
        raise WholeLookNeededError(WENT_BACK, suspicious=True)
    if changes.has_more_changes and changes.new_state == since:
        raise WholeLookNeededError("the server's list of changes does not move on")
    if not changes.new_state:
        raise ServerError("The server told changes without a new state.")
    return changes


def went_back(old: str, new: str) -> bool:
    """Tell whether a state that counts (Cyrus' modseqs do) is lower than it was."""
    return old.isdecimal() and new.isdecimal() and int(new) < int(old)
