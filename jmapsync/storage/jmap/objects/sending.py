"""Build what is sent for orders on objects, and turn what the server answers into receipts."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, Self

import msgspec

from jmapsync.errors import JmapsyncError, LocalError, NetworkError, Remedy, SignInError
from jmapsync.formats import pointer
from jmapsync.formats.objects import MalformedError
from jmapsync.formats.patch import apply
from jmapsync.jmap.failures import MethodError, RequestError, SetError
from jmapsync.jmap.wire import Call, split
from jmapsync.planner.model import Verb
from jmapsync.storage.jmap.caller import BATCH
from jmapsync.storage.jmap.objects.answer import Found
from jmapsync.storage.jmap.objects.data import data_uris
from jmapsync.storage.jmap.objects.forms import ASIDE, strings
from jmapsync.storage.port import Created, Done, Job, Receipt, Refused, Stale

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from jmapsync.formats.objects import Object, Patch
    from jmapsync.planner.model import Version
    from jmapsync.storage.jmap.objects.data import Data
    from jmapsync.storage.jmap.objects.get import Reader

LARGE = 1 << 20
"""Octets of an object from which its data goes as blobs wherever it may: a request holds some megabytes only."""
NARROWINGS = 8
"""Times that an object is sent again with less: a server may name one of the properties that it does not take (Stalwart)."""
_HOLDS_DATA = frozenset({"media", "links", "blobId"})
_ESSENTIAL = frozenset(
    {"@type", "version", "uid", "id", "start", "due", "recurrenceId", "addressBookIds", "addressbookId", "calendarIds", "kind"}
)
"""Properties without which an object would be another one: a server that refuses one refuses the object."""


class UnsentError(Exception):
    """Nothing is to be sent for a job."""

    def __init__(self, receipt: Receipt) -> None:
        """Keep the receipt."""
        super().__init__(receipt)
        self.receipt = receipt

    @classmethod
    def stale(cls, job: Job, why: str) -> Self:
        """Say that the server does not hold what was expected."""
        return cls(Stale(job.order.key, why))

    @classmethod
    def refused(cls, job: Job, why: str, remedy: Remedy = Remedy.NEVER) -> Self:
        """Say that a job cannot be carried out."""
        return cls(Refused(job.order.key, why, remedy))


@dataclass(slots=True)
class Sent:
    """One job with what is sent for it."""

    job: Job
    body: dict[str, Any]
    """The new object, or the patch, as the server takes it."""
    narrowed: int = 0
    """How many times the server refused it and it was sent again with less."""
    otherwise: bool = False
    """True when it was made anew after the server showed how it wants such objects."""
    invites: bool = False
    """Whether the server may mail the participants."""
    octets: int = field(init=False)

    def __post_init__(self) -> None:
        """Measure it. Raises UnsentError for what is no JSON that can be sent."""
        try:
            self.octets = len(msgspec.json.encode(self.body)) + 2 * len(str(self.job.ref)) + 64
        except (TypeError, ValueError) as error:
            raise UnsentError.refused(self.job, f"it holds what no server takes: {error}") from error
        for text in strings(self.body):
            if text.startswith(ASIDE):
                raise UnsentError.stale(self.job, "a photo or an attachment of it could not be read from its file")
            if "\0" in text:  # Cyrus refuses the whole request as no JSON
                raise UnsentError.refused(self.job, "it holds a NUL character, which servers do not take")


class Sender:
    """Prepares and judges the writes of one kind."""

    def __init__(self, reader: Reader, data: Data) -> None:
        """Prepare."""
        self._reader = reader
        self._data = data
        self._unknown: frozenset[str] = frozenset()
        """What is unknown in the dialect that the server turned out to speak."""
        self._inline = False
        """True once it turned out to take data in its place only."""
        self.overtaken: set[str] = set()
        """Ids of objects that the next run has to read: `/changes` may be silent about them."""

    async def most(self) -> int:
        """Return how many objects to write at a time."""
        limits = await self._reader.limits()
        return min(limits.max_objects_in_set, limits.max_objects_in_get, BATCH)

    async def split(self, sent: list[Sent]) -> Iterator[list[Sent]]:
        """Split what is to be sent by what one request may hold, and by whether participants may be mailed."""
        limits, most = await self._reader.limits(), await self.most()
        parts = ([one for one in sent if one.invites is invites] for invites in (False, True))
        return chain.from_iterable(split(part, most, limits.room, lambda one: one.octets) for part in parts)

    def set(self, state: str = "", *, invites: bool = False, **arguments: Any) -> Call:  # noqa: ANN401 # as the method takes them
        """Return the call that writes objects, in a state if one is given; with `invites` the server may mail participants."""
        dialect = self._reader.dialect
        expected = {"ifInState": state} if state else {}
        allowed = {"sendSchedulingMessages": True} if invites and "sendSchedulingMessages" in dialect.arguments else {}
        common = {"accountId": self._reader.account, **dialect.arguments, **allowed}
        return Call(f"{dialect.type}/set", {**common, **expected, **arguments}, "set")

    # what is there

    def form(self, job: Job, found: Found) -> Object:
        """Return the normal form of the object that the server was read to hold. Raises UnsentError where there is none."""
        ref, order = str(job.ref), job.order
        if ref in found.lost and order.verb is Verb.DELETE:
            raise UnsentError(Done(order.key))
        if ref in found.lost:
            raise UnsentError.stale(job, "it was deleted on the server since it was last read")
        if ref not in found.items:
            raise UnsentError.stale(job, "the server does not answer for it")
        try:
            return self._reader.normal_form(ref, found)
        except MalformedError as error:
            raise UnsentError.refused(job, f"what the server holds of it cannot be converted: {error}", Remedy.LATER) from error

    def check_body(self, job: Job, version: Version) -> None:
        """Raise UnsentError, and have the object read again, if it was edited since it was last seen."""
        if job.order.expect is not None and version.body != job.order.expect.body:
            self.overtaken.add(str(job.ref))
            raise UnsentError.stale(job, "it was edited on the server since it was last read")

    def check_homes(self, job: Job, homes: frozenset[int], *others: frozenset[int]) -> None:
        """Raise UnsentError, and have the object read again, if it lies elsewhere than where it was last seen, or in `others`."""
        if job.order.expect is not None and homes not in (job.order.expect.homes, *others):
            self.overtaken.add(str(job.ref))
            raise UnsentError.stale(job, "it was moved on the server since it was last read")

    def leaving(self, boxes: list[str]) -> dict[str, Any] | None:
        """Return the patch that takes an object out of the mirrored ones of some containers; None where all of them are."""
        reader = self._reader
        if all(box in reader.keys for box in boxes):
            return None
        return {f"{reader.dialect.member}/{pointer.escape(box)}": None for box in boxes if box in reader.keys}

    # what is sent

    async def upload_ahead(self, values: Iterable[Any]) -> dict[str, str]:
        """Upload the data inside many values at the same time; return blob ids by URI. Raises what stops everything."""
        return await self._data.upload_ahead(uri for value in values for uri in self._uris_to_upload(value))

    async def item(self, job: Job, item: Object, ahead: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Return a new object as the server takes it; `ahead` are blob ids of what was uploaded. Raises UnsentError."""
        blobs = await self._uploaded(job, item, ahead or {})
        try:
            return {**self._reader.dialect.down(item, blobs), **self.members(job, [])}
        except MalformedError as error:
            raise UnsentError.refused(job, str(error)) from error

    async def patch(
        self, job: Job, patch: Patch, form: Object, given: Object, ahead: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Return a patch of a normal form as the server takes it, of the object as it gave it; `ahead` as above.

        Raises UnsentError.
        """
        blobs = await self._uploaded(job, patch, ahead or {})
        try:
            return dict(self._reader.dialect.down_patch(patch, form, given, blobs))
        except MalformedError as error:
            raise UnsentError.refused(job, str(error)) from error

    def _uris_to_upload(self, value: Any) -> list[str]:  # noqa: ANN401 # any JSON value
        """Return the data inside a value that go as blobs, because the server takes none in place or they are too much."""
        uris = data_uris(value)
        return uris if uris and not self._inline and (self._reader.dialect.uploads or sum(map(len, uris)) > LARGE) else []

    async def _uploaded(self, job: Job, value: Any, ahead: Mapping[str, str]) -> dict[str, str]:  # noqa: ANN401 # any JSON value
        """Upload the data inside a value that were not ahead of it; return blob ids by URI."""
        uris = self._uris_to_upload(value)
        ready = {uri: ahead[uri] for uri in uris if uri in ahead}
        try:
            return ready | await self._data.upload(uri for uri in uris if uri not in ready)
        except (SignInError, NetworkError, LocalError):
            raise
        except RequestError as error:
            why = "a photo or an attachment of it is larger than the server takes" if error.type == "limit" else error.message
            raise UnsentError.refused(job, why, error.remedy) from error
        except JmapsyncError as error:
            raise UnsentError.refused(job, error.message, error.remedy) from error

    def members(self, job: Job, held: Iterable[str]) -> dict[str, Any]:
        """Return the containers that an object is to be in, whole; of those that it is in, the ones that nobody mirrors stay.

        Raises UnsentError where they are not known.
        """
        member = self._reader.dialect.member
        boxes = sorted(box for box, key in self._reader.keys.items() if key in job.order.homes)
        if not boxes:
            raise UnsentError.stale(job, "the server does not have the container that it is to be in")
        if not self._reader.dialect.one_member:
            elsewhere = [box for box in held if box not in self._reader.keys]
            return {member: dict.fromkeys([*boxes, *elsewhere], True)}
        if len(boxes) > 1:
            raise UnsentError.refused(job, "on this server a contact can be in one address book only")
        return {member: boxes[0]}

    def member_paths(self, job: Job) -> dict[str, Any]:
        """Return what changes of the containers that an object is in."""
        member, order = self._reader.dialect.member, job.order
        paths: dict[str, Any] = {}
        for box, key in sorted(self._reader.keys.items()):
            name = pointer.escape(box)
            if key in order.added_homes:
                paths[f"{member}/{name}"] = True
            elif key in order.removed_homes:
                paths[f"{member}/{name}"] = None
        return paths

    # what came of it

    def turns_out_otherwise(self, one: Sent, error: SetError) -> bool:
        """Return whether a refusal shows how the server wants an object to be sent: it is so sent from now on.

        It may speak the older dialect, or take data in its place only (Stalwart: blobIds in media are not supported).
        """
        if error.type != "invalidProperties" or one.otherwise:
            return False
        names = {path.partition("/")[0] for path in one.body}
        for other in self._reader.dialect.others:
            if other.unknown & names and other.unknown & set(error.properties):
                self._reader.dialect, self._unknown = other.dialect, other.unknown
                break
        if self._unknown & names:
            return True
        refers = '"blobId":' in str(msgspec.json.encode(one.body), "utf-8")
        if refers and not self._reader.dialect.uploads and any(_HOLDS_DATA & set(pointer.split(path)) for path in error.properties):
            self._inline = True
            return True
        return False

    def narrower(self, one: Sent, error: SetError, given: Object) -> Sent | None:
        """Return what to send in place of what was refused; None where that is the server's last word.

        Properties that the server names and that an object can do without are left out: what it does not keep shows when it is read
        back. A patch may have nothing left: then the server keeps nothing of the edit, and the item is not skipped for it. Paths
        that it does not take go as whole properties (RFC 8620, 5.3: invalidPatch). Participants that it cannot mail are not mailed.
        """
        if one.invites and error.type == "noSupportedScheduleMethods":
            return Sent(one.job, one.body)
        if one.narrowed >= NARROWINGS:
            return None
        if error.type == "invalidPatch" and one.job.order.verb is not Verb.CREATE:
            try:
                whole = apply(given, one.body)
            except MalformedError:
                return None
            whole = {name: whole.get(name) for name in {pointer.split(path)[0] for path in one.body}}
            return None if whole == one.body else Sent(one.job, whole, narrowed=one.narrowed + 1, invites=one.invites)
        refused = error.properties if error.type == "invalidProperties" else ()
        named = {path.lstrip("/").partition("[")[0] for path in refused}
        if not named or any(name.partition("/")[0] in _ESSENTIAL for name in named):
            return None
        rest = {path: value for path, value in one.body.items() if not any(_overlap(path, name) for name in named)}
        left = one.job.order.verb is not Verb.CREATE or any(path.partition("/")[0] not in _ESSENTIAL for path in rest)
        return Sent(one.job, rest, narrowed=one.narrowed + 1, invites=one.invites) if left and len(rest) < len(one.body) else None

    async def read_back(self, response: Any, refs: list[str]) -> Found:  # noqa: ANN401 # a Response
        """Return objects as they are after a write; what the same request did not return is asked for."""
        found = Found()
        try:
            await self._reader.take(response, "back", found)
        except MethodError:
            found = Found()
        if missing := [ref for ref in refs if ref not in found.items and ref not in found.lost]:
            try:
                found.add(await self._reader.fetch(missing))
            except MethodError:
                return found
        return found

    def receipt(self, one: Sent, ref: str, found: Found) -> Receipt:
        """Return a receipt by what the server was read to hold after the write."""
        order = one.job.order
        if ref not in found.items:
            return Stale(order.key, "it is not there after the change")
        try:
            seen = self._reader.one(ref, found)
        except MalformedError as error:
            return Stale(order.key, f"it cannot be read after the change: {error}")
        if order.verb is not Verb.CREATE and order.added_homes - seen.version.homes:
            return Refused(order.key, "the server accepted that it was moved but does not show it", version=seen.version)
        if order.verb is Verb.CREATE:
            return Created(order.key, seen.version, ref, seen.size, seen.content)
        return Done(order.key, seen.version, seen.content)


def _overlap(path: str, other: str) -> bool:
    return path == other or path.startswith(f"{other}/") or other.startswith(f"{path}/")
