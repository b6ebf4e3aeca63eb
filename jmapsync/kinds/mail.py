"""Declare mail: messages in mailboxes (RFC 8621). A message lives in one mailbox at least; its bytes never change there."""

from jmapsync.kinds import Kind, RightNames
from jmapsync.planner.model import Rules

_ADD, _REMOVE = frozenset({"mayAddItems"}), frozenset({"mayRemoveItems"})
MAIL = Kind(
    name="mail",
    items=Rules(kind="mail"),
    containers=Rules(kind="mailbox", homeless=True, shelve=False),
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
)
