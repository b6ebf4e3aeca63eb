"""Decide which directories below a root are watched, and which file names in them count as a change.

A root holds folders: Maildirs, nested or side by side (Maildir++), or plain ones with a file per item (vdir, Sieve scripts).
Messages are only ever in `cur` and `new`; what is in `tmp` does not exist yet. Nothing here lists a directory of messages.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from jmapsync.formats.names import KEYWORDS
from jmapsync.storage.files.root import MARKER

if TYPE_CHECKING:
    from collections.abc import Iterator

PARTS = ("cur", "new", "tmp")
_FILLED = ("cur", "new")
_WATCHED_FILES = (MARKER, KEYWORDS)
"""Files beside the messages of a Maildir that a scan reads; mail programs keep many others there, and write them often."""
_PASSING = ("~", ".tmp", ".swp", ".swx", ".lock", ".part")
"""Suffixes of temporary files of editors and other programs."""


def is_maildir(folder: str) -> bool:
    """Return whether a directory has all three parts of a Maildir."""
    return all(os.path.isdir(f"{folder}/{part}") for part in PARTS)


def holds_messages(root: str, path: str) -> bool:
    """Return whether a directory is the `cur` or `new` of a folder. In a root that is no Maildir, these are folders like others."""
    folder, name = os.path.split(path)
    return name in _FILLED and path != root and (folder != root or is_maildir(root))


def folder_of(root: str, path: str) -> str:
    """Return the folder that a watched directory belongs to."""
    return os.path.dirname(path) if holds_messages(root, path) else path


def is_worth_watching(root: str, path: str, name: str) -> bool:
    """Return whether a directory `name` in the watched folder `path` is to be watched as well.

    Hidden directories are other programs' (`.notmuch`, `.git`), but the folders of a Maildir++ root.
    """
    if name in _FILLED:
        return True
    if path != root and os.path.basename(path).startswith("."):
        return False
    return path == root and is_maildir(root) == (name != "tmp") if name == "tmp" or name.startswith(".") else True


def subdirectories(root: str, path: str) -> Iterator[os.DirEntry[str]]:
    """Yield the directories in a watched one that are to be watched as well; symbolic links are not followed.

    Raises OSError when it cannot be listed.
    """
    if holds_messages(root, path):
        return
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False) and is_worth_watching(root, path, entry.name):
                yield entry


def is_watched_file(name: str, *, in_maildir: bool) -> bool:
    """Return whether a change of a file of this name in a folder, beside `cur` and `new`, is reported."""
    if name in _WATCHED_FILES:
        return True
    return not (in_maildir or name.startswith((".", "#")) or name.endswith(_PASSING) or name == "4913")
