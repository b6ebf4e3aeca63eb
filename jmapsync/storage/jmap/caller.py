"""Send calls for one account with the capabilities that they need, and ask for objects by their ids in batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from jmapsync.errors import AccountGoneError
from jmapsync.jmap.failures import MethodError, RequestError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account, Limits
    from jmapsync.jmap.wire import Call, Response
    from jmapsync.storage.port import Traits

_GONE = frozenset({"accountNotFound", "accountNotSupportedByMethod"})
TOO_LARGE = frozenset({"requestTooLarge", "limit"})
"""Types of errors by which a method or, on Cyrus, a whole request is refused for the number of objects asked for."""

BATCH = 400
"""Most objects a request where they come with all that they hold: an answer then takes one or two megabytes."""
FIRST = 100
"""Objects of the first such request, when nothing is known of their size yet."""
OCTETS = 4 << 20
"""What the objects of one such request are to have together, photos included, by the size of those before them."""


class Caller:
    """Sends calls of some capabilities for one account."""

    def __init__(self, client: Client, account: Account, *capabilities: str) -> None:
        """Prepare."""
        self._client = client
        self._account = account
        self._capabilities = capabilities
        self.account = account.id

    async def call(self, calls: Sequence[Call], *, repeatable: bool = True) -> Response:
        """Send calls in one request. Raises what `Client.call` raises."""
        return await self._client.call(calls, using=await self._using(), repeatable=repeatable)

    async def try_once(self, calls: Sequence[Call], *, repeatable: bool = True) -> Response:
        """Send calls that nobody waits for in one request, which is not tried again. Raises what `Client.call` raises."""
        return await self._client.call(calls, using=await self._using(), repeatable=repeatable, is_patient=False)

    async def ride(self, name: str, calls: Sequence[Call]) -> None:
        """Have calls sent with the next request (`Client.ride`)."""
        self._client.ride(name, calls, await self._using())

    async def _using(self) -> Sequence[str]:
        return (await self._client.session()).using(*self._capabilities, account=self._account)

    async def limits(self) -> Limits:
        """Return what the server allows."""
        return (await self._client.session()).limits

    async def in_batches(self, ids: Iterable[str], ask: Callable[[list[str]], Awaitable[None]]) -> None:
        """Ask for objects by ids, as many at a time as one `/get` may; a batch that is too large for the server is halved."""
        for some in (await self.limits()).gets(ids):
            await halving(some, ask)


async def halving(some: list[str], ask: Callable[[list[str]], Awaitable[None]]) -> None:
    """Ask for objects, by halves where the server refuses so many."""
    try:
        await ask(some)
    except (MethodError, RequestError) as error:
        if not is_too_large(error) or len(some) == 1:
            raise
        middle = (len(some) + 1) // 2
        await halving(some[:middle], ask)
        await halving(some[middle:], ask)


def is_too_large(error: MethodError | RequestError) -> bool:
    """Return whether so many objects at a time were refused."""
    return error.type in TOO_LARGE


class Pace:
    """How many objects or blobs to ask for at a time, by the size of those before: octets bound memory, not numbers."""

    def __init__(self, first: int = 0) -> None:
        """Begin carefully, with so many."""
        self._count = first or FIRST

    def count(self, limit: int) -> int:
        """Return how many objects or blobs the next request is to ask for, `limit` at most."""
        return max(1, min(self._count, limit, BATCH))

    def note(self, count: int, octets: int) -> None:
        """Note the octets that so many objects or blobs had."""
        if count:
            self._count = max(1, OCTETS * count // max(octets, 1))

    def halve(self, count: int) -> None:
        """Ask for half as many as were too many, Cyrus refusing the whole request for that."""
        self._count = max(1, count // 2)


async def with_rights(client: Client, account: Account, traits: Traits) -> Traits:
    """Return traits with whether the account may be written by now: the Session may have been replaced since they were made."""
    now = (await client.session()).accounts.get(account.id)
    return traits if now is None else replace(traits, is_read_only=now.is_read_only)


def raise_if_gone(client: Client, account: Account, error: MethodError) -> None:
    """Raise AccountGoneError where a method failed because the server no longer has the account."""
    if error.type not in _GONE:
        return
    client.expire_session()
    raise AccountGoneError(
        f"The server no longer offers the account {account.id}.",
        advice="Your files stay as they are. Check the account with your provider.",
    ) from error
