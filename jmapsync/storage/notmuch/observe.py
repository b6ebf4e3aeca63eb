"""Observe which messages' tags somebody changed in notmuch since they were last read, and change their files accordingly.

A tag that was given or taken off is a keyword given or taken off, or the message filed into a folder or taken out of it. What
notmuch does not know, or knows only since it read the message anew, says nothing about what is *not* there.
"""

from __future__ import annotations

import os
from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from jmapsync.formats.flags import parse_name
from jmapsync.ledger.rows import Tagged
from jmapsync.storage.maildir.copies import combine, is_trashed
from jmapsync.storage.maildir.refile import file_into, mark, move_into

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jmapsync.formats.tags import Tagging
    from jmapsync.ledger.record import Record
    from jmapsync.ledger.rows import Place
    from jmapsync.planner.model import Homes, Tags, Version
    from jmapsync.storage.known import Known
    from jmapsync.storage.maildir.tree import Tree
    from jmapsync.storage.notmuch.database import Message

BATCH = 500
"""Messages in memory at a time."""
PARTS = ("cur", "new")


class TagPage(Struct):
    """What a batch of messages came to; to be kept in one transaction."""

    versions: dict[int, Version] = {}
    """Versions that changed here by their tags, by key."""
    places: list[Place] = []
    moved: list[tuple[int, str]] = []
    """Places (folder, name) that are no longer there."""
    rows: list[Tagged] = []
    due: list[Tagged] = []
    """Rows whose message may lack tags, or have some that it should not."""
    dropped: list[int] = []
    """Keys of rows whose item is gone."""
    notes: dict[str, str] = {}
    """Notes for the ledger, once everything before is kept."""


class ShownTags(Struct):
    """What was written into the database; to be kept in one transaction."""

    rows: list[Tagged] = []
    """The tags that messages have by now."""
    gone: list[int] = []
    """Keys of rows whose message notmuch forgot."""
    notes: dict[str, str] = {}


class _Change(NamedTuple):
    """What somebody did to the tags of one message."""

    shown: frozenset[str]
    """The tags that stand for something of ours, by their plain names."""
    given: frozenset[str] = frozenset()
    taken: frozenset[str] = frozenset()
    filed: frozenset[int] = frozenset()
    left: frozenset[int] = frozenset()


class _Acts(Struct):
    """What was done to the files of one message."""

    places: list[Place] = []
    """Those that it got, or that changed."""
    moved: list[tuple[int, str]] = []
    """Places that are no longer there."""


class TagScan:
    """One scan of the messages of a database."""

    def __init__(
        self,
        tree: Tree,
        ledger: Known,
        tagging: Tagging,
        *,
        mark: str,
        archive: int | None,
        token: Callable[[], str],
        renewed: bool,
        dry: bool,
    ) -> None:
        """Prepare; `renewed` says that what is known of the tags is of another database, or of another time of it.

        `archive` is where a message goes whose last mailbox was taken off it: no message may be in none (RFC 8621, 4.1.1).
        """
        self._tree, self._ledger, self._tagging = tree, ledger, tagging
        self._mark, self._archive, self._token = mark, archive, token
        self._renewed, self._dry = renewed, dry
        self._folders = {os.path.realpath(tree.directory(key)): key for key in tree.paths}
        self._real: dict[str, str] = {}
        self.again: list[str] = []
        """Messages whose files are here and not known yet."""

    def pages(self, messages: Iterator[Message]) -> Iterator[TagPage]:
        """Yield what they came to, a batch at a time."""
        while batch := list(islice(messages, BATCH)):
            yield self._page({message.id: message for message in batch})

    def _page(self, batch: dict[str, Message]) -> TagPage:
        page = TagPage()
        keys = self._keys_of(batch)
        rows = self._ledger.tagged.of(list(batch))
        for name, known in rows.items():
            keys[name].update(row.key for row in known)
        every = sorted(set(chain.from_iterable(keys.values())))
        records, places = self._ledger.records(every), self._ledger.places_of(every)
        for name, message in batch.items():
            held = {key: records[key] for key in sorted(keys[name]) if key in records and records[key].local is not None}
            known = rows.get(name, [])
            page.dropped += [row.key for row in known if row.key not in held]
            if held:
                self._take(message, known, held, places, page)
        return page

    def _keys_of(self, batch: dict[str, Message]) -> dict[str, set[int]]:
        """Return which items the messages are, by the folders and unique names of their files: infos change behind notmuch."""
        spots: dict[int, dict[str, list[str]]] = {}
        for message in batch.values():
            for file in message.files:
                folder, name = self._spot(file)
                if folder:
                    spots.setdefault(folder, {}).setdefault(name, []).append(message.id)
        found: dict[str, set[int]] = {name: set() for name in batch}
        for folder, names in spots.items():
            for name, key in self._ledger.keys_at(folder, list(names)).items():
                for message_id in names[name]:
                    found[message_id].add(key)
        self.again += [
            message.id
            for message in batch.values()
            if not found[message.id] and any(self._spot(file)[0] and os.path.lexists(file) for file in message.files)
        ]
        return found

    def _spot(self, file: str) -> tuple[int, str]:
        """Return the folder and the unique name of a file; no folder for one that is not in this mirror."""
        directory, name = os.path.split(file)
        above, part = os.path.split(directory)
        if part not in PARTS:
            return 0, ""
        if above not in self._real:
            self._real[above] = os.path.realpath(above)
        return self._folders.get(self._real[above], 0), parse_name(name).name

    def _take(
        self, message: Message, rows: list[Tagged], held: dict[int, Record], places: dict[int, list[Place]], page: TagPage
    ) -> None:
        change = self._change(message, rows)
        leaving = {key for key, record in held.items() if record.local is not None and change.left & record.local.kept}
        done: list[tuple[int, Version, _Acts]] = []
        for key, record in held.items():
            filed = change.filed if key in leaving or not leaving else frozenset[int]()
            try:
                version, acts = self._apply(record, change._replace(filed=filed), places.get(key, []))
            except OSError:  # its file was renamed since it was scanned, or the disk refuses; the message itself stays as it is
                self.again.append(message.id)
                return
            done.append((key, version, acts))
        for key, version, acts in done:
            if version != held[key].local:
                page.versions[key] = version
            page.places += acts.places
            page.moved += acts.moved
        marked = self._mark in message.marks
        now = [version for _, version, _ in done]
        wanted = self._tagging.shown_by(now)
        rows_to = page.rows if marked and wanted == change.shown else page.due
        rows_to += [Tagged(key, message.id, message.tags, change.shown, marked) for key in held]

    def _change(self, message: Message, rows: list[Tagged]) -> _Change:
        """Return what changed; of a message that notmuch read anew only what it has."""
        tagging = self._tagging
        now = tagging.plain_of(message.tags)
        base = next((row for row in rows if not row.marked or self._mark in message.marks), None)
        if base is None or self._renewed:
            return _Change(now, given=frozenset(map(tagging.keyword, now)) - {""})
        before = tagging.plain_of(base.tags)
        gained, lost, boxes = now - before, before - now, tagging.mailboxes
        return _Change(
            (base.shown | gained) - lost,
            frozenset(map(tagging.keyword, gained)) - {""},
            frozenset(map(tagging.keyword, lost)) - {""},
            frozenset(boxes[tag] for tag in gained if tag in boxes),
            frozenset(boxes[tag] for tag in lost if tag in boxes),
        )

    def _apply(self, record: Record, change: _Change, places: list[Place]) -> tuple[Version, _Acts]:
        """Return the version that a message has by a change, and what was done to its files. Raises OSError."""
        local = record.local
        assert local is not None, "only what is here has tags"  # noqa: S101 # the caller checked
        tags = (local.tags | change.given) - change.taken
        staying = [place for place in places if not is_trashed(place)]
        wanted = (local.kept | change.filed) - change.left
        if not wanted:
            wanted = frozenset({self._archive}) if self._archive is not None else local.kept
        acts = _Acts()
        if wanted != local.kept:
            back = [place for place in places if is_trashed(place) and place.folder in wanted - local.kept]
            acts.places += [mark(self._tree, place, leaving=False, dry=self._dry) for place in back]
        if staying and wanted != local.kept:
            self._refile(staying, sorted(wanted - local.homes), wanted, tags, acts)
        if not acts.places and tags == local.tags:
            return local, acts
        spots = {(place.folder, place.name) for place in acts.places} | set(acts.moved)
        copies = [place for place in places if (place.folder, place.name) not in spots] + acts.places
        version = combine(local.body, sorted(copies), self._tree.tables, tags)
        return replace(version, sense=local.sense, untidy=version.untidy or local.untidy), acts

    def _refile(self, staying: list[Place], added: list[int], wanted: Homes, tags: Tags, acts: _Acts) -> None:
        """Move copies that are to go to where one is to come, as far as there are both; add and mark the rest."""
        leaving = [place for place in staying if place.folder not in wanted]
        for home in added:
            if leaving:
                old = leaving.pop()
                acts.places.append(move_into(self._tree, old, home, tags, self._token, dry=self._dry))
                acts.moved.append((old.folder, old.name))
            else:
                source = next((place for place in acts.places if not is_trashed(place)), staying[0])
                acts.places.append(file_into(self._tree, source, home, tags, self._token, dry=self._dry))
        acts.places += [mark(self._tree, place, leaving=True, dry=self._dry) for place in leaving]
