"""Find the JSPROP lines that an edit left behind: their entry's own line was removed, and they have nothing to be a part of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jmapsync.formats.objects import entries
from jmapsync.formats.pointer import parse

if TYPE_CHECKING:
    from jmapsync.formats.objects import Object


def stranded(before: Object, after: Object, known: list[Any], kept: list[Any]) -> list[Any]:
    """Return those of the kept lines, in jCard or jCal, that are new and belong to an entry that only the object before has."""
    gone = []
    for line in kept:
        match line:
            case ["jsprop", {"jsptr": str(pointer)}, *_] if line not in known:
                where, *rest = parse(pointer) or ("",)
                if rest and rest[0] in entries(before, where) and rest[0] not in entries(after, where):
                    gone.append(line)
            case _:
                pass
    return gone
