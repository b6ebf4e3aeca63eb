"""Answer `Thread/get` and `Thread/changes` (RFC 8621, section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.demo.changes import ChangesArguments, run_changes
from jmapsync.demo.standard import GetArguments, checked_properties, get_result, requested_ids

if TYPE_CHECKING:
    from jmapsync.demo.problems import JsonObject
    from jmapsync.demo.wire import Context


def get_threads(context: Context, arguments: GetArguments) -> JsonObject:
    """Answer `Thread/get`; the messages of a thread stand in the order in which they came."""
    account = context.account(arguments.account_id)
    names = checked_properties(arguments.properties, ("id", "emailIds"))
    with account.lock:
        ids, not_found = requested_ids(context, arguments.ids, "Thread", account.threads.all() if arguments.ids is None else ())
        found = []
        for thread in ids:
            members = account.threads.members(thread)
            if not members:
                not_found.append(thread)
                continue
            members.sort(key=lambda one: (account.emails[one].received_at, one))
            whole = {"id": thread, "emailIds": members}
            found.append({name: whole[name] for name in names})
        return get_result(context, account, "Thread", found, not_found)


def change_threads(context: Context, arguments: ChangesArguments) -> JsonObject:
    """Answer `Thread/changes`."""
    return run_changes(context, arguments, "Thread")
