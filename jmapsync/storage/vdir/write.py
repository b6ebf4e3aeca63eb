"""Write to a vdir: make, replace, copy and remove files, each batch made durable as a group.

Readers see the old file or the new one, never half of one; a file that is not as the ledger knows it makes its order stale, and
nothing of it is done. An item whose bytes are there already is not written again.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING

from msgspec import Struct

from jmapsync.errors import Remedy
from jmapsync.formats.large_data import set_aside
from jmapsync.formats.names import fold
from jmapsync.formats.objects import MalformedError, encode, holds_data
from jmapsync.formats.unconverted import is_file
from jmapsync.ledger.rows import Place
from jmapsync.planner.model import Verb, Version
from jmapsync.storage.files.atomic import give_name
from jmapsync.storage.files.batch import BatchWriter
from jmapsync.storage.files.disk_errors import RefusedError, StaleError, refused
from jmapsync.storage.files.file_state import state_of
from jmapsync.storage.files.swap import check, displace, take_away
from jmapsync.storage.port import Body, Filed, Job, Receipt
from jmapsync.storage.vdir.names import Staged, displaced_name, new_name, short_digest, staged_name, write_staged
from jmapsync.storage.vdir.read import convert, read_bytes, render, uid_of

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Sequence

    from jmapsync.formats.codec import Codec
    from jmapsync.formats.objects import Object
    from jmapsync.storage.vdir.tree import Tree


class _Draft(Struct):
    """One order on its way."""

    job: Job
    version: Version | None = None
    content: bytes = b""
    """The normal form that the files are to read as; nothing where it does not change."""
    uid: str = ""
    size: int = 0
    staged: list[Staged] = []
    kept: list[Place] = []
    """Files that stay as they are."""
    obsolete: list[Place] = []
    """Files that are to go, once everything that takes their place is durable."""
    displaced: list[tuple[int, str]] = []
    """Files that others took the place of, by collection, under names of ours."""
    places: list[Place] = []
    moved: list[tuple[int, str]] = []
    mine: list[Place] = []
    """The files that the ledger knows of the item, in collections that are there."""


class Writer(BatchWriter):
    """Carries out one batch of orders after another."""

    def __init__(self, tree: Tree, codec: Codec, token: Callable[[], str]) -> None:
        """Prepare. `token` returns random hexadecimal digits for a file name."""
        super().__init__(tree.root, tree.reach())
        self._tree = tree
        self._codec = codec
        self._token = token
        self._known: Callable[[int, Sequence[str]], set[str]] = lambda _folder, _names: set()
        self._unknown: dict[int, set[str]] = {}
        """Names by collection that the ledger knows no file by, for the time of a batch."""
        self._taken: dict[int, set[str]] = {}
        """Folded names in the collections that get new files, for the time of a batch."""
        self.contested: set[tuple[int, str]] = set()
        """Folders and uids of which the last scan met several files: they get no further one."""

    def write(self, jobs: Sequence[Job], known: Callable[[int, Sequence[str]], set[str]]) -> list[Receipt]:
        """Carry out orders and return their receipts in the same order; raises nothing for a single item.

        `known` returns those of some names in a folder under which the ledger knows files.
        """
        with self._below:
            return self._write(jobs, known)

    def _write(self, jobs: Sequence[Job], known: Callable[[int, Sequence[str]], set[str]]) -> list[Receipt]:
        self.fatal = self._full = None
        self._known = known
        self._taken.clear()
        receipts: dict[int, Receipt] = {}
        drafts = {job.order.key: _Draft(job) for job in jobs}
        self._each(drafts, receipts, self._prepare)
        staged = {key: draft.staged for key, draft in drafts.items() if draft.staged and key not in receipts}
        if staged:
            self._sync_staged(staged, lambda one: self._in(one.folder, one.temporary), receipts)
        self._check_names(draft for key, draft in drafts.items() if key not in receipts)
        self._each(drafts, receipts, self._put)
        self._clear([(one.folder, one.temporary) for draft in drafts.values() for one in draft.staged])
        displaced = [aside for draft in drafts.values() for aside in draft.displaced]
        try:
            if displaced or any(draft.obsolete for draft in drafts.values()):
                self._sync()  # or a power cut could leave the old file gone and the new one not yet there
            self._clear(displaced)
            self._each(drafts, receipts, self._finish)
            self._sync()
        except OSError as error:
            self._fail(error)
            return [refused(job.order.key, error, Remedy.LATER) for job in jobs]
        if self._full is not None and all(key in receipts for key in drafts):
            self._fail(self._full)
        return [receipts.get(key) or _receipt(draft) for key, draft in drafts.items()]

    def _clear(self, files: Iterable[tuple[int, str]]) -> None:
        """Remove files of ours that are no longer needed; those that cannot be now are when the mirror is next opened."""
        for folder, name in files:
            with contextlib.suppress(OSError):
                os.unlink(self._in(folder, name))

    # what is to be done

    def _prepare(self, draft: _Draft) -> None:
        """Write every new file of an order under a name of ours, and note which files are to go."""
        order = draft.job.order
        known = [place for place in draft.job.places if place.key == order.key]
        mine = draft.mine = [place for place in known if place.folder in self._tree.paths]
        draft.moved = [(place.folder, place.name) for place in known if place.folder not in self._tree.paths]
        if not set(order.homes) <= self._tree.paths.keys():
            raise StaleError("the collection that it is to be in is not there")
        draft.obsolete = [place for place in mine if place.folder not in order.homes]
        if order.verb is Verb.DELETE:
            return
        try:
            data = self._prepare_update(draft, mine) if order.verb is Verb.UPDATE else self._prepare_body(draft)
            for place in mine:
                if place.folder in order.homes:
                    self._renew(draft, place, data)
        except MalformedError as error:
            raise RefusedError(f"it cannot be written as a file: {str(error).rstrip('.')}", Remedy.NEVER) from error
        for home in sorted(order.homes - {place.folder for place in mine}):
            if data is None:
                raise StaleError("none of its files is there to copy")
            if (home, draft.uid) in self.contested:
                raise RefusedError(
                    f"several files of its UID lie in {self._tree.paths[home]}; remove or change all but one", Remedy.HUMAN
                )
            self._stage(draft, home, data, None)

    def _prepare_body(self, draft: _Draft) -> bytes:
        """Return the bytes of the object that is to be written. Ours have been read back: what cannot be read is not written."""
        order = draft.job.order
        if not order.homes:
            raise StaleError("no collection is known that it is to be in")
        body = draft.job.body
        content = _octets(body)
        if body is not None and is_file(content):
            from jmapsync.formats.plain_files import uid_of as uid_of_file  # noqa: PLC0415  # a run in which nothing came needs none

            draft.version = Version(body.sense, body.sense, order.tags, order.homes)
            draft.content, draft.uid, draft.size = content, uid_of_file(content), len(content)
            return content
        written: Object = json.loads(content)
        if body is not None and body.file:
            sense = body.sense or self._codec.sense(written)
            draft.version = Version(sense, sense, order.tags, order.homes)
            draft.content = encode(set_aside(written)[0]) if holds_data(content) else content
            draft.uid, draft.size = uid_of(written), len(body.file)
            return body.file
        data = render(self._codec, written)
        kept, _ = set_aside(convert(self._codec, data))
        kept = self._codec.align(kept, set_aside(written)[0])
        sense = self._codec.sense(kept)
        draft.version = Version(sense, sense, order.tags, order.homes)
        draft.content, draft.uid, draft.size = encode(kept), uid_of(kept), len(data)
        return data

    def _prepare_update(self, draft: _Draft, mine: list[Place]) -> bytes | None:
        """Return the bytes that copies are made of; None where no file is to be written."""
        order = draft.job.order
        body = order.expect.body if order.expect is not None else ""
        draft.version = Version(body, body, order.tags, order.homes)
        untidy = order.expect is not None and order.expect.untidy
        if not mine or not (untidy or order.homes - {place.folder for place in mine}):
            return None
        for place in sorted(mine, key=lambda place: (place.mtime, place.folder), reverse=True):
            data, state = read_bytes(self._path(place))
            if state != place.state:
                raise StaleError("its file was changed since it was scanned")
            if not untidy or self._codec.sense(set_aside(convert(self._codec, data))[0]) == body:
                return data
        raise StaleError("none of its files is as it was seen")

    def _renew(self, draft: _Draft, place: Place, data: bytes | None) -> None:
        """Stage what replaces a file, unless it has these bytes already."""
        if data is None:
            draft.kept.append(place)
            return
        check(self._path(place), place.state)
        if place.size == len(data) and read_bytes(self._path(place))[0] == data:
            draft.kept.append(place)
        else:
            self._stage(draft, place.folder, data, place)

    def _stage(self, draft: _Draft, folder: int, data: bytes, replaces: Place | None) -> None:
        temporary = staged_name(self._token())
        name = replaces.name if replaces is not None else ""
        draft.staged.append(Staged(draft.job.order.key, folder, name, temporary, short_digest(data), replaces))
        write_staged(self._in(folder, temporary), data, replaces)

    # doing it

    def _put(self, draft: _Draft) -> None:
        """Give every new file its name; those that the item is not to have any more stay for now."""
        for place in draft.mine:
            check(self._path(place), place.state)
        draft.places = list(draft.kept)
        while draft.staged:
            one = draft.staged[0]
            path = self._in(one.folder, one.temporary)
            state = state_of(os.lstat(path))  # once readers see it, it may be another file by the time it is examined
            if one.replaces is not None:
                old, token = self._path(one.replaces), self._token()
                aside = displaced_name(token, one.digest)
                if displace(path, old, one.replaces.state, self._in(one.folder, aside), self._beside(old, token)):
                    draft.displaced.append((one.folder, aside))
            else:
                one.name = self._name(draft, one)
            self._dirty.add(self._tree.paths[one.folder])
            draft.places.append(Place(one.folder, one.name, "", "", one.key, *state, ""))
            draft.staged.pop(0)

    def _check_names(self, drafts: Iterable[_Draft]) -> None:
        """Find out which of the names that new files are to have the ledger knows no file by, in one query a collection."""
        wanted: dict[int, set[str]] = {}
        for draft in drafts:
            for one in draft.staged:
                if one.replaces is None:
                    wanted.setdefault(one.folder, set()).add(self._usual_name(draft, ()))
        self._unknown = {folder: names - self._known(folder, sorted(names)) for folder, names in wanted.items()}

    def _usual_name(self, draft: _Draft, taken: Container[str]) -> str:
        """Return the name that an item has elsewhere, else one of its uid, which is none of those `taken`."""
        name = next((place.name for place in draft.mine), "")
        if name and fold(name) not in taken:
            return name
        return new_name(draft.uid or os.path.splitext(name)[0], self._codec.suffix, taken, self._tree.holds.longest)

    def _name(self, draft: _Draft, one: Staged) -> str:
        """Give a new file a name that no other one has."""
        taken, unknown = self._names_in(one.folder), self._unknown.get(one.folder, ())
        name = self._usual_name(draft, taken)
        while (name not in unknown and self._known(one.folder, [name])) or not self._is_given(one, name):
            # Somebody made it in this very moment, or took away another item's: that one is missed by the ledger's name for it.
            taken.add(fold(name))
            name = new_name(draft.uid or os.path.splitext(name)[0], self._codec.suffix, taken, self._tree.holds.longest)
        taken.add(fold(name))
        return name

    def _is_given(self, one: Staged, name: str) -> bool:
        """Give a staged file its name, unless another one has it."""
        try:
            give_name(self._in(one.folder, one.temporary), self._in(one.folder, name))
        except FileExistsError:
            return False
        return True

    def _names_in(self, folder: int) -> set[str]:
        if folder not in self._taken:
            self._taken[folder] = {fold(name) for name in os.listdir(self._below.at(self._tree.paths[folder]))}
        return self._taken[folder]

    def _finish(self, draft: _Draft) -> None:
        """Take away the files that the item is not to have any more."""
        for place in draft.obsolete:
            path, token = self._path(place), self._token()
            aside = self._in(place.folder, displaced_name(token, ""))
            take_away(path, place.state, aside, self._beside(path, token))
            self._dirty.add(self._tree.paths[place.folder])
            draft.moved.append((place.folder, place.name))

    def _beside(self, path: str, token: str) -> str:
        """Return a name for what somebody saved under a path in the very moment that it was ours."""
        return f"{path[: -len(self._codec.suffix)]}-{token}{self._codec.suffix}"

    def _path(self, place: Place) -> str:
        return self._in(place.folder, place.name)

    def _in(self, folder: int, name: str) -> str:
        """Return a path that leads to a name in a collection through no link, good for the next step. Raises OSError."""
        return f"{self._below.at(self._tree.paths[folder])}/{name}"


def _receipt(draft: _Draft) -> Receipt:
    return Filed(draft.job.order.key, draft.version, tuple(draft.places), tuple(draft.moved), draft.uid, draft.content)


def _octets(body: Body | None) -> bytes:
    """Return the normal form that came. Raises StaleError when none did, OSError."""
    if body is not None and body.path is not None:
        return body.path.read_bytes()
    if body is None or body.data is None:
        raise StaleError("its content did not come")
    return body.data
