"""Keep what the server deletes: its file goes to a Maildir below DELETED/ that nobody mirrors, under the path of its folder.

So the mirror is an offline backup (`keep_deleted = true`): where a message was is its path there, when it came is its mtime, and
when it was deleted is the ctime of its file.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from jmapsync.formats.names import KEPT
from jmapsync.storage.files.atomic import copy_file, sync_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.ledger import Place
    from jmapsync.storage.files.directories import Below
    from jmapsync.storage.maildir.tree import Tree


def keep(tree: Tree, below: Below, place: Place, token: Callable[[], str]) -> tuple[str, str]:
    """Move the file of a message below DELETED/ and return the directory there, below the root, and its name. Raises OSError."""
    folder = KEPT
    below.make(folder)
    for name in tree.paths[place.folder].split("/"):
        folder = f"{folder}/{name}"
        below.make(folder)
    for part in ("cur", "new", "tmp"):
        below.make(f"{folder}/{part}")
    old = f"{below.at(tree.inside(place.folder, place.sub))}/{place.name}{place.info}"
    where, file = below.at(f"{folder}/{place.sub}"), f"{place.name}{place.info}"
    if os.path.lexists(f"{where}/{file}"):
        file = f"{place.name}R{token()}{place.info}"
    new = f"{where}/{file}"
    try:
        os.rename(old, new)
    except OSError as error:
        if error.errno != errno.EXDEV:  # the folder lies on another disk
            raise
        copy = f"{below.at(f'{folder}/tmp')}/{place.name}R{token()}"
        copy_file(old, copy, place.mtime)
        sync_files(tree.root, [copy])
        os.rename(copy, new)
        os.unlink(old)
    return f"{folder}/{place.sub}", file
