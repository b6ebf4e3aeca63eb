"""Write to a Maildir: deliver, rename, link and unlink files, each batch made durable as a group.

Every file is examined again right before it is renamed or unlinked; one that is not as the ledger knows it makes its order
stale, and nothing of it is done. Readers see the old file or the new one, never half of one.
"""

from __future__ import annotations

import contextlib
import os
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from jmapsync.errors import Remedy
from jmapsync.formats.flags import letters
from jmapsync.formats.message import Form, is_offlineimap, without_marks, without_tuid
from jmapsync.formats.names import fold
from jmapsync.ledger.rows import Place
from jmapsync.planner.model import Verb, Version
from jmapsync.storage.files.atomic import link_or_copy, put_back, sync_files
from jmapsync.storage.files.batch import BatchWriter
from jmapsync.storage.files.disk_errors import StaleError, refused
from jmapsync.storage.files.file_state import state_of
from jmapsync.storage.files.filesystem import refuses_name
from jmapsync.storage.files.swap import check, take_away
from jmapsync.storage.maildir.file_names import own_name
from jmapsync.storage.maildir.identify import iterate_chunks
from jmapsync.storage.maildir.leftovers import Leftovers
from jmapsync.storage.maildir.refile import keep
from jmapsync.storage.maildir.stage import Staged, fill, set_mtime
from jmapsync.storage.port import Filed, Job, Receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jmapsync.planner.model import Tags
    from jmapsync.storage.maildir.tree import Tree


class _Done(Struct):
    """What carrying out one order changed, and what is left to do."""

    version: Version | None
    staged: Staged | None = None
    places: list[Place] = []
    moved: list[tuple[int, str]] = []
    obsolete: list[Place] = []
    """Files that are to go, once everything that takes their place is durable."""


class Writer(BatchWriter):
    """Carries out one batch of orders after another."""

    def __init__(self, tree: Tree, *, keep_crlf: bool, token: Callable[[], str], keep_deleted: bool = False) -> None:
        """Prepare. `token` returns random characters for a file name."""
        super().__init__(tree.root, tree.reach())
        self._keep_deleted = keep_deleted
        self._tree = tree
        self._keep_crlf = keep_crlf
        self._token = token
        self._leftovers = Leftovers(tree, self._below)

    def write(self, jobs: Sequence[Job]) -> list[Receipt]:
        """Carry out orders and return their receipts in the same order; raises nothing for a single message."""
        with self._below:
            return self._write(jobs)

    def _write(self, jobs: Sequence[Job]) -> list[Receipt]:
        self.fatal = self._full = None
        self._leftovers = Leftovers(self._tree, self._below)
        receipts: dict[int, Receipt] = {}
        staged: dict[int, Staged] = {}
        for job in jobs:
            self._show_keywords(job, receipts)
        every = {job.order.key: job for job in jobs}
        bringing = {key: job for key, job in every.items() if job.order.verb in {Verb.CREATE, Verb.REPLACE}}
        self._each(bringing, receipts, lambda job: self._stage(job, staged))
        if staged:
            self._sync_staged({key: [one] for key, one in staged.items()}, self._staged, receipts)
        done: dict[int, _Done] = {}
        self._each(every, receipts, lambda job: self._put(job, staged, done))
        for one in staged.values():
            with contextlib.suppress(OSError):
                os.unlink(self._staged(one))
        try:
            if any(one.obsolete for one in done.values()):
                self._sync()  # or a power cut could leave the old name gone and the new one not yet there
            self._each(every, receipts, lambda job: self._finish(job, done[job.order.key], receipts))
            self._sync()
        except OSError as error:
            self._fail(error)
            return [refused(job.order.key, error, Remedy.LATER) for job in jobs]
        if self._full is not None and bringing and not any(isinstance(receipts[key], Filed) for key in bringing):
            self._fail(self._full)
        return [receipts[job.order.key] for job in jobs]

    def _show_keywords(self, job: Job, receipts: dict[int, Receipt]) -> None:
        """Give keywords new to a folder their letters, on disk before any name uses them."""
        for home in job.order.homes:
            table = self._tree.tables[home]
            extended = table.extended(job.order.tags)
            if extended is not table:
                self._attempt(job.order.key, receipts, partial(self._tree.show_keywords, home, extended))

    def _stage(self, job: Job, staged: dict[int, Staged]) -> None:
        """Write the body into `tmp` of its first folder."""
        body, order = job.body, job.order
        if body is None or not order.homes:
            raise StaleError("its content did not come")
        one = Staged(job, min(order.homes), self._fresh_name(job))
        path = self._staged(one)
        try:
            fill(one, path, body, keep_crlf=self._keep_crlf)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(path)
            raise
        staged[order.key] = one

    def _put(self, job: Job, staged: dict[int, Staged], done: dict[int, _Done]) -> None:
        """Give the message every name that it is to have; those that it is not to have any more stay for now."""
        order = job.order
        places = [place for place in job.places if place.key == order.key]
        for place in places:
            check(self._path(place), place.state)
        one = staged.get(order.key)
        if one is not None:
            kept = {place.folder: place for place in places if is_offlineimap(place.name) and place.folder in order.homes}
            obsolete = [place for place in places if kept.get(place.folder) != place]
            if order.verb is Verb.REPLACE:
                obsolete += self._leftovers.of(one, self._staged(one), places)
            result = _Done(Version(one.digest, one.digest, order.tags, order.homes), one, obsolete=obsolete)
            self._deliver(one, result, kept)
            del staged[order.key]
        elif order.verb is Verb.DELETE:
            result = _Done(None, obsolete=places)
        else:
            digest = order.expect.body if order.expect else ""
            result = _Done(Version(digest, digest, order.tags, order.homes))
            result.obsolete = [place for place in places if place.folder not in order.homes]
            self._spread(job, places, result)
            self._rename([place for place in places if place.folder in order.homes], job, result)
        done[order.key] = result

    def _finish(self, job: Job, done: _Done, receipts: dict[int, Receipt]) -> None:
        """Take away the names that the message is not to have any more."""
        if self._keep_deleted and job.order.verb is Verb.DELETE:
            self._keep(done.obsolete, done)
        else:
            self._unlink(done.obsolete, done)
        one, key = done.staged, job.order.key
        digest = one.digest if one is not None else ""
        receipts[key] = Filed(key, done.version, tuple(done.places), tuple(done.moved), digest)

    def _deliver(self, one: Staged, done: _Done, kept: Mapping[int, Place]) -> None:
        """Give a staged message its names: renamed into its first folder, linked into the others.

        Where it replaces a `kept` file it gets that one's name: offlineimap takes a file that is gone for a deletion.
        """
        order = one.job.order
        ino, size, mtime = state_of(os.lstat(self._staged(one)))
        first: Place | None = None
        for home in sorted(order.homes):
            name = one.name if first is None else self._fresh_name(one.job)
            old = kept.get(home, Place(home, name, "", "new", order.key, ino, size, mtime, one.form))
            place = self._named(old, order.tags)
            if home in kept and place != old:
                self._replace(old, place)
            place = place._replace(key=order.key, ino=ino, size=size, mtime=mtime, form=one.form)
            if first is None:
                os.rename(self._staged(one), self._path(place))
                self._dirty.add(self._directory(place))
                first = place
            else:
                place = self._link(first, place, over=home in kept)
            done.places.append(place)

    def _spread(self, job: Job, places: list[Place], done: _Done) -> None:
        """Add copies in the folders the message is new to."""
        order = job.order
        added = sorted(order.homes - {place.folder for place in places})
        if not added:
            return
        if not places:
            raise StaleError("none of its files is there to copy")
        source = places[0]
        for home in added:
            place = self._named(source._replace(folder=home, name=self._fresh_name(job), info="", sub="new"), order.tags)
            done.places.append(self._link(source, place))

    def _link(self, source: Place, target: Place, *, over: bool = False) -> Place:
        """Make a second name for a file, `over` one that has it; a copy of it where there are no hard links."""
        path, temporary = self._path(target), self._in_tmp(target.folder, self._name_aside(target.key))
        self._dirty.add(self._directory(target))
        state = link_or_copy(self._path(source), path, temporary, source.mtime, self._tree.root, over=over)
        if state is None:
            return target
        ino, size, mtime = state
        return target._replace(ino=ino, size=size, mtime=mtime)

    def _rename(self, places: list[Place], job: Job, done: _Done) -> None:
        """Make the names of copies show the keywords, and their mtimes receivedAt."""
        for place in places:
            named = self._named(place, job.order.tags)
            if (named.sub, named.info) != (place.sub, place.info):
                self._replace(place, named)
            if place.form in {Form.MARKED, Form.TUID}:
                named = self._unmark(named)
            if job.stamp and named.mtime // 1_000_000_000 != job.stamp:
                set_mtime(self._path(named), job.stamp)
                named = named._replace(mtime=state_of(os.lstat(self._path(named)))[2])
            if named != place:
                done.places.append(named)
            if named.name != place.name:
                done.moved.append((place.folder, place.name))

    def _unmark(self, place: Place) -> Place:
        """Give a file back the bytes of its message, without the lines that a mail program added."""
        path = self._path(place)
        temporary = self._in_tmp(place.folder, self._name_aside(place.key))
        without = without_tuid if place.form == Form.TUID else without_marks
        with open(temporary, "xb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.writelines(without(iterate_chunks(path)))
            file.flush()
            os.utime(file.fileno(), ns=(place.mtime, place.mtime))
        sync_files(self._tree.root, [temporary])
        ino, size, mtime = state_of(os.lstat(temporary))
        os.rename(temporary, path)
        self._dirty.add(self._directory(place))
        return place._replace(ino=ino, size=size, mtime=mtime, form=Form.LF.value)

    def _replace(self, old: Place, new: Place) -> None:
        is_same = (new.folder, new.sub) == (old.folder, old.sub) and fold(new.name + new.info) == fold(old.name + old.info)
        # Where case does not distinguish names, the file's own name is in the way when it gets a letter in the other case.
        if os.path.lexists(self._path(new)) and not (is_same and not self._tree.holds.case):
            raise StaleError("another file has the name it was to get")
        try:
            os.rename(self._path(old), self._path(new))
        except FileNotFoundError as error:
            if refuses_name(error):
                raise
            raise StaleError("its file was renamed or removed since it was scanned") from None
        self._dirty |= {self._directory(old), self._directory(new)}

    def _unlink(self, places: list[Place], done: _Done) -> None:
        """Remove files; what was saved over one in that very moment is put back."""
        for place in places:
            path, aside = self._path(place), self._in_tmp(place.folder, self._name_aside(place.key))
            take_away(path, place.state, aside, f"{os.path.dirname(path)}/{os.path.basename(aside)}")
            self._dirty.add(self._directory(place))
            done.moved.append((place.folder, place.name))

    def _keep(self, places: list[Place], done: _Done) -> None:
        """Put files aside for good; what was saved over one in that very moment is put back."""
        for place in places:
            with contextlib.suppress(FileNotFoundError):
                directory, name = keep(self._tree, self._below, place, self._token)
                kept, path = f"{self._below.at(directory)}/{name}", self._path(place)
                if state_of(os.lstat(kept))[1:] != (place.size, place.mtime):  # a copy on another disk has another inode
                    put_back(kept, path, f"{path}R{self._token()}")
                    raise StaleError("its file was changed since it was scanned")
                self._dirty.add(directory)
            self._dirty.add(self._directory(place))
            done.moved.append((place.folder, place.name))

    def _named(self, place: Place, tags: Tags) -> Place:
        """Return the place under the name that shows the keywords; an unread message without flags stays in `new`."""
        separator = self._tree.holds.separator
        info = self._tree.tables[place.folder].write(tags, place.info, separator)
        if place.sub == "new" and not letters(info):
            return place
        named = place._replace(info=info or f"{separator}2,", sub="cur")
        if len(os.fsencode(named.name + named.info)) <= self._tree.holds.longest:
            return named
        return named._replace(name=own_name(place.stamp, place.key, self._token()))  # it has no room for flags

    def _fresh_name(self, job: Job) -> str:
        return own_name(job.stamp, job.order.key, self._token())

    def _name_aside(self, key: int) -> str:
        return own_name(0, key, self._token())

    def _directory(self, place: Place) -> str:
        return self._tree.inside(place.folder, place.sub)

    def _path(self, place: Place) -> str:
        """Return a path that leads to a file through no link, good for the next step. Raises OSError."""
        return self._tree.path(self._below, place)

    def _staged(self, one: Staged) -> str:
        return self._in_tmp(one.folder, one.name)

    def _in_tmp(self, folder: int, name: str) -> str:
        return f"{self._below.at(self._tree.inside(folder, 'tmp'))}/{name}"
