"""Read what an account of the embedded server holds, to compare it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jmapsync.demo.account import Account

Held = tuple[bytes, tuple[str, ...], frozenset[str], int]


def held(account: Account) -> list[Held]:
    """Return every message: its bytes, the paths of its mailboxes, its keywords and when it was received."""
    return sorted(
        (
            account.raw(email.id),
            tuple(sorted(account.path(account.mailboxes[box]).replace("Inbox", "INBOX") for box in email.mailbox_ids)),
            email.keywords,
            email.received_at,
        )
        for email in account.emails.values()
    )
