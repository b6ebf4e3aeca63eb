"""Hide mail of which the user may read nothing: mailboxes without `mayReadItems` (RFC 8621, section 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jmapsync.demo.account import Account
    from jmapsync.demo.problems import JsonObject
    from jmapsync.demo.records import Email


def is_visible(account: Account, email: Email) -> bool:
    """Return whether a message is in any mailbox that may be read."""
    return not account.unreadable or not email.mailbox_ids <= account.unreadable


def show_emails(account: Account, found: list[JsonObject], not_found: list[str]) -> list[JsonObject]:
    """Return what `/get` gives of messages, without mailboxes that may not be read; ids of hidden ones go to `not_found`."""
    if not account.unreadable:
        return found
    shown = []
    for record in found:
        if not is_visible(account, account.emails[record["id"]]):
            not_found.append(record["id"])
            continue
        boxes = {"mailboxIds": {box: True for box in record.get("mailboxIds", ()) if box not in account.unreadable}}
        shown.append({**record, **boxes} if "mailboxIds" in record else record)
    return shown


def show_changes(account: Account, result: JsonObject) -> JsonObject:
    """Return what `/changes` lists of messages: one that is hidden by now was destroyed, as far as the user knows."""
    if not account.unreadable:
        return result
    listed = [*result["created"], *result["updated"]]
    hidden = {one for one in listed if (email := account.emails.get(one)) is not None and not is_visible(account, email)}
    kept = {name: [one for one in result[name] if one not in hidden] for name in ("created", "updated")}
    return {**result, **kept, "destroyed": [*result["destroyed"], *sorted(hidden - set(result["destroyed"]))]}
