"""Claim the root of one kind: its marker says whose mirror it is, so that a lost or swapped disk is not taken for deletions."""

from __future__ import annotations

import json
import os
import secrets
from typing import TYPE_CHECKING, Any

from jmapsync.directories import make_private
from jmapsync.errors import LayoutError, LocalError, RootError
from jmapsync.opening import read_regular
from jmapsync.storage.files.access import trouble_with
from jmapsync.storage.files.atomic import replace_text
from jmapsync.storage.files.filesystem import FILE_SYSTEM, file_system_of
from jmapsync.storage.port import Learnt

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.storage.files.filesystem import FileSystem
    from jmapsync.storage.known import Known

MARKER = ".jmapsync"
"""The name of the marker of a root, and of that of a folder in it."""
_LONGEST = 1 << 16
"""Octets of a marker."""
USUAL = "nested"
"""The layout of a root whose marker names none."""


def root_note(kind: str) -> str:
    """Return the name of the ledger's note of the id of a kind's root."""
    return f"root:{kind}"


def open_root(root: Path, known: Known, account: str, kind: str, *, dry: bool, layout: str = "") -> tuple[FileSystem, Learnt]:
    """Check that the root is this mirror's (`claim`) and return what its file system holds, and what is to be kept of both."""
    mark, tried = root_note(kind), f"{FILE_SYSTEM}:{kind}"
    notes = {mark: claim(root, known.note(mark), account, kind, dry=dry, layout=layout)}
    found, notes[tried] = file_system_of(root, known.note(tried), dry=dry)
    return found, Learnt(notes={name: note for name, note in notes.items() if note != known.note(name)})


def claim(root: Path, known: str, account: str, kind: str, *, dry: bool, layout: str = "") -> str:
    """Check that the root is this mirror's, or make it so, unless `dry`; return its id, or nothing where it has none yet.

    Raises RootError when the root of the id that is `known` is gone, unmarked, or marked for something else: then nothing may be
    read as deleted. `layout` is how folders lie in it, where that is not the usual one; LayoutError when they lie
    otherwise. Raises LocalError when it cannot be made.
    """
    marker = read_marker(root)
    if marker is None:
        _check_unmarked(root, known)
    if known and (marker is None or marker.get("id") != known):
        what = "is not there" if not os.path.isdir(root) else "no longer holds its mirror's marker file .jmapsync"
        raise RootError(
            f"The folder {root} {what}, so nothing is synchronized and nothing is deleted.",
            advice="Mount it or put it back. To start anew with an empty folder, move the account's state folder away.",
        )
    if marker is not None:
        _check_marker(root, marker, account, kind, layout)
    elif dry:
        return ""
    else:
        marker = {"account": account, "kind": kind, "id": secrets.token_hex(16)} | ({"layout": layout} if layout else {})
        try:
            make_private(root)
            replace_text(root / MARKER, json.dumps(marker) + "\n")
        except OSError as error:
            raise LocalError(f"The folder {root} cannot be made: {error.strerror}.") from error
    return str(marker["id"])


def _check_unmarked(root: Path, known: str) -> None:
    """Raise LocalError for a new root that cannot be used, RootError where what has the marker's name cannot be read."""
    if not known and (why := trouble_with(root)):
        raise LocalError(f"The folder {root} cannot be used: {why}.", advice="Fix that, or choose another path.")
    if why := marker_trouble(root):
        raise RootError(
            f"The folder {root} cannot be used, so nothing is synchronized and nothing is deleted: {why}.",
            advice=f"Fix that, or put its own {MARKER} back; remove what lies there only if this folder was never a mirror.",
        )


def _check_marker(root: Path, marker: dict[str, Any], account: str, kind: str, layout: str) -> None:
    """Raise RootError for a root of something else, LayoutError for one whose folders lie otherwise."""
    if (marker.get("account"), marker.get("kind")) != (account, kind):
        raise RootError(
            f"The folder {root} is the mirror of {marker.get('kind')} of another account ({marker.get('account')}).",
            advice="Choose another path for this one.",
        )
    if marker.get("layout", "") != layout:
        raise LayoutError(
            f'The folder {root} holds its mail in the layout "{marker.get("layout") or USUAL}", not "{layout or USUAL}"; '
            "nothing was synchronized.",
            advice="Set layout back, or start a new mirror: another account name and another path.",
        )


def read_marker(folder: Path) -> dict[str, Any] | None:
    """Return what the marker of a root or a folder says; None where there is none that can be read."""
    try:
        found = json.loads(read_regular(folder / MARKER, _LONGEST, follow=False))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def marker_trouble(folder: Path) -> str:
    """Return why what has the name of a marker cannot be read; nothing where nothing lies there, or a file does."""
    try:
        read_regular(folder / MARKER, _LONGEST, follow=False)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        return f"its {MARKER} cannot be read: {error.strerror}"
    return ""
