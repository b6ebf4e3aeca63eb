"""Hold what one run of one kind of one account works with: both sides, the ledger, the options, and the parts built on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jmapsync.formats.names import EVERYTHING, Patterns
from jmapsync.storage.port import MailPair
from jmapsync.sync.containers import Containers
from jmapsync.sync.context import ContainerContext
from jmapsync.sync.guard import Guard
from jmapsync.sync.ingest import Ingester
from jmapsync.sync.item_names import Names
from jmapsync.sync.mailbox_filter import Scope
from jmapsync.sync.quarantine import Quarantine
from jmapsync.sync.report import KindReport
from jmapsync.sync.server_rights import Permits
from jmapsync.sync.tag_index import Tagger
from jmapsync.sync.withdrawn import Withdrawn

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.formats.codec import Codec
    from jmapsync.kinds import Kind
    from jmapsync.ledger import Ledger
    from jmapsync.planner.guard import Limits
    from jmapsync.storage.port import Local, ObjectPair, Remote, TagIndex
    from jmapsync.sync.commit import Work
    from jmapsync.sync.options import Options
    from jmapsync.sync.report import Progress


@dataclass(slots=True)
class Channel:
    """One kind of one account in one run."""

    kind: Kind
    account: str
    account_id: str
    ledger: Ledger
    pair: MailPair | ObjectPair
    """Both sides."""
    limits: Limits
    options: Options
    progress: Progress
    clock: Callable[[], float]
    keep_loser: Callable[[Work], bool]
    """Keeps the local version of a change as a conflict copy; returns whether it could be read."""
    patterns: Patterns = EVERYTHING
    """Which containers are mirrored."""
    tags: TagIndex | None = None
    """Shows keywords and containers as tags."""
    report: KindReport = field(default_factory=KindReport)
    held: set[int] = field(default_factory=set)
    """Keys of items with a file that the last scan could not read: nothing is written for them on either side."""
    context: ContainerContext = field(default_factory=ContainerContext)
    """What is known of the server's containers."""
    names: Names = field(init=False)
    quarantine: Quarantine = field(init=False)
    ingester: Ingester = field(init=False)
    scope: Scope = field(init=False)
    withdrawn: Withdrawn = field(init=False)
    permits: Permits = field(init=False)
    guard: Guard = field(init=False)
    containers: Containers = field(init=False)
    tagger: Tagger | None = field(init=False)

    def __post_init__(self) -> None:
        """Build the parts; nothing is read yet."""
        self.kind = self.kind.limited(self.remote.traits.most_homes)
        files = (self.pair.local, self.pair.remote) if isinstance(self.pair, MailPair) else (None, None)
        self.names = Names(self.kind.name, self.ledger, *files)
        self.quarantine = Quarantine(
            self.kind.name, self.ledger, self.clock, self.remote.traits.policy, full=self.options.full, name=self.names.of
        )
        self.scope = Scope(self.kind, self.ledger, self.context, self.patterns, self.report.messages)
        self.withdrawn = Withdrawn(self.kind, self.ledger, self.context, self.remote.traits.is_shared)
        self.ingester = Ingester(
            self.kind, self.ledger, self.context, self.quarantine, self.local.adopt_folder, self.scope, self.withdrawn
        )
        self.permits = Permits(self.kind, self.ledger, self.remote, self.context, self.withdrawn)
        self.guard = Guard(self.kind, self.account, self.ledger, self.limits, self.clock)
        self.containers = Containers(
            self.kind,
            self.ledger,
            self.local,
            self.remote,
            self.context,
            self.scope,
            self.report,
            self.quarantine,
            self.permits,
            self.held,
        )
        self.tagger = Tagger(self.tags, self.ledger, self.context, self.report) if self.tags is not None else None

    @property
    def local(self) -> Local:
        """Return the disk side."""
        return self.pair.local

    @property
    def remote(self) -> Remote:
        """Return the server side."""
        return self.pair.remote

    @property
    def codec(self) -> Codec | None:
        """Return what knows the bodies of a kind that are objects."""
        return None if isinstance(self.pair, MailPair) else self.pair.codec

    @property
    def mail(self) -> MailPair:
        """Return both sides of mail."""
        assert isinstance(self.pair, MailPair), "its bodies are objects"  # noqa: S101 - the callers are of mail alone
        return self.pair
