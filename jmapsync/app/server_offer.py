"""Note what a server offers, for a bug report: capabilities that are public, with their limits, and nothing that names anybody."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jmapsync.jmap.session import Session

OFFER = "offer"
"""The ledger's note of it, as JSON."""
_PUBLIC = re.compile(
    r"(?:urn:ietf:params:jmap:|https://cyrusimap\.org/ns/jmap/|https://www\.fastmail\.com/dev/|urn:stalwart:|urn:apache:james:params:jmap:"
    r"|com:linagora:params:jmap:)[A-Za-z0-9:._/-]{1,60}"
)
"""Capabilities of the standards and of known servers; those of others may be named after whoever runs them."""
_NAME = re.compile(r"[A-Za-z]{1,40}")


def offer_of(session: Session) -> dict[str, Any]:
    """Return what a server offers: its public capabilities with numbers and switches, and how many others there are."""
    every: dict[str, Any] = {}
    of_accounts = (one for account in session.accounts.values() for one in account.capabilities.items())
    for name, value in [*session.capabilities.items(), *of_accounts]:
        every[name] = {**every.get(name, {}), **_figures(value)}
    return {
        "capabilities": {name: every[name] for name in sorted(every) if _PUBLIC.fullmatch(name)},
        "others": sum(1 for name in every if not _PUBLIC.fullmatch(name)),
        "accounts": len(session.accounts),
        "push": session.event_source_url is not None,
    }


def noted(session: Session) -> str:
    """Return the note."""
    return json.dumps(offer_of(session), sort_keys=True)


def _figures(value: Any) -> dict[str, int | bool]:  # noqa: ANN401 # any JSON value
    if not isinstance(value, dict):
        return {}
    return {name: one for name, one in value.items() if isinstance(one, int) and _NAME.fullmatch(name)}
