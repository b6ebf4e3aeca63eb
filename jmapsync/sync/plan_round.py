"""Plan one round: containers, and items page by page into the ledger's temporary table; hand out what is to be carried out.

The plan is derived once a round. What the guard judged is what is carried out: an item that has changed since it was planned, by
an earlier batch of the same round, is stale and is planned again in the next one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from jmapsync.errors import Remedy
from jmapsync.ledger.plan_table import Step
from jmapsync.planner.guard import Tally
from jmapsync.planner.model import SIDES, Present, Side
from jmapsync.planner.orders import agreed_base
from jmapsync.planner.plan import plan
from jmapsync.sync.commit import Work
from jmapsync.sync.containers import ContainerPlan

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from jmapsync.ledger import Record
    from jmapsync.planner.model import Change, Order, Plan, Rights
    from jmapsync.sync.channel import Channel

PAGE = 1000
"""Items read from the ledger at a time: memory is bounded by this, not by the mailbox."""
CHANGED = "it changed after it was planned"


class RoundPlan(Struct):
    """What one round of a channel is to do; the items are in the ledger's temporary table."""

    channel: Channel
    tally: Tally = field(default_factory=Tally)
    """What would be lost by all changes to items, those that are not due now included."""
    containers: ContainerPlan = field(default_factory=ContainerPlan)

    @classmethod
    def of(cls, channel: Channel) -> RoundPlan:
        """Plan a round from what the ledger holds; nothing is written but the temporary table."""
        planned = cls(channel, containers=channel.containers.plan())
        planned._add_items()
        return planned

    def _add_items(self) -> None:
        channel, rules = self.channel, self.channel.kind.items
        channel.ledger.plan.clear()
        about: tuple[Present, Rights] | None = None  # read only where an item is open: that costs time for every container
        after = 0
        while records := channel.ledger.open_items(rules.kind, after=after, limit=PAGE):
            about = about or (self._present(), channel.permits.rights())
            after = records[-1].key
            self._add_page({record.key: record for record in records}, *about)

    def _add_page(self, records: dict[int, Record], present: Present, rights: Rights) -> None:
        channel = self.channel
        pairs = [record.pair for record in records.values() if record.key not in channel.held]
        page = channel.withdrawn.suspend(plan(pairs, channel.kind.items, present, rights=rights), records)
        self.tally.add(page.changes, allowed=channel.withdrawn.accepted)
        channel.ledger.plan.add(page, self._due(page, records))

    def _due(self, page: Plan, records: dict[int, Record]) -> list[Change]:
        """Return the changes that are to be carried out now: what is quarantined waits until another try is due."""
        quarantine = self.channel.quarantine
        problems = quarantine.problems()
        return [one for one in page.changes if quarantine.is_due(records[one.key], one.orders, problems.get(one.key))]

    def _present(self) -> Present:
        """Return the containers that each side will have once those of this round are made; in a dry run all that are known."""
        records = self.channel.ledger.all(self.channel.kind.containers.kind)
        if self.channel.options.dry:
            every = frozenset(record.key for record in records)
            return Present(every, every)
        here, there = (
            frozenset(record.key for record in records if record.of(side) is not None) | self.containers.made(side)
            for side in SIDES
        )
        return Present(here, there)

    @property
    def has_work(self) -> bool:
        """Return whether anything is to be written on either side."""
        return bool(self.containers.due) or self.channel.ledger.plan.has_work()

    def keep_agreed(self) -> None:
        """Commit what needs no write on either side, and name what nothing can be done about."""
        self.channel.containers.keep_agreed(self.containers)
        ledger, quarantine = self.channel.ledger, self.channel.quarantine
        for page in ledger.plan.pages(Step.AGREED):
            keys = [row.key for row in page]
            with ledger.transaction():
                ledger.save(agreed(record) for record in ledger.records(keys).values())
                if self.channel.codec is not None:
                    ledger.contents.agree(keys)
                quarantine.release(keys)
        for page in ledger.plan.pages(Step.FORGOTTEN):
            keys = [row.key for row in page]
            with ledger.transaction():
                ledger.save(replace(record, base=None, local=None, remote=None) for record in ledger.records(keys).values())
                quarantine.release(keys)
        self.name_hidden()

    def name_hidden(self) -> None:
        """Quarantine by name what a side has where it cannot be seen; it is released as any item is on which both agree."""
        ledger = self.channel.ledger
        for page in ledger.plan.pages(Step.HIDDEN):
            records = ledger.records([row.key for row in page])
            with ledger.transaction():
                for row in page:
                    self.channel.quarantine.add(records[row.key], (), row.reason, Remedy.LATER)

    def works(self, step: Step, stale: dict[int, str]) -> Iterator[Work]:
        """Yield the changes of a step with the records as they are now; what changed since it was planned is put in `stale`."""
        ledger = self.channel.ledger
        present: Present | None = None
        for page in ledger.plan.pages(step):
            records = ledger.records([row.key for row in page])
            waiting: list[int] = []
            followed = self._followed([row.change for row in page if row.change is not None and row.change.then], records, step)
            for row in page:
                change = followed.get(row.key, row.change)
                record = records.get(row.key)
                if record is None or change is None:
                    continue  # it was found to be another item, or what was to follow did not come about
                if not _is_as_planned(record, change):
                    stale[change.key] = CHANGED
                    continue
                if self.containers.due and not self.channel.options.dry and any(order.added_homes for order in change.orders):
                    present = present or self._present_now()
                    if not all(order.added_homes <= present.of(order.side) for order in change.orders):
                        waiting.append(change.key)  # its container was not made, and is named
                        continue
                yield Work(change, record)
            if waiting:
                with ledger.transaction():
                    self.channel.quarantine.release(waiting)  # what was named earlier is no longer why they are not sent

    def _followed(self, changes: list[Change], records: dict[int, Record], step: Step) -> dict[int, Change | None]:
        """Return what follows now that changes were written, by key; None where that is not what was foreseen and judged."""
        if step is not Step.DELETE or not changes:
            return {}
        pairs = [records[one.key].pair for one in changes if one.key in records]
        found = plan(pairs, self.channel.kind.items, self._present_now(), rights=self.channel.permits.rights()).changes
        now = {change.key: change for change in found}
        return {one.key: now[one.key] if one.key in now and _foresaw(one, now[one.key]) else None for one in changes}

    def _present_now(self) -> Present:
        records = self.channel.ledger.all(self.channel.kind.containers.kind)
        here, there = (frozenset(record.key for record in records if record.of(side) is not None) for side in SIDES)
        return Present(here, there)

    def quarantine(self, stale: dict[int, str]) -> None:
        """Quarantine by name what the last round still found in another state than it expected."""
        self.channel.containers.quarantine_stale()
        if stale:
            for work in self._planned_again(stale):
                with self.channel.ledger.transaction():
                    self.channel.quarantine.add_stale(work.record, work.change.orders, stale[work.change.key])

    def _planned_again(self, keys: Collection[int]) -> Iterator[Work]:
        records = {key: one for key, one in self.channel.ledger.records(sorted(keys)).items() if key not in self.channel.held}
        pairs = [record.pair for record in records.values()]
        page = plan(pairs, self.channel.kind.items, self._present_now(), rights=self.channel.permits.rights())
        page = self.channel.withdrawn.suspend(page, records)
        return (Work(change, records[change.key]) for change in self._due(page, records))


def _foresaw(change: Change, now: Change) -> bool:
    """Return whether orders are those that were to follow a change."""
    return {(order.side, order.verb) for order in now.orders} <= {(order.side, order.verb) for order in change.then}


def _is_as_planned(record: Record, change: Change) -> bool:
    """Return whether both sides of an item are known to be as they were when its orders were planned."""
    return all(
        record.of(order.side) == order.expect and (order.source is None or record.of(order.side.other) == order.source)
        for order in change.orders
    )


def agreed(record: Record) -> Record:
    """Return the record with what both sides hold now as its base."""
    return replace(record, base=agreed_base(record.pair, record.local, record.remote))


def where(side: Side) -> str:
    """Return a side in words."""
    return "on disk" if side is Side.LOCAL else "on the server"


def describe(name: str, order: Order) -> str:
    """Return what an order does, and why, in one line."""
    return f"{order.verb.value} {name} {where(order.side)}: {order.reason}"
