"""Look at the collections of a vdir root: which there are, which containers they are, and what they show."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from jmapsync.storage.port import Folder, Observation
from jmapsync.storage.vdir import metadata
from jmapsync.storage.vdir.tree import name_of

if TYPE_CHECKING:
    from jmapsync.ledger import Ledger, Record
    from jmapsync.storage.vdir.tree import Found, Tree


def look_folders(tree: Tree, ledger: Ledger, kind: str) -> Observation:
    """Return the collections below the root as containers of a kind; moved directories are known by their markers.

    Raises LocalError when the root cannot be listed.
    """
    found = list(tree.walk())
    present = {one.path for one in found}
    by_ref = ledger.by_ref(kind, [one.container for one in found if one.container])
    keys = {path: key for key, path in tree.paths.items()}
    for one in found:
        record = by_ref.get(one.container)
        if one.path in keys or record is None or record.key not in tree.paths or tree.paths[record.key] in present:
            continue
        tree.moved(tree.paths[record.key], one.path)
        keys = {path: key for key, path in tree.paths.items()}
    marked = Counter(one.container for one in found)
    observation = Observation(folders_whole=True)
    before = ledger.folders()
    for one in found:
        key = keys.get(one.path)
        if key is None and one.container in by_ref and by_ref[one.container].key not in tree.paths:
            key = by_ref[one.container].key
        record = ledger.records([key]).get(key) if key is not None else None
        stays = key is not None and before.get(key, ("", ""))[0] == one.path
        marker = one.container if marked[one.container] == 1 else ""
        observation.folders.append(_folder(tree, one, record if record is not None and record.local is not None else None, marker, stays=stays))
    return observation


def differs(tree: Tree, observation: Observation, ledger: Ledger) -> bool:
    """Tell whether a collection shows another name or colour than the ledger knows of it."""
    records = ledger.records([folder.key for folder in observation.folders if folder.key is not None])
    for folder in observation.folders:
        known = records[folder.key].local if folder.key in records else None
        if known is None or (folder.name, {folder.color} - {""}) != (known.body, known.tags):
            return True
    return len(observation.folders) != len(tree.paths)


def _folder(tree: Tree, one: Found, record: Record | None, marker: str, *, stays: bool) -> Folder:
    """Return a collection under the name that it shows.

    Without a `displayname` it is what its directory is called; where nobody renamed that, what it was. So is a name that cannot be
    shown in one line, and a colour that is none.
    """
    folder = tree.root / one.path
    name, color = metadata.read_name(folder), metadata.read_color(folder)
    known = record.local if record is not None else None
    if known is not None and (metadata.shown(known.body) == name or (not name and stays)):
        name = known.body
    if color is None:
        color = min(known.tags, default="") if known is not None else ""
    return Folder(
        ref=one.path, name=name or name_of(one.path), parent="", key=record.key if record is not None else None, marker=marker, color=color
    )
