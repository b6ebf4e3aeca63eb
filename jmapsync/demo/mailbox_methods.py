"""Answer `Mailbox/get`, `/changes`, `/query` and `/queryChanges` (RFC 8621, section 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jmapsync.demo.changes import ChangesArguments, run_changes
from jmapsync.demo.cyrus_mailboxes import in_tree_order
from jmapsync.demo.problems import JsonObject, MethodError
from jmapsync.demo.query_changes import QueryChangesArguments, run_query_changes
from jmapsync.demo.standard import (
    GetArguments,
    QueryArguments,
    checked_properties,
    get_result,
    query_window,
    requested_ids,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.demo.account import Account
    from jmapsync.demo.records import Mailbox
    from jmapsync.demo.wire import Context

_COUNTS = ("totalEmails", "unreadEmails", "totalThreads", "unreadThreads")
_THREADS = frozenset({"totalThreads", "unreadThreads"})
_SETTABLE = ("name", "parentId", "role", "sortOrder", "isSubscribed")
_PROPERTIES = ("id", *_SETTABLE, *_COUNTS, "myRights")
_SORTS: dict[str, Callable[[Mailbox], str | int]] = {
    "name": lambda mailbox: mailbox.name,
    "sortOrder": lambda mailbox: mailbox.sort_order,
    "id": lambda mailbox: mailbox.id,
}


_OPERATORS: dict[str, Callable[[list[bool]], bool]] = {"AND": all, "OR": any, "NOT": lambda found: not any(found)}


class MailboxQueryArguments(QueryArguments):
    """The arguments of `Mailbox/query`."""

    sort_as_tree: bool = False
    filter_as_tree: bool = False


class MailboxQueryChangesArguments(QueryChangesArguments):
    """The arguments of `Mailbox/queryChanges`."""


def mailbox_object(account: Account, mailbox: Mailbox, *, roles: bool = True) -> JsonObject:
    """Return a mailbox as the wire has it, but for its threads, which cost a pass over all messages."""
    whole: JsonObject = {
        "id": mailbox.id,
        "name": mailbox.name,
        "parentId": mailbox.parent_id,
        "role": account.role_of(mailbox) if roles else None,
        "sortOrder": mailbox.sort_order,
        "isSubscribed": mailbox.is_subscribed,
        "totalEmails": mailbox.total,
        "unreadEmails": mailbox.unread,
        "totalThreads": 0,
        "unreadThreads": 0,
        "myRights": dict(mailbox.rights),
    }
    if account.dialect.mail_sharing:
        whole |= {"shareWith": mailbox.share_with}
    if account.dialect.mailbox_rules == "james":
        return {name: value for name, value in whole.items() if value is not None}
    return whole


def get_mailboxes(context: Context, arguments: GetArguments) -> JsonObject:
    """Answer `Mailbox/get`."""
    account = context.account(arguments.account_id)
    shared = ("shareWith",) if account.dialect.mail_sharing else ()
    names = checked_properties(arguments.properties, (*_PROPERTIES, *shared))
    roles = context.service.faults.no_roles.active() is None
    with account.lock:
        ids, not_found = requested_ids(context, arguments.ids, "Mailbox", account.mailboxes)
        if account.dialect.mailbox_rules == "cyrus":
            place = {one: number for number, one in enumerate(in_tree_order(account))}
            ids.sort(key=lambda one: place.get(one, len(place)))
        found = []
        threads = _count_threads(account) if _THREADS & set(names) else {}
        for mailbox_id in ids:
            if (mailbox := account.mailboxes.get(mailbox_id)) is None:
                not_found.append(mailbox_id)
            else:
                whole = mailbox_object(account, mailbox, roles=roles) | threads.get(mailbox_id, {})
                found.append({name: whole[name] for name in names if name in whole})
        return get_result(context, account, "Mailbox", found, not_found)


def change_mailboxes(context: Context, arguments: ChangesArguments) -> JsonObject:
    """Answer `Mailbox/changes`; `updatedProperties` is a list only if nothing but counts changed."""
    account = context.account(arguments.account_id)
    with account.lock:
        result = run_changes(context, arguments, "Mailbox")
        since = int(arguments.since_state) if arguments.since_state.isdecimal() else 0
        only_counts = (
            result["updated"]
            and not result["created"]
            and all(account.mailboxes[mailbox_id].changed <= since for mailbox_id in result["updated"])
        )
        if not only_counts and account.dialect.item_form == "stalwart":
            return result
        return result | {"updatedProperties": list(_COUNTS) if only_counts else None}


def query_mailboxes(context: Context, arguments: MailboxQueryArguments) -> JsonObject:
    """Answer `Mailbox/query`; for a listing as a tree changes cannot be calculated."""
    account = context.account(arguments.account_id)
    if account.dialect.query_rules == "james" and "role" not in (arguments.filter or {}):
        raise MethodError("invalidArguments", '{"errors":[{"path":"obj.filter.role","messages":["error.path.missing"]}]}')
    with account.lock:
        ids = _list_mailboxes(account, arguments.filter, arguments.sort)
        if arguments.filter_as_tree:
            ids = _with_ancestors(account, ids)
        if arguments.sort_as_tree:
            ids = _as_tree(account, _list_mailboxes(account, None, arguments.sort), set(ids))
        is_tree = arguments.filter_as_tree or arguments.sort_as_tree
        calculates = "Mailbox/queryChanges" in context.service.methods and not is_tree
        result = query_window(context, arguments, ids, "Mailbox", account.state("Mailbox"), calculates=calculates)
        if account.dialect.mailbox_rules == "cyrus" and not result["ids"]:
            result["position"] = 0
        return result


def change_mailbox_query(context: Context, arguments: MailboxQueryChangesArguments) -> JsonObject:
    """Answer `Mailbox/queryChanges`."""
    account = context.account(arguments.account_id)
    with account.lock:
        return run_query_changes(context, arguments, _list_mailboxes(account, arguments.filter, arguments.sort), "Mailbox")


def _list_mailboxes(account: Account, condition: JsonObject | None, sort: list[dict[str, Any]] | None) -> list[str]:
    """Return the ids of the mailboxes that a filter leaves, sorted; raise MethodError for what is not offered."""
    chosen = [box for box in account.mailboxes.values() if _matches(account, box, condition or {})]
    for comparator in reversed(sort or []):
        key = _SORTS.get(str(comparator.get("property")))
        if key is None:
            raise MethodError("unsupportedSort")
        chosen.sort(key=key, reverse=comparator.get("isAscending") is False)
    return [mailbox.id for mailbox in chosen]


def _with_ancestors(account: Account, ids: list[str]) -> list[str]:
    """Return the mailboxes of a listing of which all that they are in are in it too."""
    left = set(ids)
    for mailbox_id in ids:
        above = account.mailboxes[mailbox_id].parent_id
        while above is not None:
            if above not in ids:
                left.discard(mailbox_id)
            above = account.mailboxes[above].parent_id
    return [one for one in ids if one in left]


def _as_tree(account: Account, order: list[str], wanted: set[str]) -> list[str]:
    """Return the wanted ones of all mailboxes: each before those inside it, siblings in their order."""
    children: dict[str | None, list[str]] = {}
    for mailbox_id in order:
        children.setdefault(account.mailboxes[mailbox_id].parent_id, []).append(mailbox_id)
    found: list[str] = []
    waiting = children.get(None, [])[::-1]
    while waiting:
        found.append(waiting.pop())
        waiting += children.get(found[-1], [])[::-1]
    return [one for one in found if one in wanted]


def _count_threads(account: Account) -> dict[str, dict[str, int]]:
    """Return, by mailbox, how many threads have a message in it, and how many an unread one there."""
    totals: dict[str, set[str]] = {}
    unread: dict[str, set[str]] = {}
    for email in account.emails.values():
        for home in email.mailbox_ids:
            totals.setdefault(home, set()).add(email.thread_id)
            if not email.keywords & {"$seen", "$draft"}:
                unread.setdefault(home, set()).add(email.thread_id)
    return {home: {"totalThreads": len(threads), "unreadThreads": len(unread.get(home, ()))} for home, threads in totals.items()}


def _matches(account: Account, mailbox: Mailbox, condition: JsonObject) -> bool:
    """Return whether a mailbox meets a FilterCondition (RFC 8621, section 2.3)."""
    if (operator := condition.get("operator")) is not None:
        found = [_matches(account, mailbox, part) for part in condition.get("conditions", [])]
        if operator not in _OPERATORS:
            raise MethodError("invalidArguments", "An operator is AND, OR or NOT.")
        return _OPERATORS[operator](found)
    tests: dict[str, Callable[[object], bool]] = {
        "parentId": lambda value: mailbox.parent_id == value,
        "name": lambda value: str(value).casefold() in mailbox.name.casefold(),
        "role": lambda value: (mailbox.role if account.dialect.mailbox_rules == "cyrus" else account.role_of(mailbox)) == value,
        "hasAnyRole": lambda value: (account.role_of(mailbox) is not None) == value,
        "isSubscribed": lambda value: mailbox.is_subscribed == value,
    }
    for name, value in condition.items():
        if name not in tests:
            raise MethodError(account.dialect.unknown_filter, f"Mailboxes of {account.id} cannot be filtered by {name!r}.")
        if not tests[name](value):
            return False
    return True
