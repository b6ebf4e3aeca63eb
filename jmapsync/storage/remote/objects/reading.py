"""Read cards, events and tasks from the server, by id, in their normal form, and never take silence for absence."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import webcolors

from jmapsync.formats.codec import MalformedError
from jmapsync.formats.setaside import set_aside
from jmapsync.jmap.blobs import blob_capability, download, get_blobs
from jmapsync.jmap.failures import MethodError
from jmapsync.jmap.wire import Call, Ref, Response, batched
from jmapsync.planner.model import Version
from jmapsync.storage.port import Folder, Seen, Trouble

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.formats.codec import Codec, Object
    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account
    from jmapsync.storage.remote.objects.dialect import Dialect

BATCH = 400
"""Objects a request: with what they hold, an answer takes one or two megabytes, with photos twenty."""
LISTED = 4096
"""Ids a page of a listing: Cyrus 3.12 takes 0.2 s for each page of contacts, however long it is."""


@dataclass(slots=True)
class Found:
    """What the server answered when it was asked for objects by their ids."""

    items: dict[str, Object] = field(default_factory=dict)
    """As the server gave them, by id."""
    files: dict[str, bytes] = field(default_factory=dict)
    """By id, where objects are read as files."""
    lost: set[str] = field(default_factory=set)
    """Ids that the server says it does not have."""
    state: str = ""
    """The server's state when the first of them were read."""


class Reader:
    """Reads the objects of one kind."""

    def __init__(self, client: Client, account: Account, dialect: Dialect, codec: Codec, keys: dict[str, int]) -> None:
        """Prepare; `keys` maps the ids of containers to their keys and is filled as they are taken up."""
        self._client = client
        self._account = account
        self.account = account.id
        self.dialect = dialect
        self._codec = codec
        self.keys = keys

    # calls

    def gets(self, ids: Sequence[str] | Ref, name: str) -> list[Call]:
        """Return the calls that read objects: some servers tell preservation properties only by name."""
        kind = self.dialect.type
        calls = [Call(f"{kind}/get", self._arguments(ids, self.dialect.properties()), name)]
        if self.dialect.named:
            calls.append(Call(f"{kind}/get", self._arguments(ids, ["id", *self.dialect.named]), f"{name}-named"))
        return calls

    def _arguments(self, ids: Sequence[str] | Ref, properties: list[str] | None) -> dict[str, Any]:
        arguments: dict[str, Any] = {"accountId": self.account, "ids": ids}
        return arguments if properties is None else {**arguments, "properties": properties}

    async def call(self, calls: list[Call], *, repeatable: bool = True) -> Response:
        """Send calls in one request."""
        using = (await self._client.session()).using(*self.dialect.using, account=self._account)
        return await self._client.call(calls, using=using, repeatable=repeatable)

    # objects

    def take(self, response: Response, name: str, found: Found) -> None:
        """Take in what the calls of `gets` answered. Raises MethodError."""
        kind = self.dialect.type
        answer = response.get(Call(f"{kind}/get", {}, name))
        found.state = found.state or str(answer.get("state") or "")
        found.items.update({item["id"]: item for item in _listed(answer)})
        found.lost.update(ref for ref in answer.get("notFound") or () if isinstance(ref, str))
        if self.dialect.named:
            try:
                more = response.get(Call(f"{kind}/get", {}, f"{name}-named"))
            except MethodError as error:
                if error.type != "invalidArguments":  # it knows no such property, and keeps nothing in one
                    raise
                return
            for item in _listed(more):
                if item["id"] in found.items:
                    found.items[item["id"]] |= {key: value for key, value in item.items() if value is not None}

    async def fetch(self, ids: Sequence[str], found: Found | None = None) -> Found:
        """Return objects by their ids."""
        found = found or Found()
        limit = min((await self._client.session()).limits.max_objects_in_get, BATCH)
        waiting = list(batched(list(ids), limit))
        while waiting:
            batch = waiting.pop(0)
            try:
                self.take(await self.call(self.gets(batch, "get")), "get", found)
            except MethodError as error:
                if error.type != "requestTooLarge" or len(batch) == 1:
                    raise
                waiting[:0] = batched(batch, (len(batch) + 1) // 2)
        return found

    async def open(self, found: Found) -> None:
        """Fetch the files of objects that are read as such."""
        if not self.dialect.raw:
            return
        given = {ref: item.get("blobId") for ref, item in found.items.items() if ref not in found.files}
        blobs = {blob_id: ref for ref, blob_id in given.items() if isinstance(blob_id, str)}
        if blob_capability(await self._client.session(), self._account):
            for some in batched(sorted(blobs), BATCH):
                for blob in await get_blobs(self._client, self.account, some):
                    if blob.data is not None:
                        found.files[blobs[blob.id]] = blob.data
        kind = self.dialect.media_type
        for blob_id, ref in blobs.items():
            if ref not in found.files:
                pieces = [piece async for piece in download(self._client, self.account, blob_id, media_type=kind)]
                found.files[ref] = b"".join(pieces)

    def normal_form(self, ref: str, found: Found) -> Object:
        """Return the normal form of an object, its data in place as far as it came along. Raises MalformedError."""
        if self.dialect.raw:
            return self._codec.read(found.files[ref])
        return self.dialect.up(found.items[ref])

    def belongs(self, item: Object) -> bool:
        """Tell whether an object is of this kind: calendars hold events and tasks."""
        return not self.dialect.wanted or item.get("@type", "Event") == self.dialect.wanted

    def seen(self, found: Found, *, but: set[str] | frozenset[str] = frozenset()) -> tuple[list[Seen], list[Trouble]]:
        """Return the objects that were read, but for some, and those that cannot be converted, by name."""
        items, troubles = [], []
        uids: dict[str, list[str]] = {}
        for ref, item in found.items.items():
            if ref not in but and self.belongs(item):
                uids.setdefault(str(item.get("uid") or ref), []).append(ref)
        for uid, refs in uids.items():
            if len(refs) > 1:
                why = f"the server has it {len(refs)} times, as instances without their series"
                troubles += [Trouble(f"{self.dialect.type} {uid}", why, ref) for ref in refs]
                continue
            try:
                items.append(self.one(refs[0], found))
            except (MalformedError, KeyError) as error:
                why = str(error) if isinstance(error, MalformedError) else "the server lists it but does not give its content"
                troubles.append(Trouble(f"{self.dialect.type} {uid}", why, refs[0]))
        return items, troubles

    def one(self, ref: str, found: Found) -> Seen:
        """Return one object as it was seen. Raises MalformedError, KeyError."""
        item, _ = set_aside(self.normal_form(ref, found))
        homes = frozenset(self.keys[box] for box in self.boxes(found.items[ref]) if box in self.keys)
        sense = self._codec.sense(item)
        content = encode(item)
        uid = str(item.get("uid") or found.items[ref].get("uid") or ref)
        return Seen(ref, Version(sense, sense, homes=homes), size=len(content), digest=uid, content=content)

    def boxes(self, item: Object) -> list[str]:
        """Return the ids of the containers that an object is in."""
        if not self.dialect.member:
            return [DEFAULT]
        return [box for box, held in (item.get(self.dialect.member) or {}).items() if held]

    # containers

    def all_folders(self, name: str) -> list[Call]:
        """Return the call that reads all containers, where they can be asked for."""
        if not self.dialect.container:
            return []
        return [Call(f"{self.dialect.container}/get", {"accountId": self.account, "ids": None}, name)]

    def take_folders(self, response: Response, name: str) -> tuple[list[Folder], str]:
        """Return the containers of an answer, and their state. Raises MethodError."""
        if not self.dialect.container:
            return [Folder(DEFAULT, "Contacts", "")], ""
        answer = response.get(Call(f"{self.dialect.container}/get", {}, name))
        return [_folder(one) for one in _listed(answer)], str(answer.get("state") or "")


DEFAULT = "Default"
"""The one address book of a server that has no way to tell of them (Cyrus' vendor contacts)."""


def encode(item: Object) -> bytes:
    """Return the bytes of a normal form."""
    return json.dumps(item, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _listed(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in answer.get("list") or () if isinstance(one, dict) and isinstance(one.get("id"), str)]


def _folder(raw: dict[str, Any]) -> Folder:
    rights = frozenset(name for name, held in (raw.get("myRights") or {}).items() if held)
    return Folder(raw["id"], str(raw.get("name") or raw["id"]), "", rights=rights, color=as_rgb(str(raw.get("color") or "")))


def as_rgb(color: str) -> str:
    """Return a colour, also one with a CSS name, as `#RRGGBB` with capitals, all that a vdir can say; nothing for what is none."""
    try:
        return str(webcolors.normalize_hex(color[:7]) if color.startswith("#") else webcolors.name_to_hex(color)).upper()
    except ValueError:
        return ""
