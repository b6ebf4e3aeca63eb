"""Read one version of a message out of its copies, whose flags may differ (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from jmapsync.formats.flags import STANDARD, TRASHED, KeywordTable, letters
from jmapsync.formats.message import Form
from jmapsync.planner.model import Tags, Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jmapsync.ledger.rows import Place


class Reading(Struct, frozen=True):
    """What the name of a copy that changed showed before, None if that is unknown, and what it shows now."""

    before: Tags | None
    now: Tags


def read_copy(now: Place, table: KeywordTable, before: Place | None, before_table: KeywordTable) -> Reading:
    """Read a copy by the table of its folder; one that brought its letters along from another folder, by that folder's."""
    if before is None:
        return Reading(None, table.read(now.info))
    if before.folder != now.folder:
        table = before_table
    return Reading(before_table.read(before.info), table.read(now.info))


def follow(tags: Tags, readings: Iterable[Reading]) -> Tags:
    """Return a message's keywords after what its changed copies gained and lost since they were last scanned.

    Keywords belong to the message, flags to each file: what any copy gained or lost is what the message did. So a
    letter that comes to stand for a keyword, because a folder's table grew, is no gain, and one not written yet no loss. A copy
    never seen before speaks for its flags; of other keywords it only says which it has.
    """
    gained: set[str] = set()
    lost: set[str] = set()
    for reading in readings:
        before = reading.before
        if before is None:
            before = frozenset(tag for tag in tags if tag in reading.now or tag in STANDARD.values())
        gained |= reading.now - before
        lost |= before - reading.now
    return frozenset((tags | gained) - lost)


def combine(digest: str, copies: Sequence[Place], tables: Mapping[int, KeywordTable], tags: Tags) -> Version:
    """Return the version that the copies of one message with these keywords make together."""
    staying = [copy for copy in copies if not is_trashed(copy)]
    homes = frozenset(copy.folder for copy in copies)
    leaving = homes - {copy.folder for copy in staying}
    untidy = any(is_trashed(copy) and copy.folder not in leaving for copy in copies) or any(
        shows_wrongly(copy, tables[copy.folder], tags) for copy in staying
    )
    return Version(digest, digest, tags, homes, leaving, untidy)


def is_trashed(copy: Place) -> bool:
    """Return whether a copy is marked to be deleted."""
    return TRASHED in letters(copy.info)


def shows_wrongly(copy: Place, table: KeywordTable, tags: Tags) -> bool:
    """Return whether a copy shows other keywords than the message has, shows them where no reader searches, or has lines added."""
    if copy.form in {Form.MARKED, Form.TUID}:
        return True
    shown = tags & table.extended(tags).shown
    return table.read(copy.info) != shown or (copy.sub == "new" and bool(shown))
