"""List the scripts of an account, and read their bytes.

There is no `SieveScript/changes` (RFC 9661), and a state does not show each change: Stalwart keeps it when a script is deactivated.
So every run lists all scripts, of which there are few, and reads those whose blob id it does not know. Blob ids may change though
the bytes do not (Cyrus): what counts are the bytes. A script counts as gone only where the server says so of its id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from jmapsync.errors import JmapsyncError, Scope
from jmapsync.formats.message import digest_of
from jmapsync.jmap.blobs import download_whole
from jmapsync.jmap.failures import MethodError, RequestError
from jmapsync.jmap.session import SILENTLY_CUT
from jmapsync.jmap.wire import Call
from jmapsync.kinds import SIEVE
from jmapsync.storage.jmap.caller import Caller, is_too_large, raise_if_gone
from jmapsync.storage.jmap.concurrent import in_parallel
from jmapsync.storage.jmap.decoding import SILENT, Listed, listed
from jmapsync.storage.jmap.paging import Page, read_page, walk_through
from jmapsync.storage.jmap.scripts.names import meant_name, plain_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account

PROPERTIES = ["id", "name", "blobId", "isActive"]
LARGEST = 16 << 20
"""Octets of a script that is read at all."""
_KEPT = 4 << 20
"""Octets of scripts that are kept in memory from one step of a run to the next."""
_AT_ONCE = 4


class Script(msgspec.Struct, frozen=True, rename="camel"):
    """A script as `SieveScript/get` gives it (RFC 9661, 2)."""

    id: str
    name: str | None = None
    blob_id: str = ""
    is_active: bool = False

    @property
    def label(self) -> str:
        """Return the name that people know it by; one without a name has its id."""
        return meant_name(self.held)

    @property
    def held(self) -> str:
        """Return the name that it has at present."""
        return plain_name(self.name) if self.name else self.id

    @property
    def is_renaming(self) -> bool:
        """Return whether it waits for its name."""
        return self.held != self.label


class Bytes(msgspec.Struct, frozen=True):
    """What is known of the bytes of a script."""

    blob: str
    digest: str
    size: int


class Scripts:
    """The scripts of one account."""

    def __init__(self, client: Client, account: Account) -> None:
        """Prepare."""
        self.caller = Caller(client, account, *SIEVE.capabilities)
        self.client, self.account = client, account
        self.known: dict[str, Bytes] = {}
        """By id, as they were last read."""
        self.doubt = ""
        """Why the last listing is not proven to be whole, or nothing."""
        self.wait_for_names = False
        """Whether scripts that were just written wait for names that others have."""
        self._kept: dict[str, bytes] = {}
        """Contents by digest."""

    def limit(self, name: str) -> int:
        """Return a limit of the server; 0 where there is none."""
        return next(filter(None, (self.account.limit_of(one, name) for one in SIEVE.capabilities)), 0)

    async def all(self) -> Listed[Script]:
        """Return all scripts. Raises MethodError, AccountGoneError."""
        self.doubt = ""
        try:
            found = await self._get(None)
        except (MethodError, RequestError) as error:
            if not is_too_large(error):
                if isinstance(error, MethodError):
                    raise_if_gone(self.client, self.account, error)
                raise
            return await self.some(await self._ids())
        if len(found.items) >= min(SILENTLY_CUT, (await self.caller.limits()).max_objects_in_get):
            return await self.some(await self._ids())
        return found

    async def some(self, ids: Iterable[str]) -> Listed[Script]:
        """Return scripts by their ids."""
        found: Listed[Script] = Listed()

        async def ask(some: list[str]) -> None:
            part = await self._get(some)
            found.state = part.state
            found.items += part.items
            found.not_found += part.not_found
            found.malformed |= part.malformed
            found.nameless += part.nameless

        await self.caller.in_batches(ids, ask)
        return found

    async def _get(self, ids: list[str] | None) -> Listed[Script]:
        call = Call("SieveScript/get", {"accountId": self.account.id, "ids": ids, "properties": PROPERTIES}, "scripts")
        return listed(await self.caller.call([call]), call, Script)

    async def _ids(self) -> list[str]:
        """Return the ids of all scripts, page by page."""

        async def ask(position: int) -> Page:
            query = Call("SieveScript/query", {"accountId": self.account.id, "position": position}, "query")
            return read_page(await self.caller.call([query]), query)

        walk = await walk_through(ask)
        self.doubt = walk.why
        return [*walk.ids, *walk.strays]

    async def read(self, scripts: Iterable[Script], *, anew: bool = False) -> dict[str, str]:
        """Read the bytes of scripts that are not known, or of all when `anew`; return why some cannot be read, by id."""
        wanted = [one for one in scripts if anew or one.id not in self.known or self.known[one.id].blob != one.blob_id]
        failed: dict[str, str] = {}

        async def one(script: Script) -> None:
            try:
                await self.content(script)
            except JmapsyncError as error:
                if error.scope is Scope.ACCOUNT:
                    raise
                failed[script.id] = f"its content cannot be read: {error}"

        await in_parallel((one(script) for script in wanted), _AT_ONCE)
        return failed

    async def content(self, script: Script) -> bytes:
        """Return the bytes of a script. Raises what `download` raises."""
        known = self.known.get(script.id)
        if known is not None and known.blob == script.blob_id and known.digest in self._kept:
            return self._kept[known.digest]
        data = await download_whole(
            self.client, self.account.id, script.blob_id, name="script.sieve", media_type="application/sieve", most=LARGEST
        )
        digest = digest_of(data)
        self.known[script.id] = Bytes(script.blob_id, digest, len(data))
        if sum(map(len, self._kept.values())) + len(data) > _KEPT:
            self._kept.clear()
        if len(data) <= _KEPT:
            self._kept[digest] = data
        return data

    async def missing(self, refs: Iterable[str]) -> tuple[Listed[Script], dict[str, str]]:
        """Ask for scripts that a listing lacks; return the answer, and why nothing is known of some, by id."""
        wanted = sorted(refs)
        found = await self.some(wanted) if wanted else Listed()
        answered = {one.id for one in found.items} | set(found.not_found) | found.malformed.keys()
        return found, found.malformed | dict.fromkeys(set(wanted) - answered, SILENT)
