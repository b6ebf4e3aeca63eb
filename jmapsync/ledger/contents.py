"""Keep the objects of kinds that are merged property by property: as each side holds them, and as they were agreed on.

Where the server's own file lies on the disk as it is, that file is kept, and converted when its normal form is asked for.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Literal

from jmapsync.formats.unconverted import normal_form
from jmapsync.ledger.database import corrupt, run_many, select_many
from jmapsync.planner.model import Side

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jmapsync.ledger.database import Database

Tree = Literal["local", "remote", "base_local", "base_remote", "left_out", "file"]
"""`file` holds the server's own file of an object until the disk has it."""

NOW: dict[Side, Tree] = {Side.LOCAL: "local", Side.REMOTE: "remote"}
BASE: dict[Side, Tree] = {Side.LOCAL: "base_local", Side.REMOTE: "base_remote"}


_WINDOW, _MEMORY = 12, 5
"""As zlib counts them: 4 KiB and 16 KiB."""


class Contents:
    """Normal forms by item and tree; rows of forgotten items go with them."""

    def __init__(self, db: Database) -> None:
        """Wrap an open connection."""
        self._db = db

    def of(self, keys: Sequence[int], tree: Tree) -> dict[int, bytes]:
        """Return the normal forms of some items in one tree; an item of which nothing is kept is left out."""
        return {key: normal_form(value) if tree != "file" else value for key, value in self.kept(keys, tree).items()}

    def kept(self, keys: Sequence[int], tree: Tree) -> dict[int, bytes]:
        """Return the same as it is kept: an unconverted file as it is."""
        rows = select_many(self._db, "SELECT key, value FROM content WHERE tree = ? AND key IN ({})", keys, (tree,))
        try:
            return {row[0]: zlib.decompress(row[1]) for row in rows}
        except (zlib.error, TypeError) as error:
            raise corrupt(self._db.path, f"the {tree} form of an item cannot be read ({error})") from error

    def put(self, tree: Tree, values: Mapping[int, bytes]) -> None:
        """Keep values of one tree by item; an empty one is forgotten."""
        empty = [(key, tree) for key, value in values.items() if not value]
        self._db.executemany("DELETE FROM content WHERE key = ? AND tree = ?", empty)
        self._db.executemany(
            "INSERT OR REPLACE INTO content VALUES (?, ?, ?)",
            ((key, tree, _deflated(value)) for key, value in values.items() if value),
        )

    def copy(self, keys: Sequence[int], source: Tree, target: Tree) -> None:
        """Keep of some items in one tree what is kept of them in another."""
        copy = "INSERT OR REPLACE INTO content SELECT key, ?, value FROM content WHERE tree = ? AND key IN ({})"
        run_many(self._db, copy, keys, (target, source))

    def agree(self, keys: Iterable[int]) -> None:
        """Make what both sides hold of some items what they agree on."""
        every = list(keys)
        for side in Side:
            self.copy(every, NOW[side], BASE[side])
        run_many(self._db, "DELETE FROM content WHERE tree = 'file' AND key IN ({})", every)


def _deflated(value: bytes) -> bytes:
    """Deflate with a small window: objects are small, and preparing the usual one takes three times as long as the rest."""
    deflater = zlib.compressobj(1, zlib.DEFLATED, _WINDOW, _MEMORY)
    return deflater.compress(value) + deflater.flush()
