"""Record imports before they are sent and after they are confirmed, and which item an edited message replaces.

An edited message is a new email on the server, after which the old one goes. A run that dies in between leaves both: the next
run proves by content that the new one is there, and the old one is retired, not sent again.

`/changes` need not list an email that was made and destroyed since a state (RFC 8620, 5.2). So one that we made has to be
in the next delta; if it is not, it is asked for by its id.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from msgspec.structs import replace

from jmapsync.ledger import Intent
from jmapsync.planner.model import Base

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jmapsync.ledger import Ledger, Record

_SUCCESSOR = "successor"
_MADE = "made "
"""Prefix of the ledger's notes of ids that the server has not listed yet; the kind follows."""
_SEEN = "seen"
"""The text of such a note where somebody else made it."""


def announce(record: Record, kind: str, size: int, at: int) -> Intent:
    """Return the intent to import an item whose content has `size` octets on the wire."""
    return Intent(record.key, kind, json.dumps({"digest": record.digest, "size": size}), at)


def sent_again(ledger: Ledger, kind: str) -> list[Record]:
    """Return the items, known from before, that may have been imported anew: edited, or brought back from deletion.

    Each has the wire size of what was to be sent.
    """
    intents = ledger.intents(kind)
    return [
        replace(record, size=int(json.loads(intents[key].what).get("size", record.size)))
        for key, record in ledger.records(sorted(intents)).items()
        if record.local is not None
        and record.base is not None
        and (record.remote is None or record.local.body != record.base.local.body)
    ]


def resolve_intents(ledger: Ledger, kind: str, cursor: str) -> None:
    """Forget the imports whose outcome an observation shows: what it did not find did not happen. `cursor` is how far it went."""
    waiting = superseded(ledger, kind)
    ledger.drop_intents([key for key in ledger.intents(kind) if key not in waiting])
    forget_made(ledger, kind, cursor)


def note_made(ledger: Ledger, kind: str, refs: Iterable[str], cursor: str) -> None:
    """Keep the ids of items just made until the server was observed beyond `cursor`, which is how far it was observed before.

    No list of changes has to name what was made and destroyed since the state it begins at (RFC 8620, 5.2).
    """
    ledger.set_notes_below(_name(kind), dict.fromkeys(refs, _mark(cursor)))


def note_seen(ledger: Ledger, kind: str, refs: Iterable[str]) -> None:
    """Keep the ids of what somebody else made until a cursor that covers it is stored: no list of changes has to name it either."""
    ledger.set_notes_below(_name(kind), dict.fromkeys(refs, _SEEN))


def forget_seen(ledger: Ledger, kind: str, refs: Iterable[str]) -> None:
    """Forget ids that `note_seen` kept: the stored cursor covers them, or an observation begun later has answered for them."""
    notes = ledger.notes_below(_name(kind)) if (gone := set(refs)) else {}
    if any(notes.get(ref) == _SEEN for ref in gone):
        ledger.drop_notes_below(_name(kind))
        ledger.set_notes_below(_name(kind), {ref: how for ref, how in notes.items() if how != _SEEN or ref not in gone})


def made(ledger: Ledger, kind: str) -> set[str]:
    """Return the ids of what was made, by anybody, since the state that the next list of changes may begin at."""
    return set(ledger.notes_below(_name(kind))) | set(json.loads(ledger.note(_MADE + kind) or "[]"))


def forget_made(ledger: Ledger, kind: str, cursor: str) -> None:
    """Forget them once an observation listed each and got further: one that proves not whole leaves the cursor where it was."""
    if not made(ledger, kind):
        return
    mark, notes = _mark(cursor), ledger.notes_below(_name(kind))
    ledger.drop_notes_below(_name(kind))
    ledger.set_notes_below(_name(kind), {ref: since for ref, since in notes.items() if since in {mark, _SEEN}})
    ledger.set_note(_MADE + kind, "[]")


def _mark(cursor: str) -> str:
    """Return something short by which a cursor is known again: a state may have any length."""
    return hashlib.sha256(cursor.encode()).hexdigest()[:16]


def _name(kind: str) -> str:
    """Return how the notes of ids begin; older versions kept all ids of a kind in one note."""
    return f"{_MADE}{kind}: "


def retire(ledger: Ledger, kind: str, record: Record, successor: str, at: int) -> Record:
    """Return what is left of an item whose content lives on as the email `successor`: the server's old version, to be deleted.

    Nothing is left of one that the server does not have. Its files are its successor's.
    """
    if record.remote is None or record.base is None:
        return replace(record, local=None, remote=None, base=None)
    ledger.intend([Intent(record.key, kind, json.dumps({_SUCCESSOR: successor}), at)])
    unchanged = Base(replace(record.base.local, tags=record.remote.tags, homes=record.remote.homes), record.remote)
    return replace(record, local=None, base=unchanged, digest=record.base.local.body)


def let_rest(record: Record) -> Record:
    """Return what is left of such an item when the server's old version lies in Trash already: mail like any other."""
    return replace(record, local=None, base=None, digest="")


def superseded(ledger: Ledger, kind: str) -> set[int]:
    """Return the keys of the items that have a successor."""
    return {key for key, intent in ledger.intents(kind).items() if _SUCCESSOR in json.loads(intent.what)}
