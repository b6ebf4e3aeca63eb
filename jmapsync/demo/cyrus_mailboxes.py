"""Make mailboxes behave as on Cyrus, where it leaves RFC 8621; all of it was seen on 3.6.1 and 3.12.4."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from jmapsync.demo.problems import SetError, invalid_properties
from jmapsync.demo.records import FULL_RIGHTS

if TYPE_CHECKING:
    from jmapsync.demo.account import Account
    from jmapsync.demo.problems import JsonObject
    from jmapsync.demo.records import Mailbox

_REFUSED_SIGNS = frozenset('/!"%;<>\\`{|}')
_LONGEST_PATH = 475
"""Octets of a path in modified UTF-7 (RFC 3501, 5.1.3): 490 with the user's name before it."""
_SORT_ORDERS = {"inbox": 1, "archive": 3, "drafts": 4, "sent": 5, "junk": 6, "trash": 7, "scheduled": 8}
_OTHER_SORT_ORDER = 10


def sort_order(role: str | None) -> int:
    """Return the sort order of a mailbox that was given none."""
    return _SORT_ORDERS.get(role or "", _OTHER_SORT_ORDER)


def rights(role: str | None) -> dict[str, bool]:
    """Return the rights in a mailbox of a role; the mailbox of messages to be sent later is the server's."""
    mine = {"mayReadItems", "maySetSeen", "maySetKeywords"}
    return {right: role != "scheduled" or right in mine for right in (*FULL_RIGHTS, "mayAdmin")}


def in_tree_order(account: Account) -> list[str]:
    """Return the ids of all mailboxes: the inbox and what is inside it first, the others by path."""
    return [one.id for one in sorted(account.mailboxes.values(), key=lambda one: _place(account, one))]


def _place(account: Account, mailbox: Mailbox) -> tuple[bool, list[str]]:
    path = account.path(mailbox).split("/")
    return path[0] != account.dialect.inbox_name, path


def created_properties(account: Account, whole: JsonObject, wish: JsonObject) -> JsonObject:
    """Return what `Mailbox/set` reports of a mailbox that it created."""
    vendor = {"isSeenShared": False, "showAsLabel": "role" not in wish and "isSubscribed" not in wish}
    names = [name for name in account.dialect.created_mailbox if name not in wish]
    return {name: (whole | vendor)[name] for name in names}


def check_as_cyrus(draft: Mailbox, tree: dict[str, Mailbox]) -> None:
    """Raise SetError for what Cyrus alone refuses, or refuses in its own way."""
    if _REFUSED_SIGNS.intersection(draft.name) or len(_utf7(_path(draft, tree))) > _LONGEST_PATH:
        raise SetError("serverFail", "Invalid mailbox name")
    if not draft.name.strip() or any(unicodedata.category(sign) == "Cc" and sign < "\x80" for sign in draft.name):
        raise invalid_properties("name")
    others = [other for other in tree.values() if other is not draft]
    taken = any((other.parent_id, other.name) == (draft.parent_id, draft.name) for other in others)
    if taken or (draft.parent_id is None and draft.name.casefold() == "inbox" and draft.role != "inbox"):
        raise invalid_properties("name")
    if draft.role == "inbox" and draft.parent_id is not None:
        raise invalid_properties("parentId")
    if draft.sort_order < 0:
        raise invalid_properties("sortOrder")


def check_role(roles: frozenset[str], role: str | None, former: str | None) -> None:
    """Raise SetError for a role that cannot be given or, the inbox's, taken away."""
    if role != former and (former == "inbox" or (role is not None and role not in roles)):
        raise invalid_properties("role")


def _path(draft: Mailbox, tree: dict[str, Mailbox]) -> str:
    names: list[str] = []
    above: Mailbox | None = draft
    seen: set[str] = set()
    while above is not None and above.id not in seen:
        seen.add(above.id)
        names.insert(0, above.name)
        above = tree.get(above.parent_id or "")
    return "/".join(names)


def _utf7(name: str) -> bytes:
    """Return about what a name becomes in modified UTF-7; of interest is how long it is."""
    return name.encode("utf-7", errors="surrogatepass")
