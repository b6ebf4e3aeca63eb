"""Write down what came of a batch of changes: the trees as they are seen to be, and the base where both sides hold it.

One batch is one transaction. A change that was refused, or that found another state than it expected, moves no base: the next
plan finds it again.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from jmapsync.adopt.hard_links import dated, together
from jmapsync.formats.objects import encode
from jmapsync.formats.unconverted import is_file
from jmapsync.ledger.contents import NOW, Tree
from jmapsync.ledger.intents import note_made, retire
from jmapsync.planner.model import Base, Side, Verb, Version
from jmapsync.planner.orders import agreed_base, ordered, unmarked
from jmapsync.storage.port import Bound, Created, Done, Filed, Imported, Kept, Receipt, Refused, Stale, Success
from jmapsync.sync.merge_objects import message_of_losses

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jmapsync.kinds import Kind
    from jmapsync.ledger import Ledger, Place, Record
    from jmapsync.planner.model import Change, Order
    from jmapsync.sync.merge_objects import Edit, Objects
    from jmapsync.sync.quarantine import Quarantine
    from jmapsync.sync.report import KindReport
    from jmapsync.sync.withdrawn import Withdrawn


@dataclass(slots=True)
class Work:
    """One change with the record it is about and what came of its orders."""

    change: Change
    record: Record
    local: Order | None = field(init=False)
    remote: Order | None = field(init=False)
    brings_body: bool = field(init=False)
    """Whether the server's bytes have to be fetched for it."""
    sends_body: bool = field(init=False)
    """Whether the local bytes have to be read for it."""
    edit: Edit | None = None
    """What an edit of an object comes to."""
    local_receipt: Receipt | None = None
    remote_receipt: Receipt | None = None

    @property
    def merges(self) -> bool:
        """Return whether an edit is sent to an object that was changed there too: then the disk is still to get what came of it."""
        base, seen = self.record.base, self.record.remote
        edits = self.sends_body and not self.brings_body
        return edits and base is not None and seen is not None and seen.body != base.remote.body

    def __post_init__(self) -> None:
        """Sort the orders by side."""
        self.local = self.remote = None
        for order in self.change.orders:
            if order.side is Side.LOCAL:
                self.local = order
            else:
                self.remote = order
        self.brings_body = self.local is not None and self.local.verb in {Verb.CREATE, Verb.REPLACE}
        self.sends_body = self.remote is not None and self.remote.verb in {Verb.CREATE, Verb.REPLACE}

    @property
    def done(self) -> list[tuple[Side, Order, Receipt]]:
        """Return the orders that were tried, with their receipts."""
        tried = ((Side.REMOTE, self.remote, self.remote_receipt), (Side.LOCAL, self.local, self.local_receipt))
        return [(side, order, receipt) for side, order, receipt in tried if order is not None and receipt is not None]


class Committer(Struct):
    """Writes batches of one kind into the ledger."""

    kind: Kind
    ledger: Ledger
    report: KindReport
    clock: Callable[[], float]
    quarantine: Quarantine
    withdrawn: Withdrawn
    stale: dict[int, str] = {}
    """Why changes found another state than they expected, by key: a new round is due."""
    _records: list[Record] = []
    _moved: list[tuple[int, str]] = []
    _places: list[Place] = []
    _finished: list[Record] = []
    """Records whose intents and problems are over."""
    _made: list[str] = []
    """Ids of items that are new, or new to a mailbox."""
    objects: Objects | None = None
    """Knows the bodies of a kind that are objects."""

    def commit(self, works: Sequence[Work]) -> None:
        """Write down what came of a batch."""
        self._doubt_ids(works)
        bound: list[tuple[Record, Bound]] = []
        with self.ledger.transaction():
            for work in works:
                if isinstance(work.remote_receipt, Bound):
                    bound.append((work.record, work.remote_receipt))
                else:
                    self._take(work)
            self.ledger.drop_places(self._moved)
            self.ledger.put_places(self._places)
            self.ledger.save(self._records)
            if self._made:
                cursor = self.ledger.cursor(self.kind.name, Side.REMOTE)
                note_made(self.ledger, self.kind.items.kind, self._made, cursor)
            if self.objects is not None:
                self._keep_contents(self.objects, works)
            self.ledger.drop_intents(record.key for record in self._finished)
            self.quarantine.release(record.key for record in self._finished)
            for record, receipt in bound:  # at last, because the email may be one that this very batch made or changed
                self._bind(record, receipt)
        for kept in (self._records, self._moved, self._places, self._finished, self._made):
            kept.clear()

    def _doubt_ids(self, works: Sequence[Work]) -> None:
        """Take as stale the items to which the server gave one id, or the id of another item: the next round observes them."""
        given = {work.change.key: ref for work in works if (ref := _given(work))}
        counts = Counter(given.values())
        known = self.ledger.by_ref(self.kind.items.kind, list(counts))
        for work in works:
            ref = given.get(work.change.key, "")
            if ref and (counts[ref] > 1 or (ref in known and known[ref].key != work.record.key)):
                work.remote_receipt = Stale(work.change.key, "the server gave it the id of another item")

    def _take(self, work: Work) -> None:
        local, remote = work.local_receipt, work.remote_receipt
        if isinstance(local, Filed):
            self._moved += local.moved
            self._places += local.places
        if isinstance(remote, Imported):
            self._take_old_version(work, remote)
        if isinstance(remote, Kept) and isinstance(local, Success | None):
            self._records.append(replace(work.record, kind=self.kind.kept, local=None, base=None))
            self.report.to_server.add(Verb.DELETE)
        else:
            self._records.append(self._outcome(work))

    def _take_old_version(self, work: Work, made: Imported) -> None:
        """Note where the old version of an edited message is to be found, or that it stays on the server."""
        if made.retired:
            # Where it is now has to be seen: mostly in the Trash; no list of changes has to name one that stayed where it was.
            self._made.append(made.retired)
            self.stale[work.change.key] = "its old version is to be found on the server"
        if made.left and not self.ledger.by_ref(self.kind.kept, [made.left]):
            before = work.record.base.local.body if work.record.base is not None else ""
            self.ledger.add(replace(work.record, kind=self.kind.kept, ref=made.left, digest=before, local=None, base=None))

    def _outcome(self, work: Work) -> Record:
        """Return the record after its orders; count what was done and quarantine what was refused."""
        done = work.done
        refused = [receipt for _, _, receipt in done if isinstance(receipt, Refused)]
        succeeded = all(isinstance(receipt, Success) for _, _, receipt in done)
        complete = succeeded and len(done) == len(work.change.orders)
        after = self._seen_after(work)
        if complete:
            base = self._agreed(work)
            seen = after.remote
            if self.objects is not None and work.merges and base is not None and work.record.base is not None:
                before = work.record.base.remote
                base = replace(base, remote=replace(base.remote, body=before.body, sense=before.sense))
            if base is not None and seen is not None and work.brings_body:
                seen = base.remote if seen == work.record.remote else replace(seen, sense=base.remote.sense)
            after = replace(after, remote=seen, base=base)
            self._finished.append(after)
            if work.change.undone:
                self.report.add_undone(work.change.reason, self.quarantine.label(work.record))
        elif succeeded:
            self.ledger.drop_intents([after.key])
        elif not refused:
            self.stale[after.key] = next((receipt.why for _, _, receipt in done if isinstance(receipt, Stale)), "")
        for receipt in refused:
            self.ledger.drop_intents([after.key])
            self.quarantine.add(after, work.change.orders, receipt.why, receipt.remedy)
        return after

    def _keep_contents(self, objects: Objects, works: Sequence[Work]) -> None:
        """Keep the objects that the sides hold after a batch, and what the server did not keep of those it was sent."""
        contents: dict[Tree, dict[int, bytes]] = {"local": {}, "remote": {}, "left_out": {}}
        copied: list[int] = []
        for work in works:
            key = work.change.key
            for side, order, receipt in work.done:
                if not (isinstance(receipt, Done | Filed | Created) and receipt.content):
                    continue
                if side is Side.REMOTE and order.verb in {Verb.CREATE, Verb.REPLACE}:
                    left_out = objects.left_out(work, receipt.content)
                    if left_out:
                        self.report.messages.append(message_of_losses(self.quarantine.label(work.record), left_out))
                    contents["left_out"][key] = encode([left_out, json.loads(receipt.content)]) if left_out else b""
                    contents["local"][key] = objects.aligned(key, receipt.content)
                if is_file(receipt.content):
                    copied.append(key)
                else:
                    contents[NOW[side]][key] = receipt.content
        for tree, values in contents.items():
            self.ledger.contents.put(tree, values)
        self.ledger.contents.copy(copied, "remote", "local")  # only the server's own file is written as it is
        finished = [record.key for record in self._finished]
        sent = {work.change.key: work.remote_receipt.content for work in works if isinstance(work.remote_receipt, Done | Created)}
        unseen = {
            work.change.key: objects.before_theirs(work, sent.get(work.change.key, b""))
            for work in works
            if work.merges and work.change.key in finished
        }
        self.ledger.contents.agree(finished)
        self.ledger.contents.put("base_remote", unseen)

    def _seen_after(self, work: Work) -> Record:
        """Return the record, on the base that it had, with what both sides were seen to hold after the orders; count those."""
        after = work.record
        for side, order, receipt in work.done:
            match receipt:
                case Filed(version=version, digest=digest):
                    after = replace(after.with_side(side, version), digest=digest or after.digest)
                    self.report.to_disk.add(order.verb)
                case Imported() | Created():
                    after = self._after_creation(after.with_side(side, receipt.version), receipt)
                    self.report.to_server.add(order.verb)
                case Done(version=version):
                    after = after.with_side(side, self.withdrawn.completed(version, work.record.of(side), self.withdrawn.keys))
                    if order.verb is Verb.UPDATE and order.added_homes and after.ref:
                        self._made.append(after.ref)  # James lists it as created then, even where it is destroyed since
                    self.report.to_server.add(order.verb)
                case Refused(version=version) if version is not None:
                    after = after.with_side(side, version)
        return after

    def _after_creation(self, after: Record, made: Imported | Created) -> Record:
        """Return the record of what was made on the server, by the id that it has there now."""
        stamp = after.stamp
        if isinstance(made, Imported):
            after, stamp = replace(after, digest=made.digest or after.digest), made.stamp or after.stamp
            if made.lost:
                self.quarantine.name_cut(after, made.lost)
        self._made.append(made.ref)
        return replace(after, ref=made.ref, size=made.size or after.size, stamp=stamp)

    def _agreed(self, work: Work) -> Base | None:
        """Return what both sides agree on after their orders (`planner.orders.ordered`); None where one is to hold nothing."""
        here, there = work.record.local, work.record.remote
        local = unmarked(here) if here is not None else None
        if work.local is not None:
            local = ordered(work.local, _seen(work.local_receipt))
        remote = there if work.remote is None else ordered(work.remote, _seen(work.remote_receipt))
        if local is None or remote is None or work.change.deletes:
            return None
        if work.remote is not None and work.sends_body:
            local, remote = (_without_lost(one, work.remote, _seen(work.remote_receipt)) for one in (local, remote))
        if work.brings_body:
            remote = Version(remote.body, local.sense, remote.tags, remote.homes)
        return agreed_base(work.record.pair, local, remote)

    def _bind(self, record: Record, receipt: Bound) -> None:
        """Make one item of a local message and the email that the server says holds its content."""
        self.ledger.drop_intents([record.key])
        self.stale[record.key] = "the server says that it holds it already, and does not keep to it"
        other = self.ledger.by_ref(self.kind.items.kind, [receipt.ref]).get(receipt.ref)
        sense = record.local.sense if record.local is not None else ""
        remote = replace(receipt.version, sense=sense)
        kind, at = self.kind.items.kind, int(self.clock())
        places = self.ledger.places_of([record.key]).get(record.key, [])
        local = dated(record.local, places, receipt.stamp) if record.local is not None else None
        if other is None or other.key == record.key:
            size, stamp = receipt.size or record.size, receipt.stamp or record.stamp
            bound = replace(record, ref=receipt.ref, size=size, stamp=stamp, local=local, remote=remote, base=None)
            self.ledger.save([bound])
            if record.remote is not None and record.ref != receipt.ref:
                old = replace(record, key=self.ledger.add(replace(record, local=None)))
                self.ledger.save([retire(self.ledger, kind, old, receipt.ref, at)])
            return
        if local is not None and other.local is not None:
            local = together(other.local, local)
        merged = replace(other, local=local, remote=remote, digest=other.digest or record.digest)
        self.ledger.put_places(place._replace(key=other.key) for place in places)
        self.ledger.save([retire(self.ledger, kind, record, receipt.ref, at), merged])


def _given(work: Work) -> str:
    """Return the id that the server gave to what it was sent, or nothing."""
    receipt = work.remote_receipt
    return receipt.ref if work.sends_body and isinstance(receipt, Imported | Created) else ""


def _without_lost(version: Version, order: Order, made: Version | None) -> Version:
    """Return a version without what the server left out of a new email: nobody took that away, so it is still to be added."""
    if made is None:
        return version
    return replace(version, tags=version.tags - (order.tags - made.tags), homes=version.homes - (order.homes - made.homes))


def _seen(receipt: Receipt | None) -> Version | None:
    return receipt.version if isinstance(receipt, Success) else None
