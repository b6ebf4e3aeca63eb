"""Report changes of what a container allows and of whom it is shared with (RFC 9670): they are no content, and are not written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from jmapsync.kinds import rights_in_words
from jmapsync.sync.quarantine import note_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from jmapsync.kinds import Kind
    from jmapsync.ledger import Ledger
    from jmapsync.storage.port import Folder

SHARES = "shares"


def changes_of_rights(
    kind: Kind, folders: Iterable[Folder], before: Mapping[str, list[str]], name_of: Callable[[Folder], str]
) -> Iterator[str]:
    """Yield one message for each container in which the user may do other things than at the last report, by id in `before`."""
    for folder in folders:
        if folder.ref not in before:
            continue
        was, now = set(before[folder.ref]), set(folder.rights)
        parts = [
            f"you may no longer {rights_in_words(was - now)}" if was - now else "",
            f"you may now {rights_in_words(now - was)}" if now - was else "",
        ]
        if was != now:
            changes = "; ".join(filter(None, parts))
            yield f"The rights in the {kind.container_noun} {name_of(folder)} changed on the server: {changes}."


def changes_of_shares(
    kind: Kind, ledger: Ledger, folders: Iterable[Folder], gone: Iterable[str], name_of: Callable[[Folder], str]
) -> Iterator[str]:
    """Yield one message for each container that is shared with others than at the last report, and keep whom with."""
    name = note_of(SHARES, kind.name)
    before: dict[str, list[str]] = json.loads(ledger.note(name) or "{}")
    now = {ref: held for ref, held in before.items() if ref not in set(gone)}
    for folder in folders:
        if folder.shares is None:
            continue
        now[folder.ref] = sorted(folder.shares)
        if parts := _differences(_by_name(before.get(folder.ref, folder.shares)), _by_name(folder.shares)):
            yield f"The {kind.container_noun} {name_of(folder)} is {' and '.join(parts)}."
    if now != before:
        ledger.set_note(name, json.dumps(now, sort_keys=True))


def _by_name(shares: Iterable[str]) -> dict[str, str]:
    """Return what others may do, by their names."""
    return {who: rights.removesuffix(")") for who, _, rights in (one.rpartition(" (") for one in shares)}


def _differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return in words with whom something is shared otherwise than before."""
    added = [
        f"{who} ({rights}; before: {before[who]})" if who in before else f"{who} ({rights})"
        for who, rights in sorted(now.items())
        if before.get(who) != rights
    ]
    ended = [f"{who} ({rights})" for who, rights in sorted(before.items()) if who not in now]
    parts = (("now", added), ("no longer", ended))
    return [f"{when} shared with {'; '.join(some)}" for when, some in parts if some]
