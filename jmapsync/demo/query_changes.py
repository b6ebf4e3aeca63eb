"""Answer `/queryChanges` from the log of a type (RFC 8620, section 5.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jmapsync.demo.changes import changes_since
from jmapsync.demo.problems import JsonObject, MethodError
from jmapsync.demo.standard import Unsigned  # noqa: TC001 - a field's type
from jmapsync.demo.wire import Arguments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.demo.wire import Context


class QueryChangesArguments(Arguments):
    """The arguments of `/queryChanges`."""

    since_query_state: str
    filter: dict[str, Any] | None = None
    sort: list[dict[str, Any]] | None = None
    max_changes: Unsigned | None = None
    up_to_id: str | None = None
    calculate_total: bool = False


def run_query_changes(context: Context, arguments: QueryChangesArguments, listing: Sequence[str], type_name: str) -> JsonObject:
    """Return how a listing changed; every changed object is listed as removed, and as added if it is in the listing now."""
    account = context.account(arguments.account_id)
    of_cyrus = account.dialect.query_changes == "cyrus"
    if of_cyrus and (type_name == "Mailbox" or not arguments.since_query_state.isdecimal()):
        raise MethodError("cannotCalculateChanges")
    page = changes_since(account, arguments.since_query_state, type_name)
    touched = {*page.created, *page.updated}
    added = [{"id": one, "index": index} for index, one in enumerate(listing) if one in touched]
    removed = [*page.updated, *page.destroyed]
    if of_cyrus:  # whatever changed, in the order of the listing
        listed = [one for one in listing if one in touched]
        removed = [*listed, *(one for one in removed if one not in listed)]
    if arguments.max_changes is not None and len(added) + len(removed) > arguments.max_changes:
        raise MethodError("tooManyChanges")
    total: JsonObject = {"total": len(listing)} if arguments.calculate_total or of_cyrus else {}
    if of_cyrus:
        total |= {"upToId": arguments.up_to_id} | ({"sort": arguments.sort} if arguments.sort else {})
        total |= {} if arguments.filter is None else {"filter": arguments.filter}
    return {
        "accountId": account.id,
        "oldQueryState": arguments.since_query_state,
        "newQueryState": account.state(type_name),
        **total,
        "removed": removed,
        "added": added,
    }
