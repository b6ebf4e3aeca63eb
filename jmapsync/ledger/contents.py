"""Keep the objects of kinds that are merged property by property: as each side holds them, and as they were agreed on."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Literal

from jmapsync.planner.model import Side

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jmapsync.ledger.database import Database

Tree = Literal["local", "remote", "base_local", "base_remote", "left_out", "file"]
"""`file` holds the server's own file of an object until the disk has it."""

NOW: dict[Side, Tree] = {Side.LOCAL: "local", Side.REMOTE: "remote"}
BASE: dict[Side, Tree] = {Side.LOCAL: "base_local", Side.REMOTE: "base_remote"}
_MANY = 500
"""Host parameters a statement."""


class Contents:
    """Normal forms by item and tree; rows of forgotten items go with them."""

    def __init__(self, db: Database) -> None:
        """Wrap an open connection."""
        self._db = db

    def of(self, keys: Sequence[int], tree: Tree) -> dict[int, bytes]:
        """Return what is kept of some items in one tree; an item of which nothing is kept is left out."""
        found: dict[int, bytes] = {}
        for start in range(0, len(keys), _MANY):
            some = keys[start : start + _MANY]
            rows = self._db.execute(
                f"SELECT key, value FROM content WHERE tree = ? AND key IN ({','.join('?' * len(some))})",  # noqa: S608 - marks
                (tree, *some),
            )
            found.update((row[0], zlib.decompress(row[1])) for row in rows)
        return found

    def put(self, tree: Tree, values: Mapping[int, bytes]) -> None:
        """Keep values of one tree by item; an empty one is forgotten."""
        empty = [(key, tree) for key, value in values.items() if not value]
        self._db.executemany("DELETE FROM content WHERE key = ? AND tree = ?", empty)
        self._db.executemany(
            "INSERT OR REPLACE INTO content VALUES (?, ?, ?)",
            ((key, tree, zlib.compress(value, 1)) for key, value in values.items() if value),
        )

    def agree(self, keys: Iterable[int]) -> None:
        """Make what both sides hold of some items what they agree on."""
        every = list(keys)
        for side in Side:
            self._db.executemany(
                "INSERT OR REPLACE INTO content SELECT key, ?, value FROM content WHERE key = ? AND tree = ?",
                ((BASE[side], key, NOW[side]) for key in every),
            )
        self._db.executemany("DELETE FROM content WHERE key = ? AND tree = 'file'", ((key,) for key in every))
