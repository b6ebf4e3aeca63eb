"""One declaration per data type: what makes a kind differ from another is data, not code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from jmapsync.planner.model import Side

if TYPE_CHECKING:
    from jmapsync.planner.model import Rules


class Kind(Struct, frozen=True):
    """One data type."""

    name: str
    """As in the configuration and on the command line."""
    items: Rules
    containers: Rules
    undoes: bool = False
    """Whether what may not be done on the server is taken back here; else it waits, held back."""

    @property
    def kept(self) -> str:
        """Return the ledger's name for items that stay on the server and are no longer mirrored."""
        return f"{self.items.kind}:kept"

    @property
    def detached(self) -> str:
        """Return the ledger's name for what is known of items in containers that are no longer mirrored."""
        return f"{self.items.kind}:detached"

    def pulled_only(self) -> Kind:
        """Return the kind with the server left unwritten."""
        only = frozenset({Side.LOCAL})
        return replace(self, items=replace(self.items, writable=only), containers=replace(self.containers, writable=only))
