"""Read what may not be done on the server out of what its containers said last (`myRights`)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from msgspec import Struct

from jmapsync.planner.model import ALLOWED, Rights
from jmapsync.sync.quarantine import RIGHTS, note_of

if TYPE_CHECKING:
    from jmapsync.kinds import Kind, Needed
    from jmapsync.ledger import Ledger
    from jmapsync.storage.port import Context, Remote
    from jmapsync.sync.withdrawn import Withdrawn


class Permits(Struct, frozen=True):
    """What may be done with one kind of one account."""

    kind: Kind
    ledger: Ledger
    remote: Remote
    context: Context
    withdrawn: Withdrawn

    def rights(self) -> Rights:
        """Return what may not be done, as the server last reported it."""
        if self.remote.traits.is_read_only:
            every = frozenset(record.key for record in self.ledger.all(self.kind.containers.kind))
            return Rights(every, every, every, every, every, every, every, every, no_top=True)
        reported: dict[str, list[str]] = json.loads(self.ledger.note(note_of(RIGHTS, self.kind.name)) or "{}")
        names = self.kind.rights
        known = {
            self.context.keys[ref]: frozenset(held)
            for ref, held in reported.items()
            if ref in self.context.keys and names.read in held
        }
        lost = self.withdrawn.keys
        found = Rights(
            no_add=_without(names.add, known) | lost,
            no_remove=_without(names.remove, known) | lost,
            no_edit=_without(names.edit, known) | lost,
            no_seen=_without(names.seen, known) - lost,  # what is in another one too can be marked by that
            no_keywords=_without(names.keywords, known) - lost,
            no_child=_without(names.child, known) | lost,
            no_rename=_without(names.rename, known) | lost,
            no_delete=_without(names.delete, known) | lost,
        )
        return ALLOWED if found == ALLOWED else found


def _without(needed: Needed, known: dict[int, frozenset[str]]) -> frozenset[int]:
    return frozenset(key for key, held in known.items() if not all(each & held for each in needed))
