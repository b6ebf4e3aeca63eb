"""Answer the methods of `EmailSubmission`; what is sent goes to `Account.sent` (RFC 8621, section 7).

A message with HOLDFOR or HOLDUNTIL (RFC 4865) waits in `Account.held`; what is due leaves before any of these methods is answered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.demo.account import SentMessage
from jmapsync.demo.changes import ChangesArguments, run_changes
from jmapsync.demo.content import read_content
from jmapsync.demo.message.headers import Fields, read_property, split_fields
from jmapsync.demo.message.parts import split_message
from jmapsync.demo.problems import JsonObject, MethodError, SetError, invalid_properties
from jmapsync.demo.records import format_utc_date, parse_utc_date
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
    account.release()
    names = checked_properties(arguments.properties, _PROPERTIES)
    with account.lock:
        ids, not_found = requested_ids(context, arguments.ids, _TYPE, account.submissions)
        found = [{name: account.submissions[one].get(name) for name in names} for one in ids if one in account.submissions]
        not_found += [one for one in ids if one not in account.submissions]
        return get_result(context, account, _TYPE, found, not_found)


def query_submissions(context: Context, arguments: QueryArguments) -> JsonObject:
    """Answer `EmailSubmission/query` with a filter by email and status or none, in the order in which they were sent."""
    account = context.account(arguments.account_id)
    account.release()
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
    context.account(arguments.account_id).release()
    return run_changes(context, arguments, _TYPE)


def set_submissions(context: Context, arguments: SubmissionSetArguments) -> JsonObject:
    """Answer `EmailSubmission/set`; what it implies for emails follows as a response of its own (RFC 8621, section 7.5)."""
    account = context.writable_account(arguments.account_id)
    account.release()
    with account.transaction():
        run = SetRun(context, account, arguments, _TYPE)
        emails: dict[str, str] = {}
        for key, wish in run.create.items():
            run.attempt("create", key, lambda key=key, wish=wish: emails.update({f"#{key}": _submit(run, key, wish)}))  # type: ignore[misc]
        for key, patch in run.update.items():
            run.attempt("update", key, lambda key=key, patch=patch: emails.update({key: _cancel(run, key, patch)}))  # type: ignore[misc]
        for key in run.destroy:
            run.attempt("destroy", key, _refuse_change)
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
    sent, hold_until = _envelope(account, wish, message)
    _check_sender(account, sent.sender)
    account.submitted += 1
    submission = {
        **dict.fromkeys(_PROPERTIES),
        **wish,
        "id": f"S{account.submitted}",
        "emailId": email.id,
        "threadId": email.thread_id,
        "sendAt": format_utc_date(hold_until or int(account.clock())),
        "undoStatus": "pending" if hold_until else "final",
    }
    account.record(_TYPE, submission["id"])
    if hold_until:
        account.held[submission["id"]] = sent
    else:
        account.sent.append(sent)
    if hold_until or account.dialect.submissions == "kept":
        account.submissions[submission["id"]] = submission
    run.created[key] = {name: submission[name] for name in ("id", "threadId", "sendAt", "undoStatus")}
    context.created_ids[key] = submission["id"]
    return email.id


def _cancel(run: SetRun, key: str, patch: JsonObject) -> str:
    """Take back a message that is held, and return the id of its email."""
    account, ref = run.account, run.context.resolve_id(key) or ""
    submission = account.submissions.get(ref)
    if submission is None:
        raise SetError("notFound")
    if patch != {"undoStatus": "canceled"}:
        raise invalid_properties(*sorted(patch))
    if submission["undoStatus"] == "final":
        raise SetError("cannotUnsend")
    account.held.pop(ref, None)
    account.conclude(ref, "canceled")
    run.updated[key] = None
    return str(submission["emailId"])


def _envelope(account: Account, wish: JsonObject, message: bytes) -> tuple[SentMessage, int]:
    """Return what is sent, and until when it is held; where no envelope is given, it is what the header names."""
    envelope = wish.get("envelope")
    if envelope is None:
        return SentMessage(*_envelope_of(message), message), 0
    if not isinstance(envelope, dict):
        raise invalid_properties("envelope")
    try:
        sender = str(envelope["mailFrom"]["email"])
        recipients = tuple(str(one["email"]) for one in envelope["rcptTo"])
        mail = _parameters(envelope["mailFrom"])
        each = tuple(_parameters(one) for one in envelope["rcptTo"])
    except (KeyError, TypeError):
        raise invalid_properties("envelope") from None
    if not recipients:
        raise SetError("noRecipients")
    if "SMTPUTF8" not in mail and (foreign := [one for one in recipients if not one.isascii()]):
        raise SetError("invalidRecipients", invalidRecipients=foreign)
    return SentMessage(sender, recipients, message, mail, each), _hold_until(account, mail)


def _parameters(address: JsonObject) -> JsonObject:
    """Return the SMTP parameters of an address, their names in capitals."""
    given = address.get("parameters") or {}
    if not all(value is None or isinstance(value, str) for value in given.values()):
        raise invalid_properties("envelope")
    return {str(name).upper(): value for name, value in given.items()}


def _hold_until(account: Account, parameters: JsonObject) -> int:
    """Return until when a message is held, in seconds since 1970 (RFC 4865); 0 where it leaves at once."""
    now = account.clock()
    try:
        if "HOLDFOR" in parameters:
            until = int(now) + int(parameters["HOLDFOR"])
        elif "HOLDUNTIL" in parameters:
            until = parse_utc_date(parameters["HOLDUNTIL"])
        else:
            return 0
    except (TypeError, ValueError):
        raise invalid_properties("envelope") from None
    if until - now > account.dialect.max_delayed_send:
        raise invalid_properties("envelope")
    return until if until > now else 0


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
