"""Read an account's quotas and vacation reply with the first request of a run, for `status`, which asks no server.

A run does not depend on them: what fails is tried once, is named, and is asked for again after a pause that doubles. Where it
failed or never answered, it is asked for by itself, after the run: Debian's Cyrus 3.6.1 dies of `VacationResponse/get`.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from jmapsync.app.own_account import own_account
from jmapsync.app.seen import QUOTA, VACATION, quotas_as_seen, read_seen, vacation_as_seen, write_seen
from jmapsync.errors import AccountGoneError, JmapsyncError, UnsupportedError
from jmapsync.storage.jmap.concurrent import together
from jmapsync.storage.jmap.quota import CYRUS_QUOTA, ask_quotas_ahead, hurried, quotas_ahead, read_quotas
from jmapsync.storage.jmap.quota import QUOTA as QUOTA_CAPABILITY
from jmapsync.storage.jmap.vacation import VACATION as VACATION_CAPABILITY
from jmapsync.storage.jmap.vacation import ask_vacation_ahead, read_vacation, vacation_ahead

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jmapsync.config import AccountConfig
    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account, Session

PERIOD = 900
"""Seconds for which a reading is shown, and until one that failed is tried again for the first time."""
_DAY = 86_400
"""Seconds until a reading that goes on failing is tried again at most."""
_NO_VACATION: dict[str, Any] = {"enabled": False, "from": None, "until": None, "subject": None}


async def ask_ahead(account: AccountConfig, client: Client, session: Session) -> None:
    """Have what is due read with the run's first request, where it answered the last time.

    The quotas are read by every run: one that creates something needs them.
    """
    client.begin_run()
    seen = read_seen(account.state_dir)
    if _has_answered(seen, QUOTA) and (theirs := _account(account, session, QUOTA_CAPABILITY, CYRUS_QUOTA)) is not None:
        await ask_quotas_ahead(client, theirs)
    if _has_answered(seen, VACATION) and _is_due(seen, VACATION):
        theirs = _account(account, session, VACATION_CAPABILITY)
        if theirs is not None:
            await ask_vacation_ahead(client, theirs)


async def refresh_seen(account: AccountConfig, client: Client, session: Session, *, full: bool, wrote: bool) -> None:
    """Store what was read with the run, and read what else is due. A failure is stored in place of it.

    Quotas that were read before the run `wrote` something there are read anew where they are due, or the run was a full one.
    """
    seen = read_seen(account.state_dir)
    found = {name: one for name, read in _AHEAD.items() if (one := read(account, client, session)) is not None}
    if wrote and (full or _is_due(seen, QUOTA)):
        found.pop(QUOTA, None)
    due = [name for name in _READ if name not in found and (full or client.rode_in_vain or _is_due(seen, name))]
    found |= dict(zip(due, await together(_READ[name](account, client, session) for name in due), strict=True))
    changed = {name: _counted(one, seen.get(name)) for name, one in found.items() if _differs(one, seen.get(name))}
    if changed:
        with suppress(OSError):  # the state folder of a disk that is full: the run says so itself
            write_seen(account.state_dir, **changed)


async def read_now(account: AccountConfig, client: Client) -> dict[str, dict[str, Any]]:
    """Return what is stored of a server, read now."""
    session = await client.session()
    return dict(zip(_READ, await together(read(account, client, session) for read in _READ.values()), strict=True))


def _has_answered(seen: Mapping[str, Any], name: str) -> bool:
    return name in seen and not seen[name].get("error")


def _is_due(seen: Mapping[str, Any], name: str) -> bool:
    one = seen.get(name)
    if one is None:
        return True
    return not 0 <= time.time() - one["at"] < min(_DAY, PERIOD * 2 ** max(0, min(_failures(one), 10) - 1))


def _failures(one: Mapping[str, Any] | None) -> int:
    """Return how many times in a row a reading failed."""
    counted = one.get("failures", 1) if one is not None and one.get("error") else 0
    return counted if isinstance(counted, int) else 1


def _counted(one: dict[str, Any], before: Mapping[str, Any] | None) -> dict[str, Any]:
    return {**one, "failures": _failures(before) + 1} if one.get("error") else one


def _differs(one: dict[str, Any], before: Mapping[str, Any] | None) -> bool:
    """Return whether a reading is worth a write: it says something else, or its time is long ago."""
    if before is None or one.get("error") or not 0 <= time.time() - before["at"] < PERIOD:
        return True
    return one != {name: value for name, value in before.items() if name != "at"}


async def _quotas(account: AccountConfig, client: Client, session: Session) -> dict[str, Any]:
    theirs = _account(account, session, QUOTA_CAPABILITY, CYRUS_QUOTA)
    try:
        return quotas_as_seen(list(await read_quotas(client, theirs) or ()) if theirs is not None else [])
    except JmapsyncError as error:
        return {"quotas": [], "error": str(error)}


def _quotas_ahead(account: AccountConfig, client: Client, session: Session) -> dict[str, Any] | None:
    theirs = _account(account, session, QUOTA_CAPABILITY, CYRUS_QUOTA)
    try:
        found = quotas_ahead(client, theirs) if theirs is not None else None
    except JmapsyncError as error:
        return {"quotas": [], "error": str(error)}
    return quotas_as_seen(list(found)) if found is not None else None


async def _vacation(account: AccountConfig, client: Client, session: Session) -> dict[str, Any]:
    theirs = _account(account, session, VACATION_CAPABILITY)
    if theirs is None:
        return _NO_VACATION
    try:
        async with hurried("VacationResponse/get"):
            return vacation_as_seen(await read_vacation(client, theirs, scripts=False))
    except JmapsyncError as error:
        return {"error": str(error), **_NO_VACATION}


def _vacation_ahead(account: AccountConfig, client: Client, session: Session) -> dict[str, Any] | None:
    theirs = _account(account, session, VACATION_CAPABILITY)
    try:
        found = vacation_ahead(client, theirs) if theirs is not None else None
    except JmapsyncError as error:
        return {"error": str(error), **_NO_VACATION}
    return vacation_as_seen(found) if found is not None else None


def _account(account: AccountConfig, session: Session, *capabilities: str) -> Account | None:
    """Return the server's account that offers one of some capabilities; None where none does."""
    for capability in capabilities:
        if capability in session.capabilities:
            with suppress(UnsupportedError, AccountGoneError):
                return own_account(account, session, capability)
    return None


_READ = {QUOTA: _quotas, VACATION: _vacation}
"""How each is read by itself."""
_AHEAD = {QUOTA: _quotas_ahead, VACATION: _vacation_ahead}
"""How each is read from the response to the run's first request."""
