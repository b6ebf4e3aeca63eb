"""Ingest observations into the ledger: which observation is which item, trees and cursors in one transaction.

Nothing here decides what is to be done. An echo of our own write compares equal and changes no row.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec.structs import replace

from jmapsync.errors import SuspendedError
from jmapsync.ledger import Ledger, Record
from jmapsync.ledger.intents import made
from jmapsync.planner.model import NOTHING, Side
from jmapsync.storage.port import Learnt, SameFolders, Trouble
from jmapsync.sync.ingest_containers import ContainerIngester
from jmapsync.sync.ingest_objects import ObjectIngester, adrift, was_here
from jmapsync.sync.quarantine import ROLES, note_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jmapsync.kinds import Kind
    from jmapsync.ledger.rows import FolderRow
    from jmapsync.storage.port import DiskFolders, DiskItems, FolderPage, ItemPage, ListingEnd, Seen
    from jmapsync.sync.context import ContainerContext
    from jmapsync.sync.mailbox_filter import Scope
    from jmapsync.sync.quarantine import Quarantine
    from jmapsync.sync.withdrawn import Withdrawn

_NOTHING = Learnt()
FEW = 3
PERCENT = 20
"""From more than so many messages on, and so many of a hundred, other content under known ids means another server."""


@dataclass(slots=True)
class Ingester:
    """Ingests observations of one kind."""

    kind: Kind
    ledger: Ledger
    context: ContainerContext
    quarantine: Quarantine
    adopt_folder: Callable[[int, str, str], FolderRow]
    """Called with the key, path and server id of a local folder when they become known."""
    scope: Scope
    withdrawn: Withdrawn
    has_advanced: bool = False
    """Whether a cursor was stored since the observation began."""
    containers: ContainerIngester = field(init=False)
    _objects: ObjectIngester = field(init=False)

    def __post_init__(self) -> None:
        """Build the parts; nothing is read yet."""
        self.containers = ContainerIngester(self.kind, self.ledger, self.context, self.adopt_folder, self.scope, self.withdrawn)
        self._objects = ObjectIngester(self.kind.items.kind, self.ledger)

    def load(self) -> None:
        """Give the remote side the containers and roles known from earlier runs."""
        self.context.keys.update(self.ledger.keys_by_ref(self.kind.containers.kind))
        self.context.roles.update(json.loads(self.ledger.note(note_of(ROLES, self.kind.name)) or "{}"))
        self.scope.load()
        self.withdrawn.load()

    # the server's side

    def unanswered(self) -> list[str]:
        """Begin to observe the server; return the ids that an earlier run got no answer for or that no `/changes` has named yet."""
        self.context.has_unread = self.quarantine.has_unread_containers()
        return sorted(self.quarantine.unanswered() | self._out_of_sight() | made(self.ledger, self.kind.items.kind))

    def _out_of_sight(self) -> set[str]:
        """Return the ids of what was named because its containers cannot be seen: when those appear, no change names it."""
        records = self.ledger.records(list(self.quarantine.problems())).values()
        return {str(one.ref) for one in records if one.remote is not None and one.ref is not None and not one.remote.homes}

    def ingest_server_folders(self, page: FolderPage) -> None:
        """Ingest containers of the server."""
        with self.ledger.transaction():
            if page.folders or page.gone or page.whole:
                self.containers.ingest_server(page)
            self.quarantine.take_containers(page)

    def ingest_server_items(self, page: ItemPage) -> None:
        """Ingest items of the server, and what it says is gone."""
        with self.ledger.transaction():
            if self.kind.items.mergeable:  # what is there may have the uid of what is gone
                self._gone_on_server(page.gone)
            page.problems += self._remote_items(page.items)
            if not self.kind.items.mergeable:
                self._gone_on_server(page.gone)
            self.quarantine.take_answers(page)
            self._advance(page.cursor)

    def ingest_listing_end(self, page: ListingEnd) -> None:
        """Ingest what a listing of everything lacks, and whether it was whole."""
        with self.ledger.transaction():
            self._gone_on_server(page.gone)
            self.quarantine.take_listing(page)
            self._advance(page.cursor)

    def _advance(self, cursor: str) -> None:
        if cursor:
            self.ledger.set_cursor(self.kind.name, Side.REMOTE, cursor)
            self.containers.cursor_stored()
            self.has_advanced = True

    def _remote_items(self, items: Sequence[Seen]) -> list[Trouble]:
        """Ingest items; return the problems of those that are left out, wholly or in part, because a container is not known."""
        kind = self.kind.items.kind
        refs = [seen.ref for seen in items]
        known = self.ledger.by_ref(kind, refs)
        self.scope.recall(items, known)
        items = self.withdrawn.complete(items, known)
        if self.kind.items.mergeable:
            return self._objects.ingest(items, known)
        _refuse_other_mail(known if self.kind.items.fixed else {}, items)
        kept = self.ledger.by_ref(self.kind.kept, [ref for ref in refs if ref not in known])
        fresh, changed, troubles = [], [], []
        for seen in items:
            record = known.get(seen.ref)
            if seen.ref in kept:
                continue
            label = seen.label or f"email {seen.ref}"
            troubles += adrift(label, seen, record)
            if record is None and not seen.version.homes:
                continue
            if record is None:
                fresh.append(Record(0, kind, seen.ref, label, seen.size, seen.stamp, seen.digest, remote=seen.version))
                continue
            if not seen.version.homes and (seen.outside or not was_here(record)):
                # It was moved where nothing is mirrored, by the user's wish, or was never here. One that was here, and is in no
                # mailbox that the server lists, is hidden (`planner.merge.hidden_on`): that is no reason to delete its file.
                changed.append(replace(record, remote=None))
                continue
            version = seen.version
            if record.remote is not None and record.remote.body == version.body:
                version = replace(version, sense=record.remote.sense)
            elif record.base is not None and record.base.remote.body == version.body:
                version = replace(version, sense=record.base.remote.sense)
            if version != record.remote:
                changed.append(replace(record, remote=version, size=seen.size, stamp=seen.stamp, name=seen.label or record.name))
        self.ledger.add_many(fresh)
        self.ledger.save(changed)
        return troubles

    def _gone_on_server(self, refs: Sequence[str]) -> None:
        kept = self.withdrawn.keys if refs else NOTHING
        for kind in (self.kind.items.kind, self.kind.kept):
            records = self.ledger.by_ref(kind, list(refs)).values()
            self.ledger.save(replace(one, remote=self.withdrawn.completed(None, one.remote, kept)) for one in records)

    # the disk's side

    def keep(self, learnt: Learnt) -> None:
        """Keep what the disk side learnt."""
        if learnt == _NOTHING:
            return
        with self.ledger.transaction():
            self.ledger.put_folders(learnt.folders)
            self.ledger.drop_listed(self.kind.name, learnt.unlisted)
            self.ledger.put_listed(learnt.listed)
            for name, note in learnt.notes.items():  # at last: a note may be about what was just written
                self.ledger.set_note(name, note)

    def ingest_local_folders(self, page: DiskFolders | SameFolders) -> None:
        """Ingest the folders of the disk."""
        if isinstance(page, SameFolders):
            return
        with self.ledger.transaction():
            self.keep(page.learnt)
            self.containers.ingest_local(page)

    def ingest_local_items(self, page: DiskItems) -> None:
        """Ingest a scan of the items of the disk."""
        kind = self.kind.items.kind
        with self.ledger.transaction():
            self.keep(page.learnt)
            self.ledger.drop_places(page.moved)
            self.ledger.put_places(page.places)
            met = self.ledger.records([seen.key for seen in page.items if seen.key is not None] + page.gone)
            records = {record.key: record for record in self.ledger.converted(met.values())}
            changed = [replace(records[key], local=None) for key in page.gone if key in records]
            kept = self.ledger.by_digest(self.kind.kept, [seen.digest for seen in page.items if seen.key is None])
            for seen in page.items:
                if seen.key is None:
                    fresh = Record(0, kind, None, seen.ref, seen.size, seen.stamp, seen.digest, local=seen.version)
                    back = kept.get(seen.digest)
                    key = self._take_back(back.pop(), fresh) if back else self.ledger.add(fresh)
                    if seen.content:
                        self.ledger.contents.put("local", {key: seen.content})
                    self.ledger.put_places(place._replace(key=key) for place in seen.places)
                elif seen.key in records:
                    record = records[seen.key]
                    if seen.version != record.local:
                        if record.remote is None:  # else size and date are those of the email, until an edited one takes its place
                            record = replace(record, size=seen.size, stamp=seen.stamp)
                        name = seen.label or record.name
                        changed.append(replace(record, local=seen.version, digest=seen.digest, name=name))
            self.ledger.save(changed)
            contents = {seen.key: seen.content for seen in page.items if seen.key is not None and seen.content}
            self.ledger.contents.put("local", contents)
            self.quarantine.take_left_out(page.problems)

    def _take_back(self, kept: Record, fresh: Record) -> int:
        """Make one item of a file that was put back and the email that had stayed on the server by the user's wish."""
        self.ledger.save([replace(kept, kind=fresh.kind, name=fresh.name, local=fresh.local)])
        return kept.key


def _refuse_other_mail(known: dict[str, Record], items: Sequence[Seen]) -> None:
    """Raise SuspendedError where many ids stand for other content than before: an email's never changes (RFC 8621, 4.1.1).

    That happens when an account was moved to another server that numbers its emails in the same way.
    """
    changed = [
        seen.ref
        for seen in items
        if (record := known.get(seen.ref)) is not None
        and record.remote is not None
        and record.remote.body != seen.version.body
        and record.size != seen.size
    ]
    if len(changed) > FEW and len(changed) * 100 > PERCENT * len(known):
        raise SuspendedError(
            f"The server holds other messages under {len(changed)} of the {len(known)} ids it was asked about, as a server does"
            " that the account was moved to. Nothing was written.",
            advice="Give the account there a new name and path; the mail here stays as it is.",
        )
