"""Restore to the server the local items that it lacks, byte for byte; never delete anything there.

Both sides are observed as in a run, and items that exist on the server by content (objects by uid) are not sent again: so a restore
may be repeated, and killed at any moment. First the base of each item that the server lacks is removed: so later runs see it as new
here, and not as deleted there.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from jmapsync.adopt.hard_links import join_hard_links
from jmapsync.adopt.match import Adopter
from jmapsync.backup.foreign_tree import ingest_folders, use_raw_bytes
from jmapsync.backup.rewritten_headers import join_rewritten
from jmapsync.backup.selection import Selection
from jmapsync.errors import ExitCode, Remedy
from jmapsync.formats.flags import parse_name
from jmapsync.jmap.wire import split
from jmapsync.planner.merge import too_many
from jmapsync.planner.model import NO_TAGS, NOTHING, Base, Change, Order, Present, Side, Verb
from jmapsync.planner.plan import plan
from jmapsync.storage.port import Done, Job, Refused
from jmapsync.sync.commit import Work
from jmapsync.sync.execute import Executor
from jmapsync.sync.observe import Observer
from jmapsync.sync.quarantine import LIST, SCAN
from jmapsync.sync.report import KindReport, Problem, counted
from jmapsync.sync.threads import complete

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jmapsync.backup.selection import ForeignTree
    from jmapsync.ledger import Place, Quarantined, Record
    from jmapsync.planner.model import Homes, Tags
    from jmapsync.sync.channel import Channel

ROUNDS = 4
PAUSE = 0.5
"""Seconds before what the server put off is tried again, doubled each time.

Just after mail was removed, Cyrus 3.12.4 may answer an import into two mailboxes with `Mailbox is locked`, and yet have the message
in one of them: so both sides are observed again.
"""
PAGE = 1000
"""Items read from the ledger at a time."""
OCTETS = 16 << 20
"""Octets of messages that are compared at a time."""
BATCH = 500
"""Emails whose keywords and mailboxes are updated at a time."""
MISSING = "the server does not have it"


class Restored(Struct):
    """Result of a restore for one kind."""

    report: KindReport
    items: int = 0
    """Selected items."""
    there: int = 0
    """Selected items that the server had already."""

    @property
    def summary(self) -> str:
        """Return what was done, in words."""
        written = self.report.summary
        done = "nothing to send" if written == "nothing to do" else written
        return f"{done}; {self.there:,} of {self.items:,} were there already"


@dataclass(slots=True)
class Restorer:
    """Restores one kind."""

    channel: Channel
    """Of a full run; uses the account's ledger, or a temporary one for a tree that is not the account's mirror."""
    selection: Selection = field(default_factory=Selection)
    foreign: ForeignTree | None = None
    restored: Restored = field(init=False)
    _executor: Executor = field(init=False)
    _tried: set[int] = field(default_factory=set)
    """Keys of what was, or would be, sent."""
    _paths: dict[int, str] = field(default_factory=dict)
    _rewritten: set[int] = field(default_factory=set)
    """Keys of what the server holds with other bytes, or does not give."""
    _stale: int = 0

    def __post_init__(self) -> None:
        """Begin the report."""
        self.restored = Restored(self.channel.report)
        self._executor = Executor.of(self.channel)

    async def run(self) -> Restored:
        """Put back what the server lacks. Raises what a run raises: no network, no root, a sign-in that is needed."""
        channel = self.channel
        observer = Observer(channel)
        observer.open()
        if self.foreign is not None:
            await ingest_folders(channel, self.foreign)
        for number in range(ROUNDS):
            await observer.run()
            channel.containers.keep_agreed(channel.containers.plan())
            await self._round()
            later = sum(one.remedy == Remedy.LATER.value for one in self._refused())
            if channel.options.dry or not (self._stale or later):
                break
            if later and number < ROUNDS - 1:
                channel.progress.say(channel.account, f"The server put {counted(later, 'item')} off; asking it again.")
                await asyncio.sleep(PAUSE * 2**number)
        if channel.codec is None and not channel.options.dry:
            await self._compare()
        self._conclude()
        return self.restored

    async def _round(self) -> None:
        """Send what is missing by the last observation."""
        channel, self._stale = self.channel, 0
        self._executor.committer.stale.clear()
        self._paths = {key: path for key, (path, _) in channel.ledger.folders(channel.kind.containers.kind).items()}
        await complete(self._forget_agreements)
        if channel.codec is None and channel.mail.by_content:
            local, remote = channel.mail.local, channel.mail.remote
            if self.foreign is not None and not self.foreign.has_ledger:
                await complete(use_raw_bytes, channel)
            await complete(join_hard_links, channel.kind.items.kind, channel.ledger, local)
            await Adopter(channel.kind, channel.ledger, local, remote, channel.context, channel.clock).run()
            for page in self._pages():
                new = [record for record in page if record.remote is None]
                await join_rewritten(channel.kind.items.kind, channel.ledger, local, remote, new)
        lacking, octets, needed = await complete(self._count)
        channel.report.messages += await channel.containers.put_back(needed, dry=channel.options.dry)
        if channel.options.dry:
            for page in self._pages():
                orders = ((record, self._order(record)) for record in page)
                channel.report.messages += [_description(record, order) for record, order in orders if order is not None]
            return
        if lacking:
            channel.progress.start(channel.account, channel.kind.name, f"restoring {channel.kind.name}", lacking, octets)
        await self._executor.run(self._works())
        await self._update_emails()
        if self.foreign is None:
            await self._executor.run(self._marks())
        self._stale += len(self._executor.committer.stale)

    # what is meant, and what of it is missing

    def _pages(self) -> Iterator[list[Record]]:
        """Yield the items that are meant and here to stay, a page at a time."""
        after, ledger = 0, self.channel.ledger
        while records := ledger.all(self.channel.kind.items.kind, after=after, limit=PAGE):
            after = records[-1].key
            here = [record for record in records if record.local is not None and record.local.kept]
            places = ledger.places_of([record.key for record in here])
            if not self.selection.is_whole():
                here = [record for record in here if self._is_meant(places.get(record.key, ()))]
            yield [replace(record, name=self._label(record, places.get(record.key, ()))) for record in here]

    def _label(self, record: Record, places: Sequence[Place]) -> str:
        """Return where an item lies, which is how people know it."""
        for place in places:
            return f"{self._paths.get(place.folder, '')}/{place.sub}{'/' if place.sub else ''}{place.name}{place.info}".lstrip("/")
        return record.name

    def _is_meant(self, places: Sequence[Place]) -> bool:
        """Return whether any file of an item is meant: the item then is, with all its folders."""
        return any(self.selection.has(self._paths.get(place.folder, ""), place.name) for place in places)

    def _forget_agreements(self) -> None:
        """Make what the server lacks new here, so that no later run takes it for deleted there; even if we die now."""
        for page in self._pages():
            with self.channel.ledger.transaction():
                self.channel.ledger.save(released(one, *self._lack(one)) for one in page if self._is_lacking(one))

    def _count(self) -> tuple[int, int, set[int]]:
        """Return how much is missing: items, their octets, and the containers that they need, with those above them."""
        records = {record.key: record for record in self.channel.ledger.all(self.channel.kind.containers.kind)}
        needed = {key for key in records if self.selection.has_folder(self._paths.get(key, ""))}
        items = lacking = octets = 0
        for page in self._pages():
            items += len(page)
            for record in page:
                homes, _ = self._lack(record)
                if self._is_lacking(record):
                    lacking += 1
                    octets += record.size if record.remote is None else 0
                    needed |= homes
        if not self.restored.items:
            self.restored.items, self.restored.there = items, items - lacking
        waiting = [key for key in needed if key in records]
        while waiting:
            version = records[waiting.pop()].local
            above = (version.homes if version is not None else NOTHING) - needed
            needed |= above
            waiting += [key for key in above if key in records]
        return lacking, octets, needed

    def _is_lacking(self, record: Record) -> bool:
        return record.remote is None or any(self._lack(record))

    def _lack(self, record: Record) -> tuple[Homes, Tags]:
        """Return the containers and keywords that the server lacks of an item. An object that is there is left alone."""
        assert record.local is not None  # noqa: S101 - chosen for it
        if record.remote is None:
            return record.local.kept, record.local.tags
        if self.channel.codec is not None:
            return NOTHING, NO_TAGS
        homes = record.local.kept - record.remote.homes
        if too_many(homes | record.remote.homes, self.channel.kind.items):  # only a run can move it: a restore takes nothing away
            homes = NOTHING
        return homes, record.local.tags - record.remote.tags

    def _order(self, record: Record) -> Order | None:
        """Return what is to be written for an item; it only ever adds."""
        assert record.local is not None  # noqa: S101 - chosen for it
        homes, tags = self._lack(record)
        if record.remote is None:
            return Order(Side.REMOTE, Verb.CREATE, record.key, None, record.local, tags, homes, MISSING, record.name)
        if not homes and not tags:
            return None
        names = ", ".join([*sorted(self._paths.get(home, "") for home in homes), *sorted(tags)])
        wanted = record.remote.tags | tags, record.remote.homes | homes
        return Order(Side.REMOTE, Verb.UPDATE, record.key, record.remote, None, *wanted, f"it lacks {names} there", record.name)

    # sending

    def _works(self) -> Iterator[Work]:
        there = frozenset(self.channel.context.keys.values())
        for page in self._pages():
            for record in page:
                order = self._order(record)
                if order is None or order.verb is not Verb.CREATE:
                    continue
                self._tried.add(record.key)
                if order.homes & there:
                    order = replace(order, homes=order.homes & there)
                    yield Work(Change(record.key, (order,), MISSING), replace(record, ref=None, base=None))

    def _marks(self) -> Iterator[Work]:
        """Yield the keywords that the server added to what was sent; Cyrus gives `$hasattachment` to what is imported."""
        channel, keys = self.channel, sorted(self._tried)
        there = frozenset(self._paths)
        for start in range(0, len(keys), PAGE):
            records = channel.ledger.records(keys[start : start + PAGE])
            found = plan([record.pair for record in records.values()], channel.kind.items, Present(there, there))
            for change in found.changes:
                if all(_only_marks(order) for order in change.orders):
                    yield Work(change, records[change.key])

    async def _update_emails(self) -> None:
        """Add missing mailboxes and keywords to emails on the server."""
        there = frozenset(self.channel.context.keys.values())
        waiting: list[tuple[Record, Order]] = []
        for page in self._pages():
            for record in page:
                order = self._order(record)
                if order is not None and order.verb is Verb.UPDATE:
                    waiting.append((record, replace(order, homes=order.homes & there)))
            while len(waiting) >= BATCH:
                await self._send(waiting[:BATCH])
                del waiting[:BATCH]
        if waiting:
            await self._send(waiting)

    async def _send(self, some: list[tuple[Record, Order]]) -> None:
        channel = self.channel
        written = await channel.remote.write([Job(order, record.ref, record.stamp) for record, order in some])
        receipts = {receipt.key: receipt for receipt in written}
        with channel.ledger.transaction():
            for record, order in some:
                self._tried.add(record.key)
                match receipts.get(record.key):
                    case Refused(why=why, remedy=remedy, version=version):
                        after = replace(record, remote=version or record.remote)
                        channel.ledger.save([after])
                        channel.quarantine.add(after, [order], why, remedy)
                    case Done(version=version):
                        channel.ledger.save([replace(record, remote=version or record.remote)])
                        channel.quarantine.release([record.key])
                        channel.report.to_server.add(Verb.UPDATE)
                    case _:
                        self._stale += 1
        channel.progress.advance(channel.account, channel.kind.name, len(some), 0)

    async def _compare(self) -> None:
        """Find out of what was sent whether the server holds the same bytes, where another blob id leaves that open."""
        channel = self.channel
        for page in self._pages():
            asked = [record for record in page if _is_in_doubt(record)]
            digests = await channel.mail.remote.digests(asked)
            equal = [record for record in asked if digests.get(record.key, "") == record.digest]
            self._rewritten |= {record.key for record in asked if digests.get(record.key, record.digest) != record.digest}
            for some in split((one for one in asked if one.key not in digests), BATCH, OCTETS, lambda one: one.size):
                for key, body in (await channel.remote.read(some)).items():
                    is_read = body.data is not None or body.path is not None
                    equal += [one for one in some if one.key == key and is_read and body.digest == one.digest]
                    if body.path is not None:
                        body.path.unlink(missing_ok=True)
                same = {one.key for one in equal}
                self._rewritten |= {one.key for one in some if one.key not in same}
            with channel.ledger.transaction():
                records = channel.ledger.records([one.key for one in equal])
                channel.ledger.save(_proven(one) for one in records.values())

    # reports

    def _refused(self) -> list[Quarantined]:
        """Return what was tried and is still missing, with why."""
        problems = [one for one in self.channel.ledger.problems(self.channel.kind.name) if one.key in self._tried]
        records = self.channel.ledger.records([one.key for one in problems if one.key is not None])
        found = ((one, records.get(one.key or 0)) for one in problems)
        return [one for one, record in found if record is not None and record.local is not None and self._is_lacking(record)]

    def _conclude(self) -> None:
        """Name what could not be put back, and what the server keeps with other bytes than it was sent."""
        channel, report = self.channel, self.channel.report
        problems = channel.ledger.problems(channel.kind.name)
        left_out = [one for one in problems if one.remedy == LIST or (one.remedy == SCAN and self._is_named(one.item))]
        refused = self._refused()
        report.problems += [Problem(one.item, one.why) for one in (*refused, *left_out)]
        named = {one.key for one in refused}
        for page in self._pages():
            for record in page:
                if record.remote is None and not channel.options.dry and record.key not in named:
                    report.problems.append(Problem(record.name, "it could not be put back yet; restore again"))
                elif record.key in self._rewritten:
                    report.problems.append(Problem(record.name, "the server keeps it with other bytes than these"))
        report.problems += [Problem(one, "nothing of that name is mirrored") for one in self._not_found()]
        if report.problems:
            report.exit_code = ExitCode.QUARANTINED

    def _is_named(self, item: str) -> bool:
        folder, _, name = item.rpartition("/")
        above = folder.removesuffix("/cur").removesuffix("/new")
        return self.selection.has_folder(item) or self.selection.has(above, parse_name(name).name)

    def _not_found(self) -> list[str]:
        """Return what was named and is neither a folder nor a file that was met."""
        if self.selection.is_whole():
            return []
        paths = {*self._paths.values()}
        lost = [one for one in self.selection.folders if not any(path == one or path.startswith(f"{one}/") for path in paths)]
        keys = {path: key for key, path in self._paths.items()}
        for folder, name in self.selection.files:
            if folder not in keys or not self.channel.ledger.taken_names(keys[folder], [name]):
                lost.append(f"{folder}/{name}")
        return sorted(lost)


def released(record: Record, homes: Homes, tags: Tags) -> Record:
    """Return an item without the base of what the server lacks, so that a run finds that added here."""
    if record.remote is None:
        return replace(record, ref=None, base=None)
    if record.base is None:
        return record
    local, remote = (
        replace(side, homes=side.homes - homes, tags=side.tags - tags) for side in (record.base.local, record.base.remote)
    )
    return replace(record, base=Base(local, remote))


def _proven(record: Record) -> Record:
    """Return a message whose bytes the server was seen to hold as they are here."""
    assert record.base is not None  # noqa: S101 - in doubt before
    assert record.remote is not None  # noqa: S101
    base = replace(record.base, remote=replace(record.base.remote, sense=record.digest))
    return replace(record, base=base, remote=replace(record.remote, sense=record.digest))


def _is_in_doubt(record: Record) -> bool:
    """Return whether the server took a message that was sent, and it is not known which bytes of it it holds.

    Of a file that was edited since, the server has other bytes, of course: a run sends it.
    """
    base, seen, here = record.base, record.remote, record.local
    if base is None or seen is None or here is None:
        return False
    return seen.body == base.remote.body and here.body == base.local.body and not base.remote.sense


def _only_marks(order: Order) -> bool:
    """Return whether an order does nothing but give keywords to files."""
    taken = order.removed_tags or order.removed_homes or order.added_homes
    return order.side is Side.LOCAL and order.verb is Verb.UPDATE and not taken


def _description(record: Record, order: Order) -> str:
    return f"{order.verb.value} {record.name or record.ref} on the server: {order.reason}"
