"""Hold what the server answered when it was asked for objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from jmapsync.formats.objects import Object


class Found(Struct):
    """What the server answered when it was asked for objects by their ids."""

    items: dict[str, Object] = {}
    """As the server gave them, by id."""
    files: dict[str, bytes] = {}
    """By id, where objects are read as files."""
    parts: dict[str, dict[str, Object]] = {}
    """As the server gave them, by id, the objects of each item that stands for the instances of one uid."""
    unreadable: set[str] = set()
    """Ids of objects that the server gave in a form that cannot be read."""
    lost: set[str] = set()
    """Ids that the server says it does not have."""
    state: str = ""
    """The server's state when the first of them were read."""
    asked: int = 0
    """How many ids it was asked for."""

    def add(self, more: Found) -> None:
        """Add what was answered for further ids."""
        self.items |= more.items
        self.files |= more.files
        self.parts |= more.parts
        self.lost |= more.lost
        self.unreadable |= more.unreadable
        self.state = self.state or more.state
        self.asked += more.asked
