"""Keep items: what each side holds of them, and what both last agreed on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jmapsync.ledger.codec import decode, encode
from jmapsync.ledger.database import select_many
from jmapsync.ledger.record import Record
from jmapsync.planner.model import Base, Side

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from jmapsync.ledger.database import Database

_ITEM = "key, kind, ref, name, size, stamp, digest, local, remote, base_local, base_remote, agreed"


class Items:
    """The items of one account."""

    def __init__(self, db: Database) -> None:
        """Wrap an open connection."""
        self._db = db

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

    def keys_of(self, kind: str, refs: Sequence[str]) -> dict[str, int]:
        """Return the keys of the items of a kind by the server's ids."""
        return dict(select_many(self._db, "SELECT ref, key FROM item WHERE kind = ? AND ref IN ({})", refs, (kind,)))

    def by_digest(self, kind: str, digests: Sequence[str]) -> dict[str, list[Record]]:
        """Return the items of a kind by content digest, each list by key."""
        found: dict[str, list[Record]] = {}
        for row in self._by("digest", digests, "kind = ?", (kind,)):
            record = _record(row)
            found.setdefault(record.digest, []).append(record)
        return found

    def all(self, kind: str, *, after: int = 0, limit: int = -1) -> list[Record]:
        """Return the items of a kind in the order of their keys: a page of them, or all there are."""
        page, values = ("key > ? ORDER BY key LIMIT ?", (after, limit)) if limit >= 0 else ("key > 0 ORDER BY key", ())
        rows = self._db.execute(f"SELECT {_ITEM} FROM item WHERE kind = ? AND {page}", (kind, *values))  # noqa: S608 - fixed columns
        return [_record(row) for row in rows]

    def open_items(self, kind: str, *, after: int = 0, limit: int = 1000, losable: bool = False) -> list[Record]:
        """Return a page of the items whose trees do not agree; `losable` leaves out those that can only be gained.

        Those are the items that the server alone holds and that were never agreed on: all of a first pull.
        """
        rows = self._db.execute(
            f"SELECT {_ITEM} FROM item INDEXED BY item_open WHERE kind = ? AND agreed = 0 AND key > ?"  # noqa: S608 - fixed columns
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

    def keys_by_ref(self, kind: str) -> dict[str, int]:
        """Return the keys of the items that the server was last seen to hold of a kind, by its ids."""
        rows = self._db.execute("SELECT ref, key FROM item WHERE kind = ? AND ref IS NOT NULL AND remote IS NOT NULL", (kind,))
        return dict(rows.fetchall())

    def are_agreed(self, kind: str) -> bool:
        """Return whether both sides agree on every item of a kind."""
        return self._db.execute("SELECT 1 FROM item WHERE kind = ? AND agreed = 0 LIMIT 1", (kind,)).fetchone() is None

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

    def _by(self, column: str, values: Sequence[Any], also: str = "1", fixed: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
        return select_many(
            self._db,
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
