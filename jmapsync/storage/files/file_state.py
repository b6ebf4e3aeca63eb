"""Compare and classify files and directories by what stat(2) returns of them."""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING

from jmapsync.opening import kind_of

if TYPE_CHECKING:
    from collections.abc import Callable

QUIET = 0.3
"""Seconds a new file must have been left alone before it is read: some programs write in place."""
_TICK_CLOCK = 5
"""Linux' CLOCK_REALTIME_COARSE, which time stamps of files are taken from."""
_LONGEST_TICK = 10_000_000
"""Nanoseconds."""
_MOST = (1 << 63) - 1

State = tuple[int, int, int]
"""Inode, octets and mtime in nanoseconds: what shows that a file is untouched."""


def state_of(state: os.stat_result) -> State:
    """Return what shows that a file is untouched, cut to the 63 bits that SQLite holds (the year 9999, odd file systems)."""
    return state.st_ino & _MOST, state.st_size, min(state.st_mtime_ns, _MOST)


def leave_tick(moment: int) -> None:
    """Wait until the clock of time stamps has passed a moment; one that lies further ahead was given by another clock."""
    while 0 <= moment - time.clock_gettime_ns(_TICK_CLOCK) < _LONGEST_TICK:
        time.sleep(0.001)


def wait_until_quiet(mtime: int, clock: Callable[[], float]) -> None:
    """Wait until a file that was changed at a moment, by a `clock` in seconds, has been left alone long enough to be read."""
    wait = mtime / 1e9 + QUIET - clock()
    if 0 < wait <= QUIET:
        time.sleep(wait)


def may_be_directory(path: str) -> bool:
    """Return whether anything lies where a directory is to be: a link may hide one, and a file may stand for one put elsewhere."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # what may not be examined may be there
        return True
    return True


def may_be_folder(entry: os.DirEntry[str], *, known: bool) -> bool:
    """Return whether an entry is a directory; a link whose target cannot be examined may be one.

    Whatever lies where a `known` folder was stands for it: what was there may be elsewhere, or not mounted.
    """
    try:
        return known or entry.is_dir()
    except OSError:
        return True


def oddity(name: str, state: os.stat_result, what: str) -> str:
    """Return why a file cannot be an item, `what` being what it should be (with its article); nothing if it can."""
    if not stat.S_ISREG(state.st_mode):
        return f"it is {kind_of(state.st_mode)}, not {what}"
    if state.st_size == 0:
        return "it is empty"
    return "" if is_text(name) else "its name is not valid UTF-8; rename it"


def is_text(name: str) -> bool:
    """Return whether a name read from the disk is valid UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(path: str) -> str:
    """Return a path with the octets that are no UTF-8 written out, so that it can be stored and shown."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
