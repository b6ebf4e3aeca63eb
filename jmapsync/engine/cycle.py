"""Run one kind of one account to the point where both sides agree: look, take in, plan, guard, execute, at most three times."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from jmapsync.engine.absorb import Absorber
from jmapsync.engine.adopt import Adopter
from jmapsync.engine.commit import Committer, Work, fingerprint
from jmapsync.engine.containers import Containers
from jmapsync.engine.execute import Executor, problems_of, works_of
from jmapsync.engine.report import KindReport, State
from jmapsync.errors import ExitCode, Remedy, SuspendedError
from jmapsync.ledger import Suspended
from jmapsync.planner import Limits, Present, Side, Tally, judge, plan, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jmapsync.engine.report import Progress
    from jmapsync.kinds import Kind
    from jmapsync.ledger import Ledger, Record
    from jmapsync.planner.model import Order, Plan
    from jmapsync.storage.port import Local, Remote

ROUNDS = 3
PAGE = 2000
"""Items read from the ledger at a time: memory is bounded by this, not by the mailbox."""
NOT_ONE = Limits(max_deletes=0, max_delete_percent=0)
"""The limits when a look gave reason to doubt: no deletion at all goes unasked."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a run was asked for."""

    full: bool = False
    """Look at everything instead of the delta."""
    dry: bool = False
    """Say what would be done, and write nothing."""
    allow_deletes: bool = False
    """Let the plan through that the guard held back the last time."""


@dataclass(slots=True)
class Cycle:
    """One kind of one account, from look to agreement."""

    kind: Kind
    account: str
    account_id: str
    ledger: Ledger
    local: Local
    remote: Remote
    limits: Limits
    options: Options
    progress: Progress
    clock: Callable[[], float]
    shelve: Callable[[Work], None]
    report: KindReport = field(default_factory=KindReport)
    _doubts: dict[Side, str] = field(default_factory=dict)
    """Why what vanished on a side may be its loss, not a deletion."""

    async def run(self) -> KindReport:
        """Bring both sides to agree and return what was done.

        Raises what stops the kind: the root is not there, no network, the disk refuses. SuspendedError when the guard held
        the plan back: then nothing was written.
        """
        self.local.open(self.ledger, self.account_id)
        absorber = Absorber(self.kind, self.ledger, self.remote, self.clock, self._adopt_folder)
        absorber.load()
        committer = Committer(self.kind, self.ledger, self.report, self.clock)
        executor = Executor(
            self.kind, self.ledger, self.local, self.remote, self.progress, self.account, self.clock, self.shelve, committer
        )
        containers = Containers(self.kind, self.ledger, self.local, self.remote, self.report, self.clock)
        for number in range(ROUNDS):
            if number == 0 or committer.stale:
                await self._look(absorber, containers, full=self.options.full and number == 0)
            self._guard()
            if self.options.dry:
                self._tell(containers)
                break
            committer.stale = 0
            await containers.run(deletions=False)
            await self._execute(executor)
            committer.stale += await containers.run(deletions=True)
            if not committer.stale and next(self._works(deletions=False), None) is None:
                break
        self._conclude()
        return self.report

    def _adopt_folder(self, key: int, path: str, ref: str) -> None:
        self.local.adopt_folder(key, path, ref, self.ledger)

    async def _look(self, absorber: Absorber, containers: Containers, *, full: bool) -> None:
        """Look at both sides and take in what they hold; what only one side seems to have may be the same."""
        kind = self.kind
        absorber.take_local_folders(await asyncio.to_thread(self.local.look_folders, self.ledger))
        cursor = "" if full else self.ledger.cursor(kind.name, Side.REMOTE)
        again = absorber.unanswered()
        async for page in self.remote.look(cursor, lambda: self.ledger.refs(kind.items.kind) | self.ledger.refs(kind.kept), again):
            if page.suspicious and page.gone_refs:
                self._doubts[Side.REMOTE] = page.suspicious
            absorber.take_remote(page)
        containers.settle()
        look = await asyncio.to_thread(self.local.look_items, self.ledger)
        if look.suspicious:
            self._doubts[Side.LOCAL] = look.suspicious
        absorber.take_local_items(look)
        await Adopter(kind, self.ledger, self.local, self.remote, self.clock).run()

    # planning

    def _plans(self, *, losable: bool = False) -> Iterator[tuple[Plan, dict[int, Record]]]:
        """Yield the plan page by page: it is derived, never stored."""
        present = self._present()
        after = 0
        while records := self.ledger.open_items(self.kind.items.kind, after=after, limit=PAGE, losable=losable):
            after = records[-1].key
            yield plan([record.pair for record in records], self.kind.items, present), {one.key: one for one in records}

    def _present(self) -> Present:
        """Return the containers that are there on each side; a dry run takes those for made that would be."""
        records = self.ledger.all(self.kind.containers.kind, limit=1_000_000)
        if self.options.dry:
            every = frozenset(record.key for record in records)
            return Present(every, every)
        local = frozenset(record.key for record in records if record.local is not None)
        return Present(local, frozenset(record.key for record in records if record.remote is not None))

    def _guard(self) -> None:
        """Raise SuspendedError when the plan would delete too much, before anything of it is written."""
        tally = Tally()
        for page, _ in self._plans(losable=True):
            tally.add(page.changes)
        if not any(tally.counts.values()):
            if not self.options.dry:
                self.ledger.lift(self.kind.name)
            return
        sentences = self._judged(tally)
        if not sentences:
            return
        identity = hashlib.sha256("\n".join(tally.lines()).encode()).hexdigest()
        held = self.ledger.suspension(self.kind.name)
        if self.options.allow_deletes and held is not None and held.plan == identity:
            if not self.options.dry:
                self.ledger.lift(self.kind.name)
            return
        sentence = " ".join(sentences)
        if self.options.allow_deletes and held is not None:
            sentence = f"This is not the plan that was held back before, so it was not let through. {sentence}"
        if not self.options.dry:
            self.ledger.suspend(Suspended(self.kind.name, identity, sentence, int(self.clock())))
        raise SuspendedError(sentence)

    def _judged(self, tally: Tally) -> list[str]:
        population = {side: self.ledger.population(self.kind.items.kind, side) for side in Side}
        here, there, _ = self.ledger.counts(self.kind.items.kind)
        lost = tally.counts
        totals = {Side.LOCAL: max(here, lost[Side.LOCAL]), Side.REMOTE: max(there, lost[Side.REMOTE])}
        names = {record.key: record.name for record in self.ledger.all(self.kind.containers.kind, limit=1_000_000)}
        sentences: list[str] = []
        for side in Side:
            doubt = self._doubts.get(side.other)
            limits = NOT_ONE if doubt else self.limits
            found = judge(tally, population, totals, limits, names, account=self.account)
            sentences += [f"{doubt[0].upper()}{doubt[1:]}." for _ in found[:1] if doubt and lost[side]]
            sentences += [one.sentence for one in found if one.side is side][:1]
        return sentences

    # execution

    async def _execute(self, executor: Executor) -> None:
        """Carry out the plan: first what adds and changes, then what deletes."""
        waiting, octets = self.ledger.open_sizes(self.kind.items.kind)
        if waiting:
            self.progress.start(self.account, self.kind.name, "fetching mail", waiting, octets)
        await executor.run(self._works(deletions=False))
        await executor.run(self._works(deletions=True))
        self.progress.finish(self.account, self.kind.name)

    def _works(self, *, deletions: bool) -> Iterator[Work]:
        held = {one.key: one for one in self.ledger.problems(self.kind.name) if one.key is not None}
        for page, records in self._plans():
            if not deletions:
                self._settle(page, records)
            for work in works_of(page.changes, records):
                problem = held.get(work.change.key)
                unchanged = problem is not None and problem.seen == fingerprint(work.record)
                hopeless = problem is not None and problem.remedy == Remedy.NEVER.value
                if work.change.deletes is deletions and not (unchanged and hopeless and not self.options.full):
                    yield work

    def _settle(self, page: Plan, records: dict[int, Record]) -> None:
        """Write down what needs no write on either side."""
        with self.ledger.transaction():
            self.ledger.save(agreed(records[key]) for key in page.settled)
            self.ledger.save(replace(records[key], base=None, local=None, remote=None) for key in page.forgotten)
            self.ledger.release([(self.kind.name, records[key].name) for key in (*page.settled, *page.forgotten)])

    def _tell(self, containers: Containers) -> None:
        """Say what a run would do, one sentence a step with its reason."""
        self.report.sentences += containers.sentences()
        for deletions in (False, True):
            for work in self._dry_works(deletions=deletions):
                self.report.sentences += [sentence(work.record, order) for order in work.change.orders]

    def _dry_works(self, *, deletions: bool) -> Iterator[Work]:
        for page, records in self._plans():
            yield from (work for work in works_of(page.changes, records) if work.change.deletes is deletions)

    def _conclude(self) -> None:
        self.report.problems = problems_of(self.ledger, self.kind.name)
        self.report.conflicts = len(self.ledger.shelf(self.kind.name))
        if self.report.problems or self.report.conflicts:
            self.report.exit_code = ExitCode.HELD_BACK
        self.report.state = State.SYNCED


def agreed(record: Record) -> Record:
    """Return the record with what both sides hold now as its base."""
    return replace(record, base=settle(record.pair, record.local, record.remote))


def sentence(record: Record, order: Order) -> str:
    """Return what an order would do, and why, in one line."""
    where = "on disk" if order.side is Side.LOCAL else "on the server"
    return f"{order.verb.value} {record.name or record.ref} {where}: {order.reason}"
