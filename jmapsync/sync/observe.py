"""Observe both sides of one kind of one account, and ingest what they hold into the ledger."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from jmapsync.adopt.match import Adopter
from jmapsync.errors import SuspendedError
from jmapsync.ledger.intents import forget_made, forget_seen, made, resolve_intents
from jmapsync.ledger.notes import EXAMINED
from jmapsync.planner.model import Side
from jmapsync.storage.port import FolderPage, ItemPage, ListingEnd, MailPair, ObjectPair, SameFolders, resumed
from jmapsync.sync.ingest_containers import is_renamed
from jmapsync.sync.merge_objects import Objects
from jmapsync.sync.steps import log_step
from jmapsync.sync.threads import complete

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from jmapsync.storage.port import Observation
    from jmapsync.sync.channel import Channel


AUDIT_SECONDS = 7 * 86_400
"""How long files may count as they were because their directories are."""


class Observer(Struct):
    """Observes both sides of one channel."""

    channel: Channel
    doubtful: set[int] = set()
    """Keys of items that the server would not write as they were last seen: they are asked for again by their ids."""
    _is_open: bool = False
    _is_disk_seen: bool = False
    """Whether the disk was scanned already, because it alone gave the hint."""
    _every_file: bool = True
    """Whether every file is to be examined, and not only those in directories that changed."""
    _is_listed: bool = False
    """Whether the last pages of the server listed everything there is, and are proven to have."""
    _ahead: AsyncIterator[Observation] | None = None
    """Pages of the server of which the first was asked for ahead of the run."""

    def open(self) -> None:
        """Check the root and load what is known of the containers, once. Raises RootError, LocalError."""
        channel = self.channel
        if not self._is_open:
            if channel.options.full:
                channel.ledger.forget_listed(channel.kind.name)
            channel.ingester.keep(channel.local.open(channel.ledger, channel.account_id))
            channel.remote.open(channel.context)
            channel.ingester.load()
            self._every_file = channel.options.full or channel.options.examined is None or self._is_audit_due()
            self._is_open = True

    def _is_audit_due(self) -> bool:
        """Return whether every file was last examined too long ago, or at a time that is still to come: the clock was set."""
        examined = float(self.channel.ledger.note(f"{EXAMINED}:{self.channel.kind.name}") or 0)
        return not 0 <= self.channel.clock() - examined < AUDIT_SECONDS

    async def ask_ahead(self) -> None:
        """Ask the server for what the run asks first, so that several kinds can do so in one request. Raises as `run` does."""
        if not self.channel.options.disk_only:
            self.open()
            pages = self._pages(full=self.channel.options.full)
            self._show(f"listing {self.channel.kind.name}")
            first = await anext(pages, None)
            self._ahead = resumed(first, pages)
            self.channel.progress.finish(self.channel.account, self.channel.kind.name)  # until it is its turn

    # the disk, where it alone gave the hint

    def has_disk_changed(self) -> bool:
        """Scan the disk and ingest it; return whether it holds anything that the ledger does not, or anything is open."""
        channel, kind = self.channel, self.channel.kind
        if channel.scope.must_list() or not (
            channel.ledger.are_agreed(kind.items.kind) and channel.ledger.are_agreed(kind.containers.kind)
        ):
            return True
        if self._have_folders_changed():
            return True
        self._is_disk_seen = True
        return self._ingest_disk(self._folders(), self._examined())

    def _have_folders_changed(self) -> bool:
        channel = self.channel
        seen = channel.local.observe_folders(channel.ledger)
        if isinstance(seen, SameFolders):
            return False
        channel.ingester.keep(seen.learnt)
        places = channel.ledger.folders()
        containers = channel.ledger.all(channel.kind.containers.kind)
        known = {record.key: record.local for record in containers if record.local is not None}
        here = [(folder.key or 0, folder.ref) for folder in seen.folders]
        if sorted(here) != sorted((key, places.get(key, ("", ""))[0]) for key in known):
            return True
        return any(not folder.role and is_renamed(folder, known[folder.key or 0]) for folder in seen.folders)

    # both sides

    async def run(self, number: int = 0) -> None:
        """Observe both sides and ingest what they hold; in the first round (number 0) as the options say.

        Raises what a run raises: the root is not there, no network, the disk refuses.
        """
        channel, kind, scope = self.channel, self.channel.kind, self.channel.scope
        fresh, channel.ingester.has_advanced = made(channel.ledger, kind.containers.kind), False
        self._show(f"listing {kind.name}")
        await self._observe_folders()
        pages, self._ahead = self._ahead or self._pages(full=channel.options.full and number == 0), None
        why = scope.must_list()
        seen = await self._ingest_pages(pages)
        scope.has_listed(why if self._is_listed else "")
        if why := scope.must_list():
            seen |= await self._ingest_pages(self._pages(full=True))
            scope.has_listed(why if self._is_listed else "")
        if scope.must_scan:
            scope.must_scan = False
            await self._observe_folders()
        await self._ask_for_bereft()
        if fresh - seen:
            # It was destroyed again, which no list of changes has to say; those who list everything name what there is.
            await self._ingest_pages(self._pages(full=True))
        forget_made(channel.ledger, kind.containers.kind, self._cursor())
        if channel.ingester.has_advanced:
            forget_seen(channel.ledger, kind.containers.kind, fresh)
        if number or not self._is_disk_seen:
            self._show("examining files")
            folders = None if number else self._folders()
            # What was found in another state than expected may have been edited in place.
            await complete(partial(self._ingest_disk, folders, None if number else self._examined()))
        await self._identify()

    def _show(self, what: str) -> None:
        """Show what is being done, without a total: how much there is comes out on the way."""
        log_step(self.channel.account, self.channel.kind.name, what)
        self.channel.progress.start(self.channel.account, self.channel.kind.name, what, 0, 0)

    async def _observe_folders(self) -> None:
        channel = self.channel
        channel.ingester.ingest_local_folders(await complete(channel.local.observe_folders, channel.ledger))

    async def _identify(self) -> None:
        """Find out which items of the two sides are the same."""
        channel, kind = self.channel, self.channel.kind.items.kind
        match channel.pair:
            case ObjectPair(codec=codec):
                # What is the same item is known by its uid; whether it means the same is not.
                await complete(Objects(channel.ledger, codec).adopt, kind)
                forget_made(channel.ledger, kind, self._cursor())
            case MailPair(by_content=False):
                resolve_intents(channel.ledger, kind, self._cursor())
            case MailPair(local=local, remote=remote):
                await Adopter(channel.kind, channel.ledger, local, remote, channel.context, channel.clock).run()

    # the server

    def _pages(self, *, full: bool) -> AsyncIterator[Observation]:
        """Begin to observe the server."""
        channel = self.channel
        doubtful = channel.ledger.records(sorted(self.doubtful)).values() if self.doubtful else ()
        refs = {one.ref for one in doubtful if one.ref is not None and one.remote is not None}
        again = sorted(refs.union(channel.ingester.unanswered()))
        return channel.remote.observe(self._cursor(), self._known, again, whole=full or bool(channel.scope.must_list()))

    async def _ask_for_bereft(self) -> None:
        """Ask for the items whose containers are gone on the server, where no change named them: James 3.8 names none."""
        refs = await complete(self.channel.ingester.containers.bereft)
        if refs:
            await self._ingest_pages(self.channel.remote.observe(self._cursor(), self._known, refs))
        self.channel.ingester.containers.forget_bereft()

    def _cursor(self) -> str:
        """Return how far the server was seen."""
        return self.channel.ledger.cursor(self.channel.kind.name, Side.REMOTE)

    def _known(self) -> set[str]:
        """Return the ids that the server is believed to have."""
        kind = self.channel.kind
        return self.channel.ledger.refs(kind.items.kind) | self.channel.ledger.refs(kind.kept)

    async def _ingest_pages(self, pages: AsyncIterator[Observation]) -> set[str]:
        """Ingest pages of the server, each in one transaction; return the ids of the containers that they name."""
        channel, seen = self.channel, set[str]()
        self._is_listed = False
        async for page in pages:
            match page:
                case FolderPage(folders=folders, gone=gone):
                    seen.update(gone, (folder.ref for folder in folders))
                case ItemPage(items=items):
                    channel.progress.advance(channel.account, channel.kind.name, len(items), 0)
                case ListingEnd(unlisted=why):
                    self._is_listed = not why
            if not channel.options.dry:
                await channel.remote.finish()  # before the page is recorded: no later one shows again what it shows
            try:
                # In a thread, so that the server's next answer comes in at the same time.
                await complete(self._ingest_page, page)
            except SuspendedError:
                # What was ingested before may be wrong too: the next run lists everything.
                channel.ledger.set_cursor(channel.kind.name, Side.REMOTE, "")
                raise
        return seen

    def _ingest_page(self, page: Observation) -> None:
        ingester = self.channel.ingester
        with self.channel.ledger.transaction():
            match page:
                case FolderPage():
                    ingester.ingest_server_folders(page)
                case ItemPage():
                    self.channel.guard.trust(Side.REMOTE, page.refuted)
                    self._doubt(page)
                    ingester.ingest_server_items(page)
                case ListingEnd():
                    self._doubt(page)
                    ingester.ingest_listing_end(page)

    def _doubt(self, page: ItemPage | ListingEnd) -> None:
        if page.suspicious and page.gone:
            self.channel.guard.doubt(Side.REMOTE, page.suspicious)

    # the disk

    def _note_audit(self, began: float, *, whole: bool, withheld: bool) -> None:
        """Note when every file was examined; if edits were withheld, which no directory may show, the next run does so again."""
        note = f"{EXAMINED}:{self.channel.kind.name}"
        if withheld and self.channel.ledger.note(note):
            self.channel.ledger.set_note(note, "")
        elif whole and self._every_file and not withheld:
            self.channel.ledger.set_note(note, str(int(began)))

    def _folders(self) -> frozenset[str] | None:
        """Return the folders to scan: all of them while anything on the disk waits for another scan."""
        return None if self.channel.quarantine.has_left_out() else self.channel.options.folders

    def _examined(self) -> frozenset[str] | None:
        """Return the folders in which every file is to be examined; None for all: an audit is due, or something waits for one."""
        return None if self._every_file or self.channel.quarantine.has_left_out() else self.channel.options.examined

    def _ingest_disk(self, folders: frozenset[str] | None, examined: frozenset[str] | None) -> bool:
        """Scan the disk and ingest it; return whether it holds anything that the ledger does not."""
        channel, found, more, began = self.channel, False, True, self.channel.clock()
        while more:
            seen = channel.local.observe_items(channel.ledger, folders, examined)
            channel.report.withheld, more = seen.withheld, seen.more
            channel.held.clear()
            channel.held.update(seen.undecided)
            found = found or bool(seen.items or seen.gone or seen.moved or seen.places or seen.suspicious or seen.problems)
            with channel.ledger.transaction():
                channel.guard.trust(Side.LOCAL, seen.refuted)
                if seen.suspicious:
                    channel.guard.doubt(Side.LOCAL, seen.suspicious)
                channel.ingester.ingest_local_items(seen)
        if not channel.options.dry:
            self._note_audit(began, whole=examined is None and folders is None, withheld=channel.report.withheld)
        if channel.tagger is not None:
            found = channel.tagger.take() or found
        return found
