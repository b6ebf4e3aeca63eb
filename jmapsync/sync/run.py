"""Bring both sides of one kind of one account to agree: look, plan, guard, execute, at most three times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from jmapsync.errors import ExitCode, Remedy
from jmapsync.planner import Present, Side, plan, settle
from jmapsync.sync.commit import Work
from jmapsync.sync.containers import Containers
from jmapsync.sync.execute import Executor, problems_of, works_of
from jmapsync.sync.report import KindReport, State
from jmapsync.sync.threads import complete

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jmapsync.ledger import Record
    from jmapsync.planner.model import Order, Plan, Rights
    from jmapsync.sync.commit import Work
    from jmapsync.sync.containers import Containers
    from jmapsync.sync.mirror import Mirror

ROUNDS = 3
PAGE = 1000
"""Items read from the ledger at a time: memory is bounded by this, not by the mailbox."""


@dataclass(slots=True)
class Cycle:
    """The way of one kind of one account from look to agreement."""

    mirror: Mirror
    begin: Callable[[], None] = lambda: None
    """Called once it is known that a run for a hint of the disk has anything to do."""

    async def run(self) -> KindReport:
        """Bring both sides to agree and return what was done.

        Raises what stops the kind: the root is not there, no network, the disk refuses. SuspendedError when the guard held
        the plan back: then nothing was written.
        """
        mirror, options = self.mirror, self.mirror.options
        mirror.begin()
        guard = mirror.guard()
        if options.disk_only and not await complete(mirror.disk_changed, guard):
            await self._show_tags()
            await self._conclude()
            mirror.report.partial = True
            return mirror.report
        if options.disk_only:
            self.begin()
        executor = Executor.of(mirror)
        committer, containers = executor.committer, mirror.containers()
        for number in range(ROUNDS):
            stale = committer.stale | containers.stale
            if number == 0 or stale:
                mirror.doubtful = set(committer.stale)
                await mirror.look(containers, guard, number)
            pages = (page for page, _ in self._plans(losable=True))
            allow = options.allow_deletes and (not options.kinds or mirror.kind.name in options.kinds)
            guard.check(pages, allow=allow, dry=options.dry)
            if options.dry:
                await self._tell(containers)
                break
            committer.stale.clear()
            containers.stale.clear()
            await containers.run(deletions=False)
            await self._execute(executor)
            await containers.run(deletions=True)
            if not committer.stale and not containers.stale and next(self._works(deletions=False), None) is None:
                break
        else:
            self._quarantine_stale(committer.stale)
            containers.quarantine_stale()
        if not options.dry:
            await mirror.remote.finish()
        await self._show_tags()
        await self._conclude()
        return mirror.report

    async def _show_tags(self) -> None:
        if self.mirror.tagger is not None and not self.mirror.options.dry:
            await complete(self.mirror.tagger.show)

    # planning

    def _plans(self, *, losable: bool = False) -> Iterator[tuple[Plan, dict[int, Record]]]:
        """Yield the plan page by page: it is derived, never stored."""
        about: tuple[Present, Rights] | None = None  # read only where anything is open: that costs time for every container
        after = 0
        while records := self.mirror.ledger.open_items(self.mirror.kind.items.kind, after=after, limit=PAGE, losable=losable):
            about = about or (self._present(), self.mirror.permits.rights())
            present, rights = about
            after = records[-1].key
            pairs = [record.pair for record in records if record.key not in self.mirror.held]
            yield plan(pairs, self.mirror.kind.items, present, rights=rights), {one.key: one for one in records}

    def _present(self) -> Present:
        """Return the containers that are there on each side; a dry run takes those for made that would be."""
        records = self.mirror.ledger.all(self.mirror.kind.containers.kind)
        if self.mirror.options.dry:
            every = frozenset(record.key for record in records)
            return Present(every, every)
        local = frozenset(record.key for record in records if record.local is not None)
        return Present(local, frozenset(record.key for record in records if record.remote is not None))

    # execution

    async def _execute(self, executor: Executor) -> None:
        """Carry out the plan: first what adds and changes, then what deletes."""
        mirror = self.mirror
        waiting, octets = mirror.ledger.open_sizes(mirror.kind.items.kind)
        if waiting:
            mirror.progress.start(mirror.account, mirror.kind.name, f"fetching {mirror.kind.name}", waiting, octets)
        await executor.run(self._works(deletions=False))
        await executor.run(self._works(deletions=True))
        mirror.progress.finish(mirror.account, mirror.kind.name)

    def _works(self, *, deletions: bool) -> Iterator[Work]:
        for page, records in self._plans():
            if not deletions:
                self._settle(page, records)
                self._name_hidden(page, records)
            yield from (work for work in self._due(page, records) if work.change.deletes is deletions)

    def _due(self, page: Plan, records: dict[int, Record]) -> Iterator[Work]:
        """Yield what is to be done now of a page of the plan."""
        held = self.mirror.holding.problems()
        return (
            work
            for work in works_of(page.changes, records)
            if self.mirror.holding.is_due(work.record, work.change.orders, held.get(work.change.key))
        )

    def _quarantine_stale(self, stale: dict[int, str]) -> None:
        """Quarantine by name what the last round still found in another state than it expected."""
        works = [work for deletions in (False, True) for work in self._works(deletions=deletions) if work.change.key in stale]
        with self.mirror.ledger.transaction():
            for work in works:
                self.mirror.holding.hold_back_stale(work.record, work.change.orders, stale[work.change.key])

    def _settle(self, page: Plan, records: dict[int, Record]) -> None:
        """Write down what needs no write on either side."""
        with self.mirror.ledger.transaction():
            self.mirror.ledger.save(agreed(records[key]) for key in page.settled)
            if self.mirror.codec is not None:
                self.mirror.ledger.contents.agree(page.settled)
            self.mirror.ledger.save(replace(records[key], base=None, local=None, remote=None) for key in page.forgotten)
            self.mirror.holding.release((*page.settled, *page.forgotten))

    def _name_hidden(self, page: Plan, records: dict[int, Record]) -> None:
        """Hold back by name what the server has where it cannot be seen; it is released as any item is on which both agree."""
        with self.mirror.ledger.transaction():
            for one in page.hidden:
                self.mirror.holding.hold_back(records[one.key], (), one.reason, Remedy.LATER)

    async def _tell(self, containers: Containers) -> None:
        """Say what a run would do, one sentence a step with its reason."""
        deletions: list[str] = []
        self.mirror.report.sentences += containers.sentences()
        for page, records in self._plans():
            self._name_hidden(page, records)
            works = list(self._due(page, records))
            names = await self.mirror.names.all_of([work.record for work in works])
            for work in works:
                told = deletions if work.change.deletes else self.mirror.report.sentences
                for order in work.change.orders:
                    told.append(sentence(names[work.change.key], order))
                    self.mirror.report.foretold[order.side].add(order.verb)
                for order in work.change.then:
                    deletions.append(sentence(names[work.change.key], order))
                    self.mirror.report.foretold[order.side].add(order.verb)
        self.mirror.report.sentences += deletions

    async def _conclude(self) -> None:
        self.mirror.holding.release_agreed()
        await self.mirror.names.name_problems()
        self.mirror.report.problems = problems_of(self.mirror.ledger, self.mirror.kind.name)
        self.mirror.report.conflicts = len(self.mirror.ledger.shelf(self.mirror.kind.name))
        if self.mirror.report.problems or self.mirror.report.conflicts:
            self.mirror.report.exit_code = ExitCode.HELD_BACK
        self.mirror.report.tell_taken_back()
        self.mirror.report.detached = sorted(self.mirror.scope.detached.values())
        self.mirror.report.state = State.SYNCED


def agreed(record: Record) -> Record:
    """Return the record with what both sides hold now as its base."""
    return replace(record, base=settle(record.pair, record.local, record.remote))


def sentence(name: str, order: Order) -> str:
    """Return what an order would do, and why, in one line."""
    where = "on disk" if order.side is Side.LOCAL else "on the server"
    return f"{order.verb.value} {name} {where}: {order.reason}"
