"""Declare tasks: objects of type Task in calendars, where a server offers them (draft-ietf-jmap-calendars)."""

from jmapsync.kinds import Kind
from jmapsync.kinds.calendars import OF_CALENDARS
from jmapsync.planner.model import Rules

TASKS = Kind(
    name="tasks",
    items=Rules(kind="tasks", mergeable=True),
    containers=Rules(kind="tasklist", homeless=True, shelve=False),
    rights=OF_CALENDARS,
)
