"""Check the syntax of a Sieve script (RFC 5228): as much as a server has to refuse, and the line where it goes wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.formats.script_lexer import tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.formats.script_lexer import Token

EXTENSIONS = (
    "fileinto",
    "mailbox",
    "include",
    "imap4flags",
    "vacation",
    "copy",
    "variables",
    "body",
    "envelope",
    "mailboxid",
    "reject",
)
"""What scripts may require."""
_NEEDS = {"fileinto": "fileinto", "include": "include", "vacation": "vacation", "set": "variables", "reject": "reject"}
_NEEDS |= dict.fromkeys(("addflag", "setflag", "removeflag"), "imap4flags")
_ACTIONS = {"require", "keep", "discard", "redirect", "stop", *_NEEDS}
_BLOCKS = {"if", "elsif", "else"}
_BRACKETS = {"[": "]", "(": ")"}
_DEEPEST = 15
"""Blocks within one another (RFC 5228, 2.10.5)."""


def check_script(data: bytes) -> str:
    """Return what is wrong with a script, as `line 3: ...`; nothing where nothing is."""
    found = list(tokens(data))
    if not _ends_whole(data, found):
        return f"line {found[-1].line if found else 1}: syntax error"
    return _Parser(found).run()


def _ends_whole(data: bytes, found: Sequence[Token]) -> bool:
    """Return whether the lexer met the end of the script, and not something that is no token."""
    return len(list(tokens(data + b"\nkeep"))) == len(found) + 1


class _Parser:
    """Reads commands until one is wrong."""

    def __init__(self, found: Sequence[Token]) -> None:
        self._found = found
        self._at = 0
        self._required: set[str] = set()

    def run(self) -> str:
        while self._at < len(self._found):
            if (why := self._command(depth=0)) is not None:
                return f"line {self._line()}: {why}"
        return ""

    def _line(self) -> int:
        return self._found[min(self._at, len(self._found) - 1)].line

    def _command(self, depth: int) -> str | None:
        """Read one command; return what is wrong with it."""
        token, start = self._found[self._at], self._at
        if why := self._wrong_name(token, depth):
            return why
        if not self._has_arguments(token):
            return "syntax error"
        if token.value == "require" and (unknown := self._require(start)):
            return f"unknown extension {unknown}"
        if self._is(";") == (token.value in _BLOCKS):
            return "syntax error"
        if token.value in _BLOCKS:
            return self._block(depth)
        self._at += 1
        return None

    def _has_arguments(self, token: Token) -> bool:
        """Pass over arguments, and tests where a command takes them; return whether what ends a command follows."""
        self._at += 1
        expected: list[str] = []
        """The brackets that are to close what is open."""
        while self._at < len(self._found) and not self._is(";", "{", "}"):
            found = self._found[self._at]
            if found.kind == "word" and token.value not in _BLOCKS:
                return False
            if self._is(*_BRACKETS):
                expected.append(_BRACKETS[found.value])
            elif self._is(*_BRACKETS.values()) and (not expected or expected.pop() != found.value):
                return False
            self._at += 1
        return not expected and self._at < len(self._found) and not self._is("}")

    def _wrong_name(self, token: Token, depth: int) -> str:
        if depth > _DEEPEST or token.kind != "word":
            return "syntax error"
        if token.value not in _ACTIONS | _BLOCKS:
            return f"unknown command {token.value}"
        needed = _NEEDS.get(token.value, "")
        return f"{token.value} is not required" if needed and needed not in self._required else ""

    def _block(self, depth: int) -> str | None:
        self._at += 1
        while self._at < len(self._found) and not self._is("}"):
            if (why := self._command(depth + 1)) is not None:
                return why
        if self._at >= len(self._found):
            return "syntax error"
        self._at += 1
        return None

    def _require(self, start: int) -> str:
        names = [one.value for one in self._found[start : self._at] if one.kind == "string"]
        self._required.update(names)
        return next((name for name in names if name not in EXTENSIONS and not name.startswith("comparator-")), "")

    def _is(self, *signs: str) -> bool:
        token = self._found[self._at]
        return token.kind == "sign" and token.value in signs
