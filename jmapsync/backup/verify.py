"""Verify a mirror: observe both sides in full, read every local file, and list the differences; write nothing.

It works on a copy of the ledger, into which both sides are ingested as in a run. What a run would then have to do is a difference,
and so is a file whose bytes are not the server's.
"""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from jmapsync.backup.object_differences import ObjectProof
from jmapsync.formats.large_data import set_aside
from jmapsync.formats.message import Form
from jmapsync.sync.observe import Observer
from jmapsync.sync.report import Problem
from jmapsync.sync.threads import complete
from jmapsync.text import percent_decoded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.ledger import Place, Record
    from jmapsync.planner.model import Rules, Version
    from jmapsync.sync.channel import Channel

PAGE = 500
"""Items at a time."""
SHARE = 10
"""Where the server computes no digests, one body of so many is fetched and compared, another tenth each day."""


class Proof(Struct):
    """What was compared of one kind, and what differs."""

    items: int = 0
    """Items that either side holds."""
    files: int = 0
    octets: int = 0
    """Octets read from local files; one that several folders share is read once."""
    digests: int = 0
    """Items whose content the server itself gave the digest of."""
    bodies: int = 0
    """Items whose content was fetched again."""
    containers: dict[str, tuple[int, int]] = {}
    """By path: items here, and on the server."""
    differences: list[Problem] = []
    not_kept: list[Problem] = []
    """What the server does not keep of objects, by property; it stays in the files and is no difference."""

    def to_json(self) -> dict[str, Any]:
        """Return the object of one kind in `verify --json`."""
        return {
            "state": "different" if self.differences else "clean",
            "items": self.items,
            "files": self.files,
            "bytes": self.octets,
            "proved_by_digest": self.digests,
            "proved_by_body": self.bodies,
            "containers": {path: {"here": here, "there": there} for path, (here, there) in self.containers.items()},
            "differences": [{"item": one.item, "why": one.why} for one in self.differences],
            "not_kept": [{"item": one.item, "what": one.why} for one in self.not_kept],
        }


class Verifier(Struct):
    """Proves one kind of one account."""

    channel: Channel
    """Of a full dry run."""
    proof: Proof = field(default_factory=Proof)
    _paths: dict[int, str] = {}
    _different: set[int] = set()
    """Keys of the items that are in the list of differences."""
    _absent: dict[int, Record] = {}
    """What is on the server only, by its place in the list of differences."""

    async def run(self) -> Proof:
        """Compare both sides. Raises what a run raises: no network, no root, another server."""
        observer = Observer(self.channel)
        observer.open()
        await observer.run()
        channel, kind = self.channel, self.channel.kind.items.kind
        self._containers()
        after = 0
        channel.progress.start(channel.account, channel.kind.name, f"comparing {channel.kind.name}", 0, 0)
        while records := channel.ledger.all(kind, after=after, limit=PAGE):
            after = records[-1].key
            both = [record for record in records if self._is_on_both(record)]
            await self._contents(both)
            channel.progress.advance(channel.account, channel.kind.name, len(records), sum(record.size for record in both))
        await self._name_absent()
        named = {one.item for one in self.proof.differences}
        for one in channel.ledger.problems(channel.kind.name):
            if one.key not in self._different and one.item not in named:
                self._differs(one.item, one.why)
        return self.proof

    async def _name_absent(self) -> None:
        """Name what is on the server only as people know it: there is no file to name it by."""
        names = await self.channel.names.all_of(list(self._absent.values()))
        for at, record in self._absent.items():
            self.proof.differences[at] = Problem(names[record.key], self.proof.differences[at].why)

    def _containers(self) -> None:
        ledger, kind = self.channel.ledger, self.channel.kind
        lie = {key: path for key, (path, _) in ledger.folders(kind.containers.kind).items()}
        for record in ledger.all(kind.containers.kind):
            path = self._paths[record.key] = lie.get(record.key) or record.name
            if record.local is None and record.remote is None:
                continue
            self.proof.containers[path] = (0, 0)
            if record.local is None:
                self._differs(path, "the server has it, and the mirror does not")
            elif record.remote is None:
                self._differs(path, "it is here, and not on the server")
            elif (record.local.body, record.local.homes) != (record.remote.body, record.remote.homes):
                self._differs(path, f"the server has it as {record.remote.body}, or elsewhere")

    def _is_on_both(self, record: Record) -> bool:
        """Return whether both sides hold an item, and name where and how they differ but for its content."""
        here, there = record.local, record.remote
        if here is None and there is None:
            return False
        self.proof.items += 1
        self._count(here, there)
        if there is None:
            self._record_differs(record, "it is here, and not on the server")
        elif here is None:
            if there.homes:
                self._absent[len(self.proof.differences)] = record
                self._record_differs(record, f"it is on the server, in {self._names(there.homes)}, and not here")
        else:
            for homes, why in ((there.homes - here.homes, "it is missing in"), (here.homes - there.homes, "it is only here in")):
                if homes:
                    self._record_differs(record, f"{why} {self._names(homes)}")
            if here.tags != there.tags:
                rules = self.channel.kind.items
                marked = "" if rules.tag_words else "marked "
                why = f"it is {marked}{_words(here.tags, rules)} here and {_words(there.tags, rules)} on the server"
                self._record_differs(record, why)
            return True
        return False

    def _count(self, here: Version | None, there: Version | None) -> None:
        for number, version in enumerate((here, there)):
            for home in version.homes if version is not None else ():
                if (path := self._paths.get(home)) in self.proof.containers:
                    counts = list(self.proof.containers[path])
                    counts[number] += 1
                    self.proof.containers[path] = (counts[0], counts[1])

    async def _contents(self, records: Sequence[Record]) -> None:
        """Compare the content of items that both sides hold."""
        if not records:
            return
        places = self.channel.ledger.places_of([record.key for record in records])
        if self.channel.codec is not None:
            await complete(self._objects, records, places)
            return
        expected = await self.channel.mail.remote.digests(records)
        self.proof.digests += len(expected)
        if not expected:
            expected = await self._fetched([record for record in records if _is_due(record, self.channel.clock())])
        await complete(self._messages, records, places, expected)

    async def _fetched(self, records: Sequence[Record]) -> dict[int, str]:
        found: dict[int, str] = {}
        for key, body in (await self.channel.remote.read(records)).items():
            if body.data is not None or body.path is not None:
                found[key] = body.digest
                self.proof.bodies += 1
            if body.path is not None:
                body.path.unlink(missing_ok=True)
        return found

    def _messages(self, records: Sequence[Record], places: dict[int, list[Place]], expected: dict[int, str]) -> None:
        for record in records:
            mirrored = record.digest if self.channel.mail.by_content or record.local is None else record.local.body
            wanted = expected.get(record.key, mirrored)
            if mirrored != wanted:
                self._record_differs(record, "the server's bytes are not those that were mirrored")
            read: dict[int, str | None] = {}
            for place in places.get(record.key, ()):
                self.proof.files += 1
                if place.ino not in read:
                    self.proof.octets += place.size
                    read[place.ino] = self._digest(record.key, place)
                if read[place.ino] != wanted:
                    why = "it cannot be read" if read[place.ino] is None else "its bytes are not the server's"
                    self._differs(self._file(place), why)

    def _digest(self, key: int, place: Place) -> str | None:
        """Return the digest of the wire's bytes of a file; None when it cannot be read."""
        if Form(place.form) is Form.MARKED:
            body = self.channel.local.read(key, [place])
            return None if body.why else body.digest
        measure = self.channel.mail.local.measure(place)
        return None if measure is None else measure.digest(Form(place.form))

    def _objects(self, records: Sequence[Record], places: dict[int, list[Place]]) -> None:
        codec, records = self.channel.codec, self.channel.ledger.converted(records)
        assert codec is not None  # noqa: S101 - asked before
        proof = ObjectProof(self.channel.ledger, codec)
        different, not_kept = proof.differences(records), proof.not_kept(records)
        for record in records:
            assert record.local is not None  # noqa: S101 - on both sides
            if record.key in different:
                self._record_differs(record, different[record.key])
            if record.key in not_kept:
                self.proof.not_kept.append(Problem(self._label(record), not_kept[record.key]))
            for place in places.get(record.key, ()):
                self.proof.files += 1
                self.proof.octets += place.size
                body = self.channel.local.read(record.key, [place])
                if body.data is None:
                    self._differs(self._file(place), body.why)
                elif codec.sense(set_aside(json.loads(body.data))[0]) != record.local.body:
                    self._differs(self._file(place), "it does not say what was mirrored")

    # words

    def _label(self, record: Record) -> str:
        for place in self.channel.ledger.places_of([record.key]).get(record.key, ()):
            return self._file(place)
        return record.name or str(record.ref)

    def _file(self, place: Place) -> str:
        sub = f"{place.sub}/" if place.sub else ""
        return f"{self._paths.get(place.folder, '')}/{sub}{place.name}{place.info}".lstrip("/")

    def _names(self, homes: frozenset[int]) -> str:
        return ", ".join(sorted(self._paths.get(home, str(home)) for home in homes))

    def _record_differs(self, record: Record, why: str) -> None:
        self._different.add(record.key)
        self._differs(self._label(record), why)

    def _differs(self, item: str, why: str) -> None:
        self.proof.differences.append(Problem(item, why))


def _is_due(record: Record, now: float) -> bool:
    """Return whether the body of an item is fetched today: every item's is within SHARE days."""
    return (zlib.crc32(str(record.ref).encode()) + int(now // 86_400)) % SHARE == 0


def _words(tags: frozenset[str], rules: Rules) -> str:
    """Return what an item with these tags is."""
    if rules.tag_words:
        return ", ".join(percent_decoded(tag.replace(":", " ", 1)) for tag in sorted(tags))
    return " ".join(sorted(tags)) or "nothing"
