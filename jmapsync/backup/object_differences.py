"""Compare local objects with the server's, and list by property what differs and what the server does not keep.

Both sides are equal when each still is what both agreed on; where nothing was agreed on, when both say the same. An object that was
sent rarely reads the same on both sides: servers add properties, name data anew, and leave out what they cannot hold.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from jmapsync.formats.align import keys_between, with_keys
from jmapsync.formats.canonical import changes
from jmapsync.sync.merge_objects import Objects, described

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jmapsync.formats.codec import Codec
    from jmapsync.formats.objects import Object
    from jmapsync.ledger import Ledger, Record
    from jmapsync.ledger.contents import Tree

_TREES: tuple[Tree, ...] = ("local", "remote", "base_local", "base_remote")
_MOST = 8
"""Properties that are named of one object."""


class ObjectProof(Struct):
    """Compares the objects of one kind."""

    ledger: Ledger
    codec: Codec

    def differences(self, records: Sequence[Record]) -> dict[int, str]:
        """Return by key why objects that both sides hold differ; those that are equal are left out."""
        found: dict[int, str] = {}
        unlike = [record for record in records if not _is_alike(record)]
        keys = [record.key for record in unlike]
        trees = {tree: self.ledger.contents.of(keys, tree) for tree in _TREES}
        for record in unlike:
            four = [json.loads(trees[tree].get(record.key, b"{}")) for tree in _TREES]
            if why := self._why(record, *four):
                found[record.key] = why
        return found

    def not_kept(self, records: Sequence[Record]) -> dict[int, str]:
        """Return by key, in words, what the server does not keep of objects."""
        objects = Objects(self.ledger, self.codec)
        keys = self.ledger.contents.of([record.key for record in records], "left_out")
        return {key: ", ".join(described(objects.left_out_of(key)[0])) for key in keys}

    def _why(self, record: Record, here: Object, there: Object, base_here: Object, base_there: Object) -> str:
        assert record.local is not None  # noqa: S101 - both sides hold it
        assert record.remote is not None  # noqa: S101
        base = record.base
        if base is None:
            return f"differs from the server: {_named(changes(there, self.codec.align(here, there)))}"
        parts = []
        if record.local.body != base.local.body:
            parts.append(f"it was changed here since it was last synchronized: {_named(self.codec.patch(base_here, here))}")
        if record.remote.body != base.remote.body:
            moved = with_keys(base_there, there, keys_between(base_there, there))
            parts.append(f"it was changed on the server since it was last synchronized: {_named(changes(moved, there))}")
        return "; ".join(parts)


def _is_alike(record: Record) -> bool:
    """Return whether both sides of an object are known to say the same."""
    assert record.local is not None  # noqa: S101 - both sides hold it
    assert record.remote is not None  # noqa: S101
    base = record.base
    as_agreed = base is None or (record.local.body, record.remote.body) == (base.local.body, base.remote.body)
    return as_agreed and record.local.sense == record.remote.sense


def _named(patch: dict[str, Any]) -> str:
    names = described(patch)
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more or "its form"
