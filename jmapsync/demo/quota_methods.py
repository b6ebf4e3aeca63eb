"""Answer the methods of `Quota` (RFC 9425), in the forms of several servers, and refuse what an account has no room for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jmapsync.demo.dialect import MAIL
from jmapsync.demo.problems import JsonObject, MethodError, SetError
from jmapsync.demo.standard import GetArguments, QueryArguments, checked_properties, get_result, query_window, requested_ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.demo.account import Account
    from jmapsync.demo.changes import ChangesArguments
    from jmapsync.demo.wire import Context

_TYPE = "Quota"
_OCTETS, _COUNT = "octets", "count"
_PROPERTIES = (
    *("id", "resourceType", "used", "hardLimit", "scope", "name", "types"),
    *("warnLimit", "softLimit", "description"),
)
_VENDOR_PROPERTIES = ("id", "used", "total")
_NO_LIMIT = -1024
"""What Cyrus' own form has for an account without a limit: -1, in KiB."""
_STALWART_TYPES = ["Email", "SieveScript", "FileNode", "CalendarEvent", "ContactCard"]


@dataclass
class Allowance:
    """How much mail an account may hold; None for any amount."""

    octets: int | None = None
    messages: int | None = None
    shown: list[JsonObject] | None = None
    """What `Quota/get` gives instead of what is so."""


def check_room(account: Account, size: int) -> None:
    """Raise SetError where a message of so many octets is more than an account may hold."""
    allowed = account.allowance
    if allowed.octets is None and allowed.messages is None:
        return
    octets, messages = _usage(account)
    if allowed.octets is not None and octets + size > allowed.octets:
        raise SetError("overQuota")
    if allowed.messages is not None and messages + 1 > allowed.messages:
        raise SetError("overQuota")


def get_quotas(context: Context, arguments: GetArguments) -> JsonObject:
    """Answer `Quota/get`."""
    account = context.account(arguments.account_id)
    vendor = account.dialect.quota == "cyrus"
    with account.lock:
        quotas = {one["id"]: one for one in _quotas(account)}
    if account.dialect.quota == "cyrus312" and MAIL not in context.using:  # it lists those for the types that are in use
        quotas = {}
    names = checked_properties(arguments.properties, _VENDOR_PROPERTIES if vendor else _PROPERTIES)
    ids, not_found = requested_ids(context, arguments.ids, _TYPE, quotas)
    found = [{name: quotas[one][name] for name in names if name in quotas[one]} for one in ids if one in quotas]
    return get_result(context, account, _TYPE, found, not_found + [one for one in ids if one not in quotas])


def change_quotas(context: Context, arguments: ChangesArguments) -> JsonObject:
    """Answer `Quota/changes`: what is used changes with every message, and no log of that is kept."""
    context.account(arguments.account_id)
    raise MethodError("cannotCalculateChanges")


def query_quotas(context: Context, arguments: QueryArguments) -> JsonObject:
    """Answer `Quota/query` without a filter."""
    account = context.account(arguments.account_id)
    if arguments.filter:
        raise MethodError("unsupportedFilter")
    with account.lock:
        ids = [str(one["id"]) for one in _quotas(account)]
        return query_window(context, arguments, ids, _TYPE, account.state(_TYPE))


def _quotas(account: Account) -> Sequence[JsonObject]:
    allowed = account.allowance
    if allowed.shown is not None:
        return allowed.shown
    octets, messages = _usage(account)
    match account.dialect.quota:
        case "cyrus":
            total = allowed.octets if allowed.octets is not None else _NO_LIMIT
            return [{"id": "mail", "used": octets, "total": total}]
        case "stalwart":  # it has one quota, of octets, for everything
            limits = [(_OCTETS, octets, allowed.octets)]
        case _:
            limits = [(_OCTETS, octets, allowed.octets), (_COUNT, messages, allowed.messages)]
    return [_form(account, *one) for one in limits if one[2] is not None]


def _form(account: Account, resource: str, used: int, limit: int | None) -> JsonObject:
    """Return a quota as a server gives it."""
    form = account.dialect.quota or "rfc"
    names = {"rfc": f"Mail {resource}", "stalwart": account.name, "cyrus312": "root"}
    types = {"rfc": ["Email"], "stalwart": _STALWART_TYPES, "cyrus312": ["Email"], "james": ["Mail"]}
    quota: JsonObject = {
        "id": f"q-{resource}",
        "resourceType": resource,
        "used": used,
        "hardLimit": limit,
        "scope": "account",
        "name": names.get(form, f"#private&{account.name}:account:{resource}:Mail"),
        "types": types[form],
    }
    if account.dialect.quota == "james":  # it leaves out what is not set
        return quota
    warn = None if account.dialect.quota == "stalwart" else (limit or 0) * 9 // 10
    return {**quota, "warnLimit": warn, "softLimit": None, "description": None}


def _usage(account: Account) -> tuple[int, int]:
    """Return how many octets of mail, and how many messages, an account holds."""
    return sum(email.size for email in account.emails.values()), len(account.emails)
