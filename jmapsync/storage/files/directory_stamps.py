"""Detect by stamps of directories which of them have the entries that they had when they were listed.

An entry that is added, removed or renamed changes a directory's mtime and ctime; nobody can set the ctime. Two changes in one tick
of the clock cannot be distinguished, so a stamp is trusted only if it was `OLD` when the directory was listed, as git does with
its index. File systems of other machines keep time by their clocks and show stamps late, and FAT counts in steps of two seconds:
on those, and on any that is not known to be better, no stamp is trusted.
"""

from __future__ import annotations

import os
import stat
import struct
from typing import Final

OLD = 2_000_000_000
"""Nanoseconds."""
NONE: Final = b"-"
"""Stands for what is not there."""
_EXACT: Final = frozenset({"bcachefs", "btrfs", "ext4", "f2fs", "tmpfs", "xfs", "zfs"})
"""File systems of this machine's own that keep time in nanoseconds."""
_POINT: Final = 4
"""Which field of a line of mountinfo is the mount point."""
_SECOND: Final = 1_000_000_000
_STAMP = struct.Struct("=QQqqqI")
"""Device, inode, mtime, ctime, size, mode."""
_pack = _STAMP.pack


def stamp_at(path: str) -> bytes:
    """Return the stamp of what has a name, of a link itself; `NONE` for nothing. Raises OSError where it cannot be examined."""
    try:
        return stamp_of(os.lstat(path))
    except (FileNotFoundError, NotADirectoryError):
        return NONE


def stamp_of(state: os.stat_result) -> bytes:
    """Return the stamp of a file or directory; nothing where its times are beyond what can be kept."""
    try:
        return _pack(state.st_dev, state.st_ino, state.st_mtime_ns, state.st_ctime_ns, state.st_size, state.st_mode)
    except struct.error:
        return b""


def is_old(stamp: bytes, device: int, moment: int) -> bool:
    """Return whether a stamp seen at a moment (nanoseconds since 1970) changes with each later change, on the device of the root.

    Where the ctime has no fraction of a second, the file system may keep none: ext4 with small inodes does not.
    """
    if stamp == NONE:
        return True
    if not stamp:
        return False
    found, _, mtime, ctime, _, _ = _STAMP.unpack(stamp)
    return bool(found == device and max(mtime, ctime) + OLD <= moment and ctime % _SECOND)


def mtime_in(stamp: bytes) -> int:
    """Return the mtime that a stamp holds, in nanoseconds."""
    return int(_STAMP.unpack(stamp)[2])


def is_directory(stamp: bytes) -> bool:
    """Return whether a stamp is that of a directory."""
    return len(stamp) > 1 and stat.S_ISDIR(_STAMP.unpack(stamp)[5])


def are_exact(folder: str, mounts: str = "/proc/self/mountinfo") -> bool:
    """Return whether the file system on which a folder lies keeps exact times by this machine's clock; no, if that is not known."""
    try:
        path = os.path.realpath(folder)
        with open(mounts, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().splitlines()
    except OSError:
        return False
    best, kind = "", ""
    for line in lines:  # see proc(5); what was mounted last over a point is what is seen there
        before, _, after = line.partition(" - ")
        point = _unescaped("".join(before.split(" ")[_POINT : _POINT + 1]))
        inside = path == point or path.startswith(point if point.endswith("/") else f"{point}/")
        if point and inside and len(point) >= len(best):
            best, kind = point, after.partition(" ")[0]
    return kind in _EXACT


def _unescaped(text: str) -> str:
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, char)
    return text
