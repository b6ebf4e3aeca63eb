"""Keep what the server deletes: its file goes to a Maildir below DELETED/ that nobody mirrors, under the path of its folder.

So the mirror is an offline backup (`keep_deleted = true`): where a message was is its path there, when it came is its mtime, and
when it was deleted is the ctime of its file.
"""

from __future__ import annotations

import errno
import os
import shutil
from typing import TYPE_CHECKING

from jmapsync.formats.names import KEPT
from jmapsync.storage.atomic import sync_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.ledger import Place
    from jmapsync.storage.maildir.tree import Tree


def keep(tree: Tree, place: Place, token: Callable[[], str]) -> str:
    """Move the file of a message below DELETED/ and return its path there. Raises OSError."""
    old = f"{tree.directory(place.folder)}/{place.sub}/{place.name}{place.info}"
    folder = f"{os.fspath(tree.root)}/{KEPT}/{tree.paths[place.folder]}"
    for part in ("cur", "new", "tmp"):
        os.makedirs(f"{folder}/{part}", mode=0o700, exist_ok=True)
    new = f"{folder}/{place.sub}/{place.name}{place.info}"
    if os.path.lexists(new):
        new = f"{folder}/{place.sub}/{place.name}R{token()}{place.info}"
    try:
        os.rename(old, new)
    except OSError as error:
        if error.errno != errno.EXDEV:  # the folder lies on another disk
            raise
        copy = f"{folder}/tmp/{place.name}R{token()}"
        shutil.copy2(old, copy)
        sync_files(tree.root, [copy])
        os.rename(copy, new)
        os.unlink(old)
    return new
