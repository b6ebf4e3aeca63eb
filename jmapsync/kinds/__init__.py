"""Declare the data types: what makes one kind differ from another is data, not code.

A new kind is a `Kind` here, a codec of its files (formats.codec), an offer of each server (storage.jmap.objects.dialects) and
a table of the configuration (config.values). `tests/test_kinds.py` says what is missing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from jmapsync.planner.model import Rules, Side, TagWords

if TYPE_CHECKING:
    from collections.abc import Iterable

_NOUNS = {"addressbook": "address book", "tasklist": "task list"}
_SEVERAL = {"mailbox": "mailboxes", "scripts": "scripts"}
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
Needed = tuple[frozenset[str], ...]
"""The rights that an operation in a container needs: one of each set."""
_ADD, _REMOVE = frozenset({"mayAddItems"}), frozenset({"mayRemoveItems"})
_MAY_WRITE = frozenset({"mayWrite"})
_WRITE = frozenset({"mayWriteAll", "mayWriteOwn"})


class RightNames(Struct, frozen=True):
    """The names of rights in `myRights` of a container, by operation; an operation without names needs none."""

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
    noun: str
    """One item, in messages."""
    capabilities: tuple[str, ...]
    """What offers it: the standard's name, then the one that Cyrus used before there was one."""
    types: tuple[str, ...]
    """The data types, as push names them."""
    items: Rules
    containers: Rules
    rights: RightNames
    """A local change that the rights forbid is not sent: what was written waits, anything else is undone on disk."""
    counted: tuple[str, ...] = ()
    """What quotas for its items call them (RFC 9425, section 4.1); none: their figures keep no item from being sent."""

    @property
    def container_noun(self) -> str:
        """Return what one container is called in messages."""
        return _NOUNS.get(self.containers.kind, self.containers.kind)

    @property
    def container_nouns(self) -> str:
        """Return what several containers are called in messages."""
        return _SEVERAL.get(self.containers.kind, f"{self.container_noun}s")

    @property
    def kept(self) -> str:
        """Return the ledger's name for items that stay on the server and are no longer synced."""
        return f"{self.items.kind}:kept"

    @property
    def detached(self) -> str:
        """Return the ledger's name for records of items in containers that are no longer synced."""
        return f"{self.items.kind}:detached"

    def limited(self, most_homes: int) -> Kind:
        """Return the kind for a server that allows an item in at most `most_homes` containers; 0 is any number."""
        return self if most_homes == self.items.most_homes else replace(self, items=replace(self.items, most_homes=most_homes))

    def pulled_only(self) -> Kind:
        """Return the kind for syncing from the server only."""
        only = frozenset({Side.LOCAL})
        return replace(self, items=replace(self.items, writable=only), containers=replace(self.containers, writable=only))


MAIL = Kind(
    name="mail",
    noun="email",
    capabilities=("urn:ietf:params:jmap:mail",),
    types=("Mailbox", "Email"),
    items=Rules(kind="mail", fixed=True),
    containers=Rules(kind="mailbox", homeless=True, keeps_loser=False),
    rights=RightNames(  # RFC 8621, section 2
        read="mayReadItems",
        add=(_ADD,),
        remove=(_REMOVE,),
        edit=(_ADD, _REMOVE),
        delete=(frozenset({"mayDelete"}),),
        rename=(frozenset({"mayRename"}),),
        child=(frozenset({"mayCreateChild"}),),
        seen=(frozenset({"maySetSeen"}),),
        keywords=(frozenset({"maySetKeywords"}),),
    ),
    counted=("Email", "Mail"),  # the second in the RFC's examples and on James
)


CONTACTS = Kind(
    name="contacts",
    noun="card",
    capabilities=("urn:ietf:params:jmap:contacts", "https://cyrusimap.org/ns/jmap/contacts"),
    types=("AddressBook", "ContactCard", "Contact", "ContactGroup"),
    items=Rules(kind="contacts", mergeable=True),
    containers=Rules(kind="addressbook", homeless=True, keeps_loser=False),
    rights=RightNames(  # RFC 9610, section 2
        read="mayRead", add=(_MAY_WRITE,), remove=(_MAY_WRITE,), edit=(_MAY_WRITE,), delete=(frozenset({"mayDelete"}),)
    ),
    counted=("ContactCard", "Contact"),
)


OF_CALENDARS = RightNames(
    read="mayReadItems",
    add=(_WRITE,),
    remove=(_WRITE,),
    edit=(_WRITE | {"mayUpdatePrivate", "mayRSVP"},),
    delete=(frozenset({"mayDelete"}),),
)
"""Draft-ietf-jmap-calendars, section 4; the server decides which edits `mayRSVP` covers."""
CALENDARS = Kind(
    name="calendars",
    noun="event",
    capabilities=("urn:ietf:params:jmap:calendars",),
    types=("Calendar", "CalendarEvent"),
    items=Rules(kind="calendars", mergeable=True),
    containers=Rules(kind="calendar", homeless=True, keeps_loser=False),
    rights=OF_CALENDARS,
    counted=("CalendarEvent",),
)


TASKS = Kind(
    name="tasks",
    noun="task",
    capabilities=("urn:ietf:params:jmap:calendars",),
    types=("Calendar", "CalendarEvent"),
    items=Rules(kind="tasks", mergeable=True),
    containers=Rules(kind="tasklist", homeless=True, keeps_loser=False),
    rights=OF_CALENDARS,
    counted=("CalendarEvent", "Task"),
)


SIEVE = Kind(
    name="sieve",
    noun="script",
    capabilities=("urn:ietf:params:jmap:sieve", "https://cyrusimap.org/ns/jmap/sieve"),
    types=("SieveScript",),
    items=Rules(kind="sieve", tag_words=(TagWords("active", "activated", "deactivated"), TagWords("named:", "renamed"))),
    containers=Rules(kind="scripts", homeless=True, keeps_loser=False),
    rights=RightNames(read="", add=(), remove=(), edit=(), delete=()),  # RFC 9661 has none but that of the account
)


def rights_in_words(names: Iterable[str]) -> str:
    """Return names of rights in words.

    >>> rights_in_words(["mayWriteAll", "mayDelete"])
    'delete, write all'
    """
    return ", ".join(sorted(_HUMP.sub(" ", name.removeprefix("may")).lower() for name in names))


KINDS = {kind.name: kind for kind in (MAIL, CONTACTS, CALENDARS, TASKS, SIEVE)}
"""Every kind, by name."""
