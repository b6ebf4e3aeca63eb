"""Carry plans out: bodies in a pipeline of batches, one ledger commit a batch, the server before the disk.

After a crash anywhere in here the next look sees what was done, and the next plan has only the rest in it.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from jmapsync.engine.report import KindReport, Problem, Progress
from jmapsync.ledger import HeldBack, Intent, Record
from jmapsync.ledger.codec import encode
from jmapsync.planner.model import Base, Change, Order, Side, Verb, Version
from jmapsync.storage.port import Body, Job, Outcome, Receipt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence

    from jmapsync.errors import Remedy
    from jmapsync.kinds import Kind
    from jmapsync.ledger import Ledger
    from jmapsync.storage.port import Local, Remote

BATCH_OCTETS = 6 << 20
"""Octets of bodies in memory a batch; three batches are under way at a time."""
BATCH_ITEMS = 1000
READS_AHEAD = 2
"""Batches asked for while one is written (measured: more only cost memory)."""


@dataclass(slots=True)
class Work:
    """One change with the records it is about."""

    change: Change
    record: Record
    receipts: dict[Side, Receipt] = field(default_factory=dict)

    def order(self, side: Side) -> Order | None:
        """Return the order to one side."""
        return next((order for order in self.change.orders if order.side is side), None)

    @property
    def brings_body(self) -> bool:
        """Tell whether the server's bytes have to be fetched for it."""
        order = self.order(Side.LOCAL)
        return order is not None and order.verb in {Verb.CREATE, Verb.REPLACE}


@dataclass(slots=True)
class Executor:
    """Carries out changes of one kind of one account."""

    kind: Kind
    ledger: Ledger
    local: Local
    remote: Remote
    report: KindReport
    progress: Progress
    account: str
    clock: Callable[[], float]
    shelve: Callable[[Work], None]
    """Keeps the local version of a change before it is overwritten."""
    stale: int = 0
    """Changes that found another state than they expected: a new round is due."""

    async def run(self, works: Iterable[Work]) -> None:
        """Carry out changes; ones that fail are held back by name, and the rest goes on.

        Raises what stops the whole kind: no network, a disk that refuses, a sign-in that is needed.
        """
        async for batch, bodies in self._ahead(self._batches(works)):
            await self._batch(batch, bodies)

    def _batches(self, works: Iterable[Work]) -> Iterator[list[Work]]:
        batch: list[Work] = []
        octets = 0
        for work in works:
            size = work.record.size if work.brings_body else 0
            if batch and (len(batch) >= BATCH_ITEMS or octets + size > BATCH_OCTETS):
                yield batch
                batch, octets = [], 0
            batch.append(work)
            octets += size
        if batch:
            yield batch

    async def _ahead(self, batches: Iterator[list[Work]]) -> AsyncIterator[tuple[list[Work], dict[int, Body]]]:
        """Read bodies of the next batches while one is written."""
        reads: deque[tuple[list[Work], asyncio.Task[dict[int, Body]]]] = deque()
        try:
            for batch in batches:
                wanted = [work.record for work in batch if work.brings_body]
                reads.append((batch, asyncio.create_task(self._read(wanted))))
                if len(reads) > READS_AHEAD:
                    first, task = reads.popleft()
                    yield first, await task
            while reads:
                first, task = reads.popleft()
                yield first, await task
        finally:
            for _, task in reads:
                task.cancel()
            await asyncio.gather(*(task for _, task in reads), return_exceptions=True)

    async def _read(self, wanted: list[Record]) -> dict[int, Body]:
        return await self.remote.read(wanted) if wanted else {}

    async def _batch(self, batch: list[Work], bodies: dict[int, Body]) -> None:
        ready = []
        for work in batch:
            body = bodies.get(work.change.key)
            if not work.brings_body or (body is not None and (body.data is not None or body.path is not None)):
                ready.append(work)
            elif body is None or body.vanished:
                self.stale += 1
            else:
                self._hold_back(work, body.why, body.remedy)
        for work in ready:
            if work.change.shelve is Side.LOCAL:
                self.shelve(work)
        await self._to_server([work for work in ready if work.order(Side.REMOTE) is not None])
        await self._to_disk([work for work in ready if work.order(Side.LOCAL) is not None], bodies)
        with self.ledger.transaction():
            for work in ready:
                self._commit(work)
        self.progress.advance(self.account, self.kind.name, len(batch), sum(one.record.size for one in batch if one.brings_body))
        failure = self.local.failure()
        if failure is not None:
            raise failure

    async def _to_server(self, works: list[Work]) -> None:
        if not works:
            return
        places = self.ledger.places_of([work.change.key for work in works])
        jobs, intents = [], []
        for work in works:
            order = work.order(Side.REMOTE)
            assert order is not None  # noqa: S101 - chosen for it
            body = None
            if order.verb in {Verb.CREATE, Verb.REPLACE}:
                body = await asyncio.to_thread(self.local.read, order.key, places.get(order.key, ()))
                what = {"digest": work.record.digest, "size": work.record.size, "homes": sorted(order.homes)}
                intents.append(Intent(order.key, self.kind.items.kind, json.dumps(what), int(self.clock())))
            jobs.append(Job(order, work.record.ref, work.record.stamp, body))
        with self.ledger.transaction():
            self.ledger.intend(intents)
        try:
            receipts = {receipt.key: receipt for receipt in await self.remote.write(jobs)}
        finally:
            for job in jobs:
                if job.body is not None and job.body.path is not None:
                    job.body.path.unlink(missing_ok=True)
        for work in works:
            key = work.change.key
            work.receipts[Side.REMOTE] = receipts.get(key, Receipt(key, Outcome.STALE, why="the server did not answer for it"))

    async def _to_disk(self, works: list[Work], bodies: dict[int, Body]) -> None:
        works = [work for work in works if Side.REMOTE not in work.receipts or work.receipts[Side.REMOTE].outcome is Outcome.DONE]
        if not works:
            return
        places = self.ledger.places_of([work.change.key for work in works if work.record.local is not None])
        jobs = []
        for work in works:
            order = work.order(Side.LOCAL)
            assert order is not None  # noqa: S101 - chosen for it
            key = order.key
            jobs.append(Job(order, work.record.ref, work.record.stamp, bodies.get(key), tuple(places.get(key, ()))))
        receipts = await asyncio.to_thread(self.local.write, jobs, self.ledger)
        for work, receipt in zip(works, receipts, strict=True):
            work.receipts[Side.LOCAL] = receipt
        for job in jobs:
            if job.body is not None and job.body.path is not None:
                job.body.path.unlink(missing_ok=True)

    def _commit(self, work: Work) -> None:
        """Write down what came of one change: the trees as they are seen to be, and the base where both sides hold it."""
        for receipt in work.receipts.values():
            self.ledger.drop_places(receipt.moved)
            self.ledger.put_places(receipt.places)
        told = work.receipts.get(Side.REMOTE)
        if told is not None and told.outcome is Outcome.BOUND:
            self._bind(work.record, told)
        elif told is not None and told.outcome is Outcome.KEPT:
            self.ledger.save([replace(work.record, kind=self.kind.kept, local=None, base=None)])
            self.report.to_server.deleted += 1
        else:
            self.ledger.save([self._outcome(work)])

    def _outcome(self, work: Work) -> Record:
        """Return the record after its orders; count what was done and hold back what was refused."""
        record = work.record
        for side, receipt in work.receipts.items():
            if receipt.outcome is Outcome.DONE or receipt.version is not None:
                record = record.with_side(side, receipt.version)
            if receipt.outcome is Outcome.DONE:
                record = replace(record, ref=receipt.ref or record.ref, digest=receipt.digest or record.digest)
                self._count(side, work.order(side))
        refused = [receipt for receipt in work.receipts.values() if receipt.outcome is Outcome.REFUSED]
        if all(receipt.outcome is Outcome.DONE for receipt in work.receipts.values()):
            if len(work.receipts) == len(work.change.orders):
                record = self._agreed(work, record)
                self._release(record)
            self.ledger.drop_intents([record.key])
        elif not refused:
            self.stale += 1
        for receipt in refused:
            self.ledger.drop_intents([record.key])
            self._hold_back(replace_record(work, record), receipt.why, receipt.remedy)
        return record

    def _agreed(self, work: Work, record: Record) -> Record:
        """Return the record with the base that was meant: what others changed meanwhile then shows as a difference to it."""
        meant: dict[Side, Version | None] = {side: work.record.of(side) for side in Side}
        for side in work.receipts:
            order = work.order(side)
            meant[side] = _meant(order, work.receipts[side]) if order is not None else None
        local, remote = meant[Side.LOCAL], meant[Side.REMOTE]
        if remote is not None and record.remote is not None and local is not None and work.brings_body:
            remote = replace(remote, sense=local.sense)
            record = replace(record, remote=replace(record.remote, sense=local.sense))
        deletes = any(order.verb is Verb.DELETE for order in work.change.orders)
        base = Base(local, remote) if local is not None and remote is not None and not deletes else None
        return replace(record, base=base, name=f"email {record.ref}" if record.ref and not record.name else record.name)

    def _bind(self, record: Record, receipt: Receipt) -> None:
        """Make one item of a local message and the email that the server says holds its content (hard case 51)."""
        assert receipt.ref is not None  # noqa: S101 - a bound receipt names it
        self.ledger.drop_intents([record.key])
        self.stale += 1
        other = self.ledger.by_ref(self.kind.items.kind, [receipt.ref]).get(receipt.ref)
        sense = record.local.sense if record.local is not None else ""
        remote = replace(receipt.version, sense=sense) if receipt.version is not None else None
        if other is None or other.key == record.key:
            self.ledger.save([replace(record, ref=receipt.ref, remote=remote)])
            return
        places = [place._replace(key=other.key) for place in self.ledger.places_of([record.key]).get(record.key, [])]
        self.ledger.put_places(places)
        self.ledger.save([replace(record, local=None, remote=None, base=None)])
        local = record.local
        if local is not None and other.local is not None:
            local = replace(other.local, tags=other.local.tags | local.tags, homes=other.local.homes | local.homes)
        self.ledger.save([replace(other, local=local, remote=remote or other.remote, digest=other.digest or record.digest)])

    def _count(self, side: Side, order: Order | None) -> None:
        counts = self.report.to_disk if side is Side.LOCAL else self.report.to_server
        if order is None:
            return
        if order.verb is Verb.CREATE:
            counts.created += 1
        elif order.verb is Verb.DELETE:
            counts.deleted += 1
        else:
            counts.updated += 1

    def _hold_back(self, work: Work, why: str, remedy: Remedy) -> None:
        now = int(self.clock())
        record = work.record
        self.ledger.hold_back(HeldBack(self.kind.name, label(record), record.key, why, remedy.value, fingerprint(record), now, now))

    def _release(self, record: Record) -> None:
        self.ledger.release([(self.kind.name, label(record))])


def replace_record(work: Work, record: Record) -> Work:
    """Return the work about a newer record."""
    return Work(work.change, record, work.receipts)


def label(record: Record) -> str:
    """Return the name people know an item by."""
    return record.name or f"email {record.ref}"


def fingerprint(record: Record) -> str:
    """Return what both sides held: an item held back is tried again when this changes."""
    return "|".join(encode(version) if version is not None else "-" for version in (record.local, record.remote))


def problems_of(ledger: Ledger, kind: str) -> list[Problem]:
    """Return the items held back as a report tells them."""
    return [Problem(one.item, one.why) for one in ledger.problems(kind)]


def _meant(order: Order, receipt: Receipt) -> Version | None:
    """Return the version an order was to bring about."""
    if order.verb is Verb.DELETE:
        return None
    done = receipt.version
    if done is None:
        return None
    return Version(done.body, done.sense, order.tags, order.homes)


def works_of(changes: Sequence[Change], records: dict[int, Record]) -> Iterator[Work]:
    """Yield changes with their records."""
    for change in changes:
        yield Work(change, records[change.key])
