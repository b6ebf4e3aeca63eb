"""Create cards, events and tasks on the server.

A create must not be repeated blindly: where its answer is lost, the next run shows by the uid whether it was done. A server has
each uid once, and what is there under one already is never overwritten.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from jmapsync.errors import OutcomeUnknownError, Remedy
from jmapsync.jmap.failures import MethodError, RequestError, SetError, set_errors
from jmapsync.storage.jmap.objects.changes import siblings
from jmapsync.storage.jmap.objects.sending import Sent, UnsentError
from jmapsync.storage.jmap.set import refusal, refused_batch
from jmapsync.storage.port import Job, Receipt, Refused, Stale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.formats.objects import Object
    from jmapsync.storage.jmap.objects.get import Reader
    from jmapsync.storage.jmap.objects.mailing import Mailing
    from jmapsync.storage.jmap.objects.sending import Sender


class Creator:
    """Creates objects of one kind."""

    def __init__(self, reader: Reader, sender: Sender, mailing: Mailing) -> None:
        """Prepare."""
        self._reader = reader
        self._sender = sender
        self._mailing = mailing

    async def write(self, jobs: Sequence[Job]) -> list[Receipt]:
        """Create objects and return a receipt for each, in no particular order."""
        receipts: list[Receipt] = []
        items: dict[int, Object] = {}
        for job in jobs:
            data = job.body.data if job.body is not None else None
            if data is None:
                why = (job.body.why if job.body is not None else "") or "its file could not be read"
                receipts.append(Stale(job.order.key, why))
            else:
                items[job.order.key] = json.loads(data)
        ready = [job for job in jobs if job.order.key in items]
        taken = await self._taken([str(item.get("uid") or "") for item in items.values()])
        ahead = await self._sender.upload_ahead(item for item in items.values() if item.get("uid") not in taken)
        sent: list[Sent] = []
        for job in ready:
            item = items[job.order.key]
            try:
                if item.get("uid") in taken:
                    raise UnsentError.refused(job, f"the server has something else under its uid {item['uid']}", Remedy.LATER)
                body = await self._sender.item(job, item, ahead)
                sent.append(Sent(job, body, invites=await self._mailing.is_due_new(job.order, item)))
            except UnsentError as unsent:
                receipts.append(unsent.receipt)
        for some in await self._sender.split(sent):
            receipts += await self._send(some)
        return receipts

    async def _taken(self, uids: list[str]) -> set[str]:
        """Return the uids that a calendar has events of, which a new one would replace, contents and all (Cyrus 3.12)."""
        if not self._reader.dialect.wanted:
            return set()
        return set(await siblings(self._reader, filter(None, uids)))

    async def _send(self, some: Sequence[Sent]) -> list[Receipt]:
        create = {_name(one): one.body for one in some}
        call = self._sender.set(create=create, invites=some[0].invites)
        back = await self._reader.gets([f"#{name}" for name in create], "back")
        try:
            response = await self._reader.call([call, *back], repeatable=False)
            answer = response.get(call)
        except OutcomeUnknownError as error:
            return [Stale(one.job.order.key, error.message) for one in some]
        except (MethodError, RequestError) as error:
            return await refused_batch(error, some, lambda one: one.job, self._send)
        errors = set_errors(answer, "notCreated")
        created = answer.get("created") or {}
        made = {name: self._reader.ref(str(one["id"])) for name, one in created.items() if isinstance(one, dict) and "id" in one}
        found = await self._sender.read_back(response, list(made.values()))
        receipts: list[Receipt] = []
        mistaken: list[Sent] = []
        for one in some:
            name = _name(one)
            if name in made:
                receipts.append(self._sender.receipt(one, made[name], found))
            elif name in errors and self._sender.turns_out_otherwise(one, errors[name]):
                mistaken.append(one)
            elif name not in errors:
                receipts.append(Stale(one.job.order.key, "the server did not answer for it"))
            else:
                receipts += await self._refused(one, errors[name])
        return receipts + (await self._once_more(mistaken) if mistaken else [])

    async def _once_more(self, mistaken: list[Sent]) -> list[Receipt]:
        """Send new objects as the server turned out to want them."""
        receipts: list[Receipt] = []
        sent: list[Sent] = []
        for one in mistaken:
            data = one.job.body.data if one.job.body is not None else None
            try:
                body = await self._sender.item(one.job, json.loads(data or b"{}"))
                sent.append(Sent(one.job, body, otherwise=True, invites=one.invites))
            except UnsentError as unsent:
                receipts.append(unsent.receipt)
        for some in await self._sender.split(sent):
            receipts += await self._send(some)
        return receipts

    async def _refused(self, one: Sent, error: SetError) -> list[Receipt]:
        """Send an object once more without what the server does not take of it, or return why it cannot be made."""
        if error.type == "alreadyExists" or (error.type == "invalidProperties" and "uid" in error.properties):
            why = "the server has something else under its uid, or had it a moment ago"
            return [Refused(one.job.order.key, why, Remedy.LATER)]
        narrower = self._sender.narrower(one, error, {})
        return await self._send([narrower]) if narrower is not None else [refusal(one.job, error)]


def _name(one: Sent) -> str:
    return f"k{one.job.order.key}"
