"""Keep which tags each message had in notmuch when it was last read, and which of them were ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.ledger.database import select_many
from jmapsync.ledger.rows import Tagged

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jmapsync.ledger.database import Database

_SENSE = "substr(item.local, instr(item.local, char(9)))"
"""Keywords and mailboxes of a version, as `codec.encode` writes them after its body."""


class TagTable:
    """The rows, by item; those of forgotten items go with them."""

    def __init__(self, db: Database) -> None:
        """Wrap an open connection."""
        self._db = db

    def of(self, messages: Sequence[str]) -> dict[str, list[Tagged]]:
        """Return the rows of messages, each list by key."""
        found: dict[str, list[Tagged]] = {}
        rows = select_many(self._db, "SELECT * FROM tagged WHERE message IN ({}) ORDER BY key", messages)
        for key, message, tags, shown, marked, _ in rows:
            found.setdefault(message, []).append(Tagged(key, message, _set(tags), _set(shown), bool(marked)))
        return found

    def put(self, rows: Iterable[Tagged], *, due: bool) -> None:
        """Keep rows; `due` says that their tags may not show what the items hold."""
        seen = "''" if due else f"coalesce((SELECT {_SENSE} FROM item WHERE item.key = ?1), '')"  # noqa: S608 - fixed columns
        self._db.executemany(
            f"INSERT OR REPLACE INTO tagged VALUES (?1, ?2, ?3, ?4, ?5, {seen})",  # noqa: S608 - fixed columns
            ((row.key, row.message, _text(row.tags), _text(row.shown), int(row.marked)) for row in rows),
        )

    def drop(self, keys: Iterable[int]) -> None:
        """Forget what notmuch shows of items."""
        self._db.executemany("DELETE FROM tagged WHERE key = ?", ((key,) for key in keys))

    def due(self) -> list[str]:
        """Return the messages of items that changed since their tags were written."""
        rows = self._db.execute(
            f"SELECT DISTINCT message FROM tagged JOIN item USING (key) WHERE item.local IS NOT NULL AND {_SENSE} <> seen"  # noqa: S608
            " ORDER BY message"
        )
        return [row[0] for row in rows]

    def make_due(self) -> None:
        """Have the tags of all messages compared with what the items hold."""
        self._db.execute("UPDATE tagged SET seen = ''")


def _text(tags: frozenset[str]) -> str:
    return "\n".join(sorted(tags))


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split("\n")) if text else frozenset()
