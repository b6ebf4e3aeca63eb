"""Carry out `Email/import`: a blob becomes a message, byte for byte (RFC 8621, section 4.8)."""

from __future__ import annotations

import email.parser
import email.policy
import email.utils
import re
import time
from typing import TYPE_CHECKING

from jmapsync.demo.content import blob_id_of, mask_8bit_header, read_content
from jmapsync.demo.email_checks import checked_keywords, checked_mailboxes, given_keywords, may_add, read_set
from jmapsync.demo.email_create import received_at
from jmapsync.demo.james import check_import, stored
from jmapsync.demo.problems import JsonObject, MethodError, SetError, invalid_properties
from jmapsync.demo.quota_methods import check_room
from jmapsync.demo.standard import check_size
from jmapsync.demo.wire import Arguments

if TYPE_CHECKING:
    from jmapsync.demo.account import Account
    from jmapsync.demo.dialect import Dialect
    from jmapsync.demo.refusals import Refusals
    from jmapsync.demo.wire import Context

_MARK_OF_NEW = "$hasnoattachment"
_BARE_NEWLINE = re.compile(rb"(?<!\r)\n")


class ImportArguments(Arguments):
    """The arguments of `Email/import`."""

    emails: dict[str, JsonObject]
    if_in_state: str | None = None


def import_emails(context: Context, arguments: ImportArguments) -> JsonObject:
    """Answer `Email/import`."""
    account = context.writable_account(arguments.account_id)
    faults = context.service.faults
    _check_call(context, account, arguments)
    created: dict[str, JsonObject] = {}
    refused: dict[str, JsonObject] = {}
    with account.transaction():
        old_state = account.state("Email")
        if account.dialect.checks_states and arguments.if_in_state not in (None, old_state):
            raise MethodError("stateMismatch")
        left = faults.partial_fail.take(("Email/import",))
        for key, wish in arguments.emails.items():
            if left is not None:
                if left == 0:
                    raise MethodError("serverPartialFail")
                left -= 1
            try:
                if (error := faults.set_error.take(("Email/import", "create"))) is not None:
                    raise error
                created[key] = _import_one(context, account, wish)
                context.created_ids[key] = created[key]["id"]
            except SetError as error:
                refused[key] = error.body
    if left is not None:
        raise MethodError("serverPartialFail")
    states = {"oldState": old_state, "newState": account.state("Email")} if account.dialect.import_has_states else {}
    empty: JsonObject | None = {} if account.dialect.import_results == "empty" else None
    return {"accountId": account.id, **states, "created": created or empty, "notCreated": refused or empty}


def _check_call(context: Context, account: Account, arguments: ImportArguments) -> None:
    """Raise where a server refuses the whole call."""
    if account.dialect.import_is_limited:
        check_size(context, len(arguments.emails), "maxObjectsInSet")
    if arguments.if_in_state is not None and not account.dialect.import_has_states:
        raise MethodError("invalidArguments", arguments=["ifInState"])
    if account.dialect.import_rules == "james":
        check_import(arguments.emails, {*account.mailboxes, *(f"#{key}" for key in context.created_ids)})
        for wish in arguments.emails.values():
            account.dialect.refusals.check_keywords(wish["keywords"], whole_call=True)


def _import_one(context: Context, account: Account, wish: JsonObject) -> JsonObject:
    dialect = account.dialect
    if context.service.shape is not None:
        context.service.shape.check_creation()
    unknown = wish.keys() - {"blobId", "mailboxIds", "keywords", "receivedAt"}
    if unknown and dialect.strict_updates and dialect.known_arguments:
        raise invalid_properties(*sorted(unknown))
    if dialect.import_rules == "james" and len(wish["mailboxIds"]) != 1:
        raise SetError("invalidArguments", "Email/import so far only supports a single mailboxId")
    of_cyrus = not dialect.strict_updates
    homes = checked_mailboxes(context, account, _read_homes(wish.get("mailboxIds"), any_value=of_cyrus))
    content = account.blobs.get(str(wish.get("blobId")))
    if content is None or (context.service.shape is not None and context.service.shape.loses_blob()):
        raise SetError("notFound") if dialect.import_rules == "james" else invalid_properties("blobId")
    keywords = checked_keywords(context, given_keywords(wish, members=of_cyrus))
    moment = received_at(wish)
    may_add(account, homes)
    message = read_content(content)
    if wish.get("receivedAt") is None and dialect.import_date == "header":
        moment = _date_of(message, moment)
    if dialect.import_seconds == "unsigned":
        moment = moment % (1 << 32) or int(time.time())
    message = _kept(context, dialect, message)
    if dialect.duplicates == "alreadyExists" and (present := account.emails_of_blob(blob_id_of(message))):
        raise SetError("alreadyExists", existingId=present[0])
    check_room(account, len(message))
    if context.service.shape is not None and context.service.shape.freedoms.marks_new:
        keywords |= {_MARK_OF_NEW}
    made = account.add_email(message, homes, keywords, moment)
    return {"id": made.id, "blobId": made.blob_id, "threadId": made.thread_id, "size": made.size}


def _kept(context: Context, dialect: Dialect, message: bytes) -> bytes:
    """Return the bytes that a server keeps of a message; raise SetError for one that it refuses."""
    if dialect.stores_messages == "james":
        message = stored(message)
    else:
        check_message(message, dialect.refusals, bare_newlines=dialect.bare_newlines == "accept")
    if (rewrite := context.service.faults.rewrite_imports.take()) is not None:
        return rewrite(message)
    return mask_8bit_header(message) if dialect.masks_8bit_headers else message


def _read_homes(value: object, *, any_value: bool) -> frozenset[str]:
    """Return the mailboxes of an import; with `any_value` false and 1 are as good as true (Cyrus)."""
    return frozenset(value) if any_value and isinstance(value, dict) else read_set(value, "mailboxIds")


def _date_of(message: bytes, moment: int) -> int:
    """Return the moment in the Date field of a message; the one given where there is none."""
    text = email.parser.BytesHeaderParser(policy=email.policy.compat32).parsebytes(message).get("Date")
    try:
        return int(email.utils.parsedate_to_datetime(str(text)).timestamp())
    except (TypeError, ValueError):
        return moment


def check_message(message: bytes, refusals: Refusals, *, bare_newlines: bool = False) -> None:
    """Raise SetError `invalidEmail` for what Cyrus refuses: NUL octets, bare LF, broken header lines; and what `refusals` say.

    It takes an empty header, and the line `From ` of an mbox.
    """
    refusals.check_size(len(message))
    if b"\0" in message:
        raise SetError("invalidEmail", "Message contains NUL characters")
    if not bare_newlines and _BARE_NEWLINE.search(message) is not None:
        raise SetError("invalidEmail", "Message contains bare newlines")
    if not message:
        raise SetError("invalidEmail", "Message is empty")
    header, blank_line, _ = (b"", b"\r\n", b"") if message.startswith(b"\r\n") else message.partition(b"\r\n\r\n")
    refusals.check_header(header, is_all=not blank_line)
