"""Read one version of a message out of its copies, whose flags may differ (pure)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from jmapsync.formats.flags import TRASHED, KeywordTable, letters
from jmapsync.formats.lines import Form
from jmapsync.planner.model import NO_TAGS, Tags, Version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jmapsync.ledger import Place


def combine(
    digest: str,
    copies: Sequence[Place],
    tables: Mapping[int, KeywordTable],
    base: Tags | None,
    meant: Mapping[tuple[int, str], KeywordTable] = MappingProxyType({}),
) -> Version:
    """Return the version that the copies of one message make together.

    `meant` has the tables, by folder and name, of copies whose letters were written for another folder.

    Keywords belong to the message, flags to each file (hard case 39): what any copy gained or lost since `base` is what the
    message gained or lost. A keyword that a folder's names cannot show is neither. Without a base the copies' keywords unite.
    """
    gained: set[str] = set()
    lost: set[str] = set()
    before = base if base is not None else NO_TAGS
    staying = [copy for copy in copies if not is_trashed(copy)]
    for copy in staying:
        table = meant.get((copy.folder, copy.name), tables[copy.folder])
        visible = table.read(copy.info)
        gained |= visible - before
        lost |= (before & table.shown) - visible
    tags = frozenset((before | gained) - lost)
    homes = frozenset(copy.folder for copy in copies)
    leaving = homes - {copy.folder for copy in staying}
    untidy = any(is_trashed(copy) and copy.folder not in leaving for copy in copies) or any(
        shows_wrongly(copy, tables[copy.folder], tags) for copy in staying
    )
    return Version(digest, digest, tags, homes, leaving, untidy)


def is_trashed(copy: Place) -> bool:
    """Tell whether a copy is marked to be deleted."""
    return TRASHED in letters(copy.info)


def shows_wrongly(copy: Place, table: KeywordTable, tags: Tags) -> bool:
    """Tell whether a copy shows other keywords than the message has, shows them where no reader looks, or has lines added."""
    if copy.form == Form.MARKED:
        return True
    shown = tags & table.extended(tags).shown
    return table.read(copy.info) != shown or (copy.sub == "new" and bool(shown))
