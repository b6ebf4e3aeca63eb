"""A vdir with a ledger: what the engine does with it, without an engine and a server."""

from __future__ import annotations

import itertools
import json
import os
import time
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from jmapsync.formats.names import EVERYTHING
from jmapsync.kinds import CALENDARS
from jmapsync.ledger import Record
from jmapsync.planner.model import NO_TAGS, NOTHING, Order, Side, Verb, Version
from jmapsync.storage.port import Body, DiskItems, Folder, Job, Placed, Success
from jmapsync.storage.vdir.side import VdirSide
from jmapsync.sync.context import ContainerContext
from jmapsync.sync.ingest import Ingester
from jmapsync.sync.mailbox_filter import Scope
from jmapsync.sync.quarantine import Quarantine
from jmapsync.sync.withdrawn import Withdrawn
from tests.kit.local_side import LocalSideDriver
from tests.storage.ledgers import open_ledger
from tests.storage.vdir.tiny import Tiny

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from jmapsync.formats.codec import Codec
    from jmapsync.formats.objects import Object


def item(uid: str = "one", title: str = "One", **more: Any) -> Object:  # noqa: ANN401 - JSON
    return {"uid": uid, "title": title, **more}


class VdirDriver(LocalSideDriver[VdirSide]):
    """A vdir under test; writes are committed and scans ingested as a run does."""

    def __init__(self, base: Path, codec: Codec | None = None, **options: Any) -> None:  # noqa: ANN401 - the side's own
        self.root = base / "calendars"
        self.path = base / "ledger.sqlite"
        self.codec = codec or Tiny()
        self._options = options
        self.ledger = open_ledger(self.path)
        self.numbers = itertools.count(1)
        self.enter()

    def enter(self) -> None:
        """Begin anew with what lies on the disk and in the ledger."""
        self.side = VdirSide(self.root, "calendars", self.codec, **self._options)
        self.open()
        self.context = ContainerContext()
        quarantine = Quarantine(CALENDARS.name, self.ledger, time.time)
        withdrawn = Withdrawn(CALENDARS, self.ledger, self.context)
        scope = Scope(CALENDARS, self.ledger, self.context, EVERYTHING, [])
        self.ingester = Ingester(CALENDARS, self.ledger, self.context, quarantine, self.side.adopt_folder, scope, withdrawn)
        self.ingester.load()

    def lose_ledger(self) -> None:
        """Begin anew with what lies on the disk only."""
        self.ledger.close()
        for file in self.path.parent.glob(f"{self.path.name}*"):
            file.unlink()
        self.ledger = open_ledger(self.path)
        self.enter()

    # collections

    def folder(self, name: str, color: str = "", *, ref: str = "") -> int:
        """Make a collection as the server's calendars are made here and return its key."""
        ref = ref or f"C{next(self.numbers)}"
        version = Version(name, name, tags=frozenset({color} - {""}))
        key = self.ledger.add(Record(0, "calendar", ref, name, remote=version))
        receipt = self.write_folder(key, Verb.CREATE, version)
        assert isinstance(receipt, Success), receipt.why
        return key

    def write_folder(self, key: int, verb: Verb, version: Version | None) -> Any:  # noqa: ANN401 - a receipt
        """Carry out an order on a collection and keep in the ledger what was done."""
        record = self.record(key)
        tags = version.tags if version is not None else NO_TAGS
        order = Order(Side.LOCAL, verb, key, record.local, version, tags, NOTHING, "changed on the server")
        receipt = self.side.write_folder(Job(order, record.ref, 0), "", self.ledger)
        if isinstance(receipt, Placed):
            self.place(receipt)
            self.ledger.save([replace(record, local=version, base=None)])
        return receipt

    def observe_folders(self) -> list[Folder]:
        """Scan the collections and ingest what is seen."""
        seen = self.side.observe_folders(self.ledger)
        self.ingester.ingest_local_folders(seen)
        return seen.folders

    def directory(self, key: int) -> Path:
        return self.side.tree.folder(key)

    # what the engine writes

    def to_create(self, content: Object, homes: Iterable[int], *, key: int = 0) -> Job:
        """Return the job of an item that the server has and the disk has not; one that the ledger does not know gets a key."""
        number = next(self.numbers)
        remote = Version(f"B{number}", homes=frozenset(homes))
        key = key or self.ledger.add(Record(0, "calendars", f"E{number}", f"E{number}", digest=str(content["uid"]), remote=remote))
        order = Order(Side.LOCAL, Verb.CREATE, key, None, remote, NO_TAGS, remote.homes, "new on the server")
        return Job(order, f"E{number}", 0, body(content))

    def to_replace(self, key: int, content: Object, homes: Iterable[int] | None = None) -> Job:
        """Return the job that gives an item other content."""
        held = self.version(key)
        wanted = held.homes if homes is None else frozenset(homes)
        order = Order(Side.LOCAL, Verb.REPLACE, key, held, Version("B"), NO_TAGS, wanted, "changed on the server")
        return Job(order, None, 0, body(content), places=self.places(key))

    def to_update(self, key: int, homes: Iterable[int]) -> Job:
        """Return the job that puts an item into other collections."""
        order = Order(Side.LOCAL, Verb.UPDATE, key, self.version(key), None, NO_TAGS, frozenset(homes), "moved on the server")
        return Job(order, None, 0, places=self.places(key))

    def create(self, content: Object, *homes: int) -> int:
        """Put an item on the disk and return its key."""
        job = self.to_create(content, homes)
        [receipt] = self.write(job)
        assert isinstance(receipt, Success), receipt.why
        return receipt.key

    # what the engine sees

    def observe(self) -> DiskItems:
        """Scan the disk and ingest what is seen."""
        self.observe_folders()
        seen = self.side.observe_items(self.ledger)
        self.ingester.ingest_local_items(seen)
        return seen

    def read(self, key: int) -> Object | None:
        """Return the normal form of an item as the side reads it."""
        data = self.side.read(key, self.places(key)).data
        return json.loads(data) if data is not None else None

    def content(self, key: int) -> Object:
        """Return the normal form that the ledger keeps of an item here."""
        found: Object = json.loads(self.ledger.contents.of([key], "local")[key])
        return found

    def paths(self, key: int) -> list[Path]:
        return [self.directory(place.folder) / place.name for place in self.places(key)]

    def items(self) -> list[Record]:
        return [record for record in self.ledger.all("calendars") if record.local is not None]

    # what people do

    def save(self, path: Path, content: Object | bytes) -> Path:
        """Save a file as an editor does that writes a new one and renames it; it has rested by now."""
        data = content if isinstance(content, bytes) else self.codec.write(content)
        temporary = path.with_name(f"{path.name}.tmp")
        temporary.write_bytes(data)
        rest(temporary)
        return temporary.rename(path)


_ages = itertools.count(100_000, -1)


def rest(path: Path) -> None:
    """Set a file's mtime to a while ago, later than those before it."""
    moment = time.time_ns() - next(_ages) * 10_000_000
    os.utime(path, ns=(moment, moment))


def body(content: Object) -> Body:
    return Body("", json.dumps(content, sort_keys=True).encode())


def assert_silent(room: VdirDriver) -> None:
    """Fail if a scan takes anything for a change."""
    seen = room.observe()
    assert (seen.items, seen.gone, seen.moved, seen.places, seen.problems, seen.suspicious) == ([], [], [], [], [], "")
