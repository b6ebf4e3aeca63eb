"""Read what may not be done on the server out of what its mailboxes said last (`myRights`, RFC 8621, section 2)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jmapsync.engine.holding import RIGHTS
from jmapsync.planner.model import ALLOWED, Rights

if TYPE_CHECKING:
    from jmapsync.kinds import Kind
    from jmapsync.ledger import Ledger
    from jmapsync.storage.port import Remote

_READ = "mayReadItems"
"""The right without which nothing is known of the others: the server told none, or hides what is in the mailbox."""


@dataclass(frozen=True, slots=True)
class Permits:
    """What may be done with one kind of one account."""

    kind: Kind
    ledger: Ledger
    remote: Remote

    def rights(self) -> Rights:
        """Return what may not be done, as it was last told."""
        if not self.kind.undoes:
            return ALLOWED
        if self.remote.is_read_only:
            every = frozenset(record.key for record in self.ledger.all(self.kind.containers.kind))
            return Rights(every, every, every, every, every, every, every, no_top=True)
        told: dict[str, list[str]] = json.loads(self.ledger.note(RIGHTS) or "{}")
        known = {self.remote.keys[ref]: held for ref, held in told.items() if ref in self.remote.keys and _READ in held}
        found = Rights(
            no_add=_without("mayAddItems", known),
            no_remove=_without("mayRemoveItems", known),
            no_seen=_without("maySetSeen", known),
            no_keywords=_without("maySetKeywords", known),
            no_child=_without("mayCreateChild", known),
            no_rename=_without("mayRename", known),
            no_delete=_without("mayDelete", known),
        )
        return ALLOWED if found == ALLOWED else found


def _without(right: str, known: dict[int, list[str]]) -> frozenset[int]:
    return frozenset(key for key, held in known.items() if right not in held)
