"""Look at the folders of a Maildir tree: which there are, and which containers they are."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from msgspec.structs import replace

from jmapsync.formats.names import EVERYTHING, Patterns, above, from_utf7, seen_path
from jmapsync.kinds import MAIL
from jmapsync.ledger.notes import BOXES, OUTSIDE
from jmapsync.storage.maildir.file_names import INBOX, PARTS
from jmapsync.storage.maildir.tree import is_filled_by_offlineimap, is_mbsync, name_of
from jmapsync.storage.port import Folder, Observation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jmapsync.ledger import Ledger, Record
    from jmapsync.storage.maildir.tree import Found, Tree


GONE = ".gone"
"""The name of a folder that cannot be there: what begins with a dot is none."""


def look_folders(tree: Tree, ledger: Ledger, patterns: Patterns = EVERYTHING) -> Observation:
    """Return the folders below the root; renamed ones are known by their markers. Those that are left out are left alone.

    Raises LocalError when the root cannot be listed.
    """
    found = list(tree.walk())
    by_mailbox = ledger.by_ref(MAIL.containers.kind, [one.mailbox for one in found if one.mailbox])
    marked = Counter(one.mailbox for one in found)
    known = {one.path: by_mailbox[one.mailbox].key for one in found if one.mailbox in by_mailbox and marked[one.mailbox] == 1}
    outside = set(json.loads(ledger.note(f"{OUTSIDE}:{MAIL.name}") or "[]"))
    shut = {one.path for one in found if one.mailbox in outside}
    _follow(tree, {key: path for path, key in known.items() if key in tree.paths}, {one.path for one in found}, shut)
    keys = {path: key for key, path in tree.paths.items()}
    found = [one for one in found if not one.linked or one.path in keys]  # the folder itself was found elsewhere
    boxes = json.loads(ledger.note(f"{BOXES}:{MAIL.name}") or "{}")
    inside = {
        one.path
        for one in found
        if one.path not in shut
        and (one.path in keys or one.mailbox in by_mailbox or one.mailbox in boxes or _covers(patterns, one.path))
    }
    hollow = {one.path for one in found if not one.mailbox and one.path not in keys and len(tree.lacks(one.path)) == len(PARTS)}
    apart = above(one.path for one in found if one.path not in inside)
    inside -= (hollow & apart) - above(inside - hollow)  # a directory that holds nothing but what is left alone
    needed = above(path for path in inside if _covers(patterns, path)) - inside
    observation = Observation(folders_whole=True)
    observation.detached = {one.mailbox: one.path for one in found if one.path in shut - needed}
    tree.left_alone = {one.path for one in found} - inside - needed
    odd = [(path, why) for path, why in tree.odd if path not in tree.left_alone]
    tree.odd = [(path, why) for path, why in odd if path in inside or _covers(patterns, path)]
    mirrored = inside | needed
    lie = {key: path for key, (path, _) in ledger.folders(MAIL.containers.kind).items()}
    records = ledger.records(sorted(set(keys.values()) | {record.key for record in by_mailbox.values()}))
    for one in found:
        if one.path not in mirrored:
            continue
        key = keys.get(one.path)
        if key is None and one.mailbox in by_mailbox and by_mailbox[one.mailbox].key not in tree.paths:
            key = by_mailbox[one.mailbox].key
        bare = one.path in needed or key in tree.bare
        missing = set[str]() if bare or one.linked else tree.lacks(one.path)
        if missing and key is not None:  # where messages lay, it is a loss to be noticed, not mended
            missing -= {place.sub for place in ledger.places_in(key)}
        tree.complete(one.path, missing)
        marker = one.mailbox if marked[one.mailbox] == 1 else ""
        folder = replace(_folder(one, key, lie, records), marker=marker, bare=one.path in needed)
        if key is None and not one.mailbox:
            folder = replace(folder, name=_meant(tree, one, folder.name, found))
        observation.folders.append(folder)
    return observation


def _covers(patterns: Patterns, path: str) -> bool:
    return patterns.covers(seen_path(path))


def _meant(tree: Tree, one: Found, name: str, found: list[Found]) -> str:
    """Return the mailbox name that another program meant by a folder's: mbsync and offlineimap write IMAP's UTF-7."""
    meant = from_utf7(name)
    if meant == name or is_mbsync(f"{tree.root}/{one.path}"):
        return meant
    return meant if is_filled_by_offlineimap(f"{tree.root}/{other.path}" for other in found) else name


def _follow(tree: Tree, told: dict[int, str], present: set[str], shut: set[str]) -> None:
    """Take note of where folders lie by now, as their markers tell; what has no marker of its own goes with what it lies in.

    So folders that swapped their names are each known (hard case 41). One whose place another folder has taken, and that shows up
    nowhere, is gone.
    """
    old = dict(tree.paths)
    keys = {path: key for key, path in old.items()}
    tree.paths.put(told)
    for key, path in old.items():
        if key in told:
            continue
        above, _, name = path.rpartition("/")
        below = name
        while above and keys.get(above) not in told:
            above, _, name = above.rpartition("/")
            below = f"{name}/{below}"
        if above and (moved := f"{told[keys[above]]}/{below}") in present:
            tree.paths[key] = moved
    taken = shut.union(told.values())
    for key, path in old.items():
        if key not in told and tree.paths[key] in taken:
            tree.paths[key] = f"{path}/{GONE}"


def _folder(one: Found, key: int | None, lie: Mapping[int, str], records: Mapping[int, Record]) -> Folder:
    """Return a folder under the name its mailbox has, as long as the folder still lies where that name put it."""
    name = name_of(one.path)
    if key is not None:
        record = records.get(key)
        if record is not None and lie.get(key) == one.path and record.local is not None:
            name = record.local.body
    parent = one.path.rpartition("/")[0]
    return Folder(ref=one.path, name=name, parent=parent, role="inbox" if one.path == INBOX else "", key=key)
