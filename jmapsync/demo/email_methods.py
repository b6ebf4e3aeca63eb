"""Answer `Email/get`, `/changes` and `/query`, and `Thread/get` (RFC 8621, sections 3 and 4)."""

from __future__ import annotations

import email.utils
from typing import TYPE_CHECKING, Any

import msgspec

from jmapsync.demo.changes import ChangesArguments, run_changes
from jmapsync.demo.email_filter import compile_filter, read_header
from jmapsync.demo.problems import JsonObject, MethodError
from jmapsync.demo.records import format_utc_date
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
    from jmapsync.demo.records import Email
    from jmapsync.demo.wire import Context

_METADATA: dict[str, Callable[[Email], Any]] = {
    "id": lambda message: message.id,
    "blobId": lambda message: message.blob_id,
    "threadId": lambda message: message.thread_id,
    "mailboxIds": lambda message: dict.fromkeys(message.mailbox_ids, True),
    "keywords": lambda message: dict.fromkeys(message.keywords, True),
    "size": lambda message: message.size,
    "receivedAt": lambda message: format_utc_date(message.received_at),
}
_HEADERS = {"messageId": "Message-ID", "inReplyTo": "In-Reply-To", "references": "References", "subject": "Subject", "from": "From"}
_SORTS: dict[str, Callable[[Email], Any]] = {
    "receivedAt": lambda message: message.received_at,
    "size": lambda message: message.size,
    "id": lambda message: message.id,
}


class EmailGetArguments(GetArguments):
    """The arguments of `Email/get`; those about bodies are taken and have no effect, as no bodies are parsed."""

    body_properties: list[str] | None = None
    fetch_text_body_values: bool = False
    fetch_html_body_values: bool = msgspec.field(name="fetchHTMLBodyValues", default=False)
    fetch_all_body_values: bool = False
    max_body_value_bytes: int = 0


class EmailQueryArguments(QueryArguments):
    """The arguments of `Email/query`; threads being single messages, collapsing them has no effect."""

    collapse_threads: bool = False


def get_emails(context: Context, arguments: EmailGetArguments) -> JsonObject:
    """Answer `Email/get` for the metadata and the headers messageId, inReplyTo, references, subject and from."""
    account = context.account(arguments.account_id)
    names = checked_properties(arguments.properties, [*_METADATA, *_HEADERS])
    with account.lock:
        if arguments.ids is None and account.dialect.null_ids_of_email == "refuse":
            raise MethodError("requestTooLarge", "ids must be specified")
        ids, not_found = requested_ids(context, arguments.ids, "Email", account.emails)
        if account.dialect.repeats_objects and arguments.ids is not None:
            ids = [one for name in arguments.ids if (one := context.resolve_id(name)) is not None]
        readers = [(name, _METADATA[name]) for name in names if name in _METADATA]
        headers = [name for name in names if name in _HEADERS]
        found: list[JsonObject] = []
        for email_id in ids:
            if (message := account.emails.get(email_id)) is None:
                not_found.append(email_id)
                continue
            record = {name: read(message) for name, read in readers}
            if headers:
                record |= _parse_headers(account, message, headers)
            found.append(record)
        return get_result(context, account, "Email", found, not_found)


def change_emails(context: Context, arguments: ChangesArguments) -> JsonObject:
    """Answer `Email/changes`."""
    return run_changes(context, arguments, "Email")


def query_emails(context: Context, arguments: EmailQueryArguments) -> JsonObject:
    """Answer `Email/query`; a listing is kept until a message changes, so that paging costs one sort."""
    account = context.account(arguments.account_id)
    wish = msgspec.json.encode((account.id, arguments.filter, arguments.sort))
    with account.lock:
        cached = context.service.listings.get(wish)
        if cached is None or cached[0] != account.version:
            cached = (account.version, _list_emails(account, arguments))
            context.service.listings = {wish: cached}
        return query_window(context, arguments, cached[1], "Email", account.state("Email"))


def get_threads(context: Context, arguments: GetArguments) -> JsonObject:
    """Answer `Thread/get`: every message is a thread of its own."""
    account = context.account(arguments.account_id)
    names = checked_properties(arguments.properties, ("id", "emailIds"))
    with account.lock:
        threads = {message.thread_id: message.id for message in account.emails.values()}
        ids, not_found = requested_ids(context, list(threads) if arguments.ids is None else arguments.ids)
        found = [
            {name: {"id": thread_id, "emailIds": [threads[thread_id]]}[name] for name in names}
            for thread_id in ids
            if thread_id in threads
        ]
        not_found += [thread_id for thread_id in ids if thread_id not in threads]
        return get_result(context, account, "Thread", found, not_found)


def _list_emails(account: Account, arguments: EmailQueryArguments) -> list[str]:
    matches = compile_filter(account, arguments.filter) if arguments.filter else lambda _: True
    chosen = [message for message in account.emails.values() if matches(message)]
    chosen.sort(key=lambda message: message.id)
    comparators = arguments.sort or [{"property": "receivedAt", "isAscending": False}]
    for comparator in reversed(comparators):
        key = _SORTS.get(str(comparator.get("property")))
        if key is None:
            raise MethodError("unsupportedSort")
        chosen.sort(key=key, reverse=comparator.get("isAscending") is False)
    return [message.id for message in chosen]


def _parse_headers(account: Account, message: Email, names: list[str]) -> JsonObject:
    parsed = read_header(account, message)
    record: JsonObject = {}
    for name in names:
        value = parsed.get(_HEADERS[name])
        if value is None:
            record[name] = None
        elif name == "subject":
            record[name] = " ".join(str(value).split())
        elif name == "from":
            pairs = email.utils.getaddresses([str(value)])
            record[name] = [{"name": shown or None, "email": address} for shown, address in pairs]
        else:
            record[name] = [part.strip("<>") for part in str(value).split()]
    return record
