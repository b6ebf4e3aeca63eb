"""Choose the server's account whose vacation reply, identities and quotas are those of an account of the configuration.

Without `account_id` that is the account that is mirrored, also where the server names another primary one by now, and else one of
the user's own: no reply of somebody else is changed, and nothing is sent from their account, for being the only one that offers it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jmapsync.app.identity import pin_of
from jmapsync.app.shared import from_ledger
from jmapsync.errors import UnsupportedError

if TYPE_CHECKING:
    from jmapsync.config import AccountConfig
    from jmapsync.jmap.session import Account, Session
    from jmapsync.ledger import Summary


def own_account(account: AccountConfig, session: Session, capability: str) -> Account:
    """Return the account for a capability. Raises what `Session.account_for` raises."""
    if account.account_id:
        return session.account_for(capability, account.account_id)
    for pinned in from_ledger(account, lambda ledger: pins_of(account, ledger)):
        if pinned not in session.accounts or session.accounts[pinned].offers(capability):
            return session.account_for(capability, pinned)
    found = session.account_for(capability)
    if not found.is_personal:
        raise UnsupportedError(
            f"{urlsplit(session.url).netloc} offers {capability} only in an account of somebody else.",
            advice=f"If you mean it, set account_id to {found.id} ({found.name}).",
        )
    return found


def pins_of(account: AccountConfig, ledger: Summary) -> list[str]:
    """Return the ids of the accounts that are mirrored, that of mail first."""
    found = (pin_of(ledger, kind) for kind in account.kinds)
    return [pinned for pinned in dict.fromkeys(found) if pinned]
