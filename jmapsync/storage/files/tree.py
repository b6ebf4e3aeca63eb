"""Map containers to the directories below a root; what is done in these goes through no symbolic link."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Generic, TypeVar

from msgspec import Struct

from jmapsync.errors import LocalError
from jmapsync.opening import kind_of
from jmapsync.storage.files.directories import Below
from jmapsync.storage.files.disk_errors import reason
from jmapsync.storage.files.file_state import may_be_folder
from jmapsync.storage.files.filesystem import USUAL

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LINK = "it is a symbolic link, which is not followed; nothing in it counts as deleted"
NOT_UTF8 = "its name is not valid UTF-8; rename it"


class Whereabouts(dict[int, str]):
    """Paths by container. One that is missing raises FileNotFoundError, not KeyError.

    A folder may be renamed or removed at any moment of a run, here or by another client: what is to be done in it is then stale,
    as it is where the file itself is gone.
    """

    def __missing__(self, key: int) -> str:
        """Raise FileNotFoundError."""
        raise FileNotFoundError(errno.ENOENT, "its folder was renamed or removed since it was scanned", f"folder {key}")


P = TypeVar("P", bound=Whereabouts)


class Found(Struct, frozen=True):
    """One directory met on the disk that is a container, or may become one."""

    path: str
    """Below the root, parts joined by `/`."""
    container: str = ""
    """The server's id that its marker names, or nothing."""
    linked: bool = False
    """Whether a symbolic link or a file lies where a known directory was: it counts as there, and nothing in it is listed."""


class ContainerTree(Generic[P]):
    """The root of one mirror, and where each container lies below it."""

    def __init__(self, root: Path, paths: P, *, dry: bool) -> None:
        """Name the root; nothing is touched yet, and never anything when `dry`."""
        self.root = root
        self._top = os.fspath(root)
        self._dry = dry
        self.holds = USUAL
        """What names the file system of the root holds."""
        self.paths = paths
        """Where each container lies below the root, by key."""
        self.odd: list[tuple[str, str]] = []
        """Directories that cannot be mirrored as they are, by path, and why."""

    def place(self, path: str) -> str:
        """Return where the directory of a path lies below the root."""
        return path

    def folder(self, key: int) -> Path:
        """Return where a container lies, for messages; what is done there goes by `reach`."""
        return self.root / self.place(self.paths[key])

    def reach(self) -> Below:
        """Return what opens the directories below the root, for the time of one operation."""
        return Below(self._top)

    def moved(self, old: str, new: str) -> list[int]:
        """Note that a directory, with all below it, lies elsewhere; return the containers."""
        found = {key: path for key, path in self.paths.items() if path == old or path.startswith(f"{old}/")}
        for key, path in found.items():
            self.paths[key] = new + path[len(old) :]
        return list(found)

    def mark(self, key: int, ref: str) -> None:
        """Write into a directory which container of the server it is. Raises OSError."""
        raise NotImplementedError

    def mark_adopted(self, key: int, ref: str) -> None:
        """Mark a directory that was met on the disk; one that cannot be marked is odd."""
        try:
            self.mark(key, ref)
        except FileNotFoundError:  # somebody renames or removes it in this moment: the next scan shows
            return
        except OSError as error:
            self.odd.append((self.paths[key], f"its marker cannot be written: {reason(error)}"))

    def unlistable(self, error: OSError) -> LocalError:
        """Return the error of a root that cannot be listed."""
        return LocalError(f"The folder {self.root} cannot be listed: {error.strerror}.")


class Listed:
    """What was listed of a directory that containers lie in."""

    def __init__(self, path: str, is_shown: Callable[[str], bool], is_known: Callable[[str], bool]) -> None:
        """List a directory. Raises OSError.

        A directory counts if its name `is_shown`; a link counts as one where it leads to one, and anything where it `is_known` that
        a container lay there.
        """
        with os.scandir(path) as entries:
            every = list(entries)
            self.has_links = any(entry.is_symlink() for entry in every)
            found = [entry for entry in every if is_shown(entry.name) and may_be_folder(entry, known=is_known(entry.name))]
            self.obstacles = {entry.name: why for entry in found if (why := _obstacle(entry))}
            """Why nothing in what has a name is listed."""
        self.names = sorted(entry.name for entry in found)


def _obstacle(entry: os.DirEntry[str]) -> str:
    """Return why nothing is listed where a container lay; nothing where a directory lies there, or may."""
    try:
        if entry.is_symlink():
            return LINK
        if entry.is_dir(follow_symlinks=False):
            return ""
        return f"it is {kind_of(entry.stat(follow_symlinks=False).st_mode)}, not a folder; nothing that was in it counts as deleted"
    except OSError:
        return ""
