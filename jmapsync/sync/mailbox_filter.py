"""Apply `include` and `exclude`: detach containers that are no longer selected, attach them again later.

A container that is left out stays on the disk, detached: the ledger forgets its files, so that nothing about them is ever read as
a change. What it keeps of each item is its id, its digest and what both sides last agreed on. When the container is taken back,
its folder is known by its marker, its files by their digests, and edits made since are merged with those of the server; what only
one side has by then goes to the other. A container that is left out but has others in it is there for these alone: it is *bare*.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from jmapsync.formats.names import INBOX, Patterns, above, seen_path
from jmapsync.ledger.notes import BARE, BOXES, DETACHED, LISTING, OUTSIDE, SELECTION, UNMAILED, UNWANTED
from jmapsync.planner.model import NOTHING, Base, Homes, Side, Verb, Version
from jmapsync.storage.port import Folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from jmapsync.kinds import Kind
    from jmapsync.ledger import Ledger, Record
    from jmapsync.planner.model import Order
    from jmapsync.storage.port import Seen
    from jmapsync.sync.context import ContainerContext

PAGE = 1000


class Scope(Struct):
    """What is mirrored of one kind of one account."""

    kind: Kind
    ledger: Ledger
    context: ContainerContext
    patterns: Patterns
    messages: list[str]
    """The run's messages for people: what became of their folders is added."""
    _boxes: dict[str, Folder] = {}
    """The server's containers as last reported, kept only while any may be left out."""
    must_scan: bool = False
    """Whether folders were detached or attached since the scan of the disk, so that it has to be scanned again."""
    _bare: set[str] = set()
    """Those that are there only for what lies in them."""

    # notes

    def _note(self, name: str) -> str:
        return self.ledger.note(f"{name}:{self.kind.name}")

    def _set(self, name: str, value: object) -> None:
        text = json.dumps(value, sort_keys=True)
        if text != self._note(name):
            self.ledger.set_note(f"{name}:{self.kind.name}", text)

    @property
    def detached(self) -> dict[str, str]:
        """Return where the folders lie that are left out, by the ids of their containers."""
        return json.loads(self._note(DETACHED) or "{}")  # type: ignore[no-any-return]

    @property
    def bare(self) -> frozenset[int]:
        """Return the containers whose items are not mirrored."""
        return frozenset(json.loads(self._note(BARE) or "[]"))

    # a run

    def is_limited(self) -> bool:
        """Return whether anything is left out, or ever was."""
        return bool(self._note(SELECTION)) or not self.patterns.is_all

    def load(self) -> None:
        """Begin a run; where the patterns are others than those of the last one, divide the containers anew.

        Everything is then listed again, because no list of changes names what was there all along.
        """
        if not self.is_limited():
            return
        stored = json.loads(self._note(BOXES) or "{}")
        self._boxes = {
            ref: Folder(ref, name, parent, role, hidden=bool(hidden)) for ref, (name, parent, role, *hidden) in stored.items()
        }
        with self.ledger.transaction():
            if self._note(SELECTION) != json.dumps(self.patterns.to_text()):
                self._set(SELECTION, self.patterns.to_text())
                self.ledger.set_note(f"{UNMAILED}:{self.kind.name}", "")  # as in a first run
                self._set(LISTING, ["the patterns"])
                self._set(DETACHED, {ref: path for ref, path in self.detached.items() if ref in self._boxes})
            self._divide()

    def must_list(self) -> str:
        """Return why everything on the server is to be listed, or nothing: containers came in whose items no `/changes` names."""
        return self._note(LISTING)

    def has_listed(self, why: str) -> None:
        """Take note that everything was listed for this reason."""
        if why and self._note(LISTING) == why:
            with self.ledger.transaction():
                self.ledger.set_note(f"{LISTING}:{self.kind.name}", "")
                if not self.detached:
                    self._forget()

    def _forget(self) -> None:
        """Forget what was kept for a return: every container is back."""
        after = 0
        while records := self.ledger.all(self.kind.detached, after=after, limit=PAGE):
            after = records[-1].key
            self.ledger.save(replace(record, remote=None, base=None) for record in records)

    # containers

    def take(self, folders: Sequence[Folder], gone: Iterable[str], kept: Sequence[Folder] = (), *, whole: bool) -> list[Folder]:
        """Ingest the server's containers; return those of them that are mirrored, and those that came in by another's rename.

        `kept` are those that the server does not list, and that count as they were (`sync.withdrawn`).
        """
        if not self.is_limited():
            return list(folders)
        left_out, before = set(self.context.outside), self._boxes
        if whole:
            self._boxes = {}
        self._boxes = {ref: box for ref, box in self._boxes.items() if ref not in set(gone)}
        self._boxes |= {folder.ref: before.get(folder.ref, folder) for folder in kept} | {folder.ref: folder for folder in folders}
        boxes = self._boxes.values()
        self._set(BOXES, {one.ref: (one.name, one.parent, one.role, *([True] if one.hidden else [])) for one in boxes})
        self._divide()
        entered = {ref for ref in self._boxes if ref in left_out and ref not in self.context.outside}
        if entered and self.kind.items.mergeable:
            self.context.returned |= entered
            self.ledger.set_note(f"{UNMAILED}:{self.kind.name}", "")
        if entered and (not whole or self.kind.items.mergeable):  # collections are listed whole with their changes, their items not
            self._set(LISTING, sorted(entered))
        taken = {folder.ref for folder in folders} | entered | self._bare
        shut = self.context.outside - self._bare
        return [folder for ref, folder in self._boxes.items() if ref in taken - shut]

    def is_divided_by(self, order: Order) -> bool:
        """Return whether what was done by an order may bring containers in or leave some out, which the next round finds out.

        The new name of one is a part of the paths of all below it; one that was made for what lies in it may be selected itself;
        one in which nothing lies any more is not needed.
        """
        if order.verb is Verb.DELETE:
            return order.side is Side.LOCAL and bool(self.bare)
        if order.side is Side.LOCAL:
            return False
        return bool(self.context.outside) if order.verb is Verb.REPLACE else order.key in self.bare

    def _divide(self) -> None:
        """Find out what is left out, and let go of it."""
        paths = {ref: self._path(ref) for ref in self._boxes}
        mirrored = {ref for ref, path in paths.items() if self.patterns.covers(path, hidden=self._boxes[ref].hidden)}
        needed = set() if self.patterns.is_flat else above([*(paths[ref] for ref in mirrored), *self._made_here()])
        self._bare = {ref for ref, path in paths.items() if ref not in mirrored and path in needed}
        self.context.outside.clear()
        self.context.outside.update(paths.keys() - mirrored)
        left = {ref: path for ref, path in self.detached.items() if ref not in mirrored | self._bare}
        self.must_scan = self.must_scan or left.keys() != self.detached.keys()
        self._set(DETACHED, left)
        self._let_go()

    def _made_here(self) -> list[str]:
        """Return the paths of containers to be mirrored that the disk alone has: those that they lie in are needed too."""
        kind = self.kind.containers.kind
        lie = self.ledger.folders(kind)
        alone = [seen_path(lie[record.key][0]) for record in self.ledger.all(kind) if record.remote is None and record.key in lie]
        return [path for path in alone if self.patterns.covers(path)]

    def _path(self, ref: str) -> str:
        """Return the path of a container on the server."""
        if self.patterns.is_flat:
            return self._boxes[ref].name
        names: list[str] = []
        at = self._boxes.get(ref)
        while at is not None and len(names) <= len(self._boxes):  # a server's tree may have a loop
            is_inbox = not at.parent and at.ref == self.context.roles.get("inbox")
            names.insert(0, INBOX if is_inbox else at.name)
            at = self._boxes.get(at.parent)
        return "/".join(names)

    def _let_go(self) -> None:
        """Detach the containers that are left out by now, and those made here that lie in them."""
        kind = self.kind.containers.kind
        lie = self.ledger.folders(kind)
        records = self.ledger.all(kind)
        shut = [record for record in records if self._is_out(record, lie.get(record.key, ("", ""))[0])]
        bare = {record.key for record in records if record.ref in self._bare}
        bare |= {record.key for record in records if record.key in self.bare and record.ref not in self._boxes}
        detached = self.detached
        for record in shut:
            path = lie.get(record.key, ("", ""))[0]
            if record.local is not None and path:
                if record.ref is not None:
                    detached[record.ref] = path
                message = f"The folder {path} stays as it is, detached: it is left out of the mirror now."
                self.messages += [message] if message not in self.messages else []
        self._set(DETACHED, detached)
        self._set(OUTSIDE, sorted((self.context.outside - self._bare) | detached.keys()))
        self.must_scan = self.must_scan or bool(shut)
        leaving = {record.key for record in shut} | (bare - self.bare)
        if leaving:
            self._leave(frozenset(leaving))
        for record in shut:
            self.ledger.drop_folder(record.key)
            self.context.keys.pop(str(record.ref), None)
        self.ledger.save(replace(record, local=None, remote=None, base=None) for record in shut)
        self._set(BARE, sorted(bare))

    def _is_out(self, record: Record, path: str) -> bool:
        """Return whether a known container is left out: by its path on the server, or here where it is gone there, or never was."""
        if record.ref is not None and record.ref in self._boxes:
            return record.ref in self.context.outside and record.ref not in self._bare
        if not path or not self._boxes or record.key in self.bare:
            return False
        name = record.local.body if record.local is not None and self.patterns.is_flat else seen_path(path)
        return not self.patterns.covers(name)

    def take_folders(self, bare: Iterable[int], detached: dict[str, str], unwanted: Sequence[str] = ()) -> None:
        """Record which folders are there only for what lies in them, where the detached ones are, and what else is left alone."""
        wanted = self.bare | frozenset(bare)
        if wanted != self.bare:
            self._set(BARE, sorted(wanted))
        if unwanted or self._note(UNWANTED):
            self._set(UNWANTED, sorted(unwanted))
        known = self.detached
        if detached or known:
            lost = {ref: path for ref, path in known.items() if ref not in self._boxes}  # its marker alone says what it was
            self._set(DETACHED, lost | detached)

    # items

    def _leave(self, homes: Homes) -> None:
        """Forget that items were in these containers; of those that are in no other, keep what is of use when they come back."""
        for key in homes:
            self.ledger.drop_places([(key, place.name) for place in list(self.ledger.places_in(key))])
        after = 0
        while records := self.ledger.all(self.kind.items.kind, after=after, limit=PAGE):
            after = records[-1].key
            touched = [record for record in records if _is_in(record, homes)]
            changed = [self._without(record, homes) for record in touched]
            left = [record.key for record in changed if record.kind == self.kind.detached or _is_void(record)]
            refs = [str(record.ref) for record in changed if record.kind == self.kind.detached]
            before = self.ledger.by_ref(self.kind.detached, refs).values()  # it was in another one that was let go of earlier
            self.ledger.save(replace(record, remote=None, base=None) for record in before)
            self.ledger.save(changed)
            self.ledger.drop_intents(left)
            self.ledger.release((self.kind.name, f"item {key}") for key in left)

    def _without(self, record: Record, homes: Homes) -> Record:
        base = record.base
        if base is not None:
            base = Base(_out_of(base.local, homes), _out_of(base.remote, homes))
        local = _out_of(record.local, homes) if record.local is not None else None
        remote = _out_of(record.remote, homes) if record.remote is not None else None
        here = local if local is not None and local.homes else None
        if here is None and remote is not None and not remote.homes:
            if not record.digest or record.ref is None:
                return replace(record, local=None, remote=None, base=None)
            known = remote if self.kind.items.mergeable else replace(remote, sense=record.digest)  # mail is known by its content
            return replace(record, kind=self.kind.detached, local=None, remote=known, base=base)
        there = remote if remote is not None and remote.homes else None
        if here is None and there is None:
            base = None
        return replace(record, local=here, remote=there, base=base)

    def recall(self, items: Sequence[Seen], known: dict[str, Record]) -> None:
        """Add to the known items those that are seen again after they were let go of."""
        if not self._note(SELECTION):
            return
        fresh = [seen.ref for seen in items if seen.ref not in known and seen.version.homes]
        bodies = {seen.ref: seen.version.body for seen in items}
        found = self.ledger.by_ref(self.kind.detached, fresh)
        uids = sorted({record.digest for record in found.values()}) if self.kind.items.mergeable else []
        taken = self.ledger.by_digest(self.kind.items.kind, uids)  # a file of its uid lies elsewhere: that is the item by now
        for ref, record in found.items():
            is_other = not self.kind.items.mergeable and (record.remote is None or record.remote.body != bodies[ref])
            if is_other or record.digest in taken:
                self.ledger.save([replace(record, remote=None, base=None)])
                continue
            known[ref] = replace(record, kind=self.kind.items.kind, local=None)
            self.ledger.save([known[ref]])


def _versions(record: Record) -> Iterator[Version]:
    held = (record.local, record.remote, record.base.local if record.base else None, record.base.remote if record.base else None)
    return (version for version in held if version is not None)


def _is_in(record: Record, homes: Homes) -> bool:
    return any(version.homes & homes for version in _versions(record))


def _is_void(record: Record) -> bool:
    return record.local is None and record.remote is None and record.base is None


def _out_of(version: Version, homes: Homes) -> Version:
    """Return a version as it is without these containers."""
    return replace(version, homes=version.homes - homes or NOTHING, leaving=version.leaving - homes or NOTHING)
