"""Suspend containers that vanished from an account of somebody else: what is known of them stays as it is until they are back.

A mailbox that its owner no longer shares is listed as one that was destroyed is: by Cyrus 3.12 in `Mailbox/changes`, and
`/get` of what was in it answers `notFound`. The two cannot be distinguished, so nothing is deleted here for it, and nothing is
created there. When the container is back, everything is listed: what was deleted since then is deleted here as ever. It is let
go of where a person allows that deletion, or removes the directory.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from jmapsync.ledger.notes import LISTING, WITHDRAWN
from jmapsync.planner.model import NOTHING, Blocked, Side, Verb
from jmapsync.storage.port import Folder
from jmapsync.text import command

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from jmapsync.kinds import Kind
    from jmapsync.ledger import Ledger, Record
    from jmapsync.planner.model import Change, Homes, Plan, Version
    from jmapsync.storage.port import FolderPage, Seen
    from jmapsync.sync.context import ContainerContext

PAGE = 1000
"""Items read from the ledger at a time."""
WAITS = "its folder is no longer shared with you; it stays as it is here until that is back"


class Withdrawn(Struct):
    """The containers of one kind of one account that vanished from it."""

    kind: Kind
    ledger: Ledger
    context: ContainerContext
    is_shared: bool = False
    """Whether the account is somebody else's (`storage.port.Traits`): in the user's own, what is gone was deleted."""
    _at_start: frozenset[str] = frozenset()
    """The ids of those that earlier runs reported."""
    accepted: Homes = NOTHING
    """Those whose loss a person allowed in this run."""

    def load(self) -> None:
        """Begin a run."""
        self._at_start = frozenset(self.paths)

    @property
    def paths(self) -> dict[str, str]:
        """Return where they lie here, by their ids."""
        stored: dict[str, str] = json.loads(self.ledger.note(f"{WITHDRAWN}:{self.kind.name}") or "{}")
        return {ref: path for ref, path in stored.items() if ref in self.context.keys}  # others are left out by now

    @property
    def keys(self) -> Homes:
        """Return the ledger's keys of them."""
        return frozenset(self.context.keys[ref] for ref in self.paths)

    def _set(self, paths: Mapping[str, str]) -> None:
        text = json.dumps(paths, sort_keys=True) if paths else ""
        if text != self.ledger.note(f"{WITHDRAWN}:{self.kind.name}"):
            self.ledger.set_note(f"{WITHDRAWN}:{self.kind.name}", text)

    # what the server lists

    def take(self, page: FolderPage, gone: set[str], rights: Mapping[str, Collection[str]]) -> list[Folder]:
        """Take note of containers of the server, `gone` of which it no longer lists; return those that are kept as they were.

        `rights` are those that were last reported, by id: a container whose items may no longer be read is withdrawn as well.
        """
        before = self.paths
        if not before and not self.is_shared:
            return []
        shown = {folder.ref: folder for folder in page.folders}
        unsure = {trouble.ref for trouble in page.problems}
        closed = {ref for ref in shown if self._is_closed(shown[ref], rights) and ref not in unsure}
        now = {ref: path for ref, path in before.items() if self.is_shared and (ref not in shown or ref in closed)}
        now |= self._in_use((gone | closed) - before.keys()) if self.is_shared else {}
        if now != before:
            self._set(now)
            if before.keys() - now.keys():  # no list of changes names what was in it all along
                self.ledger.set_note(f"{LISTING}:{self.kind.name}", json.dumps(sorted(before.keys() - now.keys())))
            self._forget_unwritten(frozenset(self.context.keys[ref] for ref in now.keys() - before.keys()))
        return self._as_folders(now)

    def _is_closed(self, folder: Folder, rights: Mapping[str, Collection[str]]) -> bool:
        read = self.kind.rights.read
        return read in rights.get(folder.ref, ()) and read not in folder.rights

    def _in_use(self, refs: Collection[str]) -> dict[str, str]:
        """Return those that hold items here, and those that such lie in, with their paths."""
        records = {
            record.key: record
            for record in self.ledger.by_ref(self.kind.containers.kind, sorted(refs)).values()
            if record.local is not None and record.remote is not None
        }
        used: set[int] = set()
        for key, record in records.items():
            if next(self.ledger.places_in(key), None) is None:
                continue
            at: Record | None = record
            while at is not None and at.key not in used:
                used.add(at.key)
                at = next((records[home] for home in (at.local.homes if at.local else ()) if home in records), None)
        return {str(records[key].ref): self.ledger.folder_path(key) for key in used}

    def _forget_unwritten(self, keys: Homes) -> None:
        """Forget of items that were never written here that they are in containers: their content cannot be had."""
        after = 0
        while keys and (records := self.ledger.open_items(self.kind.items.kind, after=after, limit=PAGE)):
            after = records[-1].key
            lost = [one for one in records if one.local is None and one.base is None]
            self.ledger.save(replace(one, remote=_without(one.remote, keys)) for one in lost)

    def _as_folders(self, paths: Mapping[str, str]) -> list[Folder]:
        records = self.ledger.by_ref(self.kind.containers.kind, sorted(paths))
        refs = {record.key: str(record.ref) for record in self.ledger.records(sorted(self._parents(records.values()))).values()}
        roles = {ref: role for role, ref in self.context.roles.items()}
        return [
            Folder(ref, one.remote.body, next((refs[home] for home in one.remote.homes if home in refs), ""), roles.get(ref, ""))
            for ref, one in records.items()
            if one.remote is not None
        ]

    @staticmethod
    def _parents(records: Iterable[Record]) -> set[int]:
        return {home for one in records if one.remote is not None for home in one.remote.homes}

    # their items

    def completed(self, version: Version | None, before: Version | None, keys: Homes) -> Version | None:
        """Return what the server holds of an item, with those of the containers `keys` that it is known to have been in."""
        kept = before.homes & keys if before is not None else NOTHING
        if before is None or not kept:
            return version
        return replace(before if version is None else version, homes=kept if version is None else version.homes | kept)

    def complete(self, items: Iterable[Seen], known: Mapping[str, Record]) -> list[Seen]:
        """Return items as they were observed, with the containers that cannot be observed."""
        keys, found = self.keys, list(items)
        if not keys:
            return found
        for number, seen in enumerate(found):
            record = known.get(seen.ref)
            version = self.completed(seen.version, record.remote, keys) if record is not None else seen.version
            if version is not None and version != seen.version:
                found[number] = replace(seen, version=version, adrift="")
        return found

    def suspend(self, plan: Plan, records: Mapping[int, Record]) -> Plan:
        """Return a plan without what needs the server for items that lie in these containers only; those are named."""
        keys = self.keys
        if not keys:
            return plan
        stopped = [one for one in plan.changes if _lies_in(records[one.key], keys) and not _needs_neither(one)]
        blocked = {one.key for one in stopped}
        changes = tuple(one for one in plan.changes if one.key not in blocked)
        hidden = tuple(one for one in plan.hidden if not _lies_in(records[one.key], keys))
        waiting = blocked | {one.key for one in plan.hidden} - {one.key for one in hidden}
        return replace(plan, changes=changes, hidden=(*hidden, *(Blocked(key, WAITS) for key in sorted(waiting))))

    # letting go

    def accept(self) -> None:
        """Let go of those that earlier runs reported and that did not come back: a person allowed their loss."""
        refs = [ref for ref in self.paths if ref in self._at_start]
        self.accepted = frozenset(self.context.keys[ref] for ref in refs)
        self._let_go(refs)

    def drop_removed(self) -> None:
        """Let go of those whose directory was removed here, in the transaction that ingests that."""
        records = self.ledger.by_ref(self.kind.containers.kind, sorted(self.paths))
        self._let_go([ref for ref, record in records.items() if record.local is None])

    def _let_go(self, refs: Collection[str]) -> None:
        """Take containers for deleted on the server, and out of their items."""
        if not refs:
            return
        keys = frozenset(self.context.keys[ref] for ref in refs)
        with self.ledger.transaction():
            self._set({ref: path for ref, path in self.paths.items() if ref not in set(refs)})
            self.ledger.save(replace(record, remote=None) for record in self.ledger.records(sorted(keys)).values())
            after = 0
            while records := self.ledger.all(self.kind.items.kind, after=after, limit=PAGE):
                after = records[-1].key
                inside = [one for one in records if one.remote is not None and one.remote.homes & keys]
                self.ledger.save(replace(one, remote=_without(one.remote, keys)) for one in inside)
            for ref in refs:
                self.context.keys.pop(ref, None)

    def named(self) -> list[str]:
        """Return the paths of those that are left, and forget the others."""
        self._set(self.paths)
        return self.ledger.withdrawn(self.kind.name)

    def message(self, account: str) -> str:
        """Return what to say of them."""
        return message_of(self.kind, sorted(self.paths.values()), account)


def message_of(kind: Kind, paths: Collection[str], account: str) -> str:
    """Return what to say of containers that vanished from an account; nothing of none."""
    if not paths:
        return ""
    several = len(paths) > 1
    named = f"The {kind.container_nouns if several else kind.container_noun} {', '.join(paths)} {'are' if several else 'is'}"
    return (
        f"{named} no longer in the account: withdrawn or deleted, which the server does not say. Nothing was deleted here, and"
        f" {'they go' if several else 'it goes'} on when {'they are' if several else 'it is'} back. To delete the files too:"
        f" `{command('sync --allow-deletes', account)}`."
    )


def _without(version: Version | None, keys: Homes) -> Version | None:
    """Return a version without containers; None where it is in no other."""
    left = version.homes - keys if version is not None else NOTHING
    return replace(version, homes=left, leaving=version.leaving - keys) if version is not None and left else None


def _lies_in(record: Record, keys: Homes) -> bool:
    """Return whether the server is known to have an item in these containers only, or the disk one that the server has not."""
    held = record.remote if record.remote is not None else record.local
    return held is not None and bool(held.homes) and held.homes <= keys


def _needs_neither(change: Change) -> bool:
    """Return whether a change can be made without the server: it changes no more here than flags and places."""
    return not change.undone and all(order.side is Side.LOCAL and order.verb is Verb.UPDATE for order in change.orders)
