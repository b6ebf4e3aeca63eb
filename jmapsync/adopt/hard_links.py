"""Merge files that were hard links of one message before the tree was copied, as their names show.

Files of equal bytes whose names belong to several messages stay several.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.ledger import Ledger, Place, Record
    from jmapsync.planner.model import Version
    from jmapsync.storage.port import MailLocal


def join_hard_links(kind: str, ledger: Ledger, local: MailLocal) -> None:
    """Join equal messages that exist only locally; files in the same folder are never joined."""
    for alike in ledger.alike(kind):
        places = ledger.places_of([record.key for record in alike])
        hints = {one.key: {local.key_in(place) for place in places.get(one.key, ())} for one in alike}
        whole: list[Record] = []
        for one in alike:
            mates = (other for other in whole if hints[other.key] == hints[one.key] and _are_apart(one, other))
            mate = next(mates, None)
            if mate is None:
                whole.append(one)
                continue
            whole[whole.index(mate)] = joined = _joined(mate, one)
            with ledger.transaction():
                ledger.put_places(place._replace(key=mate.key) for place in places.get(one.key, ()))
                ledger.save([joined, replace(one, local=None)])


def _are_apart(one: Record, other: Record) -> bool:
    """Return whether two local messages share no folder."""
    assert one.local is not None  # noqa: S101 - chosen for it
    assert other.local is not None  # noqa: S101
    return one.local.homes.isdisjoint(other.local.homes)


def _joined(one: Record, other: Record) -> Record:
    """Return the first of two local messages with the folders and keywords of both."""
    assert one.local is not None  # noqa: S101 - chosen for it
    assert other.local is not None  # noqa: S101
    return replace(one, local=together(one.local, other.local))


def together(one: Version, other: Version) -> Version:
    """Merge the folders and keywords of two versions of one message, with the content of the first.

    A folder is to be left only where each of its files is marked deleted; a mark beside a file without one is taken off. Where
    they show different keywords, none of them shows all.
    """
    marked = one.leaving | other.leaving
    leaving = marked - one.kept - other.kept
    untidy = one.untidy or other.untidy or leaving != marked or one.tags != other.tags
    return replace(one, tags=one.tags | other.tags, homes=one.homes | other.homes, leaving=leaving, untidy=untidy)


def dated(local: Version, places: Sequence[Place], stamp: int) -> Version:
    """Return the version of these copies, untidy where one does not show receivedAt, so that it gets it."""
    shown = not stamp or all(place.stamp == stamp for place in places)
    return local if shown else replace(local, untidy=True)
