"""Declare mail: messages in mailboxes (RFC 8621). A message lives in one mailbox at least; its bytes never change there."""

from jmapsync.kinds import Kind
from jmapsync.planner.model import Rules

MAIL = Kind(
    name="mail",
    items=Rules(kind="mail"),
    containers=Rules(kind="mailbox", homeless=True, shelve=False),
    undoes=True,
)
