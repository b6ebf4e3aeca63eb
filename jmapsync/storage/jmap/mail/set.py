"""Change and destroy emails by Email/set; remove the old versions of edited ones.

Every result is checked id by id, and what was written is read back in the same request, because a server may accept a change
and not keep it. Patches name single keywords and mailboxes, so what other clients do at the same time stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from jmapsync.errors import OutcomeUnknownError, Remedy
from jmapsync.jmap.failures import MethodError, set_errors
from jmapsync.jmap.wire import Call, split
from jmapsync.planner.model import Order, Verb
from jmapsync.storage.jmap.caller import Caller
from jmapsync.storage.jmap.mail.emails import MAIL, READ_BACK, Boxes, Email, emails_of, get_emails, patch, tags_of, version_of
from jmapsync.storage.jmap.set import destroyed, failed_call, refusal, refused_batch
from jmapsync.storage.port import Done, Imported, Job, Kept, Receipt, Refused, Stale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account
    from jmapsync.jmap.wire import Response


class _Batch(Struct):
    """What is to be sent, and what is known already."""

    receipts: list[Receipt] = []
    patches: list[tuple[Job, dict[str, Any]]] = []
    destroyed: list[Job] = []
    state: str = ""
    """The server's state when the emails to be destroyed were read."""


class Setter:
    """Changes and removes emails that the server has."""

    def __init__(self, client: Client, account: Account, boxes: Boxes, on_delete: str) -> None:
        """Prepare. `on_delete` is `trash`, `destroy` or `keep`."""
        self._caller = Caller(client, account, MAIL)
        self._account = account.id
        self._boxes = boxes
        self._on_delete = on_delete

    async def write(self, jobs: Sequence[Job]) -> list[Receipt]:
        """Carry out UPDATE and DELETE orders and return a receipt for each, in no particular order."""
        batch = _Batch()
        leaving = [job for job in jobs if job.order.verb is Verb.DELETE]
        if self._on_delete == "keep":
            batch.receipts += [Kept(job.order.key) for job in leaving if not _is_old_draft(job)]
            leaving = [job for job in leaving if _is_old_draft(job)]
        await self._remove(leaving, batch)
        for job in jobs:
            if job.order.verb is Verb.UPDATE and any(
                set("/~") & set(word) for word in job.order.added_tags | job.order.removed_tags
            ):
                # Cyrus 3.6 and 3.12 do not undo the escapes of a patch path: such a keyword is written with all the others.
                batch.receipts.append(await self._replace(job))
            elif job.order.verb is Verb.UPDATE:
                batch.patches.append((job, self._patch(job.order)))
        return batch.receipts + await self._send(batch)

    async def _send(self, batch: _Batch) -> list[Receipt]:
        """Send patches and removals in batches of what the session allows; what is destroyed is so in the state it was read in."""
        receipts: list[Receipt] = []
        limits = await self._caller.limits()
        most = min(limits.max_objects_in_set, limits.max_objects_in_get)
        state = batch.state
        for gone in split(batch.destroyed, most, limits.room, lambda job: len(str(job.ref)) + 3):
            some_receipts, state = await self._destroy(gone, state)
            receipts += some_receipts
        for some in split(batch.patches, most, limits.room, _octets):
            receipts += await self._update(some)
        return receipts

    async def retire(self, jobs: Sequence[Job], receipts: list[Receipt]) -> list[Receipt]:
        """Remove the emails whose edited successors were just imported (RFC 8621: an email's content never changes).

        A draft is destroyed, as every mail program does; any other message goes where deleted mail goes. One that cannot be
        removed stays, and is mirrored as what it is now: an old version too many is no loss.
        """
        made = {receipt.key: receipt.ref for receipt in receipts if isinstance(receipt, Imported)}
        old = [job for job in jobs if job.order.verb is Verb.REPLACE and job.order.key in made and job.ref]
        others = [job for job in old if not _is_old_draft(job)]
        batch = _Batch()
        leaving = [job for job in old if self._on_delete != "keep" or job not in others]
        found = await self._remove(leaving, batch)
        for job in old:
            now, before = found.get(str(job.ref)), job.order.expect
            if now is not None and before is not None and tags_of(now) != before.tags:
                # Another client flagged the old version since it was last seen; the flags are the message's.
                change = patch(tags_of(now) - before.tags, before.tags - tags_of(now), (), ())
                batch.patches.append((replace(job, ref=made[job.order.key]), change))
        sent = {receipt.key for receipt in await self._send(batch) if isinstance(receipt, Done)}
        destroyed = {job.order.key for job in batch.destroyed} & sent
        left = {job.order.key: str(job.ref) for job in others} if self._on_delete == "keep" else {}
        gone = {receipt.key for receipt in batch.receipts if isinstance(receipt, Done)} | destroyed
        there = {job.order.key: str(job.ref) for job in leaving if job.order.key not in gone}
        return [
            replace(one, left=left.get(one.key, ""), retired=there.get(one.key, "")) if isinstance(one, Imported) else one
            for one in receipts
        ]

    async def _remove(self, jobs: Sequence[Job], batch: _Batch) -> dict[str, Email]:
        """Read emails that are to go, sort out what that means for each, and return them."""
        found: dict[str, Email] = {}
        lost: set[str] = set()

        async def ask(some: list[str]) -> None:
            call = get_emails(self._account, some, "now", READ_BACK)
            now = emails_of(await self._call([call]), call, READ_BACK)
            batch.state = batch.state or now.state
            found.update({email.id: email for email in now.items})
            lost.update(now.not_found)

        await self._caller.in_batches([str(job.ref) for job in jobs], ask)
        for job in jobs:
            if str(job.ref) in found or str(job.ref) in lost:
                self._sort_out(job, found.get(str(job.ref)), batch)
            else:  # silence, or what cannot be read, does not mean that it is gone
                why = "the server did not say what has become of it"
                batch.receipts.append(Refused(job.order.key, why, Remedy.LATER))
        return found

    def _sort_out(self, job: Job, now: Email | None, batch: _Batch) -> None:
        """Decide what deleting an email means on the server: leave its mailboxes, go to Trash, or be destroyed."""
        order = job.order
        if now is None:
            batch.receipts.append(Done(order.key))
            return
        expected = order.expect.homes if order.expect else frozenset()
        version = version_of(now, self._boxes)
        mirrored = version.homes
        if mirrored != expected:
            batch.receipts.append(Stale(order.key, "it was moved on the server since it was last read"))
            return
        leave = self._boxes.ids(mirrored)
        elsewhere = [box for box in now.boxes if box not in leave]
        trash = self._boxes.roles.get("trash")
        if _is_old_draft(job) and "$draft" in version.tags and self._boxes.outside.isdisjoint(elsewhere):
            batch.destroyed.append(job)
        elif elsewhere:
            batch.patches.append((job, patch((), (), (), leave)))
        elif self._on_delete == "destroy" or (trash is not None and leave == [trash]):
            batch.destroyed.append(job)
        elif trash is None:
            why = 'the server has no Trash mailbox; make one, or set on_delete = "destroy" or "keep"'
            # Any change of the configuration or the account may fix it, and finding out costs next to nothing.
            batch.receipts.append(Refused(order.key, why, Remedy.LATER))
        else:
            batch.patches.append((job, patch((), (), [trash], [box for box in leave if box != trash])))

    def _patch(self, order: Order) -> dict[str, Any]:
        return patch(
            order.added_tags,
            order.removed_tags,
            self._boxes.ids(order.added_homes),
            self._boxes.ids(order.removed_homes),
        )

    async def _update(self, some: Sequence[tuple[Job, dict[str, Any]]]) -> list[Receipt]:
        """Send patches and read the emails back in the same request."""
        if not some:
            return []
        account = self._account
        update = Call("Email/set", {"accountId": account, "update": {str(job.ref): change for job, change in some}}, "set")
        back = get_emails(account, [str(job.ref) for job, _ in some], "back", READ_BACK)
        response = await self._call([update, back])
        try:
            answer = response.get(update)
        except MethodError as error:
            return await refused_batch(error, some, lambda one: one[0], self._update)
        errors = set_errors(answer, "notUpdated")
        held = {email.id: email for email in read_back(response, back)}
        receipts = []
        for job, change in some:
            refused = errors.get(str(job.ref))
            if refused is not None and refused.type == "invalidPatch":
                receipts.append(await self._replace(job))
            elif refused is not None:
                receipts.append(refusal(job, refused))
            else:
                receipts.append(self._checked(job, change, held.get(str(job.ref))))
        return receipts

    def _checked(self, job: Job, change: dict[str, Any], held: Email | None) -> Receipt:
        """Return a receipt by what the server was read to hold after the write."""
        order = job.order
        if held is None:
            return Stale(order.key, "it is not there after the change")
        version = version_of(held, self._boxes, order.expect.sense if order.expect else "")
        wanted = order.homes if order.verb is Verb.UPDATE else version.homes
        lost = (order.tags - version.tags) | (order.removed_tags & version.tags) if order.verb is Verb.UPDATE else frozenset[str]()
        if change and (lost & (order.added_tags | order.removed_tags) or (wanted & order.added_homes) - version.homes):
            # A mailbox that may be filled and not read (`mayReadItems`) is not shown, though the server may keep the message there.
            what = f"{', '.join(sorted(lost))} but did not keep it" if lost else "the mailboxes but does not show it"
            return Refused(order.key, f"the server accepted a change of {what}", version=version)
        return Done(order.key, version)

    async def _replace(self, job: Job) -> Receipt:
        """Write keywords and mailboxes whole, guarded by ifInState, for a server that refuses patches."""
        account, ref, order = self._account, str(job.ref), job.order
        now = get_emails(account, [ref], "now", READ_BACK)
        answer = emails_of(await self._call([now]), now, READ_BACK)
        if not answer.items:
            return Stale(order.key, "it was deleted on the server since it was last read")
        email = answer.items[0]
        words = {word for word, held in email.keywords.items() if held}
        boxes = {box for box, held in email.mailbox_ids.items() if held}
        words = (words | order.added_tags) - order.removed_tags
        boxes = (boxes | set(self._boxes.ids(order.added_homes))) - set(self._boxes.ids(order.removed_homes))
        if order.verb is Verb.DELETE and not boxes:
            boxes = {self._boxes.roles.get("trash", "")} - {""}
        change = {"keywords": dict.fromkeys(sorted(words), True), "mailboxIds": dict.fromkeys(sorted(boxes), True)}
        update = Call("Email/set", {"accountId": account, "ifInState": answer.state, "update": {ref: change}}, "set")
        back = get_emails(account, [ref], "back", READ_BACK)
        response = await self._call([update, back])
        try:
            errors = set_errors(response.get(update), "notUpdated")
        except MethodError as error:
            return failed_call(job, error)
        if ref in errors:
            return refusal(job, errors[ref])
        held = read_back(response, back)
        return self._checked(job, change, held[0] if held else None)

    async def _destroy(self, some: list[Job], state: str) -> tuple[list[Receipt], str]:
        """Destroy emails if the server is in a state still, because nothing brings back what another client just saved from Trash.

        Return the state after it besides.
        """
        expected = {"ifInState": state} if state else {}
        destroy = Call("Email/set", {"accountId": self._account, **expected, "destroy": [str(job.ref) for job in some]}, "set")
        try:
            answer = (await self._call([destroy])).get(destroy)
        except MethodError as error:
            return [failed_call(job, error) for job in some], state
        return destroyed(some, answer, lambda job: str(job.ref)), str(answer.get("newState") or "")

    async def _call(self, calls: list[Call]) -> Response:
        try:
            return await self._caller.call(calls)
        except OutcomeUnknownError:
            # Patches and removals may be repeated: the second time they find their work done.
            return await self._caller.call(calls)


def _is_old_draft(job: Job) -> bool:
    """Return whether an email is a draft that an edited one replaces."""
    return (job.superseded or job.order.verb is Verb.REPLACE) and job.order.expect is not None and "$draft" in job.order.expect.tags


def _octets(some: tuple[Job, dict[str, Any]]) -> int:
    """Return the encoded size of one patch and of the id that is read back."""
    job, change = some
    return 2 * len(str(job.ref)) + 12 + sum(len(path) + 8 for path in change)


def read_back(response: Response, call: Call) -> list[Email]:
    """Return the emails that a request read back after its changes; none where that failed."""
    try:
        return emails_of(response, call, READ_BACK).items
    except MethodError:
        return []
