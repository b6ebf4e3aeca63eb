"""Split Sieve scripts into tokens (RFC 5228, 8.1), and find what they include and which mailboxes they file into.

Nothing is interpreted: a script of which the tokens make no sense yields what was found before that. Strings with variables
(RFC 5229) are left out, as only a delivery shows what they stand for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = 1 << 20
"""Octets of a script that are searched."""
MOST = 100_000
"""Tokens of a script."""
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+|\#[^\n]*(?:\n|\Z)|/\*.*?(?:\*/|\Z))
    |text:[ \t]*(?:\#[^\n]*)?\r?\n(?P<text>.*?)(?:(?<=\n)\.(?=\r?\n|\Z)|\Z)
    |"(?P<quoted>(?:[^"\\]|\\.)*)"
    |(?P<tag>:[A-Za-z_][A-Za-z0-9_]*)
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<number>[0-9]+[KMGkmg]?)
    |(?P<sign>[\[\](){};,])""",
    re.VERBOSE | re.DOTALL,
)
_STUFFED = re.compile(r"^\.\.", re.MULTILINE)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_TAKES_STRING = frozenset({":mailboxid", ":specialuse", ":flags", ":fcc"})
"""Tags of `fileinto` that a string or a list of strings follows (RFC 9042, RFC 8579, RFC 5232)."""


class Token(Struct, frozen=True):
    """One token; the `value` of a string is its content, that of a word or a tag is in lower case."""

    kind: str
    value: str
    line: int


class Filing(Struct, frozen=True):
    """A `fileinto` of a script."""

    line: int
    mailbox: str
    mailbox_id: str = ""
    """The server's id of the mailbox that is meant, where that is there (RFC 9042)."""


def tokens(data: bytes) -> Iterator[Token]:
    """Yield the tokens of a script, white space and comments left out; it ends where nothing is a token."""
    text, at, line = data[:LONGEST].decode("utf-8", "replace"), 0, 1
    for _ in range(MOST):
        match = _TOKEN.match(text, at)
        if match is None:
            return
        kind, value = match.lastgroup or "", match[match.lastgroup or 0]
        if kind == "text":
            yield Token("string", _STUFFED.sub(".", value), line)
        elif kind == "quoted":
            yield Token("string", _ESCAPED.sub(r"\1", value), line)
        elif kind != "space":
            yield Token(kind, value.lower(), line)
        line += match[0].count("\n")
        at = match.end()


def commands(data: bytes, name: str) -> Iterator[list[Token]]:
    """Yield the tokens of each command or test of a name, with its arguments."""
    found: list[Token] = []
    depth = 0
    for token in tokens(data):
        if found:
            ends = (token.kind == "sign" and (token.value in ";{}" or (token.value in ",)" and not depth))) or token.kind == "word"
            if not ends:
                depth += {"[": 1, "]": -1}.get(token.value, 0) if token.kind == "sign" else 0
                found.append(token)
                continue
            yield found
            found = []
        if token.kind == "word" and token.value == name:
            found, depth = [token], 0
    if found:
        yield found


def includes(data: bytes) -> list[str]:
    """Return the names of the user's scripts that a script includes (RFC 6609, 3.2)."""
    if b"include" not in data:
        return []
    found = []
    for command in commands(data, "include"):
        strings = [one.value for one in command if one.kind == "string"]
        if strings and not any(one.kind == "tag" and one.value == ":global" for one in command):
            found.append(strings[-1])
    return list(dict.fromkeys(found))


def filings(data: bytes) -> list[Filing]:
    """Return the mailboxes that a script files into and that have to be there for that.

    Left out are those that it makes (`:create`, RFC 5490, 3.2), those that it asks about first (`mailboxexists`), and strings with
    variables.
    """
    asked = {one.value for command in commands(data, "mailboxexists") for one in command if one.kind == "string"}
    found = []
    for command in commands(data, "fileinto"):
        tags = {one.value for one in command if one.kind == "tag"}
        plain, mailbox_id = _strings(command)
        if ":create" in tags or ":specialuse" in tags or not plain:
            continue
        name = plain[-1]
        if name not in asked and "${" not in name:
            found.append(Filing(command[0].line, name, mailbox_id))
    return found


def _strings(command: list[Token]) -> tuple[list[str], str]:
    """Return the strings of a `fileinto` that belong to none of its tags, and the one that belongs to `:mailboxid`."""
    plain: list[str] = []
    owner, mailbox_id, depth = "", "", 0
    for token in command:
        if token.kind == "tag":
            owner = token.value if token.value in _TAKES_STRING else ""
        elif token.kind == "sign":
            depth += {"[": 1, "]": -1}.get(token.value, 0)
            owner = owner if depth else ""
        elif token.kind == "string":
            if owner == ":mailboxid":
                mailbox_id = token.value
            elif not owner:
                plain.append(token.value)
            owner = owner if depth else ""
    return plain, mailbox_id
