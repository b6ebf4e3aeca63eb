"""The probes: scripts of requests, each run on a fresh account of every server under comparison."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live.agreement.account import Account

_TOPICS = ("wire", "http", "mailboxes", "mailbox_names", "imports", "email_set", "reading", "changes", "blobs", "calendars", "push")


@dataclass(frozen=True)
class Script:
    """Probes that follow from one another; `needs` is a capability without which there is nothing to compare."""

    name: str
    run: Callable[[Account], None]
    needs: str


_scripts: list[Script] = []


def script(needs: str = "") -> Callable[[Callable[[Account], None]], Callable[[Account], None]]:
    """Register a function as a script, by its name."""

    def register(run: Callable[[Account], None]) -> Callable[[Account], None]:
        _scripts.append(Script(run.__name__.replace("_", " "), run, needs))
        return run

    return register


def scripts() -> list[Script]:
    """Return all scripts."""
    for topic in _TOPICS:
        importlib.import_module(f"{__name__}.{topic}")
    return list(_scripts)


def key_of(label: str) -> str:
    """Return a creation id made of a label (RFC 8620, 1.2 and 5.3: an Id)."""
    return re.sub(r"[^A-Za-z0-9]", "-", label)
