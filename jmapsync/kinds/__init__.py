"""One declaration per data type: what makes a kind differ from another is data, not code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from jmapsync.planner.model import Side

if TYPE_CHECKING:
    from jmapsync.planner.model import Rules


Needed = tuple[frozenset[str], ...]
"""What it takes to do something in a container: one right of each of these."""


class RightNames(Struct, frozen=True):
    """The names of rights in `myRights` of a container; what needs none may always be tried."""

    read: str
    """The right to list the container's items. Without it, nothing else in `myRights` is relied on."""
    add: Needed
    remove: Needed
    edit: Needed
    delete: Needed
    rename: Needed = ()
    child: Needed = ()
    seen: Needed = ()
    keywords: Needed = ()


class Kind(Struct, frozen=True):
    """One data type."""

    name: str
    """As in the configuration and on the command line."""
    items: Rules
    containers: Rules
    rights: RightNames
    """What may not be done on the server is taken back here."""

    @property
    def kept(self) -> str:
        """Return the ledger's name for items that stay on the server and are no longer mirrored."""
        return f"{self.items.kind}:kept"

    @property
    def detached(self) -> str:
        """Return the ledger's name for what is known of items in containers that are no longer mirrored."""
        return f"{self.items.kind}:detached"

    def limited(self, most_homes: int) -> Kind:
        """Return the kind for a server that has an item in so many containers at most; 0: in any number."""
        return self if most_homes == self.items.most_homes else replace(self, items=replace(self.items, most_homes=most_homes))

    def pulled_only(self) -> Kind:
        """Return the kind with the server left unwritten."""
        only = frozenset({Side.LOCAL})
        return replace(self, items=replace(self.items, writable=only), containers=replace(self.containers, writable=only))
