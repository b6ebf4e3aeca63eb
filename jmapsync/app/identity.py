"""Know which account of the server a mirror is of, also after the server renamed it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from jmapsync.errors import ConfigError, SuspendedError

if TYPE_CHECKING:
    from jmapsync.config import AccountConfig
    from jmapsync.jmap.session import Session
    from jmapsync.ledger import Ledger, Summary

WANTED = "account named"
"""The ledger's note of the `account_id` by which the account was last found."""


def pin_note(kind: str) -> str:
    """Return the name of the ledger's note of the account's id on the server, for a kind."""
    return "account" if kind == "mail" else f"account:{kind}"


def pin_of(ledger: Summary, kind: str) -> str:
    """Return the id of the account that a kind is a mirror of; nothing before the first run."""
    return ledger.note(pin_note(kind))


def check_pin(known: str, account_id: str) -> None:
    """Raise SuspendedError where the server means another account than the one that is mirrored; `known` is empty for none."""
    if known and known != account_id:
        raise SuspendedError(
            f"The server now offers account {account_id} where this mirror is of {known}; nothing was synchronized.",
            advice="If the provider moved your mail, set account_id; for a new mirror, give it a new path and name.",
        )


def identified(account: AccountConfig, ledger: Ledger, session: Session, *, dry: bool) -> AccountConfig:
    """Return the account with the server's id in place of a name.

    An account that was found by a name once is known by its id from then on: it may be renamed, and another one may get its name.
    A name that was never found is left as it is. Raise `ConfigError` where several accounts have the name.
    """
    wanted = account.account_id
    if not wanted or wanted in session.accounts:
        return account
    pinned = {pin_of(ledger, kind) for kind in account.kinds}
    known = sorted(pinned & session.accounts.keys()) if ledger.note(WANTED) == wanted else []
    try:
        found = session.find(wanted)
    except ConfigError:
        if not known:
            raise
        found = None
    if found is not None:
        if not dry and ledger.note(WANTED) != wanted:
            ledger.set_note(WANTED, wanted)
        return replace(account, account_id=found.id)
    return replace(account, account_id=known[0]) if known else account
