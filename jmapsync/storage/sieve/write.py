"""Write Sieve scripts to their directory: make, replace, rename and remove files, and move the link to the active one.

Readers see the old file or the new one. A file or a link that is not as the last scan found it makes its order stale. A file is
there before the link leads to it, and the link leads elsewhere before a file goes. A file that is to have the name of another one
has a marked name until that one is renamed or gone, and the link moves with its file before another one gets the old name: whoever
reads the directory in between, or after a death, finds each script under a name of its own.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from msgspec import Struct

from jmapsync.errors import Remedy
from jmapsync.formats.message import Form, digest_of, to_disk
from jmapsync.formats.names import fold, is_marked
from jmapsync.formats.scripts import ACTIVE, SUFFIX, file_name, key_of, name_for, stem_of, tags_of
from jmapsync.ledger.rows import Place
from jmapsync.planner.model import Verb, Version
from jmapsync.storage.files.atomic import NO_LINKS, give_name
from jmapsync.storage.files.batch import BatchWriter
from jmapsync.storage.files.disk_errors import RefusedError, StaleError, refused
from jmapsync.storage.files.file_state import state_of
from jmapsync.storage.files.swap import check, displace, take_away
from jmapsync.storage.port import Filed, Job, Receipt
from jmapsync.storage.sieve.link import move_link, read_link
from jmapsync.storage.vdir.names import displaced_name, short_digest, staged_name, write_staged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from jmapsync.storage.files.directories import Below
    from jmapsync.storage.files.filesystem import FileSystem
    from jmapsync.storage.known import Known
    from jmapsync.storage.sieve.link import Link


class _Draft(Struct):
    """One order on its way."""

    job: Job
    temporary: str = ""
    """The name of the staged file, until it gets its own."""
    data: bytes = b""
    form: Form = Form.LF
    digest: str = ""
    """Of the wire's bytes."""
    place: Place | None = None
    """Where the file lies: before, and then after the order."""
    name: str = ""
    """The name of the script."""
    moved: list[tuple[int, str]] = []
    others: list[Place] = []
    """Where files of other scripts lie by now that got the name of this one, or had the one that it has."""

    @property
    def is_active(self) -> bool:
        """Return whether the script is to be the active one."""
        return self.job.order.verb is not Verb.DELETE and ACTIVE in self.job.order.tags

    @property
    def gives_up(self) -> bool:
        """Return whether the script is the active one by the link, and is not to be."""
        expect = self.job.order.expect
        return not self.is_active and (self.was_active or (expect is not None and expect.untidy))

    @property
    def was_active(self) -> bool:
        """Return whether the script was the active one."""
        return self.job.order.expect is not None and ACTIVE in self.job.order.expect.tags


class Writer(BatchWriter):
    """Carries out one batch of orders after another."""

    def __init__(self, root: Path, below: Below, token: Callable[[], str]) -> None:
        """Prepare. `token` returns random hexadecimal digits for a file name."""
        super().__init__(root, below)
        self._token = token
        self.link: Link | None = None
        """The link as it was last scanned; None where it is not to be written."""
        self.dangles = False
        """Whether that leads to nothing; another script that is activated on the server takes its place."""
        self._target: _Draft | None = None
        """What this batch lets the link lead to."""

    def write(self, jobs: Sequence[Job], known: Known, home: int, holds: FileSystem) -> list[Receipt]:
        """Carry out orders and return their receipts in the same order; raises nothing for a single item."""
        with self._below:
            return self._write(jobs, known, home, holds)

    def _write(self, jobs: Sequence[Job], known: Known, home: int, holds: FileSystem) -> list[Receipt]:
        self.fatal = self._full = self._target = None
        receipts: dict[int, Receipt] = {}
        drafts = {job.order.key: _Draft(job) for job in jobs}
        staying = {key: draft for key, draft in drafts.items() if draft.job.order.verb is not Verb.DELETE}
        going = {key: draft for key, draft in drafts.items() if key not in staying}
        self._each(drafts, receipts, self._prepare)
        staged = {key: [draft.temporary] for key, draft in drafts.items() if draft.temporary and key not in receipts}
        if staged:
            self._sync_staged(staged, self._path, receipts)
        self._each(staying, receipts, lambda draft: self._put(draft, home, holds))
        self._dirty.add("")
        try:
            self._sync()
            self._move_link(drafts, receipts, known, home)
            self._each(going, receipts, self._remove)
            self._each(staying, receipts, lambda draft: self._unmark(draft, holds))
            self._each(going, receipts, lambda draft: self._pass_on(draft, known, home, holds))
            self._dirty.add("")
            self._sync()
        except OSError as error:
            self._fail(error)
            return [refused(job.order.key, error, Remedy.LATER) for job in jobs]
        finally:
            for draft in drafts.values():
                if draft.temporary:
                    self._clear(draft.temporary)
        if self._full is not None and all(key in receipts for key in drafts):
            self._fail(self._full)
        self._keep_places(drafts, receipts, known, home)
        return [receipts.get(key) or self._receipt(draft, home) for key, draft in drafts.items()]

    def _prepare(self, draft: _Draft) -> None:
        """Check that a file is as it is expected, and write the new one under a name of ours."""
        order = draft.job.order
        draft.place = next((place for place in draft.job.places if place.key == order.key), None)
        if order.verb is not Verb.CREATE:
            if draft.place is None:
                raise StaleError("it has no file")
            check(self._path(draft.place.name), draft.place.state)
            draft.form, draft.digest = Form(draft.place.form), order.expect.body if order.expect is not None else ""
        draft.name = name_for(order.tags, order.expect.tags if order.expect is not None else frozenset())
        if draft.is_active != draft.was_active and self._is_link_moved():
            raise StaleError("the link to the active script was moved since it was scanned")
        if order.verb in {Verb.CREATE, Verb.REPLACE}:
            body = draft.job.body
            if body is None or (body.data is None and body.path is None):
                raise StaleError("its content did not come")
            wire = body.data if body.data is not None else body.path.read_bytes() if body.path is not None else b""
            draft.data, draft.form = to_disk(wire, keep_crlf=False)
            draft.digest = digest_of(wire)
            draft.temporary = staged_name(self._token())
            write_staged(self._path(draft.temporary), draft.data, draft.place)

    def _is_link_moved(self) -> bool:
        """Return whether the link leads elsewhere than when it was scanned. Raises RefusedError where it may not be written."""
        if self.link is None:
            raise RefusedError("what lies at `active` is no link to a script of this directory; it is not replaced", Remedy.LATER)
        return read_link(self._below.at(""), self._root) != self.link

    def _is_elsewhere(self) -> bool:
        return self.link is not None and self._is_link_moved()

    def _put(self, draft: _Draft, home: int, holds: FileSystem) -> None:
        """Give the new file its name, or the old one another name."""
        if not draft.name:
            raise StaleError("nothing says how it is called")
        place = draft.place
        if draft.temporary and place is not None:
            self._displace(draft, place)
        elif draft.temporary:
            name = self._free_name(draft.name, holds, "")
            state = state_of(os.lstat(self._path(draft.temporary)))
            give_name(self._path(draft.temporary), self._path(name))
            draft.place = Place(home, name, "", "", draft.job.order.key, *state, draft.form.value)
            draft.temporary = ""
        self._rename(draft, holds)

    def _displace(self, draft: _Draft, place: Place) -> None:
        path, temporary, token = self._path(place.name), self._path(draft.temporary), self._token()
        state = state_of(os.lstat(temporary))
        aside = displaced_name(token, short_digest(draft.data))
        if displace(temporary, path, place.state, self._path(aside), self._beside(place.name, token)):
            self._clear(aside)
        draft.temporary = ""
        draft.place = Place(place.folder, place.name, "", "", place.key, *state, draft.form.value)

    def _rename(self, draft: _Draft, holds: FileSystem) -> None:
        """Give a file the name of its script, if that has another one than before."""
        order, place = draft.job.order, draft.place
        assert place is not None  # noqa: S101 - it was made or found
        if order.verb is not Verb.CREATE and order.expect is not None and draft.name != name_for(order.expect.tags):
            self._give(draft, place, self._free_name(draft.name, holds, place.name))

    def _unmark(self, draft: _Draft, holds: FileSystem) -> None:
        """Give a file the plain name of its script, once no other file has it."""
        if draft.place is not None and is_marked(stem_of(draft.place.name)):
            self._give(draft, draft.place, self._free_name(draft.name, holds, draft.place.name))

    def _pass_on(self, draft: _Draft, known: Known, home: int, holds: FileSystem) -> None:
        """Give the name of a file that was removed to the script that waits for it under a marked one."""
        for place in [place for place in known.places_in(home) if is_marked(stem_of(place.name))]:
            record = known.records([place.key]).get(place.key)
            if record is None or record.local is None:
                continue
            name = self._free_name(name_for(record.local.tags), holds, place.name)
            if name != place.name and (home, name) in draft.moved:
                other = _Draft(draft.job, place=place)
                self._give(other, place, name)
                draft.moved += other.moved
                draft.others += [other.place] if other.place is not None else []

    def _give(self, draft: _Draft, place: Place, name: str) -> None:
        """Give a file another name, and move the link with it."""
        if name == place.name:
            return
        old, new = self._path(place.name), self._path(name)
        check(old, place.state)
        if self.link is None or self.link.file != place.name or self._is_link_moved():
            give_name(old, new)
        else:
            self._give_with_link(old, new, name)
        draft.moved.append((place.folder, place.name))
        draft.place = place._replace(name=name)

    def _give_with_link(self, old: str, new: str, name: str) -> None:
        """Rename the file that the link leads to, which leads to it all the time where a file can have two names."""
        folder = self._below.at("")
        try:
            os.link(old, new)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            give_name(old, new)
            move_link(folder, name)
        else:
            move_link(folder, name)
            os.unlink(old)
        self.link = read_link(folder, self._root)

    def _free_name(self, name: str, holds: FileSystem, own: str) -> str:
        """Return the name of a script's file that no other file has; `own` is the name that it has.

        Where only the case differs, and the file system takes both names for one, its own name is taken as well.
        """
        others = {fold(stem_of(one)) for one in os.listdir(self._below.at("")) if one != own and one.endswith(SUFFIX)}
        found, number = file_name(name, taken=others, longest=holds.longest, also=holds.forbidden), 0
        if found != own and os.path.lexists(self._path(found)):
            others.add(fold(stem_of(found)))
            found = file_name(name, taken=others, longest=holds.longest, also=holds.forbidden)
        while fold(stem_of(found)) in others:
            number += 1
            found = file_name(f"{name}-{number}", taken=others, longest=holds.longest, also=holds.forbidden)
        return found

    def _move_link(self, drafts: dict[int, _Draft], receipts: dict[int, Receipt], known: Known, home: int) -> None:
        """Let the link lead to the script that is to be active, or take it away where no script is to be."""
        done = {key: draft for key, draft in drafts.items() if key not in receipts}
        folder, link = self._below.at(""), self.link
        wanted = [draft for draft in done.values() if draft.is_active and draft.place is not None]
        target = self._target = min(wanted, key=lambda one: one.was_active, default=None)
        if target is not None and target.place is not None:
            if target.was_active and (link is None or self.dangles or self._is_elsewhere()):
                return  # it is not clear, or was moved by somebody since it was scanned; the file has its name all the same
            if link is None or link.file != target.place.name:
                self._attempt(target.job.order.key, receipts, lambda: self._lead_to(folder, target.place))
            return
        for key, draft in done.items():
            if draft.gives_up and link is not None and link.file in self._names_of(draft):
                self._attempt(key, receipts, lambda: self._lead_to(folder, self._active_there(drafts, known, home)))

    def _active_there(self, drafts: Mapping[int, _Draft], known: Known, home: int) -> Place | None:
        """Return the file of the script that is active on the server: it is so here too once the linked one is gone."""
        places = {place.key: place for place in known.places_in(home)}
        for key, record in known.records(sorted(places)).items():
            if record.remote is not None and ACTIVE in record.remote.tags:
                draft = drafts.get(key)
                if draft is None or draft.job.order.verb is not Verb.DELETE:
                    return draft.place if draft is not None else places[key]
        return None

    def _lead_to(self, folder: str, place: Place | None) -> None:
        if self._is_link_moved():
            raise StaleError("the link to the active script was moved since it was scanned")
        move_link(folder, place.name if place is not None else "")
        self.link = read_link(folder, self._root)

    def _names_of(self, draft: _Draft) -> set[str]:
        """Return the names that the file of a script has and had."""
        now = {draft.place.name} if draft.place is not None else set()
        return now | {name for _, name in draft.moved} | {place.name for place in draft.job.places}

    def _remove(self, draft: _Draft) -> None:
        """Take a file away, unless the link leads to it against what is expected."""
        place = draft.place
        assert place is not None  # noqa: S101 - it was found
        if not draft.was_active and self.link is not None and self.link.file == place.name:
            raise StaleError("it is the active script here by now")
        token = self._token()
        take_away(self._path(place.name), place.state, self._path(displaced_name(token, "")), self._beside(place.name, token))
        draft.moved.append((place.folder, place.name))
        draft.place = None

    def _keep_places(self, drafts: Mapping[int, _Draft], receipts: Mapping[int, Receipt], known: Known, home: int) -> None:
        """Report where files of scripts lie whose names others got, and that were not written: the ledger has one file of a name.

        Where somebody renamed such a file since it was scanned, it has a name of ours until the next scan finds it by its state.
        """
        filed = {key: draft for key, draft in drafts.items() if key not in receipts}
        names = {draft.place.name: draft for draft in filed.values() if draft.place is not None}
        reported = {*filed, *(place.key for draft in filed.values() for place in draft.others)}
        owners = {name: key for name, key in known.keys_at(home, sorted(names)).items() if key not in reported}
        for name, key in owners.items():
            before = next(place for place in known.places_of([key])[key] if place.name == name)
            now = (drafts[key].place if key in drafts else None) or before
            names[name].others.append(now._replace(name=staged_name(self._token())) if now.name == name else now)

    def _receipt(self, draft: _Draft, home: int) -> Receipt:
        order = draft.job.order
        if order.verb is Verb.DELETE or draft.place is None:
            return Filed(order.key, None, tuple(draft.others), tuple(draft.moved))
        active = draft.is_active and (self._target is None or self._target is draft)
        version = Version(draft.digest, draft.digest, tags_of(draft.name, active=active), frozenset({home}))
        return Filed(order.key, version, (draft.place, *draft.others), tuple(draft.moved), key_of(draft.name))

    def _clear(self, name: str) -> None:
        """Remove a file of ours; one that cannot be now is removed when the mirror is next opened."""
        try:
            os.unlink(self._path(name))
        except OSError:
            return

    def _beside(self, name: str, token: str) -> str:
        """Return a path for what somebody saved under a name in the very moment that it was ours."""
        return self._path(f"{stem_of(name)[:200]}-{token}{SUFFIX}")

    def _path(self, name: str) -> str:
        """Return the path of a name in the root. Raises OSError."""
        return f"{self._below.at('')}/{name}"
