"""The reading and the writing half of the codec of events and tasks: one file of a vdir, one object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jmapsync.formats.codec import MalformedError
from jmapsync.formats.ical.calendars import read_calendar, write_calendar

if TYPE_CHECKING:
    from jmapsync.formats.codec import Object


class EventCodec:
    """Converts the `.ics` files of one object, an Event or a Task, in JSCalendar 2.0."""

    suffix = ".ics"

    def read(self, data: bytes) -> Object:
        """Return the object of a file. Raises MalformedError where the file holds none, or several."""
        objects = read_calendar(data)
        if len(objects) > 1:
            raise MalformedError(f"The file holds {len(objects)} instances of a series, but not the series itself.")
        return objects[0]

    def write(self, item: Object) -> bytes:
        """Return the file of an object. Raises MalformedError."""
        return write_calendar([item])
