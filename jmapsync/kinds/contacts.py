"""Declare contacts: cards in address books (RFC 9610). A card may be in several; its properties are merged one by one."""

from jmapsync.kinds import Kind, RightNames
from jmapsync.planner.model import Rules

_WRITE = frozenset({"mayWrite"})
CONTACTS = Kind(
    name="contacts",
    items=Rules(kind="contacts", mergeable=True),
    containers=Rules(kind="addressbook", homeless=True, shelve=False),
    rights=RightNames(  # RFC 9610, section 2
        read="mayRead", add=(_WRITE,), remove=(_WRITE,), edit=(_WRITE,), delete=(frozenset({"mayDelete"}),)
    ),
)
