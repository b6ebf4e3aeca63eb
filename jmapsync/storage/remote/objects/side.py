"""Offer the cards, events or tasks of one account of a JMAP server as a remote side."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from jmapsync.errors import Remedy
from jmapsync.formats.codec import MalformedError
from jmapsync.jmap.blobs import BlobNotFoundError, download
from jmapsync.jmap.failures import MethodError
from jmapsync.jmap.hosts import Origin
from jmapsync.storage.port import Body, Job, Receipt
from jmapsync.storage.remote.account import raise_if_gone, read_only
from jmapsync.storage.remote.changes import WholeLookNeededError
from jmapsync.storage.remote.objects.folders import write_folder
from jmapsync.storage.remote.objects.look import Cursor, ObjectLook
from jmapsync.storage.remote.objects.reading import Found, Reader, encode
from jmapsync.storage.remote.objects.write import ObjectSetter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from jmapsync.formats.codec import Codec, Object
    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account
    from jmapsync.ledger import Record
    from jmapsync.storage.port import Observation
    from jmapsync.storage.remote.objects.dialect import Dialect

_BLOB = "urn:jmapsync:blob:"


class ObjectSide:
    """The remote side of one kind of objects; see `storage.port.Remote`."""

    def __init__(self, client: Client, account: Account, dialect: Dialect, codec: Codec) -> None:
        """Prepare."""
        self.keys: dict[str, int] = {}
        self.roles: dict[str, str] = {}
        self.policy = ""
        self._client = client
        self._account = account
        self._reader = Reader(client, account, dialect, codec, self.keys)
        self._setter = ObjectSetter(client, self._reader)

    async def look(
        self, cursor: str, known: Callable[[], set[str]], again: Sequence[str] = (), *, whole: bool = False
    ) -> AsyncIterator[Observation]:
        """Yield what changed since a cursor; everything there is when `whole`, or when the changes cannot be had or believed.

        Raises AccountGoneError when the server no longer has the account.
        """
        server = str(Origin.of((await self._client.session()).api_url))
        since = Cursor.decode(cursor) if cursor else None
        if since is not None and since.server not in {"", server}:
            since = None
        suspicious = ""
        look = ObjectLook(self._reader)
        try:
            if since is not None and not whole:
                try:
                    async for page in self._changes(look, replace(since, server=server), again):
                        yield page
                except WholeLookNeededError as needed:
                    suspicious = needed.why if needed.suspicious else ""
                else:
                    return
            async for page in look.everything(known, server, since):
                page.suspicious = page.suspicious or suspicious
                yield page
        except MethodError as error:
            raise_if_gone(self._client, self._account, error)
            raise

    async def _changes(self, look: ObjectLook, since: Cursor, again: Sequence[str]) -> AsyncIterator[Observation]:
        told: set[str] = set()
        async for page in look.since(since):
            told.update(seen.ref for seen in page.items)
            told.update(trouble.ref for trouble in page.problems)
            told.update(page.gone_refs)
            yield page
        if untold := [ref for ref in again if ref not in told]:
            async for page in look.unanswered(untold):
                yield page

    async def read(self, wanted: Sequence[Record]) -> dict[int, Body]:
        """Return normal forms by key, their data in place; one that cannot be had says why."""
        refs = {str(record.ref): record.key for record in wanted}
        found = await self._reader.fetch(sorted(refs))
        await self._reader.open(found)
        return {key: await self._body(ref, key, found) for ref, key in refs.items()}

    async def _body(self, ref: str, key: int, found: Found) -> Body:
        if ref in found.lost:
            return Body(str(key), why="the server no longer has it", vanished=True)
        try:
            item = await self._with_data(self._reader.normal_form(ref, found))
        except (MalformedError, KeyError) as error:
            return Body(str(key), why=f"it cannot be converted: {error}", remedy=Remedy.LATER)
        except BlobNotFoundError as error:
            return Body(str(key), why=str(error), remedy=Remedy.LATER)
        return Body(str(key), encode(item))

    async def _with_data(self, item: Object) -> Object:
        """Return an object with the blobs that it names in their places (RFC 9610, 3: `blobId` of a Media)."""
        if _BLOB.encode() not in encode(item):
            return item
        found: Object = await self._filled(item)
        return found

    async def _filled(self, value: Any) -> Any:  # noqa: ANN401 # any JSON value
        if isinstance(value, list):
            return [await self._filled(part) for part in value]
        if not isinstance(value, dict):
            return value
        result = {name: await self._filled(part) for name, part in value.items()}
        for name, part in result.items():
            if isinstance(part, str) and part.startswith(_BLOB):
                media_type = str(value.get("mediaType") or value.get("contentType") or "application/octet-stream")
                pieces = [piece async for piece in download(self._client, self._account.id, part.removeprefix(_BLOB))]
                result[name] = f"data:{media_type};base64,{base64.b64encode(b''.join(pieces)).decode()}"
        return result

    async def digests(self, wanted: Sequence[Record]) -> dict[int, str]:  # noqa: ARG002  # the port's
        """Return nothing: what is the same is known by its uid."""
        return {}

    async def write(self, jobs: Sequence[Job]) -> list[Receipt]:
        """Create, change and remove objects."""
        if self._account.is_read_only:
            return [read_only(job) for job in jobs]
        return await self._setter.write(jobs)

    async def write_folder(self, job: Job) -> Receipt:
        """Change one container."""
        return read_only(job) if self._account.is_read_only else await write_folder(self._reader, job)
