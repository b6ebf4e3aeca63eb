"""Find copies written by a killed run that had not yet removed the files they replace."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from jmapsync.formats.flags import parse_name
from jmapsync.ledger.rows import Place
from jmapsync.opening import open_regular
from jmapsync.storage.files.file_state import state_of
from jmapsync.storage.maildir.file_names import key_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.storage.files.directories import Below
    from jmapsync.storage.maildir.stage import Staged
    from jmapsync.storage.maildir.tree import Tree

_CHUNK = 1 << 20
_Names = dict[tuple[int, str], list[str]]


class Leftovers:
    """Searches for them in the folders of one batch, each of which is listed once."""

    def __init__(self, tree: Tree, below: Below) -> None:
        """List nothing yet."""
        self._tree = tree
        self._below = below
        self._ours: _Names = {}
        """Names that a mirror gave, by folder and directory."""

    def of(self, one: Staged, staged: str, places: Sequence[Place]) -> list[Place]:
        """Return files of the message's key and of the bytes of its `staged` file that are in no place. Raises OSError."""
        found = []
        known = {(place.folder, place.name) for place in places}
        for folder in sorted(one.job.order.homes):
            for sub in ("cur", "new"):
                for text in self._names(folder, sub):
                    name, info = parse_name(text)
                    if key_in(name) != one.job.order.key or (folder, name) in known:
                        continue
                    path = f"{self._below.at(self._tree.inside(folder, sub))}/{text}"
                    if _are_equal(path, staged):
                        state = state_of(os.lstat(path))
                        found.append(Place(folder, name, info, sub, one.job.order.key, *state, one.form.value))
        return found

    def _names(self, folder: int, sub: str) -> list[str]:
        if (folder, sub) not in self._ours:
            listed: list[str] = []
            with contextlib.suppress(OSError):  # a folder that cannot be listed is reported by the scan
                listed = os.listdir(self._below.at(self._tree.inside(folder, sub)))
            self._ours[folder, sub] = [text for text in listed if key_in(text)]
        return self._ours[folder, sub]


def _are_equal(one: str, other: str) -> bool:
    """Return whether two regular files hold the same bytes; False for one that cannot be read."""
    try:
        with open_regular(one, follow=False) as first, open_regular(other, follow=False) as second:
            if os.fstat(first.fileno()).st_size != os.fstat(second.fileno()).st_size:
                return False
            while chunk := first.read(_CHUNK):
                if chunk != second.read(_CHUNK):
                    return False
            return True
    except OSError:
        return False
