"""Read the quotas of an account (RFC 9425), also in the form that Cyrus had before it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from jmapsync.errors import NetworkError, ServerError
from jmapsync.formats.quota import quotas_in
from jmapsync.jmap.failures import MethodError, RequestError
from jmapsync.jmap.wire import Call
from jmapsync.kinds import KINDS
from jmapsync.storage.jmap.caller import Caller

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from jmapsync.formats.quota import Quota
    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account, Session

QUOTA = "urn:ietf:params:jmap:quota"
CYRUS_QUOTA = "https://cyrusimap.org/ns/jmap/quota"
"""Cyrus 3.6 has this one only; 3.12 has both, and answers by which of them is in `using`."""
PATIENCE = 15.0
"""Seconds that what is not needed may take of a run."""


def quota_capability(session: Session, account: Account) -> str:
    """Return the capability by which quotas can be read in an account; nothing where the server has none."""
    offered = (name for name in (QUOTA, CYRUS_QUOTA) if name in session.capabilities and account.offers(name))
    return next(offered, "")


async def ask_quotas_ahead(client: Client, account: Account) -> None:
    """Have the quotas of an account read by the next request."""
    if caller := await _caller(client, account):
        await caller.ride(_name(account), [_call(account)])


def quotas_ahead(client: Client, account: Account) -> Sequence[Quota] | None:
    """Return the quotas of an account as they were read with another request of this run; None where they were not.

    Raises MethodError, and what `Response.get` raises.
    """
    rider = client.ridden(_name(account))
    return quotas_in(rider.response.get(_call(account))) if rider is not None and rider.response is not None else None


async def quotas_for_sending(client: Client, account: Account) -> Sequence[Quota] | None:
    """Return the quotas of an account: at first those of the run's first request, then as they are now.

    None where the server offers none, or fails to answer: that holds nothing up, as the server refuses what does not fit.
    """
    rider = client.ridden(_name(account))
    try:
        if rider is not None and not rider.is_used and (found := quotas_ahead(client, account)) is not None:
            rider.is_used = True
            return found
        return await read_quotas(client, account)
    except (MethodError, RequestError, ServerError, NetworkError):
        return None


async def read_quotas(client: Client, account: Account) -> Sequence[Quota] | None:
    """Return the quotas of an account; None where the server does not offer them.

    They are asked for once, as is all that a run does not need. Raises MethodError, and what `Client.call` raises.
    """
    if (caller := await _caller(client, account)) is None:
        return None
    async with hurried("Quota/get"):
        return quotas_in((await caller.try_once([_call(account)])).get(_call(account)))


@asynccontextmanager
async def hurried(what: str) -> AsyncIterator[None]:
    """Raise ServerError where a request that is not needed takes too long."""
    try:
        async with asyncio.timeout(PATIENCE):
            yield
    except TimeoutError as error:
        raise ServerError(f"The server did not answer {what} within {PATIENCE:.0f} seconds.") from error


async def _caller(client: Client, account: Account) -> Caller | None:
    capability = quota_capability(await client.session(), account)
    # Cyrus 3.12 lists the quotas for those data types only whose capabilities are in `using`.
    types = dict.fromkeys(name for kind in KINDS.values() for name in kind.capabilities)
    return Caller(client, account, capability, *types) if capability else None


def _call(account: Account) -> Call:
    return Call("Quota/get", {"accountId": account.id, "ids": None}, "ahead-quotas")


def _name(account: Account) -> str:
    return f"quotas of {account.id}"
