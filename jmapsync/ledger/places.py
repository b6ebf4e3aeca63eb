"""Keep where things lie on the disk: the files of items, and the folders of containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.ledger.database import select_many
from jmapsync.ledger.rows import Listed, Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from jmapsync.ledger.database import Database


class Places:
    """The files and folders of one account."""

    def __init__(self, db: Database) -> None:
        """Wrap an open connection."""
        self._db = db

    def places_in(self, folder: int) -> Iterator[Place]:
        """Yield the files of a folder."""
        return map(Place._make, self._db.execute("SELECT * FROM place WHERE folder = ?", (folder,)))

    def taken_names(self, folder: int, names: Sequence[str]) -> set[str]:
        """Return those of some names that files of a folder are known under."""
        rows = select_many(self._db, "SELECT name FROM place WHERE folder = ? AND name IN ({})", names, (folder,))
        return {row[0] for row in rows}

    def keys_at(self, folder: int, names: Sequence[str]) -> dict[str, int]:
        """Return whose files of a folder those of some names are, by name; one that is not known is left out."""
        return dict(select_many(self._db, "SELECT name, key FROM place WHERE folder = ? AND name IN ({})", names, (folder,)))

    def places_of(self, keys: Sequence[int]) -> dict[int, list[Place]]:
        """Return the files of some items, each list by folder and name."""
        found: dict[int, list[Place]] = {}
        for row in select_many(self._db, "SELECT * FROM place WHERE key IN ({}) ORDER BY folder, name", keys):
            found.setdefault(row[4], []).append(Place._make(row))
        return found

    def put_places(self, places: Iterable[Place]) -> None:
        """Keep files, replacing what was known under the same folder and name."""
        self._db.executemany("INSERT OR REPLACE INTO place VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", places)

    def drop_places(self, names: Iterable[tuple[int, str]]) -> None:
        """Forget files by folder and name."""
        self._db.executemany("DELETE FROM place WHERE folder = ? AND name = ?", names)

    def folders(self, kind: str = "") -> dict[int, tuple[str, str]]:
        """Return the path below the root and the keyword table's text of each container, of one kind if given, by key."""
        if kind:
            join = "SELECT key, path, keywords FROM folder JOIN item USING (key) WHERE item.kind = ? ORDER BY key"
            rows = self._db.execute(join, (kind,))
        else:
            rows = self._db.execute("SELECT key, path, keywords FROM folder ORDER BY key")
        return {row[0]: (row[1], row[2]) for row in rows}

    def folder_path(self, key: int) -> str:
        """Return the path below the root of one container, nothing where it is not known."""
        row = self._db.execute("SELECT path FROM folder WHERE key = ?", (key,)).fetchone()
        return str(row[0]) if row else ""

    def folder_tables(self, keys: Sequence[int]) -> dict[int, str]:
        """Return the texts of the keyword tables of some containers."""
        return dict(select_many(self._db, "SELECT key, keywords FROM folder WHERE key IN ({})", keys))

    def put_folder(self, key: int, path: str, keywords: str) -> None:
        """Keep where a container lies and its keyword table."""
        self._db.execute("INSERT OR REPLACE INTO folder VALUES (?, ?, ?)", (key, path, keywords))

    def put_folders(self, folders: Iterable[tuple[int, str, str]]) -> None:
        """Keep where containers lie and their keyword tables: key, path, table."""
        self._db.executemany("INSERT OR REPLACE INTO folder VALUES (?, ?, ?)", folders)

    def drop_folder(self, key: int) -> None:
        """Forget where a container lies, and every file in it."""
        self._db.execute("DELETE FROM folder WHERE key = ?", (key,))
        self._db.execute("DELETE FROM place WHERE folder = ?", (key,))

    # with which stamps folders were listed

    def files_by_folder(self) -> dict[int, int]:
        """Return how many files are known in each folder that has any."""
        return dict(self._db.execute("SELECT folder, count(*) FROM place GROUP BY folder").fetchall())

    def listed(self, kind: str) -> dict[str, Listed]:
        """Return what is kept of the listings of a kind's folders, by place."""
        return {row[1]: Listed._make(row) for row in self._db.execute("SELECT * FROM listed WHERE kind = ?", (kind,)).fetchall()}

    def put_listed(self, rows: Iterable[Listed]) -> None:
        """Keep with which stamps folders were listed."""
        self._db.executemany("INSERT OR REPLACE INTO listed VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def drop_listed(self, kind: str, places: Iterable[str]) -> None:
        """Forget with which stamps folders were listed."""
        self._db.executemany("DELETE FROM listed WHERE kind = ? AND place = ?", ((kind, place) for place in places))

    def forget_listed(self, kind: str) -> None:
        """Forget with which stamps all folders of a kind were listed: then each is listed again."""
        self._db.execute("DELETE FROM listed WHERE kind = ?", (kind,))
