"""Read the quotas of an account (RFC 9425), also in the form that Cyrus had before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.formats.quota import quotas_in
from jmapsync.jmap.wire import Call
from jmapsync.kinds import KINDS
from jmapsync.storage.jmap.caller import Caller

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.formats.quota import Quota
    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account, Session

QUOTA = "urn:ietf:params:jmap:quota"
CYRUS_QUOTA = "https://cyrusimap.org/ns/jmap/quota"
"""Cyrus 3.6 has this one only; 3.12 has both, and answers by which of them is in `using`."""


def quota_capability(session: Session, account: Account) -> str:
    """Return the capability by which quotas can be read in an account; nothing where the server has none."""
    offered = (name for name in (QUOTA, CYRUS_QUOTA) if name in session.capabilities and account.offers(name))
    return next(offered, "")


async def read_quotas(client: Client, account: Account) -> Sequence[Quota] | None:
    """Return the quotas of an account; None where the server does not offer them.

    Raises MethodError, and what `Client.call` raises.
    """
    capability = quota_capability(await client.session(), account)
    if not capability:
        return None
    call = Call("Quota/get", {"accountId": account.id, "ids": None}, "quotas")
    # Cyrus 3.12 lists the quotas for those data types only whose capabilities are in `using`.
    types = dict.fromkeys(name for kind in KINDS.values() for name in kind.capabilities)
    return quotas_in((await Caller(client, account, capability, *types).call([call])).get(call))
