"""Remember which new events were there when a calendar was first mirrored: nobody is to be invited to them once more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from jmapsync.sync.report import State

if TYPE_CHECKING:
    from jmapsync.ledger import Ledger
    from jmapsync.sync.report import AccountReport

_KIND = "calendars"
_UNMAILED = "unmailed"
"""The keys of new events of the first run that are still to be sent, as JSON; no note before that run came to its end."""


def unmailed_events(ledger: Ledger, kind: str) -> frozenset[int] | None:
    """Return the keys of the new events that nobody is invited to; None for all of them, in a first run."""
    found = ledger.note(f"{_UNMAILED}:{kind}")
    return frozenset(json.loads(found)) if found else None


def note_first_run(ledger: Ledger, report: AccountReport) -> None:
    """Note, after the first run that came to its end, which events it left to later ones."""
    kind = report.kinds.get(_KIND)
    if kind is None or kind.state is not State.SYNCED or ledger.note(f"{_UNMAILED}:{_KIND}"):
        return
    keys = sorted({one.key for one in ledger.problems(_KIND) if one.key})
    ledger.set_note(f"{_UNMAILED}:{_KIND}", json.dumps(keys))
