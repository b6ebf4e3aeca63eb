"""Import local messages byte for byte, by upload and Email/import (RFC 8621, section 4.8).

An import is the one write that must not be repeated blindly: the caller writes an intent down first, and where the answer is
lost, searches for the message instead of sending it again.
"""

from __future__ import annotations

import contextlib
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from jmapsync.errors import ForbiddenError, JmapsyncError, LocalError, NetworkError, OutcomeUnknownError, Remedy, SignInError
from jmapsync.jmap.blobs import Uploaded, upload, upload_together
from jmapsync.jmap.failures import MethodError, RequestError, SetError, set_errors
from jmapsync.jmap.wire import Call, split
from jmapsync.planner.model import Version
from jmapsync.storage.jmap.caller import Caller
from jmapsync.storage.jmap.concurrent import together
from jmapsync.storage.jmap.mail.emails import (
    IMPORTING,
    MAIL,
    READ_BACK,
    Email,
    emails_of,
    get_emails,
    patch,
    seconds,
    utc_date,
    version_of,
)
from jmapsync.storage.jmap.mail.set import read_back
from jmapsync.storage.jmap.set import TOO_LARGE, failed_call, refusal, refused_batch
from jmapsync.storage.port import Bound, Imported, Job, Receipt, Refused, Stale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account
    from jmapsync.storage.jmap.mail.emails import Boxes

MEDIA_TYPE = "application/octet-stream"
"""Cyrus 3.6 and 3.12 rewrite 8-bit header bytes of an upload called message/rfc822, and 3.6 cuts one at a NUL, both silently.

Called by this name the blob is exact, and a rewriting by Email/import shows in the blob id it answers.
"""
TOO_MANY = frozenset({"tooManyMailboxes", "invalidArguments", "invalidProperties"})
"""What an email may be refused for that is to be in more mailboxes than the server takes (RFC 8621, 4.6; James 3.8)."""
MOST = 500
"""Messages an import call: what a server has to parse before it answers."""


class Importer:
    """Creates emails from bytes."""

    def __init__(self, client: Client, account: Account, boxes: Boxes) -> None:
        """Prepare."""
        self._client = client
        self._account = account.id
        self._caller = Caller(client, account, MAIL)
        self._boxes = boxes
        self._marked = False
        """Whether the server takes no message without a keyword (James 3.8)."""
        self._single = False
        """Whether the server takes no message into several mailboxes at once (James 3.8)."""
        self._together = True
        """Whether what was uploaded together can be imported, as far as is known."""

    async def write(self, jobs: Sequence[Job]) -> list[Receipt]:
        """Import messages whose bodies are in the jobs, and return a receipt for each, in no particular order."""
        receipts: list[Receipt] = []
        ready = await self._upload(await self._show_again(jobs, receipts), receipts)
        limits = await self._caller.limits()
        most = min(limits.max_objects_in_set, limits.max_objects_in_get, MOST)
        for some in split(ready, most, limits.room, self._octets):
            receipts += await self._import(some, again=True)
        return receipts

    async def finish(self) -> None:
        """Take the keyword of importing from the emails that an interrupted run left it on; the next run tries what fails."""
        if self._boxes.unfinished:
            with contextlib.suppress(OutcomeUnknownError):
                await self._update({ref: patch((), [IMPORTING], (), ()) for ref in sorted(self._boxes.unfinished)})
        self._boxes.unfinished.clear()

    async def _show_again(self, jobs: Sequence[Job], receipts: list[Receipt]) -> list[Job]:
        """Put emails that others moved where nothing is mirrored into the mailboxes that they are wanted in; return the other jobs.

        To import such a message would double it on a server that takes the same one twice (Stalwart).
        """
        asked = [(job, job.ref) for job in jobs if job.ref and job.same_as]
        if not asked:
            return list(jobs)
        found = await self._existing([ref for _, ref in asked])
        there = {job.order.key: ref for job, ref in asked if ref in found and found[ref].blob_id == job.same_as}
        refused = await self._bring_in([(job, ref) for job, ref in asked if job.order.key in there], found, moved=True)
        bound = [job for job in jobs if job.order.key in there]
        receipts += [refused.get(job.order.key) or self._bound(job, found[there[job.order.key]]) for job in bound]
        return [job for job in jobs if job.order.key not in there]

    async def _upload(self, jobs: Sequence[Job], receipts: list[Receipt]) -> list[tuple[Job, Uploaded]]:
        """Upload every body, small ones together; the client keeps to the number the server allows at the same time."""
        contents = {f"k{job.order.key}": job.body.data for job in jobs if job.body is not None and job.body.data is not None}
        uploaded = await upload_together(self._client, self._account, contents, MEDIA_TYPE) if self._together else {}
        ready = [(job, uploaded[name]) for job in jobs if (name := f"k{job.order.key}") in uploaded]
        rest = [job for job in jobs if f"k{job.order.key}" not in uploaded]
        results = await together(self._upload_one(job) for job in rest)
        receipts += [result for result in results if isinstance(result, Receipt)]
        return ready + [(job, result) for job, result in zip(rest, results, strict=True) if isinstance(result, Uploaded)]

    async def _upload_one(self, job: Job) -> Uploaded | Receipt:
        key, body = job.order.key, job.body
        source = None if body is None else body.data if body.data is not None else body.path
        if body is None or source is None:
            why = body.why if body is not None else "its file could not be read"
            return Stale(key, why)
        try:
            return await upload(self._client, self._account, source, MEDIA_TYPE)
        except RequestError as error:
            too_large = error.limit == "maxSizeUpload" or error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            why = "it is larger than the server takes" if too_large else error.message
            return Refused(key, why, Remedy.NEVER if too_large else error.remedy)
        except ForbiddenError as error:  # an account that is for reading only
            return Refused(key, error.message, error.remedy)
        except (SignInError, NetworkError, LocalError):
            raise
        except JmapsyncError as error:
            return Refused(key, error.message, error.remedy)

    async def _import(self, some: Sequence[tuple[Job, Uploaded]], *, again: bool) -> list[Receipt]:
        emails = {f"k{job.order.key}": self._email(job, uploaded) for job, uploaded in some}
        call = Call("Email/import", {"accountId": self._account, "emails": emails}, "import")
        back = get_emails(self._account, [f"#{name}" for name in emails], "back", READ_BACK)
        try:
            response = await self._caller.call([call, back], repeatable=False)
            answer = response.get(call)
        except OutcomeUnknownError as error:
            return [Stale(job.order.key, error.message) for job, _ in some]
        except MethodError as error:
            return await self._refused(some, error, again=again)
        created, errors = answer.get("created") or {}, set_errors(answer, "notCreated")
        if split_up := [one for one in some if self._is_too_many(one[0], errors.get(f"k{one[0].order.key}"))]:
            self._single = True
            whole = [one for one in some if one not in split_up]
            rest = await self._import(split_up, again=again)
            return [*rest, *await self._receipts(whole, created, errors, read_back(response, back), again=again)]
        return await self._receipts(some, created, errors, read_back(response, back), again=again)

    async def _refused(self, some: Sequence[tuple[Job, Uploaded]], error: MethodError, *, again: bool) -> list[Receipt]:
        """Return the receipts of a call that was refused as a whole: one malformed argument may be why, to James one is."""
        if error.type == "invalidArguments" and not self._marked and any(not job.order.tags for job, _ in some):
            self._marked = True
            return await self._import(some, again=again)
        again_in_part = partial(self._import, again=again)
        return await refused_batch(error, some, lambda one: one[0], again_in_part, {TOO_LARGE, "invalidArguments"})

    def _is_too_many(self, job: Job, error: SetError | None) -> bool:
        """Return whether a message may have been refused because it was to go into several mailboxes."""
        return error is not None and not self._single and len(self._boxes.ids(job.order.homes)) > 1 and error.type in TOO_MANY

    async def _receipts(
        self,
        some: Sequence[tuple[Job, Uploaded]],
        created: dict[str, Any],
        errors: dict[str, SetError],
        back: list[Email],
        *,
        again: bool,
    ) -> list[Receipt]:
        """Return what came of each message."""
        bound = await self._existing([error.existing_id for error in errors.values() if error.existing_id])
        apart = [(job, errors[name].existing_id) for job, _ in some if (name := f"k{job.order.key}") in errors]
        refused = await self._bring_in(apart, bound)
        made = [(job, str(created[name]["id"])) for job, _ in some if (name := f"k{job.order.key}") in created]
        held = await self._complete(made, {email.id: email for email in back})
        held = await self._held([ref for _, ref in made], held)
        receipts, forgotten = [], []
        for job, uploaded in some:
            name = f"k{job.order.key}"
            if name in created:
                receipts.append(self._created(job, uploaded, created[name], held.get(str(created[name]["id"]))))
            elif name not in errors:
                receipts.append(Stale(job.order.key, "the server did not answer for it"))
            elif job.order.key in refused:
                receipts.append(refused[job.order.key])
            elif errors[name].existing_id in bound:
                receipts.append(self._bound(job, bound[errors[name].existing_id]))
            elif again and errors[name].lacks_blob:
                forgotten.append(job)
            else:
                receipts.append(_not_created(job, errors[name]))
        if forgotten:
            self._together = False
            ready = await self._upload(forgotten, receipts)
            receipts += await self._import(ready, again=False)
        return receipts

    async def _complete(self, made: Sequence[tuple[Job, str]], held: dict[str, Email]) -> dict[str, Email]:
        """Give messages what they could not be imported with, and return them as they are then.

        Where that fails they are as they were made: the next run shows what they lack.
        """
        changes: dict[str, dict[str, Any]] = {}
        for job, ref in made:
            homes = self._homes(job)
            lacking = [box for box in self._boxes.ids(job.order.homes) if box not in homes]
            marks = [IMPORTING] if self._marked and not job.order.tags else []
            if lacking or marks:
                changes[ref] = patch((), marks, lacking, ())
        if not changes:
            return held
        update = Call("Email/set", {"accountId": self._account, "update": changes}, "set")
        back = get_emails(self._account, list(changes), "back", READ_BACK)
        with contextlib.suppress(OutcomeUnknownError):
            response = await self._caller.call([update, back])
            return held | {email.id: email for email in read_back(response, back)}
        return held

    def _homes(self, job: Job) -> list[str]:
        """Return the mailboxes that a message is imported into."""
        homes = sorted(self._boxes.ids(job.order.homes))
        return homes[:1] if self._single else homes

    def _email(self, job: Job, uploaded: Uploaded) -> dict[str, Any]:
        words = sorted(job.order.tags) or ([IMPORTING] if self._marked else [])
        return {
            "blobId": uploaded.blob_id,
            "mailboxIds": dict.fromkeys(self._homes(job), True),
            **({"keywords": dict.fromkeys(words, True)} if words else {}),
            "receivedAt": utc_date(job.stamp),
        }

    def _octets(self, one: tuple[Job, Uploaded]) -> int:
        """Return the encoded size of one email to import and of the id that is read back."""
        return len(msgspec.json.encode(self._email(*one))) + 40

    async def _held(self, refs: Sequence[str], held: dict[str, Email]) -> dict[str, Email]:
        """Return the emails just made as the server holds them; those that were not read back in the same request are asked for.

        A server need not know creation ids in /get (RFC 8620, 5.1 and 5.3).
        """
        if missing := [ref for ref in refs if ref not in held]:
            with contextlib.suppress(MethodError):
                held.update(await self._existing(missing))
        return held

    def _created(self, job: Job, uploaded: Uploaded, made: dict[str, Any], held: Email | None) -> Receipt:
        """Return the receipt of an email made, as the server was read to hold it.

        Only an equal blob id says that the server holds our very bytes.
        """
        order = job.order
        size = int(made.get("size") or uploaded.size)
        blob = str(made.get("blobId") or (held.blob_id if held is not None else ""))
        digest = order.source.sense if order.source is not None and blob == uploaded.blob_id else ""
        version = Version(blob, digest, order.tags, order.homes)
        if held is not None:
            seen = version_of(held, self._boxes)
            version = replace(version, tags=seen.tags, homes=seen.homes)
        # James 3.8.1 drops malformed header lines without an error: nothing is left of a message without a header.
        lost = f"the server keeps {size} of its {uploaded.size} octets" if size < uploaded.size else ""
        return Imported(order.key, version, str(made["id"]), size, job.stamp, digest, lost)

    def _bound(self, job: Job, email: Email) -> Receipt:
        version = version_of(email, self._boxes)
        return Bound(job.order.key, version, email.id, email.size, seconds(email.received_at))

    async def _existing(self, refs: Sequence[str]) -> dict[str, Email]:
        """Read emails, such as those that the server says have the same content already."""
        found: dict[str, Email] = {}

        async def ask(some: list[str]) -> None:
            call = get_emails(self._account, some, "existing")
            found.update({email.id: email for email in emails_of(await self._caller.call([call]), call).items})

        await self._caller.in_batches(dict.fromkeys(refs), ask)
        return found

    async def _bring_in(
        self, jobs: Sequence[tuple[Job, str]], bound: dict[str, Email], *, moved: bool = False
    ) -> dict[int, Receipt]:
        """Put emails that exist only in mailboxes left out into those that they are meant for, and read them again into `bound`.

        Where the server takes an email into so few mailboxes that it cannot be in both, those that were `moved` here go from there,
        as an email does that one program moved and then another one. Returns the receipts of those that the server refuses.
        """
        apart = [(job, ref) for job, ref in jobs if ref in bound and not self._boxes.homes(bound[ref].boxes)]
        if not apart:
            return {}
        errors = await self._update({ref: patch((), (), self._boxes.ids(job.order.homes), ()) for job, ref in apart})
        crowded = [one for one in apart if (error := errors.get(one[1])) is not None and error.type in TOO_MANY]
        if crowded and moved:
            again = {ref: {"mailboxIds": dict.fromkeys(sorted(self._boxes.ids(job.order.homes)), True)} for job, ref in crowded}
            errors = {ref: error for ref, error in errors.items() if ref not in again} | await self._update(again)
        bound |= await self._existing([ref for _, ref in apart if ref not in errors])
        return {job.order.key: _not_filed(job, errors[ref]) for job, ref in apart if ref in errors}

    async def _update(self, changes: dict[str, dict[str, Any]]) -> dict[str, SetError | MethodError]:
        """Change emails; return why the server did not, by their ids."""
        limits, errors = await self._caller.limits(), dict[str, SetError | MethodError]()
        most = min(limits.max_objects_in_set, MOST)
        for some in split(changes.items(), most, limits.room, lambda one: len(msgspec.json.encode(one))):
            update = Call("Email/set", {"accountId": self._account, "update": dict(some)}, "set")
            try:
                errors |= set_errors((await self._caller.call([update])).get(update), "notUpdated")
            except MethodError as error:
                errors |= dict.fromkeys((ref for ref, _ in some), error)
        return errors


def _not_filed(job: Job, error: SetError | MethodError) -> Receipt:
    return failed_call(job, error) if isinstance(error, MethodError) else refusal(job, error)


def _not_created(job: Job, error: SetError) -> Receipt:
    if error.type == "invalidEmail":
        why = f"the server does not take it for a message ({error.description or 'invalidEmail'})"
        return Refused(job.order.key, why, Remedy.NEVER)
    return refusal(job, error)
