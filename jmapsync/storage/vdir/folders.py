"""Observe the collections of a vdir root: which there are, which containers they are, and what they show."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from typing import TYPE_CHECKING

from jmapsync.formats.names import EVERYTHING, Patterns
from jmapsync.ledger.notes import OUTSIDE
from jmapsync.storage.port import DiskFolders, Folder, color_in, description_in
from jmapsync.storage.vdir import metadata
from jmapsync.storage.vdir.tree import Tree, name_of

if TYPE_CHECKING:
    from pathlib import Path

    from jmapsync.kinds import Kind
    from jmapsync.planner.model import Version
    from jmapsync.storage.files.tree import Found
    from jmapsync.storage.known import Known


GONE = ".gone"
"""Stands for the directory of a collection that is not there: what begins with a dot is no collection."""


def observe_folders(tree: Tree, ledger: Known, kind: Kind, patterns: Patterns = EVERYTHING) -> DiskFolders:
    """Return the collections below the root as containers of a kind; moved directories are known by their markers.

    Those that are left out by the user's wish are left alone. Raises LocalError when the root cannot be listed.
    """
    observed, kind_name = DiskFolders(), kind.containers.kind
    found = _without_detached(tree, ledger, kind, observed)
    present = {one.path for one in found if not one.linked}
    by_ref = ledger.by_ref(kind_name, [one.container for one in found if one.container])
    keys = {path: key for key, path in tree.paths.items()}
    for one in found:
        record = by_ref.get(one.container)
        if one.path in keys or record is None or record.key not in tree.paths or tree.paths[record.key] in present:
            continue
        tree.moved(tree.paths[record.key], one.path)
        keys = {path: key for key, path in tree.paths.items()}
    found = [one for one in found if not one.linked or one.path in keys]  # the collection itself was found elsewhere
    marked = Counter(one.container for one in found)
    before = ledger.folders(kind_name)
    for one in found:
        key = keys.get(one.path)
        if key is None and one.container in by_ref and by_ref[one.container].key not in tree.paths:
            key = by_ref[one.container].key
        record = ledger.records([key]).get(key) if key is not None else None
        stays = key is not None and before.get(key, ("", ""))[0] == one.path
        name, color, description = _shown(tree, one, record.local if record is not None else None, stays=stays)
        marker = one.container if marked[one.container] == 1 else ""
        if key is None and not one.container and not patterns.covers(name or name_of(one.path)):
            observed.unwanted.append(one.path)
            continue
        shown = Folder(one.path, name or name_of(one.path), "", key=key, marker=marker, color=color, description=description)
        observed.folders.append(shown)
    tree.odd = [(path, why) for path, why in tree.odd if path not in observed.unwanted]
    return observed


def unwanted_in(root: Path, patterns: Patterns) -> list[str]:
    """Return the names of collections that were made below a root and that the patterns leave out. Raises LocalError."""
    names = []
    for one in Tree(root, dry=True).walk():
        name = metadata.read_name(root / one.path) or name_of(one.path)
        names += [name] if not one.container and not patterns.covers(name) else []
    return names


def _without_detached(tree: Tree, ledger: Known, kind: Kind, observed: DiskFolders) -> list[Found]:
    """Return the directories below the root without those of containers that are left out, which are observed to be detached."""
    outside = set(json.loads(ledger.note(f"{OUTSIDE}:{kind.name}") or "[]"))
    every = list(tree.walk())
    shut = {one.path for one in every if one.container in outside}
    observed.detached = {one.container: one.path for one in every if one.path in shut}
    for key, path in tree.paths.items():
        if path in shut:  # its own directory is elsewhere, or gone
            tree.paths[key] = f"{path}/{GONE}"
    tree.odd = [(path, why) for path, why in tree.odd if path not in shut]
    return [one for one in every if one.path not in shut]


def _shown(tree: Tree, found: Found, known: Version | None, *, stays: bool) -> tuple[str, str, str]:
    """Return the name, the colour and the description that a collection shows.

    One without a `displayname` is called as its directory is; where nobody renamed that, as it was. A name that a line cannot show
    as it is, a colour written in other letters and an invalid one stay what they were; so does a description that cannot be read.
    """
    name, color, description = "", None, None
    with contextlib.suppress(OSError), tree.reach() as below:
        folder = below.path(found.path)
        name, color = metadata.read_name(folder), metadata.read_color(folder)
        description = metadata.read_description(folder)
    if known is None:
        return name, color or "", description or ""
    if metadata.shown(known.body) == name or (not name and stays):
        name = known.body
    before = color_in(known.tags)
    described = description_in(known.tags) if description is None else description
    return name, before if color is None or color == metadata.as_rgb(before) else color, described
