"""Parse address lists strictly (RFC 5322, 3.4; RFC 5321, 4.1.2): an address is accepted as written, or not at all.

The parser of Python's `email` joins adjacent tokens to an address (`a@exam ple.com` becomes `a@example.com`) and recurses into
comments. This one never changes an address, and runs in linear time.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LONGEST = 320
"""Octets of an address: 64 and 255 and the @ (RFC 5321, 4.5.3.1); longer local parts are in use, so only the sum is checked."""
_LONGEST_DOMAIN = 255
_LONGEST_LABEL = 63
_TOKENS = re.compile(
    r"""(?P<space>[ \t]+)
      | "(?P<quoted>(?:[^"\\]|\\.)*)"
      | (?P<literal>\[[^\[\]\\]*\])
      | (?P<special>[<>@,;:])
      | (?P<comment>\()
      | (?P<atom>[^\s()<>@,;:\\"\[\]\x00-\x1f\x7f]+)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_COMMENT_PARTS = re.compile(r"[^()\\]+|\\.|[()\\]", re.DOTALL)
_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+)*")
_GENERAL_LITERAL = re.compile(r"[A-Za-z0-9-]*[A-Za-z0-9]:[\x21-\x5a\x5e-\x7e]+")


class Named(NamedTuple):
    """A member of an address list."""

    text: str
    address: str
    """Empty if the member is not a valid address."""


class _Token(NamedTuple):
    kind: str
    text: str
    value: str


def addresses_in(value: str, *, plain: bool = False) -> list[Named]:
    """Return the members of an address list, those of groups included; an invalid member has no address.

    `plain` rejects what only a header may contain: groups, routes, and comments or spaces within an address.
    """
    return list(_members(value, plain=plain))


def is_address(text: str) -> bool:
    """Return whether a string is exactly one address with a domain."""
    found = addresses_in(text, plain=True)
    return len(found) == 1 and found[0].address == text != ""


def with_ascii_domain(address: str) -> str:
    """Return an address with its domain in ASCII (RFC 5890, A-labels), which every server takes.

    Raise ValueError for a domain that has no such form.
    """
    local, _, domain = address.rpartition("@")
    if domain.isascii():
        return address
    import idna  # noqa: PLC0415  # its tables cost time, and few domains need them

    return f"{local}@{idna.encode(domain, uts46=True).decode('ascii')}"


def _tokens(value: str) -> Iterator[_Token]:
    at = 0
    while match := _TOKENS.match(value, at):
        kind, at = str(match.lastgroup), match.end()
        if kind == "comment":
            at = _end_of_comment(value, at)
            kind = "other" if at < 0 else "space"
            at = len(value) if at < 0 else at
        elif kind == "other" and match[0] in '"\\[':
            at = len(value)  # it is never closed: nobody knows where the next member begins
        yield _Token(kind, value[match.start() : at], match["quoted"] or "")


def _end_of_comment(value: str, at: int) -> int:
    """Return the end of a comment whose first parenthesis is before `at`; -1 if it is not closed."""
    depth = 1
    for match in _COMMENT_PARTS.finditer(value, at):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if not depth:
            return match.end()
    return -1


def _members(value: str, *, plain: bool) -> Iterator[Named]:
    member: list[_Token] = []
    angle = group = ended = False
    for token in _tokens(value):
        mark = token.text if token.kind == "special" else ""
        if not angle and mark == ",":
            yield from _member(member, plain=plain)
            member, ended = [], False
        elif not angle and mark == ":" and not group and not plain and _is_phrase(member):
            member, group = [], True
        elif not angle and mark == ";" and group:
            yield from _member(member, plain=plain)
            member, group, ended = [], False, True
        else:
            angle = mark == "<" or (angle and mark != ">")
            if ended and token.kind != "space":
                token = _Token("other", token.text, "")  # noqa: PLW2901  # something follows a group without a comma
            member.append(token)
    if group:
        member.append(_Token("other", "", ""))
    yield from _member(member, plain=plain)


def _is_phrase(tokens: Sequence[_Token]) -> bool:
    return any(token.kind in {"atom", "quoted"} for token in tokens) and all(
        token.kind in {"atom", "quoted", "space"} for token in tokens
    )


def _member(tokens: list[_Token], *, plain: bool) -> Iterator[Named]:
    found = _stripped(tokens)
    if found:
        yield Named("".join(token.text for token in tokens).strip(), _address(found, plain=plain))


def _stripped(tokens: Sequence[_Token]) -> Sequence[_Token]:
    first, last = 0, len(tokens)
    while first < last and tokens[first].kind == "space":
        first += 1
    while first < last and tokens[last - 1].kind == "space":
        last -= 1
    return tokens[first:last]


def _address(tokens: Sequence[_Token], *, plain: bool) -> str:
    marks = [token.text if token.kind == "special" else "" for token in tokens]
    if marks.count("<") == 1 and marks.count(">") == 1 and marks[-1] == ">":
        inner = tokens[marks.index("<") + 1 : -1]
        tokens = inner if plain else _without_route(_stripped(inner))
    elif "<" in marks or ">" in marks:
        return ""
    marks = [token.text if token.kind == "special" else "" for token in tokens]
    if marks.count("@") != 1:
        return ""
    at = marks.index("@")
    parts = (tokens[:at], tokens[at + 1 :])
    before, after = parts if plain else (_stripped(parts[0]), _stripped(parts[1]))
    if len(before) != 1 or len(after) != 1:
        return ""
    local, domain = _local_part(before[0]), _domain(after[0])
    address = f"{local}@{domain}"
    return address if local and domain and len(address.encode()) <= LONGEST else ""


def _without_route(tokens: Sequence[_Token]) -> Sequence[_Token]:
    """Return the tokens after a source route, which is ignored (RFC 5322, 4.4; RFC 5321, appendix C)."""
    if not tokens or tokens[0].text != "@":
        return tokens
    colon = next((at for at, token in enumerate(tokens) if token.kind == "special" and token.text == ":"), None)
    return tokens if colon is None else _stripped(tokens[colon + 1 :])


def _local_part(token: _Token) -> str:
    """Return the local part in its shortest quoting (RFC 5321, 4.1.2); empty if it is invalid."""
    if token.kind == "atom":
        return token.text if _ATOM.fullmatch(token.text) and token.text.isprintable() else ""
    if token.kind != "quoted":
        return ""
    plain = re.sub(r"\\(.)", r"\1", token.value, flags=re.DOTALL)
    if not plain.isprintable():
        return ""
    return plain if _ATOM.fullmatch(plain) else token.text


def _domain(token: _Token) -> str:
    if token.kind == "literal":
        return token.text if _is_literal(token.text[1:-1]) else ""
    if token.kind != "atom" or not token.text.isprintable() or len(token.text.encode()) > _LONGEST_DOMAIN:
        return ""
    return token.text if all(map(_is_label, token.text.split("."))) else ""


def _is_label(label: str) -> bool:
    if not 0 < len(label) <= _LONGEST_LABEL or label[0] == "-" or label[-1] == "-":
        return False
    if label.isascii():
        return label.replace("-", "").replace("_", "").isalnum() or set(label) <= {"_"}
    return all(letter in "-_" or unicodedata.category(letter)[0] in "LMN" for letter in label)


def _is_literal(text: str) -> bool:
    try:
        if text.casefold().startswith("ipv6:"):
            ipaddress.IPv6Address(text[5:])
        elif _GENERAL_LITERAL.fullmatch(text) is None:
            ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True
