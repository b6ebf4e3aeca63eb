"""Follow `/changes` of some data types from a cursor, page by page, several types in one request (RFC 8620, 5.2).

Nothing of an answer is trusted: one that is for another state, a list that does not advance or end, a state that went back, all
raise FullListingNeededError. What follows then is a full listing, which deletes nothing before it is complete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from jmapsync.errors import ServerError
from jmapsync.jmap.failures import MethodError
from jmapsync.jmap.hosts import Origin
from jmapsync.storage.jmap.caller import raise_if_gone
from jmapsync.storage.jmap.paging import read_page
from jmapsync.storage.port import FolderPage, ItemPage, ListingEnd

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account
    from jmapsync.jmap.wire import Call, Response
    from jmapsync.storage.port import Observation

MOST_PAGES = 10_000
"""Pages of one list of changes."""
IDLE = 100
"""Pages in a row that may be empty (James sends such)."""
ENDLESS = "the server's list of changes does not end"
WENT_BACK = "the server's state went back, as after a restored backup"


class FullListingNeededError(Exception):
    """The changes since a cursor cannot be had or cannot be believed."""

    def __init__(self, why: str, *, suspicious: bool = False) -> None:
        """Keep the reason; `suspicious` says that what is missing on the server may be its loss, not a deletion."""
        super().__init__(why)
        self.why = why
        self.suspicious = suspicious


class Changes(msgspec.Struct, rename="camel"):
    """The result of a `/changes` call (RFC 8620, section 5.2)."""

    old_state: str = ""
    new_state: str = ""
    has_more_changes: bool = False
    created: list[str] = []
    updated: list[str] = []
    destroyed: list[str] = []

    @property
    def empty(self) -> bool:
        """Return whether nothing is listed."""
        return not (self.created or self.updated or self.destroyed)


class Cursor(msgspec.Struct, frozen=True):
    """The states that the next run follows the changes from."""

    items: dict[str, str]
    """By data type: contacts and their groups may be two."""
    boxes: str
    """Of the containers; nothing where they have none."""
    server: str = ""
    """Whose states they are: another server may count the same, and mean other objects."""

    def encode(self) -> str:
        """Return it as text for the ledger."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def decode(cls, text: str) -> Cursor | None:
        """Read it back, also one of mail as it was written before 0.1; None for anything else."""
        try:
            return msgspec.json.decode(text, type=cls)
        except msgspec.DecodeError:
            pass
        try:
            old = msgspec.json.decode(text, type=_OldMailCursor)
        except msgspec.DecodeError:
            return None
        return cls({"Email": old.email}, old.mailbox, old.server)

    def of_server(self, server: str) -> Cursor | None:
        """Return it for the server that it is of, None for another one."""
        return replace(self, server=server) if self.server in {"", server} else None

    def went_back_to(self, now: Cursor) -> bool:
        """Return whether any state is lower `now` than it was."""
        pairs = [(self.boxes, now.boxes), *((state, now.items.get(kind, "")) for kind, state in self.items.items())]
        return any(went_back(old, new) for old, new in pairs)


class _OldMailCursor(msgspec.Struct):
    email: str
    mailbox: str
    server: str = ""


class ChangesPage:
    """One response with the changes of some data types, each read when it is first asked for."""

    def __init__(self, response: Response, calls: dict[str, Call], states: dict[str, str], created: dict[str, set[str]]) -> None:
        """Keep the response to calls by data type; `states` and `created` are as before it, and are updated as it is read."""
        self.response = response
        self.states = states
        self._created = created
        self._calls = calls
        self._changes: dict[str, Changes] = {}
        self._ended: set[str] = set()

    def changes(self, kind: str) -> Changes:
        """Return the changes of a data type. Raises FullListingNeededError."""
        if kind not in self._changes:
            self._changes[kind] = believed(self.response, self._calls[kind], self.states[kind])
            self.states[kind] = self._changes[kind].new_state
            self._created.setdefault(kind, set()).update(self._changes[kind].created)
        return self._changes[kind]

    def end(self, kind: str, state: str) -> None:
        """Note that all objects of a data type were read in a state: no more of its changes are needed."""
        self.states[kind] = state
        self._ended.add(kind)

    @property
    def asked(self) -> list[str]:
        """Return the data types whose changes were asked for."""
        return list(self._calls)

    def ends(self, kind: str) -> bool:
        """Return whether a data type has no further changes."""
        return kind in self._calls and (kind in self._ended or not self.changes(kind).has_more_changes)


class Follower:
    """Follows the changes of some data types."""

    def __init__(self, send: Callable[[list[Call]], Awaitable[Response]], ask: Callable[[str, str], list[Call]]) -> None:
        """Prepare; `ask` returns the calls for the changes of a type since a state: `/changes` and what refers back to it."""
        self._send = send
        self._ask = ask
        self.response: Response | None = None
        """The first response."""
        self.created: dict[str, set[str]] = {}
        """The ids that were listed as created, by data type."""

    async def pages(
        self, states: dict[str, str], stages: Sequence[Sequence[str]], besides: Sequence[Call] = (), most: int = MOST_PAGES
    ) -> AsyncIterator[ChangesPage]:
        """Yield the changes since some states by data type, the types of a stage together, a stage after the one before it.

        `besides` are calls to be answered first, together with the first page. Raises FullListingNeededError.
        """
        states = dict(states)
        waiting = [kind for stage in stages for kind in stage]
        idle = 0
        for _ in range(most):
            stage = next(stage for stage in stages if not set(waiting).isdisjoint(stage))
            calls = {kind: self._ask(kind, states[kind]) for kind in stage if kind in waiting}
            response = await self._send([*besides, *(call for some in calls.values() for call in some)])
            besides = ()
            self.response = self.response or response
            page = ChangesPage(response, {kind: some[0] for kind, some in calls.items()}, states, self.created)
            yield page
            idle = idle + 1 if all(page.changes(kind).empty for kind in page.asked) else 0
            waiting = [kind for kind in waiting if not page.ends(kind)]
            if not waiting:
                return
            if idle > IDLE:
                break
        raise FullListingNeededError(ENDLESS)

    def is_end(self, probe: Call) -> bool:
        """Return whether a `/query` behind the end of a listing, sent with the first page, lists nothing but what came since."""
        try:
            page = read_page(self.response, probe) if self.response is not None else None
        except MethodError:
            return False
        return page is not None and not page.why and self.created.get(probe.name.partition("/")[0], set()).issuperset(page.ids)


async def changes_or_listing(
    client: Client,
    account: Account,
    cursor: str,
    changes: Callable[[Cursor], AsyncIterator[Observation]],
    listing: Callable[[str, Cursor | None], AsyncIterator[Observation]],
    *,
    whole: bool,
) -> AsyncIterator[Observation]:
    """Yield what changed since a cursor; everything there is when `whole`, or when the changes cannot be had or believed.

    `listing` is given the server that the states of its cursor are of, and the last cursor of that server, if there is one. Raises
    AccountGoneError when the server no longer has the account.
    """
    server = str(Origin.of((await client.session()).api_url))
    kept = Cursor.decode(cursor)
    since = kept.of_server(server) if kept is not None else None
    suspicious = ""
    try:
        if since is not None and not whole:
            try:
                async for page in changes(since):
                    yield page
            except FullListingNeededError as needed:
                suspicious = needed.why if needed.suspicious else ""
            else:
                return
        async for page in listing(server, since):
            if not isinstance(page, FolderPage):
                page.suspicious = page.suspicious or suspicious
            yield page
    except MethodError as error:
        raise_if_gone(client, account, error)
        raise


def loses(page: Observation, known: Callable[[], set[str]]) -> bool:
    """Return whether a page lists known items as gone: those that this side deleted itself are not known any more."""
    return isinstance(page, ItemPage | ListingEnd) and bool(page.gone) and not known().isdisjoint(page.gone)


async def first_of(pages: AsyncIterator[Observation]) -> Observation | None:
    """Return the first of some observations of changes; None where they cannot be had."""
    try:
        return await anext(pages, None)
    except FullListingNeededError:
        return None


def believed(response: Response, call: Call, since: str) -> Changes:
    """Return the changes of a call, or raise FullListingNeededError where they cannot be had or believed."""
    try:
        changes = response.get_as(call, Changes)
    except MethodError as error:
        if error.type in {"accountNotFound", "accountReadOnly", "forbidden", "serverUnavailable"}:
            raise
        # Cyrus also answers serverFail or invalidArguments where cannotCalculateChanges is meant (cyrus-imapd 3687).
        raise FullListingNeededError(f"the server cannot calculate what changed ({error.type})") from error
    except ServerError as error:
        raise FullListingNeededError("the server's list of changes is malformed") from error
    if changes.old_state != since:
        raise FullListingNeededError("the server sent the changes since another state than ours")
    if went_back(since, changes.new_state):
        raise FullListingNeededError(WENT_BACK, suspicious=True)
    if changes.has_more_changes and changes.new_state == since:
        raise FullListingNeededError("the server's list of changes does not advance")
    if not changes.new_state:
        raise ServerError("The server sent changes without a new state.")
    return changes


def went_back(old: str, new: str) -> bool:
    """Return whether a state that counts (Cyrus' modseqs do) is lower than it was."""
    return old.isdecimal() and new.isdecimal() and int(new) < int(old)
