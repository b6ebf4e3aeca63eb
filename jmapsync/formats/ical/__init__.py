"""Convert iCalendar files to JSCalendar 2.0 objects and back (draft-ietf-calext-jscalendar-icalendar-25), losing nothing."""

from jmapsync.formats.ical.calendars import read_calendar, read_group, write_calendar, write_group

__all__ = ["read_calendar", "read_group", "write_calendar", "write_group"]
