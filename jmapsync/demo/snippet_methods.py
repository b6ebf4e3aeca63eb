"""Answer `SearchSnippet/get`: mark the words that were searched for (RFC 8621, section 5)."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

from jmapsync.demo.email_filter import body_text, compile_filter, read_fields
from jmapsync.demo.message.headers import read_property
from jmapsync.demo.standard import check_size
from jmapsync.demo.wire import Arguments

if TYPE_CHECKING:
    from jmapsync.demo.problems import JsonObject
    from jmapsync.demo.wire import Context

_MARGIN = 60
_LONGEST = 255


class SnippetArguments(Arguments):
    """The arguments of `SearchSnippet/get`."""

    email_ids: list[str]
    filter: dict[str, Any] | None = None


def get_snippets(context: Context, arguments: SnippetArguments) -> JsonObject:
    """Answer `SearchSnippet/get`."""
    account = context.account(arguments.account_id)
    check_size(context, len(arguments.email_ids), "maxObjectsInGet")
    condition = arguments.filter or {}
    if condition:
        compile_filter(account, condition)
    subject_words, body_words = _words(condition, {"text", "subject"}), _words(condition, {"text", "body"})
    found, missing = [], []
    with account.lock:
        for name in arguments.email_ids:
            email_id = context.resolve_id(name)
            message = account.emails.get(email_id or "")
            if message is None:
                missing.append(name)
                continue
            subject = read_property(read_fields(account, message), "header:Subject:asText") or ""
            preview = _marked(body_text(account, message), body_words) if body_words else None
            found.append({"emailId": message.id, "subject": _marked(subject, subject_words), "preview": preview})
    return {"accountId": account.id, "list": found, "notFound": missing or None}


def _words(condition: JsonObject, names: set[str]) -> list[str]:
    """Return the words that a filter searches for in some place."""
    if "operator" in condition:
        return [word for part in condition.get("conditions", []) for word in _words(part, names)]
    return [word.strip("\"'") for name in names & condition.keys() for word in str(condition[name]).split()]


def _marked(text: str, words: list[str]) -> str | None:
    """Return the part of a text around the first of the words, each of them marked; None without any."""
    pattern = re.compile("|".join(re.escape(word) for word in words if word) or r"(?!)", re.IGNORECASE)
    match = pattern.search(text)
    if match is None:
        return None
    part = text[max(0, match.start() - _MARGIN) :][:_LONGEST]
    pieces, end = [], 0
    for one in pattern.finditer(part):
        pieces += [html.escape(part[end : one.start()]), f"<mark>{html.escape(one[0])}</mark>"]
        end = one.end()
    return "".join([*pieces, html.escape(part[end:])])
