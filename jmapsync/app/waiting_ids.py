"""List the ids that commands take, for the completion of a shell: conflict copies and messages that wait to be sent."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from jmapsync.app.state_paths import LEDGER
from jmapsync.errors import JmapsyncError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jmapsync.config import AccountConfig


def conflict_ids(accounts: Iterable[AccountConfig]) -> list[tuple[str, str]]:
    """Return the ids of conflict copies as `conflicts` lists them, each with its item; a ledger that cannot be read has none."""
    from jmapsync.ledger import Summary  # noqa: PLC0415  # other words need no ledger

    found = []
    for account in accounts:
        with suppress(JmapsyncError, OSError):
            ledger = Summary.open_readonly(account.state_dir / LEDGER)
            if ledger is not None:
                found += [(f"{account.name}/{copy.id}", copy.item) for copy in ledger.conflict_copies()]
                ledger.close()
    return found


def outbox_ids(accounts: Iterable[AccountConfig]) -> list[tuple[str, str]]:
    """Return the ids of messages that wait to be sent, each with its name."""
    from jmapsync.app.sending import outbox_of  # noqa: PLC0415  # other words need no outbox

    found = []
    for account in accounts:
        with suppress(JmapsyncError, OSError):
            found += [(one.id, one.name) for one in outbox_of(account).entries()]
    return found
