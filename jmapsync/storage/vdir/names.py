"""Name the files of a collection; stage them under names that no reader opens, and remove what a killed run left there."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from typing import TYPE_CHECKING

from msgspec import Struct

from jmapsync.formats.names import fold
from jmapsync.opening import open_regular
from jmapsync.storage.files.atomic import give_name, write_new
from jmapsync.storage.files.file_state import state_of
from jmapsync.storage.files.scan import Rules

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from jmapsync.ledger.rows import Place
    from jmapsync.storage.files.file_state import State

_SAFE = re.compile(r"(?!\.)[A-Za-z0-9_.+@-]{1,200}")
"""Uids that are safe as file names."""
_UUID = "urn:uuid:"
"""How the uid of a contact usually begins (RFC 6350, 6.7.6)."""
TEMPORARY = ".jmapsync-"
"""How the names of our own files begin that are on their way to another name; they end in `.tmp`, as vdir wants it."""
_OURS = re.compile(r"\.jmapsync-[0-9a-f]+(?:-([0-9a-f]{16}))?\.tmp\Z")
_STEPS = (1_000_000, 1_000_000_000, 2_000_000_000)
"""Nanoseconds by which a file is made later: file systems count in nanoseconds, in seconds, or, FAT, in pairs of them."""


class Staged(Struct):
    """One file that is written and does not have its own name yet."""

    key: int
    folder: int
    name: str
    """What it is to be called; nothing as long as that is not decided."""
    temporary: str
    """Its name in the collection, until it gets its own."""
    digest: str
    """Of its bytes, as `short_digest` has it."""
    replaces: Place | None = None


def write_staged(path: str, data: bytes, replaces: Place | None) -> None:
    """Write a file. Raises OSError; the file may then be there in part."""
    write_new(path, data, lambda handle: _make_later(handle, replaces.mtime) if replaces is not None else None)


def _make_later(handle: int, than: int) -> None:
    """Give a file a time strictly later than another's: readers take equal times for equal content (vdir.rst)."""
    for step in _STEPS:
        if os.fstat(handle).st_mtime_ns > than:
            return
        with contextlib.suppress(OverflowError, OSError):  # a time that this file system cannot hold
            os.utime(handle, ns=(than + step, than + step))


def staged_name(token: str) -> str:
    """Return the name of a file that is being written."""
    return f"{TEMPORARY}{token}.tmp"


def displaced_name(token: str, digest: str) -> str:
    """Return the name of a file that swaps places with another one; `digest` is that of the new content, or nothing.

    A killed run leaves one of the two there: by the digest the next run knows the new one, and by the ledger the old one.
    Anything else was saved by somebody in that very moment.
    """
    return f"{TEMPORARY}{token}-{digest[:16] or '0' * 16}.tmp"


def digest_in(name: str) -> str | None:
    """Return the digest in the name of a file that was to swap places, nothing for one that was written; None for others'."""
    match = _OURS.match(name)
    return None if match is None else match[1] or ""


def short_digest(data: bytes) -> str:
    """Return the digest that names bear."""
    return hashlib.sha256(data).hexdigest()[:16]


def recover(directory: str, suffix: str, is_known: Callable[[State], bool], token: Callable[[], str]) -> None:
    """Clear a collection of what a killed run left on its way to another name, as far as that is possible.

    What it wrote is removed, and so is what it had set aside, if that `is_known` to the ledger: an order is to be carried out
    again then. Anything else was saved by somebody in that moment and gets a name that is seen.
    """
    with contextlib.suppress(OSError):
        for name in os.listdir(directory):
            digest = digest_in(name)
            if digest is None:
                continue
            path = f"{directory}/{name}"
            with contextlib.suppress(OSError):
                if not digest or is_known(state_of(os.lstat(path))) or _has_digest(path, digest):
                    os.unlink(path)
                else:
                    give_name(path, f"{directory}/recovered-{token()}{suffix}")


def _has_digest(path: str, digest: str) -> bool:
    with open_regular(path, follow=False) as file:
        return short_digest(file.read()) == digest


def new_name(uid: str, suffix: str, taken: Container[str], longest: int = 255) -> str:
    """Return a file name for an item of at most `longest` octets.

    It is the uid where that is safe, without the prefix of a UUID; else a hash. `taken` are the folded names (see `fold`) that are
    in the directory already.
    """
    if _SAFE.fullmatch(plain := uid.removeprefix(_UUID)):
        uid = plain
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
    """Return whether a file of this name is an item: not hidden, and with the ending of its kind in any case."""
    return len(name) > len(suffix) and name.lower().endswith(suffix) and not name.startswith(".")


def items_of(suffix: str) -> Rules:
    """Return which files of a collection hold items."""
    return Rules(("",), lambda name: is_item(name, suffix), lambda name: (name, ""), "a file with an item in it")


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
