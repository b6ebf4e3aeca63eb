"""Read tag changes of an index before planning, and write the resulting tags after the run.

An index that cannot be used now is left alone and said so: it is as it was at the next run, and what changed is still to be seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec.structs import replace

from jmapsync.errors import ExitCode
from jmapsync.storage.notmuch.database import TagsError

if TYPE_CHECKING:
    from jmapsync.ledger import Ledger
    from jmapsync.storage.notmuch.observe import ShownTags, TagPage
    from jmapsync.storage.port import Context, TagIndex
    from jmapsync.sync.report import KindReport

DUE = "notmuch:due"
"""The ledger's note that tags could not be shown."""


@dataclass(slots=True)
class Tagger:
    """The part of one run."""

    index: TagIndex
    ledger: Ledger
    context: Context
    report: KindReport
    _writes: int = field(init=False)
    _failed: bool = False

    def __post_init__(self) -> None:
        """Remember how much was written before."""
        self._writes = self.ledger.writes

    def take(self) -> bool:
        """Ingest what changed in the index; return whether anything did."""
        changed = False
        if self._failed:
            return changed
        archive = self.context.keys.get(self.context.roles.get("archive", ""))
        try:
            for page in self.index.observe(self.ledger, archive):
                changed = changed or bool(page.versions)
                self._keep(page)
        except TagsError as error:
            self._say(error)
        return changed

    def _keep(self, page: TagPage) -> None:
        with self.ledger.transaction():
            records = self.ledger.records(sorted(page.versions))
            self.ledger.drop_places(page.moved)
            self.ledger.put_places(page.places)
            self.ledger.save(replace(record, local=page.versions[key]) for key, record in records.items())
            self.ledger.tagged.drop(page.dropped)
            self.ledger.tagged.put(page.rows, due=False)
            self.ledger.tagged.put(page.due, due=True)
            for name, value in page.notes.items():
                self.ledger.set_note(name, value)

    def show(self) -> None:
        """Show in the index what this run, or one that could not, changed."""
        if self.ledger.writes == self._writes and not self.ledger.note(DUE):
            return
        try:
            if not self._failed:
                self._show()
        except TagsError as error:
            self._say(error)
        due = "1" if self._failed else ""
        if due != self.ledger.note(DUE):
            self.ledger.set_note(DUE, due)

    def _show(self) -> None:
        if self.index.are_all_due(self.ledger):
            self.ledger.tagged.make_due()
        for page in self.index.show(self.ledger):
            self._keep_shown(page)

    def _keep_shown(self, page: ShownTags) -> None:
        with self.ledger.transaction():
            self.ledger.tagged.drop(page.gone)
            self.ledger.tagged.put(page.rows, due=False)
            for name, value in page.notes.items():
                self.ledger.set_note(name, value)

    def _say(self, error: TagsError) -> None:
        self._failed = True
        self.report.messages.append(str(error))
        if self.report.exit_code is ExitCode.IN_SYNC:
            self.report.exit_code = error.exit_code
