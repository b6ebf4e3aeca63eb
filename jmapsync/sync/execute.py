"""Carry plans out: bodies in a pipeline of batches, one ledger commit a batch, the server before the disk.

After a crash at any point the next run observes what was done, and its plan has only the rest in it.
"""

from __future__ import annotations

import time
from contextlib import aclosing
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from jmapsync.errors import Remedy
from jmapsync.ledger.intents import announce, superseded
from jmapsync.planner.model import Side, Verb
from jmapsync.storage.port import Body, Bound, Done, Imported, Job, Kept, Receipt, Stale, Success
from jmapsync.sync.batches import Batches, Pace
from jmapsync.sync.commit import Committer, Work
from jmapsync.sync.merge_objects import Objects
from jmapsync.sync.report import Problem
from jmapsync.sync.room import PROBED, Room
from jmapsync.sync.steps import log_works
from jmapsync.sync.threads import complete

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jmapsync.ledger import Ledger, Place, Record
    from jmapsync.sync.channel import Channel


class Executor(Struct):
    """Carries out changes of one kind of one account."""

    channel: Channel
    committer: Committer
    _pace: Pace
    _room: Room
    _bound: set[str] = set()
    """The server's ids of emails that turned out to be local messages; see `port.Bound`."""

    @classmethod
    def of(cls, channel: Channel) -> Executor:
        """Return what carries changes out in a channel."""
        committer = Committer(channel.kind, channel.ledger, channel.report, channel.clock, channel.quarantine, channel.withdrawn)
        if channel.codec is not None:
            committer.objects = Objects(channel.ledger, channel.codec)
        room = Room(channel.kind, channel.remote, channel.ledger, channel.clock, full=channel.options.full)
        return cls(channel, committer, Pace(), room)

    async def run(self, works: Iterable[Work]) -> None:
        """Carry out changes; an item whose change fails is quarantined by name, and the others go on.

        Raises what stops the whole kind: no network, a disk that refuses, a sign-in that is needed.
        """
        self._bound.clear()
        batches = Batches(works, self._read, self._pace).with_bodies()
        async with aclosing(batches):
            async for batch, bodies in batches:
                await self._batch(batch, bodies)

    async def _read(self, works: list[Work]) -> dict[int, Body]:
        wanted = [work.record for work in works if work.brings_body]
        if not wanted:
            return {}
        channel, objects = self.channel, self.committer.objects
        return await (channel.remote.read(wanted) if objects is None else objects.read(wanted, channel.local, channel.remote))

    async def _batch(self, batch: list[Work], bodies: dict[int, Body]) -> None:
        ready = []
        for work in batch:
            body = bodies.get(work.change.key)
            if not work.brings_body or (body is not None and (body.data is not None or body.path is not None)):
                ready.append(work)
            elif body is None or body.vanished:
                self.committer.stale[work.change.key] = body.why if body is not None else "the server did not answer for it"
            else:
                self.committer.quarantine.add(work.record, work.change.orders, body.why, body.remedy)
        ready = [work for work in ready if work.record.ref not in self._bound and self._is_kept(work)]
        ready = await self._with_room(ready)
        await self._to_server([work for work in ready if work.remote is not None])
        self._room.note(ready)
        ready = self._without_bound(ready)
        await self._to_disk([work for work in ready if work.local is not None], bodies)
        await complete(self.committer.commit, ready)
        await log_works(self.channel, ready)
        octets, channel = sum(one.record.size for one in batch if one.brings_body), self.channel
        channel.progress.advance(channel.account, channel.kind.name, len(batch), octets)
        failure = channel.local.failure()
        if failure is not None:
            raise failure

    def _is_kept(self, work: Work) -> bool:
        """Keep a conflict copy of what is about to be overwritten; return whether that is done, or need not be."""
        kept = work.change.loser is not Side.LOCAL or self.channel.keep_loser(work)
        if not kept:
            self.committer.stale[work.change.key] = "the version here that is to be kept cannot be read"
        return kept

    async def _with_room(self, works: list[Work]) -> list[Work]:
        """Return works without those that the server has no room for, which are quarantined with the figures."""
        found = await self._room.admit(works)
        if found.without_room:
            with self.channel.ledger.transaction():
                for work, why in found.without_room:
                    self.committer.quarantine.add(work.record, work.change.orders, why, Remedy.ROOM)
        for work in found.later:
            self.committer.stale[work.change.key] = PROBED
        return found.admitted

    def _without_bound(self, works: list[Work]) -> list[Work]:
        """Return works without those of emails that were just found to be local messages: these are planned again."""
        self._bound |= {work.remote_receipt.ref for work in works if isinstance(work.remote_receipt, Bound)}
        return [work for work in works if work.remote_receipt is not None or work.record.ref not in self._bound]

    async def _to_server(self, works: list[Work]) -> None:
        if not works:
            return
        channel, objects = self.channel, self.committer.objects
        kind = channel.kind.items.kind
        places = channel.ledger.places_of([work.change.key for work in works])
        retired = superseded(channel.ledger, kind)
        jobs, intents = [], []
        for work in works:
            order = work.remote
            assert order is not None  # noqa: S101 - chosen for it
            body, stamp = None, work.record.stamp
            if work.sends_body:
                stamp = _date_sent(work.record, places.get(order.key, ()))
                body = await complete(channel.local.read, order.key, places.get(order.key, ()))
            job = Job(order, work.record.ref, stamp, body, superseded=order.key in retired, same_as=_known_as(work))
            if objects is not None:
                job = self._with_edit(objects, work, job)
            elif body is not None:
                intents.append(announce(work.record, kind, body.size, int(channel.clock())))
            jobs.append(job)
        with channel.ledger.transaction():
            channel.ledger.intend(intents)
        idle = {job.order.key: _as_held(job) for job in jobs if _asks_nothing(job)}
        began = time.monotonic()
        try:
            answered = await channel.remote.write([job for job in jobs if job.order.key not in idle])
        finally:
            for job in jobs:
                if job.body is not None and job.body.path is not None:
                    job.body.path.unlink(missing_ok=True)
        if sent := [job.body.size for job in jobs if job.body is not None and job.body.data is not None]:
            self._pace.note(len(sent), sum(sent), time.monotonic() - began)
        receipts = idle | {one.key: one for one in answered}
        for work in works:
            key = work.change.key
            work.remote_receipt = receipts.get(key) or Stale(key, "the server did not answer for it")

    def _with_edit(self, objects: Objects, work: Work, job: Job) -> Job:
        """Return the job of an object with what is known of it there, and with what is to change, if it is there."""
        if work.remote is None or work.remote.verb is not Verb.REPLACE or job.body is None:
            return replace(job, held=objects.held(work))
        work.edit = objects.edit(work)
        if work.edit.conflicts:
            self.channel.keep_loser(work)
        return replace(job, held=objects.held(work), patch=objects.with_data(work.edit.patch, job.body))

    async def _to_disk(self, works: list[Work], bodies: dict[int, Body]) -> None:
        works = [work for work in works if isinstance(work.remote_receipt, Success | Kept | None)]
        if not works:
            return
        places = self.channel.ledger.places_of([work.change.key for work in works if work.record.local is not None])
        jobs = []
        for work in works:
            order = work.local
            assert order is not None  # noqa: S101 - chosen for it
            key = order.key
            made = work.remote_receipt.stamp if isinstance(work.remote_receipt, Imported) else 0
            jobs.append(Job(order, work.record.ref, made or work.record.stamp, bodies.get(key), tuple(places.get(key, ()))))
        written = await complete(self.channel.local.write, jobs, self.channel.ledger)
        self.channel.ledger.put_folders(written.folders)
        for work, receipt in zip(works, written.receipts, strict=True):
            work.local_receipt = receipt
        for job in jobs:
            if job.body is not None and job.body.path is not None:
                job.body.path.unlink(missing_ok=True)


def _known_as(work: Work) -> str:
    """Return how the server knew the content of a message that it no longer shows, and that was not edited since; or nothing."""
    order, base = work.remote, work.record.base
    if order is None or order.verb is not Verb.CREATE or order.source is None or base is None:
        return ""
    return base.remote.body if order.source.body == base.local.body else ""


def _asks_nothing(job: Job) -> bool:
    """Return whether the server holds all that is to be sent: an edit of noise only, or of what it changed too."""
    order = job.order
    return job.patch == {} and order.expect is not None and (order.tags, order.homes) == (order.expect.tags, order.expect.homes)


def _as_held(job: Job) -> Receipt:
    return Done(job.order.key, job.order.expect, job.held)


def _date_sent(record: Record, places: Sequence[Place]) -> int:
    """Return the receivedAt of what is sent, in seconds since the epoch.

    An edited message is a new email, whose file shows when it came to be; any other keeps the date that it has.
    """
    edited = record.base is not None and record.local is not None and record.local.body != record.base.local.body
    return places[0].stamp if edited and places else record.stamp


def problems_of(ledger: Ledger, kind: str) -> list[Problem]:
    """Return the quarantined items as a report lists them."""
    return [Problem(one.item, one.why) for one in ledger.problems(kind)]
