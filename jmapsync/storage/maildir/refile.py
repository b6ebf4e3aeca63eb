"""Move single files of messages: into another folder, to DELETED/, or marked as deleted, as a mail program would."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from jmapsync.formats.flags import TRASHED, letters, with_letters
from jmapsync.formats.names import KEPT
from jmapsync.storage.files.atomic import copy_file, link_or_copy, sync_directories, sync_files
from jmapsync.storage.maildir.file_names import own_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.ledger.rows import Place
    from jmapsync.planner.model import Tags
    from jmapsync.storage.files.directories import Below
    from jmapsync.storage.maildir.tree import Tree


def file_into(tree: Tree, source: Place, folder: int, tags: Tags, token: Callable[[], str], *, dry: bool) -> Place:
    """Make a second name for a file in another folder, and return it; when `dry`, only say what it would be.

    Raises FileNotFoundError when the file is gone, OSError for what the disk refuses.
    """
    place = _placed(tree, source, folder, tags, token)
    if dry:
        return place
    with tree.reach() as below:
        path, temporary = tree.path(below, place), f"{below.at(tree.inside(folder, 'tmp'))}/{place.name}"
        if state := link_or_copy(tree.path(below, source), path, temporary, source.mtime, tree.root):
            ino, size, mtime = state
            place = place._replace(ino=ino, size=size, mtime=mtime)
        sync_directories([os.path.dirname(path)])
    return place


def move_into(tree: Tree, source: Place, folder: int, tags: Tags, token: Callable[[], str], *, dry: bool) -> Place:
    """Move a file to another folder, and return where it is then. Raises OSError, FileNotFoundError as above."""
    place = _placed(tree, source, folder, tags, token)
    if not dry:
        with tree.reach() as below:
            old, new = tree.path(below, source), tree.path(below, place)
            os.rename(old, new)
            sync_directories([os.path.dirname(new), os.path.dirname(old)])
    return place


def mark(tree: Tree, place: Place, *, leaving: bool, dry: bool) -> Place:
    """Mark a copy to be deleted, or take that mark off it. Raises OSError, FileNotFoundError as above."""
    shown = set(letters(place.info)) - {TRASHED} | ({TRASHED} if leaving else set())
    marked = place._replace(info=with_letters(place.info, shown, tree.holds.separator), sub="cur")
    if not dry and marked != place:
        with tree.reach() as below:
            os.rename(tree.path(below, place), tree.path(below, marked))
    return marked


def keep(tree: Tree, below: Below, place: Place, token: Callable[[], str]) -> tuple[str, str]:
    """Move the file of a message that the server deleted below DELETED/; return the directory there and its name. Raises OSError.

    That is a Maildir that nobody mirrors, an offline backup (`keep_deleted = true`): where a message was is its path there, when it
    came is its mtime, and when it was deleted is the ctime of its file.
    """
    folder = KEPT
    below.make(folder)
    for name in tree.paths[place.folder].split("/"):
        folder = f"{folder}/{name}"
        below.make(folder)
    for part in ("cur", "new", "tmp"):
        below.make(f"{folder}/{part}")
    old = tree.path(below, place)
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


def _placed(tree: Tree, source: Place, folder: int, tags: Tags, token: Callable[[], str]) -> Place:
    name = own_name(source.stamp, source.key, token())
    return source._replace(folder=folder, name=name, info=tree.tables[folder].write(tags, f"{tree.holds.separator}2,"), sub="cur")
