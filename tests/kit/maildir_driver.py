"""One local side with a ledger: what the engine does with it, without an engine and a server."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from jmapsync.formats.names import EVERYTHING
from jmapsync.kinds import MAIL
from jmapsync.ledger import Place, Record
from jmapsync.planner.model import Order, Side, Verb, Version
from jmapsync.storage.maildir.side import MaildirSide
from jmapsync.storage.port import Body, DiskFolders, DiskItems, Folder, Job, Placed, Success
from jmapsync.sync.context import ContainerContext
from jmapsync.sync.ingest import Ingester
from jmapsync.sync.mailbox_filter import Scope
from jmapsync.sync.quarantine import Quarantine
from jmapsync.sync.withdrawn import Withdrawn
from tests.kit.local_side import LocalSideDriver
from tests.storage.ledgers import open_ledger

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

STAMP = 1_700_000_000


class MaildirDriver(LocalSideDriver[MaildirSide]):
    """A local side under test; writes are committed and observations ingested as a run does."""

    def __init__(self, base: Path, **options: Any) -> None:  # noqa: ANN401 - the side's own
        self.root = base / "mail"
        self.ledger = open_ledger(base / "ledger.sqlite")
        self.side = MaildirSide(self.root, base / "spool", **options)
        self.open()
        self._numbers = itertools.count(1)
        quarantine = Quarantine(MAIL.name, self.ledger, time.time)
        context = ContainerContext()
        withdrawn = Withdrawn(MAIL, self.ledger, context)
        scope = Scope(MAIL, self.ledger, context, EVERYTHING, [])
        self._ingester = Ingester(MAIL, self.ledger, context, quarantine, self.side.adopt_folder, scope, withdrawn)

    def folder(self, name: str, *, parent: int | None = None) -> int:
        """Make a folder as the server's mailboxes are made here and return its key."""
        homes = frozenset({parent}) if parent is not None else frozenset[int]()
        version = Version(name, name, homes=homes)
        key = self.ledger.add(Record(0, "mailbox", f"M{next(self._numbers)}", name, remote=version))
        job = Job(Order(Side.LOCAL, Verb.CREATE, key, None, version, frozenset(), homes, "new"), f"M{key}", 0)
        receipt = self.side.write_folder(job, "inbox" if name == "INBOX" else "", self.ledger)
        assert isinstance(receipt, Placed), receipt
        self.place(receipt)
        self.ledger.save([replace(record, local=version) for record in self.ledger.records([key]).values()])
        return key

    # what the engine writes

    def to_create(self, content: bytes, homes: Iterable[int], tags: Iterable[str] = (), *, stamp: int = STAMP) -> Job:
        """Return the job of a message that the server has and the disk has not."""
        number = next(self._numbers)
        remote = Version(f"B{number}", tags=frozenset(tags), homes=frozenset(homes))
        key = self.ledger.add(Record(0, "mail", f"E{number}", f"email E{number}", len(content), stamp, remote=remote))
        order = Order(Side.LOCAL, Verb.CREATE, key, None, remote, remote.tags, remote.homes, "new on the server")
        return Job(order, f"E{number}", stamp, Body(f"E{number}", content))

    def to_update(self, key: int, homes: Iterable[int] | None = None, tags: Iterable[str] | None = None) -> Job:
        """Return the job that gives a message other folders or keywords."""
        held = self.version(key)
        wanted_homes = held.homes if homes is None else frozenset(homes)
        wanted_tags = held.tags if tags is None else frozenset(tags)
        order = Order(Side.LOCAL, Verb.UPDATE, key, held, None, wanted_tags, wanted_homes, "changed on the server")
        return Job(order, None, self.record(key).stamp, places=self.places(key))

    def create(self, content: bytes, homes: Iterable[int], tags: Iterable[str] = (), *, stamp: int = STAMP) -> int:
        """Put a message on the disk and return its key."""
        job = self.to_create(content, homes, tags, stamp=stamp)
        [receipt] = self.write(job)
        assert isinstance(receipt, Success), receipt.why
        return receipt.key

    # what the engine sees

    def observe_folders(self) -> list[Folder]:
        """Return the folders of the disk."""
        seen = self.side.observe_folders(self.ledger)
        assert isinstance(seen, DiskFolders)
        return seen.folders

    def observe(self, *folders: str) -> DiskItems:
        """Scan the disk, or some folders of it, and ingest what is seen."""
        self._ingester.ingest_local_folders(self.side.observe_folders(self.ledger))
        seen = self.side.observe_items(self.ledger, self.paths_of(*folders) if folders else None)
        self._ingester.ingest_local_items(seen)
        return seen

    def paths_of(self, *folders: str) -> set[str]:
        """Return folders as the watch names them."""
        return {str(self.root / folder) for folder in folders}

    def read(self, key: int) -> bytes | None:
        """Return the wire's bytes of a message as the side reads them."""
        body = self.side.read(key, self.places(key))
        return body.path.read_bytes() if body.path is not None else body.data

    def path(self, place: Place) -> Path:
        return self.side.tree.folder(place.folder) / place.sub / f"{place.name}{place.info}"

    def paths(self, key: int) -> list[Path]:
        return [self.path(place) for place in self.places(key)]
