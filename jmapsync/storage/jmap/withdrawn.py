"""Tell what it means that an account on the server is gone, or takes no writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.errors import AccountGoneError, Remedy
from jmapsync.storage.port import Job, Outcome, Receipt

if TYPE_CHECKING:
    from jmapsync.jmap.client import Client
    from jmapsync.jmap.failures import MethodError
    from jmapsync.jmap.session import Account

_GONE = frozenset({"accountNotFound", "accountNotSupportedByMethod"})


def raise_if_gone(client: Client, account: Account, error: MethodError) -> None:
    """Raise AccountGoneError where a method failed because the server no longer has the account."""
    if error.type not in _GONE:
        return
    client.expire_session()
    raise AccountGoneError(
        f"The server no longer offers the account {account.id}.",
        advice="Your files stay as they are. Check the account with your provider.",
    ) from error


def read_only(job: Job) -> Receipt:
    """Return the receipt for a change of an account that takes none; asking again costs nothing."""
    why = "the server offers this account for reading only"
    return Receipt(job.order.key, Outcome.REFUSED, why=why, remedy=Remedy.LATER)
