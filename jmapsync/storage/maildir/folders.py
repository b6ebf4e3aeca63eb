"""Look at the folders of a Maildir tree: which there are, and which containers they are."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec.structs import replace

from jmapsync.kinds.mail import MAIL
from jmapsync.storage.maildir.tree import name_of
from jmapsync.storage.port import Folder, Observation

if TYPE_CHECKING:
    from jmapsync.ledger import Ledger
    from jmapsync.storage.maildir.tree import Found, Tree


def look_folders(tree: Tree, ledger: Ledger) -> Observation:
    """Return the folders below the root; renamed ones are known by their markers.

    Raises LocalError when the root cannot be listed.
    """
    keys = {path: key for key, path in tree.paths.items()}
    found = list(tree.walk())
    present = {one.path for one in found}
    by_mailbox = ledger.by_ref(MAIL.containers.kind, [one.mailbox for one in found if one.mailbox])
    for one in found:
        record = by_mailbox.get(one.mailbox)
        if one.path in keys or record is None or record.key not in tree.paths or tree.paths[record.key] in present:
            continue
        tree.moved(tree.paths[record.key], one.path)
        keys = {path: key for key, path in tree.paths.items()}
    marked = Counter(one.mailbox for one in found)
    observation = Observation(folders_whole=True)
    for one in found:
        key = keys.get(one.path)
        if key is None and one.mailbox in by_mailbox and by_mailbox[one.mailbox].key not in tree.paths:
            key = by_mailbox[one.mailbox].key
        missing = tree.lacks(one.path)
        if missing and key is not None:  # where messages lay, it is a loss to be noticed, not mended
            missing -= {place.sub for place in ledger.places_in(key)}
        tree.complete(one.path, missing)
        marker = one.mailbox if marked[one.mailbox] == 1 else ""
        observation.folders.append(replace(_folder(one, key, ledger), marker=marker))
    return observation


def _folder(one: Found, key: int | None, ledger: Ledger) -> Folder:
    """Return a folder under the name its mailbox has, as long as the folder still lies where that name put it."""
    name = name_of(one.path)
    if key is not None:
        path, _ = ledger.folders().get(key, ("", ""))
        record = ledger.records([key]).get(key)
        if record is not None and path == one.path and record.local is not None:
            name = record.local.body
    parent = one.path.rpartition("/")[0]
    return Folder(ref=one.path, name=name, parent=parent, role="inbox" if one.path == "INBOX" else "", key=key)
