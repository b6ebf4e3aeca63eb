"""Sort messages as `Email/query` was asked to (RFC 8621, section 4.4.2)."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from jmapsync.demo.email_filter import has_keyword_in_thread, read_fields
from jmapsync.demo.message.headers import as_date, read_property
from jmapsync.demo.problems import MethodError
from jmapsync.demo.threads import base_subject

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.demo.account import Account
    from jmapsync.demo.records import Email

_KEYWORDS = frozenset({"hasKeyword", "allInThreadHaveKeyword", "someInThreadHaveKeyword"})
_METADATA: dict[str, Callable[[Email], Any]] = {
    "receivedAt": lambda message: message.received_at,
    "size": lambda message: message.size,
    "id": lambda message: message.id,
}


def sort_emails(account: Account, emails: list[Email], sort: list[dict[str, Any]] | None) -> list[Email]:
    """Return messages in the order asked for, the newest first by default, equal ones by id. Raises MethodError."""
    emails.sort(key=lambda message: message.id)
    for comparator in reversed(sort or [{"property": "receivedAt", "isAscending": False}]):
        emails.sort(key=_key(account, comparator), reverse=comparator.get("isAscending") is False)
    return emails


def _key(account: Account, comparator: dict[str, Any]) -> Callable[[Email], Any]:
    """Return the sort key that a Comparator stands for; raise MethodError for one that is not offered."""
    name = str(comparator.get("property"))
    if name not in account.dialect.email_sorts:
        raise MethodError("unsupportedSort", f"Messages cannot be sorted by {name!r}.")
    if comparator.get("collation") not in (None, "i;ascii-casemap", "i;octet", "i;ascii-numeric"):
        raise MethodError("unsupportedSort", "The collation is not known.")
    if name in _METADATA:
        return _METADATA[name]
    if name in _KEYWORDS:
        keyword = comparator.get("keyword")
        if not isinstance(keyword, str):
            raise MethodError("invalidArguments", f"{name!r} needs a keyword.")
        return _keyword_key(account, name, keyword.lower())
    if name == "sentAt":
        return lambda message: _sent(account, message)
    if name == "subject":
        return lambda message: base_subject(read_property(read_fields(account, message), "header:Subject:asText") or "").casefold()
    return lambda message: _first_address(account, message, name)


def _keyword_key(account: Account, name: str, keyword: str) -> Callable[[Email], bool]:
    if name == "hasKeyword":
        return lambda message: keyword in message.keywords
    every = name == "allInThreadHaveKeyword"
    return lambda message: has_keyword_in_thread(account, message, keyword, every=every)


def _sent(account: Account, message: Email) -> float:
    """Return when a message was sent; without a date, when it came."""
    raw = read_property(read_fields(account, message), "header:Date")
    text = as_date(raw) if raw else None
    return message.received_at if text is None else dt.datetime.fromisoformat(text).timestamp()


def _first_address(account: Account, message: Email, name: str) -> str:
    found = read_property(read_fields(account, message), f"header:{name}:asAddresses") or [{"name": "", "email": ""}]
    return str(found[0]["name"] or found[0]["email"]).casefold()
