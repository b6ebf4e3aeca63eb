"""Ask a server for the subjects and senders of emails, to name them to people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jmapsync.formats.labels import message_label, shown
from jmapsync.storage.jmap.caller import Caller
from jmapsync.storage.jmap.mail.emails import MAIL, get_emails

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account

_PROPERTIES = ("id", "subject", "from")


async def names(client: Client, account: Account, refs: Sequence[str]) -> dict[str, str]:
    """Return subject and sender of emails by their ids; those that the server does not answer for are left out.

    Raises what `Client.call` raises.
    """
    caller = Caller(client, account, MAIL)
    found: dict[str, str] = {}

    async def ask(some: list[str]) -> None:
        call = get_emails(account.id, some, "names", _PROPERTIES)
        emails = (await caller.call([call])).get(call).get("list")
        for email in emails if isinstance(emails, list) else ():
            if isinstance(email, dict) and isinstance(email.get("id"), str):
                found[email["id"]] = message_label(_text(email.get("subject")), _sender(email.get("from")))

    await caller.in_batches(list(refs), ask)
    return found


def _sender(value: object) -> str:
    first: Any = value[0] if isinstance(value, list) and value else None
    if not isinstance(first, dict):
        return ""
    name, address = _text(first.get("name")), _text(first.get("email"))
    return f"{name} <{address}>" if name and address else name or address


def _text(value: object) -> str:
    return shown(value) if isinstance(value, str) else ""
