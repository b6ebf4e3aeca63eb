"""Correct a scan of folders that changed while it went from one to the next: what moved was seen twice, or nowhere.

A message moved into a folder not yet listed seems to be in two places; whether it is shows when both are examined once more.
One moved into a folder listed already seems gone from where it was. Only a scan during which nothing changes can distinguish
that from a deletion, so until then a message that seems to have lost a place without another one found stays as it was.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jmapsync.ledger.rows import Place
    from jmapsync.storage.files.directories import Below
    from jmapsync.storage.files.scan import Traces
    from jmapsync.storage.known import Known
    from jmapsync.storage.maildir.tree import Tree


def drop_left(tree: Tree, ledger: Known, traces: Traces) -> None:
    """Treat the places as gone that messages have left by now, of those that were found in a place they were not known in."""
    found = {place.key for place in traces.updated.values() if place is not None}
    known = ledger.places_of(sorted(found))
    current = {spot: place for places in known.values() for place in places if (spot := _spot(place)) not in traces.updated}
    current |= {spot: place for spot, place in traces.updated.items() if place is not None}
    for place in set(current.values()) - set(still_there(tree, current.values())):
        if any(_spot(place) == _spot(one) for one in known.get(place.key, ())):
            traces.gone(place)
        else:
            del traces.updated[_spot(place)]


def withhold_losses(ledger: Known, traces: Traces) -> bool:
    """Take back what was seen of messages that now have fewer places than before, and return whether there were any."""
    known = ledger.places_of(sorted(traces.touched))
    before = {_spot(place): place for places in known.values() for place in places}
    change = dict.fromkeys(known, 0)
    for spot, place in traces.updated.items():
        if spot in before:
            change[before[spot].key] -= 1
        if place is not None:
            change[place.key] = change.get(place.key, 0) + 1
    less = {key for key, difference in change.items() if difference < 0}
    for spot, place in list(traces.updated.items()):
        if (place.key if place is not None else before[spot].key) in less:
            del traces.updated[spot]
    traces.touched -= less
    return bool(less)


def still_there(tree: Tree, places: Iterable[Place]) -> list[Place]:
    """Return the places that were there while every one of them was examined; two may be one that moves."""
    there = list(places)
    with tree.reach() as below:
        for _ in range(2):
            there = [place for place in there if _is_there(tree, below, place)]
    return there


def _is_there(tree: Tree, below: Below, place: Place) -> bool:
    try:
        state = os.lstat(tree.path(below, place))
    except FileNotFoundError:
        return False
    except OSError:
        return True  # it cannot be examined: what is there stays there
    return state.st_ino == place.ino


def _spot(place: Place) -> tuple[int, str]:
    return place.folder, place.name
