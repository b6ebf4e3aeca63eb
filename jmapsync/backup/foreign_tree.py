"""Ingest a tree that is not the account's own mirror: a copy, another account's mirror, or messages that the server deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from jmapsync.formats.message import Form
from jmapsync.storage.port import DiskFolders, FolderPage
from jmapsync.sync.quarantine import DEFAULT
from jmapsync.sync.threads import complete

if TYPE_CHECKING:
    from jmapsync.backup.selection import ForeignTree
    from jmapsync.sync.channel import Channel

PAGE = 1000
"""Items read from the ledger at a time."""


async def ingest_folders(channel: Channel, foreign: ForeignTree) -> None:
    """Ingest the folders without their markers, which name mailboxes of another account, or mailboxes that are gone."""
    seen = await complete(channel.local.observe_folders, channel.ledger)
    if isinstance(seen, DiskFolders):
        seen.folders = [replace(folder, marker="") for folder in seen.folders]
        channel.ingester.ingest_local_folders(seen)
    theirs: dict[str, str] = {}
    if foreign.roles:
        pages = channel.remote.observe("", set, whole=True)
        first = await anext(pages)
        folders = first.folders if isinstance(first, FolderPage) else ()
        theirs = {folder.role or DEFAULT: folder.ref for folder in folders if folder.role or folder.default}
    with channel.ledger.transaction():
        for key, (path, kept) in channel.ledger.folders(channel.kind.containers.kind).items():
            channel.ledger.put_folder(key, path, kept or foreign.tables.get(path, ""))
            record = channel.ledger.records([key]).get(key)
            if record is not None and (ref := theirs.get(foreign.roles.get(path, ""))):
                channel.ledger.save([replace(record, ref=ref)])


def use_raw_bytes(channel: Channel) -> None:
    """Treat files of mixed line ends as the server's own bytes, stored unchanged where they have such (`formats.message`).

    In the account's own mirror such a file is a message that was created locally.
    """
    after, kind = 0, channel.kind.items.kind
    while records := channel.ledger.all(kind, after=after, limit=PAGE):
        after = records[-1].key
        places = channel.ledger.places_of([record.key for record in records])
        for record in records:
            mixed = [place for place in places.get(record.key, ()) if place.form == Form.MIXED]
            measured = channel.mail.local.measure(mixed[0]) if mixed and record.remote is None else None
            if measured is None or record.local is None:
                continue
            digest, size = measured.digest(Form.RAW), measured.size(Form.RAW)
            local = replace(record.local, body=digest, sense=digest)
            with channel.ledger.transaction():
                channel.ledger.put_places(place._replace(form=Form.RAW.value) for place in mixed)
                channel.ledger.save([replace(record, digest=digest, size=size, local=local)])
