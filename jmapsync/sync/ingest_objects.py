"""Ingest cards, events and tasks of the server into the ledger, and the content by which both sides are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from jmapsync.formats.objects import INSTANCES, MalformedError
from jmapsync.formats.unconverted import is_file
from jmapsync.ledger import Ledger, Record
from jmapsync.ledger.unconverted import is_wholly_unconverted
from jmapsync.storage.port import Trouble

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jmapsync.storage.port import Seen

BLOB = b"urn:jmapsync:blob:"
INSTANCES_OF = f'"{INSTANCES}":'.encode()
_OTHER_PART = "single occurrences of a series have the UID of another event, here {}; both stay as they are: remove one"
LIKELY_BLOB = 50_000
"""Octets that data on the server is taken to have, which a card or an event only names."""


class ObjectIngester(Struct):
    """Ingests objects of one kind."""

    kind: str
    ledger: Ledger

    def ingest(self, items: Sequence[Seen], known: dict[str, Record]) -> list[Trouble]:
        """Ingest cards or events; an unknown one is matched with the file of the same uid, if there is one.

        A server may hold several objects of one uid, as other clients made them, although it should not (RFC 9610, 3; RFC 8984,
        4.1.2). One is mirrored, the one that was first; the others are named until they are gone, or it is.
        """
        kind = self.kind
        waiting = self.ledger.by_digest(kind, [seen.digest for seen in items if seen.digest and seen.ref not in known])
        contents: dict[int, bytes] = {}
        files: dict[int, bytes] = {}
        fresh: dict[str, tuple[Record, Seen]] = {}
        items, changed = _left_out(items, known)
        troubles: list[Trouble] = []
        held = {uid: str(one.ref) for uid, some in waiting.items() for one in some if uid and one.remote is not None}
        for one in items:
            seen, record = one, known.get(one.ref)
            other = held.setdefault(seen.digest, seen.ref) if seen.digest else seen.ref
            if record is None and other != seen.ref:
                troubles.append(_twin(f"{kind} {seen.digest}", seen.ref, other))
                continue
            if record is not None and _is_as_known(seen, record):
                continue
            record = record or next((two for two in waiting.get(seen.digest, ()) if two.remote is None), None)
            if record is not None:
                try:
                    record, seen = self._comparable(record, seen)
                except MalformedError as error:
                    troubles.append(Trouble(f"{kind} {seen.digest}", str(error), seen.ref))
                    continue
            troubles += adrift(f"{kind} {seen.digest or seen.ref}", seen, record)
            if not seen.version.homes and not was_here(record):
                continue
            size = len(seen.content) + seen.content.count(BLOB) * LIKELY_BLOB
            if record is None:
                name = f"{kind} {seen.digest or seen.ref}"
                fresh[seen.ref] = Record(0, kind, seen.ref, name, size, seen.stamp, seen.digest, remote=seen.version), seen
                continue
            contents[record.key], files[record.key] = seen.content, seen.file
            version = seen.version
            if record.remote is not None and record.remote.body == version.body:
                version = replace(version, sense=record.remote.sense)
            changed.append(replace(record, ref=seen.ref, remote=version, size=size, stamp=seen.stamp))
        self.ledger.add_many(record for record, _ in fresh.values())
        for ref, key in self.ledger.keys_of(kind, list(fresh)).items():
            contents[key], files[key] = fresh[ref][1].content, fresh[ref][1].file
        self.ledger.save(changed)
        self.ledger.contents.put("remote", contents)
        self.ledger.contents.put("file", files)
        return troubles

    def _comparable(self, record: Record, seen: Seen) -> tuple[Record, Seen]:
        """Return what is known of an object and what was seen of it so that they can be compared. Raises MalformedError.

        As long as nobody changed it here, another file is another version, whatever it means.
        """
        if is_file(seen.content) and seen.ref == record.ref and is_wholly_unconverted(record):
            return record, seen
        [after], converted = self.ledger.converted([record]), seen.converted()
        if seen.ref != record.ref and self._is_other_part(after, converted):
            raise MalformedError(_OTHER_PART.format(record.name))
        return after, converted

    def _is_other_part(self, record: Record, seen: Seen) -> bool:
        """Return whether only one side has single occurrences of a series (Cyrus 3.12 loses which they are): neither is an edit."""
        here = self.ledger.contents.of([record.key], "local").get(record.key, b"")
        return bool(here) and (INSTANCES_OF in here) != (INSTANCES_OF in seen.content)


def was_here(record: Record | None) -> bool:
    """Return whether an item is here, or was."""
    return record is not None and (record.local is not None or record.base is not None)


def _is_as_known(seen: Seen, record: Record) -> bool:
    """Return whether an object is the very file that is known of it, which was never compared with anything."""
    return is_file(seen.content) and record.remote == seen.version and not seen.adrift and is_wholly_unconverted(record)


def _left_out(items: Sequence[Seen], known: Mapping[str, Record]) -> tuple[list[Seen], list[Record]]:
    """Return objects without those in containers that are left out, and of these the known ones: they were moved there."""
    out = {seen.ref for seen in items if seen.outside and not seen.version.homes}
    return [seen for seen in items if seen.ref not in out], [replace(known[ref], remote=None) for ref in sorted(out & known.keys())]


def adrift(name: str, seen: Seen, record: Record | None) -> list[Trouble]:
    """Return the trouble with an item some of whose containers cannot be known; one that went out of sight is named by the plan."""
    if not seen.adrift or seen.outside or (was_here(record) and not seen.version.homes):
        return []
    return [Trouble(name, seen.adrift, seen.ref)]


def _twin(name: str, ref: str, other: str) -> Trouble:
    """Return the trouble with an object whose uid another one has too."""
    why = f"the server has several objects of this uid: {other} is mirrored, and {ref} is not until one of them is removed there"
    return Trouble(name, why, ref)
