"""Ingest containers into the ledger: mailboxes, address books and calendars of the server, and the folders of the disk."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from jmapsync.formats.names import seen_path
from jmapsync.ledger import Ledger, Record
from jmapsync.ledger.intents import forget_seen, note_seen
from jmapsync.ledger.notes import GONE
from jmapsync.planner.model import NOTHING, Side, Version
from jmapsync.storage.port import tags_of
from jmapsync.sync.quarantine import DEFAULT, RIGHTS, ROLES, note_of
from jmapsync.sync.sharing import changes_of_rights, changes_of_shares
from jmapsync.sync.unpaired_containers import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from jmapsync.kinds import Kind
    from jmapsync.ledger.rows import FolderRow
    from jmapsync.storage.port import DiskFolders, Folder, FolderPage
    from jmapsync.sync.context import ContainerContext
    from jmapsync.sync.mailbox_filter import Scope
    from jmapsync.sync.withdrawn import Withdrawn

PAGE = 1000
"""Items read from the ledger at a time."""


class ContainerIngester(Struct):
    """Ingests the containers of one kind."""

    kind: Kind
    ledger: Ledger
    context: ContainerContext
    adopt_folder: Callable[[int, str, str], FolderRow]
    """Called with the key, path and server id of a local folder when they become known."""
    scope: Scope
    withdrawn: Withdrawn
    _covered: set[str] = set()
    """Those met for the first time that the next cursor covers."""

    # the server's side

    def ingest_server(self, page: FolderPage) -> None:
        """Ingest containers of the server, within a transaction."""
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
            self.context.keys[folder.ref] = self._ingest_one_of_server(folder, known.get(folder.ref), waiting)
        records = self.ledger.by_ref(kind, sorted(gone))
        self.ledger.save(replace(record, remote=None) for record in records.values())
        for ref in gone:
            self.context.keys.pop(ref, None)
        if lost := {record.key for record in records.values() if record.remote is not None}:
            self.ledger.set_note(note_of(GONE, self.kind.name), json.dumps(sorted(lost | self._gone())))
        self.ledger.set_note(note_of(ROLES, self.kind.name), json.dumps(roles, sort_keys=True))
        self._keep_rights(page, gone, before)

    def cursor_stored(self) -> None:
        """Forget the ids that were kept until a cursor that covers them is stored."""
        forget_seen(self.ledger, self.kind.containers.kind, self._covered)
        self._covered.clear()

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

    def _ingest_one_of_server(self, folder: Folder, known: Record | None, waiting: Waiting) -> int:
        """Ingest one mailbox; an unknown one is matched with a local folder of the same path, if there is one."""
        kind = self.kind.containers.kind
        parent = self.context.keys.get(folder.parent)
        version = _version(folder, parent)
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

    # the disk's side

    def ingest_local(self, page: DiskFolders) -> None:
        """Ingest the folders of the disk, within a transaction."""
        kind = self.kind.containers.kind
        keys: dict[str, int] = {}
        waiting = Waiting(self.ledger, kind, Side.REMOTE, self.context.roles)
        records = self.ledger.records([folder.key for folder in page.folders if folder.key is not None])
        lie = {key: path for key, (path, _) in self.ledger.folders(kind).items()}
        for folder in parents_first(page.folders):
            known = records.get(folder.key) if folder.key is not None else None
            keys[folder.ref] = self._ingest_one_of_disk(folder, keys.get(folder.parent), known, waiting, lie)
        self.scope.take_folders((keys[folder.ref] for folder in page.folders if folder.bare), page.detached, page.unwanted)
        here = set(keys.values())
        gone = [
            replace(record, local=None) for record in self.ledger.all(kind) if record.local is not None and record.key not in here
        ]
        self.ledger.save(gone)
        self.withdrawn.drop_removed()

    def _ingest_one_of_disk(
        self, folder: Folder, parent: int | None, known: Record | None, waiting: Waiting, lie: Mapping[int, str]
    ) -> int:
        """Ingest one folder; an unknown one is matched with a mailbox of the same path, if there is one. `lie`: the known paths."""
        kind = self.kind.containers.kind
        version = _version(folder, parent)
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
    shown = _version(folder, None)
    return (shown.body, shown.tags) != (known.body, known.tags)


def _version(folder: Folder, parent: int | None) -> Version:
    """Return a container as it was seen; its colour is the one thing about it that either side may change by itself."""
    homes = frozenset({parent}) if parent is not None else NOTHING
    return Version(folder.name, folder.name, tags=tags_of(folder.color, folder.description), homes=homes)


def _taken_for_inbox(folder: Folder) -> Folder:
    """Return a folder with the role that its name gives it where no mailbox has that role."""
    is_inbox = not folder.role and not folder.parent and folder.name.casefold() == "inbox"
    return replace(folder, role="inbox") if is_inbox else folder


def _label(folder: Folder) -> str:
    return folder.name or folder.ref
