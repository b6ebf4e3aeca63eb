"""Open regular files for reading: never block on a pipe, and follow symbolic links only on request."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pathlib import Path

_KINDS = {
    stat.S_IFREG: "a regular file",
    stat.S_IFDIR: "a directory",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}
_READING = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_HANDED_OVER = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/", "/proc/thread-self/fd/")
"""Paths of pipes that a shell passes by process substitution: `-c <(generate)`."""


def kind_of(mode: int) -> str:
    """Return the kind of file of a mode, with its article."""
    return _KINDS.get(stat.S_IFMT(mode), "no regular file")


def open_regular(path: str | Path, *, follow: bool) -> BinaryIO:
    """Open a regular file for reading. Raises OSError, also for anything else that lies there.

    Without `follow` the last name of the path may not be a symbolic link.
    """
    name = os.fspath(path)
    try:
        handle = os.open(name, _READING | (0 if follow else os.O_NOFOLLOW))
    except OSError as error:
        if error.errno == errno.ELOOP and not follow:
            raise _refusal(stat.S_IFLNK, name) from error
        if error.errno == errno.ENXIO:  # so a socket and a device without its driver answer
            raise OSError(errno.ENXIO, "it is a socket or a device, not a regular file", name) from error
        raise
    try:
        _require_regular(os.fstat(handle).st_mode, name)
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read_regular(path: str | Path, most: int, *, follow: bool) -> bytes:
    """Return the bytes of a regular file. Raises OSError as `open_regular` does, and for one of more than `most` octets."""
    with open_regular(path, follow=follow) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most:,} octets", os.fspath(path))
    return data


def open_given(path: Path) -> BinaryIO:
    """Open a file that a person named: a regular one, or a pipe that the calling shell handed over. Raises OSError."""
    if os.fspath(path).startswith(_HANDED_OVER):
        return path.open("rb")
    return open_regular(path, follow=True)


def open_directory(path: str, parent: int | None = None) -> int:
    """Open a directory for listing, relative to the handle `parent`; its last name may not be a link. Raises OSError."""
    try:
        return os.open(path, _DIRECTORY, dir_fd=parent)
    except NotADirectoryError as error:  # so Linux refuses a link that is to be a directory
        if stat.S_ISLNK(os.stat(path, dir_fd=parent, follow_symlinks=False).st_mode):
            raise _refusal(stat.S_IFLNK, path) from error
        raise


def _require_regular(mode: int, path: str) -> None:
    if not stat.S_ISREG(mode):
        raise _refusal(mode, path)


def _refusal(mode: int, path: str) -> OSError:
    if stat.S_ISLNK(mode):
        return OSError(errno.ELOOP, "it is a symbolic link, which is not followed", path)
    if stat.S_ISDIR(mode):
        return IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    return OSError(errno.EINVAL, f"it is {kind_of(mode)}, not a regular file", path)
