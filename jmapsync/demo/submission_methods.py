"""Answer the methods of `EmailSubmission`; what is sent goes to `Account.sent` (RFC 8621, section 7)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from jmapsync.demo.account import SentMessage
from jmapsync.demo.changes import ChangesArguments, run_changes
from jmapsync.demo.content import read_content
from jmapsync.demo.message.headers import Fields, read_property, split_fields
from jmapsync.demo.message.parts import split_message
from jmapsync.demo.problems import JsonObject, MethodError, SetError, invalid_properties
from jmapsync.demo.records import format_utc_date
from jmapsync.demo.standard import (
    GetArguments,
    QueryArguments,
    SetArguments,
    SetRun,
    checked_properties,
    get_result,
    query_window,
    requested_ids,
)

if TYPE_CHECKING:
    from jmapsync.demo.account import Account
    from jmapsync.demo.wire import Context

_TYPE = "EmailSubmission"
_PROPERTIES = ("id", "identityId", "emailId", "threadId", "envelope", "sendAt", "undoStatus", "deliveryStatus")


class SubmissionSetArguments(SetArguments):
    """The arguments of `EmailSubmission/set`."""

    on_success_update_email: dict[str, JsonObject] | None = None
    on_success_destroy_email: list[str] | None = None


def get_submissions(context: Context, arguments: GetArguments) -> JsonObject:
    """Answer `EmailSubmission/get`."""
    account = context.account(arguments.account_id)
    names = checked_properties(arguments.properties, _PROPERTIES)
    with account.lock:
        ids, not_found = requested_ids(context, arguments.ids, _TYPE, account.submissions)
        found = [{name: account.submissions[one].get(name) for name in names} for one in ids if one in account.submissions]
        not_found += [one for one in ids if one not in account.submissions]
        return get_result(context, account, _TYPE, found, not_found)


def query_submissions(context: Context, arguments: QueryArguments) -> JsonObject:
    """Answer `EmailSubmission/query` with a filter by email and status or none, in the order in which they were sent."""
    account = context.account(arguments.account_id)
    condition = arguments.filter or {}
    if condition.keys() - {"emailIds", "undoStatus"}:
        raise MethodError(account.dialect.unknown_filter)
    newest_first = False
    for one in arguments.sort or []:
        if one.get("property") != "sentAt":
            raise MethodError("unsupportedSort")
        newest_first = one.get("isAscending") is False
    with account.lock:
        wanted, status = condition.get("emailIds"), condition.get("undoStatus")
        ids = [
            one["id"]
            for one in account.submissions.values()
            if (wanted is None or one["emailId"] in wanted) and status in {None, one["undoStatus"]}
        ]
        if newest_first:
            ids.reverse()
        return query_window(context, arguments, ids, _TYPE, account.state(_TYPE))


def change_submissions(context: Context, arguments: ChangesArguments) -> JsonObject:
    """Answer `EmailSubmission/changes`."""
    return run_changes(context, arguments, _TYPE)


def set_submissions(context: Context, arguments: SubmissionSetArguments) -> JsonObject:
    """Answer `EmailSubmission/set`; what it implies for emails follows as a response of its own (RFC 8621, section 7.5)."""
    account = context.writable_account(arguments.account_id)
    with account.transaction():
        run = SetRun(context, account, arguments, _TYPE)
        emails: dict[str, str] = {}
        for key, wish in run.create.items():
            run.attempt("create", key, lambda key=key, wish=wish: emails.update({f"#{key}": _submit(run, key, wish)}))  # type: ignore[misc]
        for kind, keys in (("update", run.update), ("destroy", run.destroy)):
            for key in keys:
                run.attempt(kind, key, _refuse_change)
        update = {emails[key]: patch for key, patch in (arguments.on_success_update_email or {}).items() if key in emails}
        destroy = [emails[key] for key in arguments.on_success_destroy_email or [] if key in emails]
        if update or destroy:
            context.implied.append(("Email/set", {"accountId": account.id, "update": update, "destroy": destroy}))
    return run.result()


def _submit(run: SetRun, key: str, wish: JsonObject) -> str:
    """Send one message and return its id."""
    context, account = run.context, run.account
    email = account.emails.get(context.resolve_id(str(wish.get("emailId"))) or "")
    if email is None:
        raise SetError("emailNotFound") if account.dialect.submissions == "forgotten" else invalid_properties("emailId")
    if wish.get("identityId") not in {one["id"] for one in account.identities}:
        raise invalid_properties("identityId")
    message = read_content(account.blobs[email.blob_id])
    sender, recipients = _envelope(wish, message)
    _check_sender(account, sender)
    account.sent.append(SentMessage(sender, recipients, message))
    submission = {
        **dict.fromkeys(_PROPERTIES),
        **wish,
        "id": f"S{len(account.sent)}",
        "emailId": email.id,
        "threadId": email.thread_id,
        "sendAt": format_utc_date(int(time.time())),
        "undoStatus": "final",
    }
    account.record(_TYPE, submission["id"])
    if account.dialect.submissions == "kept":
        account.submissions[submission["id"]] = submission
    run.created[key] = {name: submission[name] for name in ("id", "threadId", "sendAt", "undoStatus")}
    context.created_ids[key] = submission["id"]
    return email.id


def _envelope(wish: JsonObject, message: bytes) -> tuple[str, tuple[str, ...]]:
    """Return sender and recipients; where no envelope is given, they are those that the header names."""
    envelope = wish.get("envelope")
    if envelope is None:
        return _envelope_of(message)
    if not isinstance(envelope, dict):
        raise invalid_properties("envelope")
    try:
        sender = str(envelope["mailFrom"]["email"])
        recipients = tuple(str(one["email"]) for one in envelope["rcptTo"])
    except (KeyError, TypeError):
        raise invalid_properties("envelope") from None
    if not recipients:
        raise SetError("noRecipients")
    return sender, recipients


def _envelope_of(message: bytes) -> tuple[str, tuple[str, ...]]:
    fields = split_fields(split_message(message)[0])
    senders = [address["email"] for name in ("Sender", "From") for address in _addresses(fields, name)]
    recipients = dict.fromkeys(address["email"] for name in ("To", "Cc", "Bcc") for address in _addresses(fields, name))
    if not senders:
        raise SetError("invalidEmail", properties=["from"])
    if not recipients:
        raise SetError("noRecipients")
    return senders[0], tuple(recipients)


def _addresses(fields: Fields, name: str) -> list[JsonObject]:
    return read_property(fields, f"header:{name}:asAddresses") or []


def _check_sender(account: Account, sender: str) -> None:
    own = [str(one["email"]).casefold() for one in account.identities]
    allowed = {sender.casefold(), f"*@{sender.casefold().rpartition('@')[2]}"}
    if all(own) and not allowed & set(own):
        raise SetError("forbiddenMailFrom")


def _refuse_change() -> None:
    raise SetError("forbidden", "What was sent cannot be changed here.")
