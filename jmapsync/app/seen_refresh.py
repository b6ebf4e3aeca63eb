"""Read an account's quotas and vacation reply now and then during runs, for `status`, which asks no server."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from jmapsync.app.seen import QUOTA, VACATION, quotas_as_seen, read_seen, vacation_as_seen, write_seen
from jmapsync.errors import JmapsyncError, UnsupportedError
from jmapsync.storage.jmap.concurrent import together
from jmapsync.storage.jmap.quota import CYRUS_QUOTA, read_quotas
from jmapsync.storage.jmap.quota import QUOTA as QUOTA_CAPABILITY
from jmapsync.storage.jmap.vacation import VACATION as VACATION_CAPABILITY
from jmapsync.storage.jmap.vacation import read_vacation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jmapsync.config import AccountConfig
    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account

PERIOD = 900
"""Seconds for which a reading is shown."""
_DAY = 86_400
"""Seconds until a reading that failed is tried again: Debian's Cyrus 3.6.1 dies of `VacationResponse/get`."""


async def refresh_seen(account: AccountConfig, client: Client, *, full: bool) -> None:
    """Read what is older than it is to be shown. A failure is stored in place of it: the run itself does not depend on it."""
    seen = read_seen(account.state_dir)
    due = {name: read for name, read in _READ.items() if full or _is_due(seen, name)}
    found = dict(zip(due, await together(read(account, client) for read in due.values()), strict=True))
    if found:
        with suppress(OSError):  # the state folder of a disk that is full: the run says so itself
            write_seen(account.state_dir, **found)


async def read_now(account: AccountConfig, client: Client) -> dict[str, dict[str, Any]]:
    """Return what is stored of a server, read now."""
    return dict(zip(_READ, await together(read(account, client) for read in _READ.values()), strict=True))


def _is_due(seen: Mapping[str, Any], name: str) -> bool:
    one = seen.get(name)
    return one is None or not 0 <= time.time() - one["at"] < (_DAY if one.get("error") else PERIOD)


async def _quotas(account: AccountConfig, client: Client) -> dict[str, Any]:
    try:
        theirs = await _account(account, client, QUOTA_CAPABILITY, CYRUS_QUOTA)
        return quotas_as_seen(list(await read_quotas(client, theirs) or ()) if theirs is not None else [])
    except JmapsyncError as error:
        return {"quotas": [], "error": str(error)}


async def _vacation(account: AccountConfig, client: Client) -> dict[str, Any]:
    nothing = {"enabled": False, "from": None, "until": None, "subject": None}
    try:
        theirs = await _account(account, client, VACATION_CAPABILITY)
        return nothing if theirs is None else vacation_as_seen(await read_vacation(client, theirs, scripts=False))
    except JmapsyncError as error:
        return {"error": str(error), **nothing}


async def _account(account: AccountConfig, client: Client, *capabilities: str) -> Account | None:
    """Return the server's account that offers one of some capabilities; None where none does."""
    session = await client.session()
    for capability in capabilities:
        if capability in session.capabilities:
            with suppress(UnsupportedError):
                return session.account_for(capability, account.account_id)
    return None


_READ = {QUOTA: _quotas, VACATION: _vacation}
"""How each is read."""
