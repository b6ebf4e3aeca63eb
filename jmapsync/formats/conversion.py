"""Join a converter of files with the algebra of objects: the codec of a kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jmapsync.formats import align, canonical

if TYPE_CHECKING:
    from collections.abc import Callable

    from jmapsync.formats.codec import Object, Patch


@dataclass(frozen=True, slots=True)
class FileCodec:
    """A codec for one kind of file; see `codec.Codec`."""

    suffix: str
    read: Callable[[bytes], Object]
    write: Callable[[Object], bytes]
    take_back: Callable[[Object, Object], Object]
    """Returns an edited object without the damage that the editor did (`formats.damage`)."""

    def align(self, item: Object, reference: Object) -> Object:
        """Return an object with the keys that `reference` has for the same entries."""
        return align.align(item, reference)

    def sense(self, item: Object) -> str:
        """Return the digest of what an object means, its large data by digest."""
        return canonical.sense(item)

    def patch(self, before: Object, after: Object) -> Patch:
        """Return what an edit changed, editors' damage taken back."""
        return canonical.changes(before, self.take_back(before, after))
