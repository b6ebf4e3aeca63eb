"""Offer a Maildir tree as the local side of mail."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING, BinaryIO

from jmapsync.directories import make_private
from jmapsync.errors import LayoutError, LocalError, Remedy
from jmapsync.formats.flags import KeywordTable
from jmapsync.formats.labels import HEAD
from jmapsync.formats.message import Form, Measure, measure, to_wire
from jmapsync.formats.names import EVERYTHING, Patterns
from jmapsync.ledger.rows import FolderRow
from jmapsync.opening import open_regular
from jmapsync.planner.model import Verb
from jmapsync.storage.files.disk_errors import refused
from jmapsync.storage.files.file_state import state_of
from jmapsync.storage.files.root import USUAL, open_root, read_marker, root_note
from jmapsync.storage.files.scan import scan_until_calm
from jmapsync.storage.maildir.file_names import key_in
from jmapsync.storage.maildir.folders import observe_folders
from jmapsync.storage.maildir.identify import iterate_chunks, measure_without_tuid
from jmapsync.storage.maildir.maildirpp import PlusPlusTree
from jmapsync.storage.maildir.observe import SLICE, MessageScan
from jmapsync.storage.maildir.tree import Tree
from jmapsync.storage.maildir.write import Writer
from jmapsync.storage.port import Body, DiskFolders, DiskItems, Job, Learnt, Placed, Receipt, SameFolders, Stale, Written

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from pathlib import Path

    from jmapsync.ledger.rows import Place
    from jmapsync.storage.known import Known

CHUNK = 1 << 20
LARGE = 4 << 20
"""Octets on disk from which a message is uploaded from a file instead of from memory."""


class MaildirSide:
    """The local side of mail; see `storage.port.Local`."""

    def __init__(
        self,
        root: Path,
        spool: Path,
        *,
        layout: str = USUAL,
        keep_crlf: bool = False,
        keep_deleted: bool = False,
        dry: bool = False,
        limit: int = SLICE,
        token: Callable[[], str] = lambda: secrets.token_hex(4),
        patterns: Patterns = EVERYTHING,
    ) -> None:
        """Prepare; `spool` is a folder for large messages on their way; `dry` writes nothing at all; `limit` as of a scan.

        New folders are those that `patterns` covers. With `keep_deleted` files of messages that the server deleted go below
        DELETED/.
        """
        self._layout = "" if layout == USUAL else layout
        self.tree = PlusPlusTree(root, dry=dry) if self._layout else Tree(root, dry=dry)
        self._spool = spool
        self._dry = dry
        self._patterns = patterns
        self._limit = limit
        self._writer = Writer(self.tree, keep_crlf=keep_crlf, token=token, keep_deleted=keep_deleted)

    def open(self, known: Known, account: str) -> Learnt:
        """Check the root's marker, or make it, learn where the folders lie, and remove what a killed run left half done.

        Raises what `claim` raises, and LayoutError for a tree of another program in the other layout.
        """
        if not known.note(root_note("mail")) and read_marker(self.tree.root) is None and self.tree.is_otherwise():
            raise LayoutError(
                f"The folder {self.tree.root} holds mail in another layout than this account's; nothing was synchronized.",
                advice="Set layout to the one it has, or choose another path.",
            )
        self.tree.holds, learnt = open_root(self.tree.root, known, account, "mail", dry=self._dry, layout=self._layout)
        self.tree.load(known, begin=True)
        if not self._dry:
            self.tree.clear_unfinished()
        return learnt

    def observe_folders(self, known: Known) -> DiskFolders | SameFolders:
        """Return every folder, or that they are as they were when a run began."""
        stamps = self.tree.stamps
        begun, stamps.fresh = stamps.fresh, False
        if not begun or not self.tree.is_loaded(known):
            self.tree.load(known)
        if begun and stamps.are_ingested(known, set(map(self.tree.place, self.tree.paths.values()))):
            self.tree.odd, self.tree.left_alone = [], ()
            return SameFolders()
        moved = self._shed_marks(known) if not self._dry else []
        if moved:
            self.tree.load(known, moved=moved)
        observed = observe_folders(self.tree, known, moved, self._patterns)
        if not self._dry:
            self.tree.restore_keywords()
        if begun and not self._dry:
            observed.learnt = self._stamps_of(known, observed)
        observed.learnt.folders = moved
        return observed

    def _stamps_of(self, known: Known, observed: DiskFolders) -> Learnt:
        """Return the stamps of folders that have just been listed."""
        tree = self.tree
        places = set(map(tree.place, tree.paths.values()))
        keys = sorted(folder.key for folder in observed.folders if folder.key is not None)
        odd = tree.unsettled or tree.odd or tree.left_alone or tree.bare or observed.detached
        whole = not odd and len(keys) == len(observed.folders) and keys == sorted(tree.paths)
        return tree.stamps.note_folders(known, places, tree.unclear, whole=whole)

    def observe_items(
        self, known: Known, folders: Collection[str] | None = None, examined: Collection[str] | None = None
    ) -> DiskItems:
        """Return the messages that changed; scan again where folders changed during it so that losses are not certain.

        In folders that do not rest at all nothing is, until they do. What vanished from some `folders` may lie in another one.
        """
        if not self.tree.is_loaded(known):
            self.tree.load(known)
        seen = self._observe_items(known, folders, examined)
        if not self._dry:
            seen.learnt.listed = self.tree.stamps.changed()
        return seen

    def _observe_items(self, known: Known, folders: Collection[str] | None, examined: Collection[str] | None) -> DiskItems:
        def scan(some: Collection[str] | None) -> DiskItems:
            return MessageScan(self.tree, known, limit=self._limit, folders=some, examined=examined).run()

        return scan_until_calm(scan, folders)

    def read(self, key: int, places: Sequence[Place]) -> Body:
        """Return the wire's bytes of a message, in memory when it is small; a file that is no longer the one known has none."""
        why = "its file was renamed or removed since it was scanned"
        for place in places:
            try:
                with self.tree.reach() as below, open_regular(self.tree.path(below, place), follow=False) as file:
                    body = self._read(key, place, file)
                    if state_of(os.fstat(file.fileno())) == place.state:
                        return body
            except FileNotFoundError:
                continue
            except OSError as error:
                return Body(str(key), why=f"it cannot be read: {error.strerror}", remedy=Remedy.LATER)
            if body.path is not None:
                body.path.unlink()
            why = "its file was changed since it was scanned"
        return Body(str(key), why=why, vanished=True)

    def _read(self, key: int, place: Place, file: BinaryIO) -> Body:
        """Read one file as the wire's bytes; a large one goes to the spool."""
        pieces = to_wire(iter(lambda: file.read(CHUNK), b""), Form(place.form))
        if place.size <= LARGE:
            return Body(str(key), b"".join(pieces))
        make_private(self._spool)
        copy = self._spool / secrets.token_hex(8)
        with copy.open("xb") as target:
            target.writelines(pieces)
        return Body(str(key), path=copy)

    def measure(self, place: Place, algorithm: str = "sha256") -> Measure | None:
        """Return the digests of one file, by hashlib's name of an algorithm; None when it cannot be read."""
        try:
            with self.tree.reach() as below:
                return measure(iterate_chunks(self.tree.path(below, place)), algorithm)
        except OSError:
            return None

    def measure_bare(self, place: Place, algorithm: str = "sha256") -> Measure | None:
        """Return the digests of one file without the line that mbsync added; None when it has none or cannot be read."""
        try:
            with self.tree.reach() as below:
                return measure_without_tuid(self.tree.path(below, place), algorithm)
        except OSError:
            return None

    def head(self, place: Place) -> bytes:
        """Return the first octets of one file; nothing when it cannot be read."""
        try:
            with self.tree.reach() as below, open_regular(self.tree.path(below, place), follow=False) as file:
                return file.read(HEAD)
        except OSError:
            return b""

    def key_in(self, place: Place) -> int:
        """Return the key of the message that a file was made for, as far as its name says; 0 for others' files."""
        return key_in(place.name)

    def write(self, jobs: Sequence[Job], known: Known) -> Written:
        """Carry out orders; new keyword letters are to be kept in the ledger beside the folder's own table."""
        receipts = self._writer.write(jobs)
        homes = sorted({home for job in jobs for home in job.order.homes} & self.tree.paths.keys())
        kept = known.folder_tables(homes)
        return Written(receipts, [row for row in self._rows(homes) if row.keywords != kept.get(row.key, "")])

    def failure(self) -> LocalError | None:
        """Return why the last write had to stop."""
        return self._writer.fatal

    def write_folder(self, job: Job, role: str, known: Known) -> Receipt:
        """Make, rename or remove one folder."""
        return self._write_folder(job, role, known, durable=True)

    def make_folders(self, jobs: Sequence[tuple[Job, str]], known: Known) -> list[Receipt]:
        """Make folders and make all of them durable at once; each comes with its role."""
        receipts = [self._write_folder(job, role, known, durable=False) for job, role in jobs]
        made = [receipt.key for receipt in receipts if isinstance(receipt, Placed)]
        try:
            self.tree.finish(made)
        except OSError as error:
            return [refused(job.order.key, error, Remedy.LATER) for job, _ in jobs]
        return receipts

    def _write_folder(self, job: Job, role: str, known: Known, *, durable: bool) -> Receipt:
        order = job.order
        key = order.key
        try:
            if order.verb is Verb.DELETE:
                self.tree.remove(key)
                return Placed(key, None, tuple(self._shed_marks(known)))
            named = order.source or order.expect
            if named is None:
                return Stale(key, "nothing says how it is called")
            parent = next(iter(order.homes), None)
            path = self.tree.place_for(key, named.body, role, parent, str(job.ref or key))
            before = self.tree.paths.get(key, path)
            if order.verb is Verb.CREATE:
                self.tree.make(key, path, job.ref or "", durable=durable)
                moved = self._rows([key])
                moved += self._shed_marks(known, but=key) if before != path else []
            else:
                moved = self._rows(self.tree.move(key, path))
                moved += self._shed_marks(known, but=key)
        except FileNotFoundError:
            return Stale(key, "a folder was renamed or removed during the run")
        except OSError as error:
            return refused(key, error, Remedy.HUMAN)
        return Placed(key, named, tuple(moved))

    def _shed_marks(self, known: Known, but: int = 0) -> list[FolderRow]:
        """Give folders that had to be marked, because others had their names, these names where they are free by now.

        So two mailboxes that swapped their names end with plain ones. Folders whose names have a use of their own
        where they lie get others. Return where those that got another name lie; `but` is one whose name just changes.
        """
        moved: list[FolderRow] = []
        for key in [one for one in (*self.tree.paths.marked(), *self.tree.misnamed()) if one != but]:
            record = known.records([key]).get(key)
            parent = next(iter(record.local.homes), None) if record is not None and record.local is not None else None
            if record is None or record.local is None or (parent is not None and parent not in self.tree.paths):
                continue
            with contextlib.suppress(OSError):
                plain = self.tree.place_for(key, record.local.body, "", parent, str(record.ref or key))
                moved += self._rows(self.tree.move(key, plain))
        return moved

    def _rows(self, keys: Iterable[int]) -> list[FolderRow]:
        """Return where folders lie. One without a marker is known by the one it lies in, wherever that is said to lie."""
        paths, tables = self.tree.paths, self.tree.tables
        return [FolderRow(key, paths[key], tables.get(key, KeywordTable()).render()) for key in keys]

    def adopt_folder(self, key: int, path: str, ref: str) -> FolderRow:
        """Make a folder met on the disk the one of a mailbox, and mark it once that is known."""
        self.tree.paths[key] = path
        self.tree.tables.setdefault(key, KeywordTable())
        if ref and not self._dry:
            self.tree.mark_adopted(key, ref)
        return self._rows([key])[0]


def clear_spool(spool: Path) -> None:
    """Remove what an interrupted run left behind on its way."""
    with contextlib.suppress(FileNotFoundError), os.scandir(spool) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):  # what cannot be removed is in nobody's way
                os.unlink(entry.path)
