"""Carry out orders on cards, events and tasks: new ones, patches, moves, removals. Every result is checked id by id and read back.

A patch names what was edited and nothing else, so what other clients do at the same time stays. What is to be removed is read
first: an edit that nobody here has seen beats the removal.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from jmapsync.errors import OutcomeUnknownError, Remedy
from jmapsync.formats.codec import MalformedError
from jmapsync.formats.setaside import decode
from jmapsync.jmap.blobs import upload
from jmapsync.jmap.failures import MethodError, SetError, set_errors
from jmapsync.jmap.wire import Call, split
from jmapsync.planner.model import Verb
from jmapsync.storage.port import Job, Outcome, Receipt
from jmapsync.storage.remote.objects.reading import BATCH, DEFAULT, Found
from jmapsync.storage.remote.write import failed_call, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jmapsync.formats.codec import Object
    from jmapsync.jmap.client import Client
    from jmapsync.storage.remote.objects.reading import Reader


@dataclass(slots=True)
class _Sent:
    """One job with what is sent for it."""

    job: Job
    body: dict[str, Any]
    """The new object, or the patch, as the server takes it."""
    octets: int = field(init=False)

    def __post_init__(self) -> None:
        """Measure it."""
        self.octets = len(json.dumps(self.body)) + 2 * len(str(self.job.ref)) + 64


class ObjectSetter:
    """Changes the objects of one kind."""

    def __init__(self, client: Client, reader: Reader) -> None:
        """Prepare."""
        self._client = client
        self._reader = reader
        self._dialect = reader.dialect

    async def write(self, jobs: Sequence[Job]) -> list[Receipt]:
        """Carry out orders and return a receipt for each, in no particular order."""
        new = [job for job in jobs if job.order.verb is Verb.CREATE]
        changed = [job for job in jobs if job.order.verb in {Verb.REPLACE, Verb.UPDATE}]
        leaving = [job for job in jobs if job.order.verb is Verb.DELETE]
        receipts: list[Receipt] = []
        for act, some in ((self._create, new), (self._change, changed), (self._destroy, leaving)):
            for start in range(0, len(some), BATCH):
                receipts += await act(some[start : start + BATCH])
        return receipts

    # new objects

    async def _create(self, jobs: Sequence[Job]) -> list[Receipt]:
        sent, receipts = [], []
        taken = await self._taken([str(json.loads(_data(job)).get("uid") or "") for job in jobs])
        for job in jobs:
            item = json.loads(_data(job))
            if item.get("uid") in taken:
                why = "the server has something under this uid that is not mirrored: instances of a series without the series"
                receipts.append(Receipt(job.order.key, Outcome.REFUSED, why=why, remedy=Remedy.LATER))
                continue
            try:
                body = self._dialect.down(item, await self._uploaded(item))
            except MalformedError as error:
                receipts.append(Receipt(job.order.key, Outcome.REFUSED, why=str(error), remedy=Remedy.NEVER))
                continue
            sent.append(_Sent(job, body | self._members(job)))
        for some in await self._split(sent):
            receipts += await self._send_new(some)
        return receipts

    async def _taken(self, uids: list[str]) -> set[str]:
        """Return the uids that the server has objects of: a new event would replace them, contents and all (Cyrus 3.12)."""
        if not self._dialect.whole_members:
            return set()
        conditions = [{"uid": uid} for uid in uids if uid]
        if not conditions:
            return set()
        query = Call(
            f"{self._dialect.type}/query",
            {"accountId": self._reader.account, "filter": {"operator": "OR", "conditions": conditions}},
            "taken",
        )
        get = Call(
            f"{self._dialect.type}/get",
            {"accountId": self._reader.account, "ids": query.ref("/ids"), "properties": ["uid"]},
            "uids",
        )
        answer = (await self._reader.call([query, get])).get(get)
        return {str(one.get("uid")) for one in answer.get("list") or () if isinstance(one, dict)}

    async def _send_new(self, some: list[_Sent]) -> list[Receipt]:
        create = {f"k{one.job.order.key}": one.body for one in some}
        call = self._set({"create": create})
        try:
            answer = (await self._reader.call([call], repeatable=False)).get(call)
        except OutcomeUnknownError:
            # The next look tells by the uid whether they are there.
            return [Receipt(one.job.order.key, Outcome.STALE, why="the server's answer was lost") for one in some]
        except MethodError as error:
            return await self._halved(some, error, self._send_new)
        errors = set_errors(answer, "notCreated")
        made = {
            name: str(one["id"]) for name, one in (answer.get("created") or {}).items() if isinstance(one, dict) and "id" in one
        }
        found = await self._reader.fetch(sorted(made.values()))
        await self._reader.open(found)
        receipts = []
        for one in some:
            name = f"k{one.job.order.key}"
            if name in made:
                receipts.append(self._read_back(one.job, made[name], found))
            else:
                refused = errors.get(name) or SetError("serverFail", "the server did not answer for it")
                receipts.append(refusal(one.job, refused))
        return receipts

    # changes

    async def _change(self, jobs: Sequence[Job]) -> list[Receipt]:
        given = await self._given([str(job.ref) for job in jobs if job.patch])
        sent, receipts = [], []
        for job in jobs:
            try:
                body = await self._body(job, given)
            except MalformedError as error:
                receipts.append(Receipt(job.order.key, Outcome.REFUSED, why=str(error), remedy=Remedy.NEVER))
                continue
            sent.append(_Sent(job, body))
        for some in await self._split(sent):
            receipts += await self._send_changes(some)
        return receipts

    async def _body(self, job: Job, given: dict[str, Object]) -> dict[str, Any]:
        """Return the patch of one job, for its content and its containers."""
        patch: dict[str, Any] = {}
        if job.patch:
            held, blobs = json.loads(job.held or b"{}"), await self._uploaded(job.patch)
            patch = dict(self._dialect.down_patch(job.patch, held, given.get(str(job.ref), {}), blobs))
        order = job.order
        if order.added_homes or order.removed_homes:
            patch |= self._members(job) if self._dialect.whole_members else self._member_paths(job)
        return patch

    async def _given(self, refs: list[str]) -> dict[str, Object]:
        """Return objects in the server's own form, where they are read as files but written as objects."""
        if not self._dialect.raw or not refs:
            return {}
        call = Call(f"{self._dialect.type}/get", {"accountId": self._reader.account, "ids": refs}, "given")
        answer = (await self._reader.call([call])).get(call)
        return {str(one["id"]): one for one in answer.get("list") or () if isinstance(one, dict) and "id" in one}

    async def _send_changes(self, some: list[_Sent]) -> list[Receipt]:
        refs = [str(one.job.ref) for one in some]
        call = self._set({"update": {str(one.job.ref): one.body for one in some if one.body}})
        gets = self._reader.gets(refs, "back")
        calls = [call, *gets] if any(one.body for one in some) else gets
        try:
            response = await self._reader.call(calls)
        except OutcomeUnknownError:
            response = await self._reader.call(calls)  # a patch finds its work done the second time
        found = Found()
        try:
            answer = response.get(call) if call in calls else {}
            self._reader.take(response, "back", found)
        except MethodError as error:
            return await self._halved(some, error, self._send_changes)
        await self._reader.open(found)
        errors = set_errors(answer, "notUpdated")
        receipts = []
        for one in some:
            ref = str(one.job.ref)
            if ref in errors:
                receipts.append(refusal(one.job, errors[ref]))
            else:
                receipts.append(self._read_back(one.job, ref, found))
        return receipts

    # removals

    async def _destroy(self, jobs: Sequence[Job]) -> list[Receipt]:
        found = await self._reader.fetch([str(job.ref) for job in jobs])
        await self._reader.open(found)
        receipts, doomed = [], []
        for job in jobs:
            ref, expected = str(job.ref), job.order.expect
            if ref not in found.items:
                receipts.append(Receipt(job.order.key, Outcome.DONE))
            elif expected is not None and self._version_body(ref, found) != expected.body:
                receipts.append(Receipt(job.order.key, Outcome.STALE, why="it was edited on the server meanwhile"))
            else:
                doomed.append(job)
        if not doomed:
            return receipts
        state = {"ifInState": found.state} if found.state else {}
        call = self._set({"destroy": [str(job.ref) for job in doomed], **state})
        try:
            answer = (await self._reader.call([call])).get(call)
        except MethodError as error:
            return receipts + [failed_call(job, error) for job in doomed]
        errors, gone = set_errors(answer, "notDestroyed"), set(answer.get("destroyed") or ())
        for job in doomed:
            refused = errors.get(str(job.ref))
            if str(job.ref) in gone or (refused is not None and refused.type == "notFound"):
                receipts.append(Receipt(job.order.key, Outcome.DONE))
            else:
                receipts.append(refusal(job, refused or SetError("serverFail", "the server did not answer for it")))
        return receipts

    def _version_body(self, ref: str, found: Found) -> str:
        try:
            return self._reader.one(ref, found).version.body
        except (MalformedError, KeyError):
            return ""

    # what all of them need

    def _set(self, arguments: dict[str, Any]) -> Call:
        return Call(f"{self._dialect.type}/set", {"accountId": self._reader.account, **self._dialect.arguments, **arguments}, "set")

    def _members(self, job: Job) -> dict[str, Any]:
        """Return the containers that an object is to be in, whole."""
        if not self._dialect.member:
            return {}
        return {self._dialect.member: {box: True for box, key in sorted(self._reader.keys.items()) if key in job.order.homes}}

    def _member_paths(self, job: Job) -> dict[str, Any]:
        """Return what changes of the containers that an object is in."""
        paths: dict[str, Any] = {}
        for box, key in sorted(self._reader.keys.items()):
            if box != DEFAULT or self._dialect.member:
                if key in job.order.added_homes:
                    paths[f"{self._dialect.member}/{box}"] = True
                elif key in job.order.removed_homes:
                    paths[f"{self._dialect.member}/{box}"] = None
        return paths

    async def _uploaded(self, value: Any) -> dict[str, str]:  # noqa: ANN401 # any JSON value
        """Upload the data inside a value, where the server takes none in place; return the blobs' ids by URI."""
        blobs: dict[str, str] = {}
        if self._dialect.uploads:
            for uri in _data_uris(value):
                data = decode(uri)
                if data is not None and uri not in blobs:
                    media_type, octets = data
                    blob = await upload(self._client, self._reader.account, octets, media_type or "application/octet-stream")
                    blobs[uri] = blob.blob_id
        return blobs

    async def _split(self, sent: list[_Sent]) -> Iterator[list[_Sent]]:
        limits = (await self._client.session()).limits
        most = min(limits.max_objects_in_set, limits.max_objects_in_get)
        return split(sent, most, limits.room, lambda one: one.octets)

    async def _halved(self, some: list[_Sent], error: MethodError, again: Any) -> list[Receipt]:  # noqa: ANN401 # one of our own
        """Send a batch that is too large in two halves; anything else holds the batch back."""
        if error.type == "requestTooLarge" and len(some) > 1:
            middle = len(some) // 2
            return [*await again(some[:middle]), *await again(some[middle:])]
        return [failed_call(one.job, error) for one in some]

    def _read_back(self, job: Job, ref: str, found: Found) -> Receipt:
        """Return a receipt by what the server was read to hold after the write."""
        order = job.order
        if ref not in found.items:
            return Receipt(order.key, Outcome.STALE, why="it is not there after the change", ref=None)
        try:
            seen = self._reader.one(ref, found)
        except (MalformedError, KeyError) as error:
            return Receipt(order.key, Outcome.STALE, why=f"it cannot be read after the change: {error}")
        if order.added_homes - seen.version.homes and order.verb is Verb.UPDATE:
            why = "the server accepted that it was moved but did not keep it"
            return Receipt(order.key, Outcome.REFUSED, seen.version, why)
        done = Receipt(order.key, Outcome.DONE, seen.version, content=seen.content)
        return replace(done, ref=ref, size=seen.size) if order.verb is Verb.CREATE else done


def _data(job: Job) -> bytes:
    return (job.body.data if job.body is not None else None) or b"{}"


def _data_uris(value: Any) -> Iterator[str]:  # noqa: ANN401 # any JSON value
    if isinstance(value, dict):
        for part in value.values():
            yield from _data_uris(part)
    elif isinstance(value, list):
        for part in value:
            yield from _data_uris(part)
    elif isinstance(value, str) and value[:5].lower() == "data:":
        yield value
