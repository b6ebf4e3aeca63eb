"""Define an item of the ledger: what each side holds of it, and what both agreed on."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from jmapsync.planner.model import Base, Pair, Side, Version


class Record(Struct, frozen=True):
    """One item with its three trees."""

    key: int
    kind: str
    ref: str | None = None
    name: str = ""
    size: int = 0
    """Octets on the wire; 0 while unknown."""
    stamp: int = 0
    """receivedAt, seconds since the epoch."""
    digest: str = ""
    local: Version | None = None
    remote: Version | None = None
    base: Base | None = None

    @property
    def pair(self) -> Pair:
        """Return what the planner needs of it."""
        return Pair(self.key, self.local, self.remote, self.base, self.name)

    def of(self, side: Side) -> Version | None:
        """Return the version of one side."""
        return self.local if side is Side.LOCAL else self.remote

    def with_side(self, side: Side, version: Version | None) -> Record:
        """Return the record with another version on one side."""
        return replace(self, local=version) if side is Side.LOCAL else replace(self, remote=version)
