"""Match messages with the files that offlineimap wrote for them, where the bytes differ.

Such a file is not a new message: by its name it came from the server. Where the server's bytes, written down as offlineimap
writes them, become the file's, that is proof, and they replace it. Where they do not, but one message of that folder carries the
same Message-ID, the server's bytes replace it too, and the file becomes a conflict copy. A file without a match is uploaded.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from jmapsync.adopt.hard_links import dated
from jmapsync.formats.message import Form, is_offlineimap, likeness, measure, offlineimap_form
from jmapsync.ledger.intents import retire
from jmapsync.planner.identify import Candidate, match
from jmapsync.planner.model import NO_TAGS, NOTHING, Base, Side

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from jmapsync.kinds import Kind
    from jmapsync.ledger import Ledger, Place, Record
    from jmapsync.storage.port import Body, MailLocal, MailRemote

FETCHED = 50
"""Bodies fetched at a time."""
LARGEST = 8 << 20
"""Octets of a body that is parsed whole; of a larger one the header has to do."""
HEADER = 1 << 18
"""Octets at the start of a message that are compared for likeness."""
SLACK = 4096
"""Octets by which a file may differ from its message, beside a tenth of it: what changes are headers and separators."""
_CHANGED = "retold"
"""The server's body in the base of a message whose file has other bytes: any body there counts as changed."""


class OfflineimapAdopter(Struct):
    """Joins the files of offlineimap that are left when equal messages are joined."""

    kind: Kind
    ledger: Ledger
    local: MailLocal
    remote: MailRemote
    clock: Callable[[], float]

    async def run(self) -> int:
        """Join what is proven or likely to be the same and return how many items were joined."""
        here = {record.key: record for record in self.ledger.unmatched(self.kind.items.kind, Side.LOCAL)}
        places = {
            key: mine
            for key, mine in self.ledger.places_of(list(here)).items()
            if mine and all(is_offlineimap(place.name) for place in mine)
        }
        if not places:
            return 0
        here = {key: here[key] for key in places}
        sizes: defaultdict[int, list[int]] = defaultdict(list)
        for record in sorted(here.values(), key=lambda record: record.size):
            for home in _homes(record):
                sizes[home].append(record.size)
        unmatched = self.ledger.unmatched(self.kind.items.kind, Side.REMOTE)
        there = {one.key: one for one in unmatched if any(_holds(sizes[home], one) for home in _homes(one))}
        as_written, like, digests = await self._fetch(list(there.values()))
        # Known, so that copies that a killed run gave the server's bytes already are not taken for edited.
        there = {
            key: replace(other, remote=replace(other.remote, sense=digests[key]))
            for key, other in there.items()
            if other.remote and key in digests
        }
        proven = match(
            [Candidate(str(one.key), None, frozenset({one.digest}), homes=_homes(one)) for one in here.values()],
            [Candidate(str(key), key, frozenset({digest}), homes=_homes(there[key])) for key, digest in as_written.items()],
        )
        pairs = {int(mine.ref): int(other.ref) for mine, other in proven}
        alone = {key: likeness(_start(self.local.read(key, places[key]))) for key in here if key not in pairs}
        left = {key: likes for key, likes in like.items() if key not in pairs.values()}
        guessed = {mine: other for mine, other in _one_to_one(alone, left).items() if _near(here[mine], there[other])}
        with self.ledger.transaction():
            for mine, other in pairs.items():
                self._join(here[mine], there[other], places[mine], proven=True)
            for mine, other in guessed.items():
                self._join(here[mine], there[other], places[mine], proven=False)
        return len(pairs) + len(guessed)

    async def _fetch(self, wanted: Sequence[Record]) -> tuple[dict[int, str], dict[int, tuple[bytes, ...]], dict[int, str]]:
        """Return by key the digests of bodies as offlineimap writes them, what they are likely to be known by, and theirs."""
        as_written: dict[int, str] = {}
        digests: dict[int, str] = {}
        like: dict[int, tuple[bytes, ...]] = {}
        for start in range(0, len(wanted), FETCHED):
            for key, body in (await self.remote.read(wanted[start : start + FETCHED])).items():
                if body.data is None and body.path is None:
                    continue
                digests[key] = body.digest
                like[key] = likeness(_start(body, keep=True))
                whole = body.data if body.path is None else body.path.read_bytes() if body.size <= LARGEST else None
                file = offlineimap_form(whole) if whole else None
                if file is not None:
                    measured = measure([file])
                    as_written[key] = measured.digest(measured.form)
                if body.path is not None:
                    body.path.unlink()
        return as_written, like, digests

    def _join(self, mine: Record, other: Record, places: Iterable[Place], *, proven: bool) -> None:
        """Make one item of two; without a base, which only proof gives, the planner makes a conflict copy of the file."""
        assert mine.local is not None  # noqa: S101 - the query asked for it
        assert other.remote is not None  # noqa: S101
        places = [place._replace(key=other.key, form=Form.OFFLINEIMAP.value) for place in places]
        self.ledger.put_places(places)
        self.ledger.save([retire(self.ledger, self.kind.items.kind, mine, str(other.ref), int(self.clock()))])
        local = dated(mine.local, places, other.stamp)
        nothing = {"tags": NO_TAGS, "homes": NOTHING}
        base = Base(replace(mine.local, **nothing), replace(other.remote, body=_CHANGED, sense="", **nothing)) if proven else None
        self.ledger.save([replace(other, local=local, base=base, digest=mine.digest, name=mine.name)])


def _start(body: Body, *, keep: bool = False) -> bytes:
    """Return the first octets of a body, whose file goes unless it is to be kept."""
    if body.path is None:
        return (body.data or b"")[:HEADER]
    with body.path.open("rb") as file:
        start = file.read(HEADER)
    if not keep:
        body.path.unlink()
    return start


def _one_to_one(mine: dict[int, tuple[bytes, ...]], others: dict[int, tuple[bytes, ...]]) -> dict[int, int]:
    """Return the pairs of those that are alike and like nothing else: a Message-ID may be used twice."""
    by_likeness: defaultdict[tuple[bytes, ...], tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for position, side in enumerate((mine, others)):
        for key, like in side.items():
            if any(like):
                by_likeness[like][position].append(key)
    return {keys[0]: theirs[0] for keys, theirs in by_likeness.values() if len(keys) == len(theirs) == 1}


def _near(mine: Record, other: Record) -> bool:
    """Return whether a file may be offlineimap's copy of a message: in a folder of it, and of about its size."""
    return bool(_homes(mine) & _homes(other)) and _holds([mine.size], other)


def _holds(sizes: Sequence[int], other: Record) -> bool:
    """Return whether one of some sizes, in order, is about that of a message."""
    slack = SLACK + other.size // 10
    first = bisect_left(sizes, other.size - slack)
    return first < len(sizes) and sizes[first] <= other.size + slack


def _homes(record: Record) -> frozenset[int]:
    version = record.local or record.remote
    return version.homes if version is not None else NOTHING
