"""Make files durable in groups, replace small ones in one step, and rename, link and exchange files without losing any.

One `syncfs` makes a whole batch durable at a seventh of the cost of an fsync a file; where the C library has none, each
file is synced by itself. Directories are synced after their entries changed.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
from typing import TYPE_CHECKING

from jmapsync.opening import kind_of, open_regular
from jmapsync.storage.files.file_state import state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from jmapsync.storage.files.file_state import State

_LIBC = ctypes.CDLL(None, use_errno=True)
_SYNCFS = getattr(_LIBC, "syncfs", None)
_RENAMEAT2 = getattr(_LIBC, "renameat2", None)
_HERE = -100
"""AT_FDCWD."""
_EXCHANGE = 2
"""RENAME_EXCHANGE, see renameat2(2)."""
_NOT_HERE = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM, errno.EXDEV})
"""Errors by which a file system or a kernel says that it cannot exchange two names."""
NO_LINKS = frozenset({errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS})
"""Errors by which a file system says that a file cannot have another name there."""
_MAKING = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
GROUP = 24
"""Files from which one syncfs beats an fsync each."""


def sync_files(root: Path, paths: Iterable[str]) -> None:
    """Make the content of files below `root` durable. Raises OSError (the disk is full, or failing)."""
    paths = list(paths)
    if _SYNCFS is not None and len(paths) >= GROUP:
        handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if _SYNCFS(handle) != 0:
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number), os.fspath(root))
        finally:
            os.close(handle)
        return
    for path in paths:
        _fsync(path, os.O_RDONLY)


def sync_directories(paths: Iterable[str]) -> None:
    """Make the entries of directories durable. A directory that is gone by then needs none."""
    for path in sorted(set(paths)):
        try:
            _fsync(path, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue


def replace_text(path: Path, text: str) -> None:
    """Put a small text file in place as `replace_bytes` does."""
    replace_bytes(path, text.encode())


def replace_bytes(path: Path, data: bytes) -> None:
    """Put a small file in place in one step, durably, readable by its owner only. One process at a time may do so.

    Raises OSError, also where anything but a regular file has the name: what somebody made of it is theirs.
    """
    temporary = prepare(path, data)
    try:
        _fsync(os.fspath(temporary), os.O_RDONLY)
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_directories([os.fspath(path.parent)])


def prepare(path: Path, data: bytes) -> Path:
    """Write a small file under the name of `unfinished`, not yet durable, and return that. Raises OSError as above."""
    temporary = unfinished(path)
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(mode := path.lstat().st_mode):
            raise OSError(errno.EEXIST, f"{path.name} is {kind_of(mode)}, not a regular file", os.fspath(path))
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()  # what a killed run left, or a link that somebody laid there
    try:
        with open(os.open(temporary, _MAKING, 0o600), "wb") as file:
            file.write(data)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    return temporary


def write_new(path: str, data: bytes, complete: Callable[[int], None]) -> None:
    """Write a new file, and `complete` it by its handle. Raises OSError; the file may then be there in part."""
    handle = os.open(path, _MAKING, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]
        complete(handle)
    finally:
        os.close(handle)


def copy_file(source: str, target: str, mtime: int) -> None:
    """Copy a regular file to a name that nothing has yet, readable by its owner only, with an mtime. Raises OSError."""
    import shutil  # noqa: PLC0415  # it imports the compressors

    with open_regular(source, follow=False) as old, open(os.open(target, _MAKING, 0o600), "wb") as new:
        shutil.copyfileobj(old, new, 1 << 20)
        new.flush()
        os.utime(new.fileno(), ns=(mtime, mtime))


def link_or_copy(source: str, target: str, temporary: str, mtime: int, root: Path, *, over: bool = False) -> State | None:
    """Give a file a second name, `over` another file; where there are no hard links, a durable copy. Return the copy's state.

    `temporary` is a name in the same file system as the target. Raises OSError.
    """
    try:
        os.link(source, temporary if over else target)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
    else:
        if over:
            os.rename(temporary, target)
        return None
    copy_file(source, temporary, mtime)
    sync_files(root, [temporary])
    state = state_of(os.lstat(temporary))  # under its name it may be another's by the time it is examined
    os.rename(temporary, target)
    return state


def unfinished(path: Path) -> Path:
    """Return where `replace_bytes` writes a file first; always the same, so that what a killed run left is written over."""
    return path.with_name(unfinished_name(path.name))


def unfinished_name(name: str) -> str:
    """Return the name alone that `unfinished` gives a file."""
    return f".{name}.tmp"


def exchange(one: str, other: str) -> bool:
    """Let two files swap their names in one step; return False, with nothing done, where that is not possible.

    Raises OSError, such as FileNotFoundError when one of them is gone.
    """
    if _RENAMEAT2 is None:
        return False
    if _RENAMEAT2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NOT_HERE:
        return False
    raise OSError(number, os.strerror(number), other)


def give_name(temporary: str, path: str) -> None:
    """Rename a file. Raises FileExistsError rather than replace another one, and OSError."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path) from error
        os.rename(temporary, path)
    else:
        os.unlink(temporary)


def put_back(aside: str, path: str, beside: str) -> None:
    """Give a file that was set aside its name again; where another has it by now, the name `beside` it."""
    try:
        os.link(aside, path)
    except FileExistsError:
        os.rename(aside, beside)
    except OSError:  # there are no hard links here
        os.rename(aside, path)
    else:
        os.unlink(aside)


def _fsync(path: str, flags: int) -> None:
    handle = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
