"""Drive the remote side of one kind of objects as a run does: ingest observations, and order writes."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from msgspec.structs import replace

from jmapsync.formats.codec import codec_of
from jmapsync.jmap.auth import BasicCredential
from jmapsync.jmap.client import Client
from jmapsync.kinds import KINDS
from jmapsync.ledger import Record
from jmapsync.planner.model import NO_TAGS, NOTHING, Order, Side, Verb, Version
from jmapsync.storage.jmap.objects import ObjectSide, dialect_for
from jmapsync.storage.port import (
    Body,
    Created,
    Done,
    Folder,
    FolderPage,
    ItemPage,
    Job,
    ListingEnd,
    Observation,
    Receipt,
    Seen,
    Success,
    Trouble,
)
from jmapsync.sync.context import ContainerContext

if TYPE_CHECKING:
    from collections.abc import Awaitable, Collection, Iterable

    from jmapsync.formats.codec import Codec
    from jmapsync.formats.objects import Object, Patch
    from jmapsync.jmap.session import Account

CARD: dict[str, Any] = {"@type": "Card", "version": "1.0"}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4
PHOTO = "data:image/png;base64," + base64.b64encode(PNG).decode()


@dataclass
class Observed:
    """All pages of one observation."""

    items: dict[str, Seen] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    folders: dict[str, Folder] = field(default_factory=dict)
    gone_folders: list[str] = field(default_factory=list)
    problems: list[Trouble] = field(default_factory=list)
    whole: bool = False
    suspicious: str = ""
    requests: int = 0

    @property
    def is_empty(self) -> bool:
        return not (self.items or self.gone or self.folders or self.problems or self.suspicious)


class ObjectSideDriver:
    """One kind of one account, with what the engine would have in its ledger."""

    def __init__(self, url: str, kind: str, user: str = "demo", password: str = "demo") -> None:
        self._runner = asyncio.Runner()
        self._numbers = itertools.count(100)
        self.kind = kind
        self.client = Client(url, BasicCredential(user, password), max_wait=2.0)
        session = self.run(self.client.session())
        offered = next(name for name in KINDS[kind].capabilities if name in session.capabilities)
        self.account: Account = session.account_for(offered)
        self.codec: Codec = codec_of(kind, vcard_version="3.0")
        self.side = ObjectSide(self.client, self.account, dialect_for(kind, session, self.account), self.codec)
        self.context = ContainerContext()
        self.side.open(self.context)
        self.cursor = ""
        self.held: dict[str, Seen] = {}
        """What the ledger believes to be on the server, by id."""
        self.folders: dict[str, Folder] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.run(self.client.__aexit__(None, None, None))
        self._runner.close()

    def run(self, act: Awaitable[Any]) -> Any:  # noqa: ANN401 # whatever the act gives
        async def waited() -> Any:  # noqa: ANN401
            return await act

        return self._runner.run(waited())

    # observations

    def observe(self, *, whole: bool = False, again: Collection[str] = ()) -> Observed:
        """Observe, and ingest what is seen as the engine does: a page is kept before the next one is asked for."""
        observed, before = Observed(), self.client.requests

        async def take() -> None:
            async for page in self.side.observe(self.cursor, lambda: set(self.held), list(again), whole=whole):
                self._take(page, observed)

        self.run(take())
        observed.requests = self.client.requests - before
        return observed

    def _take(self, page: Observation, observed: Observed) -> None:
        match page:
            case FolderPage():
                self._take_folders(page, observed)
            case ItemPage():
                self._take_items(page, observed)
                self._take_gone(page, observed)
            case ListingEnd():
                self._take_gone(page, observed)
                observed.whole = not page.unlisted

    def _take_folders(self, page: FolderPage, observed: Observed) -> None:
        for folder in page.folders:
            self.context.keys.setdefault(folder.ref, next(self._numbers))
            observed.folders[folder.ref] = self.folders[folder.ref] = folder
        gone = list(page.gone)
        if page.whole:
            gone += self.folders.keys() - {folder.ref for folder in page.folders}
        for ref in gone:
            if self.folders.pop(ref, None) is not None:
                observed.gone_folders.append(ref)
                self.context.keys.pop(ref)
        observed.problems += page.problems

    def _take_items(self, page: ItemPage, observed: Observed) -> None:
        for whole in page.items:
            seen = replace(whole.converted(), file=b"")  # the server's file may say when it was written
            assert seen.digest == json.loads(seen.content)["uid"]
            if self.held.get(seen.ref) != seen:
                observed.items[seen.ref] = seen
            self.held[seen.ref] = seen
        observed.problems += page.problems

    def _take_gone(self, page: ItemPage | ListingEnd, observed: Observed) -> None:
        for ref in page.gone:
            if self.held.pop(ref, None) is not None:
                observed.gone.append(ref)
        observed.suspicious = observed.suspicious or (page.suspicious if page.gone else "")
        self.cursor = page.cursor or self.cursor

    def content(self, ref: str) -> Object:
        """Return the normal form of an object as it was last seen."""
        found: Object = json.loads(self.held[ref].content)
        return found

    def ref(self, uid: str) -> str:
        """Return the server's id of the object with a uid."""
        (found,) = [seen.ref for seen in self.held.values() if seen.digest == uid]
        return found

    def by_uid(self, uid: str) -> Object:
        return self.content(self.ref(uid))

    def key(self, name: str) -> int:
        """Return the key of the container with a name."""
        return next(self.context.keys[folder.ref] for folder in self.folders.values() if folder.name == name)

    def home(self) -> int:
        """Return the key of any container."""
        return self.context.keys[next(iter(self.folders))]

    # reading

    def read(self, *refs: str) -> list[Body]:
        kept = {ref: Record(number, self.kind, ref, ref, remote=self.held[ref].version) for number, ref in enumerate(refs)}
        bodies = self.run(self.side.read(list(kept.values())))
        return [bodies[record.key] for record in kept.values()]

    def whole(self, ref: str) -> Object:
        """Return an object's normal form with its data."""
        (body,) = self.read(ref)
        assert body.data is not None, body.why
        found: Object = json.loads(body.data)
        return found

    # writing

    def to_create(self, item: Object, *homes: int) -> Job:
        order = self._order(Verb.CREATE, None, homes or (self.home(),))
        return Job(order, None, 0, Body("", json.dumps(item).encode()))

    def to_patch(self, ref: str, patch: Patch, homes: Iterable[int] | None = None) -> Job:
        expect = self.held[ref].version
        order = self._order(Verb.REPLACE, expect, expect.homes if homes is None else homes)
        return Job(order, ref, 0, Body("", b"{}"), patch=patch, held=self.held[ref].content)

    def to_move(self, ref: str, *homes: int) -> Job:
        return Job(self._order(Verb.UPDATE, self.held[ref].version, homes), ref, 0, held=self.held[ref].content)

    def to_delete(self, ref: str) -> Job:
        return Job(self._order(Verb.DELETE, self.held[ref].version, NOTHING), ref, 0)

    def _order(self, verb: Verb, expect: Version | None, homes: Iterable[int]) -> Order:
        source = Version("B") if verb in {Verb.CREATE, Verb.REPLACE} else None
        return Order(Side.REMOTE, verb, next(self._numbers), expect, source, NO_TAGS, frozenset(homes), "changed here")

    def write(self, *jobs: Job) -> list[Any]:
        """Carry out jobs, keep what came of them, and return the receipts in the order of the jobs: a test knows of which kind."""
        reported = {receipt.key: receipt for receipt in self.run(self.side.write(list(jobs)))}
        assert sorted(reported) == sorted(job.order.key for job in jobs)
        for job in jobs:
            receipt = reported[job.order.key]
            ref = _ref(receipt, job)
            if isinstance(receipt, Done | Created) and ref is not None:
                if receipt.version is None:
                    self.held.pop(ref, None)
                else:
                    uid = json.loads(receipt.content)["uid"]
                    self.held[ref] = Seen(ref, receipt.version, len(receipt.content), digest=uid, content=receipt.content)
        return [reported[job.order.key] for job in jobs]

    def done(self, *jobs: Job) -> list[str]:
        """Carry out jobs that must succeed, and return the ids of their objects."""
        receipts = self.write(*jobs)
        assert [receipt for receipt in receipts if not isinstance(receipt, Success)] == []
        return [str(_ref(receipt, job)) for job, receipt in zip(jobs, receipts, strict=True)]

    def write_folder(self, verb: Verb, ref: str | None, name: str = "", color: str = "") -> Any:  # noqa: ANN401 # a receipt
        tags = frozenset({color} - {""})
        version = Version(name, name, tags) if name else None
        order = Order(Side.REMOTE, verb, next(self._numbers), version, version, tags, NOTHING, "changed here")
        return self.run(self.side.write_folder(Job(order, ref, 0)))


def _ref(receipt: Receipt, job: Job) -> str | None:
    return receipt.ref if isinstance(receipt, Created) else job.ref
