"""Find the JSPROP lines that an edit left behind: the line that they are a part of was removed, or a line says what they said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jmapsync.formats.objects import entries
from jmapsync.formats.pointer import parse

if TYPE_CHECKING:
    from jmapsync.formats.objects import Object


def stranded(before: Object, after: Object, known: list[Any], kept: list[Any]) -> list[Any]:
    """Return those of the kept lines, in jCard or jCal, that are new: for an entry of the object before only, or said by a line."""
    gone = []
    for line in kept:
        match line:
            case ["jsprop", {"jsptr": str(pointer)}, *_] if line not in known:
                where, *rest = parse(pointer) or ("",)
                if rest and rest[0] in entries(before, where) and rest[0] not in entries(after, where):
                    gone.append(line)
                elif not rest and where in after:
                    gone.append(line)  # a line says it now
            case _:
                pass
    return gone
