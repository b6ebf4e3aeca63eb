"""Check what a message is given: keywords, mailboxes, and the rights that are needed for them (RFC 8621, section 4.1.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.demo.problems import JsonObject, SetError, invalid_properties
from jmapsync.demo.records import is_keyword

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jmapsync.demo.account import Account
    from jmapsync.demo.records import Email
    from jmapsync.demo.wire import Context


def checked_keywords(context: Context, keywords: Iterable[str], present: frozenset[str] = frozenset()) -> frozenset[str]:
    """Return keywords in lower case; raise SetError for an invalid one, one that is refused (unless `present`), or too many."""
    keywords = list(keywords)
    if wrong := [keyword for keyword in keywords if not is_keyword(keyword)]:
        raise invalid_properties(*(f"keywords/{keyword}" for keyword in wrong))
    context.service.dialect.refusals.check_keywords(keyword for keyword in keywords if keyword not in present)
    lowered = frozenset(keyword.lower() for keyword in keywords)
    limit = context.service.limits.max_keywords_per_email
    if limit is not None and len(lowered) > limit:
        error = SetError("tooManyKeywords", maxKeywords=limit)
        raise error if context.service.dialect.strict_updates else SetError("tooManyKeywords")
    return lowered


def checked_mailboxes(
    context: Context, account: Account, names: Iterable[str], present: frozenset[str] = frozenset()
) -> frozenset[str]:
    """Return mailbox ids with creation ids resolved; raise SetError if none is left, one is unknown or they are many."""
    homes = set()
    for name in names:
        mailbox_id = context.resolve_id(name)
        if mailbox_id is None or (mailbox_id not in account.mailboxes and mailbox_id not in present):
            raise invalid_properties("mailboxIds", description=f"There is no mailbox {name!r}.")
        homes.add(mailbox_id)
    if not homes:
        raise invalid_properties("mailboxIds", description="A message is in at least one mailbox.")
    limit = context.service.limits.max_mailboxes_per_email
    if limit is not None and len(homes) > limit:
        raise SetError("tooManyMailboxes")
    return frozenset(homes)


def check_rights(account: Account, message: Email, homes: frozenset[str], keywords: frozenset[str]) -> None:
    """Raise SetError `forbidden` where a change needs a right that some mailbox does not give."""
    needed = {(home, "mayAddItems") for home in homes - message.mailbox_ids}
    needed |= {(home, "mayRemoveItems") for home in message.mailbox_ids - homes}
    changed = keywords ^ message.keywords
    for home in message.mailbox_ids:
        if "$seen" in changed:
            needed.add((home, "maySetSeen"))
        if changed - {"$seen"}:
            needed.add((home, "maySetKeywords"))
    if not all(account.mailboxes[home].rights[right] for home, right in needed):
        raise SetError("forbidden")


def may_add(account: Account, homes: Iterable[str]) -> None:
    """Raise SetError `forbidden` where a mailbox takes no messages."""
    if not all(account.mailboxes[home].rights["mayAddItems"] for home in homes):
        raise SetError("forbidden")


def given_keywords(wish: JsonObject, default: frozenset[str] = frozenset(), *, members: bool = False) -> frozenset[str]:
    """Return the keywords that a new message is to have; raise SetError for what is no set."""
    return default if wish.get("keywords") is None else read_set(wish["keywords"], "keywords", members=members)


def read_set(value: object, name: str, *, members: bool = False) -> frozenset[str]:
    """Return the members of a JSON set; raise SetError for a value other than true, that names the `members` at fault."""
    if members and isinstance(value, dict) and (wrong := [key for key, marker in value.items() if marker is not True]):
        raise invalid_properties(*(f"{name}/{key}" for key in wrong))
    if not isinstance(value, dict) or any(marker is not True for marker in value.values()):
        raise invalid_properties(name)
    return frozenset(value)
