"""Create, rename and remove mailboxes (RFC 8621, section 2.5). A mailbox that still holds mail is never removed by force."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.jmap.failures import MethodError, set_errors
from jmapsync.jmap.wire import Call
from jmapsync.planner.model import Verb
from jmapsync.storage.jmap.caller import Caller
from jmapsync.storage.jmap.mail.emails import MAIL
from jmapsync.storage.jmap.set import container_refused, failed_call, set_container
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
        self._caller = Caller(client, account, MAIL)
        self._account = account.id

    async def write(self, job: Job, ids: Mapping[int, str]) -> Receipt:
        """Carry out one order; `ids` maps container keys to mailbox ids."""
        order = job.order
        arguments: dict[str, object] = {"accountId": self._account}
        if order.verb is Verb.DELETE:
            arguments["destroy"] = [job.ref]
        else:
            body = _body(job, ids)
            if order.verb is Verb.CREATE:
                arguments["create"] = {"new": {**body, "isSubscribed": True}}
            else:
                arguments["update"] = {str(job.ref): body}
        return await set_container(self._caller, job, Call("Mailbox/set", arguments, "set"), _KEPT)

    async def rename(self, jobs: Sequence[Job], ids: Mapping[int, str]) -> list[Receipt]:
        """Rename mailboxes by one call: so Cyrus takes names that others of them still have, which it refuses one by one."""
        update = {str(job.ref): _body(job, ids) for job in jobs}
        call = Call("Mailbox/set", {"accountId": self._account, "update": update}, "set")
        try:
            answer = (await self._caller.call([call])).get(call)
        except MethodError as error:
            return [failed_call(job, error) for job in jobs]
        errors = set_errors(answer, "notUpdated")
        return [
            container_refused(job, errors[str(job.ref)], _KEPT)
            if str(job.ref) in errors
            else Receipt(job.order.key, Outcome.DONE, job.order.source or job.order.expect)
            for job in jobs
        ]


def _body(job: Job, ids: Mapping[int, str]) -> dict[str, object]:
    named = job.order.source or job.order.expect
    parent = next((ids[home] for home in job.order.homes), None)
    return {"name": named.body if named is not None else "", "parentId": parent}
