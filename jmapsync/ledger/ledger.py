"""Keep what was seen of both sides, and the base, in one SQLite file an account (WAL, one writer).

Nothing in here decides: rows go in and out. A transaction is never held across the network; every method that changes
trees is meant to be called inside `transaction()`, so that a cursor and the tree it speaks of are committed together.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from jmapsync.ledger import migrations
from jmapsync.ledger.codec import decode, encode
from jmapsync.ledger.contents import Contents
from jmapsync.ledger.database import connect, copy_into
from jmapsync.ledger.rows import HeldBack, Intent, Place, Record, Shelved, Suspended
from jmapsync.ledger.tagged import TagTable
from jmapsync.planner.model import Base, Side

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from jmapsync.ledger.database import Database

_ITEM = "key, kind, ref, name, size, stamp, digest, local, remote, base_local, base_remote, agreed"
_MANY = 500
"""Host parameters a statement; SQLite's own limit is far higher, a plan is cached per length."""


class Ledger:
    """The memory of one account."""

    def __init__(self, db: Database) -> None:
        """Wrap an open connection; use `open` or `open_readonly`."""
        self._db = db
        self.contents = Contents(db)
        self.tagged = TagTable(db)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open for writing, creating or migrating as needed. Raises LedgerError for a damaged or newer file."""
        db = connect(path)
        try:
            path.chmod(0o600)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA cache_size = -16000")
            migrations.migrate(db)
        except BaseException:
            db.close()
            raise
        return cls(db)

    @classmethod
    def open_readonly(cls, path: Path) -> Self | None:
        """Open for reading while another process writes; None when there is no ledger yet.

        Nothing is written, not even a migration (hard case 71): an older file is read as a copy in memory.
        """
        if not path.exists():
            return None
        db = connect(path, mode="ro")
        try:
            found: int = db.execute("PRAGMA user_version").fetchone()[0]
            migrations.refuse_newer(found)
        except BaseException:
            db.close()
            raise
        if found < migrations.VERSION:
            db.close()
            return cls.copy_of(path)
        return cls(db)

    @classmethod
    def copy_of(cls, path: Path | None) -> Self:
        """Return a ledger in memory that starts as a copy of a file: what a dry run may write to."""
        db = connect(None)
        try:
            if path is not None and path.exists():
                copy_into(db, path)
            migrations.migrate(db)
        except BaseException:
            db.close()
            raise
        return cls(db)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def release_memory(self) -> None:
        """Give back what SQLite keeps of the file in memory."""
        self._db.execute("PRAGMA shrink_memory")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all that happens inside together, or nothing of it. May be nested; the outermost counts."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # a full disk may have ended it already
                self._db.execute("ROLLBACK")
            raise

    @property
    def writes(self) -> int:
        """Return how many rows were written since it was opened."""
        return self._db.total_changes

    # meta and cursors

    def note(self, name: str) -> str:
        """Return a named note, or nothing."""
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else ""

    def set_note(self, name: str, value: str) -> None:
        """Keep a named note."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def cursor(self, kind: str, side: Side) -> str:
        """Return how far a side of a kind has been seen; nothing before the first whole look."""
        row = self._db.execute("SELECT value FROM cursor WHERE kind = ? AND side = ?", (kind, side.value)).fetchone()
        return str(row[0]) if row else ""

    def set_cursor(self, kind: str, side: Side, value: str) -> None:
        """Keep how far a side of a kind has been seen."""
        self._db.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?, ?)", (kind, side.value, value))

    # items

    def add(self, record: Record) -> int:
        """Insert an item that no key is known for and return its key."""
        row = self._db.execute(
            "INSERT INTO item (kind, ref, name, size, stamp, digest, local, remote, base_local, base_remote, agreed)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING key",
            _columns(record)[1:],
        ).fetchone()
        return int(row[0])

    def add_many(self, records: Iterable[Record]) -> None:
        """Insert items that no key is known for."""
        self._db.executemany(
            "INSERT INTO item (kind, ref, name, size, stamp, digest, local, remote, base_local, base_remote, agreed)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (_columns(record)[1:] for record in records),
        )

    def save(self, records: Iterable[Record]) -> None:
        """Write items back whole; one that neither side nor the base holds is forgotten."""
        keep, drop = [], []
        for record in records:
            if record.local is None and record.remote is None and record.base is None:
                drop.append((record.key,))
            else:
                columns = _columns(record)
                keep.append((*columns[1:], columns[0]))
        self._db.executemany(
            "UPDATE item SET kind = ?, ref = ?, name = ?, size = ?, stamp = ?, digest = ?, local = ?, remote = ?,"
            " base_local = ?, base_remote = ?, agreed = ? WHERE key = ?",
            keep,
        )
        for table in ("item", "intent", "problem", "content", "tagged"):
            self._db.executemany(f"DELETE FROM {table} WHERE key = ?", drop)  # noqa: S608 - fixed names

    def records(self, keys: Sequence[int]) -> dict[int, Record]:
        """Return the items of some keys; a key that is not there is left out."""
        rows = self._by("key", keys)
        return {row[0]: _record(row) for row in rows}

    def by_ref(self, kind: str, refs: Sequence[str]) -> dict[str, Record]:
        """Return the items of a kind by the server's ids."""
        return {str(row[2]): _record(row) for row in self._by("ref", refs, "kind = ?", (kind,))}

    def by_digest(self, kind: str, digests: Sequence[str]) -> dict[str, list[Record]]:
        """Return the items of a kind by content digest, each list by key."""
        found: dict[str, list[Record]] = {}
        for row in self._by("digest", digests, "kind = ?", (kind,)):
            record = _record(row)
            found.setdefault(record.digest, []).append(record)
        return found

    def all(self, kind: str, *, after: int = 0, limit: int = -1) -> list[Record]:
        """Return the items of a kind in the order of their keys: a page of them, or all there are."""
        rows = self._db.execute(
            f"SELECT {_ITEM} FROM item WHERE kind = ? AND key > ? ORDER BY key LIMIT ?",  # noqa: S608 - fixed columns
            (kind, after, limit),
        )
        return [_record(row) for row in rows]

    def open_items(self, kind: str, *, after: int = 0, limit: int = 1000, losable: bool = False) -> list[Record]:
        """Return a page of the items whose trees do not agree; `losable` leaves out those that can only be gained.

        Those are the items that the server alone holds and that were never agreed on: all of a first pull.
        """
        rows = self._db.execute(
            f"SELECT {_ITEM} FROM item WHERE kind = ? AND agreed = 0 AND key > ?"  # noqa: S608 - fixed columns
            f"{' AND (base_local IS NOT NULL OR remote IS NULL)' if losable else ''} ORDER BY key LIMIT ?",
            (kind, after, limit),
        )
        return [_record(row) for row in rows]

    def unmatched(self, kind: str, side: Side, sizes: Sequence[int] = (), *, ever: bool = False) -> Iterator[Record]:
        """Yield the items that only one side holds and that were never agreed on, of some wire sizes if given.

        With `ever`, those too that the other side held once.
        """
        mine, other = ("local", "remote") if side is Side.LOCAL else ("remote", "local")
        never = "" if ever else "AND base_local IS NULL "
        fixed = f"kind = ? AND agreed = 0 {never}AND {mine} IS NOT NULL AND {other} IS NULL"
        if not sizes:
            rows = self._db.execute(f"SELECT {_ITEM} FROM item WHERE {fixed} ORDER BY key", (kind,))  # noqa: S608
            return iter([_record(row) for row in rows])
        return (_record(row) for row in self._by("size", sorted(set(sizes)), fixed, (kind,)))

    def alike(self, kind: str) -> Iterator[list[Record]]:
        """Yield the items of equal content that only the disk holds and that were never agreed on, where there are several."""
        rows = self._db.execute(
            "SELECT digest FROM item WHERE kind = ? AND agreed = 0 AND base_local IS NULL AND local IS NOT NULL"
            " AND remote IS NULL AND digest <> '' GROUP BY digest HAVING count(*) > 1",
            (kind,),
        )
        for (digest,) in rows.fetchall():
            found = self.by_digest(kind, [digest]).get(digest, [])
            yield [one for one in found if one.local is not None and one.remote is None and one.base is None]

    def edited(self, kind: str) -> list[Record]:
        """Return the items whose local body is another than the one agreed on, and that are still open."""
        body = "substr({0}, 1, instr({0}, char(9)))"
        rows = self._db.execute(
            f"SELECT {_ITEM} FROM item WHERE kind = ? AND agreed = 0 AND local IS NOT NULL"  # noqa: S608 - fixed columns
            f" AND {body.format('local')} <> {body.format('base_local')} ORDER BY key",
            (kind,),
        )
        return [_record(row) for row in rows]

    def refs(self, kind: str) -> set[str]:
        """Return every id that the server was last seen to hold of a kind."""
        return {
            row[0]
            for row in self._db.execute("SELECT ref FROM item WHERE kind = ? AND ref IS NOT NULL AND remote IS NOT NULL", (kind,))
        }

    def counts(self, kind: str) -> tuple[int, int, int]:
        """Return how many items of a kind there are here, on the server, and still open."""
        row = self._db.execute(
            "SELECT count(local), count(remote), coalesce(sum(agreed = 0), 0) FROM item WHERE kind = ?", (kind,)
        ).fetchone()
        return int(row[0]), int(row[1]), int(row[2])

    def open_sizes(self, kind: str) -> tuple[int, int]:
        """Return how many items of a kind wait to come to the disk for the first time, and their octets."""
        row = self._db.execute(
            "SELECT count(*), coalesce(sum(size), 0) FROM item"
            " WHERE kind = ? AND agreed = 0 AND local IS NULL AND remote IS NOT NULL AND base_local IS NULL",
            (kind,),
        ).fetchone()
        return int(row[0]), int(row[1])

    def population(self, kind: str, side: Side) -> dict[int, int]:
        """Return how many items each container of a side held by the base."""
        found: dict[int, int] = {}
        column, base = ("local", "base_local") if side is Side.LOCAL else ("remote", "base_remote")
        rows = self._db.execute(
            f"SELECT CASE agreed WHEN 1 THEN {column} ELSE {base} END AS held"  # noqa: S608 - fixed columns
            " FROM item WHERE kind = ? AND held IS NOT NULL",
            (kind,),
        )
        for (line,) in rows:
            for home in decode(line).homes:
                found[home] = found.get(home, 0) + 1
        return found

    # places

    def places_in(self, folder: int) -> Iterator[Place]:
        """Yield the files of a folder."""
        return map(Place._make, self._db.execute("SELECT * FROM place WHERE folder = ?", (folder,)))

    def taken_names(self, folder: int, names: Sequence[str]) -> set[str]:
        """Return those of some names that files of a folder are known under."""
        rows = self._many("SELECT name FROM place WHERE folder = ? AND name IN ({})", names, (folder,))
        return {row[0] for row in rows}

    def keys_at(self, folder: int, names: Sequence[str]) -> dict[str, int]:
        """Return whose files of a folder those of some names are, by name; one that is not known is left out."""
        return dict(self._many("SELECT name, key FROM place WHERE folder = ? AND name IN ({})", names, (folder,)))

    def places_of(self, keys: Sequence[int]) -> dict[int, list[Place]]:
        """Return the files of some items, each list by folder and name."""
        found: dict[int, list[Place]] = {}
        for row in self._many("SELECT * FROM place WHERE key IN ({}) ORDER BY folder, name", keys):
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
        rows = self._db.execute(
            "SELECT key, path, keywords FROM folder"
            " WHERE ? IN ('', (SELECT item.kind FROM item WHERE item.key = folder.key)) ORDER BY key",
            (kind,),
        )
        return {row[0]: (row[1], row[2]) for row in rows}

    def put_folder(self, key: int, path: str, keywords: str) -> None:
        """Keep where a container lies and its keyword table."""
        self._db.execute("INSERT OR REPLACE INTO folder VALUES (?, ?, ?)", (key, path, keywords))

    def drop_folder(self, key: int) -> None:
        """Forget where a container lies, and every file in it."""
        self._db.execute("DELETE FROM folder WHERE key = ?", (key,))
        self._db.execute("DELETE FROM place WHERE folder = ?", (key,))

    # intents

    def intend(self, intents: Iterable[Intent]) -> None:
        """Write down creates before they are sent."""
        self._db.executemany("INSERT OR REPLACE INTO intent VALUES (?, ?, ?, ?)", intents)

    def intents(self, kind: str) -> dict[int, Intent]:
        """Return the creates whose outcome is not known, by key."""
        rows = self._db.execute("SELECT * FROM intent WHERE kind = ? ORDER BY key", (kind,))
        return {row[0]: Intent._make(row) for row in rows}

    def drop_intents(self, keys: Iterable[int]) -> None:
        """Forget creates whose outcome is known."""
        self._db.executemany("DELETE FROM intent WHERE key = ?", ((key,) for key in keys))

    def forget_server(self) -> None:
        """Forget all that is known of the server: what lies on the disk is then to be compared with another one."""
        self._db.execute("DELETE FROM item WHERE local IS NULL")
        self._db.execute("UPDATE item SET ref = NULL, remote = NULL, base_local = NULL, base_remote = NULL, agreed = 0")
        self._db.execute("DELETE FROM folder WHERE key NOT IN (SELECT key FROM item)")
        self._db.execute("DELETE FROM content WHERE tree <> 'local'")
        self._db.execute("DELETE FROM meta WHERE name NOT LIKE 'root:%'")
        for table in ("cursor", "intent", "problem", "suspension"):
            self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - fixed names

    # the shelf

    def shelve(self, shelved: Shelved) -> int:
        """Keep a version that lost a conflict and return its id (the id given is ignored)."""
        row = self._db.execute(
            "INSERT INTO shelf (kind, key, item, side, reason, at, home, tags) VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            shelved[1:],
        ).fetchone()
        return int(row[0])

    def shelf(self, kind: str = "") -> list[Shelved]:
        """Return the shelf, of one kind if given."""
        rows = self._db.execute("SELECT * FROM shelf WHERE ? IN ('', kind) ORDER BY id", (kind,))
        return [Shelved._make(row) for row in rows]

    def unshelve(self, number: int) -> None:
        """Take a version off the shelf."""
        self._db.execute("DELETE FROM shelf WHERE id = ?", (number,))

    # problems

    def hold_back(self, held: HeldBack) -> None:
        """Keep a problem; one already known about the same subject keeps the time it was first seen."""
        self._db.execute(
            "INSERT INTO problem VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (kind, subject) DO UPDATE SET"
            " item = excluded.item, key = excluded.key, why = excluded.why, remedy = excluded.remedy, seen = excluded.seen,"
            " last = excluded.last",
            held,
        )

    def problems(self, kind: str = "") -> list[HeldBack]:
        """Return the items held back, of one kind if given."""
        rows = self._db.execute("SELECT * FROM problem WHERE ? IN ('', kind) ORDER BY kind, item, subject", (kind,))
        return [HeldBack._make(row) for row in rows]

    def release(self, subjects: Iterable[tuple[str, str]]) -> None:
        """Forget problems by kind and subject."""
        self._db.executemany("DELETE FROM problem WHERE kind = ? AND subject = ?", subjects)

    def release_agreed(self, kind: str) -> None:
        """Forget the problems of items on which both sides agree now: whoever caused them took it back."""
        self._db.execute("DELETE FROM problem WHERE kind = ? AND key IN (SELECT key FROM item WHERE agreed = 1)", (kind,))

    # suspensions and runs

    def suspension(self, kind: str) -> Suspended | None:
        """Return the plan of a kind that the guard holds back."""
        row = self._db.execute("SELECT * FROM suspension WHERE kind = ?", (kind,)).fetchone()
        return Suspended._make(row) if row else None

    def suspend(self, suspended: Suspended) -> None:
        """Keep the plan that the guard holds back."""
        self._db.execute("INSERT OR REPLACE INTO suspension VALUES (?, ?, ?, ?)", suspended)

    def lift(self, kind: str) -> None:
        """Forget the plan of a kind that was held back."""
        self._db.execute("DELETE FROM suspension WHERE kind = ?", (kind,))

    def record_run(self, kind: str, at: int, report: dict[str, Any]) -> None:
        """Keep the report of the last run of a kind."""
        self._db.execute("INSERT OR REPLACE INTO run VALUES (?, ?, ?)", (kind, at, json.dumps(report)))

    def runs(self) -> dict[str, tuple[int, dict[str, Any]]]:
        """Return the time and the report of the last run, by kind."""
        rows = self._db.execute("SELECT kind, at, report FROM run ORDER BY kind")
        return {row[0]: (row[1], json.loads(row[2])) for row in rows}

    def _many(self, statement: str, values: Sequence[Any], fixed: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        """Run a SELECT with a `{}` for a list of values, a batch of values at a time."""
        for start in range(0, len(values), _MANY):
            part = values[start : start + _MANY]
            yield from self._db.execute(statement.format(",".join("?" * len(part))), (*fixed, *part)).fetchall()

    def _by(self, column: str, values: Sequence[Any], also: str = "1", fixed: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        return self._many(
            f"SELECT {_ITEM} FROM item WHERE {also} AND {column} IN ({{}}) ORDER BY key",  # noqa: S608 - fixed columns
            values,
            fixed,
        )


def _columns(record: Record) -> tuple[Any, ...]:
    local, remote, base = record.local, record.remote, record.base
    agreed = base is not None and base.local == local and base.remote == remote
    return (
        record.key,
        record.kind,
        record.ref,
        record.name,
        record.size,
        record.stamp,
        record.digest,
        encode(local) if local else None,
        encode(remote) if remote else None,
        encode(base.local) if base and not agreed else None,
        encode(base.remote) if base and not agreed else None,
        int(agreed),
    )


def _record(row: tuple[Any, ...]) -> Record:
    key, kind, ref, name, size, stamp, digest, local, remote, base_local, base_remote, agreed = row
    here = decode(local) if local is not None else None
    there = decode(remote) if remote is not None else None
    base: Base | None = None
    if agreed and here is not None and there is not None:
        base = Base(here, there)
    elif base_local is not None:
        base = Base(decode(base_local), decode(base_remote))
    return Record(key, kind, ref, name, size, stamp, digest, here, there, base)
