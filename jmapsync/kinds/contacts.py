"""Declare contacts: cards in address books (RFC 9610). A card may be in several; its properties are merged one by one."""

from jmapsync.kinds import Kind
from jmapsync.planner.model import Rules

CONTACTS = Kind(
    name="contacts",
    items=Rules(kind="contacts", mergeable=True),
    containers=Rules(kind="addressbook", homeless=True, shelve=False),
)
