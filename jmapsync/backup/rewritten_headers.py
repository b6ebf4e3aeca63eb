"""Match messages whose headers Cyrus rewrote, so that they are not uploaded again.

Every octet of a header that is not ASCII becomes an `X` there (`munge8bit`, as Cyrus 3.6.1 and 3.12.4 come): the message keeps its
size and receivedAt is what was asked for. All octets but those have to be equal.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from jmapsync.planner.model import Base, Side
from jmapsync.sync.threads import complete

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.ledger import Ledger, Record
    from jmapsync.storage.port import MailLocal, MailRemote

_END = re.compile(rb"\r?\n\r?\n")
_EIGHT_BIT = re.compile(rb"[\x80-\xff]")


async def join_rewritten(kind: str, ledger: Ledger, local: MailLocal, remote: MailRemote, here: Sequence[Record]) -> None:
    """Join messages that only the disk holds with what a server made of them. What it holds is known to have other bytes."""
    there: dict[tuple[int, int], list[Record]] = {}
    for one in ledger.unmatched(kind, Side.REMOTE, sorted({record.size for record in here})):
        there.setdefault((one.size, one.stamp), []).append(one)
    places = ledger.places_of([record.key for record in here if (record.size, record.stamp) in there])
    for mine in here:
        candidates = there.get((mine.size, mine.stamp), [])
        sent = await complete(local.read, mine.key, places.get(mine.key, ())) if candidates else None
        if sent is not None and sent.path is not None:
            sent.path.unlink()
        if sent is None or sent.data is None or (expected := as_rewritten(sent.data)) == sent.data:
            continue
        for other in list(candidates):
            body = (await remote.read([other])).get(other.key)
            if body is not None and body.data == expected:
                candidates.remove(other)
                with ledger.transaction():
                    ledger.put_places(place._replace(key=other.key) for place in places[mine.key])
                    ledger.save([replace(mine, local=None, base=None), _joined(mine, other)])
                break
            if body is not None and body.path is not None:
                body.path.unlink()


def as_rewritten(data: bytes) -> bytes:
    """Return a message as such a server keeps it."""
    end = _END.search(data)
    start = end.start() if end else len(data)
    return _EIGHT_BIT.sub(b"X", data[:start]) + data[start:]


def _joined(mine: Record, other: Record) -> Record:
    """Return the one item that they are: agreed on as far as both sides have it, with nothing known of the server's content."""
    assert mine.local is not None  # noqa: S101 - chosen for it
    assert other.remote is not None  # noqa: S101
    remote = replace(other.remote, sense="")
    tags, homes = mine.local.tags & remote.tags, mine.local.homes & remote.homes
    base = Base(replace(mine.local, tags=tags, homes=homes), replace(remote, tags=tags, homes=homes))
    return replace(other, local=mine.local, remote=remote, base=base, digest=mine.digest, name=mine.name)
