"""Create, rename, colour and remove address books and calendars. One that still holds anything is never removed by force."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jmapsync.errors import Remedy
from jmapsync.jmap.wire import Call
from jmapsync.planner.model import Verb
from jmapsync.storage.jmap.objects.get import DEFAULT
from jmapsync.storage.jmap.set import set_container
from jmapsync.storage.port import Job, Outcome, Receipt

if TYPE_CHECKING:
    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account
    from jmapsync.storage.jmap.objects.dialect import Dialect
    from jmapsync.storage.jmap.objects.get import Reader

_STILL_FULL = dict.fromkeys(
    ("addressBookHasContents", "calendarHasEvent", "calendarHasEvents"), "it still holds items on the server; it stays"
)
"""Cyrus 3.12 writes an s more than the draft."""


async def collections(client: Client, account: Account, dialect: Dialect) -> list[str]:
    """Return the names of the address books or calendars of an account."""
    if not dialect.container:
        return [DEFAULT]
    get = Call(f"{dialect.container}/get", {"accountId": account.id, "ids": None}, "all")
    using = (await client.session()).using(*dialect.using, account=account)
    answer = (await client.call([get], using=using)).get(get)
    return sorted(str(one.get("name") or one.get("id")) for one in answer.get("list") or () if isinstance(one, dict))


async def write_folder(reader: Reader, job: Job) -> Receipt:
    """Carry out one order on a container (RFC 9610, 2.3; draft-ietf-jmap-calendars, 4.3)."""
    order, dialect = job.order, reader.dialect
    named = order.source or order.expect
    color = {"color": min(order.tags)} if order.tags and dialect.colored else {}
    if why := _impossible(dialect, job, color):
        return Receipt(order.key, Outcome.REFUSED, why=why, remedy=Remedy.NEVER)
    arguments: dict[str, Any] = {"accountId": reader.account}
    if order.verb is Verb.DELETE:
        arguments |= {"destroy": [job.ref], **dialect.keep_contents}
    elif order.verb is Verb.CREATE:
        arguments["create"] = {"new": {"name": named.body if named is not None else "", **color}}
    else:
        renamed = {"name": named.body} if order.verb is Verb.REPLACE and named is not None else {}
        arguments["update"] = {str(job.ref): {**renamed, **color}}
    return await set_container(reader, job, Call(f"{dialect.container}/set", arguments, "set"), _STILL_FULL)


def _impossible(dialect: Dialect, job: Job, color: dict[str, str]) -> str:
    """Return why there is no way to carry an order out, or nothing."""
    if not dialect.container:
        return "address books cannot be made, changed or removed through this server's JMAP"
    if job.order.verb is Verb.UPDATE and not color:
        return "an address book has no colour on the server" if not dialect.colored else "a colour cannot be taken away again"
    return ""
