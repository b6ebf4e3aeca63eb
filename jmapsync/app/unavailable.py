"""Say what the configuration asks for and this version cannot do yet: never is it passed over in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jmapsync.config import AccountConfig

NOT_YET = {
    "contacts": "Contacts cannot be synchronised yet by this version.",
    "calendars": "Calendars cannot be synchronised yet by this version.",
    "tasks": "Tasks cannot be synchronised yet by this version.",
    "sieve": "Sieve scripts cannot be synchronised yet by this version.",
    "mail.layout=maildir++": 'This version cannot write layout = "maildir++" yet; use "nested".',
    "mail.keep_deleted=True": "This version cannot keep deleted messages yet (keep_deleted = true).",
    "mail.direction=pull": 'This version cannot mirror one way only yet (direction = "pull").',
    "auth=oauth": 'This version cannot sign in by OAuth yet; use auth = "basic" or auth = "bearer".',
}
"""By kind, or by key and value: the sentence for people."""


def missing_for_account(account: AccountConfig) -> str:
    """Return why an account cannot be used at all yet, or nothing."""
    return NOT_YET.get(f"auth={account.auth}", "")


def missing_for_kind(account: AccountConfig, kind: str) -> str:
    """Return why a kind of an account cannot be synchronised yet, or nothing."""
    if kind in NOT_YET:
        return NOT_YET[kind]
    config = account.kinds[kind]
    said = (f"{kind}.{name}={value}" for name, value in vars(config).items())
    return " ".join(NOT_YET[one] for one in said if one in NOT_YET)
