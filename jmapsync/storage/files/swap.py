"""Replace a file by a staged one, or remove a file, so that what somebody saves in that moment survives.

Both rename the old file to a name of ours and examine it once more: if it is not the one that was to go, it gets its name back.
"""

from __future__ import annotations

import contextlib
import os

from jmapsync.storage.files.atomic import exchange, put_back
from jmapsync.storage.files.disk_errors import StaleError
from jmapsync.storage.files.file_state import State, state_of

_CHANGED = "its file was changed since it was scanned"


def check(path: str, state: State) -> None:
    """Raise StaleError unless a file is the one that is expected. Raises OSError."""
    try:
        found = state_of(os.lstat(path))
    except FileNotFoundError:
        raise StaleError("its file was renamed or removed since it was scanned") from None
    if found != state:
        raise StaleError(_CHANGED)


def displace(staged: str, path: str, expected: State, aside: str, beside: str) -> bool:
    """Give a staged file the name of the one that is expected there, and return whether that lies `aside` now, not gone yet.

    Raises StaleError with the file that is there untouched when it is another one; `beside` is for one that has lost its name.
    Where the file system cannot exchange two names, what is saved in the moment between the last check and the rename is lost.
    """
    check(path, expected)
    ours = state_of(os.lstat(staged))
    os.rename(staged, aside)
    try:
        swapped = exchange(aside, path)
        if not swapped:
            check(path, expected)
            os.rename(aside, path)
    except (OSError, StaleError):
        with contextlib.suppress(OSError):
            os.unlink(aside)
        raise
    if not swapped or state_of(os.lstat(aside)) == expected:
        return swapped
    exchange(aside, path)
    if state_of(os.lstat(aside)) == ours:
        os.unlink(aside)
    else:  # saved once more while it was away
        os.rename(aside, beside)
    raise StaleError(_CHANGED)


def take_away(path: str, expected: State, aside: str, beside: str) -> None:
    """Remove the file that is expected. Raises StaleError with the file that is there untouched when it is another one."""
    with contextlib.suppress(FileNotFoundError):
        os.rename(path, aside)
        if state_of(os.lstat(aside)) != expected:
            put_back(aside, path, beside)
            raise StaleError(_CHANGED)
        os.unlink(aside)
