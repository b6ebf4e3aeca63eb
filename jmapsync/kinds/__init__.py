"""One declaration per data type: what makes a kind differ from another is data, not code."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from jmapsync.planner.model import Side

if TYPE_CHECKING:
    from jmapsync.planner.model import Rules


@dataclass(frozen=True, slots=True)
class Kind:
    """One data type."""

    name: str
    """As in the configuration and on the command line."""
    items: Rules
    containers: Rules

    @property
    def kept(self) -> str:
        """Return the ledger's name for items that stay on the server and are no longer mirrored."""
        return f"{self.items.kind}:kept"

    def pulled_only(self) -> Kind:
        """Return the kind with the server left unwritten."""
        only = frozenset({Side.LOCAL})
        return replace(self, items=replace(self.items, writable=only), containers=replace(self.containers, writable=only))
