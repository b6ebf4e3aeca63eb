"""Read and move the symbolic link `active`, which leads to the active script."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

from msgspec import Struct

from jmapsync.formats.scripts import LINK, is_script
from jmapsync.opening import kind_of
from jmapsync.storage.files.atomic import unfinished_name

if TYPE_CHECKING:
    from pathlib import Path


class Link(Struct, frozen=True):
    """The link as it was found."""

    file: str = ""
    """The name of the file that it leads to, in the root; nothing where there is no link."""
    why: str = ""
    """Why it cannot be followed."""


def read_link(folder: str, root: Path) -> Link:
    """Return where the link in a directory leads; `root` is the path of that directory, for a link that has a whole path."""
    try:
        target = os.readlink(f"{folder}/{LINK}")
    except FileNotFoundError:
        return Link()
    except OSError:
        with contextlib.suppress(OSError):
            mode = os.lstat(f"{folder}/{LINK}").st_mode
            if not stat.S_ISLNK(mode):
                return Link(why=f"it is {kind_of(mode)}, not a symbolic link to the active script")
        return Link(why="it cannot be read")
    above, name = os.path.split(os.path.normpath(target))
    if above and os.path.realpath(os.path.join(root, above)) != os.path.realpath(root):
        return Link(why="it leads out of the directory of the scripts")
    return Link(name) if is_script(name) else Link(why="it does not lead to a script (NAME.sieve)")


def move_link(folder: str, file: str) -> None:
    """Let the link lead to a file in its directory, in one step; remove it where `file` is nothing. Raises OSError.

    What is not a link stays, and is an error: it is somebody's.
    """
    path, temporary = f"{folder}/{LINK}", f"{folder}/{unfinished_name(LINK)}"
    with contextlib.suppress(FileNotFoundError):
        os.readlink(path)  # raises for what is not a link
        if not file:
            os.unlink(path)
    if file:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        os.symlink(file, temporary)
        os.rename(temporary, path)
