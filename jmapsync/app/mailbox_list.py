"""Read the list of an account's mailboxes from the server, with their paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from jmapsync.jmap.failures import MethodError, RequestError
from jmapsync.jmap.session import SILENTLY_CUT
from jmapsync.jmap.wire import CORE, Call, batched
from jmapsync.kinds import MAIL
from jmapsync.storage.jmap.caller import is_too_large
from jmapsync.storage.jmap.paging import Page, cut_at, read_page, walk_through

if TYPE_CHECKING:
    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account
    from jmapsync.kinds import Kind

_PROPERTIES = ["id", "name", "parentId", "role", "sortOrder", "totalEmails", "unreadEmails", "myRights"]


class MailboxList(Struct, frozen=True):
    """The mailboxes of an account as the server gives them."""

    raw: list[dict[str, Any]]
    cut: str = ""
    """Why some may be missing, or nothing."""


async def read_mailboxes(client: Client, account: Account) -> MailboxList:
    """Return all mailboxes of an account as the server gives them.

    They are paged through where the server refuses to give all at once (Cyrus: the whole request), and where it may have cut the
    list without a word (Stalwart).
    """
    using = [CORE, *MAIL.capabilities]
    most = (await client.session()).limits.max_objects_in_get
    everything = Call("Mailbox/get", {"accountId": account.id, "ids": None, "properties": _PROPERTIES}, "all")
    found: list[dict[str, Any]] = []
    try:
        found = _objects((await client.call([everything], using=using)).get(everything))
    except (MethodError, RequestError) as error:
        if not is_too_large(error):
            raise
    else:
        if len(found) < min(SILENTLY_CUT, most):
            return MailboxList(found)

    async def ask(position: int) -> Page:
        query = Call("Mailbox/query", {"accountId": account.id, "position": position, "limit": most}, "query")
        return read_page(await client.call([query], using=using), query)

    try:
        walk = await walk_through(ask)
    except MethodError:
        if not found:
            raise
        return MailboxList(found, cut_at(len(found), most))  # James has no query of all mailboxes
    missing = {*walk.ids, *walk.strays} - {one["id"] for one in found}
    for some in batched(sorted(missing), most):
        get = Call("Mailbox/get", {"accountId": account.id, "ids": some, "properties": _PROPERTIES}, "get")
        found += _objects((await client.call([get], using=using)).get(get))
    return MailboxList(found, walk.why)


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


def incomplete(kind: Kind, cut: str) -> str:
    """Return the message that a list of containers, or of scripts, may lack some; `cut` says why."""
    return f"The list of {kind.container_nouns} may be incomplete: {cut}."
