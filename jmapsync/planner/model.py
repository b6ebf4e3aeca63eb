"""Define the words the planner speaks: versions, pairs, rules, decisions, orders.

Terminology
-----------
side        LOCAL (the disk) or REMOTE (the server).
item        a body, a set of tags and a set of homes; a container (mailbox, address book) is an item too.
key         the ledger's own number for an item, the same on both sides and for life.
body        a side's own fingerprint of the content; answers "did it change here?". A container's body is its name.
sense       a canonical digest of the content; answers "do the sides mean the same?"; empty while unknown.
tags        keywords; flags.
homes       keys of the containers the item is in; of a container: its parent, or nothing at the top.
base        the pair of versions that both sides were last seen to hold together.
order       one write to one side, with what it expects to find there.
"""

from __future__ import annotations

import enum
from typing import Final

from msgspec import Struct

Tags = frozenset[str]
Homes = frozenset[int]
NOTHING: frozenset[int] = frozenset()
NO_TAGS: frozenset[str] = frozenset()


class Side(enum.Enum):
    """One of the two sides that are kept the same."""

    LOCAL = "local"
    REMOTE = "remote"

    @property
    def other(self) -> Side:
        """Return the opposite side."""
        return Side.REMOTE if self is Side.LOCAL else Side.LOCAL


SIDES: Final = (Side.LOCAL, Side.REMOTE)
"""Both sides; iterating over an enumeration is several times slower, and every item does it often."""


class Version(Struct, frozen=True):
    """What one side holds of one item."""

    body: str
    sense: str = ""
    tags: Tags = NO_TAGS
    homes: Homes = NOTHING
    leaving: Homes = NOTHING
    """Homes whose copy is still there but marked to go (the Maildir flag T); a subset of `homes`."""
    untidy: bool = False
    """True when the side shows the item unevenly (two copies with different flags) and wants rewriting."""

    @property
    def kept(self) -> Homes:
        """Return the homes the item is meant to stay in."""
        return self.homes - self.leaving


class Base(Struct, frozen=True):
    """The pair of versions both sides were last seen to hold together."""

    local: Version
    remote: Version

    def of(self, side: Side) -> Version:
        """Return the version of one side."""
        return self.local if side is Side.LOCAL else self.remote


class Pair(Struct, frozen=True):
    """One item in all three trees."""

    key: int
    local: Version | None
    remote: Version | None
    base: Base | None
    name: str = ""
    """A label for people (a subject is never used: a file name or a server id)."""

    def of(self, side: Side) -> Version | None:
        """Return the version of one side."""
        return self.local if side is Side.LOCAL else self.remote


class TagWords(Struct, frozen=True):
    """How people call a change of tags that are no flags of a message."""

    prefix: str
    """How these tags begin; what follows, percent-encoded, is shown."""
    set: str
    cleared: str = ""
    """Nothing where that says no more than what was set instead."""


class Rules(Struct, frozen=True):
    """What makes one kind differ from another: data, never code paths."""

    kind: str
    prefer: Side = Side.REMOTE
    """Whose body wins in place when both changed it to different things."""
    homeless: bool = False
    """True when an item may be in no container at all (containers themselves, scripts)."""
    keeps_loser: bool = True
    """False when the losing body is too small to keep (a container's name)."""
    fixed: bool = False
    """True when the server never changes the body of an item (an email: RFC 8621, 4.1.1)."""
    mergeable: bool = False
    """True when a body has parts that each side may have changed on its own (a card, an event)."""
    most_homes: int = 0
    """The most containers that an item may be in on the server (`maxMailboxesPerEmail`, `maxCalendarsPerEvent`); 0: no limit."""
    writable: frozenset[Side] = frozenset(Side)
    """The sides that may be written; `direction = "pull"` leaves LOCAL only."""
    tag_words: tuple[TagWords, ...] = ()
    """What changes of tags are called that are not flagged and unflagged."""


class Wanted(Struct, frozen=True):
    """The state a side is to reach: whose body, which tags, which homes."""

    source: Side
    tags: Tags
    homes: Homes
    marked: Homes = NOTHING
    """Homes whose copy keeps the mark that it is to go: the other side has to hold the content before that is followed."""


class Decision(Struct, frozen=True):
    """The wanted state of both sides of one item, with the reason in words; `None` means absent."""

    local: Wanted | None
    remote: Wanted | None
    reason: str
    loser: Side | None = None
    """The side whose body is about to be overwritten and must be kept as a conflict copy first."""
    undone: bool = False
    """True when something is taken back here that may not be done on the server."""
    waits: str = ""
    """Why nothing is done about it until it may be."""

    def of(self, side: Side) -> Wanted | None:
        """Return the wanted state of one side."""
        return self.local if side is Side.LOCAL else self.remote


class Verb(enum.Enum):
    """What an order does to its side."""

    CREATE = "create"
    REPLACE = "replace"
    """Give the item a new body (and, with it, tags and homes)."""
    UPDATE = "update"
    """Change tags or homes only."""
    DELETE = "delete"


class Order(Struct, frozen=True):
    """One write to one side, carrying what it expects to find; a mismatch is stale and means: plan again."""

    side: Side
    verb: Verb
    key: int
    expect: Version | None
    """What the tree of that side held; None for CREATE."""
    source: Version | None
    """The other side's version whose body is to be written; None unless CREATE or REPLACE."""
    tags: Tags
    homes: Homes
    reason: str
    name: str = ""

    @property
    def added_tags(self) -> Tags:
        """Return the tags to set."""
        return self.tags - (self.expect.tags if self.expect else NO_TAGS)

    @property
    def removed_tags(self) -> Tags:
        """Return the tags to clear."""
        return (self.expect.tags if self.expect else NO_TAGS) - self.tags

    @property
    def added_homes(self) -> Homes:
        """Return the containers to add the item to."""
        return self.homes - (self.expect.homes if self.expect else NOTHING)

    @property
    def removed_homes(self) -> Homes:
        """Return the containers to take the item out of."""
        return (self.expect.homes if self.expect else NOTHING) - self.homes


class Change(Struct, frozen=True):
    """All that is to happen to one item: at most one order a side, then one ledger commit."""

    key: int
    orders: tuple[Order, ...]
    reason: str
    loser: Side | None = None
    stage: int = 0
    """Changes of a lower stage come first; within a stage any order gives the same end."""
    undone: bool = False
    """True when something is taken back here that may not be done on the server."""
    then: tuple[Order, ...] = ()
    """The orders that follow once these are done: what is marked deleted goes after the other side got its content."""

    @property
    def deletes(self) -> bool:
        """Return whether any order takes the item off a side."""
        return any(order.verb is Verb.DELETE for order in self.orders)


class Rights(Struct, frozen=True):
    """What may not be done on the server, by the containers it would be done to (`myRights`)."""

    no_add: frozenset[int] = NOTHING
    """Into these nothing may be put."""
    no_remove: frozenset[int] = NOTHING
    no_edit: frozenset[int] = NOTHING
    """Of what is in these no body may be changed."""
    no_seen: frozenset[int] = NOTHING
    """Of what is in these nothing may be marked read or unread."""
    no_keywords: frozenset[int] = NOTHING
    no_child: frozenset[int] = NOTHING
    """In these no container may be made."""
    no_rename: frozenset[int] = NOTHING
    no_delete: frozenset[int] = NOTHING
    no_top: bool = False
    """True when no container may be made at the top."""


ALLOWED: Final = Rights()
"""Everything may be done."""


class Blocked(Struct, frozen=True):
    """An item that has to wait, and why."""

    key: int
    reason: str


class Plan(Struct, frozen=True):
    """What is to be done, derived from the three trees and never stored."""

    changes: tuple[Change, ...]
    """Changes with orders, in the order of their stages; within a stage any order gives the same end."""
    agreed: tuple[int, ...]
    """Keys whose sides agree already: the base follows without a write."""
    forgotten: tuple[int, ...]
    """Keys gone from both sides."""
    blocked: tuple[Blocked, ...] = ()
    """Items that wait for another one: a folder that is still to be made."""
    hidden: tuple[Blocked, ...] = ()
    """Items that one side has where it cannot be seen, or may not have: only this list says why nothing is done about them."""


class Present(Struct, frozen=True):
    """The containers that exist on each side, so that nothing is ordered into a place that is not there."""

    local: frozenset[int] = NOTHING
    remote: frozenset[int] = NOTHING

    def of(self, side: Side) -> frozenset[int]:
        """Return the containers of one side."""
        return self.local if side is Side.LOCAL else self.remote
