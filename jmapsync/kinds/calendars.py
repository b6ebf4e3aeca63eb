"""Declare calendars: events with their overrides in calendars (draft-ietf-jmap-calendars), merged property by property."""

from jmapsync.kinds import Kind, RightNames
from jmapsync.planner.model import Rules

_WRITE = frozenset({"mayWriteAll", "mayWriteOwn"})
OF_CALENDARS = RightNames(
    read="mayReadItems",
    add=(_WRITE,),
    remove=(_WRITE,),
    edit=(_WRITE | {"mayUpdatePrivate", "mayRSVP"},),
    delete=(frozenset({"mayDelete"}),),
)
"""Draft-ietf-jmap-calendars, section 4; which edits `mayRSVP` covers is the server's to say."""
CALENDARS = Kind(
    name="calendars",
    items=Rules(kind="calendars", mergeable=True),
    containers=Rules(kind="calendar", homeless=True, shelve=False),
    rights=OF_CALENDARS,
)
