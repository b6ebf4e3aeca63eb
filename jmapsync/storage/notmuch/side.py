"""Keep the tags of a notmuch database in step with the keywords and mailboxes of a Maildir."""

from __future__ import annotations

import json
import secrets
from itertools import chain
from typing import TYPE_CHECKING

from msgspec import Struct

from jmapsync.formats.tags import Tagging
from jmapsync.storage.notmuch.database import Revision, opened
from jmapsync.storage.notmuch.observe import ShownTags, TagPage, TagScan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from jmapsync.ledger.rows import Tagged
    from jmapsync.storage.known import Known
    from jmapsync.storage.maildir.tree import Tree
    from jmapsync.storage.notmuch.database import Message, TagDatabase

AT = "notmuch:at"
"""The ledger's note of the revision that was read last."""
AGAIN = "notmuch:again"
"""The ledger's note of messages to read again."""
RULES = "notmuch:rules"
"""The ledger's note of what the configuration says about tags."""
BOXES = "notmuch:boxes"
"""The ledger's note of the mailboxes that were tags when tags were written last."""
MANY = 1000
"""Messages to read again at most."""
BATCH = 2000
"""Messages that are written before the database is closed, which makes them durable."""


class TagRules(Struct, frozen=True):
    """What the configuration says about tags."""

    config: Path | None = None
    """notmuch's configuration file; None for the one that it finds itself."""
    mailboxes: tuple[str, ...] = ()
    """Shell patterns of the mailboxes that are tags too."""
    names: tuple[tuple[str, str], ...] = ()
    """Tags that mailboxes and keywords have instead of their own names."""
    ignore: tuple[str, ...] = ()
    """Tags that stay with notmuch."""


class TagSide:
    """The tags of one mirror; see `storage.port.Tags`."""

    def __init__(
        self,
        tree: Tree,
        mark: str,
        rules: TagRules,
        *,
        dry: bool = False,
        token: Callable[[], str] = lambda: secrets.token_hex(4),
    ) -> None:
        """Name the tree of folders; `mark` distinguishes this mirror from others in the same database; `dry` writes nothing."""
        self._tree, self._mark, self._rules = tree, mark, rules
        self._dry, self._token = dry, token

    def observe(self, known: Known, archive: int | None) -> Iterator[TagPage]:
        """Yield what changed since the last run; nothing at all where the database's revision is the one of then.

        `archive` is the key of the mailbox of that role. Raises TagsError.
        """
        with opened(self._rules.config) as db:
            now, before = db.revision, _revision(known.note(AT))
            again: list[str] = json.loads(known.note(AGAIN) or "[]")
            if now == before and not again:
                return
            renewed = before is None or now.uuid != before.uuid or now.number < before.number
            tags = TagScan(
                self._tree,
                known,
                self._tagging(db.new_tags),
                mark=self._mark,
                archive=archive if archive in self._tree.paths else None,
                token=self._token,
                renewed=renewed,
                dry=self._dry,
            )
            messages = db.since(0 if before is None or renewed else before.number)
            yield from tags.pages(chain(messages, _found(db, again)))
        notes = {AT: f"{now.uuid} {now.number}", AGAIN: json.dumps(sorted(set(tags.again))[:MANY])}
        yield TagPage(notes=notes)

    def are_all_due(self, known: Known) -> bool:
        """Return whether other tags stand for keywords and mailboxes than when tags were written last."""
        return self._has_other_rules(known) or known.note(BOXES) != self._boxes

    def _has_other_rules(self, known: Known) -> bool:
        return known.note(RULES) not in {"", self._rule_text}

    @property
    def _rule_text(self) -> str:
        return repr((self._rules.mailboxes, self._rules.names, self._rules.ignore))

    @property
    def _boxes(self) -> str:
        return json.dumps(self._tagging(frozenset()).mailboxes, sort_keys=True)

    def show(self, known: Known) -> Iterator[ShownTags]:
        """Write the tags of messages that changed since theirs were written, and yield what was written. Raises TagsError."""
        removing = not self._has_other_rules(known)
        due = known.tagged.due()
        for start in range(0, len(due), BATCH):
            yield self._write(known, due[start : start + BATCH], removing=removing)
        notes = {RULES: self._rule_text, BOXES: self._boxes}
        if changed := {name: value for name, value in notes.items() if known.note(name) != value}:
            yield ShownTags(notes=changed)

    def _write(self, known: Known, messages: Sequence[str], *, removing: bool) -> ShownTags:
        """Write the tags of some messages, and return that they were written only when they are durable."""
        written = ShownTags()
        found = known.tagged.of(messages)
        with opened(self._rules.config, write=True) as db:
            before, tagging = db.revision, self._tagging(db.new_tags)
            with db.together():
                for message in messages:
                    rows = found.get(message, [])
                    held = db.find(message)
                    if held is None:
                        written.gone += [row.key for row in rows]
                    elif not rows[0].marked or self._mark in held.marks:  # else it was read anew: the next run shows
                        written.rows += self._show(known, db, tagging, held, rows, removing=removing)
            after = db.revision
        if _revision(known.note(AT)) == before:  # nobody else wrote during that: what there is to see is our own
            written.notes[AT] = f"{after.uuid} {after.number}"
        return written

    def _show(
        self, known: Known, db: TagDatabase, tagging: Tagging, message: Message, rows: list[Tagged], *, removing: bool
    ) -> list[Tagged]:
        """Give one message the tags that its items changed, and leave what others do to it alone."""
        records = known.records([row.key for row in rows])
        versions = [record.local for record in records.values() if record.local is not None]
        wanted = tagging.shown_by(versions)
        base = rows[0]
        add = wanted - base.shown - set(map(tagging.plain, message.tags))
        outdated = base.shown - wanted if removing else frozenset[str]()
        remove = frozenset(tag for tag in message.tags if tag in outdated or tagging.plain(tag) in outdated)
        if add or remove or self._mark not in message.marks:
            db.change(message.id, add, remove, self._mark)
        tags = (base.tags | add) - remove
        return [row._replace(tags=tags, shown=wanted, marked=True) for row in rows]

    def _tagging(self, new_tags: frozenset[str]) -> Tagging:
        rules = self._rules
        return Tagging.of(self._tree.paths, rules.mailboxes, dict(rules.names), rules.ignore, new_tags)


def _found(db: TagDatabase, messages: Sequence[str]) -> Iterator[Message]:
    found = (db.find(message) for message in messages)
    return (message for message in found if message is not None)


def _revision(note: str) -> Revision | None:
    uuid, _, number = note.partition(" ")
    return Revision(uuid, int(number)) if number else None
