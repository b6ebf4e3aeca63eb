"""Convert between iCalendar files and JSCalendar 2.0 objects without loss (draft-ietf-calext-jscalendar-icalendar-25)."""

from jmapsync.formats.ical.calendars import check_writable, read_calendar, read_group, write_calendar, write_group, zones_of_file

__all__ = ["check_writable", "read_calendar", "read_group", "write_calendar", "write_group", "zones_of_file"]
