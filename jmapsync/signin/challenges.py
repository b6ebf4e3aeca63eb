"""Parse WWW-Authenticate (RFC 9110, section 11.6.1): the schemes that a server offers, with their parameters."""

from __future__ import annotations

import re

_NAME = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_PARAMETER = re.compile(rf'[\s,]*({_NAME})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_NAME}))(?=[\s,]|$)')
_SCHEME = re.compile(rf"[\s,]*({_NAME})(?:\s+[A-Za-z0-9\-._~+/]+=*(?=\s*(?:,|$)))?(?=[\s,]|$)")
_LONGEST = 8_000
"""Characters of a header that are read."""


def challenges(header: str) -> list[tuple[str, dict[str, str]]]:
    """Return the schemes of a WWW-Authenticate header in its order, in lower case, each with its parameters.

    A token68, such as that of Negotiate, and what follows the first malformed part are left out.
    """
    header = header[:_LONGEST]
    found: list[tuple[str, dict[str, str]]] = []
    at = 0
    while True:
        if found and (part := _PARAMETER.match(header, at)) is not None:
            name, quoted, plain = part.groups()
            found[-1][1].setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) if plain is None else plain)
        elif (part := _SCHEME.match(header, at)) is not None:
            found.append((part[1].lower(), {}))
        else:
            return found
        at = part.end()
