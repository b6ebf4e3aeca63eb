"""Map Sieve scripts to files and tags: a script's name to a file name and back, its name and its being active to tags of an item.

A script is an item of which two things may change by themselves besides its text: its name, and whether it is the active one. Both
are tags, so that a rename here and an edit there are merged like a flag and a move. A tag holds no white space (`ledger.codec`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jmapsync.formats.names import LONGEST, escape, unescape, unique

if TYPE_CHECKING:
    from collections.abc import Container

    Tags = frozenset[str]

SUFFIX = ".sieve"
LINK = "active"
"""The name of the symbolic link that leads to the active script."""
ACTIVE = "active"
"""The tag of the active script."""
HOME = "scripts"
"""The one container of scripts: the server's id of it, and its name."""
_NAMED = "named:"
_UNSAFE = re.compile(r"[\s%\x00-\x1f\x7f]")
_ESCAPED = re.compile(r"((?:%[0-9A-F]{2})+)")


def tags_of(name: str, *, active: bool) -> Tags:
    """Return the tags of a script."""
    mark = _NAMED + _UNSAFE.sub(lambda match: "".join(f"%{octet:02X}" for octet in match[0].encode()), name)
    return frozenset({mark, ACTIVE}) if active else frozenset({mark})


def names_in(tags: Tags) -> list[str]:
    """Return the names that tags give a script, sorted: two where both sides gave it another one."""
    return sorted(_ESCAPED.sub(_unescaped, tag.removeprefix(_NAMED)) for tag in tags if tag.startswith(_NAMED))


def name_for(wanted: Tags, held: Tags = frozenset(), *, keeps: bool = False) -> str:
    """Return the name that a side is to give a script, or nothing where the tags have none.

    Where both sides renamed it, the server's name wins: it `keeps` the one that it holds, and the disk takes the other one.
    """
    names, mine = names_in(wanted), names_in(held)
    others = [name for name in names if name not in mine]
    kept = [name for name in names if name in mine]
    return next(iter(kept + others if keeps else others + kept), "")


def file_name(name: str, *, taken: Container[str] = (), longest: int = 255, also: str = "") -> str:
    """Return the name of the file of a script; `taken` are folded stems that others have, `also` what the file system forbids."""
    stem = escape(name + SUFFIX, reserved=frozenset(), also=also).removesuffix(SUFFIX)
    return unique(stem, name, taken, longest=min(LONGEST, longest) - len(SUFFIX)) + SUFFIX


def stem_of(file: str) -> str:
    """Return the name of a file without its suffix."""
    return file.removesuffix(SUFFIX)


def script_name(file: str) -> str:
    """Return the name of the script that a file holds, as far as that shows: a long name is cut."""
    return unescape(stem_of(file))


def stands_for(file: str, name: str) -> bool:
    """Return whether a file is named after a script of this name, with a mark or without."""
    return key_of(name) in {stem_of(file), key_of(script_name(file))}


def key_of(name: str) -> str:
    """Return by what a script is known on both sides: the stem of its file on a file system of Unix."""
    return stem_of(file_name(name))


def is_script(file: str) -> bool:
    """Return whether a file of this name holds a script."""
    return len(file) > len(SUFFIX) and file.endswith(SUFFIX) and not file.startswith(".")


def _unescaped(match: re.Match[str]) -> str:
    return bytes.fromhex(match[1].replace("%", "")).decode("utf-8", "replace")
