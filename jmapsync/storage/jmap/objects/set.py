"""Create, patch, move and destroy cards, events and tasks. Every result is checked id by id and read back.

What is to be changed or removed is read first, and written only in the state that it was read in (`ifInState`, RFC 8620, 5.3): an
edit that nobody here has seen is never overwritten. A patch names what was edited and nothing else, so what other clients do to the
rest of an object stays.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from jmapsync.formats.objects import INSTANCES, instances
from jmapsync.formats.patch import apply
from jmapsync.jmap.failures import MethodError, RequestError, SetError, set_errors
from jmapsync.jmap.wire import Call
from jmapsync.planner.model import Verb
from jmapsync.storage.jmap.objects.answer import Found
from jmapsync.storage.jmap.objects.create import Creator
from jmapsync.storage.jmap.objects.forms import fitted_patch, with_own_alerts
from jmapsync.storage.jmap.objects.lone_instances import InstanceSetter, holds_instances
from jmapsync.storage.jmap.objects.mailing import Mailing
from jmapsync.storage.jmap.objects.others_events import beyond_rights
from jmapsync.storage.jmap.objects.sending import Sender, Sent, UnsentError
from jmapsync.storage.jmap.set import destroyed, failed_call, refusal, refused_batch
from jmapsync.storage.port import Done, Job, Receipt, Stale

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jmapsync.formats.objects import Object, Patch
    from jmapsync.jmap.wire import Response
    from jmapsync.planner.model import Order
    from jmapsync.storage.jmap.objects.data import Data
    from jmapsync.storage.jmap.objects.get import Reader

TRIES = 3
"""Times a batch is read and sent anew when something else on the server changes during that."""


def _parts(event: Object | None) -> dict[str, Object]:
    """Return the objects that an item is on the server: the instances of a series that lack it, or the item."""
    return {} if event is None else instances(event) or {"": event}


class _Now(Struct):
    """What the server was read to hold of the objects of a batch."""

    found: Found
    given: dict[str, Object] = {}
    """As the server writes them, by id, where they were read as files."""

    def raw(self, ref: str) -> Object:
        """Return an object in the server's own form."""
        return self.given.get(ref) or self.found.items[ref]


class ObjectSetter:
    """Changes the objects of one kind."""

    def __init__(self, reader: Reader, data: Data, unmailed: frozenset[int] | None = None) -> None:
        """Prepare; `unmailed` is as `Mailing` takes it."""
        self._reader = reader
        self._sender = Sender(reader, data)
        self._mailing = Mailing(reader, unmailed)
        self._creator = Creator(reader, self._sender, self._mailing)
        self.overtaken = self._sender.overtaken
        self._instances = InstanceSetter(reader, self._sender, self._mailing, self.respect)

    async def write(self, jobs: Sequence[Job]) -> list[Receipt]:
        """Carry out orders and return a receipt for each, in no particular order."""
        several = [job for job in jobs if holds_instances(job)]
        receipts = await self._instances.write(several)
        jobs = [job for job in jobs if job not in several]
        new = [job for job in jobs if job.order.verb is Verb.CREATE]
        if new:
            receipts += await self._creator.write(new)
        for verbs, act in (({Verb.REPLACE, Verb.UPDATE}, self._change), ({Verb.DELETE}, self._remove)):
            some = [job for job in jobs if job.order.verb in verbs]
            size = await self._sender.most()
            for start in range(0, len(some), size):
                receipts += await act(some[start : start + size])
        return receipts

    async def mails(self, order: Order, before: Object | None, after: Object | None) -> bool:
        """Return whether participants would be mailed about an order that changes an event from one normal form to another."""
        if before is None and after is not None and not instances(after):
            return await self._mailing.is_due_new(order, after)
        was, now = (_parts(one) for one in (before, after))
        return any([await self._mailing.is_due(order.key, was.get(name), now.get(name)) for name in {**was, **now}])

    # changes

    async def _change(self, jobs: Sequence[Job]) -> list[Receipt]:
        """Send patches; those that meet another state than they were made for are read and sent again."""
        receipts: list[Receipt] = []
        waiting = list(jobs)
        ahead = await self._sender.upload_ahead(job.patch for job in jobs if job.patch)
        for _ in range(TRIES):
            if not waiting:
                break
            now = await self._read(waiting, given=any(job.patch for job in waiting))
            ready: list[Sent] = []
            for job in waiting:
                try:
                    ready.append(await self._sent(job, now, ahead))
                except UnsentError as unsent:
                    receipts.append(unsent.receipt)
            waiting = []
            for some in await self._sender.split(ready):
                receipts += await self._send(some, now, waiting)
                if waiting:
                    break
            else:
                continue
            done = {receipt.key for receipt in receipts} | {job.order.key for job in waiting}
            waiting += [one.job for one in ready if one.job.order.key not in done]
        return receipts + [Stale(job.order.key, "the server changes all the time") for job in waiting]

    async def _read(self, jobs: Sequence[Job], *, given: bool) -> _Now:
        """Read objects as they are now: in one request, so in one state, or else in as many as they take."""
        reader, refs = self._reader, [str(job.ref) for job in jobs]
        now = _Now(Found())
        own = Call(f"{reader.dialect.type}/get", {"accountId": reader.account, "ids": [reader.id(ref) for ref in refs]}, "given")
        wanted = [own] if given and reader.dialect.raw else []
        response: Response | None
        try:
            response = await reader.call([*await reader.gets(refs, "now"), *wanted])
            await reader.take(response, "now", now.found)
        except (MethodError, RequestError) as error:
            if error.type not in {"requestTooLarge", "limit"}:
                raise
            now.found = await reader.fetch(refs)
            response = await reader.call(wanted) if wanted else None
        if wanted and response is not None:
            answer = response.get(own)
            listed = [one for one in answer.get("list") or () if isinstance(one, dict) and "id" in one]
            now.given = {reader.ref(str(one["id"])): one for one in listed}
            if str(answer.get("state") or "") != now.found.state:
                now.found.state = "changed while it was read"  # no state that a server has
        return now

    async def _sent(self, job: Job, now: _Now, ahead: Mapping[str, str]) -> Sent:
        """Return what is to be sent for a job; `ahead` are blob ids of what was uploaded. Raises UnsentError where nothing is."""
        ref, order, reader = str(job.ref), job.order, self._reader
        form = self._sender.form(job, now.found)
        body: dict[str, Any] = {}
        invites = False
        if order.verb is Verb.REPLACE and job.patch is None:
            raise UnsentError.stale(job, "its file could not be read")
        if job.patch and INSTANCES in job.patch:
            raise UnsentError.refused(job, "its file holds instances of a series now, and the server holds the series")
        self._sender.check_body(job, reader.one(ref, now.found).version)
        if job.patch:
            patch = fitted_patch(job.patch, json.loads(job.held or b"{}"), form)
            await self.respect(job, patch, form, now.raw(ref))
            body = with_own_alerts(await self._sender.patch(job, patch, form, now.raw(ref), ahead), now.raw(ref))
            invites = await self._mailing.is_due(order.key, form, apply(form, patch))
        homes = frozenset(reader.keys[box] for box in reader.boxes(now.found.items[ref]) if box in reader.keys)
        if order.added_homes or order.removed_homes:
            self._sender.check_homes(job, homes, order.homes)
            whole = reader.dialect.whole_members
            held = reader.boxes(now.found.items[ref])
            body |= self._sender.members(job, held) if whole else self._sender.member_paths(job)
        return Sent(job, body, invites=invites)

    async def respect(self, job: Job, patch: Patch, form: Object, given: Object) -> None:
        """Raise UnsentError for an edit of somebody else's event that goes beyond what is the user's."""
        if given.get("isOrigin") is not False:
            return
        if too_far := beyond_rights(patch, form, await self._mailing.addresses()):
            raise UnsentError.refused(
                job, f"it is somebody else's event, of which these are not yours to change: {', '.join(too_far)}"
            )

    async def _send(self, some: Sequence[Sent], now: _Now, again: list[Job]) -> list[Receipt]:
        """Send patches and return receipts, and add to `again` the jobs that met another state and are to be tried again."""
        reader = self._reader
        update = {reader.id(one.job.ref): one.body for one in some if one.body}
        call = self._sender.set(now.found.state, update=update, invites=some[0].invites)
        calls = [*([call] if update else []), *await reader.gets([str(one.job.ref) for one in some], "back")]
        try:
            # A patch may be repeated: where it was done already, the state is another one, and it is read before it is sent again.
            response = await reader.call(calls)
            answer = response.get(call) if update else {}
        except (MethodError, RequestError) as error:
            if error.type == "stateMismatch":
                again += [one.job for one in some]
                return []
            return await refused_batch(error, some, lambda one: one.job, partial(self._send, now=now, again=again))
        now.found.state = str(answer.get("newState") or now.found.state)
        back = await self._sender.read_back(response, [str(one.job.ref) for one in some])
        errors = set_errors(answer, "notUpdated")
        receipts: list[Receipt] = []
        for one in some:
            refused = errors.get(reader.id(one.job.ref))
            if refused is None:
                receipts.append(self._sender.receipt(one, str(one.job.ref), back))
            else:
                receipts.append(await self._once_more(one, refused, now))
        return receipts

    async def _once_more(self, one: Sent, refused: SetError, now: _Now) -> Receipt:
        """Send a patch in the form that the server takes, if there is one."""
        other: Sent | None
        if self._sender.turns_out_otherwise(one, refused):
            try:
                other = await self._sent(one.job, now, {})
                other.otherwise = True
            except UnsentError as unsent:
                return unsent.receipt
        else:
            other = self._sender.narrower(one, refused, now.raw(str(one.job.ref)))
        if other is None:
            return refusal(one.job, refused)
        receipts = await self._send([other], now, [])
        return receipts[0] if receipts else Stale(one.job.order.key, "the server changed during the write")

    # removals

    async def _remove(self, jobs: Sequence[Job]) -> list[Receipt]:
        """Destroy objects that are as they were last seen; one that is in a container nobody mirrors only leaves the others."""
        receipts: list[Receipt] = []
        waiting = list(jobs)
        for _ in range(TRIES):
            now = await self._read(waiting, given=False)
            doomed: dict[bool, list[Job]] = {False: [], True: []}  # by whether participants are to be mailed
            leaving: list[Sent] = []
            for job in waiting:
                try:
                    if patch := self._doom(job, now):
                        leaving.append(Sent(job, patch))
                    else:
                        form = None if str(job.ref) not in now.found.items else self._reader.normal_form(str(job.ref), now.found)
                        doomed[await self._mailing.is_due(job.order.key, form, None)].append(job)
                except UnsentError as unsent:
                    receipts.append(unsent.receipt)
            if leaving:
                some = await self._send(leaving, now, doomed[False])
                receipts += [replace(one, version=None) if isinstance(one, Done) else one for one in some]
            waiting = []
            for invites, jobs_of in doomed.items():
                receipts += await self._destroy(jobs_of, now, waiting, invites=invites)
            if not waiting:
                return receipts
        return receipts + [Stale(job.order.key, "the server changes all the time") for job in waiting]

    def _doom(self, job: Job, now: _Now) -> dict[str, Any]:
        """Return the patch that takes an object out of the mirrored containers; nothing where it is to go as a whole.

        Raises UnsentError where it is gone, or is another one than was last seen.
        """
        ref, reader = str(job.ref), self._reader
        self._sender.form(job, now.found)
        version = reader.one(ref, now.found).version
        self._sender.check_body(job, version)
        self._sender.check_homes(job, version.homes)
        return (self._sender.leaving(reader.boxes(now.found.items[ref])) if version.homes else None) or {}

    async def _destroy(self, doomed: list[Job], now: _Now, again: list[Job], *, invites: bool) -> list[Receipt]:
        """Destroy objects in a state and return receipts, and add to `again` the jobs that met another one."""
        if not doomed:
            return []
        call = self._sender.set(now.found.state, destroy=[self._reader.id(job.ref) for job in doomed], invites=invites)
        try:
            answer = (await self._reader.call([call])).get(call)
        except MethodError as error:
            if error.type == "stateMismatch":
                again += doomed
                return []
            return [failed_call(job, error) for job in doomed]
        now.found.state = str(answer.get("newState") or now.found.state)
        return destroyed(doomed, answer, lambda job: self._reader.id(job.ref))
