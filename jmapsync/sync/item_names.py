"""Name items for people: by subject and sender, name, or title and date, and then by where they lie or by their id.

What the ledger and the files know costs no request. The server is asked for the subjects of what is not here only in a dry run,
and once for what is newly quarantined.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from msgspec import Struct

from jmapsync.errors import JmapsyncError
from jmapsync.formats.labels import label_of_head, label_of_object
from jmapsync.kinds import KINDS
from jmapsync.ledger.contents import NOW
from jmapsync.sync.threads import complete

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.ledger import Ledger, Record
    from jmapsync.storage.port import MailLocal, MailRemote

MOST_ASKED = 5000
"""Messages of a dry run whose subjects the server is asked for; the others are named by date and size."""
MOST_READ = 20_000
"""Items of a dry run whose files or contents are read for their names."""


def fallback(kind: str, record: Record) -> str:
    """Return where an item lies, or its id with what it is."""
    return record.name or f"{KINDS[kind].noun} {record.ref}"


class Names(Struct):
    """The names of the items of one kind."""

    kind: str
    ledger: Ledger
    local: MailLocal | None
    """The disk side of mail; None for objects, whose names the ledger knows."""
    remote: MailRemote | None
    _asked: int = 0
    _read: int = 0

    def of(self, record: Record) -> str:
        """Return the name of an item as far as it is known here."""
        known = self._message(record, self.local) if self.local is not None else self._object(record)
        return named(known, fallback(self.kind, record))

    async def all_of(self, records: Sequence[Record]) -> dict[int, str]:
        """Return the names of items by key; the server is asked for what is not known here."""
        near, far = records[: MOST_READ - self._read], records[MOST_READ - self._read :]
        self._read += len(near)
        found = await complete(lambda: {record.key: self.of(record) for record in near})
        found |= {record.key: fallback(self.kind, record) for record in far}
        plain = {record.key: fallback(self.kind, record) for record in records}
        unknown = [record for record in records if found[record.key] == plain[record.key]]
        refs = [str(record.ref) for record in unknown if record.ref is not None][: MOST_ASKED - self._asked]
        answered = await self.ask(refs)
        for record in unknown:
            found[record.key] = named(answered.get(str(record.ref), "") or _described(record), plain[record.key])
        return found

    async def ask(self, refs: Sequence[str]) -> dict[str, str]:
        """Return the names of items that the server gives, by their ids there; nothing where it cannot be asked."""
        if self.remote is None or not refs:
            return {}
        self._asked += len(refs)
        try:
            return await self.remote.names(refs)
        except JmapsyncError:  # it is a name only: whatever is wrong shows where it matters
            return {}

    async def name_problems(self) -> None:
        """Give names to what was quarantined in this run for the first time and is known by its id alone."""
        new = {
            one.subject: one
            for one in self.ledger.problems(self.kind)
            if one.since == one.last and self.remote is not None and one.item.startswith("email ")
        }
        refs = {subject: one.item.removeprefix("email ") for subject, one in new.items()}
        answered = await self.ask(sorted(set(refs.values()))[:MOST_ASKED])
        with self.ledger.transaction():
            for subject, one in new.items():
                if name := answered.get(refs[subject], ""):
                    self.ledger.quarantine(one._replace(item=named(name, one.item)))

    def _object(self, record: Record) -> str:
        for tree in NOW.values():
            content = self.ledger.contents.of([record.key], tree).get(record.key)
            if content and (name := label_of_object(json.loads(content))):
                return name
        return ""

    def _message(self, record: Record, local: MailLocal) -> str:
        for place in self.ledger.places_of([record.key]).get(record.key, ()):
            if head := local.head(place):
                return label_of_head(head)
        return ""


def named(name: str, plain: str) -> str:
    """Return a name followed by where an item lies, or by its id."""
    return f"{name} ({plain})" if name else plain


def _described(record: Record) -> str:
    """Return what is known of a message without its subject."""
    if not record.stamp:
        return ""
    return f"a message of {time.strftime('%Y-%m-%d', time.gmtime(record.stamp))}, {record.size:,} octets"
