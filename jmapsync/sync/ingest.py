"""Ingest observations into the ledger: which observation is which item, trees and cursors in one transaction.

Nothing here decides what is to be done. An echo of our own write compares equal and changes no row.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from jmapsync.errors import SuspendedError
from jmapsync.formats.names import seen_path
from jmapsync.formats.objects import INSTANCES, MalformedError
from jmapsync.formats.unconverted import is_file
from jmapsync.ledger import Ledger, Record
from jmapsync.ledger.intents import forget_seen, made, note_seen
from jmapsync.ledger.notes import GONE
from jmapsync.ledger.unconverted import is_wholly_unconverted
from jmapsync.planner.model import NOTHING, Side, Version
from jmapsync.storage.port import Learnt, SameFolders, Trouble, tags_of
from jmapsync.sync.quarantine import DEFAULT, RIGHTS, ROLES, note_of
from jmapsync.sync.sharing import changes_of_rights, changes_of_shares
from jmapsync.sync.unpaired_containers import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from jmapsync.kinds import Kind
    from jmapsync.ledger.rows import FolderRow
    from jmapsync.storage.port import DiskFolders, DiskItems, Folder, FolderPage, ItemPage, ListingEnd, Seen
    from jmapsync.sync.context import ContainerContext
    from jmapsync.sync.mailbox_filter import Scope
    from jmapsync.sync.quarantine import Quarantine
    from jmapsync.sync.withdrawn import Withdrawn

_NOTHING = Learnt()
BLOB = b"urn:jmapsync:blob:"
INSTANCES_OF = f'"{INSTANCES}":'.encode()
_OTHER_PART = "single occurrences of a series have the UID of another event, here {}; both stay as they are: remove one"
LIKELY_BLOB = 50_000
"""Octets that data on the server is taken to have, which a card or an event only names."""
PAGE = 1000
"""Items read from the ledger at a time."""
FEW = 3
PERCENT = 20
"""From more than so many messages on, and so many of a hundred, other content under known ids means another server."""


class Ingester(Struct):
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
    _covered: set[str] = set()
    """Containers met for the first time that the next cursor covers."""

    def load(self) -> None:
        """Give the remote side the containers and roles known from earlier runs."""
        self.context.keys.update(self.ledger.keys_by_ref(self.kind.containers.kind))
        self.context.roles.update(json.loads(self.ledger.note(note_of(ROLES, self.kind.name)) or "{}"))
        self.scope.load()
        self.withdrawn.load()

    # the server's side

    def bereft(self) -> list[str]:
        """Return the ids of the items that the server is believed to have in a container which it has no longer.

        Those containers are known until `forget_bereft`: a run that dies before it asked leaves the question to the next one.
        """
        if not (gone := self._gone()):
            return []
        kind, after, refs = self.kind.items.kind, 0, list[str]()
        while records := self.ledger.all(kind, after=after, limit=PAGE):
            after = records[-1].key
            refs += [str(one.ref) for one in records if one.remote is not None and one.remote.homes & gone]
        return refs

    def forget_bereft(self) -> None:
        """Note that the items of containers that are gone were asked for."""
        if self._gone():
            self.ledger.set_note(note_of(GONE, self.kind.name), "")

    def _gone(self) -> set[int]:
        return set(json.loads(self.ledger.note(note_of(GONE, self.kind.name)) or "[]"))

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
                self._remote_folders(page)
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
            forget_seen(self.ledger, self.kind.containers.kind, self._covered)
            self._covered.clear()
            self.has_advanced = True

    def _remote_folders(self, page: FolderPage) -> None:
        kind = self.kind.containers.kind
        gone = set(page.gone)
        if page.whole:
            gone |= self.ledger.refs(kind) - {folder.ref for folder in page.folders} - page.unread
        before: dict[str, list[str]] = json.loads(self.ledger.note(note_of(RIGHTS, self.kind.name)) or "{}")
        if kept := self.withdrawn.take(page, gone, before):
            withdrawn = {folder.ref for folder in kept}
            gone -= withdrawn
            page.folders = [folder for folder in page.folders if folder.ref not in withdrawn]
        roles = {role: ref for role, ref in self.context.roles.items() if ref not in gone}
        named = {folder.role for folder in page.folders}
        folders: list[Folder] = []
        for one in parents_first(page.folders):
            roles = {role: ref for role, ref in roles.items() if ref != one.ref}
            folder = one if "inbox" in named | roles.keys() else _taken_for_inbox(one)
            if folder.role:
                roles[folder.role] = folder.ref
            folders.append(folder)
        self.context.roles.clear()
        self.context.roles.update(roles)
        taken = parents_first(self.scope.take(folders, gone, kept, whole=page.whole and not page.unread))
        known = self.ledger.by_ref(kind, [folder.ref for folder in taken])
        fresh = {folder.ref for folder in taken if folder.ref not in known}
        note_seen(self.ledger, kind, fresh)
        if page.covered:
            self._covered |= fresh
        waiting = Waiting(self.ledger, kind, Side.LOCAL, roles)
        for folder in taken:
            self.context.keys[folder.ref] = self._remote_folder(folder, known.get(folder.ref), waiting)
        records = self.ledger.by_ref(kind, sorted(gone))
        self.ledger.save(replace(record, remote=None) for record in records.values())
        for ref in gone:
            self.context.keys.pop(ref, None)
        if lost := {record.key for record in records.values() if record.remote is not None}:
            self.ledger.set_note(note_of(GONE, self.kind.name), json.dumps(sorted(lost | self._gone())))
        self.ledger.set_note(note_of(ROLES, self.kind.name), json.dumps(roles, sort_keys=True))
        self._keep_rights(page, gone, before)

    def _keep_rights(self, page: FolderPage, gone: set[str], before: dict[str, list[str]]) -> None:
        """Keep what may be done in each container, and report what changed of that and of whom it is shared with."""
        for folder in page.folders:
            if folder.default:
                self.ledger.set_note(note_of(DEFAULT, self.kind.name), folder.ref)
        mirrored = [folder for folder in page.folders if folder.ref in self.context.keys]
        self.scope.messages += changes_of_rights(self.kind, mirrored, before, self._seen_name)
        self.scope.messages += changes_of_shares(self.kind, self.ledger, mirrored, gone, self._seen_name)
        rights = {ref: held for ref, held in before.items() if ref not in gone}
        rights |= {folder.ref: sorted(folder.rights) for folder in page.folders}
        self.ledger.set_note(note_of(RIGHTS, self.kind.name), json.dumps(rights, sort_keys=True))

    def _seen_name(self, folder: Folder) -> str:
        """Return what people call a container: a mailbox by its path, as far as it is known."""
        path = "" if self.kind.items.mergeable else self.ledger.folder_path(self.context.keys[folder.ref])
        return seen_path(path) or folder.name

    def _remote_folder(self, folder: Folder, known: Record | None, waiting: Waiting) -> int:
        """Ingest one mailbox; an unknown one is matched with a local folder of the same path, if there is one."""
        kind = self.kind.containers.kind
        parent = self.context.keys.get(folder.parent)
        version = _container(folder, parent)
        if known is None:
            known = waiting.take(folder, parent)
        if known is None:
            record = Record(0, kind, folder.ref, _label(folder), remote=version)
            return self.ledger.add(record)
        # One that takes the place of another begins anew: made by somebody, or by us before we died.
        base = known.base if known.ref == folder.ref else None
        self.ledger.save([replace(known, ref=folder.ref, remote=version, base=base)])
        if known.remote is None and known.local is not None:
            self.ledger.put_folders([self.adopt_folder(known.key, self.ledger.folder_path(known.key), folder.ref)])
        return known.key

    def _remote_items(self, items: Sequence[Seen]) -> list[Trouble]:
        """Ingest items; return the problems of those that are left out, wholly or in part, because a container is not known."""
        kind = self.kind.items.kind
        refs = [seen.ref for seen in items]
        known = self.ledger.by_ref(kind, refs)
        self.scope.recall(items, known)
        items = self.withdrawn.complete(items, known)
        if self.kind.items.mergeable:
            return self._remote_objects(items, known)
        _refuse_other_mail(known if self.kind.items.fixed else {}, items)
        kept = self.ledger.by_ref(self.kind.kept, [ref for ref in refs if ref not in known])
        fresh, changed, troubles = [], [], []
        for seen in items:
            record = known.get(seen.ref)
            if seen.ref in kept:
                continue
            label = seen.label or f"email {seen.ref}"
            troubles += _adrift(label, seen, record)
            if record is None and not seen.version.homes:
                continue
            if record is None:
                fresh.append(Record(0, kind, seen.ref, label, seen.size, seen.stamp, seen.digest, remote=seen.version))
                continue
            if not seen.version.homes and (seen.outside or not _was_here(record)):
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

    def _remote_objects(self, items: Sequence[Seen], known: dict[str, Record]) -> list[Trouble]:
        """Ingest cards or events; an unknown one is matched with the file of the same uid, if there is one.

        A server may hold several objects of one uid, as other clients made them, although it should not (RFC 9610, 3; RFC 8984,
        4.1.2). One is mirrored, the one that was first; the others are named until they are gone, or it is.
        """
        kind = self.kind.items.kind
        waiting = self.ledger.by_digest(kind, [seen.digest for seen in items if seen.digest and seen.ref not in known])
        contents: dict[int, bytes] = {}
        files: dict[int, bytes] = {}
        fresh: dict[str, tuple[Record, Seen]] = {}
        items, changed = _left_out(items, known)
        troubles: list[Trouble] = []
        held = {uid: str(one.ref) for uid, some in waiting.items() for one in some if uid and one.remote is not None}
        for one in items:
            seen, record = one, known.get(one.ref)
            other = held.setdefault(seen.digest, seen.ref) if seen.digest else seen.ref
            if record is None and other != seen.ref:
                troubles.append(_twin(f"{kind} {seen.digest}", seen.ref, other))
                continue
            if record is not None and _is_as_known(seen, record):
                continue
            record = record or next((two for two in waiting.get(seen.digest, ()) if two.remote is None), None)
            if record is not None:
                try:
                    record, seen = self._comparable(record, seen)
                except MalformedError as error:
                    troubles.append(Trouble(f"{kind} {seen.digest}", str(error), seen.ref))
                    continue
            troubles += _adrift(f"{kind} {seen.digest or seen.ref}", seen, record)
            if not seen.version.homes and not _was_here(record):
                continue
            size = len(seen.content) + seen.content.count(BLOB) * LIKELY_BLOB
            if record is None:
                name = f"{self.kind.items.kind} {seen.digest or seen.ref}"
                fresh[seen.ref] = Record(0, kind, seen.ref, name, size, seen.stamp, seen.digest, remote=seen.version), seen
                continue
            contents[record.key], files[record.key] = seen.content, seen.file
            version = seen.version
            if record.remote is not None and record.remote.body == version.body:
                version = replace(version, sense=record.remote.sense)
            changed.append(replace(record, ref=seen.ref, remote=version, size=size, stamp=seen.stamp))
        self.ledger.add_many(record for record, _ in fresh.values())
        for ref, key in self.ledger.keys_of(kind, list(fresh)).items():
            contents[key], files[key] = fresh[ref][1].content, fresh[ref][1].file
        self.ledger.save(changed)
        self.ledger.contents.put("remote", contents)
        self.ledger.contents.put("file", files)
        return troubles

    def _comparable(self, record: Record, seen: Seen) -> tuple[Record, Seen]:
        """Return what is known of an object and what was seen of it so that they can be compared. Raises MalformedError.

        As long as nobody changed it here, another file is another version, whatever it means.
        """
        if is_file(seen.content) and seen.ref == record.ref and is_wholly_unconverted(record):
            return record, seen
        [after], converted = self.ledger.converted([record]), seen.converted()
        if seen.ref != record.ref and self._is_other_part(after, converted):
            raise MalformedError(_OTHER_PART.format(record.name))
        return after, converted

    def _is_other_part(self, record: Record, seen: Seen) -> bool:
        """Return whether only one side has single occurrences of a series (Cyrus 3.12 loses which they are): neither is an edit."""
        here = self.ledger.contents.of([record.key], "local").get(record.key, b"")
        return bool(here) and (INSTANCES_OF in here) != (INSTANCES_OF in seen.content)

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
        kind = self.kind.containers.kind
        with self.ledger.transaction():
            self.keep(page.learnt)
            keys: dict[str, int] = {}
            waiting = Waiting(self.ledger, kind, Side.REMOTE, self.context.roles)
            records = self.ledger.records([folder.key for folder in page.folders if folder.key is not None])
            lie = {key: path for key, (path, _) in self.ledger.folders(kind).items()}
            for folder in parents_first(page.folders):
                known = records.get(folder.key) if folder.key is not None else None
                keys[folder.ref] = self._local_folder(folder, keys.get(folder.parent), known, waiting, lie)
            self.scope.take_folders((keys[folder.ref] for folder in page.folders if folder.bare), page.detached, page.unwanted)
            here = set(keys.values())
            gone = [
                replace(record, local=None)
                for record in self.ledger.all(kind)
                if record.local is not None and record.key not in here
            ]
            self.ledger.save(gone)
            self.withdrawn.drop_removed()

    def _local_folder(
        self, folder: Folder, parent: int | None, known: Record | None, waiting: Waiting, lie: Mapping[int, str]
    ) -> int:
        """Ingest one folder; an unknown one is matched with a mailbox of the same path, if there is one. `lie`: the known paths."""
        kind = self.kind.containers.kind
        version = _container(folder, parent)
        if known is None:
            known = waiting.take(folder, parent)
        if known is None:
            # A lost ledger finds its folders by their markers.
            ref = None if self.ledger.by_ref(kind, [folder.marker]) else folder.marker or None
            key = self.ledger.add(Record(0, kind, ref, folder.ref, local=version))
        else:
            key = known.key
            if known.local is None and known.remote is not None and known.base is None and folder.role == "inbox":
                version = replace(version, body=known.remote.body, sense=known.remote.body)
            if version != known.local:
                base = known.base
                if base is not None and _is_where_it_was(folder, known, lie):
                    base = replace(base, local=replace(base.local, homes=version.homes))
                self.ledger.save([replace(known, local=version, name=folder.ref, base=base)])
        fresh = known is None or known.local is None
        if fresh or lie.get(key, "") != folder.ref:
            ref = str(known.ref) if known is not None and known.ref and fresh else ""
            self.ledger.put_folders([self.adopt_folder(key, folder.ref, ref)])
        return key

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
                        changed.append(replace(record, local=seen.version, digest=seen.digest))
            self.ledger.save(changed)
            contents = {seen.key: seen.content for seen in page.items if seen.key is not None and seen.content}
            self.ledger.contents.put("local", contents)
            self.quarantine.take_left_out(page.problems)

    def _take_back(self, kept: Record, fresh: Record) -> int:
        """Make one item of a file that was put back and the email that had stayed on the server by the user's wish."""
        self.ledger.save([replace(kept, kind=fresh.kind, name=fresh.name, local=fresh.local)])
        return kept.key


def _was_here(record: Record | None) -> bool:
    """Return whether an item is here, or was."""
    return record is not None and (record.local is not None or record.base is not None)


def _is_as_known(seen: Seen, record: Record) -> bool:
    """Return whether an object is the very file that is known of it, which was never compared with anything."""
    return is_file(seen.content) and record.remote == seen.version and not seen.adrift and is_wholly_unconverted(record)


def _left_out(items: Sequence[Seen], known: Mapping[str, Record]) -> tuple[list[Seen], list[Record]]:
    """Return objects without those in containers that are left out, and of these the known ones: they were moved there."""
    out = {seen.ref for seen in items if seen.outside and not seen.version.homes}
    return [seen for seen in items if seen.ref not in out], [replace(known[ref], remote=None) for ref in sorted(out & known.keys())]


def _adrift(name: str, seen: Seen, record: Record | None) -> list[Trouble]:
    """Return the trouble with an item some of whose containers cannot be known; one that went out of sight is named by the plan."""
    if not seen.adrift or seen.outside or (_was_here(record) and not seen.version.homes):
        return []
    return [Trouble(name, seen.adrift, seen.ref)]


def _twin(name: str, ref: str, other: str) -> Trouble:
    """Return the trouble with an object whose uid another one has too."""
    why = f"the server has several objects of this uid: {other} is mirrored, and {ref} is not until one of them is removed there"
    return Trouble(name, why, ref)


def parents_first(folders: Iterable[Folder]) -> list[Folder]:
    """Return folders so that each comes after its parent; a circle, which no tree has, is cut where it is met."""
    by_ref = {folder.ref: folder for folder in folders}
    ordered: dict[str, Folder] = {}
    for ref in sorted(by_ref):
        chain: list[Folder] = []
        at: str = ref
        while at in by_ref and at not in ordered and all(one.ref != at for one in chain):
            chain.append(by_ref[at])
            at = by_ref[at].parent
        for folder in reversed(chain):
            ordered[folder.ref] = folder
    return list(ordered.values())


def _is_where_it_was(folder: Folder, known: Record, lie: Mapping[int, str]) -> bool:
    """Return whether a folder lies where it lay, in one that counts as another because its mailbox is left out by now."""
    parents = known.local.homes if known.local is not None else NOTHING
    return bool(parents) and lie.get(known.key) == folder.ref and parents.isdisjoint(lie)


def is_renamed(folder: Folder, known: Version) -> bool:
    """Return whether a container is shown otherwise than before, by its name or its colour."""
    shown = _container(folder, None)
    return (shown.body, shown.tags) != (known.body, known.tags)


def _container(folder: Folder, parent: int | None) -> Version:
    """Return a container as it was seen; its colour is the one thing about it that either side may change by itself."""
    homes = frozenset({parent}) if parent is not None else NOTHING
    return Version(folder.name, folder.name, tags=tags_of(folder.color, folder.description), homes=homes)


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


def _taken_for_inbox(folder: Folder) -> Folder:
    """Return a folder with the role that its name gives it where no mailbox has that role."""
    is_inbox = not folder.role and not folder.parent and folder.name.casefold() == "inbox"
    return replace(folder, role="inbox") if is_inbox else folder


def _label(folder: Folder) -> str:
    return folder.name or folder.ref
