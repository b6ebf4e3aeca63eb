"""Read address books and calendars, all or some by their ids; create, rename, colour and remove them.

One that still holds anything is never removed by force (RFC 9610, 2.3; draft-ietf-jmap-calendars, 4.3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from jmapsync.errors import Remedy
from jmapsync.jmap.failures import MethodError, RequestError
from jmapsync.jmap.shapes import UNREADABLE
from jmapsync.jmap.wire import Call
from jmapsync.planner.model import NO_TAGS, Verb
from jmapsync.storage.jmap.caller import is_too_large
from jmapsync.storage.jmap.decoding import UNREADABLE as MALFORMED
from jmapsync.storage.jmap.paging import cut_at
from jmapsync.storage.jmap.set import set_container
from jmapsync.storage.jmap.sharing import PROPERTY, shares_of
from jmapsync.storage.port import Folder, Job, Receipt, Refused, Trouble, color_in, described, description_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account
    from jmapsync.jmap.wire import Response
    from jmapsync.storage.jmap.objects.dialect import Dialect
    from jmapsync.storage.jmap.objects.get import Reader

DEFAULT = "Default"
"""The address book that is always there where a server cannot list them (Cyrus' vendor contacts); its first calendar."""
_ONLY = "Contacts"
"""What the address book is called that cannot be listed."""
TOO_MANY = "the server refuses to list so many"
_STILL_FULL = dict.fromkeys(
    ("addressBookHasContents", "calendarHasEvent", "calendarHasEvents"), "it still holds items on the server; it stays"
)
"""Cyrus 3.12 writes an s more than the draft."""


class Containers(Struct):
    """What the server answered when it was asked for all containers."""

    folders: list[Folder] = []
    state: str = ""
    troubles: list[Trouble] = []
    """Those that cannot be read, by name."""
    cut: bool = False
    """Whether there may be more of them than the server gives."""


class ContainerReader:
    """Reads the containers of the objects of one kind."""

    def __init__(self, reader: Reader) -> None:
        """Prepare."""
        self._reader = reader

    def calls(self, name: str) -> list[Call]:
        """Return the call that reads all containers, where they can be asked for."""
        if not self._reader.dialect.container:
            return []
        return [Call(f"{self._reader.dialect.container}/get", {"accountId": self._reader.account, "ids": None}, name)]

    async def all(self, response: Response | None = None, name: str = "all") -> Containers:
        """Return all containers; where the server refuses to give so many at once, those that are known. Raises MethodError.

        Those that are known and not listed are asked for by their ids: Stalwart cuts the list without a word.

        What they do not list is found by an object that is in it.
        """
        try:
            found = self.take(response or await self._reader.call(self.calls(name)), name)
        except (MethodError, RequestError) as error:
            if not is_too_large(error):
                raise
        else:
            given = {folder.ref for folder in found.folders} | {trouble.ref for trouble in found.troubles}
            limit = (await self._reader.limits()).max_objects_in_get
            found.cut = len(given) >= limit
            if self._reader.dialect.container and (why := cut_at(len(given), limit)):
                found.troubles.append(self._unlisted_ones(why))
            if self._reader.dialect.container and (missing := (self._reader.keys.keys() | self._reader.outside) - given):
                more = await self.some(sorted(missing))
                found.folders += more.folders
                found.troubles += more.troubles
            return found
        found = await self.some(sorted(self._reader.keys.keys() | self._reader.outside))
        found.cut = True
        found.troubles.append(self._unlisted_ones(TOO_MANY))
        return found

    def _unlisted_ones(self, why: str) -> Trouble:
        """Return the trouble with a list that may not be all: neither RFC 9610 nor the draft has a `/query` to find out."""
        named = f"the list of each {self._reader.dialect.container}"
        return Trouble(named, f"{why}; one that nothing is in may be missing here")

    async def some(self, refs: Sequence[str]) -> Containers:
        """Return containers by their ids."""
        found = Containers()

        async def ask(some: list[str]) -> None:
            get = Call(f"{self._reader.dialect.container}/get", {"accountId": self._reader.account, "ids": some}, "some")
            part = self.take(await self._reader.call([get]), "some")
            found.folders += part.folders
            found.troubles += part.troubles
            found.state = found.state or part.state

        await self._reader.in_batches(refs, ask)
        if not refs:
            await ask([])
        return found

    def take(self, response: Response, name: str) -> Containers:
        """Return the containers of an answer; one that is malformed is named, and stays as it is here. Raises MethodError."""
        if not self._reader.dialect.container:
            return Containers([self.unlisted(DEFAULT)])
        answer = response.get(Call(f"{self._reader.dialect.container}/get", {}, name))
        found = Containers(state=answer.get("state", ""))
        for ref in answer[UNREADABLE]:
            named = f"{self._reader.dialect.container} {ref}".strip()
            found.troubles.append(Trouble(named, MALFORMED, ref))
        for one in answer["list"]:
            if why := _flaw(one):
                found.troubles.append(Trouble(f"{self._reader.dialect.container} {one['id']}", why, one["id"]))
            else:
                found.folders.append(self._folder(one))
        return found

    def unlisted(self, ref: str) -> Folder:
        """Return a container of which nothing is known but its id."""
        return Folder(ref, _ONLY if ref == DEFAULT else ref, "", default=ref == DEFAULT)

    def _folder(self, raw: dict[str, Any]) -> Folder:
        rights = frozenset(name for name, held in (raw.get("myRights") or {}).items() if held is True)
        color = as_rgb(str(raw.get("color") or "")) if self._reader.dialect.colored else ""
        default = raw.get("isDefault") is True or (self._reader.dialect.raw and raw["id"] == DEFAULT)
        given = raw.get("description")
        return Folder(
            raw["id"],
            raw["name"],
            "",
            rights=rights,
            color=color,
            description=described(given) if isinstance(given, str) else "",
            default=default,
            hidden=bool(_unshown(raw)),
            shares=shares_of(raw.get(PROPERTY), rights, there=PROPERTY in raw),
        )


class Collection(Struct, frozen=True):
    """An address book or calendar, as `check` lists it."""

    name: str
    rights: frozenset[str] | None = None
    """What the user may do in it; None where the server does not state it."""
    unshown: tuple[str, ...] = ()
    """Why other programs do not show it."""

    def label(self, *remarks: str) -> str:
        """Return its name with what is remarkable about it."""
        every = [*self.unshown, *remarks]
        return self.name + (f" ({', '.join(every)})" if every else "")


class Collections(Struct, frozen=True):
    """The address books or calendars of an account, by name."""

    items: list[Collection]
    cut: str = ""
    """Why some may be missing, or nothing."""


async def collections(client: Client, account: Account, dialect: Dialect) -> Collections:
    """Return the address books or calendars of an account; none where the server refuses to list so many."""
    if not dialect.container:
        return Collections([Collection(_ONLY)])
    get = Call(f"{dialect.container}/get", {"accountId": account.id, "ids": None}, "all")
    using = (await client.session()).using(*dialect.using, account=account)
    try:
        answer = (await client.call([get], using=using)).get(get)
    except (MethodError, RequestError) as error:
        if not is_too_large(error):
            raise
        return Collections([], TOO_MANY)
    found = [one for one in answer.get("list") or () if isinstance(one, dict)]
    every = [Collection(str(one.get("name") or one.get("id")), stated_rights(one), tuple(_unshown(one))) for one in found]
    limit = (await client.session()).limits.max_objects_in_get
    return Collections(sorted(every, key=lambda one: one.name), cut_at(len(found), limit))


def _unshown(raw: dict[str, Any]) -> list[str]:
    """Return why other programs do not show an address book or calendar (RFC 9610, 2; draft-ietf-jmap-calendars, 4)."""
    return [what for name, what in (("isSubscribed", "not subscribed"), ("isVisible", "hidden")) if raw.get(name) is False]


def stated_rights(raw: dict[str, Any]) -> frozenset[str] | None:
    """Return the rights that the server says the user has in a container, of mail too; None where it states none."""
    rights = raw.get("myRights")
    return frozenset(name for name, held in rights.items() if held is True) if isinstance(rights, dict) else None


async def write_folder(reader: Reader, job: Job) -> Receipt:
    """Carry out one order on a container (RFC 9610, 2.3; draft-ietf-jmap-calendars, 4.3)."""
    order, dialect = job.order, reader.dialect
    named = order.source or order.expect
    color = {"color": color_in(order.tags)} if color_in(order.tags) and dialect.colored else {}
    before = order.expect.tags if order.expect is not None else NO_TAGS
    # Without one it is empty: Cyrus 3.12 leaves it as it was where it is null.
    description = {"description": description_in(order.tags)} if description_in(order.tags) != description_in(before) else {}
    if why := _impossible(dialect, job, color | description):
        return Refused(order.key, why, Remedy.NEVER)
    arguments: dict[str, Any] = {"accountId": reader.account}
    if order.verb is Verb.DELETE:
        arguments |= {"destroy": [job.ref], **dialect.keep_contents}
    elif order.verb is Verb.CREATE:
        arguments["create"] = {"new": {"name": named.body if named is not None else "", **color, **description}}
    else:
        renamed = {"name": named.body} if order.verb is Verb.REPLACE and named is not None else {}
        arguments["update"] = {str(job.ref): {**renamed, **color, **description}}
    return await set_container(reader, job, Call(f"{dialect.container}/set", arguments, "set"), _STILL_FULL)


def _impossible(dialect: Dialect, job: Job, shown: dict[str, Any]) -> str:
    """Return why there is no way to carry an order out, or nothing."""
    if not dialect.container:
        return "address books cannot be made, changed or removed through this server's JMAP"
    if job.order.verb is Verb.UPDATE and not shown:
        return "an address book has no colour on the server" if not dialect.colored else "a colour cannot be taken away again"
    return ""


def _flaw(raw: dict[str, Any]) -> str:
    """Return what is wrong with a container's properties, or nothing (RFC 9610, 2; draft-ietf-jmap-calendars, 4)."""
    if not isinstance(raw.get("name"), str) or not raw["name"]:
        return "the server's name of it is missing or malformed"
    rights = raw.get("myRights") or {}
    if not isinstance(rights, dict) or not all(isinstance(held, bool) for held in rights.values()):
        return "the server's myRights of it is malformed"
    if not isinstance(raw.get("isDefault", False), bool | None):
        return "the server's isDefault of it is malformed"
    return ""


def as_rgb(color: str) -> str:
    """Return a colour, also one with a CSS name, as `#RRGGBB` with capitals, all that a vdir can say; nothing for anything else."""
    import webcolors  # noqa: PLC0415  # most runs read no calendar

    try:
        return str(webcolors.normalize_hex(color[:7]) if color.startswith("#") else webcolors.name_to_hex(color)).upper()
    except ValueError:
        return ""
