"""Compile the filters of `Email/query` (RFC 8621, section 4.4.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jmapsync.demo.content import read_content
from jmapsync.demo.message.headers import Fields, as_text, split_fields
from jmapsync.demo.message.parts import read_message, split_message
from jmapsync.demo.problems import JsonObject, MethodError
from jmapsync.demo.records import parse_utc_date

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.demo.account import Account
    from jmapsync.demo.records import Email

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
        if "conditions" not in condition and account.dialect.unknown_filter == "invalidArguments":
            raise MethodError("invalidArguments", arguments=["filter/conditions"])
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


def read_fields(account: Account, message: Email) -> Fields:
    """Return the header fields of a message."""
    return split_fields(split_message(read_content(account.blobs[message.blob_id]))[0])


def has_keyword_in_thread(account: Account, message: Email, keyword: str, *, every: bool) -> bool:
    """Return whether some message of a thread has a keyword, or every one of it."""
    found = [keyword in account.emails[one].keywords for one in account.threads.members(message.thread_id)]
    return all(found) if every else any(found)


def contains(text: str, wish: str) -> bool:
    """Return whether a text contains what a client searches for: each word of it, or the whole of it in quotation marks."""
    text, wish = text.casefold(), wish.casefold().strip()
    if wish.startswith(('"', "'")) and wish.endswith(wish[0]):
        return wish.strip(wish[0]) in text
    return all(word in text for word in wish.split())


def body_text(account: Account, message: Email) -> str:
    """Return the texts of a message."""
    body = read_message(read_content(account.blobs[message.blob_id]))
    return "\n".join(part.text()[0] for part in body.structure.leaves() if part.type.startswith("text/"))


def _compile_one(account: Account, name: str, value: object) -> Callable[[Email], bool]:
    if name == "header" and isinstance(value, list) and len(value) in _HEADER_PARTS:
        header, text = str(value[0]), str(value[1]) if len(value) > 1 else ""
        return lambda message: _field_contains(account, message, header, text)
    if name == "hasAttachment" and isinstance(value, bool):
        return lambda message: _has_attachment(account, message) is value
    if name in _CONTENT and isinstance(value, str):
        if name in _WORDS and not account.dialect.refusals.text_filters:
            raise MethodError("serverFail", "Internal Error")
        test = _CONTENT[name]
        return lambda message: test(account, message, value)
    if name not in _METADATA:
        raise MethodError(account.dialect.unknown_filter, f"Messages cannot be filtered by {name!r}.")
    kind, about = _METADATA[name]
    if not isinstance(value, kind):
        raise MethodError("invalidArguments", f"The value of {name!r} is of the wrong type.")
    if name == "inMailbox" and value not in account.mailboxes and account.dialect.unknown_filter == "invalidArguments":
        raise MethodError("invalidArguments", arguments=["filter/inMailbox"])
    if name in ("before", "after"):
        return _by_time(account, name, value)
    return lambda message: about(message, value)


def _by_time(account: Account, name: str, value: object) -> Callable[[Email], bool]:
    """Return the test for when a message was received; raise MethodError for what is no date."""
    try:
        moment = parse_utc_date(value)
    except ValueError:
        raise MethodError("invalidArguments", f"{name!r} takes a UTCDate.") from None
    if name == "before":
        return lambda message: message.received_at < moment + account.dialect.before_includes
    return lambda message: message.received_at >= moment + account.dialect.after_excludes


def _field_contains(account: Account, message: Email, header: str, text: str) -> bool:
    return any(
        text.casefold() in value.casefold() for name, value in read_fields(account, message) if name.lower() == header.lower()
    )


def _words_in(*names: str) -> Callable[[Account, Email, str], bool]:
    """Return the test for words in header fields."""

    def test(account: Account, message: Email, wish: str) -> bool:
        values = [as_text(value) for name, value in read_fields(account, message) if name.lower() in names]
        return contains("\n".join(values), wish)

    return test


def _words_anywhere(account: Account, message: Email, wish: str) -> bool:
    values = [as_text(value) for name, value in read_fields(account, message) if name.lower() in _SEARCHED]
    return contains("\n".join([*values, body_text(account, message)]), wish)


def _has_attachment(account: Account, message: Email) -> bool:
    return read_message(read_content(account.blobs[message.blob_id])).has_attachment


_SEARCHED = frozenset({"from", "to", "cc", "bcc", "subject"})
_WORDS = frozenset({*_SEARCHED, "text", "body"})
_CONTENT: dict[str, Callable[[Account, Email, str], bool]] = {
    **{name: _words_in(name) for name in _SEARCHED},
    "text": _words_anywhere,
    "body": lambda account, message, wish: contains(body_text(account, message), wish),
    "allInThreadHaveKeyword": lambda account, message, wish: has_keyword_in_thread(account, message, wish.lower(), every=True),
    "someInThreadHaveKeyword": lambda account, message, wish: has_keyword_in_thread(account, message, wish.lower(), every=False),
    "noneInThreadHaveKeyword": lambda account, message, wish: (
        not has_keyword_in_thread(account, message, wish.lower(), every=False)
    ),
}
"""What is tested by more than the metadata of the message itself."""
