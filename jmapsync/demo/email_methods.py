"""Answer `Email/get` and `Email/changes` (RFC 8621, sections 4.2 and 4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jmapsync.demo.changes import ChangesArguments, run_changes
from jmapsync.demo.content import read_content
from jmapsync.demo.email_object import DEFAULTS, BodyArguments, checked_names, read_content_properties
from jmapsync.demo.problems import JsonObject, MethodError
from jmapsync.demo.records import format_utc_date
from jmapsync.demo.standard import get_result, requested_ids
from jmapsync.demo.visibility import show_changes, show_emails

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.demo.records import Email
    from jmapsync.demo.wire import Context

METADATA: dict[str, Callable[[Email], Any]] = {
    "id": lambda message: message.id,
    "blobId": lambda message: message.blob_id,
    "threadId": lambda message: message.thread_id,
    "mailboxIds": lambda message: dict.fromkeys(message.mailbox_ids, True),
    "keywords": lambda message: dict.fromkeys(message.keywords, True),
    "size": lambda message: message.size,
    "receivedAt": lambda message: format_utc_date(message.received_at),
}


class EmailGetArguments(BodyArguments):
    """The arguments of `Email/get`."""

    ids: list[str] | None = None


def get_emails(context: Context, arguments: EmailGetArguments) -> JsonObject:
    """Answer `Email/get`; bytes are read only for what the metadata lacks."""
    account = context.account(arguments.account_id)
    names = checked_names(arguments, METADATA, (*METADATA, *DEFAULTS))
    names = ["id", *(name for name in names if name != "id")]
    with account.lock:
        if arguments.ids is None and account.dialect.null_ids_of_email == "refuse":
            raise MethodError("requestTooLarge", "ids must be specified")
        if arguments.ids is None and account.dialect.null_ids_of_email == "invalid":
            raise MethodError("invalidArguments", "obj.ids: error.path.missing")
        ids, not_found = requested_ids(context, arguments.ids, "Email", account.emails)
        if account.dialect.repeats_objects and arguments.ids is not None:
            ids = [one for name in arguments.ids if (one := context.resolve_id(name)) is not None]
        readers = [(name, METADATA[name]) for name in names if name in METADATA]
        content = [name for name in names if name not in METADATA]
        found: list[JsonObject] = []
        for email_id in ids:
            if (message := account.emails.get(email_id)) is None:
                not_found.append(email_id)
                continue
            record = {name: read(message) for name, read in readers}
            if content:
                data = read_content(account.blobs[message.blob_id])
                record |= read_content_properties(account, data, content, arguments)
            found.append(record)
        return get_result(context, account, "Email", show_emails(account, found, not_found), not_found)


def change_emails(context: Context, arguments: ChangesArguments) -> JsonObject:
    """Answer `Email/changes`."""
    return show_changes(context.account(arguments.account_id), run_changes(context, arguments, "Email"))
