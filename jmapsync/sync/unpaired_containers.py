"""Find the container that only one side has and that has the path of a folder seen on the other side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.planner.model import NOTHING, Homes, Side

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jmapsync.ledger import Ledger, Record
    from jmapsync.storage.port import Folder


class Waiting:
    """The containers that only one side has (any more), by their places: read once for all folders of the other side."""

    def __init__(self, ledger: Ledger, kind: str, side: Side, roles: Mapping[str, str]) -> None:
        """Prepare; nothing is read before a folder asks. `roles` are the server's ids by role."""
        self._ledger = ledger
        self._kind = kind
        self._side = side
        self._inbox = roles.get("inbox")
        self._places: dict[tuple[Homes, str], list[Record]] | None = None
        self._inboxes: list[Record] = []

    def take(self, folder: Folder, parent: int | None) -> Record | None:
        """Return the container with the path of a folder of the other side, and give it to no later folder; usually None."""
        if self._places is None:
            self._places = self._read()
        homes = frozenset({parent}) if parent is not None else frozenset[int]()
        found = list(self._places.get((homes, folder.name), []))
        if folder.role == "inbox":
            found += [one for one in self._inboxes if _homes_on(one, self._side) == homes]
        first = min(found, key=lambda one: one.key, default=None)
        if first is None:
            return None
        self._inboxes = [one for one in self._inboxes if one.key != first.key]
        for place in ((homes, folder.name), (homes, _body_on(first, self._side))):
            self._places[place] = [one for one in self._places.get(place, []) if one.key != first.key]
        return first

    def _read(self) -> dict[tuple[Homes, str], list[Record]]:
        places: dict[tuple[Homes, str], list[Record]] = {}
        for record in self._ledger.unmatched(self._kind, self._side, ever=True):
            places.setdefault((_homes_on(record, self._side), _body_on(record, self._side)), []).append(record)
            if record.name == "INBOX" if self._side is Side.LOCAL else record.ref is not None and record.ref == self._inbox:
                self._inboxes.append(record)
        return places


def _homes_on(record: Record, side: Side) -> Homes:
    held = record.of(side)
    return held.homes if held is not None else NOTHING


def _body_on(record: Record, side: Side) -> str:
    held = record.of(side)
    return held.body if held is not None else ""
