"""Read the mailboxes of an account, all or some by their ids; create, rename and remove mailboxes (RFC 8621, 2).

A mailbox that still holds mail is never removed by force.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from jmapsync.errors import Remedy
from jmapsync.jmap.failures import MethodError, RequestError, set_errors
from jmapsync.jmap.session import SILENTLY_CUT
from jmapsync.jmap.wire import Call, Response
from jmapsync.planner.model import Verb
from jmapsync.storage.jmap.caller import Caller, is_too_large
from jmapsync.storage.jmap.decoding import Listed, listed
from jmapsync.storage.jmap.mail.emails import MAIL, Mailbox, get_mailboxes
from jmapsync.storage.jmap.paging import Page, cut_at, read_page, walk_through
from jmapsync.storage.jmap.set import container_refused, failed_call, set_container
from jmapsync.storage.port import Done, Folder, FolderPage, Job, Receipt, Refused, Trouble

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account
    from jmapsync.storage.jmap.mail.get import EmailReader

DEEPEST = 100
"""Levels of parents that are asked for by their ids."""
BELOW = "the mailbox that it lies in cannot be read"
_KEPT = {
    "mailboxHasEmail": "the mailbox still holds mail on the server; it stays",
    "mailboxHasChild": "the mailbox still has mailboxes below it on the server; it stays",
}
LIST = "the list of mailboxes"


class Mailboxes(Struct):
    """What the server answered when it was asked for mailboxes."""

    state: str = ""
    states: set[str] = set()
    """Those that an answer was given in, and that its caller goes on from."""
    folders: dict[str, Folder] = {}
    """By id."""
    lost: set[str] = set()
    """Ids that the server says it does not have."""
    unread: dict[str, str] = {}
    """Why a mailbox cannot be read, by id."""
    flawed: dict[str, str] = {}
    """What is wrong with a mailbox that can be mirrored all the same, by id."""
    nameless: int = 0
    """How many cannot be read, not even their ids."""
    whole: bool = False
    """Whether all were asked for, and nothing was left out."""
    cut: str = ""
    """Why there may be more than the server lists, where all were asked for; or nothing."""

    def take(self, answer: Listed[Mailbox]) -> None:
        """Add what an answer holds."""
        self.state = self.state or answer.state
        self.states.add(answer.state)
        self.folders |= {box.id: box.folder() for box in answer.items}
        self.flawed |= {box.id: box.flaw for box in answer.items if box.flaw}
        self.lost.update(answer.not_found)
        self.unread |= answer.malformed
        self.nameless += answer.nameless

    def leave_out(self, known: Collection[str]) -> None:
        """Leave out what lies in a mailbox that cannot be read and was never known: its place is unknown."""
        found = True
        while found:
            found = False
            for ref, folder in list(self.folders.items()):
                above = folder.parent
                if not above or above in self.folders or above in known:
                    continue
                if above in self.unread or self.nameless:
                    del self.folders[ref]
                    self.unread[ref] = BELOW
                    found = True

    def page(self) -> FolderPage:
        """Return the mailboxes as they were seen."""
        problems = [Trouble(f"mailbox {ref}", why, ref) for ref, why in (self.unread | self.flawed).items()]
        if self.nameless:
            problems.append(Trouble(LIST, "the server gives a mailbox without an id"))
        elif self.cut:
            problems.append(Trouble(LIST, f"{self.cut}; one that nothing is in may be missing here"))
        return FolderPage(
            folders=list(self.folders.values()),
            whole=self.whole and not self.nameless and not self.cut,
            covered=len(self.states) <= 1,
            unread=set(self.unread),
            problems=problems,
        )


class MailboxReader:
    """Reads the mailboxes of an account."""

    def __init__(self, reader: EmailReader) -> None:
        """Prepare."""
        self._reader = reader

    async def all(self, response: Response | None = None, call: Call | None = None) -> Mailboxes:
        """Return every mailbox; `response` may have answered a call for all of them. Raises MethodError."""
        found = Mailboxes(whole=True)
        if response is None or call is None:
            call = get_mailboxes(self._reader.account, None, "boxes")
            try:
                response = await self._reader.call([call])
            except RequestError as error:
                if not is_too_large(error):
                    raise
                return await self.paged()  # Cyrus refuses the whole request
        refused: MethodError | None = None
        try:
            found.take(listed(response, call, Mailbox))
        except MethodError as error:
            if error.type != "requestTooLarge":
                raise
            refused = error
        if refused is not None or len(found.folders) >= min(SILENTLY_CUT, (await self._reader.limits()).max_objects_in_get):
            await self._page(found, refused)
        return await self._completed(found)

    async def paged(self) -> Mailboxes:
        """Return every mailbox, where the server refuses to give all of them at once. Raises MethodError."""
        found = Mailboxes(whole=True)
        await self._page(found, MethodError("requestTooLarge", "", "Mailbox/get"))
        return await self._completed(found)

    async def _completed(self, found: Mailboxes) -> Mailboxes:
        """Ask for what is known and not listed, and for the parents of what is: a list may be cut without a word."""
        known = self._reader.boxes.keys.keys() | self._reader.boxes.outside
        await self._ask(found, known - found.folders.keys() - found.unread.keys())
        for _ in range(DEEPEST):  # a list that was cut may name children without their parents
            above = {folder.parent for folder in found.folders.values() if folder.parent}
            if not (missing := above - found.folders.keys() - found.unread.keys() - found.lost):
                break
            await self._ask(found, missing)
        found.leave_out(known)
        self._reader.boxes.unread.clear()
        self._reader.boxes.unread.update(found.unread.keys() - known)
        return found

    async def some(self, refs: Iterable[str]) -> Mailboxes:
        """Return mailboxes by their ids."""
        found = Mailboxes()
        await self._ask(found, refs)
        known = self._reader.boxes.keys.keys() | self._reader.boxes.outside
        found.leave_out(known)
        self._reader.boxes.unread.update(found.unread.keys() - known)
        return found

    async def _ask(self, found: Mailboxes, refs: Iterable[str]) -> None:
        async def ask(some: list[str]) -> None:
            get = get_mailboxes(self._reader.account, some, "boxes")
            found.take(listed(await self._reader.call([get]), get, Mailbox))

        await self._reader.in_batches(sorted(refs), ask)

    async def _page(self, found: Mailboxes, refused: MethodError | None) -> None:
        """Add every mailbox by paging, where the server gives only so many at a time, or cuts the list silently."""
        limit = (await self._reader.limits()).max_objects_in_get

        async def ask(position: int) -> Page:
            arguments = {"accountId": self._reader.account, "position": position, "limit": min(limit, SILENTLY_CUT)}
            query = Call("Mailbox/query", arguments, "query")
            return read_page(await self._reader.call([query]), query)

        try:
            walk = await walk_through(ask)
        except MethodError as error:
            if error.remedy in {Remedy.LATER, Remedy.NOW}:  # it passes: what is not listed now would be in no list of changes
                raise
            if refused is not None:
                raise refused from error
            # James asks for a role. A list of another length than such a limit was not cut by it.
            found.cut = cut_at(len(found.folders), limit)
            return
        listed_ids = walk.ids.keys() | walk.strays
        await self._ask(found, listed_ids - found.folders.keys() - found.unread.keys())
        found.cut = walk.why


class MailboxSetter:
    """Changes the mailboxes of one account, one at a time: parents come before children."""

    def __init__(self, client: Client, account: Account) -> None:
        """Prepare."""
        self._caller = Caller(client, account, MAIL)
        self._account = account.id

    async def write(self, job: Job, ids: Mapping[int, str]) -> Receipt:
        """Carry out one order; `ids` maps container keys to mailbox ids."""
        order = job.order
        arguments: dict[str, object] = {"accountId": self._account}
        if order.verb is Verb.DELETE:
            arguments["destroy"] = [job.ref]
        else:
            body = _body(job, ids)
            if order.verb is Verb.CREATE:
                arguments["create"] = {"new": {**body, "isSubscribed": True}}
            else:
                arguments["update"] = {str(job.ref): body}
        return await set_container(self._caller, job, Call("Mailbox/set", arguments, "set"), _KEPT)

    async def rename(self, jobs: Sequence[Job], ids: Mapping[int, str]) -> list[Receipt]:
        """Rename mailboxes by one call: so Cyrus takes names that others of them still have, which it refuses one by one."""
        if len(jobs) > (most := (await self._caller.limits()).max_objects_in_set):
            why = f"the server changes no more than {most:,} at once, and they want each other's names; give one another name first"
            return [Refused(job.order.key, why, Remedy.LATER) for job in jobs]
        update = {str(job.ref): _body(job, ids) for job in jobs}
        call = Call("Mailbox/set", {"accountId": self._account, "update": update}, "set")
        try:
            answer = (await self._caller.call([call])).get(call)
        except MethodError as error:
            return [failed_call(job, error) for job in jobs]
        errors = set_errors(answer, "notUpdated")
        return [
            container_refused(job, errors[str(job.ref)], _KEPT)
            if str(job.ref) in errors
            else Done(job.order.key, job.order.source or job.order.expect)
            for job in jobs
        ]


def _body(job: Job, ids: Mapping[int, str]) -> dict[str, object]:
    named = job.order.source or job.order.expect
    parent = next((ids[home] for home in job.order.homes), None)
    return {"name": named.body if named is not None else "", "parentId": parent}
