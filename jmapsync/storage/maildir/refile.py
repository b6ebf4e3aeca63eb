"""File a message into another folder, move it there, or mark a copy of it to leave one, as a mail program would."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from jmapsync.formats.flags import TRASHED, letters, with_letters
from jmapsync.storage.files.atomic import NO_LINKS, copy_file, sync_directories, sync_files
from jmapsync.storage.files.file_state import state_of
from jmapsync.storage.maildir.file_names import own_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.ledger import Place
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
        path = _path(tree, below, place)
        try:
            os.link(_path(tree, below, source), path)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            temporary = f"{below.at(tree.inside(folder, 'tmp'))}/{place.name}"
            copy_file(_path(tree, below, source), temporary, source.mtime)
            sync_files(tree.root, [temporary])
            ino, size, mtime = state_of(os.lstat(temporary))
            place = place._replace(ino=ino, size=size, mtime=mtime)
            os.rename(temporary, path)
        sync_directories([os.path.dirname(path)])
    return place


def move_into(tree: Tree, source: Place, folder: int, tags: Tags, token: Callable[[], str], *, dry: bool) -> Place:
    """Move a file to another folder, and return where it is then. Raises OSError, FileNotFoundError as above."""
    place = _placed(tree, source, folder, tags, token)
    if not dry:
        with tree.reach() as below:
            old, new = _path(tree, below, source), _path(tree, below, place)
            os.rename(old, new)
            sync_directories([os.path.dirname(new), os.path.dirname(old)])
    return place


def mark(tree: Tree, place: Place, *, leaving: bool, dry: bool) -> Place:
    """Mark a copy to be deleted, or take that mark off it. Raises OSError, FileNotFoundError as above."""
    shown = set(letters(place.info)) - {TRASHED} | ({TRASHED} if leaving else set())
    marked = place._replace(info=with_letters(place.info, shown, tree.holds.separator), sub="cur")
    if not dry and marked != place:
        with tree.reach() as below:
            os.rename(_path(tree, below, place), _path(tree, below, marked))
    return marked


def _placed(tree: Tree, source: Place, folder: int, tags: Tags, token: Callable[[], str]) -> Place:
    name = own_name(source.stamp, source.key, token())
    return source._replace(folder=folder, name=name, info=tree.tables[folder].write(tags, f"{tree.holds.separator}2,"), sub="cur")


def _path(tree: Tree, below: Below, place: Place) -> str:
    return f"{below.at(tree.inside(place.folder, place.sub))}/{place.name}{place.info}"
