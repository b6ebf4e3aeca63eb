"""Answer `Email/query` and `Email/queryChanges` (RFC 8621, sections 4.4 and 4.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from jmapsync.demo.email_filter import compile_filter
from jmapsync.demo.email_sort import sort_emails
from jmapsync.demo.problems import JsonObject, MethodError
from jmapsync.demo.query_changes import QueryChangesArguments, run_query_changes
from jmapsync.demo.standard import QueryArguments, query_window
from jmapsync.demo.visibility import is_visible

if TYPE_CHECKING:
    from jmapsync.demo.account import Account
    from jmapsync.demo.wire import Context


class EmailQueryArguments(QueryArguments):
    """The arguments of `Email/query`."""

    collapse_threads: bool = False


class EmailQueryChangesArguments(QueryChangesArguments):
    """The arguments of `Email/queryChanges`."""

    collapse_threads: bool = False


def query_emails(context: Context, arguments: EmailQueryArguments) -> JsonObject:
    """Answer `Email/query`; a listing is kept until a message changes, so that paging costs one sort."""
    account = context.account(arguments.account_id)
    wish = msgspec.json.encode((account.id, arguments.filter, arguments.sort, arguments.collapse_threads))
    with account.lock:
        cached = context.service.listings.get(wish)
        if cached is None or cached[0] != account.version:
            listing = _list_emails(account, arguments.filter, arguments.sort, collapse=arguments.collapse_threads)
            cached = (account.version, listing)
            context.service.listings = {wish: cached}
        calculates = "Email/queryChanges" in context.service.methods and not arguments.collapse_threads
        if account.dialect.query_changes == "cyrus":
            calculates = _calculable(arguments.filter or {})
        result = query_window(context, arguments, cached[1], "Email", account.state("Email"), calculates=calculates)
        return result | ({"collapseThreads": arguments.collapse_threads} if account.dialect.echoes_queries else {})


def change_email_query(context: Context, arguments: EmailQueryChangesArguments) -> JsonObject:
    """Answer `Email/queryChanges`; for collapsed threads they cannot be calculated."""
    account = context.account(arguments.account_id)
    if arguments.collapse_threads:
        raise MethodError("cannotCalculateChanges")
    with account.lock:
        listing = _list_emails(account, arguments.filter, arguments.sort, collapse=False)
        result = run_query_changes(context, arguments, listing, "Email")
        return result | ({"collapseThreads": False} if account.dialect.echoes_queries else {})


def _calculable(condition: JsonObject) -> bool:
    """Return whether Cyrus says of a filter that its changes can be calculated."""
    return not condition.keys() & {"operator", "hasKeyword", "notKeyword", "inMailboxOtherThan"}


def _list_emails(account: Account, condition: JsonObject | None, sort: list[dict[str, Any]] | None, *, collapse: bool) -> list[str]:
    """Return the ids that a filter leaves, sorted; with `collapse` the first one of each thread only."""
    matches = compile_filter(account, condition) if condition else lambda _: True
    visible = [message for message in account.emails.values() if is_visible(account, message)]
    chosen = sort_emails(account, [message for message in visible if matches(message)], sort)
    if not collapse:
        return [message.id for message in chosen]
    first: dict[str, str] = {}
    for message in chosen:
        first.setdefault(message.thread_id, message.id)
    return list(first.values())
