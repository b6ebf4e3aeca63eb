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
_NOUNS = {"addressbook": "address book", "tasklist": "task list"}


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
            yield f"The rights in the {_noun(kind)} {name_of(folder)} changed on the server: {'; '.join(filter(None, parts))}."


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
        added, ended = folder.shares - set(before.get(folder.ref, folder.shares)), set(before.get(folder.ref, ())) - folder.shares
        parts = [
            f"now shared with {'; '.join(sorted(added))}" if added else "",
            f"no longer shared with {'; '.join(sorted(ended))}" if ended else "",
        ]
        if added or ended:
            yield f"The {_noun(kind)} {name_of(folder)} is {' and '.join(filter(None, parts))}."
    if now != before:
        ledger.set_note(name, json.dumps(now, sort_keys=True))


def _noun(kind: Kind) -> str:
    return _NOUNS.get(kind.containers.kind, kind.containers.kind)
