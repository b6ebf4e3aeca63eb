"""Drive one local side with a ledger, without an engine and a server: jobs are carried out, and what was done is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from msgspec.structs import replace

from jmapsync.planner.model import NO_TAGS, NOTHING, Order, Side, Verb
from jmapsync.storage.port import Filed, Job

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jmapsync.ledger import Ledger, Place, Record
    from jmapsync.ledger.rows import FolderRow
    from jmapsync.planner.model import Version
    from jmapsync.storage.known import Known
    from jmapsync.storage.port import Learnt, Placed, Receipt, Written


class LocalSide(Protocol):
    """What the driver uses of a side."""

    def open(self, known: Known, account: str) -> Learnt: ...
    def write(self, jobs: Sequence[Job], known: Known) -> Written: ...
    def adopt_folder(self, key: int, path: str, ref: str) -> FolderRow: ...


Driven = TypeVar("Driven", bound=LocalSide)


def keep(ledger: Ledger, learnt: Learnt) -> None:
    """Keep in a ledger what a side learnt when it was opened."""
    for name, note in learnt.notes.items():
        ledger.set_note(name, note)


class LocalSideDriver(Generic[Driven]):
    """A local side under test and its ledger."""

    side: Driven
    ledger: Ledger

    def adopt(self, key: int, path: str, ref: str) -> None:
        """Let a folder that is on the disk be the one of a mailbox or collection."""
        self.ledger.put_folders([self.side.adopt_folder(key, path, ref)])

    def open(self) -> None:
        """Begin a run."""
        keep(self.ledger, self.side.open(self.ledger, "a1"))

    def place(self, placed: Placed) -> None:
        """Keep where containers lie after an order on one."""
        if placed.version is None:
            self.ledger.drop_folder(placed.key)
        self.ledger.put_folders(placed.folders)

    def to_delete(self, key: int) -> Job:
        """Return the job that takes an item off the disk."""
        order = Order(Side.LOCAL, Verb.DELETE, key, self.version(key), None, NO_TAGS, NOTHING, "deleted on the server")
        return Job(order, None, 0, places=self.places(key))

    def write(self, *jobs: Job) -> list[Any]:
        """Carry out jobs, keep in the ledger what was done, and return the receipts: a test knows of which kind."""
        written = self.side.write(jobs, self.ledger)
        self.ledger.put_folders(written.folders)
        receipts = written.receipts
        assert [receipt.key for receipt in receipts] == [job.order.key for job in jobs]
        self.commit(receipts)
        return receipts

    def commit(self, receipts: Iterable[Receipt]) -> None:
        """Keep in the ledger what was done."""
        with self.ledger.transaction():
            for receipt in receipts:
                if isinstance(receipt, Filed):
                    self.ledger.drop_places(receipt.moved)
                    self.ledger.put_places(receipt.places)
                    record = self.record(receipt.key)
                    self.ledger.save([replace(record, local=receipt.version, digest=receipt.digest or record.digest)])
                    if receipt.content:
                        self.ledger.contents.put("local", {receipt.key: receipt.content})

    def record(self, key: int) -> Record:
        return self.ledger.records([key])[key]

    def version(self, key: int) -> Version:
        version = self.record(key).local
        assert version is not None
        return version

    def places(self, key: int) -> list[Place]:
        return self.ledger.places_of([key]).get(key, [])
