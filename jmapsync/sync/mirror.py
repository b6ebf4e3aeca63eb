"""Look at both sides of one kind of one account, and take in what they hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from jmapsync.adopt.match import Adopter
from jmapsync.errors import SuspendedError
from jmapsync.formats.names import EVERYTHING, Patterns
from jmapsync.ledger.intents import forget_made, made
from jmapsync.planner.model import Side
from jmapsync.sync.containers import Containers
from jmapsync.sync.guard import Guard
from jmapsync.sync.ingest import Absorber, is_renamed
from jmapsync.sync.item_names import Names
from jmapsync.sync.mailbox_filter import Scope
from jmapsync.sync.merge_objects import Objects
from jmapsync.sync.quarantine import Holding
from jmapsync.sync.report import KindReport
from jmapsync.sync.server_rights import Permits
from jmapsync.sync.tag_index import Tagger
from jmapsync.sync.threads import complete

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from jmapsync.formats.codec import Codec
    from jmapsync.kinds import Kind
    from jmapsync.ledger import Ledger
    from jmapsync.planner import Limits
    from jmapsync.storage.port import Local, Observation, Remote, TagIndex
    from jmapsync.sync.commit import Work
    from jmapsync.sync.options import Options
    from jmapsync.sync.report import Progress


@dataclass(slots=True)
class Mirror:
    """One kind of one account in one run: both its sides, what is known of them, and how to look at them."""

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
    """Keeps the local version of a change before it is overwritten; tells whether it is there to be kept."""
    codec: Codec | None = None
    """Knows the bodies of a kind that are objects."""
    patterns: Patterns = EVERYTHING
    """Which containers are mirrored."""
    tags: TagIndex | None = None
    """Shows keywords and containers as tags."""
    report: KindReport = field(default_factory=KindReport)
    names: Names = field(init=False)
    holding: Holding = field(init=False)
    absorber: Absorber = field(init=False)
    scope: Scope = field(init=False)
    permits: Permits = field(init=False)
    tagger: Tagger | None = field(init=False)
    doubtful: set[int] = field(default_factory=set)
    """Keys of items that the server would not write as they were last seen: the next look asks for them by their ids."""
    held: set[int] = field(default_factory=set)
    """Keys of items with a file that the last look at the disk could not take as it is: no order is carried out on them."""
    _begun: bool = False
    _disk_seen: bool = False
    """Whether the disk was looked at already, because it alone gave the hint."""
    _listed: bool = False
    """Whether the last look at the server was at everything there is, and proven so."""
    _told: AsyncIterator[Observation] | None = None
    """A look at the server that was begun ahead."""

    def __post_init__(self) -> None:
        """Remember nothing tried yet."""
        self.kind = self.kind.limited(self.remote.most_homes)
        self.names = Names(self.kind.name, self.ledger, self.local, self.remote, is_object=self.codec is not None)
        self.holding = Holding(
            self.kind.name, self.ledger, self.clock, self.remote.policy, full=self.options.full, name=self.names.of
        )
        self.permits = Permits(self.kind, self.ledger, self.remote)
        self.scope = Scope(self.kind, self.ledger, self.remote, self.patterns, self.report.sentences)
        self.absorber = Absorber(self.kind, self.ledger, self.remote, self.holding, self._adopt_folder, self.scope)
        self.tagger = Tagger(self.tags, self.ledger, self.remote, self.report) if self.tags is not None else None

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
            if self.options.full:
                self.ledger.forget_listed(self.kind.name)
            self.local.open(self.ledger, self.account_id)
            self.absorber.load()
            self._begun = True

    def containers(self) -> Containers:
        """Return the containers of the kind, to be carried out."""
        return Containers(self.kind, self.ledger, self.local, self.remote, self.report, self.holding, self.permits, self.held)

    def guard(self) -> Guard:
        """Return the guard of a run."""
        return Guard(self.kind, self.account, self.ledger, self.limits, self.clock)

    def disk_changed(self, guard: Guard) -> bool:
        """Take in what the disk shows that the ledger does not; tell whether there is any, or anything waits to be done."""
        kind = self.kind
        if self.scope.must_list() or self.ledger.counts(kind.items.kind)[2] or self.ledger.counts(kind.containers.kind)[2]:
            return True
        if self._have_folders_changed():
            return True
        self._disk_seen = True
        return self._take_disk(guard, folders=self._folders())

    def _have_folders_changed(self) -> bool:
        """Tell whether the disk shows other folders than the ledger has."""
        look = self.local.look_folders(self.ledger)
        if look.folders_same:
            return False
        places = self.ledger.folders()
        containers = self.ledger.all(self.kind.containers.kind)
        known = {record.key: record.local for record in containers if record.local is not None}
        here = [(folder.key or 0, folder.ref) for folder in look.folders]
        if sorted(here) != sorted((key, places.get(key, ("", ""))[0]) for key in known):
            return True
        return any(not folder.role and is_renamed(folder, known[folder.key or 0]) for folder in look.folders)

    def _adopt_folder(self, key: int, path: str, ref: str) -> None:
        self.local.adopt_folder(key, path, ref, self.ledger)

    def _pages(self, *, full: bool) -> AsyncIterator[Observation]:
        """Begin a look at the server."""
        cursor = self.ledger.cursor(self.kind.name, Side.REMOTE)
        doubtful = self.ledger.records(sorted(self.doubtful)).values()
        refs = {one.ref for one in doubtful if one.ref is not None and one.remote is not None}
        again = sorted(refs.union(self.absorber.unanswered()))
        full = full or bool(self.scope.must_list())
        return self.remote.look(cursor, self._known, again, whole=full)

    async def look(self, containers: Containers, guard: Guard, number: int = 0) -> None:
        """Look at both sides and take in what they hold; what only one side seems to have may be the same.

        Raises what a run raises: the root is not there, no network, the disk refuses.
        """
        kind, absorber = self.kind, self.absorber
        absorber.take_local_folders(await complete(self.local.look_folders, self.ledger))
        pages, self._told = self._told or self._pages(full=self.options.full and number == 0), None
        why = self.scope.must_list()
        told = await self._take_pages(guard, pages)
        self.scope.has_listed(why if self._listed else "")
        if why := self.scope.must_list():
            told |= await self._take_pages(guard, self._pages(full=True))
            self.scope.has_listed(why if self._listed else "")
        if self.scope.must_look:
            self.scope.must_look = False
            absorber.take_local_folders(await complete(self.local.look_folders, self.ledger))
        await self._ask_bereft(guard)
        if made(self.ledger, kind.containers.kind) - told:
            # It was destroyed again, which no list of changes has to tell; those who list everything name what there is.
            await self._take_pages(guard, self._pages(full=True))
        forget_made(self.ledger, kind.containers.kind, self._cursor())
        containers.settle()
        if number or not self._disk_seen:
            await complete(partial(self._take_disk, guard, folders=None if number else self._folders()))
        if self.codec is not None:
            # What is the same item is known by its uid; whether it says the same is not.
            await complete(Objects(self.ledger, self.codec).adopt, kind.items.kind)
            forget_made(self.ledger, kind.items.kind, self._cursor())
            return
        await Adopter(kind, self.ledger, self.local, self.remote, self.clock).run()

    async def _ask_bereft(self, guard: Guard) -> None:
        """Ask for the items whose containers are gone on the server, and of which nothing was told: James 3.8 tells nothing."""
        refs = await complete(self.absorber.bereft)
        if refs:
            await self._take_pages(guard, self.remote.look(self._cursor(), self._known, refs))
        self.absorber.forget_bereft()

    def _cursor(self) -> str:
        """Return how far the server was seen."""
        return self.ledger.cursor(self.kind.name, Side.REMOTE)

    def _known(self) -> set[str]:
        """Return the ids that the server is believed to have."""
        return self.ledger.refs(self.kind.items.kind) | self.ledger.refs(self.kind.kept)

    async def _take_pages(self, guard: Guard, pages: AsyncIterator[Observation]) -> set[str]:
        """Take in a look at the server; return the ids of the containers that it told of."""
        told: set[str] = set()
        self._listed = False
        async for page in pages:
            self._listed = self._listed or page.whole
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
            self.held.clear()
            self.held.update(look.held)
            found = found or bool(look.items or look.gone or look.moved or look.places or look.suspicious or look.problems)
            with self.ledger.transaction():
                if look.suspicious:
                    guard.doubt(Side.LOCAL, look.suspicious)
                self.absorber.take_local_items(look)
        if self.tagger is not None:
            found = self.tagger.take() or found
        return found


async def _resumed(first: Observation | None, rest: AsyncIterator[Observation]) -> AsyncIterator[Observation]:
    if first is not None:
        yield first
    async for page in rest:
        yield page
