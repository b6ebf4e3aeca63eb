"""Choose the names of new files: from the uid where that is safe, else from its hash; no two alike for any file system."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from jmapsync.formats.names import fold
from jmapsync.storage.files.scan import Rules

if TYPE_CHECKING:
    from collections.abc import Container

_SAFE = re.compile(r"(?!\.)[A-Za-z0-9_.+@-]{1,200}")


def new_name(uid: str, suffix: str, taken: Container[str], longest: int = 255) -> str:
    """Return a file name for an item of at most `longest` octets.

    `taken` are the folded names (see `fold`) that are in the directory already.
    """
    stem = (
        uid
        if _SAFE.fullmatch(uid) and len(uid) + len("-12345678") + len(suffix) <= longest
        else hashlib.sha1(_octets(uid), usedforsecurity=False).hexdigest()
    )
    name, number = stem + suffix, 0
    while fold(name) in taken:
        digest = hashlib.sha256(_octets(f"{number} {uid}")).hexdigest()[:8]
        name, number = f"{stem}-{digest}{suffix}", number + 1
    return name


def is_item(name: str, suffix: str) -> bool:
    """Tell whether a file of this name is an item: not hidden, and with the ending of its kind in any case."""
    return len(name) > len(suffix) and name.lower().endswith(suffix) and not name.startswith(".")


def items_of(suffix: str) -> Rules:
    """Return which files of a collection hold items."""
    return Rules(("",), lambda name: is_item(name, suffix), lambda name: (name, ""), "a file with an item in it")


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
