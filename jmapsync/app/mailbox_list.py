"""Read the list of an account's mailboxes from the server, with their paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jmapsync.jmap.failures import MethodError
from jmapsync.jmap.wire import CORE, Call, batched
from jmapsync.kinds import MAIL
from jmapsync.storage.jmap.paging import Page, read_page, walk_through

if TYPE_CHECKING:
    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account

_PROPERTIES = ["id", "name", "parentId", "role", "sortOrder", "totalEmails", "unreadEmails", "myRights"]


async def read_mailboxes(client: Client, account: Account) -> list[dict[str, Any]]:
    """Return all mailboxes of an account as the server gives them."""
    using = [CORE, *MAIL.capabilities]
    everything = Call("Mailbox/get", {"accountId": account.id, "ids": None, "properties": _PROPERTIES}, "all")
    try:
        answer = (await client.call([everything], using=using)).get(everything)
    except MethodError as error:
        if error.type != "requestTooLarge":
            raise
    else:
        return _objects(answer)
    most = (await client.session()).limits.max_objects_in_get

    async def ask(position: int) -> Page:
        query = Call("Mailbox/query", {"accountId": account.id, "position": position, "limit": most}, "query")
        return read_page(await client.call([query], using=using), query)

    walk = await walk_through(ask)
    found: list[dict[str, Any]] = []
    for some in batched([*walk.ids, *walk.strays], most):
        get = Call("Mailbox/get", {"accountId": account.id, "ids": some, "properties": _PROPERTIES}, "get")
        found += _objects((await client.call([get], using=using)).get(get))
    return found


def _objects(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in answer.get("list") or [] if isinstance(one, dict) and isinstance(one.get("id"), str)]


def paths_of(raw: list[dict[str, Any]]) -> list[str]:
    """Return the path of each mailbox."""
    by_id = {one["id"]: one for one in raw}
    return [_path(one, by_id) for one in raw]


def _path(box: dict[str, Any], by_id: dict[str, dict[str, Any]]) -> str:
    names: list[str] = []
    at: dict[str, Any] | None = box
    while at is not None and len(names) < len(by_id):  # a server's tree may have a loop
        names.insert(0, str(at.get("name") or ""))
        at = by_id.get(str(at.get("parentId") or ""))
    return "/".join(names)
