"""Open the directories below a root without following a symbolic link, not even in a race.

A path is walked name by name, each opened relative to the directory before it and with O_NOFOLLOW. What is then done in the
directory goes by its handle (`/proc/self/fd`, proc(5)), so it stays what it is whatever becomes of the names that led there. The
root itself, and what lies above it, may be links: its owner chose that path.
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Self

from jmapsync.opening import open_directory
from jmapsync.storage.files.filesystem import naming_refusals

if TYPE_CHECKING:
    from types import TracebackType

HANDLES = "/proc/self/fd"
_LONGEST = 4096 - 262
"""Octets of the path of a directory: with room for a file's name, so that programs can open files by their paths (PATH_MAX)."""
_MOST = 96
"""Directories that are open at a time."""


class Below:
    """Directories below a root, opened as they are asked for; for one thread, and for the time of one operation."""

    def __init__(self, root: str | Path) -> None:
        """Name the root; nothing is opened yet."""
        self._root = os.fspath(root)
        self._open: dict[str, int] = {}
        """Handles by path below the root, the one used last at the end."""

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close what is open."""
        for handle in self._open.values():
            os.close(handle)
        self._open.clear()

    def at(self, path: str) -> str:
        """Return a path that leads to a directory below the root, nothing for the root itself, by its handle.

        It is good until some dozen others were asked for. Raises OSError: FileNotFoundError, NotADirectoryError, and with ELOOP
        where a name on the way is a symbolic link.
        """
        return f"{HANDLES}/{self._handle(path)}"

    def path(self, path: str) -> Path:
        """Return the same as a Path."""
        return Path(self.at(path))

    def spot(self, path: str) -> str:
        """Return a path that leads to whatever has the last name of one below the root. Raises OSError as `at` does."""
        above, _, name = path.rpartition("/")
        return f"{self.at(above)}/{name}"

    def make(self, path: str) -> str:
        """Make a directory unless it is there, and return what `at` returns. Raises OSError as `at` does, and with ENAMETOOLONG."""
        if len(os.fsencode(f"{self._root}/{path}")) > _LONGEST:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), f"{self._root}/{path}")
        spot = self.spot(path)
        with contextlib.suppress(FileExistsError), naming_refusals(making=True):
            os.mkdir(spot, 0o700)
        return self.at(path)

    def _handle(self, path: str) -> int:
        handle = self._open.pop(path, None)
        if handle is None:
            handle = self._walk(path)
        self._open[path] = handle
        if len(self._open) > _MOST:
            oldest = next(iter(self._open))
            os.close(self._open.pop(oldest))
        return handle

    def _walk(self, path: str) -> int:
        if not path:
            return os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        above, _, name = path.rpartition("/")
        if name in {"", ".", ".."}:
            raise OSError(errno.EINVAL, "it is no path below the root", f"{self._root}/{path}")
        parent = self._handle(above)
        try:
            return open_directory(name, parent)
        except OSError as error:
            if error.errno == errno.ELOOP:
                error.strerror = f"{name} is a symbolic link, which is not followed"
            error.filename = f"{self._root}/{path}"
            raise


def shown(path: str | bytes) -> str:
    """Return the path that one by a handle leads to, for people; any other as it is."""
    text = os.fsdecode(path)
    if not text.startswith(f"{HANDLES}/"):
        return text
    handle, slash, rest = text[len(HANDLES) + 1 :].partition("/")
    try:
        return f"{os.readlink(f'{HANDLES}/{handle}')}{slash}{rest}"
    except OSError:
        return rest or text
