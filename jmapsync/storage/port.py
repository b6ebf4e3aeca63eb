"""Define what the engine may ask of a side, and what it gets back.

A side is asked to `look` (what is there?), to `read` bodies, and to `write` orders. What it saw comes as observations; only a
*whole* look, or the server's explicit list of destroyed ids, makes anything vanish. What it did comes as receipts, one an order.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jmapsync.errors import Remedy

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jmapsync.ledger import Place
    from jmapsync.planner.model import Order, Version


@dataclass(frozen=True, slots=True)
class Seen:
    """One item as a side was seen to hold it."""

    ref: str
    """The server's id; for a local item, where its first copy lies (for people)."""
    version: Version
    size: int = 0
    """Octets on the wire."""
    stamp: int = 0
    """receivedAt, seconds since the epoch."""
    digest: str = ""
    """Of the wire's bytes, as far as known."""
    key: int | None = None
    """The item it is known to be."""
    places: tuple[Place, ...] = ()
    """Where its copies lie, when it is a local item."""


@dataclass(frozen=True, slots=True)
class Folder:
    """One container as a side was seen to hold it."""

    ref: str
    """The server's id, or the path below the root."""
    name: str
    parent: str
    """The parent's ref, or nothing at the top."""
    role: str = ""
    key: int | None = None
    rights: frozenset[str] = frozenset()
    """On the server: the names in `myRights` that are true (RFC 8621, 2)."""


@dataclass(slots=True)
class Observation:
    """What one look, or one page of it, saw."""

    items: list[Seen] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    """Keys of items seen to be gone."""
    gone_refs: list[str] = field(default_factory=list)
    """Ids the server says are destroyed; unknown ones mean nothing."""
    folders: list[Folder] = field(default_factory=list)
    folders_whole: bool = False
    """True when `folders` is all there are."""
    gone_folders: list[str] = field(default_factory=list)
    cursor: str = ""
    """What to start the next look from once this page is kept; nothing leaves it as it is."""
    whole: bool = False
    """True on the last page of a look that has listed every item: what was not listed is gone."""
    suspicious: str = ""
    """Why a vanishing must not be believed without a person, or nothing."""
    problems: list[Trouble] = field(default_factory=list)
    moved: list[tuple[int, str]] = field(default_factory=list)
    """Local places (folder, name) that are no longer there."""
    places: list[Place] = field(default_factory=list)
    """Local places whose row changes although the version does not."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that had to be left out of a look, by name."""

    item: str
    why: str


class Outcome(enum.Enum):
    """How an order ended."""

    DONE = "done"
    STALE = "stale"
    """The side does not hold what was expected: look again and plan again."""
    REFUSED = "refused"
    BOUND = "bound"
    """The server holds this very content already under `ref`: nothing was written, the two are one (RFC 8621, 4.8)."""
    KEPT = "kept"
    """The item stays on the server by the user's wish and is no longer mirrored."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came of one order."""

    key: int
    outcome: Outcome
    version: Version | None = None
    """What the side was seen to hold after the write, others' changes included; None when the item is no longer there."""
    why: str = ""
    remedy: Remedy = Remedy.NEVER
    ref: str | None = None
    """The server's id, where the order gave the item one."""
    digest: str = ""
    size: int = 0
    places: tuple[Place, ...] = ()
    moved: tuple[tuple[int, str], ...] = ()


@dataclass(slots=True)
class Body:
    """The wire's bytes of one item, in memory or in a file of their own."""

    ref: str
    data: bytes | None = None
    path: Path | None = None
    why: str = ""
    """Why there are none."""
    remedy: Remedy = Remedy.LATER
    whole: bool = True
    """False when the number of octets is not the one the server told, twice in the same way."""
    vanished: bool = False
    """True when the side no longer has the item."""


@dataclass(frozen=True, slots=True)
class Job:
    """One order with all that is needed to carry it out."""

    order: Order
    ref: str | None
    stamp: int
    body: Body | None = None
    places: Sequence[Place] = ()
