"""Carry out what has to happen to containers: parents first before the items, deletions after them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from jmapsync.errors import Remedy
from jmapsync.ledger.intents import note_made
from jmapsync.planner.model import Order, Plan, Present, Side, Verb
from jmapsync.planner.orders import agreed_base, ordered
from jmapsync.planner.plan import needed_homes, plan
from jmapsync.storage.port import Created, Done, Job, Placed, Receipt, Refused, Stale, Success
from jmapsync.sync.threads import complete

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from jmapsync.kinds import Kind
    from jmapsync.ledger import Ledger, Record
    from jmapsync.planner.model import Change, Version
    from jmapsync.storage.port import Local, Remote
    from jmapsync.sync.context import ContainerContext
    from jmapsync.sync.mailbox_filter import Scope
    from jmapsync.sync.quarantine import Quarantine
    from jmapsync.sync.report import KindReport
    from jmapsync.sync.server_rights import Permits


NOTHING_TO_DO = Plan((), (), ())
TOGETHER = 500
"""Folders made here before they are made durable and written down."""
_TAKEN = "the server has another mailbox of this name there by now; give the folder another name"
_DIVIDED = "other mailboxes may be selected by now"
LODGED = "it stays on the server: an item in it has a file here that cannot be read"


class ContainerPlan(Struct):
    """What one round is to do about containers."""

    found: Plan = NOTHING_TO_DO
    records: dict[int, Record] = {}
    """All of them as they were planned for; none where both sides agree on all."""
    due: list[Change] = []
    """What is to be carried out now."""
    lodged: list[Change] = []
    """Deletions that have to wait, because the container holds an item whose file cannot be read."""

    def made(self, side: Side) -> frozenset[int]:
        """Return the keys of what is to be created on a side."""
        orders = (order for change in self.due for order in change.orders)
        return frozenset(order.key for order in orders if order.side is side and order.verb is Verb.CREATE)


class Containers(Struct):
    """The containers of one kind of one account."""

    kind: Kind
    ledger: Ledger
    local: Local
    remote: Remote
    context: ContainerContext
    scope: Scope
    report: KindReport
    quarantine: Quarantine
    permits: Permits
    held: set[int] = set()
    """Keys of items with a file that cannot be read; see `Channel.held`."""
    stale: dict[int, str] = {}
    """Why changes found another state than they expected, by key: a new round is due."""

    def plan(self) -> ContainerPlan:
        """Return what is to be done about the containers: parents first, deletions last."""
        if self.ledger.are_agreed(self.kind.containers.kind):
            return ContainerPlan()
        records = {record.key: record for record in self.ledger.all(self.kind.containers.kind)}
        local = frozenset(record.key for record in records.values() if record.local is not None)
        remote = frozenset(record.key for record in records.values() if record.remote is not None)
        rights = self.permits.rights()
        made = len(remote) < len(records) and bool(rights.no_child or rights.no_top)
        doomed = made or any(one.base is not None and (one.local is None or one.remote is None) for one in records.values())
        needed = self._needed() if doomed else frozenset[int]()
        pairs = [record.pair for record in records.values()]
        found = plan(pairs, self.kind.containers, Present(local, remote), needed=needed, rights=rights)
        return self._divided(ContainerPlan(found, records))

    def _divided(self, planned: ContainerPlan) -> ContainerPlan:
        """Find the changes that are due; the deletion of a container with an item that is quarantined is not."""
        problems = self.quarantine.problems()
        lodged = {
            home for one in self.ledger.records(sorted(self.held)).values() if one.remote is not None for home in one.remote.homes
        }
        for change in planned.found.changes:
            if change.key in lodged and any(order.side is Side.REMOTE and order.verb is Verb.DELETE for order in change.orders):
                planned.lodged.append(change)
            elif self.quarantine.is_due(planned.records[change.key], change.orders, problems.get(change.key)):
                planned.due.append(change)
        planned.due = self._without_idle(planned.due)
        return planned

    def _without_idle(self, due: list[Change]) -> list[Change]:
        """Return changes without the creation of what is only there for what lies in it, where nothing that lies in it needs it."""
        bare, needed = self.scope.bare, set[int]()
        kept: list[Change] = []
        for change in reversed(due):  # children before their parents
            written = [order for order in change.orders if order.side is Side.REMOTE and order.verb is not Verb.DELETE]
            if change.key in bare - needed and any(order.verb is Verb.CREATE for order in written):
                continue
            needed.update(home for order in written for home in order.homes)
            kept.append(change)
        return kept[::-1]

    def keep_agreed(self, planned: ContainerPlan) -> None:
        """Commit what needs no write on either side, and name what waits."""
        if not planned.records:
            return
        found, records = planned.found, planned.records
        with self.ledger.transaction():
            for key in found.agreed:
                record = records[key]
                self.ledger.save([replace(record, base=agreed_base(record.pair, record.local, record.remote))])
            # One in which files are known waits until it was seen what became of them.
            empty = [key for key in found.forgotten if next(self.ledger.places_in(key), None) is None]
            self.ledger.save(replace(records[key], base=None) for key in empty)
            for key in empty:
                self.ledger.drop_folder(key)
            self.name_waiting(planned)

    def name_waiting(self, planned: ContainerPlan) -> None:
        """Quarantine by name what may not be made on the server and holds items here, and what an item here keeps from deletion."""
        with self.ledger.transaction():
            for one in planned.found.hidden:
                self.quarantine.add(planned.records[one.key], (), one.reason, Remedy.LATER)
            for change in planned.lodged:
                self.quarantine.add(planned.records[change.key], change.orders, LODGED, Remedy.LATER)

    async def run(self, planned: ContainerPlan, *, deletions: bool) -> None:
        """Carry out creations and renames, or deletions; those that found another state than they expected are in `stale`."""
        records = planned.records
        crossed: list[tuple[Order, Record]] = []
        for changes in _runs([change for change in planned.due if change.deletes is deletions]):
            if len(changes) > 1:
                await complete(self._make_here, [change.orders[0] for change in changes])
                continue
            [change] = changes
            for order in change.orders:
                if not self._has_parent(order):
                    break  # it was refused: its children wait
                record = self.ledger.records([change.key]).get(change.key, records[change.key])
                if order.side is Side.REMOTE and order.verb is Verb.REPLACE and self._is_taken(order):
                    crossed.append((order, record))
                    break
                receipt = await self._carry_out(order, record)
                if isinstance(receipt, Stale):
                    self.stale[change.key] = receipt.why
                if not isinstance(receipt, Success):
                    break
                if self.scope.is_divided_by(order):
                    self.stale[change.key] = _DIVIDED
            else:
                if change.undone:
                    self.report.add_undone(change.reason, records[change.key].name)
        await self._swap(crossed)

    def quarantine_stale(self) -> None:
        """Quarantine by name what the last round still found in another state than it expected."""
        planned = self.plan()
        with self.ledger.transaction():
            for change in planned.found.changes:
                if change.key not in self.stale:
                    continue
                record = planned.records[change.key]
                if any(
                    order.side is Side.REMOTE and order.verb is not Verb.DELETE and self._is_taken(order) for order in change.orders
                ):
                    self.quarantine.add(record, change.orders, _TAKEN, Remedy.HUMAN)
                else:
                    self.quarantine.add_stale(record, change.orders, self.stale[change.key])

    def _make_here(self, orders: list[Order]) -> None:
        """Make folders none of which lies in another: each by itself costs some fsyncs, and there may be thousands."""
        records = self.ledger.records(sorted({key for order in orders for key in (order.key, *order.homes)}))
        orders = [
            order
            for order in orders
            if order.key in records and all(home in records and records[home].local is not None for home in order.homes)
        ]
        roles = {ref: role for role, ref in self.context.roles.items()}
        jobs = [(Job(order, records[order.key].ref, 0), roles.get(str(records[order.key].ref), "")) for order in orders]
        with self.ledger.transaction():
            receipts = self.local.make_folders(jobs, self.ledger)
            for order, receipt in zip(orders, receipts, strict=True):
                self._conclude(order, records[order.key], receipt)
                if isinstance(receipt, Stale):
                    self.stale[order.key] = receipt.why

    async def _swap(self, crossed: list[tuple[Order, Record]]) -> None:
        """Give containers names on the server that others of them still have; the next round observes these again."""
        receipts = await self.remote.rename_folders([Job(order, record.ref, 0) for order, record in crossed]) if crossed else []
        for (order, record), receipt in zip(crossed, receipts, strict=True):
            self._conclude(order, record, self._explained(order, receipt))
            self.stale[record.key] = receipt.why if isinstance(receipt, Stale | Refused) else ""

    def _has_parent(self, order: Order) -> bool:
        """Return whether the container that an order puts another one into is there."""
        parents = self.ledger.records(sorted(order.homes))
        return all(home in parents and parents[home].of(order.side) is not None for home in order.homes)

    async def put_back(self, keys: Collection[int], *, dry: bool) -> list[str]:
        """Make containers on the server that it lacks, parents first, and return what was done, one line a step.

        One of which the server had another before begins anew. Nothing is made when `dry`.
        """
        steps: list[str] = []
        records = self.ledger.records(sorted(keys))
        while records:
            ready = [one for one in records.values() if one.local is None or one.local.homes.isdisjoint(records)]
            for record in ready or list(records.values()):
                del records[record.key]
                if record.local is None or record.remote is not None:
                    continue
                why = "the server does not have it"
                order = Order(
                    Side.REMOTE,
                    Verb.CREATE,
                    record.key,
                    None,
                    record.local,
                    record.local.tags,
                    record.local.homes,
                    why,
                    record.name,
                )
                if dry:
                    steps.append(f"create folder {record.name} on the server: {why}")
                elif self._has_parent(order):
                    receipt = await self._carry_out(order, replace(record, ref=None, base=None))
                    steps += [f"created folder {record.name} on the server"] if isinstance(receipt, Success) else []
        return steps

    def describe(self, planned: ContainerPlan) -> list[str]:
        """Return what would be done, one line a step, and count it."""
        self.name_waiting(planned)
        for change in planned.due:
            for order in change.orders:
                self.report.foretold_folders.of(order.side).add(order.verb)
        return steps_of(planned)

    def _needed(self) -> frozenset[int]:
        """Return the containers that may not go: those with a role, and those that some open item is to live in."""
        needed = {self.context.keys[ref] for ref in self.context.roles.values() if ref in self.context.keys}
        for records in self._open_items():
            needed |= needed_homes([record.pair for record in records], self.kind.items, self.permits.rights())
        return frozenset(needed)

    def _open_items(self) -> Iterator[list[Record]]:
        after = 0
        while records := self.ledger.open_items(self.kind.items.kind, after=after):
            after = records[-1].key
            yield records

    async def _carry_out(self, order: Order, record: Record) -> Receipt:
        roles = {ref: role for role, ref in self.context.roles.items()}
        job = Job(order, record.ref, 0)
        if order.side is Side.LOCAL:
            receipt = self.local.write_folder(job, roles.get(str(record.ref), ""), self.ledger)
        else:
            receipt = self._explained(order, await self.remote.write_folder(job))
        self._conclude(order, record, receipt)
        return receipt

    def _explained(self, order: Order, receipt: Receipt) -> Receipt:
        """Return a refusal for the sake of a taken name as one: Cyrus says `invalidProperties` of `name`, and not why."""
        refused = isinstance(receipt, Refused) or (isinstance(receipt, Stale) and order.verb is Verb.CREATE)
        if not refused or order.verb is Verb.DELETE or not self._is_taken(order):
            return receipt
        return Refused(order.key, _TAKEN, Remedy.HUMAN)

    def _conclude(self, order: Order, record: Record, receipt: Receipt) -> None:
        match receipt:
            case Done(version=version):
                self._commit(order, record, version)
            case Placed():
                self._commit_placed(order, record, receipt)
            case Created(version=version, ref=ref):
                self._commit(order, record, version, ref)
            case Refused(why=why, remedy=remedy):
                self.quarantine.add(record, [order], why, remedy)

    def _commit_placed(self, order: Order, record: Record, placed: Placed) -> None:
        with self.ledger.transaction():
            if order.verb is Verb.DELETE:
                self.ledger.drop_folder(record.key)
            self.ledger.put_folders(placed.folders)
            self._commit(order, record, placed.version)

    def _is_taken(self, order: Order) -> bool:
        """Return whether the server is known to have another container of the name and in the place that one is to get."""
        named = order.source or order.expect
        name = named.body if named is not None else ""
        others = (record.remote for record in self.ledger.all(self.kind.containers.kind) if record.key != order.key)
        return any(other is not None and (other.body, other.homes) == (name, order.homes) for other in others)

    def _commit(self, order: Order, record: Record, version: Version | None, ref: str = "") -> None:
        """Write down what a side holds now; `ref` is the server's id of a container that was made there."""
        changed = replace(record.with_side(order.side, ordered(order, version)), ref=ref or record.ref)
        if changed.local is not None and changed.remote is not None:
            if changed.local.body == changed.remote.body and changed.local.homes == changed.remote.homes:
                changed = replace(changed, base=agreed_base(changed.pair, changed.local, changed.remote))
        elif order.verb is Verb.DELETE:
            changed = replace(changed, base=None)
        with self.ledger.transaction():
            self.ledger.save([changed])
            if ref:
                cursor = self.ledger.cursor(self.kind.name, Side.REMOTE)
                note_made(self.ledger, self.kind.containers.kind, [ref], cursor)
                self.context.keys[ref] = record.key
                path = self.ledger.folder_path(record.key)
                self.ledger.put_folders([self.local.adopt_folder(record.key, path, ref)])
        self.report.folders.add(order.verb)


def _runs(changes: Sequence[Change]) -> Iterator[list[Change]]:
    """Yield changes that may be carried out together: folders to be made here, none of which lies in another one of them."""
    run: list[Change] = []
    for change in changes:
        together = bool(run) and run[0].stage == change.stage and len(run) < TOGETHER
        if run and not (together and _makes_here(run[0]) and _makes_here(change)):
            yield run
            run = []
        run.append(change)
    if run:
        yield run


def _makes_here(change: Change) -> bool:
    """Return whether a change is one folder to be made here and nothing else."""
    return not change.undone and [(order.side, order.verb) for order in change.orders] == [(Side.LOCAL, Verb.CREATE)]


def steps_of(planned: ContainerPlan) -> list[str]:
    """Return what is done to containers, one line a step."""
    return [_describe(change, planned.records[change.key], order) for change in planned.due for order in change.orders]


def _describe(change: Change, record: Record, order: Order) -> str:
    where = "on disk" if order.side is Side.LOCAL else "on the server"
    return f"{order.verb.value} folder {record.name} {where}: {change.reason}"
