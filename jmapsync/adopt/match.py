"""Match items that only one side is known to hold, by content: after a crash, a lost ledger, or an import without a response.

Only an equal content digest proves it. The server's digests come from blob ids that contain one, from Blob/get where it computes
them, else from the bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from jmapsync.adopt.blob_ids import known_by_name
from jmapsync.adopt.hard_links import dated, together
from jmapsync.adopt.offlineimap import OfflineimapAdopter
from jmapsync.formats.message import Form
from jmapsync.ledger.intents import let_rest, resolve_intents, retire, sent_again
from jmapsync.planner.identify import Candidate, match
from jmapsync.planner.model import NO_TAGS, NOTHING, Base, Side
from jmapsync.planner.orders import unmarked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from jmapsync.kinds import Kind
    from jmapsync.ledger import Ledger, Place, Record
    from jmapsync.storage.port import Context, MailLocal, MailRemote

BATCH = 400
"""Local items in one round of requests, beside those of the same size as the last one."""
FETCH_OCTETS = 6 << 20
"""Octets of bodies fetched at a time where the server computes no digests."""


class Adopter(Struct):
    """Joins items of one kind."""

    kind: Kind
    ledger: Ledger
    local: MailLocal
    remote: MailRemote
    context: Context
    clock: Callable[[], float]
    _raw: dict[int, str] = {}
    """Digest of a local item's file as it lies there, where the server may hold it with the disk's line ends."""
    _bare: dict[int, str] = {}
    """Digest of a local item's file without the line that mbsync added."""
    _digest_cache: dict[int, str] = {}
    """Fetched digests of the server's items, as those of one size may be needed in several rounds."""

    async def run(self) -> int:
        """Join what is provably the same and return how many items were joined."""
        kind = self.kind.items.kind
        again = sent_again(self.ledger, kind)
        waiting = [*again, *self._edited({record.key for record in again}), *self.ledger.unmatched(kind, Side.LOCAL)]
        joined = 0
        for some in _rounds(waiting):
            joined += await self._join_some(some)
        joined += await OfflineimapAdopter(self.kind, self.ledger, self.local, self.remote, self.clock).run()
        with self.ledger.transaction():
            resolve_intents(self.ledger, kind, self.ledger.cursor(self.kind.name, Side.REMOTE))
        return joined

    def _edited(self, but: set[int]) -> Iterator[Record]:
        """Yield edited items with their wire size: a ledger from a backup does not know what was sent since."""
        edited = [record for record in self.ledger.edited(self.kind.items.kind) if record.key not in but]
        places = self.ledger.places_of([record.key for record in edited])
        for record in edited:
            for place in places.get(record.key, [])[:1]:
                measured = self.local.measure(place)
                if measured is not None:
                    yield replace(record, size=measured.size(Form(place.form)))

    async def _join_some(self, here: list[Record]) -> int:
        places = self.ledger.places_of([record.key for record in here])
        on_disk = {record.key: places[record.key][0].size for record in here if record.key in places}
        bare = {
            record.key: measured
            for record in here
            if record.base is None and record.key in places
            if (measured := self.local.measure_bare(places[record.key][0])) is not None
        }
        self._bare = {key: measured.wire for key, measured in bare.items()}
        sizes = {record.size for record in here} | set(on_disk.values()) | {measured.wire_size for measured in bare.values()}
        there = list(self.ledger.unmatched(self.kind.items.kind, Side.REMOTE, sorted(sizes)))
        if not there and not bare:
            return 0
        digests = known_by_name(self.local, here, bare, places, there)
        digests |= await self._digests([one for one in there if one.key not in digests])
        sizes_there = {record.size for record in there}
        self._raw = {
            record.key: measured.raw
            for record in here
            if on_disk.get(record.key, record.size) != record.size
            and on_disk[record.key] in sizes_there
            and (measured := self.local.measure(places[record.key][0])) is not None
        }
        pairs = match(
            [
                Candidate(
                    str(one.key),
                    None,
                    self._digests_of(one),
                    hints=frozenset(str(self.local.key_in(place)) for place in places.get(one.key, ())),
                    homes=_homes(one),
                )
                for one in here
            ],
            [
                Candidate(str(one.key), one.key, frozenset({digests[one.key]}), hints=frozenset({str(one.key)}), homes=_homes(one))
                for one in there
                if one.key in digests
            ],
        )
        records = {one.key: one for one in [*here, *there]}
        joined = [(records[int(mine.ref)], records[int(other.ref)]) for mine, other in pairs]
        with self.ledger.transaction():
            for mine, other in [*joined, *_further_copies(here, joined, self._keys_in_names(here, places))]:
                now = self.ledger.records([other.key])[other.key]
                self._merge(mine, now, digests[other.key], places.get(mine.key, []))
            self._join_bare_copies([one for one in self.ledger.records(list(bare)).values() if one.remote is None], places)
        return len(pairs)

    def _keys_in_names(self, here: Sequence[Record], places: Mapping[int, Sequence[Place]]) -> dict[int, set[int]]:
        """Return the keys that the names of each item's files show; names of other programs show none."""
        return {one.key: {self.local.key_in(place) for place in places.get(one.key, ())} - {0} for one in here}

    def _digests_of(self, one: Record) -> frozenset[str]:
        """Return the digests that a local item may have on the server."""
        return frozenset({one.digest, self._raw.get(one.key, one.digest), self._bare.get(one.key, one.digest)})

    def _join_bare_copies(self, left: list[Record], places: Mapping[int, Sequence[Place]]) -> None:
        """Join mbsync's other files of messages already joined: each has a line of its own, so that no two have equal bytes."""
        owners = self.ledger.by_digest(self.kind.items.kind, [self._bare[one.key] for one in left])
        for one in left:
            for known in owners.get(self._bare[one.key], []):
                owner = self.ledger.records([known.key])[known.key]
                if owner.base is not None or owner.local is None or owner.remote is None:
                    continue
                if _homes(one) <= owner.remote.homes - owner.local.homes:
                    self._merge(one, owner, self._bare[one.key], places[one.key])
                    break

    def _merge(self, mine: Record, other: Record, digest: str, places: Sequence[Place]) -> None:
        """Make one item of two: the server's keeps its key and gets the local version and its files."""
        mine = replace(mine, size=self.ledger.records([mine.key])[mine.key].size)  # `_edited` gave it the size of its file
        assert mine.local is not None  # noqa: S101 - the query asked for it
        assert other.remote is not None  # noqa: S101
        form = Form.TUID if digest == self._bare.get(mine.key) else Form.RAW if digest != mine.digest else None
        self.ledger.put_places(place._replace(key=other.key, form=form.value if form else place.form) for place in places)
        trash = self.context.keys.get(self.context.roles.get("trash", ""))
        sent = mine.key in self.ledger.intents(self.kind.items.kind)  # by a run that did not hear what came of it
        if mine.remote is not None and mine.remote.homes == {trash}:
            self.ledger.save([let_rest(mine)])
        else:
            self.ledger.save([retire(self.ledger, self.kind.items.kind, mine, str(other.ref), int(self.clock()))])
        local = replace(mine.local, body=digest, sense=digest)
        if other.local is not None:
            local = together(local, other.local)
        local = replace(local, untidy=local.untidy or form is Form.TUID)
        remote = replace(other.remote, sense=digest)
        base = None
        if mine.base is not None:
            # What was sent came of a merge with this base; merging again changes nothing, and knows what others did since.
            before = mine.base
            base = Base(replace(before.local, body=digest, sense=digest), replace(before.remote, body=remote.body, sense=digest))
        elif local.homes and not local.kept and other.remote.homes <= local.homes and sent:
            # Marked deleted here and sent for that reason: what is left to do is to delete it.
            base = Base(unmarked(local), remote)
        elif places and all(place.name == f"{other.ref}.{remote.body}" for place in places):
            # mujmap keeps all mail in one folder, whatever its mailboxes: what lies where says nothing of them.
            base = Base(replace(local, tags=NO_TAGS), replace(remote, tags=NO_TAGS, homes=local.homes))
        local = dated(local, places, other.stamp)
        self.ledger.save([replace(other, local=local, remote=remote, base=base, digest=digest, name=mine.name)])

    async def _digests(self, wanted: list[Record]) -> dict[int, str]:
        """Return the digests of the server's items by key, reading their bytes where it cannot compute them."""
        digests = self._digest_cache
        digests |= await self.remote.digests([record for record in wanted if record.key not in digests])
        unread = [record for record in wanted if record.key not in digests]
        batch: list[Record] = []
        octets = 0
        for position, record in enumerate(unread):
            batch.append(record)
            octets += record.size
            if octets >= FETCH_OCTETS or position == len(unread) - 1:
                for key, body in (await self.remote.read(batch)).items():
                    if body.data is not None or body.path is not None:
                        digests[key] = body.digest
                    if body.path is not None:
                        body.path.unlink()
                batch, octets = [], 0
        return {record.key: digests[record.key] for record in wanted if record.key in digests}


def _rounds(waiting: list[Record]) -> Iterator[list[Record]]:
    """Yield local items by size: what the server has of one size is then fetched in a single round."""
    some: list[Record] = []
    for record in sorted(waiting, key=lambda record: (record.size, record.key)):
        if len(some) >= BATCH and record.size != some[-1].size:
            yield some
            some = []
        some.append(record)
    if some:
        yield some


def _further_copies(
    here: Sequence[Record], joined: Sequence[tuple[Record, Record]], keys: Mapping[int, set[int]]
) -> Iterator[tuple[Record, Record]]:
    """Yield the items that are further copies of a message just joined: each in other folders than those that we had.

    First those in folders where the server has it: a run killed while it delivered leaves them where the file system has no hard
    links. Then those that somebody made of what it delivered; by their names (`keys`) they are of no other message.
    """
    covered = {other.key: _homes(mine) for mine, other in joined}
    taken = {mine.key for mine, _ in joined}
    alike: dict[str, list[tuple[Record, Record]]] = {}
    for mine, other in joined:
        alike.setdefault(mine.digest, []).append((mine, other))
    left = [one for one in here if one.key not in taken and one.base is None and one.digest in alike]
    for is_there in (True, False):
        for one in left:
            homes = _homes(one)
            for mine, other in alike[one.digest]:
                free = homes <= _homes(other) if is_there else one.remote is None and len(keys[one.key] | keys[mine.key]) <= 1
                if one.key not in taken and free and homes.isdisjoint(covered[other.key]):
                    covered[other.key] |= homes
                    taken.add(one.key)
                    yield one, other


def _homes(record: Record) -> frozenset[int]:
    version = record.local or record.remote
    return version.homes if version is not None else NOTHING
