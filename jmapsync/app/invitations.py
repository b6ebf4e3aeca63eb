"""Remember which new events were there when a calendar was first mirrored: nobody is to be invited to them once more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from jmapsync.ledger.notes import SELECTION, UNMAILED
from jmapsync.sync.report import State

if TYPE_CHECKING:
    from jmapsync.formats.names import Patterns
    from jmapsync.ledger import Ledger
    from jmapsync.sync.report import AccountReport

_KIND = "calendars"


def unmailed_events(ledger: Ledger, kind: str, patterns: Patterns) -> frozenset[int] | None:
    """Return the keys of the new events that nobody is invited to; None for all of them, in a first run and under other patterns.

    What lies in a calendar that is mirrored again may have been there for long.
    """
    before = ledger.note(f"{SELECTION}:{kind}")
    if before != json.dumps(patterns.to_text()) and (before or not patterns.is_all):
        return None
    found = ledger.note(f"{UNMAILED}:{kind}")
    return frozenset(json.loads(found)) if found else None


def note_first_run(ledger: Ledger, report: AccountReport) -> None:
    """Note, after the first run that came to its end, which events it left to later ones."""
    kind = report.kinds.get(_KIND)
    if kind is None or kind.state is not State.SYNCED or ledger.note(f"{UNMAILED}:{_KIND}"):
        return
    keys = sorted({one.key for one in ledger.problems(_KIND) if one.key})
    ledger.set_note(f"{UNMAILED}:{_KIND}", json.dumps(keys))
