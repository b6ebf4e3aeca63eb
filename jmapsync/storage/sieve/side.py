"""Offer a directory of Sieve scripts as a local side; see `storage.port.MailLocal`."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from typing import TYPE_CHECKING

from jmapsync.errors import LocalError, Remedy
from jmapsync.formats.message import Form, Measure, measure, to_wire
from jmapsync.formats.names import is_marked
from jmapsync.formats.scripts import ACTIVE, HOME, SUFFIX, is_script, name_for, stands_for, stem_of
from jmapsync.kinds import SIEVE
from jmapsync.ledger.rows import FolderRow
from jmapsync.opening import open_regular
from jmapsync.storage.files.atomic import unfinished
from jmapsync.storage.files.directories import Below
from jmapsync.storage.files.file_state import state_of
from jmapsync.storage.files.filesystem import USUAL
from jmapsync.storage.files.root import open_root
from jmapsync.storage.files.scan import scan_until_calm
from jmapsync.storage.port import Body, DiskFolders, DiskItems, Folder, Learnt, Refused, SameFolders, Written
from jmapsync.storage.sieve.observe import LARGEST, ScriptScan
from jmapsync.storage.sieve.write import Writer
from jmapsync.storage.vdir.names import recover

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from jmapsync.ledger.rows import Place
    from jmapsync.storage.files.file_state import State
    from jmapsync.storage.known import Known
    from jmapsync.storage.port import Job, Receipt

_ONE = "scripts have one directory"


class ScriptFiles:
    """The local side of Sieve scripts: `NAME.sieve` in one directory, and the link `active`."""

    def __init__(
        self,
        root: Path,
        *,
        dry: bool = False,
        clock: Callable[[], float] = time.time,
        token: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        """Prepare; `dry` writes nothing at all."""
        self.root = root
        self._dry = dry
        self._clock = clock
        self._token = token
        self._holds = USUAL
        self._home = 0
        self._known: Known | None = None
        self._scan: ScriptScan | None = None
        """The last scan, if that came to its end."""
        self._overruled: set[int] = set()
        self._active_there = ""
        """The id of the script that is active on the server."""
        self._writer = Writer(root, Below(root), token)

    def open(self, known: Known, account: str) -> Learnt:
        """Check the root's marker, or make it, and clear what a killed run left half done."""
        self._holds, learnt = open_root(self.root, known, account, SIEVE.name, dry=self._dry)
        self._load(known)
        if not self._dry:
            with contextlib.suppress(OSError):
                unfinished(self.root / ACTIVE).unlink(missing_ok=True)

            def is_known(state: State) -> bool:
                return any(place.state == state for place in known.places_in(self._home))

            recover(os.fspath(self.root), SUFFIX, is_known, self._token)
            self._finish_renames(known)
        return learnt

    def _finish_renames(self, known: Known) -> None:
        """Leave one name to files that a killed run gave two: that which their script has on the server, without a mark."""
        with contextlib.suppress(OSError):
            places = {place.ino: place for place in known.places_in(self._home)}
            records = known.records([place.key for place in places.values()])
            names: dict[int, list[str]] = {}
            for entry in os.scandir(self.root):
                if is_script(entry.name) and entry.inode() in places:
                    names.setdefault(entry.inode(), []).append(entry.name)
            for ino, found in names.items():
                record = records.get(places[ino].key)
                if len(found) > 1 and record is not None and record.remote is not None:
                    wanted = [one for one in sorted(found) if stands_for(one, name_for(record.remote.tags))]
                    kept = min(wanted, key=lambda one: is_marked(stem_of(one)), default="")
                    for name in {*wanted, places[ino].name} & set(found) - {kept} if kept else ():
                        os.unlink(self.root / name)

    def _load(self, known: Known) -> None:
        self._known = known
        self._home = next(iter(known.folders(SIEVE.containers.kind)), self._home)

    def observe_folders(self, known: Known) -> DiskFolders | SameFolders:
        """Return the one container, until it is known."""
        self._load(known)
        return SameFolders() if self._home else DiskFolders([Folder(HOME, HOME, "")])

    def adopt_folder(self, key: int, path: str, ref: str) -> FolderRow:  # noqa: ARG002  # the root is its directory
        """Make the root the directory of the one container."""
        self._home = key
        return FolderRow(key, "")

    def observe_items(
        self,
        known: Known,
        folders: Collection[str] | None = None,  # noqa: ARG002  # there is one
        examined: Collection[str] | None = None,  # noqa: ARG002  # there are few files
    ) -> DiskItems:
        """Return the scripts that changed; scan again where files changed during it."""
        self._load(known)
        return scan_until_calm(lambda _: self._observe(known), None)

    def _observe(self, known: Known) -> DiskItems:
        self._scan = self._writer.link = None
        active_there = known.by_ref(SIEVE.items.kind, [self._active_there]).get(self._active_there)
        scan = ScriptScan(SIEVE.items.kind, self._home, self.root, known, self._clock, self._holds, active_there, self._overruled)
        try:
            with Below(self.root) as below:
                seen = scan.run(below.at(""))
        except FileNotFoundError:
            if self._dry:
                return DiskItems()
            raise LocalError(f"The folder {self.root} was removed during the run.") from None
        except OSError as error:
            raise LocalError(f"The folder {self.root} cannot be listed: {error.strerror}.") from error
        if not seen.withheld:
            self._scan = scan
            self._writer.link = scan.dangling or (scan.link if not scan.link.why else None)
            self._writer.dangles = scan.dangling is not None
        return seen

    def note_active(self, ref: str) -> None:
        """Note the id of the script that is active on the server by now, or nothing."""
        self._active_there = ref

    def may_activate(self, key: int, now: str) -> bool:
        """Return whether a script may take the place of the one of this id on the server, of none where it is empty.

        It may where that one is active by agreement; else it may not for the rest of the run, and the next scan says so.
        """
        if key not in self._overruled and not self._is_agreed(now):
            self._overruled.add(key)
        return key not in self._overruled

    def _is_agreed(self, ref: str) -> bool:
        """Return whether both sides last agreed that the script of this id on the server is active; with no id, that none is."""
        if self._known is None or self._scan is None:
            return False
        agreed = self._scan.agreed
        if agreed is not None and (one := self._known.records([agreed]).get(agreed)) is not None:
            agreed = None if one.base is None and one.local is not None else agreed  # a restore takes it for new
        record = self._known.by_ref(SIEVE.items.kind, [ref]).get(ref) if ref else None
        if agreed is not None or not ref:
            return agreed == (record.key if record is not None else None)
        return record is not None and record.base is not None and ACTIVE in record.base.remote.tags  # it has no file any more

    def has_other(self, key: int) -> bool:
        """Return whether the link was seen to lead to another script than this one."""
        return self._scan is not None and bool(self._scan.link.file) and self._scan.active != key

    def is_off(self) -> bool:
        """Return whether the disk was seen to want no script to be active."""
        return self._scan is not None and self._scan.is_off

    def read(self, key: int, places: Sequence[Place]) -> Body:
        """Return the wire's bytes of a script; a file that is no longer the one known has none."""
        why = "its file was renamed or removed since it was scanned"
        for place in places:
            try:
                data, state = self._read(place)
            except FileNotFoundError:
                continue
            except OSError as error:
                return Body(str(key), why=f"it cannot be read: {error.strerror}", remedy=Remedy.LATER)
            if state == place.state:
                return Body(str(key), b"".join(to_wire([data], Form(place.form))))
            why = "its file was changed since it was scanned"
        return Body(str(key), why=why, vanished=True)

    def _read(self, place: Place) -> tuple[bytes, State]:
        with Below(self.root) as below, open_regular(f"{below.at('')}/{place.name}", follow=False) as file:
            return file.read(LARGEST + 1), state_of(os.fstat(file.fileno()))

    def measure(self, place: Place, algorithm: str = "sha256") -> Measure | None:
        """Return the digests of one file; None when it cannot be read."""
        try:
            return measure([self._read(place)[0]], algorithm)
        except OSError:
            return None

    def measure_bare(self, place: Place, algorithm: str = "sha256") -> Measure | None:  # noqa: ARG002  # mbsync knows no scripts
        """Return None: no program adds lines to scripts."""
        return None

    def head(self, place: Place) -> bytes:  # noqa: ARG002  # a script has no header that names it
        """Return nothing."""
        return b""

    def key_in(self, place: Place) -> int:  # noqa: ARG002  # names of files are those of scripts
        """Return 0."""
        return 0

    def write(self, jobs: Sequence[Job], known: Known) -> Written:
        """Carry out orders."""
        self._known = known
        return Written(self._writer.write(jobs, known, self._home, self._holds))

    def failure(self) -> LocalError | None:
        """Return why the last write had to stop."""
        return self._writer.fatal

    def write_folder(self, job: Job, role: str, known: Known) -> Receipt:  # noqa: ARG002  # as the port has it
        """Refuse: the directory of the scripts is the root."""
        return Refused(job.order.key, _ONE, Remedy.NEVER)

    def make_folders(self, jobs: Sequence[tuple[Job, str]], known: Known) -> list[Receipt]:  # noqa: ARG002  # as the port has it
        """Refuse."""
        return [Refused(job.order.key, _ONE, Remedy.NEVER) for job, _ in jobs]
