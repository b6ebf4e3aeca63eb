"""Offer a vdir as the local side of contacts, calendars or tasks."""

from __future__ import annotations

import contextlib
import secrets
import time
from functools import partial
from typing import TYPE_CHECKING

from jmapsync.errors import LocalError, Remedy
from jmapsync.formats.large_data import set_aside
from jmapsync.formats.names import EVERYTHING, Patterns
from jmapsync.formats.objects import MalformedError, encode
from jmapsync.kinds import KINDS
from jmapsync.ledger.rows import FolderRow
from jmapsync.planner.model import Verb
from jmapsync.storage.files.disk_errors import refused
from jmapsync.storage.files.root import open_root
from jmapsync.storage.files.scan import scan_until_calm
from jmapsync.storage.port import (
    Body,
    DiskFolders,
    DiskItems,
    Job,
    Learnt,
    Placed,
    Receipt,
    Refused,
    Stale,
    Written,
    description_in,
)
from jmapsync.storage.vdir import metadata
from jmapsync.storage.vdir.folders import observe_folders
from jmapsync.storage.vdir.names import recover
from jmapsync.storage.vdir.observe import SLICE, ItemScan
from jmapsync.storage.vdir.read import Reader, align, convert, read_bytes, uid_of
from jmapsync.storage.vdir.tree import NotEmptyError, Tree
from jmapsync.storage.vdir.write import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from jmapsync.formats.codec import Codec
    from jmapsync.formats.objects import Object
    from jmapsync.ledger.rows import Place
    from jmapsync.planner.model import Order
    from jmapsync.storage.files.file_state import State
    from jmapsync.storage.known import Known


class VdirSide:
    """The local side of one kind of objects; see `storage.port.Local`."""

    def __init__(
        self,
        root: Path,
        kind: str,
        codec: Codec,
        *,
        dry: bool = False,
        patterns: Patterns = EVERYTHING,
        limit: int = SLICE,
        clock: Callable[[], float] = time.time,
        token: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        """Prepare; `kind` is the name of one of objects; `dry` writes nothing at all; `limit` as of a scan.

        A collection that the server does not have yet is observed only where the patterns cover its name.
        """
        self._patterns = patterns
        self.tree = Tree(root, dry=dry)
        self._kind = KINDS[kind]
        self._codec = codec
        self._dry = dry
        self._limit = limit
        self._clock = clock
        self._token = token
        self._writer = Writer(self.tree, codec, token)
        self._ledger: Known | None = None

    def open(self, known: Known, account: str) -> Learnt:
        """Check the root's marker, or make it, learn where the collections lie, and clear what a killed run left half done."""
        self.tree.holds, learnt = open_root(self.tree.root, known, account, self._kind.name, dry=self._dry)
        self._load(known)
        if self._dry:
            return learnt
        self.tree.clear_unfinished()
        with self.tree.reach() as below:
            for key, path in self.tree.paths.items():
                with contextlib.suppress(OSError):  # gone, or a link by now: the scan says so
                    recover(below.at(path), self._codec.suffix, partial(_is_known, known, key), self._token)
        return learnt

    def _load(self, known: Known) -> None:
        self._ledger = known
        self.tree.load(known, self._kind.containers.kind)

    def observe_folders(self, known: Known) -> DiskFolders:
        """Return every collection."""
        self._load(known)
        return observe_folders(self.tree, known, self._kind, self._patterns)

    def observe_items(
        self,
        known: Known,
        folders: Collection[str] | None = None,
        examined: Collection[str] | None = None,  # noqa: ARG002  # as the port has it
    ) -> DiskItems:
        """Return the items that changed; scan again where directories changed during it so that losses are not certain.

        Every file is examined always: programs edit cards and entries in place, and there are few of them.
        In directories that do not rest at all nothing is, until they do. What vanished from some `folders` may lie in another one.
        """
        self._load(known)
        reader = Reader(self.tree, self._codec, self._clock)

        def scan(some: Collection[str] | None) -> DiskItems:
            reader.overtaken = False
            return self._observe(known, reader, some)

        return scan_until_calm(scan, folders)

    def _observe(self, known: Known, reader: Reader, folders: Collection[str] | None) -> DiskItems:
        items = ItemScan(self._kind.items.kind, self.tree, known, reader, limit=self._limit, folders=folders)
        seen = items.run()
        self._writer.contested = set(items.identifier.alike)
        return seen

    def read(self, key: int, places: Sequence[Place]) -> Body:
        """Return the normal form of an item, its data in place, with the keys that the ledger's has.

        Of copies that differ it is the one that counted in the last scan. A file that is no longer the one known has none.
        """
        assert self._ledger is not None  # noqa: S101 - it is scanned before anything is read
        record = self._ledger.records([key]).get(key) if len(places) > 1 else None
        counted = record.local.sense if record is not None and record.local is not None and record.local.untidy else ""
        why = "it has no file"
        for place in sorted(places, key=lambda place: (place.mtime, place.folder), reverse=True):
            try:
                with self.tree.reach() as below:
                    data, state = read_bytes(f"{below.at(self.tree.paths[place.folder])}/{place.name}")
                if state == place.state:
                    item = convert(self._codec, data)
                    if not counted or self._codec.sense(set_aside(item)[0]) == counted:
                        return Body(str(key), encode(self._as_known(key, item)))
            except FileNotFoundError:
                why = "its file was renamed or removed since it was scanned"
                continue
            except OSError as error:
                return Body(str(key), why=f"it cannot be read: {error.strerror}", remedy=Remedy.LATER)
            except MalformedError as error:
                return Body(str(key), why=str(error), remedy=Remedy.NEVER)
            why = "its file was changed since it was scanned"
        return Body(str(key), why=why, vanished=True)

    def _as_known(self, key: int, item: Object) -> Object:
        """Return what a file holds with the keys, and if need be the uid, that the ledger knows of it."""
        assert self._ledger is not None  # noqa: S101 - it is scanned before anything is read
        record = self._ledger.records([key]).get(key)
        if not uid_of(item) and record is not None:
            item["uid"] = record.digest
        return align(self._codec, item, self._ledger.contents.of([key], "local").get(key, b""))

    def write(self, jobs: Sequence[Job], known: Known) -> Written:
        """Carry out orders."""
        return Written(self._writer.write(jobs, known.taken_names))

    def failure(self) -> LocalError | None:
        """Return why the last write had to stop."""
        return self._writer.fatal

    def write_folder(self, job: Job, role: str, known: Known) -> Receipt:  # noqa: ARG002  # a directory has no role, nor a mark
        """Make or remove one collection, or change what it shows; its directory keeps its name."""
        return self._write_folder(job, None)

    def _write_folder(self, job: Job, taken: set[str] | None) -> Receipt:
        """Do so; `taken` are the names that a new directory may not have, if they are listed already."""
        order = job.order
        key = order.key
        try:
            if order.verb is Verb.DELETE:
                self.tree.remove(key, description_in(order.expect.tags if order.expect is not None else ()))
                return Placed(key, None)
            named = order.source or order.expect
            if named is None:
                return Stale(key, "nothing says how it is called")
            if order.verb is Verb.CREATE:
                if taken is None or key in self.tree.paths:
                    taken = self.tree.taken_by_others(key)
                path = self.tree.place_for(named.body, str(job.ref or key), taken)
                self.tree.make(key, path, job.ref or "", named.body, _color(order), description=description_in(order.tags))
            else:
                with self.tree.reach() as below:
                    folder = below.path(self.tree.paths[key])
                    metadata.write_name(folder, named.body)
                    if order.tags != (order.expect.tags if order.expect else None):
                        metadata.write_color(folder, _color(order))
                        metadata.write_description(folder, description_in(order.tags))
        except NotEmptyError as error:
            return Refused(key, str(error), Remedy.HUMAN)
        except OSError as error:
            return refused(key, error, Remedy.HUMAN)
        return Placed(key, named, (FolderRow(key, self.tree.paths[key]),))

    def make_folders(self, jobs: Sequence[tuple[Job, str]], known: Known) -> list[Receipt]:  # noqa: ARG002
        """Make collections one after the other; the names that are taken are listed once, for there may be thousands."""
        try:
            taken = self.tree.taken_by_others(0)
        except OSError as error:
            return [refused(job.order.key, error, Remedy.HUMAN) for job, _ in jobs]
        return [self._write_folder(job, taken) for job, _ in jobs]

    def adopt_folder(self, key: int, path: str, ref: str) -> FolderRow:
        """Make a directory met on the disk the one of a container, and mark it once that is known."""
        self.tree.paths[key] = path
        if ref and not self._dry:
            self.tree.mark_adopted(key, ref)
        return FolderRow(key, path)


def _is_known(known: Known, folder: int, state: State) -> bool:
    return any(place.state == state for place in known.places_in(folder))


def _color(order: Order) -> str:
    """Return the colour that a collection is to show; of two that came of edits on both sides, the same one everywhere."""
    return min(filter(None, map(metadata.as_rgb, order.tags)), default="")
