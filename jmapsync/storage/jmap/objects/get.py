"""Get cards, events and tasks by id, in their normal form; one that the server does not answer for does not count as gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from jmapsync.formats.checks import check_object, flaw
from jmapsync.formats.large_data import set_aside
from jmapsync.formats.objects import MalformedError, encode, gathered, holds_data, instances
from jmapsync.formats.pointer import describe
from jmapsync.formats.unconverted import digest_of
from jmapsync.jmap.blobs import BlobNotFoundError, blob_capability, download_whole
from jmapsync.jmap.failures import MethodError, RequestError
from jmapsync.jmap.shapes import UNREADABLE
from jmapsync.jmap.wire import Call, Ref, Response
from jmapsync.planner.model import Version
from jmapsync.storage.jmap.caller import Caller, Pace, is_too_large
from jmapsync.storage.jmap.concurrent import together
from jmapsync.storage.jmap.objects.answer import Found
from jmapsync.storage.jmap.objects.containers import DEFAULT, ContainerReader
from jmapsync.storage.jmap.objects.forms import type_of
from jmapsync.storage.jmap.objects.instances import instances_of, is_instances, joined, read_instances, uid_of
from jmapsync.storage.port import Seen, Trouble

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from jmapsync.formats.codec import Codec
    from jmapsync.formats.objects import Object
    from jmapsync.jmap.client import Client
    from jmapsync.jmap.session import Account
    from jmapsync.storage.jmap.objects.dialect import Dialect

TYPES = ("Event", "Task")
HOMELESS = "the server names no address book or calendar that it is in"
ADRIFT = "the server says it is in an address book or calendar that cannot be read, or that it does not list: {}"


class _File(msgspec.Struct):
    """One element of a Blob/get result; msgspec decodes base64 itself, much faster than after JSON."""

    id: str
    data: bytes | None = msgspec.field(name="data:asBase64", default=None)
    is_truncated: bool = msgspec.field(name="isTruncated", default=False)


class _Files(msgspec.Struct):
    files: list[_File] = msgspec.field(name="list")


class Reader(Caller):
    """Reads the objects of one kind."""

    def __init__(self, client: Client, account: Account, dialect: Dialect, codec: Codec) -> None:
        """Prepare; `keys` maps the ids of containers to their keys and is replaced as a run begins."""
        super().__init__(client, account)
        self.dialect = dialect
        self._codec = codec
        self.keys: Mapping[str, int] = {}
        self.outside: AbstractSet[str] = frozenset()
        """The ids of containers that are left out by the user's wish; replaced as a run begins, as the next one is."""
        self.returned: AbstractSet[str] = frozenset()
        """The ids of containers that came in during the run although they were left out before."""
        self._pace = Pace()
        self.folders = ContainerReader(self)

    # calls

    def owns(self, ref: str) -> bool:
        """Return whether an object is of this data type."""
        return ref.startswith(self.dialect.prefix)

    def id(self, ref: object) -> str:
        """Return the server's id of an object."""
        return str(ref).removeprefix(self.dialect.prefix)

    def ref(self, id_: str) -> str:
        """Return what an object is known by here."""
        return self.dialect.prefix + id_

    async def gets(self, refs: Sequence[str] | Ref, name: str) -> list[Call]:
        """Return the calls that read objects: their files with them, and what some servers return only by name."""
        kind, ids = self.dialect.type, refs if isinstance(refs, Ref) else [self.id(ref) for ref in refs]
        calls = [Call(f"{kind}/get", self._arguments(ids, self.dialect.properties()), name)]
        if self.dialect.raw and blob_capability(await self._client.session(), self._account):
            of = calls[0].ref("/list/*/blobId")
            calls.append(Call("Blob/get", {"accountId": self.account, "ids": of, "properties": ["data:asBase64"]}, f"{name}-files"))
        for number, named in enumerate(self.dialect.named):
            calls.append(Call(f"{kind}/get", self._arguments(ids, ["id", *named]), f"{name}-named{number or ''}"))
        return calls

    def _arguments(self, ids: Sequence[str] | Ref, properties: list[str] | None) -> dict[str, Any]:
        arguments: dict[str, Any] = {"accountId": self.account, "ids": ids}
        return arguments if properties is None else {**arguments, "properties": properties}

    async def call(self, calls: Sequence[Call], *, repeatable: bool = True, besides: Sequence[str] = ()) -> Response:
        """Send calls in one request; `besides` names further capabilities that they need, where they are offered."""
        session = await self._client.session()
        blob = blob_capability(session, self._account) if self.dialect.raw else None
        wanted = [*self.dialect.using, *besides, *([blob] if blob else [])]
        return await self._client.call(calls, using=session.using(*wanted, account=self._account), repeatable=repeatable)

    # objects

    async def page(self, refs: Sequence[str], at: int) -> Found:
        """Return the objects of ids from a place on, as many as memory bears; `asked` says how many."""
        while True:
            limit = (await self.limits()).max_objects_in_get
            some = list(refs[at : at + self._pace.count(limit)])
            found = Found(asked=len(some))
            try:
                await self._read(some, found)
            except (MethodError, RequestError) as error:
                if not is_too_large(error) or len(some) == 1:
                    raise
                self._pace.halve(len(some))
            else:
                return found

    async def fetch(self, refs: Sequence[str]) -> Found:
        """Return objects by their ids, all together."""
        found = Found()
        while found.asked < len(refs):
            found.add(await self.page(refs, found.asked))
        return found

    async def _read(self, ids: list[str], found: Found) -> None:
        """Ask for objects, and once more for those left out of the answer: some servers do that."""
        for _ in range(2):
            asked = [ref for ref in ids if ref not in found.items and ref not in found.lost]
            if single := [ref for ref in asked if not is_instances(ref)]:
                await self.take(await self.call(await self.gets(single, "get")), "get", found)
            if several := [ref for ref in asked if is_instances(ref)]:
                await read_instances(self, several, found)

    async def take(self, response: Response, name: str, found: Found) -> None:
        """Add what the calls of `gets` answered. Raises MethodError."""
        kind = self.dialect.type
        answer = response.get(Call(f"{kind}/get", {}, name))
        found.state = found.state or answer.get("state", "")
        listed: list[Object] = answer["list"]
        # What stands for an occurrence of another object is none of its own: Cyrus answers for it, and lists it nowhere.
        parts = {item["id"] for item in listed if item.get("baseEventId") and item["baseEventId"] != item["id"]}
        whole = {self.ref(item["id"]): item for item in listed if item["id"] not in parts}
        found.items |= whole
        found.unreadable |= {self.ref(one) for one in answer[UNREADABLE] if one}
        found.lost |= {self.ref(each) for each in [*parts, *answer.get("notFound", ())]}
        for number, _ in enumerate(self.dialect.named):
            self._take_named(response, f"{name}-named{number or ''}", found)
        self.dialect = self.dialect.met(found.items.values())
        if self.dialect.raw:
            self._take_files(response, f"{name}-files", found)
            await self._download(found)
            self._pace.note(len(found.files), sum(map(len, found.files.values())))

    def _take_named(self, response: Response, name: str, found: Found) -> None:
        try:
            more = response.get(Call(f"{self.dialect.type}/get", {}, name))
        except MethodError as error:
            if error.type != "invalidArguments":  # it knows no such property, and keeps nothing in one
                raise
            return
        for item in more["list"]:
            if self.ref(item["id"]) in found.items:
                found.items[self.ref(item["id"])] |= {key: value for key, value in item.items() if value is not None}

    def _take_files(self, response: Response, name: str, found: Found) -> None:
        """Add files that came along; what is wrong with them shows when they are downloaded."""
        try:
            files = response.get_as(Call("Blob/get", {}, name), _Files).files
        except MethodError:
            return
        data = {file.id: file.data for file in files if file.data is not None and not file.is_truncated}
        for ref, item in found.items.items():
            content = data.get(str(item.get("blobId")))
            if content is not None:
                found.files[ref] = content

    async def _download(self, found: Found) -> None:
        """Download the files that did not come along; one that is gone by then is left out."""
        blobs = {str(item["blobId"]) for ref, item in found.items.items() if ref not in found.files and item.get("blobId")}
        for blob_id, data in zip(sorted(blobs), await together(self._file(blob_id) for blob_id in sorted(blobs)), strict=True):
            if data is not None:
                found.files |= {ref: data for ref, item in found.items.items() if item.get("blobId") == blob_id}

    async def _file(self, blob_id: str) -> bytes | None:
        try:
            return await download_whole(self._client, self.account, blob_id, media_type=self.dialect.media_type)
        except BlobNotFoundError:
            return None

    def normal_form(self, ref: str, found: Found) -> Object:
        """Return the normal form of an object, its data in place as far as it came along. Raises MalformedError."""
        given = found.items[ref]
        if ref in found.parts:
            item = joined(self, found.parts[ref], found)
        else:
            item = self.form_of(ref, given, found)
            if self.dialect.wanted and item.get("recurrenceId") is not None:
                item = gathered([item])
        if not item.get("uid"):
            item["uid"] = given.get("uid") or self.id(ref)  # such cards are met, and a file needs one
        if not isinstance(item["uid"], str):
            raise MalformedError("Its uid is not a string.")
        return item

    def form_of(self, id_: str, given: Object, found: Found) -> Object:
        """Return the normal form of one object, as it is by itself. Raises MalformedError."""
        if not self.dialect.raw:
            check_object(given)
            item = self.dialect.up(given)
            if wrong := flaw(item):
                raise MalformedError(f"the server's {describe(wrong)} of it is malformed")
            return item
        if id_ in found.files:
            return self._codec.read(found.files[id_])
        raise MalformedError("The server lists it but does not give its content.")

    def file(self, ref: str, found: Found) -> bytes:
        """Return the server's own file of an object where it can stand on the disk as it is, else nothing."""
        parts = found.parts.get(ref)
        data = found.files.get(next(iter(parts)) if parts else ref, b"")
        return data if self._codec.is_fit(data) else b""

    def seen(self, found: Found) -> tuple[list[Seen], list[Trouble]]:
        """Return the objects of the kind that were read, and those that cannot be converted, by name."""
        items: list[Seen] = []
        troubles: list[Trouble] = []
        for ref, given in found.items.items():
            wanted, actual = self.dialect.wanted, type_of(given)
            if wanted and actual != wanted:
                if wanted == TYPES[0] and actual not in TYPES:
                    troubles.append(self.trouble(ref, f"it is a {actual}, of which nothing is known here"))
                continue
            try:
                self._check_boxes(given)
                items.append(self._unconverted(ref, found) or self.one(ref, found))
            except MalformedError as error:
                troubles.append(self.trouble(ref, str(error)))
            except (TypeError, ValueError, AttributeError, KeyError, IndexError) as error:
                troubles.append(self.trouble(ref, f"it is of a shape that the format does not allow ({error})"))
        if not self.dialect.raw:
            self._pace.note(len(items), sum(seen.size for seen in items))
        return items, troubles

    def trouble(self, ref: str, why: str) -> Trouble:
        """Return the trouble with one object, by name."""
        name = f"instances of {uid_of(ref)}" if is_instances(ref) else self.id(ref)
        return Trouble(f"{self.dialect.type} {name}", why, ref)

    def sense(self, item: Object) -> str:
        """Return the digest of what an object means, its data set aside: the `body` of the version that is seen of it."""
        return self._codec.sense(set_aside(item)[0] if holds_data(encode(item)) else item)

    def one(self, ref: str, found: Found) -> Seen:
        """Return one object as it was seen; its size is with its data. Raises MalformedError.

        An instance without its series is part of the item of its uid, and has the id of that.
        """
        item = self.normal_form(ref, found)
        given = found.items[ref]
        if instances(item):
            ref = instances_of(item["uid"])
        content, file = encode(item), self.file(ref, found)
        size = len(content)
        if holds_data(content):
            item, _ = set_aside(item)
            content, file = encode(item), b""  # it is read once more with its data
        homes, adrift, outside = self._whereabouts(given)
        sense = self._codec.sense(item)
        version = Version(sense, sense, homes=homes)
        uid = item["uid"]
        return Seen(ref, version, size=size, digest=uid, content=content, file=file, adrift=adrift, outside=outside)

    def _unconverted(self, ref: str, found: Found) -> Seen | None:
        """Return one object as it was seen, its file standing for its normal form; None where that has to be made at once."""
        given, file = found.items[ref], found.files.get(ref, b"")
        is_part = ref in found.parts or given.get("recurrenceId") is not None
        if not file or is_part or not self._codec.is_fit(file) or not self._codec.is_plain(file, given.get("uid")):
            return None
        homes, adrift, outside = self._whereabouts(given)
        digest, uid = digest_of(file), given["uid"]
        version = Version(digest, digest, homes=homes)
        return Seen(ref, version, size=len(file), digest=uid, content=file, adrift=adrift, outside=outside)

    def _whereabouts(self, item: Object) -> tuple[frozenset[int], str, bool]:
        """Return the keys of the containers that an object is in, why they are not all known, and whether any is left out."""
        boxes = self.boxes(item)
        unknown = [box for box in boxes if box not in self.keys and box not in self.outside]
        adrift = ADRIFT.format(", ".join(unknown)) if unknown else "" if boxes else HOMELESS
        outside = not self.outside.isdisjoint(boxes)
        return frozenset(self.keys[box] for box in boxes if box in self.keys), adrift, outside

    def boxes(self, item: Object) -> list[str]:
        """Return the ids of the containers that an object is in."""
        held = item.get(self.dialect.member)
        if self.dialect.one_member:
            return [DEFAULT] if held is None else [held] if isinstance(held, str) else []
        return [box for box, inside in held.items() if inside is True] if isinstance(held, dict) else []

    def _check_boxes(self, item: Object) -> None:
        """Raise MalformedError for an object that the server does not say the containers of: it is in at least one."""
        held = item.get(self.dialect.member)
        if self.dialect.one_member:
            return
        if not isinstance(held, dict) or not held or not all(inside is True for inside in held.values()):
            raise MalformedError(f"the server's {self.dialect.member} of it is missing or malformed")
