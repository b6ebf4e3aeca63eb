"""Declare calendars: events with their overrides in calendars (draft-ietf-jmap-calendars), merged property by property."""

from jmapsync.kinds import Kind
from jmapsync.planner.model import Rules

CALENDARS = Kind(
    name="calendars",
    items=Rules(kind="calendars", mergeable=True),
    containers=Rules(kind="calendar", homeless=True, shelve=False),
)
