"""Write a file under a name that no reader looks at, durable before it gets its own, and later than the one it replaces."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jmapsync.ledger import Place

_STEPS = (1_000_000, 1_000_000_000, 2_000_000_000)
"""Nanoseconds by which a file is made later: file systems count in nanoseconds, in seconds, or, FAT, in pairs of them."""


@dataclass(slots=True)
class Staged:
    """One file on its way."""

    key: int
    folder: int
    name: str
    """What it is to be called; nothing as long as that is not decided."""
    temporary: str
    """Its name in the collection, until it gets its own."""
    digest: str
    """Of its bytes, as `names.short_digest` has it."""
    replaces: Place | None = None


def write_staged(path: str, data: bytes, replaces: Place | None) -> None:
    """Write a file. Raises OSError; the file may then be there in part."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]
        if replaces is not None:
            _make_later(handle, replaces.mtime)
    finally:
        os.close(handle)


def _make_later(handle: int, than: int) -> None:
    """Give a file a time strictly later than another's: readers take equal times for equal content (vdir.rst)."""
    for step in _STEPS:
        if os.fstat(handle).st_mtime_ns > than:
            return
        with contextlib.suppress(OverflowError, OSError):  # a time that this file system cannot hold
            os.utime(handle, ns=(than + step, than + step))
