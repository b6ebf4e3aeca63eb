"""Look at an account on the server: what changed since a cursor in one request, or everything, page by page.

The loop over `/changes` trusts nothing (RFC 8620, 5.2 and the servers named below): an answer to another question, a loop that
does not move, a state that went back, all lead to a whole look, which deletes nothing before its listing is complete.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jmapsync.errors import ServerError
from jmapsync.jmap.wire import Call, MethodError, Response, batched
from jmapsync.storage.port import Observation, Trouble
from jmapsync.storage.remote.concurrent import begun
from jmapsync.storage.remote.emails import (
    MAIL,
    Changes,
    Email,
    EmailList,
    Mailbox,
    MailboxList,
    get_emails,
    get_mailboxes,
    seen_email,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account
    from jmapsync.storage.port import Folder

PAGE = 4096
"""Most ids a page, whatever the server would allow: an answer of this length takes about 1.5 MB."""
CALLS = 6
"""Calls of the request for the changes of mailboxes and emails together."""
MOST_PAGES = 100_000
LISTINGS = 3
"""Times a listing is begun anew when the server's mail changes under it."""
FEW = 3
"""Messages an account may lose to the last one in one listing without a question."""
WENT_BACK = "the server's state went back, as after a restored backup"
SILENTLY_CUT = 500
"""Stalwart cuts Foo/get with ids null at this number without a word."""


class WholeLookNeededError(Exception):
    """The changes since a cursor cannot be had or cannot be believed."""

    def __init__(self, why: str, *, suspicious: bool = False) -> None:
        """Keep the reason; `suspicious` says that what is missing on the server may be its loss, not a deletion."""
        super().__init__(why)
        self.why = why
        self.suspicious = suspicious


@dataclass(frozen=True, slots=True)
class Cursor:
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


@dataclass(slots=True)
class _Listing:
    """What a listing has met so far."""

    ids: set[str] = field(default_factory=set)
    state: str = ""
    stable: bool = True
    total: int | None = None


class RemoteLook:
    """Looks at one account. `keys` maps mailbox ids to container keys and is filled as folders are taken up."""

    def __init__(self, client: Client, account: Account, keys: dict[str, int]) -> None:
        """Prepare."""
        self._client = client
        self._account = account
        self._keys = keys
        self._lost: list[str] = []

    async def changes(self, cursor: Cursor) -> AsyncIterator[Observation]:
        """Yield what changed since a cursor, folders first; each page carries the cursor that covers it.

        Raises WholeLookNeededError.
        """
        more_mailboxes = more_emails = True
        together = (await self._client.session()).limits.max_calls_in_request >= CALLS
        for _ in range(MOST_PAGES):
            with_emails = more_emails and (together or not more_mailboxes)
            boxes_call, emails_call, calls = await self._ask_changes(cursor, mailboxes=more_mailboxes, emails=with_emails)
            response = await self._call(calls)
            page = Observation()
            boxes, emails = Changes(new_state=cursor.mailbox), Changes(new_state=cursor.email)
            if more_mailboxes:
                boxes = _believed(response, boxes_call, cursor.mailbox)
                await self._take_mailboxes(response, boxes, page)
            if with_emails:
                emails = _believed(response, emails_call, cursor.email)
            if page.folders or page.gone_folders:
                yield page
            page = Observation()
            if with_emails:
                found = await self._collect(response, ("email-created", "email-updated"), [*emails.created, *emails.updated])
                async for folders in self._unknown_homes(found):
                    yield folders
                gone = set(emails.destroyed)
                page.items = [seen_email(email, self._keys) for email in found.values() if email.id not in gone]
                page.gone_refs = [*emails.destroyed, *(ref for ref in self._lost if ref not in gone)]
                page.problems = _missing(emails, found, gone | set(self._lost))
            cursor = Cursor(emails.new_state, boxes.new_state, cursor.server)
            page.cursor = cursor.encode()
            yield page
            more_mailboxes = more_mailboxes and boxes.has_more_changes
            more_emails = emails.has_more_changes if with_emails else more_emails
            if not (more_mailboxes or more_emails):
                return
        raise WholeLookNeededError("the server's list of changes does not end")

    async def _ask_changes(self, cursor: Cursor, *, mailboxes: bool, emails: bool) -> tuple[Call, Call, list[Call]]:
        account, limit = self._account.id, await self._page()
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

    async def everything(
        self, known: Callable[[], set[str]], server: str, since: Cursor | None = None
    ) -> AsyncIterator[Observation]:
        """Yield all there is: folders, then pages of emails, then what a cursor taken before the listing shows to have changed.

        `known` returns the ids the ledger believes to be on the server; those that a complete listing lacks are gone. `since`
        is where the last look had come to.
        """
        account = self._account.id
        boxes = get_mailboxes(account, None, "boxes")
        state = get_emails(account, [], "state")
        listing, before = _Listing(), known()
        query, emails = await self._query(0)
        response = await self._call([boxes, state, query, emails])
        folders = response.get_as(boxes, MailboxList)
        cursor = Cursor(response.get_as(state, EmailList).state, folders.state, server)
        found_boxes = {box.id: box for box in folders.mailboxes}
        if len(folders.mailboxes) >= SILENTLY_CUT:
            found_boxes.update(await self._all_mailboxes())
        yield Observation(folders=[box.folder() for box in found_boxes.values()], folders_whole=True)
        for _ in range(MOST_PAGES):
            ids = self._read_page(response, query, listing)
            fresh = [ref for ref in ids if ref not in listing.ids]
            found = await self._collect(response, ("emails",), ids)
            async for extra in self._unknown_homes(found):
                yield extra
            # An id that is listed without an answer is there all the same.
            listing.ids |= set(ids) - set(self._lost)
            complete = listing.total is not None and listing.total <= len(listing.ids) + len(self._lost)
            astray = not fresh and not listing.stable  # the messages move on as fast as the pages
            last = not ids or complete or astray
            query, emails = await self._query(self._position)
            async with begun(None if last else self._call([query, emails])) as following:  # the server is never idle
                yield Observation(
                    items=[seen_email(found[ref], self._keys) for ref in fresh if ref in found],
                    problems=[_unanswered(ref) for ref in ids if ref not in found and ref not in self._lost],
                )
                if following is None:
                    break
                response = await following
        async for late in self._until_stable(listing):
            yield late
        yield _end(listing, before, went_back=since is not None and _went_back(since.email, cursor.email))
        async for late in self._replay(listing, cursor):
            yield late

    async def _replay(self, listing: _Listing, cursor: Cursor) -> AsyncIterator[Observation]:
        """Yield what changed since before a listing, and at its end the cursor, unless the next run has to list again.

        Page by page, because a mailbox has to be taken up before the emails in it can be read.
        """
        reached, skipped = "", False
        try:
            async for page in self.changes(cursor):
                reached, page.cursor = page.cursor or reached, ""
                # Positions skip only what lies behind a message that vanished.
                skipped = skipped or (not listing.stable and bool(page.gone_refs))
                yield page
        except WholeLookNeededError:
            return  # the listing stands by itself
        if not skipped:
            yield Observation(cursor=reached)

    async def unanswered(self, ids: Sequence[str]) -> AsyncIterator[Observation]:
        """Yield emails that an earlier look got no answer for."""
        self._lost = []
        found = await self._fetch(list(ids))
        async for folders in self._unknown_homes(found):
            yield folders
        silent = [ref for ref in ids if ref not in found and ref not in self._lost]
        yield Observation(
            items=[seen_email(email, self._keys) for email in found.values()],
            gone_refs=list(self._lost),
            problems=[_unanswered(ref) for ref in silent],
        )

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
        if listing.total is not None and len(listing.ids) + len(self._lost) < listing.total:
            listing.stable = False
        for _ in range(LISTINGS):
            if listing.stable:
                return
            again = _Listing()
            position = 0
            while True:
                query, _unused = await self._query(position)
                ids = self._read_page(await self._call([query]), query, again)
                position = self._position
                if not ids or (again.ids.issuperset(ids) and not again.stable):
                    break
                again.ids |= set(ids)
            missed = sorted(again.ids - listing.ids)
            found = await self._fetch(missed)
            async for extra in self._unknown_homes(found):
                yield extra
            yield Observation(items=[seen_email(email, self._keys) for email in found.values()])
            listing.ids = again.ids
            listing.stable = again.stable and (again.total is None or len(again.ids) >= again.total)

    async def _query(self, position: int) -> tuple[Call, Call]:
        account = self._account.id
        query = Call(
            "Email/query",
            {
                "accountId": account,
                "sort": [{"property": "receivedAt", "isAscending": True}],
                "position": position,
                "limit": await self._page(),
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
            query = Call("Mailbox/query", {"accountId": self._account.id, "position": position, "limit": SILENTLY_CUT}, "q")
            get = get_mailboxes(self._account.id, query.ref("/ids"), "boxes")
            response = await self._call([query, get])
            ids = response.get(query).get("ids") or []
            if not ids:
                return found
            found.update({box.id: box for box in response.get_as(get, MailboxList).mailboxes})
            position += len(ids)

    async def _take_mailboxes(self, response: Response, changes: Changes, page: Observation) -> None:
        gone = set(changes.destroyed)
        for name in ("box-created", "box-updated"):
            try:
                found = response.get_as(Call("Mailbox/get", {}, name), MailboxList)
            except MethodError:
                ids = changes.created if name == "box-created" else changes.updated
                found = await self._mailboxes(ids)
            gone |= set(found.not_found or ())
            page.folders += [box.folder() for box in found.mailboxes]
        told = self._keys.keys() | {folder.ref for folder in page.folders}
        if any(folder.parent and folder.parent not in told for folder in page.folders):
            page.folders = await self._all_folders()  # a page may tell of a child before its parent (hard case 21)
        page.folders = [folder for folder in page.folders if folder.ref not in gone]
        page.gone_folders = sorted(gone)

    async def _mailboxes(self, ids: list[str]) -> MailboxList:
        found = MailboxList()
        for batch in (await self._client.session()).limits.gets(ids):
            get = get_mailboxes(self._account.id, batch, "boxes")
            part = (await self._call([get])).get_as(get, MailboxList)
            found = MailboxList(part.state, found.mailboxes + part.mailboxes, [*(found.not_found or ()), *(part.not_found or ())])
        return found

    async def _unknown_homes(self, found: dict[str, Email]) -> AsyncIterator[Observation]:
        """Read the mailboxes again when an email is in one that nobody told of."""
        if any(box not in self._keys for email in found.values() for box in email.mailbox_ids):
            yield Observation(folders=await self._all_folders())

    async def _all_folders(self) -> list[Folder]:
        get = get_mailboxes(self._account.id, None, "boxes")
        return [box.folder() for box in (await self._call([get])).get_as(get, MailboxList).mailboxes]

    async def _collect(self, response: Response, names: tuple[str, ...], ids: list[str]) -> dict[str, Email]:
        """Return the emails that back-referenced calls gave, and ask again for those they left out (hard cases 24, 25)."""
        found: dict[str, Email] = {}
        self._lost = []
        for name in names:
            try:
                answer = response.get_as(Call("Email/get", {}, name), EmailList)
            except MethodError:
                continue
            found.update({email.id: email for email in answer.emails})
            self._lost += answer.not_found or ()
        missing = [ref for ref in dict.fromkeys(ids) if ref not in found and ref not in set(self._lost)]
        if missing:
            found.update(await self._fetch(missing))
        wanted = set(ids)
        return {ref: email for ref, email in found.items() if ref in wanted}

    async def _fetch(self, ids: list[str]) -> dict[str, Email]:
        found: dict[str, Email] = {}
        waiting = list((await self._client.session()).limits.gets(ids))
        while waiting:
            batch = waiting.pop()
            get = get_emails(self._account.id, batch, "emails")
            try:
                answer = (await self._call([get])).get_as(get, EmailList)
            except MethodError as error:
                if error.type != "requestTooLarge" or len(batch) == 1:
                    raise
                waiting += batched(batch, (len(batch) + 1) // 2)
                continue
            found.update({email.id: email for email in answer.emails})
            self._lost += answer.not_found or ()
        return found

    async def _page(self) -> int:
        return min((await self._client.session()).limits.max_objects_in_get, PAGE)

    async def _call(self, calls: list[Call]) -> Response:
        using = (await self._client.session()).using(MAIL, account=self._account)
        return await self._client.call(calls, using=using)


def _believed(response: Response, call: Call, since: str) -> Changes:
    """Return the changes of a call, or raise WholeLookNeededError where they cannot be had or believed."""
    try:
        changes = response.get_as(call, Changes)
    except MethodError as error:
        if error.type in {"accountNotFound", "accountReadOnly", "forbidden", "serverUnavailable", "unknownMethod"}:
            raise
        # Cyrus also answers serverFail or invalidArguments where cannotCalculateChanges is meant (cyrus-imapd 3687).
        raise WholeLookNeededError(f"the server cannot tell what changed ({error.type})") from error
    if changes.old_state != since:
        raise WholeLookNeededError("the server told the changes since another state than ours")
    if _went_back(since, changes.new_state):
        raise WholeLookNeededError(WENT_BACK, suspicious=True)
    if changes.has_more_changes and changes.new_state == since:
        raise WholeLookNeededError("the server's list of changes does not move on")
    if not changes.new_state:
        raise ServerError("The server told changes without a new state.")
    return changes


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


def _went_back(old: str, new: str) -> bool:
    """Tell whether a state that counts (Cyrus' modseqs do) is lower than it was."""
    return old.isdecimal() and new.isdecimal() and int(new) < int(old)


def _missing(changes: Changes, found: dict[str, Email], gone: set[str]) -> list[Trouble]:
    listed = dict.fromkeys([*changes.created, *changes.updated])
    return [_unanswered(ref) for ref in listed if ref not in found and ref not in gone]


def _unanswered(ref: str) -> Trouble:
    return Trouble(f"email {ref}", "the server lists it but does not answer for it", ref)
