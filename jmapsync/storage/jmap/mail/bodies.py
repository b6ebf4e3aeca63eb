"""Read the bytes of emails: many in one request by Blob/get where it is offered, else one download each.

A body that has not the announced length is asked for again, as a download. It is believed only when both ways give the very same
bytes: a portal or proxy that answers 200 with a page of its own must never be stored as mail.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from msgspec import Struct

from jmapsync.directories import make_private
from jmapsync.errors import JmapsyncError, LocalError, NetworkError, Remedy, Scope, ServerError, SignInError
from jmapsync.formats.message import digest_of
from jmapsync.jmap.blobs import BlobNotFoundError, blob_capability, download, get_blobs
from jmapsync.jmap.exchange import STREAMS
from jmapsync.jmap.failures import MethodError
from jmapsync.storage.jmap.caller import Caller
from jmapsync.storage.jmap.concurrent import in_parallel
from jmapsync.storage.jmap.mail.emails import MAIL, emails_of, get_emails
from jmapsync.storage.port import LARGE, Body

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jmapsync.jmap.client import Client
    from jmapsync.jmap.replies import Sink
    from jmapsync.jmap.session import Account

_SURPLUS = 1 << 20
"""Octets that a body may have beyond twice its announced size, before its download ends: some servers count line ends otherwise."""


class Request(Struct, frozen=True):
    """One body that is wanted."""

    ref: str
    blob: str
    size: int
    """Octets, as the server announces them."""


class Bodies:
    """Reads bodies of one account."""

    def __init__(self, client: Client, account: Account, spool: Path) -> None:
        """Prepare; `spool` is a folder for large bodies on their way."""
        self._client = client
        self._account = account
        self._spool = spool
        self._batched: bool | None = None
        self._odd: dict[str, str] = {}
        """Digests of what Blob/get gave in another length than announced, by email id."""

    async def read(self, wanted: Sequence[Request]) -> dict[str, Body]:
        """Return the bodies by email id. One that cannot be had says why; raises only what stops everything."""
        if self._batched is None:
            self._batched = blob_capability(await self._client.session(), self._account) is not None
        bodies: dict[str, Body] = {}
        small = [one for one in wanted if one.size <= LARGE]
        if self._batched and small:
            bodies = await self._in_batch(small)
        rest = [one for one in wanted if one.ref not in bodies]
        downloaded = await in_parallel((self._singly(one) for one in rest), STREAMS)
        bodies.update({body.ref: body for body in downloaded})
        return bodies

    async def _in_batch(self, wanted: Sequence[Request]) -> dict[str, Body]:
        """Return the bodies that one Blob/get gave whole; the others are left to be asked for singly."""
        try:
            blobs = await get_blobs(self._client, self._account.id, [one.blob for one in wanted])
        except MethodError as error:
            if error.type == "unknownMethod":
                self._batched = False
            return {}
        data = {blob.id: blob.data for blob in blobs}
        found = {}
        for one in wanted:
            content = data.get(one.blob)
            if content is not None and len(content) == one.size:
                found[one.ref] = Body(one.ref, content)
            elif content is not None:
                self._odd[one.ref] = digest_of(content)
        return found

    async def _singly(self, one: Request) -> Body:
        try:
            return await self._download(one)
        except BlobNotFoundError:
            return await self._once_more(one)
        except (SignInError, NetworkError, LocalError):
            raise
        except JmapsyncError as error:
            if error.scope is Scope.ACCOUNT and not isinstance(error, ServerError):
                raise
            return Body(one.ref, why=error.message, remedy=error.remedy)

    async def _once_more(self, one: Request) -> Body:
        """Ask which blob the email has now (it may be gone, or the server may have forgotten for a moment)."""
        properties = ("id", "blobId", "size")
        call = get_emails(self._account.id, [one.ref], "again", properties)
        answer = emails_of(await Caller(self._client, self._account, MAIL).call([call]), call, properties)
        if one.ref in answer.malformed:
            return Body(one.ref, why=answer.malformed[one.ref], remedy=Remedy.LATER)
        emails = answer.items
        if not emails:
            return Body(one.ref, vanished=True, why="it was deleted on the server since it was listed")
        try:
            return await self._download(Request(one.ref, emails[0].blob_id, emails[0].size))
        except BlobNotFoundError:
            return Body(one.ref, why="the server lists it but does not have its content", remedy=Remedy.LATER)

    async def _download(self, one: Request) -> Body:
        length = 0
        for _ in range(2):
            try:
                body, length = await self._stream(one)
            except LocalError as error:
                return Body(one.ref, why=error.message.rstrip("."), remedy=Remedy.LATER)
            if length == one.size:
                return body
            if body.data is not None and digest_of(body.data) == self._odd.pop(one.ref, ""):
                body.whole = False
                return body
            if body.path is not None:
                body.path.unlink(missing_ok=True)
        return Body(one.ref, why=f"the server sent {length} of {one.size} octets of it", remedy=Remedy.LATER)

    async def _stream(self, one: Request) -> tuple[Body, int]:
        if one.size <= LARGE:
            pieces: list[bytes] = []
            await self._fetch(one, pieces.append)
            data = b"".join(pieces)
            return Body(one.ref, data), len(data)
        make_private(self._spool)
        path = self._spool / secrets.token_hex(8)
        try:
            with path.open("xb") as file:
                path.chmod(0o600)
                await self._fetch(one, file.write)
                length = file.tell()
        except OSError as error:
            path.unlink(missing_ok=True)
            raise LocalError(f"The disk refused a large message: {error.strerror} ({path}).") from error
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return Body(one.ref, path=path), length

    async def _fetch(self, one: Request, sink: Sink) -> None:
        most = 2 * one.size + _SURPLUS
        await download(
            self._client,
            self._account.id,
            one.blob,
            sink,
            name="message.eml",
            media_type="message/rfc822",
            most=most,
        )
