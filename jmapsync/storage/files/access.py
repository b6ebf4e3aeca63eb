"""Check that a folder can be listed and written, or made where it is not there, without changing anything that lasts."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from jmapsync.opening import kind_of

if TYPE_CHECKING:
    from pathlib import Path

_UNNAMED = os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC
_NO_UNNAMED = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL})
"""Errors by which a file system or a kernel says that it makes no file without a name (open(2), O_TMPFILE)."""


def trouble_with(folder: Path) -> str:
    """Return why a folder cannot be listed and written, or made where it is not there; nothing when it can."""
    try:
        state = folder.stat()
    except (FileNotFoundError, NotADirectoryError):
        return _trouble_to_make(folder)
    except OSError as error:
        return _said(error)
    if not stat.S_ISDIR(state.st_mode):
        return f"it is {kind_of(state.st_mode)}, not a folder" if not stat.S_ISREG(state.st_mode) else "it is a file, not a folder"
    try:
        os.scandir(folder).close()
    except OSError as error:
        return f"it cannot be listed: {_said(error)}"
    return _trouble_to_write(folder)


def _trouble_to_make(folder: Path) -> str:
    if folder.is_symlink():
        return "it is a symbolic link that leads nowhere"
    for above in folder.parents:
        try:
            state = above.stat()
        except (FileNotFoundError, NotADirectoryError):
            if above.is_symlink():
                return f"{above} is a symbolic link that leads nowhere"
            continue
        except OSError as error:
            return f"{above}: {_said(error)}"
        if not stat.S_ISDIR(state.st_mode):
            return f"{above} is no folder"
        longest = os.pathconf(above, "PC_NAME_MAX")
        is_too_long = any(len(os.fsencode(name)) > longest for name in folder.relative_to(above).parts)
        why = os.strerror(errno.ENAMETOOLONG) if is_too_long else _trouble_to_write(above)
        what = "it cannot" if is_too_long else "nothing can"
        return f"it is not there, and {what} be made in {above}: {why}" if why else ""
    return "there is nothing that it could be made in"


def _trouble_to_write(folder: Path) -> str:
    """Return why no file can be made in a folder; what is made to find out has no name and is gone at once."""
    try:
        os.close(os.open(folder, _UNNAMED, 0o600))
    except OSError as error:
        if error.errno not in _NO_UNNAMED:
            return _said(error)
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK, effective_ids=True):
            return "it cannot be written"
    return ""


def _said(error: OSError) -> str:
    return error.strerror or type(error).__name__
