"""Compile the filters of `Email/query` that ask for metadata or headers (RFC 8621, section 4.4.1)."""

from __future__ import annotations

import email.parser
import email.policy
from typing import TYPE_CHECKING, Any

from jmapsync.demo.content import read_content
from jmapsync.demo.problems import JsonObject, MethodError
from jmapsync.demo.records import parse_utc_date

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import Message

    from jmapsync.demo.account import Account
    from jmapsync.demo.records import Email

_PARSER = email.parser.BytesHeaderParser(policy=email.policy.compat32)
_HEADER_PARTS = (1, 2)  # a name, or a name and what its value contains
_METADATA: dict[str, tuple[type, Callable[[Email, Any], bool]]] = {
    "inMailbox": (str, lambda message, value: value in message.mailbox_ids),
    "inMailboxOtherThan": (list, lambda message, value: not message.mailbox_ids <= set(value)),
    "hasKeyword": (str, lambda message, value: value.lower() in message.keywords),
    "notKeyword": (str, lambda message, value: value.lower() not in message.keywords),
    "minSize": (int, lambda message, value: message.size >= value),
    "maxSize": (int, lambda message, value: message.size < value),
    "before": (str, lambda message, value: message.received_at < parse_utc_date(value)),
    "after": (str, lambda message, value: message.received_at >= parse_utc_date(value)),
}


def compile_filter(account: Account, condition: JsonObject) -> Callable[[Email], bool]:
    """Return the test a filter stands for; raise MethodError for one that is not offered."""
    if (operator := condition.get("operator")) is not None:
        parts = [compile_filter(account, part) for part in condition.get("conditions", [])]
        if operator == "AND":
            return lambda message: all(part(message) for part in parts)
        if operator == "OR":
            return lambda message: any(part(message) for part in parts)
        if operator == "NOT":
            return lambda message: not any(part(message) for part in parts)
        raise MethodError("invalidArguments", "An operator is AND, OR or NOT.")
    tests = [_compile_one(account, name, value) for name, value in condition.items()]
    return lambda message: all(test(message) for test in tests)


def read_header(account: Account, message: Email) -> Message:
    """Return the parsed header of a message."""
    return _PARSER.parsebytes(read_content(account.blobs[message.blob_id]))


def _compile_one(account: Account, name: str, value: object) -> Callable[[Email], bool]:
    if name == "header" and isinstance(value, list) and len(value) in _HEADER_PARTS:
        header, text = str(value[0]), str(value[1]) if len(value) > 1 else ""
        return lambda message: _header_contains(account, message, header, text)
    if name not in _METADATA:
        raise MethodError(account.dialect.unknown_filter, f"Messages cannot be filtered by {name!r}.")
    kind, test = _METADATA[name]
    if not isinstance(value, kind):
        raise MethodError("invalidArguments", f"The value of {name!r} is of the wrong type.")
    if name == "inMailbox" and value not in account.mailboxes and account.dialect.unknown_filter == "invalidArguments":
        raise MethodError("invalidArguments", arguments=["filter/inMailbox"])
    if name in ("before", "after"):
        try:
            parse_utc_date(value)
        except ValueError:
            raise MethodError("invalidArguments", f"{name!r} takes a UTCDate.") from None
    return lambda message: test(message, value)


def _header_contains(account: Account, message: Email, header: str, text: str) -> bool:
    values = read_header(account, message).get_all(header, [])
    return any(text.casefold() in str(value).casefold() for value in values)
