"""Run one kind of one account to the point where both sides agree: look, take in, plan, guard, execute, at most three times."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from jmapsync.engine.absorb import Absorber, is_renamed
from jmapsync.engine.adopt import Adopter
from jmapsync.engine.commit import Committer, Work
from jmapsync.engine.containers import Containers
from jmapsync.engine.execute import Executor, problems_of, works_of
from jmapsync.engine.guarding import Guard
from jmapsync.engine.holding import Holding
from jmapsync.engine.intents import forget_made, made
from jmapsync.engine.objects import Objects
from jmapsync.engine.report import KindReport, State
from jmapsync.engine.rights import Permits
from jmapsync.engine.scope import Scope
from jmapsync.engine.tagging import Tagger
from jmapsync.engine.threads import complete
from jmapsync.errors import ExitCode, Remedy, SuspendedError
from jmapsync.formats.patterns import EVERYTHING, Patterns
from jmapsync.planner import Present, Side, plan, settle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from jmapsync.engine.report import Progress
    from jmapsync.formats.codec import Codec
    from jmapsync.kinds import Kind
    from jmapsync.ledger import Ledger, Record
    from jmapsync.planner import Limits
    from jmapsync.planner.model import Order, Plan
    from jmapsync.storage.port import Local, Observation, Remote, TagIndex

ROUNDS = 3
PAGE = 1000
"""Items read from the ledger at a time: memory is bounded by this, not by the mailbox."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a run was asked for."""

    full: bool = False
    """Look at everything instead of the delta."""
    dry: bool = False
    """Say what would be done, and write nothing."""
    allow_deletes: bool = False
    """Let the plan through that the guard held back the last time."""
    kinds: frozenset[str] = frozenset()
    """The kinds that `allow_deletes` is for; none for all."""
    disk_only: bool = False
    """Look at the disk first, and leave the server alone where nothing changed on it."""
    folders: frozenset[str] | None = None
    """The folders of the disk, by path, in which alone anything may have changed; None for all."""


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
    shelve: Callable[[Work], bool]
    codec: Codec | None = None
    """Knows the bodies of a kind that are objects."""
    patterns: Patterns = EVERYTHING
    """Which containers are mirrored."""
    tags: TagIndex | None = None
    """Shows keywords and containers as tags."""
    report: KindReport = field(default_factory=KindReport)
    holding: Holding = field(init=False)
    absorber: Absorber = field(init=False)
    scope: Scope = field(init=False)
    _permits: Permits = field(init=False)
    _tagger: Tagger | None = field(init=False)
    _begun: bool = False
    _disk_seen: bool = False
    """Whether the disk was looked at already, because it alone gave the hint."""
    _told: AsyncIterator[Observation] | None = None
    """A look at the server that was begun ahead."""

    def __post_init__(self) -> None:
        """Remember nothing tried yet."""
        self.holding = Holding(self.kind.name, self.ledger, self.clock, self.remote.policy, full=self.options.full)
        self._permits = Permits(self.kind, self.ledger, self.remote)
        self.scope = Scope(self.kind, self.ledger, self.remote, self.patterns, self.report.sentences)
        self.absorber = Absorber(self.kind, self.ledger, self.remote, self.holding, self._adopt_folder, self.scope)
        self._tagger = Tagger(self.tags, self.ledger, self.remote, self.report) if self.tags is not None else None

    async def look_ahead(self) -> None:
        """Ask the server for what a run asks it first, so that several kinds can do so at once. Raises as `run` does."""
        if not self.options.disk_only:
            self.begin()
            pages = self._pages(full=self.options.full)
            first = await anext(pages, None)
            self._told = _resumed(first, pages)

    def begin(self) -> None:
        """Check the root and load what is known of the containers, once. Raises as `run` does."""
        if not self._begun:
            self.local.open(self.ledger, self.account_id)
            self.absorber.load()
            self._begun = True

    def containers(self) -> Containers:
        """Return the containers of the kind, to be carried out."""
        return Containers(self.kind, self.ledger, self.local, self.remote, self.report, self.holding, self._permits)

    async def look(self) -> None:
        """Look at both sides and take in what they hold, and do nothing more. Raises as `run` does."""
        self.begin()
        guard = Guard(self.kind, self.account, self.ledger, self.limits, self.clock)
        await self._look(self.containers(), guard, 0)

    async def run(self) -> KindReport:
        """Bring both sides to agree and return what was done.

        Raises what stops the kind: the root is not there, no network, the disk refuses. SuspendedError when the guard held
        the plan back: then nothing was written.
        """
        self.begin()
        guard = Guard(self.kind, self.account, self.ledger, self.limits, self.clock)
        if self.options.disk_only and not await complete(self._disk_changed, guard):
            await self._show_tags()
            self._conclude()
            return self.report
        committer = Committer(self.kind, self.ledger, self.report, self.clock, self.holding)
        executor = Executor(
            self.kind, self.ledger, self.local, self.remote, self.progress, self.account, self.clock, self.shelve, committer
        )
        if self.codec is not None:
            executor.objects = committer.objects = Objects(self.ledger, self.codec)
        containers = self.containers()
        for number in range(ROUNDS):
            if number == 0 or committer.stale:
                await self._look(containers, guard, number)
            pages = (page for page, _ in self._plans(losable=True))
            allow = self.options.allow_deletes and (not self.options.kinds or self.kind.name in self.options.kinds)
            guard.check(pages, allow=allow, dry=self.options.dry)
            if self.options.dry:
                self._tell(containers)
                break
            committer.stale = 0
            await containers.run(deletions=False)
            await self._execute(executor)
            committer.stale += await containers.run(deletions=True)
            if not committer.stale and next(self._works(deletions=False), None) is None:
                break
        await self._show_tags()
        self._conclude()
        return self.report

    def _disk_changed(self, guard: Guard) -> bool:
        """Take in what the disk shows that the ledger does not; tell whether there is any, or anything waits to be done."""
        kind = self.kind
        if self.scope.must_list() or self.ledger.counts(kind.items.kind)[2] or self.ledger.counts(kind.containers.kind)[2]:
            return True
        places = self.ledger.folders()
        known = {record.key: record.local for record in self.ledger.all(kind.containers.kind) if record.local is not None}
        folders = self.local.look_folders(self.ledger).folders
        here = [(folder.key or 0, folder.ref) for folder in folders]
        if sorted(here) != sorted((key, places.get(key, ("", ""))[0]) for key in known):
            return True
        if any(not folder.role and is_renamed(folder, known[folder.key or 0]) for folder in folders):
            return True
        self._disk_seen = True
        return self._take_disk(guard, folders=self._folders())

    def _adopt_folder(self, key: int, path: str, ref: str) -> None:
        self.local.adopt_folder(key, path, ref, self.ledger)

    def _pages(self, *, full: bool) -> AsyncIterator[Observation]:
        """Begin a look at the server."""
        kind = self.kind
        cursor = self.ledger.cursor(kind.name, Side.REMOTE)
        again = self.absorber.unanswered()
        full = full or bool(self.scope.must_list())
        return self.remote.look(cursor, lambda: self.ledger.refs(kind.items.kind) | self.ledger.refs(kind.kept), again, whole=full)

    async def _look(self, containers: Containers, guard: Guard, number: int) -> None:
        """Look at both sides and take in what they hold; what only one side seems to have may be the same."""
        kind, absorber = self.kind, self.absorber
        absorber.take_local_folders(await complete(self.local.look_folders, self.ledger))
        pages, self._told = self._told or self._pages(full=self.options.full and number == 0), None
        why = self.scope.must_list()
        told = await self._take_pages(guard, pages)
        self.scope.has_listed(why)
        if why := self.scope.must_list():
            told |= await self._take_pages(guard, self._pages(full=True))
            self.scope.has_listed(why)
        if self.scope.must_look:
            self.scope.must_look = False
            absorber.take_local_folders(await complete(self.local.look_folders, self.ledger))
        if made(self.ledger, kind.containers.kind) - told:
            # It was destroyed again, which no list of changes has to tell; those who list everything name what there is.
            await self._take_pages(guard, self._pages(full=True))
        forget_made(self.ledger, kind.containers.kind)
        containers.settle()
        if number or not self._disk_seen:
            await complete(partial(self._take_disk, guard, folders=None if number else self._folders()))
        if self.codec is not None:
            # What is the same item is known by its uid; whether it says the same is not.
            await complete(Objects(self.ledger, self.codec).adopt, kind.items.kind)
            forget_made(self.ledger, kind.items.kind)
            return
        await Adopter(kind, self.ledger, self.local, self.remote, self.clock).run()

    async def _take_pages(self, guard: Guard, pages: AsyncIterator[Observation]) -> set[str]:
        """Take in a look at the server; return the ids of the containers that it told of."""
        told: set[str] = set()
        async for page in pages:
            told.update(page.gone_folders, (folder.ref for folder in page.folders))
            try:
                # In a thread, so that the server's next answer comes in meanwhile.
                await complete(self._take_remote, guard, page)
            except SuspendedError:
                # What was taken in before may be strange too: the next run looks at everything.
                self.ledger.set_cursor(self.kind.name, Side.REMOTE, "")
                raise
        return told

    def _take_remote(self, guard: Guard, page: Observation) -> None:
        with self.ledger.transaction():
            if page.suspicious and page.gone_refs:
                guard.doubt(Side.REMOTE, page.suspicious)
            self.absorber.take_remote(page)

    def _folders(self) -> frozenset[str] | None:
        """Return the folders to look at: all of them while anything waits on the disk for another look."""
        return None if self.holding.has_left_out() else self.options.folders

    def _take_disk(self, guard: Guard, *, folders: frozenset[str] | None = None) -> bool:
        """Take in what the disk holds and return whether it showed anything that the ledger did not."""
        found, more = False, True
        while more:
            look = self.local.look_items(self.ledger, folders)
            self.report.withheld, more = look.withheld, look.more
            found = found or bool(look.items or look.gone or look.moved or look.places or look.suspicious or look.problems)
            with self.ledger.transaction():
                if look.suspicious:
                    guard.doubt(Side.LOCAL, look.suspicious)
                self.absorber.take_local_items(look)
        if self._tagger is not None:
            found = self._tagger.take() or found
        return found

    async def _show_tags(self) -> None:
        if self._tagger is not None and not self.options.dry:
            await complete(self._tagger.show)

    # planning

    def _plans(self, *, losable: bool = False) -> Iterator[tuple[Plan, dict[int, Record]]]:
        """Yield the plan page by page: it is derived, never stored."""
        present, rights = self._present(), self._permits.rights()
        after = 0
        while records := self.ledger.open_items(self.kind.items.kind, after=after, limit=PAGE, losable=losable):
            after = records[-1].key
            pairs = [record.pair for record in records]
            yield plan(pairs, self.kind.items, present, rights=rights), {one.key: one for one in records}

    def _present(self) -> Present:
        """Return the containers that are there on each side; a dry run takes those for made that would be."""
        records = self.ledger.all(self.kind.containers.kind)
        if self.options.dry:
            every = frozenset(record.key for record in records)
            return Present(every, every)
        local = frozenset(record.key for record in records if record.local is not None)
        return Present(local, frozenset(record.key for record in records if record.remote is not None))

    # execution

    async def _execute(self, executor: Executor) -> None:
        """Carry out the plan: first what adds and changes, then what deletes."""
        waiting, octets = self.ledger.open_sizes(self.kind.items.kind)
        if waiting:
            self.progress.start(self.account, self.kind.name, f"fetching {self.kind.name}", waiting, octets)
        await executor.run(self._works(deletions=False))
        await executor.run(self._works(deletions=True))
        self.progress.finish(self.account, self.kind.name)

    def _works(self, *, deletions: bool) -> Iterator[Work]:
        for page, records in self._plans():
            if not deletions:
                self._settle(page, records)
                self._name_hidden(page, records)
            yield from (work for work in self._due(page, records) if work.change.deletes is deletions)

    def _due(self, page: Plan, records: dict[int, Record]) -> Iterator[Work]:
        """Yield what is to be done now of a page of the plan."""
        held = self.holding.problems()
        return (
            work
            for work in works_of(page.changes, records)
            if self.holding.is_due(work.record, work.change.orders, held.get(work.change.key))
        )

    def _settle(self, page: Plan, records: dict[int, Record]) -> None:
        """Write down what needs no write on either side."""
        with self.ledger.transaction():
            self.ledger.save(agreed(records[key]) for key in page.settled)
            if self.codec is not None:
                self.ledger.contents.agree(page.settled)
            self.ledger.save(replace(records[key], base=None, local=None, remote=None) for key in page.forgotten)
            self.holding.release((*page.settled, *page.forgotten))

    def _name_hidden(self, page: Plan, records: dict[int, Record]) -> None:
        """Hold back by name what the server has where it cannot be seen; it is released as any item is on which both agree."""
        with self.ledger.transaction():
            for one in page.hidden:
                self.holding.hold_back(records[one.key], (), one.reason, Remedy.LATER)

    def _tell(self, containers: Containers) -> None:
        """Say what a run would do, one sentence a step with its reason."""
        deletions: list[str] = []
        self.report.sentences += containers.sentences()
        for page, records in self._plans():
            self._name_hidden(page, records)
            for work in self._due(page, records):
                told = deletions if work.change.deletes else self.report.sentences
                for order in work.change.orders:
                    told.append(sentence(work.record, order))
                    self.report.foretold[order.side].add(order.verb)
        self.report.sentences += deletions

    def _conclude(self) -> None:
        self.holding.release_agreed()
        self.report.problems = problems_of(self.ledger, self.kind.name)
        self.report.conflicts = len(self.ledger.shelf(self.kind.name))
        if self.report.problems or self.report.conflicts:
            self.report.exit_code = ExitCode.HELD_BACK
        self.report.tell_taken_back()
        self.report.detached = sorted(self.scope.detached.values())
        self.report.state = State.SYNCED


async def _resumed(first: Observation | None, rest: AsyncIterator[Observation]) -> AsyncIterator[Observation]:
    if first is not None:
        yield first
    async for page in rest:
        yield page


def agreed(record: Record) -> Record:
    """Return the record with what both sides hold now as its base."""
    return replace(record, base=settle(record.pair, record.local, record.remote))


def sentence(record: Record, order: Order) -> str:
    """Return what an order would do, and why, in one line."""
    where = "on disk" if order.side is Side.LOCAL else "on the server"
    return f"{order.verb.value} {record.name or record.ref} {where}: {order.reason}"
