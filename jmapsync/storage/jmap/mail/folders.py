"""Create, rename and remove mailboxes (RFC 8621, section 2.5). A mailbox that still holds mail is never removed by force."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jmapsync.errors import Remedy
from jmapsync.jmap.failures import MethodError, SetError, set_errors
from jmapsync.jmap.wire import Call
from jmapsync.planner.model import Verb
from jmapsync.storage.jmap.mail.emails import MAIL
from jmapsync.storage.jmap.mail.set import failed_call, refusal
from jmapsync.storage.port import Job, Outcome, Receipt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account

_KEPT = {
    "mailboxHasEmail": "the mailbox still holds mail on the server; it stays",
    "mailboxHasChild": "the mailbox still has mailboxes below it on the server; it stays",
}


class FolderSetter:
    """Changes the mailboxes of one account, one at a time: parents come before children."""

    def __init__(self, client: Client, account: Account) -> None:
        """Prepare."""
        self._client = client
        self._account = account

    async def write(self, job: Job, ids: Mapping[int, str]) -> Receipt:
        """Carry out one order; `ids` maps container keys to mailbox ids."""
        order = job.order
        arguments: dict[str, object] = {"accountId": self._account.id}
        if order.verb is Verb.DELETE:
            arguments["destroy"] = [job.ref]
        else:
            body = _body(job, ids)
            if order.verb is Verb.CREATE:
                arguments["create"] = {"new": {**body, "isSubscribed": True}}
            else:
                arguments["update"] = {str(job.ref): body}
        return await self._send(job, arguments)

    async def rename(self, jobs: Sequence[Job], ids: Mapping[int, str]) -> list[Receipt]:
        """Rename mailboxes by one call: so Cyrus takes names that others of them still have, which it refuses one by one."""
        update = {str(job.ref): _body(job, ids) for job in jobs}
        call = Call("Mailbox/set", {"accountId": self._account.id, "update": update}, "set")
        using = (await self._client.session()).using(MAIL, account=self._account)
        try:
            answer = (await self._client.call([call], using=using)).get(call)
        except MethodError as error:
            return [failed_call(job, error) for job in jobs]
        errors = set_errors(answer, "notUpdated")
        return [
            _refused(job, errors[str(job.ref)])
            if str(job.ref) in errors
            else Receipt(job.order.key, Outcome.DONE, job.order.source or job.order.expect)
            for job in jobs
        ]

    async def _send(self, job: Job, arguments: dict[str, object]) -> Receipt:
        order = job.order
        call = Call("Mailbox/set", arguments, "set")
        using = (await self._client.session()).using(MAIL, account=self._account)
        try:
            answer = (await self._client.call([call], using=using, repeatable=order.verb is not Verb.CREATE)).get(call)
        except MethodError as error:
            return failed_call(job, error)
        errors = {**set_errors(answer, "notCreated"), **set_errors(answer, "notUpdated"), **set_errors(answer, "notDestroyed")}
        if errors:
            return _refused(job, next(iter(errors.values())))
        if order.verb is Verb.DELETE:
            return Receipt(order.key, Outcome.DONE)
        named = order.source or order.expect
        if order.verb is not Verb.CREATE:
            return Receipt(order.key, Outcome.DONE, named)
        return created_folder(job, answer)


def created_folder(job: Job, answer: Mapping[str, Any]) -> Receipt:
    """Return the receipt of a new container by the answer to its creation `new`; without its id, the next look has to tell."""
    made = answer.get("created", {}).get("new")
    if made is None:
        return Receipt(job.order.key, Outcome.STALE, why="the server did not answer for it")
    return Receipt(job.order.key, Outcome.DONE, job.order.source or job.order.expect, ref=made["id"])


def _body(job: Job, ids: Mapping[int, str]) -> dict[str, object]:
    named = job.order.source or job.order.expect
    parent = next((ids[home] for home in job.order.homes), None)
    return {"name": named.body if named is not None else "", "parentId": parent}


def _refused(job: Job, error: SetError) -> Receipt:
    if error.type in _KEPT:
        return Receipt(job.order.key, Outcome.REFUSED, why=_KEPT[error.type], remedy=Remedy.HUMAN)
    if error.type == "notFound" and job.order.verb is Verb.DELETE:
        return Receipt(job.order.key, Outcome.DONE)
    return refusal(job, error)
